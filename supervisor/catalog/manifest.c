#include "supervisor/catalog/manifest.h"

#include <errno.h>
#include <string.h>

#include "common/catalog.h"
#include "common/config_print.h"
#include "common/config_store.h"
#include "common/core/deadline.h"
#include "common/core/retry.h"
#include "common/schema.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (24 * HOUR_NS)

const char *const manifest_roles[] = { "owner", "member", "agent", "improve", NULL };
static const char *const client_roles[] = { "owner", "member", "agent",
					    "improve", "none", NULL };

#define WORKER(member, kind) SETTING(struct manifest_worker, member, kind)
#define TOOL(member, kind) SETTING(struct manifest_tool, member, kind)

/* In the order of enum workspace_mode, sandbox/policy.h. */
static const char *const workspace_modes[] = { "none", "direct", "readonly", "overlay",
					       NULL };

static const struct config_row worker_rows[] = {
	{ "program", WORKER(program, STRING), 1, CATALOG_PATH_BYTES - 1, NULL, NULL,
	  "The program: an absolute path, or a name to be found among Cupel's own programs.", NULL },
	{ "arguments", WORKER(arguments, LIST), 0, 32, "", NULL,
	  "Its arguments.", NULL },
	{ "policy", WORKER(policy, STRING), 1, CATALOG_NAME_BYTES - 1, "strict", NULL,
	  "The policy that confines it, by name (see cupel-policy(5)).", NULL },
	{ "pool", WORKER(kind, ENUM), 0, 0, "ondemand", NULL,
	  "When a worker is started: always (not for a workspace), when there is work, or anew for each call.", catalog_kinds },
	{ "size", WORKER(size, INT), 1, CATALOG_POOL_SIZE_MAX, "1", "workers",
	  "The most there are at a time.", NULL },
	{ "warm", WORKER(warm, INT), 0, CATALOG_POOL_SIZE_MAX, "0", "workers",
	  "How many wait idle, of a pool with workspaces for each of them; at most size.", NULL },
	{ "calls", WORKER(calls, INT), 1, CATALOG_CALLS_MAX, "1", "calls",
	  "How many one worker serves at a time; 1 in a pool per_call.", NULL },
	{ "critical", WORKER(critical, BOOL), 0, 0, "false", NULL,
	  "Whether the supervisor is unhealthy without it.", NULL },
	{ "workspace", WORKER(workspace, ENUM), 0, 0, "none", NULL,
	  "Whether a worker belongs to one workspace, and how it has it.", workspace_modes },
	{ "state", WORKER(state, BOOL), 0, 0, "false", NULL,
	  "Whether it has a directory of its own, which stays, below that of the state; not beside a workspace.", NULL },
	{ "settings", WORKER(settings, BOOL), 0, 0, "false", NULL,
	  "Whether what cupel.conf says in a section of its name follows its arguments, each number, size or duration as NAME=VALUE.", NULL },
	{ "batch", WORKER(batch, BOOL), 0, 0, "false", NULL,
	  "Whether its workers yield the processor to all others, where their cgroups can, and it is off when resources are short.", NULL },
	{ "client_role", WORKER(client_role, ENUM), 0, 0, "none", NULL,
	  "As whom it calls other tools itself.", client_roles },
	{ "recycle_calls", WORKER(recycle_calls, INT), 0, INT64_MAX, "0", "calls",
	  "A worker that has served that many is replaced; 0: never, as below.", NULL },
	{ "recycle_age", WORKER(recycle_age_ns, DURATION), 0, 365 * DAY_NS, "0", NULL,
	  "One that is so old is replaced.", NULL },
	{ "recycle_memory", WORKER(recycle_bytes, SIZE), 0, 1024 * GIB, "0", NULL,
	  "One that holds so much memory is replaced.", NULL },
	{ "idle", WORKER(idle_ns, DURATION), 0, 365 * DAY_NS, "60s", NULL,
	  "One on demand leaves after so long without a call; 0: never.", NULL },
	{ "start", WORKER(start_ns, DURATION), NS_PER_MS, 2 * 60 * NS_PER_S, "10s", NULL,
	  "The longest it may take to become ready.", NULL },
};

static const struct config_row tool_rows[] = {
	{ "help", TOOL(help, STRING), 1, 200, NULL, NULL,
	  "One line on what it does.", NULL },
	{ "schema", TOOL(schema, LIST), 0, 512, "", NULL,
	  "The JSON Schema of its arguments, in as many pieces as are legible; @TOOL for that of another.", NULL },
	{ "class", TOOL(class, ENUM), 0, 0, "effectful", NULL,
	  "What calling it twice does: nothing at all, the same as once, or more.", catalog_classes },
	{ "roles", TOOL(roles, LIST), 0, ROLE_COUNT, "", NULL,
	  "Who may call it, of owner, member, agent and improve; without such a line the owner.", NULL },
	{ "queue", TOOL(queue, INT), 0, CATALOG_QUEUE_MAX, "64", "calls",
	  "How many may wait.", NULL },
	{ "overflow", TOOL(overflow, ENUM), 0, 0, "reject", NULL,
	  "When so many do: whether one more is refused, the oldest that is no more urgent gives way, or it waits for room.", catalog_overflows },
	{ "concurrency", TOOL(concurrency, INT), 0, CATALOG_QUEUE_MAX, "0", "calls",
	  "How many may run at a time; 0: as many as its workers take.", NULL },
	{ "coalesce", TOOL(coalesce, BOOL), 0, 0, "false", NULL,
	  "Whether equal calls at a time become one; of a pure tool only.", NULL },
	{ "deadline", TOOL(deadline_ns, DURATION), NS_PER_MS, DAY_NS, "30s", NULL,
	  "How long a call may take whose caller names no deadline.", NULL },
	{ "deadline_max", TOOL(deadline_max_ns, DURATION), NS_PER_MS, DAY_NS, "10m", NULL,
	  "How long any call may take.", NULL },
	{ "idle", TOOL(idle_ns, DURATION), 0, DAY_NS, "0", NULL,
	  "A call without progress for so long ends; 0: it does not.", NULL },
	{ "slow", TOOL(slow_ns, DURATION), 0, DAY_NS, "0", NULL,
	  "A call that takes longer counts as slow for its breaker; 0: than a third of deadline, or of a pool per_call none.", NULL },
	{ "cache", TOOL(cache_ns, DURATION), 0, DAY_NS, "0", NULL,
	  "How long a result answers equal calls; 0: not at all; of a pure tool only.", NULL },
	{ "stale", TOOL(stale_ns, DURATION), 0, DAY_NS, "0", NULL,
	  "How long after that it still answers them while the tool cannot serve; 0: not at all; of a pure tool only.", NULL },
	{ "fallback", TOOL(fallback, STRING), 0, CATALOG_NAME_BYTES - 1, "", NULL,
	  "The tool that is called with the same arguments while this one cannot serve; of a pure or idempotent tool only.", NULL },
	{ "output", TOOL(output_bytes, SIZE), 1, 1024 * GIB, "64M", NULL,
	  "The most one call may answer, streamed or not.", NULL },
	{ "breaker", TOOL(breaker, ENUM), 0, 0, "rollout", NULL,
	  "Whether its breaker rejects calls, only counts what it would reject, or that for the first seven days of a tool that is not built in.", catalog_breaker_modes },
	{ "probe", TOOL(probe, STRING), 0, 4096, "", NULL,
	  "Arguments, as JSON, of a call that does no harm, to see whether it works again.", NULL },
};

static const struct config_section sections[] = {
	{ .name = "worker", .help = "A program and how many of it run.",
	  .rows = worker_rows, .row_count = COUNT(worker_rows),
	  .block_bytes = sizeof(struct manifest_worker),
	  .blocks_offset = offsetof(struct manifest, workers), .blocks_max = 1 },
	{ .name = "tool", .help = "What it can be asked to do.",
	  .rows = tool_rows, .row_count = COUNT(tool_rows),
	  .block_bytes = sizeof(struct manifest_tool),
	  .blocks_offset = offsetof(struct manifest, tools),
	  .blocks_max = MANIFEST_TOOLS_MAX },
};

void manifest_print_manual(FILE *out)
{
	config_print_manual(out, sections, COUNT(sections));
}

const struct manifest_worker *manifest_worker(const struct manifest *manifest)
{
	return manifest->workers.items;
}

const struct manifest_tool *manifest_tool(const struct manifest *manifest,
					  size_t index)
{
	const struct manifest_tool *tools = manifest->tools.items;

	return &tools[index];
}

void manifest_release(struct manifest *manifest)
{
	config_release(&manifest->config);
}

/* ---- what the rows cannot say ---- */

/* Refuses a member's value: "file:line: sentence". */
__attribute__((format(printf, 4, 5)))
static int refuse(const struct manifest *manifest, const void *member,
		  struct error *why, const char *format, ...)
{
	const struct config_set *set = config_find_set(&manifest->config, member);
	char text[ERROR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!set)
		return error_set(why, -EINVAL, "%s: %s", manifest->file, text);
	return error_set(why, -EINVAL, "%s:%u: %s", manifest->file, set->line,
			 text);
}

/* "a/b/fs.tool" is the worker fs's. */
static bool is_file_of(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t length = strlen(name);

	return strncmp(base, name, length) == 0 &&
	       strcmp(base + length, MANIFEST_SUFFIX) == 0;
}

static int check_worker(const struct manifest *manifest, struct error *why)
{
	const struct manifest_worker *worker = manifest_worker(manifest);
	const char *name = worker->title;

	if (!is_file_of(manifest->file, name))
		return refuse(manifest, NULL, why,
			      "worker %s: its file must be called %s"
			      MANIFEST_SUFFIX, name, name);
	if (worker->warm > worker->size)
		return refuse(manifest, &worker->warm, why,
			      "worker %s: warm must be at most size, which is %ld",
			      name, (long)worker->size);
	if (worker->kind == POOL_PER_CALL && worker->calls != 1)
		return refuse(manifest, &worker->calls, why,
			      "worker %s: calls must be 1 in a pool per_call",
			      name);
	if (worker->kind == POOL_STATIC && worker->workspace)
		return refuse(manifest, &worker->kind, why,
			      "worker %s: pool must be ondemand or per_call where "
			      "workers belong to a workspace", name);
	if (worker->state && worker->workspace)
		return refuse(manifest, &worker->state, why,
			      "worker %s: state is for workers without a workspace",
			      name);
	if (worker->program[0] != '/' && strchr(worker->program, '/'))
		return refuse(manifest, &worker->program, why,
			      "worker %s: program must be an absolute path or a bare name",
			      name);
	return 0;
}

/* A tool is the worker's own name, or one below it. */
static bool is_tool_of(const char *worker, const char *tool)
{
	size_t length = strlen(worker);

	return strncmp(tool, worker, length) == 0 &&
	       (tool[length] == '\0' ||
		(tool[length] == '.' && tool[length + 1] != '\0'));
}

static int check_times(const struct manifest *manifest,
		       const struct manifest_tool *tool, struct error *why)
{
	if (tool->deadline_ns > tool->deadline_max_ns)
		return refuse(manifest, &tool->deadline_ns, why,
			      "tool %s: deadline must be at most deadline_max",
			      tool->title);
	if (tool->idle_ns > tool->deadline_max_ns)
		return refuse(manifest, &tool->idle_ns, why,
			      "tool %s: idle must be at most deadline_max",
			      tool->title);
	return 0;
}

static int check_class(const struct manifest *manifest,
		       const struct manifest_tool *tool, struct error *why)
{
	const char *class = catalog_classes[tool->class];

	if (tool->class == TOOL_EFFECTFUL && *tool->fallback)
		return refuse(manifest, &tool->fallback, why,
			      "tool %s: fallback is for tools of class pure or idempotent, not %s",
			      tool->title, class);
	if (tool->class == TOOL_PURE)
		return 0;
	if (tool->stale_ns > 0)
		return refuse(manifest, &tool->stale_ns, why,
			      "tool %s: stale is for tools of class pure, not %s",
			      tool->title, class);
	if (tool->cache_ns > 0)
		return refuse(manifest, &tool->cache_ns, why,
			      "tool %s: cache is for tools of class pure, not %s",
			      tool->title, class);
	if (tool->coalesce)
		return refuse(manifest, &tool->coalesce, why,
			      "tool %s: coalesce is for tools of class pure, not %s",
			      tool->title, class);
	return 0;
}

static unsigned place_among(const char *const *names, const char *name)
{
	unsigned i = 0;

	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	return i;
}

uint32_t manifest_role_bits(const struct manifest_tool *tool)
{
	uint32_t bits = tool->roles.count ? 0 : 1U << ROLE_OWNER;

	for (size_t i = 0; i < tool->roles.count; i++)
		bits |= 1U << place_among(manifest_roles, tool->roles.items[i]);
	return bits;
}

static int check_roles(const struct manifest *manifest,
		       const struct manifest_tool *tool, struct error *why)
{
	for (size_t i = 0; i < tool->roles.count; i++)
		if (place_among(manifest_roles, tool->roles.items[i]) == ROLE_COUNT)
			return refuse(manifest, &tool->roles, why,
				      "tool %s: there is no role '%s'; there are owner, member, agent and improve",
				      tool->title, tool->roles.items[i]);
	return 0;
}

/* ---- JSON in a manifest ---- */

static const struct json_limits json_limits = { CONFIG_BYTES_MAX, 32 };

static int join(struct manifest *manifest, const struct config_list *pieces,
		const char **ret, struct error *why)
{
	const char *text = "";

	for (size_t i = 0; text && i < pieces->count; i++)
		text = arena_text(&manifest->config.memory, "%s%s%s", text,
				  i ? "\n" : "", pieces->items[i]);
	*ret = text;
	return text ? 0 : error_set(why, -ENOMEM, "out of memory");
}

/* Compact, in memory of the manifest. */
static int keep(struct manifest *manifest, json_t *json, const char **ret,
		struct error *why)
{
	size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	char *text = arena_alloc(&manifest->config.memory, size + 1);

	if (!text)
		return error_set(why, -ENOMEM, "out of memory");
	json_dumpb(json, text, size, JSON_COMPACT | JSON_ENCODE_ANY);
	*ret = text;
	return 0;
}

int manifest_schema(struct manifest *manifest, const struct manifest_tool *tool,
		    const char **ret, struct error *why)
{
	json_auto_t *schema = NULL;
	const char *text;
	int r = join(manifest, &tool->schema, &text, why);

	if (r < 0)
		return r;
	if (tool->schema.count == 0 || text[0] == '@') {
		*ret = tool->schema.count ? text : "true";
		return 0;
	}
	r = json_parse(span_of_text(text), json_limits, &schema, why);
	if (r == 0)
		r = schema_lint(schema, why);
	return r < 0 ? r : keep(manifest, schema, ret, why);
}

static int judge_probe(const struct manifest_tool *tool, const char *schema,
		       struct error *why)
{
	json_auto_t *arguments = NULL, *form = NULL;
	int r = json_parse(span_of_text(tool->probe), json_limits, &arguments, why);

	if (r < 0 || schema[0] == '@')
		return r;
	r = json_parse(span_of_text(schema), json_limits, &form, why);
	return r < 0 ? r : schema_check(form, arguments, why);
}

static int check_json(struct manifest *manifest, const struct manifest_tool *tool,
		      struct error *why)
{
	struct error reason;
	const char *schema = NULL;

	if (manifest_schema(manifest, tool, &schema, &reason) < 0)
		return refuse(manifest, &tool->schema, why, "tool %s: schema: %s",
			      tool->title, reason.text);
	if (*tool->probe && judge_probe(tool, schema, &reason) < 0)
		return refuse(manifest, &tool->probe, why, "tool %s: probe: %s",
			      tool->title, reason.text);
	return 0;
}

static int check_tool(struct manifest *manifest, const struct manifest_tool *tool,
		      struct error *why)
{
	const char *worker = manifest_worker(manifest)->title;
	int r;

	if (!is_tool_of(worker, tool->title))
		return refuse(manifest, &tool->help, why,
			      "tool %s: it must be called %s, or %s.METHOD",
			      tool->title, worker, worker);
	if (strlen(tool->title) >= CATALOG_NAME_BYTES)
		return refuse(manifest, &tool->help, why,
			      "tool %s: a name has at most %d letters",
			      tool->title, CATALOG_NAME_BYTES - 1);
	r = check_times(manifest, tool, why);
	if (r == 0)
		r = check_class(manifest, tool, why);
	if (r == 0)
		r = check_roles(manifest, tool, why);
	return r < 0 ? r : check_json(manifest, tool, why);
}

static int check(struct manifest *manifest, struct error *why)
{
	int r;

	if (manifest->workers.count == 0)
		return refuse(manifest, NULL, why, "there is no worker NAME { ... }");
	if (manifest->tools.count == 0)
		return refuse(manifest, NULL, why, "there is no tool NAME { ... }");
	r = check_worker(manifest, why);
	for (size_t i = 0; r == 0 && i < manifest->tools.count; i++)
		r = check_tool(manifest, manifest_tool(manifest, i), why);
	return r;
}

int manifest_parse(struct manifest *ret, const char *file, struct span text,
		   struct error *why)
{
	int r;

	*ret = (struct manifest){ .file = file };
	config_init(&ret->config, sections, COUNT(sections), ret);
	r = config_parse(&ret->config, file, text, why);
	return r < 0 ? r : check(ret, why);
}
