#include "common/core/distribution.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SQRT_2 1.41421356237309504880
#define SQRT_2_PI 2.50662827463100050242
#define HALF_LN_2_PI 0.918938533204672741780
#define FRACTION_STEPS_MAX 200000	/* about the root of the larger shape */

static bool is_probability(double p)
{
	return p >= 0 && p <= 1;
}

double normal_cdf(double z)
{
	return 0.5 * erfc(-z / SQRT_2);
}

/*
 * Halley's method on whichever function keeps its digits: the tail itself far
 * out, its distance from one half near the middle. The guess is good to 4.5e-4
 * and every step cubes the error.
 */
static double normal_lower_quantile(double p)
{
	double t = sqrt(-2 * log(p));
	double z = (2.515517 + t * (0.802853 + t * 0.010328)) /
		   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;

	for (int step = 0; step < 2; step++) {
		double excess = p < 0.25 ? normal_cdf(z) - p :
				0.5 * erf(z / SQRT_2) - (p - 0.5);
		double newton = excess * SQRT_2_PI * exp(z * z / 2);

		z -= newton / (1 + newton * z / 2);
	}
	return z;
}

double normal_quantile(double p)
{
	if (!is_probability(p))
		return NAN;
	if (p == 0 || p == 1)
		return p == 0 ? -INFINITY : INFINITY;
	if (p == 0.5)
		return 0;
	return p < 0.5 ? normal_lower_quantile(p) :
			 -normal_lower_quantile(1 - p);
}

/*
 * What Stirling's formula lacks of the logarithm of n!, n > 0. lgamma(3) would
 * write the global signgam; its reentrant sister does not.
 */
static double stirling_error(double n)
{
	double s = 1 / (n * n);
	int sign;

	if (n < 16)
		return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n -
		       HALF_LN_2_PI;
	return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 -
		s * (1.0 / 1680 - s / 1188)))) / n;
}

/* n ln(n / mean) + mean - n, also where the two nearly cancel. */
static double deviance(double n, double mean)
{
	double v = (n - mean) / (n + mean);
	double sum = (n - mean) * v, term = 2 * n * v, before;

	if (fabs(v) > 0.1)
		return n * log(n / mean) + mean - n;
	for (int j = 3;; j += 2) {
		term *= v * v;
		before = sum;
		sum += term / j;
		if (sum == before)
			return sum;
	}
}

/* x^a y^b / B(a, b) with y = 1 - x, by Loader's saddle point expansion. */
static double beta_power(double x, double y, double a, double b)
{
	double n = a + b;

	return sqrt(a / n * b) *
	       exp(stirling_error(n) - stirling_error(a) - stirling_error(b) -
		   deviance(a, n * x) - deviance(b, n * y) - HALF_LN_2_PI);
}

/* Lentz's step for a continued fraction 1 + d / (1 + d / (1 + ... */
static double lentz(double d, double *numerator, double *denominator)
{
	*numerator = 1 + d / *numerator;
	*denominator = 1 / (1 + d * *denominator);
	return *numerator * *denominator;
}

/* Abramowitz and Stegun 26.5.8; quick while x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
	double numerator = 1, denominator = 0, value = 1;

	for (int step = 0; step < FRACTION_STEPS_MAX; step++) {
		double m = step, even, odd;

		odd = -(a + m) * (a + b + m) * x /
		      ((a + 2 * m) * (a + 2 * m + 1));
		even = (m + 1) * (b - m - 1) * x /
		       ((a + 2 * m + 1) * (a + 2 * m + 2));
		value *= lentz(odd, &numerator, &denominator);
		double change = lentz(even, &numerator, &denominator);

		value *= change;
		if (fabs(change - 1) < DBL_EPSILON)
			break;
	}
	return value;
}

/* The incomplete beta function where x and y = 1 - x are both exact. */
static double beta_below(double x, double y, double a, double b)
{
	if (x <= 0 || y <= 0)
		return x <= 0 ? 0 : 1;
	if (x > (a + 1) / (a + b + 2))
		return 1 - beta_power(y, x, b, a) / b / beta_fraction(y, b, a);
	return beta_power(x, y, a, b) / a / beta_fraction(x, a, b);
}

double beta_cdf(double x, double a, double b)
{
	if (isnan(x) || !(a > 0 && a <= DBL_MAX) || !(b > 0 && b <= DBL_MAX))
		return NAN;
	return beta_below(x, 1 - x, a, b);
}

static double double_of_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t bits_of_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * The least x in 0 .. most where the rising function reaches p. Doubles that
 * are not negative are ordered as their bits are, so that halving the range
 * of bits finds the last digit in 63 steps, however small x is.
 */
static double invert(double (*rising)(double x, double a, double b), double a,
		     double b, double p, double most)
{
	uint64_t low = 0, high = bits_of_double(most);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (rising(double_of_bits(middle), a, b) < p)
			low = middle + 1;
		else
			high = middle;
	}
	return double_of_bits(low);
}

double beta_quantile(double p, double a, double b)
{
	if (!is_probability(p) || isnan(beta_cdf(0, a, b)))
		return NAN;
	if (p == 1)
		return 1;
	return invert(beta_cdf, a, b, p, 1);
}

/* P(0 < T <= t) for t >= 0, all its digits kept near 0. */
static double student_inner(double t, double freedom, double unused)
{
	double square = t / freedom * t;

	(void)unused;
	return 0.5 * beta_below(1 / (1 + 1 / square), 1 / (1 + square), 0.5,
				freedom / 2);
}

/* Minus P(T > t) for t >= 0, all its digits kept far out. */
static double student_outer(double t, double freedom, double unused)
{
	double square = t / freedom * t;

	(void)unused;
	return -0.5 * beta_below(1 / (1 + square), 1 / (1 + 1 / square),
				 freedom / 2, 0.5);
}

double student_cdf(double t, double freedom)
{
	if (isnan(t) || !(freedom > 0))
		return NAN;
	if (isinf(freedom))
		return normal_cdf(t);
	return t < 0 ? -student_outer(-t, freedom, 0) :
		       1 + student_outer(t, freedom, 0);
}

double student_quantile(double p, double freedom)
{
	double tail = p < 0.5 ? p : 1 - p, t;

	if (!is_probability(p) || !(freedom > 0))
		return NAN;
	if (isinf(freedom))
		return normal_quantile(p);
	if (tail == 0)
		t = INFINITY;
	else if (tail < 0.25)
		t = invert(student_outer, freedom, 0, -tail, DBL_MAX);
	else
		t = invert(student_inner, freedom, 0, 0.5 - tail, DBL_MAX);
	return p < 0.5 ? -t : t;
}

double binomial_tail(uint64_t k, uint64_t n, double p)
{
	if (!is_probability(p))
		return NAN;
	if (k == 0 || k > n)
		return k == 0 ? 1 : 0;
	return beta_cdf(p, (double)k, (double)(n - k) + 1);
}
