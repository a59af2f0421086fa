#include <string.h>

#include "supervisor/monitor/state_core.h"

#define CANARY_NS (60 * NS_PER_S)
#define WATCH_NS (60 * NS_PER_S)

bool pool_is_canary(const struct core *core, const struct core_pool *pool)
{
	return core->reload == RELOAD_CANARY && pool->fresh && !is_live(pool) &&
	       !pool->spec.bound && pool->spec.size > 0;
}

bool core_may_reload(const struct core *core)
{
	return core->reload != RELOAD_CANARY && core->state != SUPERVISOR_DRAINING;
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
	core_act(core, ACTION_SETTLE, CORE_SLOTS, newer);
}

static void change_places(struct core *core, bool back)
{
	core->catalog++;
	core_act(core, ACTION_SWITCH, CORE_SLOTS, back);
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
			core_tell(core, (struct control){
				.kind = CONTROL_SLOT_POOL, .slot = i,
				.generation = slot->generation,
				.pool = core->pools[slot->pool].number });
	}
}

/* value of ACTION_SETTLE, 1: it was the newer that did not hold. */
void reload_roll_back(struct core *core)
{
	if (core->reload == RELOAD_WATCH)
		change_places(core, true);
	settle(core, true);
}

static bool canaries_are_ready(const struct core *core)
{
	struct tally tally;

	pools_count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (pool_is_canary(core, &core->pools[i]) && !tally.ready[i])
			return false;
	return true;
}

void reload_progress(struct core *core, int64_t now_ns)
{
	bool late = now_ns >= core->reload_until_ns;

	if (core->reload == RELOAD_WATCH && late) {
		settle(core, false);
	} else if (core->reload == RELOAD_CANARY && canaries_are_ready(core)) {
		change_places(core, false);
		core->reload = RELOAD_WATCH;
		core->reload_until_ns = now_ns + WATCH_NS;
	} else if (core->reload == RELOAD_CANARY && late) {
		reload_roll_back(core);
	}
}

/* ---- the newer generation ---- */

/* Of no generation and without a worker. */
static void free_pools(struct core *core)
{
	struct tally tally;

	pools_count(core, &tally);
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (!is_live(&core->pools[i]) && core->pools[i].other == CONTROL_NO_POOL &&
		    tally.all[i] == 0)
			core->pools[i].used = false;
}

static struct core_pool *find_live(struct core *core, const struct core_pool_spec *spec)
{
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (is_live(&core->pools[i]) && core->pools[i].spec.hash == spec->hash &&
		    strcmp(core->pools[i].name, spec->name) == 0)
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

void reload_begin(struct core *core, const struct core_event *event, int64_t now_ns)
{
	bool first = core->catalog == 0;

	if (core->reload == RELOAD_WATCH)
		forget_other(core);	/* the shell has put the new one there */
	assert(core->reload == RELOAD_NONE);
	free_pools(core);
	core->reload = RELOAD_CANARY;
	core->reload_until_ns = now_ns + CANARY_NS;
	for (uint32_t i = 0; i < event->spec_count; i++) {
		struct core_pool *pool = find_live(core, &event->specs[i]);

		if (!pool)
			pool = new_pool(core, &event->specs[i], now_ns);
		if (!pool) {	/* older generations have not left yet */
			reload_roll_back(core);
			return;
		}
		pool->other = (uint16_t)i;
	}
	if (first) {
		change_places(core, false);
		settle(core, false);
	}
}
