/*
 * watch.c - whether what was applied still pays: old and new beside each
 * other, some pairs a look, for as long as anybody looks.
 *
 * What fails is taken back when it fails twice and the old does not. Where the
 * old cannot be built or run any more there is nothing to compare with: that is
 * told, and the campaign goes on.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "workers/improve/campaign.h"
#include "workers/improve/watch_core.h"

struct watching {
	int64_t improvement;
	int64_t experiment;
	const char *commit, *base;
	struct watch watch;
	unsigned failures;	/* of runs of the new, in a row */
	struct arm old, new;
	struct bottleneck_series series[CAMPAIGN_METRICS_MAX];	/* of the new */
};

static enum direction primary_direction(const struct campaign *campaign)
{
	return campaign->metrics[0].metric->better ? HIGHER_IS_BETTER : LOWER_IS_BETTER;
}

/* The values an environment had before, or has since. */
static json_t *environment_of(const struct campaign *campaign, const json_t *changes,
			      const char *side)
{
	struct space_config current;
	const json_t *knobs = json_object_get(changes, "knobs");

	space_current(&campaign->knobs.space, &current);
	json_t *ret = knobs_environment(&campaign->knobs, &current);

	for (size_t i = 0; i < json_array_size(knobs); i++) {
		const json_t *knob = json_array_get(knobs, i);
		const char *variable = json_string_value(json_object_get(knob, "variable"));

		if (variable)
			json_object_set(ret, variable, json_object_get(knob, side));
	}
	return ret;
}

/* -EINVAL where one of them cannot be built any more, or its commit is gone. */
static int build_both(struct campaign *campaign, struct watching *watching,
		      const json_t *changes)
{
	enum tuner_outcome outcomes[2] = { TUNER_OK, TUNER_OK };
	int r = arm_build_commit(campaign, COPY_FINALISTS, watching->base,
				 environment_of(campaign, changes, "from"), &watching->old,
				 &outcomes[0]);

	if (r == 0 && outcomes[0] == TUNER_OK)
		r = arm_build_commit(campaign, COPY_FINALISTS + 1, watching->commit,
				     environment_of(campaign, changes, "to"), &watching->new,
				     &outcomes[1]);
	if (r == 0 && (outcomes[0] != TUNER_OK || outcomes[1] != TUNER_OK))
		r = -EINVAL;
	return r == -ENOENT ? -EINVAL : r;
}

/* The pairs of earlier looks, in their order. */
static void replay(const struct campaign *campaign, struct watching *watching,
		   const json_t *pairs)
{
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);
		double difference = gain_difference(
			primary_direction(campaign),
			json_number_value(json_object_get(pair, "base")),
			json_number_value(json_object_get(pair, "candidate")));

		if (isfinite(difference))
			watch_add(&watching->watch, difference);
	}
}

static int look(struct campaign *campaign, struct watching *watching)
{
	json_t *samples = json_array();
	int r = 0;

	for (unsigned n = 0; r == 0 && n < WATCH_PAIRS; n++) {
		struct pair pair;

		campaign_say(campaign, n, WATCH_PAIRS, "watching improvement %lld",
			     (long long)watching->improvement);
		r = pair_measure(campaign, &watching->old, &watching->new, n % 2, &pair);
		if (r < 0)
			break;
		watching->failures = pair.failed ? watching->failures + 1 : 0;
		if (watching->failures == 2)
			break;
		if (pair.failed)
			continue;
		pair_record(&pair, n, samples);
		for (size_t i = 0; i < campaign->metric_count; i++)
			bottleneck_add(&watching->series[i], pair.values[i].candidate);
		if (pair.valid)
			watch_add(&watching->watch,
				  gain_difference(primary_direction(campaign),
						  pair.values[0].base,
						  pair.values[0].candidate));
	}
	int stored = campaign_ask(campaign, "store.samples",
				  json_pack("{s:I, s:o}", "experiment",
					    (json_int_t)watching->experiment, "samples", samples),
				  NULL);

	return r < 0 ? r : stored;
}

/* A failure has to come twice on the new and not on the old. */
static int tests_fail(struct campaign *campaign, const struct watching *watching,
		      bool *ret_fail)
{
	enum tuner_outcome outcome = TUNER_WRONG;
	int r = 0;

	for (int n = 0; r == 0 && n < 2 && outcome != TUNER_OK; n++)
		r = arm_test(campaign, &watching->new, true, &outcome);
	if (r < 0 || outcome == TUNER_OK) {
		*ret_fail = false;
		return r;
	}
	r = arm_test(campaign, &watching->old, true, &outcome);
	*ret_fail = outcome == TUNER_OK;
	return r;
}

/* Whether it is what this campaign itself has just committed. */
static bool is_new(const struct campaign *campaign, const struct watching *watching)
{
	const char *commit = json_string_value(json_object_get(campaign->report, "commit"));

	return commit && strcmp(commit, watching->commit) == 0;
}

static void tell(struct campaign *campaign, const struct watching *watching,
		 const char *state, bool rolled_back)
{
	json_array_append_new(json_object_get(campaign->report, "watched"),
			      json_pack("{s:I, s:s, s:I, s:b}", "improvement",
					(json_int_t)watching->improvement, "state", state,
					"pairs", (json_int_t)watching->watch.harm.pairs,
					"rolled_back", rolled_back));
}

static int judge(struct campaign *campaign, struct watching *watching)
{
	const char *reason = NULL;
	bool fail;
	int r = tests_fail(campaign, watching, &fail);

	if (r < 0)
		return r;
	if (fail)
		reason = "tests fail that passed before";
	else if (watching->failures > 1)
		reason = "its benchmark fails, which did not before";
	else if (watching->watch.state == WATCH_HARM)
		reason = "it is slower than what it replaced";
	tell(campaign, watching, reason ? reason : watch_state_name(watching->watch.state),
	     reason != NULL);
	if (reason)
		return improvement_roll_back(campaign, watching->improvement, reason);
	return is_new(campaign, watching) ?
		       campaign_judge_metrics(campaign, watching->series) : 0;
}

static int begin(struct campaign *campaign, struct watching *watching)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.experiment",
			     json_pack("{s:I, s:I, s:s, s:{s:i}}", "session",
				       (json_int_t)campaign->session->id, "improvement",
				       (json_int_t)watching->improvement, "kind", "watch", "plan",
				       "pairs", WATCH_PAIRS), &answer);

	if (r < 0)
		return r;
	watching->experiment = json_integer_value(json_object_get(answer, "experiment"));
	json_decref(answer);
	return 0;
}

static int watch_one(struct campaign *campaign, const json_t *row)
{
	const json_t *rollback = json_object_get(row, "rollback");
	struct watching watching = {
		.improvement = json_integer_value(json_object_get(row, "improvement")),
		.commit = json_string_value(json_object_get(row, "commit")),
		.base = json_string_value(json_object_get(rollback, "base")),
	};
	double lower = json_number_value(json_object_get(row, "gain_lower"));
	char words[ERROR_TEXT_BYTES + 40];
	int r;

	if (!watching.commit || !watching.base)
		return 0;
	watch_init(&watching.watch, difference_of_gain(primary_direction(campaign),
						       fmax(lower, 0)));
	replay(campaign, &watching, json_object_get(row, "pairs"));
	r = build_both(campaign, &watching, json_object_get(row, "changes"));
	if (r == 0)
		r = begin(campaign, &watching);
	if (r == 0)
		r = look(campaign, &watching);
	if (r == -EINVAL) {
		snprintf(words, sizeof(words), "not to be compared any more: %s",
			 campaign->why->text);
		tell(campaign, &watching, words, false);
		r = 0;
	} else if (r == 0) {
		r = judge(campaign, &watching);
	}
	arm_release(&watching.old);
	arm_release(&watching.new);
	return r;
}

int campaign_watch(struct campaign *campaign)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.watched",
			     json_pack("{s:s}", "workspace", campaign->session->workspace),
			     &answer);

	if (r < 0)
		return r;
	const json_t *rows = json_object_get(answer, "applied");

	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
		r = watch_one(campaign, json_array_get(rows, i));
	json_decref(answer);
	return r;
}
