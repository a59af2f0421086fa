/*
 * The monitor allocates nothing once it runs. The whole of it runs in this
 * process, under a counting malloc, while a child of ours kills its workers and
 * its router, makes it read its manifests again, and stops it.
 */
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/support/heap.h"

#define KILLS 4
#define TRIES 250		/* of 20 ms */

int cupeld_main(int argc, char **argv);
int __real_loop_run(struct loop *loop, struct error *why);
int __wrap_loop_run(struct loop *loop, struct error *why);

static char directory[] = "/tmp/cupel-heap.XXXXXX";
static uint64_t before, after;

/* Started is everything up to here. */
int __wrap_loop_run(struct loop *loop, struct error *why)
{
	before = heap_count();
	int r = __real_loop_run(loop, why);

	after = heap_count();
	return r;
}

static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static bool has_name(pid_t pid, const char *name)
{
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	int fd = open(path, O_RDONLY);
	bool found = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
		     strncmp(text, name, strlen(name)) == 0;

	close(fd);
	return found;
}

/* A child of the monitor, or of one of its children, of that name; or 0. */
static pid_t find(pid_t parent, const char *name, int depth)
{
	char path[64], text[4096] = "";
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	for (char *at = text, *end; !found; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		if (has_name(pid, name))
			found = pid;
		else if (depth > 1)
			found = find(pid, name, depth - 1);
	}
	return found;
}

static pid_t wait_for(pid_t monitor, const char *name, pid_t other)
{
	for (int n = 0; n < TRIES; n++, rest()) {
		pid_t pid = find(monitor, name, 2);

		if (pid && pid != other)
			return pid;
	}
	return 0;
}

/* The exit status says how far it came. */
static _Noreturn void drive(pid_t monitor)
{
	static const char *const victims[KILLS] = {
		"cupel-echo", "cupel-store", "cupel-router", "cupel-echo",
	};

	for (int i = 0; i < KILLS; i++) {
		pid_t victim = wait_for(monitor, victims[i], 0);

		rest();
		if (!victim || kill(victim, SIGKILL) < 0 ||
		    !wait_for(monitor, victims[i], victim)) {
			kill(monitor, SIGTERM);
			_exit(1 + i);
		}
	}
	kill(monitor, SIGHUP);
	for (int n = 0; n < 50; n++)
		rest();
	kill(monitor, SIGTERM);
	_exit(0);
}

static void test_nothing_is_allocated_while_it_runs(void **state)
{
	char name[] = "cupeld";
	char *argv[] = { name, NULL };
	pid_t monitor = getpid();
	int status = -1;

	(void)state;
	setenv("CUPEL_RUN", directory, 1);
	setenv("CUPEL_STATE", directory, 1);
	pid_t driver = fork();

	if (driver == 0)
		drive(monitor);
	assert_int_equal(cupeld_main(1, argv), 0);
	assert_int_equal(waitpid(driver, &status, 0), driver);
	assert_int_equal(status, 0);
	assert_true(before > 0);	/* the counting malloc is in use */
	assert_int_equal(after - before, 0);
}

static int make(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_all(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_allocated_while_it_runs),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
