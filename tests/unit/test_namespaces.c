/* The two ways of reading namespaces tell the same. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/namespaces.h"
#include "tests/support/test.h"

/* Shared with the child that reads. */
static struct {
	uint64_t by_pidfd[NAMESPACE_COUNT], by_path[NAMESPACE_COUNT];
} *seen;

static bool kernel_has_ioctl(int i)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	AUTO_CLOSE int fd = ioctl(pidfd, namespaces[i].get, 0);

	return fd >= 0;
}

/* Without a descriptor to be had, the paths are all there is. */
static int forbid_descriptors(void)
{
	return setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
}

/* In a child, as a namespace left is not entered again; 2: not permitted. */
static int read_in(uint64_t new)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare((int)new) < 0)
			_exit(2);
		namespaces_read(seen->by_pidfd);
		if (forbid_descriptors() < 0)
			_exit(1);
		namespaces_read(seen->by_path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void the_calling_process_is_told_by_both_ways(void **state)
{
	(void)state;
	assert_int_equal(read_in(0), 0);
	for (int i = 0; i < NAMESPACE_COUNT; i++) {
		test_row(seen->by_path[i], "%s: none", namespaces[i].name);
		test_row(seen->by_pidfd[i] == seen->by_path[i], "%s: %lu and %lu",
			 namespaces[i].name, seen->by_pidfd[i], seen->by_path[i]);
	}
}

/* A time namespace is entered by exec, one of processes by fork. */
static bool unshared_at_once(int i)
{
	return i != NAMESPACE_TIME && namespaces[i].flag != CLONE_NEWPID;
}

static void a_new_namespace_changes_its_own_row_only(void **state)
{
	uint64_t here[NAMESPACE_COUNT];
	int made = 0;

	(void)state;
	namespaces_read(here);
	for (int i = 0; i < NAMESPACE_COUNT; i++) {
		if (!unshared_at_once(i) || read_in(namespaces[i].flag) == 2)
			continue;
		made++;
		for (int k = 0; k < NAMESPACE_COUNT; k++) {
			test_row(seen->by_pidfd[k] == seen->by_path[k],
				 "new %s: %s differs", namespaces[i].name, namespaces[k].name);
			test_row((seen->by_path[k] != here[k]) == (k == i),
				 "new %s: %s", namespaces[i].name, namespaces[k].name);
		}
	}
	if (!made)
		test_skip("this user can make no namespace");
}

/* Else the two ways above were one and the same. */
static void the_kernel_knows_the_ioctls_of_the_table(void **state)
{
	(void)state;
	if (!kernel_has_ioctl(0))
		test_skip("before Linux 6.11 there is one way only");
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		test_row(kernel_has_ioctl(i), "%s: %s", namespaces[i].name, strerror(errno));
}

static int share(void **state)
{
	(void)state;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_calling_process_is_told_by_both_ways),
		cmocka_unit_test(a_new_namespace_changes_its_own_row_only),
		cmocka_unit_test(the_kernel_knows_the_ioctls_of_the_table),
	};

	return cmocka_run_group_tests(tests, share, NULL);
}
