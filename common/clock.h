/*
 * clock.h - the two clocks, and how a moment is written down.
 *
 * Deadlines, timeouts and ages are counted on the monotonic clock; the wall
 * clock may jump and serves only to stamp records. Both are nanoseconds in an
 * int64_t, which for the wall clock reaches from the year 1677 to 2262.
 * Everything here may be called between fork(2) and exec: no lock, no heap.
 *
 * Sources: clock_gettime(2); RFC 3339 section 5.6; the calendar is H.
 * Hinnant's "chrono-Compatible Low-Level Date Algorithms".
 */
#ifndef CUPEL_COMMON_CLOCK_H
#define CUPEL_COMMON_CLOCK_H

#include <stdint.h>

#include "common/core/deadline.h"

#define CLOCK_TEXT_BYTES sizeof("2026-01-02T03:04:05.123456789Z")

/* Monotonic: starts anywhere, never jumps, stands still in suspend. */
int64_t clock_now_ns(void);

/* Since 1970-01-01 UTC, as the host believes it to be. */
int64_t clock_wall_ns(void);

/* Writes a wall time as RFC 3339 in UTC with nine decimals, terminated. */
void clock_text(int64_t wall_ns, char ret[CLOCK_TEXT_BYTES]);

#endif
