/* Which changed file is one of those that a test depends on. */
#include <errno.h>
#include <string.h>

#include "tests/support/test.h"
#include "workers/improve/affected_core.h"

static void a_pattern_stands_for_files_and_folders(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool want;
	} cases[] = {
		{ "src/a.c", "src/a.c", true },
		{ "src/a.c", "src/a.ch", false },
		{ "src/a.c", "src/b.c", false },
		{ "src/*.c", "src/a.c", true },
		{ "src/*.c", "src/deep/a.c", false },
		{ "src/**/*.c", "src/deep/er/a.c", true },
		{ "src/{parse,lex}*.[ch]", "src/lexer.h", true },
		{ "src/{parse,lex}*.[ch]", "src/main.c", false },
		{ "src", "src/deep/a.c", true },
		{ "src/d*p", "src/deep/er/a.c", true },
		{ "src", "srcs/a.c", false },
		{ "a.c", "src/a.c", false },
		{ "**/a.c", "src/a.c", true },
		{ "*", "a", true },
		{ "**", ".hidden/a", true },
		{ "a", "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct affected affected;

		assert_int_equal(affected_compile(&affected, cases[i].pattern), 0);
		test_row(affected_by(&affected, cases[i].path) == cases[i].want, "%s of %s",
			 cases[i].path, cases[i].pattern);
	}
}

static void what_is_no_pattern_is_refused(void **state)
{
	static const struct {
		const char *pattern;
		int want;
	} cases[] = {
		{ "src/[a", -EINVAL }, { "src/{a,b", -EINVAL }, { "a\\", -EINVAL },
		{ "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 0 },
		{ "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", -ENOSPC },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct affected affected;
		int r = affected_compile(&affected, cases[i].pattern);

		test_row(r == cases[i].want, "%s: got %d", cases[i].pattern, r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_stands_for_files_and_folders),
		cmocka_unit_test(what_is_no_pattern_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
