#include "workers/improve/planning_core.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "common/core/distribution.h"
#include "common/core/statistics.h"

#define SIGMA_OF_MAD 1.4826
#define CPU_SHARE_MIN 0.95
#define LOOKING_EARLY 1.3

/* Where more than half are alike the deviation is 0 and says nothing. */
static double robust_sigma(double *samples, unsigned count)
{
	struct moments moments = { 0 };

	for (unsigned i = 0; i < count; i++)
		moments_add(&moments, samples[i]);
	double mad = statistics_mad(samples, count);

	return mad > 0 || isnan(mad) || count < 2 ?
	       SIGMA_OF_MAD * mad : sqrt(moments_variance(&moments));
}

static void summarise_metric(const struct calibration_pair *pairs,
			     unsigned count, enum metric metric,
			     struct calibration *ret)
{
	double levels[2 * CALIBRATION_PAIRS_MAX];
	double differences[CALIBRATION_PAIRS_MAX];

	for (unsigned i = 0; i < count; i++) {
		double base = pairs[i].values[metric].base;
		double candidate = pairs[i].values[metric].candidate;

		levels[2 * i] = base;
		levels[2 * i + 1] = candidate;
		differences[i] = gain_difference(LOWER_IS_BETTER, base,
						 candidate);
	}
	ret->level[metric] = statistics_median(levels, 2 * count);
	ret->sigma[metric] = robust_sigma(differences, count);
}

void calibration_summarise(const struct calibration_pair *pairs, unsigned count,
			   struct calibration *ret)
{
	double shares[2 * CALIBRATION_PAIRS_MAX];

	assert(count > 0 && count <= CALIBRATION_PAIRS_MAX);
	ret->pairs = count;
	for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
		summarise_metric(pairs, count, metric, ret);
	for (unsigned i = 0; i < count; i++) {
		const struct decision_value *cpu = &pairs[i].values[METRIC_CPU];
		const struct decision_value *wall = &pairs[i].values[METRIC_WALL];

		shares[2 * i] = cpu->base / wall->base;
		shares[2 * i + 1] = cpu->candidate / wall->candidate;
	}
	ret->cpu_share = statistics_median(shares, 2 * count);
}

enum metric planning_metric(const struct calibration *calibration,
			    unsigned busy_threads)
{
	return calibration->cpu_share >= CPU_SHARE_MIN && busy_threads == 1 ?
	       METRIC_CPU : METRIC_WALL;
}

double planning_min_effect(enum metric metric)
{
	return metric == METRIC_CPU ? 0.02 : 0.03;
}

static double pairs_for(double sigma, double difference, double alpha)
{
	double z = normal_quantile(alpha) + normal_quantile(1 - PLANNING_POWER);
	double ratio = z * sigma / difference;

	return LOOKING_EARLY * ratio * ratio;
}

static bool is_possible(double pairs)
{
	return pairs <= SIGN_FLIP_PAIRS_MAX;
}

struct planning planning_of(const struct calibration *calibration,
			    enum metric metric, enum direction direction,
			    double gain, double alpha)
{
	double difference = difference_of_gain(direction, gain);
	double pairs = pairs_for(calibration->sigma[metric], difference, alpha);
	double times = pairs / SIGN_FLIP_PAIRS_MAX;

	return (struct planning){
		.pairs = pairs,
		.possible = is_possible(pairs),
		/* A run k times as long averages k times as much noise. */
		.longer = fmax(times, 1),
		.smallest_gain = gain_of_difference(direction,
						    difference * sqrt(times)),
		.cpu_would_do = metric != METRIC_CPU &&
			is_possible(pairs_for(calibration->sigma[METRIC_CPU],
					      difference, alpha)),
	};
}

const char *metric_name(enum metric metric)
{
	static const char *const names[METRIC_COUNT] = {
		[METRIC_WALL] = "wall time",
		[METRIC_CPU] = "CPU time",
		[METRIC_REPORTED] = "reported",
	};

	assert((unsigned)metric < METRIC_COUNT);
	return names[metric];
}
