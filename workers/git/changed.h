/*
 * changed.h - which files are not as they were in a commit.
 *
 * Committed since, staged, edited, removed and untracked alike, as they lie
 * there; what is ignored (gitignore(5)) is left out. A file that was renamed is
 * two paths, the old and the new one.
 *
 * The answer either lists all of them or says why it cannot, which whoever asks
 * takes for "everything". Nothing is written, and nothing of the repository is
 * started: libgit2 knows no program for a filter or a monitor of files.
 */
#ifndef CUPEL_WORKERS_GIT_CHANGED_H
#define CUPEL_WORKERS_GIT_CHANGED_H

#include "common/json.h"
#include "workers/git/libgit.h"

#define CHANGED_BYTES_MAX (1U << 20)	/* of all paths together */

/*
 * {"files": [path]}, or {"unknown": why}. since is as git-rev-parse(1) reads it;
 * where there is no commit yet, HEAD is an empty one. -ENOENT for one that is none.
 */
int changed_list(git_repository *repository, const char *since, json_t **ret,
		 struct error *why);

#endif
