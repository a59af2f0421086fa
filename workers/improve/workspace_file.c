#include "workers/improve/workspace_file.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/config_store.h"
#include "common/text.h"
#include "workers/improve/affected_core.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define COMMAND_MAX 64
#define TEXT_MAX 1024
#define FAR INT64_C(1000000000000000)

static const char *const formats[] = { "auto", "tap", "junit", "exit", NULL };
static const char *const sources[] = { "stdout", "file", "time", "cpu", "rss",
				       "instructions", NULL };
static const char *const betters[] = { "lower", "higher", NULL };
static const char *const kinds[] = { "env", "file", NULL };
static const char *const scales[] = { "linear", "log", NULL };
static const char *const semantics[] = { "safe", "relaxed", "unsafe", NULL };

static const struct config_row top_rows[] = {
	{ "protect", SETTING(struct workspace_file, protect, LIST), 0, 64, "", NULL,
	  "Files and folders that no change may touch; tests and benchmarks belong here.", NULL },
};

static const struct config_row build_rows[] = {
	{ "command", SETTING(struct workspace_file, build.command, LIST), 0, COMMAND_MAX, "", NULL,
	  "Builds the workspace; none if empty.", NULL },
	{ "timeout", SETTING(struct workspace_file, build.timeout_ns, DURATION), SECOND, HOUR, "10m", NULL,
	  "The longest a build may take.", NULL },
};

static const struct config_row improve_rows[] = {
	{ "metric", SETTING(struct workspace_file, improve.metric, STRING), 0, 130, "", NULL,
	  "What is to get better, as BENCHMARK.METRIC; if empty, the only metric there is.", NULL },
	{ "allow", SETTING(struct workspace_file, improve.semantics, ENUM), 0, 0, "safe", NULL,
	  "The weakest class of values that may be tried.", semantics },
	{ "confidence", SETTING(struct workspace_file, improve.confidence, REAL), 0, 1, "0.8", NULL,
	  "A change is applied unasked only with more confidence than this.", NULL },
	{ "gain", SETTING(struct workspace_file, improve.gain, REAL), 0, 1000, "20", "percent",
	  "A change is applied unasked only if its proven gain is more than this.", NULL },
	{ "daily", SETTING(struct workspace_file, improve.daily, INT), 0, 1000, "3", "changes",
	  "A change is applied unasked only if fewer than this were applied here in the last 24 hours.", NULL },
	{ "rounds", SETTING(struct workspace_file, improve.rounds, INT), 1, 1000, "40", "settings",
	  "How many settings are measured while searching.", NULL },
	{ "pairs", SETTING(struct workspace_file, improve.pairs, INT), 10, 60, "60", "pairs",
	  "How many pairs of runs one decision may take.", NULL },
};

static const struct config_row test_rows[] = {
	{ "command", SETTING(struct workspace_test, command, LIST), 1, COMMAND_MAX, NULL, NULL,
	  "Runs the test.", NULL },
	{ "timeout", SETTING(struct workspace_test, timeout_ns, DURATION), SECOND / 10, 2 * HOUR, "5m", NULL,
	  "The longest it may take.", NULL },
	{ "format", SETTING(struct workspace_test, format, ENUM), 0, 0, "auto", NULL,
	  "How it tells of its cases; exit is one case, by the exit status.", formats },
	{ "report", SETTING(struct workspace_test, report, STRING), 0, TEXT_MAX, "", NULL,
	  "The file it writes its report to; if empty, its output is the report.", NULL },
	{ "tags", SETTING(struct workspace_test, tags, LIST), 0, 16, "", NULL,
	  "Words to choose tests by.", NULL },
	{ "files", SETTING(struct workspace_test, files, LIST), 0, 64, "", NULL,
	  "Globs of all files it depends on, for cupel test --changed; without any it always runs.", NULL },
	{ "holdout", SETTING(struct workspace_test, holdout, BOOL), 0, 0, "false", NULL,
	  "Run only to confirm a change, never while searching for one.", NULL },
};

static const struct config_row benchmark_rows[] = {
	{ "command", SETTING(struct workspace_benchmark, command, LIST), 1, COMMAND_MAX, NULL, NULL,
	  "Is measured from its start to its end.", NULL },
	{ "warmup", SETTING(struct workspace_benchmark, warmup, INT), 0, 100, "2", "runs",
	  "How many runs come before the first that counts.", NULL },
	{ "timeout", SETTING(struct workspace_benchmark, timeout_ns, DURATION), SECOND / 10, HOUR, "1m", NULL,
	  "The longest one run may take.", NULL },
};

static const struct config_row metric_rows[] = {
	{ "from", SETTING(struct workspace_metric, from, ENUM), 0, 0, "time", NULL,
	  "Where the number comes from; time, cpu, rss and instructions (of user space, where the machine counts them) are measured by cupel itself.", sources },
	{ "file", SETTING(struct workspace_metric, file, STRING), 0, TEXT_MAX, "", NULL,
	  "The file that from = file reads, written by the run.", NULL },
	{ "pattern", SETTING(struct workspace_metric, pattern, STRING), 0, TEXT_MAX, "", NULL,
	  "An extended regular expression with one group, which is the number.", NULL },
	{ "json", SETTING(struct workspace_metric, json, STRING), 0, TEXT_MAX, "", NULL,
	  "The number's place in a JSON text of up to 2 MiB, such as results[0].mean.", NULL },
	{ "unit", SETTING(struct workspace_metric, unit, STRING), 0, 32, "", NULL,
	  "The unit, for people.", NULL },
	{ "better", SETTING(struct workspace_metric, better, ENUM), 0, 0, "lower", NULL,
	  "Which way is better.", betters },
	{ "target", SETTING(struct workspace_metric, target, REAL), -FAR, FAR, "none", NULL,
	  "The value to reach; worse than this is a bottleneck.", NULL },
	{ "min_effect", SETTING(struct workspace_metric, min_effect, REAL), 0, 100, "2", "percent",
	  "The least gain that is worth having.", NULL },
};

static const struct config_row knob_rows[] = {
	{ "kind", SETTING(struct workspace_knob, kind, ENUM), 0, 0, "env", NULL,
	  "Set by an environment variable of build, tests and benchmarks, or in a file.", kinds },
	{ "variable", SETTING(struct workspace_knob, variable, STRING), 0, 128, "", NULL,
	  "The environment variable; if empty, the knob's own name.", NULL },
	{ "file", SETTING(struct workspace_knob, file, STRING), 0, TEXT_MAX, "", NULL,
	  "The file that holds the value.", NULL },
	{ "pattern", SETTING(struct workspace_knob, pattern, STRING), 0, TEXT_MAX, "", NULL,
	  "An extended regular expression with one group, which is the value.", NULL },
	{ "current", SETTING(struct workspace_knob, current, STRING), 0, TEXT_MAX, "", NULL,
	  "The present value of an environment variable.", NULL },
	{ "values", SETTING(struct workspace_knob, values, LIST), 0, WORKSPACE_VALUES_MAX, "", NULL,
	  "The values to choose from; or give least and most.", NULL },
	{ "least", SETTING(struct workspace_knob, least, REAL), -FAR, FAR, "none", NULL,
	  "The smallest value of a range.", NULL },
	{ "most", SETTING(struct workspace_knob, most, REAL), -FAR, FAR, "none", NULL,
	  "The largest value of a range.", NULL },
	{ "step", SETTING(struct workspace_knob, step, REAL), 0, FAR, "none", NULL,
	  "The distance of neighbouring values; on a log scale their ratio.", NULL },
	{ "scale", SETTING(struct workspace_knob, scale, ENUM), 0, 0, "linear", NULL,
	  "Whether equal steps or equal ratios matter.", scales },
	{ "integer", SETTING(struct workspace_knob, integer, BOOL), 0, 0, "true", NULL,
	  "Whether a range holds whole numbers only.", NULL },
	{ "ordered", SETTING(struct workspace_knob, ordered, BOOL), 0, 0, "false", NULL,
	  "Whether neighbours in the list of values are alike.", NULL },
	{ "class", SETTING(struct workspace_knob, semantics, ENUM), 0, 0, "safe", NULL,
	  "Whether values keep what the program does (safe), give up something documented, or are dangerous.", semantics },
	{ "relaxed", SETTING(struct workspace_knob, relaxed, LIST), 0, WORKSPACE_VALUES_MAX, "", NULL,
	  "Values that are relaxed, whatever the class of the knob.", NULL },
	{ "unsafe", SETTING(struct workspace_knob, unsafe, LIST), 0, WORKSPACE_VALUES_MAX, "", NULL,
	  "Values that are unsafe, whatever the class of the knob.", NULL },
	{ "build_only", SETTING(struct workspace_knob, build_only, BOOL), 0, 0, "false", NULL,
	  "Only the build reads it: what builds the same is measured once, and its variable is kept from tests and benchmarks.", NULL },
	{ "when", SETTING(struct workspace_knob, when, STRING), 0, TEXT_MAX, "", NULL,
	  "KNOB=VALUE: the knob means something only with that value of another.", NULL },
};

static const struct config_row guard_rows[] = {
	{ "tolerance", SETTING(struct workspace_guard, tolerance, REAL), 0, 1000, "3", "percent",
	  "How much worse the metric may get; less than 100 where higher is better.", NULL },
	{ "hard", SETTING(struct workspace_guard, hard, BOOL), 0, 0, "false", NULL,
	  "Whether it has to be proven not to get worse.", NULL },
};

#define ROWS(table) .rows = (table), .row_count = COUNT(table)
#define BLOCKS(structure, outer, member, most)                                \
	.block_bytes = sizeof(struct structure),                              \
	.blocks_offset = offsetof(struct outer, member), .blocks_max = most

const struct config_section workspace_sections[] = {
	{ .name = "", .help = "Of the whole workspace.", ROWS(top_rows) },
	{ .name = "build", .help = "How the workspace is built.", ROWS(build_rows) },
	{ .name = "improve", .help = "What cupel improve aims at.", ROWS(improve_rows) },
	{ .name = "test", .help = "A test.", ROWS(test_rows),
	  BLOCKS(workspace_test, workspace_file, tests, WORKSPACE_TESTS_MAX) },
	{ .name = "benchmark", .help = "A benchmark.", ROWS(benchmark_rows),
	  BLOCKS(workspace_benchmark, workspace_file, benchmarks, WORKSPACE_BENCHMARKS_MAX) },
	{ .name = "metric", .help = "A number that a benchmark gives.", ROWS(metric_rows),
	  .inside = &workspace_sections[4],
	  BLOCKS(workspace_metric, workspace_benchmark, metrics, WORKSPACE_METRICS_MAX) },
	{ .name = "knob", .help = "A setting that may be tuned.", ROWS(knob_rows),
	  BLOCKS(workspace_knob, workspace_file, knobs, WORKSPACE_KNOBS_MAX) },
	{ .name = "guard", .help = "A metric, BENCHMARK.METRIC, that must not get worse.", ROWS(guard_rows),
	  BLOCKS(workspace_guard, workspace_file, guards, WORKSPACE_GUARDS_MAX) },
};
const size_t workspace_section_count = COUNT(workspace_sections);

/* ---- what the tables cannot say ---- */

struct check {
	const struct config *config;
	const struct workspace_file *file;
	const char *name;
	struct error *why;
	const char *block;	/* that is being checked, and its size */
	size_t block_bytes;
};

/* The line of the member, or if the file does not set it, of its block. */
static unsigned line_of(const struct check *check, const void *member)
{
	const struct config_set *set = config_find_set(check->config, member);
	unsigned line = 0;

	if (set)
		return set->line;
	for (set = check->config->sets; set; set = set->next) {
		const char *place = set->member;

		if (place >= check->block && place < check->block + check->block_bytes &&
		    (line == 0 || set->line < line))
			line = set->line;
	}
	return line;
}

__attribute__((format(printf, 3, 4)))
static int refuse(const struct check *check, const void *member, const char *format, ...)
{
	unsigned line = line_of(check, member);
	char text[ERROR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return line ? error_set(check->why, -EINVAL, "%s:%u: %s", check->name, line,
				text) :
		      error_set(check->why, -EINVAL, "%s: %s", check->name, text);
}

/* A path of the workspace: relative, and never up. */
static bool is_inside(const char *path)
{
	if (!*path || *path == '/' || strcmp(path, ".git") == 0 ||
	    strncmp(path, ".git/", 5) == 0)
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcmp(part, "..") == 0 || strncmp(part, "../", 3) == 0)
			return false;
	}
	return true;
}

/* As git.protect sees it: the file itself, or a folder that it is in. */
static bool is_protected(const struct config_list *protect, const char *path)
{
	for (size_t i = 0; i < protect->count; i++)
		if (text_is_below(path, protect->items[i]))
			return true;
	return false;
}

static int check_path(const struct check *check, const char *const *member,
		      const char *key)
{
	if (is_inside(*member))
		return 0;
	return refuse(check, member,
		      "%s: '%s' is not a path below the workspace; write one like src/io.h",
		      key, *member);
}

static int check_pattern(const struct check *check, const char *const *member,
			 const char *key)
{
	char reason[128];
	regex_t expression;
	int r = regcomp(&expression, *member, REG_EXTENDED | REG_NEWLINE);
	size_t groups = expression.re_nsub;

	if (r != 0) {
		regerror(r, &expression, reason, sizeof(reason));
		return refuse(check, member, "%s: %s", key, reason);
	}
	regfree(&expression);
	if (groups != 1)
		return refuse(check, member,
			      "%s: it has %zu groups; write one pair of parentheses, around the value",
			      key, groups);
	return 0;
}

static int check_blocks(const struct check *check, const struct config_blocks *blocks,
			size_t bytes,
			int (*one)(const struct check *check, const void *block))
{
	struct check inner = *check;

	inner.block_bytes = bytes;
	for (size_t i = 0; i < blocks->count; i++) {
		inner.block = (const char *)blocks->items + i * bytes;
		if (one(&inner, inner.block) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_metric(const struct check *check, const void *block)
{
	const struct workspace_metric *metric = block;
	bool reads = metric->from == FROM_STDOUT || metric->from == FROM_FILE;
	char key[192];

	snprintf(key, sizeof(key), "metric %s", metric->title);
	if (reads && !*metric->pattern == !*metric->json)
		return refuse(check, &metric->from,
			      "%s: from = %s needs a pattern or a json path, and not both",
			      key, sources[metric->from]);
	if (!reads && (*metric->pattern || *metric->json))
		return refuse(check, *metric->pattern ? &metric->pattern : &metric->json,
			      "%s: a pattern goes with from = stdout or file", key);
	if ((metric->from == FROM_FILE) != (*metric->file != '\0'))
		return refuse(check, metric->from == FROM_FILE ?
				      (const void *)&metric->from : &metric->file,
			      "%s: from = file and file go together", key);
	if (*metric->file && check_path(check, &metric->file, key) < 0)
		return -EINVAL;
	if (!metric->better && metric->min_effect >= 100)
		return refuse(check, &metric->min_effect,
			      "%s: of what is better lower no more than all can be saved; let min_effect be less than 100",
			      key);
	return *metric->pattern ? check_pattern(check, &metric->pattern, key) : 0;
}

static int check_benchmark(const struct check *check, const void *block)
{
	const struct workspace_benchmark *benchmark = block;

	if (benchmark->metrics.count == 0)
		return refuse(check, &benchmark->command,
			      "benchmark %s: it has no metric; add metric time { }",
			      benchmark->title);
	return check_blocks(check, &benchmark->metrics, sizeof(struct workspace_metric),
			    check_metric);
}

static bool has_value(const struct config_list *list, const char *value)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], value) == 0)
			return true;
	return false;
}

static int check_range(const struct check *check, const struct workspace_knob *knob)
{
	bool range = !isnan(knob->least) && !isnan(knob->most);

	if (range == (knob->values.count > 0))
		return refuse(check, range ? (const void *)&knob->values : &knob->kind,
			      "knob %s: give values, or least and most", knob->title);
	if (range && knob->least >= knob->most)
		return refuse(check, &knob->most, "knob %s: most must exceed least",
			      knob->title);
	if (range && knob->scale == SCALE_LOG && knob->least <= 0)
		return refuse(check, &knob->least,
			      "knob %s: on a log scale least must exceed 0", knob->title);
	if (!range && knob->values.count < 2)
		return refuse(check, &knob->values, "knob %s: one value is no choice",
			      knob->title);
	for (size_t i = 0; i < knob->values.count; i++) {
		const struct config_list rest = { knob->values.items, i };

		if (has_value(&rest, knob->values.items[i]))
			return refuse(check, &knob->values, "knob %s: '%s' stands twice",
				      knob->title, knob->values.items[i]);
	}
	return 0;
}

/* "KNOB=VALUE" of a knob that stands before this one. */
static int check_when(const struct check *check, const struct workspace_knob *knob)
{
	const struct workspace_knob *knobs = check->file->knobs.items;
	size_t length = strcspn(knob->when, "=");

	if (!*knob->when)
		return 0;
	for (const struct workspace_knob *k = knobs; k < knob; k++)
		if (strlen(k->title) == length &&
		    strncmp(k->title, knob->when, length) == 0 &&
		    knob->when[length] == '=' &&
		    has_value(&k->values, knob->when + length + 1))
			return 0;
	return refuse(check, &knob->when,
		      "knob %s: '%s' is not KNOB=VALUE of a knob with a list of values further up",
		      knob->title, knob->when);
}

static int check_knob(const struct check *check, const void *block)
{
	const struct workspace_knob *knob = block;
	char key[96];

	snprintf(key, sizeof(key), "knob %s", knob->title);
	if (check_range(check, knob) < 0 || check_when(check, knob) < 0)
		return -EINVAL;
	if (knob->kind == KNOB_ENV) {
		if (*knob->file || *knob->pattern)
			return refuse(check, *knob->file ? &knob->file : &knob->pattern,
				      "%s: file and pattern go with kind = file", key);
		if (knob->values.count && !has_value(&knob->values, knob->current))
			return refuse(check, &knob->current,
				      "%s: current must be one of the values", key);
		return 0;
	}
	if (!*knob->file || !*knob->pattern)
		return refuse(check, &knob->kind,
			      "%s: kind = file needs a file and a pattern", key);
	if (check_path(check, &knob->file, key) < 0)
		return -EINVAL;
	if (is_protected(&check->file->protect, knob->file))
		return refuse(check, &knob->file,
			      "%s: '%s' is protected, and no change may touch it; let the knob stand elsewhere",
			      key, knob->file);
	return check_pattern(check, &knob->pattern, key);
}

/* Globs of paths as git writes them; one that could never match is a mistake. */
static int check_files(const struct check *check, const struct workspace_test *test)
{
	for (size_t i = 0; i < test->files.count; i++) {
		const char *glob = test->files.items[i];
		size_t length = strlen(glob);
		struct affected affected;

		if (!is_inside(glob) || strncmp(glob, "./", 2) == 0 || glob[length - 1] == '/')
			return refuse(check, &test->files,
				      "test %s: '%s' is not a path below the workspace; write one like src/*.c or src",
				      test->title, glob);
		if (affected_compile(&affected, glob) < 0)
			return refuse(check, &test->files,
				      "test %s: '%s' is no glob; [ and { have to be closed, and braces may stand for %d names",
				      test->title, glob, AFFECTED_ALTERNATIVES_MAX);
	}
	return 0;
}

static int check_test(const struct check *check, const void *block)
{
	const struct workspace_test *test = block;
	char key[96];

	snprintf(key, sizeof(key), "test %s", test->title);
	if (*test->report && test->format == TEST_EXIT)
		return refuse(check, &test->report, "%s: format = exit reads no report", key);
	if (*test->report && check_path(check, &test->report, key) < 0)
		return -EINVAL;
	return check_files(check, test);
}

static int check_guard(const struct check *check, const void *block)
{
	const struct workspace_guard *guard = block;
	const struct workspace_benchmark *benchmark;
	const struct workspace_metric *metric;
	struct error why;

	if (workspace_file_metric(check->file, guard->title, &benchmark, &metric, &why) < 0)
		return refuse(check, &guard->tolerance, "guard %s: %s", guard->title,
			      why.text);
	if (metric->better && guard->tolerance >= 100)
		return refuse(check, &guard->tolerance,
			      "guard %s: of what is better higher no more than all can be lost; let tolerance be less than 100",
			      guard->title);
	return 0;
}

static int check_all(const struct check *check)
{
	const struct workspace_file *file = check->file;
	const struct workspace_benchmark *benchmark;
	const struct workspace_metric *metric;
	struct error why;

	for (size_t i = 0; i < file->protect.count; i++)
		if (!is_inside(file->protect.items[i]))
			return refuse(check, &file->protect,
				      "protect: '%s' is not a path below the workspace",
				      file->protect.items[i]);
	if (check_blocks(check, &file->tests, sizeof(struct workspace_test), check_test) < 0 ||
	    check_blocks(check, &file->benchmarks, sizeof(struct workspace_benchmark),
			 check_benchmark) < 0 ||
	    check_blocks(check, &file->knobs, sizeof(struct workspace_knob), check_knob) < 0 ||
	    check_blocks(check, &file->guards, sizeof(struct workspace_guard), check_guard) < 0)
		return -EINVAL;
	if (*file->improve.metric &&
	    workspace_file_metric(file, file->improve.metric, &benchmark, &metric, &why) < 0)
		return refuse(check, &file->improve.metric, "improve.metric: %s", why.text);
	return 0;
}

int workspace_file_parse(struct config *config, struct workspace_file *ret,
			 const char *name, struct span text, struct error *why)
{
	const struct check check = { config, ret, name, why, NULL, 0 };

	config_init(config, workspace_sections, workspace_section_count, ret);
	int r = config_parse(config, name, text, why);

	return r < 0 ? r : check_all(&check);
}

/* The metric of that name in a benchmark; NULL: any, if it is the only one. */
static const struct workspace_metric *metric_named(
	const struct workspace_benchmark *benchmark, const char *name)
{
	const struct workspace_metric *metrics = benchmark->metrics.items;

	for (size_t i = 0; i < benchmark->metrics.count; i++)
		if (strcmp(metrics[i].title, name) == 0)
			return &metrics[i];
	return NULL;
}

int workspace_file_metric(const struct workspace_file *file, const char *name,
			  const struct workspace_benchmark **ret_benchmark,
			  const struct workspace_metric **ret_metric,
			  struct error *why)
{
	const struct workspace_benchmark *benchmarks = file->benchmarks.items;

	if (!*name) {
		if (file->benchmarks.count != 1 || benchmarks->metrics.count != 1)
			return error_set(why, -EINVAL,
					 "there is not just one metric; set metric in improve { }, or give --metric BENCHMARK.METRIC");
		*ret_benchmark = benchmarks;
		*ret_metric = benchmarks->metrics.items;
		return 0;
	}
	for (size_t i = 0; i < file->benchmarks.count; i++) {
		size_t length = strlen(benchmarks[i].title);

		if (strncmp(name, benchmarks[i].title, length) != 0 || name[length] != '.')
			continue;
		*ret_benchmark = &benchmarks[i];
		*ret_metric = metric_named(&benchmarks[i], name + length + 1);
		if (*ret_metric)
			return 0;
	}
	return error_set(why, -ENOENT, "there is no metric '%s'; write BENCHMARK.METRIC", name);
}

void workspace_metric_name(const struct workspace_benchmark *benchmark,
			   const struct workspace_metric *metric,
			   char ret[METRIC_NAME_BYTES])
{
	snprintf(ret, METRIC_NAME_BYTES, "%s.%s", benchmark->title, metric->title);
}
