/*
 * watch_core.h - whether an applied change still pays, looked at for ever.
 *
 * The old version is kept and runs beside the new one, now and then, in pairs.
 * A gambler without an edge bets on every pair that the new one is worse. If
 * it is not, the sign is a fair coin and his wealth a fair game, which reaches
 * 100 times its start with a chance of 1 % at most, however often one looks.
 *
 *	stake: lambda of the wealth, times the rank of |d| among the last
 *	       WATCH_MEMORY, a share; averaged over several lambdas
 *	start: a new gambler every WATCH_RESTART pairs, the k-th with 6/(pi k)^2
 *	       of the bank: a good change ruins the early ones
 *	alarm: their wealth together is 100 times the bank
 *
 * Two such games run on the same pairs: HARM bets that new is slower than old,
 * BENEFIT_GONE that it is not faster by half of what was proved. Each keeps
 * its own 1 %. Only WATCH_GAMBLERS play at once: a new one takes the place of
 * the poorest, whose money is lost, which can only make an alarm rarer.
 *
 * A guard is judged by a look's pairs alone: lost more than its margin is what
 * the first look of a decision (decision_core.h) would reject, a chance of 1 %
 * for one that is just at its margin. Two looks in a row have to say so.
 *
 * Pure, plain data of about 5 kB. Resuming is replaying or keeping the struct.
 * Sources: J. Ville (1939) for the bound; G. Shafer, J. Royal Stat. Soc. A 184
 * (2021); A. Ramdas et al., Statistical Science 38 (2023).
 */
#ifndef CUPEL_WORKERS_IMPROVE_WATCH_CORE_H
#define CUPEL_WORKERS_IMPROVE_WATCH_CORE_H

#include <stdint.h>

#include "workers/improve/decision_core.h"

#define WATCH_MEMORY 60
#define WATCH_RESTART 10
#define WATCH_GAMBLERS 32
#define WATCH_LAMBDAS 6
#define WATCH_ALARM 100.0

enum watch_state {
	WATCH_QUIET,
	WATCH_BENEFIT_GONE,
	WATCH_HARM,
	WATCH_STATE_COUNT
};

struct watch_gambler {
	double weight;		/* of the bank; 0: no gambler */
	double wealth[WATCH_LAMBDAS];	/* from 1 */
};

struct watch_game {
	double shift;		/* below which a difference counts as worse */
	uint64_t pairs;
	double sizes[WATCH_MEMORY];	/* of the latest shifted differences */
	struct watch_gambler gamblers[WATCH_GAMBLERS];
	double evidence;	/* wealth together; alarm at WATCH_ALARM */
};

struct watch {
	enum watch_state state;	/* the worst so far; an alarm stays */
	struct watch_game harm;
	struct watch_game gone;
};

/* accepted_lower: the difference (gain_core.h) that was proved, not negative. */
void watch_init(struct watch *watch, double accepted_lower);

/* Adds a finite difference of old to new, positive where new is better. */
enum watch_state watch_add(struct watch *watch, double difference);

/* Of a look: fewer show nothing at the 1 % that a guard is judged at. */
#define WATCH_GUARD_PAIRS_MIN 7

/* The metrics of a pair: the primary one, then guards. */
struct watch_pair {
	struct decision_value values[1 + DECISION_GUARDS_MAX];
};

/*
 * Which of the guards a look's pairs show to have lost more than its margin;
 * -1: none, as of fewer than WATCH_GUARD_PAIRS_MIN pairs (to SIGN_FLIP_PAIRS_MAX). No value is
 * negative or infinite. scratch, 250 kB, needs to hold nothing before or after.
 */
int watch_broken_guard(struct decision *scratch, const struct decision_guard *guards,
		       unsigned guard_count, const struct watch_pair *pairs,
		       unsigned pair_count);

const char *watch_state_name(enum watch_state state);

#endif
