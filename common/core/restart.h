/*
 * restart.h - when a dead worker comes back, and when its pool is left alone.
 *
 * A slot backs off by its own record: at once after a healthy run, then 100 ms
 * doubling to 30 s, times uniform 0.5 .. 1. The pool has one life:
 *
 *	              all READY for 3 s
 *	DEGRADED ------------------------> UP <--------- proven ---+
 *	  |  ^ ^                           | |                     |
 *	  |  | +---- a slot leaves READY --+ |                     |
 *	  |  enable                          |                     |
 *	  |  |                               |                     |
 *	  +--|----- too many deaths ---------+                     |
 *	     |            |                                        |
 *	     |            v         cool-down over, or renewed     |
 *	     |        CRASHLOOP --------------------------> PROBATION
 *	     |            ^                                  |  ^
 *	     |            +---------- abnormal exit ---------+  |
 *	     |                                                  |
 *	  DISABLED <- DRAINING <- disable (any)    FAILED ------+ renewed
 *	                              hopeless (any but these two) ^
 *
 * Too many deaths: the 5th within 60 s, where one that a poison call caused
 * counts half, or the 3rd in a row before READY. The cool-down is 15 s x 2^m,
 * at most 15 min; m grows with each failed probation and shrinks with each
 * hour without a crash. No state but FAILED, which only a new generation or an
 * operator can mend, and DISABLED, which an operator chose, waits without a
 * timer or a worker: a pool is never silent for ever, and never a hot loop.
 *
 * Pure: what happens goes in, what to do comes out. The monitor owns one pool
 * record per pool and one slot record per slot. A job's process is no worker:
 * its death is the job's result and is never reported here. Sources: Erlang
 * OTP supervisor(3) (intensity), Postfix master(8) (death before the first
 * job), systemd.service(5) (start limit).
 */
#ifndef CUPEL_COMMON_CORE_RESTART_H
#define CUPEL_COMMON_CORE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/random.h"

enum restart_state {
	RESTART_DEGRADED,	/* serving, some slot not READY; the first */
	RESTART_UP,		/* all slots READY, or proven and filling up */
	RESTART_CRASHLOOP,	/* spawns nothing until the cool-down ends */
	RESTART_PROBATION,	/* one slot, one call at a time */
	RESTART_FAILED,		/* waits for a new generation or the operator */
	RESTART_DRAINING,	/* workers finish and are not replaced */
	RESTART_DISABLED,	/* none left */
	RESTART_STATE_COUNT
};

enum restart_event {
	RESTART_LOST,		/* a slot left READY, for whatever reason */
	RESTART_CRASHED,	/* an abnormal exit */
	RESTART_TOO_MANY,	/* the one that reaches a limit */
	RESTART_HOPELESS,	/* trying again cannot help */
	RESTART_STEADY,		/* timer: all slots READY for 3 s */
	RESTART_COOLED,		/* timer: the cool-down is over */
	RESTART_PROVEN,		/* timer: the probation is passed */
	RESTART_RENEW,		/* new manifest or binary, or operator reset */
	RESTART_DISABLE,	/* operator, or the supervisor stops */
	RESTART_ENABLE,		/* operator */
	RESTART_DRAINED,	/* a draining pool has no worker left */
	RESTART_EVENT_COUNT
};

enum restart_action {
	RESTART_IMPOSSIBLE,
	RESTART_NOTHING,
	RESTART_SHRINK,		/* queue and limits follow the slots READY */
	RESTART_RESTORE,	/* the full queue and limits */
	RESTART_COOL_DOWN,	/* force breakers open, answer what is queued */
	RESTART_TRY,		/* spawn one slot at once, breakers half-open */
	RESTART_RAMP,		/* spawn all slots, breakers ramp up */
	RESTART_GIVE_UP,	/* force breakers open, show the reason */
	RESTART_DRAIN,		/* stop the workers in order */
	RESTART_START,		/* spawn all slots */
	RESTART_END,		/* stopped: nothing left to wait for */
	RESTART_ACTION_COUNT
};

struct restart_transition {
	enum restart_state next;
	enum restart_action action;
};

/* The table itself; the action of an impossible pair is RESTART_IMPOSSIBLE. */
struct restart_transition restart_step(enum restart_state state,
				       enum restart_event event);

const char *restart_state_name(enum restart_state state);

/* How a worker ended; the shell knows what it had asked of it. */
enum restart_exit {
	RESTART_EXIT_NORMAL,	/* 0 after a drain or a recycle */
	RESTART_EXIT_ORDERED,	/* killed on our order: reload, cancel, stop */
	RESTART_EXIT_POISONED,	/* a call known to kill workers was in it */
	RESTART_EXIT_ABNORMAL,
	RESTART_EXIT_POLICY,	/* by the call filter; the 2nd is hopeless */
	RESTART_EXIT_HOPELESS,	/* 78, 125, or the binary is missing */
	RESTART_EXIT_COUNT
};

/*
 * Classifies a death that was not on our order and not by a poison call. A
 * worker killed by a signal has an exit status of -1, one that exited has the
 * signal 0. drained: it was asked to leave.
 */
enum restart_exit restart_exit_of(int exit_status, int signal, bool drained);

#define RESTART_NEVER_READY (-1)

/* One life of a worker, from READY to its end. */
struct restart_run {
	enum restart_exit exit;
	int64_t ready_ns;	/* how long READY, or RESTART_NEVER_READY */
	bool useful;		/* gave an ok result, or had no call at all */
	bool older;		/* spawned before begun_ns: says nothing of the pool now */
	bool vital;		/* nothing works without it: a healthy run clears the record,
				   and it is never given up */
};

struct restart_slot {
	unsigned crashes;	/* abnormal exits since the last settled run */
	int64_t spawn_at_ns;	/* at the earliest, see restart_slots() */
};

#define RESTART_HALVES 10	/* of a death: five whole ones */

struct restart_pool {
	enum restart_state state;
	int64_t halves_ns[RESTART_HALVES]; /* ring: a time per half */
	uint64_t halves;		/* ever, since the ring was emptied */
	unsigned stillbirths;		/* deaths in a row before READY */
	unsigned policy_kills;		/* of this generation */
	unsigned level;			/* m: exponent of the cool-down */
	int64_t begun_ns;		/* earlier deaths do not count */
	int64_t quiet_from_ns;		/* last crash or probation's start */
	int64_t cool_at_ns;		/* end of the cool-down */
	int64_t ready_from_ns;		/* all READY since, or DEADLINE_NEVER */
	unsigned ok_count;		/* of this probation, as probe_ok */
	bool probe_ok;
	int64_t traffic_ns;		/* the last result, ok or not */
};

/* DEGRADED: all slots are to be spawned, none is READY yet. */
void restart_init(struct restart_pool *pool, int64_t now_ns);

/* A slot without a past, to spawn at once: at first, and for RESTART_TRY. */
void restart_slot_init(struct restart_slot *slot, int64_t now_ns);

/*
 * A slot became READY; all: so is now every slot the pool should have, which
 * in PROBATION is one.
 */
void restart_ready(struct restart_pool *pool, bool all, int64_t now_ns);

/*
 * All slots the pool should have are READY, though none has just become so:
 * a surplus one left, or it should have none. Says nothing about start-up.
 */
void restart_whole(struct restart_pool *pool, int64_t now_ns);

/*
 * A worker is dead and collected. Sets when its slot spawns again and returns
 * what the pool's change of state, if any, demands.
 */
enum restart_action restart_dead(struct restart_pool *pool,
				 struct restart_slot *slot,
				 const struct restart_run *run,
				 struct random *random, int64_t now_ns);

/*
 * RESTART_LOST, RENEW, DISABLE, ENABLE or DRAINED happened; the others are
 * found out by restart_dead() and restart_tick().
 */
enum restart_action restart_event(struct restart_pool *pool,
				  enum restart_event event, int64_t now_ns);

/* A call ended; a pool on probation has to see five end well. */
void restart_result(struct restart_pool *pool, bool ok, int64_t now_ns);

/*
 * The pool's own probe succeeded; where none is declared, the worker's
 * self-test before READY counts as one.
 */
void restart_probed(struct restart_pool *pool);

/* When restart_tick() is due; DEADLINE_NEVER if no timer is needed. */
int64_t restart_next_ns(const struct restart_pool *pool);

/* Moves the pool by its timers. */
enum restart_action restart_tick(struct restart_pool *pool, int64_t now_ns);

/*
 * How many of the configured slots may have a worker in the pool's state: more
 * are drained, fewer are filled as their spawn_at_ns comes.
 */
unsigned restart_slots(const struct restart_pool *pool, unsigned configured);

#endif
