/*
 * command.h - a command of the workspace, run confined by a job worker.
 *
 * The job worker starts the clock just before exec and stops it when the last
 * process of the command is gone, so nothing a command prints or writes tells
 * its time. Every run is in a sandbox of its own that nothing survives.
 *
 * Those that are measured are begun two at a time, and held, if there are two
 * processors: their sandboxes are made side by side, and then one command runs
 * after the other.
 */
#ifndef CUPEL_WORKERS_IMPROVE_COMMAND_H
#define CUPEL_WORKERS_IMPROVE_COMMAND_H

#include "workers/improve/session.h"
#include "workers/improve/workspace_file.h"

/* Which sandbox: writing into the workspace, or into a copy thrown away. */
#define COMMAND_BUILD "job.build"
#define COMMAND_TRY "job.test"

struct command {
	const char *tool;		/* COMMAND_BUILD or COMMAND_TRY */
	uint32_t workspace;
	struct config_list argv;	/* one item with a blank: for sh -c */
	json_t *environment;		/* object of texts, borrowed; or NULL */
	json_t *collect;		/* list of files to bring back, borrowed; or NULL */
	int64_t timeout_ns;
	bool held;			/* one of two: it waits for its command_end() */
};

/* Texts and spans live until the ask is dropped. */
struct command_outcome {
	const char *cause;		/* enum run_cause by name */
	const char *detail;		/* why it could not be started, or "" */
	int exit_code;			/* -1: it did not exit */
	bool stopped;			/* on its way, by a signal */
	int64_t wall_ns, cpu_ns;
	int64_t rss_bytes;
	int64_t instructions;		/* of user space; -1: nobody counts them here */
	struct span output, errors;	/* stdout and stderr */
	const json_t *collected;	/* texts by path, for command_file() */
};

/* How many are begun at a time that are measured: 1 or 2. */
int commands_held(void);

int command_begin(struct session *session, struct ask *ask,
		  const struct command *command);

/* One that is held runs now; waits, and reads, as command_run(). */
int command_end(struct session *session, struct ask *ask, struct command_outcome *ret,
		struct error *why);

/* Of an ask that is done. 0, or why there was no outcome at all. */
int command_outcome(struct session *session, const struct ask *ask,
		    struct command_outcome *ret, struct error *why);

/* What was brought back of it; empty: there was no such file. */
struct span command_file(const struct command_outcome *outcome, const char *path);

/* Tells the store of all that ended in this session since the last time. */
int commands_record(struct session *session, struct error *why);

/* Begins, waits, and reads; if that succeeds the caller does session_drop(). */
int command_run(struct session *session, struct ask *ask,
		const struct command *command, struct command_outcome *ret,
		struct error *why);

/* "exit status 2: ...", "ended by oom", for people; and whether it is 0. */
bool command_succeeded(const struct command_outcome *outcome);
void command_describe(const struct command_outcome *outcome, char *ret, size_t size);

#endif
