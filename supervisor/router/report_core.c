#include "supervisor/router/report_core.h"

#include <string.h>

static uint64_t ms_until(int64_t at_ns, int64_t now_ns)
{
	return at_ns > now_ns && at_ns != DEADLINE_NEVER ?
	       (uint64_t)((at_ns - now_ns) / NS_PER_MS) : 0;
}

static const char *supervisor_name(const struct router *router)
{
	static const char *const names[SUPERVISOR_STATE_COUNT] = {
		"boot", "running", "brownout", "draining",
	};

	return router->stopping || router->draining ?
	       names[SUPERVISOR_DRAINING] : names[router->supervisor];
}

static const char *slot_state_name(enum slot_state state)
{
	static const char *const names[SLOT_STATE_COUNT] = {
		"empty", "starting", "init", "ready", "draining", "ending",
	};

	return names[state];
}

static uint64_t failed_of(const struct tool *tool)
{
	uint64_t count = 0;

	for (unsigned i = ERROR_OK + 1; i < ERROR_CODE_COUNT; i++)
		count += tool->ends[i];
	return count;
}

/* ---- status ---- */

static void write_supervisor(const struct router *router, struct writer *w,
			     int64_t now_ns)
{
	json_open(w, "supervisor", "{");
	json_text(w, "state", supervisor_name(router));
	json_number(w, "uptime_s",
		    (uint64_t)((now_ns - router->started_ns) / NS_PER_S));
	json_number(w, "monitor_rss_bytes", router->monitor.resident_bytes);
	json_number(w, "router_rss_bytes", router->self.resident_bytes);
	json_number(w, "catalog", router->catalog->generation);
	json_close(w, "}");
}

static void write_pool(const struct pool *pool, struct writer *w,
		       int64_t now_ns)
{
	bool rests = pool->state == RESTART_CRASHLOOP || pool->state == RESTART_FAILED;

	json_open(w, NULL, "{");
	json_text(w, "name", pool->row.name);
	json_text(w, "kind", catalog_kinds[pool->row.kind]);
	json_text(w, "state", restart_state_name(pool->state));
	json_number(w, "ready", pool->ready_count);
	json_number(w, "slots", pool->slot_count);
	json_number(w, "size", pool->row.size);
	json_number(w, "warm", pool->row.warm);
	json_number(w, "restarts", pool->restarts);
	json_number(w, "retry_in_ms", ms_until(pool->retry_at_ns, now_ns));
	json_text(w, "reason", rests ? pool->reason : "");
	json_text(w, "crash_page", rests ? pool->crash : "");
	json_close(w, "}");
}

static void write_worker(struct router *router, uint32_t index,
			 struct writer *w, int64_t now_ns)
{
	const struct slot *slot = &router->slots[index];

	json_open(w, NULL, "{");
	json_number(w, "slot", index);
	json_text(w, "pool", slot->pool == NONE ? "" :
		  router->pools[slot->pool].row.name);
	json_number(w, "generation", slot->generation);
	json_text(w, "state", slot->state == SLOT_READY && slot->running ?
		  "busy" : slot_state_name(slot->state));
	json_number(w, "calls", slot->running);
	json_number(w, "served", slot->served);
	json_number(w, "rss_bytes", slot->resident_bytes);
	json_number(w, "age_s", (uint64_t)((now_ns - slot->since_ns) / NS_PER_S));
	json_number(w, "workspace", slot->workspace);
	json_close(w, "}");
}

static void write_tool(struct router *router, struct tool *tool,
		       struct writer *w, int64_t now_ns)
{
	const struct breaker *breaker = &tool->breaker;
	bool open = breaker->state != BREAKER_CLOSED;
	bool observes = breaker->state == BREAKER_OBSERVE;
	uint64_t left_ms = open ? ms_until(breaker_next_ns(breaker), now_ns) : 0;

	json_open(w, NULL, "{");
	json_text(w, "name", tool->row.name);
	json_text(w, "pool", router->pools[tool->row.pool].row.name);
	json_text(w, "class", catalog_classes[tool->row.class]);
	json_text(w, "breaker", breaker_state_name(breaker->state));
	json_text(w, "reason", open ? breaker_reason_name(breaker->reason) : "");
	json_number(w, "retry_in_ms", observes ? 0 : left_ms);
	json_number(w, "observed_ms", observes &&
		    tool->row.breaker == BREAKER_ROLLS_OUT ? left_ms : 0);
	json_number(w, "spared", breaker->spared);
	json_number(w, "queued", queue_depth(&tool->queue, QUEUE_SHEDDABLE));
	json_number(w, "blocked", tool->door_count);
	json_number(w, "running", tool->running);
	json_number(w, "ok", tool->ends[ERROR_OK]);
	json_number(w, "failed", failed_of(tool));
	json_number(w, "p50_us", (uint64_t)latency_percentile_ns(
				 &tool->latency, 50) / 1000);
	json_number(w, "p99_us", (uint64_t)latency_percentile_ns(
				 &tool->latency, 99) / 1000);
	json_number(w, "cached", tool->hits);
	json_number(w, "stale", tool->stale);
	json_number(w, "fallbacks", tool->fallbacks);
	json_close(w, "}");
}

static void write_calls(const struct router *router, struct writer *w)
{
	const struct totals *totals = &router->totals;

	json_open(w, "calls", "{");
	json_number(w, "in_flight", router->running);
	json_number(w, "queued", router->waiting - router->held);
	json_number(w, "accepted", totals->accepted);
	json_number(w, "ok", totals->ok);
	json_number(w, "failed", totals->failed);
	json_number(w, "refused", totals->refused);
	json_number(w, "retried", totals->retried);
	json_number(w, "shed", totals->shed);
	json_number(w, "poisoned", totals->poisoned);
	json_close(w, "}");
}

static void write_caches(const struct router *router, struct writer *w)
{
	const struct cache_stats *stats = &router->cache.stats;

	json_open(w, "caches", "[");
	json_open(w, NULL, "{");
	json_text(w, "name", "results");
	json_number(w, "entries", stats->entries);
	json_number(w, "bytes", stats->bytes);
	json_number(w, "hits", stats->answers[CACHE_FRESH]);
	json_number(w, "misses", stats->answers[CACHE_MISS]);
	json_number(w, "coalesced", router->flights.stats.coalesced);
	json_close(w, "}");
	json_close(w, "]");
}

void report_status(struct router *router, struct writer *w, int64_t now_ns)
{
	json_open(w, NULL, "{");
	json_text(w, "schema", "cupel.status/1");
	write_supervisor(router, w, now_ns);
	json_open(w, "pools", "[");
	for (uint32_t i = 0; i < router->catalog->pool_count; i++)
		write_pool(&router->pools[i], w, now_ns);
	json_close(w, "]");
	json_open(w, "workers", "[");
	for (uint32_t i = 0; i < router->size.slots; i++) {
		if (router->slots[i].state != SLOT_EMPTY)
			write_worker(router, i, w, now_ns);
	}
	json_close(w, "]");
	json_open(w, "tools", "[");
	for (uint32_t i = 0; i < router->catalog->tool_count; i++) {
		if (router->tool_of[i] != NONE)
			write_tool(router, &router->tools[router->tool_of[i]],
				   w, now_ns);
	}
	json_close(w, "]");
	write_calls(router, w);
	json_number(w, "clients", router->totals.clients);
	write_caches(router, w);
	json_close(w, "}");
	write_text(w, "\n");
}

/* ---- health ---- */

struct health_list {
	const struct health_component *components[CATALOG_POOLS_MAX +
						  RESOURCE_COUNT + 1];
	unsigned count;
};

static struct health_list all_components(const struct router *router)
{
	struct health_list list = { .count = 0 };

	list.components[list.count++] = &router->monitor_health;
	for (unsigned i = 0; i < RESOURCE_COUNT; i++)
		list.components[list.count++] = &router->resources[i];
	for (unsigned i = 0; i < CATALOG_POOLS_MAX; i++) {
		if (router->pools[i].present)
			list.components[list.count++] =
				&router->pools[i].health;
	}
	return list;
}

enum health_status report_health_status(const struct router *router,
					int64_t now_ns)
{
	struct health_list list = all_components(router);
	enum health_status status = HEALTH_HEALTHY;

	for (unsigned i = 0; i < list.count; i++)
		status = health_worse(status,
				      health_of(list.components[i], now_ns));
	return status;
}

void report_health(struct router *router, struct writer *w, int64_t now_ns)
{
	struct health_list list = all_components(router);

	json_open(w, NULL, "{");
	json_text(w, "schema", "cupel.health/1");
	json_text(w, "status", health_status_name(
			  report_health_status(router, now_ns)));
	json_open(w, "reasons", "[");
	for (unsigned i = 0; i < list.count; i++) {
		enum health_status status = health_of(list.components[i],
						      now_ns);

		if (status == HEALTH_HEALTHY)
			continue;
		json_open(w, NULL, "{");
		json_text(w, "component", list.components[i]->name);
		json_text(w, "status", health_status_name(status));
		json_text(w, "reason", list.components[i]->detail);
		json_close(w, "}");
	}
	json_close(w, "]");
	json_open(w, "components", "[");
	for (unsigned i = 0; i < list.count; i++) {
		const struct health_component *c = list.components[i];

		json_open(w, NULL, "{");
		json_text(w, "name", c->name);
		json_text(w, "status", health_status_name(health_of(c, now_ns)));
		json_text(w, "detail", c->detail);
		json_number(w, "checked_s_ago", c->checked_ns ?
			    (uint64_t)((now_ns - c->checked_ns) / NS_PER_S) : 0);
		json_close(w, "}");
	}
	json_close(w, "]");
	json_close(w, "}");
	write_text(w, "\n");
}

/* ---- tools ---- */

void report_tools(struct router *router, struct writer *w, int64_t now_ns)
{
	const struct catalog *catalog = router->catalog;

	(void)now_ns;
	json_open(w, NULL, "{");
	json_text(w, "schema", "cupel.tools/1");
	json_number(w, "catalog", catalog->generation);
	json_open(w, "tools", "[");
	for (uint32_t i = 0; i < catalog->tool_count; i++) {
		const struct catalog_tool *row = &catalog->tools[i];
		const struct catalog_pool *pool = &catalog->pools[row->pool];

		json_open(w, NULL, "{");
		json_text(w, "name", row->name);
		json_text(w, "help", catalog_text(catalog, row->help));
		json_text(w, "class", catalog_classes[row->class]);
		json_text(w, "pool", pool->name);
		json_text(w, "policy", pool->policy);
		json_number(w, "deadline_ms",
			    (uint64_t)(row->deadline_ns / NS_PER_MS));
		json_number(w, "deadline_max_ms",
			    (uint64_t)(row->deadline_max_ns / NS_PER_MS));
		json_number(w, "queue", row->queue);
		json_text(w, "overflow", catalog_overflows[row->overflow]);
		json_text(w, "breaker", catalog_breaker_modes[row->breaker]);
		json_number(w, "cache_ms", (uint64_t)(row->cache_ns / NS_PER_MS));
		json_number(w, "stale_ms", (uint64_t)(row->stale_ns / NS_PER_MS));
		json_text(w, "fallback", row->fallback);
		json_bool(w, "enabled", router->tool_of[i] != NONE &&
			  router->tools[router->tool_of[i]].enabled);
		json_raw(w, "schema", catalog_text(catalog, row->schema));
		json_close(w, "}");
	}
	json_close(w, "]");
	json_close(w, "}");
	write_text(w, "\n");
}
