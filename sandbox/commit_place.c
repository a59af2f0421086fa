#include "sandbox/commit_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/core/deadline.h"
#include "common/error.h"
#include "sandbox/changes_file.h"
#include "sandbox/path.h"

static int fail(const struct place *place, const char *what, const struct change *row)
{
	return error_set(place->why, -errno, "%s %s: %s", what, row->path,
			 strerror(errno));
}

static int64_t time_ns(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

/* ---- may it? ---- */

/* The directory of the row, or -ENOENT if the workspace has none such. */
static int open_parent(const struct place *place, const struct change *row,
		       const char **ret_name)
{
	int fd = file_parent(place->workspace, row->path, ret_name, place->why);

	return fd == -ENOTDIR || fd == -ELOOP ? -ENOENT : fd;
}

static bool has_same_file(const struct place *place, const struct change *row,
			  int parent, const char *name, const struct stat *now)
{
	AUTO_CLOSE int ours = file_open(place->tree, row->path, 0, false, NULL);
	AUTO_CLOSE int there = file_open(parent, name, 0, false, NULL);

	if ((now->st_mode & 07777) != (row->mode & 0777) ||
	    (uint64_t)now->st_size != row->size || ours < 0)
		return false;
	if (there == -EACCES)
		return time_ns(&now->st_mtim) == row->modified_ns;
	return there >= 0 && file_same_content(ours, there, UINT64_MAX);
}

static bool is_done(const struct place *place, const struct change *row, int parent,
		    const char *name, const struct stat *now)
{
	const char *kept_name;

	if (file_kind_of(now) != row->kind)
		return false;
	if (row->kind == KIND_FILE)
		return has_same_file(place, row, parent, name, now);
	AUTO_CLOSE int kept_parent = file_parent(place->tree, row->path, &kept_name, NULL);

	return row->kind == KIND_LINK && kept_parent >= 0 &&
	       file_same_link(parent, name, kept_parent, kept_name);
}

/* What is there is what the run saw. A directory's times say nothing. */
static bool is_untouched(const struct place *place, const struct change *row,
			 const struct stat *now)
{
	if (file_kind_of(now) != row->was)
		return false;
	if (row->was == KIND_DIRECTORY || time_ns(&now->st_ctim) <= place->started_ns)
		return true;
	return place->begun && time_ns(&now->st_mtim) <= place->started_ns;
}

static enum place_state judge_absent(const struct change *row)
{
	if (row->verb == CHANGE_DELETED)
		return PLACE_DONE;
	/* A change of kind passes through nothing. */
	return row->verb == CHANGE_ADDED || row->verb == CHANGE_TYPE ?
		       PLACE_READY : PLACE_CONFLICT;
}

int place_judge(const struct place *place, const struct change *row)
{
	const char *name;
	struct stat now;
	AUTO_CLOSE int parent = open_parent(place, row, &name);

	if (parent < 0)
		return parent == -ENOENT ? (int)judge_absent(row) : parent;
	if (fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? (int)judge_absent(row) :
					 fail(place, "stat", row);
	if (row->kind == KIND_DIRECTORY && S_ISDIR(now.st_mode))
		return PLACE_READY;
	if (is_untouched(place, row, &now))
		return PLACE_READY;
	return is_done(place, row, parent, name, &now) ? PLACE_DONE : PLACE_CONFLICT;
}

/* ---- directories ---- */

static int change_mode(const struct place *place, const struct change *row,
		       mode_t keep, mode_t set)
{
	const char *name;
	struct stat now;
	AUTO_CLOSE int parent = open_parent(place, row, &name);

	if (parent < 0)
		return parent;
	AUTO_CLOSE int fd = path_open(parent, name, O_PATH | O_DIRECTORY, 0,
				      PATH_STRICT, place->why);

	if (fd < 0)
		return fd;
	if (fstat(fd, &now) < 0)
		return fail(place, "stat", row);
	mode_t mode = (now.st_mode & keep) | set;

	if (mode == (now.st_mode & 07777))
		return 0;
	int r = file_set_mode(fd, mode);

	return r == 0 ? 0 : error_set(place->why, r, "chmod %s: %s", row->path,
				      strerror(-r));
}

int place_widen(const struct place *place, const struct change *row)
{
	int r = change_mode(place, row, 07777, 0700);

	/* Gone already, or another kind of file by now. */
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

/* The group bit is the workspace's own: it says whom new files belong to. */
int place_settle(const struct place *place, const struct change *row)
{
	return change_mode(place, row, S_ISGID, row->mode & 01777);
}

static int put_directory(const struct place *place, const struct change *row,
			 int parent, const char *name)
{
	if (row->verb == CHANGE_TYPE && unlinkat(parent, name, 0) < 0 &&
	    errno != ENOENT && errno != EISDIR)
		return fail(place, "remove", row);
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return fail(place, "mkdir", row);
	int r = place_widen(place, row);

	if (r < 0 || row->verb == CHANGE_ATTRIBUTES)
		return r;
	AUTO_CLOSE int from = file_open(place->tree, row->path, O_DIRECTORY, false,
					place->why);
	AUTO_CLOSE int to = file_open(parent, name, O_DIRECTORY, false, place->why);

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	return file_copy_attributes(from, to, place->why);
}

/* ---- files and links ---- */

/* What is to appear: an open file that has no name yet, or a link's target. */
struct draft {
	int fd;			/* -1: a link */
	bool named;		/* it has had to be given a name at once */
	char target[PATH_MAX];
};

static int give_name(const struct draft *draft, int directory, const char *name)
{
	char path[32];

	if (draft->fd < 0)
		return symlinkat(draft->target, directory, name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", draft->fd);
	return linkat(-1, path, directory, name, AT_SYMLINK_FOLLOW);
}

static int publish_new(const struct place *place, const struct draft *draft,
		       int parent, const char *name)
{
	if (!draft->named)
		return give_name(draft, parent, name) < 0 ? -errno : 0;
	if (renameat2(parent, place->draft, parent, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)	/* a network file system may not know how */
		return -errno;
	return renameat(parent, place->draft, parent, name) < 0 ? -errno : 0;
}

/*
 * Over what is there. The name in between is best in a directory that is not
 * the user's, where nobody sees it if we are killed at this very moment.
 */
static int publish_over(const struct place *place, const struct draft *draft,
			int parent, const char *name)
{
	const int holders[] = { place->kept, parent };
	int r = -EXDEV;

	if (draft->named)
		return renameat(parent, place->draft, parent, name) < 0 ? -errno : 0;
	for (size_t i = 0; r == -EXDEV && i < COUNT(holders); i++) {
		if (give_name(draft, holders[i], place->draft) < 0) {
			r = -errno;
			continue;
		}
		r = renameat(holders[i], place->draft, parent, name) < 0 ? -errno : 0;
		if (r < 0)
			unlinkat(holders[i], place->draft, 0);
	}
	return r;
}

static int open_draft(struct place *place, int parent, struct draft *draft)
{
	int fd = -EOPNOTSUPP;

	if (!place->named)
		fd = path_open(parent, ".", O_TMPFILE | O_RDWR, 0600, PATH_STRICT,
			       place->why);
	place->named = fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL;
	if (place->named)
		fd = path_open(parent, place->draft, O_RDWR | O_CREAT | O_EXCL, 0600,
			       PATH_STRICT, place->why);
	draft->named = place->named && fd >= 0;
	draft->fd = fd;
	return fd < 0 ? fd : 0;
}

static int fill_file(struct place *place, const struct change *row, int parent,
		     struct draft *draft)
{
	AUTO_CLOSE int from = file_open(place->tree, row->path, 0, false, place->why);

	if (from < 0)
		return from;
	int r = open_draft(place, parent, draft);

	if (r == 0)
		r = file_copy(from, draft->fd, place->why);
	if (r == 0 && fchmod(draft->fd, row->mode & 0777) < 0)
		r = fail(place, "chmod", row);
	return r;
}

static int fill_link(const struct place *place, const struct change *row,
		     struct draft *draft)
{
	const char *name;
	AUTO_CLOSE int parent = file_parent(place->tree, row->path, &name, place->why);

	if (parent < 0)
		return parent;
	ssize_t length = file_read_link(parent, name, draft->target, PATH_MAX);

	return length >= 0 ? 0 : error_set(place->why, (int)length, "read link %s: %s",
					   row->path, strerror((int)-length));
}

static int put_file(struct place *place, const struct change *row, int parent,
		    const char *name)
{
	struct draft draft = { .fd = -1 };
	struct stat now;
	int r = row->kind == KIND_LINK ? fill_link(place, row, &draft) :
					 fill_file(place, row, parent, &draft);
	AUTO_CLOSE int fd = draft.fd;

	if (r == 0) {
		bool over = fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) == 0;

		r = over && row->was != KIND_NONE ?
			    publish_over(place, &draft, parent, name) :
			    publish_new(place, &draft, parent, name);
		if (r < 0)
			error_set(place->why, r, "put %s in place: %s", row->path,
				  strerror(-r));
	}
	if (r < 0 && draft.named)
		unlinkat(parent, place->draft, 0);
	return r;
}

int place_put(struct place *place, const struct change *row)
{
	const char *name;
	AUTO_CLOSE int parent = file_parent(place->workspace, row->path, &name,
					    place->why);

	if (parent < 0)
		return parent;
	return row->kind == KIND_DIRECTORY ? put_directory(place, row, parent, name) :
					     put_file(place, row, parent, name);
}

/* ---- away ---- */

int place_remove(const struct place *place, const struct change *row)
{
	const char *name;
	AUTO_CLOSE int parent = open_parent(place, row, &name);

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	if (unlinkat(parent, name, row->was == KIND_DIRECTORY ? AT_REMOVEDIR : 0) < 0 &&
	    errno != ENOENT)
		return fail(place, "remove", row);
	return 0;
}

void place_clean(const struct place *place, const struct change *row)
{
	const char *name;
	AUTO_CLOSE int parent = open_parent(place, row, &name);

	if (parent >= 0)
		unlinkat(parent, place->draft, 0);
}
