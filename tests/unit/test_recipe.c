/*
 * The first cupel.conf that cupel init writes is one that is understood, and
 * says what the project declares.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/recipe.h"
#include "tests/support/test.h"
#include "workers/improve/workspace_file.h"

struct written {
	struct config config;
	struct workspace_file file;
	bool tested;
	char *text;
	struct error why;
};

static int write_and_read(const char *kind, const char *text, bool folders,
			  struct written *ret)
{
	struct project project = { .text = text };
	size_t length;
	FILE *out = open_memstream(&ret->text, &length);

	for (size_t i = 0; i < recipe_count; i++)
		if (strcmp(recipes[i].name, kind) == 0)
			project.recipe = &recipes[i];
	assert(project.recipe);
	project.file = project.recipe->markers[0];
	if (folders)
		project.folders[project.folder_count++] = recipe_folders[0];
	ret->tested = recipe_write(&project, out);
	fclose(out);
	return workspace_file_parse(&ret->config, &ret->file, "cupel.conf",
				    span_of_text(ret->text), &ret->why);
}

static void done(struct written *written)
{
	config_release(&written->config);
	free(written->text);
}

static void every_kind_is_understood(void **state)
{
	static const char *const texts[] = {
		"", "all:\n\tcc\n", "CFLAGS = -O2\nCFLAGS += -O1\n", "{ not json",
		"{\"scripts\": {\"test\": \"node --test\"}}",
	};

	(void)state;
	for (size_t i = 0; i < recipe_count; i++)
		for (size_t j = 0; j < COUNT(texts); j++)
			for (int folders = 0; folders < 2; folders++) {
				struct written written;
				int r = write_and_read(recipes[i].name, texts[j], folders,
						       &written);

				test_row(r == 0, "%s, text %zu: %s\n%s", recipes[i].name, j,
					 written.why.text, written.text);
				assert_int_equal(written.file.protect.count, folders);
				assert_string_equal(written.file.build.command.items[0],
						    recipes[i].build);
				assert_int_equal(written.file.tests.count, written.tested);
				done(&written);
			}
}

/* kind, what its file says, its test's command or NULL, whether a benchmark */
static const struct {
	const char *kind, *text, *test;
	bool bench;
} declared[] = {
	{ "Make", "all:\ncheck: all\n\ttrue\n", "make check", false },
	{ "Make", "test check: all\nbench: all\n", "make check", true },
	{ "Make", "all:\ntest: all\n", "make test", false },
	{ "Make", "check := yes\ntest = no\nall:\n\tcheck: x\n", NULL, false },
	{ "Make", "checks:\nprecheck: check\n", NULL, false },
	{ "npm", "{\"scripts\": {\"test\": \"jest\", \"bench\": \"node b\"}}", "npm test", true },
	{ "npm", "{\"test\": \"jest\"}", NULL, false },
	{ "autotools", "AC_INIT", "make check", false },
	{ "CMake", "project(x)", "ctest --test-dir build --output-junit \"$PWD/junit.xml\"", false },
};

static void what_is_declared_is_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(declared); i++) {
		struct written written;
		int r = write_and_read(declared[i].kind, declared[i].text, false, &written);
		const struct workspace_test *tests = written.file.tests.items;

		test_row(r == 0, "row %zu: %s", i, written.why.text);
		test_row((declared[i].test != NULL) == (written.file.tests.count == 1), "row %zu", i);
		if (declared[i].test)
			assert_string_equal(tests->command.items[0], declared[i].test);
		test_row(declared[i].bench == (written.file.benchmarks.count == 1), "row %zu", i);
		done(&written);
	}
}

static void a_level_that_stands_once_is_a_knob(void **state)
{
	static const struct {
		const char *text;
		size_t knobs, values;
	} rows[] = {
		{ "CFLAGS = -g -O2\n", 1, 2 },
		{ "CFLAGS ?= -Os\n", 1, 3 },
		{ "CFLAGS = -g\n", 0, 0 },
		{ "CFLAGS = -O2\nCFLAGS = -O3\n", 0, 0 },
		{ "LDFLAGS = -O2\n", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct written written;
		int r = write_and_read("Make", rows[i].text, false, &written);
		const struct workspace_knob *knobs = written.file.knobs.items;

		test_row(r == 0, "row %zu: %s", i, written.why.text);
		test_row(written.file.knobs.count == rows[i].knobs, "row %zu", i);
		if (rows[i].knobs)
			assert_int_equal(knobs->values.count, rows[i].values);
		done(&written);
	}
}

/* What is offered in a comment is understood as soon as it is none, and so is all else. */
static void the_guard_that_is_offered_can_be_had(void **state)
{
	struct written written, guarded;
	const struct workspace_benchmark *benchmark;
	const struct workspace_metric *metric;
	const char *offered = "# guard ";

	(void)state;
	assert_int_equal(write_and_read("Make", "check:\nbench:\n", false, &written), 0);
	assert_int_equal(workspace_file_metric(&written.file, written.file.improve.metric,
					       &benchmark, &metric, &written.why), 0);
	assert_string_equal(metric->title, "time");
	char *guard = strstr(written.text, offered);

	assert_non_null(guard);
	memcpy(guard, "  ", 2);
	assert_int_equal(workspace_file_parse(&guarded.config, &guarded.file, "cupel.conf",
					      span_of_text(written.text), &guarded.why), 0);
	const struct workspace_guard *guards = guarded.file.guards.items;

	assert_int_equal(guarded.file.guards.count, 1);
	test_row(workspace_file_metric(&guarded.file, guards->title, &benchmark, &metric,
				       &guarded.why) == 0, "%s", guarded.why.text);
	config_release(&guarded.config);
	done(&written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_understood),
		cmocka_unit_test(what_is_declared_is_used),
		cmocka_unit_test(a_level_that_stands_once_is_a_knob),
		cmocka_unit_test(the_guard_that_is_offered_can_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
