#include "workers/git/edits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

void blob_sum(const git_blob *blob, char ret[SHA256_TEXT_BYTES])
{
	const struct span bytes = { git_blob_rawcontent(blob),
				    (size_t)git_blob_rawsize(blob) };

	sha256_text(&bytes, 1, ret);
}

/* Empty where there is no such blob. */
static void sum_of(git_repository *repository, const git_oid *id, char ret[SHA256_TEXT_BYTES])
{
	git_blob *blob;

	ret[0] = '\0';
	if (git_blob_lookup(&blob, repository, id) < 0)
		return;
	blob_sum(blob, ret);
	git_blob_free(blob);
}

static git_blob *blob_at(git_repository *repository, const git_commit *commit,
			 const char *path, git_filemode_t *ret_mode)
{
	git_tree *tree = NULL;
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;

	if (git_commit_tree(&tree, commit) == 0 &&
	    git_tree_entry_bypath(&entry, tree, path) == 0 &&
	    git_tree_entry_type(entry) == GIT_OBJECT_BLOB &&
	    git_tree_entry_filemode(entry) != GIT_FILEMODE_LINK &&
	    git_blob_lookup(&blob, repository, git_tree_entry_id(entry)) == 0 && ret_mode)
		*ret_mode = git_tree_entry_filemode(entry);
	git_tree_entry_free(entry);
	git_tree_free(tree);
	return blob;
}

bool blob_find(git_repository *repository, const git_commit *commit, const char *path,
	       git_oid *ret, git_filemode_t *ret_mode)
{
	git_blob *blob = blob_at(repository, commit, path, ret_mode);

	if (!blob)
		return false;
	*ret = *git_blob_id(blob);
	git_blob_free(blob);
	return true;
}

int edits_tree(const struct edits *edits, const git_commit *parent_commit, git_tree **ret,
	       struct error *why)
{
	git_index *index = NULL;
	git_tree *parent = NULL;
	git_oid made;
	int r = git_index_new(&index);

	if (r == 0)
		r = git_commit_tree(&parent, parent_commit);
	if (r == 0)
		r = git_index_read_tree(index, parent);
	for (size_t i = 0; r == 0 && i < edits->count; i++) {
		git_index_entry entry = { .path = edits->items[i].path,
					  .mode = (uint32_t)edits->items[i].mode,
					  .id = edits->items[i].after };

		r = git_index_add(index, &entry);
	}
	if (r == 0)
		r = git_index_write_tree_to(&made, index, edits->repository);
	if (r == 0)
		r = git_tree_lookup(ret, edits->repository, &made);
	git_tree_free(parent);
	git_index_free(index);
	return r < 0 ? git_failure("tree", why) : 0;
}

json_t *edits_inverse(const struct edits *edits)
{
	git_buf text = { 0 };
	json_t *ret = json_string("");

	for (size_t i = 0; i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];
		git_blob *from = NULL, *to = NULL;
		git_patch *patch = NULL;

		if (git_blob_lookup(&from, edits->repository, &edit->after) == 0 &&
		    git_blob_lookup(&to, edits->repository, &edit->before) == 0 &&
		    git_patch_from_blobs(&patch, from, edit->path, to, edit->path, NULL) == 0 &&
		    git_patch_to_buf(&text, patch) == 0) {
			json_t *longer = json_sprintf("%s%s", json_string_value(ret), text.ptr);

			json_decref(ret);
			ret = longer ? longer : json_string("");
		}
		git_buf_dispose(&text);
		git_patch_free(patch);
		git_blob_free(from);
		git_blob_free(to);
	}
	return ret;
}

static int add_delta(const git_diff_delta *delta, float progress, void *payload)
{
	struct edits *edits = payload;

	(void)progress;
	if (edits->count == EDITS_MAX || delta->status != GIT_DELTA_MODIFIED)
		return GIT_EUSER;
	edits->items[edits->count++] = (struct edit){
		.path = strdup(delta->new_file.path), .before = delta->old_file.id,
		.after = delta->new_file.id, .mode = (git_filemode_t)delta->new_file.mode,
	};
	return 0;
}

void edits_release(struct edits *edits)
{
	for (size_t i = 0; i < edits->count; i++)
		free((char *)(uintptr_t)edits->items[i].path);
	edits->count = 0;
}

json_t *edits_files(const struct edits *edits)
{
	json_t *files = json_array();
	char sums[2][SHA256_TEXT_BYTES];

	for (size_t i = 0; i < edits->count; i++) {
		const git_oid *ids[2] = { &edits->items[i].before, &edits->items[i].after };

		for (int side = 0; side < 2; side++)
			sum_of(edits->repository, ids[side], sums[side]);
		json_array_append_new(files, json_pack("{s:s, s:s, s:s}", "path",
						       edits->items[i].path, "before_sha256",
						       sums[0], "after_sha256", sums[1]));
	}
	return files;
}

/* Against its parent; the caller's. */
static int read_diff(git_repository *repository, const git_commit *commit, git_diff **ret,
		     struct error *why)
{
	git_commit *parent = NULL;
	git_tree *trees[2] = { NULL, NULL };
	int r = git_commit_parent(&parent, commit, 0);

	if (r == 0)
		r = git_commit_tree(&trees[0], parent);
	if (r == 0)
		r = git_commit_tree(&trees[1], commit);
	if (r == 0)
		r = git_diff_tree_to_tree(ret, repository, trees[0], trees[1], NULL);
	git_tree_free(trees[0]);
	git_tree_free(trees[1]);
	git_commit_free(parent);
	return r < 0 ? git_failure("read the commit", why) : 0;
}

int edits_read(struct edits *edits, const git_commit *commit, struct error *why)
{
	git_diff *diff = NULL;
	int r = read_diff(edits->repository, commit, &diff, why);

	if (r < 0)
		return r;
	r = git_diff_foreach(diff, add_delta, NULL, NULL, NULL, edits);
	git_diff_free(diff);
	if (r == GIT_EUSER) {
		edits_release(edits);
		return error_set(why, -ENOTSUP, "the commit adds, removes or renames files");
	}
	return r < 0 ? git_failure("read the commit", why) : 0;
}

bool commits_same_patch(git_repository *repository, const git_commit *a, const git_commit *b)
{
	const git_commit *commits[2] = { a, b };
	git_oid ids[2];
	struct error ignored;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		git_diff *diff = NULL;

		r = read_diff(repository, commits[i], &diff, &ignored);
		if (r < 0)
			break;
		r = git_diff_patchid(&ids[i], diff, NULL);
		git_diff_free(diff);
	}
	return r == 0 && git_oid_equal(&ids[0], &ids[1]);
}

static bool has_sum(git_repository *repository, const git_oid *id, const json_t *sum)
{
	char text[SHA256_TEXT_BYTES];

	sum_of(repository, id, text);
	return json_is_string(sum) && strcmp(json_string_value(sum), text) == 0;
}

bool edits_are_recorded(const struct edits *edits, const json_t *files)
{
	size_t found = 0;

	for (size_t i = 0; i < edits->count; i++)
		for (size_t j = 0; j < json_array_size(files); j++) {
			const json_t *file = json_array_get(files, j);
			const char *path = json_string_value(json_object_get(file, "path"));

			found += path && strcmp(path, edits->items[i].path) == 0 &&
				 has_sum(edits->repository, &edits->items[i].before,
					 json_object_get(file, "before_sha256")) &&
				 has_sum(edits->repository, &edits->items[i].after,
					 json_object_get(file, "after_sha256"));
		}
	return found == edits->count && found == json_array_size(files);
}
