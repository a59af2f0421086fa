#include "common/places.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

static int join(char *ret, size_t size, const char *base, const char *rest,
		struct error *why)
{
	int length = snprintf(ret, size, "%s%s", base, rest);

	if (length < 0 || (size_t)length >= size)
		return error_set(why, -ENAMETOOLONG, "%s%s: name too long", base, rest);
	return 0;
}

/* An absolute path from the environment, or NULL. */
static const char *named(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0] == '/' ? value : NULL;
}

bool places_config(const char *name, char ret[PLACES_BYTES])
{
	const char *xdg = named("XDG_CONFIG_HOME"), *home = named("HOME");
	bool system = geteuid() == 0;
	int length = snprintf(ret, PLACES_BYTES, "%s%s/cupel/%s", system ? "/etc" :
			      xdg ? xdg : home ? home : "",
			      system || xdg ? "" : "/.config", name);

	return (system || xdg || home) && length < PLACES_BYTES;
}

static int find_run(struct places *ret, bool system, struct error *why)
{
	char own[32];

	if (named("CUPEL_RUN"))
		return join(ret->run, sizeof(ret->run), named("CUPEL_RUN"), "", why);
	if (system)
		return join(ret->run, sizeof(ret->run), "/run/cupel", "", why);
	if (named("XDG_RUNTIME_DIR"))
		return join(ret->run, sizeof(ret->run), named("XDG_RUNTIME_DIR"),
			    "/cupel", why);
	snprintf(own, sizeof(own), "/tmp/cupel-%u", (unsigned)geteuid());
	return join(ret->run, sizeof(ret->run), own, "", why);
}

static int find_state(struct places *ret, bool system, struct error *why)
{
	if (named("CUPEL_STATE"))
		return join(ret->state, sizeof(ret->state), named("CUPEL_STATE"), "", why);
	if (system)
		return join(ret->state, sizeof(ret->state), "/var/lib/cupel", "", why);
	if (named("XDG_STATE_HOME"))
		return join(ret->state, sizeof(ret->state), named("XDG_STATE_HOME"),
			    "/cupel", why);
	if (!named("HOME"))
		return error_set(why, -ENOENT,
				 "no place for state: set HOME, XDG_STATE_HOME or CUPEL_STATE");
	return join(ret->state, sizeof(ret->state), named("HOME"),
		    "/.local/state/cupel", why);
}

int places_find(struct places *ret, struct error *why)
{
	bool system = geteuid() == 0;
	int r = find_run(ret, system, why);

	if (r == 0)
		r = find_state(ret, system, why);
	if (r < 0)
		return r;
	if (system && !named("CUPEL_STATE"))
		return join(ret->log, sizeof(ret->log), "/var/log/cupel", "", why);
	return join(ret->log, sizeof(ret->log), ret->state, "/log", why);
}

static int check_ours(const char *path, struct error *why)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return error_set(why, -ENOTDIR, "%s: not a directory", path);
	if (status.st_uid != geteuid() || status.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(why, -EPERM,
				 "%s: another user owns it or may write to it; remove it", path);
	return 0;
}

/* The parents are the user's own business and get the usual mode. */
static int make(const char *path, mode_t mode, struct error *why)
{
	char part[PLACES_BYTES];

	for (const char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_set(why, -errno, "mkdir %s: %s", part, strerror(errno));
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set(why, -errno, "mkdir %s: %s", path, strerror(errno));
	return check_ours(path, why);
}

int places_make(const struct places *places, struct error *why)
{
	int r = make(places->run, geteuid() == 0 ? 0755 : 0700, why);

	if (r == 0)
		r = make(places->state, 0700, why);
	return r == 0 ? make(places->log, 0700, why) : r;
}
