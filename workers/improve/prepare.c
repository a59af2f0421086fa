/*
 * prepare.c - what a campaign starts from: the base commit, what the workspace
 * asks for, its tests' own verdict, and how much this machine's clock wavers.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/core/random.h"
#include "common/core/statistics.h"
#include "workers/improve/campaign.h"
#include "workers/improve/suite.h"

#define BASELINE_RUNS 3		/* of all tests, to find the flaky ones */
#define CALIBRATION_PAIRS 10

/* For as long as the campaign; NULL where there is no such text. */
static int keep_text(struct campaign *campaign, const json_t *object, const char *name,
		     const char **ret)
{
	const char *text = json_string_value(json_object_get(object, name));

	*ret = text ? arena_text(session_memory(campaign->session), "%s", text) : NULL;
	return !text || *ret ? 0 : error_set(campaign->why, -ENOMEM, "out of memory for %s", name);
}

/* ---- the repository ---- */

/* Where there is no repository the files are kept as they are now. */
static int take_snapshot(struct campaign *campaign)
{
	json_t *answer;
	int r = campaign_ask(campaign, "git.snapshot", json_object(), &answer);

	if (r < 0)
		return r;
	r = keep_text(campaign, answer, "commit", &campaign->base);
	campaign->branch = "main";
	json_decref(answer);
	return r < 0 || campaign->base ? r :
	       error_set(campaign->why, -EBADMSG, "git.snapshot: no commit");
}

static int read_status(struct campaign *campaign)
{
	json_t *status;
	int r = campaign_ask(campaign, "git.status", json_object(), &status);

	if (r < 0)
		return r;
	campaign->repository = json_is_true(json_object_get(status, "repository"));
	campaign->clean = json_is_true(json_object_get(status, "clean"));
	r = keep_text(campaign, status, "head", &campaign->base);
	if (r == 0)
		r = keep_text(campaign, status, "branch", &campaign->branch);
	json_decref(status);
	if (r < 0)
		return r;
	json_object_set_new(campaign->report, "repository", json_boolean(campaign->repository));
	if (!campaign->repository)
		return take_snapshot(campaign);
	if (!campaign->base)
		return error_set(campaign->why, -ENOENT,
				 "there is no commit to start from; commit the workspace first");
	return 0;
}

static int read_file(struct campaign *campaign, struct knob_file *file)
{
	json_t *answer;
	int r = campaign_ask(campaign, "git.read",
			     json_pack("{s:s, s:s}", "commit", campaign->base, "path",
				       file->path), &answer);

	if (r == -ENOENT && !campaign->repository)
		return error_set(campaign->why, r, "there is no %s in %s", file->path,
				 campaign->session->workspace);
	if (r == -ENOENT)
		return error_set(campaign->why, r,
				 "%s is not in the commit %.12s; commit it first", file->path,
				 campaign->base);
	if (r < 0)
		return r;
	r = keep_text(campaign, answer, "content", &file->content);
	if (r == 0)
		r = keep_text(campaign, answer, "sha256", &file->sha256);
	json_decref(answer);
	return r < 0 || (file->content && file->sha256) ? r :
	       error_set(campaign->why, -EBADMSG, "git.read: %s came without content", file->path);
}

/* What the base commit says counts, not what lies about in the tree. */
static int read_workspace_file(struct campaign *campaign)
{
	struct knob_file file = { .path = WORKSPACE_FILE_NAME };
	int r = read_file(campaign, &file);

	return r < 0 ? r : workspace_file_parse(&campaign->config, &campaign->file, file.path,
						span_of_text(file.content), campaign->why);
}

static int read_knobs(struct campaign *campaign)
{
	knobs_want(&campaign->knobs, &campaign->file);
	for (size_t i = 0; i < campaign->knobs.file_count; i++) {
		int r = read_file(campaign, &campaign->knobs.files[i]);

		if (r < 0)
			return r;
	}
	return knobs_init(&campaign->knobs, campaign->why);
}

/* ---- metrics ---- */

int campaign_choose_metrics(struct campaign *campaign, const char *asked)
{
	const struct workspace_file *file = &campaign->file;
	const struct workspace_guard *guards = file->guards.items;
	struct watched_metric *metrics = campaign->metrics;
	int r = workspace_file_metric(file, asked ? asked : file->improve.metric,
				      &metrics->benchmark, &metrics->metric, campaign->why);

	if (r < 0)
		return r;
	campaign->metric_count = 1;
	for (size_t i = 0; i < file->guards.count; i++) {
		struct watched_metric *guard = &metrics[campaign->metric_count];

		if (campaign->metric_count == CAMPAIGN_JUDGED_MAX)
			return error_set(campaign->why, -E2BIG, "more than %d guards",
					 DECISION_GUARDS_MAX);
		r = workspace_file_metric(file, guards[i].title, &guard->benchmark,
					  &guard->metric, campaign->why);
		if (r < 0)
			return r;
		guard->guard = (struct decision_guard){
			metric_direction(guard->metric),
			guards[i].hard, guards[i].tolerance / 100,
		};
		campaign->metric_count++;
	}
	return 0;
}

/* ---- the baseline ---- */

/* A case that did not end the same way every time is set aside, by name. */
static int set_flaky_apart(struct campaign *campaign, const struct cases *again)
{
	struct case_index told, apart;
	int r = cases_index(again, again->arena, &told);

	if (r == 0)
		r = cases_index(&campaign->flaky, again->arena, &apart);
	for (size_t i = 0; r == 0 && i < campaign->cases.count; i++) {
		const struct test_case *first = &campaign->cases.items[i];
		const struct test_case *other = cases_find(&told, first->name);

		if ((other && other->outcome == first->outcome) ||
		    cases_find(&apart, first->name))
			continue;
		r = cases_add(&campaign->flaky, span_of_text(first->name), CASE_FAILED, -1,
			      span_of_text("not the same every time"));
	}
	return r < 0 ? error_set(campaign->why, r, "out of memory") : 0;
}

/* Run number n, from 0, of all tests; cases is what it told. */
static int test_once(struct campaign *campaign, const struct suite *suite, unsigned n,
		     struct cases *cases)
{
	campaign_say(campaign, n, BASELINE_RUNS, "tests of the base, run %u", n + 1);
	int r = suite_run(campaign->session, suite, cases, campaign->why);

	if (r == 0 && n > 0)
		r = set_flaky_apart(campaign, cases);
	return r < 0 ? r : suite_record(campaign->session, "base", campaign->base, cases,
					&campaign->flaky, campaign->why);
}

/* The first run is kept; of the others, what was flaky. */
static int test_baseline(struct campaign *campaign)
{
	const struct suite suite = {
		.file = &campaign->file,
		.workspace = campaign->session->copies[COPY_BASE],
		.environment = campaign->baseline.run_environment, .holdout = true,
		.slots = campaign->slots,
	};
	struct arena *kept = session_memory(campaign->session);
	int r = 0;

	campaign->tested = campaign->file.tests.count > 0;
	cases_init(&campaign->cases, kept);
	cases_init(&campaign->flaky, kept);
	if (campaign->tested)
		r = test_once(campaign, &suite, 0, &campaign->cases);
	for (unsigned n = 1; r == 0 && campaign->tested && n < BASELINE_RUNS; n++) {
		struct arena memory;
		struct cases again;

		arena_init(&memory, WORKER_CALL_BYTES_MAX);
		cases_init(&again, &memory);
		r = test_once(campaign, &suite, n, &again);
		arena_release(&memory);
	}
	return r;
}

/* By the longest title that the case's name can begin with; see cases.h. */
static bool is_held_out(const struct workspace_file *file, const char *name)
{
	const struct workspace_test *tests = file->tests.items;
	size_t longest = 0;
	bool held_out = false;

	for (size_t i = 0; i < file->tests.count; i++) {
		size_t length = strlen(tests[i].title);

		if (length < longest || strncmp(name, tests[i].title, length) != 0 ||
		    (name[length] && strncmp(name + length, ": ", 2) != 0))
			continue;
		longest = length;
		held_out = tests[i].holdout;
	}
	return held_out;
}

/* What the search can compare with, which runs no test that is held out. */
static int choose_searched(struct campaign *campaign)
{
	const struct cases *all = &campaign->cases;
	struct cases *some = &campaign->searched;

	cases_init(some, session_memory(campaign->session));
	some->items = arena_alloc_array(some->arena, all->count + 1, sizeof(*some->items));
	if (!some->items)
		return error_set(campaign->why, -ENOMEM, "out of memory");
	some->capacity = all->count + 1;
	for (size_t i = 0; i < all->count; i++)
		if (!is_held_out(&campaign->file, all->items[i].name))
			some->items[some->count++] = all->items[i];
	return 0;
}

static int build_baseline(struct campaign *campaign)
{
	struct space_config current;
	enum tuner_outcome outcome;

	campaign_say(campaign, 0, 0, "building %.12s", campaign->base);
	space_current(&campaign->knobs.space, &current);
	int r = arm_build(campaign, COPY_BASE, &current, &campaign->baseline, &outcome);

	if (r == 0 && outcome != TUNER_OK)
		r = error_prefix(campaign->why, -EINVAL, "the unchanged program");
	return r;
}

/* ---- how much the same program differs from itself ---- */

static int warm_up(struct campaign *campaign)
{
	struct pair ignored;

	for (int64_t i = 0; i < campaign->metrics[0].benchmark->warmup; i++) {
		int r = pair_measure(campaign, &campaign->baseline, &campaign->baseline, false,
				     &ignored);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Every run of it; samples are stolen. */
static int keep_calibration(struct campaign *campaign, json_t *samples)
{
	const struct watched_metric *primary = &campaign->metrics[0];
	json_t *answer = NULL;
	int r = campaign_ask(campaign, "store.experiment",
			     json_pack("{s:I, s:s, s:{s:s, s:s, s:s}}", "session",
				       (json_int_t)campaign->session->id, "kind", "calibrate",
				       "plan", "benchmark", primary->benchmark->title, "metric",
				       primary->metric->title, "base", campaign->base), &answer);

	if (r == 0)
		r = campaign_ask(campaign, "store.samples",
				 json_pack("{s:O, s:O}", "experiment",
					   json_object_get(answer, "experiment"), "samples",
					   samples), NULL);
	json_decref(answer);
	json_decref(samples);
	return r;
}

static int calibrate(struct campaign *campaign)
{
	struct calibration_pair pairs[CALIBRATION_PAIRS];
	json_t *samples = json_array();
	struct random coins;
	int r = warm_up(campaign);

	random_init(&coins, campaign->seed);
	for (unsigned n = 0; r == 0 && n < CALIBRATION_PAIRS; n++) {
		struct pair pair;

		campaign_say(campaign, n, CALIBRATION_PAIRS, "the base against itself");
		r = pair_measure(campaign, &campaign->baseline, &campaign->baseline,
				 random_below(&coins, 2), &pair);
		if (r == 0 && pair.failed)
			r = error_prefix(campaign->why, -EINVAL, "the unchanged program");
		if (r < 0)
			break;
		pairs[n].values[METRIC_WALL] = pair.times[METRIC_WALL];
		pairs[n].values[METRIC_CPU] = pair.times[METRIC_CPU];
		pairs[n].values[METRIC_REPORTED] = pair.values[0];
		pair_record(&pair, n, samples);
	}
	if (r == 0)
		calibration_summarise(pairs, CALIBRATION_PAIRS, &campaign->calibration);
	if (r == 0)
		return keep_calibration(campaign, samples);
	json_decref(samples);
	return r;
}

/* Time is judged by the processor's where that is the same, only steadier. */
static void choose_judge(struct campaign *campaign)
{
	struct watched_metric *primary = &campaign->metrics[0];

	campaign->judge = METRIC_REPORTED;
	if (primary->metric->from == FROM_CPU)
		campaign->judge = METRIC_CPU;
	if (primary->metric->from != FROM_TIME)
		return;
	campaign->judge = planning_metric(&campaign->calibration,
					  campaign->calibration.cpu_share > 1.05 ? 2 : 1);
	if (campaign->judge != METRIC_CPU)
		return;
	primary->cpu = true;
	if (campaign->metric_count < CAMPAIGN_JUDGED_MAX) {	/* and wall time guards */
		struct watched_metric *guard = &campaign->metrics[campaign->metric_count++];

		*guard = (struct watched_metric){
			.benchmark = primary->benchmark, .metric = primary->metric,
			.guard = { LOWER_IS_BETTER, false, 0.03 },
		};
	}
}

static json_t *real_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void plan(struct campaign *campaign)
{
	const struct workspace_metric *metric = campaign->metrics[0].metric;
	struct planning *planning = &campaign->planning;

	choose_judge(campaign);
	*planning = planning_of(&campaign->calibration, campaign->judge, metric_direction(metric),
				metric->min_effect / 100, DECISION_CAMPAIGN_ALPHA);
	json_object_set_new(campaign->report, "calibration", json_pack(
		"{s:s, s:o, s:o, s:o, s:b}", "judged_by", metric_name(campaign->judge),
		"sigma_percent", real_or_null(100 * campaign->calibration.sigma[campaign->judge]),
		"pairs_needed", real_or_null(planning->pairs), "smallest_gain_percent",
		real_or_null(100 * planning->smallest_gain), "possible", planning->possible));
}

/* A gain far above the least may still be shown; what cannot is said. */
int campaign_can_decide(struct campaign *campaign)
{
	const struct planning *planning = &campaign->planning;

	if (planning->possible || planning->smallest_gain <= campaign->file.improve.gain / 100)
		return 0;
	return error_set(campaign->why, -ERANGE,
			 "benchmark %s is too noisy to decide by: %d pairs show no gain below %.0f %%, and %.1f %% was asked for; make one run %.1f times longer%s, or raise min_effect",
			 campaign->metrics[0].benchmark->title, SIGN_FLIP_PAIRS_MAX,
			 100 * planning->smallest_gain, campaign->metrics[0].metric->min_effect,
			 planning->longer, planning->cpu_would_do ? ", measure from = cpu" : "");
}

/* What the unchanged program takes here and now, and how much that wavers. */
static int keep_baseline(struct campaign *campaign)
{
	const struct calibration *calibration = &campaign->calibration;
	json_t *metrics = json_object();

	for (int i = 0; i < METRIC_COUNT; i++)
		json_object_set_new(metrics, metric_name((enum metric)i),
				    json_pack("{s:o, s:o}", "level",
					      real_or_null(calibration->level[i]), "sigma",
					      real_or_null(calibration->sigma[i])));
	int r = campaign_ask(campaign, "store.baseline",
			     json_pack("{s:s, s:s, s:s?, s:o}", "workspace",
				       campaign->session->workspace, "commit", campaign->base,
				       "environment", campaign->session->environment, "metrics",
				       metrics), NULL);

	return r < 0 ? r : commands_record(campaign->session, campaign->why);
}

int campaign_read(struct campaign *campaign)
{
	int r = read_status(campaign);

	if (r == 0)
		r = read_workspace_file(campaign);
	return r < 0 ? r : read_knobs(campaign);
}

int campaign_prepare(struct campaign *campaign)
{
	int64_t began_ns = clock_now_ns(), built_ns, tested_ns, runs;
	int r = build_baseline(campaign);

	built_ns = clock_now_ns();
	if (r == 0)
		r = test_baseline(campaign);
	if (r == 0)
		r = choose_searched(campaign);
	tested_ns = clock_now_ns();
	runs = campaign->runs_left;
	if (r == 0)
		r = calibrate(campaign);
	if (r < 0)
		return r;
	campaign->build_ns = built_ns - began_ns + (tested_ns - built_ns) / BASELINE_RUNS;
	campaign->pair_ns = (clock_now_ns() - tested_ns) / CALIBRATION_PAIRS;
	campaign->pair_runs = (runs - campaign->runs_left) / CALIBRATION_PAIRS;
	plan(campaign);
	return keep_baseline(campaign);
}
