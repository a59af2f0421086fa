#include "supervisor/monitor/state_core.h"

#define WEIGH_NS (10 * NS_PER_S)	/* how soon the end of a brownout is seen */
#define BROWNOUT_POOLS 3
#define BROWNOUT_WINDOW_NS (300 * NS_PER_S)
#define ESCAPE_NS (600 * NS_PER_S)
#define ESCAPE_AGAIN_NS (3600 * NS_PER_S)
#define STOP_NS (15 * NS_PER_S)	/* + twice TERM and KILLING: within 30 s */
#define STOP_HARD_NS (29 * NS_PER_S)

void whole_tell(struct core *core)
{
	core_tell(core, (struct control){ .kind = CONTROL_SUPERVISOR,
					  .detail = (uint8_t)core->state });
}

static void change(struct core *core, enum supervisor_state state)
{
	core->state = state;
	core_act(core, ACTION_STATE, CORE_SLOTS, (int)state);
	whole_tell(core);
}

/* ---- boot and brownout ---- */

static bool boot_is_over(const struct core *core)
{
	struct tally tally;

	if (core->slots[CORE_ROUTER].state != WORKER_READY)
		return false;
	pools_count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (is_live(&core->pools[i]) && tally.ready[i] < pool_least(core, i))
			return false;
	return true;
}

static bool is_strained(const struct core *core, int64_t now_ns)
{
	unsigned looping = 0;

	for (unsigned i = 0; i < CORE_POOLS; i++)
		looping += is_live(&core->pools[i]) &&
			   is_within(core->pools[i].crashloop_ns, BROWNOUT_WINDOW_NS, now_ns);
	return looping >= BROWNOUT_POOLS ||
	       is_within(core->critical_ns, CRITICAL_WINDOW_NS, now_ns);
}

void whole_weigh(struct core *core, int64_t now_ns)
{
	bool strained = is_strained(core, now_ns);

	core->weigh_at_ns = now_ns + WEIGH_NS;
	if (core->state == SUPERVISOR_BOOT &&
	    (boot_is_over(core) || now_ns >= core->brownout_ns))
		change(core, SUPERVISOR_RUNNING);
	if (core->state == SUPERVISOR_RUNNING && strained) {
		core->brownout_ns = now_ns;
		change(core, SUPERVISOR_BROWNOUT);
	} else if (core->state == SUPERVISOR_BROWNOUT && !strained) {
		change(core, SUPERVISOR_RUNNING);
	}
	if (core->state == SUPERVISOR_BROWNOUT &&
	    now_ns - core->brownout_ns >= ESCAPE_NS &&
	    !is_within(core->escaped_ns, ESCAPE_AGAIN_NS, now_ns))
		whole_begin_stop(core, CORE_EXIT_BROWNOUT, now_ns);
	if (core->idle_ns && now_ns - core->idle_from_ns >= core->idle_ns)
		whole_begin_stop(core, 0, now_ns);
}

/* ---- stop ---- */

void whole_begin_stop(struct core *core, int status, int64_t now_ns)
{
	bool serves = core->slots[CORE_ROUTER].state == WORKER_READY;

	if (core->state == SUPERVISOR_DRAINING)
		return;
	core->exit_status = status;
	core->stop_by_ns = now_ns + (serves ? STOP_NS : 0);
	core->leave_by_ns = core->stop_by_ns + STOP_HARD_NS - STOP_NS;
	change(core, SUPERVISOR_DRAINING);
	if (serves)
		core_tell(core, (struct control){ .kind = CONTROL_STOP,
						  .argument = (uint64_t)core->stop_by_ns });
}

static bool all_gone(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (is_running(core->slots[i].state))
			return false;
	return true;
}

void whole_progress_stop(struct core *core, int64_t now_ns)
{
	const struct core_slot *router = &core->slots[CORE_ROUTER];

	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (core->slots[i].state == WORKER_BACKOFF)
			slot_event(core, i, WORKER_EVENT_RELEASE, now_ns);
	if (is_alive(router->state) && now_ns >= core->stop_by_ns)
		slot_event(core, CORE_ROUTER, WORKER_EVENT_STOP, now_ns);
	if (!is_running(router->state))
		slots_stop_workers(core, now_ns);
	if (!core->exited && (all_gone(core) || now_ns >= core->leave_by_ns)) {
		core->exited = true;
		core_act(core, ACTION_EXIT, CORE_SLOTS, core->exit_status);
	}
}

int64_t whole_next_ns(const struct core *core)
{
	switch (core->state) {
	case SUPERVISOR_BOOT:
		return core->brownout_ns;
	case SUPERVISOR_BROWNOUT:	/* to see it end, or not */
		return core->weigh_at_ns;
	case SUPERVISOR_DRAINING:
		if (core->exited)
			return DEADLINE_NEVER;
		return is_alive(core->slots[CORE_ROUTER].state) ?
		       deadline_earlier(core->stop_by_ns, core->leave_by_ns) :
		       core->leave_by_ns;
	case SUPERVISOR_RUNNING:
	case SUPERVISOR_STATE_COUNT:
		break;
	}
	return DEADLINE_NEVER;
}
