#include "workers/git/changed.h"

#include <errno.h>
#include <stdio.h>

#include "common/error.h"

#define SPECIFIER_BYTES_MAX 300

/* The tree of a commit; NULL for a HEAD that does not exist yet. */
static int find_tree(git_repository *repository, const char *since, git_tree **ret,
		     struct error *why)
{
	char specifier[SPECIFIER_BYTES_MAX];
	git_object *tree = NULL;

	*ret = NULL;
	if (strcmp(since, "HEAD") == 0 && git_repository_head_unborn(repository) == 1)
		return 0;
	if ((size_t)snprintf(specifier, sizeof(specifier), "%s^{tree}", since) >=
		    sizeof(specifier) ||
	    git_revparse_single(&tree, repository, specifier) < 0)
		return error_set(why, -ENOENT,
				 "there is no commit '%.100s' here; name a branch, a tag or a commit",
				 since);
	*ret = (git_tree *)tree;
	return 0;
}

struct listing {
	json_t *files;
	size_t bytes;
	const char *unknown;	/* why the list says nothing; NULL: it is whole */
};

static bool is_plain(uint16_t mode)
{
	return mode == GIT_FILEMODE_UNREADABLE /* is not there */ ||
	       mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE ||
	       mode == GIT_FILEMODE_LINK;
}

/* A positive return ends it. */
static int on_delta(const git_diff_delta *delta, float progress, void *payload)
{
	struct listing *listing = payload;
	const char *path = delta->new_file.path;

	(void)progress;
	if (!is_plain(delta->old_file.mode) || !is_plain(delta->new_file.mode))
		listing->unknown = "a repository within this one differs";
	else if ((listing->bytes += strlen(path) + 1) > CHANGED_BYTES_MAX)
		listing->unknown = "too many files differ to be listed";
	else if (json_array_append_new(listing->files, json_string(path)) < 0)
		listing->unknown = "a file whose name is not UTF-8 differs";
	return listing->unknown != NULL;
}

/* The words of .gitmodules and of git status have no say in what is left out. */
static int compare(git_repository *repository, git_tree *tree, git_diff **ret)
{
	git_diff_options options;

	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS |
			GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_INCLUDE_UNREADABLE;
	options.ignore_submodules = GIT_SUBMODULE_IGNORE_NONE;
	return git_diff_tree_to_workdir_with_index(ret, repository, tree, &options);
}

int changed_list(git_repository *repository, const char *since, json_t **ret,
		 struct error *why)
{
	struct listing listing = { .files = json_array() };
	git_diff *diff = NULL;
	git_tree *tree;
	int r = find_tree(repository, since, &tree, why);

	if (r == 0 && (compare(repository, tree, &diff) < 0 ||
		       git_diff_foreach(diff, on_delta, NULL, NULL, NULL, &listing) < 0))
		r = git_failure("compare the files", why);
	git_diff_free(diff);
	git_tree_free(tree);
	if (r == 0)
		*ret = listing.unknown ? json_pack("{s:s}", "unknown", listing.unknown) :
					 json_pack("{s:O}", "files", listing.files);
	json_decref(listing.files);
	return r;
}
