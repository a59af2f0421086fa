/*
 * commit_place.h - one kept change put in its place.
 *
 * Every step opens the directory of its path anew from the top of the
 * workspace, through no symbolic link and out of no mount, and acts on a name
 * in it. A file is written without a name and appears whole: linked where
 * nothing was, renamed over what was. In between it has a name in the
 * directory of the kept changes or, if that is another file system, for a
 * moment in the target's own directory; place_clean() knows that name.
 *
 * All of it acts with the file system ids of whoever calls.
 */
#ifndef CUPEL_SANDBOX_COMMIT_PLACE_H
#define CUPEL_SANDBOX_COMMIT_PLACE_H

#include <stdint.h>

#include "sandbox/changes.h"

struct place {
	int workspace;		/* top of it */
	int kept, tree;		/* the kept changes, and their files */
	int64_t started_ns;	/* of the run, wall clock */
	bool begun;		/* the workspace is being changed by us */
	const char *draft;	/* a name that nobody else uses */
	bool named;		/* this file system has no nameless files */
	struct error *why;
};

/*
 * A place is ready if the workspace has there what the run saw, as far as can
 * be told: the same kind of file or none, its inode unchanged since the run
 * was started (ctime). It is done if it has what the change wants. Once a
 * commit has begun, its own steps change the ctime of what is linked elsewhere
 * in the workspace; from then on the time of modification is asked as well.
 */
enum place_state { PLACE_READY, PLACE_DONE, PLACE_CONFLICT };

int place_judge(const struct place *place, const struct change *row);

/* Lets the owner, that is the caller, work in a directory for now. */
int place_widen(const struct place *place, const struct change *row);

/* A file or link at once, a directory with a mode that is widened as above. */
int place_put(struct place *place, const struct change *row);

/* The mode that a directory keeps. */
int place_settle(const struct place *place, const struct change *row);

/* Removes what was there; -ENOTEMPTY if a directory has files unknown to us. */
int place_remove(const struct place *place, const struct change *row);

/* Removes what an interrupted commit may have left beside the row's file. */
void place_clean(const struct place *place, const struct change *row);

#endif
