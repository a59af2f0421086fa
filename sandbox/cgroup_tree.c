#include "sandbox/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sandbox/path.h"

const char *cgroup_tree_controller(int tree)
{
	static const char *const names[CGROUP_TREE_COUNT] = {
		[CGROUP_FREEZER] = "freezer", [CGROUP_MEMORY] = "memory",
		[CGROUP_PIDS] = "pids",	      [CGROUP_CPUACCT] = "cpuacct",
		[CGROUP_CPU] = "cpu",	      [CGROUP_UNIFIED] = "",
	};

	return names[tree];
}

void cgroup_tree_clear(struct cgroup *ret)
{
	*ret = (struct cgroup){ .layout = CGROUP_NONE, .v2 = -1 };
	for (int tree = 0; tree < CGROUP_CONTROLLER_COUNT; tree++)
		ret->v1[tree] = ret->v1_tasks[tree] = -1;
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++)
		ret->parents[tree] = -1;
}

int cgroup_tree_fd(const struct cgroup *cgroup, int tree)
{
	return tree == CGROUP_UNIFIED ? cgroup->v2 : cgroup->v1[tree];
}

int cgroup_tree_open(struct cgroup *cgroup, int tree, struct error *why)
{
	int fd = path_open(cgroup->parents[tree], cgroup->name,
			   O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);

	if (fd < 0)
		return fd;
	if (tree == CGROUP_UNIFIED) {
		cgroup->v2 = fd;
		return 0;
	}
	cgroup->v1[tree] = fd;
	cgroup->v1_tasks[tree] = path_open(fd, "tasks", O_WRONLY, 0, PATH_STRICT, why);
	return cgroup->v1_tasks[tree] < 0 ? cgroup->v1_tasks[tree] : 0;
}

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void cgroup_tree_close(struct cgroup *cgroup, int tree)
{
	close_at(&cgroup->parents[tree]);
	if (tree == CGROUP_UNIFIED) {
		close_at(&cgroup->v2);
		return;
	}
	close_at(&cgroup->v1[tree]);
	close_at(&cgroup->v1_tasks[tree]);
}

int cgroup_tree_adopt(struct cgroup *ret, int parent, int tree, const char *name)
{
	cgroup_tree_clear(ret);
	ret->layout = tree == CGROUP_UNIFIED ? CGROUP_V2 : CGROUP_V1;
	ret->limited = 1U << CGROUP_CPU;	/* or it was not: then this is in vain */
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->parents[tree] = fcntl(parent, F_DUPFD_CLOEXEC, 0);
	int r = ret->parents[tree] < 0 ? -errno : cgroup_tree_open(ret, tree, NULL);

	if (r < 0) {
		cgroup_tree_close(ret, tree);
		cgroup_tree_clear(ret);
	}
	return r;
}
