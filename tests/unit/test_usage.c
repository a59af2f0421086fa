#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/usage.h"
#include "tests/support/test.h"

#define MIB (UINT64_C(1) << 20)

/* ---- the text ---- */

static void a_stat_line_is_read_whatever_the_name(void **state)
{
	static const char tail[] = " S 1 7 7 0 -1 4194560 9 0 0 0 3 2 40 10 20 0 5 0 8123 1 2 3";
	static const char exiting[] = " Z 1 7 7 0 -1 4194308 9 0 0 0 3 2 40 10 20 0 1 0 8123 1 2 3";
	static const struct {
		const char *name, *command, *tail;
		int want;
		bool ending;
		unsigned threads;
	} cases[] = {
		{ "a plain name", "7 (sh)", tail, 0, false, 5 },
		{ "blanks and parentheses", "7 (a) S 9 (b) )", tail, 0, false, 5 },
		{ "a newline", "7 (a\nb)", tail, 0, false, 5 },
		{ "an empty name", "7 ()", tail, 0, false, 5 },
		{ "a zombie", "7 (sh)", exiting, 0, true, 1 },
		{ "no name", "7 sh", tail, -EBADMSG, false, 0 },
		{ "no pid", "(sh)", tail, -EBADMSG, false, 0 },
		{ "cut short", "7 (sh)", " S 1 7 7 0 -1 4194560 9 0 0 0 3 2 40", -EBADMSG, false, 0 },
		{ "empty", "", "", -EBADMSG, false, 0 },
	};
	struct process_stat stat;
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof(text), "%s%s", cases[i].command, cases[i].tail);
		int r = process_stat_parse(text, &stat);

		test_row(r == cases[i].want, "%s: %d", cases[i].name, r);
		if (r < 0)
			continue;
		test_row(stat.pid == 7 && stat.start_ticks == 8123 &&
			 stat.ending == cases[i].ending && stat.threads == cases[i].threads,
			 "%s: pid %d start %lu ending %d threads %u", cases[i].name, stat.pid,
			 (unsigned long)stat.start_ticks, stat.ending, stat.threads);
		test_row(stat.cpu_ns == 55 * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)),
			 "%s: cpu", cases[i].name);
	}
}

static void a_zombie_is_ending_and_a_reaped_one_is_gone(void **state)
{
	struct process_stat stat;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(process_stat_read(pid, &stat), 0);
	assert_true(stat.ending);
	waitpid(pid, NULL, 0);
	assert_true(process_stat_read(pid, &stat) < 0);
	assert_int_equal(process_stat_read(0, &stat), 0);
	assert_false(stat.ending);
	assert_int_equal(stat.pid, getpid());
}

/* ---- trees ---- */

static void spin(double seconds)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while ((double)used.tv_sec + (double)used.tv_nsec / 1e9 < seconds);
}

static void touch(uint64_t bytes, int sharing)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, bytes);
}

/* Says through the pipe that it is as wanted, then waits to be killed. */
static _Noreturn void stay(int ready)
{
	if (write(ready, "", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void plain(int ready)
{
	stay(ready);
}

static void chain_of_three(int ready)
{
	for (int i = 0; i < 2; i++)
		if (fork() != 0)
			for (;;)
				pause();
	stay(ready);
}

static void private_memory(int ready)
{
	touch(32 * MIB, MAP_PRIVATE);
	stay(ready);
}

static void shared_memory(int ready)
{
	touch(32 * MIB, MAP_SHARED);
	stay(ready);
}

static void busy_child(int ready)
{
	if (fork() != 0)
		for (;;)
			pause();
	spin(0.2);
	stay(ready);
}

static void busy_child_that_was_reaped(int ready)
{
	if (fork() == 0) {
		spin(0.2);
		_exit(0);
	}
	wait(NULL);
	stay(ready);
}

static void *fork_from_a_thread(void *ready)
{
	if (fork() == 0)
		stay(*(int *)ready);
	for (;;)
		pause();
}

static void child_of_a_thread(int ready)
{
	pthread_t thread;

	pthread_create(&thread, NULL, fork_from_a_thread, &ready);
	for (;;)
		pause();
}

static void many_children(int ready)
{
	for (int i = 0; i < 999; i++)	/* their pids do not fit one read */
		if (fork() == 0)
			for (;;)
				pause();
	stay(ready);
}

static pid_t start_tree(void (*body)(int))
{
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		body(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void a_tree_is_counted_whole(void **state)
{
	static const struct {
		const char *name;
		void (*body)(int);
		unsigned processes;
		double cpu_least, cpu_most;	/* seconds */
		uint64_t mib_least, mib_most;
	} cases[] = {
		{ "one process",             plain,                      1,    0,   0.15, 0,  8 },
		{ "children of children",    chain_of_three,             3,    0,   0.15, 0,  8 },
		{ "private memory",          private_memory,             1,    0,   1,    32, 40 },
		{ "shared memory",           shared_memory,              1,    0,   1,    32, 40 },
		{ "a child's time",          busy_child,                 2,    0.18, 0.6, 0,  8 },
		{ "a reaped child's time",   busy_child_that_was_reaped, 1,    0.18, 0.6, 0,  8 },
		{ "the child of a thread",   child_of_a_thread,          2,    0,   0.15, 0,  8 },
		{ "a thousand",              many_children,              1000, 0,   9,    0,  4000 },
	};
	struct usage usage;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		pid_t pid = start_tree(cases[i].body);
		int r = usage_of_tree(pid, &usage);
		double cpu = (double)usage.cpu_ns / 1e9;

		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		test_row(r == 0 && usage.processes == cases[i].processes,
			 "%s: %d, %u processes", cases[i].name, r, usage.processes);
		test_row(cpu >= cases[i].cpu_least && cpu <= cases[i].cpu_most,
			 "%s: %.3f s", cases[i].name, cpu);
#ifndef __SANITIZE_ADDRESS__	/* whose shadow is memory, too */
		uint64_t mib = usage.resident_bytes / MIB;

		test_row(mib >= cases[i].mib_least && mib <= cases[i].mib_most,
			 "%s: %lu MiB", cases[i].name, (unsigned long)mib);
#endif
	}
}

static void a_process_that_is_gone_uses_nothing(void **state)
{
	struct usage usage = { .cpu_ns = 1 };
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_true(usage_of_tree(pid, &usage) < 0);
	assert_int_equal(usage.cpu_ns, 0);
	assert_int_equal(usage.processes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stat_line_is_read_whatever_the_name),
		cmocka_unit_test(a_zombie_is_ending_and_a_reaped_one_is_gone),
		cmocka_unit_test(a_tree_is_counted_whole),
		cmocka_unit_test(a_process_that_is_gone_uses_nothing),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
