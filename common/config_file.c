#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/config.h"

#define SUFFIX ".conf"

/* Opens without waiting, should the path be that of a FIFO. */
static int open_regular(const char *path, struct error *why)
{
	AUTO_CLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(why, -EINVAL, "%s: not a regular file", path);
	return fd_take(&fd);
}

/* Reads to the end of the file or of the buffer; returns the count. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(fd, buffer + length, size - length)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			length += (size_t)n;
	}
	return (ssize_t)length;
}

int config_read(struct config *config, const char *path, struct error *why)
{
	AUTO_CLOSE int fd = open_regular(path, why);

	if (fd < 0)
		return fd;
	/* A byte more, so that config_parse() sees a file that is too long. */
	AUTO_FREE char *text = malloc(CONFIG_BYTES_MAX + 1);

	if (!text)
		return error_set(why, -ENOMEM, "%s: out of memory", path);
	ssize_t length = read_all(fd, text, CONFIG_BYTES_MAX + 1);

	if (length < 0)
		return error_set(why, (int)length, "%s: %s", path,
				 strerror((int)-length));
	return config_parse(config, path,
			    (struct span){ (uint8_t *)text, (size_t)length },
			    why);
}

/* Hidden files are none of ours: editors leave them behind. */
static int is_drop_in(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
	       strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* Not alphasort(3), whose order depends on the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_in(struct config *config, const char *directory,
			const char *name, struct error *why)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		path = NULL;
		return error_set(why, -ENOMEM, "%s: out of memory", directory);
	}
	return config_read(config, path, why);
}

static int read_directory(struct config *config, const char *directory,
			  struct error *why)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_drop_in, compare_names);
	int r = 0;

	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0)
		return error_set(why, -errno, "%s: %s", directory,
				 strerror(errno));
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = read_drop_in(config, directory, entries[i]->d_name,
					 why);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(struct config *config, const char *path, struct error *why)
{
	const char *slash = strrchr(path, '/');
	int folder_length = slash ? (int)(slash - path) + 1 : 0;
	AUTO_FREE char *directory = NULL;
	int r = config_read(config, path, why);

	if (r < 0)
		return r;
	if (asprintf(&directory, "%.*sconf.d", folder_length, path) < 0) {
		directory = NULL;
		return error_set(why, -ENOMEM, "%s: out of memory", path);
	}
	return read_directory(config, directory, why);
}
