/* What gets old in a real database, by a clock of the test's own. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/core/deadline.h"
#include "tests/support/store.h"
#include "tests/support/test.h"
#include "workers/store/retention.h"

#define DAY RETENTION_DAY_MS
#define NOW (INT64_C(20000) * DAY)	/* 2024-10-04 */
#define TIME(ms) "strftime('%Y-%m-%dT%H:%M:%fZ', (" ms ") / 1000.0, 'unixepoch')"

static struct database *database;
static struct retention retention;
static struct error why;

/* ---- the clock ---- */

static void a_clock_is_trusted_once_a_day_has_confirmed_it(void **state)
{
	static const struct {
		const char *name;
		int64_t now_ms;
		enum retention_verdict want;
		int64_t trusted_ms;
	} looks[] = {
		{ "the first look",		NOW,		RETENTION_STEADY, 0 },
		{ "an hour later",		NOW + DAY / 24,	RETENTION_STEADY, 0 },
		{ "a day later",		NOW + DAY,	RETENTION_STEADY, NOW },
		{ "a weekend later",		NOW + 4 * DAY,	RETENTION_STEADY, NOW + DAY },
		{ "ten years ahead",		NOW + 3650 * DAY, RETENTION_AHEAD, NOW + 4 * DAY },
		{ "still so",			NOW + 3650 * DAY + 1, RETENTION_STEADY, NOW + 4 * DAY },
		{ "set right again",		NOW + 5 * DAY,	RETENTION_BACK, NOW + 4 * DAY },
		{ "the day after",		NOW + 6 * DAY,	RETENTION_STEADY, NOW + 5 * DAY },
		{ "back before what was trusted", NOW,		RETENTION_BACK, 0 },
		{ "and right again",		NOW + 7 * DAY,	RETENTION_STEADY, NOW },
		{ "1970",			1000,		RETENTION_BACK, 0 },
	};
	struct retention_clock clock = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(looks); i++) {
		enum retention_verdict got = retention_look(&clock, looks[i].now_ms);

		test_row(got == looks[i].want && clock.trusted_ms == looks[i].trusted_ms,
			 "%s: %d, trusted %lld", looks[i].name, got, (long long)clock.trusted_ms);
	}
}

static void nothing_is_old_without_trust(void **state)
{
	const struct retention_clock none = { NOW, 0 }, some = { NOW, NOW - DAY };

	(void)state;
	assert_int_equal(retention_before(&none, DAY), 0);
	assert_int_equal(retention_before(&some, 7 * DAY), NOW - 8 * DAY);
	assert_int_equal(retention_before(&some, 2 * NOW), 0);
}

/* ---- a store ---- */

/* Takes over the arguments. */
static void execute_with(const char *sql, json_t *arguments)
{
	if (database_run(database, sql, arguments, NULL, &why) < 0)
		fail_msg("%s: %s", sql, why.text);
	json_decref(arguments);
}

static void execute(const char *sql)
{
	execute_with(sql, NULL);
}

/* The first column of the first row, as text. */
static const char *select_text(const char *sql)
{
	static char text[4096];
	json_t *rows = json_array();

	if (database_run(database, sql, NULL, rows, &why) < 0)
		fail_msg("%s: %s", sql, why.text);
	const json_t *value = json_object_iter_value(json_object_iter(json_array_get(rows, 0)));

	snprintf(text, sizeof(text), "%s", json_is_string(value) ? json_string_value(value) : "");
	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	json_decref(rows);
	return text;
}

#define SHOWS(sql, want) assert_string_equal(select_text(sql), want)

static int open_store(void **state)
{
	(void)state;
	unlink("db");
	unlink("db-wal");
	unlink("db-shm");
	retention = (struct retention){ .settings = { .raw_ns = 7 * DAY * NS_PER_MS,
		.minutes_ns = 30 * DAY * NS_PER_MS, .events_ns = 30 * DAY * NS_PER_MS } };
	if (database_open(&database, "db", &why) < 0)
		return -1;
	execute("INSERT INTO sessions (workspace, kind) VALUES ('/w', 'improve'), ('/w', 'bench')");
	return 0;
}

static int close_store(void **state)
{
	(void)state;
	database_close(database);
	return 0;
}

/* As if the store had looked at the clock so often already. */
static void trust(int64_t now_ms)
{
	execute_with("UPDATE clock SET seen_ms = :seen, trusted_ms = 0",
		     json_pack("{s:I}", "seen", (json_int_t)(now_ms - DAY)));
}

/* count snapshots of the session, so far apart; t is 1, 2, 3, ... and u ten times that. */
static void measure(int session, int64_t from_ms, int64_t apart_ms, int count)
{
	execute_with("WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
		     " WHERE n < :count) INSERT INTO performance_metrics (session_id, timestamp, metrics_json)"
		     " SELECT :session, " TIME(":from + (n - 1) * :apart") ", json_object('t', n, 'u', 10.0 * n,"
		     " 'word', 'x', 'none', NULL) FROM i",
		     json_pack("{s:i, s:i, s:I, s:I}", "count", count, "session", session, "from",
			       (json_int_t)from_ms, "apart", (json_int_t)apart_ms));
}

static int pass(int64_t now_ms)
{
	int pieces = 1, r;

	while ((r = retention_run(&retention, database, now_ms, &why)) == 1)
		pieces++;
	if (r < 0)
		fail_msg("%s", why.text);
	return pieces;
}

/* Every value of a metric there is or was, whatever it has become. */
#define ALL(metric)                                                           \
	"SELECT group_concat(part, ' ') FROM (SELECT step || ':' || count(*) || '/' || sum(n) || '=' ||" \
	" CAST(sum(total) AS INTEGER) AS part FROM (SELECT 'raw' AS step, 1 AS n, value AS total, series_id FROM points" \
	" UNION ALL SELECT step, n, sum, series_id FROM rollups) JOIN series ON series.id = series_id" \
	" WHERE metric = '" metric "' GROUP BY step ORDER BY step)"

static void what_is_old_is_rolled_up_by_minutes_and_then_by_hours(void **state)
{
	(void)state;
	measure(1, NOW - 10 * DAY, 10000, 600);	/* 100 minutes of 6 */
	measure(1, NOW - 2 * DAY, 1000, 10);
	trust(NOW);
	SHOWS(ALL("t"), "raw:610/610=180355");
	assert_true(pass(NOW) > 3);
	SHOWS(ALL("t"), "minute:100/600=180300 raw:10/10=55");
	SHOWS("SELECT n || ' ' || sum || ' ' || least || ' ' || most || ' ' || last || ' ' || timestamp"
	      " FROM rollups JOIN series s ON s.id = series_id WHERE metric = 't'"
	      " ORDER BY timestamp LIMIT 1", "6 21.0 1.0 6.0 6.0 2024-09-24T00:00:00.000Z");
	SHOWS("SELECT count(*) FROM performance_metrics", "10");
	SHOWS("SELECT group_concat(metric) FROM series", "t,u");
	pass(NOW + 1);	/* nothing is done twice */
	SHOWS(ALL("t"), "minute:100/600=180300 raw:10/10=55");
	pass(NOW + 25 * DAY);
	pass(NOW + 26 * DAY);
	SHOWS(ALL("t"), "hour:2/600=180300 minute:1/10=55");
	SHOWS(ALL("u"), "hour:2/600=1803000 minute:1/10=550");
	SHOWS("SELECT n || ' ' || least || ' ' || most || ' ' || last || ' ' || timestamp FROM rollups"
	      " JOIN series s ON s.id = series_id WHERE metric = 't' AND step = 'hour'"
	      " ORDER BY timestamp LIMIT 1", "360 1.0 360.0 360.0 2024-09-24T00:00:00.000Z");
	pass(NOW + 1000 * DAY);
	pass(NOW + 1001 * DAY);
	pass(NOW + 1002 * DAY);
	SHOWS(ALL("t"), "hour:3/610=180355");
}

/* What belongs to a minute, and comes after it was rolled up, joins it. */
static void a_minute_that_is_there_already_grows(void **state)
{
	(void)state;
	measure(1, NOW - 10 * DAY, 1000, 3);
	trust(NOW);
	pass(NOW);
	measure(1, NOW - 10 * DAY + 5000, 1000, 2);
	measure(2, NOW - 10 * DAY + 5000, 1000, 1);
	pass(NOW + 1);
	SHOWS("SELECT group_concat(n || ' ' || sum || ' ' || last || ' ' || kind) FROM rollups"
	      " JOIN series s ON s.id = series_id WHERE metric = 't'", "5 9.0 2.0 improve,1 1.0 1.0 bench");
}

static void trend_reads_all_of_it(void **state)
{
	json_t *arguments = json_pack("{s:s, s:s}", "workspace", "/w", "metric", "t"), *answer;
	static const struct {
		const char *step;
		int n;
		double mean, min, max, last;
	} want[] = {
		{ "raw", 1, 2, 2, 2, 2 }, { "raw", 1, 1, 1, 1, 1 },
		{ "minute", 3, 2, 1, 3, 3 }, { "hour", 4, 2.5, 1, 4, 4 },
	};

	(void)state;
	measure(1, NOW - 50 * DAY, 1000, 4);
	measure(1, NOW - 10 * DAY, 1000, 3);
	measure(1, NOW - 2 * DAY, 1000, 2);
	trust(NOW);
	pass(NOW);
	assert_int_equal(store_run(database, method_named("store.trend"), arguments, &answer, &why), 0);
	const json_t *trend = json_object_get(answer, "trend");

	assert_int_equal(json_array_size(trend), COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		const char *step, *by, *at;
		double mean, min, max, last;
		json_t *median;
		int n;

		assert_int_equal(json_unpack(json_array_get(trend, i),
			"{s:s, s:s, s:s, s:i, s:F, s:F, s:F, s:F, s:o}", "step", &step, "by", &by,
			"at", &at, "n", &n, "mean", &mean, "min", &min, "max", &max, "last", &last,
			"median", &median), 0);
		test_row(strcmp(step, want[i].step) == 0 && strcmp(by, "improve") == 0 &&
			 n == want[i].n && mean == want[i].mean && min == want[i].min &&
			 max == want[i].max && last == want[i].last &&
			 json_is_null(median) == (i > 1) &&
			 (i > 1 || json_number_value(median) == mean),
			 "%zu: %s %d %g %g %g %g", i, step, n, mean, min, max, last);
	}
	json_decref(answer);
	json_decref(arguments);
}

static void events_and_calls_go_and_what_was_decided_stays(void **state)
{
	static const char *const old[] = {
		"INSERT INTO events (kind, timestamp) VALUES ('old', " TIME(":old") "), ('new', " TIME(":new") ")",
		"INSERT INTO calls (call, tool, client_role, outcome, attempts, wall_ns, timestamp) VALUES"
			" (1, 't', 'owner', 'ok', 1, 5, " TIME(":old") "), (2, 't', 'owner', 'ok', 1, 5, " TIME(":new") ")",
	};
	static const char *const kept[] = {
		"INSERT INTO improvements (workspace, suggestion_type, source, description, hash, timestamp)"
			" VALUES ('/w', 'caching', 's', 'd', 'h', '2000-01-01')",
		"INSERT INTO experiments (improvement_id, kind, timestamp) VALUES (1, 'validate', '2000-01-01')",
		"INSERT INTO samples (experiment_id, pair, arm, value) VALUES (1, 0, 'base', 1.5)",
		"UPDATE experiments SET verdict = 'accept'",
		"INSERT INTO test_results (improvement_id, timestamp) VALUES (1, '2000-01-01')",
		"INSERT INTO test_runs (session_id, name, timestamp) VALUES (1, 'n', '2000-01-01')",
		"INSERT INTO test_cases (test_run_id, name, outcome) VALUES (1, 'c', 'passed')",
		"INSERT INTO baselines (workspace, commit_id, timestamp) VALUES ('/w', 'c', '2000-01-01')",
		"INSERT INTO audit (timestamp, kind, previous, hash) VALUES ('2000-01-01', 'k', '', 'h')",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(old); i++)
		execute_with(old[i], json_pack("{s:I, s:I}", "old", (json_int_t)(NOW - 32 * DAY), "new",
					       (json_int_t)(NOW - 29 * DAY)));
	for (size_t i = 0; i < COUNT(kept); i++)
		execute(kept[i]);
	trust(NOW);
	pass(NOW);
	SHOWS("SELECT group_concat(kind) FROM events", "new");
	SHOWS("SELECT group_concat(call) FROM calls", "2");
	SHOWS("SELECT (SELECT count(*) FROM improvements) || (SELECT count(*) FROM experiments) ||"
	      " (SELECT count(*) FROM samples) || (SELECT count(*) FROM test_results) ||"
	      " (SELECT count(*) FROM test_runs) || (SELECT count(*) FROM test_cases) ||"
	      " (SELECT count(*) FROM baselines) || (SELECT count(*) FROM audit)", "11111111");
}

static void a_clock_that_jumps_throws_nothing_away(void **state)
{
	(void)state;
	measure(1, NOW - 6 * DAY, 1000, 3);
	trust(NOW);
	pass(NOW + 3650 * DAY);
	assert_int_equal(retention.verdict, RETENTION_AHEAD);
	pass(NOW + 3650 * DAY + DAY / 2);
	SHOWS(ALL("t"), "raw:3/3=6");
	pass(NOW + DAY);	/* somebody has set it right */
	assert_int_equal(retention.verdict, RETENTION_BACK);
	pass(NOW + DAY + 1);
	SHOWS(ALL("t"), "raw:3/3=6");
	pass(NOW - 3650 * DAY);
	assert_int_equal(retention.verdict, RETENTION_BACK);
	pass(NOW + DAY);
	SHOWS(ALL("t"), "raw:3/3=6");
}

/* A child dies at a random moment of a pass, a hundred times. */
static void killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice(void **state)
{
	int stopped = 0;

	(void)state;
	measure(1, NOW - 40 * DAY, 60000, 3000);
	measure(2, NOW - 9 * DAY, 1000, 3000);
	trust(NOW);
	for (int round = 0; round < 100; round++) {
		int status;

		database_close(database);
		pid_t child = fork();

		if (child == 0) {
			if (database_open(&database, "db", &why) == 0)
				while (retention_run(&retention, database, NOW, &why) > 0)
					;
			_exit(0);
		}
		usleep((useconds_t)(1000 + 400 * round % 20000));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		stopped += WIFSIGNALED(status);
		assert_int_equal(database_open(&database, "db", &why), 0);
		SHOWS("SELECT sum(n) || '=' || CAST(sum(total) AS INTEGER) FROM (SELECT 1 AS n, value AS total,"
		      " series_id FROM points UNION ALL SELECT n, sum, series_id FROM rollups)"
		      " JOIN series ON series.id = series_id WHERE metric = 't'", "6000=9003000");
	}
	assert_true(stopped > 5);
	pass(NOW);
	SHOWS(ALL("t"), "hour:50/3000=4501500 minute:50/3000=4501500");
	SHOWS("SELECT integrity_check FROM pragma_integrity_check", "ok");
}

static void free_pages_are_given_back(void **state)
{
	(void)state;
	execute_with("WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
		     " WHERE n < 20000) INSERT INTO events (kind, data, timestamp) SELECT 'k',"
		     " json_quote(hex(zeroblob(200))), " TIME(":old") " FROM i",
		     json_pack("{s:I}", "old", (json_int_t)(NOW - 60 * DAY)));
	int before = atoi(select_text("SELECT page_count FROM pragma_page_count"));

	trust(NOW);
	assert_true(pass(NOW) > 30);
	int after = atoi(select_text("SELECT page_count FROM pragma_page_count"));

	SHOWS("SELECT count(*) FROM events", "0");
	test_row(before > 2000 && after < 500, "%d pages before, %d after", before, after);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_store, close_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_is_trusted_once_a_day_has_confirmed_it),
		cmocka_unit_test(nothing_is_old_without_trust),
		TEST(what_is_old_is_rolled_up_by_minutes_and_then_by_hours),
		TEST(a_minute_that_is_there_already_grows),
		TEST(trend_reads_all_of_it),
		TEST(events_and_calls_go_and_what_was_decided_stays),
		TEST(a_clock_that_jumps_throws_nothing_away),
		TEST(killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice),
		TEST(free_pages_are_given_back),
	};

	return cmocka_run_group_tests_name("retention", tests, test_enter_folder, test_leave_folder);
}
