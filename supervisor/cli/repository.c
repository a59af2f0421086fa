#include "supervisor/cli/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/path.h"

#define CONFIG_BYTES_MAX (256U << 10)

/* ---- where ---- */

static bool holds(const char *directory, const char *entry)
{
	char path[PATH_MAX + NAME_MAX];
	struct stat about;

	snprintf(path, sizeof(path), "%s/%s", directory, entry);
	return lstat(path, &about) == 0;
}

static int say_missing(const char *start, const char *entry, struct error *why)
{
	return error_set(why, -ENOENT,
			 "there is no %s in %s or above; 'cupel init' writes a first one", entry,
			 start);
}

int repository_find(const char *start, const char *entry, char ret[PATH_MAX],
		    struct error *why)
{
	char path[PATH_MAX];

	if (!realpath(start, path))
		return error_set(why, -errno, "%s: %s", start, strerror(errno));
	for (char *end;; *end = '\0') {
		if (holds(path, entry)) {
			snprintf(ret, PATH_MAX, "%s", path);
			return 0;
		}
		end = strrchr(path, '/');
		if (!end || end == path)
			return say_missing(start, entry, why);
	}
}

static bool is_directory(const char *parent, const char *entry)
{
	char path[PATH_MAX + NAME_MAX];
	struct stat about;

	snprintf(path, sizeof(path), "%s/%s", parent, entry);
	return lstat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

int repository_top(const char *start, char ret[PATH_MAX], struct error *why)
{
	struct error ignored;

	return repository_find(start, ".git", ret, &ignored) == 0 ? 0 :
	       repository_find(start, REPOSITORY_CONFIG, ret, why);
}

int repository_open(struct repository *ret, const char *start, bool copies,
		    struct error *why)
{
	int r;

	*ret = (struct repository){ 0 };
	r = copies ? repository_top(start, ret->path, why) :
		     repository_find(start, REPOSITORY_CONFIG, ret->path, why);
	if (r < 0 || !copies)
		return r;
	ret->folder = holds(ret->path, ".git") ? ".git" : ".cupel";
	if (holds(ret->path, ".git") && !is_directory(ret->path, ".git"))
		return error_set(why, -ENOTSUP,
				 "%s is a linked worktree or a submodule; work in a clone of its own: git clone %s",
				 ret->path, ret->path);
	if (holds(ret->path, ret->folder) && !is_directory(ret->path, ret->folder))
		return error_set(why, -ENOTSUP, "%s/%s is no folder; remove it, and try again",
				 ret->path, ret->folder);
	return holds(ret->path, REPOSITORY_CONFIG) ? 0 :
	       say_missing(ret->path, REPOSITORY_CONFIG, why);
}

void repository_at(struct repository *ret, const char *path)
{
	*ret = (struct repository){ 0 };
	snprintf(ret->path, sizeof(ret->path), "%s", path);
}

/* ---- what it says ---- */

int repository_config(const struct repository *repository, char **ret,
		      struct error *why)
{
	char path[PATH_MAX + NAME_MAX];
	AUTO_FREE char *text = malloc(CONFIG_BYTES_MAX + 1);

	snprintf(path, sizeof(path), "%s/" REPOSITORY_CONFIG, repository->path);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (!text)
		return error_set(why, -ENOMEM, "out of memory");
	ssize_t length = fd < 0 ? -1 : read(fd, text, CONFIG_BYTES_MAX + 1);

	if (length < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (length > CONFIG_BYTES_MAX)
		return error_set(why, -EFBIG, "%s is longer than %u bytes", path,
				 CONFIG_BYTES_MAX);
	text[length] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

/* ---- handing it over ---- */

static int keep(struct repository *repository, struct connection *connection,
		int directory, const char *name, uint32_t *ret_number, struct error *why)
{
	int fd = connect_workspace_at(connection, directory, name, ret_number, why);

	if (fd >= 0)
		repository->fds[repository->fd_count++] = fd;
	return fd < 0 ? fd : 0;
}

static int register_copy(struct repository *repository,
			 struct connection *connection, int top, size_t index,
			 struct error *why)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%s/cupel/%c", repository->folder, (char)('a' + index));
	r = path_make(top, name, true, PATH_STRICT, why);
	if (r < 0)
		return r;
	AUTO_CLOSE int fd = path_open(top, name, O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);

	return fd < 0 ? fd : keep(repository, connection, fd, name,
				  &repository->copies[index], why);
}

int repository_register(struct repository *repository,
			struct connection *connection, bool copies,
			struct error *why)
{
	AUTO_CLOSE int top = path_open(PATH_ABSOLUTE, repository->path,
				       O_PATH | O_DIRECTORY, 0, PATH_HOST, why);
	int r = top < 0 ? top : keep(repository, connection, top, repository->path,
				     &repository->number, why);

	for (size_t i = 0; r == 0 && copies && i < REPOSITORY_COPIES; i++)
		r = register_copy(repository, connection, top, i, why);
	return r;
}

void repository_release(struct repository *repository)
{
	for (size_t i = 0; i < repository->fd_count; i++)
		close(repository->fds[i]);
	repository->fd_count = 0;
}
