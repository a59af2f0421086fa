/*
 * exposure.h - how much a policy leaves open, as reasons and one number.
 *
 * Each thing a policy may leave open is a row with a weight; the score is the
 * share of the weights that are open, from 0 (nothing) to 10 (everything), as
 * systemd-analyze(1) security does it. It compares policies with each other;
 * it is no proof of anything.
 */
#ifndef CUPEL_SANDBOX_EXPOSURE_H
#define CUPEL_SANDBOX_EXPOSURE_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/policy.h"

struct exposure {
	const char *name;	/* "network", "limit-memory" */
	const char *reason;	/* a sentence, when it is open */
	double points;		/* its part of the score, if it is open */
	bool open;
};

#define EXPOSURES_MAX 48

/*
 * Judges every row; ret has room for EXPOSURES_MAX. Returns their number, and
 * the score in tenths: 0 to 100.
 */
size_t exposure_judge(const struct policy *policy, struct exposure *ret,
		      unsigned *ret_tenths);

#endif
