#include "common/core/bucket.h"

#include <assert.h>
#include <errno.h>

#include "common/core/deadline.h"

#define PARTS_MAX (INT64_MAX / 2)

void bucket_init(struct bucket *bucket, int64_t tokens, int64_t period_ns,
		 int64_t burst, int64_t now_ns)
{
	assert(tokens > 0 && tokens <= PARTS_MAX);
	assert(burst > 0 && period_ns > 0 && burst <= PARTS_MAX / period_ns);
	bucket->tokens = tokens;
	bucket->period_ns = period_ns;
	bucket->full = burst * period_ns;
	bucket->level = bucket->full;
	bucket->at_ns = now_ns;
}

/* Nanoseconds, rounded up, until the level has grown to parts. */
static int64_t growth_ns(const struct bucket *bucket, int64_t parts)
{
	if (parts <= bucket->level)
		return 0;
	return (parts - bucket->level - 1) / bucket->tokens + 1;
}

/* An early clock changes nothing: what was granted stays granted. */
static void fill(struct bucket *bucket, int64_t now_ns)
{
	if (now_ns <= bucket->at_ns)
		return;
	int64_t elapsed = now_ns - bucket->at_ns;

	if (elapsed >= growth_ns(bucket, bucket->full))
		bucket->level = bucket->full;
	else
		bucket->level += elapsed * bucket->tokens;
	bucket->at_ns = now_ns;
}

bool bucket_take(struct bucket *bucket, int64_t count, int64_t now_ns)
{
	assert(count > 0);
	fill(bucket, now_ns);
	if (count > bucket->level / bucket->period_ns)
		return false;
	bucket->level -= count * bucket->period_ns;
	return true;
}

int64_t bucket_next_ns(const struct bucket *bucket, int64_t count)
{
	assert(count > 0);
	if (count > bucket->full / bucket->period_ns)
		return DEADLINE_NEVER;
	return deadline_after(bucket->at_ns,
			      growth_ns(bucket, count * bucket->period_ns));
}

int bucket_take_turn(struct bucket *bucket, struct turn *turn, int64_t now_ns)
{
	uint32_t cost;
	int client = turn_peek(turn, &cost);

	if (client < 0)
		return client;
	assert(cost <= bucket->full / bucket->period_ns);
	if (!bucket_take(bucket, cost, now_ns))
		return -EAGAIN;
	turn_grant(turn);
	return client;
}

int64_t bucket_next_turn_ns(const struct bucket *bucket, struct turn *turn)
{
	uint32_t cost;

	if (turn_peek(turn, &cost) < 0)
		return DEADLINE_NEVER;
	return bucket_next_ns(bucket, cost);
}
