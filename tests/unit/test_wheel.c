#include "common/core/wheel.h"
#include "tests/support/test.h"

#include <string.h>

#define MS INT64_C(1000000)
#define HOUR (3600 * 1000 * MS)
#define MODEL_TIMERS 48
#define OPERATIONS 300000

/* One timer, armed at now_ns: when is it out, and not before? */
static const struct {
	const char *name;
	int64_t now_ns, at_ns, silent_ns, pop_ns;
} single_timers[] = {
	{ "on a tick, it fires on the tick",        0, 5 * MS, 5 * MS - 1, 5 * MS },
	{ "between ticks, on the next",             0, 5 * MS + 1, 6 * MS - 1, 6 * MS },
	{ "in the past, in the next tick",          9 * MS, 2 * MS, 10 * MS - 1, 10 * MS },
	{ "now, in the next tick",                  9 * MS, 9 * MS, 10 * MS - 1, 10 * MS },
	{ "at a negative time, in the next tick",   9 * MS, -1, 10 * MS - 1, 10 * MS },
	{ "a slot of level 1 away",                 0, 64 * MS, 64 * MS - 1, 64 * MS },
	{ "across a carry of every low digit",      4095 * MS, 4096 * MS, 4096 * MS - 1, 4096 * MS },
	{ "hours away",                             7 * MS, 30 * HOUR, 30 * HOUR - 1, 30 * HOUR },
	{ "a jump of hours past it",                0, 3 * MS, 3 * MS - 1, 9 * HOUR },
};

static void a_timer_is_neither_early_nor_late(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(single_timers); i++) {
		const char *name = single_timers[i].name;
		struct wheel wheel;
		struct wheel_timer timer = { 0 };

		wheel_init(&wheel, MS, single_timers[i].now_ns);
		wheel_add(&wheel, &timer, single_timers[i].at_ns);
		test_row(wheel_next_ns(&wheel) <= single_timers[i].pop_ns,
			 "%s: the next time is late", name);
		test_row(!wheel_pop(&wheel, single_timers[i].silent_ns),
			 "%s: early", name);
		test_row(wheel_pop(&wheel, single_timers[i].pop_ns) == &timer,
			 "%s: did not fire", name);
		test_row(!wheel_is_armed(&timer), "%s: still armed", name);
		test_row(wheel_next_ns(&wheel) == INT64_MAX,
			 "%s: something is left", name);
	}
}

static void a_cancelled_timer_leaves_nothing_behind(void **state)
{
	struct wheel wheel;
	struct wheel_timer timer = { 0 };

	(void)state;
	wheel_init(&wheel, MS, 0);
	wheel_cancel(&wheel, &timer);
	wheel_add(&wheel, &timer, 500 * MS);
	wheel_cancel(&wheel, &timer);
	assert_int_equal(wheel_next_ns(&wheel), INT64_MAX);
	assert_null(wheel_pop(&wheel, HOUR));
}

static void the_last_instant_is_not_beyond_the_wheel(void **state)
{
	struct wheel wheel;
	struct wheel_timer timer = { 0 };

	(void)state;
	wheel_init(&wheel, 1, 0);
	wheel_add(&wheel, &timer, INT64_MAX);
	assert_null(wheel_pop(&wheel, INT64_MAX - 1));
	assert_int_equal(wheel_next_ns(&wheel), INT64_MAX);
	assert_ptr_equal(wheel_pop(&wheel, INT64_MAX), &timer);
}

static void a_timer_added_again_while_popping_ends_the_loop(void **state)
{
	struct wheel wheel;
	struct wheel_timer timer = { 0 };
	int fired = 0;

	(void)state;
	wheel_init(&wheel, MS, 0);
	wheel_add(&wheel, &timer, 1 * MS);
	while (wheel_pop(&wheel, 10 * MS)) {
		fired++;
		wheel_add(&wheel, &timer, 0);
	}
	assert_int_equal(fired, 10);
}

static void a_due_timer_can_be_cancelled_by_the_one_before_it(void **state)
{
	struct wheel wheel;
	struct wheel_timer first = { 0 }, second = { 0 }, later = { 0 };

	(void)state;
	wheel_init(&wheel, MS, 0);
	wheel_add(&wheel, &first, 3 * MS);
	wheel_add(&wheel, &second, 3 * MS);
	assert_ptr_equal(wheel_pop(&wheel, 3 * MS), &first);
	wheel_add(&wheel, &later, 67 * MS);	/* the slot second came from */
	wheel_cancel(&wheel, &second);
	assert_ptr_equal(wheel_pop(&wheel, 67 * MS), &later);
	assert_null(wheel_pop(&wheel, HOUR));
}

/* Timers in a row, searched one by one. */
struct model {
	struct wheel wheel;
	struct wheel_timer timers[MODEL_TIMERS];
	bool armed[MODEL_TIMERS];
	uint64_t ticks[MODEL_TIMERS];
	uint64_t order[MODEL_TIMERS];
	uint64_t orders;
	uint64_t now_tick;	/* of the last pop */
	int64_t now_ns;
	int64_t tick_ns;
};

static int64_t random_span(struct random *random)
{
	static const int64_t spans[] = { 1, MS, 100 * MS, HOUR, 300 * HOUR };
	int64_t span = spans[random_below(random, COUNT(spans))];

	return (int64_t)random_below(random, (uint64_t)span);
}

static void model_add(struct model *model, size_t i, int64_t at_ns)
{
	uint64_t tick = 0;

	if (at_ns > 0)
		tick = (uint64_t)((at_ns + model->tick_ns - 1) / model->tick_ns);
	if (tick <= model->now_tick)
		tick = model->now_tick + 1;
	model->armed[i] = true;
	model->ticks[i] = tick;
	model->order[i] = model->orders++;
	wheel_add(&model->wheel, &model->timers[i], at_ns);
}

static void model_cancel(struct model *model, size_t i)
{
	assert_int_equal(wheel_is_armed(&model->timers[i]), model->armed[i]);
	model->armed[i] = false;
	wheel_cancel(&model->wheel, &model->timers[i]);
}

/* The armed timer of the lowest tick, the earliest added among equals. */
static int model_first(const struct model *model)
{
	int first = -1;

	for (int i = 0; i < MODEL_TIMERS; i++) {
		if (!model->armed[i])
			continue;
		if (first < 0 || model->ticks[i] < model->ticks[first] ||
		    (model->ticks[i] == model->ticks[first] &&
		     model->order[i] < model->order[first]))
			first = i;
	}
	return first;
}

static void model_check_next(const struct model *model)
{
	int first = model_first(model);
	int64_t next_ns = wheel_next_ns(&model->wheel);

	if (first < 0)
		assert_int_equal(next_ns, INT64_MAX);
	else
		assert_true(next_ns <=
			    (int64_t)model->ticks[first] * model->tick_ns);
}

static void random_change(struct model *model, struct random *random)
{
	size_t i = (size_t)random_below(random, MODEL_TIMERS);

	if (random_below(random, 3) == 0)
		model_cancel(model, i);
	else if (random_below(random, 8) == 0)
		model_add(model, i, model->now_ns - random_span(random));
	else
		model_add(model, i, model->now_ns + random_span(random));
}

/* Pops all that is due, changing timers in between. */
static void model_drain(struct model *model, struct random *random)
{
	uint64_t now_tick = (uint64_t)(model->now_ns / model->tick_ns);
	struct wheel_timer *timer;

	while ((timer = wheel_pop(&model->wheel, model->now_ns))) {
		int first = model_first(model);

		assert_true(first >= 0);
		assert_ptr_equal(timer, &model->timers[first]);
		assert_true(model->ticks[first] <= now_tick);
		model->armed[first] = false;
		model->now_tick = model->ticks[first];
		if (random_below(random, 4) == 0)
			random_change(model, random);
	}
	int left = model_first(model);

	assert_true(left < 0 || model->ticks[left] > now_tick);
	model->now_tick = now_tick;
}

static void behaves_like_a_row_of_timers(void **state)
{
	static const int64_t tick_lengths[] = { 1, 1000, MS };
	static struct model model;
	struct random random;

	(void)state;
	test_random_init(&random, "wheel against a row of timers");
	for (size_t t = 0; t < COUNT(tick_lengths); t++) {
		memset(&model, 0, sizeof(model));
		model.tick_ns = tick_lengths[t];
		model.now_ns = random_span(&random);
		model.now_tick = (uint64_t)(model.now_ns / model.tick_ns);
		wheel_init(&model.wheel, model.tick_ns, model.now_ns);
		for (size_t i = 0; i < OPERATIONS / COUNT(tick_lengths); i++) {
			random_change(&model, &random);
			model_check_next(&model);
			if (random_below(&random, 4) > 0)
				continue;
			model.now_ns += random_span(&random);
			model_drain(&model, &random);
		}
	}
}

/* A sleeper that trusts wheel_next_ns() sleeps a few times, not for ever. */
static void the_next_time_leads_to_the_timer_in_few_steps(void **state)
{
	struct wheel wheel;
	struct wheel_timer timer = { 0 };
	int wakeups = 0;

	(void)state;
	wheel_init(&wheel, MS, 12345 * MS);
	wheel_add(&wheel, &timer, 50 * HOUR);
	while (!wheel_pop(&wheel, wheel_next_ns(&wheel)))
		wakeups++;
	assert_in_range(wakeups, 0, WHEEL_LEVELS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_is_neither_early_nor_late),
		cmocka_unit_test(a_cancelled_timer_leaves_nothing_behind),
		cmocka_unit_test(the_last_instant_is_not_beyond_the_wheel),
		cmocka_unit_test(a_timer_added_again_while_popping_ends_the_loop),
		cmocka_unit_test(a_due_timer_can_be_cancelled_by_the_one_before_it),
		cmocka_unit_test(the_next_time_leads_to_the_timer_in_few_steps),
		cmocka_unit_test(behaves_like_a_row_of_timers),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
