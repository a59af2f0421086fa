#include "tests/support/test.h"

#include <errno.h>
#include <inttypes.h>

#include "common/core/bucket.h"
#include "common/core/deadline.h"

__extension__ typedef __int128 wide;

static const struct {
	const char *name;
	int64_t tokens, period_ns, burst;
} rates[] = {
	{ "one in 1000 s", 1, 1000 * NS_PER_S, 3 },
	{ "50 in 60 s", 50, 60 * NS_PER_S, 50 },
	{ "7 in 3 s, which no integer interval fits", 7, 3 * NS_PER_S, 2 },
	{ "one a second", 1, NS_PER_S, 10 },
	{ "one a nanosecond", NS_PER_S, NS_PER_S, 1000 },
	{ "three a nanosecond", 3, 1, 5 },
	{ "the largest burst", 1000, NS_PER_S, INT64_MAX / 2 / NS_PER_S },
};

static void a_new_bucket_has_its_burst_and_no_more(void **state)
{
	struct bucket bucket;

	(void)state;
	for (size_t i = 0; i < COUNT(rates); i++) {
		bucket_init(&bucket, rates[i].tokens, rates[i].period_ns,
			    rates[i].burst, 500);
		test_row(!bucket_take(&bucket, rates[i].burst + 1, 500),
			 "%s: more than the burst", rates[i].name);
		test_row(bucket_take(&bucket, rates[i].burst, 500),
			 "%s: the burst", rates[i].name);
		test_row(!bucket_take(&bucket, 1, 500), "%s: then nothing",
			 rates[i].name);
		test_row(bucket_next_ns(&bucket, rates[i].burst + 1) ==
				 DEADLINE_NEVER,
			 "%s: more than the burst comes never", rates[i].name);
	}
}

/* Token k of an emptied bucket comes at exactly ceil(k x period / tokens). */
static void the_rate_does_not_drift(void **state)
{
	struct bucket bucket;

	(void)state;
	for (size_t i = 0; i < COUNT(rates); i++) {
		bucket_init(&bucket, rates[i].tokens, rates[i].period_ns,
			    rates[i].burst, 0);
		bucket_take(&bucket, rates[i].burst, 0);
		for (int64_t k = 1; k <= 100000; k++) {
			int64_t at = bucket_next_ns(&bucket, 1);
			wide parts = (wide)k * rates[i].period_ns;
			int64_t want = (int64_t)((parts + rates[i].tokens - 1) /
						 rates[i].tokens);

			test_row(at == want,
				 "%s: token %" PRId64 " at %" PRId64,
				 rates[i].name, k, at);
			test_row(rates[i].tokens > rates[i].period_ns ||
					 !bucket_take(&bucket, 1, at - 1),
				 "%s: too early", rates[i].name);
			test_row(bucket_take(&bucket, 1, at), "%s: refused",
				 rates[i].name);
		}
	}
}

/* Random takes at random times against the same level in 128 bits. */
static void takes_agree_with_a_wide_model(void **state)
{
	struct bucket bucket;
	struct random random;

	(void)state;
	test_random_init(&random, "bucket");
	for (size_t i = 0; i < COUNT(rates); i++) {
		wide full = (wide)rates[i].burst * rates[i].period_ns;
		wide level = full;
		int64_t now = 0;

		bucket_init(&bucket, rates[i].tokens, rates[i].period_ns,
			    rates[i].burst, now);
		for (int step = 0; step < 20000; step++) {
			uint64_t shift = random_below(&random, 45);
			int64_t wait = (int64_t)random_below(
				&random, UINT64_C(1) << shift);
			int64_t count = 1 + (int64_t)random_below(
				&random, (uint64_t)rates[i].burst + 1);

			now += wait;
			level += (wide)wait * rates[i].tokens;
			level = level < full ? level : full;
			bool want = level >= (wide)count * rates[i].period_ns;

			test_row(bucket_take(&bucket, count, now) == want,
				 "%s: step %d", rates[i].name, step);
			if (want)
				level -= (wide)count * rates[i].period_ns;
		}
	}
}

static void a_very_long_idle_time_fills_it_to_the_burst(void **state)
{
	struct bucket bucket;

	(void)state;
	for (size_t i = 0; i < COUNT(rates); i++) {
		bucket_init(&bucket, rates[i].tokens, rates[i].period_ns,
			    rates[i].burst, 0);
		bucket_take(&bucket, rates[i].burst, 0);
		int64_t late = INT64_MAX - 1;

		test_row(bucket_take(&bucket, rates[i].burst, late),
			 "%s: full again", rates[i].name);
		test_row(!bucket_take(&bucket, 1, late), "%s: not more",
			 rates[i].name);
	}
}

static void an_early_clock_gives_nothing_away(void **state)
{
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, 1, NS_PER_S, 1, 10 * NS_PER_S);
	assert_true(bucket_take(&bucket, 1, 10 * NS_PER_S));
	assert_false(bucket_take(&bucket, 1, 5 * NS_PER_S));
	assert_false(bucket_take(&bucket, 1, 11 * NS_PER_S - 1));
	assert_true(bucket_take(&bucket, 1, 11 * NS_PER_S));
}

/* One client with 1,000 requests and one with 3, at one request a second. */
static void a_greedy_client_cannot_starve_another(void **state)
{
	struct turn_client clients[2];
	struct turn turn;
	struct bucket bucket;
	int left[2] = { 1000, 3 };
	int64_t now = 0;

	(void)state;
	bucket_init(&bucket, 1, NS_PER_S, 1, now);
	turn_init(&turn, clients, 2, 1);
	assert_int_equal(bucket_take_turn(&bucket, &turn, now), -ENOENT);
	assert_true(bucket_next_turn_ns(&bucket, &turn) == DEADLINE_NEVER);
	turn_wait(&turn, 0, 1);
	turn_wait(&turn, 1, 1);
	for (int grant = 0; grant < 6; grant++) {
		int client = bucket_take_turn(&bucket, &turn, now);
		int again;

		assert_in_range(client, 0, 1);
		if (--left[client] > 0)
			turn_wait(&turn, client, 1);
		again = bucket_take_turn(&bucket, &turn, now);
		assert_int_equal(again, -EAGAIN);
		now = bucket_next_turn_ns(&bucket, &turn);
		assert_int_equal(now, (grant + 1) * NS_PER_S);
	}
	assert_int_equal(left[1], 0);
	assert_int_equal(left[0], 997);
}

/* The dear request is first and is not passed over while tokens gather. */
static void a_dear_request_is_served_in_its_turn(void **state)
{
	struct turn_client clients[2];
	struct turn turn;
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, 1, 1, 10, 0);
	bucket_take(&bucket, 10, 0);
	turn_init(&turn, clients, 2, 10);
	turn_wait(&turn, 0, 10);
	turn_wait(&turn, 1, 1);
	assert_int_equal(bucket_next_turn_ns(&bucket, &turn), 10);
	assert_int_equal(bucket_take_turn(&bucket, &turn, 9), -EAGAIN);
	assert_int_equal(bucket_take_turn(&bucket, &turn, 10), 0);
	assert_int_equal(bucket_take_turn(&bucket, &turn, 11), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bucket_has_its_burst_and_no_more),
		cmocka_unit_test(the_rate_does_not_drift),
		cmocka_unit_test(takes_agree_with_a_wide_model),
		cmocka_unit_test(a_very_long_idle_time_fills_it_to_the_burst),
		cmocka_unit_test(an_early_clock_gives_nothing_away),
		cmocka_unit_test(a_greedy_client_cannot_starve_another),
		cmocka_unit_test(a_dear_request_is_served_in_its_turn),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
