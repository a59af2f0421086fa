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

static bool is_orphan(const char *name, const struct cgroup_launcher *self)
{
	struct cgroup_launcher launcher;

	if (!cgroup_name_parse(name, &launcher) ||
	    launcher.pid_namespace != self->pid_namespace)
		return false;
	bool own = launcher.pid == self->pid && launcher.start_ticks == self->start_ticks;

	return !own && launcher_is_gone(&launcher);
}

/* How many orphans are there, removing them if asked. No memory is allocated. */
static size_t walk_orphans(int directory, int tree, bool remove,
			   const struct cgroup_launcher *self)
{
	char text[8192] __attribute__((aligned(8)));
	ssize_t length;
	size_t count = 0;

	while ((length = getdents64(directory, text, sizeof(text))) > 0)
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry = (void *)(text + at);

			at += entry->d_reclen;
			if (!is_orphan(entry->d_name, self))
				continue;
			count++;
			if (remove)
				remove_orphan(directory, tree, entry->d_name);
		}
	return count;
}

static void sweep_directory(const char *path, int tree,
			    const struct cgroup_launcher *self)
{
	AUTO_CLOSE int fd = path_open(-1, path, O_RDONLY | O_DIRECTORY, 0,
				      PATH_HOST, NULL);

	if (fd >= 0)
		walk_orphans(fd, tree, true, self);
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

void cgroup_sweep_beside(const struct cgroup *cgroup)
{
	struct cgroup_launcher self;
	size_t orphans = 0;

	if (!cgroup_name_parse(cgroup->name, &self))
		return;
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		AUTO_CLOSE int fd = cgroup->parents[tree] < 0 ? -1 :
				    path_open(cgroup->parents[tree], ".",
					      O_RDONLY | O_DIRECTORY, 0, PATH_STRICT, NULL);

		if (fd >= 0)
			orphans += walk_orphans(fd, tree, false, &self);
	}
	if (orphans)
		cgroup_sweep();
}
