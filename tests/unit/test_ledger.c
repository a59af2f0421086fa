/* What the store answers, as a person is shown it. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/ledger.h"
#include "tests/support/test.h"

/* JSON in '...' for "...". */
static json_t *json_of(const char *text)
{
	char json[4096];

	snprintf(json, sizeof(json), "%s", text);
	for (char *c = json; *c; c++)
		if (*c == '\'')
			*c = '"';
	json_t *value = json_loads(json, 0, NULL);

	if (!value)
		fail_msg("no JSON: %s", json);
	return value;
}

/* The caller frees it. */
static char *trend_of(const char *rows, const char *facts)
{
	json_t *trend = json_of(rows), *environments = json_of(facts);
	struct table look;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	table_init(&look, out, 0, 0);
	ledger_trend(&look, trend, environments);
	fclose(out);
	json_decref(trend);
	json_decref(environments);
	return text;
}

#define ROW(at, n, mean, min, max, environment)                               \
	"{'at': '" at "', 'by': 'bench', 'n': " n ", 'mean': " mean ", 'min': " min \
	", 'max': " max ", 'last': " mean ", 'environment': " environment "}"

static void one_environment_is_summed_up_whole(void **state)
{
	char *text = trend_of("[" ROW("c", "1", "4", "4", "4", "'a'") ","
			      ROW("b", "1", "1", "1", "1", "'a'") ","
			      ROW("a", "1", "2", "2", "2", "'a'") "]",
			      "[{'environment': 'a', 'facts': 'cpus: 2\\n'}]");

	(void)state;
	assert_non_null(strstr(text, "\n3 values from 1 to 4, mean 2.33333, last 4, median 2\n"));
	assert_null(strstr(text, "before"));
	free(text);
}

static void a_roll_up_has_a_range_and_no_median(void **state)
{
	char *text = trend_of("[" ROW("b", "1", "4", "4", "4", "null") ","
			      ROW("a", "3", "2", "1", "5", "null") "]", "[]");

	(void)state;
	assert_non_null(strstr(text, "1 to 5"));
	assert_non_null(strstr(text, "\n4 values from 1 to 5, mean 2.5, last 4\n"));
	assert_null(strstr(text, "before"));
	free(text);
}

/* Only what is otherwise is told, and nothing of before is summed up. */
static void another_environment_is_a_break(void **state)
{
	static const struct {
		const char *name, *before, *facts, *want;
	} cases[] = {
		{ "two facts", "'b'", "[{'environment': 'a', 'facts': 'kernel: 2\\ncpu: x\\ncpus: 22\\n'},"
		  "{'environment': 'b', 'facts': 'kernel: 1\\ncpu: x\\ncpus: 2\\n'}]",
		  "kernel was 1, cpus was 2" },
		{ "a fact more", "'b'", "[{'environment': 'a', 'facts': 'kernel: 2\\ncpu: x\\n'},"
		  "{'environment': 'b', 'facts': 'kernel: 2\\n'}]", "another environment" },
		{ "not known", "null", "[{'environment': 'a', 'facts': 'kernel: 2\\n'}]",
		  "an unknown environment" },
		{ "no end of a line", "'b'", "[{'environment': 'a', 'facts': 'kernel: 2'},"
		  "{'environment': 'b', 'facts': 'kernel: 1'}]", "kernel was 1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char rows[1000];

		snprintf(rows, sizeof(rows), "[" ROW("d", "1", "4", "4", "4", "'a'") ","
			 ROW("c", "1", "6", "6", "6", "'a'") "," ROW("b", "1", "1", "1", "1", "%s") ","
			 ROW("a", "2", "2", "0", "9", "%s") "]", cases[i].before, cases[i].before);
		char *text = trend_of(rows, cases[i].facts), *found = strstr(text, "-- before:");

		test_row(found && strstr(found, cases[i].want) && !strstr(found + 1, "-- before:") &&
			 !strstr(text, "cpu was"), "%s: %s", cases[i].name, text);
		test_row(strstr(text, "\n2 values in this environment from 4 to 6, mean 5, last 4, median 5\n"),
			 "%s: %s", cases[i].name, text);
		free(text);
	}
}

#define PLAN                                                                  \
	"'plan': {'benchmark': 'parse', 'metric': 'time', 'judged_by': 'CPU time'," \
	" 'seed': '00ff', 'alpha': 0.02, 'looks': [{'pairs': 10}, {'pairs': 20}]}"
#define BEGUN "'timestamp': '2026-01-02T03:04:05.678Z'"
#define PROOF "{'kind': 'validate', " PLAN ", " BEGUN ", 'verdict': null}"
#define WATCH                                                                 \
	"{'kind': 'watch', 'plan': {'benchmark': 'parse', 'metric': 'time', 'pairs': 10}, " \
	BEGUN
#define CAME_TO ", 'verdict': 'quiet', 'reason': '', 'pairs': 7}"
#define DOUBTED ", 'verdict': 'benefit-gone', 'reason': 'guard seemed worse', 'pairs': 7}"

static void one_is_shown_with_plan_and_end(void **state)
{
	static const struct {
		const char *name, *row, *want[6];
	} cases[] = {
		{ "proven", "{'status': 'approved', 'gain_lower': 0.441, 'confidence': 0.93, " BEGUN
		  ", 'experiments': [{'kind': 'validate', 'verdict': 'accept', 'reason': 'proved',"
		  " 'pairs': 10, 'gain': 0.485, 'alpha': 0.02, " PLAN "}]}",
		  { "at least 44.1 %; confidence 0.93", "accept, proved; 10 pairs, 48.5 % at alpha 0.02",
		    "parse.time (CPU time), looks after 10, 20 pairs", "seed 00ff",
		    "2026-01-02T03:04:05 UTC" } },
		{ "undecided", "{'status': 'proposed', 'gain_lower': null, 'confidence': 0.53,"
		  " 'experiments': [" PROOF "]}",
		  { "not shown; confidence 0.53; 'cupel improve' proves it",
		    "03:04:05 UTC, ended without a decision", "looks after 10, 20 pairs" } },
		{ "under way", "{'status': 'testing', 'experiments': [" PROOF "]}",
		  { "03:04:05 UTC, not decided so far", "!cupel improve", "!; -" } },
		{ "watched", "{'status': 'applied', 'experiments': [" WATCH CAME_TO "]}",
		  { "watch: at 2026-01-02T03:04:05 UTC, parse.time, 7 pairs: quiet", "!begun",
		    "!quiet;", "!taken back" } },
		{ "doubted", "{'status': 'applied', 'experiments': [" WATCH DOUBTED "]}",
		  { "7 pairs: benefit-gone; guard seemed worse" } },
		{ "cut short", "{'status': 'applied', 'experiments': [" WATCH "}]}",
		  { "watch: begun at 2026-01-02T03:04:05 UTC, parse.time, ended without a word" } },
		{ "taken back", "{'status': 'rolled_back', 'experiments': [" WATCH CAME_TO ", "
		  WATCH CAME_TO "]}", { "pairs: quiet\n", "pairs: quiet; taken back since" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *row = json_of(cases[i].row);
		struct table table;
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		table_init(&table, out, LEDGER_NAME_WIDTH, 0);
		table.width = 1000;
		ledger_show(&table, row);
		fclose(out);
		for (size_t j = 0; j < COUNT(cases[i].want) && cases[i].want[j]; j++) {
			const char *word = cases[i].want[j];
			bool absent = *word == '!';

			test_row((strstr(text, word + absent) == NULL) == absent,
				 "%s: %s\n%s", cases[i].name, word, text);
		}
		json_decref(row);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_environment_is_summed_up_whole),
		cmocka_unit_test(a_roll_up_has_a_range_and_no_median),
		cmocka_unit_test(another_environment_is_a_break),
		cmocka_unit_test(one_is_shown_with_plan_and_end),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
