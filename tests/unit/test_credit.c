#include "common/core/credit.h"
#include "tests/support/test.h"

static void what_is_not_covered_is_not_taken(void **state)
{
	struct credit credit = { .bytes = 10, .window = 10 };

	(void)state;
	assert_true(credit_take(&credit, 4));
	assert_false(credit_take(&credit, 7));
	assert_int_equal(credit.bytes, 6);
	assert_true(credit_take(&credit, 6));
	assert_true(credit_covers(&credit, 0));
	assert_false(credit_covers(&credit, 1));
}

static void a_grant_beyond_the_window_is_refused(void **state)
{
	struct credit credit = { .bytes = 6, .window = 10 };

	(void)state;
	assert_false(credit_add(&credit, 5));
	assert_false(credit_add(&credit, SIZE_MAX));
	assert_int_equal(credit.bytes, 6);
	assert_true(credit_add(&credit, 4));
	assert_int_equal(credit.bytes, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_covered_is_not_taken),
		cmocka_unit_test(a_grant_beyond_the_window_is_refused),
	};

	return cmocka_run_group_tests_name("credit", tests, NULL, NULL);
}
