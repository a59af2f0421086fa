#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_print.h"
#include "tests/support/test.h"
#include "workers/improve/workspace_file.h"

struct fixture {
	struct config config;
	struct workspace_file file;
	struct error why;
};

static int parse(struct fixture *fixture, const char *text)
{
	return workspace_file_parse(&fixture->config, &fixture->file, "cupel.conf",
				    span_of_text(text), &fixture->why);
}

static const char whole[] =
	"protect = { tests, bench.sh }\n"
	"build { command = \"make -j2\" }\n"
	"test unit { command = { make, check } format = tap tags = { quick } }\n"
	"benchmark parse {\n"
	"  command = \"./parse big.json\"\n"
	"  metric time { }\n"
	"  metric rate { from = stdout pattern = \"([0-9.]+) MB/s\" better = higher target = 200 }\n"
	"}\n"
	"knob level { variable = CFLAGS values = { \"-O1\", \"-O2\" } current = \"-O2\" }\n"
	"knob block { kind = file least = 512 most = 65536 scale = log\n"
	"  file = src/io.h pattern = '#define BLOCK ([0-9]+)' }\n"
	"knob unroll { values = { no, yes } current = no when = \"level=-O2\" }\n"
	"guard parse.rate { tolerance = 5 hard = true }\n"
	"improve { metric = parse.time gain = 12.5 }\n";

static void a_whole_file_is_read(void **state)
{
	struct fixture fixture;

	(void)state;
	test_row(parse(&fixture, whole) == 0, "%s", fixture.why.text);
	const struct workspace_file *file = &fixture.file;
	const struct workspace_benchmark *benchmark = file->benchmarks.items;
	const struct workspace_metric *metrics = benchmark->metrics.items;
	const struct workspace_knob *knobs = file->knobs.items;

	assert_int_equal(file->protect.count, 2);
	assert_int_equal(file->build.command.count, 1);
	assert_int_equal(file->tests.count, 1);
	assert_int_equal(benchmark->warmup, 2);
	assert_int_equal(metrics[0].from, FROM_TIME);
	assert_true(isnan(metrics[0].target));
	assert_int_equal(metrics[1].better, 1);
	assert_true(metrics[1].target == 200);
	assert_int_equal(knobs[0].kind, KNOB_ENV);
	assert_int_equal(knobs[1].scale, SCALE_LOG);
	assert_true(knobs[1].most == 65536);
	assert_true(file->improve.gain == 12.5);
	assert_true(file->improve.confidence == 0.8);
	config_release(&fixture.config);
}

/* Each is refused with this very sentence, which names the permitted form. */
static void what_makes_no_sense_is_refused_by_line(void **state)
{
	static const struct {
		const char *name, *text, *why;
	} cases[] = {
		{ "a policy", "\ntest t { command = x policy = net }", "cupel.conf:2: there is no 'policy' in test" },
		{ "a mount", "bind = /", "cupel.conf:1: there is no 'bind'" },
		{ "no metric", "benchmark b { command = x }", "cupel.conf:1: benchmark b: it has no metric; add metric time { }" },
		{ "no pattern", "benchmark b { command = x\n metric m { from = stdout } }", "cupel.conf:2: metric m: from = stdout needs a pattern or a json path, and not both" },
		{ "both", "benchmark b { command = x metric m { from = stdout pattern = '(x)' json = a } }", "cupel.conf:1: metric m: from = stdout needs a pattern or a json path, and not both" },
		{ "a pattern of time", "benchmark b { command = x metric m { pattern = '(x)' } }", "cupel.conf:1: metric m: a pattern goes with from = stdout or file" },
		{ "no group", "benchmark b { command = x metric m { from = stdout pattern = 'x' } }", "cupel.conf:1: metric m: it has 0 groups; write one pair of parentheses, around the value" },
		{ "no expression", "benchmark b { command = x metric m { from = stdout pattern = '(x' } }", "cupel.conf:1: metric m: Unmatched ( or \\(" },
		{ "no file", "benchmark b { command = x metric m { from = file json = a } }", "cupel.conf:1: metric m: from = file and file go together" },
		{ "a path up", "protect = { 'a/../../b' }", "cupel.conf:1: protect: 'a/../../b' is not a path below the workspace" },
		{ "an absolute path", "test t { command = x report = /etc/passwd }", "cupel.conf:1: test t: '/etc/passwd' is not a path below the workspace; write one like src/io.h" },
		{ "a folder up", "test t { command = x files = { a, '../b/*.c' } }", "cupel.conf:1: test t: '../b/*.c' is not a path below the workspace; write one like src/*.c or src" },
		{ "a dot", "test t { command = x files = { './a' } }", "cupel.conf:1: test t: './a' is not a path below the workspace; write one like src/*.c or src" },
		{ "a slash", "test t { command = x files = { 'a/' } }", "cupel.conf:1: test t: 'a/' is not a path below the workspace; write one like src/*.c or src" },
		{ "no glob", "test t { command = x files = { 'a[' } }", "cupel.conf:1: test t: 'a[' is no glob; [ and { have to be closed, and braces may stand for 64 names" },
		{ "git's own", "knob k { kind = file file = .git/config pattern = '(x)' values = { a, b } }", "cupel.conf:1: knob k: '.git/config' is not a path below the workspace; write one like src/io.h" },
		{ "what is protected", "protect = { src/, tests } knob k { kind = file file = src/a.h pattern = '(x)' values = { a, b } }", "cupel.conf:1: knob k: 'src/a.h' is protected, and no change may touch it; let the knob stand elsewhere" },
		{ "no values", "knob k { current = a }", "cupel.conf:1: knob k: give values, or least and most" },
		{ "values and a range", "knob k { current = a values = { a, b } least = 1 most = 2 }", "cupel.conf:1: knob k: give values, or least and most" },
		{ "one value", "knob k { current = a values = { a } }", "cupel.conf:1: knob k: one value is no choice" },
		{ "twice", "knob k { current = a values = { a, b, a } }", "cupel.conf:1: knob k: 'a' stands twice" },
		{ "an empty range", "knob k { least = 2 most = 2 }", "cupel.conf:1: knob k: most must exceed least" },
		{ "a log of 0", "knob k { least = 0 most = 2 scale = log }", "cupel.conf:1: knob k: on a log scale least must exceed 0" },
		{ "a current value that is none", "knob k { current = c values = { a, b } }", "cupel.conf:1: knob k: current must be one of the values" },
		{ "no pattern in a file", "knob k { kind = file file = x values = { a, b } }", "cupel.conf:1: knob k: kind = file needs a file and a pattern" },
		{ "a condition on nothing", "knob k { current = a values = { a, b } when = 'j=1' }", "cupel.conf:1: knob k: 'j=1' is not KNOB=VALUE of a knob with a list of values further up" },
		{ "a guard of nothing", "guard a.b { }", "cupel.conf: guard a.b: there is no metric 'a.b'; write BENCHMARK.METRIC" },
		{ "a guard of all there is", "benchmark b { command = x metric m { better = higher } } guard b.m { tolerance = 100 }", "cupel.conf:1: guard b.m: of what is better higher no more than all can be lost; let tolerance be less than 100" },
		{ "a saving of all there is", "benchmark b { command = x metric m { min_effect = 100 } }", "cupel.conf:1: metric m: of what is better lower no more than all can be saved; let min_effect be less than 100" },
		{ "an aim at nothing", "improve { metric = a.b }", "cupel.conf:1: improve.metric: there is no metric 'a.b'; write BENCHMARK.METRIC" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;
		int r = parse(&fixture, cases[i].text);

		test_row(r < 0, "%s: accepted", cases[i].name);
		test_row(strcmp(fixture.why.text, cases[i].why) == 0, "%s: says \"%s\"",
			 cases[i].name, fixture.why.text);
		config_release(&fixture.config);
	}
}

static void a_metric_is_found_by_its_name(void **state)
{
	const struct workspace_benchmark *benchmark;
	const struct workspace_metric *metric;
	struct fixture fixture;

	(void)state;
	assert_int_equal(parse(&fixture, whole), 0);
	assert_int_equal(workspace_file_metric(&fixture.file, "parse.rate", &benchmark,
					       &metric, &fixture.why), 0);
	assert_string_equal(metric->title, "rate");
	assert_int_equal(workspace_file_metric(&fixture.file, "parse.size", &benchmark,
					       &metric, &fixture.why), -ENOENT);
	assert_int_equal(workspace_file_metric(&fixture.file, "", &benchmark, &metric,
					       &fixture.why), -EINVAL);
	config_release(&fixture.config);
	assert_int_equal(parse(&fixture, "benchmark b { command = x metric m { } }"), 0);
	assert_int_equal(workspace_file_metric(&fixture.file, "", &benchmark, &metric,
					       &fixture.why), 0);
	assert_string_equal(metric->title, "m");
	config_release(&fixture.config);
}

/* The list in cupel-workspace(5) is the rows'. */
static void the_manual_lists_what_the_rows_print(void **state)
{
	static const char begin[] = ".\\\" settings: printed from the rows\n";
	AUTO_FREE char *want = NULL, *page = calloc(1, 1 << 16);
	FILE *file = fopen("etc/man/cupel-workspace.5", "re");
	size_t size;
	FILE *out = open_memstream(&want, &size);

	(void)state;
	assert_non_null(file);
	assert_true(fread(page, 1, (1 << 16) - 1, file) > 0);
	fclose(file);
	config_print_manual(out, workspace_sections, workspace_section_count);
	fclose(out);
	char *list = strstr(page, begin);

	assert_non_null(list);
	list += strlen(begin);
	assert_true(strncmp(list, want, size) == 0);
	assert_true(strncmp(list + size, ".\\\" settings end\n", 17) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_is_read),
		cmocka_unit_test(what_makes_no_sense_is_refused_by_line),
		cmocka_unit_test(a_metric_is_found_by_its_name),
		cmocka_unit_test(the_manual_lists_what_the_rows_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
