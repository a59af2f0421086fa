#include "workers/improve/suite.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"

struct place {			/* of one test in the report */
	const struct workspace_test *test;
	struct cases cases;
};

struct run {
	struct session *session;
	const struct suite *suite;
	struct arena *memory;
	struct place *places;
	size_t place_count, begun;
	struct ask asks[SUITE_SLOTS_MAX];
	size_t taken[SUITE_SLOTS_MAX];	/* the place each slot works on */
	unsigned busy;
	struct error *why;
};

static bool is_chosen(const struct suite *suite, const struct workspace_test *test)
{
	return (suite->holdout || !test->holdout) &&
	       (!suite->chosen || suite->chosen(suite->owner, test));
}

static int choose(struct run *run)
{
	const struct config_blocks *tests = &run->suite->file->tests;
	const struct workspace_test *all = tests->items;

	run->places = arena_alloc_array(run->memory, tests->count + 1, sizeof(*run->places));
	if (!run->places)
		return error_set(run->why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < tests->count; i++)
		if (is_chosen(run->suite, &all[i]))
			run->places[run->place_count++].test = &all[i];
	if (run->place_count == 0)
		return error_set(run->why, -ENOENT,
				 "no test to run; declare one in " WORKSPACE_FILE_NAME
				 ": test NAME { command = \"make check\" }");
	return 0;
}

static int begin(struct run *run, size_t slot)
{
	const struct workspace_test *test = run->places[run->begun].test;
	json_t *report = *test->report ? json_pack("[s]", test->report) : NULL;
	const struct command command = {
		.tool = COMMAND_TRY, .workspace = run->suite->workspace,
		.argv = test->command, .environment = run->suite->environment,
		.collect = report, .timeout_ns = test->timeout_ns,
	};
	int r = command_begin(run->session, &run->asks[slot], &command);

	json_decref(report);
	if (r < 0) {
		*run->why = run->asks[slot].why;
		return error_prefix(run->why, r, "test %s", test->title);
	}
	run->taken[slot] = run->begun++;
	run->busy++;
	return 0;
}

static int read_cases(struct place *place, const struct command_outcome *outcome,
		      struct error *why)
{
	char end[ERROR_TEXT_BYTES];

	command_describe(outcome, end, sizeof(end));
	int r = cases_read(&place->cases, &(struct case_source){
		.test = place->test->title,
		.format = (enum test_format)place->test->format,
		.report = *place->test->report ? command_file(outcome, place->test->report) :
						 outcome->output,
		.exit_code = strcmp(outcome->cause, "exited") == 0 ? outcome->exit_code : -1,
		.timed_out = strcmp(outcome->cause, "wall") == 0 ||
			     strcmp(outcome->cause, "cpu") == 0,
		.end = end,
		.duration_ns = outcome->wall_ns,
	});

	return r < 0 ? error_set(why, r, "out of memory for its cases") : 0;
}

static int end(struct run *run, size_t slot)
{
	struct place *place = &run->places[run->taken[slot]];
	struct command_outcome outcome;
	int r = command_outcome(run->session, &run->asks[slot], &outcome, run->why);

	run->busy--;
	cases_init(&place->cases, run->memory);
	if (r == 0)
		r = read_cases(place, &outcome, run->why);
	session_drop(run->session, &run->asks[slot]);
	return r < 0 ? error_prefix(run->why, r, "test %s", place->test->title) : 0;
}

static int gather(struct run *run, struct cases *cases)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->place_count; i++)
		r = cases_add_all(cases, &run->places[i].cases);
	return r < 0 ? error_set(run->why, r, "out of memory for the cases") : 0;
}

int suite_run(struct session *session, const struct suite *suite,
	      struct cases *cases, struct error *why)
{
	struct run run = { .session = session, .suite = suite, .memory = cases->arena, .why = why };
	int r = choose(&run);
	size_t slot;

	for (slot = 0; r == 0 && slot < suite->slots && run.begun < run.place_count; slot++)
		r = begin(&run, slot);
	while (r == 0 && run.busy > 0) {
		r = session_wait_any(session, run.asks, suite->slots, &slot, why);
		if (r < 0)
			error_prefix(why, r, "the tests were cut short");
		else
			r = end(&run, slot);
		if (r == 0 && run.begun < run.place_count)
			r = begin(&run, slot);
	}
	session_give_up(session, run.asks, suite->slots);	/* what a failure leaves */
	return r < 0 ? r : gather(&run, cases);
}

/* ---- kept ---- */

static json_t *case_rows(const struct cases *cases)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < cases->count; i++) {
		const struct test_case *one = &cases->items[i];
		json_t *row = json_pack("{s:s, s:s, s:s}", "name", one->name, "outcome",
					case_outcome_name(one->outcome), "detail", one->detail);

		if (one->duration_ns >= 0)
			json_object_set_new(row, "duration_ns", json_integer(one->duration_ns));
		if (*one->file)
			json_object_set_new(row, "file", json_string(one->file));
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *suite_totals(const struct cases *cases)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "passed",
			 (json_int_t)cases_count(cases, CASE_PASSED), "failed",
			 (json_int_t)cases_count_bad(cases), "skipped",
			 (json_int_t)cases_count(cases, CASE_SKIPPED), "timeouts",
			 (json_int_t)cases_count(cases, CASE_TIMEOUT), "errors",
			 (json_int_t)cases_count(cases, CASE_ERROR));
}

json_t *suite_report(const struct cases *cases)
{
	json_t *ret = suite_totals(cases);

	json_object_set_new(ret, "cases", case_rows(cases));
	return ret;
}

json_t *suite_names(const struct cases *cases)
{
	json_t *names = json_array();

	for (size_t i = 0; i < cases->count; i++)
		json_array_append_new(names, json_string(cases->items[i].name));
	return names;
}

int suite_record(struct session *session, const char *name, const char *commit,
		 const struct cases *cases, const struct cases *flaky, struct error *why)
{
	json_t *row = suite_report(cases);

	json_object_set_new(row, "session", json_integer((json_int_t)session->id));
	json_object_set_new(row, "name", json_string(name));
	json_object_set_new(row, "commit", json_string(commit));
	json_object_set_new(row, "totals", suite_totals(cases));
	json_object_set_new(row, "flaky", suite_names(flaky));
	int r = session_ask(session, "store.test_run", 0, row, NULL, why);

	return r < 0 ? r : commands_record(session, why);
}
