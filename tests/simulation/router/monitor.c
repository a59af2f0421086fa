/*
 * The monitor, as far as it is not about one worker: catalogues, pools, and
 * whose the workspaces are.
 */
#include "tests/simulation/router/world.h"

#define POOL(pool, how, places, calls, bound)                                 \
	{ .name = pool, .program = "/x", .kind = how, .size = places,         \
	  .warm = places, .calls_max = calls, .client_role = ROLE_COUNT,      \
	  .flags = bound }
#define TOOL(tool, number, kind)                                              \
	{ .name = tool, .pool = number, .class = kind, .roles = 15,           \
	  .queue = 8, .deadline_ns = 5 * NS_PER_S,                            \
	  .deadline_max_ns = 60 * NS_PER_S, .idle_ns = 2 * NS_PER_S,          \
	  .slow_ns = NS_PER_S, .output_bytes = 1 << 20

/* The second numbers the pools anew and has two tools less. */
static struct {
	struct catalog catalog;
	char text[1];		/* what text_bytes counts: the empty one */
} catalogs[] = { { .catalog = {
	.magic = CATALOG_MAGIC, .generation = 1, .pool_count = 2,
	.tool_count = 5, .text_bytes = 1,
	.pools = { POOL("many", POOL_STATIC, MANY, 4, 0),
		   POOL("once", POOL_PER_CALL, SLOTS - MANY, 1, POOL_WORKSPACE) },
	.tools = {
		TOOL("effect", 0, TOOL_EFFECTFUL) },
		TOOL("job", 1, TOOL_EFFECTFUL) },
		TOOL("pure", 0, TOOL_PURE), .coalesce = 1,
		  .cache_ns = NS_PER_S, .stale_ns = STALE_NS, .fallback = "spare" },
		TOOL("spare", 0, TOOL_PURE), .coalesce = 1 },
		TOOL("store.call", 0, TOOL_EFFECTFUL) },
	},
} }, { .catalog = {
	.magic = CATALOG_MAGIC, .generation = 1, .pool_count = 3,
	.tool_count = 3, .text_bytes = 1,
	.pools = { POOL("else", POOL_STATIC, 1, 1, 0),
		   POOL("many", POOL_STATIC, MANY, 4, 0),
		   POOL("once", POOL_PER_CALL, SLOTS - MANY, 1, POOL_WORKSPACE) },
	.tools = {
		TOOL("effect", 1, TOOL_EFFECTFUL) },
		TOOL("job", 2, TOOL_EFFECTFUL) },
		TOOL("store.call", 1, TOOL_EFFECTFUL) },
	},
} } };

struct catalog *catalog_of(unsigned first_pool)
{
	return &catalogs[first_pool].catalog;
}

uint16_t pool_of(uint32_t slot)
{
	return (uint16_t)(world.first_pool + (slot >= MANY));
}

void tell_workspaces(void)
{
	for (uint32_t i = 0; i < USERS; i++)
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){ .kind = CONTROL_WORKSPACE,
				.workspace = workspace_of(i, world.moves),
				.argument = 1000 + i } });
}

/* Another catalogue, and the numbers it gives to the living. */
void load(unsigned first_pool)
{
	struct catalog *catalog = catalog_of(first_pool);

	if (first_pool == world.first_pool)
		return;
	catalog->generation = world.router->catalog->generation + 1;
	world.first_pool = first_pool;
	seen[SEEN_RELOAD]++;
	step((struct router_event){ .kind = ROUTER_CONTROL, .catalog = catalog,
		.record = &(struct control){ .kind = CONTROL_CATALOG } });
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct sim_worker *worker = &world.workers[i];

		if (worker->up && !worker->down_told)
			step((struct router_event){ .kind = ROUTER_CONTROL,
				.record = &(struct control){
					.kind = CONTROL_SLOT_POOL, .slot = i,
					.generation = worker->generation,
					.pool = pool_of(i) } });
	}
}

void turn_monitor(void)
{
	enum restart_state state = RESTART_UP;

	if (fault(FAULT_ENTRY, 20))
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_NO_ENTRY,
				.workspace = workspace_of(chance(50), world.moves),
				.pool = pool_of((uint32_t)random_below(
					&world.random, SLOTS)) } });
	if (fault(FAULT_MOVE, 5)) {
		world.moves++;
		tell_workspaces();
		seen[SEEN_MOVED]++;
	}
	if (fault(FAULT_POOL, 3))
		state = (enum restart_state)random_below(&world.random,
							 RESTART_STATE_COUNT);
	else if (!chance(5))
		return;
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_POOL_STATE,
			.pool = pool_of((uint32_t)random_below(&world.random,
							       SLOTS)),
			.detail = (uint8_t)state } });
}
