#include "supervisor/monitor/state_core.h"

#define SIGNAL_KILL 9
#define SIGNAL_TERM 15
#define SIGNAL_SYS 31
#define LEFT_NS NS_PER_S	/* exit 0 after at least that is no crash */

struct judgement {
	enum slot_end end;
	enum restart_exit exit;
};

static bool was_ready(const struct core_slot *slot)
{
	return slot->ready_ns != RESTART_NEVER_READY;
}

/* By itself, whatever we may have been about to do. */
static struct judgement judge_own_end(const struct core *core,
				      const struct core_slot *slot, int64_t now_ns)
{
	bool left = was_ready(slot) && slot->exit_status == 0 &&
		    (core->pools[slot->pool].spec.single_use ||
		     now_ns - slot->ready_ns >= LEFT_NS || !has_router(core));
	enum slot_end end = left			 ? SLOT_END_NORMAL :
			    slot->oom			 ? SLOT_END_OOM :
			    slot->signal == SIGNAL_SYS	 ? SLOT_END_POLICY :
			    !was_ready(slot)		 ? SLOT_END_START :
			    slot->signal		 ? SLOT_END_SIGNAL :
							   SLOT_END_EXIT;

	return (struct judgement){ end, restart_exit_of(slot->exit_status, slot->signal, left) };
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
	enum slot_end unready = was_ready(slot) ? SLOT_END_ORDERED : SLOT_END_START;

	if (slot->failed_errno)
		return (struct judgement){ SLOT_END_START, of_start[slot->start_fault] };
	switch (slot->fate) {
	case FATE_DRAINED:
		return (struct judgement){ slot->exit_status == 0 ? SLOT_END_NORMAL :
			SLOT_END_ORDERED, RESTART_EXIT_NORMAL };
	case FATE_ORDERED:	/* by a caller's deadline, or for a reason of ours */
		return (struct judgement){ SLOT_END_ORDERED, slot->killed ?
			RESTART_EXIT_ORDERED : RESTART_EXIT_NORMAL };
	case FATE_HUNG:
		return (struct judgement){ SLOT_END_HUNG, RESTART_EXIT_ABNORMAL };
	case FATE_START:
	case FATE_BAD:
		if (ended_by_us(slot))
			return (struct judgement){ slot->fate == FATE_START ? SLOT_END_START :
				unready, RESTART_EXIT_ABNORMAL };
		break;
	case FATE_NONE:
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
		core_tell(core, (struct control){
			.kind = CONTROL_SLOT_DOWN, .detail = (uint8_t)end, .slot = index,
			.generation = slot->generation,
			.pool = core->pools[slot->pool].number,
			.argument = argument < 0 ? 0 : (uint64_t)argument,
			.call = slot->culprit });
}

/* A single-use worker that became ready is a job: its death is its result. */
static void report(struct core *core, struct core_slot *slot, enum restart_exit exit,
		   int64_t now_ns)
{
	struct core_pool *pool = &core->pools[slot->pool];
	bool abnormal = exit >= RESTART_EXIT_POISONED;
	struct restart_run run = {
		.exit = exit, .useful = slot->useful || !slot->culprit,
		.older = slot->spawned_ns < pool->restart.begun_ns,
		.vital = slot->pool == CORE_ROUTER_POOL,
		.ready_ns = was_ready(slot) ? now_ns - slot->ready_ns : RESTART_NEVER_READY,
	};

	if ((pool->spec.single_use && was_ready(slot)) ||
	    (!abnormal && !pool_misses(core, slot)))
		return;
	pool_react(core, slot->pool, restart_dead(&pool->restart, &slot->restart, &run,
						  &core->random, now_ns), now_ns);
	if (!abnormal)
		return;
	pool->not_before_ns = slot->restart.spawn_at_ns;
	if (pool->fresh && core->reload != RELOAD_NONE && !slot->useful)
		reload_roll_back(core);
}

void slot_collect(struct core *core, uint32_t index, int64_t now_ns)
{
	struct core_slot *slot = &core->slots[index];
	struct judgement judgement = judge(core, slot, now_ns);

	core_act(core, ACTION_COLLECT, index, (int)judgement.end);
	tell_down(core, index, judgement.end);
	slot->up = false;
	report(core, slot, judgement.exit, now_ns);
	slot->failed = judgement.exit >= RESTART_EXIT_POISONED;
	if (core->pools[slot->pool].restart.state == RESTART_FAILED && slot->failed)
		slot_event(core, index, WORKER_EVENT_GIVE_UP, now_ns);
	else if (pool_misses(core, slot))
		slot_event(core, index, WORKER_EVENT_REPLACE, now_ns);
	else
		slot_event(core, index, WORKER_EVENT_RELEASE, now_ns);
	if (index == CORE_ROUTER)
		slots_orphan_workers(core, now_ns);
}
