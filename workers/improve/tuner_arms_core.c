#include "workers/improve/tuner_arms_core.h"

#include <math.h>

#include "common/core/statistics.h"
#include "workers/improve/tuner_history_core.h"

#define MODEL_TRIALS_LEAST 4
#define CANDIDATES_RANDOM 200
#define CANDIDATES_NEAR 40	/* around where a round begins */
#define CLIMB_ROUNDS 12		/* at most */
#define CATEGORY_MARGIN 0.5	/* of the model's deviation; see goal_of() */
#define PARENTS 6
#define EVOLUTION_TRIES 64
#define MUTATIONS_MAX 3
#define CROSSED 0.3		/* share of children with two parents */
#define LOCAL_PAIRS 200

/* ---- learning ---- */

/* Trials that worked, by rising cost; of too many, those longest ago go. */
static size_t sort_trials(const struct tuner *tuner, const struct tuner_trial **ret)
{
	size_t count = 0;

	for (size_t i = tuner->count; i-- > 0 && count < GAUSSIAN_POINTS_MAX;) {
		const struct tuner_trial *trial = &tuner->trials[i];
		size_t place = count;

		if (trial->outcome != TUNER_OK)
			continue;
		for (; place > 0 && trial->cost < ret[place - 1]->cost; place--)
			ret[place] = ret[place - 1];
		ret[place] = trial;
		count++;
	}
	return count;
}

static double clipped(const struct tuner_trial **sorted, size_t count,
		      bool positive, size_t index)
{
	double first = sorted[0]->cost, value = sorted[index]->cost;
	double high = sorted[(count - 1) * 7 / 10]->cost;

	if (positive)
		return fmin(log(value), 2 * log(high) - log(first));
	return fmin(value, 2 * high - first);
}

static void describe(const struct space *space, const struct space_config *config,
		     double *ret)
{
	for (size_t k = 0; k < space->count; k++)
		ret[k] = space_is_active(space, config, k) ?
			space_coordinate(&space->parameters[k],
					 config->levels[k]) : (double)NAN;
}

/*
 * Scales are sought on the points that come first: every other place goes to
 * one of the best, the others to what is evenly spread over the rest.
 */
static void add_trials(struct tuner *tuner, const struct tuner_trial **sorted,
		       size_t count)
{
	bool positive = tuner_costs_are_positive(tuner);
	size_t half = count < GAUSSIAN_TUNED_MAX ? count : GAUSSIAN_TUNED_MAX / 2;
	size_t stride = half < count ? (count - half + half - 1) / half : 1;
	double features[GAUSSIAN_AXES_MAX];

	for (size_t i = 0; i < half; i++) {
		describe(tuner->space, &sorted[i]->config, features);
		gaussian_add(&tuner->model, features,
			     clipped(sorted, count, positive, i));
	}
	for (size_t offset = 0; offset < stride; offset++)
		for (size_t i = half + offset; i < count; i += stride) {
			describe(tuner->space, &sorted[i]->config, features);
			gaussian_add(&tuner->model, features,
				     clipped(sorted, count, positive, i));
		}
}

bool tuner_learn(struct tuner *tuner, double *ret_floor)
{
	const struct tuner_trial *sorted[GAUSSIAN_POINTS_MAX];
	size_t count = sort_trials(tuner, sorted), axes = tuner->space->count;
	bool is_category[GAUSSIAN_AXES_MAX];

	if (count < MODEL_TRIALS_LEAST)
		return false;
	for (size_t k = 0; k < axes; k++)
		is_category[k] = tuner->space->parameters[k].kind ==
				 SPACE_CATEGORY;
	gaussian_init(&tuner->model, axes, is_category);
	add_trials(tuner, sorted, count);
	gaussian_tune(&tuner->model);
	if (!gaussian_fit(&tuner->model) || !(tuner->model.variance > 0))
		return false;
	*ret_floor = INFINITY;
	for (size_t i = 0; i < count; i++)
		*ret_floor = fmin(*ret_floor,
				  gaussian_ask(&tuner->model,
					       tuner->model.features[i]).mean);
	return true;
}

struct gaussian_belief tuner_believe(const struct tuner *tuner,
				     const struct space_config *config)
{
	double features[GAUSSIAN_AXES_MAX];

	describe(tuner->space, config, features);
	return gaussian_ask(&tuner->model, features);
}

/* ---- the model's proposal ---- */

struct pick {
	struct space_config config;
	double expected, score;
};

/* What is to be improved on. */
struct goal {
	double floor;	/* the least believed: what an improvement is */
	double wanted;	/* what the score counts from, times the odds */
};

/*
 * Around the best of a smooth function the model soon knows its way. Among
 * categories it goes on expecting a little of each neighbour, and would stay
 * on one hill: there only what is better by a margin counts.
 */
static struct goal goal_of(const struct tuner *tuner, double floor)
{
	double margin = space_is_unordered(tuner->space) ? CATEGORY_MARGIN : 0;

	return (struct goal){ floor, floor - margin * sqrt(tuner->model.variance) };
}

static void consider(const struct tuner *tuner, const struct goal *goal,
		     const struct space_config *config, struct pick *best)
{
	struct gaussian_belief belief;
	double score;

	if (tuner_has_seen(tuner, config))
		return;
	belief = tuner_believe(tuner, config);
	score = gaussian_improvement(belief, goal->wanted) * tuner_odds(tuner, config);
	if (score > best->score)
		*best = (struct pick){ *config, gaussian_improvement(belief, goal->floor),
				       score };
}

/* Rounds of neighbours of the best pick, until one finds nothing better. */
static void climb(const struct tuner *tuner, struct random *random,
		  const struct goal *goal, struct pick *best)
{
	for (int round = 0; round < CLIMB_ROUNDS; round++) {
		struct space_config center = best->config;
		double before = best->score;

		for (int i = 0; i < CANDIDATES_NEAR; i++) {
			struct space_config config = center;

			if (space_wander(tuner->space, random, &config))
				consider(tuner, goal, &config, best);
		}
		if (best->score <= before)
			return;
	}
}

bool tuner_propose_model(struct tuner *tuner, struct random *random,
			 struct tuner_trial *ret)
{
	const struct space_config *parents[PARENTS];
	struct pick best = { .score = -1 };
	struct space_config config;
	size_t parent_count;
	struct goal goal;
	double floor;

	if (!tuner_learn(tuner, &floor))
		return false;
	goal = goal_of(tuner, floor);
	for (int i = 0; i < CANDIDATES_RANDOM; i++) {
		space_draw(tuner->space, random, &config);
		consider(tuner, &goal, &config, &best);
	}
	if (best.score >= 0)
		climb(tuner, random, &goal, &best);
	parent_count = tuner_elite(tuner, parents, PARENTS);
	for (size_t i = 0; i < parent_count; i++) {
		struct pick pick = { *parents[i], .score = -1 };

		climb(tuner, random, &goal, &pick);
		if (pick.score > best.score)
			best = pick;
	}
	if (best.score < 0)
		return false;
	ret->config = best.config;
	ret->why = TUNER_MODEL;
	ret->expected = best.expected;
	return true;
}

/* ---- evolution ---- */

static void cross(const struct space *space, struct random *random,
		  const struct space_config *other, struct space_config *child)
{
	for (size_t k = 0; k < space->count; k++)
		if (random_below(random, 2))
			child->levels[k] = other->levels[k];
	space_canonicalise(space, child);
}

/* A step, or one gene of a config drawn anew. */
static void mutate(const struct space *space, struct random *random,
		   struct space_config *child)
{
	size_t gene = random_below(random, space->count);
	struct space_config drawn;

	if (random_below(random, 2)) {
		space_wander(space, random, child);
		return;
	}
	space_draw(space, random, &drawn);
	child->levels[gene] = drawn.levels[gene];
	space_canonicalise(space, child);
}

bool tuner_propose_evolution(struct tuner *tuner, struct random *random,
			     struct tuner_trial *ret)
{
	const struct space_config *elite[TUNER_ELITE_MAX];
	size_t count = tuner_elite(tuner, elite, TUNER_ELITE_MAX);

	for (int i = 0; count > 0 && i < EVOLUTION_TRIES; i++) {
		struct space_config child = *elite[random_below(random, count)];

		if (random_unit(random) < CROSSED)
			cross(tuner->space, random,
			      elite[random_below(random, count)], &child);
		for (uint64_t n = 1 + random_below(random, MUTATIONS_MAX); n > 0; n--)
			mutate(tuner->space, random, &child);
		if (tuner_has_seen(tuner, &child) ||
		    random_unit(random) >= tuner_odds(tuner, &child))
			continue;
		ret->config = child;
		ret->why = TUNER_EVOLUTION;
		return true;
	}
	return false;
}

/* ---- local search ---- */

/* Each of the new neighbours is as likely. */
static bool draw_neighbour(const struct tuner *tuner, struct random *random,
			   const struct space_config *base,
			   struct space_config *ret)
{
	uint64_t found = 0;

	for (size_t k = 0; k < tuner->space->count; k++)
		for (unsigned step = 0; step < space_moves(tuner->space, k); step++) {
			struct space_config config = *base;

			if (!space_move(tuner->space, &config, k, step) ||
			    tuner_has_seen(tuner, &config) ||
			    random_unit(random) >= tuner_odds(tuner, &config))
				continue;
			if (random_below(random, ++found) == 0)
				*ret = config;
		}
	return found > 0;
}

bool tuner_propose_local(struct tuner *tuner, struct random *random,
			 struct tuner_trial *ret)
{
	struct space_config base = tuner_base(tuner), config;

	ret->why = TUNER_LOCAL;
	if (draw_neighbour(tuner, random, &base, &ret->config))
		return true;
	for (int i = 0; i < LOCAL_PAIRS; i++) {
		config = base;
		if (space_wander(tuner->space, random, &config) &&
		    space_wander(tuner->space, random, &config) &&
		    !tuner_has_seen(tuner, &config)) {
			ret->config = config;
			return true;
		}
	}
	return false;
}
