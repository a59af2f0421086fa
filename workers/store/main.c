/*
 * cupel-store: the one writer of the database in its own directory.
 *
 * It is started in that directory and can reach no other; no network, no
 * process. Its tools are the rows of methods.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workers/store/methods.h"
#include "workers/worker.h"

#define DATABASE_PATH "cupel.db"

extern const struct worker_contract contract_store;

static struct database *database;
static struct error refused;	/* why there is none, for whoever asks */

static int serve(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct method *method = method_named(call->promise->name);

	if (!method)
		return error_set(why, -ENOSYS, "%s: no such method", call->promise->name);
	if (!database) {
		*why = refused;
		return -EUCLEAN;
	}
	return method_run(database, method, call->arguments, ret, why);
}

static int start(struct worker *worker, struct error *why)
{
	char directory[3900], path[4096];
	int r;

	(void)worker;
	if (!getcwd(directory, sizeof(directory)))
		return error_set(why, -errno, "where the database is: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/" DATABASE_PATH, directory);
	r = database_open(&database, path, why);
	if (r != -EUCLEAN)
		return r;
	/* To start again does not help: a person has to hear of it. */
	error_set_code(&refused, r, ERROR_FAILED_PRECONDITION, "%s", why->text);
	return 0;
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
