/*
 * tuner_history_core.h - what the tuner's trials say, for tuner_core and its
 * arms alone.
 *
 * Pure.
 */
#ifndef CUPEL_WORKERS_IMPROVE_TUNER_HISTORY_CORE_H
#define CUPEL_WORKERS_IMPROVE_TUNER_HISTORY_CORE_H

#include "workers/improve/tuner_core.h"

#define TUNER_ELITE_MAX 8

bool tuner_has_seen(const struct tuner *tuner, const struct space_config *config);

/*
 * The configs of the count lowest costs, at most TUNER_ELITE_MAX, best first;
 * returns how many there are.
 */
size_t tuner_elite(const struct tuner *tuner, const struct space_config **ret,
		   size_t count);

/* Where one-step searches start: the best config, or the user's own. */
struct space_config tuner_base(const struct tuner *tuner);

/* Whether every cost is positive, so that ratios mean something. */
bool tuner_costs_are_positive(const struct tuner *tuner);

bool tuner_all_worked(const struct tuner *tuner);

/*
 * The odds of a config to work, 0 .. 1, from how failures and successes lie
 * around it, and lower for every value that has only ever failed.
 */
double tuner_odds(const struct tuner *tuner, const struct space_config *config);

#endif
