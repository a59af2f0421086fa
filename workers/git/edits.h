/*
 * edits.h - some files of a commit, each from one blob to another.
 */
#ifndef CUPEL_WORKERS_GIT_EDITS_H
#define CUPEL_WORKERS_GIT_EDITS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "common/sha256.h"
#include "workers/git/libgit.h"

#define EDITS_MAX 64

struct edit {
	const char *path;		/* owned if edits_read() */
	git_oid before, after;		/* blobs */
	git_filemode_t mode;
};

struct edits {
	git_repository *repository;
	struct edit items[EDITS_MAX];
	size_t count;
};

/*
 * What a commit changed against its parent. -ENOTSUP, and none, of one that is
 * more than changed files: squashed, say. edits_release() frees the paths.
 */
int edits_read(struct edits *edits, const git_commit *commit, struct error *why);
void edits_release(struct edits *edits);

/* The parent's tree with the edits made; the caller's. */
int edits_tree(const struct edits *edits, const git_commit *parent, git_tree **ret,
	       struct error *why);

/* What patch(1) takes them back with; empty where libgit2 has no room. */
json_t *edits_inverse(const struct edits *edits);

/* [{"path", "before_sha256", "after_sha256"}], and whether the edits are just those. */
json_t *edits_files(const struct edits *edits);
bool edits_are_recorded(const struct edits *edits, const json_t *files);

/* Whether both change the same lines, wherever these are by now (git-patch-id(1)). */
bool commits_same_patch(git_repository *repository, const git_commit *a, const git_commit *b);

/* The blob of a file in a commit, if there is such a file; ret_mode may be NULL. */
bool blob_find(git_repository *repository, const git_commit *commit, const char *path,
	       git_oid *ret, git_filemode_t *ret_mode);

/* Of a blob's bytes. */
void blob_sum(const git_blob *blob, char ret[SHA256_TEXT_BYTES]);

#endif
