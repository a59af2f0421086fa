#include "sandbox/domain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/landlock.h"

/* Without the border, kill(2) of -1 would end all that the user has. */
static bool inside;

static int draw_border(struct error *why)
{
	pid_t parent = getppid();
	bool reached = kill(parent, 0) == 0;
	AUTO_CLOSE int ruleset = landlock_open_border(why);
	int r = ruleset < 0 ? ruleset : landlock_enforce(ruleset, why);

	if (r < 0)
		return r;
	if (!reached || getppid() != parent || kill(parent, 0) == 0 || errno != EPERM)
		return error_set(why, -EPERM,
				 "a Landlock domain was not seen to keep signals in");
	inside = true;
	return 0;
}

static _Noreturn void guard(pid_t init)
{
	struct pollfd polled = { .events = POLLIN };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_range(0, ~0U, 0);
	polled.fd = (int)syscall(SYS_pidfd_open, init, 0);
	prctl(PR_SET_NAME, "cupel-guard");
	/* Its own end, or that it has ended already. */
	while (polled.fd >= 0 && getppid() == init && poll(&polled, 1, -1) < 0)
		;
	kill(-1, SIGKILL);
	_exit(0);
}

int domain_enter(struct error *why)
{
	pid_t self = getpid();
	int r = draw_border(why);

	if (r < 0)
		return r;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_set(why, -errno, "subreaper: %s", strerror(errno));
	pid_t pid = fork();

	if (pid < 0)
		return error_set(why, -errno, "fork: %s", strerror(errno));
	if (pid == 0)
		guard(self);
	return 0;
}

void domain_end(void)
{
	if (!inside)
		return;
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}
