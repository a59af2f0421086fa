/*
 * decision_core.h - whether a candidate is better: the only judge there is.
 *
 * The plan is frozen before the first sample. Base and candidate then run in
 * pairs, and the decision looks at them when their number is one of the plan's:
 *
 *	            +-- neither --> more pairs --+
 *	            v                            |
 *	pairs --> look -- guard worse, invalid runs differ --> REJECT
 *	            |  \-- min_effect ruled out --> FUTILE
 *	            |
 *	            crossed, gain >= min_effect, hard guards inside their margin
 *	            +-- gain is plausible ----------> ACCEPT
 *	            +-- too good to be true --------> REVIEW
 *
 * Gains and differences are gain_core.h's, crossing is sign_flip_core.h's: a
 * candidate that is no different is accepted with at most the plan's alpha,
 * whatever the noise. Futility and guards can only reject, so they spend
 * nothing of it. What has crossed stays crossed, and waits for the other
 * conditions. The gain that counts is the lower bound: while that is not above
 * the gain wanted and the estimate is, more pairs are run before it is accepted.
 *
 * Invalid pairs (a clock jump, a stolen processor; never a value) count for
 * both arms alike and by whose run was disturbed: when the rates differ
 * (Fisher, p < 0.01), or there are as many as pairs, the candidate is rejected.
 *
 * Pure, plain data of about 250 kB, no heap, no clock. Resuming is replaying:
 * the same plan and the same pairs in the same order give the same bits.
 */
#ifndef CUPEL_WORKERS_IMPROVE_DECISION_CORE_H
#define CUPEL_WORKERS_IMPROVE_DECISION_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/random.h"
#include "workers/improve/gain_core.h"
#include "workers/improve/sign_flip_core.h"

#define DECISION_LOOKS_MAX 8
#define DECISION_GUARDS_MAX 8
#define DECISION_CAMPAIGN_ALPHA 0.01

struct decision_guard {
	enum direction direction;
	bool hard;		/* must be shown to lose less than margin; a soft
				   one only not to lose more */
	double margin;		/* a share, e.g. 0.03; below 1 where higher is better */
};

struct decision_plan {
	uint64_t seed;		/* of the coins and of the sign paths */
	double alpha;		/* see decision_alpha() */
	enum direction direction;
	double min_effect;	/* the least gain worth having */
	double gain_wanted;	/* that the lower bound is to exceed; 0: any */
	double plausible_gain;	/* above it a person looks; Amdahl's bound */
	unsigned look_count;
	unsigned looks[DECISION_LOOKS_MAX];	/* pairs, rising */
	double spent[DECISION_LOOKS_MAX];	/* of alpha, rising to 1 */
	unsigned guard_count;
	struct decision_guard guards[DECISION_GUARDS_MAX];
};

/* Looks, spending, 2 % least effect, gains to tenfold speed; no guard. */
extern const struct decision_plan decision_plan_default;

enum decision_verdict {
	DECISION_CONTINUE,
	DECISION_ACCEPT,
	DECISION_REJECT,
	DECISION_FUTILE,	/* a gain of min_effect is ruled out */
	DECISION_REVIEW,	/* better, but a person has to look */
	DECISION_VERDICT_COUNT
};

enum decision_reason {
	REASON_NONE,
	REASON_PROVED,
	REASON_NOT_SHOWN,	/* all pairs ran and it did not cross */
	REASON_TOO_SMALL,	/* a gain of min_effect was not reached */
	REASON_GUARD_WORSE,
	REASON_GUARD_NOT_SHOWN,	/* a hard guard stayed within reach */
	REASON_INVALID_RATES,	/* the arms were disturbed unequally */
	REASON_DISTURBED,	/* too many pairs were invalid */
	REASON_IMPLAUSIBLE,
	REASON_COUNT
};

/* One metric in one pair; not negative, in any unit. */
struct decision_value {
	double base;
	double candidate;
};

/* What a look saw; kept for the record. */
struct decision_look {
	unsigned pairs;
	double alpha;		/* spent so far */
	double tail;		/* what the candidate needed of it */
	double gain;		/* Hodges and Lehmann's estimate */
	double gain_lower;	/* with all of alpha's confidence */
	double gain_upper;	/* with 95 %, at this look alone */
	bool crossed;		/* at this look or before */
};

/* What is known of one metric. */
struct decision_series {
	double differences[SIGN_FLIP_PAIRS_MAX];
	struct sign_flip test;	/* primary: is better; guard: is worse */
};

/* The owner reads what it likes and changes nothing. */
struct decision {
	struct decision_plan plan;
	enum decision_verdict verdict;
	enum decision_reason reason;
	unsigned guard;		/* which, when the reason is a guard */
	unsigned pairs;		/* valid ones */
	unsigned invalid_pairs;
	unsigned invalid_base, invalid_candidate;	/* runs */
	unsigned look_count;	/* done */
	struct decision_look looks[DECISION_LOOKS_MAX];
	bool candidate_first;	/* in the next pair */
	struct random coins;
	struct decision_series primary;
	struct decision_series guards[DECISION_GUARDS_MAX];
	struct sign_paths paths;
};

/*
 * What the nth validation of a campaign, from 1, may spend: half of the one
 * before, so at most 2 % in all. A campaign is expected to need one.
 */
double decision_alpha(unsigned nth);

/* Whether a plan can be carried out; decision_init asserts it. */
bool decision_plan_is_valid(const struct decision_plan *plan);

/* Copies the plan; candidate_first holds the first coin. */
void decision_init(struct decision *decision, const struct decision_plan *plan);

/*
 * Takes a pair: values[0] is the primary metric, then one per guard. Counts
 * and throws the next coin. -EINVAL for a value that is negative or not
 * finite, -EALREADY after a verdict or while decision_look() is due.
 */
int decision_add_pair(struct decision *decision,
		      const struct decision_value *values);

/*
 * Counts a pair that says nothing, by whose run was disturbed (both false: the
 * pair as such). Throws the next coin. -EALREADY as above.
 */
int decision_add_invalid_pair(struct decision *decision, bool base,
			      bool candidate);

/* The verdict so far. Ask after every pair; the first other than CONTINUE stays. */
enum decision_verdict decision_look(struct decision *decision);

/* What was accepted is for a person to look at, for what pairs do not tell. */
void decision_doubt(struct decision *decision);

/* The latest look, or NULL before the first. */
const struct decision_look *decision_latest(const struct decision *decision);

const char *decision_verdict_name(enum decision_verdict verdict);
const char *decision_reason_name(enum decision_reason reason);

#endif
