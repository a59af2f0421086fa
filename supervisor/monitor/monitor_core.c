#include "supervisor/monitor/monitor_core.h"

#include <string.h>

#include "supervisor/monitor/state_core.h"

#define RESTARTS 30
#define RESTARTS_NS (60 * NS_PER_S)
#define JOBS 50
#define JOBS_NS NS_PER_S
#define ROUTER_INIT_NS (10 * NS_PER_S)
#define BOOT_NS (10 * NS_PER_S)
#define BUSY_MOST_NS (3600 * NS_PER_S)

/* The worker a record means, if it is this one that is still there. */
static struct core_slot *worker_of(struct core *core, uint32_t slot, uint32_t generation)
{
	if (slot >= CORE_SLOTS || core->slots[slot].generation != generation ||
	    !is_running(core->slots[slot].state) || core->slots[slot].state == WORKER_DEAD)
		return NULL;
	return &core->slots[slot];
}

static void become_ready(struct core *core, uint32_t index, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	struct core_pool *pool = &core->pools[slot->pool];

	if (slot->state != WORKER_READY)
		return;
	slot->ready_ns = now_ns;
	restart_ready(&pool->restart, false, now_ns);
	if (!pool->spec.probed)
		restart_probed(&pool->restart);
}

/* ---- what the router says ---- */

static void on_router_beat(struct core *core, const struct control *record, int64_t now_ns)
{
	enum worker_state state = core->slots[CORE_ROUTER].state;

	if (record->call || record->slot)	/* calls, clients */
		core->idle_from_ns = now_ns;
	if (!is_running(state) || state == WORKER_DEAD)
		return;
	if (state == WORKER_SPAWNING || state == WORKER_STARTING)
		slot_event(core, CORE_ROUTER, WORKER_EVENT_HELLO, now_ns);
	if (state <= WORKER_INIT) {
		slot_event(core, CORE_ROUTER, WORKER_EVENT_SERVING, now_ns);
		become_ready(core, CORE_ROUTER, now_ns);
	} else {
		slot_event(core, CORE_ROUTER, WORKER_EVENT_ALIVE, now_ns);
	}
}

static void on_useful(struct core *core, const struct control *record, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[record->slot];

	slot->useful = true;
	restart_result(&core->pools[slot->pool].restart, true, now_ns);
}

static void on_probed(struct core *core, const struct control *record, int64_t now_ns)
{
	struct core_pool *pool = pool_meant(core, record);

	(void)now_ns;
	if (pool)
		restart_probed(&pool->restart);
}

static void on_recycle(struct core *core, const struct control *record, int64_t now_ns)
{
	slot_event(core, record->slot, WORKER_EVENT_DRAINED, now_ns);
}

/* A fault of its own, its link's end among them, is no order. */
static void on_kill(struct core *core, const struct control *record, int64_t now_ns)
{
	bool fault = record->detail == KILL_PROTOCOL;

	core->slots[record->slot].killed |= !fault;
	slot_event(core, record->slot, fault ? WORKER_EVENT_BAD : WORKER_EVENT_KILL, now_ns);
}

/* What waits to be started again waits no more, nor does it take from a budget. */
static void hurry(struct core *core, unsigned pool, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		struct core_slot *slot = &core->slots[i];

		if (slot->pool != pool || slot->state != WORKER_BACKOFF)
			continue;
		slot->failed = false;
		slot->restart.spawn_at_ns = deadline_earlier(slot->restart.spawn_at_ns,
							     now_ns);
	}
}

static void on_pool_order(struct core *core, const struct control *record, int64_t now_ns)
{
	static const enum restart_event events[POOL_ORDER_COUNT] = {
		[POOL_RESET] = RESTART_RENEW, [POOL_DISABLE] = RESTART_DISABLE,
		[POOL_ENABLE] = RESTART_ENABLE,
	};
	struct core_pool *pool = pool_meant(core, record);
	unsigned index = (unsigned)(pool - core->pools);

	if (!pool || record->detail >= POOL_ORDER_COUNT)
		return;
	pool_react(core, index,
		   restart_event(&pool->restart, events[record->detail], now_ns), now_ns);
	if (record->detail != POOL_DISABLE)
		hurry(core, index, now_ns);
}

static void on_shutdown(struct core *core, const struct control *record, int64_t now_ns)
{
	(void)record;
	whole_begin_stop(core, 0, now_ns);
}

/* What is not listed is nothing of the core's: a reload, or nonsense. */
static const struct {
	void (*handle)(struct core *core, const struct control *record, int64_t now_ns);
	bool of_worker;		/* one that is still there */
} records[CONTROL_KIND_COUNT] = {
	[CONTROL_BEAT]	     = { on_router_beat, false },
	[CONTROL_WANT]	     = { pool_want, false },
	[CONTROL_USEFUL]     = { on_useful, true },
	[CONTROL_PROBED]     = { on_probed, false },
	[CONTROL_RECYCLE]    = { on_recycle, true },
	[CONTROL_KILL]	     = { on_kill, true },
	[CONTROL_POOL_ORDER] = { on_pool_order, false },
	[CONTROL_SHUTDOWN]   = { on_shutdown, false },
};

static void on_record(struct core *core, const struct core_event *event, int64_t now_ns)
{
	const struct control *record = &event->record;

	if (record->kind >= CONTROL_KIND_COUNT || !records[record->kind].handle ||
	    (records[record->kind].of_worker &&
	     (record->slot >= CORE_ROUTER ||
	      !worker_of(core, record->slot, record->generation))))
		return;
	records[record->kind].handle(core, record, now_ns);
}

/* ---- what workers and the kernel say; they are there ---- */

static void on_started(struct core *core, const struct core_event *event, int64_t now_ns)
{
	slot_event(core, event->slot, WORKER_EVENT_STARTED, now_ns);
	if (event->slot == CORE_ROUTER)
		slots_link_orphans(core);
}

static void on_beat(struct core *core, const struct core_event *event, int64_t now_ns)
{
	static const enum worker_event events[BEAT_KIND_COUNT] = {
		[BEAT_HELLO] = WORKER_EVENT_HELLO, [BEAT_READY] = WORKER_EVENT_SERVING,
		[BEAT_ALIVE] = WORKER_EVENT_ALIVE, [BEAT_BUSY_UNTIL] = WORKER_EVENT_ALIVE,
		[BEAT_TAKEN] = WORKER_EVENT_ALIVE,
	};
	const struct beat *beat = &event->beat;
	struct core_slot *slot = &core->slots[event->slot];
	bool good = beat->kind > 0 && beat->kind < BEAT_LINK && !beat->reserved;

	if (good && beat->kind == BEAT_HELLO)
		slot->outlives = beat->value == 1;
	if (good && beat->kind == BEAT_BUSY_UNTIL)
		slot->busy_until_ns = beat->value > (uint64_t)(now_ns + BUSY_MOST_NS) ?
				      now_ns + BUSY_MOST_NS : (int64_t)beat->value;
	if (good && beat->kind == BEAT_TAKEN)
		slot->taken = core->pools[slot->pool].spec.single_use;
	slot_event(core, event->slot, good ? events[beat->kind] : WORKER_EVENT_BAD, now_ns);
	if (good && beat->kind == BEAT_READY)
		become_ready(core, event->slot, now_ns);
}

static void on_facts(struct core *core, const struct core_event *event, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[event->slot];

	if (event->facts & FACT_REAPED) {
		slot->exit_status = event->exit_status;
		slot->signal = event->signal;
		slot->oom = event->oom;
		slot->culprit = event->call;
	}
	slot->facts |= event->facts;
	if (slot->facts == FACT_ALL)
		slot_event(core, event->slot, WORKER_EVENT_DIED, now_ns);
}

static void on_not_started(struct core *core, const struct core_event *event,
			   int64_t now_ns)
{
	struct core_slot *slot = &core->slots[event->slot];

	/* Its link's end, which its router has told of, may have been seen first. */
	if (slot->ready_ns == RESTART_NEVER_READY) {
		slot->failed_errno = (int)event->value;
		slot->start_fault = event->fault;
		if (event->fault == START_FAULT_WORKSPACE)
			core_tell(core, (struct control){
				.kind = CONTROL_NO_ENTRY, .workspace = slot->workspace,
				.pool = core->pools[slot->pool].number,
				.argument = event->value });
		if (event->facts == FACT_ALL)
			slot->up = false;
		else if (slot->state == WORKER_SPAWNING)
			slot_event(core, event->slot, WORKER_EVENT_TIMEOUT, now_ns);
	}
	if (event->facts)
		on_facts(core, event, now_ns);
}

static void on_usage(struct core *core, const struct core_event *event, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[event->slot];
	uint64_t most_bytes = core->pools[slot->pool].spec.recycle_bytes;

	if (event->slot == CORE_ROUTER)
		return;
	core_tell(core, (struct control){ .kind = CONTROL_SLOT_USAGE, .slot = event->slot,
					  .generation = slot->generation,
					  .argument = event->value,
					  .call = (uint64_t)event->cpu_ns });
	if (most_bytes && event->value > most_bytes && slot->state == WORKER_READY)
		slot_event(core, event->slot, WORKER_EVENT_DRAIN, now_ns);
}

/* ---- the rest ---- */

static void on_workspace_came(struct core *core, const struct core_event *event,
			      int64_t now_ns)
{
	uint32_t number = (uint32_t)event->value;

	(void)now_ns;
	if (number)
		core->workspaces[control_workspace_place(number)] = number;
}

static void on_workspace_gone(struct core *core, const struct core_event *event,
			      int64_t now_ns)
{
	uint32_t number = (uint32_t)event->value;

	if (!is_workspace(core, number))
		return;
	core->workspaces[control_workspace_place(number)] = 0;
	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		if (core->slots[i].state != WORKER_FREE &&
		    core->slots[i].workspace == number)
			slot_retire(core, i, now_ns);
}

static void on_stop(struct core *core, const struct core_event *event, int64_t now_ns)
{
	(void)event;
	whole_begin_stop(core, 0, now_ns);
}

static const struct {
	void (*handle)(struct core *core, const struct core_event *event, int64_t now_ns);
	bool of_worker;
} events[CORE_EVENT_COUNT] = {
	[CORE_STARTED]	      = { on_started, true },
	[CORE_NOT_STARTED]    = { on_not_started, true },
	[CORE_BEAT]	      = { on_beat, true },
	[CORE_FACTS]	      = { on_facts, true },
	[CORE_USAGE]	      = { on_usage, true },
	[CORE_RECORD]	      = { on_record, false },
	[CORE_WORKSPACE_CAME] = { on_workspace_came, false },
	[CORE_WORKSPACE_GONE] = { on_workspace_gone, false },
	[CORE_RELOADED]	      = { reload_begin, false },
	[CORE_STOP]	      = { on_stop, false },
};

void core_step(struct core *core, const struct core_event *event, int64_t now_ns,
	       struct core_actions *ret)
{
	ret->count = 0;
	core->out = ret;
	if (events[event->kind].handle &&
	    (!events[event->kind].of_worker ||
	     worker_of(core, event->slot, event->generation)))
		events[event->kind].handle(core, event, now_ns);
	slots_run_timers(core, now_ns);
	reload_progress(core, now_ns);
	if (core->state != SUPERVISOR_DRAINING)
		pools_fill(core, now_ns);
	whole_weigh(core, now_ns);
	if (core->state == SUPERVISOR_DRAINING)
		whole_progress_stop(core, now_ns);
	core->out = NULL;
}

int64_t core_next_ns(const struct core *core)
{
	int64_t next_ns = deadline_earlier(whole_next_ns(core), pools_next_ns(core));

	if (core->reload != RELOAD_NONE)
		next_ns = deadline_earlier(next_ns, core->reload_until_ns);
	if (core->idle_ns && core->state != SUPERVISOR_DRAINING)
		next_ns = deadline_earlier(next_ns, core->idle_from_ns + core->idle_ns);
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		next_ns = deadline_earlier(next_ns, slot_next_ns(core, i));
	return next_ns;
}

static void starts_init(struct starts *starts, unsigned most, int64_t period_ns,
			int64_t now_ns)
{
	starts->most = most;
	starts->period_ns = period_ns;
	for (unsigned i = 0; i < most; i++)
		starts->at_ns[i] = now_ns - period_ns;
}

void core_init(struct core *core, uint64_t seed, int64_t idle_ns,
	       int64_t escaped_ns, int64_t now_ns)
{
	struct core_pool *router = &core->pools[CORE_ROUTER_POOL];

	memset(core, 0, sizeof(*core));
	random_init(&core->random, seed);
	starts_init(&core->restarts, RESTARTS, RESTARTS_NS, now_ns);
	starts_init(&core->jobs, JOBS, JOBS_NS, now_ns);
	core->brownout_ns = now_ns + BOOT_NS;	/* BOOT: its end at the latest */
	core->critical_ns = DEADLINE_NEVER;
	core->escaped_ns = escaped_ns;
	core->idle_ns = idle_ns;
	core->idle_from_ns = now_ns;
	*router = (struct core_pool){
		.used = true, .name = "router", .number = CONTROL_NO_POOL,
		.other = CONTROL_NO_POOL, .crashloop_ns = DEADLINE_NEVER,
		.spec = { .fixed = true, .critical = true, .size = 1,
			  .start_ns = ROUTER_INIT_NS },
	};
	restart_init(&router->restart, now_ns);
}

void core_check(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		const struct core_slot *slot = &core->slots[i];

		assert(slot->state != WORKER_DEAD);	/* it passes within a step */
		assert((slot->pool == CORE_ROUTER_POOL) == (i == CORE_ROUTER) ||
		       slot->state == WORKER_FREE);
		if (slot->state == WORKER_FREE)
			continue;
		assert(core->pools[slot->pool].used);
		assert(slot->facts != FACT_ALL || !is_running(slot->state));
		assert(!is_running(slot->state) || slot->generation > 0);
		assert(slot->state != WORKER_READY || slot->ready_ns != RESTART_NEVER_READY);
	}
	for (unsigned i = 0; i < CORE_POOLS; i++)
		assert(!core->pools[i].used || core->reload != RELOAD_NONE ||
		       core->pools[i].other == CONTROL_NO_POOL);
	assert(!core->exited || core->state == SUPERVISOR_DRAINING);
}
