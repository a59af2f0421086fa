#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/core/glob_set.h"

#define PLACES 256

static struct glob places[PLACES];
static uint8_t memory[65536];

static void start(struct glob_set *set)
{
	glob_set_init(set, places, PLACES, memory, sizeof(memory));
}

static const struct {
	const char *name, *pattern;
	int alternatives;
	const char *yes, *no;	/* paths, separated by spaces */
} cases[] = {
	{ "without braces there is one", "*.c", 1, "a.c", "a.h" },
	{ "either of two", "*.{c,h}", 2, "a.c a.h", "a.o a.{c,h}" },
	{ "an empty alternative", "a{,.bak}", 2, "a a.bak", "a." },
	{ "braces of one fall away", "a{b}c", 1, "abc", "a{b}c" },
	{ "braces of none fall away", "a{}b", 1, "ab", "a{}b" },
	{ "two groups multiply", "{a,b}{c,d}", 4, "ac ad bc bd", "ab cd" },
	{ "groups nest", "{a,b{c,d}e}f", 3, "af bcef bdef", "bf acef" },
	{ "groups nest at the front", "{{a,b},c}", 3, "a b c", "ab" },
	{ "only the groups on the way count", "{a{b,c},d}", 3, "ab ac d", "a" },
	{ "a comma outside is itself", "a,b", 1, "a,b", "a" },
	{ "a closing brace outside is itself", "a}", 1, "a}", "a" },
	{ "an escaped brace is itself", "\\{a,b\\}", 1, "{a,b}", "a" },
	{ "an escaped comma is itself", "{a\\,b,c}", 2, "a,b c", "a b" },
	{ "a set protects its members", "{[,}],a}", 2, ", } a", "[" },
	{ "stars work inside", "{src,tests/**}/*.c", 2, "src/a.c tests/x/y/a.c", "a.c" },
	{ "stars are whole across the braces", "{**/,}a", 2, "a x/a", "xa" },
};

static bool all_match(const struct glob_set *set, const char *paths, bool want)
{
	char text[128], *rest = text, *path;

	snprintf(text, sizeof(text), "%s", paths);
	while ((path = strsep(&rest, " ")))
		if (glob_set_match(set, span_of_text(path)) != want)
			return false;
	return true;
}

static void braces_expand_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct glob_set set;

		start(&set);
		int r = glob_set_add(&set, span_of_text(cases[i].pattern));
		test_row(r == cases[i].alternatives, "%s: got %d alternatives",
			 cases[i].name, r);
		test_row(all_match(&set, cases[i].yes, true), "%s: of %s",
			 cases[i].name, cases[i].yes);
		test_row(all_match(&set, cases[i].no, false), "%s: of %s",
			 cases[i].name, cases[i].no);
	}
}

static void a_set_matches_what_any_of_its_patterns_matches(void **state)
{
	struct glob_set set;

	(void)state;
	start(&set);
	assert_false(glob_set_match(&set, span_of_text("a.c")));
	assert_int_equal(glob_set_add(&set, span_of_text("*.c")), 1);
	assert_int_equal(glob_set_add(&set, span_of_text("{x,y}/**")), 2);
	assert_true(all_match(&set, "a.c x/a y/b/c", true));
	assert_true(all_match(&set, "a.h z/a x", false));
}

static const struct {
	const char *name, *pattern;
	int want;
} failures[] = {
	{ "an unclosed group", "{a,b", -EINVAL },
	{ "an unclosed inner group", "{a,{b,c}", -EINVAL },
	{ "an unclosed set in a group", "{[a,b}", -EINVAL },
	{ "a bad second alternative", "{a,[[:x:]]}", -EINVAL },
	{ "a trailing backslash", "{a,b}\\", -EINVAL },
	{ "more alternatives than places", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", -ENOSPC },
	{ "too many groups", "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}", -E2BIG },
};

static void a_failure_adds_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct glob_set set;

		start(&set);
		assert_int_equal(glob_set_add(&set, span_of_text("*.c")), 1);
		size_t used = set.memory_used;
		int r = glob_set_add(&set, span_of_text(failures[i].pattern));
		test_row(r == failures[i].want, "%s: got %d", failures[i].name, r);
		assert_int_equal(set.count, 1);
		assert_int_equal(set.memory_used, used);
		assert_true(all_match(&set, "a.c", true));
		assert_true(all_match(&set, "a b", false));
	}
}

static void memory_bounds_a_set(void **state)
{
	uint8_t few[6];
	struct glob_set set;

	(void)state;
	glob_set_init(&set, places, PLACES, few, sizeof(few));
	assert_int_equal(glob_set_add(&set, span_of_text("{abc,def}")), 2);
	assert_int_equal(glob_set_add(&set, span_of_text("g")), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(braces_expand_as_the_table_says),
		cmocka_unit_test(a_set_matches_what_any_of_its_patterns_matches),
		cmocka_unit_test(a_failure_adds_nothing),
		cmocka_unit_test(memory_bounds_a_set),
	};

	return cmocka_run_group_tests_name("glob_set", tests, NULL, NULL);
}
