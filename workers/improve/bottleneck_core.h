/*
 * bottleneck_core.h - which metric misses its target, how badly, how surely.
 *
 * Values stream in; the last BOTTLENECK_WINDOW of each metric are kept, so a
 * million rows cost a store each and the analysis looks at the windows alone.
 *
 *	x          the window's median, T the target
 *	deviation  x/T - 1 where lower is better, T/x - 1 where higher is, x where
 *	           the target is 0: 0.43 is 43 % worse, negative is better
 *	gap        g = ln(1 + deviation)
 *	sure       c = Phi(g / (1.2533 s / sqrt(n))), the chance that the gap is
 *	           real; s is the robust sigma of the window's gaps
 *	impact     100 c (1 - exp(-2 w f g)) for g > 0: 17 at 10 % over, 75 at
 *	           twice, 94 at four times, so that it ranks beyond twice
 *	severity   low, medium, high, critical from 10, 25, 50, 100 % of deviation
 *
 * What is better than its target, or not surely worse, or seen too seldom has
 * no severity; what is just at its target meets it. Making every value of a
 * window better by the same factor never raises severity or impact (with a
 * target above 0). A finding is resolved when the target is surely met, not as
 * soon as it is not surely missed: there is no flapping.
 *
 * A target of 0 makes a single error critical; who can live with some errors
 * sets a budget of more.
 *
 * Pure, plain data.
 */
#ifndef CUPEL_WORKERS_IMPROVE_BOTTLENECK_CORE_H
#define CUPEL_WORKERS_IMPROVE_BOTTLENECK_CORE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "workers/improve/gain_core.h"

#define BOTTLENECK_WINDOW 64
#define BOTTLENECK_SAMPLES_MIN 5
#define BOTTLENECK_SURE 0.95

enum bottleneck_severity {
	BOTTLENECK_NONE,
	BOTTLENECK_LOW,
	BOTTLENECK_MEDIUM,
	BOTTLENECK_HIGH,
	BOTTLENECK_CRITICAL,
	BOTTLENECK_SEVERITY_COUNT
};

/* The latest values of one metric. All zero is empty. */
struct bottleneck_series {
	uint64_t count;		/* of all values so far */
	double window[BOTTLENECK_WINDOW];
};

/* A value that is not finite was no measurement and is left out. */
static inline void bottleneck_add(struct bottleneck_series *series, double value)
{
	if (isfinite(value))
		series->window[series->count++ % BOTTLENECK_WINDOW] = value;
}

/* See bottleneck_target_default for what is not the user's to say. */
struct bottleneck_target {
	double target;		/* not negative */
	enum direction direction;
	bool hard;		/* to miss it surely is critical, by however little */
	double weight;
	double share;		/* of the whole that the metric is part of, 0..1 */
	double from[BOTTLENECK_SEVERITY_COUNT];	/* deviation of each severity */
};

extern const struct bottleneck_target bottleneck_target_default;

enum bottleneck_trend {
	TREND_STEADY,
	TREND_RISING,		/* the values, whatever is better */
	TREND_FALLING
};

struct bottleneck {
	enum bottleneck_severity severity;
	unsigned samples;	/* in the window */
	double value;		/* median; NaN without samples, as is deviation */
	double deviation;	/* signed; positive is worse than target */
	double sure;
	double impact;		/* 0 to 100 */
	bool resolved;		/* the target is surely met */
	enum bottleneck_trend trend;
	double change;		/* newer half of the window against older */
	double gain_most;	/* by Amdahl: infinite speed of this share */
};

struct bottleneck bottleneck_judge(const struct bottleneck_series *series,
				   const struct bottleneck_target *target);

const char *bottleneck_severity_name(enum bottleneck_severity severity);

#endif
