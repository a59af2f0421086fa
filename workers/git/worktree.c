#include "workers/git/worktree.h"

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
#include "workers/git/copy.h"

#define FILE_BYTES_MAX (1 << 20)
#define NEW_NAME_BYTES 32
#define INDEX "index"

/* ---- what a file holds ---- */

enum state { FILE_IS_BEFORE, FILE_IS_AFTER, FILE_IS_OTHER };

static enum state state_of(const struct edit *edit, mode_t *ret_mode)
{
	AUTO_CLOSE int fd = path_open(AT_FDCWD, edit->path, O_RDONLY | O_NONBLOCK, 0,
				      PATH_STRICT, NULL);
	struct stat status;
	git_oid id;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > FILE_BYTES_MAX)
		return FILE_IS_OTHER;
	AUTO_FREE char *data = malloc((size_t)status.st_size + 1);

	if (!data || read(fd, data, (size_t)status.st_size + 1) != status.st_size ||
	    git_odb_hash(&id, data, (size_t)status.st_size, GIT_OBJECT_BLOB) < 0)
		return FILE_IS_OTHER;
	if (ret_mode)
		*ret_mode = status.st_mode & 0777;
	if (git_oid_equal(&id, &edit->before))
		return FILE_IS_BEFORE;
	return git_oid_equal(&id, &edit->after) ? FILE_IS_AFTER : FILE_IS_OTHER;
}

static int refuse(const char *path, struct error *why)
{
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
			      git_is_users() ?
			      "%s has changes of yours that are not committed; commit or stash them first" :
			      "%s has changed since, so nothing was done; run cupel improve again, or use the patch of 'cupel show ID --inverse'",
			      path);
}

/* Not the bytes of the commit, but what git has made of them on their way out. */
static bool is_converted(const struct edits *edits, const struct edit *edit)
{
	git_oid id;

	return git_is_users() && git_repository_hashfile(&id, edits->repository, edit->path,
							 GIT_OBJECT_BLOB, NULL) == 0 &&
	       git_oid_equal(&id, &edit->before);
}

static int refuse_file(const struct edits *edits, const struct edit *edit, struct error *why)
{
	if (!is_converted(edits, edit))
		return refuse(edit->path, why);
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
			      "git converts %s when it checks it out (core.autocrlf or .gitattributes); apply it to a branch of its own, without --here",
			      edit->path);
}

static bool is_either(const git_index_entry *entry, const struct edit *edit)
{
	return entry && (git_oid_equal(&entry->id, &edit->before) ||
			 git_oid_equal(&entry->id, &edit->after));
}

/* What is staged is the user's work as well. */
static int check_index(const struct edits *edits, struct error *why)
{
	git_index *index;
	int r = 0;

	if (git_repository_index(&index, edits->repository) < 0 || git_index_read(index, 1) < 0)
		return git_failure("index", why);
	for (size_t i = 0; r == 0 && i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];

		if (!is_either(git_index_get_bypath(index, edit->path, 0), edit))
			r = refuse(edit->path, why);
	}
	git_index_free(index);
	return r;
}

int worktree_check(const struct edits *edits, struct error *why)
{
	for (size_t i = 0; i < edits->count; i++)
		if (state_of(&edits->items[i], NULL) == FILE_IS_OTHER)
			return refuse_file(edits, &edits->items[i], why);
	return check_index(edits, why);
}

void worktree_left_behind(const struct edits *edits, struct edits *ret)
{
	git_index *index;

	*ret = (struct edits){ .repository = edits->repository };
	if (git_repository_index(&index, edits->repository) < 0)
		return;
	git_index_read(index, 1);
	for (size_t i = 0; i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];
		const git_index_entry *entry = git_index_get_bypath(index, edit->path, 0);

		if (entry && git_oid_equal(&entry->id, &edit->before))
			ret->items[ret->count++] = *edit;
	}
	git_index_free(index);
}

/* ---- staging ---- */

static void name_of(size_t number, char ret[NEW_NAME_BYTES])
{
	snprintf(ret, NEW_NAME_BYTES, "new-%zu", number);
}

static int stage_file(const struct edits *edits, size_t number, int folder,
		      struct error *why)
{
	const struct edit *edit = &edits->items[number];
	char name[NEW_NAME_BYTES];
	mode_t mode = 0644;
	git_blob *blob;

	name_of(number, name);
	unlinkat(folder, name, 0);
	if (state_of(edit, &mode) != FILE_IS_BEFORE)
		return 0;
	if (git_blob_lookup(&blob, edits->repository, &edit->after) < 0)
		return git_failure(edit->path, why);
	AUTO_CLOSE int fd = openat(folder, name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r = fd < 0 ? -errno : copy_write(fd, git_blob_rawcontent(blob),
					      (size_t)git_blob_rawsize(blob));

	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	git_blob_free(blob);
	return r < 0 ? error_set(why, r, "%s: %s", edit->path, strerror(-r)) : 0;
}

static int copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, buffer, sizeof(buffer))) != 0)
		r = n < 0 ? -errno : copy_write(to, buffer, (size_t)n);
	return r;
}

/* A private copy of the index, to be changed and renamed over it. */
static int copy_index(int folder, struct error *why)
{
	unlinkat(folder, INDEX, 0);
	unlinkat(folder, INDEX ".lock", 0);	/* libgit2's, of one that was killed */
	AUTO_CLOSE int from = openat(folder, "../" INDEX, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int to = openat(folder, INDEX,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = from < 0 || to < 0 ? -errno : copy_bytes(from, to);

	return r < 0 ? error_set(why, r, "index: %s", strerror(-r)) : 0;
}

static int open_index(const struct edits *edits, git_index **ret, struct error *why)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s" COPY_FOLDER "/" INDEX,
		 git_repository_path(edits->repository));
	if (access(path, F_OK) < 0)	/* libgit2 takes it for an empty one */
		return error_set(why, -errno, "index: %s", strerror(errno));
	return git_index_open(ret, path) < 0 ? git_failure("index", why) : 0;
}

/* What git compares with lstat(2), so that it need not read the file. */
static void fill_times(git_index_entry *entry)
{
	struct stat status;

	if (lstat(entry->path, &status) < 0)
		return;
	entry->ctime = (git_index_time){ (int32_t)status.st_ctim.tv_sec,
					 (uint32_t)status.st_ctim.tv_nsec };
	entry->mtime = (git_index_time){ (int32_t)status.st_mtim.tv_sec,
					 (uint32_t)status.st_mtim.tv_nsec };
	entry->dev = (uint32_t)status.st_dev;
	entry->ino = (uint32_t)status.st_ino;
	entry->file_size = (uint32_t)status.st_size;
}

static int write_index(const struct edits *edits, bool placed, struct error *why)
{
	git_index *index;
	int r = open_index(edits, &index, why);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < edits->count; i++) {
		const struct edit *edit = &edits->items[i];
		const git_index_entry *old = git_index_get_bypath(index, edit->path, 0);
		git_index_entry entry = { .path = edit->path, .mode = (uint32_t)edit->mode,
					  .id = edit->after };

		if (!is_either(old, edit))	/* staged since: the user's */
			continue;
		entry.uid = old->uid;	/* as seen from outside */
		entry.gid = old->gid;
		if (placed && state_of(edit, NULL) == FILE_IS_AFTER)
			fill_times(&entry);
		r = git_index_add(index, &entry);
	}
	if (r == 0)
		r = git_index_write(index);
	git_index_free(index);
	return r < 0 ? git_failure("index", why) : 0;
}

int worktree_stage(const struct edits *edits, struct error *why)
{
	AUTO_CLOSE int folder = copy_folder(true, why);
	int r = folder < 0 ? folder : 0;

	for (size_t i = 0; r == 0 && i < edits->count; i++)
		r = stage_file(edits, i, folder, why);
	if (r == 0)
		r = copy_index(folder, why);
	return r < 0 ? r : write_index(edits, false, why);
}

/* ---- following ---- */

static int place_file(const struct edits *edits, size_t number, int folder,
		      struct error *why)
{
	const struct edit *edit = &edits->items[number];
	const char *slash = strrchr(edit->path, '/');
	char directory[4096], name[NEW_NAME_BYTES];

	if (state_of(edit, NULL) != FILE_IS_BEFORE)
		return 0;	/* done, or the user's by now */
	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - edit->path) : 1,
		 slash ? edit->path : ".");
	name_of(number, name);
	AUTO_CLOSE int to = path_open(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0,
				      PATH_STRICT, why);

	if (to < 0)
		return to;
	if (renameat(folder, name, to, slash ? slash + 1 : edit->path) < 0)
		return error_set(why, -errno, "%s: %s", edit->path, strerror(errno));
	fsync(to);
	return 0;
}

/*
 * As old as the one it replaces: what was written in that very moment git has to
 * read again, as it would have, and what we have written since as well.
 */
static int replace_index(int folder, struct error *why)
{
	struct stat old;

	if (fstatat(folder, "../" INDEX, &old, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(folder, INDEX, (struct timespec[]){ old.st_mtim, old.st_mtim },
		      AT_SYMLINK_NOFOLLOW) < 0 ||
	    renameat(folder, INDEX, folder, "../" INDEX) < 0)
		return error_set(why, -errno, "index: %s", strerror(errno));
	return 0;
}

int worktree_follow(const struct edits *edits, struct error *why)
{
	AUTO_CLOSE int folder = copy_folder(true, why);
	struct error ignored;
	int r = folder < 0 ? folder : 0;

	for (size_t i = 0; r == 0 && i < edits->count; i++)
		r = place_file(edits, i, folder, why);
	if (r < 0)
		return r;
	/* The staged one will do where this one does not fit on the disk. */
	write_index(edits, true, &ignored);
	return replace_index(folder, why);
}

/* ---- branches that something else is at ---- */

/* Files of a work tree's git folder that name a branch, and how. */
static const struct {
	const char *path, *before, *omitted;
} holders[] = {
	{ "HEAD", "ref: ", "" },
	{ "rebase-merge/head-name", "", "" },
	{ "rebase-apply/head-name", "", "" },
	{ "BISECT_START", "", "refs/heads/" },
};

/* By what git has noted alone: the files of the others lie where we may not look. */
static bool names(const char *folder, size_t holder, const char *reference)
{
	const char *before = holders[holder].before, *omitted = holders[holder].omitted;
	char path[512], text[512];

	snprintf(path, sizeof(path), "%s%s/%s", git_folder, folder, holders[holder].path);
	AUTO_CLOSE int fd = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT,
				      NULL);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[length < 0 ? 0 : length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strncmp(text, before, strlen(before)) == 0 &&
	       strncmp(reference, omitted, strlen(omitted)) == 0 &&
	       strcmp(text + strlen(before), reference + strlen(omitted)) == 0;
}

static bool is_held_in(const char *folder, const char *reference)
{
	for (size_t i = 0; i < COUNT(holders); i++)
		if (names(folder, i, reference))
			return true;
	return false;
}

bool worktree_is_held(git_repository *repository, const char *reference)
{
	git_strarray linked = { 0 };
	bool is = is_held_in("", reference);
	char folder[300];

	if (is || git_worktree_list(&linked, repository) < 0)
		return is;
	for (size_t i = 0; !is && i < linked.count; i++) {
		snprintf(folder, sizeof(folder), "/worktrees/%.255s", linked.strings[i]);
		is = is_held_in(folder, reference);
	}
	git_strarray_dispose(&linked);
	return is;
}
