#include "workers/improve/tuner_history_core.h"

#include <assert.h>
#include <math.h>

#define FAILURE_SCALE 0.5	/* of a failure's reach, in changed parameters */
#define PRIOR_SUCCESSES 0.5

bool tuner_has_seen(const struct tuner *tuner, const struct space_config *config)
{
	for (size_t i = 0; i < tuner->count; i++)
		if (space_equal(&tuner->trials[i].config, config))
			return true;
	return false;
}

size_t tuner_elite(const struct tuner *tuner, const struct space_config **ret,
		   size_t count)
{
	double costs[TUNER_ELITE_MAX];
	size_t found = 0;

	assert(count > 0 && count <= TUNER_ELITE_MAX);
	for (size_t i = 0; i < tuner->count; i++) {
		const struct tuner_trial *trial = &tuner->trials[i];
		size_t place = found;

		if (trial->outcome != TUNER_OK ||
		    (found == count && trial->cost >= costs[count - 1]))
			continue;
		if (found < count)
			found++;
		else
			place--;
		for (; place > 0 && trial->cost < costs[place - 1]; place--) {
			costs[place] = costs[place - 1];
			ret[place] = ret[place - 1];
		}
		costs[place] = trial->cost;
		ret[place] = &trial->config;
	}
	return found;
}

size_t tuner_best(const struct tuner *tuner)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < tuner->count; i++)
		if (tuner->trials[i].outcome == TUNER_OK &&
		    (best == SIZE_MAX ||
		     tuner->trials[i].cost < tuner->trials[best].cost))
			best = i;
	return best;
}

struct space_config tuner_base(const struct tuner *tuner)
{
	size_t best = tuner_best(tuner);
	struct space_config base;

	if (best != SIZE_MAX)
		return tuner->trials[best].config;
	space_current(tuner->space, &base);
	return base;
}

bool tuner_costs_are_positive(const struct tuner *tuner)
{
	for (size_t i = 0; i < tuner->count; i++)
		if (tuner->trials[i].outcome == TUNER_OK &&
		    tuner->trials[i].cost <= 0)
			return false;
	return true;
}

/* In changed parameters; a step within an ordered one is part of a change. */
static double difference(const struct space *space, const struct space_config *a,
			 const struct space_config *b)
{
	double sum = 0;

	for (size_t i = 0; i < space->count; i++) {
		const struct space_parameter *parameter = &space->parameters[i];

		if (a->levels[i] == b->levels[i])
			continue;
		sum += parameter->kind == SPACE_CATEGORY ? 1 :
			fabs(space_coordinate(parameter, a->levels[i]) -
			     space_coordinate(parameter, b->levels[i]));
	}
	return sum;
}

/* Lowered for each value of a list that failed and never worked. */
static double odds_of_values(const struct tuner *tuner,
			     const struct space_config *config)
{
	double odds = 1;

	for (size_t k = 0; k < tuner->space->count; k++) {
		unsigned successes = 0, failures = 0;

		if (!space_is_active(tuner->space, config, k))
			continue;
		for (size_t i = 0; i < tuner->count; i++) {
			const struct tuner_trial *trial = &tuner->trials[i];

			if (trial->config.levels[k] != config->levels[k])
				continue;
			successes += trial->outcome == TUNER_OK;
			failures += trial->outcome != TUNER_OK;
		}
		if (successes == 0)
			odds /= 1 + failures;
	}
	return odds;
}

bool tuner_all_worked(const struct tuner *tuner)
{
	for (size_t i = 0; i < tuner->count; i++)
		if (tuner->trials[i].outcome != TUNER_OK)
			return false;
	return true;
}

double tuner_odds(const struct tuner *tuner, const struct space_config *config)
{
	double successes = PRIOR_SUCCESSES, failures = 0;

	if (tuner_all_worked(tuner))
		return 1;
	for (size_t i = 0; i < tuner->count; i++) {
		const struct tuner_trial *trial = &tuner->trials[i];
		double near = exp(-difference(tuner->space, config,
					      &trial->config) / FAILURE_SCALE);

		if (trial->outcome == TUNER_OK)
			successes += near;
		else
			failures += near;
	}
	return successes / (successes + failures) *
	       odds_of_values(tuner, config);
}
