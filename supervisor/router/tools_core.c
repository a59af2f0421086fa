#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <string.h>

#define PROBE_WAIT_NS NS_PER_S	/* a half-open breaker waits so long for a call */
#define LEASE_MOST_NS (30 * NS_PER_S)

struct pool *tool_pool(struct router *router, const struct tool *tool)
{
	return tool->row.pool < CATALOG_POOLS_MAX &&
	       router->pools[tool->row.pool].present ?
	       &router->pools[tool->row.pool] : NULL;
}

const char *tool_name(const struct router *router, const struct call *call)
{
	return call->tool == NONE ? "router"
				  : router->tools[call->tool].row.name;
}

/* ---- the catalogue ---- */

static struct breaker_limits limits_for(const struct catalog_tool *row)
{
	struct breaker_limits limits = breaker_limits_default;

	if (row->class == TOOL_EFFECTFUL)
		limits.probes = limits.probes_ok_min = 1;
	if (row->concurrency == 1)
		limits.hung_min = 1;
	limits.lease_ns = row->deadline_ns < LEASE_MOST_NS ? row->deadline_ns
							   : LEASE_MOST_NS;
	return limits;
}

static const enum queue_policy policies[OVERFLOW_COUNT] = {
	[OVERFLOW_REJECTS] = QUEUE_SHED,
	[OVERFLOW_DROPS]   = QUEUE_DROP_OLDEST,
	[OVERFLOW_BLOCKS]  = QUEUE_BLOCK,
};

static struct queue_settings queue_settings_of(const struct catalog_tool *row)
{
	return (struct queue_settings){
		.policy = policies[row->overflow],
		.client_entries_max = UINT32_MAX,	/* see admit_core */
		.quantum = 1,
		.target_ns = QUEUE_TARGET_NS_MIN,
		.interval_ns = QUEUE_INTERVAL_NS_DEFAULT,
	};
}

static void start_queue(struct router *router, struct tool *tool,
			int64_t now_ns)
{
	size_t index = (size_t)(tool - router->tools);
	uint32_t lanes = router_lanes(&router->size);
	const struct queue_settings settings = queue_settings_of(&tool->row);
	uint32_t capacity = tool->row.queue;

	if (capacity > router->size.queue)
		capacity = router->size.queue;
	queue_init(&tool->queue, &settings,
		   &router->entries[index * router->size.queue],
		   capacity ? capacity : 1,
		   &router->lanes[index * lanes * QUEUE_PRIORITY_COUNT],
		   lanes, now_ns);
}

static void start_tool(struct router *router, struct tool *tool,
		       const struct catalog_tool *row, int64_t now_ns)
{
	struct timer timer = { .kind = TIMER_TOOL,
			       .index = (uint32_t)(tool - router->tools) };

	wheel_cancel(&router->wheel, &tool->timer.wheel);
	*tool = (struct tool){ .timer = timer, .row = *row, .present = true,
			       .enabled = true,
			       .armed_ns = DEADLINE_NEVER,
			       .probe_ns = DEADLINE_NEVER };
	tool->limits = limits_for(row);
	breaker_init(&tool->breaker, &tool->limits, row->slow_ns,
		     random_next(&router->random), now_ns);
	tool->breaker_seen = tool->kept_generation = tool->breaker.generation;
	tool->kept_isolated_ns = tool->breaker.isolated_until_ns;
	tool->breaker_row = NONE;
	list_init(&tool->door);
	start_queue(router, tool, now_ns);
}

/* Whether a caller who looked the tool up before would be misled. */
static bool differs(const struct catalog *old, const struct catalog_tool *a,
		    const struct catalog *new, const struct catalog_tool *b)
{
	return a->class != b->class || a->roles != b->roles ||
	       strcmp(catalog_text(old, a->schema),
		      catalog_text(new, b->schema)) != 0;
}

static struct tool *named_tool(struct router *router, const char *name)
{
	for (uint32_t i = 0; i < router->tools_fresh; i++) {
		if (router->tools[i].present &&
		    strcmp(router->tools[i].row.name, name) == 0)
			return &router->tools[i];
	}
	return NULL;
}

static struct tool *unused_tool(struct router *router)
{
	for (uint32_t i = 0; i < router->tools_fresh; i++) {
		if (!router->tools[i].present && router->tools[i].users == 0)
			return &router->tools[i];
	}
	return router->tools_fresh < TOOLS_MAX ?
	       &router->tools[router->tools_fresh++] : NULL;
}

static void load_tool(struct router *router, const struct catalog *catalog,
		      uint32_t row_index, int64_t now_ns)
{
	const struct catalog_tool *row = &catalog->tools[row_index];
	struct tool *tool = named_tool(router, row->name);

	if (!tool) {
		tool = unused_tool(router);
		router->tool_of[row_index] = NONE;
		if (!tool)
			return;	/* refused as unknown until others are gone */
		start_tool(router, tool, row, now_ns);
		tool->changed = catalog->generation;
	} else {
		if (differs(router->catalog, &tool->row, catalog, row))
			tool->changed = catalog->generation;
		tool->row = *row;
		tool->limits = limits_for(row);
		tool->queue.settings.policy = policies[row->overflow];
	}
	router->tool_of[row_index] = (uint32_t)(tool - router->tools);
}

/* The pool of the same name keeps its past. */
static void load_pool(struct router *router, const struct catalog *catalog,
		      uint32_t index, const struct pool *old, int64_t now_ns)
{
	struct pool *pool = &router->pools[index];
	const struct pool *same = NULL;

	for (unsigned i = 0; i < CATALOG_POOLS_MAX && !same; i++) {
		if (old[i].present && strcmp(old[i].row.name,
					     catalog->pools[index].name) == 0)
			same = &old[i];
	}
	*pool = same ? *same : (struct pool){ .state = RESTART_DEGRADED };
	if (!same)
		retry_budget_init(&pool->budget, RETRY_SHARE_POOL,
				  &router->retries, now_ns);
	pool->row = catalog->pools[index];
	pool->present = true;
	pool->slot_count = pool->ready_count = pool->parked_count = pool->coming_count = 0;
	list_init(&pool->slots);
	list_init(&pool->tools);
	list_init(&pool->parked);
	list_init(&pool->coming);
}

static uint32_t renumbered(const struct router *router, const char *name)
{
	for (uint32_t i = 0; i < CATALOG_POOLS_MAX; i++) {
		if (router->pools[i].present &&
		    strcmp(router->pools[i].row.name, name) == 0)
			return i;
	}
	return NONE;
}

/* Slots and the calls it knows follow their pool to its new number. */
static void move_members(struct router *router, const struct pool *old)
{
	for (uint32_t i = 0; i < router->size.slots; i++) {
		struct slot *slot = &router->slots[i];

		if (slot->state == SLOT_EMPTY || slot->pool == NONE)
			continue;
		memset(&slot->pool_link, 0, sizeof(slot->pool_link));
		slot_join_pool(router, slot,
			       renumbered(router, old[slot->pool].row.name));
	}
	for (uint32_t i = 0; i < router->calls_fresh; i++) {
		struct call *call = &router->calls[i];
		bool parked = call->state == CALL_PARKED;
		struct pool *pool;

		if (!list_is_linked(&call->parked_link))
			continue;
		memset(&call->parked_link, 0, sizeof(call->parked_link));
		pool = tool_pool(router, &router->tools[call->tool]);
		if (!pool || !router->tools[call->tool].present)
			continue;
		list_append(parked ? &pool->parked : &pool->coming, &call->parked_link);
		++*(parked ? &pool->parked_count : &pool->coming_count);
	}
}

/* Tools that are not there any more: what waits is answered, what runs ends. */
static void retire_tools(struct router *router, const struct catalog *catalog,
			 int64_t now_ns)
{
	for (uint32_t i = 0; i < router->tools_fresh; i++) {
		struct tool *tool = &router->tools[i];

		if (!tool->present || catalog_find_tool(catalog, tool->row.name,
				strlen(tool->row.name)) >= 0)
			continue;
		tool->present = false;
		breakers_drop(router, tool);
		tool_flush(router, i, ERROR_NOT_FOUND, "the tool was removed",
			   now_ns);
		wheel_cancel(&router->wheel, &tool->timer.wheel);
		tool->armed_ns = DEADLINE_NEVER;
	}
}

void tools_load(struct router *router, const struct catalog *catalog,
		int64_t now_ns)
{
	struct pool old[CATALOG_POOLS_MAX];

	memcpy(old, router->pools, sizeof(old));
	if (router->catalog)
		retire_tools(router, catalog, now_ns);
	for (uint32_t i = 0; i < CATALOG_POOLS_MAX; i++) {
		if (i < catalog->pool_count)
			load_pool(router, catalog, i, old, now_ns);
		else
			router->pools[i].present = false;
	}
	for (uint32_t i = 0; i < catalog->tool_count; i++)
		load_tool(router, catalog, i, now_ns);
	for (uint32_t i = 0; i < router->tools_fresh; i++) {
		struct tool *tool = &router->tools[i];

		memset(&tool->pool_link, 0, sizeof(tool->pool_link));
		if (tool->present)
			list_append(&router->pools[tool->row.pool].tools,
				    &tool->pool_link);
	}
	move_members(router, old);
	router->catalog = catalog;
	for (uint32_t i = 0; i < catalog->pool_count; i++)
		tools_obey_pool(router, i, now_ns);
	for (uint32_t i = 0; i < router->tools_fresh; i++)
		tool_watch(router, &router->tools[i], now_ns);
}

/* ---- breakers ---- */

unsigned tool_concurrency(struct router *router, const struct tool *tool)
{
	const struct pool *pool = tool_pool(router, tool);
	unsigned configured = tool->row.concurrency;
	unsigned most;

	if (!pool)
		return 0;
	most = pool->row.size * (pool->row.calls_max ? pool->row.calls_max : 1);
	if (configured == 0 || configured > most)
		configured = most;
	return breaker_concurrency_max(&tool->breaker, configured);
}

static bool is_open(const struct tool *tool)
{
	return tool->breaker.state == BREAKER_OPEN ||
	       tool->breaker.state == BREAKER_FORCED_OPEN;
}

static void arm(struct router *router, struct tool *tool)
{
	int64_t next_ns = deadline_earlier(breaker_next_ns(&tool->breaker),
					   tool->probe_ns);

	if (next_ns == tool->armed_ns)
		return;
	tool->armed_ns = next_ns;
	if (next_ns == DEADLINE_NEVER)
		wheel_cancel(&router->wheel, &tool->timer.wheel);
	else
		wheel_add(&router->wheel, &tool->timer.wheel, next_ns);
}

static void on_moved(struct router *router, struct tool *tool, int64_t now_ns)
{
	const struct breaker *breaker = &tool->breaker;

	tool->breaker_seen = breaker->generation;
	router_say(router, is_open(tool) ? NOTE_WARNING : NOTE_INFO,
		   "breaker changed", tool->row.name,
		   breaker_state_name(breaker->state));
	tool->probe_ns = DEADLINE_NEVER;
	if (breaker->state == BREAKER_HALF_OPEN && tool->row.probe.length > 0)
		tool->probe_ns = now_ns + PROBE_WAIT_NS;
	if (breaker->state == BREAKER_OPEN)
		tool_flush(router, (uint32_t)(tool - router->tools),
			   ERROR_BREAKER_OPEN, "the tool's breaker has opened",
			   now_ns);
	if (breaker->state == BREAKER_FORCED_OPEN)
		tool_flush(router, (uint32_t)(tool - router->tools),
			   ERROR_UNAVAILABLE, "the tool's workers do not start; 'cupel log' says why",
			   now_ns);
	dispatch_mark(router, tool->row.pool);
}

void tool_watch(struct router *router, struct tool *tool, int64_t now_ns)
{
	if (!tool->present)
		return;
	breakers_observe(router, tool, now_ns);
	if (tool->breaker.generation != tool->breaker_seen)
		on_moved(router, tool, now_ns);
	breakers_keep(router, tool, now_ns);
	arm(router, tool);
}

void tool_due(struct router *router, struct tool *tool, int64_t now_ns)
{
	tool->armed_ns = DEADLINE_NEVER;
	if (!tool->present)
		return;
	breaker_tick(&tool->breaker, now_ns);
	dispatch_mark(router, tool->row.pool);	/* RAMP has no new generation */
	if (now_ns >= tool->probe_ns) {
		tool->probe_ns = now_ns + PROBE_WAIT_NS;
		if (tool->breaker.state == BREAKER_HALF_OPEN)
			admit_probe(router, tool, now_ns);
		else
			tool->probe_ns = DEADLINE_NEVER;
	}
	tool_watch(router, tool, now_ns);
}

static bool serves(enum restart_state state)
{
	return state == RESTART_UP || state == RESTART_DEGRADED ||
	       state == RESTART_PROBATION;
}

void tools_obey_pool(struct router *router, uint32_t index, int64_t now_ns)
{
	struct pool *pool = &router->pools[index];
	bool down = !serves(pool->state);

	for (struct list *link = pool->tools.next; link != &pool->tools;
	     link = link->next) {
		struct tool *tool = LIST_OWNER(link, struct tool, pool_link);

		if (tool->breaker.pool_down == down)
			continue;
		if (down)
			breaker_pool_down(&tool->breaker, now_ns);
		else
			breaker_pool_up(&tool->breaker, now_ns);
		tool_watch(router, tool, now_ns);
	}
}

/* Answers all that waits for the tool and has not been sent. */
void tool_flush(struct router *router, uint32_t index, enum error_code code,
		const char *reason, int64_t now_ns)
{
	struct tool *tool = &router->tools[index];

	for (uint32_t i = 0; i < router->calls_fresh && tool->users > 0; i++) {
		struct call *call = &router->calls[i];
		struct ending ending;

		if (call->tool != index || !call_awaits_worker(call->state))
			continue;
		ending = ending_of(code, reason);
		if (tool->present)
			ending.retry_after_ms = tool_retry_ms(router, tool, now_ns);
		/* Of one that was to be tried again its own failure is told. */
		degrade(router, call, call->state == CALL_WAITING ?
			&call->last : &ending, now_ns);
	}
}

/* When it is worth asking again, for the error's retry_after. */
uint32_t tool_retry_ms(struct router *router, const struct tool *tool,
		       int64_t now_ns)
{
	const struct pool *pool = tool_pool(router, tool);
	int64_t at_ns = breaker_next_ns(&tool->breaker);

	if (pool && !serves(pool->state))
		at_ns = pool->retry_at_ns;
	if (at_ns == DEADLINE_NEVER || at_ns <= now_ns)
		return 1000;
	return at_ns - now_ns > 3600 * NS_PER_S ? 3600000 :
	       (uint32_t)((at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}
