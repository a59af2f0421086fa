#include "sandbox/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup.h"

static _Noreturn void keep(int pipe)
{
	sigset_t all;
	char byte;

	/* Only SIGKILL ends it early; its parent's death is what it waits for. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	dup2(pipe, 0);
	close_range(1, ~0U, 0);
	prctl(PR_SET_NAME, "cupel-keeper");
	cgroup_sweep();	/* of earlier runs that were killed with their keepers */
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	cgroup_sweep();
	_exit(0);
}

int keeper_start(struct keeper *ret, struct error *why)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int theirs = ends[0];
	AUTO_CLOSE int ours = ends[1];
	pid_t pid = fork();

	if (pid < 0)
		return error_set(why, -errno, "fork: %s", strerror(errno));
	if (pid == 0) {
		close(ours);
		keep(theirs);
	}
	*ret = (struct keeper){ .pid = pid, .pipe = fd_take(&ours) };
	return 0;
}

void keeper_dismiss(struct keeper *keeper)
{
	if (!keeper->pid)
		return;
	kill(keeper->pid, SIGKILL);
	waitpid(keeper->pid, NULL, 0);
	close(keeper->pipe);
	keeper->pid = 0;
}
