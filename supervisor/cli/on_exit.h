/*
 * on_exit.h - what becomes of an overlay's changes when the command has ended.
 *
 * discard	nothing is left
 * diff		they are listed, text files with their diff, then discarded
 * keep		they are saved in the owner's state directory
 * commit	they are applied to the workspace if the command succeeded;
 *		if it failed, or the commit is refused, they are kept instead
 */
#ifndef CUPEL_SUPERVISOR_CLI_ON_EXIT_H
#define CUPEL_SUPERVISOR_CLI_ON_EXIT_H

#include "common/arena.h"
#include "common/json.h"
#include "sandbox/changes.h"
#include "sandbox/changes_direct.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"

enum on_exit { ON_EXIT_DISCARD, ON_EXIT_DIFF, ON_EXIT_KEEP, ON_EXIT_COMMIT };

struct on_exit_result {
	struct changes changes;
	char kept[256];		/* where they were saved; empty if nowhere */
	bool committed;
};

/*
 * Does it; started_ns is the wall clock before the run. People are told on
 * stderr unless quiet. 0 or -errno with the reason and where the changes are.
 */
int on_exit_do(enum on_exit action, const struct plan *plan,
	       const struct run_result *run, int64_t started_ns, bool quiet,
	       struct arena *arena, struct on_exit_result *ret, struct error *why);

/*
 * After a run in the workspace itself, looked through before: tells, and lists
 * in ret, what it left there for others to run. Likewise.
 */
int on_exit_direct(const struct direct_look *before, const struct plan *plan, bool quiet,
		   struct arena *arena, struct on_exit_result *ret, struct error *why);

/* For the verdict: a new reference. */
json_t *on_exit_json(const struct on_exit_result *result);

#endif
