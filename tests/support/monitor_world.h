/*
 * monitor_world.h - processes that start, crash, hang, lie and refuse to die, at
 * the word of a seed, and the monitor's core that has to do with them.
 *
 * What must hold is checked after each step, and fails the test.
 */
#ifndef CUPEL_TESTS_SUPPORT_MONITOR_WORLD_H
#define CUPEL_TESTS_SUPPORT_MONITOR_WORLD_H

#include "common/core/random.h"
#include "supervisor/monitor/monitor_core.h"

#define RECENT 64

enum sometimes {
	SOMETIMES_READY, SOMETIMES_CRASH, SOMETIMES_HUNG, SOMETIMES_LEAKED,
	SOMETIMES_CRASHLOOP, SOMETIMES_PROBATION, SOMETIMES_FAILED, SOMETIMES_UP,
	SOMETIMES_NOT_STARTED, SOMETIMES_ROUTER_DIED, SOMETIMES_SWITCHED,
	SOMETIMES_ROLLED_BACK, SOMETIMES_CHANGED_BACK, SOMETIMES_BROWNOUT,
	SOMETIMES_DRAINED, SOMETIMES_ORDERED, SOMETIMES_OOM, SOMETIMES_POLICY,
	SOMETIMES_NORMAL, SOMETIMES_EXITED, SOMETIMES_TAKEN, SOMETIMES_BOUND,
	SOMETIMES_LINKED, SOMETIMES_NO_ENTRY,
	SOMETIMES_COUNT
};

extern uint64_t world_seen[SOMETIMES_COUNT];	/* in all worlds of a test */

/* What really runs on a slot. */
struct process {
	bool exists;
	uint32_t generation;
	int phase;		/* 0 cloned, 1 exec'd, 2 greeted, 3 serving */
	bool hangs, outlives;
	uint32_t linked;	/* to the router of that generation */
	int64_t next_ns;	/* its next word */
	int64_t dies_ns;	/* DEADLINE_NEVER: not yet */
	unsigned facts;
};

struct world {
	struct random random;
	struct core core;
	struct core_actions actions;
	struct process processes[CORE_SLOTS];
	int64_t now_ns;
	uint64_t trace;
	struct core_pool_spec specs[CORE_POOLS / 2];
	uint32_t spec_count;
	bool broken;		/* the newest programs crash at once */
	bool lossy;		/* this seed has faults at all */
	bool immortal;		/* some ignore even a kill for a while */
	int64_t restarts_ns[RECENT];
	unsigned restarts;
	int64_t stopped_ns, spawned_ns;
	bool exited;
};

bool world_chance(struct world *world, unsigned percent);

/* Each fourth seed has no faults. The first catalogue is loaded. */
void world_begin(struct world *world, uint64_t seed);

/* Tells the core; nothing once it has exited. */
void world_step(struct world *world, struct core_event event);

/* An event of the process on that slot. */
struct core_event world_event(const struct world *world, enum core_event_kind kind,
			      uint32_t slot);

/* Another catalogue: world->specs, some of them changed. */
void world_reload(struct world *world);

/* What happens next: the nearest thing due, in the world or in the core. */
void world_advance(struct world *world);

#endif
