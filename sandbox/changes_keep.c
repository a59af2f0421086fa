#include "sandbox/changes_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/changes_file.h"
#include "sandbox/commit_owner.h"
#include "sandbox/path.h"

#define SYSTEM_STATE "/var/lib"
#define STATE_BELOW "cupel/commits"
#define NAMES_TRIED 100

struct keep {
	int directory;
	int tree;		/* "tree" in it */
	int upper;
	const struct owner *owner;
	struct error *why;
};

static int fail(struct error *why, const char *what, const char *path)
{
	return error_set(why, -errno, "%s %s: %s", what, path, strerror(errno));
}

/* ---- where ---- */

/* Absolute, or it does not count (XDG Base Directory Specification). */
static int state_home(char ret[PATH_MAX], struct error *why)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int length;

	if (geteuid() == 0)
		length = snprintf(ret, PATH_MAX, SYSTEM_STATE "/" STATE_BELOW);
	else if (state && state[0] == '/')
		length = snprintf(ret, PATH_MAX, "%s/" STATE_BELOW, state);
	else if (home && home[0] == '/')
		length = snprintf(ret, PATH_MAX, "%s/.local/state/" STATE_BELOW, home);
	else
		return error_set(why, -ENOENT,
				 "nowhere to keep changes: HOME is not set");
	return length < PATH_MAX ? 0 : error_set(why, -ENAMETOOLONG, "HOME is too long");
}

int keep_open_state(struct error *why)
{
	char path[PATH_MAX];
	const char *below = path;	/* the root */
	struct stat status;
	int r = state_home(path, why);

	if (r < 0)
		return r;
	AUTO_CLOSE int root = path_open(PATH_ABSOLUTE, "/", O_PATH | O_DIRECTORY, 0,
					PATH_HOST, why);

	below += strspn(path, "/");
	r = root < 0 ? root : path_make(root, below, true, PATH_HOST, why);
	if (r < 0)
		return r;
	AUTO_CLOSE int state = path_open(root, below, O_RDONLY | O_DIRECTORY, 0,
					 PATH_HOST, why);

	if (state < 0)
		return state;
	if (fstat(state, &status) < 0)
		return fail(why, "stat", path);
	if (status.st_uid != geteuid())
		return error_set(why, -EPERM, "%s belongs to someone else", path);
	/* Owners of workspaces pass through root's to what is theirs. */
	if (fchmod(state, geteuid() == 0 ? 0711 : 0700) < 0)
		return fail(why, "chmod", path);
	return fd_take(&state);
}

static int make_directory(int parent, const char *name, const struct owner *owner,
			  struct error *why)
{
	if (mkdirat(parent, name, 0700) < 0)
		return fail(why, "mkdir", name);
	AUTO_CLOSE int fd = path_open(parent, name, O_RDONLY | O_DIRECTORY, 0,
				      PATH_STRICT, why);

	if (fd < 0)
		return fd;
	if (owner->other && fchown(fd, owner->uid, owner->gid) < 0)
		return fail(why, "chown", name);
	return fd_take(&fd);
}

int keep_create(int state, const struct owner *owner, char ret_name[KEEP_NAME_BYTES],
		struct error *why)
{
	time_t now = time(NULL);
	struct tm utc;
	char when[24], name[KEEP_NAME_BYTES];
	int r = -EEXIST;

	if (!gmtime_r(&now, &utc))
		return error_set(why, -EOVERFLOW, "the wall clock is beyond all dates");
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &utc);
	for (int i = 0; r == -EEXIST && i < NAMES_TRIED; i++) {
		snprintf(name, sizeof(name), "%s-%d.%d", when, getpid(), i);
		r = make_directory(state, name, owner, why);
	}
	if (r >= 0)
		memcpy(ret_name, name, sizeof(name));
	return r;
}

int keep_create_at(const char *path, struct error *why)
{
	char parent[PATH_MAX];
	struct owner self;
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (path[0] != '/' || length >= sizeof(parent))
		return error_set(why, -EINVAL, "no absolute path: '%.80s'", path);
	memcpy(parent, path, length);
	parent[length] = '\0';
	char *name = strrchr(parent, '/') + 1;

	name[-1] = '\0';
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, name > parent + 1 ? parent : "/",
				      O_PATH | O_DIRECTORY, 0, PATH_HOST, why);

	if (fd < 0)
		return fd;
	owner_init_self(&self);
	return make_directory(fd, name, &self, why);
}

/* ---- what ---- */

/* As file_parent(), making the directories that are not there. */
static int make_parent(int root, const char *path, const char **ret_name,
		       struct error *why)
{
	AUTO_CLOSE int fd = file_parent(root, path, ret_name, why);

	if (fd != -ENOENT)
		return fd_take(&fd);
	fd = path_open(root, ".", O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);
	for (const char *slash; fd >= 0 && (slash = strchr(path, '/'));
	     path = slash + 1) {
		char name[NAME_MAX + 1];
		int length = snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);

		if (length > NAME_MAX)
			return error_set(why, -ENAMETOOLONG, "name too long: %.80s", path);
		if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
			return fail(why, "mkdir", name);
		int next = path_open(fd, name, O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);

		close(fd);
		fd = next;
	}
	return fd_take(&fd);
}

static int put_directory(struct keep *k, const struct change *row, int from,
			 int parent, const char *name)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return fail(k->why, "mkdir", row->path);
	AUTO_CLOSE int to = file_open(parent, name, O_DIRECTORY, false, k->why);

	if (to < 0)
		return to;
	if (fchmod(to, (row->mode & 0777) | 0700) < 0)
		return fail(k->why, "chmod", row->path);
	return file_copy_attributes(from, to, k->why);
}

static int put_file(struct keep *k, const struct change *row, int from, int parent,
		    const char *name)
{
	AUTO_CLOSE int to = path_open(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600,
				      PATH_STRICT, k->why);

	if (to < 0)
		return to;
	int r = file_copy(from, to, k->why);

	if (r == 0 && fchmod(to, (row->mode & 0777) | 0600) < 0)
		r = fail(k->why, "chmod", row->path);
	return r;
}

static int read_target(struct keep *k, const struct change *row, char ret[PATH_MAX])
{
	const char *name;
	AUTO_CLOSE int parent = file_parent(k->upper, row->path, &name, k->why);

	if (parent < 0)
		return parent;
	ssize_t length = file_read_link(parent, name, ret, PATH_MAX);

	return length >= 0 ? 0 : error_set(k->why, (int)length, "read link %s: %s",
					   row->path, strerror((int)-length));
}

static int put(struct keep *k, const struct change *row, int from, const char *target)
{
	const char *name;
	AUTO_CLOSE int parent = make_parent(k->tree, row->path, &name, k->why);

	if (parent < 0)
		return parent;
	if (row->kind == KIND_DIRECTORY)
		return put_directory(k, row, from, parent, name);
	if (row->kind == KIND_FILE)
		return put_file(k, row, from, parent, name);
	return symlinkat(target, parent, name) < 0 ?
		       fail(k->why, "symlink", row->path) : 0;
}

/* Reads as ourselves, writes as the owner. */
static int keep_row(struct keep *k, const struct change *row)
{
	AUTO_CLOSE int from = -1;
	char target[PATH_MAX];
	int r = 0;

	if (row->kind == KIND_NONE || row->kind == KIND_SPECIAL)
		return 0;
	if (row->kind == KIND_LINK)
		r = read_target(k, row, target);
	else
		r = from = file_open(k->upper, row->path,
				     row->kind == KIND_DIRECTORY ? O_DIRECTORY : 0,
				     true, k->why);
	if (r < 0)
		return r;
	owner_become(k->owner);
	r = put(k, row, from, target);
	owner_return(k->owner);
	return r;
}

static int open_tree_directory(struct keep *k)
{
	owner_become(k->owner);
	if (mkdirat(k->directory, "tree", 0700) == 0)
		k->tree = path_open(k->directory, "tree", O_PATH | O_DIRECTORY, 0,
				    PATH_STRICT, k->why);
	else
		k->tree = fail(k->why, "mkdir", "tree");
	owner_return(k->owner);
	return k->tree;
}

static int write_list(struct keep *k, const struct changes *changes,
		      const struct changes_origin *origin)
{
	owner_become(k->owner);
	int fd = path_open(k->directory, "changes", O_WRONLY | O_CREAT | O_EXCL, 0600,
			   PATH_STRICT, k->why);

	owner_return(k->owner);
	return fd < 0 ? fd : list_write(fd, changes, origin, k->why);
}

int keep_write(int directory, int upper, const struct changes *changes,
	       const struct changes_origin *origin, const struct owner *owner,
	       struct error *why)
{
	AUTO_CLOSE int top = path_open(upper, "upper", O_PATH | O_DIRECTORY, 0,
				       PATH_STRICT, why);
	struct keep k = { .directory = directory, .tree = -1, .upper = top,
			  .owner = owner, .why = why };

	if (top < 0)
		return top;
	int r = open_tree_directory(&k);
	AUTO_CLOSE int tree = k.tree;

	for (const struct change *row = changes->first; r >= 0 && row; row = row->next)
		r = keep_row(&k, row);
	if (r >= 0)
		r = write_list(&k, changes, origin);
	if (r >= 0 && syncfs(directory) < 0)
		r = fail(why, "sync", "the kept changes");
	return r < 0 ? r : 0;
}

/* ---- away ---- */

/*
 * The row's own file, then each directory above that is empty now. What is
 * gone was removed before an interruption.
 */
static void forget_row(int tree, const struct change *row)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s", row->path) >= sizeof(path))
		return;
	for (int flags = row->kind == KIND_DIRECTORY ? AT_REMOVEDIR : 0;;
	     flags = AT_REMOVEDIR) {
		const char *name;
		AUTO_CLOSE int parent = file_parent(tree, path, &name, NULL);
		char *slash = strrchr(path, '/');

		if (parent >= 0 && unlinkat(parent, name, flags) < 0 && errno != ENOENT)
			return;
		if (!slash)
			return;
		*slash = '\0';
	}
}

static void forget_all(int directory, const struct changes *changes)
{
	AUTO_CLOSE int tree = path_open(directory, "tree", O_PATH | O_DIRECTORY, 0,
					PATH_STRICT, NULL);

	for (const struct change *row = changes->last; tree >= 0 && row; row = row->prev)
		forget_row(tree, row);
	unlinkat(directory, "tree", AT_REMOVEDIR);
	unlinkat(directory, KEEP_BEGUN, 0);
	unlinkat(directory, "changes", 0);
}

void keep_forget(int state, const char *name, const struct changes *changes,
		 const struct owner *owner)
{
	char done[KEEP_NAME_BYTES + sizeof(KEEP_DONE)];
	bool again = strncmp(name, KEEP_DONE, strlen(KEEP_DONE)) == 0;

	snprintf(done, sizeof(done), "%s%s", again ? "" : KEEP_DONE, name);
	if (!again && renameat(state, name, state, done) < 0)
		return;
	owner_become(owner);
	AUTO_CLOSE int directory = path_open(state, done, O_PATH | O_DIRECTORY, 0,
					     PATH_STRICT, NULL);

	if (directory >= 0)
		forget_all(directory, changes);
	owner_return(owner);
	unlinkat(state, done, AT_REMOVEDIR);
}
