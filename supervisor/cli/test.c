/*
 * cupel test and cupel bench: the workspace as it lies there, confined.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/course.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/repository.h"
#include "supervisor/cli/test_report.h"

#define RUNS_MAX 1000
#define TEST_NAME_WIDTH 8	/* of the table: "skipped" */

struct wanted {
	json_t *arguments;	/* of the tool */
	bool json, tap;
	const char *junit;	/* file; NULL: none */
};

/* ---- arguments ---- */

static const struct option known_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "tap", no_argument, NULL, 'p' },
	{ "junit", required_argument, NULL, 'x' },
	{ "tag", required_argument, NULL, 't' },
	{ "changed", optional_argument, NULL, 'c' },
	{ "runs", required_argument, NULL, 'n' },
	{ 0 },
};

static void append(struct wanted *wanted, const char *key, const char *text)
{
	json_t *list = json_object_get(wanted->arguments, key);

	if (!list) {
		list = json_array();
		json_object_set_new(wanted->arguments, key, list);
	}
	json_array_append_new(list, json_string(text));
}

static bool take_runs(struct wanted *wanted, const char *text)
{
	char *end;
	long runs = strtol(text, &end, 10);

	if (end == text || *end || runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "cupel: --runs %s: between 1 and %d\n", text, RUNS_MAX);
		return false;
	}
	json_object_set_new(wanted->arguments, "runs", json_integer(runs));
	return true;
}

/* letters: which of the options the verb has. */
static bool take(const struct verb *verb, int argc, char **argv, const char *letters,
		 struct wanted *wanted)
{
	int option;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, known_options, letters)) > 0) {
		wanted->json |= option == 'j';
		wanted->tap |= option == 'p';
		if (option == 'x')
			wanted->junit = optarg;
		if (option == 't')
			append(wanted, "tags", optarg);
		if (option == 'c')
			json_object_set_new(wanted->arguments, "changed",
					    json_string(optarg ? optarg : "HEAD"));
		if (option == 'n' && !(optarg && take_runs(wanted, optarg)))
			return false;
	}
	if (option == 0)
		return false;
	for (; optind < argc; optind++)
		append(wanted, "names", argv[optind]);
	return true;
}

/* ---- asking ---- */

/* Calls the tool in the workspace one is in, with its cupel.conf. */
static int run(const struct wanted *wanted, const char *name, const char *tool,
	       json_t **ret, struct error *why)
{
	AUTO_REPOSITORY struct repository repository;
	AUTO_DISCONNECT struct connection *connection = NULL;
	AUTO_FREE char *config = NULL;
	AUTO_COURSE struct course course = {
		.name = name, .shows_progress = isatty(STDERR_FILENO),
	};
	int r = repository_open(&repository, ".", false, why);

	if (r == 0)
		r = repository_config(&repository, &config, why);
	if (r == 0 && json_object_set_new(wanted->arguments, "config", json_string(config)) < 0)
		r = error_set(why, -EBADMSG, "%s/" REPOSITORY_CONFIG " is not UTF-8",
			      repository.path);
	if (r == 0)
		json_object_set_new(wanted->arguments, "workspace", json_string(repository.path));
	if (r == 0)
		r = connect_open(true, &connection, why);
	if (r == 0)
		r = repository_register(&repository, connection, false, why);
	return r < 0 ? r : course_ask(&course, &connection->client, tool, repository.number,
				      json_incref(wanted->arguments), 0, ret, why);
}

/* ---- cupel test ---- */

static int write_junit(const char *path, const json_t *report)
{
	FILE *out = fopen(path, "we");

	if (out)
		test_report_junit(out, report);
	if (!out || ferror(out) || fclose(out) != 0) {
		fprintf(stderr, "cupel: %s: %s\n", path, strerror(errno));
		return EXIT_IO;
	}
	return EXIT_OK;
}

static int tell_tests(const struct wanted *wanted, json_t *report)
{
	int code = wanted->junit ? write_junit(wanted->junit, report) : EXIT_OK;
	struct table table;

	table_init(&table, stdout, TEST_NAME_WIDTH, 0);
	if (wanted->json)
		cli_print_json(json_incref(report));
	else if (wanted->tap)
		test_report_tap(stdout, report);
	else
		test_report_text(&table, report);
	if (code == EXIT_OK && !test_report_passed(report))
		code = EXIT_FAILED;
	json_decref(report);
	return code;
}

int cli_test(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted = { .arguments = json_object() };
	json_t *report = NULL;
	struct error why;
	int code = EXIT_USAGE;

	if (take(verb, argc, argv, "jpxtc", &wanted))
		code = run(&wanted, "test", "improve.test", &report, &why) < 0 ?
			       cli_fail(&why) : tell_tests(&wanted, report);
	json_decref(wanted.arguments);
	return code;
}

void cli_test_explain(FILE *out)
{
	fputs("\nBuilds the workspace one is in and runs the tests of its cupel.conf, all or\n"
	      "those named, each in a sandbox whose changes are thrown away.\n\n"
	      "  --tag T          only tests with that tag; may be given several times\n"
	      "  --changed[=REV]  of those, the tests with files that differ from that commit\n"
	      "                   (HEAD), and all that name no files\n"
	      "  --junit FILE     write a JUnit XML report as well\n"
	      "  --tap            print TAP version 13\n"
	      "  --json           print the report as JSON\n\n"
	      "The exit status is 0 if some case passed and none failed, 1 if not, else as\n"
	      "of 'cupel call'. No case at all is a failure, unless --changed has found that\n"
	      "nothing which differs concerns a test: that is told, and 0.\n", out);
}

/* ---- cupel bench ---- */

static void add_interval(struct grid *grid, const json_t *row)
{
	if (json_is_number(json_object_get(row, "low")))
		grid_cell(grid, TABLE_PLAIN, "%.4g .. %.4g", member_number(row, "low"),
			  member_number(row, "high"));
	else
		grid_cell(grid, TABLE_PLAIN, "-");
}

static void add_metrics(struct grid *grid, const json_t *benchmark)
{
	const json_t *metrics = json_object_get(benchmark, "metrics"), *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)metrics, i, row) {
		const char *unit = json_string_value(json_object_get(row, "unit"));

		unit = unit ? unit : "";
		grid_cell(grid, TABLE_PLAIN, "%s.%s", member_text(benchmark, "name"),
			  member_text(row, "name"));
		grid_cell(grid, TABLE_PLAIN, "%.4g", member_number(row, "median"));
		add_interval(grid, row);
		grid_cell(grid, TABLE_PLAIN, "%.2g", member_number(row, "spread"));
		grid_cell(grid, TABLE_PLAIN, "%.0f", member_number(row, "runs"));
		grid_cell(grid, TABLE_PLAIN, "%s%s%s is better", unit, *unit ? ", " : "",
			  member_text(row, "better"));
	}
}

static int tell_figures(const struct wanted *wanted, json_t *report)
{
	static const struct grid_column columns[] = {
		{ "METRIC", false, true }, { "MEDIAN", true, false },
		{ "95 % INTERVAL", true, false }, { "SPREAD", true, false },
		{ "RUNS", true, false }, { "", false, true },
	};
	const json_t *benchmarks = json_object_get(report, "benchmarks"), *row;
	struct table table;
	struct grid grid;
	size_t i;

	if (wanted->json)
		return cli_print_json(report);
	table_init(&table, stdout, 0, 0);
	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach((json_t *)(uintptr_t)benchmarks, i, row)
		add_metrics(&grid, row);
	grid_print(&grid, &table);
	json_decref(report);
	return EXIT_OK;
}

int cli_bench(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted = { .arguments = json_object() };
	json_t *report = NULL;
	struct error why;
	int code = EXIT_USAGE;

	if (take(verb, argc, argv, "jn", &wanted))
		code = run(&wanted, "bench", "improve.bench", &report, &why) < 0 ?
			       cli_fail(&why) : tell_figures(&wanted, report);
	json_decref(wanted.arguments);
	return code;
}

void cli_bench_explain(FILE *out)
{
	fputs("\nBuilds the workspace one is in and runs the benchmarks of its cupel.conf, all\n"
	      "or those named. Times are in seconds, as cupel measures them from outside; the\n"
	      "interval is of the median, by order statistics, and takes six runs; the spread\n"
	      "is the distance of the quartiles.\n\n"
	      "  --runs N  that many runs of each, after its warm-up; 10 if not said\n"
	      "  --json    print the report as JSON\n", out);
}
