#include "supervisor/router/breakers_core.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "common/core/hash.h"
#include "supervisor/router/parts_core.h"

_Static_assert(BREAKER_ROWS == TOOLS_MAX, "a row for each tool");

/* Against accidents, and not against whoever can write the file. */
static uint64_t check_of(const struct breaker_row *row)
{
	static const struct hash_key key = { { UINT64_C(0x3130726b62657563), 0 } };
	const uint8_t *bytes = (const uint8_t *)row;
	size_t head = sizeof(row->check);

	return hash_bytes(&key, (struct span){ bytes + head, sizeof(*row) - head });
}

static void write_row(struct router *router, uint32_t index,
		      const struct breaker_row *row)
{
	router->sink.keep_breaker(router->sink.owner, index, row);
}

/* There are as many rows as there can be tools. */
static uint32_t unused_row(const struct router *router)
{
	uint32_t index = 0;

	while (index < BREAKER_ROWS && router->breaker_rows[index])
		index++;
	assert(index < BREAKER_ROWS);
	return index;
}

void breakers_drop(struct router *router, struct tool *tool)
{
	if (tool->breaker_row == NONE)
		return;
	write_row(router, tool->breaker_row, &(struct breaker_row){ 0 });
	router->breaker_rows[tool->breaker_row] = false;
	tool->breaker_row = NONE;
}

void breakers_keep(struct router *router, struct tool *tool, int64_t now_ns)
{
	const struct breaker *breaker = &tool->breaker;
	struct breaker_row row = { 0 };
	struct breaker_kept kept;

	if (breaker->generation == tool->kept_generation &&
	    breaker->isolated_until_ns == tool->kept_isolated_ns)
		return;
	tool->kept_generation = breaker->generation;
	tool->kept_isolated_ns = breaker->isolated_until_ns;
	breaker_keep(breaker, now_ns, &kept);
	if (kept.state == BREAKER_CLOSED && kept.open_ns == tool->limits.open_first_ns &&
	    tool->first_ns == 0) {
		breakers_drop(router, tool);	/* as any new one */
		return;
	}
	if (tool->breaker_row == NONE)
		tool->breaker_row = unused_row(router);
	router->breaker_rows[tool->breaker_row] = true;
	row.at_ns = kept.at_ns;
	row.until_ns = kept.until_ns;
	row.open_ns = kept.open_ns;
	row.first_ns = tool->first_ns;
	row.state = kept.state;
	row.reason = kept.reason;
	memcpy(row.name, tool->row.name, sizeof(row.name));
	row.check = check_of(&row);
	write_row(router, tool->breaker_row, &row);
}

/* ---- who only observes ---- */

/* For how long, of a tool that is dated; or 0. */
static int64_t observes_for(const struct router *router, const struct tool *tool,
			    int64_t now_ns)
{
	int64_t age_ns = router->date_ns + now_ns - tool->first_ns;

	if (tool->row.breaker == BREAKER_OBSERVES)
		return tool->limits.observe_ns;		/* and then once more */
	return tool->row.breaker == BREAKER_ROLLS_OUT &&
	       age_ns < tool->limits.observe_ns ? tool->limits.observe_ns - age_ns : 0;
}

/* It is new today; and so it is if it was first seen on a day to come. */
static void date(const struct router *router, struct tool *tool, int64_t now_ns)
{
	int64_t today_ns = router->date_ns + now_ns;

	if (tool->row.breaker != BREAKER_ROLLS_OUT ||
	    (tool->first_ns != 0 && tool->first_ns <= today_ns))
		return;
	tool->first_ns = today_ns;
	tool->kept_generation = 0;	/* to be written */
}

void breakers_observe(struct router *router, struct tool *tool, int64_t now_ns)
{
	struct breaker *breaker = &tool->breaker;
	int64_t for_ns;

	if (router->date_ns == 0)
		return;
	date(router, tool, now_ns);
	for_ns = observes_for(router, tool, now_ns);
	if (for_ns == 0 && breaker->state == BREAKER_OBSERVE)
		breaker_reset(breaker, now_ns);
	if (for_ns > 0 && breaker->state != BREAKER_OBSERVE &&
	    breaker->state != BREAKER_FORCED_OPEN)
		breaker_observe(breaker, for_ns, now_ns);
}

void breakers_date(struct router *router, int64_t wall_ns, int64_t now_ns)
{
	if (wall_ns == 0)
		return;
	router->date_ns = wall_ns - now_ns;
	for (uint32_t i = 0; i < router->tools_fresh; i++)
		tool_watch(router, &router->tools[i], now_ns);
}

/* ---- an earlier life ---- */

static struct tool *tool_of(struct router *router, const struct breaker_row *row)
{
	int found = catalog_find_tool(router->catalog, row->name, strlen(row->name));
	uint32_t index = found < 0 ? NONE : router->tool_of[found];

	return index == NONE ? NULL : &router->tools[index];
}

static bool resume(struct router *router, uint32_t index,
		   const struct breaker_row *row, int64_t now_ns)
{
	const struct breaker_kept kept = {
		.state = (enum breaker_state)row->state,
		.reason = (enum breaker_reason)row->reason,
		.at_ns = row->at_ns, .until_ns = row->until_ns,
		.open_ns = row->open_ns };
	struct tool *tool = tool_of(router, row);

	if (!tool || tool->breaker_row != NONE ||
	    !breaker_recall(&tool->breaker, &kept, now_ns))
		return false;
	tool->breaker_row = index;
	tool->first_ns = row->first_ns;
	router->breaker_rows[index] = true;
	tool_watch(router, tool, now_ns);	/* and it is written as of now */
	return true;
}

bool breakers_recall(struct router *router, uint32_t index,
		     const struct breaker_row *row, int64_t now_ns)
{
	static const struct breaker_row nobodys;
	bool sound;

	if (memcmp(row, &nobodys, sizeof(nobodys)) == 0)
		return true;
	sound = row->check == check_of(row) &&
		memchr(row->name, '\0', sizeof(row->name));
	if (!sound || !resume(router, index, row, now_ns))
		write_row(router, index, &nobodys);
	return sound;
}
