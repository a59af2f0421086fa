#include "supervisor/cli/snapshot.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "supervisor/cli/grid.h"

enum table_tone snapshot_tone(const char *state)
{
	static const struct {
		const char *state;
		enum table_tone tone;
	} tones[] = {
		{ "up", TABLE_GOOD },	      { "ready", TABLE_GOOD },
		{ "running", TABLE_GOOD },    { "closed", TABLE_GOOD },
		{ "healthy", TABLE_GOOD },    { "open", TABLE_BAD },
		{ "forced_open", TABLE_BAD }, { "failed", TABLE_BAD },
		{ "crashloop", TABLE_BAD },   { "unhealthy", TABLE_BAD },
		{ "leaked", TABLE_BAD },      { "brownout", TABLE_BAD },
		{ "half_open", TABLE_WARN },  { "ramp", TABLE_WARN },
		{ "degraded", TABLE_WARN },   { "probation", TABLE_WARN },
		{ "suspect", TABLE_WARN },    { "draining", TABLE_WARN },
		{ "backoff", TABLE_WARN },    { "unknown", TABLE_WARN },
		{ "disabled", TABLE_WARN },
	};

	for (size_t i = 0; i < COUNT(tones); i++)
		if (strcmp(tones[i].state, state) == 0)
			return tones[i].tone;
	return TABLE_PLAIN;
}

static void state_cell(struct grid *grid, const json_t *object, const char *name)
{
	const char *state = member_text(object, name);

	grid_cell(grid, snapshot_tone(state), "%s", state);
}

static void text_cell(struct grid *grid, const json_t *object, const char *name)
{
	grid_cell(grid, TABLE_PLAIN, "%s", member_text(object, name));
}

static void count_cell(struct grid *grid, const json_t *object, const char *name)
{
	grid_cell(grid, TABLE_PLAIN, "%.0f", member_number(object, name));
}

void snapshot_print_supervisor(FILE *out, const json_t *status)
{
	const json_t *supervisor = json_object_get(status, "supervisor");
	const json_t *calls = json_object_get(status, "calls");

	fprintf(out, "supervisor %s, up %s, catalog %.0f; monitor %s, router %s; clients %.0f\n",
		member_text(supervisor, "state"),
		quantity_age(member_number(supervisor, "uptime_s")).text,
		member_number(supervisor, "catalog"),
		quantity_bytes(member_number(supervisor, "monitor_rss_bytes")).text,
		quantity_bytes(member_number(supervisor, "router_rss_bytes")).text,
		member_number(status, "clients"));
	fprintf(out, "calls %.0f running, %.0f waiting; %.0f taken: %.0f ok, %.0f failed, "
		"%.0f retried, %.0f shed\n",
		member_number(calls, "in_flight"), member_number(calls, "queued"),
		member_number(calls, "accepted"), member_number(calls, "ok"),
		member_number(calls, "failed"), member_number(calls, "retried"),
		member_number(calls, "shed"));
}

/* Apart from what stands above, and nothing at all if it is empty. */
static void print_section(struct grid *grid, const struct table *look)
{
	if (grid->cell_count)
		fputc('\n', look->out);
	grid_print(grid, look);
}

void snapshot_print_pools(const struct table *look, const json_t *status)
{
	static const struct grid_column columns[] = {
		{ "POOL", false, true }, { "KIND", false, false },
		{ "STATE", false, false }, { "READY", true, false },
		{ "SLOTS", true, false }, { "SIZE", true, false },
		{ "WARM", true, false }, { "RESTARTS", true, false },
		{ "AGAIN", true, false },
	};
	struct grid grid;
	json_t *pool;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach(json_object_get(status, "pools"), i, pool) {
		double again_ms = member_number(pool, "retry_in_ms");

		text_cell(&grid, pool, "name");
		text_cell(&grid, pool, "kind");
		state_cell(&grid, pool, "state");
		count_cell(&grid, pool, "ready");
		count_cell(&grid, pool, "slots");
		count_cell(&grid, pool, "size");
		count_cell(&grid, pool, "warm");
		count_cell(&grid, pool, "restarts");
		grid_cell(&grid, TABLE_PLAIN, "%s", again_ms > 0 ?
			  quantity_age(again_ms / 1e3 + 0.5).text : "-");
	}
	print_section(&grid, look);
}

void snapshot_print_workers(const struct table *look, const json_t *status)
{
	static const struct grid_column columns[] = {
		{ "SLOT", true, false }, { "WORKER", false, true },
		{ "STATE", false, false }, { "CALLS", true, false },
		{ "SERVED", true, false }, { "RSS", true, false },
		{ "AGE", true, false }, { "WORKSPACE", true, false },
	};
	struct grid grid;
	json_t *worker;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach(json_object_get(status, "workers"), i, worker) {
		double workspace = member_number(worker, "workspace");

		count_cell(&grid, worker, "slot");
		grid_cell(&grid, TABLE_PLAIN, "%s/%.0f", member_text(worker, "pool"),
			  member_number(worker, "generation"));
		state_cell(&grid, worker, "state");
		count_cell(&grid, worker, "calls");
		count_cell(&grid, worker, "served");
		grid_cell(&grid, TABLE_PLAIN, "%s",
			  quantity_bytes(member_number(worker, "rss_bytes")).text);
		grid_cell(&grid, TABLE_PLAIN, "%s",
			  quantity_age(member_number(worker, "age_s")).text);
		grid_cell(&grid, TABLE_PLAIN, workspace > 0 ? "%.0f" : "-", workspace);
	}
	print_section(&grid, look);
}

static bool was_called(const json_t *tool)
{
	return member_number(tool, "ok") + member_number(tool, "failed") +
	       member_number(tool, "running") + member_number(tool, "queued") +
	       member_number(tool, "fallbacks") > 0;
}

static bool is_closed(const json_t *tool)
{
	return strcmp(member_text(tool, "breaker"), "closed") == 0;
}

static void time_cell(struct grid *grid, const json_t *tool, const char *name)
{
	double us = member_number(tool, name);

	grid_cell(grid, TABLE_PLAIN, "%s", us > 0 ? quantity_us(us).text : "-");
}

static void tool_cells(struct grid *grid, const json_t *tool)
{
	text_cell(grid, tool, "name");
	state_cell(grid, tool, "breaker");
	count_cell(grid, tool, "queued");
	count_cell(grid, tool, "running");
	count_cell(grid, tool, "ok");
	count_cell(grid, tool, "failed");
	count_cell(grid, tool, "cached");
	time_cell(grid, tool, "p50_us");
	time_cell(grid, tool, "p99_us");
}

/* Why a breaker is not closed, below the tools. */
static void print_reason(FILE *out, const json_t *tool)
{
	const char *reason = member_text(tool, "reason");
	double again_ms = member_number(tool, "retry_in_ms");
	char escaped[256];

	if (strcmp(reason, "-") == 0)
		return;
	text_escape(span_of_text(reason), escaped, sizeof(escaped));
	fprintf(out, "  %s: %s", member_text(tool, "name"), escaped);
	if (again_ms > 0)
		fprintf(out, "; again in %s", quantity_age(again_ms / 1e3 + 0.5).text);
	fputc('\n', out);
}

/* How often it could not serve, and its calls were not refused for that. */
static void print_degraded(FILE *out, const json_t *tool)
{
	double stale = member_number(tool, "stale");
	double fallbacks = member_number(tool, "fallbacks");

	if (stale + fallbacks > 0)
		fprintf(out, "  %s: %.0f calls went to its fallback, %.0f got an earlier result\n",
			member_text(tool, "name"), fallbacks, stale);
}

void snapshot_print_tools(const struct table *look, const json_t *status)
{
	static const struct grid_column columns[] = {
		{ "TOOL", false, true }, { "BREAKER", false, false },
		{ "WAIT", true, false }, { "RUN", true, false },
		{ "OK", true, false }, { "FAILED", true, false },
		{ "CACHED", true, false }, { "P50", true, false },
		{ "P99", true, false },
	};
	struct grid grid;
	json_t *tool;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach(json_object_get(status, "tools"), i, tool)
		if (was_called(tool) || !is_closed(tool))
			tool_cells(&grid, tool);
	print_section(&grid, look);
	json_array_foreach(json_object_get(status, "tools"), i, tool)
		print_reason(look->out, tool);
	json_array_foreach(json_object_get(status, "tools"), i, tool)
		print_degraded(look->out, tool);
}

void snapshot_print_caches(const struct table *look, const json_t *status)
{
	static const struct grid_column columns[] = {
		{ "CACHE", false, true }, { "ENTRIES", true, false },
		{ "BYTES", true, false }, { "HITS", true, false },
		{ "MISSES", true, false }, { "JOINED", true, false },
	};
	struct grid grid;
	json_t *cache;
	size_t i;

	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach(json_object_get(status, "caches"), i, cache) {
		text_cell(&grid, cache, "name");
		count_cell(&grid, cache, "entries");
		grid_cell(&grid, TABLE_PLAIN, "%s",
			  quantity_bytes(member_number(cache, "bytes")).text);
		count_cell(&grid, cache, "hits");
		count_cell(&grid, cache, "misses");
		count_cell(&grid, cache, "coalesced");
	}
	print_section(&grid, look);
}
