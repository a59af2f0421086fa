#include "tests/support/test.h"

#include "common/core/deadline.h"
#include "common/core/debounce.h"

static void a_burst_of_calls_runs_once_when_it_ends(void **state)
{
	struct debounce debounce;

	(void)state;
	debounce_init(&debounce, 100, 1000);
	assert_true(debounce_next_ns(&debounce) == DEADLINE_NEVER);
	assert_false(debounce_due(&debounce, 0));
	debounce_call(&debounce, 0);
	assert_int_equal(debounce_next_ns(&debounce), 100);
	debounce_call(&debounce, 60);
	debounce_call(&debounce, 90);
	assert_int_equal(debounce_next_ns(&debounce), 190);
	assert_false(debounce_due(&debounce, 189));
	assert_true(debounce_due(&debounce, 190));
	assert_false(debounce_due(&debounce, 5000));
	assert_true(debounce_next_ns(&debounce) == DEADLINE_NEVER);
}

static void a_stream_without_a_pause_runs_in_time(void **state)
{
	struct debounce debounce;
	int64_t ran[3] = { 0 };
	int runs = 0;

	(void)state;
	debounce_init(&debounce, 100, 1000);
	for (int64_t now = 0; runs < 3; now += 50) {
		if (debounce_due(&debounce, now))
			ran[runs++] = now;
		debounce_call(&debounce, now);
		assert_true(debounce_next_ns(&debounce) <= now + 100);
	}
	assert_int_equal(ran[0], 1000);
	assert_int_equal(ran[1], 2000);
	assert_int_equal(ran[2], 3000);
}

static void the_longest_wait_starts_with_the_first_call(void **state)
{
	struct debounce debounce;

	(void)state;
	debounce_init(&debounce, 100, 150);
	debounce_call(&debounce, 0);
	assert_true(debounce_due(&debounce, 100));
	debounce_call(&debounce, 120);
	debounce_call(&debounce, 200);
	assert_int_equal(debounce_next_ns(&debounce), 270);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_of_calls_runs_once_when_it_ends),
		cmocka_unit_test(a_stream_without_a_pause_runs_in_time),
		cmocka_unit_test(the_longest_wait_starts_with_the_first_call),
	};

	return cmocka_run_group_tests_name("debounce", tests, NULL, NULL);
}
