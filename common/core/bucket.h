/*
 * bucket.h - a token bucket: so much per period, and so much at once.
 *
 * The level is kept in parts of a token, period_ns of them to the token, and
 * grows by `tokens` parts a nanosecond: integers all the way, so that a rate
 * such as 50 in 60 s neither drifts nor rounds, however often it is looked at.
 * The limit is exact: within any t nanoseconds at most
 * burst + t x tokens / period_ns tokens are taken.
 *
 * With a turn (common/core/turn.h) the bucket is shared out: the clients wait
 * in the turn, and whoever's turn it is gets the next tokens. Nobody is passed
 * over because another asks for less: the dear request would never be served.
 *
 * Pure; one owner. Source: J. Turner, New directions in communications, IEEE
 * Communications Magazine 24(10), 1986.
 */
#ifndef CUPEL_COMMON_CORE_BUCKET_H
#define CUPEL_COMMON_CORE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/turn.h"

struct bucket {
	int64_t tokens;		/* per period */
	int64_t period_ns;	/* also the parts of one token */
	int64_t full;		/* parts; burst x period_ns */
	int64_t level;		/* parts, 0 .. full */
	int64_t at_ns;		/* when level was true */
};

/*
 * A full bucket. tokens, period_ns and burst are at least 1; burst tokens of
 * period_ns parts must fit 62 bits: a burst of 4 x 10^9 with a period of 1 s.
 */
void bucket_init(struct bucket *bucket, int64_t tokens, int64_t period_ns,
		 int64_t burst, int64_t now_ns);

/* Takes count (at least 1) tokens, all or none; false if they are not there. */
bool bucket_take(struct bucket *bucket, int64_t count, int64_t now_ns);

/*
 * The first nanosecond at which bucket_take() of count tokens succeeds if
 * nobody takes any before; DEADLINE_NEVER for more than the burst.
 */
int64_t bucket_next_ns(const struct bucket *bucket, int64_t count);

/*
 * Takes the tokens of the client whose turn it is and grants it. Returns the
 * client, -EAGAIN if the tokens are not there yet, or -ENOENT if none waits.
 * The burst must be at least the turn's quantum, or the dearest never go.
 */
int bucket_take_turn(struct bucket *bucket, struct turn *turn, int64_t now_ns);

/* When bucket_take_turn() grants next; DEADLINE_NEVER if no client waits. */
int64_t bucket_next_turn_ns(const struct bucket *bucket, struct turn *turn);

#endif
