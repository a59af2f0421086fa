/*
 * What the tests do from outside a sandbox.
 *
 *	probe crash ROUNDS MOST_US COMMAND...	starts COMMAND and kills it with
 *		SIGKILL after 0 to MOST_US microseconds, ROUNDS times, and then
 *		waits for every process any of them left behind, for CRASH_PATIENCE_MS
 *	probe crash-early ROUNDS MOST_US COMMAND...	the same, the time counted
 *		from the moment COMMAND has its first child
 *	probe refuse NUMBER[,NUMBER...] COMMAND...	COMMAND on a kernel without
 *		those system calls; a NUMBER with "!" before it is forbidden (EPERM)
 *	probe swap A B		exchanges two names again and again until killed
 *	probe terminal COMMAND...	COMMAND on a terminal of its own; prints how
 *		many bytes it typed into it
 *	probe listen FILE ABSTRACT PATH	accepts connections by TCP (the port is
 *		the first line of FILE), by an abstract name and by a path; each
 *		adds a line to FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define PATIENCE_MS 5000
#define REFUSED_MOST 32
#define SWAP_MOST_US 300	/* a start takes some ten times as long */

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* ---- crash ---- */

static FILE *children_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	return fopen(path, "re");
}

/* A sandbox's init takes all inside with it; what its end leaves to us follows. */
static void kill_children(void)
{
	FILE *children = children_of(getpid());
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (children)
		fclose(children);
}

/* Reaps until nothing is left; 1 if some of it had to be killed for that. */
static int wait_for_orphans(void)
{
	const char *given = getenv("CRASH_PATIENCE_MS");
	long patience = given ? number_of(given) : PATIENCE_MS;
	int left = 0;

	for (int waited = 0;; waited++) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			left += waited > patience;
		if (pid < 0)
			break;
		if (waited > patience)
			kill_children();
		usleep(1000);
	}
	if (left)
		printf("# %d processes were left\n", left);
	return left > 0;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid;
}

/* Without a pause, which would be longer than what is waited for. */
static void await_child(pid_t pid)
{
	FILE *children = children_of(pid);
	char byte;

	while (children && pread(fileno(children), &byte, 1, 0) == 0 && !has_ended(pid))
		;
	if (children)
		fclose(children);
}

static int crash_once(char **command, bool early, useconds_t after)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail("fork");
	if (pid == 0) {
		execvp(command[0], command);
		_exit(fail(command[0]));
	}
	if (early)
		await_child(pid);
	if (after)
		usleep(after);
	kill(pid, SIGKILL);
	return waitpid(pid, NULL, 0) < 0 ? fail("waitpid") : 0;
}

int probe_crash(int argc, char **argv)
{
	long rounds = number_of(argv[1]), most_us = number_of(argv[2]);
	long seed = number_of(getenv("CUPEL_SEED"));
	bool early = strcmp(argv[0], "crash-early") == 0;

	(void)argc;
	srandom(seed ? (unsigned)seed : 1);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (long i = 0; i < rounds; i++)
		if (crash_once(argv + 3, early, (useconds_t)(random() % most_us)))
			return 1;
	return wait_for_orphans();
}

/* ---- refuse ---- */

int probe_refuse(int argc, char **argv)
{
	struct sock_filter filter[2 * REFUSED_MOST + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short length = 1;

	(void)argc;
	for (char *word = strtok(argv[1], ","); word; word = strtok(NULL, ",")) {
		bool forbidden = word[0] == '!';

		if (length > 2 * REFUSED_MOST)
			return fail("too many numbers");
		filter[length++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number_of(word + forbidden), 0, 1);
		filter[length++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (forbidden ? EPERM : ENOSYS));
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { length, filter };

	/* Only who has no right to spare gives it up for the filter. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0))
		return fail("seccomp");
	execvp(argv[2], argv + 2);
	return fail(argv[2]);
}

/* ---- swap ---- */

int probe_swap(int argc, char **argv)
{
	(void)argc;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;) {
		if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0)
			return fail("renameat2");
		usleep((useconds_t)random() % SWAP_MOST_US);
	}
}

/* ---- terminal ---- */

static int open_pair(int *ret_master, int *ret_slave)
{
	struct termios raw;

	*ret_master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*ret_master < 0 || grantpt(*ret_master) < 0 || unlockpt(*ret_master) < 0)
		return -1;
	*ret_slave = open(ptsname(*ret_master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*ret_slave < 0 || tcgetattr(*ret_slave, &raw) < 0)
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(*ret_slave, TCSANOW, &raw);
}

static _Noreturn void run_on(int slave, char **command)
{
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	execvp(command[0], command);
	_exit(127);
}

/* What the command shows is passed on until it has ended. */
static void show(int master, pid_t pid)
{
	char text[4096];
	bool ended = false;

	fcntl(master, F_SETFL, O_NONBLOCK);
	while (!ended) {
		ssize_t length;

		ended = waitpid(pid, NULL, WNOHANG) == pid;
		while ((length = read(master, text, sizeof(text))) > 0)
			fwrite(text, 1, (size_t)length, stdout);
		usleep(1000);
	}
}

int probe_terminal(int argc, char **argv)
{
	char typed[256];
	int master, slave;

	(void)argc;
	if (open_pair(&master, &slave) < 0)
		return fail("terminal");
	pid_t pid = fork();

	if (pid < 0)
		return fail("fork");
	if (pid == 0)
		run_on(slave, argv + 1);
	show(master, pid);
	fcntl(slave, F_SETFL, O_NONBLOCK);
	ssize_t length = read(slave, typed, sizeof(typed));

	printf("typed %zd\n", length < 0 ? 0 : length);
	return 0;
}

/* ---- listen ---- */

static int listen_on(int family, const void *address, socklen_t length)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, length) < 0 || listen(fd, 16) < 0)
		exit(fail("listen"));
	return fd;
}

static int listen_unix(const char *name, size_t skipped)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path + skipped, sizeof(address.sun_path) - skipped,
		 "%s", name);
	return listen_on(AF_UNIX, &address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     skipped + strlen(name)));
}

int probe_listen(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	FILE *file = fopen(argv[1], "w");

	if (argc != 4 || !file)
		return fail(argv[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	struct pollfd listeners[] = {
		{ .fd = listen_on(AF_INET, &address, length), .events = POLLIN },
		{ .fd = listen_unix(argv[2], 1), .events = POLLIN },
		{ .fd = listen_unix(argv[3], 0), .events = POLLIN },
	};
	if (getsockname(listeners[0].fd, (struct sockaddr *)&address, &length) < 0)
		exit(fail("getsockname"));
	fprintf(file, "%d\n", ntohs(address.sin_port));
	fflush(file);
	while (poll(listeners, COUNT(listeners), -1) > 0)
		for (size_t i = 0; i < COUNT(listeners); i++)
			if (listeners[i].revents) {
				close(accept(listeners[i].fd, NULL, NULL));
				fprintf(file, "connection %zu\n", i);
				fflush(file);
			}
	exit(fail("poll"));
}
