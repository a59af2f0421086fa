#include "workers/git/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define LOCK_FILE "cupel.lock"
#define INDEX_LOCK "index.lock"
#define TRIES 100
#define TRY_NS 50000000L
#define NAME_BYTES_MAX 512

/* ---- what a killed one left ---- */

static bool same_file(int folder, const char *name, int fd)
{
	struct stat a, b;

	return fstatat(folder, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * Empty, or the commit of an improvement. git's own is empty for a moment, too,
 * and its rename then fails by name; it is tried only where one of ours was left.
 */
static bool is_ours(git_repository *repository, const char *text, ssize_t length)
{
	git_commit *commit;
	git_oid id;
	bool ours = length == 0;

	if (length >= GIT_OID_HEXSZ && git_oid_fromstrn(&id, text, GIT_OID_HEXSZ) == 0 &&
	    git_commit_lookup(&commit, repository, &id) == 0) {
		ours = strstr(git_commit_message(commit), "\nCupel-") != NULL;
		git_commit_free(commit);
	}
	return ours;
}

static void clear_reference(const struct git_lock *lock, git_repository *repository,
			    const char *name)
{
	char path[NAME_BYTES_MAX + 8], text[64];

	snprintf(path, sizeof(path), "%s.lock", name);
	AUTO_CLOSE int fd = path_open(lock->folder, path, O_RDONLY | O_NONBLOCK, 0,
				      PATH_STRICT, NULL);

	if (fd >= 0 && is_ours(repository, text, read(fd, text, sizeof(text))))
		unlinkat(lock->folder, path, 0);
}

static void clear_up(const struct git_lock *lock, git_repository *repository)
{
	char name[NAME_BYTES_MAX];
	ssize_t length = pread(lock->fd, name, sizeof(name) - 1, 0);

	/* In a folder of our own it may be libgit2's, of one that was killed. */
	if (!git_is_users() || same_file(lock->folder, INDEX_LOCK, lock->fd))
		unlinkat(lock->folder, INDEX_LOCK, 0);
	if (length <= 0)
		return;
	name[length] = '\0';
	clear_reference(lock, repository, name);
}

/* ---- taking and giving ---- */

static int wait_for(int fd, struct error *why)
{
	for (int n = 0; n < TRIES; n++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(why, -errno, LOCK_FILE ": %s", strerror(errno));
		nanosleep(&(struct timespec){ .tv_nsec = TRY_NS }, NULL);
	}
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
			      "another cupel is changing this repository; try again when it has ended");
}

int lock_take(struct git_lock *lock, git_repository *repository, struct error *why)
{
	*lock = (struct git_lock){ .folder = -1, .fd = -1 };
	AUTO_CLOSE int folder = path_open(AT_FDCWD, git_folder, O_RDONLY | O_DIRECTORY, 0,
					  PATH_STRICT, why);

	if (folder < 0)
		return folder;
	AUTO_CLOSE int fd = path_open(folder, LOCK_FILE, O_RDWR | O_CREAT | O_NONBLOCK, 0644,
				      PATH_STRICT, why);

	if (fd < 0)
		return fd;
	int r = wait_for(fd, why);

	if (r < 0)
		return r;
	lock->folder = fd_take(&folder);
	lock->fd = fd_take(&fd);
	clear_up(lock, repository);
	return lock_reference(lock, NULL, why);
}

int lock_index(struct git_lock *lock, struct error *why)
{
	if (linkat(lock->folder, LOCK_FILE, lock->folder, INDEX_LOCK, 0) == 0) {
		lock->index = true;
		return 0;
	}
	if (errno != EEXIST)
		return error_set(why, -errno, INDEX_LOCK ": %s", strerror(errno));
	return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
			      "git is at work here: %s/" INDEX_LOCK " is there; try again when it has ended, or remove that file if no git runs",
			      git_folder);
}

int lock_reference(struct git_lock *lock, const char *name, struct error *why)
{
	size_t length = name ? strlen(name) : 0;

	if (ftruncate(lock->fd, 0) < 0 ||
	    pwrite(lock->fd, name ? name : "", length, 0) != (ssize_t)length)
		return error_set(why, errno ? -errno : -EIO, LOCK_FILE ": %s", strerror(errno));
	return 0;
}

void lock_release(struct git_lock *lock)
{
	struct error ignored;

	if (lock->fd >= 0)
		lock_reference(lock, NULL, &ignored);
	if (lock->index)
		unlinkat(lock->folder, INDEX_LOCK, 0);
	if (lock->folder >= 0)
		close(lock->folder);
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = (struct git_lock){ .folder = -1, .fd = -1 };
}
