#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/changes_diff.h"
#include "tests/support/trees.h"

static char *diff_of(struct span old, struct span new, int *ret)
{
	struct arena arena;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	arena_init(&arena, 64 << 20);
	*ret = diff_print(old, new, &arena, out);
	arena_release(&arena);
	fclose(out);
	return text;
}

static const struct {
	const char *name, *old, *new, *want;
} cases[] = {
	{ "the same", "a\nb\n", "a\nb\n", "" },
	{ "both empty", "", "", "" },
	{ "all new", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n" },
	{ "all gone", "a\n", "", "@@ -1,1 +0,0 @@\n-a\n" },
	{ "a line in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
	  "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n" },
	{ "two places, two hunks", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "X\n2\n3\n4\n5\n6\n7\n8\nX\n",
	  "@@ -1,4 +1,4 @@\n-1\n+X\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+X\n" },
	{ "two places close by, one hunk", "1\n2\n3\n4\n5\n6\n", "X\n2\n3\n4\n5\nX\n",
	  "@@ -1,6 +1,6 @@\n-1\n+X\n 2\n 3\n 4\n 5\n-6\n+X\n" },
	{ "no line break at the end", "a\nb", "a\nb\n",
	  "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n" },
	{ "a tab stays, an escape does not", "", "\ta\033[2J\rb\n", "@@ -0,0 +1,1 @@\n+\ta\\x1b[2J\\rb\n" },
};

static void hunks_are_as_diff_prints_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int r;
		char *got = diff_of(span_of_text(cases[i].old), span_of_text(cases[i].new), &r);

		test_row(strcmp(got, cases[i].want) == 0, "%s:\ngot\n%swant\n%s", cases[i].name,
			 got, cases[i].want);
		assert_int_equal(r, strlen(got));
		free(got);
	}
}

#define LINES_MAX 24

/* Lines of one letter. */
static void make_text(struct random *random, char ret[2 * LINES_MAX + 1])
{
	size_t lines = random_below(random, LINES_MAX + 1);

	for (size_t i = 0; i < lines; i++) {
		ret[2 * i] = (char)('a' + random_below(random, 4));
		ret[2 * i + 1] = '\n';
	}
	ret[2 * lines] = '\0';
}

/* Lines that must go or come at the least, by the longest common subsequence. */
static unsigned least_edits(const char *old, const char *new)
{
	unsigned best[LINES_MAX + 1][LINES_MAX + 1];
	size_t n = strlen(old) / 2, m = strlen(new) / 2;

	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			best[i][j] = (unsigned)(i + j);
			if (i && j && best[i - 1][j] + 1 < best[i][j])
				best[i][j] = best[i - 1][j] + 1;
			if (i && j && best[i][j - 1] + 1 < best[i][j])
				best[i][j] = best[i][j - 1] + 1;
			if (i && j && old[2 * i - 2] == new[2 * j - 2] &&
			    best[i - 1][j - 1] < best[i][j])
				best[i][j] = best[i - 1][j - 1];
		}
	return best[n][m];
}

/* Follows the hunks from old; what comes out goes into ret. */
static unsigned apply(const char *old, const char *hunks, char *ret)
{
	const char *at = old;
	unsigned edits = 0;

	for (const char *line = hunks; *line; line = strchr(line, '\n') + 1) {
		if (*line == '@') {
			long from = strtol(line + strlen("@@ -"), NULL, 10);
			const char *to = from > 0 ? old + 2 * (from - 1) : old;

			assert_true(to >= at);
			ret = mempcpy(ret, at, (size_t)(to - at));
			at = to;
			continue;
		}
		if (*line != '+') {
			assert_memory_equal(at, line + 1, 2);
			at += 2;
		}
		if (*line != '-')
			ret = mempcpy(ret, line + 1, 2);
		edits += *line != ' ';
	}
	memcpy(ret, at, strlen(at) + 1);
	return edits;
}

static void hunks_lead_from_old_to_new_in_the_fewest_lines(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "diff");
	for (int i = 0; i < 20000; i++) {
		char old[2 * LINES_MAX + 1], new[2 * LINES_MAX + 1], got[4 * LINES_MAX + 1];
		int r;

		make_text(&random, old);
		make_text(&random, new);
		char *hunks = diff_of(span_of_text(old), span_of_text(new), &r);
		unsigned edits = apply(old, hunks, got);

		test_row(strcmp(got, new) == 0, "old\n%snew\n%shunks\n%s", old, new, hunks);
		test_row(edits == least_edits(old, new), "%u lines, not %u: old\n%snew\n%s",
			 edits, least_edits(old, new), old, new);
		free(hunks);
	}
}

static void what_differs_too_much_is_not_searched(void **state)
{
	char old[8001], new[8001];
	int r;

	(void)state;
	for (int i = 0; i < 8000; i += 2) {
		memcpy(old + i, "a\n", 2);
		memcpy(new + i, "b\n", 2);
	}
	struct span a = { (uint8_t *)old, 8000 }, b = { (uint8_t *)new, 8000 };
	char *text = diff_of(a, b, &r);

	assert_int_equal(r, -EFBIG);
	free(text);
	text = diff_of((struct span){ NULL, 0 }, b, &r);
	assert_int_equal(r, -EFBIG);
	free(text);
}

static char *diff_trees(struct trees *trees, size_t bytes_max)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(trees_read(trees), 0);
	assert_int_equal(changes_diff(trees->upper, &trees->workspace, &trees->changes,
				      bytes_max, out, &trees->why), 0);
	fclose(out);
	return text;
}

static void files_of_all_kinds_are_diffed_or_named(void **state)
{
	struct trees trees;

	(void)state;
	trees_init(&trees);
	trees_script(&trees, "ws",
		     "echo 1 >a; echo 1 >b; printf 'x\\0' >bin; ln -s x l; mkdir t; "
		     "echo 1 >same");
	trees_script(&trees, "up/upper",
		     "echo 2 >a; mknod b c 0 0; printf 'y\\0' >bin; ln -s y l; echo 3 >t; "
		     "echo 4 >new; head -c 300000 /dev/zero >huge; cp -p $WS/same same; "
		     "chmod 755 same; mkfifo p");
	char *got = diff_trees(&trees, SIZE_MAX);

	assert_string_equal(
		got,
		"--- a/a\n+++ b/a\n@@ -1,1 +1,1 @@\n-1\n+2\n"
		"--- a/b\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-1\n"
		"--- a/bin\n+++ b/bin\n(not shown: binary, too long or too different)\n"
		"--- /dev/null\n+++ b/huge\n(not shown: binary, too long or too different)\n"
		"--- /dev/null\n+++ b/new\n@@ -0,0 +1,1 @@\n+4\n"
		"--- /dev/null\n+++ b/t\n@@ -0,0 +1,1 @@\n+3\n");
	free(got);
	got = diff_trees(&trees, 0);
	assert_string_equal(got, "--- a/a\n+++ b/a\n@@ -1,1 +1,1 @@\n-1\n+2\n"
				 "... and 5 more files\n");
	free(got);
	trees_release(&trees);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hunks_are_as_diff_prints_them),
		cmocka_unit_test(hunks_lead_from_old_to_new_in_the_fewest_lines),
		cmocka_unit_test(what_differs_too_much_is_not_searched),
		cmocka_unit_test(files_of_all_kinds_are_diffed_or_named),
	};

	return cmocka_run_group_tests_name("changes_diff", tests, NULL, NULL);
}
