#include <string.h>

#include "supervisor/router/parts_core.h"

void control_send(struct router *router, enum control_kind kind,
		  const struct control *record)
{
	struct control control = *record;

	control.kind = (uint8_t)kind;
	if (kind == CONTROL_WANT || kind == CONTROL_PROBED ||
	    kind == CONTROL_POOL_ORDER)
		control.generation = router->catalog->generation;
	router->sink.control(router->sink.owner, &control);
}

static void on_pool_state(struct router *router,
			  const struct router_event *event, int64_t now_ns)
{
	const struct control *record = event->record;
	struct pool *pool;

	if (record->pool >= CATALOG_POOLS_MAX ||
	    !router->pools[record->pool].present ||
	    record->detail >= RESTART_STATE_COUNT)
		return;
	pool = &router->pools[record->pool];
	if (pool->state != (enum restart_state)record->detail)
		router_say(router, NOTE_INFO, "pool changed", pool->row.name,
			   restart_state_name(
				   (enum restart_state)record->detail));
	pool->state = (enum restart_state)record->detail;
	pool->retry_at_ns = (int64_t)record->argument;
	tools_obey_pool(router, record->pool, now_ns);
	health_pool(router, pool, now_ns);
	dispatch_mark(router, record->pool);
}

/* A piece of a text, the first of which begins it anew. */
static void take_piece(char *text, size_t bytes, const struct control *record)
{
	size_t at = (size_t)record->detail * CONTROL_TEXT_BYTES;

	if (at + CONTROL_TEXT_BYTES > bytes)
		return;
	memset(text + at, 0, bytes + 1 - at);
	memcpy(text + at, record->text, CONTROL_TEXT_BYTES);
}

static void on_pool_text(struct router *router, const struct router_event *event,
			 int64_t now_ns)
{
	const struct control *record = event->record;
	struct pool *pool;

	(void)now_ns;
	if (record->pool >= CATALOG_POOLS_MAX || !router->pools[record->pool].present)
		return;
	pool = &router->pools[record->pool];
	if (record->kind == CONTROL_POOL_REASON)
		take_piece(pool->reason, CONTROL_REASON_BYTES, record);
	else
		take_piece(pool->crash, CONTROL_CRASH_BYTES, record);
}

static void on_no_entry(struct router *router, const struct router_event *event,
			int64_t now_ns)
{
	const struct control *record = event->record;

	if (record->pool < CATALOG_POOLS_MAX && router->pools[record->pool].present)
		dispatch_no_entry(router, &router->pools[record->pool],
				  record->workspace, record->argument, now_ns);
}

static void on_catalog(struct router *router, const struct router_event *event,
		       int64_t now_ns)
{
	if (!event->catalog)
		return;
	tools_load(router, event->catalog, now_ns);
	for (uint32_t i = 0; i < router->size.clients; i++) {
		if (router->clients[i].peer.open && router->clients[i].greeted)
			peer_send(router, i, &(struct message){
				.kind = MESSAGE_TOOLS_CHANGED,
				.tools_changed.catalog =
					event->catalog->generation }, now_ns);
	}
}

static void on_client_up(struct router *router,
			 const struct router_event *event, int64_t now_ns)
{
	const struct control *record = event->record;

	if (record->detail >= ROLE_COUNT || event->peer >= router->size.clients)
		return;
	client_open(router, event->peer, 0, (enum caller_role)record->detail,
		    true, now_ns);
	router->clients[event->peer].slot = record->slot;
	router->clients[event->peer].generation = record->generation;
}

static void on_workspace(struct router *router,
			 const struct router_event *event, int64_t now_ns)
{
	uint32_t number = event->record->workspace;

	(void)now_ns;
	if (number)
		router->workspaces[control_workspace_place(number)] =
			(struct workspace){ number, (uint32_t)event->record->argument };
}

static void on_supervisor(struct router *router,
			  const struct router_event *event, int64_t now_ns)
{
	(void)now_ns;
	if (event->record->detail < SUPERVISOR_STATE_COUNT)
		router->supervisor = (enum supervisor_state)event->record->detail;
	if (event->record->argument)
		router->monitor_descriptors = event->record->argument;
}

static void on_stop(struct router *router, const struct router_event *event,
		    int64_t now_ns)
{
	(void)now_ns;
	router->stopping = true;
	router->stop_ns = (int64_t)event->record->argument;
}

static void (*const on_record[CONTROL_KIND_COUNT])(struct router *,
	const struct router_event *, int64_t) = {
	[CONTROL_SLOT_UP]    = slot_up,    [CONTROL_CLIENT_UP]  = on_client_up,
	[CONTROL_SLOT_DOWN]  = slot_down,  [CONTROL_SLOT_USAGE] = slot_usage,
	[CONTROL_SLOT_POOL]  = slot_move,  [CONTROL_SLOT_DRAIN] = slot_drain,
	[CONTROL_POOL_STATE] = on_pool_state, [CONTROL_CATALOG]    = on_catalog,
	[CONTROL_SUPERVISOR] = on_supervisor, [CONTROL_STOP]       = on_stop,
	[CONTROL_NO_ENTRY]   = on_no_entry,   [CONTROL_WORKSPACE]  = on_workspace,
	[CONTROL_POOL_REASON] = on_pool_text, [CONTROL_POOL_CRASH] = on_pool_text,
};

void control_record(struct router *router, const struct router_event *event,
		    int64_t now_ns)
{
	const struct control *record = event->record;

	router->monitor_ns = now_ns;
	if (record->kind < CONTROL_KIND_COUNT && on_record[record->kind] &&
	    record->slot < router->size.slots)
		on_record[record->kind](router, event, now_ns);
}
