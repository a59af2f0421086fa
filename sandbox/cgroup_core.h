/*
 * cgroup_core.h - the texts of the cgroup world, read.
 *
 * Pure. Sources: cgroups(7) for /proc/PID/cgroup, the kernel's cgroup-v2.rst
 * ("Format") and the pages below cgroup-v1/ for the files of a group.
 */
#ifndef CUPEL_SANDBOX_CGROUP_CORE_H
#define CUPEL_SANDBOX_CGROUP_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The caller's own group in the tree of a v1 controller, or in the v2 tree for
 * an empty controller, out of the text of /proc/self/cgroup: a path such as
 * "/a/b" or "/". 0, -ENOENT: there is no such tree; -EXDEV: the group is not
 * below the root of the cgroup namespace, so nothing names it;
 * -ENAMETOOLONG: size is too small.
 */
int cgroup_own_path(const char *text, const char *controller, char *ret,
		    size_t size);

/*
 * The sum of the numbers that follow key wherever a line or a word begins with
 * it, blanks between them passed over; the key brings its separator along
 * ("oom_kill ", "rbytes="). An empty key is the number the text begins with.
 * -1 when there is none; what does not fit is INT64_MAX.
 */
int64_t cgroup_figure(const char *text, const char *key);

/* Whether a space separated list such as cgroup.subtree_control has the name. */
bool cgroup_list_has(const char *list, const char *name);

/* Who made a group: a process, and the pid namespace that names it. */
struct cgroup_launcher {
	uint64_t pid_namespace;	/* inode; a pid alone means nothing elsewhere */
	uint64_t pid;
	uint64_t start_ticks;	/* since boot: tells a pid used again apart */
};

/* Reads "cupel-PIDNAMESPACE-PID-STARTTIME-N"; false for any other name. */
bool cgroup_name_parse(const char *name, struct cgroup_launcher *ret);

#endif
