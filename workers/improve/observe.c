/*
 * observe.c - what the metrics are now, against their targets: bottlenecks.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/core/statistics.h"
#include "workers/improve/campaign.h"

/* known: it is not surely missed any more, and nobody need be told anew. */
static int note_bottleneck(struct campaign *campaign, const char *name,
			   const struct workspace_metric *metric,
			   const struct bottleneck *found, bool known)
{
	static const char *const trends[] = { "steady", "rising", "falling" };
	char text[300];
	json_t *row;

	snprintf(text, sizeof(text),
		 "%s is %.4g%s%s, %s%.0f %% %s than the target %.4g (%u runs, %s)", name,
		 found->value, *metric->unit ? " " : "", metric->unit,
		 found->sure < BOTTLENECK_SURE ? "not surely " : "",
		 100 * fabs(found->deviation), found->deviation > 0 ? "worse" : "better",
		 metric->target, found->samples, trends[found->trend]);
	row = json_pack("{s:s, s:s, s:f, s:f, s:s, s:f, s:s, s:b}", "workspace",
			campaign->session->workspace, "metric", name, "value", found->value,
			"target", metric->target, "severity",
			bottleneck_severity_name(known ? BOTTLENECK_LOW : found->severity),
			"impact", found->impact, "description", text, "known", known);
	if (!known)
		json_array_append(json_object_get(campaign->report, "bottlenecks"), row);
	return campaign_ask(campaign, "store.bottleneck", row, NULL);
}

/* Once is enough: the last is the one that its name means, see choose_judge(). */
static bool comes_again(const struct campaign *campaign, size_t i)
{
	for (size_t j = i + 1; j < campaign->metric_count; j++)
		if (campaign->metrics[j].metric == campaign->metrics[i].metric)
			return true;
	return false;
}

/* What was said of it before. */
static void forget_bottleneck(const struct campaign *campaign, const char *name)
{
	json_t *rows = json_object_get(campaign->report, "bottlenecks");

	for (size_t i = json_array_size(rows); i-- > 0; )
		if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "metric")),
			   name) == 0)
			json_array_remove(rows, i);
}

static int judge_metric(struct campaign *campaign, const struct watched_metric *watched,
			const struct bottleneck_series *series)
{
	const struct workspace_metric *metric = watched->metric;
	struct bottleneck_target target = bottleneck_target_default;
	struct bottleneck found;
	char name[METRIC_NAME_BYTES];

	workspace_metric_name(watched->benchmark, metric, name);
	if (isnan(metric->target) || metric->target < 0 || series->count < BOTTLENECK_SAMPLES_MIN)
		return 0;
	forget_bottleneck(campaign, name);
	target.target = metric->target;
	target.direction = metric_direction(metric);
	found = bottleneck_judge(series, &target);
	if (!found.resolved)
		return note_bottleneck(campaign, name, metric, &found,
				       found.severity == BOTTLENECK_NONE);
	return campaign_ask(campaign, "store.resolve",
			    json_pack("{s:s, s:s}", "workspace", campaign->session->workspace,
				      "metric", name), NULL);
}

int campaign_judge_metrics(struct campaign *campaign, const struct bottleneck_series *series)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < campaign->metric_count; i++)
		if (!comes_again(campaign, i))
			r = judge_metric(campaign, &campaign->metrics[i], &series[i]);
	return r;
}

#define OBSERVED_RUNS (2 * BOTTLENECK_SAMPLES_MIN)

/* What the runs of the first metric's benchmark took, whatever it measures. */
struct health {
	double wall_s[OBSERVED_RUNS], cpu_s[OBSERVED_RUNS];
	size_t runs, failed;
	int64_t rss_bytes;
};

static void observe_health(struct health *health, const struct pair *pair)
{
	const struct decision_value *wall = &pair->times[METRIC_WALL];
	const struct decision_value *cpu = &pair->times[METRIC_CPU];

	health->wall_s[health->runs] = wall->base;
	health->cpu_s[health->runs++] = cpu->base;
	health->failed += pair->failed;
	if (!pair->failed) {
		health->wall_s[health->runs] = wall->candidate;
		health->cpu_s[health->runs++] = cpu->candidate;
	}
	if (pair->rss_bytes > health->rss_bytes)
		health->rss_bytes = pair->rss_bytes;
}

/* Columns of performance_metrics; what was not measured is left out. */
static void tell_health(struct health *health, json_t *values)
{
	double wall_s = statistics_median(health->wall_s, health->runs);
	double cpu_s = statistics_median(health->cpu_s, health->runs);

	json_object_set_new(values, "error_count", json_integer((json_int_t)health->failed));
	if (health->rss_bytes > 0)
		json_object_set_new(values, "memory_usage_mb",
				    json_real((double)health->rss_bytes / (1 << 20)));
	if (wall_s > 0)
		json_object_set_new(values, "query_time_ms", json_real(1e3 * wall_s));
	if (wall_s > 0 && cpu_s >= 0)
		json_object_set_new(values, "cpu_percent", json_real(100 * cpu_s / wall_s));
}

/* Both runs of a pair, which are of the base. */
static void observe_values(struct campaign *campaign, const struct pair *pair,
			   struct bottleneck_series *series, json_t *samples)
{
	for (size_t i = 0; i < campaign->metric_count; i++) {
		const double values[2] = { pair->values[i].base, pair->values[i].candidate };
		json_t *list;
		char name[METRIC_NAME_BYTES];

		if (comes_again(campaign, i))
			continue;
		workspace_metric_name(campaign->metrics[i].benchmark,
			      campaign->metrics[i].metric, name);
		list = json_object_get(samples, name);
		if (!list)
			json_object_set_new(samples, name, list = json_array());
		for (int n = 0; n < (pair->failed ? 1 : 2); n++) {
			bottleneck_add(&series[i], values[n]);
			json_array_append_new(list, json_real(values[n]));
		}
	}
}

static bool is_watched(const struct campaign *campaign, size_t count,
		       const struct workspace_benchmark *benchmark,
		       const struct workspace_metric *metric)
{
	for (size_t i = 0; i < count; i++)
		if (campaign->metrics[i].benchmark == benchmark &&
		    (!metric || campaign->metrics[i].metric == metric))
			return true;
	return false;
}

/*
 * Whatever else has a target: of the benchmarks that are run anyway, and where
 * nothing is to be changed of all.
 */
static void watch_targets(struct campaign *campaign)
{
	const struct workspace_benchmark *benchmark = campaign->file.benchmarks.items;
	const size_t judged = campaign->metric_count;

	for (size_t i = 0; i < campaign->file.benchmarks.count; i++, benchmark++) {
		const struct workspace_metric *metric = benchmark->metrics.items;

		if (campaign->mode != MODE_OBSERVE &&
		    !is_watched(campaign, judged, benchmark, NULL))
			continue;
		for (size_t j = 0; j < benchmark->metrics.count; j++, metric++)
			if (!isnan(metric->target) &&
			    !is_watched(campaign, judged, benchmark, metric))
				campaign->metrics[campaign->metric_count++] =
					(struct watched_metric){ benchmark, metric, false, true, { 0 } };
	}
}

static int keep_values(struct campaign *campaign, const struct pair *last,
		       struct health *health, json_t *samples)
{
	json_t *values = json_object();

	for (size_t i = 0; i < campaign->metric_count; i++) {
		char name[METRIC_NAME_BYTES];

		workspace_metric_name(campaign->metrics[i].benchmark,
			      campaign->metrics[i].metric, name);
		json_object_set_new(values, name, json_real(last->values[i].base));
	}
	tell_health(health, values);
	return campaign_ask(campaign, "store.metrics",
			    json_pack("{s:I, s:o, s:O}", "session",
				      (json_int_t)campaign->session->id, "metrics", values,
				      "samples", samples), NULL);
}

/* Of the benchmarks that have not been run yet; a pair is two runs. */
static int warm_up_observed(struct campaign *campaign)
{
	int64_t runs = 0;
	int r = 0;

	for (size_t i = 0; i < campaign->metric_count; i++) {
		const struct workspace_benchmark *benchmark = campaign->metrics[i].benchmark;

		if (!is_watched(campaign, i, benchmark, NULL) && campaign->metrics[i].observed &&
		    benchmark->warmup > runs)
			runs = benchmark->warmup;
	}
	for (; r == 0 && runs > 0; runs -= 2) {
		struct pair ignored;

		r = pair_measure(campaign, &campaign->baseline, &campaign->baseline, false,
				 &ignored);
	}
	return r;
}

static void tell_unmeasured(struct campaign *campaign, const struct bottleneck_series *series)
{
	json_t *names = json_array();

	for (size_t i = 0; i < campaign->metric_count; i++) {
		char name[METRIC_NAME_BYTES];

		if (!campaign->metrics[i].observed || series[i].count > 0)
			continue;
		workspace_metric_name(campaign->metrics[i].benchmark,
				      campaign->metrics[i].metric, name);
		json_array_append_new(names, json_string(name));
	}
	json_object_set_new(campaign->report, "unmeasured", names);
}

static int observe(struct campaign *campaign, json_t *samples)
{
	struct bottleneck_series series[CAMPAIGN_METRICS_MAX] = { 0 };
	struct health health = { 0 };
	struct pair pair = { 0 };
	int r = warm_up_observed(campaign);

	for (unsigned n = 0; r == 0 && n < BOTTLENECK_SAMPLES_MIN; n++) {
		r = pair_measure(campaign, &campaign->baseline, &campaign->baseline, false, &pair);
		if (r < 0)
			break;
		observe_health(&health, &pair);
		observe_values(campaign, &pair, series, samples);
	}
	if (r < 0)
		return r;
	tell_unmeasured(campaign, series);
	r = campaign_judge_metrics(campaign, series);
	return r < 0 ? r : keep_values(campaign, &pair, &health, samples);
}

/* The runs so far measured what a change is judged by: a few more do. */
int campaign_observe(struct campaign *campaign)
{
	size_t judged = campaign->metric_count;
	json_t *samples = json_object();

	watch_targets(campaign);
	int r = observe(campaign, samples);

	campaign->metric_count = judged;
	json_decref(samples);
	return r;
}
