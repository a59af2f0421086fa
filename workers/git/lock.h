/*
 * lock.h - one change of a repository at a time, ours and everybody's.
 *
 *	.git/cupel.lock		flock(2): one worker of ours; holds the name of
 *				the reference that is being moved
 *	.git/index.lock		what git itself heeds: a hard link to that file
 *
 * A process that is killed leaves its lock files behind, and git would refuse
 * to work until a person removes them. Here whoever takes the lock next knows
 * them by their inode, and a reference's lock by the commit that is named in
 * it, and removes what is ours; what is another's stays, which in .cupel there
 * is not. The file itself is kept. Source: gitrepository-layout(5), flock(2).
 */
#ifndef CUPEL_WORKERS_GIT_LOCK_H
#define CUPEL_WORKERS_GIT_LOCK_H

#include <stdbool.h>

#include "workers/git/libgit.h"

struct git_lock {
	int folder;		/* .git */
	int fd;
	bool index;		/* index.lock is ours */
};

/*
 * Waits for others of ours, and clears up behind one that was killed. -EBUSY
 * (FAILED_PRECONDITION) if they take too long.
 */
int lock_take(struct git_lock *lock, git_repository *repository, struct error *why);

/* Keeps git from changing the index; -EBUSY if it is just doing so. */
int lock_index(struct git_lock *lock, struct error *why);

/* Says which reference is moved from now on; NULL: none any more. */
int lock_reference(struct git_lock *lock, const char *name, struct error *why);

void lock_release(struct git_lock *lock);

#endif
