#include "sandbox/init_steps.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/audit.h"
#include "sandbox/bare.h"
#include "sandbox/path.h"

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
			return init_failed(init, "setrlimit");
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
		return init_failed(init, "sched_getaffinity");
	CPU_ZERO(&want);
	for (size_t i = 0; i < CPU_SETSIZE && left; i++) {
		size_t cpu = (i + init->plan->host_uid) % CPU_SETSIZE;

		if (CPU_ISSET(cpu, &have)) {
			CPU_SET(cpu, &want);
			left--;
		}
	}
	if (sched_setaffinity(0, sizeof(want), &want) < 0)
		return init_failed(init, "sched_setaffinity");
	return 0;
}

static int own_session(struct init *init)
{
	if (setsid() < 0)
		return init_failed(init, "setsid");
	if (init->plan->tty && ioctl(0, TIOCSCTTY, 0) < 0)
		return init_failed(init, "take the terminal");
	return 0;
}

static int default_signals(struct init *init)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return init_failed(init, "sigprocmask");
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

static const struct init_step steps[] = {
	{ "session", PHASE_EXEC, own_session },
	{ "limits", PHASE_EXEC, set_limits },
	{ "processors", PHASE_EXEC, confine_processors },
	{ "signals", PHASE_EXEC, default_signals },
	{ "audit", PHASE_AUDIT, audit },
	{ "seccomp", PHASE_SECCOMP, filter_calls },
	{ "exec", PHASE_EXEC, execute },
};

static int lock_host(struct init *init)
{
	int abi = bare_confine(init->plan, &init->why);

	init->report.enforced.landlock_abi = abi < 0 ? 0 : abi;
	return abi < 0 ? abi : 0;
}

/* Tier landlock: the rules are about the command's descriptors, so they close late. */
static const struct init_step bare_steps[] = {
	{ "session", PHASE_EXEC, own_session },
	{ "limits", PHASE_EXEC, set_limits },
	{ "processors", PHASE_EXEC, confine_processors },
	{ "signals", PHASE_EXEC, default_signals },
	{ "landlock", PHASE_LANDLOCK, lock_host },
	{ "descriptors", PHASE_MOUNTS, init_settle_descriptors },
	{ "audit", PHASE_AUDIT, audit },
	{ "seccomp", PHASE_SECCOMP, filter_calls },
	{ "exec", PHASE_EXEC, execute },
};

void init_become_command(struct init *init)
{
	if (init->plan->tier == TIER_LANDLOCK)
		init_walk(init, bare_steps, COUNT(bare_steps));
	else
		init_walk(init, steps, COUNT(steps));
}
