/*
 * tuner_core.h - which setting to try next.
 *
 * The history of reported trials is the whole state: a proposal depends on the
 * space, the settings, the seed and the trials, and on nothing else. So asking
 * twice gives the same answer, and a loop that was killed resumes by reporting
 * its stored trials again, in order, to a fresh tuner.
 *
 *	tuner_next -> build -> tuner_find_binary -> (measure) -> tuner_report
 *
 * The ensemble tries the user's own setting; then one factor at a time, in
 * random order, from the best so far; then four random ones; then whichever
 * arm a bandit credits most: the model (expected improvement under a Gaussian
 * process), evolution, or local search. All arms see all trials. If all
 * parameters are categories, it is the model's turn as soon as it can learn
 * from what worked, and factors come first only until then, or if one failed.
 *
 * No config is proposed twice. A trial whose build turned out to be a binary
 * known already takes over that trial's result (`reused`): it is kept, as the
 * model learns from it, but is no evaluation. Only TUNER_OK trials have a
 * cost; the other outcomes lower the odds given to configs that resemble them.
 *
 * Costs are lower-is-better; gains are relative where all costs are positive,
 * and in units of the cost otherwise.
 *
 * Pure. The caller owns a struct tuner (about 700 kB) and the trials. Sources:
 * J. Ansel et al., OpenTuner (2014) and A. Fialho et al., Analyzing bandit-
 * based adaptive operator selection mechanisms (2010) for the credit;
 * D. Jones et al., Efficient Global Optimization (1998) for the model.
 */
#ifndef CUPEL_WORKERS_IMPROVE_TUNER_CORE_H
#define CUPEL_WORKERS_IMPROVE_TUNER_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workers/improve/gaussian_core.h"
#include "workers/improve/space_core.h"

enum tuner_method {
	TUNER_ENSEMBLE,
	TUNER_RANDOM_ONLY,	/* controls: what a tuner must be better than */
	TUNER_GRID_ONLY,
	TUNER_FACTORS_ONLY,
	TUNER_METHOD_COUNT
};

/* Where a proposal comes from. */
enum tuner_why {
	TUNER_CURRENT,		/* the user's own setting */
	TUNER_FACTOR,		/* the best so far with one parameter changed */
	TUNER_RANDOM,
	TUNER_GRID,
	TUNER_MODEL,
	TUNER_EVOLUTION,
	TUNER_LOCAL,
	TUNER_LESSON,		/* not proposed: known from earlier campaigns */
	TUNER_WHY_COUNT
};

enum tuner_outcome {
	TUNER_OK,
	TUNER_WRONG,		/* a test failed */
	TUNER_CRASH,
	TUNER_TIMEOUT,
	TUNER_OOM,
	TUNER_INVALID,		/* was not built, or refused its setting */
	TUNER_OUTCOME_COUNT
};

enum tuner_stop {
	TUNER_GO_ON,
	TUNER_BUDGET,		/* as many evaluations as allowed */
	TUNER_CONVERGED,	/* the model expects nothing worth the trouble */
	TUNER_EXHAUSTED,	/* every config has been tried */
	TUNER_FULL,		/* the storage holds no more trials */
	TUNER_STOP_COUNT
};

/* Plain data, to be stored and reported again as it is. */
struct tuner_trial {
	struct space_config config;
	enum tuner_why why;
	uint32_t step;		/* of the one-factor passes */
	double expected;	/* the model's expected gain, else NAN */

	enum tuner_outcome outcome;	/* from here on the caller's */
	double cost;		/* if TUNER_OK; finite */
	uint64_t binary;	/* hash of what was built; 0 if unknown */
	bool reused;		/* takes over the result of the same binary */
};

struct tuner_settings {
	enum tuner_method method;
	size_t evaluations_max;
	double effect_min;	/* the least gain worth having, e. g. 0.02 */
};

struct tuner {
	const struct space *space;
	struct tuner_settings settings;
	uint64_t seed;
	uint64_t space_size;
	struct tuner_trial *trials;
	size_t count, trials_max;
	size_t evaluations;	/* trials that were not reused */
	struct gaussian model;	/* scratch of one proposal */
};

/*
 * Borrows a checked space and the room for trials_max trials, which should be
 * some times evaluations_max: reused ones take room as well.
 */
void tuner_init(struct tuner *tuner, const struct space *space, uint64_t seed,
		const struct tuner_settings *settings,
		struct tuner_trial *trials, size_t trials_max);

/*
 * Fills ret with what to try next, TUNER_GO_ON, or says why to stop; ret is
 * then untouched.
 */
enum tuner_stop tuner_next(struct tuner *tuner, struct tuner_trial *ret);

/*
 * Whether this binary's result is known: if so, sets the trial's outcome, cost
 * and `reused`, and it needs only be reported. binary is not 0.
 */
bool tuner_find_binary(const struct tuner *tuner, uint64_t binary,
		       struct tuner_trial *trial);

/*
 * Takes a trial that has its outcome. -EINVAL if that is none, its cost is not
 * finite, or its config is not a permitted canonical one of the space (stored
 * trials may be of another); -EEXIST if it was reported before; -ENOSPC.
 */
int tuner_report(struct tuner *tuner, const struct tuner_trial *trial);

/* The index of the lowest cost reported, or SIZE_MAX. */
size_t tuner_best(const struct tuner *tuner);

/*
 * Up to count indices of trials to race against each other, all of different
 * binaries: half by lowest cost, the others by what the model believes of
 * them, which heeds their neighbours and so falls for luck less easily.
 */
size_t tuner_finalists(struct tuner *tuner, size_t *ret, size_t count);

const char *tuner_why_name(enum tuner_why why);
const char *tuner_outcome_name(enum tuner_outcome outcome);
const char *tuner_stop_name(enum tuner_stop stop);

#endif
