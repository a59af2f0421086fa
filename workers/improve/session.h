/*
 * session.h - asking the other workers on behalf of one call.
 *
 *	serve(call) --> session_ask("store.propose", {...}) --> router --> store
 *	            --> session_begin() x n, session_wait()  --> job, job, job
 *
 * A session lives as long as the call it serves and ends with it: when that is
 * cancelled or its deadline passes, everything asked is cancelled too, and
 * every function here returns -ECANCELED, -ETIMEDOUT or -EPIPE from then on.
 * While it waits it keeps the worker's link and beat going.
 *
 * A session may ask for a day and without end, so that nothing of an answer is
 * in the call's memory: what a question took and its answer brought is on the
 * heap, and given back by session_drop().
 */
#ifndef CUPEL_WORKERS_IMPROVE_SESSION_H
#define CUPEL_WORKERS_IMPROVE_SESSION_H

#include "common/json.h"
#include "common/wire/client.h"
#include "workers/worker.h"

#define SESSION_COPIES_MAX 8
#define SESSION_OUTPUT_BYTES_MAX (8U << 20)	/* kept of one stream */
#define SESSION_HELD_BYTES_MAX (128U << 20)	/* of all streams at a time */
#define SESSION_COMMAND_BYTES 400	/* of a command line, kept in the store */

struct session_stream {
	uint8_t *data;			/* owned */
	size_t length, room;
	bool cut;			/* SESSION_OUTPUT_BYTES_MAX were reached */
};

/* One question and its answer; what it owns goes by session_drop(). */
struct ask {
	struct ask *next;
	uint64_t call;
	bool done;
	int result;			/* 0 or a negative errno, once done */
	json_t *answer;			/* owned; may be NULL */
	struct session_stream streams[3];	/* 0 the answer's bytes, then 1 and 2 */
	uint8_t *input;			/* owned; NULL once it is done */
	char command[SESSION_COMMAND_BYTES];	/* of command_begin() */
	struct error why;
};

struct session {
	struct worker_call *call;
	struct client *client;
	struct ask *asks;		/* that run */
	size_t held_bytes;		/* room of all streams that were not dropped */
	struct ask hold;		/* of session_hold() */
	bool holds;			/* the copies are ours, as far as we know */
	struct error taken;		/* why they are not any more; "": they are */
	uint32_t repository;		/* number of the workspace */
	uint32_t copies[SESSION_COPIES_MAX];	/* numbers of its private copies */
	size_t copy_count;
	const char *workspace;		/* the store's key of it; NULL: nothing is kept */
	const char *environment;	/* environment.h; in the call's memory; or NULL */
	bool confirmed;			/* a command said that it ran there */
	int64_t id;			/* the store's; 0: none yet */
	int64_t late_ns;		/* most that a wait was too long, since it was set to 0 */
	json_t *executions;		/* not yet told to the store; or NULL */
};

/*
 * Takes over fd, the worker's link as a client, once for the whole program.
 * session_begin() of every session goes over it, one session at a time.
 */
int session_connect(int fd, struct client **ret, struct error *why);

/*
 * Asks a tool; steals arguments. workspace 0: none. ask must stay where it is
 * until it is done, and timeout_ns is cut to what the call has left. One that is
 * held runs from session_go() on, its single-use worker starts before. What is
 * written beyond SESSION_HELD_BYTES_MAX ends it with -ENOMEM. Owns nothing if
 * this fails.
 */
int session_begin(struct session *session, struct ask *ask, const char *tool,
		  uint32_t workspace, json_t *arguments, int64_t timeout_ns, bool held);
void session_go(struct session *session, const struct ask *ask);

/* Waits until this one is done, and returns its result; given up if that fails. */
int session_wait(struct session *session, struct ask *ask);

/*
 * Waits until one of them is done that was not taken (call != 0) yet; it is to
 * be dropped. If that fails, or they are not all waited for, session_give_up()
 * has to follow.
 */
int session_wait_any(struct session *session, struct ask *asks, size_t count,
		     size_t *ret_index, struct error *why);

/* Gives back what one that is done, or could not be begun, owns. Idempotent. */
void session_drop(struct session *session, struct ask *ask);

/*
 * Those of them that run are to end, and are waited for, a second at most; from
 * then on no answer finds them, and all that were not taken are dropped.
 */
void session_give_up(struct session *session, struct ask *asks, size_t count);

/*
 * Asks and waits. ret may be NULL, else the answer is the caller's to
 * json_decref().
 */
int session_ask(struct session *session, const char *tool, uint32_t workspace,
		json_t *arguments, json_t **ret, struct error *why);

/*
 * Takes the workspace's private copies until the session ends: nobody else
 * works in them meanwhile. -EBUSY with the reason if somebody does. If their
 * keeper is killed there is another one, unless somebody was quicker: every
 * function here then returns -EBUSY.
 */
int session_hold(struct session *session, struct error *why);

/* The copies, if they are held, are nobody's any more. */
void session_end(struct session *session);

/* The memory of the call: for what lasts as long as that. */
static inline struct arena *session_memory(struct session *session)
{
	return &session->call->memory;
}

#endif
