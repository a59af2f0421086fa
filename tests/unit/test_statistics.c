#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/statistics.h"

static bool close_to(double got, double want, double tolerance)
{
	return fabs(got - want) <= tolerance * fabs(want);
}

static bool same(double a, double b)
{
	return isnan(a) ? isnan(b) : !(a < b || a > b || isnan(b));
}

/*
 * The data sets NumAcc1, NumAcc3 and NumAcc4 of NIST's Statistical Reference
 * Datasets: three values near 10^7; 1001 alternating around a base and 0.2.
 */
static const struct {
	double base, mean, deviation, tolerance;
} nist[] = {
	{ 1000000, 1000000.2, 0.1, 1e-8 },
	{ 10000000, 10000000.2, 0.1, 1e-7 },
};

static void moments_hold_on_the_hard_data_of_nist(void **state)
{
	struct moments three = { 0 };

	(void)state;
	moments_add(&three, 10000001);
	moments_add(&three, 10000003);
	moments_add(&three, 10000002);
	assert_true(same(three.mean, 10000002));
	assert_true(same(moments_variance(&three), 1));
	for (size_t i = 0; i < COUNT(nist); i++) {
		struct moments moments = { 0 };

		moments_add(&moments, nist[i].base + 0.2);
		for (int n = 0; n < 500; n++) {
			moments_add(&moments, nist[i].base + 0.1);
			moments_add(&moments, nist[i].base + 0.3);
		}
		test_row(close_to(moments.mean, nist[i].mean, 1e-14), "mean: %.17g",
			 moments.mean);
		double got = sqrt(moments_variance(&moments));
		test_row(close_to(got, nist[i].deviation, nist[i].tolerance),
			 "deviation near %g: %.17g", nist[i].base, got);
	}
}

static void few_values_have_no_variance(void **state)
{
	struct moments moments = { 0 };

	(void)state;
	assert_true(isnan(moments_variance(&moments)));
	moments_add(&moments, 5);
	assert_true(same(moments.mean, 5));
	assert_true(isnan(moments_variance(&moments)));
	moments_add(&moments, 5);
	assert_true(same(moments_variance(&moments), 0));
	moments_add(&moments, NAN);
	assert_true(isnan(moments.mean));
}

static void merged_moments_are_those_of_all_values(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "merge");
	for (int i = 0; i < 500; i++) {
		struct moments all = { 0 }, left = { 0 }, right = { 0 };
		uint64_t cut = random_below(&random, 20);

		for (uint64_t n = random_below(&random, 20); n > 0; n--) {
			double value = 1000 + random_unit(&random);

			moments_add(&all, value);
			moments_add(n > cut ? &left : &right, value);
		}
		moments_merge(&left, &right);
		assert_int_equal(left.count, all.count);
		assert_true(close_to(left.mean, all.mean, 1e-14));
		assert_true(fabs(left.square_sum - all.square_sum) < 1e-9);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void sorting_agrees_with_qsort(void **state)
{
	double ours[200] = { 0 }, theirs[200];
	struct random random;

	(void)state;
	test_random_init(&random, "sort");
	for (int i = 0; i < 2000; i++) {
		size_t count = random_below(&random, COUNT(ours) + 1);
		uint64_t range = 1 + random_below(&random, 300);

		for (size_t n = 0; n < count; n++)
			ours[n] = (double)random_below(&random, range) - 100;
		memcpy(theirs, ours, sizeof(ours));
		qsort(theirs, count, sizeof(*theirs), ascending);
		statistics_sort(ours, count);
		assert_memory_equal(ours, theirs, count * sizeof(*ours));
	}
}

static void sorting_puts_nan_last(void **state)
{
	double samples[] = { NAN, 3, INFINITY, NAN, -INFINITY, 1 };
	const double want[] = { -INFINITY, 1, 3, INFINITY, NAN, NAN };

	(void)state;
	statistics_sort(samples, COUNT(samples));
	for (size_t i = 0; i < COUNT(want); i++)
		test_row(same(samples[i], want[i]), "%zu: got %g", i, samples[i]);
}

static void selecting_finds_what_sorting_puts_there(void **state)
{
	double samples[200] = { 0 }, sorted[200];
	struct random random;

	(void)state;
	test_random_init(&random, "select");
	for (int i = 0; i < 3000; i++) {
		size_t count = 1 + random_below(&random, COUNT(samples));
		size_t index = random_below(&random, count);
		uint64_t range = 1 + random_below(&random, 300);

		for (size_t n = 0; n < count; n++)
			samples[n] = random_below(&random, 50) ?
				(double)random_below(&random, range) : (double)NAN;
		memcpy(sorted, samples, sizeof(sorted));
		statistics_sort(sorted, count);
		double got = statistics_select(samples, count, index);

		test_row(same(got, sorted[index]), "%zu of %zu: got %g, want %g",
			 index, count, got, sorted[index]);
		statistics_sort(samples, count);
		for (size_t n = 0; n < count; n++)
			assert_true(same(samples[n], sorted[n]));
	}
	assert_true(isnan(statistics_select(samples, 3, 3)));
	assert_true(isnan(statistics_select(samples, 0, 0)));
}

/* Computed by whole numbers; the second is in R's manual of fisher.test. */
static const struct {
	uint64_t k, n, l, m;
	double want;
} fishers[] = {
	{ 3, 4, 1, 4, 0.4857142857142857 },
	{ 1, 10, 11, 14, 0.0027594561852200836 },
	{ 0, 20, 8, 20, 0.003276003276003276 },
	{ 5, 5, 0, 5, 0.007936507936507936 },
	{ 30, 60, 30, 60, 1 },
	{ 0, 0, 0, 7, 1 },
	{ 0, 0, 0, 0, 1 },
};

static void fisher_agrees_with_whole_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(fishers); i++) {
		double got = fisher_exact(fishers[i].k, fishers[i].n,
					  fishers[i].l, fishers[i].m);
		double swapped = fisher_exact(fishers[i].l, fishers[i].m,
					      fishers[i].k, fishers[i].n);

		test_row(close_to(got, fishers[i].want, 1e-10), "%zu: got %.17g",
			 i, got);
		test_row(close_to(swapped, got, 1e-10), "%zu: swapped %.17g", i,
			 swapped);
	}
	assert_true(isnan(fisher_exact(2, 1, 0, 1)));
	assert_true(isnan(fisher_exact(0, 1, 2, 1)));
}

static const struct {
	const char *name;
	double samples[4];	/* sorted */
	size_t count;
	double p, want;
} quantiles[] = {
	{ "of none", { 0 }, 0, 0.5, NAN },
	{ "of one", { 7 }, 1, 0.3, 7 },
	{ "least", { 1, 2, 4, 8 }, 4, 0, 1 },
	{ "greatest", { 1, 2, 4, 8 }, 4, 1, 8 },
	{ "even median", { 1, 2, 4, 8 }, 4, 0.5, 3 },
	{ "odd median", { 1, 2, 4 }, 3, 0.5, 2 },
	{ "a quarter, as R's type 7", { 1, 2, 4, 8 }, 4, 0.25, 1.75 },
	{ "nine tenths, as R's type 7", { 1, 2, 4, 8 }, 4, 0.9, 6.8 },
	{ "between two infinities", { 1, INFINITY, INFINITY }, 3, 0.75, INFINITY },
	{ "between huge neighbours", { -1.5e308, 1.5e308 }, 2, 0.5, 0 },
	{ "p below 0", { 1, 2 }, 2, -0.1, NAN },
	{ "p above 1", { 1, 2 }, 2, 1.1, NAN },
	{ "p is NaN", { 1, 2 }, 2, NAN, NAN },
	{ "a value is NaN", { 1, 2, NAN }, 3, 0, NAN },
};

static void quantiles_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(quantiles); i++) {
		double got = statistics_quantile(quantiles[i].samples,
						 quantiles[i].count,
						 quantiles[i].p);
		double want = quantiles[i].want;

		test_row(same(got, want) || close_to(got, want, 1e-15),
			 "%s: got %.17g", quantiles[i].name, got);
	}
}

static void quantiles_of_equal_samples_are_those_samples(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "equal samples");
	for (int i = 0; i < 1000; i++) {
		double value = random_unit(&random);
		double sorted[] = { value, value, value };

		assert_true(same(statistics_quantile(sorted, COUNT(sorted),
						     random_unit(&random)),
				 value));
	}
}

static const struct {
	const char *name;
	double samples[7];
	size_t count;
	double median, mad;
} spreads[] = {
	{ "none", { 0 }, 0, NAN, NAN },
	{ "one", { 4 }, 1, 4, 0 },
	{ "an outlier changes little", { 1, 1, 2, 2, 4, 6, 900 }, 7, 2, 1 },
	{ "in any order", { 6, 2, 900, 1, 4, 1, 2 }, 7, 2, 1 },
	{ "a NaN", { 1, NAN, 3 }, 3, NAN, NAN },
};

static void medians_and_spreads_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(spreads); i++) {
		double samples[7];

		memcpy(samples, spreads[i].samples, sizeof(samples));
		double median = statistics_median(samples, spreads[i].count);
		memcpy(samples, spreads[i].samples, sizeof(samples));
		double mad = statistics_mad(samples, spreads[i].count);
		test_row(same(median, spreads[i].median) &&
			 same(mad, spreads[i].mad), "%s: got %g and %g",
			 spreads[i].name, median, mad);
	}
}

/*
 * Computed with 50 digits by mpmath 1.3; the last two are examples of
 * R. Newcombe, Statistics in Medicine 17 (1998), who prints four digits.
 */
static const struct {
	uint64_t k, n;
	double confidence;
	struct interval wilson, clopper_pearson;
} intervals[] = {
	{ 0, 10, 0.95, { 0, 2.7753279986288917e-1 }, { 0, 3.0849710781876076e-1 } },
	{ 10, 10, 0.95, { 7.2246720013711083e-1, 1.0 }, { 6.9150289218123924e-1, 1.0 } },
	{ 5, 10, 0.95, { 2.3659309051256401e-1, 7.6340690948743599e-1 }, { 1.8708602844739857e-1, 8.1291397155260143e-1 } },
	{ 1, 1000, 0.95, { 1.7654637062607806e-4, 5.6425585979579343e-3 }, { 2.5317487491294066e-5, 5.5589242798266718e-3 } },
	{ 81, 263, 0.95, { 2.5528851987827424e-1, 3.6620957698280006e-1 }, { 2.5273674558527117e-1, 3.6762192260135135e-1 } },
	{ 15, 148, 0.99, { 5.3644869613964856e-2, 1.8326735011315252e-1 }, { 4.7744559728836794e-2, 1.8187753153827608e-1 } },
	{ 0, 10, 0, { 0, 0 }, { 0, 0.066967008463192585 } },
	{ 0, 0, 0.95, { 0, 1 }, { 0, 1 } },
	{ 3, 9, 1, { 0, 1 }, { 0, 1 } },
	{ 4, 3, 0.95, { NAN, NAN }, { NAN, NAN } },
	{ 1, 3, -0.1, { NAN, NAN }, { NAN, NAN } },
	{ 1, 3, 1.1, { NAN, NAN }, { NAN, NAN } },
	{ 1, 3, NAN, { NAN, NAN }, { NAN, NAN } },
};

static bool agrees(struct interval got, struct interval want)
{
	if (isnan(want.low))
		return isnan(got.low) && isnan(got.high);
	return close_to(got.low, want.low, 1e-11) &&
	       close_to(got.high, want.high, 1e-11);
}

static void intervals_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(intervals); i++) {
		struct interval got = wilson_interval(intervals[i].k, intervals[i].n,
						      intervals[i].confidence);

		test_row(agrees(got, intervals[i].wilson),
			 "Wilson, row %zu: got %.17g %.17g", i, got.low, got.high);
		got = clopper_pearson_interval(intervals[i].k, intervals[i].n,
					       intervals[i].confidence);
		test_row(agrees(got, intervals[i].clopper_pearson),
			 "Clopper-Pearson, row %zu: got %.17g %.17g", i, got.low,
			 got.high);
	}
}

/* The chance that fewer than k of n fair coins fall heads, by counting. */
static double chance_below(unsigned k, unsigned n)
{
	double row[42] = { 1 }, sum = 0;

	for (unsigned i = 1; i <= n; i++)
		for (unsigned j = i; j > 0; j--)
			row[j] += row[j - 1];
	for (unsigned i = 0; i < k; i++)
		sum += row[i];
	return ldexp(sum, -(int)n);
}

/* Values that are their own ranks, so that the interval says which it took. */
static void intervals_of_the_median_are_the_narrowest_that_hold(void **state)
{
	static const double levels[] = { 0.5, 0.9, 0.95, 0.99 };
	double ranks[40];

	(void)state;
	for (unsigned i = 0; i < COUNT(ranks); i++)
		ranks[i] = i;
	for (unsigned n = 1; n <= COUNT(ranks); n++)
		for (size_t i = 0; i < COUNT(levels); i++) {
			struct interval got = median_interval(ranks, n, levels[i]);
			unsigned k = isnan(got.low) ? 0 : (unsigned)got.low + 1;

			test_row(k == 0 ? isnan(got.high) :
				 same(got.low + got.high, n - 1) && got.low <= got.high &&
				 1 - 2 * chance_below(k, n) >= levels[i],
				 "%u at %g: got %g %g", n, levels[i], got.low, got.high);
			test_row(2 * k + 1 > n || 1 - 2 * chance_below(k + 1, n) < levels[i],
				 "%u at %g: %g %g is too wide", n, levels[i], got.low,
				 got.high);
		}
}

static void few_values_bound_no_median(void **state)
{
	static const double samples[] = { 1, 2, 3, 4, 5, 6, NAN };
	static const struct {
		size_t count;
		double confidence;
		struct interval want;
	} rows[] = {
		{ 0, 0.95, { NAN, NAN } }, { 1, 0.95, { NAN, NAN } },
		{ 5, 0.95, { NAN, NAN } }, { 6, 0.95, { 1, 6 } },
		{ 7, 0.95, { NAN, NAN } }, { 6, 1, { NAN, NAN } },
		{ 6, -0.1, { NAN, NAN } }, { 6, 1.1, { NAN, NAN } },
		{ 6, NAN, { NAN, NAN } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct interval got = median_interval(samples, rows[i].count,
						      rows[i].confidence);

		test_row(agrees(got, rows[i].want), "row %zu: got %g %g", i, got.low,
			 got.high);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_hold_on_the_hard_data_of_nist),
		cmocka_unit_test(few_values_have_no_variance),
		cmocka_unit_test(merged_moments_are_those_of_all_values),
		cmocka_unit_test(sorting_agrees_with_qsort),
		cmocka_unit_test(sorting_puts_nan_last),
		cmocka_unit_test(selecting_finds_what_sorting_puts_there),
		cmocka_unit_test(fisher_agrees_with_whole_numbers),
		cmocka_unit_test(quantiles_are_those_of_the_table),
		cmocka_unit_test(quantiles_of_equal_samples_are_those_samples),
		cmocka_unit_test(medians_and_spreads_are_those_of_the_table),
		cmocka_unit_test(intervals_are_those_of_the_table),
		cmocka_unit_test(intervals_of_the_median_are_the_narrowest_that_hold),
		cmocka_unit_test(few_values_bound_no_median),
	};

	return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
