#include "sandbox/init.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/stack.h"
#include "common/wire/packet.h"
#include "sandbox/domain.h"
#include "sandbox/init_steps.h"
#include "sandbox/namespaces.h"

#define COMMAND_STACK_BYTES 65536

static int command_main(void *argument)
{
	init_become_command(argument);
	return INIT_EXIT_SETUP_FAILED;
}

/*
 * vfork with its own stack; the descriptor table is shared until exec. Before
 * Linux 6.3 a process that enters another time namespace may not share memory
 * (EINVAL): then only what init_main() mapped for both is shared.
 */
static char command_stack[COMMAND_STACK_BYTES] __attribute__((aligned(4096)));

static int start_command(struct init *init)
{
	char *const top = command_stack + sizeof(command_stack);
	const int flags = CLONE_VFORK | CLONE_FILES | SIGCHLD;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	init->command = clone(command_main, top, flags | CLONE_VM, init);
	if (init->command < 0 && errno == EINVAL)
		init->command = clone(command_main, top, flags, init);
	if (init->command < 0) {
		int r = init_failed(init, "clone");

		init->report.failed_errno = -r;
		strcpy(init->report.failed_step, "command");
		return r;
	}
	return -init->report.failed_errno;
}

static void send_report(struct init *init)
{
	int descriptors[2];
	size_t count = 0;

	snprintf(init->report.detail, sizeof(init->report.detail), "%.199s",
		 init->report.failed_errno ? init->why.text : "");
	init->report.carries_denials = init->listener >= 0;
	init->report.carries_upper = init->upper >= 0;
	if (init->listener >= 0)
		descriptors[count++] = init->listener;
	if (init->upper >= 0)
		descriptors[count++] = init->upper;
	if (packet_send(init->control, &init->report, sizeof(init->report), descriptors,
			count) < 0)
		_exit(INIT_EXIT_SETUP_FAILED);
}

/* Nothing of the caller stays in the memory of a process the command can see. */
static void forget_environment(void)
{
	for (char **e = environ; *e; e++)
		memset(*e, 0, strlen(*e));
}

/*
 * A worker's sandbox may wait for long: what only the launcher, or setting it
 * up, has needed goes back to the kernel, which passes over what is not mapped.
 */
static void forget_memory(const struct sandbox_plan *plan)
{
	const uintptr_t page = 4096;
	uintptr_t from = ((uintptr_t)plan->tables + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)plan->tables + plan->table_bytes) & ~(page - 1);

	stack_forget();
	madvise(command_stack, sizeof(command_stack), MADV_DONTNEED);
	if (plan->tables && from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* Whether a place of limited size has no byte or no inode left. */
static bool full(const char *path)
{
	struct statfs status;

	return path && statfs(path, &status) == 0 && status.f_blocks &&
	       (status.f_bavail == 0 || (status.f_files && status.f_ffree == 0));
}

static void reap(struct init *init)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct rusage usage;
		struct sandbox_status last;

		if (pid != init->command)
			continue;
		domain_end();
		getrusage(RUSAGE_CHILDREN, &usage);
		last = (struct sandbox_status){
			.wait_status = status,
			.user_us = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
			.system_us = usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec,
			.maxrss_kib = usage.ru_maxrss,
			.in_blocks = usage.ru_inblock,
			.out_blocks = usage.ru_oublock,
			.disk_full = full("/tmp") || full(init->overlay),
		};
		(void)send(init->control, &last, sizeof(last), MSG_NOSIGNAL);
		_exit(0);
	}
}

static _Noreturn void serve(struct init *init, int signals)
{
	struct pollfd polled[] = {
		{ .fd = init->control, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	for (;;) {
		struct sandbox_order order;
		struct signalfd_siginfo ignored;
		ssize_t length;

		reap(init);
		if (poll(polled, COUNT(polled), -1) < 0 && errno != EINTR)
			_exit(INIT_EXIT_SETUP_FAILED);
		while (read(signals, &ignored, sizeof(ignored)) > 0)
			;
		length = recv(init->control, &order, sizeof(order), MSG_DONTWAIT);
		if (length == 0) {	/* the launcher is gone, or wants no more */
			domain_end();
			_exit(INIT_EXIT_SETUP_FAILED);
		}
		if (length == sizeof(order))
			kill(-init->command, order.signal);
	}
}

_Noreturn void init_main(const struct sandbox_plan *plan, int control)
{
	struct init *init = mmap(NULL, sizeof(*init), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct seccomp_program filter = seccomp_init_program();
	sigset_t child;

	if (init == MAP_FAILED)
		_exit(INIT_EXIT_SETUP_FAILED);
	*init = (struct init){ .plan = plan, .control = control, .upper = -1,
			       .program = plan->program, .listener = -1, .keyring = -1,
			       .overlay = plan->workspace_mode == WORKSPACE_OVERLAY ?
					  plan->workspace : NULL };
	if (init_build_walls(init) < 0 || start_command(init) < 0) {
		domain_end();
		send_report(init);
		_exit(INIT_EXIT_SETUP_FAILED);
	}
	if (namespaces_time_is_entered(init->command, plan->outside[NAMESPACE_TIME]))
		init->report.enforced.namespaces |= 1U << NAMESPACE_TIME;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);

	send_report(init);
	forget_environment();
	close_range(0, (unsigned)init->control - 1, 0);	/* the command's, the program */
	close(init->upper);
	close(init->listener);
	if (signals < 0 || seccomp_install(&filter, 0, NULL) < 0)
		_exit(INIT_EXIT_SETUP_FAILED);
	forget_memory(plan);
	init->plan = NULL;	/* its maker's frame goes, too */
	stack_forget_above(__builtin_frame_address(0));
	serve(init, signals);
}
