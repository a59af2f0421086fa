/*
 * cupel-store: the one writer of the database in its own directory.
 *
 * It is started in that directory and can reach no other; no network, no
 * process. Its tools are the rows of methods.c.
 *
 * What arrives together is committed together, and answered only then: one
 * transaction of the calls of a turn, in which one that fails undoes only what
 * it did itself. A call that must be on the disk has no other kind beside it.
 * Between calls it rolls up and throws away what is old (retention.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "workers/store/methods.h"
#include "workers/store/retention.h"
#include "workers/worker.h"

#define DATABASE_PATH "cupel.db"
#define CALLS_MAX 64
#define PIECE_NS (5 * NS_PER_MS)	/* from one to the next */
#define PASS_NS (3600 * NS_PER_S)

extern const struct worker_contract contract_store;

static struct database *database;
static struct error refused;	/* why there is none, for whoever asks */
static struct retention retention;

/* A call of a transaction, until it is answered. */
struct joined {
	json_t *answer;
	bool over;		/* the transaction is */
	struct error why;	/* it came to nothing, if there is a text */
};

/* The calls of the transaction that is open. */
static struct {
	struct joined *calls[CALLS_MAX];
	size_t count;		/* 0: none is open */
	bool durable;
} group;

static void end_all(const struct error *why)
{
	for (size_t i = 0; i < group.count; i++) {
		group.calls[i]->over = true;
		group.calls[i]->why = *why;
	}
	group.count = 0;
}

static void commit(void)
{
	struct error why = { 0 };

	if (group.count && database_commit(database, &why) == 0)
		why = (struct error){ 0 };
	end_all(&why);
}

/* The first that is woken commits for all; each answers for itself. */
static void woken(struct worker_call *call)
{
	struct joined *joined = call->state;

	if (!joined->over)
		commit();
	if (joined->why.text[0]) {
		json_decref(joined->answer);
		worker_fail(call, &joined->why);
	} else {
		worker_finish(call, joined->answer);
	}
}

static int run(struct worker_call *call, const struct method *method, struct joined *joined,
	       struct error *why)
{
	bool lost;
	int r = group.count ? 0 : database_begin(database, method->durable, why);

	if (r < 0)
		return r;
	r = method_run(database, method, call->arguments, &joined->answer, &lost, why);
	if (r < 0 && group.count == 0)
		database_roll_back(database);
	else if (r < 0 && lost)
		end_all(why);
	return r;
}

static int join(struct worker_call *call, const struct method *method, struct error *why)
{
	struct joined *joined = arena_alloc(&call->memory, sizeof(*joined));
	int r;

	if (!joined)
		return error_set(why, -ENOMEM, "out of memory");
	if (group.count == CALLS_MAX || (group.count && group.durable != method->durable))
		commit();
	*joined = (struct joined){ 0 };
	r = run(call, method, joined, why);
	if (r < 0)
		return r;
	call->state = joined;
	group.durable = method->durable;
	group.calls[group.count++] = joined;
	worker_wake_at(call, clock_now_ns());
	return WORKER_PENDING;
}

static int serve(struct worker_call *call, json_t **ret, struct error *why)
{
	const struct method *method = method_named(call->promise->name);

	(void)ret;
	if (!method)
		return error_set(why, -ENOSYS, "%s: no such method", call->promise->name);
	if (!database) {
		*why = refused;
		return -EUCLEAN;
	}
	return join(call, method, why);
}

/* ---- between calls ---- */

static void say_clock(struct worker *worker, enum retention_verdict verdict)
{
	static const char *const words[] = {
		[RETENTION_BACK] = "the clock was set back: by it nothing is thrown away before a day has confirmed it",
		[RETENTION_AHEAD] = "the clock is far ahead of when it was seen last: by it nothing is thrown away before a day has confirmed it",
	};

	if (verdict != RETENTION_STEADY)
		log_write(&worker->log, LEVEL_WARNING, words[verdict], NULL);
}

static int64_t idle(struct worker *worker, int64_t now_ns)
{
	struct error why;
	bool begins = retention.step == 0;
	int r;

	if (!database)
		return DEADLINE_NEVER;
	commit();
	r = retention_run(&retention, database, clock_wall_ns() / NS_PER_MS, &why);
	if (r < 0)
		log_write(&worker->log, LEVEL_ERROR, "what is old cannot be thrown away",
			  LOG_FIELDS(log_text("reason", why.text)));
	else if (begins)
		say_clock(worker, retention.verdict);
	return now_ns + (r > 0 ? PIECE_NS : PASS_NS);
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
	{ .name = NULL, .serve = serve, .woken = woken },	/* every name of the manifest */
};

int main(int argc, char **argv)
{
	static struct settings settings;
	struct error why;

	if (settings_take(&settings, "store", argc, argv, &why) < 0) {
		fprintf(stderr, "cupel-store: %s\n", why.text);
		return WORKER_EXIT_CONTRACT;
	}
	retention.settings = settings.store;
	return worker_main(&(struct worker_program){
		.name = "cupel-store", .contract = &contract_store, .tools = tools,
		.tool_count = 1, .calls_max = CALLS_MAX, .argument_bytes_max = 16U << 20,
		.start = start, .idle = idle, .stop = stop });
}
