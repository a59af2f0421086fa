#include "tests/support/test.h"

#include <string.h>

#include "common/text.h"
#include "workers/improve/command.h"

static struct span text(const char *words)
{
	return (struct span){ (const uint8_t *)words, strlen(words) };
}

static const char *described(const struct command_outcome *outcome)
{
	static char text[200];

	command_describe(outcome, text, sizeof(text));
	return text;
}

/* What a person would look for in what a command has written. */
static void the_line_that_tells_is_shown(void **state)
{
	static const struct {
		const char *errors, *said;
	} rows[] = {
		{ "", "exit status 2" },
		{ "\n\n", "exit status 2" },
		{ "one line", "exit status 2: one line" },
		{ "first\nlast\n", "exit status 2: last" },
		{ "first\nlast\n\n", "exit status 2: last" },
		{ "a.c:3:1: error: no such thing\nmake: *** [all] Error 1\n",
		  "exit status 2: a.c:3:1: error: no such thing" },
		{ "note\nsh: 1: frobnicate: not found\nmore\n",
		  "exit status 2: sh: 1: frobnicate: not found" },
		{ "ld: undefined reference to f\nerror: second\n",
		  "exit status 2: ld: undefined reference to f" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct command_outcome outcome = {
			.cause = "exited", .exit_code = 2, .detail = "", .errors = text(rows[i].errors),
		};

		test_row(strcmp(described(&outcome), rows[i].said) == 0, "%s: got %s",
			 rows[i].said, described(&outcome));
	}
}

static void a_line_is_cut(void **state)
{
	char line[1000], room[40];
	struct command_outcome outcome = { .cause = "exited", .exit_code = 1, .detail = "" };

	(void)state;
	memset(line, 'x', sizeof(line));
	outcome.errors = (struct span){ (const uint8_t *)line, sizeof(line) };
	assert_true(strlen(described(&outcome)) < 230);
	command_describe(&outcome, room, sizeof(room));
	assert_int_equal(strlen(room), sizeof(room) - 1);
}

/* A compiler may speak any tongue; what is kept of it is UTF-8. */
static void what_is_no_utf8_is_shown_as_bytes(void **state)
{
	char room[200], line[300];
	struct command_outcome outcome = { .cause = "exited", .exit_code = 1, .detail = "" };

	(void)state;
	outcome.errors = text("fehler: \xe4 \033[31m\n");
	command_describe(&outcome, room, sizeof(room));
	assert_string_equal(room, "exit status 1: fehler: \\xe4 \\x1b[31m");
	for (size_t i = 0; i < sizeof(line); i += 2)
		memcpy(line + i, "\303\244", 2);
	outcome.errors = (struct span){ (const uint8_t *)line, sizeof(line) };
	for (size_t size = 1; size <= sizeof(room); size++) {
		command_describe(&outcome, room, size);
		test_row(text_is_utf8(text(room)) && strlen(room) < size, "%zu: %s", size, room);
	}
	outcome.detail = line;
	line[sizeof(line) - 1] = '\0';
	command_describe(&outcome, room, 41);
	assert_true(text_is_utf8(text(room)));
}

static void an_end_by_something_else_names_it(void **state)
{
	const struct command_outcome ended = {
		.cause = "wall", .exit_code = -1, .detail = "", .errors = text("error: unheard"),
	};
	const struct command_outcome never = {
		.cause = "setup_failed", .exit_code = 127, .detail = "./bench: No such file or directory",
	};

	(void)state;
	assert_string_equal(described(&ended), "ended by wall");
	assert_string_equal(described(&never),
			    "could not be started: ./bench: No such file or directory");
	assert_false(command_succeeded(&ended));
	assert_false(command_succeeded(&never));
}

static void only_an_exit_with_nought_succeeds(void **state)
{
	(void)state;
	assert_true(command_succeeded(&(struct command_outcome){ .cause = "exited" }));
	assert_false(command_succeeded(&(struct command_outcome){ .cause = "exited", .exit_code = 1 }));
	assert_false(command_succeeded(&(struct command_outcome){ .cause = "oom" }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_that_tells_is_shown),
		cmocka_unit_test(a_line_is_cut),
		cmocka_unit_test(what_is_no_utf8_is_shown_as_bytes),
		cmocka_unit_test(an_end_by_something_else_names_it),
		cmocka_unit_test(only_an_exit_with_nought_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
