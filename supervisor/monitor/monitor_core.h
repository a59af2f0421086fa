/*
 * monitor_core.h - what the monitor does about what happens.
 *
 *	event, now --> core_step() --> actions, and the next time to ask
 *
 * The core owns the slots, the pools, the budgets and the states of the whole:
 *
 *	BOOT --> RUNNING <--> BROWNOUT --> DRAINING --> exit
 *
 * A pool keeps its minimum of workers by itself: all of a static one, the warm
 * ones of the others, where a single-use worker that has its call is no spare
 * any more; more are wanted by the router, up to its size. One that is bound to
 * workspaces keeps its warm ones for each that there is. A worker
 * that is leaving no longer counts, so its successor starts meanwhile; one that
 * would not die counts until it does. The router is a slot like any other, the
 * last one, in a pool of its own; without it nothing is spawned. When it dies,
 * the workers that serve and said they outlive it get a fresh link each, to the
 * next one; all others are replaced, for they hung on its links.
 *
 * Two budgets bind everybody: 30 restarts in any 60 s (a start after an
 * abnormal end), of which 4 are left to critical pools; and 50 starts in any
 * second of single-use workers whose last one failed. Starts that follow work well done
 * are not limited: they are what the pool is for. An on-demand pool grows by
 * 1, 2, 4, then 8 workers a second.
 *
 * Brownout: 3 pools in a crash loop within 5 min, or a critical one twice in
 * 10. Then batch pools and warm spares rest. After 10 min of it the monitor
 * ends with status 75 for whoever started it, once an hour at most.
 *
 * A reload brings a second generation of pools. Those that changed begin with
 * one canary each; when all are ready the two generations change places, and
 * for 60 s, until the first of the new workers dies in its first calls, they
 * may change back. There are never more than two.
 *
 * Pure: no system call, no clock, no heap. Fixed tables; the caller's storage.
 * Sources: supervisor behaviours of Erlang/OTP; php-fpm's spawn rate.
 */
#ifndef CUPEL_SUPERVISOR_MONITOR_MONITOR_CORE_H
#define CUPEL_SUPERVISOR_MONITOR_MONITOR_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/restart.h"
#include "common/wire/control.h"
#include "supervisor/monitor/worker_core.h"

#define CORE_ROUTER CONTROL_SLOTS_MAX	/* its slot */
#define CORE_SLOTS (CONTROL_SLOTS_MAX + 1)
#define CORE_POOLS 64			/* of two generations */
#define CORE_ROUTER_POOL CORE_POOLS
#define CORE_STARTS_MAX 50
#define CORE_ACTIONS_MAX 4096
#define CORE_EXIT_BROWNOUT 75

/* A pool as the catalog describes it. */
struct core_pool_spec {
	const char *name;	/* for comparing; borrowed until the step is over */
	uint64_t hash;
	bool fixed;		/* static: size workers, always */
	bool single_use;	/* a worker serves one call and ends */
	bool critical, bound, batch;	/* bound: to one workspace */
	bool probed;		/* it declares a probe */
	uint32_t size, warm;
	int64_t recycle_age_ns;	/* 0: never, as below */
	uint64_t recycle_bytes;
	int64_t start_ns;
};

/* Why a worker could not be started. */
enum start_fault {
	START_FAULT_PASSING,	/* trying again may help */
	START_FAULT_HOPELESS,	/* only a new binary or an operator helps */
	START_FAULT_WORKSPACE	/* the caller's directory: its calls fail, no pool */
};

/* Why a worker is dead, bit by bit. */
enum death_fact {
	FACT_ENDED = 1,		/* the pidfd is readable */
	FACT_REAPED = 2,	/* its status is known */
	FACT_EMPTY = 4,		/* no process is left in its cgroup */
	FACT_DRAINED = 8,	/* what it wrote has been read */
	FACT_ALL = 15
};

struct core_slot {
	enum worker_state state;
	enum worker_fate fate;
	uint32_t generation;
	uint16_t pool;		/* index in core.pools */
	uint32_t workspace;
	unsigned facts;
	int exit_status, signal;	/* once reaped; -1 and 0 as in restart.h */
	int failed_errno;		/* it could not be started */
	enum start_fault start_fault;
	bool oom, useful;
	bool killed;		/* the router wanted it so, for a caller */
	bool forced;		/* its cgroup has been killed */
	bool failed;		/* the last one here did: this start is a restart */
	bool up;		/* the router has heard of it */
	bool taken;		/* a single-use one with a call: no spare */
	bool outlives;		/* the router: it takes a fresh link */
	bool orphan;		/* and waits for one */
	uint64_t culprit;		/* the call in its crash page */
	int64_t timer_ns;		/* the state's */
	int64_t spawned_ns, ready_ns;	/* ready_ns: RESTART_NEVER_READY */
	int64_t busy_until_ns;
	struct restart_slot restart;
};

struct core_pool {
	bool used;
	char name[64];
	struct core_pool_spec spec;
	uint16_t number;	/* row in the present catalog, or CONTROL_NO_POOL */
	uint16_t other;		/* in the one before or after it, while there are two */
	bool fresh;		/* came with the newest */
	struct restart_pool restart;
	enum restart_state told;	/* to the router */
	unsigned growth;		/* workers wanted in a row */
	int64_t grow_at_ns;		/* the next at the earliest */
	int64_t not_before_ns;		/* after a crash, for wants as well */
	int64_t crashloop_ns;		/* when it last entered one; 0: never */
};

enum core_reload { RELOAD_NONE, RELOAD_CANARY, RELOAD_WATCH };

enum core_event_kind {
	CORE_TIMER,
	CORE_STARTED,		/* slot: exec'd */
	CORE_NOT_STARTED,	/* slot; value: errno; fault; facts, if known */
	CORE_BEAT,		/* slot; beat; not one of them: BAD */
	CORE_FACTS,		/* slot; facts, and with REAPED how it ended */
	CORE_USAGE,		/* slot; value: resident bytes; cpu_ns */
	CORE_RECORD,		/* record: the router's */
	CORE_WORKSPACE_CAME,	/* value: its number */
	CORE_WORKSPACE_GONE,
	CORE_RELOADED,		/* specs, spec_count: in the new catalog's order; it
				   has taken the place of the one that did not hold */
	CORE_STOP,
	CORE_EVENT_COUNT
};

struct core_event {
	enum core_event_kind kind;
	uint32_t slot, generation;	/* of another generation: passed over */
	struct beat beat;
	struct control record;
	uint64_t value, call;
	int64_t cpu_ns;
	unsigned facts;
	int exit_status, signal;
	bool oom;
	enum start_fault fault;
	const struct core_pool_spec *specs;
	uint32_t spec_count;
};

enum core_action_kind {
	ACTION_SPAWN,		/* slot */
	ACTION_LINK,		/* slot: a fresh link to the router */
	ACTION_SIGNAL,		/* slot; value: the signal */
	ACTION_KILL,		/* slot: everything in its cgroup */
	ACTION_COLLECT,		/* slot: close what was its; value: enum slot_end */
	ACTION_LEAKED,		/* slot: would not die */
	ACTION_TELL,		/* record: to the router */
	ACTION_POOL,		/* record: what a pool has become; slot: core pool */
	ACTION_SWITCH,		/* the newer catalog holds, or value 1: the older again */
	ACTION_SETTLE,		/* the catalog that does not hold is needed no more */
	ACTION_STATE,		/* value: enum supervisor_state */
	ACTION_EXIT		/* value: the exit status; nothing is left */
};

struct core_action {
	enum core_action_kind kind;
	uint32_t slot;
	uint32_t generation;
	int value;
	struct control record;
};

struct core_actions {
	struct core_action list[CORE_ACTIONS_MAX];
	unsigned count;
};

/* No more than most starts in any period: when the latest were, in a ring. */
struct starts {
	int64_t period_ns;
	unsigned most, next;
	int64_t at_ns[CORE_STARTS_MAX];
};

struct core {
	enum supervisor_state state;
	struct core_slot slots[CORE_SLOTS];
	struct core_pool pools[CORE_POOLS + 1];
	struct random random;
	struct starts restarts, jobs;
	uint32_t catalog;	/* generation that holds */
	uint32_t workspaces[CONTROL_WORKSPACES_MAX];	/* by place: its number; 0: none */
	enum core_reload reload;
	int64_t reload_until_ns;
	int64_t spawn_from_ns;	/* the next worker, at the earliest */
	int64_t brownout_ns;	/* BROWNOUT: since; BOOT: its end at the latest */
	int64_t weigh_at_ns;	/* BROWNOUT: to look again */
	int64_t critical_ns;	/* a critical pool was in two crash loops; or NEVER */
	int64_t escaped_ns;	/* the last exit for a brownout; or NEVER */
	int64_t stop_by_ns;	/* DRAINING: the router's time is up; */
	int64_t leave_by_ns;	/* and everybody's */
	int exit_status;
	bool exited;
	int64_t idle_from_ns;	/* the router has had nothing to do since */
	int64_t idle_ns;	/* leave after so long without; 0: never */
	struct core_actions *out;
};

/*
 * Nothing runs yet, nor will before the first CORE_RELOADED. idle_ns 0: stay
 * for ever; escaped_ns: when it last ended for a brownout, or DEADLINE_NEVER.
 */
void core_init(struct core *core, uint64_t seed, int64_t idle_ns,
	       int64_t escaped_ns, int64_t now_ns);

/* ret holds the actions in the order they are to be taken. */
void core_step(struct core *core, const struct core_event *event,
	       int64_t now_ns, struct core_actions *ret);

/* When CORE_TIMER is due. */
int64_t core_next_ns(const struct core *core);

/* Whether a CORE_RELOADED would be taken now; a watch is cut short by one. */
bool core_may_reload(const struct core *core);

/* Stops on a broken invariant; for tests, and after each step of the monitor. */
void core_check(const struct core *core);

#endif
