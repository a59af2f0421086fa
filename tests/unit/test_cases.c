#include <errno.h>

#include "common/arena.h"
#include "tests/support/test.h"
#include "workers/improve/cases.h"

#define FOUR(x) x x x x
#define SIXTEEN(x) FOUR(x) FOUR(x) FOUR(x) FOUR(x)

static struct arena arena;

static int clean(void **state)
{
	(void)state;
	arena_release(&arena);
	arena_init(&arena, 64 << 20);
	return 0;
}

/* "+name -name ~name": passed, failed, skipped; ">" timeout, "!" error; in order. */
static void tell(const struct cases *cases, char *ret, size_t size)
{
	static const char signs[] = "+-~>!";
	size_t used = 0;

	*ret = '\0';
	for (size_t i = 0; i < cases->count && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%c%s", i ? " " : "",
					 signs[cases->items[i].outcome],
					 cases->items[i].name);
}

static struct cases read_as(enum test_format format, const char *report, int exit_code)
{
	const struct case_source source = {
		.test = "t", .format = format, .report = span_of_text(report),
		.exit_code = exit_code, .timed_out = exit_code == -1,
		.end = exit_code == -2 ? "ended by signaled" : exit_code < 0 ? "ended by wall" : "exit status 3",
		.duration_ns = 7,
	};
	struct cases cases;

	cases_init(&cases, &arena);
	assert_int_equal(cases_read(&cases, &source), 0);
	return cases;
}

static void every_format_is_read_and_judged(void **state)
{
	static const struct {
		const char *name;
		enum test_format format;
		const char *report;
		int exit_code;
		const char *want;
	} rows[] = {
		{ "exit status 0", TEST_EXIT, "", 0, "+t" },
		{ "another one", TEST_EXIT, "", 3, "-t" },
		{ "exit ignores what is printed", TEST_EXIT, "1..1\nnot ok 1 x\n", 0, "+t" },
		{ "a time-out", TEST_EXIT, "", -1, ">t: did not end by itself" },
		{ "a time-out of TAP", TEST_TAP, "1..1\nok 1 a\n", -1, ">t: did not end by itself" },
		{ "a signal", TEST_EXIT, "", -2, "!t: did not end by itself" },
		{ "TAP", TEST_TAP, "TAP version 13\n1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP later\n", 1,
		  "+t: a -t: b ~t: c" },
		{ "TAP without names", TEST_TAP, "1..2\nok\nok 2\n", 0, "+t: 1 +t: 2" },
		{ "TAP to do", TEST_TAP, "1..1\nnot ok 1 a # TODO some day\n", 0, "~t: a" },
		{ "a hash in a name", TEST_TAP, "1..1\nok 1 a \\# b\n", 0, "+t: a \\# b" },
		{ "the plan at the end", TEST_TAP, "ok 1 a\nok 2 b\n1..2\n", 0, "+t: a +t: b" },
		{ "fewer than promised", TEST_TAP, "1..3\nok 1 a\n", 0, "+t: a -t: plan" },
		{ "no plan", TEST_TAP, "ok 1 a\n", 0, "+t: a -t: plan" },
		{ "bail out", TEST_TAP, "1..3\nok 1 a\nBail out! no disk\nok 2 b\n", 0, "+t: a -t: bailed out" },
		{ "nothing", TEST_TAP, "hello\n", 0, "-t: no case at all" },
		{ "an empty plan", TEST_TAP, "1..0 # skip\n", 0, "-t: no case at all" },
		{ "passed, it says, but not so the exit status", TEST_TAP, "1..1\nok 1 a\n", 2,
		  "+t: a -t: failed although every case passed" },
		{ "words that only begin like results", TEST_TAP, "1..1\nokay\nok 1 a\nnot okay\n", 0, "+t: a" },
		{ "the same name again", TEST_TAP, "1..3\nok 1 a\nok 2 a\nnot ok 3 a\n", 1,
		  "+t: a +t: a#2 -t: a#3" },
		{ "lines end in CR LF", TEST_TAP, "1..1\r\nok 1 a\r\n", 0, "+t: a" },
		{ "JUnit", TEST_JUNIT,
		  "<testsuites><testsuite name='s'>"
		  "<testcase classname='c' name='a' time='0.25'/>"
		  "<testcase name='b'><failure message='no'>text</failure></testcase>"
		  "<testcase name='d'><error/></testcase>"
		  "<testcase name='e'><skipped message='later'/></testcase>"
		  "</testsuite></testsuites>", 1, "+t: c.a -t: b !t: d ~t: e" },
		{ "a case that was an error is no success", TEST_JUNIT,
		  "<testsuite><testcase name='a'><error/></testcase></testsuite>", 3, "!t: a" },
		{ "failed and skipped is failed", TEST_JUNIT,
		  "<testsuite><testcase name='a'><failure/><skipped/></testcase></testsuite>", 0, "-t: a" },
		{ "not well-formed", TEST_JUNIT, "<testsuite><testcase name='a'>", 0,
		  "-t: report is no JUnit XML" },
		{ "a document type", TEST_JUNIT,
		  "<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite><testcase name='&a;'/></testsuite>", 0,
		  "-t: report is no JUnit XML" },
		{ "elements within elements", TEST_JUNIT,
		  "<testsuite>" SIXTEEN("<a>") SIXTEEN("<a>") SIXTEEN("<a>") SIXTEEN("<a>")
		  SIXTEEN("</a>") SIXTEEN("</a>") SIXTEEN("</a>") SIXTEEN("</a>")
		  "<testcase name='a'/></testsuite>", 0, "-t: report is no JUnit XML" },
		{ "no case", TEST_JUNIT, "<testsuite/>", 0, "-t: no case at all" },
		{ "auto: TAP", TEST_AUTO, "building\n1..1\nok 1 a\n", 0, "+t: a" },
		{ "auto: JUnit", TEST_AUTO, "\n<?xml version='1.0'?><testsuite><testcase name='a'/></testsuite>", 1,
		  "-t: report is no JUnit XML" },
		{ "auto: exit status", TEST_AUTO, "100 tests passed\n", 1, "-t" },
		{ "bytes that are no text", TEST_TAP, "1..1\nok 1 a\x1b[31m\xff\n", 0, "+t: a\\x1b[31m\\xff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cases cases = read_as(rows[i].format, rows[i].report, rows[i].exit_code);
		char got[2000];

		tell(&cases, got, sizeof(got));
		test_row(strcmp(got, rows[i].want) == 0, "%s: got %s", rows[i].name, got);
	}
}

static void times_and_reasons_are_kept(void **state)
{
	struct cases cases = read_as(TEST_JUNIT,
				     "<testsuite><testcase name='a' time='0.25'/>"
				     "<testcase name='b' time='x'><failure message='why'/></testcase>"
				     "</testsuite>", 1);

	(void)state;
	assert_int_equal(cases.items[0].duration_ns, 250000000);
	assert_string_equal(cases.items[1].detail, "why");
	cases = read_as(TEST_EXIT, "", 3);
	assert_string_equal(cases.items[0].detail, "exit status 3");
	assert_int_equal(cases.items[0].duration_ns, 7);
	cases = read_as(TEST_EXIT, "", -1);
	assert_string_equal(cases.items[0].detail, "ended by wall");
}

static void the_file_is_the_cases_or_its_suites(void **state)
{
	struct cases cases = read_as(TEST_JUNIT,
				     "<testsuites><testsuite file='s.c'><testcase name='a' file='a\x7f.c'/>"
				     "<testcase name='b'/></testsuite><testsuite><testcase name='c'/>"
				     "</testsuite></testsuites>", 0);

	(void)state;
	assert_string_equal(cases.items[0].file, "a\\x7f.c");
	assert_string_equal(cases.items[1].file, "s.c");
	assert_string_equal(cases.items[2].file, "");
	cases = read_as(TEST_TAP, "1..1\nok 1 a\n", 0);
	assert_string_equal(cases.items[0].file, "");
}

static void differences_are_told_by_name(void **state)
{
	static const struct {
		const char *name, *before, *after;
		size_t failed, vanished, skipped, passed, added;
		const char *first;
	} rows[] = {
		{ "the same", "ok a\nnot ok b\n", "ok a\nnot ok b\n", 0, 0, 0, 0, 0, NULL },
		{ "in another order", "ok a\nok b\n", "ok b\nok a\n", 0, 0, 0, 0, 0, NULL },
		{ "one fails", "ok a\nok b\n", "ok a\nnot ok b\n", 1, 0, 0, 0, 0, "t: b" },
		{ "one is gone", "ok a\nok b\n", "ok b\n", 0, 1, 0, 0, 0, "t: a" },
		{ "a failing one is gone", "ok a\nnot ok b\n", "ok a\n", 0, 1, 0, 0, 0, "t: b" },
		{ "one is skipped", "ok a\n", "ok a # skip\n", 0, 0, 1, 0, 0, "t: a" },
		{ "one is mended", "not ok a\n", "ok a\n", 0, 0, 0, 1, 0, NULL },
		{ "one is new", "ok a\n", "ok a\nok b\n", 0, 0, 0, 0, 1, NULL },
		{ "another name", "ok a\n", "ok b\n", 0, 1, 0, 0, 1, "t: a" },
		{ "flaky ones do not count", "ok a\nok f\n", "ok a\nnot ok f\n", 0, 0, 0, 0, 0, NULL },
		{ "nor if they vanish", "ok a\nok f\n", "ok a\n", 0, 0, 0, 0, 0, NULL },
	};
	char before[200], after[200];
	struct cases flaky;

	(void)state;
	cases_init(&flaky, &arena);
	assert_int_equal(cases_add(&flaky, span_of_text("t: f"), CASE_FAILED, -1,
				   (struct span){ 0 }), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(before, sizeof(before), "1..9\n%s", rows[i].before);
		snprintf(after, sizeof(after), "1..9\n%s", rows[i].after);
		struct cases one = read_as(TEST_TAP, before, 1);
		struct cases two = read_as(TEST_TAP, after, 1);
		struct case_difference d;

		assert_int_equal(cases_compare(&one, &two, &flaky, &d), 0);

		test_row(d.newly_failed == rows[i].failed && d.vanished == rows[i].vanished &&
			 d.newly_skipped == rows[i].skipped && d.newly_passed == rows[i].passed &&
			 d.added == rows[i].added, "%s: %zu %zu %zu %zu %zu", rows[i].name,
			 d.newly_failed, d.vanished, d.newly_skipped, d.newly_passed, d.added);
		test_row(rows[i].first ? d.first && strcmp(d.first, rows[i].first) == 0 :
					 !d.first, "%s: first %s", rows[i].name,
			 d.first ? d.first : "none");
	}
}

static void an_error_is_no_better_than_a_failure(void **state)
{
	struct cases one = read_as(TEST_JUNIT, "<testsuite><testcase name='a'/></testsuite>", 0);
	struct cases two = read_as(TEST_JUNIT, "<testsuite><testcase name='a'><error/></testcase>"
				   "</testsuite>", 1);
	struct case_difference d;

	(void)state;
	assert_int_equal(cases_compare(&one, &two, NULL, &d), 0);
	assert_int_equal(d.newly_failed, 1);
	assert_string_equal(d.first, "t: a");
	assert_int_equal(cases_count_bad(&two), 1);
	for (int i = 0; i < CASE_OUTCOME_COUNT; i++)
		assert_non_null(case_outcome_name((enum case_outcome)i));
}

/* As many cases as there may be, all of one name: bounded, and not slow. */
static void more_cases_than_are_read_is_a_failure(void **state)
{
	size_t size = (CASES_MAX + 10) * 8 + 32, used;
	char *text = malloc(size);

	(void)state;
	used = (size_t)snprintf(text, size, "1..%d\n", CASES_MAX + 10);
	for (int i = 0; i < CASES_MAX + 10; i++)
		used += (size_t)snprintf(text + used, size - used, "ok - a\n");
	struct cases cases = read_as(TEST_TAP, text, 0);

	assert_int_equal(cases_count(&cases, CASE_PASSED), CASES_MAX);
	assert_int_equal(cases_count(&cases, CASE_FAILED), 1);
	struct case_index index;

	assert_int_equal(cases_index(&cases, cases.arena, &index), 0);
	assert_non_null(cases_find(&index, "more cases than are read"));
	assert_non_null(cases_find(&index, "t: a"));
	assert_non_null(cases_find(&index, "t: a#20000"));
	assert_null(cases_find(&index, "t: a#20001"));
	free(text);
}

/* A lack of memory says nothing about the candidate. */
static void without_memory_there_is_no_difference(void **state)
{
	struct cases one = read_as(TEST_TAP, "1..1\nok 1 - a\n", 0), two = one;
	struct case_difference d;
	struct arena full;

	(void)state;
	arena_init(&full, 0);
	two.arena = &full;
	assert_int_equal(cases_compare(&one, &two, NULL, &d), -ENOMEM);
}

/* What a text takes is what it is long, not what it may be. */
static void cases_take_what_they_are_long(void **state)
{
	struct cases cases, all;
	size_t bytes;

	(void)state;
	cases_init(&cases, &arena);
	cases_init(&all, &arena);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(cases_add(&cases, span_of_text("t: a"), CASE_FAILED, -1,
					   span_of_text("why")), 0);
		assert_int_equal(cases_set_file(&cases, span_of_text("a.c")), 0);
	}
	assert_true(arena.bytes < 1000 * 200);
	bytes = arena.bytes;
	assert_int_equal(cases_add_all(&all, &cases), 0);
	assert_int_equal(all.count, 1000);
	assert_ptr_equal(all.items[999].file, cases.items[999].file);
	assert_true(arena.bytes - bytes < 1000 * 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_format_is_read_and_judged, clean),
		cmocka_unit_test_setup(times_and_reasons_are_kept, clean),
		cmocka_unit_test_setup(an_error_is_no_better_than_a_failure, clean),
		cmocka_unit_test_setup(the_file_is_the_cases_or_its_suites, clean),
		cmocka_unit_test_setup(differences_are_told_by_name, clean),
		cmocka_unit_test_setup(more_cases_than_are_read_is_a_failure, clean),
		cmocka_unit_test_setup(without_memory_there_is_no_difference, clean),
		cmocka_unit_test_setup(cases_take_what_they_are_long, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
