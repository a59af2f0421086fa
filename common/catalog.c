#include "common/catalog.h"

#include <errno.h>
#include <string.h>

#include "common/core/retry.h"
#include "common/error.h"
#include "common/text.h"

const char *const catalog_kinds[POOL_KIND_COUNT + 1] = {
	"static", "ondemand", "per_call",
};
const char *const catalog_classes[TOOL_CLASS_COUNT + 1] = {
	"pure", "idempotent", "effectful",
};
const char *const catalog_overflows[OVERFLOW_COUNT + 1] = {
	"reject", "drop-oldest", "block",
};
const char *const catalog_breaker_modes[BREAKER_MODE_COUNT + 1] = {
	"enforce", "observe", "rollout",
};

/* ---- the check: what one field of a row may be ---- */

static bool is_name(const char name[CATALOG_NAME_BYTES])
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *end = memchr(name, '\0', CATALOG_NAME_BYTES);

	return end && end > name &&
	       strspn(name, characters) == (size_t)(end - name);
}

static bool is_path(const char path[CATALOG_PATH_BYTES])
{
	return memchr(path, '\0', CATALOG_PATH_BYTES) && path[0] == '/';
}

/* The text is within the block, ended, and begins where another one ends. */
static bool holds_text(const struct catalog *catalog, struct catalog_text text)
{
	const char *start = (const char *)(catalog + 1);

	if (text.offset >= catalog->text_bytes ||
	    text.length >= catalog->text_bytes - text.offset)
		return false;
	return start[text.offset + text.length] == '\0';
}

static bool is_text(const struct catalog *catalog, struct catalog_text text)
{
	const char *start = (const char *)(catalog + 1) + text.offset;

	return holds_text(catalog, text) && !memchr(start, '\0', text.length);
}

/* Arguments: each ended by a NUL, the last one's being the text's own last. */
static bool is_argument_list(const struct catalog *catalog,
			     struct catalog_text text)
{
	const char *start = (const char *)(catalog + 1) + text.offset;

	return holds_text(catalog, text) &&
	       (text.length == 0 || start[text.length - 1] == '\0');
}

/* ---- rows ---- */

static const char *pool_fault(const struct catalog *catalog,
			      const struct catalog_pool *pool)
{
	if (!is_path(pool->program))
		return "program";
	if (!is_argument_list(catalog, pool->arguments))
		return "arguments";
	if (!is_name(pool->policy))
		return "policy";
	if (pool->kind >= POOL_KIND_COUNT)
		return "kind";
	if (pool->flags & ~(unsigned)(POOL_CRITICAL | POOL_WORKSPACE | POOL_BATCH |
				       POOL_STATE | POOL_SETTINGS))
		return "flags";
	if (pool->size < 1 || pool->size > CATALOG_POOL_SIZE_MAX)
		return "size";
	if (pool->warm > pool->size)
		return "warm";
	if (pool->calls_max < 1 || pool->calls_max > CATALOG_CALLS_MAX ||
	    (pool->kind == POOL_PER_CALL && pool->calls_max != 1))
		return "calls_max";
	if (pool->workspace_mode > CATALOG_WORKSPACE_MODE_MAX ||
	    (pool->workspace_mode != 0) != ((pool->flags & POOL_WORKSPACE) != 0) ||
	    (pool->flags & POOL_WORKSPACE && pool->flags & POOL_STATE))
		return "workspace_mode";
	if (pool->client_role > ROLE_COUNT)
		return "client_role";
	if (pool->recycle_age_ns < 0)
		return "recycle_age_ns";
	if (pool->idle_ns < 0)
		return "idle_ns";
	return pool->start_ns < 1 ? "start_ns" : NULL;
}

static const char *tool_fault(const struct catalog *catalog,
			      const struct catalog_tool *tool)
{
	if (!is_text(catalog, tool->help))
		return "help";
	if (!is_text(catalog, tool->schema))
		return "schema";
	if (!holds_text(catalog, tool->probe))
		return "probe";
	if (tool->pool >= catalog->pool_count)
		return "pool";
	if (tool->class >= TOOL_CLASS_COUNT)
		return "class";
	if (tool->roles >> ROLE_COUNT)
		return "roles";
	if (tool->queue > CATALOG_QUEUE_MAX)
		return "queue";
	if (tool->concurrency > CATALOG_QUEUE_MAX)
		return "concurrency";
	if (tool->coalesce > (tool->class == TOOL_PURE))
		return "coalesce";
	if (tool->breaker >= BREAKER_MODE_COUNT)
		return "breaker";
	if (tool->overflow >= OVERFLOW_COUNT)
		return "overflow";
	if (tool->deadline_ns < 1 || tool->deadline_ns > tool->deadline_max_ns)
		return "deadline_ns";
	if (tool->idle_ns < 0)
		return "idle_ns";
	if (tool->slow_ns < 1)
		return "slow_ns";
	if (tool->cache_ns < 0 || (tool->cache_ns > 0 && tool->class != TOOL_PURE))
		return "cache_ns";
	if (tool->stale_ns < 0 || (tool->stale_ns > 0 && tool->class != TOOL_PURE))
		return "stale_ns";
	if (tool->output_bytes < 1)
		return "output_bytes";
	return !memchr(tool->fallback, '\0', CATALOG_NAME_BYTES) ? "fallback" : NULL;
}

static int check_name(const char *what, uint32_t index, const char *name,
		      const char *before, struct error *why)
{
	if (!is_name(name))
		return error_set(why, -EBADMSG, "catalog: %s %u has no proper name",
				 what, index);
	if (before && strcmp(before, name) >= 0)
		return error_set(why, -EBADMSG,
				 "catalog: %s %u: '%s' does not follow '%s'",
				 what, index, name, before);
	return 0;
}

static int check_fault(const char *what, const char *name, const char *fault,
		       struct error *why)
{
	if (!fault)
		return 0;
	return error_set(why, -EBADMSG, "catalog: %s '%s': %s is out of range",
			 what, name, fault);
}

static int check_pool(const struct catalog *catalog, uint32_t i,
		      struct error *why)
{
	const struct catalog_pool *pool = &catalog->pools[i];
	int r = check_name("pool", i, pool->name, i ? pool[-1].name : NULL, why);

	return r < 0 ? r : check_fault("pool", pool->name,
				       pool_fault(catalog, pool), why);
}

static int check_tool(const struct catalog *catalog, uint32_t i,
		      struct error *why)
{
	const struct catalog_tool *tool = &catalog->tools[i];
	int r = check_name("tool", i, tool->name, i ? tool[-1].name : NULL, why);

	return r < 0 ? r : check_fault("tool", tool->name,
				       tool_fault(catalog, tool), why);
}

static int check_head(const struct catalog *catalog, size_t bytes,
		      struct error *why)
{
	if (bytes < sizeof(*catalog) || catalog->magic != CATALOG_MAGIC)
		return error_set(why, -EBADMSG, "catalog: not one");
	if (catalog->generation == 0)
		return error_set(why, -EBADMSG, "catalog: generation 0");
	if (catalog->pool_count > CATALOG_POOLS_MAX ||
	    catalog->tool_count > CATALOG_TOOLS_MAX)
		return error_set(why, -EBADMSG, "catalog: %u pools and %u tools",
				 catalog->pool_count, catalog->tool_count);
	if (catalog->text_bytes < 1 ||
	    catalog->text_bytes > CATALOG_TEXT_BYTES_MAX ||
	    catalog->text_bytes != bytes - sizeof(*catalog))
		return error_set(why, -EBADMSG, "catalog: %u bytes of text in %zu",
				 catalog->text_bytes, bytes);
	if (*(const char *)(catalog + 1) != '\0')
		return error_set(why, -EBADMSG,
				 "catalog: the empty text is not empty");
	return 0;
}

int catalog_check(const struct catalog *catalog, size_t bytes,
		  struct error *why)
{
	int r = check_head(catalog, bytes, why);

	for (uint32_t i = 0; r == 0 && i < catalog->pool_count; i++)
		r = check_pool(catalog, i, why);
	for (uint32_t i = 0; r == 0 && i < catalog->tool_count; i++)
		r = check_tool(catalog, i, why);
	for (uint32_t i = 0; r == 0 && i < catalog->tool_count; i++)
		r = check_fault("tool", catalog->tools[i].name,
				catalog_fallback_fault(catalog, &catalog->tools[i]) ?
				"fallback" : NULL, why);
	return r;
}

/* ---- looking things up ---- */

const char *catalog_text(const struct catalog *catalog,
			 struct catalog_text text)
{
	return (const char *)(catalog + 1) + text.offset;
}

/* As strcmp(3), for a name that is not terminated. */
static int compare(const char *row, const char *name, size_t length)
{
	int r = strncmp(row, name, length);

	return r ? r : row[length] != '\0';
}

int catalog_find_tool(const struct catalog *catalog, const char *name,
		      size_t length)
{
	uint32_t low = 0, high = catalog->tool_count;

	if (length == 0 || length >= CATALOG_NAME_BYTES ||
	    memchr(name, '\0', length))
		return -ENOENT;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int r = compare(catalog->tools[middle].name, name, length);

		if (r == 0)
			return (int)middle;
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

const char *catalog_fallback_fault(const struct catalog *catalog,
				   const struct catalog_tool *tool)
{
	int row = catalog_find_tool(catalog, tool->fallback, strlen(tool->fallback));
	const struct catalog_tool *other = row < 0 ? NULL : &catalog->tools[row];

	if (!*tool->fallback)
		return NULL;
	if (tool->class == TOOL_EFFECTFUL)
		return "it is for tools of class pure or idempotent";
	if (!other)
		return "there is no such tool";
	if (other == tool)
		return "that is the tool itself";
	if (*other->fallback)
		return "that tool has a fallback of its own, and a call goes no further than to one";
	if (other->class > tool->class)
		return "calling that tool twice does more than calling this one";
	return NULL;
}

const char *catalog_nearest_tool(const struct catalog *catalog,
				 const char *name, size_t length)
{
	const char *names[CATALOG_TOOLS_MAX + 1] = { NULL };
	char typed[CATALOG_NAME_BYTES] = { 0 };

	if (length >= sizeof(typed))
		return NULL;
	memcpy(typed, name, length);
	for (uint32_t i = 0; i < catalog->tool_count; i++)
		names[i] = catalog->tools[i].name;
	return text_nearest(typed, names);
}
