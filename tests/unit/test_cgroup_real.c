/*
 * Groups on this very host. What it cannot do is skipped by name: an ordinary
 * user without a group to divide runs nothing here but the refusals.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/cgroup_core.h"
#include "tests/support/groups.h"
#include "tests/support/test.h"

#define MIB (UINT64_C(1) << 20)

/* Shared with the processes inside. */
static struct {
	volatile unsigned long turns;
	volatile int forked, refused;
} *shared;

static struct cgroup make_v2(struct limits limits)
{
	struct cgroup cgroup = group_make(&group_host, limits);

	if (cgroup.layout != CGROUP_V2) {
		cgroup_remove(&cgroup, NULL);
		test_skip("the controllers of this host are not in a v2 tree");
	}
	return cgroup;
}

/* ---- what runs inside ---- */

static void count_for_ever(void)
{
	for (;;)
		shared->turns++;
}

static void spin_for_200_ms(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_sec == 0 && used.tv_nsec < 200000000);
}

static void take_all_memory(void)
{
	for (int i = 0; i < 1024; i++)
		memset(mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, MIB);
}

static void fork_twenty(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			group_sleeper();
		if (pid > 0)
			shared->forked++;
		else
			shared->refused++;
	}
	group_sleeper();
}

static void bomb_beside_a_sleeper(void)
{
	if (fork() == 0)
		take_all_memory();
	group_sleeper();
}

/* ---- limits and accounts ---- */

static void a_memory_bomb_is_killed_and_counted(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .memory_bytes = 32 * MIB });
	struct cgroup_usage usage;

	(void)state;
	int status = group_wait(group_spawn(&cgroup, take_all_memory));

	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_true(usage.oom_kills >= 1);
	assert_in_range(usage.memory_peak_bytes, 31 * MIB, 32 * MIB);
}

static void an_empty_group_can_serve_again(void **state)
{
	const struct limits limits = { .memory_bytes = 32 * MIB, .pids = 5 };
	struct cgroup cgroup = group_make(&group_host, limits);

	(void)state;
	assert_true(cgroup_fits(&cgroup, &limits, false));
	assert_false(cgroup_fits(&cgroup, &limits, true));
	assert_false(cgroup_fits(&cgroup, &(struct limits){ .pids = 5 }, false));
	assert_false(cgroup_fits(&cgroup, &(struct limits){ .memory_bytes = 32 * MIB }, false));
	assert_true(cgroup_is_reusable(&cgroup));
	pid_t pid = group_spawn(&cgroup, group_sleeper);

	bool with_one = cgroup_is_reusable(&cgroup);

	kill(pid, SIGKILL);
	group_wait(pid);
	bool afterwards = cgroup_is_reusable(&cgroup);

	group_wait(group_spawn(&cgroup, take_all_memory));
	bool after_oom = cgroup_is_reusable(&cgroup);

	group_remove(&cgroup);
	assert_false(cgroup_is_reusable(&cgroup));
	assert_false(with_one);
	assert_true(afterwards);
	assert_false(after_oom);
}

static void too_many_forks_are_refused_and_counted(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .pids = 5 });
	struct cgroup_usage usage;

	(void)state;
	shared->forked = shared->refused = 0;
	pid_t pid = group_spawn(&cgroup, fork_twenty);

	for (int i = 0; i < 500 && shared->forked + shared->refused < 20; i++)
		group_sleep_ms(10);
	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	group_wait(pid);
	assert_int_equal(shared->forked, 4);
	assert_int_equal(shared->refused, 16);
	assert_int_equal(usage.pids_denied, 16);
	assert_true(usage.pids_peak == 5 || usage.pids_peak == -1);
}

static void processor_time_of_the_whole_tree_is_counted(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ 0 });
	struct cgroup_usage usage;

	(void)state;
	group_wait(group_spawn(&cgroup, spin_for_200_ms));
	group_wait(group_spawn(&cgroup, spin_for_200_ms));
	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	assert_in_range(usage.cpu_ns, 390000000, 600000000);
	assert_in_range(usage.user_ns + usage.system_ns, 390000000, 600000000);
}

static void a_fresh_group_has_used_nothing(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .pids = 5 });
	struct cgroup_usage usage;

	(void)state;
	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	assert_int_equal(usage.cpu_ns, 0);
	assert_int_equal(usage.pids_denied, 0);
	assert_true(usage.oom_kills <= 0);
}

static void v2_an_oom_ends_the_whole_group(void **state)
{
	struct cgroup cgroup = make_v2((struct limits){ .memory_bytes = 32 * MIB });
	struct cgroup_usage usage;

	(void)state;
	int status = group_wait(group_spawn(&cgroup, bomb_beside_a_sleeper));

	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_true(usage.oom_kills >= 2);
}

static void v2_nothing_goes_to_swap(void **state)
{
	struct cgroup cgroup = make_v2((struct limits){ .memory_bytes = 32 * MIB });
	char text[32] = "0\n";
	int r = cgroup_read_text(cgroup.v2, "memory.swap.max", text, sizeof(text), NULL);

	(void)state;
	group_remove(&cgroup);
	assert_true(r == 0 || r == -ENOENT);
	assert_string_equal(text, "0\n");
}

/* ---- the background ---- */

static void use_one_processor(void)
{
	cpu_set_t one;
	int processor = sched_getcpu();

	assert_true(processor >= 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)processor, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* The share of a processor that one in a group has beside this process. */
static double share_of(bool background)
{
	struct cgroup cgroup;
	struct timespec begun, used;
	int64_t ours_ns;
	struct cgroup_usage usage;
	struct error why = { 0 };
	int r = cgroup_create_on(&group_host, &cgroup, &(struct limits){ 0 }, background, &why);

	if (r == -EOPNOTSUPP)
		test_skip("%s", why.text);
	assert_int_equal(r, 0);
	if (background && !(cgroup.limited & 1U << CGROUP_CPU)) {
		group_remove(&cgroup);
		test_skip("no group can be put into the background here");
	}
	cgroup_background(&cgroup, true);
	pid_t pid = group_spawn(&cgroup, count_for_ever);

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
		ours_ns = (used.tv_sec - begun.tv_sec) * 1000000000 +
			  used.tv_nsec - begun.tv_nsec;
	} while (ours_ns < 300000000);
	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	group_wait(pid);
	return (double)usage.cpu_ns / (double)ours_ns;
}

static void the_background_has_what_is_left(void **state)
{
	cpu_set_t all;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	use_one_processor();
	double beside = share_of(false), behind = share_of(true);

	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	test_row(behind < 0.1 && behind < beside / 4,
		 "its share: %.3f in the background, %.3f otherwise", behind, beside);
}

/* ---- kill, freeze, remove ---- */

static void freezing_stops_and_thawing_goes_on(const struct cgroup_host *where)
{
	struct cgroup cgroup = group_make(where, (struct limits){ .pids = 5 });
	pid_t pid = group_spawn(&cgroup, count_for_ever);

	assert_int_equal(cgroup_freeze(&cgroup, true), 0);
	group_sleep_ms(100);
	unsigned long frozen = shared->turns;

	group_sleep_ms(100);
	unsigned long later = shared->turns;

	assert_int_equal(cgroup_freeze(&cgroup, false), 0);
	group_sleep_ms(200);
	unsigned long thawed = shared->turns;

	group_remove(&cgroup);
	group_wait(pid);
	assert_int_equal(frozen, later);
	assert_true(thawed > later);
}

/* Whether nobody is left in the group, or soon will be. */
static bool empties(const struct cgroup *cgroup)
{
	int directory = cgroup->v2 >= 0 ? cgroup->v2 : cgroup->v1[CGROUP_PIDS];
	char text[4096] = "?";

	for (int i = 0; i < 200 && *text; i++) {
		group_sleep_ms(10);
		if (cgroup_read_text(directory, "cgroup.procs", text, sizeof(text), NULL) < 0)
			return false;
	}
	return !*text;
}

static void killing_ends_a_fork_bomb(const struct cgroup_host *where)
{
	struct cgroup cgroup = group_make(where, (struct limits){ .pids = 50 });
	pid_t pid = group_spawn(&cgroup, group_fork_bomb);
	struct cgroup_usage usage = { 0 };

	/* However slow the machine, it is killed when the group is full. */
	for (int i = 0; i < 1000 && usage.pids_denied == 0; i++) {
		group_sleep_ms(10);
		cgroup_usage(&cgroup, &usage);
	}
	assert_int_equal(cgroup_kill(&cgroup), 0);
	bool empty = empties(&cgroup);

	group_remove(&cgroup);
	assert_int_equal(WTERMSIG(group_wait(pid)), SIGKILL);
	assert_true(empty);
	assert_true(usage.pids_denied > 0);
}

static void a_frozen_group_can_be_killed(const struct cgroup_host *where)
{
	struct cgroup cgroup = group_make(where, (struct limits){ .pids = 5 });
	pid_t pid = group_spawn(&cgroup, count_for_ever);

	assert_int_equal(cgroup_freeze(&cgroup, true), 0);
	group_sleep_ms(50);
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(WTERMSIG(group_wait(pid)), SIGKILL);
	group_remove(&cgroup);
}

static void removing_kills_and_leaves_nothing(const struct cgroup_host *where)
{
	struct cgroup cgroup = group_make(where, (struct limits){ .pids = 50 });
	char name[CGROUP_NAME_BYTES];
	pid_t pid = group_spawn(&cgroup, group_fork_bomb);

	memcpy(name, cgroup.name, sizeof(name));
	assert_true(group_exists(name));
	group_remove(&cgroup);
	assert_false(group_exists(name));
	assert_int_equal(WTERMSIG(group_wait(pid)), SIGKILL);
}

ON_BOTH(freezing_stops_and_thawing_goes_on)
ON_BOTH(killing_ends_a_fork_bomb)
ON_BOTH(a_frozen_group_can_be_killed)
ON_BOTH(removing_kills_and_leaves_nothing)

static void without_v2_the_layout_is_v1(void **state)
{
	const struct limits limits = { .memory_bytes = 32 * MIB, .pids = 5 };
	struct cgroup cgroup = group_make(&group_host_v1, limits);
	struct cgroup_usage usage;

	(void)state;
	group_wait(group_spawn(&cgroup, spin_for_200_ms));
	int status = group_wait(group_spawn(&cgroup, take_all_memory));
	enum cgroup_layout layout = cgroup.layout;

	cgroup_usage(&cgroup, &usage);
	group_remove(&cgroup);
	assert_int_equal(layout, CGROUP_V1);
	assert_true(WIFSIGNALED(status));
	assert_true(usage.oom_kills >= 1);
	assert_in_range(usage.cpu_ns, 190000000, 900000000);
}

/* ---- hosts that refuse ---- */

/* Runs it in a child; what it prints is the reason cgroup_create() gave. */
static void expect_refusal(int (*prepare)(void), const char *part)
{
	struct { int r; struct error why; } *answer = mmap(NULL, sizeof(*answer),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct cgroup cgroup;
		struct limits limits = { .memory_bytes = 32 * MIB, .pids = 5 };

		if (prepare() < 0)
			_exit(2);
		answer->r = cgroup_create(&cgroup, &limits, false, &answer->why);
		cgroup_remove(&cgroup, NULL);
		_exit(0);
	}
	int status = group_wait(pid);

	if (WEXITSTATUS(status) == 2)
		test_skip("needs root");
	test_row(answer->r == -EOPNOTSUPP && strstr(answer->why.text, part),
		 "%d, %s", answer->r, answer->why.text);
	munmap(answer, sizeof(*answer));
}

static int become_nobody(void)
{
	return setgid(65534) < 0 || setuid(65534) < 0 ? -1 : 0;
}

static int make_trees_read_only(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/sys/fs/cgroup", AT_RECURSIVE,
			    &attributes, sizeof(attributes));
}

static int hide_trees(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL);
}

static void an_ordinary_user_is_told_why_there_is_none(void **state)
{
	(void)state;
	if (geteuid() != 0)
		test_skip("needs root");
	expect_refusal(become_nobody, "Permission denied; ");
}

static void read_only_trees_are_told(void **state)
{
	(void)state;
	expect_refusal(make_trees_read_only, "mounted writable");
}

static void trees_that_are_not_there_are_told(void **state)
{
	(void)state;
	expect_refusal(hide_trees, "No such file or directory; have the memory and pids controllers");
}

/* ---- an ordinary user whom root has given groups ---- */

#define DELEGATED "cupel.delegated"

/* Makes a group of nobody's in each tree, below our own, and joins it. */
static int join_groups_of_nobody(void)
{
	static const char *const files[] = { "", "cgroup.procs", "tasks" };
	struct cgroup_place place;

	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		char path[PATH_MAX + 64];

		if (cgroup_host_own(&group_host, tree, &place) < 0)
			continue;
		for (size_t i = 0; i < COUNT(files); i++) {
			snprintf(path, sizeof(path), "%s/" DELEGATED "/%s", place.path, files[i]);
			if (i == 0 && mkdir(path, 0755) < 0)
				return -1;
			if (chown(path, 65534, 65534) < 0 && errno != ENOENT)
				return -1;
		}
		snprintf(path, sizeof(path), "%s/" DELEGATED "/cgroup.procs", place.path);
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			return -1;
		close(fd);
	}
	return become_nobody();
}

static void remove_groups_of_nobody(void)
{
	struct cgroup_place place;

	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		char path[PATH_MAX + 64];

		if (cgroup_host_own(&group_host, tree, &place) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/" DELEGATED, place.path);
		for (int i = 0; i < 100 && rmdir(path) < 0 && errno == EBUSY; i++)
			group_sleep_ms(10);
	}
}

static void v1_an_ordinary_user_has_limits_in_groups_of_his_own(void **state)
{
	struct cgroup cgroup = group_make(&group_host, (struct limits){ .pids = 5 });
	enum cgroup_layout layout = cgroup.layout;

	(void)state;
	group_remove(&cgroup);
	if (geteuid() != 0 || layout == CGROUP_V2)
		test_skip("needs root and controllers in v1 trees");
	pid_t pid = fork();

	if (pid == 0) {
		struct limits limits = { .memory_bytes = 32 * MIB, .pids = 5 };

		if (join_groups_of_nobody() < 0)
			_exit(2);
		if (cgroup_create(&cgroup, &limits, false, NULL) < 0)
			_exit(3);
		layout = cgroup.layout;
		int status = group_wait(group_spawn(&cgroup, take_all_memory));

		if (cgroup_remove(&cgroup, NULL) < 0)
			_exit(4);
		_exit(WIFSIGNALED(status) ? 10 + (int)layout : 5);
	}
	int status = group_wait(pid);

	remove_groups_of_nobody();
	assert_int_equal(WEXITSTATUS(status), 10 + (int)layout);
}

/* What children write, they share. */
static int prepare(void **state)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : group_read_host(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_memory_bomb_is_killed_and_counted),
		cmocka_unit_test(an_empty_group_can_serve_again),
		cmocka_unit_test(too_many_forks_are_refused_and_counted),
		cmocka_unit_test(processor_time_of_the_whole_tree_is_counted),
		cmocka_unit_test(a_fresh_group_has_used_nothing),
		cmocka_unit_test(v2_an_oom_ends_the_whole_group),
		cmocka_unit_test(v2_nothing_goes_to_swap),
		cmocka_unit_test(the_background_has_what_is_left),
		cmocka_unit_test(freezing_stops_and_thawing_goes_on_here),
		cmocka_unit_test(freezing_stops_and_thawing_goes_on_without_v2),
		cmocka_unit_test(killing_ends_a_fork_bomb_here),
		cmocka_unit_test(killing_ends_a_fork_bomb_without_v2),
		cmocka_unit_test(a_frozen_group_can_be_killed_here),
		cmocka_unit_test(a_frozen_group_can_be_killed_without_v2),
		cmocka_unit_test(removing_kills_and_leaves_nothing_here),
		cmocka_unit_test(removing_kills_and_leaves_nothing_without_v2),
		cmocka_unit_test(without_v2_the_layout_is_v1),
		cmocka_unit_test(an_ordinary_user_is_told_why_there_is_none),
		cmocka_unit_test(read_only_trees_are_told),
		cmocka_unit_test(trees_that_are_not_there_are_told),
		cmocka_unit_test(v1_an_ordinary_user_has_limits_in_groups_of_his_own),
	};

	return cmocka_run_group_tests_name("cgroup_real", tests, prepare, NULL);
}
