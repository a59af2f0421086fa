#include "tests/support/test.h"

#include <inttypes.h>

#include "common/core/deadline.h"

static void a_timeout_becomes_a_deadline(void **state)
{
	static const struct {
		const char *name;
		int64_t now_ns, timeout_ns, want;
	} cases[] = {
		{ "the sum", 100, 50, 150 },
		{ "one nanosecond counts", 100, 1, 101 },
		{ "nothing left is now", 100, 0, 100 },
		{ "a negative timeout is now", 100, -7, 100 },
		{ "never stays never", 100, DEADLINE_NEVER, DEADLINE_NEVER },
		{ "the sum saturates", DEADLINE_NEVER - 5, 6, DEADLINE_NEVER },
		{ "the last sum that fits", DEADLINE_NEVER - 5, 4, DEADLINE_NEVER - 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t got = deadline_after(cases[i].now_ns,
					     cases[i].timeout_ns);

		test_row(got == cases[i].want, "%s: got %" PRId64,
			 cases[i].name, got);
	}
}

static void remaining_ends_at_zero(void **state)
{
	(void)state;
	assert_int_equal(deadline_remaining(100, 99), 1);
	assert_int_equal(deadline_remaining(100, 100), 0);
	assert_int_equal(deadline_remaining(100, 1000), 0);
	assert_true(deadline_remaining(DEADLINE_NEVER, 1000) == DEADLINE_NEVER);
	assert_false(deadline_passed(100, 99));
	assert_true(deadline_passed(100, 100));
}

static void a_child_call_gets_no_more_than_its_parent(void **state)
{
	(void)state;
	assert_int_equal(deadline_clamp(100, 10, 20), 30);
	assert_int_equal(deadline_clamp(100, 90, 20), 100);
	assert_int_equal(deadline_clamp(DEADLINE_NEVER, 90, 20), 110);
	assert_int_equal(deadline_clamp(100, 90, DEADLINE_NEVER), 100);
}

static void progress_moves_the_idle_limit_only(void **state)
{
	struct deadline_pair pair;

	(void)state;
	deadline_pair_init(&pair, 100, 30, 0);
	assert_int_equal(deadline_pair_next_ns(&pair), 30);
	assert_int_equal(deadline_pair_check(&pair, 29), DEADLINE_PENDING);
	assert_int_equal(deadline_pair_check(&pair, 30), DEADLINE_IDLE);

	for (int64_t now = 20; now < 100; now += 20) {
		deadline_pair_progress(&pair, now);
		assert_int_equal(deadline_pair_check(&pair, now + 19),
				 DEADLINE_PENDING);
	}
	assert_int_equal(deadline_pair_next_ns(&pair), 100);
	assert_int_equal(deadline_pair_check(&pair, 100), DEADLINE_ABSOLUTE);
	assert_int_equal(deadline_pair_check(&pair, 500), DEADLINE_ABSOLUTE);
}

static void without_an_idle_limit_the_absolute_one_ends(void **state)
{
	struct deadline_pair pair;

	(void)state;
	deadline_pair_init(&pair, 100, DEADLINE_NEVER, 0);
	assert_int_equal(deadline_pair_next_ns(&pair), 100);
	assert_int_equal(deadline_pair_check(&pair, 99), DEADLINE_PENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timeout_becomes_a_deadline),
		cmocka_unit_test(remaining_ends_at_zero),
		cmocka_unit_test(a_child_call_gets_no_more_than_its_parent),
		cmocka_unit_test(progress_moves_the_idle_limit_only),
		cmocka_unit_test(without_an_idle_limit_the_absolute_one_ends),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
