/*
 * What a process of ours could do, were its code another's.
 *
 *	probe within PID FLAGS PATH...	has it open each path (r: to read, w: to
 *		write and to make it); prints a line "PATH OUTCOME" each
 *
 * It is stopped where it waits, makes the call with its own registers and in
 * its own sandbox, and goes on as if a signal had come: ptrace(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define INSTRUCTION_BYTES 2	/* of the system call it waits in */
#define BELOW 4096		/* its stack, beyond what it uses */

static bool put(pid_t pid, unsigned long long at, const char *text)
{
	char bytes[BELOW / 2] = "";
	bool done = true;

	snprintf(bytes, sizeof(bytes), "%s", text);
	for (size_t i = 0; done && i <= strlen(text); i += sizeof(long)) {
		long word;

		memcpy(&word, bytes + i, sizeof(word));
		done = ptrace(PTRACE_POKEDATA, pid, at + i, word) == 0;
	}
	return done;
}

/* Its next stop; false once it is gone. */
static bool step(pid_t pid)
{
	int status;

	return ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 &&
	       waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

static long call(pid_t pid, const struct user_regs_struct *waiting, long number,
		 unsigned long long a, unsigned long long b, unsigned long long c,
		 unsigned long long d)
{
	struct user_regs_struct registers = *waiting;

	registers.rip -= INSTRUCTION_BYTES;
	registers.orig_rax = (unsigned long long)-1;
	registers.rax = (unsigned long long)number;
	registers.rdi = a;
	registers.rsi = b;
	registers.rdx = c;
	registers.r10 = d;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &registers) < 0 || !step(pid) || !step(pid) ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0)
		return -ESRCH;
	return (long)registers.rax;
}

static void try_path(pid_t pid, const struct user_regs_struct *waiting, int flags,
		     const char *path)
{
	unsigned long long text = waiting->rsp - BELOW;
	char name[32];
	long fd = put(pid, text, path) ?
		call(pid, waiting, SYS_openat, (unsigned long long)AT_FDCWD, text,
		     (unsigned long long)flags, 0600) : -EFAULT;

	if (fd >= 0)
		call(pid, waiting, SYS_close, (unsigned long long)fd, 0, 0, 0);
	printf("%s %s\n", path, outcome_name(fd < 0 ? (int)-fd : 0, name, sizeof(name)));
}

int probe_within(int argc, char **argv)
{
	struct user_regs_struct waiting;
	pid_t pid = (pid_t)number_of(argv[1]);
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &status, __WALL) != pid ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &waiting) < 0) {
		perror("probe within");
		return 1;
	}
	for (int i = 3; i < argc; i++)
		try_path(pid, &waiting, argv[2][0] == 'w' ? O_WRONLY | O_CREAT : O_RDONLY, argv[i]);
	waiting.orig_rax = (unsigned long long)-1;
	waiting.rax = (unsigned long long)-EINTR;
	ptrace(PTRACE_SETREGS, pid, NULL, &waiting);
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0;
}
