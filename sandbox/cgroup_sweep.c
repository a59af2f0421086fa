/* cgroup_sweep(): what killed launchers left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/cgroup_core.h"
#include "sandbox/cgroup_host.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/path.h"
#include "sandbox/usage.h"

/*
 * Whether the launcher in a group's name is no more. In doubt it lives: /proc
 * may hide a process that kill(2) still finds (hidepid, proc(5)). One that is
 * ending counts as gone: its keeper comes here before it is even a zombie.
 */
static bool launcher_is_gone(const struct cgroup_launcher *launcher)
{
	pid_t pid = (pid_t)launcher->pid;
	struct process_stat process;

	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return true;
	if (process_stat_read(pid, &process) < 0)
		return false;
	return process.ending || process.start_ticks != launcher->start_ticks;
}

/* Its group in this tree; the sweep comes to those in the other trees later. */
static void remove_orphan(int parent, int tree, const char *name)
{
	struct cgroup orphan;

	if (cgroup_tree_adopt(&orphan, parent, tree, name) == 0)
		cgroup_remove(&orphan, NULL);
}

static void sweep_directory(const char *path, int tree,
			    const struct cgroup_launcher *self)
{
	AUTO_CLOSE int fd = path_open(-1, path, O_RDONLY | O_DIRECTORY, 0,
				      PATH_HOST, NULL);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct cgroup_launcher launcher;
	struct dirent *entry;

	if (!directory)
		return;
	fd_take(&fd);
	while ((entry = readdir(directory)))
		if (cgroup_name_parse(entry->d_name, &launcher) &&
		    launcher.pid_namespace == self->pid_namespace &&
		    launcher_is_gone(&launcher))
			remove_orphan(dirfd(directory), tree, entry->d_name);
	closedir(directory);
}

void cgroup_sweep_on(const struct cgroup_host *host)
{
	struct cgroup_launcher self;
	struct cgroup_place place;

	if (cgroup_launcher_self(&self, NULL) < 0)
		return;
	for (int n = 0; n < CGROUP_TREE_COUNT; n++) {
		int tree = (CGROUP_UNIFIED + n) % CGROUP_TREE_COUNT;

		if (cgroup_host_own(host, tree, &place) < 0)
			continue;
		do
			sweep_directory(place.path, tree, &self);
		while (cgroup_place_up(&place));
	}
}

void cgroup_sweep(void)
{
	struct cgroup_host host;

	if (cgroup_host_read(&host, NULL) == 0)
		cgroup_sweep_on(&host);
}
