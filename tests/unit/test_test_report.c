/*
 * Reports of tests in other words: what JUnit and TAP readers take for marks
 * stays text, and our own readers read what our writers wrote.
 */
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/json.h"
#include "supervisor/cli/test_report.h"
#include "tests/support/test.h"
#include "workers/improve/cases.h"

static json_t *sample(void)
{
	return json_pack("{s:i, s:i, s:i, s:I, s:[{s:s, s:s, s:s, s:I}, {s:s, s:s, s:s},"
			 " {s:s, s:s, s:s}]}", "passed", 1, "failed", 1, "skipped", 1, "wall_ns",
			 (json_int_t)1500000, "cases",
			 "name", "unit: adds", "outcome", "passed", "detail", "", "duration_ns",
			 (json_int_t)2000000,
			 "name", "unit: <a> & \"b\" # SKIP it", "outcome", "failed", "detail",
			 "line 1\nline \x01 ]]> 2",
			 "name", "more: later", "outcome", "skipped", "detail", "no # network");
}

static char *written(void (*write)(FILE *out, const json_t *report))
{
	json_t *report = sample();
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	write(out, report);
	fclose(out);
	json_decref(report);
	return text;
}

static void junit_is_as_others_write_it(void **state)
{
	char *text = written(test_report_junit);

	(void)state;
	assert_string_equal(text,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.001500\">\n"
		"  <testsuite name=\"unit\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"0.002000\">\n"
		"    <testcase classname=\"unit\" name=\"adds\" time=\"0.002000\"/>\n"
		"    <testcase classname=\"unit\" name=\"&lt;a&gt; &amp; &quot;b&quot; # SKIP it\" time=\"0.000000\">\n"
		"      <failure message=\"line 1\\nline \\x01 ]]&gt; 2\"/>\n"
		"    </testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"more\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\" time=\"0.000000\">\n"
		"    <testcase classname=\"more\" name=\"later\" time=\"0.000000\">\n"
		"      <skipped message=\"no # network\"/>\n"
		"    </testcase>\n"
		"  </testsuite>\n"
		"</testsuites>\n");
	free(text);
}

/* Ended by its time limit: not the test's verdict, and no success. */
static void a_timeout_is_told_as_an_error(void **state)
{
	json_t *report = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:[{s:s, s:s, s:s}]}",
				   "passed", 1, "failed", 1, "skipped", 0, "timeouts", 1,
				   "errors", 0, "wall_ns", 0, "cases", "name", "slow: it",
				   "outcome", "timeout", "detail", "ended by wall");
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	test_report_junit(out, report);
	test_report_tap(out, report);
	fclose(out);
	assert_non_null(strstr(text, "<testsuites tests=\"1\" failures=\"0\" errors=\"1\""));
	assert_non_null(strstr(text, "name=\"slow\" tests=\"1\" failures=\"0\" errors=\"1\""));
	assert_non_null(strstr(text, "<error type=\"timeout\" message=\"ended by wall\"/>"));
	assert_non_null(strstr(text, "not ok 1 - slow: it\n"));
	assert_false(test_report_passed(report));
	json_decref(report);
	free(text);
}

static void tap_is_version_13(void **state)
{
	char *text = written(test_report_tap);

	(void)state;
	assert_string_equal(text,
		"TAP version 13\n1..3\n"
		"ok 1 - unit: adds\n"
		"not ok 2 - unit: <a> & \"b\" \\# SKIP it\n"
		"  ---\n  message: \"line 1\\nline \\u0001 ]]> 2\"\n  ...\n"
		"ok 3 - more: later # SKIP no \\# network\n");
	free(text);
}

/* As a workspace whose test is our own output would have it read. */
static void our_own_readers_agree(void **state)
{
	static const struct {
		enum test_format format;
		void (*write)(FILE *out, const json_t *report);
	} ways[] = { { TEST_TAP, test_report_tap }, { TEST_JUNIT, test_report_junit } };

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		char *text = written(ways[i].write);
		struct arena arena;
		struct cases cases;

		arena_init(&arena, 1 << 20);
		cases_init(&cases, &arena);
		assert_int_equal(cases_read(&cases, &(struct case_source){
			.test = "t", .format = ways[i].format, .report = span_of_text(text),
			.exit_code = 1, .end = "exit status 1" }), 0);
		test_row(cases_count(&cases, CASE_PASSED) == 1, "way %zu: passed", i);
		test_row(cases_count(&cases, CASE_FAILED) == 1, "way %zu: failed", i);
		test_row(cases_count(&cases, CASE_SKIPPED) == 1, "way %zu: skipped", i);
		arena_release(&arena);
		free(text);
	}
}

static void nothing_is_no_success(void **state)
{
	static const struct {
		int passed, failed, skipped;
		bool success;
	} rows[] = { { 0, 0, 0, false }, { 0, 0, 5, false }, { 1, 0, 0, true },
		     { 9, 1, 0, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *report = json_pack("{s:i, s:i, s:i}", "passed", rows[i].passed, "failed",
					   rows[i].failed, "skipped", rows[i].skipped);

		test_row(test_report_passed(report) == rows[i].success, "row %zu", i);
		json_decref(report);
	}
}

/* "asked" counts what names and tags have chosen. */
static void what_was_left_out_is_told(void **state)
{
	static const struct {
		const char *changed;	/* JSON */
		const char *text, *tap;
		bool success;
	} rows[] = {
		{ "{\"since\": \"HEAD\", \"asked\": 3, \"chosen\": 0, \"files\": []}",
		  "0 of 3 tests: 0 files differ from HEAD\n",
		  "TAP version 13\n1..0 # SKIP no test is affected\n"
		  "# 0 of 3 tests: 0 files differ from HEAD\n", true },
		{ "{\"since\": \"main\", \"asked\": 3, \"chosen\": 1, \"files\": [\"a\"]}",
		  "1 of 3 tests: 1 file differs from main\n0 passed, 0 failed, 0 skipped in 0 us\n",
		  "TAP version 13\n1..0\n# 1 of 3 tests: 1 file differs from main\n", false },
		{ "{\"since\": \"a\\nb\", \"asked\": 3, \"chosen\": 3, \"unknown\": \"so\"}",
		  "all of 3 tests: so (--changed=a\\nb)\n0 passed, 0 failed, 0 skipped in 0 us\n",
		  "TAP version 13\n1..0\n# all of 3 tests: so (--changed=a\\nb)\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *changed = json_loads(rows[i].changed, 0, NULL);
		json_t *report = json_pack("{s:i, s:i, s:i, s:i, s:[], s:o}", "passed", 0,
					   "failed", 0, "skipped", 0, "wall_ns", 0, "cases",
					   "changed", changed);
		struct table table;
		char *text, *tap;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		table_init(&table, out, 8, 0);
		test_report_text(&table, report);
		fclose(out);
		out = open_memstream(&tap, &length);
		test_report_tap(out, report);
		fclose(out);
		test_row(strcmp(text, rows[i].text) == 0, "row %zu: %s", i, text);
		test_row(strcmp(tap, rows[i].tap) == 0, "row %zu: %s", i, tap);
		test_row(test_report_passed(report) == rows[i].success, "row %zu", i);
		json_decref(report);
		free(text);
		free(tap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(junit_is_as_others_write_it),
		cmocka_unit_test(a_timeout_is_told_as_an_error),
		cmocka_unit_test(tap_is_version_13),
		cmocka_unit_test(our_own_readers_agree),
		cmocka_unit_test(nothing_is_no_success),
		cmocka_unit_test(what_was_left_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
