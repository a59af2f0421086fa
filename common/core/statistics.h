/*
 * statistics.h - what a sample says: moments, quantiles, intervals.
 *
 * Every function answers every argument: NaN among the values, an empty sample
 * or a parameter outside its range gives NaN, in intervals at both ends.
 *
 * Pure. Sources: B. P. Welford, Technometrics 4 (1962), and T. Chan, G. Golub
 * and R. LeVeque (1979) for moments and their union; R. Hyndman and Y. Fan,
 * Am. Stat. 50 (1996) for quantiles of type 7; W. Thompson, Ann. Math. Stat. 7
 * (1936) for the median's interval; E. B. Wilson, JASA 22 (1927); C. Clopper
 * and E. Pearson, Biometrika 26 (1934); J. Williams, CACM 7 (1964) for the
 * sort; C. Hoare, CACM 4 (1961), Algorithm 65, for selection; R. Fisher, J.
 * Royal Stat. Soc. 98 (1935).
 */
#ifndef CUPEL_COMMON_CORE_STATISTICS_H
#define CUPEL_COMMON_CORE_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* Of a stream of numbers, none of which is kept. All zero is the empty one. */
struct moments {
	uint64_t count;
	double mean;		/* 0 while empty */
	double square_sum;	/* of the deviations from the mean */
};

void moments_add(struct moments *moments, double value);

/* As if the values behind other had been added too. */
void moments_merge(struct moments *moments, const struct moments *other);

/* The sample variance (n - 1); NaN for fewer than two values. */
double moments_variance(const struct moments *moments);

/* Ascending, NaN last; in place, n log n at worst. */
void statistics_sort(double *samples, size_t count);

/*
 * The sample that would stand at index if they were sorted; reorders them.
 * Linear on average, quadratic at worst.
 */
double statistics_select(double *samples, size_t count, size_t index);

/* Of samples sorted so, p in 0..1; interpolated between neighbours (type 7). */
double statistics_quantile(const double *sorted, size_t count, double p);

/* Sorts samples. */
double statistics_median(double *samples, size_t count);

/*
 * The median absolute deviation from the median; times 1.4826 it estimates the
 * sigma of a normal distribution. Overwrites samples with their deviations.
 */
double statistics_mad(double *samples, size_t count);

struct interval {
	double low;
	double high;
};

/*
 * For the median behind samples sorted so: the narrowest pair of them, as far
 * from either end, that holds it at least that often whatever the distribution,
 * with confidence in 0..1. NaN where too few hold it so: 95 % takes six.
 */
struct interval median_interval(const double *sorted, size_t count,
				double confidence);

/*
 * For the probability behind k successes of n, k at most n, two-sided, with
 * confidence in 0..1: Wilson's score interval, and the exact one of Clopper
 * and Pearson, which covers at least that often. n of 0 gives 0 and 1.
 */
struct interval wilson_interval(uint64_t k, uint64_t n, double confidence);
struct interval clopper_pearson_interval(uint64_t k, uint64_t n,
					 double confidence);

/*
 * Whether k successes of n and l of m may come from one probability: the
 * two-sided p value of Fisher's exact test, the chance of a table that is as
 * unlikely as this one or more. k is at most n, l at most m. Linear in them.
 */
double fisher_exact(uint64_t k, uint64_t n, uint64_t l, uint64_t m);

#endif
