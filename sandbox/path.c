#include "sandbox/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

static const uint64_t resolve_of[] = {
	[PATH_HOST] = RESOLVE_NO_MAGICLINKS,
	[PATH_BENEATH] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	[PATH_STRICT] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
};

/* Only of directories: an overlay's files have numbers of their own. */
static bool is_on(int fd, dev_t device)
{
	struct stat status;

	return fstat(fd, &status) == 0 &&
	       (!S_ISDIR(status.st_mode) || status.st_dev == device);
}

/* The next component of the path, which is moved behind it and its slashes. */
static int take_part(const char **path, char ret[NAME_MAX + 1])
{
	size_t length = strcspn(*path, "/");

	if (length == 0 || length > NAME_MAX)
		return length ? -ENAMETOOLONG : -EXDEV;
	snprintf(ret, NAME_MAX + 1, "%.*s", (int)length, *path);
	*path += length + strspn(*path + length, "/");
	return 0;
}

/*
 * The same by one openat(2) a component, inside a sandbox, where the filter
 * cannot read what openat2(2) is asked for and so refuses it. No "..", no
 * symbolic link, no other mount: as strict as PATH_STRICT for any trust below
 * a directory.
 */
static int walk(int directory, const char *path, int flags, mode_t mode)
{
	AUTO_CLOSE int at = fcntl(directory == AT_FDCWD ? -1 : directory, F_DUPFD_CLOEXEC, 0);
	struct stat root;
	char part[NAME_MAX + 1];

	if (at < 0)
		at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 || fstat(at, &root) < 0)
		return -errno;
	for (;;) {
		int r = take_part(&path, part);
		bool last = *path == '\0';

		if (r < 0)
			return r;
		if (strcmp(part, "..") == 0)
			return -EXDEV;
		int fd = last ? openat(at, part, flags | O_NOFOLLOW | O_CLOEXEC, mode) :
				openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		close(at);
		at = fd;
		if (!is_on(at, root.st_dev))
			return -EXDEV;
		if (last)
			return fd_take(&at);
	}
}

int path_open(int directory, const char *path, int flags, mode_t mode,
	      enum path_trust trust, struct error *why)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve_of[trust],
	};
	long fd;

	/* EAGAIN: a rename raced the check of "..", openat2(2) asks to retry. */
	do
		fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && trust != PATH_HOST && (errno == ENOSYS || errno == EPERM)) {
		int r = walk(directory, path, flags, mode);

		if (r >= 0)
			return r;
		errno = -r;
	}
	if (fd < 0)
		return error_set(why, -errno, "open %s: %s", path,
				 strerror(errno));
	return (int)fd;
}

int path_open_if_there(int directory, const char *path, int flags, enum path_trust trust,
		       struct error *why)
{
	int fd = path_open(directory, path, flags, 0, trust, NULL);

	return fd >= 0 || fd == -ENOENT ? fd :
	       error_set(why, fd, "open %s: %s", path, strerror(-fd));
}

int path_open_user_namespace(pid_t pid, struct error *why)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? error_set(why, -errno, "open %s: %s", path, strerror(errno)) : fd;
}

/* The directory of that name, made if it is not there. */
static int enter(int directory, const char *name, enum path_trust trust)
{
	int fd = path_open(directory, name, O_PATH | O_DIRECTORY, 0, trust, NULL);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(directory, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return path_open(directory, name, O_PATH | O_DIRECTORY, 0, trust, NULL);
}

static int make_last(int directory, const char *name, bool is_directory)
{
	if (is_directory)
		return mkdirat(directory, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	int fd = path_open(directory, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0444,
			   PATH_STRICT, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int path_make(int directory, const char *path, bool is_directory,
	      enum path_trust trust, struct error *why)
{
	AUTO_CLOSE int inner = -1;
	const char *rest = path;
	char part[NAME_MAX + 1];
	int at = directory;
	int r;

	while ((r = take_part(&rest, part)) == 0 && *rest) {
		r = enter(at, part, is_directory ? trust : PATH_STRICT);
		if (r < 0)
			break;
		if (inner >= 0)
			close(inner);
		at = inner = r;
	}
	if (r == 0)
		r = make_last(at, part, is_directory);
	return r < 0 ? error_set(why, r, "make %s: %s", path, strerror(-r)) : 0;
}

int path_write(int directory, const char *path, const char *text,
	       struct error *why)
{
	AUTO_CLOSE int fd = path_open(directory, path, O_WRONLY, 0, PATH_HOST, why);

	if (fd < 0)
		return fd;
	ssize_t written = write(fd, text, strlen(text));
	if (written != (ssize_t)strlen(text))
		return error_set(why, written < 0 ? -errno : -EIO, "write %s: %s",
				 path, written < 0 ? strerror(errno) : "short");
	return 0;
}
