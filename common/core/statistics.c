#include "common/core/statistics.h"

#include <math.h>
#include <stdbool.h>

#include "common/core/distribution.h"

void moments_add(struct moments *moments, double value)
{
	double step = value - moments->mean;

	moments->count++;
	moments->mean += step / (double)moments->count;
	moments->square_sum += step * (value - moments->mean);
}

void moments_merge(struct moments *moments, const struct moments *other)
{
	double ours = (double)moments->count, theirs = (double)other->count;
	double step = other->mean - moments->mean;

	if (other->count == 0)
		return;
	moments->count += other->count;
	moments->mean += step * (theirs / (ours + theirs));
	moments->square_sum += other->square_sum +
			       step * step * (ours * theirs / (ours + theirs));
}

double moments_variance(const struct moments *moments)
{
	if (moments->count < 2)
		return NAN;
	return moments->square_sum / (double)(moments->count - 1);
}

static void swap(double *a, double *b)
{
	double kept = *a;

	*a = *b;
	*b = kept;
}

/* Restores the heap below root, whose own value may be too small. */
static void sift(double *heap, size_t root, size_t count)
{
	double value = heap[root];
	size_t child;

	while ((child = 2 * root + 1) < count) {
		if (child + 1 < count && heap[child] < heap[child + 1])
			child++;
		if (value >= heap[child])
			break;
		heap[root] = heap[child];
		root = child;
	}
	heap[root] = value;
}

/* Puts NaN last; returns how many are not. */
static size_t part_numbers(double *samples, size_t count)
{
	size_t numbers = 0;

	for (size_t i = 0; i < count; i++)
		if (!isnan(samples[i]))
			swap(&samples[i], &samples[numbers++]);
	return numbers;
}

void statistics_sort(double *samples, size_t count)
{
	size_t numbers = part_numbers(samples, count);

	for (size_t i = numbers / 2; i-- > 0;)
		sift(samples, i, numbers);
	while (numbers > 1) {
		swap(&samples[0], &samples[--numbers]);
		sift(samples, 0, numbers);
	}
}

/* Parts the range around its middle until the index lies among the alike. */
double statistics_select(double *samples, size_t count, size_t index)
{
	size_t low = 0, high = part_numbers(samples, count);

	if (index >= high)
		return NAN;
	for (;;) {
		double pivot = samples[low + (high - low) / 2];
		size_t less = low, more = high;

		for (size_t i = low; i < more;) {
			if (samples[i] < pivot)
				swap(&samples[i++], &samples[less++]);
			else if (samples[i] > pivot)
				swap(&samples[i], &samples[--more]);
			else
				i++;
		}
		if (index < less)
			high = less;
		else if (index >= more)
			low = more;
		else
			return pivot;
	}
}

double statistics_quantile(const double *sorted, size_t count, double p)
{
	if (count == 0 || isnan(sorted[count - 1]) || !(p >= 0 && p <= 1))
		return NAN;
	double place = p * (double)(count - 1);
	size_t below = (size_t)place;
	double part = place - (double)below;

	if (part == 0 || sorted[below] == sorted[below + 1])
		return sorted[below];
	return (1 - part) * sorted[below] + part * sorted[below + 1];
}

double statistics_median(double *samples, size_t count)
{
	statistics_sort(samples, count);
	return statistics_quantile(samples, count, 0.5);
}

double statistics_mad(double *samples, size_t count)
{
	double median = statistics_median(samples, count);

	for (size_t i = 0; i < count; i++)
		samples[i] = fabs(samples[i] - median);
	return statistics_median(samples, count);
}

/* How many of the samples are below the median is how many of fair coins fall heads. */
struct interval median_interval(const double *sorted, size_t count,
				double confidence)
{
	struct interval none = { NAN, NAN };
	size_t left_out = 0;	/* at either end, and the bound itself */

	if (count == 0 || isnan(sorted[count - 1]) ||
	    !(confidence >= 0 && confidence < 1))
		return none;
	while (binomial_tail(count - left_out, count, 0.5) <= (1 - confidence) / 2)
		left_out++;
	if (left_out == 0)
		return none;
	return (struct interval){ sorted[left_out - 1], sorted[count - left_out] };
}

/* Sets the answers that need no computing; returns whether it did. */
static bool interval_is_plain(uint64_t k, uint64_t n, double confidence,
			      struct interval *ret)
{
	if (k > n || !(confidence >= 0 && confidence <= 1)) {
		*ret = (struct interval){ NAN, NAN };
		return true;
	}
	*ret = (struct interval){ 0, 1 };
	return n == 0 || confidence == 1;
}

/*
 * The bounds are the roots of a quadratic; the lower follows from their
 * product, which has no cancellation.
 */
struct interval wilson_interval(uint64_t k, uint64_t n, double confidence)
{
	struct interval plain;

	if (interval_is_plain(k, n, confidence, &plain))
		return plain;
	double z = -normal_quantile((1 - confidence) / 2);
	double hits = (double)k, trials = (double)n, weight = trials + z * z;
	double spread = sqrt(hits * (double)(n - k) / trials + z * z / 4);
	double high = (hits + z * z / 2 + z * spread) / weight;

	if (k == 0)
		return (struct interval){ 0, high };
	return (struct interval){ hits / trials * hits / weight / high,
				  fmin(high, 1) };
}

struct interval clopper_pearson_interval(uint64_t k, uint64_t n,
					 double confidence)
{
	struct interval bounds;
	double tail = (1 - confidence) / 2;
	double hits = (double)k, misses = (double)(n - k);

	if (interval_is_plain(k, n, confidence, &bounds))
		return bounds;
	if (k > 0)
		bounds.low = beta_quantile(tail, hits, misses + 1);
	if (k < n)
		bounds.high = beta_quantile(1 - tail, hits + 1, misses);
	return bounds;
}

static double log_choose(uint64_t n, uint64_t k)
{
	int sign;

	return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
	       lgamma_r((double)(n - k) + 1, &sign);
}

/*
 * With its margins given, a table is known by k; tables whose chances differ
 * by rounding alone count as alike.
 */
double fisher_exact(uint64_t k, uint64_t n, uint64_t l, uint64_t m)
{
	uint64_t hits = k + l;
	uint64_t least = hits > m ? hits - m : 0, most = hits < n ? hits : n;
	double sum = 0;

	if (k > n || l > m)
		return NAN;
	double seen = log_choose(n, k) + log_choose(m, l) + 1e-9;

	for (uint64_t i = least; i <= most; i++) {
		double chance = log_choose(n, i) + log_choose(m, hits - i);

		if (chance <= seen)
			sum += exp(chance - log_choose(n + m, hits));
	}
	return fmin(sum, 1);
}
