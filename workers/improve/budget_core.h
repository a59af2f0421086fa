/*
 * budget_core.h - what the steps of a campaign leave of its budget to those
 * after them.
 *
 *	search | race | prune | proof | watch
 *	-------+------+-------+-------+------ the budget is spent
 *
 * A search whose winner cannot be proved any more was for nothing. So what the
 * later steps are expected to need is kept for them: half of what there is
 * when the search begins at most, and then each of them gets less alike. What
 * a step does not use is the next one's.
 *
 * Pure. Of anything that is counted down: nanoseconds, runs.
 */
#ifndef CUPEL_WORKERS_IMPROVE_BUDGET_CORE_H
#define CUPEL_WORKERS_IMPROVE_BUDGET_CORE_H

#include <stdint.h>

enum budget_step {
	BUDGET_SEARCH,
	BUDGET_RACE,
	BUDGET_PRUNE,
	BUDGET_PROOF,
	BUDGET_WATCH,
	BUDGET_STEP_COUNT
};

/*
 * ret_kept: a step has to end when no more than that is left. needs, of each,
 * are not negative; the search's is its own affair.
 */
void budget_share(int64_t left, const int64_t needs[BUDGET_STEP_COUNT],
		  int64_t ret_kept[BUDGET_STEP_COUNT]);

#endif
