/*
 * manifest.h - one manifest file as a struct (cupel-tool(5)).
 *
 *	worker NAME { program = ...  policy = ...  pool = ondemand  ... }
 *	tool NAME { help = ...  schema = { ... }  class = pure  ... }
 *	tool NAME.method { ... }
 *
 * The file is called NAME.tool, so that a file that cannot be read is still
 * known to be that worker's. Whatever it says that it may not say is refused
 * with file, line and what is permitted there; what it means in this place
 * (is there such a program, such a policy) is for catalog_row.h to judge.
 */
#ifndef CUPEL_SUPERVISOR_CATALOG_MANIFEST_H
#define CUPEL_SUPERVISOR_CATALOG_MANIFEST_H

#include "common/config.h"
#include "common/json.h"

#define MANIFEST_SUFFIX ".tool"
#define MANIFEST_TOOLS_MAX 64

struct manifest_worker {
	const char *title;
	const char *program;
	struct config_list arguments;
	const char *policy;
	unsigned kind;		/* enum pool_kind */
	int64_t size, warm, calls;
	bool critical, state, settings, batch;
	unsigned workspace;	/* enum workspace_mode */
	unsigned client_role;	/* enum caller_role; ROLE_COUNT: none */
	int64_t recycle_calls, recycle_age_ns, recycle_bytes;
	int64_t idle_ns, start_ns;
};

struct manifest_tool {
	const char *title;
	const char *help;
	struct config_list schema;	/* its pieces; "@TOOL": that tool's */
	unsigned class;			/* enum tool_class */
	struct config_list roles;
	int64_t queue, concurrency;
	bool coalesce;
	unsigned overflow;		/* enum overflow */
	unsigned breaker;		/* enum breaker_mode */
	int64_t deadline_ns, deadline_max_ns, idle_ns, slow_ns, cache_ns, stale_ns;
	const char *fallback;
	const char *probe;
	int64_t output_bytes;
};

struct manifest {
	struct config config;		/* owns what the rest points at */
	struct config_blocks workers, tools;
	const char *file;		/* the caller's */
	bool builtin;			/* the same: it came with the program */
};

/* Names in manifests, in the order of enum caller_role; NULL at the end. */
extern const char *const manifest_roles[];

/*
 * Reads a manifest; file stands for it in errors, and its name without folder
 * and suffix is the worker's. 0, or -EINVAL with the reason; release it in
 * either case.
 */
int manifest_parse(struct manifest *ret, const char *file, struct span text,
		   struct error *why);
void manifest_release(struct manifest *manifest);

const struct manifest_worker *manifest_worker(const struct manifest *manifest);
const struct manifest_tool *manifest_tool(const struct manifest *manifest,
					  size_t index);

/* The roles of a tool, a bit per enum caller_role. */
uint32_t manifest_role_bits(const struct manifest_tool *tool);

/*
 * The pieces of a schema as compact text in memory of the manifest, linted.
 * A schema of one piece "@TOOL" is left as it is.
 */
int manifest_schema(struct manifest *manifest, const struct manifest_tool *tool,
		    const char **ret, struct error *why);

/* The manual's tables of the keys, in mdoc(7). */
void manifest_print_manual(FILE *out);

#endif
