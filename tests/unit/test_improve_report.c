/*
 * What a campaign found, as a table: all that was reported is there, nothing
 * that was not, no line beyond 80 columns, nothing that steers a terminal.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/improve_report.h"
#include "tests/support/test.h"

static char *printed(const char *text)
{
	struct table table;
	json_t *report = json_loads(text, 0, NULL);
	char *ret;
	size_t length;
	FILE *out = open_memstream(&ret, &length);

	assert_non_null(report);
	table = (struct table){ .out = out, .width = 80, .name_width = IMPROVE_NAME_WIDTH,
				.state_width = IMPROVE_STATE_WIDTH };
	improve_report_print(&table, report);
	fclose(out);
	json_decref(report);
	return ret;
}

#define PROVEN                                                                \
	"{\"mode\": \"auto\", \"found\": true, \"base\": \"0123456789abcdef\"," \
	" \"metric\": {\"benchmark\": \"parse\", \"name\": \"time\", \"unit\": \"\"}," \
	" \"calibration\": {\"judged_by\": \"CPU time\"}, \"change\": \"level: -O1 to -O2\"," \
	" \"search\": {\"evaluations\": 12, \"stopped\": \"converged\"}," \
	" \"trials\": [{\"outcome\": \"wrong\", \"setting\": \"a\\u001b[31m\", \"reason\": \"r\"}]," \
	" \"decision\": {\"verdict\": \"accept\", \"reason\": \"proved\", \"pairs\": 10," \
	" \"gain_percent\": 48.5, \"gain_lower_percent\": 44.1, \"confidence\": 0.93," \
	" \"before\": 0.0612, \"after\": 0.0315}," \
	" \"tests\": {\"passed\": 38, \"failed\": 0, \"skipped\": 1, \"flaky\": [\"slow\"]}," \
	" \"improvement\": 7, "

/* A report, and what its table has to say or (!) not to say. */
static const struct {
	const char *report;
	const char *words[12];
} rows[] = {
	{ PROVEN "\"status\": \"applied\", \"commit\": \"fedcba9876543210\", \"branch\": \"main\"}",
	  { "changed         level: -O1 to -O2", "61.20 ms of processor time (parse.time)",
	    "after           31.50 ms", "48.5 %, at least 44.1 %; 10 pairs, confidence 0.93",
	    "38 passed, 0 failed, 1 skipped", "fedcba987654 on main",
	    "for side in fedcba987654^ fedcba987654; do", "cupel bench parse)",
	    "git worktree remove", "judged by processor time", "cupel rollback 7" } },
	{ PROVEN "\"status\": \"proposed\"}",
	  { "cupel approve 7", "cupel apply 7", "by hand", "!git worktree" } },
	{ PROVEN "\"status\": \"applied\", \"commit\": \"fedcba9876543210\", \"calibration\":"
	  " {\"judged_by\": \"wall time\"}}",
	  { "git worktree remove", "!processor time" } },
	{ PROVEN "\"status\": \"approved\", \"not_applied\": \"gain-too-small\"}",
	  { "not applied: gain-too-small", "cupel apply 7", "!git worktree", "!rollback", "slow" } },
	{ "{\"mode\": \"propose\", \"found\": false, \"tests\": {\"passed\": 0, \"failed\": 0}}",
	  { "nothing better", "nothing is applied without", "!gain", "!commit", "!before" } },
	{ "{\"mode\": \"propose\", \"lessons\": [\"count: 1 to 2\"],"
	  " \"search\": {\"evaluations\": 2, \"stopped\": \"budget\"}}",
	  { "nothing better: declare more knobs", "!--forget" } },
	{ "{\"mode\": \"propose\", \"lessons\": [\"count: 1 to 2\"],"
	  " \"search\": {\"evaluations\": 2, \"stopped\": \"exhausted\"}}",
	  { "count: 1 to 2 (see 'cupel lessons')", "'cupel lessons --forget ID'", "!more knobs" } },
	{ "{\"mode\": \"observe\", \"watched\": [{\"improvement\": 3, \"state\": \"harm\","
	  " \"pairs\": 10, \"rolled_back\": true}]}",
	  { "improvement 3, after 10 pairs: harm; taken back", "!nothing better" } },
	{ "{\"mode\": \"observe\", \"bottlenecks\": [{\"description\": \"a.rate is 5 MB/s\","
	  " \"severity\": \"low\"}]}",
	  { "target    note  a.rate is 5 MB/s (low)", "!slow" } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\":"
	  " \"its benchmark fails, which did not before, and is not taken back: a has changed\"}]}",
	  { "watched   bad   improvement 3, after 0 pairs: its benchmark fails", "!ok " } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\": \"benefit-gone\"}]}",
	  { "watched   note  improvement 3, after 0 pairs: benefit-gone, half", "'cupel rollback'" } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\":"
	  " \"not to be compared any more: it is not built\"}]}",
	  { "watched   note  improvement 3, after 0 pairs: not to be compared any more" } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\": \"quiet\","
	  " \"doubt\": \"guard a.b seemed worse\"}]}",
	  { "watched   note  improvement 3, after 0 pairs: quiet; guard a.b seemed worse" } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\": \"benefit-gone\","
	  " \"doubt\": \"guard a.b seemed worse\"}]}",
	  { "takes it back; guard a.b" } },
	{ "{\"mode\": \"observe\", \"unmeasured\": [\"a.b\"]}",
	  { "target    note  a.b gave no number, and is not compared" } },
	{ PROVEN "\"status\": \"rolled_back\", \"found\": false, \"commit\": \"fedcba9876543210\","
	  " \"branch\": \"main\", \"watched\": [{\"improvement\": 7, \"state\": \"slower\","
	  " \"pairs\": 10, \"rolled_back\": true}]}",
	  { "commit    bad   fedcba987654 on main; taken back", "improvement 7, after 10 pairs: slower",
	    "cupel show 7", "!git worktree", "!git show", "!cupel rollback", "!nothing better" } },
	{ PROVEN "\"status\": \"rolled_back\", \"commit\": \"fedcba9876543210\", \"repository\": false}",
	  { "applied   bad   to the files that are there; taken back", "!inverse" } },
	{ "{\"mode\": \"auto\", \"watched\": [{\"improvement\": 3, \"state\": \"quiet\"}],"
	  " \"not_watched\": 2}",
	  { "note  2 not, for want of time; the next campaign begins there" } },
	{ "{\"mode\": \"auto\", \"improvement\": 4, \"known\": {\"verdict\": \"accept\","
	  " \"reason\": \"proved\", \"status\": \"applied\"}}",
	  { "improvement 4, judged before: accept, proved; it is applied, see",
	    "!nothing better" } },
	{ "{\"mode\": \"auto\", \"budget_spent\": true, \"search\":"
	  " {\"stopped\": \"budget of time or runs\"}}",
	  { "nothing better before the --budget was spent", "!declare more" } },
	{ "{\"mode\": \"auto\", \"not_searched\": \"benchmark b is too noisy\", \"watched\":"
	  " [{\"improvement\": 3, \"state\": \"quiet\", \"pairs\": 10}]}",
	  { "improvement 3, after 10 pairs: quiet", "nothing: benchmark b is too noisy",
	    "!nothing better" } },
};

static void all_that_was_reported_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = printed(rows[i].report);

		for (size_t j = 0; j < COUNT(rows[i].words) && rows[i].words[j]; j++) {
			const char *word = rows[i].words[j];
			bool absent = *word == '!';

			test_row((strstr(text, word + absent) == NULL) == absent,
				 "row %zu: %s\n%s", i, word, text);
		}
		test_row(!strchr(text, '\033'), "row %zu steers the terminal", i);
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
			test_row(strcspn(line, "\n") <= 80, "row %zu: wide: %s", i, line);
		free(text);
	}
}

static void values_are_told_in_their_unit(void **state)
{
	(void)state;
	assert_string_equal(measure_of(0.0315, true, "").text, "31.50 ms");
	assert_string_equal(measure_of(2.5, true, "").text, "2.50 s");
	assert_string_equal(measure_of(204.3, false, "MB/s").text, "204.3 MB/s");
	assert_string_equal(measure_of(7, false, "").text, "7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_reported_is_there),
		cmocka_unit_test(values_are_told_in_their_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
