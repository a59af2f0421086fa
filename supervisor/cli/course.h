/*
 * course.h - one call of a tool, from its beginning to its end.
 *
 *	course_run()   bytes in, bytes out: cupel call
 *	course_ask()   JSON in, JSON out: the verbs that are a tool's front door
 *
 * Both follow the call until its result is there. On a terminal a line on
 * stderr tells how far it is, after the first second; Ctrl-C and SIGTERM ask
 * for the call's end and wait for it, a second one leaves at once.
 */
#ifndef CUPEL_SUPERVISOR_CLI_COURSE_H
#define CUPEL_SUPERVISOR_CLI_COURSE_H

#include "supervisor/cli/ask.h"

#define COURSE_NOTE_BYTES 160

struct course {
	const char *name;	/* for the line: "fs.read", "improve" */
	bool shows_progress;
	bool passes_on;		/* streams 1 and 2 at once, to stdout and stderr */
	bool leaves;		/* once the call has been accepted */
	int64_t budget_ns;	/* for the time left; 0: by progress, if it counts */

	struct client *client;
	uint64_t call;
	int64_t started_ns, step_ns;	/* the latter: of what progress counts */
	struct message_progress progress;	/* its note is in note */
	char note[COURSE_NOTE_BYTES];
	bool line_shown, over;
	bool cancelled, accepted;	/* by a signal; by a worker: also afterwards */
	struct answer answer;		/* its text is the result, as msgpack */
	struct answer streams[3];	/* 1 stdout, 2 stderr, where kept */
};

void course_release(struct course *course);
#define AUTO_COURSE __attribute__((cleanup(course_release)))

/*
 * Calls. 0 once the result is in course->answer (or the call was left),
 * whatever it says; negative if there is none.
 */
int course_run(struct course *course, struct client *client,
	       const struct client_ask *ask, struct error *why);

/*
 * Calls with JSON, which it takes over; a refusal is an error with the code of
 * the refusal. timeout_ns 0: the tool's own. *ret is the caller's.
 */
int course_ask(struct course *course, struct client *client, const char *tool,
	       uint32_t workspace, json_t *arguments, int64_t timeout_ns,
	       json_t **ret, struct error *why);

/* A tree as msgpack, on the heap. */
int course_pack(json_t *json, uint8_t **ret, size_t *ret_length, struct error *why);

#endif
