#include "sandbox/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/core/deadline.h"
#include "common/error.h"
#include "common/loop.h"
#include "sandbox/keeper.h"
#include "sandbox/relay.h"
#include "sandbox/seccomp.h"
#include "sandbox/terminal.h"
#include "sandbox/usage.h"

#define DENIALS_PER_TURN 64
#define CHECK_LEAST_NS INT64_C(5000000)
#define CHECK_MOST_NS INT64_C(50000000)

struct run {
	const struct run_request *request;
	const struct limits *limits;
	struct run_result *result;
	struct error *why;
	struct loop loop;
	struct sandbox sandbox;
	struct cgroup cgroup;
	struct keeper keeper;
	struct relay relay;
	struct terminal terminal;
	struct loop_child init;
	struct loop_source control, denials;
	bool listening;		/* to the control socket */
	bool started;		/* the report said so */
	bool ended;		/* the status has come */
	bool stopping;		/* cause is decided and TERM sent */
	int cancelled_by;	/* signal of ours that ends programs, or 0 */
	int64_t started_ns;
	int64_t wall_at_ns, check_at_ns, kill_at_ns;
};

static void rearm(struct run *run)
{
	int64_t next = run->wall_at_ns;

	if (run->check_at_ns < next)
		next = run->check_at_ns;
	if (run->kill_at_ns < next)
		next = run->kill_at_ns;
	loop_set_wakeup(&run->loop, next);
}

static void kill_all(struct run *run)
{
	cgroup_kill(&run->cgroup);
	sandbox_kill(&run->sandbox);
}

/*
 * First a word, then, after the grace, the end of everything inside; no grace
 * where it would be spent on more of what ran out.
 */
static void stop(struct run *run, enum run_cause cause, int64_t now_ns)
{
	if (run->stopping || run->ended)
		return;
	run->stopping = true;
	run->result->cause = cause;
	if (cause == RUN_CPU || cause == RUN_OOM) {
		kill_all(run);
		return;
	}
	run->kill_at_ns = now_ns + RUN_GRACE_NS;
	sandbox_signal(&run->sandbox, SIGTERM);
	rearm(run);
}

/* ---- limits that nobody but us watches ---- */

static bool watches_memory(const struct run *run)
{
	return run->limits->memory_bytes &&
	       !(run->cgroup.limited & (1U << CGROUP_MEMORY));
}

static void check_usage(struct run *run, int64_t now_ns)
{
	struct cgroup_usage group;
	struct usage tree = { 0 };
	int64_t left_ns = CHECK_MOST_NS;

	cgroup_usage(&run->cgroup, &group);
	if (group.cpu_ns < 0 || watches_memory(run))
		usage_of_tree(run->sandbox.init_pid, &tree);
	if (run->limits->cpu_ns) {
		left_ns = run->limits->cpu_ns -
			  (group.cpu_ns >= 0 ? group.cpu_ns : tree.cpu_ns);
		if (left_ns <= 0)
			stop(run, RUN_CPU, now_ns);
	}
	if (watches_memory(run) && tree.resident_bytes > run->limits->memory_bytes)
		stop(run, RUN_OOM, now_ns);
	/* All processors together may use what is left this fast. */
	left_ns /= 2;
	if (left_ns > CHECK_MOST_NS)
		left_ns = CHECK_MOST_NS;
	run->check_at_ns = now_ns + (left_ns < CHECK_LEAST_NS ? CHECK_LEAST_NS : left_ns);
}

static void on_wakeup(void *owner, int64_t now_ns)
{
	struct run *run = owner;

	if (now_ns >= run->wall_at_ns) {
		run->wall_at_ns = DEADLINE_NEVER;
		stop(run, RUN_WALL, now_ns);
	}
	if (now_ns >= run->check_at_ns)
		check_usage(run, now_ns);
	if (now_ns >= run->kill_at_ns) {
		run->kill_at_ns = DEADLINE_NEVER;
		kill_all(run);
	}
	rearm(run);
}

static void on_output_exceeded(void *owner, int64_t now_ns)
{
	stop(owner, RUN_OUTPUT, now_ns);
}

/* ---- what the loop hears ---- */

/*
 * Control-Z reaches the launcher alone, as the command has a session of its
 * own: all that is inside is frozen, or without a group the command's process
 * group stopped, for as long as the launcher is. What resumes the launcher is
 * passed on to the command, as ever.
 */
static void suspend(struct run *run)
{
	bool grouped = run->cgroup.layout != CGROUP_NONE;

	if (!grouped || cgroup_freeze(&run->cgroup, true) < 0)
		sandbox_signal(&run->sandbox, SIGSTOP);
	kill(getpid(), SIGSTOP);
	if (grouped)
		cgroup_freeze(&run->cgroup, false);
}

static void on_signal(void *owner, const struct signalfd_siginfo *signal, int64_t now_ns)
{
	struct run *run = owner;
	int number = (int)signal->ssi_signo;
	bool ends = number != SIGUSR1 && number != SIGUSR2 && number != SIGCONT;

	(void)now_ns;
	if (number == SIGWINCH) {	/* the kernel tells the command itself */
		terminal_resize(&run->terminal);
		return;
	}
	if (number == SIGTSTP) {
		suspend(run);
		return;
	}
	if (ends && run->cancelled_by)	/* asked twice: no more grace */
		kill_all(run);
	if (ends)
		run->cancelled_by = number;
	sandbox_signal(&run->sandbox, number);
}

static void count_denial(struct run_result *result, const struct seccomp_denial *denial)
{
	result->denials_total++;
	for (size_t i = 0; i < result->denial_count; i++)
		if (result->denials[i].number == denial->number) {
			result->denials[i].count++;
			return;
		}
	if (result->denial_count < RUN_DENIALS_MAX)
		result->denials[result->denial_count++] = (struct run_denial){
			.number = denial->number,
			.first_arguments = { denial->arguments[0], denial->arguments[1] },
			.count = 1,
		};
}

/* Observed calls that the policy allows go on; 1, 0 for no more, or -errno. */
static int take_call(struct run *run)
{
	const struct sandbox_plan *plan = &run->request->plan;
	int listener = run->sandbox.denials;
	struct seccomp_denial call;
	int r = seccomp_next_call(listener, &call);

	if (r <= 0)
		return r;
	bool allowed = plan->policy->observed && observe_call(call.number) &&
		       seccomp_allows(plan->policy, &call);

	if (allowed)
		observe_note(&run->result->observed, plan, &call);
	else
		count_denial(run->result, &call);
	return seccomp_answer(listener, &call, allowed);
}

static void on_denial(void *owner, uint32_t events, int64_t now_ns)
{
	struct run *run = owner;

	(void)events;
	(void)now_ns;
	for (int n = 0; n < DENIALS_PER_TURN; n++) {
		int r = take_call(run);

		if (r < 0)
			loop_remove(&run->loop, &run->denials);
		if (r <= 0)
			return;
	}
}

static void take_report(struct run *run, int64_t now_ns)
{
	struct sandbox_report *report = &run->result->report;

	run->started = true;
	run->started_ns = now_ns;
	if (report->failed_errno) {
		error_set(run->why, -report->failed_errno, "%s: %s",
			  report->failed_step, report->detail);
		return;
	}
	if (run->limits->wall_ns)
		run->wall_at_ns = now_ns + run->limits->wall_ns;
	if (run->limits->cpu_ns || watches_memory(run))
		run->check_at_ns = now_ns + CHECK_LEAST_NS;
	rearm(run);
	run->denials = (struct loop_source){ .fd = run->sandbox.denials,
					     .ready = on_denial, .owner = run };
	if (run->denials.fd >= 0 &&
	    loop_add(&run->loop, &run->denials, EPOLLIN, run->why) < 0)
		kill_all(run);	/* a refused call would wait for us for ever */
	/* Now there is time for it: the command has just begun its exec. */
	cgroup_sweep_beside(&run->cgroup);
}

static void on_control(void *owner, uint32_t events, int64_t now_ns)
{
	struct run *run = owner;
	int r = 0;

	(void)events;
	if (!run->started) {
		r = sandbox_receive_report(&run->sandbox, &run->result->report);
		if (r == 1)
			take_report(run, now_ns);
	} else if (!run->ended) {
		r = sandbox_receive_status(&run->sandbox, &run->result->status);
		if (r == 1) {
			run->ended = true;
			run->result->wall_ns = now_ns - run->started_ns;
		}
	}
	/* Nothing follows the status or a failure but the end of the file. */
	if (run->listening && (r < 0 || run->ended || run->result->report.failed_errno)) {
		loop_remove(&run->loop, &run->control);
		run->listening = false;
	}
}

/* What init wrote before it died may lie in the socket still. */
static void on_init_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct run *run = owner;

	(void)exit;
	for (int records = 0; records < 2 && !run->ended; records++)
		on_control(run, 0, now_ns);
	if (!run->ended && run->started)
		run->result->wall_ns = now_ns - run->started_ns;
	loop_stop(&run->loop);
}

/* ---- set-up and verdict ---- */

static int handle_signals(struct run *run)
{
	static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
					 SIGUSR1, SIGUSR2, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	/* Control-Z on a terminal of the command's own is its own affair. */
	sigaddset(&set, run->request->plan.tty ? SIGWINCH : SIGTSTP);
	return loop_handle_signals(&run->loop, &set, on_signal, run->why);
}

static int make_group(struct run *run)
{
	struct error reason = { 0 };
	int r = keeper_start(&run->keeper, run->why);

	if (r < 0)
		return r;
	r = cgroup_create(&run->cgroup, run->limits, false, &reason);
	if (r == 0)
		return 0;
	keeper_dismiss(&run->keeper);
	snprintf(run->result->no_cgroup, sizeof(run->result->no_cgroup), "%.199s",
		 reason.text);
	if (r != -EOPNOTSUPP || run->request->require_limits) {
		*run->why = reason;
		return r;
	}
	return 0;
}

static int connect_terminal(struct run *run, int stdio[3], int *slave)
{
	int r = terminal_open(&run->terminal, &run->loop, stdio[0], stdio[1], slave,
			      run->why);

	for (int i = 0; r == 0 && i < 3; i++)
		stdio[i] = *slave;
	return r;
}

/*
 * The command's 1 and 2: a terminal, our pipes, or the caller's own if nothing
 * is limited.
 */
static int connect_output(struct run *run, int stdio[3], int inside[2])
{
	int r;

	if (run->request->plan.tty)
		return connect_terminal(run, stdio, &inside[0]);
	if (!run->limits->output_bytes)
		return 0;
	r = relay_open(&run->relay, &run->loop, &stdio[1], run->limits->output_bytes,
		       run->result->streams, inside, run->why);
	run->relay.exceeded = on_output_exceeded;
	run->relay.owner = run;
	run->result->relayed = r == 0;
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		stdio[i + 1] = inside[i];
		/* For who opens /dev/stdout: the command's own, not the launcher's. */
		if (run->request->plan.tier == TIER_FULL &&
		    fchown(inside[i], run->request->plan.host_uid,
			   run->request->plan.host_gid) < 0)
			return error_set(run->why, -errno, "fchown: %s", strerror(errno));
	}
	return 0;
}

static int spawn(struct run *run)
{
	struct sandbox_plan plan = run->request->plan;
	int inside[2] = { -1, -1 };
	int r = connect_output(run, plan.stdio, inside);
	AUTO_CLOSE int out = inside[0];
	AUTO_CLOSE int err = inside[1];

	if (r < 0)
		return r;
	plan.cgroup = run->cgroup.layout == CGROUP_NONE ? NULL : &run->cgroup;
	r = sandbox_spawn(&plan, &run->sandbox, run->why);
	if (r < 0)
		return r;
	run->init = (struct loop_child){ .pidfd = run->sandbox.init_pidfd,
					 .exited = on_init_exited, .owner = run };
	run->control = (struct loop_source){ .fd = run->sandbox.control,
					     .ready = on_control, .owner = run };
	r = loop_watch_child(&run->loop, &run->init, run->why);
	if (r == 0)
		r = loop_add(&run->loop, &run->control, EPOLLIN, run->why);
	run->listening = r == 0;
	if (r < 0) {
		kill_all(run);
		waitpid(run->sandbox.init_pid, NULL, 0);
		sandbox_close(&run->sandbox);
	}
	return r;
}

static enum run_cause cause_of(const struct run *run)
{
	const struct run_result *result = run->result;
	bool failed = result->signal || result->exit_code;

	if (run->stopping)
		return result->cause;
	if (result->relayed && run->relay.over)	/* it ended before we looked */
		return RUN_OUTPUT;
	if (run->cancelled_by && (result->signal || !run->ended))
		return RUN_CANCELLED;
	if (failed && result->usage.oom_kills > 0)
		return RUN_OOM;
	if (result->signal == SIGSYS)
		return RUN_DENIED;
	if (failed && result->usage.pids_denied > 0)
		return RUN_PIDS;
	if (failed && result->status.disk_full)
		return RUN_DISK;
	return result->signal ? RUN_SIGNALED : RUN_EXITED;
}

static void judge(struct run *run)
{
	struct run_result *result = run->result;
	int status = result->status.wait_status;

	result->exit_code = -1;
	if (!run->started || result->report.failed_errno) {
		result->cause = RUN_SETUP_FAILED;
		if (!run->started)
			error_set(run->why, -EIO, "the sandbox's init died without a word");
		return;
	}
	if (!run->ended)	/* killed together with everything inside */
		result->signal = SIGKILL;
	else if (WIFEXITED(status))
		result->exit_code = WEXITSTATUS(status);
	else
		result->signal = WTERMSIG(status);
	result->cause = cause_of(run);
}

/* The figures of the group take ten files; success needs none to be judged. */
static void collect(struct run *run)
{
	const struct cgroup none = { .layout = CGROUP_NONE };
	bool asked = run->request->wants_usage || !run->ended ||
		     run->result->status.wait_status;

	run->result->upper = run->sandbox.upper;
	run->sandbox.upper = -1;
	sandbox_close(&run->sandbox);
	run->result->layout = run->cgroup.layout;
	run->result->limited = run->cgroup.limited;
	cgroup_usage(asked ? &run->cgroup : &none, &run->result->usage);
}

int run_command(const struct run_request *request, struct run_result *ret,
		struct error *why)
{
	struct run run = {
		.request = request, .limits = &request->plan.policy->limits,
		.result = ret, .why = why, .wall_at_ns = DEADLINE_NEVER,
		.check_at_ns = DEADLINE_NEVER, .kill_at_ns = DEADLINE_NEVER,
	};

	*ret = (struct run_result){ .upper = -1, .exit_code = -1 };
	int r = loop_init(&run.loop, on_wakeup, &run, why);

	if (r < 0)
		return r;
	r = handle_signals(&run);
	if (r == 0)
		r = make_group(&run);
	if (r == 0)
		r = spawn(&run);
	if (r == 0) {
		r = loop_run(&run.loop, why);
		if (ret->relayed)
			relay_finish(&run.relay);
		collect(&run);
		judge(&run);
	}
	if (run.terminal.loop)	/* opened, whatever came after */
		terminal_close(&run.terminal);
	cgroup_remove(&run.cgroup, NULL);
	keeper_dismiss(&run.keeper);
	loop_release(&run.loop);
	return r;
}

int run_exit_status(const struct run_result *result)
{
	const struct sandbox_report *report = &result->report;

	if (result->cause == RUN_SETUP_FAILED) {
		if (strcmp(report->failed_step, "exec") != 0)
			return 125;
		return report->failed_errno == ENOENT ? 127 : 126;
	}
	if (result->cause == RUN_WALL || result->cause == RUN_CPU)
		return 124;
	return result->signal ? 128 + result->signal : result->exit_code;
}

const char *run_cause_name(enum run_cause cause)
{
	static const char *const names[RUN_CAUSE_COUNT] = {
		"exited", "signaled", "wall", "cpu", "oom", "pids",
		"output", "disk", "denied", "setup_failed", "cancelled",
	};

	return names[cause];
}
