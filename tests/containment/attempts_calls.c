/* Attempts by system calls that would leave the sandbox, change the machine,
 * look into other processes, or reach the kernel by a side door. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define HIGH_GARBAGE (INT64_C(0xdead) << 32)
#define X32_BIT 0x40000000

static int try_call(const struct attempt *t)
{
	return result(syscall(t->a, t->b, t->c, 0, 0, 0, 0));
}

static int try_call_text(const struct attempt *t)
{
	return result(syscall(t->a, t->text, t->b, t->c, 0, 0, 0));
}

static int try_mount(const struct attempt *t)
{
	/* Unconfined it happens in namespaces of its own: in the host's of
	 * groups, a mount of cgroup2 changes the options of the host's. */
	if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return result(mount("probe", "/tmp", t->text, 0, NULL));
}

/* The child of a new namespace ends at once. */
static int try_clone(const struct attempt *t)
{
	long pid = syscall(SYS_clone, (unsigned long)t->a | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return result(pid);
}

static int try_clone3(const struct attempt *t)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	(void)t;
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return result(pid);
}

static int try_setns(const struct attempt *t)
{
	char buffer[64];
	int fd = open(path_of(t, buffer, sizeof(buffer)), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : result(setns(fd, 0));
}

static int try_bpf(const struct attempt *t)
{
	union bpf_attr attributes;

	(void)t;
	memset(&attributes, 0, sizeof(attributes));
	attributes.map_type = BPF_MAP_TYPE_ARRAY;
	attributes.key_size = 4;
	attributes.value_size = 4;
	attributes.max_entries = 1;
	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

static int try_perf(const struct attempt *t)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(event),
		.config = PERF_COUNT_SW_CPU_CLOCK,
	};

	(void)t;
	return result(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static int try_io_uring(const struct attempt *t)
{
	char parameters[256] = { 0 };

	(void)t;
	return result(syscall(SYS_io_uring_setup, 4, parameters));
}

/* Process 1 inside is init; outside it is a canary of the test's own. */
static pid_t init_or_canary(void)
{
	return unconfined ? (pid_t)number_of(getenv("CANARY_PID")) : 1;
}

static int try_ptrace_init(const struct attempt *t)
{
	(void)t;
	return result(ptrace(PTRACE_SEIZE, init_or_canary(), NULL, NULL));
}

static int try_ptrace_child(const struct attempt *t)
{
	pid_t pid = fork();

	(void)t;
	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return errno;
	int r = result(ptrace(PTRACE_SEIZE, pid, NULL, NULL));

	kill(pid, SIGKILL);
	return r;
}

static int try_on_init(const struct attempt *t)
{
	return result(syscall(t->a, (long)init_or_canary(), t->b, t->c, 0, 0, 0));
}

static int try_kcmp(const struct attempt *t)
{
	(void)t;
	return result(syscall(SYS_kcmp, getpid(), init_or_canary(), 0, 0, 0));
}

static int try_pidfd_getfd(const struct attempt *t)
{
	int fd = (int)syscall(SYS_pidfd_open, init_or_canary(), 0);

	(void)t;
	return fd < 0 ? errno : result(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static int try_listener(const struct attempt *t)
{
	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog program = { 1, &allow };

	(void)t;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static int try_map(const struct attempt *t)
{
	void *memory = mmap(NULL, 4096, (int)t->a, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static int try_make_executable(const struct attempt *t)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	return memory == MAP_FAILED ? errno :
				      result(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int try_memfd(const struct attempt *t)
{
	return result(memfd_create("probe", (unsigned)t->a));
}

/* More inotify instances than one sandbox may take from the host's user. */
static int try_inotify(const struct attempt *t)
{
	for (long i = 0; i < t->a; i++)
		if (inotify_init1(IN_CLOEXEC) < 0)
			return errno;
	return 0;
}

static int try_kill(const struct attempt *t)
{
	return result(kill((pid_t)number_of(getenv(t->text)), 0));
}

static int try_setid(const struct attempt *t)
{
	return result(syscall(t->a, t->b, t->b, t->b));
}

static int try_setgroups(const struct attempt *t)
{
	gid_t groups[1] = { 0 };

	(void)t;
	return result(syscall(SYS_setgroups, 1, groups));
}

/* ---- other doors ---- */

int system_call_by_int80(long number)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(0), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)-r : 0;
}

int system_call_by_x32(long number)
{
	return result(syscall(number | X32_BIT, -1L, -1L, -1L, -1L, -1L, -1L));
}

/* Descriptors and pointers that nothing valid can be behind. */
int system_call_by_number(long number)
{
	return result(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L));
}

static int try_int80(const struct attempt *t)
{
	return system_call_by_int80(t->a);
}

static int try_x32(const struct attempt *t)
{
	return system_call_by_x32(t->a);
}

#define NO_CODE "strict|compute"	/* presets without code made at run time */
#define COMMANDS "strict|tool|build|test|net"	/* presets with processes */

static const struct attempt rows[] = {
	{ "mount a tmpfs", try_mount, "tmpfs", 0, 0, 0, DENIED, "ok", NULL },
	{ "mount proc", try_mount, "proc", 0, 0, 0, DENIED, "ok", NULL },
	{ "mount cgroups", try_mount, "cgroup2", 0, 0, 0, DENIED, "ok|EBUSY", NULL },
	{ "umount2", try_call_text, "/nowhere", SYS_umount2, 0, 0, DENIED, "ENOENT", NULL },
	{ "pivot_root", try_call_text, "/nowhere", SYS_pivot_root, 0, 0, DENIED, "ENOENT|EFAULT", NULL },
	{ "chroot", try_call_text, "/nowhere", SYS_chroot, 0, 0, DENIED, "ENOENT", NULL },
	{ "fsopen", try_call_text, "tmpfs", SYS_fsopen, 0, 0, DENIED, "ok", NULL },
	{ "fspick", try_call, NULL, SYS_fspick, -1, 0, DENIED, "EFAULT|EBADF", NULL },
	{ "fsconfig", try_call, NULL, SYS_fsconfig, -1, 99, DENIED, "EINVAL|EOPNOTSUPP|EBADF", NULL },
	{ "fsmount", try_call, NULL, SYS_fsmount, -1, 0, DENIED, "EBADF", NULL },
	{ "open_tree", try_call, NULL, SYS_open_tree, -1, 0, DENIED, "EFAULT|EBADF", NULL },
	{ "move_mount", try_call, NULL, SYS_move_mount, -1, 0, DENIED, "EFAULT|EBADF|EINVAL", NULL },
	{ "mount_setattr", try_call, NULL, SYS_mount_setattr, -1, 0, DENIED, "EFAULT|EINVAL|EBADF", NULL },
	{ "unshare a user namespace", try_call, NULL, SYS_unshare, CLONE_NEWUSER, 0, DENIED, "ok", NULL },
	{ "unshare a mount namespace", try_call, NULL, SYS_unshare, CLONE_NEWNS, 0, DENIED, "ok", NULL },
	{ "unshare a network namespace", try_call, NULL, SYS_unshare, CLONE_NEWNET, 0, DENIED, "ok", NULL },
	{ "unshare a time namespace", try_call, NULL, SYS_unshare, CLONE_NEWTIME, 0, DENIED, "ok", NULL },
	{ "clone a user namespace", try_clone, NULL, CLONE_NEWUSER, 0, 0, DENIED, "ok", NULL },
	{ "clone a user namespace, high bits set", try_clone, NULL, CLONE_NEWUSER | HIGH_GARBAGE, 0, 0, DENIED, "ok", NULL },
	{ "clone a mount namespace", try_clone, NULL, CLONE_NEWNS, 0, 0, DENIED, "ok", NULL },
	{ "clone a pid namespace", try_clone, NULL, CLONE_NEWPID, 0, 0, DENIED, "ok", NULL },
	{ "clone an ipc namespace", try_clone, NULL, CLONE_NEWIPC, 0, 0, DENIED, "ok", NULL },
	{ "clone a uts namespace", try_clone, NULL, CLONE_NEWUTS, 0, 0, DENIED, "ok", NULL },
	{ "clone a cgroup namespace", try_clone, NULL, CLONE_NEWCGROUP, 0, 0, DENIED, "ok", NULL },
	{ "clone a network namespace", try_clone, NULL, CLONE_NEWNET, 0, 0, DENIED, "ok", NULL },
	{ "clone3", try_clone3, NULL, 0, 0, 0, "ENOSYS", "ok", NULL },
	{ "setns into its own", try_setns, "/proc/self/ns/uts", 0, 0, 0, DENIED, "ok", NULL },
	{ "setns into init's", try_setns, "/proc/1/ns/mnt", 0, 0, 0, DENIED "|ENOENT", "ok", NULL },
	{ "openat2", try_call, NULL, SYS_openat2, -1, 0, "ENOSYS", "EINVAL|EFAULT", NULL },
	{ "bpf", try_bpf, NULL, 0, 0, 0, DENIED, "ok", NULL },
	{ "perf_event_open", try_perf, NULL, 0, 0, 0, DENIED, "ok|ENOENT|EOPNOTSUPP", NULL },
	{ "io_uring_setup", try_io_uring, NULL, 0, 0, 0, "ENOSYS", "ok", NULL },
	{ "io_uring_enter", try_call, NULL, SYS_io_uring_enter, -1, 0, "ENOSYS", "EBADF", NULL },
	{ "io_uring_register", try_call, NULL, SYS_io_uring_register, -1, 0, "ENOSYS", "EBADF|EINVAL", NULL },
	{ "userfaultfd", try_call, NULL, SYS_userfaultfd, 0, 0, DENIED, "ok", NULL },
	{ "memfd_secret", try_call, NULL, SYS_memfd_secret, 0, 0, DENIED, "ok", NULL },
	{ "ptrace init", try_ptrace_init, NULL, 0, 0, 0, DENIED, "ok", NULL },
	{ "ptrace a child", try_ptrace_child, NULL, 0, 0, 0, DENIED, "ok", COMMANDS },
	{ "process_vm_readv", try_on_init, NULL, SYS_process_vm_readv, 0, 0, DENIED, "ok", NULL },
	{ "process_vm_writev", try_on_init, NULL, SYS_process_vm_writev, 0, 0, DENIED, "ok", NULL },
	{ "pidfd_getfd", try_pidfd_getfd, NULL, 0, 0, 0, DENIED, "ok", NULL },
	{ "process_madvise", try_call, NULL, SYS_process_madvise, -1, 0, DENIED, "EBADF|EINVAL", NULL },
	{ "move init's pages", try_on_init, NULL, SYS_move_pages, 0, 0, DENIED, "ok", NULL },
	{ "kcmp", try_kcmp, NULL, 0, 0, 0, DENIED, "ok", NULL },
	{ "keyctl", try_call, NULL, SYS_keyctl, 0, -3, DENIED, "ok|ENOKEY", NULL },
	{ "add_key", try_call_text, "user", SYS_add_key, 0, 0, DENIED, "EFAULT|EINVAL", NULL },
	{ "request_key", try_call_text, "user", SYS_request_key, 0, 0, DENIED, "EFAULT|ENOKEY", NULL },
	{ "init_module", try_call, NULL, SYS_init_module, 0, 0, DENIED, "ENOEXEC|EFAULT|EINVAL", NULL },
	{ "delete_module", try_call_text, "nothing", SYS_delete_module, 0, 0, DENIED, "ENOENT|EFAULT", NULL },
	{ "kexec_load", try_call, NULL, SYS_kexec_load, 0, 17, DENIED, "EFAULT|EINVAL|EBUSY|ENOMEM|EADDRNOTAVAIL", NULL },
	{ "reboot with a wrong magic", try_call, NULL, SYS_reboot, 1, 1, DENIED, "EINVAL", NULL },
	{ "swapon", try_call_text, "/nowhere", SYS_swapon, 0, 0, DENIED, "ENOENT", NULL },
	{ "clock_settime", try_call, NULL, SYS_clock_settime, 99, 0, DENIED, "EINVAL|EFAULT", NULL },
	{ "settimeofday", try_call, NULL, SYS_settimeofday, -1, 0, DENIED, "EFAULT", NULL },
	{ "adjtimex", try_call, NULL, SYS_adjtimex, -1, 0, DENIED, "EFAULT", NULL },
	{ "sethostname", try_call, NULL, SYS_sethostname, -1, -1, DENIED, "EINVAL|EFAULT", NULL },
	{ "iopl", try_call, NULL, SYS_iopl, 9, 0, DENIED, "EINVAL", NULL },
	{ "ioperm", try_call, NULL, SYS_ioperm, 0x7ffffff, 1, DENIED, "EINVAL", NULL },
	{ "modify_ldt", try_call, NULL, SYS_modify_ldt, 0, 0, DENIED, "ok", NULL },
	{ "open_by_handle_at", try_call, NULL, SYS_open_by_handle_at, -1, 0, DENIED, "EFAULT|EBADF", NULL },
	{ "name_to_handle_at", try_call, NULL, SYS_name_to_handle_at, -1, 0, DENIED, "EFAULT|EBADF|EINVAL", NULL },
	{ "acct", try_call_text, "/nowhere", SYS_acct, 0, 0, DENIED, "ENOENT", NULL },
	{ "quotactl", try_call, NULL, SYS_quotactl, -1, 0, DENIED, "EINVAL|ENODEV|ENOENT|EFAULT", NULL },
	{ "syslog", try_call, NULL, SYS_syslog, 10, 0, DENIED, "ok", NULL },
	{ "fanotify_init", try_call, NULL, SYS_fanotify_init, 0, 0, DENIED, "ok", NULL },
	{ "personality without ASLR", try_call, NULL, SYS_personality, 0x0040000, 0, DENIED, "ok", NULL },
	{ "a filter with a listener", try_listener, NULL, 0, 0, 0, "EPERM|EBUSY|EACCES", "ok", NULL },
	{ "move the program's map", try_call, NULL, SYS_prctl, PR_SET_MM, PR_SET_MM_START_CODE, DENIED, "EINVAL", NULL },
	{ "move the map, high bits set", try_call, NULL, SYS_prctl, PR_SET_MM | HIGH_GARBAGE, PR_SET_MM_START_CODE, DENIED, "EINVAL", NULL },
	{ "let anyone trace it", try_call, NULL, SYS_prctl, PR_SET_PTRACER, -1, DENIED, "ok|EINVAL", NULL },
	{ "a lease on a file", try_call, NULL, SYS_fcntl, 0, F_SETLEASE, "EPERM|EACCES", "ok|EINVAL|EAGAIN", NULL },
	{ "look up another's limits", try_on_init, NULL, SYS_prlimit64, 7, 0, DENIED, "ok", NULL },
	{ "writable and executable memory", try_map, NULL, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, "EPERM|EACCES", "ok", NO_CODE },
	{ "make written memory executable", try_make_executable, NULL, 0, 0, 0, "EPERM|EACCES", "ok", NO_CODE },
	{ "an executable memory file", try_memfd, NULL, 0, 0, 0, "EPERM|EACCES", "ok", NO_CODE },

	{ "getpid by int 0x80", try_int80, NULL, 20, 0, 0, "SIGSYS", "ok|SIGSEGV", NULL },
	{ "socketcall by int 0x80", try_int80, NULL, 102, 0, 0, "SIGSYS", "EINVAL|EFAULT|SIGSEGV", NULL },
	{ "unshare by int 0x80", try_int80, NULL, 310, 0, 0, "SIGSYS", "ok|SIGSEGV", NULL },
	{ "getpid by x32", try_x32, NULL, SYS_getpid, 0, 0, "SIGSYS", "ok", NULL },
	{ "unshare by x32", try_x32, NULL, SYS_unshare, 0, 0, "SIGSYS", "EINVAL", NULL },

	{ "signal a process outside", try_kill, "CANARY_PID", 0, 0, 0, "ESRCH|EPERM", "ok", NULL },
	{ "become root", try_setid, NULL, SYS_setresuid, 0, 0, "EPERM|EINVAL", "ok", NULL },
	{ "become root's group", try_setid, NULL, SYS_setresgid, 0, 0, "EPERM|EINVAL", "ok", NULL },
	{ "join root's group", try_setgroups, NULL, 0, 0, 0, "EPERM|EINVAL", "ok", NULL },
	{ "take 100 inotify instances", try_inotify, NULL, 100, 0, 0, "EMFILE|EPERM", "ok", NULL },
};

const struct attempt_table call_attempts = { rows, COUNT(rows) };
