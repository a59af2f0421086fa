/* What a service can still do once it has confined itself, tried in a child. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/service.h"

static char directory[] = "/tmp/cupel-service.XXXXXX";
static const char *const readable[] = { directory, "/no/such/place", NULL };

static bool opens(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_capability(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);
	const char *line;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return true;
	line = strstr(text, "CapPrm:");
	return !line || strtoull(line + 7, NULL, 16) != 0;
}

/* Each returns whether it held; status is read before, as nothing opens after. */
static bool closes_files(void)
{
	return opens(directory) == false && errno == EPERM && !opens("/etc/passwd");
}

static bool makes_no_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM;
}

static bool starts_no_process(void)
{
	return fork() < 0 && execl("/bin/true", "true", NULL) < 0 && errno == EPERM;
}

static bool is_not_root(void)
{
	return geteuid() != 0 && getegid() != 0 && setuid(0) < 0;
}

static bool closed_the_rest(void)
{
	return fcntl(7, F_GETFD) < 0 && errno == EBADF && fcntl(2, F_GETFD) >= 0;
}

static bool still_reads_what_it_may(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/inside", directory);
	return opens(path) && opens(directory);
}

static bool reads_nothing_else(void)
{
	return !opens("/etc/passwd") && errno == EACCES;
}

static bool writes_nothing(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/inside", directory);
	return open(path, O_WRONLY) < 0 && errno == EACCES;
}

static bool has_no_capability(void)
{
	return !has_capability();
}

static const char *const status_readable[] = { "/proc", NULL };

static const struct {
	const char *name;
	const char *const *readable;
	bool (*holds)(void);
	bool filtered;		/* holds by the filter, which ASan builds lack */
} cases[] = {
	{ "nothing can be opened", NULL, closes_files, true },
	{ "no socket can be made", NULL, makes_no_socket, true },
	{ "no process can be started", NULL, starts_no_process, true },
	{ "root is given up", NULL, is_not_root, false },
	{ "other descriptors are closed", NULL, closed_the_rest, false },
	{ "what it may read is read", readable, still_reads_what_it_may, false },
	{ "what it may not read is not", readable, reads_nothing_else, false },
	{ "what it may read is not written", readable, writes_nothing, false },
	{ "no capability is left", status_readable, has_no_capability, false },
};

static int run_case(const char *const *paths, bool (*holds)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct error why = { 0 };

		dup2(2, 7);
		if (service_confine(&(struct service){ .descriptors_end = 3,
						       .readable = paths },
				    &why) < 0) {
			dprintf(2, "# %s\n", why.text);
			_exit(9);
		}
		_exit(holds() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_confined(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
#ifdef __SANITIZE_ADDRESS__
		if (cases[i].filtered)
			continue;
#endif
		int got = run_case(cases[i].readable, cases[i].holds);

		test_row(got == 0, "%s: exit %d", cases[i].name, got);
	}
}

static int make_directory(void **state)
{
	char path[64];
	int fd;

	(void)state;
	if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/inside", directory);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	return fd < 0 ? -1 : close(fd);
}

static int remove_directory(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/inside", directory);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_confined) };

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
