/*
 * change.h - a commit that changes some files, and its exact inverse.
 *
 *	change_commit()  files before --> after, on a branch or where HEAD is
 *	change_revert()  after --> before, on top of what the branch has now
 *	change_find()    what there is of an improvement, and completes it
 *
 * The branch moves in one step (a reference's transaction), after all that may
 * fail for want of room has been written; see worktree.h. Where it is the
 * checked-out one the files in the work tree follow; a kill in between leaves
 * files that still hold the parent's bytes, and change_find() takes exactly
 * those forward. A file that holds anything else is the user's work: nothing
 * is touched and the call is refused. One change at a time, see lock.h. No
 * hook, filter or helper of the repository runs.
 */
#ifndef CUPEL_WORKERS_GIT_CHANGE_H
#define CUPEL_WORKERS_GIT_CHANGE_H

#include "common/json.h"
#include "workers/git/libgit.h"
#include "workers/git/trailers.h"

struct change {
	const char *base;		/* commit the change was made from, in hex */
	const char *branch;		/* NULL: the checked-out one */
	const char *message;
	const json_t *files;		/* [{"path", "before_sha256", "content"}] */
	struct improvement improvement;
};

/*
 * 0 with {"commit", "branch", "inverse": a patch, "files": [{"path",
 * "before_sha256", "after_sha256"}]}; idempotent by the improvement. -EBUSY
 * (FAILED_PRECONDITION) with the path when the branch or the work tree has
 * changed such a file since, or HEAD is detached and no branch named.
 */
int change_commit(git_repository *repository, const struct change *change,
		  json_t **ret, struct error *why);

/* An improvement that was applied. */
struct undo {
	const char *commit;	/* as it was made, in hex */
	const json_t *files;	/* [{"path", "before_sha256", "after_sha256"}] it changed */
	struct improvement improvement;
};

/*
 * As the branch has it, rebased perhaps; where that holds other work as well, as
 * it was made. Errors as above, and -ENOENT where no branch holds it. -EBUSY where
 * it cannot be told from other work, where a detached HEAD alone holds it, or
 * where it may be in what a shallow clone leaves out; the latter is
 * change_find()'s too. An error of reading the history is an error of all three.
 */
int change_revert(git_repository *repository, const struct undo *undo, json_t **ret,
		  struct error *why);

/* {"commit": null or hex, "reverted", "revert": likewise, "branch", "files"} */
int change_find(git_repository *repository, const struct improvement *improvement,
		json_t **ret, struct error *why);

#endif
