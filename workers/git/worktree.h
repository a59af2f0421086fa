/*
 * worktree.h - the checked-out files and the index, from some bytes to others.
 *
 *	worktree_check()	each file holds what the edit starts from, or ends at
 *	worktree_stage()	all that will be needed: .git/cupel/new-N, synced,
 *				and .git/cupel/index
 *	worktree_follow()	renames alone: the files, then the index
 *
 * So a disk that is full is noticed while nothing has changed yet, and a reader
 * sees each file old or new and never half. A file that holds anything else is
 * the user's work: it is refused by the check and left alone by the rest.
 */
#ifndef CUPEL_WORKERS_GIT_WORKTREE_H
#define CUPEL_WORKERS_GIT_WORKTREE_H

#include "workers/git/edits.h"

/* -EBUSY (FAILED_PRECONDITION) with the path of a file that is neither. */
int worktree_check(const struct edits *edits, struct error *why);
/*
 * Those of which the index, which is renamed last, says what they start from:
 * who made the commit was killed before it was through. So it looks where a
 * person has staged just that; what is in the files alone is theirs.
 */
void worktree_left_behind(const struct edits *edits, struct edits *ret);
int worktree_stage(const struct edits *edits, struct error *why);
/* After it was staged, with index.lock held. */
int worktree_follow(const struct edits *edits, struct error *why);

/*
 * Whether a rebase or a bisection is at the branch, or another work tree of the
 * repository (git-worktree(1)) has checked it out, whose files would not follow.
 * reference is its full name, and it is not checked out here.
 */
bool worktree_is_held(git_repository *repository, const char *reference);

#endif
