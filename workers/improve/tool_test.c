/*
 * tool_test.c - improve.test: the workspace's tests, as it is right now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "workers/improve/affected_core.h"
#include "workers/improve/environment.h"
#include "workers/improve/suite.h"
#include "workers/improve/tools.h"

/*
 * A test is chosen by its name or one of its tags; without either, all are. Of
 * those, --changed leaves the ones whose files differ from a commit, or that
 * name none; wherever that cannot be known, all of them.
 */
struct choice {
	const json_t *names, *tags;
	const char *since;	/* NULL: whatever has changed */
	json_t *answer;		/* of git.changed; owned, or NULL */
	const json_t *paths;	/* that differ; NULL: unknown */
	const char *unknown;	/* why */
	size_t asked, chosen;	/* by names and tags; and of those, affected */
};

static bool has_text(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
			return true;
	return false;
}

static bool is_asked_for(const struct choice *choice, const struct workspace_test *test)
{
	if (json_array_size(choice->names) == 0 && json_array_size(choice->tags) == 0)
		return true;
	if (has_text(choice->names, test->title))
		return true;
	for (size_t i = 0; i < test->tags.count; i++)
		if (has_text(choice->tags, test->tags.items[i]))
			return true;
	return false;
}

static bool is_affected(const struct choice *choice, const struct workspace_test *test)
{
	struct affected affected;

	if (!choice->paths || test->files.count == 0)
		return true;
	for (size_t i = 0; i < test->files.count; i++) {
		if (affected_compile(&affected, test->files.items[i]) < 0)
			return true;
		for (size_t j = 0; j < json_array_size(choice->paths); j++)
			if (affected_by(&affected, json_string_value(
						json_array_get(choice->paths, j))))
				return true;
	}
	return false;
}

static bool is_chosen(void *owner, const struct workspace_test *test)
{
	const struct choice *choice = owner;

	return is_asked_for(choice, test) && is_affected(choice, test);
}

/* Before the build, which may write what is not ignored. */
static int find_changes(struct session *session, struct choice *choice, struct error *why)
{
	int r = session_ask(session, "git.changed", session->repository,
			    json_pack("{s:s}", "since", choice->since), &choice->answer, why);

	if (r < 0)
		return r;
	choice->paths = json_object_get(choice->answer, "files");
	choice->unknown = json_string_value(json_object_get(choice->answer, "unknown"));
	if (!json_is_array(choice->paths) && !choice->unknown)
		return error_set(why, -EBADMSG, "git.changed: neither files nor a reason");
	if (has_text(choice->paths, WORKSPACE_FILE_NAME)) {
		choice->paths = NULL;
		choice->unknown = WORKSPACE_FILE_NAME " itself differs";
	}
	return 0;
}

static void count(struct choice *choice, const struct workspace_file *file)
{
	const struct workspace_test *tests = file->tests.items;

	for (size_t i = 0; i < file->tests.count; i++) {
		choice->asked += is_asked_for(choice, &tests[i]);
		choice->chosen += is_chosen(choice, &tests[i]);
	}
}

/* Nothing that was asked for is affected: there is nothing to build and to run. */
static bool is_nothing(const struct choice *choice)
{
	return choice->since && choice->asked > 0 && choice->chosen == 0;
}

static json_t *report_choice(const struct choice *choice)
{
	json_t *ret = json_pack("{s:s, s:I, s:I}", "since", choice->since, "asked",
				(json_int_t)choice->asked, "chosen", (json_int_t)choice->chosen);

	if (choice->unknown)
		json_object_set_new(ret, "unknown", json_string(choice->unknown));
	else
		json_object_set(ret, "files", (json_t *)(uintptr_t)choice->paths);
	return ret;
}

int workspace_check_names(const json_t *asked, const json_t *known, const char *no,
			  const char *there_are, struct error *why)
{
	char list[300] = "none";
	int used = 0;

	for (size_t i = 0; i < json_array_size(known) && used < (int)sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - (size_t)used, "%s%s",
				 i ? ", " : "", json_string_value(json_array_get(known, i)));
	for (size_t i = 0; i < json_array_size(asked); i++) {
		const char *name = json_string_value(json_array_get(asked, i));

		if (!has_text(known, name))
			return error_set(why, -ENOENT, "%s '%s'%s %s", no, name, there_are, list);
	}
	return 0;
}

static int check_choice(const struct choice *choice, const struct workspace_file *file,
			struct error *why)
{
	const struct workspace_test *tests = file->tests.items;
	json_t *titles = json_array(), *tags = json_array();

	for (size_t i = 0; i < file->tests.count; i++) {
		json_array_append_new(titles, json_string(tests[i].title));
		for (size_t j = 0; j < tests[i].tags.count; j++)
			if (!has_text(tags, tests[i].tags.items[j]))
				json_array_append_new(tags, json_string(tests[i].tags.items[j]));
	}
	int r = workspace_check_names(choice->names, titles, "there is no test",
				      " in " WORKSPACE_FILE_NAME "; there are", why);

	if (r == 0)
		r = workspace_check_names(choice->tags, tags, "no test has the tag",
					  "; the tags are:", why);
	json_decref(titles);
	json_decref(tags);
	return r;
}

int workspace_build(struct session *session, const struct workspace_file *file,
		    struct error *why)
{
	const struct command command = {
		.tool = COMMAND_BUILD, .workspace = session->repository,
		.argv = file->build.command, .timeout_ns = file->build.timeout_ns,
	};
	struct command_outcome outcome;
	char reason[400];
	struct ask ask;

	if (command.argv.count == 0)
		return 0;
	worker_progress(session->call, 0, 0, "building");
	int r = command_run(session, &ask, &command, &outcome, why);

	if (r == 0 && !command_succeeded(&outcome)) {
		command_describe(&outcome, reason, sizeof(reason));
		r = error_set(why, -EINVAL, "the build failed: %s", reason);
	}
	session_drop(session, &ask);
	return r;
}

int workspace_keep(struct session *session, const char *kind, int64_t began_ns,
		   json_t *row, int r, const struct error *why)
{
	struct error missed;
	json_t *answer = NULL;

	if (!session->workspace || r == -ECANCELED || r == -EPIPE) {
		json_decref(row);
		return r;
	}
	json_object_set_new(row, "workspace", json_string(session->workspace));
	json_object_set_new(row, "kind", json_string(kind));
	if (session->environment)
		json_object_set_new(row, "environment", json_string(session->environment));
	json_object_set_new(row, "seconds",
			    json_real((double)(clock_now_ns() - began_ns) / NS_PER_S));
	json_object_set_new(row, "outcome", json_string(r < 0 ? why->text : "ended"));
	json_object_set(row, "executions", session->executions);
	if (!session->executions)
		json_object_set_new(row, "executions", json_array());
	int kept = session->confirmed ?
		   session_ask(session, "store.run", 0, row, &answer, &missed) :
		   error_set(&missed, -EPERM, "nothing ran in %s", session->workspace);

	if (!session->confirmed)
		json_decref(row);
	if (kept < 0)
		log_write(&session->call->worker->log, LEVEL_WARNING, "a run was not kept",
			  LOG_FIELDS(log_text("kind", kind), log_text("reason", missed.text)));
	json_decref(answer);
	return r;
}

static json_t *report(const struct cases *cases, int64_t wall_ns)
{
	json_t *ret = suite_report(cases);

	json_object_set_new(ret, "schema", json_string("cupel.test/1"));
	json_object_set_new(ret, "wall_ns", json_integer(wall_ns));
	return ret;
}

int tool_test(struct session *session, json_t **ret, struct error *why)
{
	struct choice choice = {
		.names = json_object_get(session->call->arguments, "names"),
		.tags = json_object_get(session->call->arguments, "tags"),
		.since = option_text(session, "changed"),
	};
	struct workspace_file file;
	struct config config;
	struct suite suite = {
		.file = &file, .workspace = session->repository, .holdout = true,
		.chosen = is_chosen, .owner = &choice,
		.slots = (unsigned)option_integer(session, "slots", 2),
	};
	int64_t came_ns = clock_now_ns(), began_ns;
	json_t *row = json_object();
	struct cases cases;
	bool runs = false;
	int r = workspace_file_parse(&config, &file, WORKSPACE_FILE_NAME,
				     span_of_text(option_text(session, "config")), why);

	if (r == 0)
		r = check_choice(&choice, &file, why);
	if (r == 0 && choice.since)
		r = find_changes(session, &choice, why);
	if (r == 0) {
		count(&choice, &file);
		runs = !is_nothing(&choice);
	}
	if (r == 0 && runs)
		r = environment_learn(session, why);
	if (r == 0 && runs)
		r = workspace_build(session, &file, why);
	cases_init(&cases, session_memory(session));
	began_ns = clock_now_ns();
	if (r == 0 && runs)
		r = suite_run(session, &suite, &cases, why);
	if (r == 0) {
		*ret = report(&cases, clock_now_ns() - began_ns);
		if (choice.since)
			json_object_set_new(*ret, "changed", report_choice(&choice));
		json_object_set_new(row, "totals", suite_totals(&cases));
		json_object_set(row, "cases", json_object_get(*ret, "cases"));
	}
	config_release(&config);
	json_decref(choice.answer);
	if (r == 0 && !runs) {
		json_decref(row);
		return 0;
	}
	return workspace_keep(session, "test", came_ns, row, r, why);
}
