#include "common/arena.h"
#include "tests/support/test.h"
#include "workers/improve/settle.h"
#include "workers/improve/workspace_file.h"

/* As a workspace has it: what is not to be mistaken for the knob's `current`. */
#define BEFORE                                                                \
	"# knob k { current = 9 }\n"                                          \
	"protect = { knob, k }\n"                                             \
	"knob other { values = { 4, 5 } current = 4 }\n"
#define AFTER "\nknob last { values = { 4, 5 } current = 5 }\n"

static const struct {
	const char *name, *block, *value, *want;
} cases[] = {
	{ "a word", "knob k { values = { 4, 8 } current = 4 }", "8",
	  "knob k { values = { 4, 8 } current = \"8\" }" },
	{ "in double quotes", "knob k { values = { 4, 8 } current = \"4\" } # 4", "8",
	  "knob k { values = { 4, 8 } current = \"8\" } # 4" },
	{ "a quote in single quotes", "knob k { values = { \"it's\", b } current = 'it\\'s' }", "b",
	  "knob k { values = { \"it's\", b } current = \"b\" }" },
	{ "a backslash in single quotes", "knob k { values = { 'a\\\\', b } current = 'a\\\\' when = '' }", "b",
	  "knob k { values = { 'a\\\\', b } current = \"b\" when = '' }" },
	{ "a quote in double quotes", "knob k { values = { 'a\"', b } current = \"a\\\"\" }", "b",
	  "knob k { values = { 'a\"', b } current = \"b\" }" },
	{ "one like it in a string before", "knob k { values = { \"--current = 4\", 8 }  current = 8 }",
	  "--current = 4",
	  "knob k { values = { \"--current = 4\", 8 }  current = \"--current = 4\" }" },
	{ "one like it as a value", "knob k { variable = current values = { current, b } current = b }",
	  "current",
	  "knob k { variable = current values = { current, b } current = \"current\" }" },
	{ "one like it in a comment", "knob k {\n\t# current = 4 } \"\n\tvalues = { 4, 8 }\n\tcurrent = 4\n}", "8",
	  "knob k {\n\t# current = 4 } \"\n\tvalues = { 4, 8 }\n\tcurrent = \"8\"\n}" },
	{ "on the line after", "knob k { values = { 4, 8 } current = # here:\n 4 }", "8",
	  "knob k { values = { 4, 8 } current = # here:\n \"8\" }" },
	{ "names in quotes", "'knob'\n\"k\"{values={4,8}'current'=4}", "8",
	  "'knob'\n\"k\"{values={4,8}'current'=\"8\"}" },
	{ "none, on one line", "knob k { values = { '', 8 } }", "8",
	  "knob k { current = \"8\" values = { '', 8 } }" },
	{ "none, on lines of their own", "knob k {\n  values = { '', 8 }\n}", "8",
	  "knob k {\n  current = \"8\"\n  values = { '', 8 }\n}" },
	{ "none, behind a comment", "knob k { # mine\n\tvalues = { '', 8 }\n}", "8",
	  "knob k { current = \"8\" # mine\n\tvalues = { '', 8 }\n}" },
	{ "none, and no blank", "knob k {values = { '', 8 }}", "8",
	  "knob k {current = \"8\"values = { '', 8 }}" },
	{ "a value of what has to be escaped", "knob k { values = { a, \"\\\"\\\\\\${x}\\n\" } current = a }",
	  "\"\\${x}\n",
	  "knob k { values = { a, \"\\\"\\\\\\${x}\\n\" } current = \"\\\"\\\\\\${x}\\n\" }" },
};

static const char *current_of(const char *text, const char *knob)
{
	static char ret[64];
	struct workspace_file file;
	struct config config;
	struct error why;

	*ret = '\0';
	if (workspace_file_parse(&config, &file, "cupel.conf", span_of_text(text), &why) == 0) {
		const struct workspace_knob *knobs = file.knobs.items;

		for (size_t i = 0; i < file.knobs.count; i++)
			if (strcmp(knobs[i].title, knob) == 0)
				snprintf(ret, sizeof(ret), "%s", knobs[i].current);
	}
	config_release(&config);
	return ret;
}

static void it_is_written_where_it_stands_or_is_to_stand(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct error why = { .text = "" };
		const char *settled = "";

		arena_init(&arena, 1 << 20);
		const char *text = arena_text(&arena, BEFORE "%s" AFTER, cases[i].block);
		const char *want = arena_text(&arena, BEFORE "%s" AFTER, cases[i].want);
		int r = settle_current(&arena, text, "k", cases[i].value, &settled, &why);

		test_row(r == 0 && strcmp(settled, want) == 0, "%s: %d %s\n%s", cases[i].name,
			 r, why.text, settled);
		test_row(strcmp(current_of(settled, "k"), cases[i].value) == 0 &&
				 strcmp(current_of(settled, "other"), "4") == 0 &&
				 strcmp(current_of(settled, "last"), "5") == 0,
			 "%s: is read back", cases[i].name);
		arena_release(&arena);
	}
}

/* One after the other, each from what the last has left. */
static void it_can_be_done_again(void **state)
{
	static const char *const values[] = { "it's", "", "a\\", "it's", "4" };
	const char *text = "knob k { values = { \"it's\", '', 4, 'a\\\\' } current = 4 }\n";
	const char *before = text;
	struct arena arena;
	struct error why = { .text = "" };

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(values); i++) {
		test_row(settle_current(&arena, text, "k", values[i], &text, &why) == 0 &&
				 strcmp(current_of(text, "k"), values[i]) == 0,
			 "%s: %s\n%s", values[i], why.text, text);
		test_row(strlen(text) <= strlen(before) + 8, "nothing is left behind: %s", text);
	}
	arena_release(&arena);
}

static void what_cannot_be_made_sure_of_is_refused(void **state)
{
	static const struct {
		const char *name, *text, *value;
	} rows[] = {
		{ "no such knob", "knob other { values = { 4, 8 } current = 4 }\n", "8" },
		{ "a text that makes no sense", "knob k { values = { 4, 8 } current = 4\n", "8" },
		{ "a value that is none", "knob k { values = { 4, 8 } current = 4 }\n", "9" },
		{ "a value that no file holds", "knob k { least = 1 most = 2 current = 1 }\n", "\033" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *settled = "untouched";
		struct arena arena;
		struct error why;

		arena_init(&arena, 1 << 20);
		int r = settle_current(&arena, rows[i].text, "k", rows[i].value, &settled, &why);

		test_row(r == -EBUSY && why.code == ERROR_FAILED_PRECONDITION &&
				 strcmp(settled, "untouched") == 0 &&
				 strstr(why.text, "knob k: ") &&
				 strstr(why.text, "write into its block: current = "),
			 "%s: %d %s", rows[i].name, r, r < 0 ? why.text : settled);
		arena_release(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_written_where_it_stands_or_is_to_stand),
		cmocka_unit_test(it_can_be_done_again),
		cmocka_unit_test(what_cannot_be_made_sure_of_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
