#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/core/statistics.h"
#include "tests/support/noise.h"
#include "workers/improve/sign_flip_core.h"

static struct sign_paths paths;

static const unsigned looks[] = { 10, 15, 22, 30, 42, 60 };
static const double budgets[] = { 0.002, 0.003, 0.004, 0.0055, 0.0075, 0.01 };

/* All 1024 ways to sign ten pairs: the two best may cross at 0.002, no more. */
static void ten_pairs_cross_as_rarely_as_counting_says(void **state)
{
	double differences[10];
	unsigned crossed = 0;

	(void)state;
	sign_paths_init(&paths, 7);
	for (unsigned signs = 0; signs < 1024; signs++) {
		struct sign_flip test = { 0 };

		for (unsigned i = 0; i < 10; i++)
			differences[i] = (signs >> i & 1 ? 1 : -1) * (1.0 + i);
		crossed += sign_flip_look(&test, &paths, differences, 10,
					  0.002).crossed;
	}
	assert_in_range(crossed, 1, 2);
}

static void the_critical_score_is_wilcoxons(void **state)
{
	/* Half ranks; one-sided 5 % and 1 % of the published tables. */
	static const struct {
		unsigned count;
		double alpha;
		unsigned want;
	} rows[] = {
		{ 10, 0.05, 2 * 45 },
		{ 15, 0.05, 2 * 90 },
		{ 20, 0.05, 2 * 150 },
		{ 20, 0.01, 2 * 167 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned got = sign_flip_critical(rows[i].count, rows[i].alpha);

		test_row(got + 2 >= rows[i].want && got <= rows[i].want + 2,
			 "%zu: got %u, want %u", i, got, rows[i].want);
	}
}

/* Magnitudes as ugly as they come; the signs are coins. */
static void draw(struct random *random, unsigned style, double *ret)
{
	for (unsigned i = 0; i < SIGN_FLIP_PAIRS_MAX; i++) {
		double size = style == 0 ? fabs(noise_normal(random)) :
			      style == 1 ? exp(8 * noise_normal(random)) :
			      style == 2 ? (double)random_below(random, 4) :
			      1 + (double)i;

		ret[i] = random_next(random) >> 63 ? size : -size;
	}
}

/* However often it is looked at; the budget is spent, and never exceeded. */
static void a_fair_path_crosses_within_the_budget(void **state)
{
	enum { TRIALS = 4000 };
	double differences[SIGN_FLIP_PAIRS_MAX];
	struct random random;
	unsigned crossed = 0;

	(void)state;
	test_random_init(&random, "fair path");
	for (unsigned trial = 0; trial < TRIALS; trial++) {
		struct sign_flip test = { 0 };

		draw(&random, trial % 4, differences);
		if (trial % 100 == 0)
			sign_paths_init(&paths, random_next(&random));
		for (size_t i = 0; i < COUNT(looks); i++) {
			crossed += sign_flip_look(&test, &paths, differences,
						  looks[i], budgets[i]).crossed;
			assert_true(test.crossed_count <=
				    budgets[i] * SIGN_FLIP_POOL);
		}
	}
	/* 40 are expected at most; 20 and 62 are three and a half sigmas away. */
	test_row(crossed >= 20 && crossed <= 62, "%u of %d crossed", crossed,
		 TRIALS);
}

static void zeros_have_no_sign(void **state)
{
	double differences[SIGN_FLIP_PAIRS_MAX] = { 0 };
	struct sign_flip test = { 0 };

	(void)state;
	sign_paths_init(&paths, 1);
	struct sign_flip_look look = sign_flip_look(&test, &paths, differences,
						    60, 0.01);

	assert_int_equal(look.score, 0);
	assert_false(look.crossed);
	assert_int_equal(test.crossed_count, 0);
}

static void ties_share_their_ranks(void **state)
{
	const double differences[] = { 1, -1, 2, -2, 2, 0 };
	struct sign_flip test = { 0 };

	(void)state;
	sign_paths_init(&paths, 1);
	/* Sizes 0 1 1 2 2 2 rank 1, 2.5, 2.5, 5, 5, 5; plus: 2.5 + 5 + 5. */
	assert_int_equal(sign_flip_look(&test, &paths, differences, 6, 0).score,
			 25);
}

/* Hodges and Lehmann's estimate and bounds, by sorting all the averages. */
static void shifts_are_order_statistics_of_the_averages(void **state)
{
	double differences[SIGN_FLIP_PAIRS_MAX], averages[1830];
	struct random random;

	(void)state;
	test_random_init(&random, "shifts");
	for (unsigned trial = 0; trial < 300; trial++) {
		unsigned count = 1 + (unsigned)random_below(&random, 60);
		size_t n = 0;

		draw(&random, trial % 2, differences);
		for (unsigned i = 0; i < count; i++)
			for (unsigned j = i; j < count; j++)
				averages[n++] = (differences[i] +
						 differences[j]) / 2;
		statistics_sort(averages, n);
		struct sign_flip_shift shift = sign_flip_shift(
			differences, count, (unsigned)n, (unsigned)n);

		assert_true(fabs(shift.estimate - statistics_quantile(
				averages, n, 0.5)) < 1e-9);
		assert_true(fabs(shift.lower - averages[n - (n + 1) / 2]) < 1e-9);
		assert_true(fabs(shift.upper - averages[(n + 1) / 2 - 1]) < 1e-9);
		shift = sign_flip_shift(differences, count, 3661, 3661);
		if (count < 60) {
			assert_true(isinf(shift.lower) && shift.lower < 0);
			assert_true(isinf(shift.upper) && shift.upper > 0);
		}
	}
}

static void the_lower_bound_is_positive_just_when_it_crosses(void **state)
{
	double differences[SIGN_FLIP_PAIRS_MAX];
	struct random random;
	unsigned crossed = 0;

	(void)state;
	test_random_init(&random, "lower bound");
	for (unsigned trial = 0; trial < 1000; trial++) {
		struct sign_flip test = { 0 };

		for (unsigned i = 0; i < 22; i++)
			differences[i] = 0.6 + noise_normal(&random);
		struct sign_flip_look look = sign_flip_look(
			&test, &paths, differences, 22, 0.01);
		struct sign_flip_shift shift = sign_flip_shift(
			differences, 22, look.critical, look.critical);

		assert_int_equal(look.crossed, shift.lower > 0);
		assert_int_equal(look.crossed, look.score >= look.critical);
		crossed += look.crossed;
	}
	assert_in_range(crossed, 300, 950);
}

static void a_seed_gives_the_same_paths(void **state)
{
	static struct sign_paths again;

	(void)state;
	memset(&again, 0, sizeof(again));
	memset(&paths, 0, sizeof(paths));
	sign_paths_init(&paths, 3);
	sign_paths_init(&again, 3);
	assert_memory_equal(&paths, &again, sizeof(paths));
	sign_paths_init(&again, 4);
	assert_memory_not_equal(&paths, &again, sizeof(paths));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_pairs_cross_as_rarely_as_counting_says),
		cmocka_unit_test(the_critical_score_is_wilcoxons),
		cmocka_unit_test(a_fair_path_crosses_within_the_budget),
		cmocka_unit_test(zeros_have_no_sign),
		cmocka_unit_test(ties_share_their_ranks),
		cmocka_unit_test(shifts_are_order_statistics_of_the_averages),
		cmocka_unit_test(the_lower_bound_is_positive_just_when_it_crosses),
		cmocka_unit_test(a_seed_gives_the_same_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
