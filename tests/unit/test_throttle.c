#include "tests/support/test.h"

#include "common/core/deadline.h"
#include "common/core/throttle.h"

static void the_first_call_runs_at_once(void **state)
{
	struct throttle throttle;

	(void)state;
	throttle_init(&throttle, 100);
	assert_true(throttle_next_ns(&throttle) == DEADLINE_NEVER);
	assert_false(throttle_due(&throttle, 5));
	assert_true(throttle_call(&throttle, 5));
	assert_true(throttle_next_ns(&throttle) == DEADLINE_NEVER);
}

static void calls_within_the_interval_run_once_at_its_end(void **state)
{
	struct throttle throttle;

	(void)state;
	throttle_init(&throttle, 100);
	throttle_call(&throttle, 0);
	assert_false(throttle_call(&throttle, 10));
	assert_false(throttle_call(&throttle, 99));
	assert_int_equal(throttle_next_ns(&throttle), 100);
	assert_false(throttle_due(&throttle, 99));
	assert_true(throttle_due(&throttle, 100));
	assert_false(throttle_due(&throttle, 100));
	assert_false(throttle_call(&throttle, 199));
	assert_int_equal(throttle_next_ns(&throttle), 200);
}

static void a_late_call_takes_the_kept_one_along(void **state)
{
	struct throttle throttle;

	(void)state;
	throttle_init(&throttle, 100);
	throttle_call(&throttle, 0);
	throttle_call(&throttle, 10);
	assert_true(throttle_call(&throttle, 150));
	assert_false(throttle_due(&throttle, 1000));
	assert_true(throttle_call(&throttle, 250));
}

/* Random calls: runs are an interval apart, no call comes after the last. */
static void runs_keep_distance_and_the_last_call_is_done(void **state)
{
	struct throttle throttle;
	struct random random;
	int64_t now = 0, last_run = -100, last_call = 0;

	(void)state;
	test_random_init(&random, "throttle");
	throttle_init(&throttle, 100);
	for (int i = 0; i < 10000; i++) {
		bool called = random_below(&random, 4) == 0;
		bool run;

		now += (int64_t)random_below(&random, 60);
		run = called ? throttle_call(&throttle, now) :
			       throttle_due(&throttle, now);
		if (called)
			last_call = now;
		if (!run)
			continue;
		assert_true(now - last_run >= 100);
		last_run = now;
	}
	if (throttle_due(&throttle, now + 100))
		last_run = now + 100;
	assert_true(last_run >= last_call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_call_runs_at_once),
		cmocka_unit_test(calls_within_the_interval_run_once_at_its_end),
		cmocka_unit_test(a_late_call_takes_the_kept_one_along),
		cmocka_unit_test(runs_keep_distance_and_the_last_call_is_done),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
