#include "tests/support/test.h"

#include "common/core/backoff.h"

/* One row and step: the range in which every delay must lie. */
static const struct {
	const char *name;
	struct backoff backoff;
	unsigned step;
	int64_t least, most;
} cases[] = {
	{ "the first step is the base", { 1000, 60000, 100, 100 }, 0, 1000, 1000 },
	{ "each step doubles", { 1000, 60000, 100, 100 }, 5, 32000, 32000 },
	{ "the cap ends the doubling", { 1000, 60000, 100, 100 }, 6, 60000, 60000 },
	{ "jitter reaches both ways below the cap", { 1000, 60000, 75, 125 }, 1, 1500, 2500 },
	{ "jitter stays inside the cap", { 1000, 60000, 75, 125 }, 6, 45000, 60000 },
	{ "jitter is cut where it would cross the cap", { 1000, 60000, 75, 200 }, 5, 24000, 60000 },
	{ "full jitter starts at nothing", { 1000, 60000, 0, 100 }, 3, 0, 8000 },
	{ "a base above the cap is the cap", { 9000, 400, 50, 100 }, 0, 200, 400 },
	{ "a step beyond every shift", { 1000, 60000, 75, 125 }, 4000000000, 45000, 60000 },
	{ "the last step before it", { 1, 60000, 75, 125 }, 62, 45000, 60000 },
};

/* 4,000 draws also come within 5 % of each end: the whole range is used. */
static void delays_fill_their_range_and_never_leave_it(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "backoff");
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t low = INT64_MAX, high = 0;
		int64_t slack = (cases[i].most - cases[i].least) / 20;

		for (int draw = 0; draw < 4000; draw++) {
			int64_t got = backoff_delay_ns(&cases[i].backoff,
						       cases[i].step, &random);

			low = got < low ? got : low;
			high = got > high ? got : high;
		}
		test_row(low >= cases[i].least && high <= cases[i].most,
			 "%s: left its range", cases[i].name);
		test_row(low <= cases[i].least + slack &&
				 high >= cases[i].most - slack,
			 "%s: range not used", cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_fill_their_range_and_never_leave_it),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
