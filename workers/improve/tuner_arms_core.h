/*
 * tuner_arms_core.h - the three arms between which the ensemble's bandit
 * chooses, for tuner_core alone.
 *
 * Each fills ret's config (not tried yet), why and, if it has one, expected;
 * false if it has nothing to offer.
 *
 * Pure.
 */
#ifndef CUPEL_WORKERS_IMPROVE_TUNER_ARMS_CORE_H
#define CUPEL_WORKERS_IMPROVE_TUNER_ARMS_CORE_H

#include "workers/improve/tuner_core.h"

typedef bool tuner_arm(struct tuner *tuner, struct random *random,
		       struct tuner_trial *ret);

/*
 * Greatest expected improvement, times the odds to work: the top of the climbs
 * from the most promising of random configs and from each of the best six.
 */
tuner_arm tuner_propose_model;

/* Mutants of the best eight, some of them crossed with another. */
tuner_arm tuner_propose_evolution;

/* A neighbour of the best, then neighbours of its neighbours. */
tuner_arm tuner_propose_local;

/*
 * Fills the model from the trials: costs logged if all are positive, and no
 * higher than the 70th percentile's mirror image of the best. False if there
 * is too little to learn from. ret_floor is the least believed at any trial.
 */
bool tuner_learn(struct tuner *tuner, double *ret_floor);

struct gaussian_belief tuner_believe(const struct tuner *tuner,
				     const struct space_config *config);

#endif
