/*
 * The budget of a campaign: the proof's share is kept from what comes before.
 */
#include "tests/support/test.h"

#include "workers/improve/budget_core.h"

static const int64_t needs[BUDGET_STEP_COUNT] = { 1000, 40, 20, 30, 10 };

static const struct {
	int64_t left;
	int64_t kept[BUDGET_STEP_COUNT];
} rows[] = {
	{ INT64_MAX, { 100, 60, 40, 10, 0 } },
	{ 1000, { 100, 60, 40, 10, 0 } },
	{ 200, { 100, 60, 40, 10, 0 } },
	{ 100, { 50, 30, 20, 5, 0 } },	/* half is the search's */
	{ 10, { 5, 3, 2, 0, 0 } },
	{ 0, { 0, 0, 0, 0, 0 } },
	{ -5, { 0, 0, 0, 0, 0 } },	/* spent before it began */
};

static void later_steps_have_their_share(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t kept[BUDGET_STEP_COUNT];

		budget_share(rows[i].left, needs, kept);
		for (int step = 0; step < BUDGET_STEP_COUNT; step++)
			test_row(kept[step] == rows[i].kept[step], "row %zu, step %d: %lld", i,
				 step, (long long)kept[step]);
	}
}

static void who_needs_nothing_keeps_nothing(void **state)
{
	static const int64_t nothing[BUDGET_STEP_COUNT] = { 0 };
	int64_t kept[BUDGET_STEP_COUNT];

	(void)state;
	budget_share(100, nothing, kept);
	for (int step = 0; step < BUDGET_STEP_COUNT; step++)
		assert_int_equal(kept[step], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_steps_have_their_share),
		cmocka_unit_test(who_needs_nothing_keeps_nothing),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
