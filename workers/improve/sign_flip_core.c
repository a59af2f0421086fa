#include "workers/improve/sign_flip_core.h"

#include <assert.h>
#include <math.h>

#include "common/core/distribution.h"
#include "common/core/random.h"
#include "common/core/statistics.h"

#define CHUNK_BITS 10
#define CHUNKS (SIGN_FLIP_PAIRS_MAX / CHUNK_BITS)
#define SCORE_MAX (SIGN_FLIP_PAIRS_MAX * (SIGN_FLIP_PAIRS_MAX + 1))
#define OBSERVED SIGN_FLIP_PATHS
#define AVERAGES_MAX (SCORE_MAX / 2)

void sign_paths_init(struct sign_paths *paths, uint64_t seed)
{
	struct random random;

	random_init(&random, seed);
	for (unsigned path = 0; path < SIGN_FLIP_PATHS; path++)
		paths->signs[path] = random_next(&random);
}

/*
 * Twice the rank of each |difference|, so that shared ranks stay whole: those
 * below count twice, those alike once, and itself once more. A zero takes part
 * in the ranking but has no weight (Pratt).
 */
static void weigh(const double *differences, unsigned count, uint16_t *weights)
{
	for (unsigned i = 0; i < count; i++) {
		double size = fabs(differences[i]);
		unsigned weight = size > 0;

		for (unsigned j = 0; size > 0 && j < count; j++) {
			double other = fabs(differences[j]);

			weight += other < size ? 2 : other > size ? 0 : 1;
		}
		weights[i] = (uint16_t)weight;
	}
}

/* What each chunk of a path's signs adds to its score. */
struct score_table {
	uint16_t of[CHUNKS][1 << CHUNK_BITS];
};

static void tabulate(const uint16_t *weights, struct score_table *table)
{
	for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
		/* cppcheck-suppress uninitvar ; it is set here */
		uint16_t *of = table->of[chunk];

		of[0] = 0;
		for (unsigned bit = 0; bit < CHUNK_BITS; bit++, weights++)
			for (unsigned low = 0; low < 1u << bit; low++)
				of[1u << bit | low] =
					(uint16_t)(of[low] + *weights);
	}
}

/* A path's score is a lookup per chunk; pairs not yet run weigh nothing. */
static void score_paths(struct sign_paths *paths, const double *differences,
			unsigned count)
{
	uint16_t weights[SIGN_FLIP_PAIRS_MAX] = { 0 };
	struct score_table table;

	weigh(differences, count, weights);
	tabulate(weights, &table);
	paths->signs[OBSERVED] = 0;
	for (unsigned i = 0; i < count; i++)
		if (differences[i] > 0)
			paths->signs[OBSERVED] |= UINT64_C(1) << i;
	for (unsigned path = 0; path < SIGN_FLIP_POOL; path++) {
		uint64_t signs = paths->signs[path];
		unsigned score = 0;

		for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
			score += table.of[chunk][signs % (1 << CHUNK_BITS)];
			signs >>= CHUNK_BITS;
		}
		paths->scores[path] = (uint16_t)score;
	}
}

static bool has_crossed(const struct sign_flip *test, unsigned path)
{
	return test->crossed[path / 64] >> path % 64 & 1;
}

/*
 * The least score such that no more than room paths reach it, of those left;
 * ret_tail is how many reach what the observed path has.
 */
static unsigned find_critical(const struct sign_flip *test,
			      const struct sign_paths *paths, uint32_t room,
			      uint32_t *ret_tail)
{
	uint32_t having[SCORE_MAX + 2] = { 0 };
	uint32_t reaching = 0;
	unsigned critical = SCORE_MAX + 1;

	for (unsigned path = 0; path < SIGN_FLIP_POOL; path++)
		having[paths->scores[path]] += !has_crossed(test, path);
	while (critical > 0 && reaching + having[critical - 1] <= room)
		reaching += having[--critical];
	*ret_tail = 0;
	for (unsigned score = paths->scores[OBSERVED]; score <= SCORE_MAX; score++)
		*ret_tail += having[score];
	return critical;
}

static void cross(struct sign_flip *test, const struct sign_paths *paths,
		  unsigned critical)
{
	for (unsigned path = 0; path < SIGN_FLIP_POOL; path++) {
		if (paths->scores[path] < critical || has_crossed(test, path))
			continue;
		test->crossed[path / 64] |= UINT64_C(1) << path % 64;
		test->crossed_count++;
	}
}

struct sign_flip_look sign_flip_look(struct sign_flip *test,
				     struct sign_paths *paths,
				     const double *differences, unsigned count,
				     double budget)
{
	bool before = has_crossed(test, OBSERVED);
	uint32_t allowed = (uint32_t)(budget * SIGN_FLIP_POOL);
	uint32_t tail;

	assert(count > 0 && count <= SIGN_FLIP_PAIRS_MAX);
	assert(budget >= 0 && budget <= 1 && allowed >= test->crossed_count);
	score_paths(paths, differences, count);
	struct sign_flip_look look = {
		.score = paths->scores[OBSERVED],
		.critical = find_critical(test, paths,
					  allowed - test->crossed_count, &tail),
	};
	look.tail = (double)tail / (SIGN_FLIP_POOL - test->crossed_count);
	cross(test, paths, look.critical);
	look.crossed = !before && has_crossed(test, OBSERVED);
	return look;
}

/* A score of fair signs is near normal, with a variance of n(n+1)(2n+1)/6. */
unsigned sign_flip_critical(unsigned count, double alpha)
{
	double n = count, sigma = sqrt(n * (n + 1) * (2 * n + 1) / 6);

	assert(count > 0 && count <= SIGN_FLIP_PAIRS_MAX);
	assert(alpha > 0 && alpha <= 0.5);
	return (unsigned)ceil(n * (n + 1) / 2 -
			      normal_quantile(alpha) * sigma + 1);
}

/*
 * A score in half ranks is twice the count of pairwise averages, each
 * difference with itself included, that are positive (Tukey). So the shift
 * that still scores critical is an order statistic of the averages.
 */
struct sign_flip_shift sign_flip_shift(const double *differences,
				       unsigned count, unsigned critical_lower,
				       unsigned critical_upper)
{
	double averages[AVERAGES_MAX];
	size_t n = 0, from_top = (critical_lower + 1) / 2;
	size_t from_bottom = (critical_upper + 1) / 2;
	struct sign_flip_shift shift = { NAN, -INFINITY, INFINITY };

	assert(count > 0 && count <= SIGN_FLIP_PAIRS_MAX);
	assert(from_top > 0 && from_bottom > 0);
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j <= i; j++)
			averages[n++] = (differences[i] + differences[j]) / 2;
	shift.estimate = (statistics_select(averages, n, (n - 1) / 2) +
			  statistics_select(averages, n, n / 2)) / 2;
	if (from_top <= n)
		shift.lower = statistics_select(averages, n, n - from_top);
	if (from_bottom <= n)
		shift.upper = statistics_select(averages, n, from_bottom - 1);
	return shift;
}
