/*
 * run.h - one confined command from its start to its verdict.
 *
 *	request --> keeper, cgroup, pipes --> sandbox_spawn()
 *	              |
 *	              +--> loop: output, refused calls, signals, limits
 *	                     |  a limit is reached: TERM, grace, kill
 *	                     v
 *	           status --> usage, group removed --> result
 *
 * The keeper is a child that only waits: should the launcher be killed, it
 * removes the cgroup that nobody else would. Everything else (processes,
 * mounts, temporary files) goes with the namespaces by itself.
 */
#ifndef CUPEL_SANDBOX_RUN_H
#define CUPEL_SANDBOX_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/cgroup.h"
#include "sandbox/observe.h"
#include "sandbox/sandbox.h"

struct error;

#define RUN_DENIALS_MAX 32
#define RUN_TAIL_BYTES 4096
#define RUN_GRACE_NS INT64_C(2000000000)	/* from TERM to KILL */

enum run_cause {
	RUN_EXITED, RUN_SIGNALED, RUN_WALL, RUN_CPU, RUN_OOM, RUN_PIDS,
	RUN_OUTPUT, RUN_DISK, RUN_DENIED, RUN_SETUP_FAILED, RUN_CANCELLED,
	RUN_CAUSE_COUNT
};

struct run_request {
	struct sandbox_plan plan;	/* stdio: where output is passed on to */
	bool require_limits;	/* refuse to run without a cgroup */
	bool wants_usage;	/* even of a command that succeeds */
};

/* A kind of refused call; the rest of the kinds are only counted. */
struct run_denial {
	int number;		/* of the system call */
	uint64_t first_arguments[2];
	uint64_t count;
};

struct run_stream {
	uint64_t bytes;		/* the command wrote */
	uint64_t passed;	/* reached the caller, the tail included */
	uint64_t dropped;
};

struct run_result {
	enum run_cause cause;
	int exit_code;		/* of the command; -1 if a signal ended it */
	int signal;		/* 0 if it exited */
	int64_t wall_ns;
	struct sandbox_report report;
	struct sandbox_status status;
	enum cgroup_layout layout;
	uint32_t limited;	/* controllers in force, bit per enum cgroup_controller */
	struct cgroup_usage usage;	/* all -1 when it was not read */
	char no_cgroup[200];	/* why there was none; empty if there was */
	struct run_stream streams[2];	/* stdout, stderr */
	bool relayed;		/* false: the command had the caller's descriptors */
	struct run_denial denials[RUN_DENIALS_MAX];
	size_t denial_count;
	uint64_t denials_total;
	struct observed observed;	/* empty unless the plan observes */
	int upper;		/* the overlay's changes, the caller's to close; or -1 */
};

/*
 * Runs it and returns when everything inside has ended. 0 with a result, also
 * when the command could not be started (RUN_SETUP_FAILED, why says the step
 * and the reason); a negative errno only when nothing was tried.
 *
 * HUP, INT, QUIT, TERM, USR1, USR2 and CONT of the calling process are passed
 * on to the command; TSTP suspends all that is inside together with the caller,
 * until CONT. All stay blocked afterwards.
 */
int run_command(const struct run_request *request, struct run_result *ret,
		struct error *why);

/* The exit status of `cupel run`: 124, 125, 126, 127, 128 + n or the command's. */
int run_exit_status(const struct run_result *result);

const char *run_cause_name(enum run_cause cause);

#endif
