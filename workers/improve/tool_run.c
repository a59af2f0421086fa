/*
 * tool_run.c - improve.run, improve.apply and improve.rollback.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workers/improve/campaign.h"
#include "workers/improve/environment.h"
#include "workers/improve/suite.h"
#include "workers/improve/tools.h"

static const char *const modes[MODE_COUNT] = { "observe", "propose", "approve", "auto" };

static enum campaign_mode mode_of(const struct session *session)
{
	const char *text = option_text(session, "mode");

	for (int i = 0; text && i < MODE_COUNT; i++)
		if (strcmp(modes[i], text) == 0)
			return (enum campaign_mode)i;
	return MODE_PROPOSE;
}

/*
 * When the budget of time is spent: always so much before the call's deadline,
 * which would end it as a failure, that what runs by then can end.
 */
static int64_t budget_end_ns(const struct session *session)
{
	int64_t now_ns = clock_now_ns(), seconds = option_integer(session, "time_s", 0);
	int64_t left_ns = deadline_remaining(session->call->deadline_ns, now_ns);
	int64_t last_ns = deadline_after(now_ns, left_ns - left_ns / 16);

	return seconds ? deadline_earlier(deadline_after(now_ns, seconds * NS_PER_S), last_ns) :
			 last_ns;
}

static void init(struct campaign *campaign, struct session *session, struct error *why)
{
	*campaign = (struct campaign){
		.session = session, .why = why, .mode = mode_of(session),
		.seed = (uint64_t)option_integer(session, "seed", 1),
		.slots = (unsigned)option_integer(session, "slots", 2),
		.until_ns = budget_end_ns(session),
		.runs_left = option_integer(session, "runs", INT64_MAX),
		.report = json_pack("{s:s, s:s, s:[], s:[], s:[], s:[]}", "schema",
				    "cupel.improve/1", "mode", modes[mode_of(session)],
				    "bottlenecks", "trials", "watched", "lessons"),
	};
	json_object_set_new(campaign->report, "seed", json_integer((json_int_t)campaign->seed));
}

/* Both not known is not the same. */
static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && text && strcmp(json_string_value(value), text) == 0;
}

/* An unfinished campaign of the same aim and seed goes on where it was; any other is new. */
static int open_session(struct campaign *campaign)
{
	struct session *session = campaign->session;
	char metric[METRIC_NAME_BYTES];
	json_t *answer;

	workspace_metric_name(campaign->metrics[0].benchmark,
			      campaign->metrics[0].metric, metric);
	int r = campaign_ask(campaign, "store.open",
			     json_pack("{s:s}", "workspace", session->workspace), &answer);

	if (r < 0)
		return r;
	const json_t *open = json_object_get(answer, "session");
	const json_t *options = json_object_get(answer, "options");
	bool same = json_is_integer(open) &&
		    json_integer_value(json_object_get(answer, "seed")) ==
			    (json_int_t)campaign->seed &&
		    is_text(json_object_get(options, "base"), campaign->base) &&
		    is_text(json_object_get(options, "metric"), metric) &&
		    is_text(json_object_get(answer, "environment"), session->environment);

	session->id = same ? json_integer_value(open) : 0;
	json_decref(answer);
	json_object_set_new(campaign->report, "resumed", json_boolean(same));
	if (same)
		return 0;
	r = campaign_ask(campaign, "store.session",
			 json_pack("{s:s, s:s, s:I, s:s?, s:{s:s, s:s, s:s}}", "workspace",
				   session->workspace, "kind", "improve", "seed",
				   (json_int_t)campaign->seed, "environment",
				   session->environment, "options", "base",
				   campaign->base ? campaign->base : "", "mode",
				   modes[campaign->mode], "metric", metric), &answer);
	if (r < 0)
		return r;
	session->id = json_integer_value(json_object_get(answer, "session"));
	json_decref(answer);
	return 0;
}

static void report_tests(struct campaign *campaign)
{
	json_object_set_new(campaign->report, "tests",
			    json_pack("{s:I, s:I, s:I, s:o}", "passed",
				      (json_int_t)cases_count(&campaign->cases, CASE_PASSED),
				      "failed",
				      (json_int_t)cases_count_bad(&campaign->cases),
				      "skipped",
				      (json_int_t)cases_count(&campaign->cases, CASE_SKIPPED),
				      "flaky", suite_names(&campaign->flaky)));
	json_object_set_new(campaign->report, "metric",
			    json_pack("{s:s, s:s, s:s, s:s}", "benchmark",
				      campaign->metrics[0].benchmark->title, "name",
				      campaign->metrics[0].metric->title, "unit",
				      campaign->metrics[0].metric->unit, "better",
				      campaign->metrics[0].metric->better ? "higher" : "lower"));
	json_object_set_new(campaign->report, "base", json_string(campaign->base));
}

static int find_and_prove(struct campaign *campaign)
{
	int64_t improvement = 0;
	int r = campaign_can_decide(campaign);

	if (r == 0)
		r = campaign_search(campaign);
	if (r == 0)
		r = campaign_race(campaign);
	if (r == 0 && campaign->found)
		r = campaign_prove(campaign, &improvement);
	if (r == 0 && improvement && campaign->mode == MODE_AUTO)
		r = campaign_apply(campaign, improvement);
	if (r == 0 && json_object_get(campaign->report, "commit"))
		r = campaign_watch_new(campaign, improvement);
	const json_t *status = json_object_get(campaign->report, "status");

	json_object_set_new(campaign->report, "found",
			    json_boolean(improvement != 0 && !is_text(status, "rolled_back")));
	return r;
}

/* What was watched is told even where nothing could be looked for. */
static int tell_watched(struct campaign *campaign, int r)
{
	if (r != -ERANGE || json_array_size(json_object_get(campaign->report, "watched")) == 0)
		return r;
	json_object_set_new(campaign->report, "not_searched", json_string(campaign->why->text));
	return 0;
}

static int run(struct campaign *campaign)
{
	int r = campaign_recover(campaign);

	if (r == 0)
		r = campaign_read(campaign);
	if (r == 0)
		r = campaign_choose_metrics(campaign, option_text(campaign->session, "metric"));
	if (r == 0 && campaign->mode != MODE_OBSERVE)
		r = knobs_check_any(&campaign->knobs, campaign->why);
	if (r == 0)
		r = environment_learn(campaign->session, campaign->why);
	if (r == 0)
		r = open_session(campaign);
	if (r == 0)
		r = campaign_prepare(campaign);
	if (r == 0)
		r = campaign_observe(campaign);
	if (r == 0)
		report_tests(campaign);
	if (r == 0 && campaign->mode >= MODE_APPROVE)
		r = campaign_watch(campaign);	/* of earlier campaigns */
	if (r == 0 && campaign->mode != MODE_OBSERVE)
		r = tell_watched(campaign, find_and_prove(campaign));
	if (r == 0)
		r = campaign_learn(campaign, json_is_true(json_object_get(campaign->report, "found")) ?
						     "found" : "nothing found");
	return r;
}

static int clean_up(struct campaign *campaign)
{
	struct error ignored, *why = campaign->why;
	int r;

	campaign->why = &ignored;
	r = campaign_ask(campaign, "git.clean", json_pack("{s:n}", "copies"), NULL);
	campaign->why = why;
	return r;
}

int tool_run(struct session *session, json_t **ret, struct error *why)
{
	struct campaign campaign;
	int r;

	init(&campaign, session, why);
	if (session->copy_count < COPY_FINALISTS + 2)
		r = error_set(why, -EINVAL, "copies: %d workspaces at least are needed",
			      COPY_FINALISTS + 2);
	else
		r = session_hold(session, why);
	if (r == 0)
		r = run(&campaign);
	if (r != -ECANCELED && r != -EPIPE && session->holds)
		clean_up(&campaign);
	if (r == 0)
		*ret = json_incref(campaign.report);
	campaign_release(&campaign);
	return r;
}

/* ---- by hand: beside a campaign, of whose rows none is touched ---- */

static int by_hand(struct session *session, json_t **ret, struct error *why,
		   int (*what)(struct campaign *campaign, int64_t improvement))
{
	int64_t improvement = option_integer(session, "improvement", 0);
	struct campaign campaign;
	int r;

	init(&campaign, session, why);
	r = improvement_recover(&campaign, improvement);
	if (r == 0)
		r = what(&campaign, improvement);
	if (r == 0)
		*ret = json_incref(campaign.report);
	campaign_release(&campaign);
	return r;
}

static int apply_it(struct campaign *campaign, int64_t improvement)
{
	const json_t *here = json_object_get(campaign->session->call->arguments, "here");
	int r = campaign_read(campaign);

	return r < 0 ? r : improvement_apply(campaign, improvement,
					     json_is_true(here) || !campaign->repository);
}

/*
 * Needs nothing but what was applied. Without git the files may again be as it
 * left them where the last snapshot, of some time in between, is not.
 */
static int roll_it_back(struct campaign *campaign, int64_t improvement)
{
	const char *asked = option_text(campaign->session, "reason");
	const char *reason = asked ? asked : "by hand";
	int r = improvement_roll_back(campaign, improvement, reason);
	struct error why = *campaign->why;

	if (r == -EBUSY && campaign_ask(campaign, "git.snapshot", json_object(), NULL) == 0)
		return improvement_roll_back(campaign, improvement, reason);
	*campaign->why = why;
	return r;
}

int tool_apply(struct session *session, json_t **ret, struct error *why)
{
	return by_hand(session, ret, why, apply_it);
}

int tool_roll_back(struct session *session, json_t **ret, struct error *why)
{
	return by_hand(session, ret, why, roll_it_back);
}
