#include "sandbox/policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/config.h"
#include "common/error.h"
#include "common/places.h"
#include "common/text.h"
#include "sandbox/path.h"
#include "sandbox/policy_file.h"

#define SYSTEM_DIRECTORY "/etc/cupel/policies"
#define FOUND_MAX 256
#define NAME_CHARACTERS                                                       \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

void policy_init(struct policy *policy, const char *name)
{
	*policy = (struct policy){ .description = "" };
	policy->limits = policy_preset("strict")->limits;
	snprintf(policy->name, sizeof(policy->name), "%s", name);
}

/* In the order of search: the owner's, the system's; false behind the last. */
static bool directory_at(size_t place, char ret[PATH_MAX])
{
	if (place == 1)
		snprintf(ret, PATH_MAX, SYSTEM_DIRECTORY);
	else if (place > 1 || geteuid() == 0 || !places_config("policies", ret))
		ret[0] = '\0';
	return place < 2;
}

/* ---- what there is ---- */

static bool is_bare_name(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) < POLICY_NAME_BYTES &&
	       name[strspn(name, NAME_CHARACTERS)] == '\0';
}

static int add_found(struct policy_found *ret, size_t count, const char *name,
		     const char *path)
{
	size_t place = 0;

	while (place < count && strcmp(ret[place].name, name) != 0)
		place++;
	ret[place] = place < count ? ret[place] : (struct policy_found){ name, path };
	return place == count;
}

static int compare_found(const void *a, const void *b)
{
	const struct policy_found *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Names of NAME.policy in a directory; a missing directory has none. */
static int list_directory(const char *path, struct policy_found *ret,
			  size_t count, size_t capacity, struct arena *arena)
{
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_RDONLY | O_DIRECTORY, 0,
				      PATH_HOST, NULL);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	size_t before = count;
	const struct dirent *entry;

	if (!directory)
		return (int)count;
	fd_take(&fd);
	while (count < capacity && (entry = readdir(directory)) != NULL) {
		size_t length = strlen(entry->d_name);
		size_t suffix = strlen(POLICY_SUFFIX);

		if (length <= suffix ||
		    strcmp(entry->d_name + length - suffix, POLICY_SUFFIX) != 0)
			continue;
		const char *name = arena_text(arena, "%.*s", (int)(length - suffix),
					      entry->d_name);
		const char *file = arena_text(arena, "%s/%s", path, entry->d_name);

		if (!name || !file)
			break;
		if (is_bare_name(name))
			count += (size_t)add_found(ret, count, name, file);
	}
	closedir(directory);
	qsort(ret + before, count - before, sizeof(*ret), compare_found);
	return (int)count;
}

int policy_list(struct policy_found *ret, size_t capacity, struct arena *arena)
{
	const char *const *presets = policy_preset_names();
	char directory[PATH_MAX];
	size_t count = 0;

	for (; count < capacity && presets[count]; count++)
		ret[count] = (struct policy_found){ presets[count], NULL };
	for (size_t i = 0; directory_at(i, directory); i++)
		if (directory[0])
			count = (size_t)list_directory(directory, ret, count,
						       capacity, arena);
	return (int)count;
}

/* ---- one of them ---- */

static int not_found(const char *name, struct arena *arena, struct error *why)
{
	struct policy_found found[FOUND_MAX];
	const char *names[FOUND_MAX + 1] = { NULL };
	int count = policy_list(found, FOUND_MAX, arena);

	for (int i = 0; i < count; i++)
		names[i] = found[i].name;
	const char *nearest = text_nearest(name, names);

	if (nearest)
		return error_set(why, -ENOENT,
				 "there is no policy '%s'; did you mean '%s'?", name,
				 nearest);
	return error_set(why, -ENOENT,
			 "there is no policy '%s'; 'cupel policy list' shows them",
			 name);
}

/* Whoever can write the file decides what its reader's commands may do. */
static int check_owner(int fd, const char *path, struct error *why)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(why, -EINVAL, "%s: not a regular file", path);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return error_set(why, -EPERM,
				 "%s: belongs to uid %u, and so would the decision;"
				 " it must be yours or root's", path, status.st_uid);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(why, -EPERM,
				 "%s: others may change it; chmod go-w %s", path, path);
	return 0;
}

static ssize_t read_file(const char *path, char *text, size_t size,
			 struct error *why)
{
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_RDONLY | O_NONBLOCK, 0,
				      PATH_HOST, why);
	size_t length = 0;
	ssize_t n;
	int r = fd < 0 ? fd : check_owner(fd, path, why);

	if (r < 0)
		return r;
	while ((n = read(fd, text + length, size - length)) > 0)
		length += (size_t)n;
	if (n < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	return (ssize_t)length;
}

static int load_file(struct policy *ret, const char *path, bool may_include,
		     struct arena *arena, struct error *why)
{
	AUTO_FREE char *text = malloc(CONFIG_BYTES_MAX + 1);
	const char *base = strrchr(path, '/') + 1;
	size_t length = strlen(base), suffix = strlen(POLICY_SUFFIX);
	char name[POLICY_NAME_BYTES];

	if (!text)
		return error_set(why, -ENOMEM, "out of memory");
	ssize_t bytes = read_file(path, text, CONFIG_BYTES_MAX + 1, why);

	if (bytes < 0)
		return (int)bytes;
	if (length > suffix && strcmp(base + length - suffix, POLICY_SUFFIX) == 0)
		length -= suffix;
	snprintf(name, sizeof(name), "%.*s", (int)length, base);
	policy_init(ret, name);
	return policy_parse(ret, path,
			    (struct span){ (uint8_t *)text, (size_t)bytes },
			    may_include, arena, why);
}

static int load(struct policy *ret, const char *name, bool may_include,
		struct arena *arena, struct error *why)
{
	const struct policy *preset = policy_preset(name);
	char path[PATH_MAX + POLICY_NAME_BYTES];
	char directory[PATH_MAX];

	if (preset) {
		*ret = *preset;
		return 0;
	}
	if (strchr(name, '/'))
		return load_file(ret, name, may_include, arena, why);
	for (size_t i = 0; is_bare_name(name) && directory_at(i, directory); i++) {
		int r;

		if (!directory[0])
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", directory, name,
			 POLICY_SUFFIX);
		r = load_file(ret, path, may_include, arena, why);
		if (r != -ENOENT)
			return r;
	}
	return not_found(name, arena, why);
}

int policy_load(struct policy *ret, const char *name, struct arena *arena,
		struct error *why)
{
	return load(ret, name, true, arena, why);
}

int policy_load_included(struct policy *ret, const char *name,
			 struct arena *arena, struct error *why)
{
	return load(ret, name, false, arena, why);
}
