#include "supervisor/monitor/monitor_core.h"

#include <assert.h>
#include <string.h>

#include "common/core/deadline.h"

#define SIGNAL_ABRT 6		/* signal(7), the same everywhere */
#define SIGNAL_KILL 9
#define SIGNAL_TERM 15
#define SIGNAL_SYS 31

#define SPAWNING_NS (5 * NS_PER_S)
#define STARTING_NS (5 * NS_PER_S)
#define BEAT_LATE_NS (5 * NS_PER_S)
#define BUSY_MOST_NS (3600 * NS_PER_S)
#define DRAINING_NS (30 * NS_PER_S)
#define TERM_NS (5 * NS_PER_S)
#define HURRY_NS (250 * NS_PER_MS)
#define ABORT_NS (2 * NS_PER_S)
#define KILLING_NS (2 * NS_PER_S)
#define ROUTER_INIT_NS (10 * NS_PER_S)
#define LEFT_NS NS_PER_S	/* exit 0 after at least that is no crash */

#define RESTARTS 30
#define RESTARTS_NS (60 * NS_PER_S)
#define RESERVED 4		/* of the restarts, for critical pools */
#define JOBS 50
#define JOBS_NS NS_PER_S
#define GROWTH_MOST 8		/* workers a second */

#define BOOT_NS (10 * NS_PER_S)
#define WEIGH_NS (10 * NS_PER_S)	/* how soon the end of a brownout is seen */
#define BROWNOUT_POOLS 3
#define BROWNOUT_WINDOW_NS (300 * NS_PER_S)
#define CRITICAL_WINDOW_NS (600 * NS_PER_S)
#define ESCAPE_NS (600 * NS_PER_S)
#define ESCAPE_AGAIN_NS (3600 * NS_PER_S)

#define CANARY_NS (60 * NS_PER_S)
#define WATCH_NS (60 * NS_PER_S)
#define STOP_NS (15 * NS_PER_S)	/* + twice TERM and KILLING: within 30 s */
#define STOP_HARD_NS (29 * NS_PER_S)

/* ---- what is said ---- */

static struct core_action *act(struct core *core, enum core_action_kind kind,
			       uint32_t slot, int value)
{
	assert(core->out->count < CORE_ACTIONS_MAX);
	struct core_action *action = &core->out->list[core->out->count++];

	*action = (struct core_action){
		.kind = kind, .slot = slot, .value = value,
		.generation = slot < CORE_SLOTS ? core->slots[slot].generation : 0,
	};
	return action;
}

static void tell(struct core *core, struct control record)
{
	act(core, ACTION_TELL, CORE_SLOTS, 0)->record = record;
}

static void tell_state(struct core *core)
{
	tell(core, (struct control){ .kind = CONTROL_SUPERVISOR,
				     .detail = (uint8_t)core->state });
}

static void change_state(struct core *core, enum supervisor_state state)
{
	core->state = state;
	act(core, ACTION_STATE, CORE_SLOTS, (int)state);
	tell_state(core);
}

/* ---- how many there are, and should be ---- */

static bool is_alive(enum worker_state state)
{
	return state >= WORKER_BACKOFF && state <= WORKER_SUSPECT;
}

/* It has a process, or what is left of one. */
static bool is_running(enum worker_state state)
{
	return state >= WORKER_SPAWNING && state <= WORKER_DEAD;
}

static bool is_stuck(enum worker_state state)
{
	return state == WORKER_KILLING || state == WORKER_LEAKED;
}

struct tally {
	unsigned alive[CORE_POOLS + 1], ready[CORE_POOLS + 1];
	unsigned stuck[CORE_POOLS + 1], all[CORE_POOLS + 1];
};

static void count(const struct core *core, struct tally *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < CORE_SLOTS; i++) {
		const struct core_slot *slot = &core->slots[i];

		if (slot->state == WORKER_FREE)
			continue;
		ret->all[slot->pool]++;
		ret->alive[slot->pool] += is_alive(slot->state);
		ret->ready[slot->pool] += slot->state == WORKER_READY;
		ret->stuck[slot->pool] += is_stuck(slot->state);
	}
}

static bool is_live(const struct core_pool *pool)
{
	return pool->used && pool->number != CONTROL_NO_POOL;
}

static bool is_canary(const struct core *core, const struct core_pool *pool)
{
	return core->reload == RELOAD_CANARY && pool->fresh && !is_live(pool) &&
	       !pool->spec.bound && pool->spec.size > 0;
}

static bool rests(const struct core *core, const struct core_pool *pool)
{
	return core->state == SUPERVISOR_BROWNOUT && pool->spec.batch;
}

/* Workers that the pool is kept at without anybody asking. */
static unsigned least(const struct core *core, unsigned index)
{
	const struct core_pool *pool = &core->pools[index];
	bool spares = core->state != SUPERVISOR_BROWNOUT;
	unsigned configured;

	if (core->state == SUPERVISOR_DRAINING || pool->spec.bound ||
	    rests(core, pool) || !core->catalog)
		return 0;
	if (is_canary(core, pool))
		return restart_slots(&pool->restart, 1);
	if (!is_live(pool) && index != CORE_ROUTER_POOL)
		return 0;
	configured = pool->spec.fixed ? pool->spec.size : spares ? pool->spec.warm : 0;
	if (pool->restart.state == RESTART_PROBATION && !configured)
		configured = pool->spec.size > 0;	/* or it proves nothing */
	return restart_slots(&pool->restart, configured);
}

static unsigned most(const struct core *core, unsigned index)
{
	const struct core_pool *pool = &core->pools[index];

	if (rests(core, pool))
		return 0;
	if (!is_live(pool) && index != CORE_ROUTER_POOL)
		return least(core, index);
	return restart_slots(&pool->restart, pool->spec.size);
}

static bool has_router(const struct core *core)
{
	enum worker_state state = core->slots[CORE_ROUTER].state;

	return state >= WORKER_STARTING && state <= WORKER_SUSPECT;
}

/* ---- a slot's life ---- */

static int64_t state_ns(const struct core_slot *slot, const struct core_pool *pool)
{
	switch (slot->state) {
	case WORKER_SPAWNING:
		return SPAWNING_NS;
	case WORKER_STARTING:
		return STARTING_NS;
	case WORKER_INIT:
		return pool->spec.start_ns;
	case WORKER_READY:
	case WORKER_SUSPECT:
		return BEAT_LATE_NS;
	case WORKER_DRAINING:
		return DRAINING_NS;
	case WORKER_KILLING:
	case WORKER_LEAKED:
		return KILLING_NS;
	case WORKER_FREE:
	case WORKER_BACKOFF:
	case WORKER_STOPPING:	/* by the way it was told */
	case WORKER_DEAD:
	case WORKER_FAILED:
	case WORKER_STATE_COUNT:
		break;
	}
	return DEADLINE_NEVER;
}

static void begin(struct core *core, uint32_t index, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	bool restarted = slot->failed;

	*slot = (struct core_slot){
		.state = slot->state, .generation = slot->generation + 1,
		.pool = slot->pool, .workspace = slot->workspace,
		.restart = slot->restart, .exit_status = -1, .failed = restarted,
		.up = true, .spawned_ns = now_ns, .ready_ns = RESTART_NEVER_READY,
		.timer_ns = deadline_after(now_ns, SPAWNING_NS),
	};
	act(core, ACTION_SPAWN, index, 0);
}

static void stop(struct core *core, uint32_t index, int signal, int64_t after_ns,
		 bool again, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	int64_t at_ns = deadline_after(now_ns, after_ns);

	slot->timer_ns = again ? deadline_earlier(slot->timer_ns, at_ns) : at_ns;
	act(core, ACTION_SIGNAL, index, signal);
}

static void drain(struct core *core, uint32_t index)
{
	struct core_slot *slot = &core->slots[index];

	tell(core, (struct control){ .kind = CONTROL_SLOT_DRAIN, .slot = index,
				     .generation = slot->generation,
				     .argument = (uint64_t)slot->timer_ns });
}

static void collect(struct core *core, uint32_t index, int64_t now_ns);

/* The one place that changes a slot's state. */
static void slot_event(struct core *core, uint32_t index, enum worker_event event,
		       int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	enum worker_state before = slot->state;
	struct worker_transition step = worker_step(before, event);

	assert(step.action != WORKER_IMPOSSIBLE);
	slot->state = step.next;
	if (slot->fate == FATE_NONE)
		slot->fate = step.fate;
	if (step.next != before || step.action == WORKER_DO_WATCH ||
	    step.action == WORKER_DO_KILL)
		slot->timer_ns = deadline_after(now_ns,
						state_ns(slot, &core->pools[slot->pool]));
	switch (step.action) {
	case WORKER_IMPOSSIBLE:
	case WORKER_NOTHING:
		return;
	case WORKER_DO_SPAWN:
		begin(core, index, now_ns);
		return;
	case WORKER_DO_WATCH:
		if (slot->state == WORKER_READY && slot->busy_until_ns > slot->timer_ns)
			slot->timer_ns = slot->busy_until_ns;
		return;
	case WORKER_DO_DRAIN:
		drain(core, index);
		return;
	case WORKER_DO_TERM:
		stop(core, index, SIGNAL_TERM, TERM_NS, false, now_ns);
		return;
	case WORKER_DO_HURRY:
		stop(core, index, SIGNAL_TERM, HURRY_NS, before == WORKER_STOPPING, now_ns);
		return;
	case WORKER_DO_ABORT:
		stop(core, index, SIGNAL_ABRT, ABORT_NS, false, now_ns);
		return;
	case WORKER_DO_ALARM:
		act(core, ACTION_LEAKED, index, 0);
		return;
	case WORKER_DO_KILL:
		slot->forced = true;
		act(core, ACTION_KILL, index, 0);
		return;
	case WORKER_DO_COLLECT:
		collect(core, index, now_ns);
		return;
	}
}

/* Out of its pool as gently as its state allows. */
static void retire(struct core *core, uint32_t index, int64_t now_ns)
{
	enum worker_state state = core->slots[index].state;

	if (state == WORKER_BACKOFF || state == WORKER_FAILED)
		slot_event(core, index, WORKER_EVENT_RELEASE, now_ns);
	else if (is_alive(state))
		slot_event(core, index, WORKER_EVENT_DRAIN, now_ns);
}

static struct core_slot *claim(struct core *core, unsigned pool, uint32_t workspace,
			       int64_t at_ns, int64_t now_ns)
{
	uint32_t first = pool == CORE_ROUTER_POOL ? CORE_ROUTER : 0;
	uint32_t end = pool == CORE_ROUTER_POOL ? CORE_SLOTS : CORE_ROUTER;

	for (uint32_t i = first; i < end; i++) {
		struct core_slot *slot = &core->slots[i];

		if (slot->state != WORKER_FREE)
			continue;
		slot->pool = (uint16_t)pool;
		slot->workspace = workspace;
		slot->failed = false;
		restart_slot_init(&slot->restart, at_ns);
		slot_event(core, i, WORKER_EVENT_WANTED, now_ns);
		return slot;
	}
	return NULL;
}

/* ---- reload: two generations change places ---- */

static void free_pools(struct core *core)
{
	struct tally tally;

	count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++) {
		struct core_pool *pool = &core->pools[i];

		if (pool->used && !is_live(pool) && pool->other == CONTROL_NO_POOL &&
		    tally.all[i] == 0)
			pool->used = false;
	}
}

static void forget_other(struct core *core)
{
	for (unsigned i = 0; i < CORE_POOLS; i++) {
		core->pools[i].other = CONTROL_NO_POOL;
		core->pools[i].fresh = false;
	}
	core->reload = RELOAD_NONE;
}

static void settle(struct core *core, bool newer)
{
	forget_other(core);
	act(core, ACTION_SETTLE, CORE_SLOTS, newer);
}

static void change_places(struct core *core, bool back)
{
	core->catalog++;
	act(core, ACTION_SWITCH, CORE_SLOTS, back);
	for (unsigned i = 0; i < CORE_POOLS; i++) {
		struct core_pool *pool = &core->pools[i];
		uint16_t number = pool->number;

		pool->number = pool->other;
		pool->other = number;
		pool->told = RESTART_STATE_COUNT;
	}
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		const struct core_slot *slot = &core->slots[i];

		if (is_running(slot->state) && slot->up)
			tell(core, (struct control){
				.kind = CONTROL_SLOT_POOL, .slot = i,
				.generation = slot->generation,
				.pool = core->pools[slot->pool].number });
	}
}

/* value of ACTION_SETTLE, 1: it was the newer that did not hold. */
static void roll_back(struct core *core)
{
	if (core->reload == RELOAD_WATCH)
		change_places(core, true);
	settle(core, true);
}

static void progress_reload(struct core *core, int64_t now_ns)
{
	struct tally tally;

	if (core->reload == RELOAD_NONE)
		return;
	if (core->reload == RELOAD_WATCH) {
		if (now_ns >= core->reload_until_ns)
			settle(core, false);
		return;
	}
	count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++) {
		if (!is_canary(core, &core->pools[i]) || tally.ready[i])
			continue;
		if (now_ns >= core->reload_until_ns)
			roll_back(core);
		return;
	}
	change_places(core, false);
	core->reload = RELOAD_WATCH;
	core->reload_until_ns = now_ns + WATCH_NS;
}

static struct core_pool *find_live(struct core *core, const char *name)
{
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (is_live(&core->pools[i]) && strcmp(core->pools[i].name, name) == 0)
			return &core->pools[i];
	return NULL;
}

static struct core_pool *new_pool(struct core *core, const struct core_pool_spec *spec,
				  int64_t now_ns)
{
	for (unsigned i = 0; i < CORE_POOLS; i++) {
		struct core_pool *pool = &core->pools[i];

		if (pool->used)
			continue;
		*pool = (struct core_pool){
			.used = true, .spec = *spec, .fresh = true,
			.number = CONTROL_NO_POOL, .other = CONTROL_NO_POOL,
			.told = RESTART_STATE_COUNT, .crashloop_ns = DEADLINE_NEVER,
		};
		strncpy(pool->name, spec->name, sizeof(pool->name) - 1);
		pool->spec.name = NULL;
		restart_init(&pool->restart, now_ns);
		return pool;
	}
	return NULL;
}

static void reload(struct core *core, const struct core_event *event, int64_t now_ns)
{
	bool first = core->catalog == 0;

	if (core->reload == RELOAD_WATCH)
		forget_other(core);	/* the shell has put the new one there */
	assert(core->reload == RELOAD_NONE);
	free_pools(core);
	core->reload = RELOAD_CANARY;
	core->reload_until_ns = now_ns + CANARY_NS;
	for (uint32_t i = 0; i < event->spec_count; i++) {
		const struct core_pool_spec *spec = &event->specs[i];
		struct core_pool *pool = find_live(core, spec->name);

		if (!pool || pool->spec.hash != spec->hash)
			pool = new_pool(core, spec, now_ns);
		if (!pool) {	/* older generations have not left yet */
			roll_back(core);
			return;
		}
		pool->other = (uint16_t)i;
	}
	if (first) {
		change_places(core, false);
		settle(core, false);
	}
}

bool core_may_reload(const struct core *core)
{
	return core->reload != RELOAD_CANARY && core->state != SUPERVISOR_DRAINING;
}

/* ---- a death ---- */

struct judgement {
	enum slot_end end;
	enum restart_exit exit;
};

/* By itself, whatever we may have been about to do. */
static struct judgement judge_own_end(const struct core *core,
				      const struct core_slot *slot, int64_t now_ns)
{
	bool was_ready = slot->ready_ns != RESTART_NEVER_READY;
	bool left = was_ready && slot->exit_status == 0 &&
		    (core->pools[slot->pool].spec.single_use ||
		     now_ns - slot->ready_ns >= LEFT_NS || !has_router(core));
	enum restart_exit exit = restart_exit_of(slot->exit_status, slot->signal, left);

	if (left)
		return (struct judgement){ SLOT_END_NORMAL, exit };
	if (slot->oom)
		return (struct judgement){ SLOT_END_OOM, exit };
	if (slot->signal == SIGNAL_SYS)
		return (struct judgement){ SLOT_END_POLICY, exit };
	if (!was_ready)
		return (struct judgement){ SLOT_END_START, exit };
	return (struct judgement){ slot->signal ? SLOT_END_SIGNAL : SLOT_END_EXIT, exit };
}

/* What was sent may have found it dead: then how it died is what counts. */
static bool ended_by_us(const struct core_slot *slot)
{
	return slot->exit_status == 0 || slot->signal == SIGNAL_TERM ||
	       (slot->forced && slot->signal == SIGNAL_KILL && !slot->oom);
}

static struct judgement judge(const struct core *core, const struct core_slot *slot,
			      int64_t now_ns)
{
	static const enum restart_exit of_start[] = {
		[START_FAULT_PASSING] = RESTART_EXIT_ABNORMAL,
		[START_FAULT_HOPELESS] = RESTART_EXIT_HOPELESS,
		[START_FAULT_WORKSPACE] = RESTART_EXIT_NORMAL,
	};

	if (slot->failed_errno)
		return (struct judgement){ SLOT_END_START, of_start[slot->start_fault] };
	switch (slot->fate) {
	case FATE_NONE:
		break;
	case FATE_DRAINED:
		return (struct judgement){ slot->exit_status == 0 ? SLOT_END_NORMAL :
			SLOT_END_ORDERED, RESTART_EXIT_NORMAL };
	case FATE_ORDERED:	/* by a caller's deadline, or for a reason of ours */
		return (struct judgement){ SLOT_END_ORDERED, slot->killed ?
			RESTART_EXIT_ORDERED : RESTART_EXIT_NORMAL };
	case FATE_HUNG:
		return (struct judgement){ SLOT_END_HUNG, RESTART_EXIT_ABNORMAL };
	case FATE_START:
		if (ended_by_us(slot))
			return (struct judgement){ SLOT_END_START, RESTART_EXIT_ABNORMAL };
		break;
	case FATE_BAD:
		if (ended_by_us(slot))
			return (struct judgement){
				slot->ready_ns == RESTART_NEVER_READY ? SLOT_END_START :
				SLOT_END_ORDERED, RESTART_EXIT_ABNORMAL };
		break;
	}
	return judge_own_end(core, slot, now_ns);
}

static void tell_down(struct core *core, uint32_t index, enum slot_end end)
{
	const struct core_slot *slot = &core->slots[index];
	int argument = slot->failed_errno ? slot->failed_errno :
		       slot->signal ? slot->signal : slot->exit_status;

	if (slot->up && index != CORE_ROUTER)
		tell(core, (struct control){
			.kind = CONTROL_SLOT_DOWN, .detail = (uint8_t)end, .slot = index,
			.generation = slot->generation,
			.pool = core->pools[slot->pool].number,
			.argument = argument < 0 ? 0 : (uint64_t)argument,
			.call = slot->culprit });
}

static bool within(int64_t since_ns, int64_t span_ns, int64_t now_ns)
{
	return since_ns != DEADLINE_NEVER && now_ns - since_ns < span_ns;
}

static void note_crashloop(struct core *core, struct core_pool *pool, int64_t now_ns)
{
	if (pool->spec.critical &&
	    within(pool->crashloop_ns, CRITICAL_WINDOW_NS, now_ns))
		core->critical_ns = now_ns;
	pool->crashloop_ns = now_ns;
}

/* Most of what a pool demands follows from its state, in fill(). */
static void react(struct core *core, unsigned index, enum restart_action action,
		  int64_t now_ns)
{
	if (action == RESTART_COOL_DOWN)
		note_crashloop(core, &core->pools[index], now_ns);
	if (action != RESTART_TRY && action != RESTART_START)
		return;
	core->pools[index].not_before_ns = now_ns;
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (core->slots[i].pool == index && core->slots[i].state == WORKER_FAILED)
			slot_event(core, i, WORKER_EVENT_RELEASE, now_ns);
}

/* A single-use worker that became ready is a job: its death is its result. */
static void report_death(struct core *core, struct core_slot *slot,
			 enum restart_exit exit, bool missed, int64_t now_ns)
{
	struct core_pool *pool = &core->pools[slot->pool];
	bool was_ready = slot->ready_ns != RESTART_NEVER_READY;
	bool abnormal = exit >= RESTART_EXIT_POISONED;
	struct restart_run run = {
		.exit = exit, .useful = slot->useful || !slot->culprit,
		.older = slot->spawned_ns < pool->restart.begun_ns,
		.ready_ns = was_ready ? now_ns - slot->ready_ns : RESTART_NEVER_READY,
	};

	if ((pool->spec.single_use && was_ready) || (!abnormal && !missed))
		return;
	react(core, slot->pool, restart_dead(&pool->restart, &slot->restart, &run,
					     &core->random, now_ns), now_ns);
	if (!abnormal)
		return;
	pool->not_before_ns = slot->restart.spawn_at_ns;
	if (pool->fresh && core->reload != RELOAD_NONE && !slot->useful)
		roll_back(core);
}

static void stop_workers(struct core *core, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		if (core->slots[i].state == WORKER_BACKOFF)
			continue;
		if (is_running(core->slots[i].state) &&
		    core->slots[i].state != WORKER_DEAD)
			slot_event(core, i, WORKER_EVENT_STOP, now_ns);
	}
}

static void collect(struct core *core, uint32_t index, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	struct judgement judgement = judge(core, slot, now_ns);
	unsigned pool = slot->pool;
	struct tally tally;

	act(core, ACTION_COLLECT, index, (int)judgement.end);
	tell_down(core, index, judgement.end);
	slot->up = false;
	count(core, &tally);
	report_death(core, slot, judgement.exit, tally.alive[pool] < least(core, pool),
		     now_ns);
	slot->failed = judgement.exit >= RESTART_EXIT_POISONED;
	if (core->pools[pool].restart.state == RESTART_FAILED && slot->failed)
		slot_event(core, index, WORKER_EVENT_GIVE_UP, now_ns);
	else if (tally.alive[pool] < least(core, pool) &&
		 tally.alive[pool] + tally.stuck[pool] < most(core, pool))
		slot_event(core, index, WORKER_EVENT_REPLACE, now_ns);
	else
		slot_event(core, index, WORKER_EVENT_RELEASE, now_ns);
	if (index == CORE_ROUTER)
		stop_workers(core, now_ns);
}

/* ---- stop ---- */

static void begin_stop(struct core *core, int status, int64_t now_ns)
{
	if (core->state == SUPERVISOR_DRAINING)
		return;
	core->exit_status = status;
	core->stop_by_ns = now_ns + STOP_NS;
	change_state(core, SUPERVISOR_DRAINING);
	if (core->slots[CORE_ROUTER].state == WORKER_READY)
		tell(core, (struct control){ .kind = CONTROL_STOP,
					     .argument = (uint64_t)core->stop_by_ns });
	else
		core->stop_by_ns = now_ns;
}

static bool all_gone(const struct core *core, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (is_running(core->slots[i].state))
			return now_ns >= core->stop_by_ns - STOP_NS + STOP_HARD_NS;
	return true;
}

static void progress_stop(struct core *core, int64_t now_ns)
{
	struct core_slot *router = &core->slots[CORE_ROUTER];

	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (core->slots[i].state == WORKER_BACKOFF)
			slot_event(core, i, WORKER_EVENT_RELEASE, now_ns);
	if (is_alive(router->state) && now_ns >= core->stop_by_ns)
		slot_event(core, CORE_ROUTER, WORKER_EVENT_STOP, now_ns);
	if (!is_running(router->state))
		stop_workers(core, now_ns);
	if (!core->exited && all_gone(core, now_ns)) {
		core->exited = true;
		act(core, ACTION_EXIT, CORE_SLOTS, core->exit_status);
	}
}

/* ---- filling the pools ---- */

static int64_t spawn_at_ns(const struct core *core, uint32_t index)
{
	const struct core_slot *slot = &core->slots[index];
	const struct core_pool_spec *spec = &core->pools[slot->pool].spec;
	int64_t at_ns = slot->restart.spawn_at_ns, budget_ns = INT64_MIN;

	if (index != CORE_ROUTER && !has_router(core))
		return DEADLINE_NEVER;
	if (slot->failed)
		budget_ns = spec->single_use ? bucket_next_ns(&core->jobs, 1) :
			    bucket_next_ns(&core->restarts, spec->critical ? 1 : 1 + RESERVED);
	return at_ns > budget_ns ? at_ns : budget_ns;
}

static void spawn_due(struct core *core, int64_t now_ns)
{
	for (uint32_t n = 0; n < CORE_SLOTS; n++) {
		uint32_t i = (CORE_ROUTER + n) % CORE_SLOTS;	/* the router first */
		struct core_slot *slot = &core->slots[i];

		if (slot->state != WORKER_BACKOFF || spawn_at_ns(core, i) > now_ns)
			continue;
		if (slot->failed)
			bucket_take(core->pools[slot->pool].spec.single_use ?
				    &core->jobs : &core->restarts, 1, now_ns);
		slot_event(core, i, WORKER_EVENT_SPAWN, now_ns);
		if (i == CORE_ROUTER) {
			for (unsigned p = 0; p < CORE_POOLS; p++)
				core->pools[p].told = RESTART_STATE_COUNT;
			tell_state(core);
		}
	}
}

static void shed(struct core *core, unsigned pool, unsigned surplus, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_SLOTS && surplus; i++)
		if (core->slots[i].pool == pool &&
		    core->slots[i].state == WORKER_BACKOFF) {
			retire(core, i, now_ns);
			surplus--;
		}
	for (uint32_t i = 0; i < CORE_SLOTS && surplus; i++)
		if (core->slots[i].pool == pool && is_alive(core->slots[i].state)) {
			retire(core, i, now_ns);
			surplus--;
		}
}

static void fill_pool(struct core *core, unsigned index, const struct tally *tally,
		      int64_t now_ns)
{
	unsigned alive = tally->alive[index], stuck = tally->stuck[index];
	unsigned low = least(core, index), high = most(core, index);

	if (alive > high)
		shed(core, index, alive - high, now_ns);
	for (; alive < low && alive + stuck < high; alive++)
		if (!claim(core, index, 0, now_ns, now_ns))
			return;
}

/* A pool is whole, or a slot of it has left READY. */
static void weigh_pool(struct core *core, unsigned index, const struct tally *tally,
		       int64_t now_ns)
{
	struct restart_pool *restart = &core->pools[index].restart;

	if (restart->state == RESTART_DRAINING && tally->all[index] == 0)
		restart_event(restart, RESTART_DRAINED, now_ns);
	if (restart->state != RESTART_UP && restart->state != RESTART_DEGRADED &&
	    restart->state != RESTART_PROBATION)
		return;
	unsigned low = least(core, index);

	if (tally->ready[index] >= low && (low || restart->state != RESTART_PROBATION ||
					   tally->ready[index]))
		restart_whole(restart, now_ns);
	else if (restart->ready_from_ns != DEADLINE_NEVER)
		react(core, index, restart_event(restart, RESTART_LOST, now_ns), now_ns);
	react(core, index, restart_tick(restart, now_ns), now_ns);
}

static void tell_pool(struct core *core, unsigned index)
{
	struct core_pool *pool = &core->pools[index];
	bool cooling = pool->restart.state == RESTART_CRASHLOOP;

	if (!is_live(pool) || pool->told == pool->restart.state)
		return;
	struct control record = {
		.kind = CONTROL_POOL_STATE, .pool = pool->number,
		.detail = (uint8_t)pool->restart.state,
		.argument = cooling ? (uint64_t)pool->restart.cool_at_ns : 0,
	};

	tell(core, record);
	act(core, ACTION_POOL, index, (int)pool->told)->record = record;
	pool->told = pool->restart.state;
}

static void fill(struct core *core, int64_t now_ns)
{
	struct tally tally;

	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used && core->pools[i].restart.state == RESTART_CRASHLOOP)
			react(core, i, restart_tick(&core->pools[i].restart, now_ns), now_ns);
	count(core, &tally);
	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used) {
			weigh_pool(core, i, &tally, now_ns);
			fill_pool(core, i, &tally, now_ns);
		}
	spawn_due(core, now_ns);
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (core->pools[i].used)
			tell_pool(core, i);
}

/* ---- the state of the whole ---- */

static bool boot_is_over(const struct core *core)
{
	struct tally tally;

	if (core->slots[CORE_ROUTER].state != WORKER_READY)
		return false;
	count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (is_live(&core->pools[i]) && tally.ready[i] < least(core, i))
			return false;
	return true;
}

static bool is_strained(const struct core *core, int64_t now_ns)
{
	unsigned looping = 0;

	for (unsigned i = 0; i < CORE_POOLS; i++)
		looping += is_live(&core->pools[i]) &&
			   within(core->pools[i].crashloop_ns, BROWNOUT_WINDOW_NS, now_ns);
	return looping >= BROWNOUT_POOLS ||
	       within(core->critical_ns, CRITICAL_WINDOW_NS, now_ns);
}

static void weigh_all(struct core *core, int64_t now_ns)
{
	bool strained = is_strained(core, now_ns);

	core->weigh_at_ns = now_ns + WEIGH_NS;
	if (core->state == SUPERVISOR_BOOT &&
	    (boot_is_over(core) || now_ns >= core->brownout_ns))
		change_state(core, SUPERVISOR_RUNNING);
	if (core->state == SUPERVISOR_RUNNING && strained) {
		core->brownout_ns = now_ns;
		change_state(core, SUPERVISOR_BROWNOUT);
	} else if (core->state == SUPERVISOR_BROWNOUT && !strained) {
		change_state(core, SUPERVISOR_RUNNING);
	}
	if (core->state == SUPERVISOR_BROWNOUT &&
	    now_ns - core->brownout_ns >= ESCAPE_NS &&
	    !within(core->escaped_ns, ESCAPE_AGAIN_NS, now_ns))
		begin_stop(core, CORE_EXIT_BROWNOUT, now_ns);
	if (core->idle_ns && now_ns - core->idle_from_ns >= core->idle_ns)
		begin_stop(core, 0, now_ns);
}

/* ---- what the router says ---- */

/* By the row of the present catalog; NULL: an older one was meant, or nonsense. */
static struct core_pool *pool_of(struct core *core, const struct control *record)
{
	if (record->generation != core->catalog || record->pool == CONTROL_NO_POOL)
		return NULL;
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (core->pools[i].used && core->pools[i].number == record->pool)
			return &core->pools[i];
	return NULL;
}

/* When a pool of that kind may grow by one: 1, 2, 4, 8 a second. */
static int64_t growth_at_ns(struct core_pool *pool, int64_t now_ns)
{
	int64_t at_ns = pool->grow_at_ns > now_ns ? pool->grow_at_ns : now_ns;
	unsigned rate = 1U << (pool->growth < 3 ? pool->growth : 3);

	if (pool->spec.single_use)
		return now_ns;
	if (now_ns - pool->grow_at_ns > NS_PER_S)
		pool->growth = 0, rate = 1;
	_Static_assert(GROWTH_MOST == 1 << 3, "the last rate");
	pool->growth += pool->growth < 3;
	pool->grow_at_ns = at_ns + NS_PER_S / rate;
	return at_ns;
}

static void want(struct core *core, const struct control *record, int64_t now_ns)
{
	struct core_pool *pool = pool_of(core, record);
	unsigned index = (unsigned)(pool - core->pools);
	struct tally tally;

	if (!pool || core->state == SUPERVISOR_DRAINING || record->argument == 0 ||
	    pool->spec.bound != (record->workspace != 0) ||
	    record->workspace > CONTROL_WORKSPACES_MAX)
		return;
	count(core, &tally);
	unsigned have = tally.alive[index] + tally.stuck[index];

	for (uint64_t n = 0; n < record->argument && have < most(core, index); n++, have++) {
		int64_t at_ns = growth_at_ns(pool, now_ns);

		if (at_ns < pool->not_before_ns)
			at_ns = pool->not_before_ns;
		if (!claim(core, index, record->workspace, at_ns, now_ns))
			return;
	}
}

static void order_pool(struct core *core, const struct control *record, int64_t now_ns)
{
	static const enum restart_event events[POOL_ORDER_COUNT] = {
		[POOL_RESET] = RESTART_RENEW, [POOL_DISABLE] = RESTART_DISABLE,
		[POOL_ENABLE] = RESTART_ENABLE,
	};
	struct core_pool *pool = pool_of(core, record);

	if (pool && record->detail < POOL_ORDER_COUNT)
		react(core, (unsigned)(pool - core->pools),
		      restart_event(&pool->restart, events[record->detail], now_ns),
		      now_ns);
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

static void beat_of_router(struct core *core, const struct control *record,
			   int64_t now_ns)
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

/* The worker a record means, if it is this one that is still there. */
static struct core_slot *worker_of(struct core *core, uint32_t slot, uint32_t generation)
{
	if (slot >= CORE_SLOTS || core->slots[slot].generation != generation ||
	    !is_running(core->slots[slot].state) || core->slots[slot].state == WORKER_DEAD)
		return NULL;
	return &core->slots[slot];
}

/* A fault of its own, its link's end among them, is no order. */
static void kill_for_router(struct core *core, const struct control *record,
			    int64_t now_ns)
{
	bool fault = record->detail == KILL_PROTOCOL;

	core->slots[record->slot].killed |= !fault;
	slot_event(core, record->slot, fault ? WORKER_EVENT_BAD : WORKER_EVENT_KILL, now_ns);
}

static void on_record(struct core *core, const struct control *record, int64_t now_ns)
{
	struct core_slot *slot = record->slot < CORE_ROUTER ?
				 worker_of(core, record->slot, record->generation) : NULL;
	struct core_pool *pool;

	switch (record->kind) {
	case CONTROL_BEAT:
		beat_of_router(core, record, now_ns);
		return;
	case CONTROL_WANT:
		want(core, record, now_ns);
		return;
	case CONTROL_USEFUL:
		if (slot) {
			slot->useful = true;
			restart_result(&core->pools[slot->pool].restart, true, now_ns);
		}
		return;
	case CONTROL_PROBED:
		pool = pool_of(core, record);
		if (pool)
			restart_probed(&pool->restart);
		return;
	case CONTROL_RECYCLE:
		if (slot)
			slot_event(core, record->slot, WORKER_EVENT_DRAINED, now_ns);
		return;
	case CONTROL_KILL:
		if (slot)
			kill_for_router(core, record, now_ns);
		return;
	case CONTROL_POOL_ORDER:
		order_pool(core, record, now_ns);
		return;
	case CONTROL_SHUTDOWN:
		begin_stop(core, 0, now_ns);
		return;
	default:	/* nothing of the core's: a reload, or nonsense */
		return;
	}
}

/* ---- what workers and the kernel say ---- */

static void on_beat(struct core *core, uint32_t index, const struct beat *beat,
		    int64_t now_ns)
{
	static const enum worker_event events[BEAT_KIND_COUNT] = {
		[BEAT_HELLO] = WORKER_EVENT_HELLO, [BEAT_READY] = WORKER_EVENT_SERVING,
		[BEAT_ALIVE] = WORKER_EVENT_ALIVE, [BEAT_BUSY_UNTIL] = WORKER_EVENT_ALIVE,
	};
	struct core_slot *slot = &core->slots[index];
	bool good = beat->kind > 0 && beat->kind < BEAT_KIND_COUNT && !beat->reserved;

	if (good && beat->kind == BEAT_BUSY_UNTIL)
		slot->busy_until_ns = beat->value > (uint64_t)(now_ns + BUSY_MOST_NS) ?
				      now_ns + BUSY_MOST_NS : (int64_t)beat->value;
	slot_event(core, index, good ? events[beat->kind] : WORKER_EVENT_BAD, now_ns);
	if (good && beat->kind == BEAT_READY)
		become_ready(core, index, now_ns);
}

static void on_facts(struct core *core, uint32_t index, const struct core_event *event,
		     int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];

	if (event->facts & FACT_REAPED) {
		slot->exit_status = event->exit_status;
		slot->signal = event->signal;
		slot->oom = event->oom;
		slot->culprit = event->call;
	}
	slot->facts |= event->facts;
	if (slot->facts == FACT_ALL)
		slot_event(core, index, WORKER_EVENT_DIED, now_ns);
}

static void on_not_started(struct core *core, uint32_t index,
			   const struct core_event *event, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];

	if (slot->state == WORKER_SPAWNING) {
		slot->failed_errno = (int)event->value;
		slot->start_fault = event->fault;
		if (event->fault == START_FAULT_WORKSPACE)
			tell(core, (struct control){
				.kind = CONTROL_NO_ENTRY, .workspace = slot->workspace,
				.pool = core->pools[slot->pool].number });
		if (event->facts == FACT_ALL)
			slot->up = false;
		else
			slot_event(core, index, WORKER_EVENT_TIMEOUT, now_ns);
	}
	if (event->facts)
		on_facts(core, index, event, now_ns);
}

static void on_usage(struct core *core, uint32_t index, const struct core_event *event,
		     int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	uint64_t most_bytes = core->pools[slot->pool].spec.recycle_bytes;

	if (index == CORE_ROUTER)
		return;
	tell(core, (struct control){ .kind = CONTROL_SLOT_USAGE, .slot = index,
				     .generation = slot->generation,
				     .argument = event->value, .call = event->call });
	if (most_bytes && event->value > most_bytes && slot->state == WORKER_READY)
		slot_event(core, index, WORKER_EVENT_DRAIN, now_ns);
}

static void on_worker(struct core *core, const struct core_event *event, int64_t now_ns)
{
	struct core_slot *slot = worker_of(core, event->slot, event->generation);

	if (!slot)
		return;
	switch (event->kind) {
	case CORE_STARTED:
		slot_event(core, event->slot, WORKER_EVENT_STARTED, now_ns);
		return;
	case CORE_NOT_STARTED:
		on_not_started(core, event->slot, event, now_ns);
		return;
	case CORE_BEAT:
		on_beat(core, event->slot, &event->beat, now_ns);
		return;
	case CORE_FACTS:
		on_facts(core, event->slot, event, now_ns);
		return;
	case CORE_USAGE:
		on_usage(core, event->slot, event, now_ns);
		return;
	case CORE_TIMER:
	case CORE_RECORD:
	case CORE_WORKSPACE_GONE:
	case CORE_RELOADED:
	case CORE_STOP:
	case CORE_EVENT_COUNT:
		return;
	}
}

/* ---- time ---- */

static int64_t recycle_at_ns(const struct core *core, const struct core_slot *slot)
{
	int64_t age_ns = core->pools[slot->pool].spec.recycle_age_ns;

	if (slot->state != WORKER_READY || !age_ns)
		return DEADLINE_NEVER;
	return deadline_after(slot->ready_ns, age_ns);
}

static void run_timers(struct core *core, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		struct core_slot *slot = &core->slots[i];

		if (!is_running(slot->state))
			continue;
		if (deadline_passed(slot->timer_ns, now_ns))
			slot_event(core, i, WORKER_EVENT_TIMEOUT, now_ns);
		else if (deadline_passed(recycle_at_ns(core, slot), now_ns))
			slot_event(core, i, WORKER_EVENT_DRAIN, now_ns);
	}
}

static int64_t next_of_all(const struct core *core)
{
	int64_t next_ns = DEADLINE_NEVER;

	if (core->state == SUPERVISOR_BOOT)
		next_ns = core->brownout_ns;
	if (core->reload != RELOAD_NONE)
		next_ns = deadline_earlier(next_ns, core->reload_until_ns);
	if (core->state == SUPERVISOR_BROWNOUT)	/* to see it end, or not */
		next_ns = deadline_earlier(next_ns, core->weigh_at_ns);
	if (core->idle_ns && core->state != SUPERVISOR_DRAINING)
		next_ns = deadline_earlier(next_ns, core->idle_from_ns + core->idle_ns);
	if (core->state == SUPERVISOR_DRAINING && !core->exited) {
		if (is_alive(core->slots[CORE_ROUTER].state))
			next_ns = deadline_earlier(next_ns, core->stop_by_ns);
		next_ns = deadline_earlier(next_ns,
					   core->stop_by_ns - STOP_NS + STOP_HARD_NS);
	}
	return next_ns;
}

int64_t core_next_ns(const struct core *core)
{
	int64_t next_ns = next_of_all(core);

	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		const struct core_slot *slot = &core->slots[i];

		if (slot->state == WORKER_BACKOFF && core->state != SUPERVISOR_DRAINING)
			next_ns = deadline_earlier(next_ns, spawn_at_ns(core, i));
		if (!is_running(slot->state))
			continue;
		next_ns = deadline_earlier(next_ns, slot->timer_ns);
		next_ns = deadline_earlier(next_ns, recycle_at_ns(core, slot));
	}
	for (unsigned i = 0; i <= CORE_POOLS && core->state != SUPERVISOR_DRAINING; i++)
		if (core->pools[i].used)
			next_ns = deadline_earlier(next_ns,
						   restart_next_ns(&core->pools[i].restart));
	return next_ns;
}

static void workspace_gone(struct core *core, uint32_t workspace, int64_t now_ns)
{
	for (uint32_t i = 0; workspace && i < CORE_ROUTER; i++)
		if (core->slots[i].state != WORKER_FREE &&
		    core->slots[i].workspace == workspace)
			retire(core, i, now_ns);
}

void core_step(struct core *core, const struct core_event *event, int64_t now_ns,
	       struct core_actions *ret)
{
	ret->count = 0;
	core->out = ret;
	switch (event->kind) {
	case CORE_RECORD:
		on_record(core, &event->record, now_ns);
		break;
	case CORE_WORKSPACE_GONE:
		workspace_gone(core, (uint32_t)event->value, now_ns);
		break;
	case CORE_RELOADED:
		reload(core, event, now_ns);
		break;
	case CORE_STOP:
		begin_stop(core, 0, now_ns);
		break;
	case CORE_TIMER:
	case CORE_STARTED:
	case CORE_NOT_STARTED:
	case CORE_BEAT:
	case CORE_FACTS:
	case CORE_USAGE:
	case CORE_EVENT_COUNT:
		on_worker(core, event, now_ns);
		break;
	}
	run_timers(core, now_ns);
	progress_reload(core, now_ns);
	if (core->state == SUPERVISOR_DRAINING)
		progress_stop(core, now_ns);
	else
		fill(core, now_ns);
	weigh_all(core, now_ns);
	if (core->state == SUPERVISOR_DRAINING)	/* it may have begun just now */
		progress_stop(core, now_ns);
	core->out = NULL;
}

void core_init(struct core *core, uint64_t seed, int64_t idle_ns,
	       int64_t escaped_ns, int64_t now_ns)
{
	struct core_pool *router = &core->pools[CORE_ROUTER_POOL];

	memset(core, 0, sizeof(*core));
	random_init(&core->random, seed);
	bucket_init(&core->restarts, RESTARTS, RESTARTS_NS, RESTARTS, now_ns);
	bucket_init(&core->jobs, JOBS, JOBS_NS, JOBS, now_ns);
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
