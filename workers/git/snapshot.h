/*
 * snapshot.h - a workspace without git, kept as if it had one.
 *
 *	<workspace>/.cupel	a repository of our own; its work tree is the
 *				workspace, its only branch main
 *
 * A snapshot is a commit of every file as it lies there: raw bytes, links,
 * the executable bit; without .cupel, any .git, and what a .gitignore names.
 * Everything else then is as with git: private copies of a commit, a change as
 * a commit with its exact inverse, and the files following it.
 */
#ifndef CUPEL_WORKERS_GIT_SNAPSHOT_H
#define CUPEL_WORKERS_GIT_SNAPSHOT_H

#include "common/json.h"
#include "workers/git/libgit.h"

#define SNAPSHOT_FOLDER ".cupel"
#define SNAPSHOT_FILES_MAX 20000
#define SNAPSHOT_BYTES_MAX (512LL << 20)

/* Opens it, made if need be. */
int snapshot_open(git_repository **ret, struct error *why);

/*
 * {"commit"}: the last one if nothing has changed. -EFBIG with the way out
 * for a folder that is too big.
 */
int snapshot_take(git_repository *repository, json_t **ret, struct error *why);

#endif
