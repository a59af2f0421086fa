/*
 * Launchers that die, on this very host: the sweep ends what they left, and
 * leaves the living alone.
 */
#include "tests/support/test.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup_core.h"
#include "sandbox/usage.h"
#include "tests/support/groups.h"

#define MIB (UINT64_C(1) << 20)

struct launched {
	char name[CGROUP_NAME_BYTES];
	pid_t inside;
};

static _Noreturn void launch_a_bomb(const struct cgroup_host *where, int answer)
{
	struct limits limits = { .pids = 50 };
	struct launched launched;
	struct cgroup cgroup;

	if (cgroup_create_on(where, &cgroup, &limits, false, NULL) == 0) {
		memcpy(launched.name, cgroup.name, sizeof(launched.name));
		launched.inside = group_try_spawn(&cgroup, group_fork_bomb);
		if (write(answer, &launched, sizeof(launched)) > 0)
			group_sleeper();
	}
	_exit(1);
}

/* Is killed as soon as it has launched; the sweep comes when its pipe closes. */
static pid_t kill_a_launcher(const struct cgroup_host *where, struct launched *ret)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid_t launcher = fork();

	if (launcher == 0) {
		close(ends[0]);
		launch_a_bomb(where, ends[1]);
	}
	close(ends[1]);
	ssize_t length = read(ends[0], ret, sizeof(*ret));

	kill(launcher, SIGKILL);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	if (length != sizeof(*ret)) {
		group_wait(launcher);
		test_skip("no cgroup can be made here");
	}
	return launcher;
}

/* A zombie has ended: whoever adopted it may take its time. */
static bool ends_soon(pid_t pid)
{
	struct process_stat stat = { 0 };

	for (int i = 0; i < 200 && !stat.ending; i++) {
		if (process_stat_read(pid, &stat) < 0)
			return true;
		group_sleep_ms(10);
	}
	return stat.ending;
}

static void the_sweep_ends_what_a_killed_launcher_left(const struct cgroup_host *where)
{
	struct launched launched;
	pid_t launcher = kill_a_launcher(where, &launched);
	bool before = group_exists(launched.name);

	cgroup_sweep_on(where);
	bool after = group_exists(launched.name);

	group_wait(launcher);
	assert_true(launched.inside > 0);
	assert_true(before);
	assert_int_equal(after, false);
	assert_true(ends_soon(launched.inside));
}

ON_BOTH(the_sweep_ends_what_a_killed_launcher_left)

static void the_sweep_leaves_a_living_launcher_alone(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .pids = 5 });
	pid_t pid = group_spawn(&cgroup, group_sleeper);

	(void)state;
	cgroup_sweep();
	bool there = group_exists(cgroup.name);
	bool lives = waitpid(pid, NULL, WNOHANG) == 0;

	group_remove(&cgroup);
	group_wait(pid);
	assert_true(there && lives);
}

/* As the next launcher does it: it looks only beside its own group. */
static void a_sweep_beside_takes_orphans_only(const struct cgroup_host *where)
{
	struct launched launched;
	pid_t launcher = kill_a_launcher(where, &launched);
	struct cgroup cgroup = group_make(where, (struct limits){ .pids = 5 });
	pid_t pid = group_spawn(&cgroup, group_sleeper);

	cgroup_sweep_beside(&cgroup);
	bool after = group_exists(launched.name), there = group_exists(cgroup.name);
	bool lives = waitpid(pid, NULL, WNOHANG) == 0;

	group_remove(&cgroup);
	group_wait(pid);
	group_wait(launcher);
	assert_false(after);
	assert_true(there && lives);
	assert_true(ends_soon(launched.inside));
}

ON_BOTH(a_sweep_beside_takes_orphans_only)

static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	group_wait(pid);
	return pid;
}

/* Whoever swept the other trees lived elsewhere in this one. */
static void a_sweep_beside_finds_what_one_tree_alone_has(const struct cgroup_host *where)
{
	const struct limits limits = { .memory_bytes = 32 * MIB, .pids = 5 };
	struct cgroup cgroup = group_make(where, limits);
	struct cgroup_launcher self;
	bool left[CGROUP_TREE_COUNT] = { false };

	assert_true(cgroup_name_parse(cgroup.name, &self));
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		char name[CGROUP_NAME_BYTES];

		snprintf(name, sizeof(name), "cupel-%lu-%d-%lu-1", self.pid_namespace,
			 dead_pid(), self.start_ticks);
		if (cgroup.parents[tree] < 0 || mkdirat(cgroup.parents[tree], name, 0755) < 0)
			continue;
		cgroup_sweep_beside(&cgroup);
		left[tree] = unlinkat(cgroup.parents[tree], name, AT_REMOVEDIR) == 0;
	}
	group_remove(&cgroup);
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++)
		test_row(!left[tree], "tree %d", tree);
}

ON_BOTH(a_sweep_beside_finds_what_one_tree_alone_has)

/* In another pid namespace the launcher's pid is nobody's, or another's. */
static void the_sweep_leaves_other_pid_namespaces_alone(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .pids = 5 });
	pid_t pid = group_spawn(&cgroup, group_sleeper);
	pid_t sweeper = fork();

	(void)state;
	if (sweeper == 0) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
			_exit(2);
		pid_t inner = fork();

		if (inner == 0) {
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
			if (mount("proc", "/proc", "proc", 0, NULL) < 0)
				_exit(2);
			cgroup_sweep_on(&group_host);
			_exit(0);
		}
		_exit(WEXITSTATUS(group_wait(inner)));
	}
	int status = group_wait(sweeper);
	bool there = group_exists(cgroup.name);
	bool lives = waitpid(pid, NULL, WNOHANG) == 0;

	group_remove(&cgroup);
	group_wait(pid);
	if (WEXITSTATUS(status) == 2)
		test_skip("no pid namespace can be made here");
	assert_true(there && lives);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sweep_ends_what_a_killed_launcher_left_here),
		cmocka_unit_test(the_sweep_ends_what_a_killed_launcher_left_without_v2),
		cmocka_unit_test(a_sweep_beside_takes_orphans_only_here),
		cmocka_unit_test(a_sweep_beside_takes_orphans_only_without_v2),
		cmocka_unit_test(a_sweep_beside_finds_what_one_tree_alone_has_here),
		cmocka_unit_test(a_sweep_beside_finds_what_one_tree_alone_has_without_v2),
		cmocka_unit_test(the_sweep_leaves_a_living_launcher_alone),
		cmocka_unit_test(the_sweep_leaves_other_pid_namespaces_alone),
	};

	return cmocka_run_group_tests_name("cgroup_sweep", tests, group_read_host, NULL);
}
