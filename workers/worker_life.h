/*
 * worker_life.h - what the skeleton's own files share; programs include
 * worker.h alone.
 *
 *	worker.c	the start, the loop, beats, leaving
 *	worker_link.c	what the router says, and which call it is about
 *	worker_call.c	one call from its arguments to its result
 *	worker_crash.c	the last words of one that dies
 */
#ifndef CUPEL_WORKERS_WORKER_LIFE_H
#define CUPEL_WORKERS_WORKER_LIFE_H

#include "workers/worker.h"

/* Room that is kept for answers which must not wait: see life_may_receive(). */
#define LIFE_REPLY_BYTES 16384
/* A short call has the processors for itself: only then another spare is made. */
#define LIFE_TAKEN_NS (2 * NS_PER_MS)
#define LIFE_IDLE_NS NS_PER_S	/* after the start */
#define LIFE_IDLE_MOST_NS (60 * NS_PER_S)	/* longer its work waits for no pause */
#define LIFE_OUT_BYTES (2 * FRAME_BYTES_MAX)
#define LIFE_AWAY_NS (5 * NS_PER_S)	/* without a router, and then its RESYNC */

struct life {
	struct worker worker;
	struct loop loop;
	struct channel channel;
	struct loop_source link, beat;
	uint32_t link_events;
	struct list calls;		/* all that are not finished and sent */
	struct list kept, free;
	size_t call_count, kept_bytes;
	struct worker_call *serving;	/* its serve() is on the stack */
	json_t **schemas;		/* a row per promise */
	uint32_t generation;
	uint64_t turns, served;
	int64_t beat_due_ns, look_due_ns, drain_ns;
	int64_t idle_ns;		/* when the program's idle() is due */
	int64_t taken_ns;		/* of a single-use one: when to say so; or 0 */
	bool busy;		/* in a walk of ours: nobody begins another turn */
	bool draining, leaving;
	bool away;		/* its router has died; a fresh link may come */
	bool unasked;		/* and until that one's RESYNC nothing is said of calls */
	bool forgot;		/* a kept result, for lack of room */
	int64_t away_ns;	/* both: until then at the most; or 0 */
	int exit_code;
};

static inline struct life *life_of(const struct worker_call *call)
{
	return (struct life *)call->worker;	/* its first member */
}

/* ---- worker.c ---- */

/*
 * Ends the loop; what was queued for the router is still written. Of several
 * reasons the first failure counts, even after all was well.
 */
void life_leave(struct life *life, int exit_code, const char *reason);

void life_beat(struct life *life, enum beat_kind kind, uint64_t value);

void life_beat_if_due(struct life *life, int64_t now_ns);

/* Beats if it is time, ends calls beyond their deadline, sets the timer. */
void life_tick(struct life *life, int64_t now_ns);

/* ---- worker_link.c ---- */

int link_hello(struct life *life, struct error *why);

/* The router is gone: calls go on, their results wait. Or the worker leaves. */
void link_lost(struct life *life);

/* What the monitor has to say: a fresh link, or by its end that all is over. */
void link_hear_monitor(struct life *life);

/* Takes all there is, serves, sends, and looks what to wait for. */
void link_turn(struct life *life);

/* The same from within a serve function: nothing is served. */
void link_turn_within(struct life *life);

/* Waits for the link or until then; from within a serve function, too. */
void link_wait(struct life *life, int64_t until_ns);

/* Queues a message that takes no credit and must not be lost. */
void link_send(struct life *life, struct message *message);

/*
 * Writes of what is queued what there is room for: 0 when that was all, or
 * -EAGAIN. A link that has failed, for whatever reason, is never written to
 * again: then the worker leaves.
 */
int link_write(struct life *life);

/* Writes all that is queued, waiting if need be. */
void link_flush(struct life *life);

/* ---- worker_call.c ---- */

/* A free call, at once in the list of calls; NULL: no memory. */
struct worker_call *call_new(struct life *life, const struct message *message);
struct worker_call *call_find(struct life *life, uint64_t id);
struct worker_call *call_find_kept(struct life *life, uint64_t id);
void call_free(struct worker_call *call);

/* A kept result is sent once more. */
void call_send_again(struct worker_call *call);

/* Appends to the arguments' bytes. 0, -EMSGSIZE or -ENOMEM. */
int call_append(struct worker_call *call, struct span bytes);

/* Reads and checks the arguments: then the call waits to be served, or has failed. */
void call_take_arguments(struct worker_call *call, struct span bytes);

void call_refuse(struct worker_call *call, enum error_code code,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));
void call_serve(struct worker_call *call);
void call_stop(struct worker_call *call, enum error_code code);

/* Goes on sending: a result, or the tool's own chunks. */
void call_pump(struct worker_call *call);

/* The RESULT as it was sent or is to be sent. */
struct message call_result(const struct worker_call *call);

/* ---- worker_crash.c ---- */

/* Maps the page of WORKER_CRASH_FD, or one of its own, and watches over it. */
void crash_init(void);
void crash_set_call(uint64_t call);
void crash_set_phase(uint32_t phase);

/* The first half of the program's build id in hexadecimal. */
const char *crash_build(void);

#endif
