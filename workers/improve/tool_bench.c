/*
 * tool_bench.c - improve.bench: the workspace's benchmarks, as it is right now.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/core/statistics.h"
#include "workers/improve/environment.h"
#include "workers/improve/metric.h"
#include "workers/improve/tools.h"

#define RUNS_MAX 1000
#define CONFIDENCE 0.95	/* of the interval, at least */

struct bench {
	struct session *session;
	struct error *why;
	int64_t runs;
	double *values[WORKSPACE_METRICS_MAX];
};

static int finish(struct bench *bench, const struct workspace_benchmark *benchmark,
		  struct ask *ask, int64_t number)
{
	const struct workspace_metric *metrics = benchmark->metrics.items;
	struct command_outcome outcome;
	char reason[400];
	int r = command_end(bench->session, ask, &outcome, bench->why);

	worker_progress(bench->session->call, number < 0 ? 0 : (uint64_t)number + 1,
			(uint64_t)bench->runs, benchmark->title);
	if (r == 0 && !command_succeeded(&outcome)) {
		command_describe(&outcome, reason, sizeof(reason));
		r = error_set(bench->why, -EINVAL, "%s", reason);
	}
	for (size_t i = 0; r == 0 && number >= 0 && i < benchmark->metrics.count; i++)
		r = metric_read(&metrics[i], &outcome, &bench->values[i][number], bench->why);
	session_drop(bench->session, ask);
	return r < 0 ? error_prefix(bench->why, r, "benchmark %s", benchmark->title) : 0;
}

/* So many, up to two, the first of which has that number; warm-ups are below 0. */
static int run_some(struct bench *bench, const struct workspace_benchmark *benchmark,
		    int64_t number, int count)
{
	struct ask asks[2] = { 0 };
	int r = 0, n;

	for (n = 0; r == 0 && n < count; n++)
		r = benchmark_begin(bench->session, benchmark, bench->session->repository, NULL,
				    &asks[n], bench->why);
	for (n = 0; r == 0 && n < count; n++)
		r = finish(bench, benchmark, &asks[n], number + n);
	session_give_up(bench->session, asks, 2);
	return r;
}

/* What cannot be bounded by so few runs is null: json_real() takes no NaN. */
static json_t *summarise(const struct workspace_metric *metric, double *values, int64_t count)
{
	size_t n = (size_t)count;
	json_t *raw = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(raw, json_real(values[i]));
	statistics_sort(values, n);
	struct interval interval = median_interval(values, n, CONFIDENCE);
	json_t *row = json_pack("{s:s, s:s, s:s, s:f, s:o?, s:o?, s:f, s:o, s:I}", "name",
				metric->title, "unit", metric->unit, "better",
				metric->better ? "higher" : "lower", "median",
				statistics_quantile(values, n, 0.5), "low",
				json_real(interval.low), "high", json_real(interval.high),
				"spread", statistics_quantile(values, n, 0.75) -
					  statistics_quantile(values, n, 0.25),
				"values", raw, "runs", (json_int_t)count);

	if (!isnan(metric->target))
		json_object_set_new(row, "target", json_real(metric->target));
	return row;
}

static int run_all(struct bench *bench, const struct workspace_benchmark *benchmark,
		   json_t *report)
{
	const struct workspace_metric *metrics = benchmark->metrics.items;
	json_t *rows = json_array();
	int held = commands_held(), r = 0;

	for (int64_t n = -benchmark->warmup; r == 0 && n < bench->runs; n += held)
		r = run_some(bench, benchmark, n, bench->runs - n < held ? 1 : held);
	for (size_t i = 0; r == 0 && i < benchmark->metrics.count; i++)
		json_array_append_new(rows, summarise(&metrics[i], bench->values[i], bench->runs));
	json_array_append_new(json_object_get(report, "benchmarks"),
			      json_pack("{s:s, s:o}", "name", benchmark->title, "metrics", rows));
	return r;
}

static bool is_named(const json_t *names, const char *title)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(json_string_value(json_array_get(names, i)), title) == 0)
			return true;
	return json_array_size(names) == 0;
}

static int check_names(const struct bench *bench, const struct workspace_file *file)
{
	const struct workspace_benchmark *benchmarks = file->benchmarks.items;
	json_t *titles = json_array();

	for (size_t i = 0; i < file->benchmarks.count; i++)
		json_array_append_new(titles, json_string(benchmarks[i].title));
	int r = workspace_check_names(json_object_get(bench->session->call->arguments, "names"),
				      titles, "there is no benchmark",
				      " in " WORKSPACE_FILE_NAME "; there are", bench->why);

	json_decref(titles);
	return r;
}

static int run_named(struct bench *bench, const struct workspace_file *file, json_t *report)
{
	const json_t *names = json_object_get(bench->session->call->arguments, "names");
	const struct workspace_benchmark *benchmarks = file->benchmarks.items;
	int r = 0;

	if (file->benchmarks.count == 0)
		r = error_set(bench->why, -ENOENT,
			      "there is no benchmark in " WORKSPACE_FILE_NAME
			      "; declare one: benchmark NAME { command = ... metric time { } }");
	for (size_t i = 0; r == 0 && i < file->benchmarks.count; i++)
		if (is_named(names, benchmarks[i].title))
			r = run_all(bench, &benchmarks[i], report);
	return r;
}

/* {"count.time": 0.08, ...}: the median of each metric, or another member. */
static json_t *members_of(const json_t *report, const char *member)
{
	const json_t *benchmarks = json_object_get(report, "benchmarks");
	json_t *ret = json_object();
	char name[160];

	for (size_t i = 0; i < json_array_size(benchmarks); i++) {
		const json_t *benchmark = json_array_get(benchmarks, i);
		const json_t *metrics = json_object_get(benchmark, "metrics");

		for (size_t j = 0; j < json_array_size(metrics); j++) {
			const json_t *metric = json_array_get(metrics, j);

			snprintf(name, sizeof(name), "%s.%s",
				 json_string_value(json_object_get(benchmark, "name")),
				 json_string_value(json_object_get(metric, "name")));
			json_object_set(ret, name, json_object_get(metric, member));
		}
	}
	return ret;
}

int tool_bench(struct session *session, json_t **ret, struct error *why)
{
	struct bench bench = { .session = session, .why = why,
			       .runs = option_integer(session, "runs", 10) };
	int64_t came_ns = clock_now_ns();
	struct workspace_file file;
	struct config config;
	int r = workspace_file_parse(&config, &file, WORKSPACE_FILE_NAME,
				     span_of_text(option_text(session, "config")), why);

	if (r == 0 && (bench.runs < 1 || bench.runs > RUNS_MAX))
		r = error_set(why, -EINVAL, "runs: between 1 and %d", RUNS_MAX);
	if (r == 0)
		r = check_names(&bench, &file);
	for (size_t i = 0; r == 0 && i < WORKSPACE_METRICS_MAX; i++) {
		bench.values[i] = arena_alloc_array(session_memory(session), (size_t)bench.runs,
						    sizeof(double));
		if (!bench.values[i])
			r = error_set(why, -ENOMEM, "out of memory");
	}
	if (r == 0)
		r = environment_learn(session, why);
	if (r == 0)
		r = workspace_build(session, &file, why);
	json_t *report = json_pack("{s:s, s:[]}", "schema", "cupel.bench/1", "benchmarks");

	if (r == 0)
		r = run_named(&bench, &file, report);
	json_t *row = r < 0 ? json_object() :
		json_pack("{s:o, s:o}", "metrics", members_of(report, "median"), "samples",
			  members_of(report, "values"));

	if (r == 0)
		*ret = json_incref(report);
	json_decref(report);
	config_release(&config);
	return workspace_keep(session, "bench", came_ns, row, r, why);
}
