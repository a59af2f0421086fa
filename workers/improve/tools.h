/*
 * tools.h - what the worker offers; a file each, and a row in main.c.
 */
#ifndef CUPEL_WORKERS_IMPROVE_TOOLS_H
#define CUPEL_WORKERS_IMPROVE_TOOLS_H

#include "workers/improve/session.h"
#include "workers/improve/workspace_file.h"

/* As struct worker_tool has it, with the session of the call. */
int tool_run(struct session *session, json_t **ret, struct error *why);
int tool_apply(struct session *session, json_t **ret, struct error *why);
int tool_roll_back(struct session *session, json_t **ret, struct error *why);
int tool_test(struct session *session, json_t **ret, struct error *why);
int tool_bench(struct session *session, json_t **ret, struct error *why);

/* Builds the workspace itself; -EINVAL with the build's last words. */
int workspace_build(struct session *session, const struct workspace_file *file,
		    struct error *why);

/*
 * Whether all that is asked for is known, both lists of texts; else -ENOENT with
 * what there is: "there is no test 'x' in cupel.conf; there are a, b".
 */
int workspace_check_names(const json_t *asked, const json_t *known, const char *no,
			  const char *there_are, struct error *why);

/*
 * Keeps a run of tests or benchmarks (kind) and all its commands: row has what
 * else is known of it and is stolen, r and why how it ended. Returns r; where
 * the store cannot, or no command ran there, that is logged and changes nothing.
 */
int workspace_keep(struct session *session, const char *kind, int64_t began_ns,
		   json_t *row, int r, const struct error *why);

/* An option of the call: an integer, or the standard one. */
int64_t option_integer(const struct session *session, const char *name,
		       int64_t standard);
const char *option_text(const struct session *session, const char *name);

#endif
