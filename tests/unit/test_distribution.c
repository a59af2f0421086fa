#include "tests/support/test.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "common/core/distribution.h"

/*
 * What is wanted was computed with 50 digits by mpmath 1.3 for the very double
 * that is the argument: erfc and betainc, bisection on them, a continued
 * fraction for shapes above 1000, exact fractions for the binomial.
 */
static bool close_to(double got, double want, double tolerance)
{
	return fabs(got - want) <= tolerance * fabs(want);
}

static const struct {
	double z, want;
} normal_cdf_rows[] = {
	{ -37.5, 4.6053530095819548e-308 },
	{ -20.0, 2.7536241186062337e-89 },
	{ -10.0, 7.6198530241605261e-24 },
	{ -5.0, 2.8665157187919391e-7 },
	{ -2.5, 6.2096653257761352e-3 },
	{ -1.0, 1.5865525393145705e-1 },
	{ -1e-09, 4.9999999960105772e-1 },
	{ 0.0, 5.0e-1 },
	{ 0.5, 6.914624612740131e-1 },
	{ 1.959963984540054, 9.7499999999999999e-1 },
	{ 3.0, 9.9865010196836991e-1 },
	{ 6.0, 9.9999999901341235e-1 },
};

static const struct {
	double p, want;
} normal_quantile_rows[] = {
	{ 2.2250738585072014e-308, -3.75193793471445e+1 },
	{ 1e-300, -3.7047096299361199e+1 },
	{ 1e-100, -2.1273453560965324e+1 },
	{ 1e-16, -8.2220822161304356 },
	{ 1e-05, -4.2648907939228246 },
	{ 0.025, -1.9599639845400542 },
	{ 0.1, -1.2815515655446004 },
	{ 0.25, -6.7448975019608174e-1 },
	{ 0.4, -2.5334710313579974e-1 },
	{ 0.4999999999, -2.5066284820303539e-10 },
	{ 0.5000001, 2.5066282733116483e-7 },
	{ 0.6, 2.5334710313579974e-1 },
	{ 0.75, 6.7448975019608174e-1 },
	{ 0.975, 1.9599639845400539 },
	{ 0.99999, 4.2648907939238408 },
};

static void normal_is_exact_to_ten_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(normal_cdf_rows); i++) {
		double got = normal_cdf(normal_cdf_rows[i].z);

		test_row(close_to(got, normal_cdf_rows[i].want, 1e-12),
			 "cdf of %g: got %.17g", normal_cdf_rows[i].z, got);
	}
	for (size_t i = 0; i < COUNT(normal_quantile_rows); i++) {
		double got = normal_quantile(normal_quantile_rows[i].p);

		test_row(close_to(got, normal_quantile_rows[i].want, 1e-13),
			 "quantile of %g: got %.17g", normal_quantile_rows[i].p,
			 got);
	}
}

static const struct {
	double x, a, b, want;
} beta_cdf_rows[] = {
	{ 0.5, 1.0, 1.0, 5.0e-1 },
	{ 0.25, 0.5, 0.5, 3.3333333333333333e-1 },
	{ 0.1, 2.0, 3.0, 5.2300000000000005e-2 },
	{ 0.9, 2.0, 3.0, 9.963e-1 },
	{ 1e-10, 0.5, 4.0, 2.18749999978125e-5 },
	{ 0.999999, 3.0, 0.25, 9.5553048819136938e-1 },
	{ 0.3, 20.0, 30.0, 6.9987093300507363e-2 },
	{ 0.7, 20.0, 30.0, 9.9999405624741468e-1 },
	{ 0.01, 10.0, 1.0, 1.0000000000000002e-20 },
	{ 0.5, 100.0, 100.0, 5.0e-1 },
	{ 0.45, 500.0, 500.0, 7.6367893952650011e-4 },
	{ 0.02, 1.5, 200.0, 9.5583513794056015e-1 },
	{ 0.001, 0.01, 0.01, 4.6670738608769115e-1 },
	{ 0.495, 332796.0, 338184.0, 5.3294142606290751e-2 },
	{ 0.75, 300000000.0, 100001000.0, 5.3449855615633247e-1 },
	{ 0.9999, 1000000.0, 90.0, 1.46133318229761e-1 },
};

static const struct {
	double p, a, b, want;
} beta_quantile_rows[] = {
	{ 0.025, 1.0, 10.0, 2.5285785444617846e-3 },
	{ 0.975, 6.0, 5.0, 8.1291397155260143e-1 },
	{ 0.5, 2.0, 3.0, 3.8572756813238955e-1 },
	{ 0.05, 50.0, 51.0, 4.1362171463091176e-1 },
	{ 0.95, 0.5, 0.5, 9.9384417029756885e-1 },
	{ 1e-06, 3.0, 7.0, 2.2912212217033109e-3 },
	{ 0.001, 0.1, 2.0, 3.855432894295333e-31 },
};

static void beta_is_exact_to_ten_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(beta_cdf_rows); i++) {
		double got = beta_cdf(beta_cdf_rows[i].x, beta_cdf_rows[i].a,
				      beta_cdf_rows[i].b);

		test_row(close_to(got, beta_cdf_rows[i].want, 1e-10),
			 "cdf, row %zu: got %.17g", i, got);
	}
	for (size_t i = 0; i < COUNT(beta_quantile_rows); i++) {
		double got = beta_quantile(beta_quantile_rows[i].p,
					   beta_quantile_rows[i].a,
					   beta_quantile_rows[i].b);

		test_row(close_to(got, beta_quantile_rows[i].want, 1e-11),
			 "quantile, row %zu: got %.17g", i, got);
	}
}

static const struct {
	double t, freedom, want;
} student_cdf_rows[] = {
	{ -1.0, 1.0, 2.5e-1 },
	{ -1000000.0, 1.0, 3.1830988618368457e-7 },
	{ -2.228138851964939, 10.0, 2.5000000000904316e-2 },
	{ 0.5, 2.0, 6.6666666666666667e-1 },
	{ -12.5, 3.5, 2.4968611451413883e-4 },
	{ -40.0, 5.0, 9.2059810858864772e-8 },
	{ 1.5, 30.0, 9.27967035435677e-1 },
	{ -3.0, 200.0, 1.5215235569529514e-3 },
	{ -1e-08, 7.0, 4.9999999615008549e-1 },
	{ -6.0, 1000.0, 1.3776845866887346e-9 },
	{ -3.0, 1000000.0, 1.3499312707108985e-3 },
};

static const struct {
	double p, freedom, want;
} student_quantile_rows[] = {
	{ 0.025, 10.0, -2.2281388519862747 },
	{ 0.975, 10.0, 2.2281388519862742 },
	{ 0.95, 1.0, 6.3137515146750374 },
	{ 0.995, 2.0, 9.9248432009182886 },
	{ 1e-08, 5.0, -6.2404506110967291e+1 },
	{ 0.4999, 8.0, -2.58599054647853e-4 },
	{ 0.25, 4.0, -7.4069708411268263e-1 },
	{ 0.9, 29.0, 1.3114336473015512 },
	{ 0.0005, 120.0, -3.3734537685625004 },
	{ 0.6, 3.0, 2.7667066233268985e-1 },
	{ 0.5000001, 12.0, 2.5593362568787822e-7 },
};

static void student_is_exact_to_ten_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(student_cdf_rows); i++) {
		double got = student_cdf(student_cdf_rows[i].t,
					 student_cdf_rows[i].freedom);

		test_row(close_to(got, student_cdf_rows[i].want, 1e-10),
			 "cdf, row %zu: got %.17g", i, got);
	}
	for (size_t i = 0; i < COUNT(student_quantile_rows); i++) {
		double got = student_quantile(student_quantile_rows[i].p,
					      student_quantile_rows[i].freedom);

		test_row(close_to(got, student_quantile_rows[i].want, 1e-11),
			 "quantile, row %zu: got %.17g", i, got);
	}
}

static const struct {
	uint64_t k, n;
	double p, want;
} binomial_rows[] = {
	{ 1, 10, 0.1, 6.5132155990000002e-1 },
	{ 5, 10, 0.5, 6.23046875e-1 },
	{ 10, 10, 0.5, 9.765625e-4 },
	{ 60, 100, 0.5, 2.8443966820490396e-2 },
	{ 3, 1000, 0.001, 8.0209342840201057e-2 },
	{ 900, 1000, 0.85, 2.038966127472778e-6 },
	{ 1, 5, 1e-12, 4.9999999999899999e-12 },
	{ 0, 10, 0.3, 1 },
	{ 11, 10, 0.3, 0 },
	{ 0, 0, 0.3, 1 },
	{ 3, 10, 0, 0 },
	{ 3, 10, 1, 1 },
};

static void binomial_tail_is_exact_to_ten_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(binomial_rows); i++) {
		double got = binomial_tail(binomial_rows[i].k, binomial_rows[i].n,
					   binomial_rows[i].p);

		test_row(close_to(got, binomial_rows[i].want, 1e-11),
			 "row %zu: got %.17g", i, got);
	}
}

static void edges_have_their_answers(void **state)
{
	const struct {
		const char *name;
		double got, want;	/* want NAN: got must be NaN */
	} rows[] = {
		{ "normal cdf far left", normal_cdf(-INFINITY), 0 },
		{ "normal cdf far right", normal_cdf(INFINITY), 1 },
		{ "normal cdf of NaN", normal_cdf(NAN), NAN },
		{ "normal quantile of 0", normal_quantile(0), -INFINITY },
		{ "normal quantile of 1", normal_quantile(1), INFINITY },
		{ "normal median", normal_quantile(0.5), 0 },
		{ "normal quantile below 0", normal_quantile(-0.1), NAN },
		{ "normal quantile above 1", normal_quantile(1.1), NAN },
		{ "normal quantile of NaN", normal_quantile(NAN), NAN },
		{ "beta cdf left of its range", beta_cdf(-1, 2, 3), 0 },
		{ "beta cdf at 0", beta_cdf(0, 2, 3), 0 },
		{ "beta cdf at 1", beta_cdf(1, 2, 3), 1 },
		{ "beta cdf right of its range", beta_cdf(INFINITY, 2, 3), 1 },
		{ "beta cdf of NaN", beta_cdf(NAN, 2, 3), NAN },
		{ "beta cdf without a shape", beta_cdf(0.5, 0, 3), NAN },
		{ "beta cdf of a shape below 0", beta_cdf(0.5, 2, -1), NAN },
		{ "beta cdf of an infinite shape", beta_cdf(0.5, INFINITY, 1), NAN },
		{ "beta cdf of a NaN shape", beta_cdf(0.5, 2, NAN), NAN },
		{ "beta quantile of 0", beta_quantile(0, 2, 3), 0 },
		{ "beta quantile of 1", beta_quantile(1, 2, 3), 1 },
		{ "beta quantile above 1", beta_quantile(1.5, 2, 3), NAN },
		{ "beta quantile of NaN", beta_quantile(NAN, 2, 3), NAN },
		{ "beta quantile without a shape", beta_quantile(0.5, 2, 0), NAN },
		{ "student cdf at 0", student_cdf(0, 5), 0.5 },
		{ "student cdf far left", student_cdf(-INFINITY, 5), 0 },
		{ "student cdf far right", student_cdf(INFINITY, 5), 1 },
		{ "student cdf of NaN", student_cdf(NAN, 5), NAN },
		{ "student cdf without freedom", student_cdf(1, 0), NAN },
		{ "student cdf of NaN freedom", student_cdf(1, NAN), NAN },
		{ "student cdf of all freedom", student_cdf(-1, INFINITY), normal_cdf(-1) },
		{ "student quantile of 0", student_quantile(0, 5), -INFINITY },
		{ "student quantile of 1", student_quantile(1, 5), INFINITY },
		{ "student median", student_quantile(0.5, 5), 0 },
		{ "student quantile below 0", student_quantile(-0.5, 5), NAN },
		{ "student quantile without freedom", student_quantile(0.1, 0), NAN },
		{ "student quantile of all freedom", student_quantile(0.1, INFINITY), normal_quantile(0.1) },
		{ "binomial tail of NaN", binomial_tail(1, 2, NAN), NAN },
		{ "binomial tail above 1", binomial_tail(1, 2, 1.5), NAN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		test_row(isnan(rows[i].want) ? isnan(rows[i].got) :
			 !(rows[i].got < rows[i].want || rows[i].got > rows[i].want ||
			   isnan(rows[i].got)),
			 "%s: got %.17g", rows[i].name, rows[i].got);
}

/* 10^-3 .. 10^9, evenly in the logarithm. */
static double random_shape(struct random *random)
{
	return exp(log(1e-3) + random_unit(random) * log(1e12));
}

/* Both sides of the sum are computed by different fractions. */
static void the_two_tails_of_any_beta_add_up(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "beta tails");
	for (int i = 0; i < 20000; i++) {
		double a = random_shape(&random), b = random_shape(&random);
		double mean = a / (a + b);
		double x = mean + (random_unit(&random) - 0.5) * 8 *
			   sqrt(mean * (1 - mean) / (a + b + 1));

		x = x > 0 && x < 1 ? x : random_unit(&random);
		double left = beta_cdf(x, a, b), next = beta_cdf(x * 1.001, a, b);
		double right = beta_cdf(1 - x, b, a);

		test_row(left >= 0 && next >= left - 1e-8 && next <= 1,
			 "not rising: x=%g a=%g b=%g: %g, then %g", x, a, b, left, next);
		test_row(a + b > 1e6 || fabs(left + right - 1) < 1e-9,
			 "x=%g a=%g b=%g: %g + %g", x, a, b, left, right);
	}
}

static void quantiles_invert_their_distributions(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "quantiles");
	for (int i = 0; i < 2000; i++) {
		double p = exp(-random_unit(&random) * 20);
		double a = 0.5 + random_unit(&random) * 200;
		double b = 0.5 + random_unit(&random) * 200;

		test_row(close_to(beta_cdf(beta_quantile(p, a, b), a, b), p, 1e-11),
			 "beta p=%.17g a=%g b=%g", p, a, b);
		test_row(close_to(student_cdf(student_quantile(p, a), a), p, 1e-11),
			 "student p=%.17g freedom=%g", p, a);
		test_row(close_to(normal_cdf(normal_quantile(p)), p, 1e-13),
			 "normal p=%.17g", p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_is_exact_to_ten_digits),
		cmocka_unit_test(beta_is_exact_to_ten_digits),
		cmocka_unit_test(student_is_exact_to_ten_digits),
		cmocka_unit_test(binomial_tail_is_exact_to_ten_digits),
		cmocka_unit_test(edges_have_their_answers),
		cmocka_unit_test(the_two_tails_of_any_beta_add_up),
		cmocka_unit_test(quantiles_invert_their_distributions),
	};

	return cmocka_run_group_tests_name("distribution", tests, NULL, NULL);
}
