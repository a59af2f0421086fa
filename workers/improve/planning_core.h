/*
 * planning_core.h - what a decision will cost, and whether it can succeed.
 *
 * Before anything is promised the unchanged program runs against itself. The
 * spread of those differences says which metric to judge by, how many pairs a
 * gain of the wanted size needs, and which gain the machine can show at all.
 *
 * A test of level alpha finds a shift delta with 90 % power in
 * (z(alpha) + z(0.1))^2 (sigma / delta)^2 pairs; looking early costs about 30 %
 * of them more: n = 1.3 * 13 * (sigma / delta)^2 at alpha = 1 %. What needs
 * more than SIGN_FLIP_PAIRS_MAX is refused, with the ways out.
 *
 * Pure.
 */
#ifndef CUPEL_WORKERS_IMPROVE_PLANNING_CORE_H
#define CUPEL_WORKERS_IMPROVE_PLANNING_CORE_H

#include <stdbool.h>

#include "workers/improve/decision_core.h"

#define CALIBRATION_PAIRS_MAX 64
#define PLANNING_POWER 0.9

enum metric {
	METRIC_WALL,
	METRIC_CPU,		/* user and system time, all threads */
	METRIC_REPORTED,	/* by the program itself */
	METRIC_COUNT
};

/* The same program twice, by the coin; NaN for what was not measured. */
struct calibration_pair {
	struct decision_value values[METRIC_COUNT];
};

struct calibration {
	unsigned pairs;
	double level[METRIC_COUNT];	/* median of one run */
	double sigma[METRIC_COUNT];	/* of a pair's difference; NaN: unknown */
	double cpu_share;		/* median of CPU / wall time of a run */
};

/* From 1 to CALIBRATION_PAIRS_MAX pairs. */
void calibration_summarise(const struct calibration_pair *pairs, unsigned count,
			   struct calibration *ret);

/*
 * CPU time when it is the wall time of one thread (a share of 0.95 or more and
 * never two threads busy): it does not see the neighbours. Else wall time.
 */
enum metric planning_metric(const struct calibration *calibration,
			    unsigned busy_threads);

/* The gain that is worth having unless somebody says else. */
double planning_min_effect(enum metric metric);

struct planning {
	double pairs;		/* needed, not rounded; may exceed the most */
	bool possible;		/* within SIGN_FLIP_PAIRS_MAX */
	/* The ways out; each would do alone. */
	double longer;		/* times longer must one run be */
	double smallest_gain;	/* that this many pairs can show */
	bool cpu_would_do;	/* the same gain in CPU time is possible */
};

/*
 * What showing a gain by a metric that was measured takes. An unknown or
 * infinite sigma makes it impossible, with both ways NaN.
 */
struct planning planning_of(const struct calibration *calibration,
			    enum metric metric, enum direction direction,
			    double gain, double alpha);

const char *metric_name(enum metric metric);

#endif
