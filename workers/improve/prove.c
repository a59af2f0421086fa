/*
 * prove.c - the one place where something may be called better.
 *
 * The plan of a decision is a row in the store before its first sample, its
 * verdict one after the last. What has a verdict keeps it: the same change of
 * the same commit, measured the same way, is not tried again.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/core/distribution.h"
#include "common/core/hash.h"
#include "workers/improve/campaign.h"
#include "workers/improve/command.h"
#include "workers/improve/confidence_core.h"
#include "workers/improve/decision_core.h"

#define SOURCE "tuner"
#define SELF_CHECK_EVERY 20	/* decisions, one of which compares equals */

/* ---- a decision ---- */

static void make_plan(struct campaign *campaign, double alpha, struct decision_plan *ret)
{
	const struct workspace_metric *metric = campaign->metrics[0].metric;

	*ret = decision_plan_default;
	ret->seed = campaign->seed + 0x9e3779b97f4a7c15u * ++campaign->experiments;
	ret->alpha = alpha;
	ret->direction = metric_direction(metric);
	ret->min_effect = metric->min_effect / 100;
	ret->gain_wanted = campaign->mode == MODE_AUTO ? campaign->file.improve.gain / 100 : 0;
	while (ret->look_count > 1 &&
	       ret->looks[ret->look_count - 1] > (unsigned)campaign->file.improve.pairs)
		ret->look_count--;
	ret->spent[ret->look_count - 1] = 1;
	ret->guard_count = (unsigned)campaign->metric_count - 1;
	for (unsigned i = 0; i < ret->guard_count; i++)
		ret->guards[i] = campaign->metrics[i + 1].guard;
}

static json_t *plan_row(const struct campaign *campaign, const struct decision_plan *plan)
{
	json_t *looks = json_array(), *guards = json_array();
	char seed[24];

	snprintf(seed, sizeof(seed), "%016" PRIx64, plan->seed);
	for (unsigned i = 0; i < plan->look_count; i++)
		json_array_append_new(looks, json_pack("{s:i, s:f}", "pairs",
						       (int)plan->looks[i], "alpha",
						       plan->spent[i] * plan->alpha));
	for (unsigned i = 0; i < plan->guard_count; i++)
		json_array_append_new(guards, json_pack(
			"{s:s, s:s, s:f, s:b}", "benchmark",
			campaign->metrics[i + 1].benchmark->title, "metric",
			campaign->metrics[i + 1].metric->title, "margin",
			plan->guards[i].margin, "hard", plan->guards[i].hard));
	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:o, s:o, s:s}", "benchmark",
			 campaign->metrics[0].benchmark->title, "metric",
			 campaign->metrics[0].metric->title, "judged_by",
			 metric_name(campaign->judge), "seed", seed, "alpha", plan->alpha,
			 "min_effect", plan->min_effect, "gain_wanted",
			 plan->gain_wanted, "looks", looks, "guards", guards,
			 "base", campaign->base);
}

static int begin_experiment(struct campaign *campaign, const char *kind,
			    int64_t improvement, const struct decision_plan *plan,
			    int64_t *ret)
{
	json_t *row = json_pack("{s:I, s:s, s:o, s:o}", "session",
				(json_int_t)campaign->session->id, "kind", kind,
				"improvement", improvement ? json_integer(improvement) :
							     json_null(),
				"plan", plan_row(campaign, plan));
	json_t *answer;
	int r = campaign_ask(campaign, "store.experiment", row, &answer);

	if (r < 0)
		return r;
	*ret = json_integer_value(json_object_get(answer, "experiment"));
	json_decref(answer);
	return 0;
}

static int flush_samples(struct campaign *campaign, int64_t experiment, json_t **samples)
{
	int r = campaign_ask(campaign, "store.samples",
			     json_pack("{s:I, s:o}", "experiment", (json_int_t)experiment,
				       "samples", *samples), NULL);

	*samples = json_array();
	return r < 0 ? r : commands_record(campaign->session, campaign->why);
}

/* What may be cut at the end of a line comes last. */
static void say_decision(struct campaign *campaign, const struct decision *decision,
			 const struct arm *candidate)
{
	const struct decision_look *look = decision_latest(decision);
	unsigned most = decision->plan.looks[decision->plan.look_count - 1];
	char gain[64] = "";

	if (look && isfinite(look->gain_lower) && isfinite(look->gain_upper))
		snprintf(gain, sizeof(gain), "%+.1f %% (%.1f to %.1f), ", 100 * look->gain,
			 100 * look->gain_lower, 100 * look->gain_upper);
	campaign_say(campaign, decision->pairs, most, "%spair %u, %s", gain, decision->pairs,
		     candidate->name);
}

/*
 * Whether the clock went on for more than half of the processor time that was
 * saved. The kernel counts what a process spent for whoever waits for it; nobody
 * need wait for one whose parent ignores SIGCHLD, wait(2), and so its time would
 * be a gain.
 */
static bool hides_time(const struct pair *pair)
{
	const struct decision_value *wall = &pair->times[METRIC_WALL];
	const struct decision_value *cpu = &pair->times[METRIC_CPU];
	double saved = cpu->base - cpu->candidate;
	double idle = (wall->candidate - cpu->candidate) - (wall->base - cpu->base);

	return idle > saved / 2;
}

static int take_pair(struct campaign *campaign, struct decision *decision,
		     const struct arm *candidate, unsigned number, json_t *samples,
		     unsigned *hiding, bool *ret_crashed)
{
	struct pair pair;
	int r = pair_measure(campaign, &campaign->baseline, candidate,
			     decision->candidate_first, &pair);

	if (r < 0)
		return r;
	*ret_crashed = pair.failed;
	if (pair.failed)
		return 0;
	pair_record(&pair, number, samples);
	if (!pair.valid)
		return decision_add_invalid_pair(decision, pair.base_stopped,
						 pair.candidate_stopped);
	*hiding += hides_time(&pair) ? 1 : 0;
	r = decision_add_pair(decision, pair.values);
	return r < 0 ? error_set(campaign->why, r, "a value that cannot be judged") : 0;
}

/*
 * More pairs have to show it than are likely to by chance, or small gains on a
 * busy machine would seem to. Of one busy process only: those of several wait
 * for one another.
 */
static void doubt(const struct campaign *campaign, struct decision *decision, unsigned hiding)
{
	if (campaign->judge == METRIC_CPU && campaign->calibration.cpu_share < 1.05 &&
	    binomial_tail(hiding, decision->pairs, 0.5) < 0.05)
		decision_doubt(decision);
}

/*
 * Runs pairs until there is a verdict, or no budget for more. A candidate whose
 * run fails is rejected there and then, by *ret_crashed.
 */
static int decide(struct campaign *campaign, const struct arm *candidate,
		  int64_t experiment, struct decision *decision, bool *ret_crashed)
{
	json_t *samples = json_array();
	unsigned hiding = 0;
	int r = 0;

	*ret_crashed = false;
	for (unsigned n = 0; r == 0 && campaign_has_budget(campaign, BUDGET_PROOF); n++) {
		unsigned looks = decision->look_count;

		r = take_pair(campaign, decision, candidate, n, samples, &hiding, ret_crashed);
		if (r < 0 || *ret_crashed)
			break;
		enum decision_verdict verdict = decision_look(decision);

		doubt(campaign, decision, hiding);
		say_decision(campaign, decision, candidate);
		if (verdict != DECISION_CONTINUE)
			break;
		if (decision->look_count != looks)
			r = flush_samples(campaign, experiment, &samples);
	}
	if (r == 0)
		r = flush_samples(campaign, experiment, &samples);
	json_decref(samples);
	return r;
}

/* What the decision was, as columns of its experiment. */
static json_t *verdict_row(int64_t experiment, const struct decision *decision)
{
	const struct decision_look *look = decision_latest(decision);
	bool bounded = look && isfinite(look->gain_lower);

	return json_pack("{s:I, s:s, s:s, s:i, s:f, s:o, s:o}", "experiment",
			 (json_int_t)experiment, "verdict",
			 decision_verdict_name(decision->verdict), "reason",
			 decision_reason_name(decision->reason), "pairs", (int)decision->pairs,
			 "alpha", decision->plan.alpha, "gain",
			 look ? json_real(look->gain) : json_null(), "gain_lower",
			 bounded ? json_real(look->gain_lower) : json_null());
}

/*
 * How many decisions this campaign has begun, or there were on the same change,
 * and all campaigns together.
 */
static int read_alpha(struct campaign *campaign, int64_t improvement, unsigned *ret_nth,
		      int64_t *ret_all)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.alpha",
			     json_pack("{s:s, s:I, s:I}", "workspace",
				       campaign->session->workspace, "session",
				       (json_int_t)campaign->session->id, "improvement",
				       (json_int_t)improvement), &answer);

	if (r < 0)
		return r;
	*ret_nth = (unsigned)json_integer_value(json_object_get(answer, "nth")) + 1;
	*ret_all = json_integer_value(json_object_get(answer, "lifetime"));
	json_decref(answer);
	return 0;
}

static int judge_self(struct campaign *campaign, const struct arm *copy,
		      struct decision *decision)
{
	struct decision_plan plan;
	int64_t experiment;
	bool crashed = false;
	int r;

	make_plan(campaign, DECISION_CAMPAIGN_ALPHA, &plan);
	decision_init(decision, &plan);
	r = begin_experiment(campaign, "aa", 0, &plan, &experiment);
	if (r == 0)
		r = decide(campaign, copy, experiment, decision, &crashed);
	if (r == 0 && decision->verdict != DECISION_CONTINUE)
		r = campaign_ask(campaign, "store.verdict", verdict_row(experiment, decision), NULL);
	return r;
}

/* Now and then the base is judged against a copy of itself, like any other. */
static int check_self(struct campaign *campaign)
{
	struct decision *decision = calloc(1, sizeof(*decision));
	enum tuner_outcome outcome;
	struct arm copy = { 0 };
	int r = !decision ? error_set(campaign->why, -ENOMEM, "out of memory") :
		arm_build(campaign, COPY_FINALISTS, &campaign->baseline.config, &copy, &outcome);

	if (r == 0 && outcome == TUNER_OK)
		r = judge_self(campaign, &copy, decision);
	arm_release(&copy);
	free(decision);
	return r;
}

/* ---- the candidate as a row ---- */

/* What a verdict holds for: elsewhere, or after an update, it is proven anew. */
static void content_hash(const struct campaign *campaign, char ret[128])
{
	static const struct hash_key fixed = { { 0, 0 } };
	const char *environment = campaign->session->environment;
	char metric[METRIC_NAME_BYTES];

	workspace_metric_name(campaign->metrics[0].benchmark,
			      campaign->metrics[0].metric, metric);
	snprintf(ret, 128, "%.40s-%016" PRIx64 "-%016" PRIx64 "-%.16s", campaign->base,
		 space_hash(&campaign->knobs.space, &campaign->winner),
		 hash_bytes(&fixed, span_of_text(metric)), environment ? environment : "");
}

static int read_confidence(struct campaign *campaign, struct confidence_record *ret)
{
	struct confidence_record records[2];
	static const char *const names[2] = { "here", "elsewhere" };
	json_t *answer;
	int r = campaign_ask(campaign, "store.record",
			     json_pack("{s:s, s:s}", "source", SOURCE, "workspace",
				       campaign->session->workspace), &answer);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		const json_t *row = json_object_get(answer, names[i]);

		records[i] = (struct confidence_record){
			json_number_value(json_object_get(row, "wins")),
			json_number_value(json_object_get(row, "losses")),
			json_number_value(json_object_get(row, "promised")),
			json_number_value(json_object_get(row, "kept")),
		};
	}
	json_decref(answer);
	*ret = confidence_pool(records[0], records[1]);
	return 0;
}

/* The candidate's row, which may have been there before. */
struct proposal {
	int64_t improvement;
	char status[32];
	double confidence;
	json_t *verdict;	/* owned; null: none yet */
	bool judged;
};

static int propose(struct campaign *campaign, struct proposal *proposal)
{
	size_t best = tuner_best(campaign->tuner);
	char hash[128], words[400];
	json_t *answer;

	content_hash(campaign, hash);
	knobs_describe(&campaign->knobs, &campaign->winner, words, sizeof(words));
	int r = campaign_ask(campaign, "store.propose", json_pack(
		"{s:I, s:s, s:n, s:s, s:s, s:s, s:{s:s, s:o}, s:s, s:f, s:f}", "session",
		(json_int_t)campaign->session->id, "workspace", campaign->session->workspace,
		"bottleneck", "type", "optimization", "source", SOURCE, "description", words,
		"changes", "base", campaign->base, "knobs",
		knobs_changes(&campaign->knobs, &campaign->winner), "hash", hash, "expected",
		best == SIZE_MAX ? 0 : 100 * (1 - campaign->tuner->trials[best].cost),
		"confidence", proposal->confidence), &answer);

	if (r < 0)
		return r;
	proposal->improvement = json_integer_value(json_object_get(answer, "improvement"));
	proposal->verdict = json_incref(json_object_get(answer, "verdict"));
	proposal->confidence = json_number_value(json_object_get(answer, "certainty"));
	snprintf(proposal->status, sizeof(proposal->status), "%s",
		 json_string_value(json_object_get(answer, "status")));
	json_decref(answer);
	json_object_set_new(campaign->report, "improvement", json_integer(proposal->improvement));
	json_object_set_new(campaign->report, "change", json_string(words));
	proposal->judged = json_is_object(proposal->verdict) ||
			   strcmp(proposal->status, "proposed") != 0;
	if (proposal->judged)
		return 0;
	return campaign_ask(campaign, "store.status",
			    json_pack("{s:I, s:s, s:s, s:s}", "improvement",
				      (json_int_t)proposal->improvement, "from", "proposed",
				      "to", "testing", "reason", "proof"), NULL);
}

static double last_value(const struct decision *decision, bool candidate,
			 const struct campaign *campaign)
{
	const struct calibration *calibration = &campaign->calibration;
	const struct decision_look *look = decision_latest(decision);
	double base = calibration->level[campaign->judge];

	if (!candidate || !look)
		return base;
	return campaign->metrics[0].metric->better ? base * (1 + look->gain) :
						     base * (1 - look->gain);
}

static void report_decision(struct campaign *campaign, const struct decision *decision,
			    const char *verdict, const char *reason, double confidence)
{
	const struct decision_look *look = decision ? decision_latest(decision) : NULL;
	json_t *row = json_pack("{s:s, s:s, s:f, s:i}", "verdict", verdict, "reason", reason,
				"confidence", confidence, "pairs",
				decision ? (int)decision->pairs : 0);

	if (look) {
		json_object_set_new(row, "gain_percent", json_real(100 * look->gain));
		json_object_set_new(row, "gain_lower_percent", isfinite(look->gain_lower) ?
				    json_real(100 * look->gain_lower) : json_null());
		json_object_set_new(row, "before", json_real(last_value(decision, false, campaign)));
		json_object_set_new(row, "after", json_real(last_value(decision, true, campaign)));
	}
	json_object_set_new(campaign->report, "decision", row);
}

/* How it was judged; why_not: without a decision, or in spite of it. */
struct judgement {
	int64_t improvement, experiment;
	const struct decision *decision;	/* NULL: none was begun */
	const char *why_not;
	double confidence, seconds;
};

static json_t *settle_row(const struct campaign *campaign,
			  const struct judgement *judgement, bool accepted, bool works)
{
	const char *name = campaign->metrics[0].metric->title;
	const struct decision *decision = judgement->decision;
	double before = campaign->calibration.level[campaign->judge];
	json_t *row = decision ? verdict_row(judgement->experiment, decision) : json_object();

	json_object_set_new(row, "improvement", json_integer(judgement->improvement));
	json_object_set_new(row, "success", json_boolean(works));
	json_object_set_new(row, "confidence", json_real(judgement->confidence));
	json_object_set_new(row, "execution_s", json_real(judgement->seconds));
	json_object_set_new(row, "before", json_pack("{s:f}", name, before));
	json_object_set_new(row, "after", json_pack("{s:f}", name, decision ?
			    last_value(decision, true, campaign) : before));
	if (judgement->why_not) {
		json_object_set_new(row, "verdict", json_string("reject"));
		json_object_set_new(row, "reason", json_string(judgement->why_not));
	}
	json_object_set_new(row, "errors", accepted ? json_array() :
			    json_pack("[O]", json_object_get(row, "reason")));
	return row;
}

/*
 * What a verdict means for the improvement's status, in one transaction. What is
 * for a person to look at works, so that a person can approve it.
 */
static int settle(struct campaign *campaign, const struct judgement *judgement)
{
	const struct decision *decision = judgement->decision;
	const char *why_not = judgement->why_not;
	bool accepted = !why_not && decision->verdict == DECISION_ACCEPT;
	bool review = !why_not && decision->verdict == DECISION_REVIEW;
	const char *to = accepted && campaign->mode >= MODE_APPROVE ? "approved" :
			 accepted || review ? "proposed" : "rejected";
	json_t *row = settle_row(campaign, judgement, accepted, accepted || review);

	report_decision(campaign, decision, why_not ? "reject" :
			decision_verdict_name(decision->verdict),
			why_not ? why_not : decision_reason_name(decision->reason),
			judgement->confidence);
	json_object_set_new(row, "to", json_string(to));
	json_object_set_new(campaign->report, "status", json_string(to));
	return campaign_ask(campaign, "store.settle", row, NULL);
}

/* Neither shown nor ruled out: it is as it was before the proof began. */
static int leave_undecided(struct campaign *campaign, const struct judgement *judgement,
			   const struct decision *decision)
{
	static const char reason[] = "the budget was spent before there was a decision; "
				     "nothing was changed";

	report_decision(campaign, decision, "undecided", reason, judgement->confidence);
	return campaign_ask(campaign, "store.status",
			    json_pack("{s:I, s:s, s:s, s:s}", "improvement",
				      (json_int_t)judgement->improvement, "from", "testing",
				      "to", "proposed", "reason", reason), NULL);
}

/* Tests, the held-out ones too, then the decision. */
static int judge(struct campaign *campaign, const struct arm *arm,
		 struct judgement *judgement, struct decision *decision)
{
	struct confidence_record record;
	struct decision_plan plan;
	enum tuner_outcome outcome;
	int64_t all = 0, began_ns = clock_now_ns();
	bool crashed = false;
	unsigned nth = 1;
	int r = arm_test(campaign, arm, true, &outcome);

	judgement->why_not = campaign->why->text;
	if (r == 0 && outcome != TUNER_OK)
		return settle(campaign, judgement);
	if (r == 0)
		r = read_alpha(campaign, judgement->improvement, &nth, &all);
	if (r < 0)
		return r;
	make_plan(campaign, decision_alpha(nth), &plan);
	decision_init(decision, &plan);
	r = begin_experiment(campaign, "validate", judgement->improvement, &plan,
			     &judgement->experiment);
	if (r == 0)
		r = decide(campaign, arm, judgement->experiment, decision, &crashed);
	if (r == 0 && decision->verdict == DECISION_CONTINUE && !crashed)
		return leave_undecided(campaign, judgement, decision);
	if (r == 0)
		r = read_confidence(campaign, &record);
	if (r < 0)
		return r;
	judgement->decision = decision;
	judgement->why_not = crashed ? campaign->why->text : NULL;
	judgement->confidence = confidence_accepted(&record, plan.alpha, PLANNING_POWER);
	judgement->seconds = (double)(clock_now_ns() - began_ns) * 1e-9;
	r = settle(campaign, judgement);
	if (r == 0 && all % SELF_CHECK_EVERY == SELF_CHECK_EVERY - 1)
		r = check_self(campaign);
	return r;
}

/*
 * What was judged before keeps its verdict: if that was for the change, it is
 * taken from there on, be it that a campaign was cut short or that the mode
 * asked for less.
 */
static int take_up(struct campaign *campaign, const struct proposal *proposal,
		   int64_t *ret_improvement)
{
	const json_t *verdict = proposal->verdict;
	const char *words = json_string_value(json_object_get(verdict, "verdict"));
	bool proposed = strcmp(proposal->status, "proposed") == 0;
	int r = 0;

	json_object_set(campaign->report, "known", proposal->verdict);
	json_object_set_new(proposal->verdict, "status", json_string(proposal->status));
	if (!words || strcmp(words, "accept") != 0 || campaign->mode < MODE_APPROVE ||
	    (!proposed && strcmp(proposal->status, "approved") != 0))
		return 0;
	if (proposed)
		r = campaign_ask(campaign, "store.status",
				 json_pack("{s:I, s:s, s:s, s:s}", "improvement",
					   (json_int_t)proposal->improvement, "from", "proposed",
					   "to", "approved", "reason", "proved before"), NULL);
	if (r < 0)
		return r;
	json_object_set_new(campaign->report, "status", json_string("approved"));
	json_object_set_new(campaign->report, "decision", json_pack(
		"{s:s, s:O, s:f, s:O, s:f, s:f}", "verdict", words, "reason",
		json_object_get(verdict, "reason"), "confidence", proposal->confidence, "pairs",
		json_object_get(verdict, "pairs"), "gain_percent",
		100 * json_number_value(json_object_get(verdict, "gain")), "gain_lower_percent",
		100 * json_number_value(json_object_get(verdict, "gain_lower"))));
	*ret_improvement = proposal->improvement;
	return 0;
}

static int prove_arm(struct campaign *campaign, const struct arm *arm,
		     struct decision *decision, int64_t *ret_improvement)
{
	struct confidence_record record;
	struct proposal proposal = { 0 };
	int r = read_confidence(campaign, &record);

	if (r == 0) {
		proposal.confidence = confidence_proposed(&record);
		r = propose(campaign, &proposal);
	}
	if (r == 0 && proposal.judged) {
		r = take_up(campaign, &proposal, ret_improvement);
		json_decref(proposal.verdict);
		return r;
	}
	json_decref(proposal.verdict);
	struct judgement judgement = { .improvement = proposal.improvement,
				       .confidence = proposal.confidence };

	if (r == 0)
		r = judge(campaign, arm, &judgement, decision);
	if (r == 0 && judgement.decision && decision->verdict == DECISION_ACCEPT &&
	    !judgement.why_not)
		*ret_improvement = proposal.improvement;
	return r;
}

int campaign_prove(struct campaign *campaign, int64_t *ret_improvement)
{
	struct decision *decision = calloc(1, sizeof(*decision));
	enum tuner_outcome outcome = TUNER_OK;
	struct arm arm = { 0 };
	int r;

	*ret_improvement = 0;
	if (!decision)
		return error_set(campaign->why, -ENOMEM, "out of memory");
	r = campaign_prune(campaign, &arm, &outcome);
	if (r == 0 && outcome == TUNER_OK)
		r = prove_arm(campaign, &arm, decision, ret_improvement);
	arm_release(&arm);
	free(decision);
	return r;
}
