/*
 * cgroup_host.h - the caller's place in each tree of groups of this host.
 *
 * The trees are where every distribution has them: v2 at the mount root or at
 * "unified" below it, a v1 controller at the directory of its name.
 */
#ifndef CUPEL_SANDBOX_CGROUP_HOST_H
#define CUPEL_SANDBOX_CGROUP_HOST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_core.h"

struct error;

struct cgroup_host {
	const char *mounts;	/* borrowed; the real one is "/sys/fs/cgroup" */
	char own[4096];		/* text of /proc/self/cgroup */
};

/* A group of one tree, by its path. */
struct cgroup_place {
	char path[PATH_MAX];
	size_t root_length;	/* that much of path is the tree itself */
};

/* Reads the real host. 0 or -errno. */
int cgroup_host_read(struct cgroup_host *ret, struct error *why);

/* Whether a v1 tree of that controller is there. */
bool cgroup_host_has_v1(const struct cgroup_host *host, int tree);

/* The caller's own group in a tree. 0 or -errno, -ENOENT: no such tree. */
int cgroup_host_own(const struct cgroup_host *host, int tree,
		    struct cgroup_place *ret);

/* On to the group above; false at the root of the tree. */
bool cgroup_place_up(struct cgroup_place *place);

/* Who makes groups here: the calling process. 0 or -errno. */
int cgroup_launcher_self(struct cgroup_launcher *ret, struct error *why);

/* As cgroup_create() and cgroup_sweep(), on a host that was read before. */
int cgroup_create_on(const struct cgroup_host *host, struct cgroup *ret,
		     const struct limits *limits, bool meek, struct error *why);
void cgroup_sweep_on(const struct cgroup_host *host);

/*
 * Reads a small file below a directory (-1: path is absolute) as text, cut if
 * it is longer. 0 or -errno.
 */
int cgroup_read_text(int directory, const char *path, char *ret, size_t size,
		     struct error *why);

#endif
