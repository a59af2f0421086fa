/*
 * copy.h - private copies of a commit, as plain files.
 *
 *	<workspace>/.git/cupel/a	holds one commit's tree, and changes
 *
 * What is in a copy may have been written by code under test, so a copy is
 * emptied and filled by descriptors alone: no symbolic link is followed
 * (openat2(2)), nothing existing is opened for writing. Blobs come raw from
 * the object database: no filter, no attribute and no hook of the repository
 * has a say. Every file gets the commit's time, so that no rule of a Makefile
 * sees one file newer than another.
 *
 * One campaign at a time builds in the copies. It holds their folder by
 * flock(2), in a worker that waits for it to end; whichever of the two is
 * killed, the lock is gone.
 */
#ifndef CUPEL_WORKERS_GIT_COPY_H
#define CUPEL_WORKERS_GIT_COPY_H

#include "common/json.h"
#include "workers/git/libgit.h"

#define COPY_NAME_BYTES_MAX 32
#define COPY_FOLDER "cupel"		/* below git_folder */

/*
 * Empties the copy of that name (letters and digits) and fills it with the
 * commit's tree, in which files ([{"path", "content"}]) are changed. What
 * cannot be had there (submodules, links that lead out) is named in skipped.
 */
int copy_fill(git_repository *repository, const git_commit *commit,
	      const char *name, const json_t *files, json_t *skipped,
	      json_int_t *ret_count, struct error *why);

/*
 * Compares the copy's files below the paths with the commit's, and puts back
 * what is different: their paths are appended to changed and missing.
 */
int copy_protect(git_repository *repository, const git_commit *commit,
		 const char *name, const json_t *paths, json_t *changed,
		 json_t *missing, struct error *why);

/* The folder that all copies are in; -ENOENT unless it is to be made. */
int copy_folder(bool make, struct error *why);

/*
 * The same, locked: as long as it is open, all copies are its holder's, and
 * whoever else wants them gets -EBUSY (RESOURCE_EXHAUSTED), at once.
 */
int copy_hold(struct error *why);

/* The copy of that name, made empty if it is not there. */
int copy_open(const char *name, struct error *why);

/* All of it; -errno. */
int copy_write(int fd, const char *data, size_t length);

/* Removes a copy, or with a name of NULL all of them. */
int copy_remove(const char *name, struct error *why);

#endif
