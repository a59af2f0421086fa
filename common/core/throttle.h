/*
 * throttle.h - at most one run an interval, and the last call is never lost.
 *
 * The first call runs at once. Calls that come sooner than an interval after
 * a run are kept as one, which runs when the interval ends: what was asked
 * last is always done. One throttle per key; it lives in the key's record.
 *
 * Pure; times are monotonic nanoseconds.
 */
#ifndef CUPEL_COMMON_CORE_THROTTLE_H
#define CUPEL_COMMON_CORE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
	int64_t interval_ns;
	int64_t open_ns;	/* the next run may not come before */
	bool pending;		/* a call is kept */
};

void throttle_init(struct throttle *throttle, int64_t interval_ns);

/* Something asks for a run: true if it is to run now; else it is kept. */
bool throttle_call(struct throttle *throttle, int64_t now_ns);

/* True once when the kept call is due: it is to run now. */
bool throttle_due(struct throttle *throttle, int64_t now_ns);

/* When throttle_due() is due; DEADLINE_NEVER if no call is kept. */
int64_t throttle_next_ns(const struct throttle *throttle);

#endif
