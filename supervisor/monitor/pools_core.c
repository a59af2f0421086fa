#include <string.h>

#include "supervisor/monitor/state_core.h"

#define RESERVED 4		/* of the restarts, for critical pools */
#define GROWTH_STEPS 3		/* 1, 2, 4, then 8 workers a second */

/* ---- how many there are, and should be ---- */

void pools_count(const struct core *core, struct tally *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < CORE_SLOTS; i++) {
		const struct core_slot *slot = &core->slots[i];

		if (slot->state == WORKER_FREE)
			continue;
		ret->all[slot->pool]++;
		ret->alive[slot->pool] += is_alive(slot->state);
		ret->ready[slot->pool] += slot->state == WORKER_READY;
		ret->stuck[slot->pool] += slot->state == WORKER_KILLING ||
					  slot->state == WORKER_LEAKED;
	}
}

static bool rests(const struct core *core, const struct core_pool *pool)
{
	return core->state == SUPERVISOR_BROWNOUT && pool->spec.batch;
}

unsigned pool_least(const struct core *core, unsigned index)
{
	const struct core_pool *pool = &core->pools[index];
	bool spares = core->state != SUPERVISOR_BROWNOUT;
	unsigned configured;

	if (core->state == SUPERVISOR_DRAINING || pool->spec.bound ||
	    rests(core, pool) || !core->catalog)
		return 0;
	if (pool_is_canary(core, pool))
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
		return pool_least(core, index);
	return restart_slots(&pool->restart, pool->spec.size);
}

/* The same for a workspace's own; they leave half of a pool to be asked for. */
static unsigned kept(const struct core *core, unsigned index, uint32_t workspace,
		     unsigned others)
{
	const struct core_pool *pool = &core->pools[index];

	if (!pool->spec.bound)
		return workspace ? 0 : pool_least(core, index);
	if (!is_workspace(core, workspace) || !is_live(pool) ||
	    core->state == SUPERVISOR_DRAINING || core->state == SUPERVISOR_BROWNOUT ||
	    2 * others >= pool->spec.size)
		return 0;
	return restart_slots(&pool->restart, pool->spec.warm);
}

static unsigned spares(const struct core *core, unsigned pool, uint32_t workspace)
{
	unsigned ret = 0;

	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		ret += core->slots[i].pool == pool && core->slots[i].workspace == workspace &&
		       is_alive(core->slots[i].state) && !core->slots[i].taken;
	return ret;
}

static bool misses(const struct core *core, unsigned pool, uint32_t workspace,
		   unsigned alive, unsigned stuck)
{
	unsigned wanted = kept(core, pool, workspace, alive);

	return wanted && alive + stuck < most(core, pool) &&
	       spares(core, pool, workspace) < wanted;
}

bool pool_misses(const struct core *core, const struct core_slot *slot)
{
	struct tally tally;

	pools_count(core, &tally);
	return misses(core, slot->pool, slot->workspace, tally.alive[slot->pool],
		      tally.stuck[slot->pool]);
}

bool has_router(const struct core *core)
{
	enum worker_state state = core->slots[CORE_ROUTER].state;

	return state >= WORKER_STARTING && state <= WORKER_SUSPECT;
}

/* ---- what the router wants ---- */

struct core_pool *pool_meant(struct core *core, const struct control *record)
{
	if (record->generation != core->catalog || record->pool == CONTROL_NO_POOL)
		return NULL;
	for (unsigned i = 0; i < CORE_POOLS; i++)
		if (core->pools[i].used && core->pools[i].number == record->pool)
			return &core->pools[i];
	return NULL;
}

/* When a pool may grow by one, which single-use ones may at any time. */
static int64_t growth_at_ns(struct core_pool *pool, int64_t now_ns)
{
	int64_t at_ns = pool->grow_at_ns > now_ns ? pool->grow_at_ns : now_ns;

	if (pool->spec.single_use)
		return now_ns;
	if (now_ns - pool->grow_at_ns > NS_PER_S)
		pool->growth = 0;
	pool->grow_at_ns = at_ns + (NS_PER_S >> pool->growth);
	pool->growth += pool->growth < GROWTH_STEPS;
	return at_ns;
}

void pool_want(struct core *core, const struct control *record, int64_t now_ns)
{
	struct core_pool *pool = pool_meant(core, record);
	unsigned index = (unsigned)(pool - core->pools);
	struct tally tally;

	if (!pool || core->state == SUPERVISOR_DRAINING || record->argument == 0 ||
	    pool->spec.bound != (record->workspace != 0))
		return;
	if (pool->spec.bound && !is_workspace(core, record->workspace)) {
		core_tell(core, (struct control){ .kind = CONTROL_NO_ENTRY,
			.pool = pool->number, .workspace = record->workspace });
		return;
	}
	pools_count(core, &tally);
	unsigned have = tally.alive[index] + tally.stuck[index];

	for (uint64_t n = 0; n < record->argument && have < most(core, index); n++, have++) {
		int64_t at_ns = growth_at_ns(pool, now_ns);

		if (at_ns < pool->not_before_ns)
			at_ns = pool->not_before_ns;
		if (!slot_claim(core, index, record->workspace, at_ns, now_ns))
			return;
	}
}

/* ---- what a pool's own life demands ---- */

/* Most of it follows from its state, in pools_fill(). */
void pool_react(struct core *core, unsigned index, enum restart_action action,
		int64_t now_ns)
{
	struct core_pool *pool = &core->pools[index];

	if (action == RESTART_COOL_DOWN) {
		if (pool->spec.critical &&
		    is_within(pool->crashloop_ns, CRITICAL_WINDOW_NS, now_ns))
			core->critical_ns = now_ns;
		pool->crashloop_ns = now_ns;
	}
	if (action != RESTART_TRY && action != RESTART_START)
		return;
	pool->not_before_ns = now_ns;
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (core->slots[i].pool == index && core->slots[i].state == WORKER_FAILED)
			slot_event(core, i, WORKER_EVENT_RELEASE, now_ns);
}

/* A pool is whole, or a slot of it has left READY. */
static void weigh(struct core *core, unsigned index, const struct tally *tally,
		  int64_t now_ns)
{
	struct restart_pool *restart = &core->pools[index].restart;

	if (restart->state == RESTART_DRAINING && tally->all[index] == 0)
		restart_event(restart, RESTART_DRAINED, now_ns);
	if (restart->state != RESTART_UP && restart->state != RESTART_DEGRADED &&
	    restart->state != RESTART_PROBATION)
		return;
	unsigned low = pool_least(core, index);

	if (tally->ready[index] >= low && (low || restart->state != RESTART_PROBATION ||
					   tally->ready[index]))
		restart_whole(restart, now_ns);
	else if (restart->ready_from_ns != DEADLINE_NEVER)
		pool_react(core, index, restart_event(restart, RESTART_LOST, now_ns), now_ns);
	pool_react(core, index, restart_tick(restart, now_ns), now_ns);
}

/* The router is told of all pools but its own, of which only the log tells. */
static void tell(struct core *core, unsigned index)
{
	struct core_pool *pool = &core->pools[index];
	bool cooling = pool->restart.state == RESTART_CRASHLOOP;

	if ((!is_live(pool) && index != CORE_ROUTER_POOL) ||
	    pool->told == pool->restart.state)
		return;
	struct control record = {
		.kind = CONTROL_POOL_STATE, .pool = pool->number,
		.detail = (uint8_t)pool->restart.state,
		.argument = cooling ? (uint64_t)pool->restart.cool_at_ns : 0,
	};

	/* So that with the state the router knows the reason. */
	core_act(core, ACTION_POOL, index, (int)pool->told)->record = record;
	if (index != CORE_ROUTER_POOL)
		core_tell(core, record);
	pool->told = pool->restart.state;
}

/* ---- filling up ---- */

/* When one may start, so that `left` more could. */
static int64_t starts_next_ns(const struct starts *starts, unsigned left)
{
	return starts->at_ns[(starts->next + left) % starts->most] + starts->period_ns;
}

static void starts_take(struct starts *starts, int64_t now_ns)
{
	starts->at_ns[starts->next] = now_ns;
	starts->next = (starts->next + 1) % starts->most;
}

/* A start after a failure takes from a budget that all have in common. */
static struct starts *budget_of(struct core *core, const struct core_slot *slot)
{
	if (!slot->failed)
		return NULL;
	return core->pools[slot->pool].spec.single_use ? &core->jobs : &core->restarts;
}

static int64_t spawn_at_ns(const struct core *core, uint32_t index)
{
	const struct core_slot *slot = &core->slots[index];
	const struct starts *budget = budget_of((struct core *)(uintptr_t)core, slot);
	bool all = budget == &core->jobs || core->pools[slot->pool].spec.critical;
	int64_t budget_ns = budget ? starts_next_ns(budget, all ? 0 : RESERVED) : INT64_MIN;

	if (index != CORE_ROUTER && !has_router(core))
		return DEADLINE_NEVER;
	return slot->restart.spawn_at_ns > budget_ns ? slot->restart.spawn_at_ns : budget_ns;
}

/* One a moment: it takes long, and what others say is to be heard in between. */
static void spawn_next(struct core *core, int64_t now_ns)
{
	for (uint32_t n = 0; n < CORE_SLOTS; n++) {
		uint32_t i = (CORE_ROUTER + n) % CORE_SLOTS;	/* the router first */
		struct starts *budget = budget_of(core, &core->slots[i]);

		if (core->slots[i].state != WORKER_BACKOFF || spawn_at_ns(core, i) > now_ns)
			continue;
		core->spawn_from_ns = now_ns + 1;
		if (budget)
			starts_take(budget, now_ns);
		slot_event(core, i, WORKER_EVENT_SPAWN, now_ns);
		if (i == CORE_ROUTER) {
			for (unsigned p = 0; p < CORE_POOLS; p++)
				core->pools[p].told = RESTART_STATE_COUNT;
			whole_tell(core);
		}
		return;
	}
}

/* Those that have not been started go first. */
static void shed(struct core *core, unsigned pool, unsigned surplus, int64_t now_ns)
{
	for (int started = 0; started < 2; started++)
		for (uint32_t i = 0; i < CORE_SLOTS && surplus; i++)
			if (core->slots[i].pool == pool && is_alive(core->slots[i].state) &&
			    (started || core->slots[i].state == WORKER_BACKOFF)) {
				slot_retire(core, i, now_ns);
				surplus--;
			}
}

static void fill(struct core *core, unsigned index, const struct tally *tally,
		 int64_t now_ns)
{
	const struct core_pool *pool = &core->pools[index];
	unsigned alive = tally->alive[index], high = most(core, index);
	uint32_t places = pool->spec.bound && pool->spec.warm ? CONTROL_WORKSPACES_MAX : 0;
	int64_t at_ns = pool->spec.bound && pool->not_before_ns > now_ns ?
			pool->not_before_ns : now_ns;

	if (alive > high)
		shed(core, index, alive - high, now_ns);
	for (uint32_t place = 0; place <= places; place++) {
		uint32_t number = place ? core->workspaces[place - 1] : 0;

		for (; misses(core, index, number, alive, tally->stuck[index]); alive++)
			if (!slot_claim(core, index, number, at_ns, now_ns))
				return;
	}
}

void pools_fill(struct core *core, int64_t now_ns)
{
	struct tally tally;

	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used && core->pools[i].restart.state == RESTART_CRASHLOOP)
			pool_react(core, i, restart_tick(&core->pools[i].restart, now_ns), now_ns);
	pools_count(core, &tally);
	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used) {
			weigh(core, i, &tally, now_ns);
			fill(core, i, &tally, now_ns);
		}
	if (now_ns >= core->spawn_from_ns)
		spawn_next(core, now_ns);
	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used)
			tell(core, i);
}

int64_t pools_next_ns(const struct core *core)
{
	int64_t next_ns = DEADLINE_NEVER;

	if (core->state == SUPERVISOR_DRAINING)
		return next_ns;
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (core->slots[i].state == WORKER_BACKOFF)
			next_ns = deadline_earlier(next_ns, spawn_at_ns(core, i));
	if (next_ns < core->spawn_from_ns)
		next_ns = core->spawn_from_ns;
	for (unsigned i = 0; i <= CORE_POOLS; i++)
		if (core->pools[i].used)
			next_ns = deadline_earlier(next_ns,
						   restart_next_ns(&core->pools[i].restart));
	return next_ns;
}
