#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/wire/packet.h"
#include "sandbox/audit.h"
#include "sandbox/bare.h"
#include "sandbox/cgroup.h"
#include "sandbox/counter.h"
#include "sandbox/domain.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/network.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"

#define DESCRIPTORS_MAX (3 + SANDBOX_INHERITED_MAX + 3)
#define COMMAND_STACK_BYTES 65536
#define NETWORK_STACK_BYTES 16384
#define STACK_FORGOTTEN_BYTES (128 << 10)
#define EXIT_SETUP_FAILED 125

struct init {
	const struct sandbox_plan *plan;
	int control;
	int upper;
	int program;		/* as in the plan, where it has been moved to */
	int listener;
	long keyring;		/* serial of the joined one; -1: no keyrings */
	pid_t network_maker;	/* 0: the host's network is kept */
	int network;		/* what it made */
	pid_t command;
	struct sandbox_report report;
	struct error why;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(struct init *init, const char *what)
{
	return error_set(&init->why, -errno, "%s: %s", what, strerror(errno));
}

/* ---- the steps of process 1, in order ---- */

/*
 * A change of credentials clears the parent-death signal (prctl(2)), so this
 * runs again after it; end of file on the control socket covers the moment
 * between, and a launcher that died before the first call.
 */
static int die_with_launcher(struct init *init)
{
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return failed(init, "parent-death signal");
	if (recv(init->control, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		_exit(EXIT_SETUP_FAILED);
	return 0;
}

/* In the full tier the launcher writes the maps and then says one byte. */
static int take_identity(struct init *init)
{
	const struct sandbox_plan *plan = init->plan;
	char byte;
	int r = 0;

	if (plan->tier == TIER_USERNS)
		r = identity_map(0, plan->host_uid, plan->host_gid, &init->why);
	else if (recv(init->control, &byte, 1, 0) != 1)
		_exit(EXIT_SETUP_FAILED);
	if (r == 0)
		r = identity_assume(&init->why);
	/* The change of ids made /proc/self root's; it is ours until the drop. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = failed(init, "make dumpable");
	return r;
}

static int join_cgroup(struct init *init)
{
	return init->plan->cgroup ? cgroup_join(init->plan->cgroup, &init->why) : 0;
}

/*
 * The cgroup namespace is made after the group was joined, so that it is its
 * root. The clocks inside start near zero: the host's uptime is not told.
 */
static int new_namespaces(struct init *init)
{
	struct timespec monotonic, boottime;
	char offsets[96];

	if (unshare(init->plan->host_clock ? CLONE_NEWCGROUP :
					     CLONE_NEWCGROUP | CLONE_NEWTIME) < 0)
		return failed(init, "unshare");
	if (init->plan->host_clock)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_BOOTTIME, &boottime);
	snprintf(offsets, sizeof(offsets), "monotonic -%ld 0\nboottime -%ld 0\n",
		 (long)monotonic.tv_sec - 1, (long)boottime.tv_sec - 1);
	return path_write(PATH_ABSOLUTE, "/proc/self/timens_offsets", offsets,
			  &init->why);
}

/* Quotas that count against the host user, lowered for this namespace. */
static int lower_quotas(struct init *init)
{
	static const struct {
		const char *path, *value;
	} quotas[] = {
		{ "/proc/sys/user/max_user_namespaces", "0" },
		{ "/proc/sys/user/max_inotify_instances", "64" },
		{ "/proc/sys/user/max_inotify_watches", "16384" },
		{ "/proc/sys/user/max_fanotify_groups", "0" },
	};

	for (size_t i = 0; i < COUNT(quotas); i++) {
		int r = path_write(PATH_ABSOLUTE, quotas[i].path, quotas[i].value,
				   &init->why);

		if (r < 0 && r != -ENOENT)	/* not built into this kernel */
			return r;
	}
	return 0;
}

static int name_host(struct init *init)
{
	if (sethostname("cupel", 5) < 0 || setdomainname("", 0) < 0)
		return failed(init, "sethostname");
	return 0;
}

/* Unless the launcher has put this process into one, or the host's is kept. */
static bool makes_network(const struct init *init)
{
	return init->plan->policy->network == NETWORK_NONE && init->plan->network < 0;
}

/*
 * In a process of its own that shares memory and descriptors with init, which
 * runs on: nothing is written but its stack and that one number.
 */
static int make_network(void *argument)
{
	struct init *init = argument;

	init->network = network_make();
	return init->network < 0 ? EXIT_SETUP_FAILED : 0;
}

/*
 * The new network namespace takes as long as all the mounts: a helper makes it
 * beside them. Its end closes nothing, as the table of descriptors is init's.
 */
static int start_network(struct init *init)
{
	static char stack[NETWORK_STACK_BYTES] __attribute__((aligned(64)));

	if (!makes_network(init))
		return 0;
	init->network_maker = clone(make_network, stack + sizeof(stack),
				    CLONE_VM | CLONE_FILES | SIGCHLD, init);
	return init->network_maker < 0 ? failed(init, "clone") : 0;
}

static int join_network(struct init *init)
{
	int status;

	if (!makes_network(init))
		return 0;
	if (waitpid(init->network_maker, &status, 0) < 0 || status != 0)
		return error_set(&init->why, init->network < 0 ? init->network : -EPERM,
				 "a new network with its loopback interface up was refused: %s",
				 init->network < 0 ? strerror(-init->network) : "killed");
	AUTO_CLOSE int fd = init->network;

	return network_enter(fd) < 0 ? failed(init, "join the new network") : 0;
}

static int fresh_keyring(struct init *init)
{
	init->keyring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (init->keyring < 0 && errno != ENOSYS)
		return failed(init, "join an anonymous session keyring");
	return 0;
}

static int build_mounts(struct init *init)
{
	return mounts_build(init->plan, &init->upper, &init->why);
}

/*
 * What the command gets comes first, in its order; then, closed by the exec,
 * what this process keeps. Everything else goes.
 */
static int settle_descriptors(struct init *init)
{
	const struct sandbox_plan *plan = init->plan;
	int kept[DESCRIPTORS_MAX], count = 0;

	for (size_t i = 0; i < COUNT(plan->stdio); i++)
		kept[count++] = plan->stdio[i];
	for (uint32_t i = 0; i < plan->inherited_count; i++)
		kept[count++] = plan->inherited[i];
	AUTO_CLOSE int counter = plan->counter && !plan->program_is_script ? counter_open() : -1;

	init->report.enforced.counter = counter >= 0;
	if (counter >= 0)
		kept[count++] = counter;
	int passed_on = count + plan->program_is_script;
	int *const ours[] = { &init->program, &init->control, &init->upper };
	int place[COUNT(ours)] = { -1, -1, -1 };

	for (size_t i = 0; i < COUNT(ours); i++)
		if (*ours[i] >= 0) {
			kept[count] = *ours[i];
			place[i] = count++;
		}
	for (int i = 0; i < count; i++) {
		kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, count);
		if (kept[i] < 0)
			return failed(init, "duplicate a descriptor");
	}
	/* A failure is told over one of them: each is valid at any moment. */
	for (size_t i = 0; i < COUNT(ours); i++)
		*ours[i] = place[i] < 0 ? -1 : kept[place[i]];
	for (int i = 0; i < count; i++)
		if (dup3(kept[i], i, i < passed_on ? 0 : O_CLOEXEC) < 0)
			return failed(init, "place a descriptor");
	for (size_t i = 0; i < COUNT(ours); i++)
		*ours[i] = place[i];
	if (close_range((unsigned)count, ~0U, 0) < 0)
		return failed(init, "close_range");
	return 0;
}

static int drop_privileges(struct init *init)
{
	int r = identity_drop(&init->why);

	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = failed(init, "make undumpable");
	return r;
}

static int lock_files(struct init *init)
{
	int abi = landlock_abi();

	if (abi == 0)
		return error_set(&init->why, -ENOSYS,
				 "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock)");
	AUTO_CLOSE int ruleset = landlock_open(abi, &init->why);

	if (ruleset < 0)
		return ruleset;
	int r = mounts_allow(init->plan, ruleset, abi, &init->why);

	if (r == 0 && init->program >= 0)
		r = landlock_allow_fd(ruleset, abi, init->program, "the program",
					      LANDLOCK_READ, &init->why);
	if (r == 0)
		r = landlock_enforce(ruleset, &init->why);
	init->report.enforced.landlock_abi = r == 0 ? abi : 0;
	return r;
}

/* ---- the steps of tier landlock, where they differ ---- */

static int renounce_privileges(struct init *init)
{
	int r = identity_renounce(&init->why);

	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = failed(init, "make undumpable");
	return r;
}

static int enter_domain(struct init *init)
{
	return domain_enter(&init->why);
}

static int lock_host(struct init *init)
{
	int abi = bare_confine(init->plan, &init->why);

	init->report.enforced.landlock_abi = abi < 0 ? 0 : abi;
	return abi < 0 ? abi : 0;
}

/* ---- the command's own process, until its exec; shares init's memory ---- */

static int set_limits(struct init *init)
{
	const struct limits *limits = &init->plan->policy->limits;
	uint64_t others = init->plan->tier == TIER_LANDLOCK ?
				  bare_tasks_of_user(init->plan) : 0;
	const struct {
		__rlimit_resource_t resource;
		uint64_t value;
	} rows[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, limits->files },
		{ RLIMIT_NPROC, limits->pids ? limits->pids + 1 + others : 0 },
		{ RLIMIT_MEMLOCK, UINT64_C(8) << 20 },
		{ RLIMIT_MSGQUEUE, UINT64_C(800) << 10 },
		{ RLIMIT_SIGPENDING, 4096 },
		{ RLIMIT_NICE, 0 },
		{ RLIMIT_RTPRIO, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rlimit now, want = { rows[i].value, rows[i].value };

		/* 0 of a limit we do not set means: keep what the caller had. */
		if (rows[i].value == 0 && (rows[i].resource == RLIMIT_NOFILE ||
					   rows[i].resource == RLIMIT_NPROC))
			continue;
		if (getrlimit(rows[i].resource, &now) == 0 && now.rlim_max < want.rlim_max)
			want.rlim_cur = want.rlim_max = now.rlim_max;
		if (setrlimit(rows[i].resource, &want) < 0)
			return failed(init, "setrlimit");
	}
	return 0;
}

/*
 * So many processors and no more: which ones depends on the run, so that runs
 * spread. A filter that allows sched_setaffinity(2) would undo it, and none of
 * the presets with such a limit does.
 */
static int confine_processors(struct init *init)
{
	uint64_t left = init->plan->policy->limits.cpus;
	cpu_set_t have, want;

	if (!left)
		return 0;
	if (sched_getaffinity(0, sizeof(have), &have) < 0)
		return failed(init, "sched_getaffinity");
	CPU_ZERO(&want);
	for (size_t i = 0; i < CPU_SETSIZE && left; i++) {
		size_t cpu = (i + init->plan->host_uid) % CPU_SETSIZE;

		if (CPU_ISSET(cpu, &have)) {
			CPU_SET(cpu, &want);
			left--;
		}
	}
	if (sched_setaffinity(0, sizeof(want), &want) < 0)
		return failed(init, "sched_setaffinity");
	return 0;
}

static int own_session(struct init *init)
{
	if (setsid() < 0)
		return failed(init, "setsid");
	if (init->plan->tty && ioctl(0, TIOCSCTTY, 0) < 0)
		return failed(init, "take the terminal");
	return 0;
}

static int default_signals(struct init *init)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return failed(init, "sigprocmask");
	return 0;
}

/* What is not in force is not run with, whatever the steps before believed. */
static int audit(struct init *init)
{
	struct sandbox_enforced *enforced = &init->report.enforced;
	const char *missing;

	audit_before(init->plan, init->keyring, enforced);
	missing = audit_missing(init->plan, enforced);
	if (missing)
		return error_set(&init->why, -EPERM,
				 "the self-audit found %s not in force", missing);
	return 0;
}

/* The listener lands in the descriptor table that init shares until exec. */
static int filter_calls(struct init *init)
{
	bool listen = init->program < 0;
	int r = seccomp_install(&init->plan->filter, listen, &init->why);

	init->listener = listen ? r : -1;
	if (r < 0)
		return r;
	audit_after(&init->report.enforced);
	if (init->report.enforced.seccomp_mode != 2 || !init->report.enforced.seccomp_denies)
		return error_set(&init->why, -EPERM,
				 "the self-audit found the filter not in force");
	return 0;
}

/* With --explain execve(2) waits for a launcher that has no listener yet. */
static void start_program(const struct init *init, const char *path)
{
	const struct sandbox_plan *plan = init->plan;

	if (plan->policy->observed)
		syscall(SYS_execveat, PATH_ABSOLUTE, path, plan->argv, plan->envp, 0);
	else
		execve(path, plan->argv, plan->envp);
}

/* As the shell looks for a command: PATH, the last error that says something. */
static int execute(struct init *init)
{
	char *const *argv = init->plan->argv, *const *envp = init->plan->envp;
	const char *path = "/usr/bin:/bin";
	int result = ENOENT;

	if (init->program >= 0) {
		syscall(SYS_execveat, init->program, "", argv, envp, AT_EMPTY_PATH);
		return error_set(&init->why, -errno, "%s: %s", argv[0],
				 strerror(errno));
	}
	if (strchr(argv[0], '/')) {
		start_program(init, argv[0]);
		return error_set(&init->why, -errno, "%s: %s", argv[0],
				 strerror(errno));
	}
	for (char *const *e = envp; *e; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			path = *e + 5;
	while (*path) {
		char candidate[4096];
		size_t length = strcspn(path, ":");

		if (length + strlen(argv[0]) + 2 <= sizeof(candidate)) {
			snprintf(candidate, sizeof(candidate), "%.*s/%s",
				 (int)length, path, argv[0]);
			start_program(init, candidate);
			if (errno != ENOENT && errno != ENOTDIR)
				result = errno;
		}
		path += length + (path[length] == ':');
	}
	return error_set(&init->why, -result, "%s: %s", argv[0],
			 result == ENOENT ? "command not found" : strerror(result));
}

/* ---- the table, and who walks it ---- */

struct step {
	const char *name;
	enum sandbox_phase phase;
	int (*run)(struct init *init);
};

static const struct step init_steps[] = {
	{ "launcher", PHASE_IDMAP, die_with_launcher },
	{ "cgroup", PHASE_CGROUP, join_cgroup },
	{ "identity", PHASE_IDMAP, take_identity },
	{ "launcher", PHASE_IDMAP, die_with_launcher },
	{ "network", PHASE_NETWORK, start_network },
	{ "namespaces", PHASE_IDENTITY, new_namespaces },
	{ "quotas", PHASE_IDENTITY, lower_quotas },
	{ "hostname", PHASE_IDENTITY, name_host },
	{ "keyring", PHASE_IDENTITY, fresh_keyring },
	{ "mounts", PHASE_MOUNTS, build_mounts },
	{ "network", PHASE_NETWORK, join_network },
	{ "descriptors", PHASE_MOUNTS, settle_descriptors },
	{ "privileges", PHASE_IDENTITY, drop_privileges },
	{ "landlock", PHASE_LANDLOCK, lock_files },
};

static const struct step command_steps[] = {
	{ "session", PHASE_EXEC, own_session },
	{ "limits", PHASE_EXEC, set_limits },
	{ "processors", PHASE_EXEC, confine_processors },
	{ "signals", PHASE_EXEC, default_signals },
	{ "audit", PHASE_AUDIT, audit },
	{ "seccomp", PHASE_SECCOMP, filter_calls },
	{ "exec", PHASE_EXEC, execute },
};

/* Tier landlock: the rules are about the command's descriptors, so they close late. */
static const struct step bare_init_steps[] = {
	{ "cgroup", PHASE_CGROUP, join_cgroup },
	{ "keyring", PHASE_IDENTITY, fresh_keyring },
	{ "privileges", PHASE_IDENTITY, renounce_privileges },
	{ "domain", PHASE_LANDLOCK, enter_domain },
};

static const struct step bare_command_steps[] = {
	{ "session", PHASE_EXEC, own_session },
	{ "limits", PHASE_EXEC, set_limits },
	{ "processors", PHASE_EXEC, confine_processors },
	{ "signals", PHASE_EXEC, default_signals },
	{ "landlock", PHASE_LANDLOCK, lock_host },
	{ "descriptors", PHASE_MOUNTS, settle_descriptors },
	{ "audit", PHASE_AUDIT, audit },
	{ "seccomp", PHASE_SECCOMP, filter_calls },
	{ "exec", PHASE_EXEC, execute },
};

static int walk(struct init *init, const struct step *steps, size_t count)
{
	int64_t before = now_ns();

	for (size_t i = 0; i < count; i++) {
		init->why.text[0] = '\0';	/* of what was no failure */
		int r = steps[i].run(init);
		int64_t after = now_ns();

		init->report.phase_ns[steps[i].phase] += after - before;
		before = after;
		if (r < 0) {
			init->report.failed_errno = -r;
			snprintf(init->report.failed_step,
				 sizeof(init->report.failed_step), "%s", steps[i].name);
			if (!init->why.text[0])
				error_set(&init->why, r, "%s: %s", steps[i].name, strerror(-r));
			return r;
		}
	}
	return 0;
}

static int build_walls(struct init *init)
{
	if (init->plan->tier == TIER_LANDLOCK)
		return walk(init, bare_init_steps, COUNT(bare_init_steps));
	return walk(init, init_steps, COUNT(init_steps));
}

static int command_main(void *argument)
{
	const struct init *init = argument;

	if (init->plan->tier == TIER_LANDLOCK)
		walk(argument, bare_command_steps, COUNT(bare_command_steps));
	else
		walk(argument, command_steps, COUNT(command_steps));
	return EXIT_SETUP_FAILED;
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
		int r = failed(init, "clone");

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
		_exit(EXIT_SETUP_FAILED);
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
 * Not inlined: below its own frame there is nothing of its callers'.
 */
static __attribute__((noinline)) void forget_memory(const struct sandbox_plan *plan)
{
	const uintptr_t page = 4096;
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - page;
	uintptr_t from = ((uintptr_t)plan->tables + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)plan->tables + plan->table_bytes) & ~(page - 1);

	madvise((void *)(end - STACK_FORGOTTEN_BYTES), STACK_FORGOTTEN_BYTES, MADV_DONTNEED);
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
			.disk_full = full("/tmp") ||
				     (init->plan->workspace_mode == WORKSPACE_OVERLAY &&
				      full(init->plan->workspace)),
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
			_exit(EXIT_SETUP_FAILED);
		while (read(signals, &ignored, sizeof(ignored)) > 0)
			;
		length = recv(init->control, &order, sizeof(order), MSG_DONTWAIT);
		if (length == 0) {	/* the launcher is gone, or wants no more */
			domain_end();
			_exit(EXIT_SETUP_FAILED);
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
		_exit(EXIT_SETUP_FAILED);
	*init = (struct init){ .plan = plan, .control = control, .upper = -1,
			       .program = plan->program, .listener = -1, .keyring = -1 };
	if (build_walls(init) < 0 || start_command(init) < 0) {
		domain_end();
		send_report(init);
		_exit(EXIT_SETUP_FAILED);
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
		_exit(EXIT_SETUP_FAILED);
	forget_memory(plan);
	serve(init, signals);
}
