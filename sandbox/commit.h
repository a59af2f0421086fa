/*
 * commit.h - the changes of a run, applied to the workspace.
 *
 *	upper --> kept: copied to the state directory, on the disk
 *	            |
 *	            v        special files, conflicts, more than was listed
 *	          judged ---------> refused: workspace untouched, changes kept
 *	            |
 *	            v                  killed, disk full, changed meanwhile
 *	          applied ---------> interrupted: commit_recover() goes on
 *	            |
 *	            v
 *	          synced, kept copy removed
 *
 * All or nothing is decided before the first step: one special file or one
 * conflict refuses the whole commit and is marked in its row. A conflict is a
 * place where the workspace was changed since the run was started (see
 * commit_place.h). From then on each file is either old or new, at every
 * moment, also after a power cut; directories first, then files, deletions
 * last. Only a change from one kind of file to another passes through a
 * moment in which there is neither. Nothing that a killed commit leaves lies
 * in the user's tree, save at most one file ".cupel-NAME" if the state
 * directory is on another file system; the recovery removes it.
 *
 * Killed before "kept" is complete is like killed while the command ran: the
 * workspace is untouched and the changes are gone.
 *
 * New files belong to the owner of the workspace, as if the run had written
 * there directly (commit_owner.h), never have setuid, setgid or sticky bits,
 * and keep their time of modification, holes and user attributes. Not carried
 * over: access lists, other attributes, the mode of the workspace directory
 * itself; a file with several names becomes several files.
 *
 * One commit at a time: the workspace is locked by flock(2).
 */
#ifndef CUPEL_SANDBOX_COMMIT_H
#define CUPEL_SANDBOX_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/changes.h"
#include "sandbox/changes_keep.h"

struct commit_request {
	int upper;		/* as for changes_read() */
	int state;		/* keep_open_state() */
	const struct tree *workspace;
	const char *path;	/* of the workspace, for people */
	int64_t started_ns;	/* CLOCK_REALTIME_COARSE before the run was started */
};

struct commit_result {
	char kept[KEEP_NAME_BYTES];	/* in the state directory; empty: all is applied */
	size_t conflicts;		/* rows so marked */
	bool begun;			/* the workspace was changed */
};

/*
 * Applies all changes, which must be those that changes_read() found. 0; or
 * -EPERM for special files, -E2BIG if not all changes are listed, -ESTALE for
 * conflicts, -EBUSY while another commit has the workspace, or what a step
 * failed with. ret is filled in any case.
 */
int commit_apply(const struct commit_request *request, struct changes *changes,
		 struct commit_result *ret, struct error *why);

/*
 * Goes on with a commit that was interrupted or refused, from its kept
 * changes, which are read into the arena; upper and started_ns of the request
 * mean nothing. Errors as above; -EXDEV if they are another directory's.
 */
int commit_recover(const struct commit_request *request, const char *name,
		   struct arena *arena, struct changes *ret_changes,
		   struct commit_result *ret, struct error *why);

/*
 * Looks for a commit to this workspace that was interrupted. 1 with the name
 * of one, 0 if there is none, or -errno. Removes, in passing, kept changes
 * whose commit had ended. One look at a directory if there is nothing.
 */
int commit_find_interrupted(const struct commit_request *request,
			    struct arena *arena, char ret_name[KEEP_NAME_BYTES],
			    struct error *why);

#endif
