/*
 * life_core.h - the life of a call, as a table.
 *
 *	         +--> QUEUED --+--> SENT --> RUNNING --+--> result --> (gone)
 *	RECEIVED |     ^   ^   |     |          |      |
 *	 (args)  |     |   +---|-- BUSY         |      +--> DELIVERING --> HELD
 *	         +--> JOINED   |     +----+-----+                (detached)
 *	               | |     |          v
 *	               | +- PARKED    CANCELLING --> result, death
 *	               |
 *	            WAITING (for a retry)
 *
 *	RECEIVED	its argument is not complete yet
 *	BLOCKED		before its tool's queue, which is full
 *	QUEUED		in its tool's queue
 *	JOINED		an equal call runs; its result is awaited
 *	PARKED		next, as soon as a worker of its workspace is free
 *	WAITING		failed where that is safe, and will go out again
 *	SENT		to a worker, which has not accepted it: not executed
 *	RUNNING		accepted: from here on it may have had effects
 *	CANCELLING	the worker was told to stop, and has not confirmed
 *	DELIVERING	over; its kept result goes out as the client grants
 *	HELD		over; detached, its client is not there
 *
 * Only a worker's RESULT or death ends SENT, RUNNING and CANCELLING, so that
 * its place stays taken for as long as it may still work. Whatever a client or
 * a worker can cause is listed in every state. Pure.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_LIFE_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_LIFE_CORE_H

#include <stdbool.h>

enum call_state {
	CALL_FREE,
	CALL_RECEIVED,
	CALL_BLOCKED,
	CALL_QUEUED,
	CALL_JOINED,
	CALL_PARKED,
	CALL_WAITING,
	CALL_SENT,
	CALL_RUNNING,
	CALL_CANCELLING,
	CALL_DELIVERING,
	CALL_HELD,
	CALL_STATE_COUNT
};

enum call_event {
	LIFE_ACCEPT,		/* a worker's words */
	LIFE_BUSY,
	LIFE_OUTPUT,
	LIFE_RESULT,
	LIFE_DEAD,		/* the worker is, by all the facts */
	LIFE_TIME,		/* deadline or idle limit */
	LIFE_CANCEL,		/* the client's wish */
	LIFE_LOST,		/* the client is gone */
	LIFE_EVENT_COUNT
};

enum call_action {
	LIFE_IMPOSSIBLE,
	LIFE_IGNORE,
	LIFE_FAULT,		/* the worker breaks the contract */
	LIFE_START,		/* accepted: tell the client */
	LIFE_FORWARD,		/* output to the client */
	LIFE_AGAIN,		/* not executed: elsewhere, or later */
	LIFE_FINISH,		/* the worker's own result */
	LIFE_CLASSIFY,		/* what a death means for it */
	LIFE_ANSWER,		/* nothing runs: answer and be gone */
	LIFE_STOP,		/* tell the worker; the answer waits for it */
	LIFE_GIVE_UP,		/* answer now; the worker has yet to confirm */
	LIFE_HOLD,		/* keep the result for whoever comes back */
	LIFE_ACTION_COUNT
};

struct call_step {
	enum call_state next;
	enum call_action action;
};

/* The table; the action of an impossible pair is LIFE_IMPOSSIBLE. */
struct call_step call_life(enum call_state state, enum call_event event);

/* For any of its tool's: blocked, queued, parked or to be tried again. */
bool call_awaits_worker(enum call_state state);

const char *call_state_name(enum call_state state);

#endif
