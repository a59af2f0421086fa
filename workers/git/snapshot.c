#include "workers/git/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"
#include "workers/git/lock.h"
#include "workers/git/walk.h"

#define BRANCH "refs/heads/main"

/* ---- the repository ---- */

static int make(struct error *why)
{
	git_repository_init_options options;
	git_repository *made;

	git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR;
	options.initial_head = "main";
	if (git_repository_init_ext(&made, SNAPSHOT_FOLDER, &options) < 0)
		return git_failure(SNAPSHOT_FOLDER, why);
	git_repository_free(made);
	return 0;
}

int snapshot_open(git_repository **ret, struct error *why)
{
	struct stat status;
	int r = 0;

	if (lstat(SNAPSHOT_FOLDER, &status) == 0 && !S_ISDIR(status.st_mode))
		return error_set_code(why, -ENOTDIR, ERROR_FAILED_PRECONDITION,
				      SNAPSHOT_FOLDER " is no folder; remove it, and try again");
	git_folder = SNAPSHOT_FOLDER;
	if (git_repository_open_bare(ret, SNAPSHOT_FOLDER) < 0) {
		r = make(why);
		if (r == 0 && git_repository_open_bare(ret, SNAPSHOT_FOLDER) < 0)
			r = git_failure(SNAPSHOT_FOLDER, why);
	}
	if (r == 0 && git_repository_set_workdir(*ret, ".", 0) < 0)
		r = git_failure(SNAPSHOT_FOLDER, why);
	return r;
}

/* ---- every file ---- */

struct taking {
	git_repository *repository;
	git_index *index;
	size_t files;
	long long bytes;
	struct error *why;
};

static int take_file(void *owner, const char *path, mode_t mode, struct span content)
{
	struct taking *taking = owner;
	git_index_entry entry = {
		.path = path,
		.mode = S_ISLNK(mode) ? GIT_FILEMODE_LINK :
			mode & 0100 ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB,
	};

	taking->bytes += (long long)content.length;
	if (++taking->files > SNAPSHOT_FILES_MAX || taking->bytes > SNAPSHOT_BYTES_MAX)
		return error_set_code(taking->why, -EFBIG, ERROR_FAILED_PRECONDITION,
				      "this folder holds more than %d files or %lld MiB; name what is no source in a .gitignore, or begin a repository: git init",
				      SNAPSHOT_FILES_MAX, SNAPSHOT_BYTES_MAX >> 20);
	if (git_blob_create_from_buffer(&entry.id, taking->repository, content.data,
					content.length) < 0 ||
	    git_index_add(taking->index, &entry) < 0)
		return git_failure(path, taking->why);
	return 0;
}

static bool is_left_out(void *owner, const char *path, const char *name, bool folder)
{
	const struct taking *taking = owner;
	char asked[4096 + 1];
	int ignored = 0;

	snprintf(asked, sizeof(asked), "%s%s", path, folder ? "/" : "");
	return strcmp(name, ".git") == 0 || strcmp(name, SNAPSHOT_FOLDER) == 0 ||
	       (git_ignore_path_is_ignored(&ignored, taking->repository, asked) == 0 && ignored);
}

static int read_tree(git_repository *repository, git_tree **ret, struct error *why)
{
	struct taking taking = { .repository = repository, .why = why };
	const struct walk walk = { .owner = &taking, .skips = is_left_out, .take = take_file,
				   .why = why };
	AUTO_CLOSE int top = path_open(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, why);
	git_oid id;
	int r = top < 0 ? top : 0;

	if (r == 0 && git_index_new(&taking.index) < 0)
		r = git_failure("index", why);
	if (r == 0)
		r = walk_files(&walk, top);
	if (r == 0 && (git_index_write_tree_to(&id, taking.index, repository) < 0 ||
		       git_tree_lookup(ret, repository, &id) < 0))
		r = git_failure("tree", why);
	git_index_free(taking.index);
	return r;
}

/* ---- the commit ---- */

static int write_index(git_repository *repository, const git_tree *tree, struct error *why)
{
	git_index *index;
	int r = git_repository_index(&index, repository);

	if (r == 0) {
		r = git_index_read_tree(index, tree);
		if (r == 0)
			r = git_index_write(index);
		git_index_free(index);
	}
	return r < 0 ? git_failure("index", why) : 0;
}

static int commit(git_repository *repository, struct git_lock *lock, git_tree *tree,
		  const git_commit *parent, git_oid *ret, struct error *why)
{
	git_signature *signature = NULL;
	int r = lock_reference(lock, BRANCH, why);

	if (r < 0)
		return r;
	if (git_signature_now(&signature, "Cupel", "cupel@localhost") < 0 ||
	    git_commit_create(ret, repository, BRANCH, signature, signature, "UTF-8",
			      "The files as they were\n\nCupel-Snapshot: yes\n", tree,
			      parent != NULL, &parent) < 0)
		r = git_failure("commit", why);
	git_signature_free(signature);
	return r;
}

/* The index is written in any case: who made the commit may have been killed. */
static int take(git_repository *repository, struct git_lock *lock, git_oid *ret,
		struct error *why)
{
	git_object *head = NULL;
	git_tree *tree = NULL;
	int r = read_tree(repository, &tree, why);

	if (r == 0 && git_revparse_single(&head, repository, BRANCH) == 0 &&
	    git_oid_equal(git_commit_tree_id((git_commit *)head), git_tree_id(tree)))
		*ret = *git_object_id(head);
	else if (r == 0)
		r = commit(repository, lock, tree, (git_commit *)head, ret, why);
	if (r == 0)
		r = write_index(repository, tree, why);
	git_object_free(head);
	git_tree_free(tree);
	return r;
}

int snapshot_take(git_repository *repository, json_t **ret, struct error *why)
{
	struct git_lock lock;
	git_oid id;
	char hex[GIT_OID_HEXSZ + 1];
	int r = lock_take(&lock, repository, why);

	if (r == 0)
		r = take(repository, &lock, &id, why);
	lock_release(&lock);
	if (r == 0)
		*ret = json_pack("{s:s}", "commit", git_oid_tostr(hex, sizeof(hex), &id));
	return r;
}
