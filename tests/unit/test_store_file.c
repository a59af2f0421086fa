/* The store's file: who may open it, how it gets newer, what its rows suffer. */
#include <string.h>
#include <unistd.h>

#include "tests/support/rows.h"
#include "tests/support/store.h"
#include "tests/support/test.h"
#include "workers/store/schema.h"

static struct error why;

/* As every cupel has left one: taken along, and kept as it was beside. */
static void an_older_file_is_taken_along_with_a_backup(void **state)
{
	struct database *of;
	char backup[16];

	(void)state;
	for (unsigned version = 1; version < schema_version; version++) {
		store_make_older("older", version);
		snprintf(backup, sizeof(backup), "older.v%u", version);
		assert_int_equal(access(backup, F_OK), -1);
		assert_int_equal(database_open(&of, "older", &why), 0);
		assert_int_equal(access(backup, F_OK), 0);

		rows_run(of, "INSERT INTO test_cases (test_run_id, name, outcome)"
		       " VALUES (1, 'slow', 'timeout'), (1, 'dead', 'error')");
		assert_true(database_run(of, "INSERT INTO test_cases (test_run_id, name, outcome)"
					 " VALUES (1, 'odd', 'maybe')", NULL, NULL, &why) < 0);
		assert_true(database_run(of, "INSERT INTO test_cases (test_run_id, name, outcome)"
					 " VALUES (9, 'of none', 'passed')", NULL, NULL, &why) < 0);
		rows_show(of, "SELECT group_concat(name || outcome) AS got FROM test_cases",
		      "keptfailed,slowtimeout,deaderror");
		rows_show(of, "SELECT name || coalesce(commit_id, '-') AS got FROM test_runs", "old-");
		rows_show(of, "SELECT group_concat(name) AS got FROM (SELECT name FROM sqlite_schema"
		      " WHERE type = 'trigger' AND name IN ('improvements_teach',"
		      " 'performance_metrics_points', 'samples_stay') ORDER BY name)",
		      "improvements_teach,performance_metrics_points,samples_stay");
		rows_show(of, "SELECT group_concat(metric || ' ' || kind || ' ' || value || ' ' ||"
		      " p.timestamp) AS got FROM points p JOIN series s ON s.id = series_id",
		      "m improve 1.5 2001-01-01,m improve 2.0 2001-01-02");
		rows_show(of, "SELECT group_concat(id || scope || '(' || metric || ') ' || statement ||"
			  " coalesce(' ' || (evidence ->> 'verdict_reason'), '')) AS got FROM lessons",
			  "1setting(a.time) d proved,2knob() k,3setting() by hand");
		rows_show(of, "SELECT seen_ms || ' ' || trusted_ms AS got FROM clock", "0 0");
		database_close(of);

		store_check_version(backup, version);
		unlink("older");
		unlink(backup);
	}
}

static void a_newer_file_and_a_stranger_are_refused(void **state)
{
	struct database *other;
	FILE *file;

	(void)state;
	unlink("newer");
	assert_int_equal(database_open(&other, "newer", &why), 0);
	assert_int_equal(database_run(other, "PRAGMA user_version = 99", NULL, NULL, &why), 0);
	database_close(other);
	assert_int_equal(database_open(&other, "newer", &why), -EUCLEAN);
	assert_non_null(strstr(why.text, "made by a newer cupel"));
	file = fopen("text", "w");
	fputs("this is no database at all, but a text of some length that goes on", file);
	fclose(file);
	assert_true(database_open(&other, "text", &why) < 0);
}

/* A plan stands before its samples, and both before the verdict, which is the last word. */
static void what_was_decided_stays_as_it_was(void **state)
{
	/* 1 is being measured, 2 has its verdict; a sample of each. */
	static const char *const made[] = {
		"INSERT INTO experiments (kind, plan) VALUES ('validate', '{}'), ('aa', '{}')",
		"INSERT INTO samples (experiment_id, pair, arm, value) VALUES (1, 0, 'base', 1), (2, 0, 'base', 1)",
		"UPDATE experiments SET verdict = 'reject', reason = 'r', gain = 1 WHERE id = 2",
	};
	static const struct {
		const char *sql, *says;	/* NULL: it is done */
	} cases[] = {
		{ "UPDATE experiments SET plan = '{\"n\": 1}' WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET kind = 'aa' WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET session_id = NULL WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET improvement_id = NULL WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET timestamp = '' WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET id = 9 WHERE id = 1", "a plan is never changed" },
		{ "UPDATE experiments SET verdict = 'accept' WHERE id = 2", "a verdict is never changed" },
		{ "UPDATE experiments SET verdict = NULL WHERE id = 2", "a verdict is never changed" },
		{ "UPDATE experiments SET reason = 's' WHERE id = 2", "a verdict is never changed" },
		{ "UPDATE experiments SET gain = 2 WHERE id = 2", "a verdict is never changed" },
		{ "UPDATE experiments SET alpha = 0 WHERE id = 2", "a verdict is never changed" },
		{ "DELETE FROM experiments WHERE id = 2", "a verdict is never changed" },
		{ "INSERT INTO experiments (kind, verdict) VALUES ('aa', 'accept')",
		  "an experiment begins with its plan alone" },
		{ "REPLACE INTO experiments (id, kind, plan) VALUES (2, 'aa', '{}')",
		  "an experiment begins with its plan alone" },
		{ "UPDATE samples SET value = 2 WHERE experiment_id = 1", "a sample is never changed" },
		{ "UPDATE samples SET experiment_id = 2 WHERE experiment_id = 1", "a sample is never changed" },
		{ "REPLACE INTO samples (id, experiment_id, pair, arm) VALUES (1, 1, 0, 'base')",
		  "a sample is never changed" },
		{ "INSERT INTO samples (experiment_id, pair, arm) VALUES (2, 1, 'base')",
		  "an experiment with its verdict takes no more samples" },
		{ "DELETE FROM samples WHERE experiment_id = 2", "a sample is never changed" },
		/* What is not decided yet goes on, or away. */
		{ "INSERT INTO samples (experiment_id, pair, arm) VALUES (1, 1, 'base')", NULL },
		{ "UPDATE experiments SET verdict = 'accept', alpha = 0.01 WHERE id = 1", NULL },
		{ "INSERT INTO experiments (kind, plan) VALUES ('watch', '{}')", NULL },
		{ "INSERT INTO samples (experiment_id, pair, arm) VALUES (3, 0, 'base')", NULL },
		{ "DELETE FROM samples WHERE experiment_id = 3", NULL },
		{ "DELETE FROM experiments WHERE id = 3", NULL },
	};
	struct database *of;

	(void)state;
	unlink("decided");
	assert_int_equal(database_open(&of, "decided", &why), 0);
	for (size_t i = 0; i < COUNT(made); i++)
		rows_run(of, made[i]);
	for (size_t i = 0; i < COUNT(cases); i++)
		if (cases[i].says)
			rows_refuse(of, cases[i].sql, cases[i].says);
		else
			rows_run(of, cases[i].sql);
	rows_show(of, "SELECT group_concat(verdict || ' ' || coalesce(gain, '-')) AS got FROM experiments",
		  "accept -,reject 1.0");
	database_close(of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_file_is_taken_along_with_a_backup),
		cmocka_unit_test(what_was_decided_stays_as_it_was),
		cmocka_unit_test(a_newer_file_and_a_stranger_are_refused),
	};

	return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
