/*
 * race_core.h - which of a few candidates is best, on runs made for this alone.
 *
 * The lowest of many noisy costs is low by luck as well; a race pays for fresh
 * runs of the best six or fewer. It has three rounds, of 3, 4 and 5 runs each,
 * and the better half (rounded up) of the entrants goes on: 3 x 6, 4 x 3 and
 * 5 x 2 are 40 runs. Within a round the entrants run by turns, in an order
 * drawn anew for each turn, so that drift of the machine hits all alike. Its
 * measure is the Hodges-Lehmann estimate of all fresh runs of an entrant. One
 * that fails even once is out and cannot win; if all that went on fail, the
 * best that was eliminated wins. One alone in a race needs no run at all.
 *
 * The race keeps the reports as its only state, as the tuner does: reporting
 * the stored ones to a fresh race resumes it.
 *
 * Pure. Source: J. Hodges and E. Lehmann, Estimates of Location Based on Rank
 * Tests (1963).
 */
#ifndef CUPEL_WORKERS_IMPROVE_RACE_CORE_H
#define CUPEL_WORKERS_IMPROVE_RACE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_ENTRANTS_MAX 6
#define RACE_RUNS_MAX 12	/* of one entrant: 3 + 4 + 5 */
#define RACE_RUNS_ALL 40	/* of all, at most */

struct race_entrant {
	double costs[RACE_RUNS_MAX];
	unsigned runs;
	bool failed, out;
};

struct race {
	struct race_entrant entrants[RACE_ENTRANTS_MAX];
	size_t count;
	uint64_t seed;
	unsigned round;
};

/* count: 1 .. RACE_ENTRANTS_MAX. */
void race_init(struct race *race, size_t count, uint64_t seed);

/* Whom to run next; false when the race is over. */
bool race_next(const struct race *race, size_t *ret_entrant);

/* Of that entrant: its cost, lower is better; not finite if the run failed. */
void race_report(struct race *race, size_t entrant, double cost);

/*
 * The best of a race that is over, or cut short after its first round; false
 * before that, or if all failed.
 */
bool race_winner(const struct race *race, size_t *ret_entrant);

/* The entrant's measure; NAN before its first run and once it failed. */
double race_measure(const struct race *race, size_t entrant);

#endif
