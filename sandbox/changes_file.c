#include "sandbox/changes_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define BLOCK_BYTES 65536
#define COPY_BYTES_MAX (1 << 30)	/* of one sendfile(2) */

int file_set_mode(int fd, mode_t mode)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fchmodat(-1, path, mode, 0) < 0 ? -errno : 0;
}

static int widen_mode(int root, const char *path, mode_t mode, struct error *why)
{
	AUTO_CLOSE int fd = path_open(root, path, O_PATH | O_NOFOLLOW, 0,
				      PATH_STRICT, why);

	if (fd < 0)
		return fd;
	int r = file_set_mode(fd, mode);

	return r == 0 ? 0 : error_set(why, r, "chmod %s: %s", path, strerror(-r));
}

int file_open(int root, const char *path, int flags, bool widen,
	      struct error *why)
{
	mode_t want = flags & O_DIRECTORY ? S_IFDIR : S_IFREG;
	struct stat status;

	/* Without O_NONBLOCK a fifo put there meanwhile would hold us up. */
	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	AUTO_CLOSE int fd = path_open(root, path, flags, 0, PATH_STRICT, why);

	if (fd == -EACCES && widen) {
		int r = widen_mode(root, path, want == S_IFDIR ? 0700 : 0600, why);

		if (r < 0)
			return r;
		fd = path_open(root, path, flags, 0, PATH_STRICT, why);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return error_set(why, -errno, "stat %s: %s", path, strerror(errno));
	if ((status.st_mode & S_IFMT) != want)
		return error_set(why, -ESTALE, "%s was replaced meanwhile", path);
	return fd_take(&fd);
}

int file_parent(int root, const char *path, const char **ret_name,
		struct error *why)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return path_open(root, ".", O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);
	if ((size_t)(slash - path) >= sizeof(directory))
		return error_set(why, -ENAMETOOLONG, "path too long: %.80s", path);
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	return path_open(root, directory, O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);
}

/* Reads on until the buffer is full or the file ends. */
static ssize_t read_block(int fd, char *buffer, off_t offset)
{
	size_t used = 0;

	while (used < BLOCK_BYTES) {
		ssize_t n = pread(fd, buffer + used, BLOCK_BYTES - used,
				  offset + (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

bool file_same_content(int a, int b, uint64_t bytes_max)
{
	char block_a[BLOCK_BYTES], block_b[BLOCK_BYTES];
	struct stat status_a, status_b;
	off_t offset = 0;
	ssize_t n;

	if (fstat(a, &status_a) < 0 || fstat(b, &status_b) < 0 ||
	    status_a.st_size != status_b.st_size ||
	    (uint64_t)status_a.st_size > bytes_max)
		return false;
	do {
		n = read_block(a, block_a, offset);
		if (n < 0 || read_block(b, block_b, offset) != n ||
		    memcmp(block_a, block_b, (size_t)n) != 0)
			return false;
		offset += n;
	} while (n > 0);
	return true;
}

ssize_t file_read_link(int directory, const char *name, char *ret, size_t size)
{
	ssize_t n = readlinkat(directory, name, ret, size);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	ret[n] = '\0';
	return n;
}

bool file_same_link(int directory_a, const char *a, int directory_b,
		    const char *b)
{
	char target_a[PATH_MAX], target_b[PATH_MAX];
	ssize_t length = file_read_link(directory_a, a, target_a, sizeof(target_a));

	return length >= 0 &&
	       length == file_read_link(directory_b, b, target_b, sizeof(target_b)) &&
	       memcmp(target_a, target_b, (size_t)length) == 0;
}

/* ---- user attributes; xattr(7) ---- */

static bool is_carried(const char *name)
{
	return strncmp(name, "user.", 5) == 0 &&
	       strncmp(name, "user.overlay.", 13) != 0;
}

/* The names one after another, terminated; NULL when there are none. */
static char *list_attributes(int fd, ssize_t *ret_bytes)
{
	char *names = NULL;

	*ret_bytes = flistxattr(fd, NULL, 0);
	if (*ret_bytes > 0)
		names = malloc(XATTR_LIST_MAX);
	*ret_bytes = names ? flistxattr(fd, names, XATTR_LIST_MAX) : 0;
	return names;
}

/* Calls a function for each name carried; stops at its first error. */
static int each_attribute(int from, int to,
			  int (*function)(int, int, const char *, char *))
{
	ssize_t bytes;
	AUTO_FREE char *names = list_attributes(from, &bytes);
	AUTO_FREE char *value = bytes > 0 ? malloc(2 * XATTR_SIZE_MAX) : NULL;
	int r = 0;

	if (bytes > 0 && !value)
		return -ENOMEM;
	for (char *name = names; r == 0 && bytes > 0 && name < names + bytes;
	     name += strlen(name) + 1)
		if (is_carried(name))
			r = function(from, to, name, value);
	return r;
}

static int copy_attribute(int from, int to, const char *name, char *value)
{
	ssize_t length = fgetxattr(from, name, value, XATTR_SIZE_MAX);

	if (length < 0)
		return errno == ENODATA ? 0 : -errno;
	/* A file system without them loses them, as with cp(1). */
	if (fsetxattr(to, name, value, (size_t)length, 0) < 0 && errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

static int compare_attribute(int from, int to, const char *name, char *value)
{
	ssize_t length = fgetxattr(from, name, value, XATTR_SIZE_MAX);
	char *other = value + XATTR_SIZE_MAX;

	return length < 0 || fgetxattr(to, name, other, XATTR_SIZE_MAX) != length ||
	       memcmp(value, other, (size_t)length) != 0;
}

bool file_same_attributes(int a, int b)
{
	return each_attribute(a, b, compare_attribute) == 0 &&
	       each_attribute(b, a, compare_attribute) == 0;
}

int file_copy_attributes(int from, int to, struct error *why)
{
	int r = each_attribute(from, to, copy_attribute);

	return r == 0 ? 0 : error_set(why, r, "copy attributes: %s", strerror(-r));
}

/* ---- content ---- */

/* From offset to end; a file that shrinks meanwhile ends early. */
static int copy_range(int from, int to, off_t offset, off_t end)
{
	if (lseek(to, offset, SEEK_SET) < 0)
		return -errno;
	while (offset < end) {
		off_t left = end - offset;
		ssize_t n = sendfile(to, from, &offset,
				     (size_t)(left < COPY_BYTES_MAX ? left : COPY_BYTES_MAX));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
	}
	return 0;
}

/* Hole by hole: a sparse file may claim more bytes than any disk has. */
static int copy_content(int from, int to, off_t size)
{
	off_t data = 0, hole;

	if (ftruncate(to, size) < 0)
		return -errno;
	while (data < size) {
		data = lseek(from, data, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		if (hole > size)
			hole = size;
		int r = copy_range(from, to, data, hole);

		if (r < 0)
			return r;
		data = hole;
	}
	return 0;
}

int file_copy(int from, int to, struct error *why)
{
	struct stat status;

	if (fstat(from, &status) < 0)
		return error_set(why, -errno, "stat: %s", strerror(errno));
	int r = copy_content(from, to, status.st_size);

	if (r < 0)
		return error_set(why, r, "copy: %s", strerror(-r));
	r = file_copy_attributes(from, to, why);
	if (r < 0)
		return r;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, status.st_mtim };

	if (futimens(to, times) < 0)
		return error_set(why, -errno, "set times: %s", strerror(errno));
	return 0;
}
