#include "workers/improve/suite.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"

struct place {			/* of one test in the report */
	const struct workspace_test *test;
	struct cases cases;
};

struct run {
	struct session *session;
	const struct suite *suite;
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

	run->places = arena_alloc_array(session_memory(run->session), tests->count + 1,
					sizeof(*run->places));
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
	const struct command command = {
		.tool = COMMAND_TRY, .workspace = run->suite->workspace,
		.argv = test->command, .environment = run->suite->environment,
		.collect = test->report, .timeout_ns = test->timeout_ns,
	};
	int r = command_begin(run->session, &run->asks[slot], &command);

	if (r < 0) {
		*run->why = run->asks[slot].why;
		return error_prefix(run->why, r, "test %s", test->title);
	}
	run->taken[slot] = run->begun++;
	run->busy++;
	return 0;
}

static int end(struct run *run, size_t slot)
{
	struct place *place = &run->places[run->taken[slot]];
	struct ask *ask = &run->asks[slot];
	struct command_outcome outcome;
	int r = command_outcome(ask, &outcome, run->why);

	run->busy--;
	if (r < 0)
		return error_prefix(run->why, r, "test %s", place->test->title);
	cases_init(&place->cases, session_memory(run->session));
	r = cases_read(&place->cases, &(struct case_source){
		.test = place->test->title,
		.format = (enum test_format)place->test->format,
		.report = *place->test->report ? outcome.collected : outcome.output,
		.exit_code = strcmp(outcome.cause, "exited") == 0 ? outcome.exit_code : -1,
		.cause = outcome.cause,
		.duration_ns = outcome.wall_ns,
	});
	json_decref(ask->answer);
	return r < 0 ? error_set(run->why, r, "out of memory") : 0;
}

static int gather(struct run *run, struct cases *cases)
{
	for (size_t i = 0; i < run->place_count; i++)
		for (size_t j = 0; j < run->places[i].cases.count; j++) {
			const struct test_case *one = &run->places[i].cases.items[j];
			int r = cases_add(cases, span_of_text(one->name), one->outcome,
					  one->duration_ns, span_of_text(one->detail));

			if (r < 0)
				return error_set(run->why, r, "out of memory");
		}
	return 0;
}

int suite_run(struct session *session, const struct suite *suite,
	      struct cases *cases, struct error *why)
{
	struct run run = { .session = session, .suite = suite, .why = why };
	int r = choose(&run);
	size_t slot;

	for (slot = 0; r == 0 && slot < suite->slots && run.begun < run.place_count; slot++)
		r = begin(&run, slot);
	while (r == 0 && run.busy > 0) {
		r = session_wait_any(session, run.asks, suite->slots, &slot);
		if (r < 0)
			return error_set(why, r, "the tests were cut short");
		r = end(&run, slot);
		if (r == 0 && run.begun < run.place_count)
			r = begin(&run, slot);
	}
	return r < 0 ? r : gather(&run, cases);
}
