#include "tests/support/test.h"

#include "common/core/batcher.h"
#include "common/core/deadline.h"

static void the_last_item_ends_a_batch(void **state)
{
	struct batcher batcher;

	(void)state;
	batcher_init(&batcher, 3, 1000, 50);
	assert_false(batcher_add(&batcher, 1, 0));
	assert_false(batcher_add(&batcher, 1, 0));
	assert_true(batcher_add(&batcher, 1, 0));
	batcher_clear(&batcher);
	assert_false(batcher_add(&batcher, 1, 0));
}

static void the_last_byte_ends_a_batch(void **state)
{
	struct batcher batcher;

	(void)state;
	batcher_init(&batcher, 100, 1000, 50);
	assert_false(batcher_add(&batcher, 999, 0));
	assert_false(batcher_fits(&batcher, 2));
	assert_true(batcher_fits(&batcher, 1));
	assert_true(batcher_add(&batcher, 1, 0));
	assert_true(batcher_fits(&batcher, 0));
	assert_false(batcher_fits(&batcher, 1));
	batcher_clear(&batcher);
	assert_true(batcher_fits(&batcher, 2));
}

static void an_item_larger_than_any_batch_goes_alone(void **state)
{
	struct batcher batcher;

	(void)state;
	batcher_init(&batcher, 100, 1000, 50);
	assert_true(batcher_fits(&batcher, SIZE_MAX));
	assert_true(batcher_add(&batcher, SIZE_MAX, 0));
	assert_false(batcher_fits(&batcher, 1));
	assert_false(batcher_fits(&batcher, 0));
	batcher_clear(&batcher);
	assert_false(batcher_add(&batcher, 1, 0));
	assert_false(batcher_fits(&batcher, SIZE_MAX));
}

static void the_first_item_waits_no_longer_than_promised(void **state)
{
	struct batcher batcher;

	(void)state;
	batcher_init(&batcher, 100, 1000, 50);
	assert_true(batcher_next_ns(&batcher) == DEADLINE_NEVER);
	batcher_add(&batcher, 1, 10);
	batcher_add(&batcher, 1, 40);
	assert_int_equal(batcher_next_ns(&batcher), 60);
	batcher_clear(&batcher);
	assert_true(batcher_next_ns(&batcher) == DEADLINE_NEVER);
	batcher_add(&batcher, 1, 70);
	assert_int_equal(batcher_next_ns(&batcher), 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_item_ends_a_batch),
		cmocka_unit_test(the_last_byte_ends_a_batch),
		cmocka_unit_test(an_item_larger_than_any_batch_goes_alone),
		cmocka_unit_test(the_first_item_waits_no_longer_than_promised),
	};

	return cmocka_run_group_tests_name("batcher", tests, NULL, NULL);
}
