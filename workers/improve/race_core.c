#include "workers/improve/race_core.h"

#include <assert.h>
#include <math.h>

#include "common/core/hash.h"
#include "common/core/statistics.h"

#define ROUNDS 3

/* Runs of an entrant by the end of each round. */
static const unsigned runs_by_round[ROUNDS] = { 3, 7, RACE_RUNS_MAX };

void race_init(struct race *race, size_t count, uint64_t seed)
{
	assert(count > 0 && count <= RACE_ENTRANTS_MAX);
	*race = (struct race){ .count = count, .seed = seed };
}

double race_measure(const struct race *race, size_t index)
{
	const struct race_entrant *entrant = &race->entrants[index];
	double means[RACE_RUNS_MAX * (RACE_RUNS_MAX + 1) / 2];
	size_t count = 0;

	if (entrant->failed)
		return (double)NAN;
	for (unsigned i = 0; i < entrant->runs; i++)
		for (unsigned j = 0; j <= i; j++)
			means[count++] = entrant->costs[i] / 2 +
					 entrant->costs[j] / 2;
	return statistics_median(means, count);
}

static size_t running(const struct race *race)
{
	size_t count = 0;

	for (size_t i = 0; i < race->count; i++)
		count += !race->entrants[i].out;
	return count;
}

/* Of those still running, or of those eliminated: sign 1 best, -1 worst. */
static size_t extreme(const struct race *race, bool out, double sign)
{
	double least = INFINITY;
	size_t index = SIZE_MAX;

	for (size_t i = 0; i < race->count; i++) {
		double measure = sign * race_measure(race, i);

		if (race->entrants[i].out == out && measure < least) {
			least = measure;
			index = i;
		}
	}
	return index;
}

static bool round_is_over(const struct race *race)
{
	for (size_t i = 0; i < race->count; i++)
		if (!race->entrants[i].out &&
		    race->entrants[i].runs < runs_by_round[race->round])
			return false;
	return true;
}

static void end_round(struct race *race)
{
	size_t keep = (running(race) + 1) / 2;

	if (++race->round == ROUNDS)
		return;
	/* One alone has nobody left to be compared with, two need the rest. */
	if (keep < 2)
		keep = 2;
	while (running(race) > keep)
		race->entrants[extreme(race, false, -1)].out = true;
}

bool race_next(const struct race *race, size_t *ret_entrant)
{
	unsigned fewest = RACE_RUNS_MAX;
	uint64_t lowest = UINT64_MAX;

	if (race->round == ROUNDS || race->count < 2 || running(race) == 0)
		return false;
	for (size_t i = 0; i < race->count; i++)
		if (!race->entrants[i].out && race->entrants[i].runs < fewest)
			fewest = race->entrants[i].runs;
	for (size_t i = 0; i < race->count; i++) {
		const struct race_entrant *entrant = &race->entrants[i];
		struct hash_key key = { { race->seed, fewest } };

		if (entrant->out || entrant->runs != fewest)
			continue;
		uint64_t ticket = hash_number(&key, i);

		if (ticket <= lowest) {
			lowest = ticket;
			*ret_entrant = i;
		}
	}
	return true;
}

void race_report(struct race *race, size_t index, double cost)
{
	struct race_entrant *entrant = &race->entrants[index];

	assert(index < race->count && entrant->runs < RACE_RUNS_MAX);
	entrant->costs[entrant->runs++] = cost;
	if (!isfinite(cost))
		entrant->failed = entrant->out = true;
	if (round_is_over(race))
		end_round(race);
}

bool race_winner(const struct race *race, size_t *ret_entrant)
{
	size_t best = race->count == 1 ? 0 : extreme(race, false, 1);

	if (race->count > 1 && race->round == 0)
		return false;
	if (best == SIZE_MAX)
		best = extreme(race, true, 1);
	if (best == SIZE_MAX)
		return false;
	*ret_entrant = best;
	return true;
}
