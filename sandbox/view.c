#include "sandbox/view.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#define SCRATCH "private and writable, empty at the start, gone at the end"

/* Whatever the policy says; tier landlock makes none of it. */
static const struct {
	const char *path, *what;
} made_places[] = {
	{ "/tmp", SCRATCH }, { "/var/tmp", SCRATCH }, { "/run", SCRATCH },
	{ "/dev/shm", SCRATCH },
	{ "/dev", "a few harmless devices" },
	{ "/proc", "the processes of the sandbox, read-only" },
	{ "/etc/passwd", "made by cupel: one user" },
	{ "/etc/group", "made by cupel: one group" },
	{ "/etc/hosts", "made by cupel, unless the policy has the host's" },
	{ "/etc/hostname", "made by cupel" },
	{ "/etc/machine-id", "made by cupel: empty" },
	{ "/etc/nsswitch.conf", "made by cupel" },
	{ "/etc/mtab", "made by cupel" },
};

static const struct {
	const char *path, *read;
} risks[] = {
	{ "/root", "high: a home: keys, tokens and history lie there" },
	{ "/home", "high: a home: keys, tokens and history lie there" },
	{ "/dev", "high: a device of the host" },
	{ "/sys", "high: the host's kernel and devices" },
	{ "/proc", "high: the host's kernel and processes" },
	{ "/run", "high: services of the host listen there" },
	{ "/var/run", "high: services of the host listen there" },
	{ "/etc", "medium: the host's configuration, and at times its secrets" },
	{ "/var", "medium: data of the host's services" },
};

/* How far directory reaches into path, in bytes; 0 if path is not below it. */
static size_t reach(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	if (strncmp(directory, path, length) != 0 ||
	    (path[length] != '/' && path[length] != '\0'))
		return 0;
	return length;
}

/* Of a path as it goes on below the workspace. */
static bool in_repository(const char *rest)
{
	return reach("/.git", rest) || reach("/.cupel", rest);
}

struct view view_of(const struct policy *policy, const char *workspace,
		    enum workspace_mode mode, const char *path)
{
	struct view view = { VIEW_ABSENT, NULL, NULL };
	size_t best = 0;

	for (size_t i = 0; i < policy->hidden_count; i++)
		if (reach(policy->hidden[i], path))
			return (struct view){ VIEW_HIDDEN, NULL, policy->hidden[i] };
	for (size_t i = 0; i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		if (reach(bind->target, path) <= best)
			continue;
		best = reach(bind->target, path);
		view = (struct view){ bind->access == BIND_WRITE ? VIEW_WRITE : VIEW_READ,
				      bind, NULL };
	}
	for (size_t i = 0; !policy->bare && i < COUNT(made_places); i++)
		if (reach(made_places[i].path, path) > best) {
			best = reach(made_places[i].path, path);
			view = (struct view){ VIEW_MADE, NULL, made_places[i].what };
		}
	if (workspace && reach(workspace, path) > best)
		view = (struct view){ mode == WORKSPACE_READONLY ||
				      (policy->repository_readonly &&
				       in_repository(path + reach(workspace, path))) ?
				      VIEW_READ : VIEW_WRITE, NULL, NULL };
	return view;
}

/* Takes one component of so many bytes; false if there is no room. */
static bool append(char *ret, size_t size, size_t *length, const char *part, size_t bytes)
{
	if (bytes == 0 || (bytes == 1 && part[0] == '.'))
		return true;
	if (bytes == 2 && part[0] == '.' && part[1] == '.') {
		while (*length && ret[--*length] != '/')
			;
		return true;
	}
	if (*length + bytes + 2 > size)
		return false;
	ret[(*length)++] = '/';
	memcpy(ret + *length, part, bytes);
	*length += bytes;
	return true;
}

bool view_plain_path(const char *directory, const char *path, char *ret, size_t size)
{
	const char *parts[] = { path[0] == '/' ? "" : directory, path };
	size_t length = 0;

	for (size_t i = 0; i < COUNT(parts); i++)
		for (const char *part = parts[i]; *part;) {
			size_t bytes = strcspn(part, "/");

			if (!append(ret, size, &length, part, bytes))
				return false;
			part += bytes + (part[bytes] == '/');
		}
	if (length == 0)
		ret[length++] = '/';
	ret[length] = '\0';
	return true;
}

const char *view_risk(const char *path, bool write)
{
	if (write)
		return "high: what is left there, the host may run";
	for (size_t i = 0; i < COUNT(risks); i++)
		if (reach(risks[i].path, path))
			return risks[i].read;
	return "low: files of the host, to be read";
}
