#include "tests/support/test.h"

#include <stdalign.h>
#include <string.h>

#include "common/arena.h"

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
	struct arena arena;
	struct random random;
	uint8_t *pieces[200];
	size_t sizes[200];

	(void)state;
	test_random_init(&random, "pieces");
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		sizes[i] = random_below(&random, 900);
		pieces[i] = arena_alloc(&arena, sizes[i]);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t n = 0; n < sizes[i]; n++)
			assert_int_equal(pieces[i][n], 0);
		memset(pieces[i], (int)i, sizes[i]);
	}
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t n = 0; n < sizes[i]; n++)
			assert_int_equal(pieces[i][n], (uint8_t)i);
	arena_release(&arena);
}

static void a_full_arena_refuses(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 64);
	assert_null(arena_alloc(&arena, 65));
	assert_non_null(arena_alloc(&arena, 64));
	assert_null(arena_alloc(&arena, 0));
	arena_reset(&arena);
	assert_non_null(arena_alloc(&arena, 64));
	arena_release(&arena);
	assert_int_equal(arena.bytes, 0);
}

static void growth_stays_below_the_limit(void **state)
{
	struct arena arena;
	size_t usable = 0;

	(void)state;
	arena_init(&arena, 100000);
	for (; arena_alloc(&arena, 160); usable += 160)
		assert_true(arena.bytes <= 100000);
	assert_in_range(usable, 95000, 100000);
	arena_reset(&arena);
	assert_true(arena.bytes <= 16384);
	arena_release(&arena);
}

/* What one job has left behind does not shrink the arena of the next. */
static void a_reset_arena_holds_as_much_as_a_new_one(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 100000);
	assert_non_null(arena_alloc(&arena, 90000));
	assert_non_null(arena_alloc(&arena, 9000));
	arena_reset(&arena);
	assert_non_null(arena_alloc(&arena, 99000));
	arena_release(&arena);
	assert_int_equal(arena.bytes, 0);
}

static void sizes_that_overflow_are_refused(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 3));
	assert_non_null(arena_alloc_array(&arena, 3, 5));
	arena_release(&arena);
}

static void text_is_formatted_whole_or_not_at_all(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 64);
	assert_string_equal(arena_text(&arena, "%s-%d", "job", 7), "job-7");
	assert_null(arena_text(&arena, "%100d", 1));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
		cmocka_unit_test(a_full_arena_refuses),
		cmocka_unit_test(growth_stays_below_the_limit),
		cmocka_unit_test(a_reset_arena_holds_as_much_as_a_new_one),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(text_is_formatted_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
