/*
 * cupel-store: the one writer of the database in its own directory.
 *
 * It is started in that directory and can reach no other; no network, no
 * process. Its tools are the rows of methods.c.
 */
#include <errno.h>

#include "workers/store/methods.h"
#include "workers/worker.h"

#define DATABASE_PATH "cupel.db"

extern const struct worker_contract contract_store;

static struct database *database;

static int serve(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct method *method = method_named(call->promise->name);

	if (!method)
		return error_set(why, -ENOSYS, "%s: no such method", call->promise->name);
	return method_run(database, method, call->arguments, ret, why);
}

static int start(struct worker *worker, struct error *why)
{
	(void)worker;
	return database_open(&database, DATABASE_PATH, why);
}

static void stop(struct worker *worker)
{
	(void)worker;
	if (database)
		database_close(database);
}

static const struct worker_tool tools[] = {
	{ .name = NULL, .serve = serve },	/* every name of the manifest */
};

int main(void)
{
	return worker_main(&(struct worker_program){
		.name = "cupel-store", .contract = &contract_store, .tools = tools,
		.tool_count = 1, .calls_max = 64, .argument_bytes_max = 16U << 20,
		.start = start, .stop = stop });
}
