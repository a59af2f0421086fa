#include "workers/job/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define CHILDREN_BYTES 65536

int tree_init(struct error *why)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_set(why, -errno, "child subreaper: %s", strerror(errno));
	return 0;
}

/*
 * Only one of the first children of a sandbox's init has such numbers: in the
 * host's own namespace they are the kernel's threads.
 */
static bool is_below_init(void)
{
	return getpid() < 8 && getppid() == 1;
}

static void kill_children(void)
{
	static char list[CHILDREN_BYTES];
	AUTO_CLOSE int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	char *at = list, *end;

	if (length <= 0)
		return;
	list[length] = '\0';
	for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
		kill((pid_t)pid, SIGKILL);
}

void tree_kill(pid_t group)
{
	if (is_below_init()) {
		kill(-1, SIGKILL);
		return;
	}
	if (group > 1)
		kill(-group, SIGKILL);
	kill_children();
}

static void add(struct rusage *sum, const struct rusage *more)
{
	timeradd(&sum->ru_utime, &more->ru_utime, &sum->ru_utime);
	timeradd(&sum->ru_stime, &more->ru_stime, &sum->ru_stime);
	if (more->ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = more->ru_maxrss;
}

/* As one dies its children become ours, so there is a next round. */
void tree_end(pid_t group, struct rusage *usage)
{
	struct rusage more;
	pid_t pid;

	tree_kill(group);
	while ((pid = wait4(-1, NULL, 0, &more)) > 0 || errno == EINTR) {
		if (pid <= 0)
			continue;
		add(usage, &more);
		tree_kill(0);
	}
}
