#include "supervisor/cli/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define SECRET "CUPEL_VERIFY_SECRET"	/* the one variable that is not passed inside */
#define PID_LEAST 100	/* not a number that a process inside may have */
#define MEBIBYTE (1 << 20)
#define REAP_TRIES 200	/* a second for the last orphans to end */
#define REAP_PAUSE_US 5000

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static long variable(const char *name)
{
	const char *value = getenv(name);

	return value ? strtol(value, NULL, 10) : 0;
}

/* ---- files and what is inherited ---- */

static int try_open(const struct attempt *attempt)
{
	return result(open(attempt->text, (int)attempt->number | O_CLOEXEC, 0600));
}

static int try_home(const struct attempt *attempt)
{
	const char *home = getenv(attempt->text);

	return result(open(home && *home ? home : "/nonexistent", O_RDONLY | O_DIRECTORY));
}

static int try_process_file(const struct attempt *attempt)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", variable("CUPEL_VERIFY_PID"),
		 attempt->text);
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

static int try_set_mode(const struct attempt *attempt)
{
	char path[] = "/tmp/cupel-verify-XXXXXX";
	int fd = mkstemp(path);
	int error = fd < 0 ? errno : result(fchmod(fd, (mode_t)attempt->number));

	unlink(path);
	return error;
}

static int try_device(const struct attempt *attempt)
{
	char path[] = "/tmp/cupel-verify-XXXXXX";

	if (!mkdtemp(path) || chdir(path) < 0)
		return errno;
	int error = result(mknod("null", S_IFCHR | 0600, (dev_t)attempt->number));

	unlink("null");
	rmdir(path);
	return error;
}

static int try_descriptor(const struct attempt *attempt)
{
	(void)attempt;
	for (int fd = 3; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			return 0;
	}
	return EBADF;
}

static int try_variable(const struct attempt *attempt)
{
	return getenv(attempt->text) ? 0 : ENOENT;
}

/* ---- sockets, signals, terminals ---- */

static int try_port(const struct attempt *attempt)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)variable(attempt->text)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno :
			result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static socklen_t abstract_address(struct sockaddr_un *ret, long name)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int length = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1,
			      "cupel-verify-%ld", name);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int try_abstract(const struct attempt *attempt)
{
	struct sockaddr_un address;
	socklen_t length = abstract_address(&address, variable(attempt->text));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&address, length));
}

static int try_socket(const struct attempt *attempt)
{
	return result(socket((int)attempt->number, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_signal(const struct attempt *attempt)
{
	return result(kill((pid_t)variable(attempt->text), 0));
}

/* Types into a terminal as if its user did; on one of its own. */
static int try_type(const struct attempt *attempt)
{
	int unlock = 0;
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return errno;
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);

	if (slave < 0)
		return errno;
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	return result(ioctl(slave, (unsigned long)attempt->number, "x"));
}

/* ---- other ways into the kernel ---- */

static int try_ptrace(const struct attempt *attempt)
{
	pid_t pid = fork();

	(void)attempt;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	int error = result(ptrace(PTRACE_ATTACH, pid, NULL, NULL));

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return error;
}

/* Outside it happens in a mount namespace that ends with the attempt. */
static int try_mount(const struct attempt *attempt)
{
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return result(mount("none", "/tmp", attempt->text, 0, NULL));
}

static int try_unshare(const struct attempt *attempt)
{
	return result(unshare((int)attempt->number));
}

static int try_become(const struct attempt *attempt)
{
	uid_t uid = (uid_t)attempt->number;

	return result(syscall(SYS_setresuid, uid, uid, uid));
}

static int try_keyring(const struct attempt *attempt)
{
	return result(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, attempt->number, 0));
}

static int try_io_uring(const struct attempt *attempt)
{
	char parameters[256] = { 0 };

	return result(syscall(SYS_io_uring_setup, attempt->number, parameters));
}

static int try_bpf(const struct attempt *attempt)
{
	union bpf_attr attributes = { 0 };

	attributes.map_type = (uint32_t)attempt->number;
	attributes.key_size = 4;
	attributes.value_size = 4;
	attributes.max_entries = 1;
	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

/* Numbers of the 32-bit ABI, which a filter for the native one would not see. */
static int try_int80(const struct attempt *attempt)
{
	long r = 0;

#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(attempt->number)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	r = -ENOSYS + 0 * attempt->number;
#endif
	return r < 0 ? (int)-r : 0;
}

/* ---- bombs, small ones ---- */

/* The children stay until the attempt closes its end of their pipe. */
static int try_fork(const struct attempt *attempt)
{
	int ends[2], error = pipe2(ends, O_CLOEXEC) < 0 ? errno : 0;

	for (long i = 0; error == 0 && i < attempt->number; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			char byte;

			close(ends[1]);
			_exit((int)read(ends[0], &byte, 1));
		}
		error = pid < 0 ? errno : 0;
	}
	close(ends[1]);
	while (wait(NULL) > 0)
		;
	return error;
}

/* At a pace that also those limits can keep up with that Cupel has to watch. */
static int try_memory(const struct attempt *attempt)
{
	for (long i = 0; i < attempt->number; i++) {
		void *piece = mmap(NULL, MEBIBYTE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (piece == MAP_FAILED)
			return errno;
		usleep(2000);
	}
	return 0;
}

/* Until nobody reads the pipe any more, whoever started it may be gone. */
static int try_outlive(const struct attempt *attempt)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };

	(void)attempt;
	if (write(STDOUT_FILENO, "", 1) != 1)
		return errno;
	return result(poll(&reader, 1, -1));
}

const struct attempt attempts[] = {
	{ .name = "list the caller's home", try_home, "mounts", "CUPEL_VERIFY_HOME" },
	{ .name = "read /etc/shadow", try_open, "mounts", "/etc/shadow", O_RDONLY },
	{ .name = "write below /usr", try_open, "mounts", "/usr", O_TMPFILE | O_WRONLY },
	{ .name = "open core_pattern for writing", try_open, "mounts", "/proc/sys/kernel/core_pattern", O_WRONLY },
	{ .name = "list settings below /sys", try_open, "mounts", "/sys/kernel", O_RDONLY },
	{ .name = "see a process outside", try_process_file, "pid namespace", "stat" },
	{ .name = "signal a process outside", try_signal, "pid namespace", "CUPEL_VERIFY_PID" },
	{ .name = "inherit a descriptor", try_descriptor, "close_range" },
	{ .name = "inherit a variable", try_variable, "environment list", SECRET },
	{ .name = "connect to a port of the host", try_port, NETWORK_LAYER, "CUPEL_VERIFY_PORT" },
	{ .name = "connect to an abstract socket", try_abstract, NETWORK_LAYER, "CUPEL_VERIFY_SOCKET" },
	{ .name = "open a vsock socket", try_socket, "seccomp", NULL, AF_VSOCK },
	{ .name = "become root", try_become, "user namespace", NULL, 0 },
	{ .name = "leave a setuid file", try_set_mode, "seccomp", NULL, 04755 },
	{ .name = "make a device node", try_device, "capabilities", NULL, 0x103 },
	{ .name = "mount a file system", try_mount, "seccomp", "tmpfs" },
	{ .name = "make a user namespace", try_unshare, "seccomp", NULL, CLONE_NEWUSER },
	{ .name = "trace a process", try_ptrace, "seccomp" },
	{ .name = "reach a keyring", try_keyring, "seccomp", NULL, KEY_SPEC_USER_KEYRING },
	{ .name = "set up an io_uring", try_io_uring, "seccomp", NULL, 4 },
	{ .name = "make a BPF map", try_bpf, "seccomp", NULL, BPF_MAP_TYPE_ARRAY },
	{ .name = "call the kernel by int 0x80", try_int80, "seccomp", NULL, 20 },
	{ .name = "type into a terminal", try_type, "seccomp", NULL, TIOCSTI },
	{ .name = "start 64 processes of 16", try_fork, "rlimit", NULL, 64, .limit = "pids=16" },
	{ .name = "use 64M of memory of 32M", try_memory, "Cupel's watch", NULL, 64, .limit = "memory=32M" },
	{ .name = "outlive a killed launcher", try_outlive, "pid namespace", .outlives = true },
};

const size_t attempt_count = COUNT(attempts);

const struct attempt *attempt_find(const char *name)
{
	for (size_t i = 0; i < attempt_count; i++)
		if (strcmp(attempts[i].name, name) == 0)
			return &attempts[i];
	return NULL;
}

/* ---- what they aim at ---- */

static _Noreturn void be_a_process(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* Low numbers also stand for processes inside: a target has a higher one. */
static pid_t start_process(void)
{
	pid_t pid;

	for (;;) {
		pid = fork();
		if (pid == 0)
			be_a_process();
		if (pid < 0 || pid >= PID_LEAST)
			return pid;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static int listen_port(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return fd;	/* nothing listens there: no control */
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int listen_abstract(long name)
{
	struct sockaddr_un address;
	socklen_t length = abstract_address(&address, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0)
		listen(fd, 8);
	return fd;
}

/* Without a target an attempt has no control; only the process is a must. */
int verify_prepare(struct verify_targets *ret, struct error *why)
{
	const char *home = getenv("HOME");
	int port = 0;

	*ret = (struct verify_targets){ .process = start_process(), .port = listen_port(&port),
					.socket = listen_abstract(getpid()) };
	ret->descriptor = dup(ret->port);	/* without close-on-exec, on purpose */
	if (ret->process < 0)
		return error_set(why, -errno, "fork: %s", strerror(errno));
	/* Whatever is orphaned by what follows becomes ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	const struct {
		const char *name;
		long value;
	} numbers[] = {
		{ "CUPEL_VERIFY_PID", ret->process },
		{ "CUPEL_VERIFY_PORT", port },
		{ "CUPEL_VERIFY_SOCKET", getpid() },
	};

	for (size_t i = 0; i < COUNT(numbers); i++)
		snprintf(ret->variables[i], sizeof(ret->variables[i]), "%s=%ld",
			 numbers[i].name, numbers[i].value);
	snprintf(ret->variables[COUNT(numbers)], sizeof(ret->variables[0]),
		 "CUPEL_VERIFY_HOME=%.100s", home ? home : "");
	for (size_t i = 0; i < VERIFY_VARIABLES; i++)
		putenv(ret->variables[i]);
	setenv(SECRET, "1", 1);
	return 0;
}

void verify_release(struct verify_targets *targets)
{
	const int descriptors[] = { targets->port, targets->socket, targets->descriptor };

	for (size_t i = 0; i < COUNT(descriptors); i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	if (targets->process > 0)
		kill(targets->process, SIGKILL);
	for (int i = 0; i < REAP_TRIES && waitpid(-1, NULL, WNOHANG) >= 0; i++)
		usleep(REAP_PAUSE_US);
}
