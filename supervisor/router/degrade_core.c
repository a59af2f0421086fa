#include "supervisor/router/parts_core.h"

#include <string.h>

/* The tool that its row names, if whoever calls may call that one, too; or NULL. */
static struct tool *fallback_of(struct router *router, const struct call *call)
{
	const char *name = router->tools[call->tool].row.fallback;
	int row = catalog_find_tool(router->catalog, name, strlen(name));
	const struct pool *pool;
	struct tool *other;

	if (row < 0 || router->tool_of[row] == NONE)
		return NULL;
	other = &router->tools[router->tool_of[row]];
	pool = tool_pool(router, other);
	if (!pool || !other->enabled || !(other->row.roles & 1U << call->role) ||
	    (pool->row.flags & POOL_WORKSPACE && call->workspace == 0))
		return NULL;
	return other;
}

/* Once; from then on it is as any other call of that tool. */
static bool ask_other(struct router *router, struct call *call, int64_t now_ns)
{
	struct tool *other = call->instead ? NULL : fallback_of(router, call);

	if (!other || deadline_passed(call->limits.absolute_ns, now_ns))
		return false;
	router->tools[call->tool].fallbacks++;
	call->instead = true;
	call->hashed = false;
	call->asked = call->tool;
	call->tool = (uint32_t)(other - router->tools);
	other->users++;
	call->limits.absolute_ns = deadline_earlier(
		call->limits.absolute_ns,
		deadline_after(now_ns, other->row.deadline_max_ns));
	admit_to_tool(router, call, now_ns);
	return true;
}

/* That one cannot either, and the answer is the first one's again. */
static struct ending come_back(struct router *router, struct call *call,
			       const struct ending *why)
{
	bool gone = why->code == ERROR_NOT_FOUND;	/* which he has not asked for */
	struct ending both = ending_of(gone ? ERROR_UNAVAILABLE : why->code,
				       "neither the tool nor its fallback ");

	ending_add(&both, tool_name(router, call));
	ending_add(&both, " can serve; 'cupel status' says why");
	both.retry_after_ms = why->retry_after_ms;
	router->tools[call->tool].users--;
	call->tool = call->asked;
	call->asked = NONE;
	call->instead = call->hashed = false;
	return both;
}

/* An effect of it has not begun: whoever waits for that may begin it. */
static bool serve_kept(struct router *router, struct call *call,
		       const struct ending *why, int64_t now_ns)
{
	struct cache_found found = share_find(router, call, now_ns);
	struct kept *kept = found.value;

	if (!kept)
		return false;
	kept->references++;
	effect_land(router, call, why, now_ns);
	call->stop = STOP_NONE;
	if (found.state != CACHE_FRESH) {
		call->age_ms = (uint64_t)(found.age_ns / NS_PER_MS) + 1;
		router->tools[call->tool].stale++;
	}
	share_serve(router, call, kept, now_ns);
	kept_release(router, kept);
	return true;
}

static bool is_offered(const struct router *router, const struct call *call)
{
	const struct tool *tool = &router->tools[call->tool];

	return tool->present && tool->enabled;
}

void degrade(struct router *router, struct call *call, const struct ending *why,
	     int64_t now_ns)
{
	struct ending ending = *why;

	if (call->begun || call->probe || call->records ||
	    (!call->instead && !is_offered(router, call))) {
		call_end(router, call, &ending, now_ns);
		return;
	}
	call_detach(router, call);
	legacy_drop(router, call);
	share_land(router, call, false, now_ns);
	if (ask_other(router, call, now_ns))
		return;
	if (call->instead)
		ending = come_back(router, call, &ending);
	if (!is_offered(router, call) || !serve_kept(router, call, &ending, now_ns))
		call_end(router, call, &ending, now_ns);
}

void degrade_late(struct router *router, struct call *call, const struct ending *why,
		  int64_t now_ns)
{
	const struct pool *pool = tool_pool(router, &router->tools[call->tool]);

	if (pool && pool->ready_count == 0)
		degrade(router, call, why, now_ns);
	else
		call_end(router, call, why, now_ns);
}
