/*
 * worker_core.h - one worker's life.
 *
 *	FREE -> BACKOFF -> SPAWNING -> STARTING -> INIT -> READY <-> SUSPECT
 *	  ^        ^          exec'd      HELLO   READY    |  no beat  |
 *	  |        |                                       v           | ABRT
 *	  |        |     replaced                      DRAINING        |
 *	  +--------+------ DEAD <---+                      | TERM      |
 *	  |                  ^      |                      v           |
 *	  +-- renewed        |      +----------------- STOPPING <------+
 *	  |                  |                             | time is up
 *	FAILED <-------------+-------- LEAKED <-------- KILLING
 *
 * DEAD needs four facts, which come in any order: the process has ended, it
 * has been reaped, its cgroup is empty, and all it has said has been read.
 * Whatever a worker can cause is listed in every state in which it lives.
 *
 * Pure. Sources: s6-supervise, systemd.service(5) (watchdog), pidfd_open(2),
 * cgroup-v2.rst ("cgroup.events"); each knows one or two of the facts.
 */
#ifndef CUPEL_SUPERVISOR_MONITOR_WORKER_CORE_H
#define CUPEL_SUPERVISOR_MONITOR_WORKER_CORE_H

enum worker_state {
	WORKER_FREE,		/* the slot belongs to nobody */
	WORKER_BACKOFF,		/* waits until it may be spawned */
	WORKER_SPAWNING,	/* cloned, not exec'd: 1 s */
	WORKER_STARTING,	/* exec'd, no word yet: 2 s */
	WORKER_INIT,		/* tests itself; its pool's start time */
	WORKER_READY,		/* beats; 5 s without is too long */
	WORKER_SUSPECT,		/* no beat: 5 s more */
	WORKER_DRAINING,	/* finishes its calls, gets none */
	WORKER_STOPPING,	/* has been told to leave */
	WORKER_KILLING,		/* has been killed: 2 s */
	WORKER_LEAKED,		/* would not die: the slot is lost till it does; told,
				   and killed again, every 2 s */
	WORKER_DEAD,		/* all four facts are in */
	WORKER_FAILED,		/* its pool waits for a renewal */
	WORKER_STATE_COUNT
};

enum worker_event {
	WORKER_EVENT_WANTED,	/* a slot is given to a pool */
	WORKER_EVENT_SPAWN,	/* and may be filled now */
	WORKER_EVENT_STARTED,	/* exec'd */
	WORKER_EVENT_HELLO,
	WORKER_EVENT_SERVING,	/* ready, tested */
	WORKER_EVENT_ALIVE,	/* any other beat */
	WORKER_EVENT_BAD,	/* a beat that is none, or out of place */
	WORKER_EVENT_TIMEOUT,	/* the state's own timer */
	WORKER_EVENT_DRAIN,
	WORKER_EVENT_DRAINED,	/* its calls have ended */
	WORKER_EVENT_STOP,	/* leave now, in order */
	WORKER_EVENT_KILL,	/* leave now: 250 ms */
	WORKER_EVENT_DIED,	/* the four facts */
	WORKER_EVENT_REPLACE,	/* after DEAD: the slot stays its pool's */
	WORKER_EVENT_RELEASE,	/* after DEAD, FAILED, BACKOFF: it does not */
	WORKER_EVENT_GIVE_UP,	/* after DEAD: its pool has failed */
	WORKER_EVENT_COUNT
};

enum worker_action {
	WORKER_IMPOSSIBLE,
	WORKER_NOTHING,
	WORKER_DO_SPAWN,
	WORKER_DO_WATCH,	/* start the state's timer anew */
	WORKER_DO_DRAIN,	/* tell the router */
	WORKER_DO_TERM,		/* SIGTERM; 5 s */
	WORKER_DO_HURRY,	/* SIGTERM; 250 ms */
	WORKER_DO_ABORT,	/* SIGABRT, for its crash page; 2 s */
	WORKER_DO_KILL,		/* the whole cgroup */
	WORKER_DO_ALARM,	/* somebody must look at this */
	WORKER_DO_COLLECT,	/* close what was its, judge the death */
};

/* Why it ends, as far as we caused it; the first reason stays. */
enum worker_fate {
	FATE_NONE,		/* by itself */
	FATE_DRAINED,		/* its calls had ended */
	FATE_ORDERED,		/* on our order, whatever it was doing */
	FATE_START,		/* did not become ready in time */
	FATE_HUNG,		/* no beat */
	FATE_BAD,		/* said what it must not */
};

struct worker_transition {
	enum worker_state next;
	enum worker_action action;
	enum worker_fate fate;
};

/* The table itself; the action of an impossible pair is WORKER_IMPOSSIBLE. */
struct worker_transition worker_step(enum worker_state state,
				     enum worker_event event);

const char *worker_state_name(enum worker_state state);

#endif
