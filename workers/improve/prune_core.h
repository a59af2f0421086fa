/*
 * prune_core.h - keep only the changes that matter.
 *
 * An accepted config may differ from what the user had in parameters that do
 * nothing: smaller differences are easier to trust. One after another each
 * changed parameter is put back on top of what is kept so far; a cheap
 * comparison then bounds what that loses, and the parameter stays back only if
 * even the upper bound is tolerable. Putting back a parameter puts its children
 * at rest, so that these need no comparison.
 *
 *	prune_next -> build, test, compare with kept -> prune_report
 *
 * Pure. Resumes, as the tuner does, by reporting the stored results again.
 */
#ifndef CUPEL_WORKERS_IMPROVE_PRUNE_CORE_H
#define CUPEL_WORKERS_IMPROVE_PRUNE_CORE_H

#include "workers/improve/space_core.h"

struct prune {
	const struct space *space;
	struct space_config kept;	/* the result, when prune_next() is done */
	size_t next;			/* parameter */
};

void prune_init(struct prune *prune, const struct space *space,
		const struct space_config *accepted);

/* The next config to compare with `kept`, and what it puts back; or false. */
bool prune_next(struct prune *prune, struct space_config *ret,
		size_t *ret_parameter);

/*
 * Of the config prune_next() gave last. works: it builds and passes all tests.
 * loss_high: the upper bound of its relative loss against `kept`, such as
 * 0.01; NAN if unknown. tolerance is the loss that simplicity is worth.
 */
void prune_report(struct prune *prune, bool works, double loss_high,
		  double tolerance);

#endif
