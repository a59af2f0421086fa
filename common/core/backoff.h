/*
 * backoff.h - the growing delay before the next try, jitter included.
 *
 *	nominal = min(cap, base x 2^step)
 *	delay   = uniform(nominal x least %, min(cap, nominal x most %))
 *
 * The jitter lies inside the cap: clamping the drawn value instead would let
 * half of all delays at the cap be equal, and capping before the jitter would
 * let them exceed it. Pure; a row is constant and has no owner. Source: M.
 * Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
 */
#ifndef CUPEL_COMMON_CORE_BACKOFF_H
#define CUPEL_COMMON_CORE_BACKOFF_H

#include <stdint.h>

#include "common/core/random.h"

struct backoff {
	int64_t base_ns;	/* nominal delay of step 0, at least 1 */
	int64_t cap_ns;		/* at most an hour */
	unsigned least_percent;	/* of the nominal delay; at most 100 */
	unsigned most_percent;	/* at least least_percent */
};

/* The delay before try number step + 1, in nanoseconds, 0 .. cap_ns. */
int64_t backoff_delay_ns(const struct backoff *backoff, unsigned step,
			 struct random *random);

#endif
