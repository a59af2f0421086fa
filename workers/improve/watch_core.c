#include "workers/improve/watch_core.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define FIRST_WEIGHT 0.60792710185402662866	/* 6 / pi^2 */

static const double lambdas[WATCH_LAMBDAS] = { 0.1, 0.2, 0.35, 0.5, 0.7, 0.9 };

static double wealth_of(const struct watch_gambler *gambler)
{
	double sum = 0;

	for (size_t i = 0; i < WATCH_LAMBDAS; i++)
		sum += gambler->wealth[i];
	return gambler->weight * sum / WATCH_LAMBDAS;
}

/* A free place, which has no wealth, comes before any gambler's. */
static void start_gambler(struct watch_game *game)
{
	uint64_t nth = game->pairs / WATCH_RESTART + 1;
	struct watch_gambler *poorest = &game->gamblers[0];

	for (size_t i = 1; i < WATCH_GAMBLERS; i++)
		if (wealth_of(&game->gamblers[i]) < wealth_of(poorest))
			poorest = &game->gamblers[i];
	poorest->weight = FIRST_WEIGHT / (double)(nth * nth);
	for (size_t i = 0; i < WATCH_LAMBDAS; i++)
		poorest->wealth[i] = 1;
}

/* The share of the remembered sizes, itself included, up to this one. */
static double remember_size(struct watch_game *game, double size)
{
	size_t known = game->pairs < WATCH_MEMORY - 1 ?
		       (size_t)game->pairs + 1 : WATCH_MEMORY;
	double rank = 0.5;

	game->sizes[game->pairs % WATCH_MEMORY] = size;
	for (size_t i = 0; i < known; i++)
		rank += game->sizes[i] < size ? 1 :
			game->sizes[i] > size ? 0 : 0.5;
	return rank / (double)known;
}

static double sign_of(double value)
{
	return value > 0 ? 1 : value < 0 ? -1 : 0;
}

static bool play(struct watch_game *game, double difference)
{
	double worse = game->shift - difference;

	if (game->pairs % WATCH_RESTART == 0)
		start_gambler(game);
	double stake = sign_of(worse) * remember_size(game, fabs(worse));

	game->pairs++;
	game->evidence = 0;
	for (size_t i = 0; i < WATCH_GAMBLERS; i++) {
		struct watch_gambler *gambler = &game->gamblers[i];

		for (size_t j = 0; j < WATCH_LAMBDAS; j++)
			gambler->wealth[j] *= 1 + lambdas[j] * stake;
		game->evidence += wealth_of(gambler);
	}
	return game->evidence >= WATCH_ALARM;
}

void watch_init(struct watch *watch, double accepted_lower)
{
	assert(accepted_lower >= 0);
	memset(watch, 0, sizeof(*watch));
	watch->gone.shift = accepted_lower / 2;
}

enum watch_state watch_add(struct watch *watch, double difference)
{
	enum watch_state state = WATCH_QUIET;

	assert(isfinite(difference));
	if (play(&watch->gone, difference))
		state = WATCH_BENEFIT_GONE;
	if (play(&watch->harm, difference))
		state = WATCH_HARM;
	if (state > watch->state)
		watch->state = state;
	return watch->state;
}

int watch_broken_guard(struct decision *scratch, const struct decision_guard *guards,
		       unsigned guard_count, const struct watch_pair *pairs,
		       unsigned pair_count)
{
	struct decision_plan plan = decision_plan_default;

	if (guard_count == 0 || pair_count == 0)
		return -1;
	plan.look_count = 1;
	plan.looks[0] = pair_count;
	plan.guard_count = guard_count;
	memcpy(plan.guards, guards, guard_count * sizeof(*guards));
	decision_init(scratch, &plan);
	for (unsigned i = 0; i < pair_count; i++) {
		int r = decision_add_pair(scratch, pairs[i].values);

		assert(r == 0);
	}
	decision_look(scratch);
	return scratch->reason == REASON_GUARD_WORSE ? (int)scratch->guard : -1;
}

const char *watch_state_name(enum watch_state state)
{
	static const char *const names[WATCH_STATE_COUNT] = {
		[WATCH_QUIET] = "quiet",
		[WATCH_BENEFIT_GONE] = "benefit-gone",
		[WATCH_HARM] = "harm",
	};

	assert((unsigned)state < WATCH_STATE_COUNT);
	return names[state];
}
