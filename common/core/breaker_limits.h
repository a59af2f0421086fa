/*
 * breaker_limits.h - every number of a breaker, with the defaults.
 *
 * What each one does stands in breaker.h, breaker_tally.h (judging calls) and
 * breaker_probes.h (judging probes). Plain data; many breakers share one.
 */
#ifndef CUPEL_COMMON_CORE_BREAKER_LIMITS_H
#define CUPEL_COMMON_CORE_BREAKER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_PROBES_MAX 8
#define BREAKER_RAMP_STEPS 3

/* A limit is met by "at least". */
struct breaker_limits {
	int64_t window_ns;		/* ratios and crashes look back so far */
	unsigned calls_min;		/* below it a ratio means nothing */
	unsigned fail_percent;
	unsigned slow_percent;
	unsigned failures_row_max;	/* this many in a row trip it */
	unsigned crashes_max;		/* so many not started, in the window */
	unsigned hung_min;		/* so many run, and all are slow */

	int64_t open_first_ns;		/* doubles with each failed recovery */
	int64_t open_max_ns;		/* the cap, jitter included */
	unsigned jitter_percent;	/* either way, below 100 */
	int64_t forget_ns;		/* CLOSED so long undoes the doubling */

	unsigned probes;		/* 1 .. BREAKER_PROBES_MAX */
	unsigned probes_ok_min;		/* of them recover; the rest may fail */
	int64_t lease_ns;		/* at most the tool's own timeout */
	unsigned neutral_max;		/* so many in a row say nothing */

	unsigned ramp_percents[BREAKER_RAMP_STEPS];	/* of the concurrency */
	int64_t ramp_step_ns;
	unsigned ramp_hold_percent;	/* failing so much repeats the step */
	unsigned ramp_calls_min;	/* the calls_min of RAMP */

	int64_t isolate_ns;		/* when the operator names no time */
	int64_t observe_ns;		/* when nobody names a time */
};

/*
 * 5 failures in a row, or half of at least 10 calls in 60 s; open for 5 s,
 * doubling to 60 s, the longest wait before somebody asks again; 3 probes of
 * which 2 must succeed. An effectful tool takes 1 probe of 1, since a probe has
 * effects. A tool that runs fewer than hung_min (2: one long call is no proof)
 * at once wants it lowered, or does without that rule.
 */
extern const struct breaker_limits breaker_limits_default;

/* Whether the numbers make sense together: no rule can hold always or never. */
bool breaker_limits_valid(const struct breaker_limits *limits);

#endif
