#include "sandbox/cgroup_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/path.h"
#include "sandbox/usage.h"

int cgroup_read_text(int directory, const char *path, char *ret, size_t size,
		     struct error *why)
{
	AUTO_CLOSE int fd = path_open(directory, path, O_RDONLY, 0, PATH_HOST, why);

	if (fd < 0)
		return fd;
	ssize_t length = read(fd, ret, size - 1);

	if (length < 0)
		return error_set(why, -errno, "read %s: %s", path, strerror(errno));
	ret[length] = '\0';
	return 0;
}

int cgroup_host_read(struct cgroup_host *ret, struct error *why)
{
	ret->mounts = "/sys/fs/cgroup";
	return cgroup_read_text(-1, "/proc/self/cgroup", ret->own,
				sizeof(ret->own), why);
}

bool cgroup_host_has_v1(const struct cgroup_host *host, int tree)
{
	char path[PATH_MAX];

	return cgroup_own_path(host->own, cgroup_tree_controller(tree), path,
			       sizeof(path)) != -ENOENT;
}

int cgroup_host_own(const struct cgroup_host *host, int tree,
		    struct cgroup_place *ret)
{
	size_t size = sizeof(ret->path);
	const char *below = cgroup_tree_controller(tree);

	snprintf(ret->path, size, "%s/unified/cgroup.procs", host->mounts);
	if (tree == CGROUP_UNIFIED && access(ret->path, F_OK) == 0)
		below = "unified";
	int length = snprintf(ret->path, size, "%s%s%s", host->mounts,
			      *below ? "/" : "", below);

	if (length < 0 || (size_t)length >= size)
		return -ENAMETOOLONG;
	ret->root_length = (size_t)length;
	return cgroup_own_path(host->own, cgroup_tree_controller(tree),
			       ret->path + length, size - (size_t)length);
}

bool cgroup_place_up(struct cgroup_place *place)
{
	char *below = place->path + place->root_length;
	char *slash = strrchr(below, '/');

	if (!slash || slash[1] == '\0')
		return false;
	slash[slash == below] = '\0';
	return true;
}

int cgroup_launcher_self(struct cgroup_launcher *ret, struct error *why)
{
	struct process_stat process;
	struct stat namespace;
	int r = process_stat_read(0, &process);

	if (r == 0 && stat("/proc/self/ns/pid", &namespace) < 0)
		r = -errno;
	if (r == 0 && process.pid != getpid())
		r = -EXDEV;
	if (r < 0)
		return error_set(why, r, "/proc is not that of our pid namespace: %s",
				 strerror(-r));
	*ret = (struct cgroup_launcher){ namespace.st_ino, (uint64_t)process.pid,
					 process.start_ticks };
	return 0;
}
