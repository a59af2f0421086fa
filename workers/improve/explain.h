/*
 * explain.h - the loop's findings and verdicts as sentences for people.
 *
 * Every function writes one terminated sentence into ret, cut to size bytes if
 * need be. Numbers only from the struct it explains; names are the caller's.
 */
#ifndef CUPEL_WORKERS_IMPROVE_EXPLAIN_H
#define CUPEL_WORKERS_IMPROVE_EXPLAIN_H

#include <stddef.h>

#include "workers/improve/bottleneck_core.h"
#include "workers/improve/decision_core.h"
#include "workers/improve/planning_core.h"

#define EXPLAIN_BYTES 256

/* "startup 143 ms, target 100 ms: 43 % worse, medium, impact 51; 64 samples, rising 12 %" */
void explain_bottleneck(const struct bottleneck *bottleneck,
			const struct bottleneck_target *target,
			const char *metric, const char *unit, char *ret,
			size_t size);

/*
 * "better by 6.1 % (at least 3.8 % at 99 %), 22 pairs, false-accept budget 1 %",
 * or why not.
 */
void explain_decision(const struct decision *decision, char *ret, size_t size);

/* How many pairs it takes, or why it is refused, with the ways out. */
void explain_planning(const struct planning *planning, enum metric metric,
		      double gain, char *ret, size_t size);

#endif
