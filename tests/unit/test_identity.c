/* Namespaces for idmapped mounts: each maps what was asked for, few are kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/identity.h"
#include "tests/support/test.h"

#define HOST 2000000000U	/* an id that nobody has */
#define KEPT 16

static struct error why;

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	test_skip("only root maps the ids of others");
	return false;
}

/* Borrowed, as the caller of tree_take() has it. */
static int namespace_of(uid_t owner, uid_t host)
{
	int fd = identity_mount_namespace(owner, owner + 1, host, host + 1, &why);

	test_row(fd >= 0, "%s", why.text);
	return fd;
}

static ino_t inode_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

static bool reads(const char *path, unsigned owner, unsigned host)
{
	char text[128] = "";
	unsigned found[3] = { 0 };
	AUTO_CLOSE int fd = open(path, O_RDONLY);

	return read(fd, text, sizeof(text) - 1) > 0 &&
	       sscanf(text, "%u %u %u", &found[0], &found[1], &found[2]) == 3 &&
	       found[0] == owner && found[1] == host && found[2] == 1;
}

/* In a child, as a namespace entered is not left again. */
static void assert_maps(int fd, uid_t owner, uid_t host)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setns(fd, CLONE_NEWUSER) < 0 ? 2 :
		      !reads("/proc/self/uid_map", owner, host) ? 3 :
		      !reads("/proc/self/gid_map", owner + 1, host + 1) ? 4 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	test_row(status == 0, "%u to %u: %d", owner, host, WEXITSTATUS(status));
}

static void the_same_ids_are_the_same_namespace(void **state)
{
	(void)state;
	if (!is_root())
		return;
	int fd = namespace_of(1000, HOST);
	ino_t first = inode_of(fd);

	assert_maps(fd, 1000, HOST);
	assert_int_equal(namespace_of(1000, HOST), fd);
	assert_int_equal(inode_of(fd), first);
}

/* Those that want the same place, too: another owner, and ids so many further on. */
static void other_ids_are_another(void **state)
{
	static const struct {
		uid_t owner, host;
	} rows[] = {
		{ 0, HOST }, { 1000, HOST }, { 1000, HOST + 1 }, { 1000, HOST + KEPT },
		{ 1000, HOST }, { 1001, HOST }, { 1000, HOST },
	};

	(void)state;
	if (!is_root())
		return;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_maps(namespace_of(rows[i].owner, rows[i].host), rows[i].owner,
			    rows[i].host);
}

static int descriptors(void)
{
	DIR *list = opendir("/proc/self/fd");
	int ret = 0;

	assert_non_null(list);
	while (readdir(list))
		ret++;
	closedir(list);
	return ret;
}

static void few_are_kept_and_none_survives_an_exec(void **state)
{
	int before;

	(void)state;
	if (!is_root())
		return;
	before = descriptors();
	for (unsigned i = 0; i < 3 * KEPT; i++)
		assert_int_equal(fcntl(namespace_of(1000, HOST + i), F_GETFD), FD_CLOEXEC);
	test_row(descriptors() <= before + KEPT, "%d, then %d", before, descriptors());
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);	/* nor a process */
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_ids_are_the_same_namespace),
		cmocka_unit_test(other_ids_are_another),
		cmocka_unit_test(few_are_kept_and_none_survives_an_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
