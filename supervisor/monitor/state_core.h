/*
 * state_core.h - what the files of the monitor's core share; the shell
 * includes monitor_core.h alone.
 *
 *	monitor_core.c	events in: who says what, and when time is up
 *	slots_core.c	one slot's life: the state's timer, orders, claims
 *	deaths_core.c	how a worker ended, and what becomes of its slot
 *	pools_core.c	how many there should be, and filling up
 *	reload_core.c	two generations of pools change places
 *	whole_core.c	boot, brownout, stop
 */
#ifndef CUPEL_SUPERVISOR_MONITOR_STATE_CORE_H
#define CUPEL_SUPERVISOR_MONITOR_STATE_CORE_H

#include <assert.h>

#include "common/core/deadline.h"
#include "supervisor/monitor/monitor_core.h"

#define CRITICAL_WINDOW_NS (600 * NS_PER_S)	/* of two crash loops */

static inline bool is_alive(enum worker_state state)
{
	return state >= WORKER_BACKOFF && state <= WORKER_SUSPECT;
}

/* It has a process, or what is left of one. */
static inline bool is_running(enum worker_state state)
{
	return state >= WORKER_SPAWNING && state <= WORKER_DEAD;
}

static inline bool is_live(const struct core_pool *pool)
{
	return pool->used && pool->number != CONTROL_NO_POOL;
}

static inline bool is_workspace(const struct core *core, uint32_t number)
{
	return number && core->workspaces[control_workspace_place(number)] == number;
}

static inline bool is_within(int64_t since_ns, int64_t span_ns, int64_t now_ns)
{
	return since_ns != DEADLINE_NEVER && now_ns - since_ns < span_ns;
}

/* ---- slots_core.c ---- */

struct core_action *core_act(struct core *core, enum core_action_kind kind,
			     uint32_t slot, int value);
void core_tell(struct core *core, struct control record);

/* The one place that changes a slot's state. */
void slot_event(struct core *core, uint32_t index, enum worker_event event,
		int64_t now_ns);

/* A free one for the pool, to be filled then; false: there is none. */
bool slot_claim(struct core *core, unsigned pool, uint32_t workspace, int64_t at_ns,
		int64_t now_ns);

/* Out of its pool as gently as its state allows. */
void slot_retire(struct core *core, uint32_t index, int64_t now_ns);

void slots_stop_workers(struct core *core, int64_t now_ns);

/* The router has died: who can wait for the next one does, the others go. */
void slots_orphan_workers(struct core *core, int64_t now_ns);
void slots_link_orphans(struct core *core);
void slots_run_timers(struct core *core, int64_t now_ns);

/* When the slot's own time comes; or DEADLINE_NEVER. */
int64_t slot_next_ns(const struct core *core, uint32_t index);

/* ---- deaths_core.c ---- */

void slot_collect(struct core *core, uint32_t index, int64_t now_ns);

/* ---- pools_core.c ---- */

struct tally {
	unsigned alive[CORE_POOLS + 1], ready[CORE_POOLS + 1];
	unsigned stuck[CORE_POOLS + 1], all[CORE_POOLS + 1];
};

void pools_count(const struct core *core, struct tally *ret);

/* Workers that the pool is kept at without anybody asking, of no workspace. */
unsigned pool_least(const struct core *core, unsigned index);

/* Whether the pool may have one more spare where that slot's was, and needs it. */
bool pool_misses(const struct core *core, const struct core_slot *slot);

/* By the row of the present catalog; NULL: an older one was meant, or nonsense. */
struct core_pool *pool_meant(struct core *core, const struct control *record);

void pool_want(struct core *core, const struct control *record, int64_t now_ns);
void pool_react(struct core *core, unsigned index, enum restart_action action,
		int64_t now_ns);
bool has_router(const struct core *core);
void pools_fill(struct core *core, int64_t now_ns);
int64_t pools_next_ns(const struct core *core);

/* ---- reload_core.c ---- */

bool pool_is_canary(const struct core *core, const struct core_pool *pool);
void reload_begin(struct core *core, const struct core_event *event, int64_t now_ns);
void reload_progress(struct core *core, int64_t now_ns);
void reload_roll_back(struct core *core);

/* ---- whole_core.c ---- */

void whole_tell(struct core *core);
void whole_weigh(struct core *core, int64_t now_ns);
void whole_begin_stop(struct core *core, int status, int64_t now_ns);
void whole_progress_stop(struct core *core, int64_t now_ns);
int64_t whole_next_ns(const struct core *core);

#endif
