#include "tests/support/test.h"

static void same_seed_same_sequence(void **state)
{
	struct random a, b, c;

	(void)state;
	random_init(&a, 7);
	random_init(&b, 7);
	random_init(&c, 8);
	uint64_t first = random_next(&a);

	assert_int_equal(first, random_next(&b));
	assert_int_not_equal(first, random_next(&c));
}

/* First outputs of the published reference for state {1, 2, 3, 4}. */
static void matches_the_reference_vector(void **state)
{
	static const uint64_t want[] = { 11520, 0, 1509978240,
					 UINT64_C(1215971899390074240) };
	struct random random = { { 1, 2, 3, 4 } };

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++)
		assert_int_equal(random_next(&random), want[i]);
}

static void below_is_in_range_and_covers_it(void **state)
{
	struct random random;
	unsigned seen[7] = { 0 };

	(void)state;
	test_random_init(&random, "below");
	for (int i = 0; i < 7000; i++)
		seen[random_below(&random, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_sequence),
		cmocka_unit_test(matches_the_reference_vector),
		cmocka_unit_test(below_is_in_range_and_covers_it),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
