#include "workers/improve/gaussian_core.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/core/distribution.h"

#define SQRT_5 2.23606797749978969641
#define SQRT_2_PI 2.50662827463100050242
#define NOISE_LEAST 1e-6
#define TUNE_STEPS 24

/* Of the logarithms: a log-normal prior, and how far the search may go. */
struct prior {
	double mean, deviation, least, most;
};

/*
 * Wider with the root of the number of axes, as distances grow with it. Few
 * values say next to nothing about how much an axis of categories matters.
 */
static struct prior scale_prior(size_t axes, bool is_category)
{
	return (struct prior){ 0.5 * log((double)axes) - 0.7,
			       is_category ? 0.2 : 1.0, log(0.03), log(50) };
}

static const struct prior noise_prior = { -6.9, 2.0, -13.8, 0.7 };

static double distance(bool is_category, double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) != isnan(b);
	if (is_category)
		return a < b || a > b;
	return fabs(a - b);
}

/* Of a pair: the sums over its plain axes [0] and over its categories [1]. */
struct kernel {
	double correlation;
	double slope[2];	/* of it, by the log of a scale, each times d^2 */
};

static struct kernel kernel(double plain, double category)
{
	double r = SQRT_5 * sqrt(plain), decay = exp(-r - category);
	double correlation = (1 + r + r * r / 3) * decay;

	return (struct kernel){ correlation,
				{ 5.0 / 3 * (1 + r) * decay, 2 * correlation } };
}

void gaussian_init(struct gaussian *gaussian, size_t axes,
		   const bool *is_category)
{
	assert(axes > 0 && axes <= GAUSSIAN_AXES_MAX);
	gaussian->axes = axes;
	gaussian->count = 0;
	memcpy(gaussian->is_category, is_category, axes * sizeof(*is_category));
	for (size_t k = 0; k < axes; k++)
		gaussian->scales[k] = exp(scale_prior(axes, is_category[k]).mean);
	gaussian->noise = exp(noise_prior.mean);
}

void gaussian_add(struct gaussian *gaussian, const double *features,
		  double value)
{
	assert(gaussian->count < GAUSSIAN_POINTS_MAX);
	memcpy(gaussian->features[gaussian->count], features,
	       gaussian->axes * sizeof(*features));
	gaussian->values[gaussian->count++] = value;
}

double gaussian_correlation(const struct gaussian *gaussian, const double *a,
			    const double *b)
{
	double squares[2] = { 0 };

	for (size_t k = 0; k < gaussian->axes; k++) {
		double d = distance(gaussian->is_category[k], a[k], b[k]) /
			   gaussian->scales[k];

		squares[gaussian->is_category[k]] += d * d;
	}
	return kernel(squares[0], squares[1]).correlation;
}

/* Four sums at a time, as a single one would wait for itself. */
static double dot(const double *a, const double *b, size_t n)
{
	double sums[4] = { 0 };
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		for (size_t lane = 0; lane < 4; lane++)
			sums[lane] += a[i + lane] * b[i + lane];
	for (; i < n; i++)
		sums[0] += a[i] * b[i];
	return sums[0] + sums[1] + (sums[2] + sums[3]);
}

/* In place, of the lower triangle; false unless positive definite. */
static bool cholesky(double *matrix, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double *row = matrix + i * n;

		for (size_t j = 0; j <= i; j++) {
			const double *other = matrix + j * n;
			double sum = row[j] - dot(row, other, j);

			if (j < i)
				row[j] = sum / other[j];
			else if (!(sum > 0))
				return false;
			else
				row[i] = sqrt(sum);
		}
	}
	return true;
}

/* x := L^-1 x */
static void solve_lower(const double *lower, size_t n, double *x)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (x[i] - dot(lower + i * n, x, i)) / lower[i * n + i];
}

/* x := L^-T x */
static void solve_upper(const double *lower, size_t n, double *x)
{
	for (size_t i = n; i-- > 0;) {
		x[i] /= lower[i * n + i];
		for (size_t k = 0; k < i; k++)
			x[k] -= lower[i * n + k] * x[i];
	}
}

bool gaussian_fit(struct gaussian *gaussian)
{
	size_t n = gaussian->count;
	double *weights = gaussian->weights;

	gaussian->mean = 0;
	for (size_t i = 0; i < n; i++) {
		gaussian->mean += gaussian->values[i] / (double)n;
		for (size_t j = 0; j < i; j++)
			gaussian->factor[i * n + j] = gaussian_correlation(
				gaussian, gaussian->features[i],
				gaussian->features[j]);
		gaussian->factor[i * n + i] = 1 + gaussian->noise;
	}
	if (n == 0 || !cholesky(gaussian->factor, n))
		return false;
	for (size_t i = 0; i < n; i++)
		weights[i] = gaussian->values[i] - gaussian->mean;
	solve_lower(gaussian->factor, n, weights);
	gaussian->variance = dot(weights, weights, n) / (double)n;
	solve_upper(gaussian->factor, n, weights);
	return true;
}

struct gaussian_belief gaussian_ask(const struct gaussian *gaussian,
				    const double *features)
{
	size_t n = gaussian->count;
	double near[GAUSSIAN_POINTS_MAX];
	struct gaussian_belief belief;

	for (size_t i = 0; i < n; i++)
		near[i] = gaussian_correlation(gaussian, features,
					       gaussian->features[i]);
	belief.mean = gaussian->mean + dot(near, gaussian->weights, n);
	solve_lower(gaussian->factor, n, near);
	belief.deviation = sqrt(gaussian->variance *
				fmax(1 - dot(near, near, n), 0));
	return belief;
}

double gaussian_improvement(struct gaussian_belief belief, double best)
{
	double gain = best - belief.mean, z;

	if (!(belief.deviation > 0))
		return fmax(gain, 0);
	z = gain / belief.deviation;
	return fmax(gain * normal_cdf(z) +
		    belief.deviation * exp(-z * z / 2) / SQRT_2_PI, 0);
}

/*
 * The search for scales. Its unknowns are logarithms: of the scales, then of
 * the noise. Everything about pairs of points is kept by pair, not by point,
 * so that the sums over axes run through memory in order.
 */
struct search {
	struct gaussian *gaussian;
	size_t points, pairs;
	double squares[2][GAUSSIAN_PAIRS_MAX];
	double slope[2][GAUSSIAN_PAIRS_MAX]; /* as in struct kernel */
	double matrix[GAUSSIAN_TUNED_MAX * GAUSSIAN_TUNED_MAX];
	double inverse[GAUSSIAN_TUNED_MAX * GAUSSIAN_TUNED_MAX];
	double centred[GAUSSIAN_TUNED_MAX];
	double weights[GAUSSIAN_TUNED_MAX];
	double gradient[GAUSSIAN_AXES_MAX + 1];
};

static void measure_pairs(struct search *search)
{
	struct gaussian *gaussian = search->gaussian;

	for (size_t k = 0; k < gaussian->axes; k++) {
		size_t pair = 0;

		for (size_t i = 0; i < search->points; i++)
			for (size_t j = 0; j < i; j++) {
				double d = distance(gaussian->is_category[k],
						    gaussian->features[i][k],
						    gaussian->features[j][k]);

				gaussian->squares[k][pair++] = (float)(d * d);
			}
	}
}

static void centre_values(struct search *search)
{
	const double *values = search->gaussian->values;
	double mean = 0;

	for (size_t i = 0; i < search->points; i++)
		mean += values[i] / (double)search->points;
	for (size_t i = 0; i < search->points; i++)
		search->centred[i] = values[i] - mean;
}

/* The pairs' slopes under these unknowns, and the matrix. */
static void correlate(struct search *search, const double *unknowns)
{
	const struct gaussian *gaussian = search->gaussian;
	size_t n = search->points, pair = 0;

	memset(search->squares, 0, sizeof(search->squares));
	for (size_t k = 0; k < gaussian->axes; k++) {
		double *square = search->squares[gaussian->is_category[k]];
		double weight = exp(-2 * unknowns[k]);

		for (size_t p = 0; p < search->pairs; p++)
			square[p] += weight * (double)gaussian->squares[k][p];
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++, pair++) {
			struct kernel here = kernel(search->squares[0][pair],
						    search->squares[1][pair]);

			search->slope[0][pair] = here.slope[0];
			search->slope[1][pair] = here.slope[1];
			search->matrix[i * n + j] = here.correlation;
		}
		search->matrix[i * n + i] = 1 + exp(unknowns[gaussian->axes]);
	}
}

/* Row i of inverse: column i of L^-1, then of the inverse's lower triangle. */
static void invert(struct search *search)
{
	size_t n = search->points;

	for (size_t i = 0; i < n; i++) {
		double *row = search->inverse + i * n;

		memset(row, 0, n * sizeof(*row));
		row[i] = 1 / search->matrix[i * n + i];
		for (size_t j = i + 1; j < n; j++)
			row[j] = -dot(search->matrix + j * n + i, row + i,
				      j - i) / search->matrix[j * n + j];
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j <= i; j++)
			search->inverse[j * n + i] =
				dot(search->inverse + i * n + i,
				    search->inverse + j * n + i, n - i);
}

static double prior_density(const struct prior *prior, double unknown,
			    double *gradient)
{
	double z = (unknown - prior->mean) / prior->deviation;

	*gradient -= z / prior->deviation;
	return -z * z / 2;
}

/* Half the sum over all i, j of A times the derivative of the matrix. */
static void differentiate(struct search *search, double variance,
			  const double *unknowns)
{
	const struct gaussian *gaussian = search->gaussian;
	size_t n = search->points, pair = 0;
	double trace = 0;

	for (size_t i = 0; i < n; i++) {
		double w = search->weights[i] / variance;

		for (size_t j = 0; j < i; j++, pair++) {
			double weight = w * search->weights[j] -
					search->inverse[j * n + i];

			search->slope[0][pair] *= weight;
			search->slope[1][pair] *= weight;
		}
		trace += w * search->weights[i] - search->inverse[i * n + i];
	}
	for (size_t k = 0; k < gaussian->axes; k++) {
		const double *slope = search->slope[gaussian->is_category[k]];
		double sum = 0;

		for (size_t p = 0; p < search->pairs; p++)
			sum += slope[p] * (double)gaussian->squares[k][p];
		search->gradient[k] = sum * exp(-2 * unknowns[k]);
	}
	search->gradient[gaussian->axes] =
		trace / 2 * exp(unknowns[gaussian->axes]);
}

/* The log density of the unknowns, up to a constant, and its gradient. */
static double density(struct search *search, const double *unknowns)
{
	size_t axes = search->gaussian->axes, n = search->points;
	const bool *is_category = search->gaussian->is_category;
	double sum = 0, variance;

	correlate(search, unknowns);
	if (!cholesky(search->matrix, n))
		return -INFINITY;
	memcpy(search->weights, search->centred, n * sizeof(double));
	solve_lower(search->matrix, n, search->weights);
	variance = dot(search->weights, search->weights, n) / (double)n;
	solve_upper(search->matrix, n, search->weights);
	for (size_t i = 0; i < n; i++)
		sum -= log(search->matrix[i * n + i]);
	sum -= (double)n / 2 * log(variance);
	invert(search);
	differentiate(search, variance, unknowns);
	for (size_t k = 0; k < axes; k++) {
		struct prior prior = scale_prior(axes, is_category[k]);

		sum += prior_density(&prior, unknowns[k], &search->gradient[k]);
	}
	return sum + prior_density(&noise_prior, unknowns[axes],
				   &search->gradient[axes]);
}

/* Each unknown has a stride of its own, which grows until the slope turns. */
static void climb(struct search *search, double *unknowns, double *best)
{
	size_t count = search->gaussian->axes + 1;
	struct prior prior = scale_prior(count - 1, false);
	double strides[GAUSSIAN_AXES_MAX + 1], before[GAUSSIAN_AXES_MAX + 1];
	double highest = -INFINITY;

	for (size_t k = 0; k < count; k++)
		strides[k] = 0.4, before[k] = 0;
	for (int step = 0; step < TUNE_STEPS; step++) {
		double here = density(search, unknowns);

		if (!isfinite(here))
			return;
		if (here > highest) {
			highest = here;
			memcpy(best, unknowns, count * sizeof(*best));
		}
		for (size_t k = 0; k < count; k++) {
			const struct prior *limits =
				k + 1 == count ? &noise_prior : &prior;
			double slope = search->gradient[k];

			strides[k] *= slope * before[k] < 0 ? 0.5 : 1.2;
			before[k] = slope;
			unknowns[k] += copysign(strides[k], slope);
			unknowns[k] = fmin(fmax(unknowns[k], limits->least),
					   limits->most);
		}
	}
}

void gaussian_tune(struct gaussian *gaussian)
{
	double unknowns[GAUSSIAN_AXES_MAX + 1] = { 0 }, best[GAUSSIAN_AXES_MAX + 1];
	struct search search = { .gaussian = gaussian };
	size_t axes = gaussian->axes;

	search.points = gaussian->count < GAUSSIAN_TUNED_MAX ?
			gaussian->count : GAUSSIAN_TUNED_MAX;
	search.pairs = search.points * (search.points - 1) / 2;
	centre_values(&search);
	if (search.points < 2 ||
	    !(dot(search.centred, search.centred, search.points) > 0))
		return;
	measure_pairs(&search);
	for (size_t k = 0; k < axes; k++)
		unknowns[k] = scale_prior(axes, gaussian->is_category[k]).mean;
	unknowns[axes] = noise_prior.mean;
	memcpy(best, unknowns, sizeof(best));
	climb(&search, unknowns, best);
	for (size_t k = 0; k < axes; k++)
		gaussian->scales[k] = exp(best[k]);
	gaussian->noise = fmax(exp(best[axes]), NOISE_LEAST);
}
