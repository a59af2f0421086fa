#include "workers/git/walk.h"

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

#define PATH_BYTES_MAX 4096

static int take_link(const struct walk *walk, int directory, const char *name,
		     const char *path, mode_t mode)
{
	uint8_t target[PATH_BYTES_MAX];
	ssize_t length = readlinkat(directory, name, (char *)target, sizeof(target));

	return length < 0 ? 0 : walk->take(walk->owner, path, mode,
					   (struct span){ target, (size_t)length });
}

/* Read, not mapped: somebody may cut it meanwhile. */
static int take_file(const struct walk *walk, int directory, const char *name,
		     const char *path)
{
	AUTO_CLOSE int fd = path_open(directory, name, O_RDONLY | O_NONBLOCK, 0, PATH_STRICT,
				      walk->why);
	struct stat status;
	size_t at = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	if (status.st_size > WALK_FILE_BYTES_MAX)
		return error_set_code(walk->why, -EFBIG, ERROR_FAILED_PRECONDITION,
				      "%s is larger than %ld MiB", path,
				      WALK_FILE_BYTES_MAX >> 20);
	AUTO_FREE uint8_t *data = malloc((size_t)status.st_size + 1);

	if (!data)
		return error_set(walk->why, -ENOMEM, "out of memory");
	while (at < (size_t)status.st_size) {
		ssize_t n = read(fd, data + at, (size_t)status.st_size - at);

		if (n <= 0)
			return error_set(walk->why, n < 0 ? -errno : -EAGAIN,
					 "%s changes while it is read", path);
		at += (size_t)n;
	}
	return walk->take(walk->owner, path, status.st_mode, (struct span){ data, at });
}

static int visit_folder(const struct walk *walk, int directory, const char *prefix,
			unsigned depth);

static int visit(const struct walk *walk, int directory, const char *name,
		 const char *prefix, unsigned depth)
{
	char path[PATH_BYTES_MAX];
	struct stat status;
	size_t length;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	length = (size_t)snprintf(path, sizeof(path), "%s%s", prefix, name);
	if (length >= sizeof(path) - 1)
		return error_set(walk->why, -ENAMETOOLONG, "%.200s...: the path is too long", path);
	if (walk->skips && walk->skips(walk->owner, path, name, S_ISDIR(status.st_mode)))
		return 0;
	if (S_ISLNK(status.st_mode))
		return take_link(walk, directory, name, path, status.st_mode);
	if (S_ISREG(status.st_mode))
		return take_file(walk, directory, name, path);
	if (!S_ISDIR(status.st_mode) || depth == WALK_DEPTH_MAX)
		return 0;
	AUTO_CLOSE int inner = path_open(directory, name, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT,
					 walk->why);

	memcpy(path + length, "/", 2);
	return inner < 0 ? inner : visit_folder(walk, inner, path, depth + 1);
}

static int visit_folder(const struct walk *walk, int directory, const char *prefix,
			unsigned depth)
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

int walk_files(const struct walk *walk, int directory)
{
	return visit_folder(walk, directory, "", 0);
}
