#include "workers/improve/bottleneck_core.h"

#include <assert.h>
#include <stddef.h>

#include "common/core/distribution.h"
#include "common/core/statistics.h"

#define SIGMA_OF_MAD 1.4826
#define SIGMA_OF_MEDIAN 1.2533	/* times sigma / sqrt(n), of a normal sample */
#define TREND_SIGMAS 3.0
#define LEAST_SHARE 1e-6	/* of the target; stands for 0 in a ratio */

const struct bottleneck_target bottleneck_target_default = {
	.direction = LOWER_IS_BETTER,
	.weight = 1,
	.share = 1,
	.from = { [BOTTLENECK_LOW] = 0.1, [BOTTLENECK_MEDIUM] = 0.25,
		  [BOTTLENECK_HIGH] = 0.5, [BOTTLENECK_CRITICAL] = 1 },
};

static double deviation_of(double value, const struct bottleneck_target *target)
{
	double most = fmax(value, LEAST_SHARE * target->target);

	if (target->target <= 0)
		return target->direction == LOWER_IS_BETTER ? most :
		       1 / (1 + most) - 1;
	return target->direction == LOWER_IS_BETTER ?
	       most / target->target - 1 : target->target / most - 1;
}

/* The robust standard error of the median of a sample, which is overwritten. */
static double error_of_median(double *samples, unsigned count)
{
	return SIGMA_OF_MEDIAN * SIGMA_OF_MAD * statistics_mad(samples, count) /
	       sqrt(count);
}

/*
 * The probability that a gap is above 0; without any noise it is seen, and what
 * is just at the target has met it.
 */
static double surety(double gap, double error)
{
	if (error > 0)
		return normal_cdf(gap / error);
	return gap > 0;
}

static enum bottleneck_severity
severity_of_deviation(const struct bottleneck_target *target, double deviation)
{
	enum bottleneck_severity severity = BOTTLENECK_NONE;

	if (target->hard && deviation > 0)
		return BOTTLENECK_CRITICAL;
	while (severity < BOTTLENECK_CRITICAL &&
	       deviation >= target->from[severity + 1])
		severity++;
	return severity;
}

/* Copies some of the window's values, the oldest of all being the 0th. */
static void copy_values(const struct bottleneck_series *series, unsigned first,
			unsigned count, double *ret)
{
	uint64_t oldest = series->count > BOTTLENECK_WINDOW ?
			  series->count - BOTTLENECK_WINDOW : 0;

	for (unsigned i = 0; i < count; i++)
		ret[i] = series->window[(oldest + first + i) % BOTTLENECK_WINDOW];
}

/* Replaces values by their gaps; returns the gap of their median. */
static double replace_by_gaps(double *values, unsigned count,
			      const struct bottleneck_target *target)
{
	double middle = statistics_median(values, count);

	for (unsigned i = 0; i < count; i++)
		values[i] = log1p(deviation_of(values[i], target));
	return log1p(deviation_of(middle, target));
}

/* Whether the halves' medians are further apart than noise would have them. */
static void judge_trend(const struct bottleneck_series *series,
			const struct bottleneck_target *target,
			struct bottleneck *ret)
{
	double older[BOTTLENECK_WINDOW / 2], newer[BOTTLENECK_WINDOW / 2];
	unsigned count = ret->samples / 2;

	if (count < BOTTLENECK_SAMPLES_MIN)
		return;
	copy_values(series, 0, count, older);
	copy_values(series, ret->samples - count, count, newer);
	double rise = -replace_by_gaps(older, count, target);

	rise += replace_by_gaps(newer, count, target);
	if (target->direction == HIGHER_IS_BETTER)
		rise = -rise;
	double error = hypot(error_of_median(older, count),
			     error_of_median(newer, count));

	ret->change = expm1(rise);
	if (fabs(rise) > TREND_SIGMAS * error)
		ret->trend = rise > 0 ? TREND_RISING : TREND_FALLING;
}

struct bottleneck bottleneck_judge(const struct bottleneck_series *series,
				   const struct bottleneck_target *target)
{
	double samples[BOTTLENECK_WINDOW];
	struct bottleneck found = {
		.samples = series->count < BOTTLENECK_WINDOW ?
			   (unsigned)series->count : BOTTLENECK_WINDOW,
		.gain_most = 1 / (1 - target->share),
	};

	if (found.samples == 0) {
		found.value = found.deviation = (double)NAN;
		return found;
	}
	copy_values(series, 0, found.samples, samples);
	found.value = statistics_median(samples, found.samples);
	found.deviation = deviation_of(found.value, target);
	double gap = replace_by_gaps(samples, found.samples, target);

	found.sure = surety(gap, error_of_median(samples, found.samples));
	found.impact = 100 * found.sure *
		(1 - exp(-2 * target->weight * target->share * fmax(gap, 0)));
	judge_trend(series, target, &found);
	if (found.samples < BOTTLENECK_SAMPLES_MIN)
		return found;
	if (found.sure >= BOTTLENECK_SURE)
		found.severity = severity_of_deviation(target, found.deviation);
	found.resolved = 1 - found.sure >= BOTTLENECK_SURE;
	return found;
}

const char *bottleneck_severity_name(enum bottleneck_severity severity)
{
	static const char *const names[BOTTLENECK_SEVERITY_COUNT] = {
		[BOTTLENECK_NONE] = "none",
		[BOTTLENECK_LOW] = "low",
		[BOTTLENECK_MEDIUM] = "medium",
		[BOTTLENECK_HIGH] = "high",
		[BOTTLENECK_CRITICAL] = "critical",
	};

	assert((unsigned)severity < BOTTLENECK_SEVERITY_COUNT);
	return names[severity];
}
