#include "tests/support/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/store/schema.h"

int store_run(struct database *database, const struct method *method,
	      const json_t *arguments, json_t **ret, struct error *why)
{
	bool lost;
	int r = database_begin(database, method->durable, why);

	if (r < 0)
		return r;
	r = method_run(database, method, arguments, ret, &lost, why);
	if (r < 0) {
		database_roll_back(database);
		return r;
	}
	r = database_commit(database, why);
	if (r < 0)
		json_decref(*ret);
	return r;
}

/* ---- older files ---- */

static void give_up(sqlite3 *sqlite, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(sqlite));
	exit(EXIT_FAILURE);
}

static void execute(sqlite3 *sqlite, const char *sql)
{
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(sqlite, sql);
}

static sqlite3 *open_file(const char *path)
{
	sqlite3 *sqlite;

	if (sqlite3_open(path, &sqlite) != SQLITE_OK)
		give_up(sqlite, path);
	return sqlite;
}

void store_make_older(const char *path, unsigned version)
{
	static const char *const rows[] = {
		"INSERT INTO sessions (workspace, kind) VALUES ('/old', 'improve')",
		"INSERT INTO performance_metrics (session_id, timestamp, metrics_json)"
			" VALUES (1, '2001-01-01', '{\"m\": 1.5, \"text\": \"t\"}'),"
			" (1, '2001-01-02', '{\"m\": 2}'), (NULL, '2001-01-03', '{\"m\": 3}')",
		"INSERT INTO improvements (workspace, suggestion_type, source, description, hash)"
			" VALUES ('/old', 'caching', 's', 'd', 'h')",
		"INSERT INTO experiments (improvement_id, kind, plan)"
			" VALUES (1, 'validate', '{\"benchmark\": \"a\", \"metric\": \"time\"}')",
		"UPDATE experiments SET verdict = 'accept', reason = 'proved'",
		"INSERT INTO lessons (workspace, scope, statement, evidence) VALUES"
			" ('/old', 'setting', 'd', '{\"improvement\": 1}'), ('/old', 'knob', 'k', '{}'),"
			" ('/old', 'setting', 'by hand', '{\"improvement\": 9}')",
		"INSERT INTO test_runs (name) VALUES ('old')",
		"INSERT INTO test_cases (test_run_id, name, outcome) VALUES (1, 'kept', 'failed')",
		"INSERT INTO baselines (workspace, commit_id, metrics) VALUES ('/old', 'c', '{}')",
		"PRAGMA journal_mode = WAL",
		"PRAGMA application_id = 1131769964",
	};
	char sql[64];
	sqlite3 *sqlite;

	unlink(path);
	sqlite = open_file(path);
	for (unsigned i = 0; i < version; i++)
		for (const char *const *statement = schema_migrations[i]; *statement; statement++)
			execute(sqlite, *statement);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		execute(sqlite, rows[i]);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %u", version);
	execute(sqlite, sql);
	sqlite3_close(sqlite);
}

static int check_column(void *want, int count, char **values, char **names)
{
	(void)names;
	return count != 1 || !values[0] || strcmp(values[0], want) != 0;
}

void store_check_version(const char *path, unsigned version)
{
	sqlite3 *sqlite = open_file(path);
	char want[16];

	snprintf(want, sizeof(want), "%u", version);
	if (sqlite3_exec(sqlite, "PRAGMA user_version", check_column, want, NULL) != SQLITE_OK)
		give_up(sqlite, "user_version");
	snprintf(want, sizeof(want), "ok");
	if (sqlite3_exec(sqlite, "PRAGMA integrity_check", check_column, want, NULL) != SQLITE_OK)
		give_up(sqlite, "integrity_check");
	sqlite3_close(sqlite);
}
