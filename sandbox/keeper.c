#include "sandbox/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup.h"

#define STACK_BYTES (128U << 10)	/* paths and listings; touched only when needed */

static int keep(void *argument)
{
	int pipe = (int)(intptr_t)argument;
	sigset_t all;
	char byte;

	/*
	 * Only SIGKILL ends it early, and not one to the launcher's group; its
	 * parent's death is what it waits for. A session of its own would give
	 * it, with autogroups (sched(7)), a turn of its own on a busy machine,
	 * which each launch had to wait for.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setpgid(0, 0);
	dup2(pipe, 0);
	close_range(1, ~0U, 0);
	/* By its number: killed in a sanitizer's prctl(), we would keep its lock. */
	syscall(SYS_prctl, PR_SET_NAME, "cupel-keeper");
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
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return error_set(why, -errno, "mmap: %s", strerror(errno));
	pid_t pid = clone(keep, stack + STACK_BYTES, CLONE_VM | SIGCHLD,
			  (void *)(intptr_t)theirs);

	if (pid < 0) {
		munmap(stack, STACK_BYTES);
		return error_set(why, -errno, "clone: %s", strerror(errno));
	}
	*ret = (struct keeper){ .pid = pid, .pipe = fd_take(&ours), .stack = stack };
	return 0;
}

void keeper_dismiss(struct keeper *keeper)
{
	if (!keeper->pid)
		return;
	kill(keeper->pid, SIGKILL);
	close(keeper->pipe);	/* ends it as well, should that have failed */
	waitpid(keeper->pid, NULL, 0);
	munmap(keeper->stack, STACK_BYTES);
	keeper->pid = 0;
}
