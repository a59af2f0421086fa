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
		      " 'performance_metrics_points') ORDER BY name)",
		      "improvements_teach,performance_metrics_points");
		rows_show(of, "SELECT group_concat(metric || ' ' || kind || ' ' || value || ' ' ||"
		      " p.timestamp) AS got FROM points p JOIN series s ON s.id = series_id",
		      "m improve 1.5 2001-01-01,m improve 2.0 2001-01-02");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_file_is_taken_along_with_a_backup),
		cmocka_unit_test(a_newer_file_and_a_stranger_are_refused),
	};

	return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
