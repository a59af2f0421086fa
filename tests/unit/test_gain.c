#include "tests/support/test.h"

#include <math.h>

#include "workers/improve/gain_core.h"

static const struct {
	const char *name;
	enum direction direction;
	double base, candidate, gain;
} rows[] = {
	{ "a fifth less time", LOWER_IS_BETTER, 10, 8, 0.2 },
	{ "a quarter more time", LOWER_IS_BETTER, 8, 10, -0.25 },
	{ "a quarter more requests", HIGHER_IS_BETTER, 8, 10, 0.25 },
	{ "a fifth fewer requests", HIGHER_IS_BETTER, 10, 8, -0.2 },
	{ "no change", LOWER_IS_BETTER, 3, 3, 0 },
	{ "no errors before and after", LOWER_IS_BETTER, 0, 0, 0 },
	{ "no errors any more", LOWER_IS_BETTER, 5, 0, 1 },
};

static void gains_are_shares_and_differences_their_logarithms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum direction direction = rows[i].direction;
		double there = gain_difference(direction, rows[i].base,
					       rows[i].candidate);
		double back = gain_difference(direction, rows[i].candidate,
					      rows[i].base);
		double gain = gain_of_difference(direction, there);

		test_row(fabs(gain - rows[i].gain) < 1e-12, "%s: got %.17g",
			 rows[i].name, gain);
		test_row(fabs(there + back) < 1e-12, "%s: not opposite",
			 rows[i].name);
		test_row(fabs(there) >= 50 ||
			 fabs(difference_of_gain(direction, gain) - there) < 1e-12,
			 "%s: not inverse", rows[i].name);
	}
}

static void differences_are_finite_but_for_nan(void **state)
{
	(void)state;
	assert_true(gain_difference(LOWER_IS_BETTER, 0, 7) <= -50);
	assert_true(gain_difference(HIGHER_IS_BETTER, 0, 7) >= 50);
	assert_true(isfinite(gain_difference(LOWER_IS_BETTER, 5e-324, 1e308)));
	assert_true(isnan(gain_difference(LOWER_IS_BETTER, (double)NAN, 1)));
	assert_true(isnan(gain_difference(LOWER_IS_BETTER, 1, (double)NAN)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gains_are_shares_and_differences_their_logarithms),
		cmocka_unit_test(differences_are_finite_but_for_nan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
