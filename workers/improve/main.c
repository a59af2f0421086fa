/*
 * cupel-improve: the conductor of the improvement loop, and of tests and
 * benchmarks. It has no files and no network; it calls tools.
 */
#include <errno.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "workers/improve/tools.h"

extern const struct worker_contract contract_improve;

static struct client *client;	/* the program's one link of its own */

int64_t option_integer(const struct session *session, const char *name,
		       int64_t standard)
{
	const json_t *value = json_object_get(session->call->arguments, name);

	return json_is_integer(value) ? json_integer_value(value) : standard;
}

const char *option_text(const struct session *session, const char *name)
{
	return json_string_value(json_object_get(session->call->arguments, name));
}

static int start(struct worker *worker, struct error *why)
{
	(void)worker;
	return session_connect(WORKER_CLIENT_FD, &client, why);
}

static int serve(struct worker_call *call, json_t **ret, struct error *why,
		 int (*tool)(struct session *, json_t **, struct error *))
{
	struct session session = { .call = call, .client = client,
				   .repository = call->workspace };
	const json_t *copies = json_object_get(call->arguments, "copies");
	int r;

	session.workspace = option_text(&session, "workspace");
	for (size_t i = 0; i < json_array_size(copies) && i < SESSION_COPIES_MAX; i++)
		session.copies[session.copy_count++] =
			(uint32_t)json_integer_value(json_array_get(copies, i));
	if (client->lost)
		return error_set(why, -EPIPE, "the link to the router is lost: %s",
				 client->why.text);
	r = tool(&session, ret, why);
	session_end(&session);
	json_decref(session.executions);
	return r;
}

#define TOOL(function)                                                        \
	static int serve_##function(struct worker_call *call, json_t **ret,   \
				    struct error *why)                        \
	{                                                                     \
		return serve(call, ret, why, tool_##function);                \
	}

TOOL(run)
TOOL(apply)
TOOL(roll_back)
TOOL(test)
TOOL(bench)

static const struct worker_tool tools[] = {
	{ .name = "improve.run", .serve = serve_run },
	{ .name = "improve.apply", .serve = serve_apply },
	{ .name = "improve.rollback", .serve = serve_roll_back },
	{ .name = "improve.test", .serve = serve_test },
	{ .name = "improve.bench", .serve = serve_bench },
};

int main(void)
{
	return worker_main(&(struct worker_program){
		.name = "cupel-improve", .contract = &contract_improve, .tools = tools,
		.tool_count = COUNT(tools), .start = start, .client = true });
}
