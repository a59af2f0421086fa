/*
 * sign_flip_core.h - the exact sequential test behind every verdict.
 *
 * Base and candidate run in pairs, in an order chosen by a fair coin; each pair
 * leaves one difference, positive when it favours the candidate. If the
 * candidate is no different, exchanging the labels within a pair changes
 * nothing, so the sign of every difference is a fair coin given everything
 * else: whatever the noise, its drift, its bursts or the neighbours.
 *
 * The observed signs are therefore one path among SIGN_FLIP_PATHS drawn ones,
 * and the test treats all alike. A path's score is the sum of the ranks of the
 * absolute differences where its sign is positive. At a look the paths with
 * the highest scores cross, as many as the budget allows; what has crossed is
 * out of the later looks. So the chance that the observed path ever crosses is
 * at most the last budget, exactly, in any number of looks.
 *
 *	score   10 pairs      15 pairs      22 pairs
 *	  ^   xxxxxxxxxx <- crossed: cumulative budget spent
 *	  |   ----------    xxxxxxxx
 *	  |   . . . . . .   --------      xxxxxxx
 *	  |   . observed    . . . . .     observed: crosses at this look
 *
 * Pure, plain data, no heap; integer arithmetic on ranks, so a seed gives the
 * same answer on every machine. Sources: R. Fisher, The Design of Experiments
 * (1935), the sign-flip argument; F. Wilcoxon, Biometrics 1 (1945), the ranks;
 * J. Pratt, JASA 54 (1959), zeros; K. Lan and D. DeMets, Biometrika 70 (1983),
 * spending; J. Hodges and E. Lehmann, Ann. Math. Stat. 34 (1963), the estimate.
 */
#ifndef CUPEL_WORKERS_IMPROVE_SIGN_FLIP_CORE_H
#define CUPEL_WORKERS_IMPROVE_SIGN_FLIP_CORE_H

#include <stdbool.h>
#include <stdint.h>

#define SIGN_FLIP_PAIRS_MAX 60
#define SIGN_FLIP_PATHS 20000
#define SIGN_FLIP_POOL (SIGN_FLIP_PATHS + 1)	/* the observed path is last */

/* Drawn once for all the tests of a decision. */
struct sign_paths {
	uint64_t signs[SIGN_FLIP_POOL];		/* bit i: pair i positive */
	uint16_t scores[SIGN_FLIP_POOL];	/* scratch of the present look */
};

/* One test's memory between its looks. All zero before the first. */
struct sign_flip {
	uint64_t crossed[SIGN_FLIP_POOL / 64 + 1];	/* bit a path */
	uint32_t crossed_count;
};

struct sign_flip_look {
	unsigned score;		/* of the observed path, in half ranks */
	unsigned critical;	/* the least score that crosses at this look */
	double tail;		/* share of paths left that score as high */
	bool crossed;		/* the observed path, at this look */
};

void sign_paths_init(struct sign_paths *paths, uint64_t seed);

/*
 * Looks at the first count differences (1 to SIGN_FLIP_PAIRS_MAX, finite);
 * budget is the chance to cross spent by now, all earlier looks included. A
 * difference of 0 has no sign and adds nothing to any score.
 */
struct sign_flip_look sign_flip_look(struct sign_flip *test,
				     struct sign_paths *paths,
				     const double *differences, unsigned count,
				     double budget);

/*
 * The least score that fair signs reach with a chance of alpha (to 0.5) when
 * looked at once: Wilcoxon's, by the normal distribution.
 */
unsigned sign_flip_critical(unsigned count, double alpha);

/* What the differences say about the shift between the arms. */
struct sign_flip_shift {
	double estimate;	/* Hodges and Lehmann's */
	double lower;		/* -INFINITY if nothing scores critical */
	double upper;		/* INFINITY likewise */
};

/*
 * The lower bound is the greatest shift that, taken off every difference,
 * still scores critical; with a look's critical score it is positive exactly
 * when the observed path scores it, and below the true shift with the budget's
 * confidence. The upper bound mirrors it with a critical score of its own.
 */
struct sign_flip_shift sign_flip_shift(const double *differences,
				       unsigned count, unsigned critical_lower,
				       unsigned critical_upper);

#endif
