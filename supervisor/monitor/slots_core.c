#include <string.h>

#include "supervisor/monitor/state_core.h"

#define SIGNAL_ABRT 6		/* signal(7), the same everywhere */
#define SIGNAL_TERM 15

#define BEAT_LATE_NS (5 * NS_PER_S)
#define TERM_NS (5 * NS_PER_S)
#define HURRY_NS (250 * NS_PER_MS)
#define ABORT_NS (2 * NS_PER_S)
#define KILLING_NS (2 * NS_PER_S)

struct core_action *core_act(struct core *core, enum core_action_kind kind,
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

void core_tell(struct core *core, struct control record)
{
	core_act(core, ACTION_TELL, CORE_SLOTS, 0)->record = record;
}

/* How long a state may last; 0: for ever, or by the way it was told to stop. */
static int64_t state_ends_ns(const struct core *core, const struct core_slot *slot,
			     int64_t now_ns)
{
	static const int64_t lasts_ns[WORKER_STATE_COUNT] = {
		[WORKER_SPAWNING] = 5 * NS_PER_S, [WORKER_STARTING] = 5 * NS_PER_S,
		[WORKER_READY] = BEAT_LATE_NS, [WORKER_SUSPECT] = BEAT_LATE_NS,
		[WORKER_DRAINING] = 30 * NS_PER_S,
		[WORKER_KILLING] = KILLING_NS, [WORKER_LEAKED] = KILLING_NS,
	};
	int64_t ns = slot->state == WORKER_INIT ? core->pools[slot->pool].spec.start_ns :
						  lasts_ns[slot->state];
	int64_t end_ns = ns ? deadline_after(now_ns, ns) : DEADLINE_NEVER;

	return slot->state == WORKER_READY && slot->busy_until_ns > end_ns ?
	       slot->busy_until_ns : end_ns;
}

static void begin(struct core *core, uint32_t index, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];

	*slot = (struct core_slot){
		.state = slot->state, .generation = slot->generation + 1,
		.pool = slot->pool, .workspace = slot->workspace,
		.restart = slot->restart, .exit_status = -1, .failed = slot->failed,
		.up = true, .spawned_ns = now_ns, .ready_ns = RESTART_NEVER_READY,
		.timer_ns = slot->timer_ns,
	};
	core_act(core, ACTION_SPAWN, index, 0);
}

/* By TERM or ABRT, and how long it has after that. */
static void stop(struct core *core, uint32_t index, enum worker_action how,
		 bool again, int64_t now_ns)
{
	static const int64_t patience_ns[] = { [WORKER_DO_TERM] = TERM_NS,
		[WORKER_DO_HURRY] = HURRY_NS, [WORKER_DO_ABORT] = ABORT_NS };
	struct core_slot *slot = &core->slots[index];
	int64_t at_ns = deadline_after(now_ns, patience_ns[how]);

	slot->timer_ns = again ? deadline_earlier(slot->timer_ns, at_ns) : at_ns;
	core_act(core, ACTION_SIGNAL, index,
		 how == WORKER_DO_ABORT ? SIGNAL_ABRT : SIGNAL_TERM);
}

static void act_on(struct core *core, uint32_t index, enum worker_action action,
		   enum worker_state before, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];

	switch (action) {
	case WORKER_IMPOSSIBLE:
	case WORKER_NOTHING:
	case WORKER_DO_WATCH:
		return;
	case WORKER_DO_SPAWN:
		begin(core, index, now_ns);
		return;
	case WORKER_DO_DRAIN:
		core_tell(core, (struct control){
			.kind = CONTROL_SLOT_DRAIN, .slot = index,
			.generation = slot->generation,
			.argument = (uint64_t)slot->timer_ns });
		return;
	case WORKER_DO_TERM:
	case WORKER_DO_HURRY:
	case WORKER_DO_ABORT:
		stop(core, index, action, action == WORKER_DO_HURRY &&
		     before == WORKER_STOPPING, now_ns);
		return;
	case WORKER_DO_ALARM:
		core_act(core, ACTION_LEAKED, index, 0);
		core_act(core, ACTION_KILL, index, 0);
		return;
	case WORKER_DO_KILL:
		slot->forced = true;
		core_act(core, ACTION_KILL, index, 0);
		return;
	case WORKER_DO_COLLECT:
		slot_collect(core, index, now_ns);
		return;
	}
}

void slot_event(struct core *core, uint32_t index, enum worker_event event,
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
	    step.action == WORKER_DO_KILL || step.action == WORKER_DO_ALARM)
		slot->timer_ns = state_ends_ns(core, slot, now_ns);
	act_on(core, index, step.action, before, now_ns);
}

bool slot_claim(struct core *core, unsigned pool, uint32_t workspace, int64_t at_ns,
		int64_t now_ns)
{
	uint32_t first = pool == CORE_ROUTER_POOL ? CORE_ROUTER : 0;
	uint32_t end = pool == CORE_ROUTER_POOL ? CORE_SLOTS : CORE_ROUTER;

	for (uint32_t i = first; i < end; i++) {
		struct core_slot *slot = &core->slots[i];

		if (slot->state != WORKER_FREE)
			continue;
		slot->pool = (uint16_t)pool;
		slot->workspace = workspace;
		slot->failed = slot->taken = false;
		restart_slot_init(&slot->restart, at_ns);
		slot_event(core, i, WORKER_EVENT_WANTED, now_ns);
		return true;
	}
	return false;
}

void slot_retire(struct core *core, uint32_t index, int64_t now_ns)
{
	enum worker_state state = core->slots[index].state;

	if (state == WORKER_BACKOFF || state == WORKER_FAILED)
		slot_event(core, index, WORKER_EVENT_RELEASE, now_ns);
	else if (is_alive(state))
		slot_event(core, index, WORKER_EVENT_DRAIN, now_ns);
}

void slots_stop_workers(struct core *core, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		if (is_running(core->slots[i].state) &&
		    core->slots[i].state != WORKER_DEAD)
			slot_event(core, i, WORKER_EVENT_STOP, now_ns);
}

/* One that is to leave, or has yet to show what it can, is not kept. */
static bool can_wait(const struct core *core, const struct core_slot *slot)
{
	return core->state != SUPERVISOR_DRAINING && slot->outlives &&
	       (slot->state == WORKER_READY || slot->state == WORKER_SUSPECT);
}

void slots_orphan_workers(struct core *core, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		core->slots[i].orphan = can_wait(core, &core->slots[i]);
	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		if (!core->slots[i].orphan && is_running(core->slots[i].state) &&
		    core->slots[i].state != WORKER_DEAD)
			slot_event(core, i, WORKER_EVENT_STOP, now_ns);
}

void slots_link_orphans(struct core *core)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		struct core_slot *slot = &core->slots[i];

		if (slot->orphan && can_wait(core, slot))
			core_act(core, ACTION_LINK, i, 0);
		slot->orphan = false;
	}
	core_tell(core, (struct control){ .kind = CONTROL_ALL_UP });
}

/* ---- time ---- */

static int64_t recycle_at_ns(const struct core *core, const struct core_slot *slot)
{
	int64_t age_ns = core->pools[slot->pool].spec.recycle_age_ns;

	if (slot->state != WORKER_READY || !age_ns)
		return DEADLINE_NEVER;
	return deadline_after(slot->ready_ns, age_ns);
}

void slots_run_timers(struct core *core, int64_t now_ns)
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

int64_t slot_next_ns(const struct core *core, uint32_t index)
{
	const struct core_slot *slot = &core->slots[index];

	return is_running(slot->state) ?
	       deadline_earlier(slot->timer_ns, recycle_at_ns(core, slot)) :
	       DEADLINE_NEVER;
}
