#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/core/glob.h"

static int compile(struct glob *glob, const char *pattern)
{
	static uint8_t memory[4 * GLOB_PATTERN_BYTES_MAX];

	return glob_compile(glob, span_of_text(pattern), memory, sizeof(memory));
}

static const struct {
	const char *name, *pattern, *path;
	bool want;
} matches[] = {
	{ "a literal is itself", "src/main.c", "src/main.c", true },
	{ "a literal is no prefix", "src/main", "src/main.c", false },
	{ "a literal is no suffix", "main.c", "src/main.c", false },
	{ "the empty pattern matches the empty path", "", "", true },
	{ "the empty pattern matches nothing else", "", "a", false },
	{ "? is one byte", "a?c", "abc", true },
	{ "? is not none", "a?c", "ac", false },
	{ "? is no slash", "a?c", "a/c", false },
	{ "* may be empty", "a*", "a", true },
	{ "* is any name", "*.c", "main.c", true },
	{ "* takes dotted names", "*", ".git", true },
	{ "* stops at a slash", "*.c", "src/main.c", false },
	{ "* in the middle", "src/*/main.c", "src/x/main.c", true },
	{ "* in the middle is one component", "src/*/main.c", "src/x/y/main.c", false },
	{ "the prefix and the suffix do not overlap", "aba*ba", "aba", false },
	{ "nor do they share a slash", "x/**/*/y", "x/y", false },
	{ "stars retry", "*ab*ab", "abcabxab", true },
	{ "stars give up", "*ab*abc*", "abcabxab", false },
	{ "two stars in a name are one", "a**c", "abbc", true },
	{ "two stars in a name stop at a slash", "a**c", "ab/bc", false },
	{ "stars after a name stop at a slash", "foo**/bar", "foox/y/bar", false },
	{ "** leads over no directory", "**/a", "a", true },
	{ "** leads over many directories", "**/a", "x/y/a", true },
	{ "** leads over whole names only", "**/a", "xa", false },
	{ "** leads to a suffix", "**/*.c", "x/y.c", true },
	{ "** leads to a suffix here too", "**/*.c", "y.c", true },
	{ "** in the middle is none", "a/**/b", "a/b", true },
	{ "** in the middle is many", "a/**/b", "a/x/y/b", true },
	{ "** in the middle needs its slashes", "a/**/b", "ab", false },
	{ "** in the middle takes whole names", "a/**/b", "a/xb", false },
	{ "** ends in everything below", "a/**", "a/x/y", true },
	{ "** ends below, not at the directory", "a/**", "a", false },
	{ "** ends below this directory only", "a/**", "ab/c", false },
	{ "** alone is everything", "**", "a/b/c", true },
	{ "** alone is not nothing", "**", "", false },
	{ "*** counts as **", "***/a", "x/y/a", true },
	{ "** twice is as good as once", "**/**/a", "a", true },
	{ "* before a slash is no way back after it", "*a/b", "xa/c", false },
	{ "** goes back to the next directory", "**/a*/b", "ax/c/ay/b", true },
	{ "** after ** finds the later place", "**/a/**/b/c", "a/b/b/a/b/c", true },
	{ "** before * and a suffix", "**/t?st_*.c", "tests/unit/test_glob.c", true },
	{ "a set has its members", "[abc]", "b", true },
	{ "a set has no others", "[abc]", "d", false },
	{ "a range has its ends", "[a-c][a-c]", "ac", true },
	{ "a range has an outside", "[a-c]", "d", false },
	{ "a range backwards is empty", "[c-a]", "b", false },
	{ "a set may be negated by !", "[!a-c]", "d", true },
	{ "a set may be negated by ^", "[^a-c]", "b", false },
	{ "a negated set is no slash", "a[!b]c", "a/c", false },
	{ "a set is no slash even when it says so", "a[/]c", "a/c", false },
	{ "a first ] is a member", "[]a]", "]", true },
	{ "a first ] after ! is a member", "[!]a]", "]", false },
	{ "a last - is a member", "[a-]", "-", true },
	{ "a first - is a member", "[-a]", "-", true },
	{ "a - after a range is a member", "[a-c-e]", "-", true },
	{ "a - after a range begins none", "[a-c-e]", "d", false },
	{ "an escaped ] is a member", "[\\]]", "]", true },
	{ "an escaped - begins no range", "[a\\-c]", "b", false },
	{ "a range may end in an escape", "[Z-\\]]", "\\", true },
	{ "a class has its members", "[[:digit:]x]", "7", true },
	{ "a class beside others", "[[:digit:]x]", "x", true },
	{ "a class has no others", "[[:alpha:]]", "7", false },
	{ "a class negated", "[![:space:]]", "\t", false },
	{ "a - after a class is a member", "[[:digit:]-z]", "-", true },
	{ "a colon and bracket without a class", "[[:a]", ":", true },
	{ "an escape makes a star plain", "a\\*", "a*", true },
	{ "an escaped star is nothing else", "a\\*", "ab", false },
	{ "an escape before a plain byte is nothing", "\\a\\b", "ab", true },
	{ "braces are plain bytes", "{a,b}", "{a,b}", true },
	{ "bytes above 127 are compared", "\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true },
	{ "? is one byte of a character", "?", "\xc3\xa9", false },
	{ "a set holds bytes above 127", "[\x80-\xff]?", "\xc3\xa9", true },
};

static void matches_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(matches); i++) {
		struct glob glob;
		int r = compile(&glob, matches[i].pattern);

		test_row(r >= 0, "%s: compile gives %d", matches[i].name, r);
		bool got = glob_match(&glob, span_of_text(matches[i].path));
		test_row(got == matches[i].want, "%s: %s on %s: got %d",
			 matches[i].name, matches[i].pattern, matches[i].path,
			 got);
	}
}

static void every_class_has_the_members_of_the_c_locale(void **state)
{
	static const struct {
		const char *name;
		unsigned count;	/* of the 128 ASCII bytes, less NUL and slash */
	} classes[] = {
		{ "alnum", 62 }, { "alpha", 52 }, { "blank", 2 },
		{ "cntrl", 32 }, { "digit", 10 }, { "graph", 93 },
		{ "lower", 26 }, { "print", 94 }, { "punct", 31 },
		{ "space", 6 },	 { "upper", 26 }, { "xdigit", 22 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(classes); i++) {
		char pattern[32];
		struct glob glob;
		unsigned count = 0;

		snprintf(pattern, sizeof(pattern), "[[:%s:]]", classes[i].name);
		assert_true(compile(&glob, pattern) > 0);
		for (uint8_t byte = 1; byte < 255; byte++)
			count += glob_match(&glob, (struct span){ &byte, 1 });
		test_row(count == classes[i].count, "%s: got %u",
			 classes[i].name, count);
	}
}

static void malformed_patterns_are_refused(void **state)
{
	static const char *const malformed[] = {
		"[", "[]", "[!]", "[a", "a[b-", "[[:digit:]", "[[:nosuch:]]",
		"[[::]]", "\\", "a\\", "[\\", "[a-\\",
	};
	struct glob glob;

	(void)state;
	for (size_t i = 0; i < COUNT(malformed); i++)
		test_row(compile(&glob, malformed[i]) == -EINVAL, "%s",
			 malformed[i]);
	assert_int_equal(glob_compile(&glob,
				      (struct span){ (const uint8_t *)"a\0b", 3 },
				      NULL, 0),
			 -EINVAL);
}

static void memory_is_never_exceeded(void **state)
{
	struct span pattern = span_of_text("src/**/[a-z]?*.c");
	uint8_t memory[128];
	struct glob glob;
	int needed = glob_compile(&glob, pattern, memory, sizeof(memory));

	(void)state;
	assert_in_range(needed, 1, sizeof(memory));
	for (int given = 0; given < needed; given++) {
		memory[given] = 0xee;
		assert_int_equal(glob_compile(&glob, pattern, memory,
					      (size_t)given), -ENOSPC);
		assert_int_equal(memory[given], 0xee);
	}
	assert_int_equal(glob_compile(&glob, pattern, memory, (size_t)needed),
			 needed);
}

static void too_long_a_pattern_is_refused(void **state)
{
	static uint8_t text[GLOB_PATTERN_BYTES_MAX + 1];
	static uint8_t memory[2 * sizeof(text)];
	struct glob glob;

	(void)state;
	memset(text, '?', sizeof(text));
	assert_int_equal(glob_compile(&glob, (struct span){ text, sizeof(text) },
				      memory, sizeof(memory)), -ENAMETOOLONG);
	assert_int_equal(glob_compile(&glob, (struct span){ text, sizeof(text) - 1 },
				      memory, sizeof(memory)), 8192);
}

/* Backtracking over every star would take 2^30 steps and more. */
static void many_stars_stay_cheap(void **state)
{
	char path[3001];
	struct glob glob;

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_true(compile(&glob, "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b?") > 0);
	assert_false(glob_match(&glob, span_of_text(path)));
	for (size_t i = 1; i < sizeof(path) - 1; i += 2)
		path[i] = '/';
	assert_true(compile(&glob, "**/a/**/a/**/a/**/a/**/a/**/a/**/b?") > 0);
	assert_false(glob_match(&glob, span_of_text(path)));
}

/* What the header says, in the plainest way: exponential, for short texts. */
static bool plainly(const char *p, const char *t, bool at_start)
{
	if (!*p)
		return !*t;
	if (at_start && strcmp(p, "**") == 0)
		return *t;
	if (at_start && strncmp(p, "**/", 3) == 0) {
		const char *slash = strchr(t, '/');

		return plainly(p + 3, t, true) ||
		       (slash && plainly(p, slash + 1, true));
	}
	if (*p == '*')
		return plainly(p + 1, t, false) ||
		       (*t && *t != '/' && plainly(p, t + 1, false));
	if (!*t || !(*p == *t || (*p == '?' && *t != '/')))
		return false;
	return plainly(p + 1, t + 1, *p == '/');
}

/* A span without bytes may have no pointer either. */
static void nothing_at_all_is_the_empty_text(void **state)
{
	static const struct {
		const char *pattern;
		bool want;
	} cases[] = {
		{ "", true }, { "*", true }, { "**", false }, { "**/*", true },
		{ "?", false }, { "*[a]", false }, { "*?*", false },
	};
	const struct span nothing = { NULL, 0 };
	uint8_t memory[64];
	struct glob glob;

	(void)state;
	assert_int_equal(glob_compile(&glob, nothing, memory, sizeof(memory)), 0);
	assert_true(glob_match(&glob, nothing));
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(compile(&glob, cases[i].pattern) >= 0);
		test_row(glob_match(&glob, nothing) == cases[i].want, "%s",
			 cases[i].pattern);
	}
}

static void random_text(struct random *random, const char *const *pieces,
			size_t count, char *text)
{
	text[0] = '\0';
	for (uint64_t n = random_below(random, 7); n > 0; n--)
		strcat(text, pieces[random_below(random, count)]);
}

/* The plain matcher does not know "***", nor what "//" would mean. */
static void agrees_with_the_plain_matcher(void **state)
{
	static const char *const parts[] = { "a", "b", "/", "*", "?", "**/", "/**", "a/" };
	static const char *const names[] = { "a", "b", "/", "ab", "a/b" };
	struct random random;
	unsigned matched = 0;

	(void)state;
	test_random_init(&random, "plain matcher");
	for (int i = 0; i < 300000; i++) {
		char pattern[32], path[32];
		struct glob glob;

		random_text(&random, parts, COUNT(parts), pattern);
		random_text(&random, names, COUNT(names), path);
		if (strstr(pattern, "***") || strstr(pattern, "//") ||
		    strstr(path, "//"))
			continue;
		assert_true(compile(&glob, pattern) >= 0);
		bool got = glob_match(&glob, span_of_text(path));
		test_row(got == plainly(pattern, path, true),
			 "%s on %s: got %d", pattern, path, got);
		matched += got;
	}
	assert_in_range(matched, 1000, 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_what_the_table_says),
		cmocka_unit_test(every_class_has_the_members_of_the_c_locale),
		cmocka_unit_test(malformed_patterns_are_refused),
		cmocka_unit_test(memory_is_never_exceeded),
		cmocka_unit_test(too_long_a_pattern_is_refused),
		cmocka_unit_test(many_stars_stay_cheap),
		cmocka_unit_test(nothing_at_all_is_the_empty_text),
		cmocka_unit_test(agrees_with_the_plain_matcher),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
