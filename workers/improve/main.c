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

/* The store's key is the directory that was handed over, not what a caller says it is. */
static int check_key(struct session *session, struct error *why)
{
	const char *directory = NULL;
	json_t *answer = NULL;
	int r;

	if (!session->workspace)
		return 0;
	r = session_ask(session, "git.where", session->repository, json_object(), &answer, why);
	if (r < 0)
		return r;
	directory = json_string_value(json_object_get(answer, "directory"));
	if (!directory || strcmp(directory, session->workspace) != 0)
		r = error_set_code(why, -EPERM, ERROR_PERMISSION_DENIED,
				   "workspace: %s is not the directory that was handed over, which is %s",
				   session->workspace, directory ? directory : "unknown");
	json_decref(answer);
	return r;
}

static int serve(struct worker_call *call, json_t **ret, struct error *why,
		 int (*tool)(struct session *, json_t **, struct error *), bool checked)
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
	r = checked ? check_key(&session, why) : 0;
	if (r == 0)
		r = tool(&session, ret, why);
	session_end(&session);
	json_decref(session.executions);
	return r;
}

/* What only measures keeps what it measured where its commands say they ran. */
#define TOOL(function, checked)                                               \
	static int serve_##function(struct worker_call *call, json_t **ret,   \
				    struct error *why)                        \
	{                                                                     \
		return serve(call, ret, why, tool_##function, checked);       \
	}

TOOL(run, true)
TOOL(apply, true)
TOOL(roll_back, true)
TOOL(test, false)
TOOL(bench, false)

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
