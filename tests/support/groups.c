#include "tests/support/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/cgroup_core.h"
#include "tests/support/test.h"

struct cgroup_host group_host, group_host_v1;

int group_read_host(void **state)
{
	(void)state;
	if (cgroup_host_read(&group_host, NULL) < 0)
		return -1;
	group_host_v1 = group_host;
	char *own = group_host_v1.own;
	char *v2 = strncmp(own, "0::", 3) == 0 ? own : strstr(own, "\n0::");

	if (v2)
		*v2 = '\0';
	return 0;
}

struct cgroup group_make(const struct cgroup_host *where, struct limits limits)
{
	struct cgroup cgroup;
	struct error why = { 0 };
	int r = cgroup_create_on(where, &cgroup, &limits, false, &why);

	if (r == -EOPNOTSUPP)
		test_skip("%s", why.text);
	test_row(r == 0, "create: %d, %s", r, why.text);
	return cgroup;
}

pid_t group_try_spawn(const struct cgroup *cgroup, void (*body)(void))
{
	struct clone_args arguments = { .exit_signal = SIGCHLD };
	int ends[2];
	char byte = 0;

	if (cgroup->v2 >= 0) {
		arguments.flags = CLONE_INTO_CGROUP;
		arguments.cgroup = (uint32_t)cgroup->v2;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		if (cgroup_join(cgroup, NULL) < 0 || write(ends[1], "", 1) != 1)
			_exit(99);
		close_range(3, ~0U, 0);
		body();
		_exit(0);
	}
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1) != 1)
		pid = -1;
	close(ends[0]);
	return pid;
}

pid_t group_spawn(const struct cgroup *cgroup, void (*body)(void))
{
	pid_t pid = group_try_spawn(cgroup, body);

	test_row(pid > 0, "spawn: %s", strerror(errno));
	return pid;
}

int group_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

void group_remove(struct cgroup *cgroup)
{
	struct error why = { 0 };

	test_row(cgroup_remove(cgroup, &why) == 0, "%s", why.text);
}

void group_sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

bool group_exists(const char *name)
{
	struct cgroup_place place;
	struct stat status;

	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		if (cgroup_host_own(&group_host, tree, &place) < 0)
			continue;
		do {
			char path[PATH_MAX + CGROUP_NAME_BYTES + 1];

			snprintf(path, sizeof(path), "%s/%s", place.path, name);
			if (stat(path, &status) == 0)
				return true;
		} while (cgroup_place_up(&place));
	}
	return false;
}

void group_sleeper(void)
{
	for (;;)
		pause();
}

void group_fork_bomb(void)
{
	signal(SIGTERM, SIG_IGN);
	setsid();
	for (;;)
		if (fork() == 0)
			setsid();
}
