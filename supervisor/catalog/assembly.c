#include "supervisor/catalog/assembly.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/convert.h"
#include "common/core/deadline.h"
#include "common/core/hash.h"
#include "sandbox/policy.h"
#include "supervisor/catalog/wider.h"

#define PROBE_BYTES_MAX 4096
#define SLOW_NEVER_NS (24 * 3600 * NS_PER_S)	/* no call takes longer */

int assembly_init(struct assembly *assembly, struct error *why)
{
	assembly->catalog = calloc(1, sizeof(struct catalog) +
					      CATALOG_TEXT_BYTES_MAX);
	if (!assembly->catalog)
		return error_set(why, -ENOMEM, "out of memory");
	assembly->catalog->magic = CATALOG_MAGIC;
	assembly->catalog->text_bytes = 1;	/* the empty one */
	return 0;
}

void assembly_release(struct assembly *assembly)
{
	free(assembly->catalog);
}

/* ---- texts ---- */

static int add_text(struct assembly *assembly, struct span bytes,
		    struct catalog_text *ret, struct error *why)
{
	struct catalog *catalog = assembly->catalog;
	char *place = (char *)(catalog + 1) + catalog->text_bytes;

	*ret = (struct catalog_text){ 0 };
	if (bytes.length == 0)
		return 0;
	if (bytes.length >= CATALOG_TEXT_BYTES_MAX - catalog->text_bytes)
		return error_set(why, -E2BIG,
				 "the manifests hold more than %u bytes of text",
				 CATALOG_TEXT_BYTES_MAX);
	memcpy(place, bytes.data, bytes.length);
	place[bytes.length] = '\0';
	*ret = (struct catalog_text){ catalog->text_bytes,
				      (uint32_t)bytes.length };
	catalog->text_bytes += (uint32_t)bytes.length + 1;
	return 0;
}

static struct span text_span(const struct catalog *catalog,
			     struct catalog_text text)
{
	return (struct span){ (const uint8_t *)catalog_text(catalog, text),
			      text.length };
}

/* ---- rows in the order of their names ---- */

static int insert_pool(struct catalog *catalog, const struct catalog_pool *pool,
		       uint32_t *ret, struct error *why)
{
	uint32_t at = 0;

	if (catalog->pool_count == CATALOG_POOLS_MAX)
		return error_set_code(why, -E2BIG, ERROR_RESOURCE_EXHAUSTED,
				      "more than %d workers; take manifests out of the "
				      "directory, or let one worker serve several tools",
				      CATALOG_POOLS_MAX);
	while (at < catalog->pool_count &&
	       strcmp(catalog->pools[at].name, pool->name) < 0)
		at++;
	memmove(&catalog->pools[at + 1], &catalog->pools[at],
		(catalog->pool_count++ - at) * sizeof(*pool));
	catalog->pools[at] = *pool;
	for (uint32_t i = 0; i < catalog->tool_count; i++)
		catalog->tools[i].pool += catalog->tools[i].pool >= at;
	*ret = at;
	return 0;
}

static int insert_tool(struct catalog *catalog, const struct catalog_tool *tool,
		       struct error *why)
{
	uint32_t at = 0;

	if (catalog->tool_count == CATALOG_TOOLS_MAX)
		return error_set_code(why, -E2BIG, ERROR_RESOURCE_EXHAUSTED,
				      "more than %d tools; take manifests out of the "
				      "directory, or let one tool tell cases apart by "
				      "an argument", CATALOG_TOOLS_MAX);
	while (at < catalog->tool_count &&
	       strcmp(catalog->tools[at].name, tool->name) < 0)
		at++;
	if (at < catalog->tool_count &&
	    strcmp(catalog->tools[at].name, tool->name) == 0)
		return error_set(why, -EINVAL, "tool %s is another worker's already",
				 tool->name);
	memmove(&catalog->tools[at + 1], &catalog->tools[at],
		(catalog->tool_count++ - at) * sizeof(*tool));
	catalog->tools[at] = *tool;
	return 0;
}

static const struct catalog_pool *find_pool(const struct catalog *catalog,
					    const char *name)
{
	for (uint32_t i = 0; catalog && i < catalog->pool_count; i++)
		if (strcmp(catalog->pools[i].name, name) == 0)
			return &catalog->pools[i];
	return NULL;
}

static const struct catalog_tool *find_tool(const struct catalog *catalog,
					    const char *name)
{
	int i = catalog ? catalog_find_tool(catalog, name, strlen(name)) : -ENOENT;

	return i < 0 ? NULL : &catalog->tools[i];
}

/* ---- what stands behind a name ---- */

/* 1 if it is a program that can be executed, 0 if there is none. */
static int look_at_program(int place, const char *name, const char *path,
			   struct stat *ret, struct error *why)
{
	if (fstatat(place, name, ret, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
		       error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(ret->st_mode) || !(ret->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return error_set(why, -EINVAL, "program %s: it cannot be executed", path);
	return 1;
}

static int find_program(const struct assembly *assembly, const char *name,
			char ret[CATALOG_PATH_BYTES], struct stat *ret_status,
			struct error *why)
{
	static const struct place absolute[] = { { "", AT_FDCWD }, { NULL, 0 } };
	const struct place *place = name[0] == '/' ? absolute : assembly->places;

	for (; place->path; place++) {
		int length = snprintf(ret, CATALOG_PATH_BYTES, "%s%s%s", place->path,
				      *place->path ? "/" : "", name);
		int r;

		if (length >= CATALOG_PATH_BYTES)
			return error_set(why, -ENAMETOOLONG, "program %s: its path is too long",
					 name);
		if (place->fd == -ENOENT)
			continue;
		r = look_at_program(place->fd, name, ret, ret_status, why);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return error_set(why, -ENOENT, "program %s: there is none%s%s", name,
			 name[0] == '/' ? "" : " in ",
			 name[0] == '/' ? "" : assembly->places[0].path);
}

static int check_policy(const struct assembly *assembly, const char *name,
			struct error *why)
{
	if (policy_preset(name))
		return 0;
	for (const char *const *known = assembly->policies; known && *known; known++)
		if (strcmp(*known, name) == 0)
			return 0;
	return error_set(why, -ENOENT,
			 "policy %s: it is none of those the supervisor has loaded; see cupel policy list",
			 name);
}

/* Another program or another way to start it: another hash. */
static uint64_t hash_pool(const struct catalog_pool *pool, struct span arguments,
			  const struct stat *program)
{
	static const struct hash_key key = { { 0 } };
	struct {
		struct catalog_pool pool;
		uint64_t arguments, device, inode, size, changed_s, changed_ns;
	} all;

	memset(&all, 0, sizeof(all));	/* its gaps are hashed, too */
	memcpy(&all.pool, pool, sizeof(*pool));
	all.pool.arguments = (struct catalog_text){ 0 };
	all.arguments = hash_bytes(&key, arguments);
	all.device = program->st_dev;
	all.inode = program->st_ino;
	all.size = (uint64_t)program->st_size;
	all.changed_s = (uint64_t)program->st_mtim.tv_sec;
	all.changed_ns = (uint64_t)program->st_mtim.tv_nsec;
	return hash_bytes(&key, (struct span){ (const uint8_t *)&all, sizeof(all) });
}

/* ---- a manifest as rows ---- */

static int join_arguments(struct manifest *manifest, struct span *ret,
			  struct error *why)
{
	const struct config_list *list = &manifest_worker(manifest)->arguments;
	size_t bytes = 0;
	char *text, *end;

	for (size_t i = 0; i < list->count; i++)
		bytes += strlen(list->items[i]) + 1;
	text = end = arena_alloc(&manifest->config.memory, bytes);
	if (!text)
		return error_set(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < list->count; i++)
		end = stpcpy(end, list->items[i]) + 1;
	*ret = (struct span){ (const uint8_t *)text, bytes };
	return 0;
}

static void fill_pool(struct catalog_pool *pool,
		      const struct manifest_worker *worker)
{
	memset(pool, 0, sizeof(*pool));
	snprintf(pool->name, sizeof(pool->name), "%s", worker->title);
	snprintf(pool->policy, sizeof(pool->policy), "%s", worker->policy);
	pool->kind = worker->kind;
	pool->workspace_mode = worker->workspace;
	pool->flags = (worker->critical ? POOL_CRITICAL : 0) |
		      (worker->workspace ? POOL_WORKSPACE : 0) |
		      (worker->state ? POOL_STATE : 0) |
		      (worker->settings ? POOL_SETTINGS : 0) |
		      (worker->batch ? POOL_BATCH : 0);
	pool->size = (uint32_t)worker->size;
	pool->warm = (uint32_t)worker->warm;
	pool->calls_max = (uint32_t)worker->calls;
	pool->client_role = worker->client_role;
	pool->recycle_calls = (uint64_t)worker->recycle_calls;
	pool->recycle_age_ns = worker->recycle_age_ns;
	pool->recycle_bytes = (uint64_t)worker->recycle_bytes;
	pool->idle_ns = worker->idle_ns;
	pool->start_ns = worker->start_ns;
}

static int add_pool(struct assembly *assembly, struct manifest *manifest,
		    uint32_t *ret, struct error *why)
{
	const struct manifest_worker *worker = manifest_worker(manifest);
	const struct catalog_pool *before =
		find_pool(assembly->previous, worker->title);
	struct catalog_pool pool;
	struct span arguments = { 0 };
	struct stat program;
	int r;

	fill_pool(&pool, worker);
	r = find_program(assembly, worker->program, pool.program, &program, why);
	if (r == 0)
		r = check_policy(assembly, worker->policy, why);
	if (r == 0 && before && !assembly->may_widen)
		r = wider_pool(before, &pool, why);
	if (r == 0)
		r = join_arguments(manifest, &arguments, why);
	if (r < 0)
		return r;
	pool.hash = hash_pool(&pool, arguments, &program);
	r = add_text(assembly, arguments, &pool.arguments, why);
	return r < 0 ? r : insert_pool(assembly->catalog, &pool, ret, why);
}

static int add_schema(struct assembly *assembly, struct manifest *manifest,
		      const struct manifest_tool *tool,
		      struct catalog_text *ret, struct error *why)
{
	const struct catalog_tool *other;
	const char *schema;
	int r = manifest_schema(manifest, tool, &schema, why);

	if (r < 0)
		return r;
	if (schema[0] != '@')
		return add_text(assembly, span_of_text(schema), ret, why);
	other = find_tool(assembly->catalog, schema + 1);
	if (!other)
		return error_set(why, -ENOENT,
				 "tool %s: schema: there is no tool '%s' before it",
				 tool->title, schema + 1);
	*ret = other->schema;
	return 0;
}

/* The router sends it as it is: as the wire has it. */
static int add_probe(struct assembly *assembly, const struct manifest_tool *tool,
		     struct catalog_text *ret, struct error *why)
{
	const struct json_limits limits = { CATALOG_TEXT_BYTES_MAX, 8 };
	uint8_t bytes[PROBE_BYTES_MAX];
	json_t *arguments;
	int r;

	if (!*tool->probe)
		return add_text(assembly, (struct span){ 0 }, ret, why);
	r = json_parse(span_of_text(tool->probe), limits, &arguments, why);
	if (r < 0)
		return error_prefix(why, r, "tool %s: probe", tool->title);
	r = convert_from_json(arguments, bytes, sizeof(bytes), why);
	json_decref(arguments);
	if (r < 0)
		return error_prefix(why, r, "tool %s: probe", tool->title);
	return add_text(assembly, (struct span){ bytes, (size_t)r }, ret, why);
}

/* What a single-use worker is told to do takes the time it takes. */
static int64_t slow_ns_of(const struct manifest_tool *tool, enum pool_kind kind)
{
	if (tool->slow_ns > 0)
		return tool->slow_ns;
	return kind == POOL_PER_CALL ? SLOW_NEVER_NS : (tool->deadline_ns + 2) / 3;
}

/* What came with the program was tried out before. */
static uint32_t breaker_mode_of(const struct manifest *manifest,
				const struct manifest_tool *tool)
{
	return manifest->builtin && tool->breaker == BREAKER_ROLLS_OUT ?
	       BREAKER_ENFORCES : tool->breaker;
}

static void fill_tool(struct catalog_tool *row, const struct manifest_tool *tool,
		      enum pool_kind kind)
{
	memset(row, 0, sizeof(*row));
	snprintf(row->name, sizeof(row->name), "%s", tool->title);
	row->class = tool->class;
	row->roles = manifest_role_bits(tool);
	row->queue = (uint32_t)tool->queue;
	row->concurrency = (uint32_t)tool->concurrency;
	row->overflow = tool->overflow;
	row->coalesce = tool->coalesce;
	row->deadline_ns = tool->deadline_ns;
	row->deadline_max_ns = tool->deadline_max_ns;
	row->idle_ns = tool->idle_ns;
	row->slow_ns = slow_ns_of(tool, kind);
	row->cache_ns = tool->cache_ns;
	row->stale_ns = tool->stale_ns;
	row->output_bytes = (uint64_t)tool->output_bytes;
	snprintf(row->fallback, sizeof(row->fallback), "%s", tool->fallback);
}

static int add_tool(struct assembly *assembly, struct manifest *manifest,
		    const struct manifest_tool *tool, uint32_t pool,
		    struct error *why)
{
	const struct catalog_tool *before =
		find_tool(assembly->previous, tool->title);
	struct catalog_tool row;
	int r;

	fill_tool(&row, tool, assembly->catalog->pools[pool].kind);
	row.breaker = breaker_mode_of(manifest, tool);
	row.pool = pool;
	r = before && !assembly->may_widen ? wider_tool(before, &row, why) : 0;
	if (r == 0)
		r = add_text(assembly, span_of_text(tool->help), &row.help, why);
	if (r == 0)
		r = add_probe(assembly, tool, &row.probe, why);
	if (r == 0)
		r = add_schema(assembly, manifest, tool, &row.schema, why);
	return r < 0 ? r : insert_tool(assembly->catalog, &row, why);
}

int assembly_add(struct assembly *assembly, struct manifest *manifest,
		 struct error *why)
{
	struct catalog *catalog = assembly->catalog;
	struct catalog *before = malloc(sizeof(*before));
	uint32_t pool;
	int r;

	if (!before)
		return error_set(why, -ENOMEM, "out of memory");
	*before = *catalog;
	r = add_pool(assembly, manifest, &pool, why);
	for (size_t i = 0; r == 0 && i < manifest->tools.count; i++)
		r = add_tool(assembly, manifest, manifest_tool(manifest, i),
			     pool, why);
	if (r < 0)	/* texts beyond text_bytes are nobody's */
		*catalog = *before;
	free(before);
	return r < 0 ? error_prefix(why, r, "%s", manifest->file) : 0;
}

/* ---- what was there before ---- */

static int keep_tool(struct assembly *assembly, const struct catalog_tool *old,
		     uint32_t pool)
{
	const struct catalog *from = assembly->previous;
	struct catalog_tool tool = *old;
	int r;

	tool.pool = pool;
	r = add_text(assembly, text_span(from, old->help), &tool.help, NULL);
	if (r == 0)
		r = add_text(assembly, text_span(from, old->schema), &tool.schema, NULL);
	if (r == 0)
		r = add_text(assembly, text_span(from, old->probe), &tool.probe, NULL);
	return r < 0 ? r : insert_tool(assembly->catalog, &tool, NULL);
}

bool assembly_keep(struct assembly *assembly, const char *worker)
{
	const struct catalog *from = assembly->previous;
	const struct catalog_pool *old = find_pool(from, worker);
	struct catalog_pool pool;
	uint32_t at;

	if (!old)
		return false;
	pool = *old;
	if (add_text(assembly, text_span(from, old->arguments), &pool.arguments, NULL) < 0 ||
	    insert_pool(assembly->catalog, &pool, &at, NULL) < 0)
		return false;
	for (uint32_t i = 0; i < from->tool_count; i++)
		if (&from->pools[from->tools[i].pool] == old)
			(void)keep_tool(assembly, &from->tools[i], at);
	return true;
}

/* Where its calls had another way before, its owner has to say so. */
static const char *fallback_fault(const struct assembly *assembly,
				  const struct catalog_tool *tool)
{
	const struct catalog_tool *before = find_tool(assembly->previous, tool->name);
	const char *fault = catalog_fallback_fault(assembly->catalog, tool);

	if (!fault && *tool->fallback && before && !assembly->may_widen &&
	    strcmp(before->fallback, tool->fallback) != 0)
		return "its calls went nowhere else before; 'cupel tools reload' permits it";
	return fault;
}

bool assembly_drop_fallback(struct assembly *assembly, struct error *why)
{
	struct catalog *catalog = assembly->catalog;

	for (uint32_t i = 0; i < catalog->tool_count; i++) {
		struct catalog_tool *tool = &catalog->tools[i];
		const char *fault = fallback_fault(assembly, tool);

		if (!fault)
			continue;
		error_set(why, -EINVAL, "%s" MANIFEST_SUFFIX ": tool %s: fallback %s: %s; the tool has none",
			  catalog->pools[tool->pool].name, tool->name, tool->fallback,
			  fault);
		memset(tool->fallback, 0, sizeof(tool->fallback));
		return true;
	}
	return false;
}

size_t assembly_finish(struct assembly *assembly)
{
	const struct catalog *from = assembly->previous;
	struct catalog *catalog = assembly->catalog;
	size_t bytes = sizeof(*catalog) + catalog->text_bytes;

	catalog->generation = from ? from->generation : 1;
	if (from && (from->text_bytes != catalog->text_bytes ||
		     memcmp(from, catalog, bytes) != 0))
		catalog->generation++;
	return bytes;
}
