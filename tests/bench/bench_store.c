/*
 * What appending events costs beside bare SQLite: the same rows into the same
 * table of another file, by one prepared statement, in as large transactions.
 * And what a trend costs where a million values are kept as they were.
 */
#include "tests/support/bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/store.h"

#define BATCH 1000
#define TREND 1000		/* what one answers at most */
#define KIND "step"
#define DATA "{\"pairs\":10,\"words\":\"proving: +5.1 %, at least +2.0 %\"}"

static void give_up(const char *what)
{
	fprintf(stderr, "bench_store: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- ours ---- */

struct store {
	struct database *database;
	const struct method *method;
	json_t *arguments;
};

static void append(void *context, uint64_t count)
{
	struct store *store = context;
	struct error why;
	json_t *answer;

	for (uint64_t i = 0; i < count; i++) {
		if (store_run(store->database, store->method, store->arguments, &answer,
			       &why) < 0)
			give_up(why.text);
		if (json_integer_value(json_object_get(answer, "stored")) != BATCH)
			give_up("not all events are stored");
		json_decref(answer);
	}
}

static json_t *batch_of_events(void)
{
	json_t *events = json_array();

	for (int i = 0; i < BATCH; i++)
		json_array_append_new(events, json_pack(
			"{s:s, s:o}", "kind", KIND, "data", json_loads(DATA, 0, NULL)));
	return json_pack("{s:o}", "events", events);
}

static void read_trend(void *context, uint64_t count)
{
	struct store *store = context;
	struct error why;
	json_t *answer;

	for (uint64_t i = 0; i < count; i++) {
		if (store_run(store->database, method_named("store.trend"), store->arguments,
			      &answer, &why) < 0)
			give_up(why.text);
		if (json_array_size(json_object_get(answer, "trend")) != TREND)
			give_up("not all of the trend is there");
		json_decref(answer);
	}
}

/* Ten at a time, a second apart, of two series each; one metric is asked for. */
static void fill(struct database *database)
{
	static const char *const sql[] = {
		"INSERT INTO sessions (workspace, kind) VALUES ('/w', 'bench'), ('/w', 'improve')",
		"PRAGMA synchronous = OFF",
		"PRAGMA cache_size = -400000",
		"WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 100000)"
		" INSERT INTO performance_metrics (session_id, timestamp, metrics_json)"
		" SELECT 1 + n % 2, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch'),"
		" json_object('m.time', n, 'b', n, 'c', n, 'd', n, 'e', n, 'f', n, 'g', n, 'h', n,"
		" 'i', n, 'j', n) FROM i",
	};
	struct error why;

	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
		if (database_run(database, sql[i], NULL, NULL, &why) < 0)
			give_up(why.text);
}

/* ---- the floor ---- */

struct bare {
	sqlite3 *database;
	sqlite3_stmt *insert;
};

static void insert(void *context, uint64_t count)
{
	struct bare *bare = context;

	for (uint64_t i = 0; i < count; i++) {
		sqlite3_exec(bare->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		for (int row = 0; row < BATCH; row++) {
			sqlite3_bind_null(bare->insert, 1);
			sqlite3_bind_text(bare->insert, 2, KIND, -1, SQLITE_STATIC);
			sqlite3_bind_text(bare->insert, 3, DATA, -1, SQLITE_STATIC);
			if (sqlite3_step(bare->insert) != SQLITE_DONE)
				give_up(sqlite3_errmsg(bare->database));
			sqlite3_reset(bare->insert);
		}
		if (sqlite3_exec(bare->database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
			give_up(sqlite3_errmsg(bare->database));
	}
}

/* A file that has the store's schema already. */
static struct bare open_bare(const char *path)
{
	struct bare bare;

	if (sqlite3_open(path, &bare.database) != SQLITE_OK ||
	    sqlite3_exec(bare.database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			 "PRAGMA foreign_keys = ON", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(bare.database, "INSERT INTO events (session_id, kind, data)"
			       " VALUES (?, ?, ?)", -1, &bare.insert, NULL) != SQLITE_OK)
		give_up(sqlite3_errmsg(bare.database));
	return bare;
}

static struct database *open_store(const char *path)
{
	struct database *database;
	struct error why;

	if (database_open(&database, path, &why) < 0)
		give_up(why.text);
	return database;
}

int main(void)
{
	char folder[] = "/tmp/cupel-bench.XXXXXX", command[64];
	struct store store = { .method = method_named("store.event"),
			       .arguments = batch_of_events() };
	bool met;

	if (!mkdtemp(folder) || chdir(folder) < 0)
		give_up("no folder");
	store.database = open_store("ours");
	database_close(open_store("bare"));
	struct bare bare = open_bare("bare");

	met = bench_pair("store: events appended in thousands, 0.5 x bare SQLite",
			 (struct bench_side){ "store.event", append, &store },
			 (struct bench_side){ "bare SQLite", insert, &bare }, 2);
	json_decref(store.arguments);
	fill(store.database);
	store.arguments = json_pack("{s:s, s:s}", "workspace", "/w", "metric", "m.time");
	met &= bench_alone("store: a trend out of a million values",
			   (struct bench_side){ "store.trend", read_trend, &store }, 20e6);
	sqlite3_finalize(bare.insert);
	sqlite3_close(bare.database);
	database_close(store.database);
	json_decref(store.arguments);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 && met ? EXIT_SUCCESS : EXIT_FAILURE;
}
