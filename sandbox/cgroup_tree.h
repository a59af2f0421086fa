/*
 * cgroup_tree.h - a group's directory in one tree, for the files that make,
 * use and remove groups. A tree is a controller of v1 or CGROUP_UNIFIED.
 */
#ifndef CUPEL_SANDBOX_CGROUP_TREE_H
#define CUPEL_SANDBOX_CGROUP_TREE_H

#include "sandbox/cgroup.h"

struct error;

/* "cpuacct", or "" for the v2 tree. */
const char *cgroup_tree_controller(int tree);

/* A group in no tree. */
void cgroup_tree_clear(struct cgroup *ret);

/* Its directory, or -1. */
int cgroup_tree_fd(const struct cgroup *cgroup, int tree);

/* Opens the group of its name below its parent in that tree. 0 or -errno. */
int cgroup_tree_open(struct cgroup *cgroup, int tree, struct error *why);

/* Closes the descriptors of that tree, the parent's too. */
void cgroup_tree_close(struct cgroup *cgroup, int tree);

/*
 * Opens what there is of a group in one tree below parent, to remove it; ret
 * must then be removed. 0 or -errno with ret clear.
 */
int cgroup_tree_adopt(struct cgroup *ret, int parent, int tree, const char *name);

#endif
