#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/error.h"
#include "sandbox/seccomp.h"

#define NO_SUCH_CALL (SECCOMP_RET_ERRNO | ENOSYS)
#define REFUSE SECCOMP_RET_USER_NOTIF
#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS
#define LAST_KNOWN 469

/* ---- a kernel of our own: runs a program over what a call would be ---- */

static bool test_holds(uint16_t operation, uint32_t accumulator, uint32_t value)
{
	if (operation == BPF_JEQ)
		return accumulator == value;
	if (operation == BPF_JGE)
		return accumulator >= value;
	if (operation == BPF_JGT)
		return accumulator > value;
	assert_int_equal(operation, BPF_JSET);
	return (accumulator & value) != 0;
}

static uint32_t interpret(const struct seccomp_program *program,
			  const struct seccomp_data *call)
{
	uint32_t accumulator = 0;

	for (size_t at = 0;; at++) {
		assert_true(at < program->count);
		struct sock_filter i = program->instructions[at];

		switch (i.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i.k % 4 == 0 && i.k < sizeof(*call));
			memcpy(&accumulator, (const char *)call + i.k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= i.k;
			break;
		case BPF_JMP | BPF_JA:
			at += i.k;
			break;
		case BPF_RET | BPF_K:
			return i.k;
		default:
			assert_int_equal(BPF_CLASS(i.code), BPF_JMP);
			at += test_holds(BPF_OP(i.code), accumulator, i.k) ? i.jt : i.jf;
		}
	}
}

/* ---- what is right, said again without looking at how it is done ---- */

static bool holds_mode(uint64_t mode)
{
	return (mode & 06000) == 0;
}

static bool opens_well(uint64_t flags, uint64_t mode)
{
	bool has_mode = (flags & O_CREAT) || (flags & 020000000);

	return !has_mode || holds_mode(mode);
}

static bool is_good_socket(const struct policy *policy, const uint32_t *a)
{
	uint32_t type = a[1] & 0xf;

	if (a[0] == AF_UNIX)
		return !policy->unscoped;
	if (a[0] == AF_NETLINK)
		return policy->interfaces && a[2] == 0;
	if (a[0] != AF_INET && a[0] != AF_INET6)
		return false;
	return (type == SOCK_STREAM || type == SOCK_DGRAM) &&
	       (a[2] == 0 || a[2] == 1 || a[2] == 6 || a[2] == 17 || a[2] == 58);
}

static bool is_good_prctl(uint32_t option)
{
	static const uint32_t good[] = {
		1, 2, 3, 4, 7, 8, 13, 15, 16, 21, 22, 23, 24, 25, 27, 29, 30,
		36, 37, 38, 39, 40, 41, 42, 47, 52, 65, 66, 78, 0x53564d41,
		0x41555856,
	};

	for (size_t i = 0; i < COUNT(good); i++)
		if (good[i] == option)
			return true;
	return false;
}

static bool is_good_ioctl(const struct policy *policy, uint32_t request)
{
	return request != 0x5412 && request != 0x541c && request != 0x5423 &&
	       (policy->interfaces || (request >> 8 & 0xff) != 0x89);
}

/* The kernel sees only the low halves of these calls' arguments. */
static bool is_harmless(const struct policy *policy, int number,
			const __u64 *whole)
{
	const uint32_t a[6] = { (uint32_t)whole[0], (uint32_t)whole[1],
				(uint32_t)whole[2], (uint32_t)whole[3],
				(uint32_t)whole[4], (uint32_t)whole[5] };
	bool jit = policy->write_execute;

	switch (number) {
	case SYS_clone:
		return (a[0] & 0x7e020000) == 0;
	case SYS_socket:
		return is_good_socket(policy, a);
	case SYS_socketpair:
		return a[0] == AF_UNIX && !(policy->unscoped &&
			((a[1] & 0xf) == SOCK_DGRAM || (a[1] & 0xf) == SOCK_RAW));
	case SYS_ioctl:
		return is_good_ioctl(policy, a[1]);
	case SYS_prctl:
		return is_good_prctl(a[0]);
	case SYS_personality:
		return a[0] == 0 || a[0] == UINT32_MAX;
	case SYS_seccomp:
		return (a[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0;
	case SYS_prlimit64:
		return a[0] == 0;
	case SYS_fcntl:
		return a[1] != F_SETLEASE;
	case SYS_chmod: case SYS_fchmod: case SYS_mkdir: case SYS_mknod:
	case SYS_creat:
		return holds_mode(a[1]);
	case SYS_fchmodat: case SYS_mkdirat: case SYS_mknodat: case 452:
		return holds_mode(a[2]);
	case SYS_open:
		return opens_well(a[1], a[2]);
	case SYS_openat:
		return opens_well(a[2], a[3]);
	case SYS_mmap:
		return jit || (a[2] & (PROT_WRITE | PROT_EXEC)) !=
				      (PROT_WRITE | PROT_EXEC);
	case SYS_mprotect: case SYS_pkey_mprotect:
		return jit || !(a[2] & PROT_EXEC);
	case SYS_shmat:
		return jit || !(a[2] & SHM_EXEC);
	case SYS_memfd_create:
		return jit || (a[1] & 8);
	default:
		return true;
	}
}

static bool is_known(int number)
{
	return number >= 0 && number <= LAST_KNOWN &&
	       !(number >= 337 && number <= 423);
}

static uint32_t expect(const struct policy *policy, const struct seccomp_data *call)
{
	if (call->arch != AUDIT_ARCH_X86_64 || (uint32_t)call->nr >= 0x40000000)
		return KILL;
	if (!is_known(call->nr))
		return NO_SUCH_CALL;
	if (call->nr == 435 || call->nr == 437 ||
	    (call->nr >= 425 && call->nr <= 427))
		return NO_SUCH_CALL;
	if (!syscall_set_has(&policy->syscalls, call->nr))
		return REFUSE;
	return is_harmless(policy, call->nr, call->args) ? ALLOW : REFUSE;
}

/* ---- all numbers, all architectures, many arguments ---- */

/* Values that some check tells apart, and neighbours of them. */
static const uint32_t telling[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 17, 22, 35, 40, 43, 47, 52, 53,
	58, 59, 62, 65, 67, 78, 79, 132, 136, 255, 256, 262, 0x53564d41,
	0x59616d61, 0x41555856, UINT32_MAX, 0x80000000, 1024, 1025, 1033,
	O_CREAT, O_CREAT | O_WRONLY, 020000000, 020200000, O_RDWR, O_CLOEXEC,
	0644, 0755, 01777, 02755, 04755, 06755, 0100644, 0104755, 0100000,
	0x5401, 0x5412, 0x541b, 0x541c, 0x5423, 0x8900, 0x8912, 0x8933, 0x89ff,
	0x8a00, 0x80108907, 0x400089a2, 0x11, 0x3d0f00, 0x00020000, 0x02000000,
	0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x01200011,
	SOCK_STREAM | SOCK_CLOEXEC, SOCK_DGRAM | SOCK_NONBLOCK,
	SOCK_RAW | SOCK_CLOEXEC, SOCK_SEQPACKET | SOCK_CLOEXEC,
};

static void fill_arguments(struct random *random, struct seccomp_data *call)
{
	for (size_t i = 0; i < 6; i++) {
		uint64_t low = random_below(random, 4) == 0 ?
			(uint32_t)random_next(random) :
			telling[random_below(random, COUNT(telling))];
		uint64_t high = random_below(random, 2) == 0 ? 0 :
				random_next(random) << 32;

		call->args[i] = high | low;
	}
}

static void check_call(const char *name, const struct seccomp_program *program,
		       const struct policy *policy, const struct seccomp_data *call)
{
	uint32_t got = interpret(program, call), want = expect(policy, call);

	test_row(got == want,
		 "%s: %s %d of %08x (%llx, %llx, %llx, %llx): got %08x, want %08x",
		 name, syscall_name(call->nr), call->nr, call->arch,
		 call->args[0], call->args[1], call->args[2], call->args[3], got,
		 want);
}

static void check_program(const char *name, const struct policy *policy,
			  struct random *random)
{
	static const uint32_t architectures[] = {
		AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0,
	};
	struct seccomp_program program;
	struct error why;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	assert_int_equal(seccomp_program(&program, policy, &arena, &why), 0);
	for (size_t a = 0; a < COUNT(architectures); a++)
		for (int64_t number = -2; number < 1100; number++)
			for (int n = 0; n < (is_known((int)number) ? 200 : 3); n++) {
				struct seccomp_data call = {
					.nr = (int)number, .arch = architectures[a] };

				fill_arguments(random, &call);
				check_call(name, &program, policy, &call);
				call.nr |= 0x40000000;
				check_call(name, &program, policy, &call);
			}
	arena_release(&arena);
}

static void every_call_of_every_preset_gets_what_is_right(void **state)
{
	const char *const *names = policy_preset_names();
	struct random random;

	(void)state;
	test_random_init(&random, "presets");
	for (; *names; names++)
		check_program(*names, policy_preset(*names), &random);

	struct policy unscoped = *policy_preset("net");

	unscoped.unscoped = true;
	check_program("net without scopes", &unscoped, &random);
}

/* Three arguments that count together: too many for samples. */
static void every_kind_of_socket_gets_what_is_right(void **state)
{
	static const char *const names[] = { "tool", "build", "strict" };

	(void)state;
	for (size_t n = 0; n < COUNT(names); n++) {
		const struct policy *policy = policy_preset(names[n]);
		struct seccomp_program program;
		struct seccomp_data call = { .nr = SYS_socket,
					     .arch = AUDIT_ARCH_X86_64 };

		assert_int_equal(seccomp_program(&program, policy, NULL, NULL), 0);
		for (size_t i = 0; i < COUNT(telling) * COUNT(telling) * COUNT(telling); i++) {
			call.args[0] = telling[i % COUNT(telling)];
			call.args[1] = telling[i / COUNT(telling) % COUNT(telling)];
			call.args[2] = telling[i / COUNT(telling) / COUNT(telling)];
			check_call(names[n], &program, policy, &call);
		}
	}
}

/* Policies of users, compiled on the spot. */
static void every_call_of_any_policy_gets_what_is_right(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "policies");
	for (int n = 0; n < 12; n++) {
		struct policy policy = { .name = "any" };
		unsigned density = (unsigned)random_below(&random, 5);

		for (int i = 0; i < SYSCALL_NUMBERS; i++)
			if (random_below(&random, 4) < density)
				policy.syscalls.bits[i / 64] |= UINT64_C(1) << i % 64;
		policy.write_execute = random_below(&random, 2);
		policy.interfaces = random_below(&random, 2);
		policy.unscoped = random_below(&random, 2);
		check_program("any", &policy, &random);
	}
}

/* Not from the policies but from what must never be reached. */
static void nothing_dangerous_is_in_any_preset(void **state)
{
	static const char *const dangerous[] = {
		"bpf", "perf_event_open", "userfaultfd", "ptrace",
		"process_vm_readv", "process_vm_writev", "process_madvise",
		"pidfd_getfd", "kcmp", "open_by_handle_at", "name_to_handle_at",
		"fanotify_init", "fanotify_mark", "quotactl", "quotactl_fd",
		"acct", "lookup_dcookie", "vhangup", "nfsservctl", "add_key",
		"request_key", "keyctl", "unshare", "setns", "pivot_root",
		"chroot", "mount", "umount2", "fsopen", "fsconfig", "fsmount",
		"fspick", "open_tree", "open_tree_attr", "move_mount",
		"mount_setattr", "syslog", "modify_ldt", "ioperm", "iopl",
		"migrate_pages", "move_pages", "memfd_secret", "kexec_load",
		"kexec_file_load", "init_module", "finit_module",
		"delete_module", "create_module", "reboot", "swapon", "swapoff",
		"settimeofday", "clock_settime", "clock_adjtime", "adjtimex",
		"sethostname", "setdomainname", "setuid", "setgid", "setreuid",
		"setregid", "setgroups", "setfsuid",
		"setfsgid", "capset", "io_uring_setup", "io_uring_enter",
		"io_uring_register", "clone3", "openat2", "uselib", "_sysctl",
		"sysfs", "ustat", "process_mrelease", "lsm_set_self_attr",
		"remap_file_pages",
	};
	const char *const *names = policy_preset_names();

	(void)state;
	for (; *names; names++)
		for (size_t i = 0; i < COUNT(dangerous); i++) {
			int number = syscall_number(dangerous[i]);

			assert_true(number >= 0);
			test_row(!syscall_set_has(&policy_preset(*names)->syscalls,
						  number),
				 "%s allows %s", *names, dangerous[i]);
		}
}

static void what_programs_need_is_in_every_preset(void **state)
{
	static const char *const needed[] = {
		"execve", "execveat", "exit_group", "rt_sigreturn", "read",
		"write", "mmap", "brk", "openat", "close", "futex", "rseq",
		"membarrier", "getrandom", "set_robust_list", "prlimit64",
		"arch_prctl", "clock_gettime", "restart_syscall",
	};
	const char *const *names = policy_preset_names();

	(void)state;
	for (; *names; names++)
		for (size_t i = 0; i < COUNT(needed); i++)
			test_row(syscall_set_has(&policy_preset(*names)->syscalls,
						 syscall_number(needed[i])),
				 "%s does not allow %s", *names, needed[i]);
}

static void init_can_wait_and_kill_and_little_else(void **state)
{
	struct seccomp_program program = seccomp_init_program();
	static const struct { const char *call; uint32_t want; } rows[] = {
		{ "wait4", ALLOW }, { "kill", ALLOW }, { "ppoll", ALLOW },
		{ "sendto", ALLOW }, { "exit_group", ALLOW },
		{ "execve", REFUSE }, { "openat", REFUSE }, { "socket", REFUSE },
		{ "clone", REFUSE }, { "mmap", REFUSE }, { "ptrace", REFUSE },
		{ "clone3", NO_SUCH_CALL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seccomp_data call = { .nr = syscall_number(rows[i].call),
					     .arch = AUDIT_ARCH_X86_64 };

		test_row(interpret(&program, &call) == rows[i].want,
			 "%s: got %08x, want %08x", rows[i].call,
			 interpret(&program, &call), rows[i].want);
	}
}

static void presets_are_compiled_when_cupel_is_built(void **state)
{
	const char *const *names = policy_preset_names();
	struct arena nothing;

	(void)state;
	arena_init(&nothing, 0);
	for (; *names; names++) {
		struct seccomp_program program;

		assert_int_equal(seccomp_program(&program, policy_preset(*names),
						 &nothing, NULL), 0);
	}
	arena_release(&nothing);
}

/* ---- the real kernel ---- */

/* Runs what as a child under the preset; its exit status, or 128 + signal. */
static int under(const char *preset, int (*what)(void))
{
	struct seccomp_program program;
	int status;

	assert_int_equal(seccomp_program(&program, policy_preset(preset), NULL, NULL), 0);
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    seccomp_install(&program, 0, NULL) < 0)
			_exit(99);
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int errno_of(long result)
{
	return result < 0 ? errno : 0;
}

static int try_mount(void) { return errno_of(syscall(SYS_mount, 0, 0, 0, 0, 0)); }
static int try_clone3(void) { return errno_of(syscall(435, 0, 0)); }
static int try_openat2(void) { return errno_of(syscall(437, -1, "", NULL, 0)); }
static int try_io_uring(void) { return errno_of(syscall(425, 1, NULL)); }
static int try_future(void) { return errno_of(syscall(500)); }
static int try_hole(void) { return errno_of(syscall(400)); }
static int try_unshare(void) { return errno_of(unshare(CLONE_NEWUSER)); }
static int try_clone(void)
{
	return errno_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
static int try_clone_high(void)
{
	return errno_of(syscall(SYS_clone, UINT64_C(0xff) << 32 | CLONE_NEWUSER | SIGCHLD,
				0, 0, 0, 0));
}
static int try_vsock(void) { return errno_of(socket(AF_VSOCK, SOCK_STREAM, 0)); }
static int try_tcp(void) { return errno_of(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_mptcp(void) { return errno_of(socket(AF_INET, SOCK_STREAM, 262)); }
static int try_route(void) { return errno_of(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int try_tiocsti(void)
{
	return errno_of(syscall(SYS_ioctl, 0, UINT64_C(1) << 32 | 0x5412, "x"));
}
static int try_suid(void) { return errno_of(chmod("/nowhere", 04755)); }
static int try_chmod(void) { return errno_of(chmod("/nowhere", 0755)); }
static int try_jit(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}
static int try_reset_ids(void)
{
	return errno_of(syscall(SYS_setresuid, -1, getuid(), -1));
}
static int try_landlock(void) { return errno_of(syscall(444, NULL, 0, 1)) == EPERM; }
static int try_x32(void) { return errno_of(syscall(0x40000000 | SYS_getpid)); }
static int try_i386(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	return 0;
}

static void the_kernel_agrees(void **state)
{
	static const struct {
		const char *name, *preset;
		int (*what)(void);
		int want;
	} rows[] = {
		{ "mount", "tool", try_mount, EPERM },
		{ "clone3", "tool", try_clone3, ENOSYS },
		{ "openat2", "tool", try_openat2, ENOSYS },
		{ "io_uring", "build", try_io_uring, ENOSYS },
		{ "a call of the future", "tool", try_future, ENOSYS },
		{ "a number without a call", "tool", try_hole, ENOSYS },
		{ "unshare", "tool", try_unshare, EPERM },
		{ "clone with a namespace", "tool", try_clone, EPERM },
		{ "the same with garbage above", "tool", try_clone_high, EPERM },
		{ "vsock", "net", try_vsock, EPERM },
		{ "tcp", "tool", try_tcp, 0 },
		{ "tcp in strict", "strict", try_tcp, EPERM },
		{ "multipath tcp", "net", try_mptcp, EPERM },
		{ "interfaces", "build", try_route, 0 },
		{ "interfaces of tool", "tool", try_route, EPERM },
		{ "typing into the terminal", "net", try_tiocsti, EPERM },
		{ "set-user-id", "build", try_suid, EPERM },
		{ "an ordinary mode", "build", try_chmod, ENOENT },
		{ "code made at run time", "tool", try_jit, 0 },
		{ "the same in strict", "strict", try_jit, EPERM },
		{ "the ids it has", "build", try_reset_ids, 0 },
		{ "landlock", "tool", try_landlock, 0 },
		{ "x32", "tool", try_x32, 128 + SIGSYS },
		{ "int 0x80", "tool", try_i386, 128 + SIGSYS },
		{ "int 0x80 in compute", "compute", try_i386, 128 + SIGSYS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = under(rows[i].preset, rows[i].what);

		test_row(got == rows[i].want, "%s: got %d, want %d", rows[i].name,
			 got, rows[i].want);
	}
}

/* ---- the listener ---- */

struct asker {
	int listener;
	int results[3];
};

/* Filters are a thread's own, and so is no_new_privs. */
static void *ask(void *argument)
{
	struct asker *asker = argument;
	struct seccomp_program program;

	seccomp_program(&program, policy_preset("tool"), NULL, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	__atomic_store_n(&asker->listener, seccomp_install(&program, 1, NULL),
			 __ATOMIC_SEQ_CST);
	asker->results[0] = errno_of(syscall(SYS_ptrace, 4, 5, 6, 7));
	asker->results[1] = errno_of(syscall(SYS_getpid));
	asker->results[2] = errno_of(syscall(SYS_keyctl, 1, 2, 3));
	return NULL;
}

static int take(int listener, struct seccomp_denial *denial)
{
	int r;

	do {
		struct pollfd polled = { .fd = listener, .events = POLLIN };

		poll(&polled, 1, 1000);
		r = seccomp_next_denial(listener, denial);
	} while (r == 0);
	return r;
}

static void refused_calls_are_told_and_answered(void **state)
{
	struct asker asker = { .listener = -1 };
	struct seccomp_denial denial;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask, &asker), 0);
	while (__atomic_load_n(&asker.listener, __ATOMIC_SEQ_CST) < 0)
		sched_yield();
	assert_int_equal(take(asker.listener, &denial), 1);
	assert_int_equal(denial.number, SYS_ptrace);
	assert_int_equal(denial.arguments[0], 4);
	assert_int_equal(denial.arguments[3], 7);
	assert_true(denial.pid > 0);
	assert_int_equal(take(asker.listener, &denial), 1);
	assert_int_equal(denial.number, SYS_keyctl);
	pthread_join(thread, NULL);
	assert_int_equal(asker.results[0], EPERM);
	assert_int_equal(asker.results[1], 0);
	assert_int_equal(asker.results[2], EPERM);
	/* The kernel lets go of a thread's filter a little after the join. */
	assert_int_equal(take(asker.listener, &denial), -EPIPE);
	close(asker.listener);
}

static void a_listener_with_nothing_to_say_is_not_waited_for(void **state)
{
	struct seccomp_denial denial;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(seccomp_next_denial(ends[0], &denial), 0);
	close(ends[0]);
	close(ends[1]);
	assert_true(seccomp_next_denial(-1, &denial) <= 0);
}

/* ---- the listing ---- */

static void every_instruction_has_a_line(void **state)
{
	struct seccomp_program program;
	char *text = NULL;
	size_t length, lines = 0;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(seccomp_program(&program, policy_preset("tool"), NULL, NULL), 0);
	seccomp_print(&program, out);
	fclose(out);
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, program.count);
	assert_non_null(strstr(text, "fail with ENOSYS"));
	assert_non_null(strstr(text, "kill the process"));
	assert_non_null(strstr(text, "(ptrace)"));
	assert_non_null(strstr(text, "load  argument 1, low half"));
	assert_null(strstr(text, "high half"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_of_every_preset_gets_what_is_right),
		cmocka_unit_test(every_kind_of_socket_gets_what_is_right),
		cmocka_unit_test(every_call_of_any_policy_gets_what_is_right),
		cmocka_unit_test(nothing_dangerous_is_in_any_preset),
		cmocka_unit_test(what_programs_need_is_in_every_preset),
		cmocka_unit_test(init_can_wait_and_kill_and_little_else),
		cmocka_unit_test(presets_are_compiled_when_cupel_is_built),
		cmocka_unit_test(the_kernel_agrees),
		cmocka_unit_test(refused_calls_are_told_and_answered),
		cmocka_unit_test(a_listener_with_nothing_to_say_is_not_waited_for),
		cmocka_unit_test(every_instruction_has_a_line),
	};

	return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
