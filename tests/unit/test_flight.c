#include "common/core/cache.h"
#include "common/core/flight.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#define CAPACITY 4
#define KEYS 6
#define WAITERS 24
#define OPERATIONS 200000

static struct flight_table table;
static struct flight flights[CAPACITY];
static struct flight_waiter waiters[WAITERS];

static void start(void)
{
	const struct hash_key hash_key = { { 3, 4 } };

	memset(waiters, 0, sizeof(waiters));
	flight_init(&table, hash_key, flights, CAPACITY);
}

static uint64_t lead(uint64_t key, int64_t now_ns, int64_t until_ns)
{
	uint64_t flight = 0;

	assert_int_equal(flight_join(&table, key, &waiters[0], now_ns,
				     until_ns, &flight), FLIGHT_LEAD);
	return flight;
}

static void wait_for(uint64_t key, size_t waiter)
{
	uint64_t flight;

	assert_int_equal(flight_join(&table, key, &waiters[waiter], 0, 100,
				     &flight), FLIGHT_WAIT);
}

static const struct {
	const char *name;
	int status;
	int result;
} landings[] = {
	{ "a result reaches everyone",   0,    42 },
	{ "a failure reaches everyone", -EIO,   0 },
};

static void the_landing_of_one_releases_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(landings); i++) {
		int result = landings[i].result;

		start();
		uint64_t flight = lead(7, 0, 100);

		wait_for(7, 1);
		wait_for(7, 2);
		assert_null(flight_pop(&table));
		assert_int_equal(flight_land(&table, flight,
					     landings[i].status, &result), 0);
		for (size_t n = 1; n <= 2; n++) {
			const struct flight_waiter *waiter = flight_pop(&table);

			test_row(waiter == &waiters[n], "%s: order",
				 landings[i].name);
			test_row(waiter->status == landings[i].status &&
				 waiter->result == &result,
				 "%s: status %d", landings[i].name,
				 waiter->status);
		}
		assert_null(flight_pop(&table));
		assert_int_equal(flight_land(&table, flight, 0, NULL), -ESTALE);
		assert_int_equal(table.stats.led, 1);
		assert_int_equal(table.stats.coalesced, 2);
	}
}

static void an_abandoned_leader_does_not_wedge_its_waiters(void **state)
{
	const struct flight_waiter *waiter;

	(void)state;
	start();
	uint64_t flight = lead(7, 0, 100);

	wait_for(7, 1);
	assert_int_equal(flight_next_expiry_ns(&table), 100);
	assert_int_equal(flight_expire(&table, 99), 0);
	assert_int_equal(flight_expire(&table, 100), 1);
	waiter = flight_pop(&table);
	assert_ptr_equal(waiter, &waiters[1]);
	assert_int_equal(waiter->status, -ETIMEDOUT);
	assert_int_equal(flight_next_expiry_ns(&table), INT64_MAX);

	uint64_t second = lead(7, 100, 200);

	wait_for(7, 2);
	assert_int_equal(flight_land(&table, flight, 0, NULL), -ESTALE);
	assert_null(flight_pop(&table));
	assert_int_equal(flight_land(&table, second, 0, NULL), 0);
	assert_ptr_equal(flight_pop(&table), &waiters[2]);
	assert_int_equal(table.stats.abandoned, 1);
	assert_int_equal(table.stats.late, 1);
}

static void an_asker_takes_over_from_an_abandoned_leader(void **state)
{
	(void)state;
	start();
	lead(7, 0, 100);
	wait_for(7, 1);
	lead(7, 100, 200);
	assert_ptr_equal(flight_pop(&table), &waiters[1]);
	assert_int_equal(table.stats.abandoned, 1);
}

static void a_waiter_may_leave_before_or_after_the_landing(void **state)
{
	(void)state;
	start();
	uint64_t flight = lead(7, 0, 100);

	for (size_t i = 1; i <= 3; i++)
		wait_for(7, i);
	flight_leave(&waiters[1]);
	assert_int_equal(flight_land(&table, flight, 0, NULL), 0);
	flight_leave(&waiters[2]);
	flight_leave(&waiters[2]);
	assert_ptr_equal(flight_pop(&table), &waiters[3]);
	assert_null(flight_pop(&table));
}

static void a_full_table_lets_the_asker_go_alone(void **state)
{
	uint64_t flight;

	(void)state;
	start();
	for (uint64_t key = 0; key < CAPACITY; key++)
		lead(key, 0, 100);
	assert_int_equal(flight_join(&table, 99, &waiters[1], 0, 100, &flight),
			 -ENOSPC);
	wait_for(CAPACITY - 1, 1);
}

static void release(void *owner, void *value, enum cache_reason reason)
{
	(void)owner;
	(void)value;
	(void)reason;
}

/* Keyed by tickets: what was asked before the change is not good enough. */
static void an_asker_after_an_invalidation_joins_no_flight_before(void **state)
{
	const struct cache_settings settings = {
		.bytes_max = 100, .key_bytes_max = 8, .release = release };
	const struct span key = span_of_text("file");
	struct cache_entry entries[2];
	uint8_t keys[2 * 8];
	struct cache cache;
	uint64_t before, again, after;

	(void)state;
	start();
	cache_init(&cache, &settings, entries, keys, 2);
	assert_int_equal(cache_reserve(&cache, key, NULL, &before), 0);
	lead(before, 0, 100);
	assert_int_equal(cache_reserve(&cache, key, NULL, &again), 0);
	wait_for(again, 1);
	assert_int_equal(cache_drop_key(&cache, key), 1);
	assert_int_equal(cache_reserve(&cache, key, NULL, &after), 0);
	lead(after, 0, 100);
}

/* ---- against a model: a flight per key, a key per waiter ---- */

static struct {
	struct {
		bool in_air;
		uint64_t flight;
		int64_t until_ns;
	} keys[KEYS];
	int waits_for[WAITERS];		/* a key, or NOBODY, or RELEASED */
	int statuses[WAITERS];
	int64_t now_ns;
} model;

enum {
	NOBODY = -1,
	RELEASED = -2
};

static void model_end(size_t key, int status)
{
	model.keys[key].in_air = false;
	for (size_t i = 0; i < WAITERS; i++) {
		if (model.waits_for[i] != (int)key)
			continue;
		model.waits_for[i] = RELEASED;
		model.statuses[i] = status;
	}
}

static size_t model_in_air(void)
{
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++)
		count += model.keys[i].in_air;
	return count;
}

static int model_join(size_t key, size_t waiter)
{
	if (model.keys[key].in_air && model.keys[key].until_ns > model.now_ns) {
		model.waits_for[waiter] = (int)key;
		return FLIGHT_WAIT;
	}
	if (model.keys[key].in_air)
		model_end(key, -ETIMEDOUT);
	return model_in_air() == CAPACITY ? -ENOSPC : FLIGHT_LEAD;
}

static void random_join(struct random *random)
{
	size_t key = (size_t)random_below(random, KEYS);
	size_t waiter = (size_t)random_below(random, WAITERS);
	int64_t until_ns = model.now_ns + (int64_t)random_below(random, 40);
	uint64_t flight = 0;

	if (model.waits_for[waiter] != NOBODY) {
		model.waits_for[waiter] = NOBODY;
		flight_leave(&waiters[waiter]);
	}
	int want = model_join(key, waiter);

	assert_int_equal(flight_join(&table, key, &waiters[waiter],
				     model.now_ns, until_ns, &flight), want);
	if (want != FLIGHT_LEAD)
		return;
	model.keys[key].in_air = true;
	model.keys[key].flight = flight;
	model.keys[key].until_ns = until_ns;
}

static void random_land(struct random *random)
{
	size_t key = (size_t)random_below(random, KEYS);
	int status = -(int)random_below(random, 3);
	bool in_air = model.keys[key].in_air;

	assert_int_equal(flight_land(&table, model.keys[key].flight, status,
				     &model), in_air ? 0 : -ESTALE);
	if (in_air)
		model_end(key, status);
}

static void random_expire(void)
{
	int64_t next_ns = INT64_MAX;
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++) {
		if (!model.keys[i].in_air)
			continue;
		if (model.keys[i].until_ns < next_ns)
			next_ns = model.keys[i].until_ns;
		if (model.keys[i].until_ns <= model.now_ns) {
			model_end(i, -ETIMEDOUT);
			count++;
		}
	}
	assert_int_equal(flight_next_expiry_ns(&table), next_ns);
	assert_int_equal(flight_expire(&table, model.now_ns), count);
}

/* Exactly those the model has released come out, each once. */
static void drain(void)
{
	const struct flight_waiter *waiter;

	while ((waiter = flight_pop(&table))) {
		size_t i = (size_t)(waiter - waiters);

		assert_int_equal(model.waits_for[i], RELEASED);
		assert_int_equal(waiter->status, model.statuses[i]);
		model.waits_for[i] = NOBODY;
	}
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_not_equal(model.waits_for[i], RELEASED);
}

static void every_waiter_is_released_exactly_once(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "flight against a flight per key");
	start();
	memset(&model, 0, sizeof(model));
	for (size_t i = 0; i < WAITERS; i++)
		model.waits_for[i] = NOBODY;
	for (int i = 0; i < OPERATIONS; i++) {
		uint64_t choice = random_below(&random, 8);

		if (choice < 5)
			random_join(&random);
		else if (choice < 6)
			random_land(&random);
		else if (choice < 7)
			random_expire();
		else
			drain();
		model.now_ns += (int64_t)random_below(&random, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_landing_of_one_releases_all),
		cmocka_unit_test(an_abandoned_leader_does_not_wedge_its_waiters),
		cmocka_unit_test(an_asker_takes_over_from_an_abandoned_leader),
		cmocka_unit_test(a_waiter_may_leave_before_or_after_the_landing),
		cmocka_unit_test(a_full_table_lets_the_asker_go_alone),
		cmocka_unit_test(an_asker_after_an_invalidation_joins_no_flight_before),
		cmocka_unit_test(every_waiter_is_released_exactly_once),
	};

	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
