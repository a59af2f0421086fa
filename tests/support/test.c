#include "tests/support/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

void test_random_init(struct random *random, const char *property)
{
	const char *text = getenv("CUPEL_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

	printf("# %s: CUPEL_SEED=%" PRIu64 "\n", property, seed);
	fflush(stdout);
	random_init(random, seed);
}

int test_as_ordinary_user(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(9);
		prctl(PR_SET_DUMPABLE, 1);	/* /proc/self is its own */
		body();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static char folder[] = "/tmp/cupel-test-XXXXXX";

int test_enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? chdir(folder) : -1;
}

int test_leave_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

void test_output(const char *script, char *ret, size_t size)
{
	FILE *pipe = popen(script, "r");
	size_t length = pipe ? fread(ret, 1, size - 1, pipe) : 0;

	ret[length] = '\0';
	if (pipe)
		pclose(pipe);
}
