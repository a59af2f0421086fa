#include "workers/git/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/path.h"

#define DEPTH_MAX 64
#define PATH_BYTES_MAX 4096

/* ---- names and folders ---- */

static int check_name(const char *name, struct error *why)
{
	size_t length = name ? strlen(name) : 0;

	if (length >= 1 && length <= COPY_NAME_BYTES_MAX &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == length)
		return 0;
	return error_set(why, -EINVAL, "copy: a name is 1 to %d small letters and digits",
			 COPY_NAME_BYTES_MAX);
}

int copy_folder(bool make, struct error *why)
{
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "%s/" COPY_FOLDER, git_folder);
	if (make)
		r = path_make(AT_FDCWD, path, true, PATH_STRICT, why);
	if (r == 0)
		r = path_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, why);
	if (r != -ELOOP && r != -ENOTDIR)
		return r;
	return error_set_code(why, -ENOTDIR, ERROR_FAILED_PRECONDITION,
			      "%s is no folder; remove it, and try again", path);
}

int copy_hold(struct error *why)
{
	AUTO_CLOSE int folder = copy_folder(true, why);
	char path[PATH_MAX];

	if (folder < 0)
		return folder;
	if (flock(folder, LOCK_EX | LOCK_NB) == 0)
		return fd_take(&folder);
	if (errno != EWOULDBLOCK)
		return error_set(why, -errno, "%s/" COPY_FOLDER ": %s", git_folder,
				 strerror(errno));
	return error_set_code(why, -EBUSY, ERROR_RESOURCE_EXHAUSTED,
			      "another 'cupel improve' is at work in %s; let it end, or end it, and try again",
			      getcwd(path, sizeof(path)) ? path : "this repository");
}

int copy_open(const char *name, struct error *why)
{
	AUTO_CLOSE int folder = -1;
	int r = check_name(name, why);

	if (r < 0)
		return r;
	folder = copy_folder(true, why);
	if (folder < 0)
		return folder;
	if (mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
		return error_set(why, -errno, "copy %s: %s", name, strerror(errno));
	return path_open(folder, name, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, why);
}

/* ---- emptying ---- */

static int empty(int directory, unsigned depth, bool only_folders, struct error *why);

static unsigned deep_count;

/* Each level takes descriptors: what lies deeper becomes a copy, to be removed as one. */
static int move_up(int directory, const char *name, struct error *why)
{
	AUTO_CLOSE int folder = copy_folder(false, why);
	char to[32];

	int r;

	if (folder < 0)
		return folder;
	do {
		snprintf(to, sizeof(to), "deep-%u", deep_count++);
		r = renameat(directory, name, folder, to) < 0 ? -errno : 0;
	} while (r == -EEXIST || r == -ENOTEMPTY);
	return r < 0 ? error_set(why, r, "move %.200s: %s", name, strerror(-r)) : 0;
}

static int remove_entry(int directory, const char *name, unsigned depth, struct error *why)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_set(why, -errno, "remove %.200s: %s", name, strerror(errno));
	if (fchmodat(directory, name, 0700, 0) < 0)	/* a command may have shut it */
		return error_set(why, -errno, "remove %.200s: %s", name, strerror(errno));
	if (depth == DEPTH_MAX)
		return move_up(directory, name, why);
	AUTO_CLOSE int inner = path_open(directory, name, O_RDONLY | O_DIRECTORY, 0,
					 PATH_STRICT, why);
	int r = inner < 0 ? inner : empty(inner, depth + 1, false, why);

	if (r == 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0)
		r = error_set(why, -errno, "remove %.200s: %s", name, strerror(errno));
	return r;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_folder(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(status.st_mode);
}

static int empty(int directory, unsigned depth, bool only_folders, struct error *why)
{
	struct dirent *entry;
	int r = 0;

	DIR *stream = fdopendir(dup(directory));

	if (!stream)
		return error_set(why, -errno, "read a folder: %s", strerror(errno));
	rewinddir(stream);	/* its place is the descriptor's */
	while (r == 0 && (entry = readdir(stream)))
		if (!is_dots(entry->d_name) &&
		    (!only_folders || is_folder(directory, entry->d_name)))
			r = remove_entry(directory, entry->d_name, depth, why);
	closedir(stream);
	return r;
}

int copy_remove(const char *name, struct error *why)
{
	AUTO_CLOSE int folder = -1;
	int r = name ? check_name(name, why) : 0;

	if (r < 0)
		return r;
	folder = copy_folder(false, why);
	if (folder == -ENOENT)
		return 0;
	if (folder < 0)
		return folder;
	if (name)
		return remove_entry(folder, name, 0, why);
	unsigned before;

	do {
		before = deep_count;
		/* Copies are folders: files beside them are of a change being made. */
		r = empty(folder, 0, true, why);
	} while (r == 0 && deep_count > before);
	return r;
}

/* ---- filling ---- */

struct fill {
	git_repository *repository;
	const json_t *files;
	json_t *skipped;
	struct timespec times[2];	/* of every file */
	json_int_t count;
	struct error *why;
};

static const char *content_of(const struct fill *fill, const char *path, size_t *ret_length)
{
	for (size_t i = 0; i < json_array_size(fill->files); i++) {
		const json_t *file = json_array_get(fill->files, i);
		const json_t *content = json_object_get(file, "content");

		if (strcmp(json_string_value(json_object_get(file, "path")), path) == 0) {
			*ret_length = json_string_length(content);
			return json_string_value(content);
		}
	}
	return NULL;
}

int copy_write(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static int write_file(struct fill *fill, int directory, const char *name,
		      const char *data, size_t length, bool executable)
{
	AUTO_CLOSE int fd = openat(directory, name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   executable ? 0755 : 0644);
	int r = fd < 0 ? -errno : copy_write(fd, data, length);

	if (r == 0 && futimens(fd, fill->times) < 0)
		r = -errno;
	fill->count++;
	return r < 0 ? error_set(fill->why, r, "write %.200s: %s", name, strerror(-r)) : 0;
}

/* A link that stays inside: relative, and never higher than its own depth. */
static bool stays_inside(const char *target, size_t length, unsigned depth)
{
	int level = (int)depth;

	if (length == 0 || target[0] == '/')
		return false;
	for (size_t i = 0; i < length; ) {
		size_t end = i;

		while (end < length && target[end] != '/')
			end++;
		if (end - i == 2 && memcmp(target + i, "..", 2) == 0)
			level--;
		else if (end > i && !(end - i == 1 && target[i] == '.'))
			level++;
		if (level < 0)
			return false;
		i = end + 1;
	}
	return true;
}

static int make_link(struct fill *fill, int directory, const char *name,
		     const char *data, size_t length, unsigned depth)
{
	char target[PATH_BYTES_MAX];

	if (length >= sizeof(target) || !stays_inside(data, length, depth)) {
		json_array_append_new(fill->skipped, json_string(name));
		return 0;
	}
	memcpy(target, data, length);
	target[length] = '\0';
	if (symlinkat(target, directory, name) < 0)
		return error_set(fill->why, -errno, "link %.200s: %s", name, strerror(errno));
	return 0;
}

static int fill_blob(struct fill *fill, int directory, const git_tree_entry *entry,
		     const char *path, unsigned depth)
{
	const char *name = git_tree_entry_name(entry);
	git_filemode_t mode = git_tree_entry_filemode(entry);
	git_blob *blob;
	size_t length;
	const char *changed = content_of(fill, path, &length);
	int r;

	if (git_blob_lookup(&blob, fill->repository, git_tree_entry_id(entry)) < 0)
		return git_failure(path, fill->why);
	const char *data = git_blob_rawcontent(blob);
	size_t size = (size_t)git_blob_rawsize(blob);

	if (mode == GIT_FILEMODE_LINK)
		r = make_link(fill, directory, name, data, size, depth);
	else
		r = write_file(fill, directory, name, changed ? changed : data,
			       changed ? length : size, mode == GIT_FILEMODE_BLOB_EXECUTABLE);
	git_blob_free(blob);
	return r;
}

static int fill_tree(struct fill *fill, int directory, const git_tree *tree,
		     const char *prefix, unsigned depth);

static int fill_folder(struct fill *fill, int directory, const git_tree_entry *entry,
		       const char *path, unsigned depth)
{
	const char *name = git_tree_entry_name(entry);
	git_tree *tree;

	if (mkdirat(directory, name, 0755) < 0)
		return error_set(fill->why, -errno, "make %.200s: %s", path, strerror(errno));
	AUTO_CLOSE int inner = path_open(directory, name, O_RDONLY | O_DIRECTORY, 0,
					 PATH_STRICT, fill->why);

	if (inner < 0)
		return inner;
	if (git_tree_lookup(&tree, fill->repository, git_tree_entry_id(entry)) < 0)
		return git_failure(path, fill->why);
	int r = fill_tree(fill, inner, tree, path, depth + 1);

	git_tree_free(tree);
	return r;
}

/* libgit2 lets no entry name be "..", ".git" or hold a slash (odb strictness). */
static int fill_entry(struct fill *fill, int directory, const git_tree_entry *entry,
		      const char *prefix, unsigned depth)
{
	const char *name = git_tree_entry_name(entry);
	char path[PATH_BYTES_MAX];
	int length = snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "/" : "", name);

	if (length < 0 || (size_t)length >= sizeof(path) || depth > DEPTH_MAX)
		return error_set(fill->why, -ENAMETOOLONG, "%.200s: nested too deep", path);
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcasecmp(name, ".git") == 0)
		return error_set(fill->why, -EINVAL, "the tree holds '%.200s'", path);
	if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
		return fill_folder(fill, directory, entry, path, depth);
	if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
		return fill_blob(fill, directory, entry, path, depth);
	json_array_append_new(fill->skipped, json_string(path));	/* a submodule */
	return 0;
}

static int fill_tree(struct fill *fill, int directory, const git_tree *tree,
		     const char *prefix, unsigned depth)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++)
		r = fill_entry(fill, directory, git_tree_entry_byindex(tree, i), prefix, depth);
	return r;
}

int copy_fill(git_repository *repository, const git_commit *commit,
	      const char *name, const json_t *files, json_t *skipped,
	      json_int_t *ret_count, struct error *why)
{
	struct timespec time = { .tv_sec = git_commit_time(commit) };
	struct fill fill = { .repository = repository, .files = files, .skipped = skipped,
			     .times = { time, time }, .why = why };
	git_tree *tree;
	AUTO_CLOSE int copy = copy_open(name, why);

	if (copy < 0)
		return copy;
	int r = empty(copy, 0, false, why);

	if (r < 0)
		return r;
	if (git_commit_tree(&tree, commit) < 0)
		return git_failure("commit", why);
	r = fill_tree(&fill, copy, tree, "", 0);
	git_tree_free(tree);
	*ret_count = fill.count;
	return r;
}

/* ---- protecting ---- */

struct protect {
	struct fill fill;
	int copy;
	const json_t *paths;
	json_t *changed, *missing;
	int result;
};

static bool is_protected(const struct protect *protect, const char *path)
{
	for (size_t i = 0; i < json_array_size(protect->paths); i++)
		if (text_is_below(path, json_string_value(json_array_get(protect->paths, i))))
			return true;
	return false;
}

/* Whether the link there leads to that; -ENOENT if it is none. */
static int leads(int copy, const char *path, const char *target, size_t length)
{
	AUTO_CLOSE int fd = path_open(copy, path, O_PATH | O_NOFOLLOW, 0, PATH_STRICT, NULL);
	char found[PATH_BYTES_MAX];
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", found, sizeof(found));

	return n < 0 ? -ENOENT : (size_t)n == length && memcmp(found, target, length) == 0;
}

/* Whether the file there holds these bytes; -ENOENT if it is no such file. */
static int holds(int copy, const char *path, const char *data, size_t size)
{
	AUTO_CLOSE int fd = path_open(copy, path, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT, NULL);
	struct stat status;
	char buffer[16384];
	size_t at = 0;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return -ENOENT;
	if ((size_t)status.st_size != size)
		return 0;
	while (at < size) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n <= 0 || (size_t)n > size - at || memcmp(buffer, data + at, (size_t)n) != 0)
			return 0;
		at += (size_t)n;
	}
	return 1;
}

/* A folder of the copy; what a build put in its place goes. */
static int enter(int directory, const char *name, struct error *why)
{
	int fd = path_open(directory, name, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, NULL);
	int r = fd < 0 ? remove_entry(directory, name, 0, why) : 0;

	if (fd >= 0 || r < 0)
		return fd >= 0 ? fd : r;
	if (mkdirat(directory, name, 0755) < 0)
		return error_set(why, -errno, "make %.200s: %s", name, strerror(errno));
	return path_open(directory, name, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, why);
}

static int put_back(struct protect *protect, const char *path, const git_tree_entry *entry,
		    const char *data, size_t size)
{
	const git_filemode_t mode = git_tree_entry_filemode(entry);
	AUTO_CLOSE int folder = -1;
	int directory = protect->copy;
	unsigned depth = 0;
	char name[NAME_MAX + 1];

	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1, depth++) {
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		int inner = enter(directory, name, protect->fill.why);

		if (inner < 0)
			return inner;
		if (folder >= 0)
			close(folder);
		directory = folder = inner;
	}
	int r = remove_entry(directory, path, 0, protect->fill.why);

	if (r < 0)
		return r;
	if (mode == GIT_FILEMODE_LINK)
		return make_link(&protect->fill, directory, path, data, size, depth);
	return write_file(&protect->fill, directory, path, data, size,
			  mode == GIT_FILEMODE_BLOB_EXECUTABLE);
}

/* As holds(); a link that leads out of the copy was never there. */
static int is_as_it_was(const struct protect *protect, const char *path, bool is_link,
			const char *data, size_t size)
{
	unsigned depth = 0;

	if (!is_link)
		return holds(protect->copy, path, data, size);
	for (const char *at = path; (at = strchr(at, '/')); at++)
		depth++;
	return stays_inside(data, size, depth) ? leads(protect->copy, path, data, size) : 1;
}

static int on_entry(const char *root, const git_tree_entry *entry, void *payload)
{
	struct protect *protect = payload;
	char path[PATH_BYTES_MAX];
	git_blob *blob;

	snprintf(path, sizeof(path), "%s%s", root, git_tree_entry_name(entry));
	if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB || !is_protected(protect, path))
		return 0;
	if (git_blob_lookup(&blob, protect->fill.repository, git_tree_entry_id(entry)) < 0) {
		protect->result = git_failure(path, protect->fill.why);
		return -1;
	}
	const char *data = git_blob_rawcontent(blob);
	size_t size = (size_t)git_blob_rawsize(blob);
	int same = is_as_it_was(protect, path,
				git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK, data, size);

	if (same != 1) {
		json_array_append_new(same == 0 ? protect->changed : protect->missing,
				      json_string(path));
		protect->result = put_back(protect, path, entry, data, size);
	}
	git_blob_free(blob);
	return protect->result < 0 ? -1 : 0;
}

int copy_protect(git_repository *repository, const git_commit *commit,
		 const char *name, const json_t *paths, json_t *changed,
		 json_t *missing, struct error *why)
{
	struct timespec time = { .tv_sec = git_commit_time(commit) };
	struct protect protect = {
		.fill = { .repository = repository, .times = { time, time }, .why = why },
		.paths = paths, .changed = changed, .missing = missing,
	};
	git_tree *tree;
	AUTO_CLOSE int copy = copy_open(name, why);

	if (copy < 0)
		return copy;
	protect.copy = copy;
	if (git_commit_tree(&tree, commit) < 0)
		return git_failure("commit", why);
	int r = git_tree_walk(tree, GIT_TREEWALK_PRE, on_entry, &protect);

	git_tree_free(tree);
	if (protect.result < 0)
		return protect.result;
	return r < 0 ? git_failure("commit", why) : 0;
}
