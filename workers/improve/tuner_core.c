#include "workers/improve/tuner_core.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "common/core/hash.h"
#include "workers/improve/tuner_arms_core.h"
#include "workers/improve/tuner_history_core.h"

#define SCREENED_MAX 64		/* levels of one parameter in a pass */
#define SCREENED_WHOLLY 5	/* an ordered one with more is sampled ... */
#define SCREENED_SAMPLE 3	/* ... at so many levels */
#define RANDOM_TRIALS 4
#define RANDOM_TRIES 64
#define BANDIT_WINDOW 30
#define BANDIT_EXPLORATION 0.05
#define CONVERGED_TRIALS 20

static const char *const why_names[TUNER_WHY_COUNT] = {
	[TUNER_CURRENT] = "current",
	[TUNER_FACTOR] = "factor",
	[TUNER_RANDOM] = "random",
	[TUNER_GRID] = "grid",
	[TUNER_MODEL] = "model",
	[TUNER_EVOLUTION] = "evolution",
	[TUNER_LOCAL] = "local",
	[TUNER_LESSON] = "lesson",
};

static const char *const outcome_names[TUNER_OUTCOME_COUNT] = {
	[TUNER_OK] = "ok",
	[TUNER_WRONG] = "wrong",
	[TUNER_CRASH] = "crash",
	[TUNER_TIMEOUT] = "timeout",
	[TUNER_OOM] = "oom",
	[TUNER_INVALID] = "invalid",
};

static const char *const stop_names[TUNER_STOP_COUNT] = {
	[TUNER_GO_ON] = "go on",
	[TUNER_BUDGET] = "budget",
	[TUNER_CONVERGED] = "converged",
	[TUNER_EXHAUSTED] = "exhausted",
	[TUNER_FULL] = "full",
};

const char *tuner_why_name(enum tuner_why why)
{
	return why_names[why];
}

const char *tuner_outcome_name(enum tuner_outcome outcome)
{
	return outcome_names[outcome];
}

const char *tuner_stop_name(enum tuner_stop stop)
{
	return stop_names[stop];
}

void tuner_init(struct tuner *tuner, const struct space *space, uint64_t seed,
		const struct tuner_settings *settings,
		struct tuner_trial *trials, size_t trials_max)
{
	assert(settings->method < TUNER_METHOD_COUNT);
	tuner->space = space;
	tuner->settings = *settings;
	tuner->seed = seed;
	tuner->space_size = space_size(space);
	tuner->trials = trials;
	tuner->trials_max = trials_max;
	tuner->count = 0;
	tuner->evaluations = 0;
}

/* ---- what goes in ---- */

static bool is_permitted(const struct space *space,
			 const struct space_config *config)
{
	struct space_config canonical = *config;

	for (size_t i = 0; i < SPACE_PARAMETERS_MAX; i++)
		if (i < space->count ?
		    !space_permits(space, i, config->levels[i]) :
		    config->levels[i] != 0)
			return false;
	space_canonicalise(space, &canonical);
	return space_equal(&canonical, config);
}

int tuner_report(struct tuner *tuner, const struct tuner_trial *trial)
{
	if (trial->why >= TUNER_WHY_COUNT ||
	    trial->outcome >= TUNER_OUTCOME_COUNT ||
	    (trial->outcome == TUNER_OK && !isfinite(trial->cost)) ||
	    !is_permitted(tuner->space, &trial->config))
		return -EINVAL;
	if (tuner_has_seen(tuner, &trial->config))
		return -EEXIST;
	if (tuner->count == tuner->trials_max)
		return -ENOSPC;
	tuner->trials[tuner->count++] = *trial;
	tuner->evaluations += !trial->reused;
	return 0;
}

bool tuner_find_binary(const struct tuner *tuner, uint64_t binary,
		       struct tuner_trial *trial)
{
	for (size_t i = 0; i < tuner->count; i++) {
		const struct tuner_trial *known = &tuner->trials[i];

		if (known->binary != binary)
			continue;
		trial->outcome = known->outcome;
		trial->cost = known->cost;
		trial->binary = binary;
		trial->reused = true;
		return true;
	}
	return false;
}

/* ---- one proposal after another ---- */

static size_t count_of(const struct tuner *tuner, enum tuner_why why)
{
	size_t count = 0;

	for (size_t i = 0; i < tuner->count; i++)
		count += tuner->trials[i].why == why;
	return count;
}

static bool propose_current(struct tuner *tuner, struct random *random,
			    struct tuner_trial *ret)
{
	(void)random;
	space_current(tuner->space, &ret->config);
	ret->why = TUNER_CURRENT;
	return !tuner_has_seen(tuner, &ret->config);
}

/* The parameter screened at a place of a pass, whose order is drawn by seed. */
static size_t factor_at(const struct tuner *tuner, size_t pass, size_t place)
{
	struct hash_key key = { { tuner->seed, pass } };
	size_t order[SPACE_PARAMETERS_MAX] = { 0 };
	struct random random;

	random_init(&random, hash_number(&key, 0));
	for (size_t i = 0; i < tuner->space->count; i++) {
		size_t other = random_below(&random, i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	return order[place];
}

/* The level to screen a parameter at; at or above its count, there is none. */
static unsigned screened_level(const struct space_parameter *parameter,
			       unsigned index)
{
	unsigned last = parameter->count - 1U;

	if (parameter->kind == SPACE_CATEGORY ||
	    parameter->count <= SCREENED_WHOLLY)
		return index;
	if (index >= SCREENED_SAMPLE)
		return parameter->count;
	return (2 * index + 1) * last / (2 * SCREENED_SAMPLE);
}

/* Step number `step` of all passes, from base. */
static bool screen(const struct tuner *tuner, const struct space_config *base,
		   size_t step, struct space_config *ret)
{
	size_t in_pass = tuner->space->count * SCREENED_MAX;
	size_t index = factor_at(tuner, step / in_pass,
				 step % in_pass / SCREENED_MAX);
	unsigned level = screened_level(&tuner->space->parameters[index],
					(unsigned)(step % SCREENED_MAX));

	if (!space_permits(tuner->space, index, level) ||
	    !space_is_active(tuner->space, base, index))
		return false;
	*ret = *base;
	ret->levels[index] = (uint16_t)level;
	space_canonicalise(tuner->space, ret);
	return !tuner_has_seen(tuner, ret);
}

/* Tries steps from where the last one tried left off, each once. */
static bool screen_on(struct tuner *tuner, size_t steps_max,
		      struct tuner_trial *ret)
{
	struct space_config base = tuner_base(tuner);
	size_t step = 0, end;

	for (size_t i = 0; i < tuner->count; i++)
		if (tuner->trials[i].why == TUNER_FACTOR)
			step = tuner->trials[i].step + 1;
	end = step + tuner->space->count * SCREENED_MAX;
	for (; step < end && step < steps_max; step++)
		if (screen(tuner, &base, step, &ret->config)) {
			ret->why = TUNER_FACTOR;
			ret->step = (uint32_t)step;
			return true;
		}
	return false;
}

static bool propose_factor(struct tuner *tuner, struct random *random,
			   struct tuner_trial *ret)
{
	(void)random;
	return screen_on(tuner, tuner->space->count * SCREENED_MAX, ret);
}

/* Of a config that failed nobody knows which value it was: a pass says so. */
static bool propose_suspect(struct tuner *tuner, struct random *random,
			    struct tuner_trial *ret)
{
	return !tuner_all_worked(tuner) && propose_factor(tuner, random, ret);
}

/* Pass after pass, until a whole one finds nothing to try. */
static bool propose_factor_again(struct tuner *tuner, struct random *random,
				 struct tuner_trial *ret)
{
	(void)random;
	return screen_on(tuner, UINT32_MAX, ret);
}

/*
 * A space so small that draws keep hitting what was tried is walked through
 * instead, from a drawn place on.
 */
static bool propose_random(struct tuner *tuner, struct random *random,
			   struct tuner_trial *ret)
{
	ret->why = TUNER_RANDOM;
	for (int i = 0; i < RANDOM_TRIES; i++) {
		space_draw(tuner->space, random, &ret->config);
		if (!tuner_has_seen(tuner, &ret->config) &&
		    random_unit(random) < tuner_odds(tuner, &ret->config))
			return true;
	}
	for (size_t i = 0; i <= 2 * tuner->count + 1; i++) {
		if (!tuner_has_seen(tuner, &ret->config))
			return true;
		if (!space_advance(tuner->space, &ret->config))
			space_first(tuner->space, &ret->config);
	}
	return false;
}

static bool propose_first_random(struct tuner *tuner, struct random *random,
				 struct tuner_trial *ret)
{
	return count_of(tuner, TUNER_RANDOM) < RANDOM_TRIALS &&
	       propose_random(tuner, random, ret);
}

static bool propose_grid(struct tuner *tuner, struct random *random,
			 struct tuner_trial *ret)
{
	(void)random;
	ret->why = TUNER_GRID;
	space_first(tuner->space, &ret->config);
	for (size_t i = tuner->count; i-- > 0;)
		if (tuner->trials[i].why == TUNER_GRID) {
			ret->config = tuner->trials[i].config;
			break;
		}
	while (tuner_has_seen(tuner, &ret->config))
		if (!space_advance(tuner->space, &ret->config))
			return false;
	return true;
}

/* ---- the bandit ---- */

static const struct {
	enum tuner_why why;
	tuner_arm *propose;
} arms[] = {		/* of equals the first is used */
	{ TUNER_MODEL, tuner_propose_model },
	{ TUNER_LOCAL, tuner_propose_local },
	{ TUNER_EVOLUTION, tuner_propose_evolution },
};

#define ARM_COUNT (sizeof(arms) / sizeof(arms[0]))

static bool is_armed(const struct tuner_trial *trial)
{
	for (size_t i = 0; i < ARM_COUNT; i++)
		if (trial->why == arms[i].why)
			return true;
	return false;
}

/* Where the window of the last proposals by arms begins. */
static size_t window_start(const struct tuner *tuner, size_t *ret_length)
{
	size_t i = tuner->count;

	*ret_length = 0;
	while (i > 0 && *ret_length < BANDIT_WINDOW)
		*ret_length += is_armed(&tuner->trials[--i]);
	return i;
}

/* Whether a trial was better than all before it. */
static bool was_progress(const struct tuner *tuner, size_t index)
{
	const struct tuner_trial *trial = &tuner->trials[index];

	if (trial->outcome != TUNER_OK)
		return false;
	for (size_t i = 0; i < index; i++)
		if (tuner->trials[i].outcome == TUNER_OK &&
		    tuner->trials[i].cost <= trial->cost)
			return false;
	return true;
}

/*
 * The area under the arm's curve of progress in the window, so that late
 * progress counts for more, and a bonus for being tried seldom.
 */
static double credit(const struct tuner *tuner, enum tuner_why why)
{
	size_t length, uses = 0, area = 0;

	for (size_t i = window_start(tuner, &length); i < tuner->count; i++)
		if (tuner->trials[i].why == why) {
			uses++;
			area += was_progress(tuner, i) ? uses : 0;
		}
	if (uses == 0)
		return INFINITY;
	return 2 * (double)area / (double)(uses * (uses + 1)) +
	       BANDIT_EXPLORATION * sqrt(2 * log((double)length) / (double)uses);
}

static bool propose_by_bandit(struct tuner *tuner, struct random *random,
			      struct tuner_trial *ret)
{
	bool tried[ARM_COUNT] = { false };

	for (size_t turn = 0; turn < ARM_COUNT; turn++) {
		size_t best = ARM_COUNT;
		double most = -INFINITY;

		for (size_t i = 0; i < ARM_COUNT; i++) {
			double ours = tried[i] ? -HUGE_VAL :
						 credit(tuner, arms[i].why);

			if (ours > most) {
				most = ours;
				best = i;
			}
		}
		assert(best < ARM_COUNT);
		if (arms[best].propose(tuner, random, ret))
			return true;
		tried[best] = true;
	}
	return false;
}

/* ---- the methods: the first that has something to offer ---- */

#define PROPOSERS_MAX 5
#define UNORDERED TUNER_METHOD_COUNT	/* the ensemble's, of categories alone */

static tuner_arm *const methods[TUNER_METHOD_COUNT + 1][PROPOSERS_MAX] = {
	[TUNER_ENSEMBLE] = { propose_current, propose_factor,
			     propose_first_random, propose_by_bandit,
			     propose_random },
	[TUNER_RANDOM_ONLY] = { propose_current, propose_random },
	[TUNER_GRID_ONLY] = { propose_current, propose_grid },
	[TUNER_FACTORS_ONLY] = { propose_current, propose_factor_again,
				 propose_random },
	[UNORDERED] = { propose_current, propose_suspect, tuner_propose_model,
			propose_factor, propose_random },
};

/*
 * Where nothing has an order the model's climbs see every neighbour that local
 * search could draw, and a whole pass tells it less than its own choices do:
 * it has every turn, and factors only those before it has learnt, and all of
 * them once something failed.
 */
static tuner_arm *const *proposers(const struct tuner *tuner)
{
	if (tuner->settings.method == TUNER_ENSEMBLE &&
	    space_is_unordered(tuner->space))
		return methods[UNORDERED];
	return methods[tuner->settings.method];
}

static bool has_tried_level(const struct tuner *tuner, size_t index,
			    unsigned level)
{
	for (size_t i = 0; i < tuner->count; i++)
		if (tuner->trials[i].config.levels[index] == level)
			return true;
	return false;
}

/* Of every category that the best config has a use for. */
static bool has_tried_all_levels(const struct tuner *tuner)
{
	const struct space *space = tuner->space;
	struct space_config base = tuner_base(tuner);

	for (size_t k = 0; k < space->count; k++)
		for (unsigned level = 0; level < space->parameters[k].count; level++)
			if (space->parameters[k].kind == SPACE_CATEGORY &&
			    space_is_active(space, &base, k) &&
			    space_permits(space, k, level) &&
			    !has_tried_level(tuner, k, level))
				return false;
	return true;
}

/*
 * The last CONVERGED_TRIALS asked of the model promised next to nothing; of
 * what it never saw a category do it knows nothing.
 */
static bool has_converged(const struct tuner *tuner)
{
	size_t hopeless = 0;

	for (size_t i = tuner->count; i-- > 0 && hopeless < CONVERGED_TRIALS;) {
		if (tuner->trials[i].why != TUNER_MODEL)
			continue;
		if (!(tuner->trials[i].expected < tuner->settings.effect_min / 4))
			return false;
		hopeless++;
	}
	return hopeless == CONVERGED_TRIALS && has_tried_all_levels(tuner);
}

static enum tuner_stop stop_reason(const struct tuner *tuner)
{
	if (tuner->count >= tuner->space_size)
		return TUNER_EXHAUSTED;
	if (tuner->evaluations >= tuner->settings.evaluations_max)
		return TUNER_BUDGET;
	if (tuner->count == tuner->trials_max)
		return TUNER_FULL;
	return has_converged(tuner) ? TUNER_CONVERGED : TUNER_GO_ON;
}

enum tuner_stop tuner_next(struct tuner *tuner, struct tuner_trial *ret)
{
	struct hash_key key = { { tuner->seed, tuner->count } };
	enum tuner_stop stop = stop_reason(tuner);
	struct random random;

	if (stop != TUNER_GO_ON)
		return stop;
	random_init(&random, hash_number(&key, 1));
	for (size_t i = 0; i < PROPOSERS_MAX; i++) {
		struct tuner_trial trial = { .expected = (double)NAN };
		tuner_arm *propose = proposers(tuner)[i];

		if (propose && propose(tuner, &random, &trial)) {
			*ret = trial;
			return TUNER_GO_ON;
		}
	}
	return TUNER_EXHAUSTED;
}

/* ---- finalists ---- */

static bool is_new_finalist(const struct tuner *tuner, const size_t *chosen,
			    size_t count, size_t index)
{
	const struct tuner_trial *trial = &tuner->trials[index];

	if (trial->outcome != TUNER_OK || trial->reused)
		return false;
	for (size_t i = 0; i < count; i++)
		if (chosen[i] == index)
			return false;
	return true;
}

size_t tuner_finalists(struct tuner *tuner, size_t *ret, size_t count)
{
	size_t found = 0;
	double floor;
	bool learnt = tuner_learn(tuner, &floor);

	while (found < count) {
		bool believe = learnt && found >= count / 2;
		double least = INFINITY;
		size_t best = SIZE_MAX;

		for (size_t i = 0; i < tuner->count; i++) {
			if (!is_new_finalist(tuner, ret, found, i))
				continue;
			double value = believe ?
				tuner_believe(tuner, &tuner->trials[i].config).mean :
				tuner->trials[i].cost;

			if (value < least) {
				least = value;
				best = i;
			}
		}
		if (best == SIZE_MAX)
			break;
		ret[found++] = best;
	}
	return found;
}
