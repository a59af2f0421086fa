/*
 * retention_core.h - which time may be believed before anything is thrown away.
 *
 *	seen	  the clock, when it was last noted
 *	trusted	  an earlier note that a later look has confirmed, a day or more
 *		  after it; 0: none yet
 *
 * What is old is counted from trusted, never from the clock itself: a clock that
 * runs far ahead for less than a day, until somebody sets it right, ages
 * nothing. One that was set back takes away the trust in what lies in the future.
 * So what is kept for a week is kept for a day or two more.
 *
 * Pure. Times are milliseconds since 1970.
 */
#ifndef CUPEL_WORKERS_STORE_RETENTION_CORE_H
#define CUPEL_WORKERS_STORE_RETENTION_CORE_H

#include <stdint.h>

#define RETENTION_DAY_MS INT64_C(86400000)
#define RETENTION_GAP_MS (7 * RETENTION_DAY_MS)	/* longer ones are told of */

struct retention_clock {
	int64_t seen_ms, trusted_ms;	/* 0: not yet */
};

enum retention_verdict {
	RETENTION_STEADY,
	RETENTION_BACK,		/* it was set back: as of now it begins anew */
	RETENTION_AHEAD,	/* it is far from what was seen last */
};

/* Looks at the clock; may change what is seen and trusted. */
enum retention_verdict retention_look(struct retention_clock *clock, int64_t now_ms);

/* Before when something has been kept for so long; 0: nothing has. */
int64_t retention_before(const struct retention_clock *clock, int64_t kept_ms);

#endif
