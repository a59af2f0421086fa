#include "workers/git/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"
#include "workers/git/lock.h"

#define PATH_BYTES_MAX 4096
#define DEPTH_MAX 64
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
	int r = 0;

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

struct walk {
	git_repository *repository;
	git_index *index;
	size_t files;
	long long bytes;
	struct error *why;
};

static int too_big(struct walk *walk)
{
	return error_set_code(walk->why, -EFBIG, ERROR_FAILED_PRECONDITION,
			      "this folder holds more than %d files or %lld MiB; name what is no source in a .gitignore, or begin a repository: git init",
			      SNAPSHOT_FILES_MAX, SNAPSHOT_BYTES_MAX >> 20);
}

static int add(struct walk *walk, const char *path, uint32_t mode, const char *data,
	       size_t length)
{
	git_index_entry entry = { .path = path, .mode = mode };

	walk->bytes += (long long)length;
	if (++walk->files > SNAPSHOT_FILES_MAX || walk->bytes > SNAPSHOT_BYTES_MAX)
		return too_big(walk);
	if (git_blob_create_from_buffer(&entry.id, walk->repository, data, length) < 0 ||
	    git_index_add(walk->index, &entry) < 0)
		return git_failure(path, walk->why);
	return 0;
}

static int add_link(struct walk *walk, int directory, const char *name, const char *path)
{
	char target[PATH_BYTES_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));

	return length < 0 || length == (ssize_t)sizeof(target) ? 0 :
	       add(walk, path, GIT_FILEMODE_LINK, target, (size_t)length);
}

static int add_file(struct walk *walk, int directory, const char *name, const char *path)
{
	AUTO_CLOSE int fd = path_open(directory, name, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT,
				      walk->why);
	struct stat status;
	size_t at = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	if (walk->bytes + status.st_size > SNAPSHOT_BYTES_MAX)
		return too_big(walk);
	AUTO_FREE char *data = malloc((size_t)status.st_size + 1);

	if (!data)
		return error_set(walk->why, -ENOMEM, "out of memory");
	while (at < (size_t)status.st_size) {
		ssize_t n = read(fd, data + at, (size_t)status.st_size - at);

		if (n <= 0)
			return error_set(walk->why, n < 0 ? -errno : -EAGAIN,
					 "%s changes while it is read", path);
		at += (size_t)n;
	}
	return add(walk, path, status.st_mode & 0100 ? GIT_FILEMODE_BLOB_EXECUTABLE :
						       GIT_FILEMODE_BLOB, data, at);
}

static bool is_ignored(const struct walk *walk, const char *path, bool folder)
{
	char name[PATH_BYTES_MAX + 1];
	int ignored = 0;

	snprintf(name, sizeof(name), "%s%s", path, folder ? "/" : "");
	return git_ignore_path_is_ignored(&ignored, walk->repository, name) == 0 && ignored;
}

static int visit_folder(struct walk *walk, int directory, const char *prefix,
			unsigned depth);

static int visit(struct walk *walk, int directory, const char *name, const char *prefix,
		 unsigned depth)
{
	char path[PATH_BYTES_MAX];
	struct stat status;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0 ||
	    strcmp(name, SNAPSHOT_FOLDER) == 0 ||
	    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s%s", prefix, name) >= sizeof(path) - 1)
		return error_set(walk->why, -ENAMETOOLONG, "%.200s...: the path is too long", path);
	if (is_ignored(walk, path, S_ISDIR(status.st_mode)))
		return 0;
	if (S_ISLNK(status.st_mode))
		return add_link(walk, directory, name, path);
	if (S_ISREG(status.st_mode))
		return add_file(walk, directory, name, path);
	if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX)
		return 0;
	AUTO_CLOSE int inner = path_open(directory, name, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT,
					 walk->why);

	strcat(path, "/");
	return inner < 0 ? inner : visit_folder(walk, inner, path, depth + 1);
}

static int visit_folder(struct walk *walk, int directory, const char *prefix, unsigned depth)
{
	DIR *stream = fdopendir(dup(directory));
	struct dirent *entry;
	int r = 0;

	if (!stream)
		return error_set(walk->why, -errno, "%s: %s", prefix, strerror(errno));
	while (r == 0 && (entry = readdir(stream)))
		r = visit(walk, directory, entry->d_name, prefix, depth);
	closedir(stream);
	return r;
}

static int read_tree(git_repository *repository, git_tree **ret, struct error *why)
{
	struct walk walk = { .repository = repository, .why = why };
	AUTO_CLOSE int top = path_open(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, why);
	git_oid id;
	int r = top < 0 ? top : 0;

	if (r == 0 && git_index_new(&walk.index) < 0)
		r = git_failure("index", why);
	if (r == 0)
		r = visit_folder(&walk, top, "", 0);
	if (r == 0 && (git_index_write_tree_to(&id, walk.index, repository) < 0 ||
		       git_tree_lookup(ret, repository, &id) < 0))
		r = git_failure("tree", why);
	git_index_free(walk.index);
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
	return r < 0 ? r : write_index(repository, tree, why);
}

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
