/*
 * worker.h - the life all worker programs share: announce, serve, leave.
 *
 *	start, HELLO --> self-test --> WELCOME --> READY --> serve ... --> leave
 *
 * A program is one struct of data and a serve function a tool; what a tool is
 * called, takes and promises is read from its manifest at build time (struct
 * worker_contract), so that nothing is said twice. Arguments are checked
 * against the manifest's schema before anything else happens.
 *
 * A serve function may work to its end and return; it then calls
 * worker_poll() now and then, or waits by worker_pause() and worker_chunk(),
 * which keep the link and the beat going and tell it to stop. Or it returns
 * WORKER_PENDING, having added sources to worker->loop, and ends the call later by
 * worker_finish() or worker_fail(). Both kinds may be in one program.
 *
 *	CALL --> [waiting] --> ACCEPT, serve() --+-- 0 or error ----------+
 *	                                         |                        v
 *	                                         +-- WORKER_PENDING --> RESULT
 *
 * ACCEPT is written before serve() runs, and for a tool that is not pure it is
 * in the socket before: what happens after can be told from what did not. A
 * result, also that of refused arguments, is never without one. It stays with
 * its call until the router has confirmed it.
 *
 * When the router dies, calls go on, and the monitor sends a fresh link over the
 * beat socket: there the next router asks what there is (RESYNC), and gets it. A
 * program with a link of its own as a client cannot do that, and leaves.
 *
 * The program ends with status 0 when the router drains it, when a single call
 * was all it was for, upon SIGTERM, when the beat socket ends, or the link without
 * a fresh one within 5 s; 70 when it or its peer
 * is broken, 78 when it and its manifest do not agree. Descriptors, records:
 * common/wire/control.h.
 */
#ifndef CUPEL_WORKERS_WORKER_H
#define CUPEL_WORKERS_WORKER_H

#include "common/arena.h"
#include "common/core/list.h"
#include "common/core/retry.h"
#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/wire/channel.h"
#include "common/wire/control.h"
#include "workers/worker_sent.h"

#define WORKER_PENDING 1
#define WORKER_ARGUMENT_BYTES_MAX (1U << 20)	/* unless the program says so */
#define WORKER_CALL_BYTES_MAX (64U << 20)	/* arena of one call */
#define WORKER_KEPT_BYTES_MAX (16U << 20)	/* results not confirmed yet */

enum worker_exit {
	WORKER_EXIT_BROKEN = 70,	/* EX_SOFTWARE */
	WORKER_EXIT_CONTRACT = 78,	/* EX_CONFIG: not to be started again */
};

struct worker;
struct worker_call;

/* What a manifest says of a tool; generated from etc/tools. */
struct worker_promise {
	const char *name;
	const char *schema;
	enum tool_class class;
};

struct worker_contract {
	const struct worker_promise *promises;
	size_t count;
	uint64_t hash;
};

struct worker_tool {
	const char *name;
	/*
	 * 0 with a result, which the skeleton takes over (NULL: null), a
	 * negative errno with a reason, or WORKER_PENDING.
	 */
	int (*serve)(struct worker_call *call, json_t **ret, struct error *why);
	/* Of pending calls: end soon, see call->stop; may come more than once. */
	void (*stopped)(struct worker_call *call);
	/* Of pending calls: worker_chunk_some() may take bytes again. */
	void (*writable)(struct worker_call *call);
	/* Of pending calls: the time of worker_wake_at() has come. Ends no other call. */
	void (*woken)(struct worker_call *call);
	bool accepts;		/* it calls worker_accept() itself */
};

struct worker_program {
	const char *name;
	const struct worker_contract *contract;
	const struct worker_tool *tools;	/* one alone serves every name */
	size_t tool_count;
	uint32_t calls_max;		/* at a time; 0: 1 */
	size_t argument_bytes_max;	/* 0: WORKER_ARGUMENT_BYTES_MAX */
	bool single_use;		/* leaves after its first call */
	bool client;			/* has WORKER_CLIENT_FD: leaves with its router */
	/* Opens what it needs, then confines itself further; may be NULL. */
	int (*start)(struct worker *worker, struct error *why);
	int (*self_test)(struct worker *worker, struct error *why);
	/*
	 * Between calls, a few milliseconds of work; the first time soon after the
	 * start. Returns when there is more, monotonic. May be NULL.
	 */
	int64_t (*idle)(struct worker *worker, int64_t now_ns);
	/* The last thing before it leaves, whatever the reason; may be NULL. */
	void (*stop)(struct worker *worker);
};

enum worker_call_state {
	CALL_ARRIVING,		/* its argument goes on */
	CALL_WAITING,		/* for the one that is being served */
	CALL_SERVED,
	CALL_FINISHED,		/* the result waits to be sent */
	CALL_KEPT,		/* and now to be confirmed */
	CALL_FREE,
};

struct worker_call {
	struct worker *worker;
	const struct worker_tool *tool;
	uint64_t id;
	int64_t deadline_ns;
	uint32_t workspace, attempt;
	uint64_t parent;
	uint8_t effect[16];
	size_t effect_bytes;		/* 0: none was named */
	json_t *arguments;		/* borrowed by the tool */
	struct arena memory;		/* gone when the call is */
	void *state;			/* the tool's own, in that memory */
	enum error_code stop;		/* not ERROR_OK: end, for this reason */

	enum worker_call_state state_;	/* this and below: the skeleton's */
	bool accepted;
	int64_t wake_ns;		/* 0: not to be woken */
	struct list link;
	struct credit send_credit, receive_credit;
	const struct worker_promise *promise;
	uint8_t *body;			/* the argument's bytes, or the result's */
	size_t body_bytes, body_room, body_sent;
	uint32_t chunks, requests, phase;
	uint32_t next;			/* chunk to be sent: one more, or one of sent again */
	bool waits;			/* for its router to say from which one on */
	struct sent sent;
	enum error_code code;
	uint32_t origin;
	char reason[ERROR_TEXT_BYTES];
};

struct worker {
	struct loop *loop;		/* for sources of pending calls */
	struct log log;			/* on descriptor 2 */
	const struct worker_program *program;
};

/* Whether it may go on: 0, or -ECANCELED, -ETIMEDOUT or -EPIPE (leaving). */
int worker_poll(struct worker_call *call);

/* The same after waiting until then, or until the call is to end. */
int worker_pause(struct worker_call *call, int64_t until_ns);

/* Before the first side effect, where the tool does it itself. As worker_poll(). */
int worker_accept(struct worker_call *call);

/* Not executed and not to be: another worker may have it. Ends the call. */
void worker_busy(struct worker_call *call, enum error_code code,
		 const char *reason);

/*
 * Bytes of a stream (0 the result's, 1 stdout, 2 stderr) to the caller: all of
 * them, waiting for its credit as worker_pause() does; or as many as there is
 * credit and room for, without waiting.
 */
int worker_chunk(struct worker_call *call, uint32_t stream, struct span bytes);
size_t worker_chunk_some(struct worker_call *call, uint32_t stream,
			 struct span bytes);

/* A word on the way; dropped where it would have to wait. total 0: unknown. */
void worker_progress(struct worker_call *call, uint64_t done, uint64_t total,
		     const char *note);

/* How far it is, for crash page and result; the tool's own numbers to 255. */
void worker_phase(struct worker_call *call, uint32_t phase);

/* Calls the tool's woken() once, then or soon after; replaces what was set. */
void worker_wake_at(struct worker_call *call, int64_t at_ns);

/*
 * The end of a pending call; takes over result. One beyond a frame travels as
 * chunks of stream 0 before a RESULT without a body.
 */
void worker_finish(struct worker_call *call, json_t *result);

/* The same of one that was cancelled, with what there is to say of it. */
void worker_cancelled(struct worker_call *call, json_t *result);
void worker_fail(struct worker_call *call, const struct error *why);

/* Beats if it is time, although nothing has moved since: a hang, for tests. */
void worker_beat_still(struct worker *worker);

/* Silence until then is no sign of a hang. */
void worker_busy_until(struct worker *worker, int64_t until_ns);

/* A program's whole main(): its exit status. */
int worker_main(const struct worker_program *program);

#endif
