/*
 * A commit that is killed at any of its system calls: the next start finds it,
 * and goes on.
 */
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/trees.h"

#define FILE_BYTES 20000

static void make_models(const struct trees *trees)
{
	trees_script(trees, ".",
		     "mkdir -p out/ws out/upper; export UP=$PWD/out/upper; cd out/ws; "
		     "old() { head -c 20000 /dev/zero | tr '\\0' o; }; "
		     "new() { head -c 20000 /dev/zero | tr '\\0' n; }; "
		     "for d in m d t; do mkdir $d; "
		     "for i in 1 2 3 4 5 6; do old >$d/$i; done; done; mkdir t/s; old >t/s/1; old >f; ln -s x l; cd $UP; mkdir m a f; "
		     "for i in 1 2 3 4 5 6; do new >m/$i; new >a/$i; new >f/$i; done; "
		     "mknod d c 0 0; new >t; ln -s y l; chmod 500 a");
}

static void start_anew(struct trees *trees)
{
	trees_script(trees, ".",
		     "chmod -R u+rwX ws; rm -rf ws/* ws/.c* up/upper/*; "
		     "cp -a out/ws .; cp -a out/upper up");
	trees_empty_state(trees);
	trees_start(trees);
	arena_reset(&trees->arena);
	assert_int_equal(trees_read(trees), 0);
}

/* Whether a file has all of its old or all of its new bytes. */
static bool is_whole(const char *path)
{
	char bytes[FILE_BYTES + 1];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd >= 0)
		close(fd);
	if (n != FILE_BYTES || (bytes[0] != 'o' && bytes[0] != 'n'))
		return false;
	return memcmp(bytes, bytes + 1, FILE_BYTES - 1) == 0;
}

static void check_whole(const struct trees *trees, bool nothing_strange)
{
	char command[256], path[256];

	/* What is modified is there at every moment. */
	trees_script(trees, "ws/m", "test \"$(echo *)\" = '1 2 3 4 5 6'");
	snprintf(command, sizeof(command), "find %s/ws -type f", trees->top);
	FILE *in = popen(command, "re");

	assert_non_null(in);
	while (fgets(path, sizeof(path), in)) {
		path[strcspn(path, "\n")] = '\0';
		if (strstr(path, "/.cupel-"))
			test_row(!nothing_strange, "%s is left", path);
		else
			test_row(is_whole(path), "%s is neither old nor new", path);
	}
	pclose(in);
}

/* Between the two halves of replacing a file, if there are two. */
static bool enters_rename(pid_t pid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       (info.entry.nr == SYS_renameat || info.entry.nr == SYS_renameat2);
}

/*
 * Runs a commit in a process that is killed as it enters or leaves a system
 * call, or as it enters renameat(2): the stop with that number. The number of
 * stops if it got to its end.
 */
static uint64_t commit_and_be_killed(struct trees *trees, bool renames,
				     uint64_t at_stop)
{
	uint64_t stops = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(trees_commit(trees) != 0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
		if ((!renames || enters_rename(pid)) && stops++ == at_stop)
			kill(pid, SIGKILL);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return stops;
}

struct tally {
	unsigned untouched, interrupted, done;
};

/* The next start finds out, goes on, and finds nothing afterwards. */
static void check_after_kill(struct trees *trees, const char *old, const char *new,
			     bool same_disk, struct tally *tally)
{
	struct commit_request request = {
		.state = trees->state, .workspace = &trees->workspace, .path = trees->top,
	};
	char name[KEEP_NAME_BYTES];

	check_whole(trees, same_disk);
	int found = commit_find_interrupted(&request, &trees->arena, name, &trees->why);

	if (found == 1) {
		tally->interrupted++;
		test_row(trees_recover(trees, name) == 0, "%s", trees->why.text);
		assert_int_equal(commit_find_interrupted(&request, &trees->arena, name,
							 NULL), 0);
	}
	check_whole(trees, true);
	char *now = trees_snapshot(trees, "ws");
	bool is_new = strcmp(now, new) == 0;

	test_row(is_new || (found == 0 && strcmp(now, old) == 0), "got\n%swant\n%s", now, new);
	tally->untouched += !is_new;
	tally->done += is_new && found == 0;
	if (is_new)
		assert_true(trees_state_is_empty(trees));
	free(now);
}

static void kill_rounds(const char *property, struct trees *trees, int rounds,
			bool same_disk)
{
	struct random random;
	struct tally tally = { 0 };

	test_random_init(&random, property);
	make_models(trees);
	start_anew(trees);
	char *old = trees_snapshot(trees, "ws");

	uint64_t stops[2];

	for (int renames = 0; renames < 2; renames++) {
		start_anew(trees);
		stops[renames] = commit_and_be_killed(trees, renames, UINT64_MAX);
		assert_int_not_equal(stops[renames], 0);
	}
	char *new = trees_snapshot(trees, "ws");

	for (int i = 0; i < rounds; i++) {
		bool renames = i % 3 == 0;

		start_anew(trees);
		commit_and_be_killed(trees, renames, random_below(&random, stops[renames]));
		check_after_kill(trees, old, new, same_disk, &tally);
	}
	printf("# %s: %ju stops, %u untouched, %u interrupted, %u done\n", property,
	       (uintmax_t)stops[0], tally.untouched, tally.interrupted, tally.done);
	free(old);
	free(new);
}

static void killed_at_any_moment_a_commit_is_recovered(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	kill_rounds("state beside the workspace", &trees, 100, true);
	trees_release(&trees);
}

/* The other one is a second tmpfs, or the disk, which takes more time to sync. */
static void and_so_with_the_state_on_another_file_system(void **state)
{
	struct trees trees, other;
	char path[128];

	(void)state;
	trees_init_below(&trees, TREES_MEMORY);
	trees_init_below(&other, "/tmp");
	snprintf(path, sizeof(path), "%s/state", other.top);
	bool fast = mount("tmpfs", path, "tmpfs", 0, NULL) == 0;
	int mine = trees.state;

	trees.state = open(path, O_RDONLY | O_DIRECTORY);
	kill_rounds("state on another file system", &trees, fast ? 40 : 5, false);
	close(trees.state);
	trees.state = mine;
	if (fast)
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	trees_release(&trees);
	trees_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_moment_a_commit_is_recovered),
		cmocka_unit_test(and_so_with_the_state_on_another_file_system),
	};

	return cmocka_run_group_tests_name("commit_killed", tests, trees_own_mounts, NULL);
}
