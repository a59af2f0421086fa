/*
 * watch.c - whether what was applied still pays: old and new beside each
 * other, some pairs a look, for as long as anybody looks.
 *
 * What fails is taken back when it fails twice and the old does not, and so is
 * what breaks a guard in two looks, the second at once after the first. Where the
 * old cannot be built or run any more there is nothing to compare with: that is
 * told, and the campaign goes on. So it is where somebody's work is in the way
 * of taking it back.
 *
 * Half of the time that is left goes to this at most, and whose last look is
 * longest ago comes first. All pairs since it was applied are played again, as
 * the bound of watch_core.h is of all of them together: those of the same
 * metric, as another's says nothing of this one. Of guards no pairs are kept.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/core/statistics.h"
#include "workers/improve/campaign.h"
#include "workers/improve/watch_core.h"

struct watching {
	int64_t improvement;
	int64_t experiment;
	int64_t until_ns;	/* when there is no time for another pair */
	bool is_new;		/* what this campaign itself has just committed */
	const char *commit, *base;
	json_t *plan;		/* owned */
	struct watch watch;
	unsigned failures;	/* of runs of the new, in a row */
	struct watch_pair pairs[WATCH_PAIRS];	/* of the present look, valid ones */
	unsigned pair_count;
	size_t guard, again;	/* that seemed broken, at first and then; a metric, 0: none */
	struct arm old, new;
	struct bottleneck_series series[CAMPAIGN_JUDGED_MAX];	/* of the new */
};

static enum direction primary_direction(const struct campaign *campaign)
{
	return metric_direction(campaign->metrics[0].metric);
}

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
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

static void replay_pair(const struct campaign *campaign, struct watching *watching,
			const json_t *pair)
{
	const json_t *base = json_object_get(pair, "base");
	const json_t *candidate = json_object_get(pair, "candidate");
	double difference = gain_difference(primary_direction(campaign), json_number_value(base),
					    json_number_value(candidate));

	if (json_is_number(base) && json_is_number(candidate) && isfinite(difference))
		watch_add(&watching->watch, difference);
}

/* The pairs of all earlier looks, in their order, some looks at a time. */
static int replay(struct campaign *campaign, struct watching *watching)
{
	json_int_t after = 0;
	size_t count;

	do {
		json_t *answer;
		int r = campaign_ask(campaign, "store.pairs",
				     json_pack("{s:I, s:O, s:I}", "improvement",
					       (json_int_t)watching->improvement, "plan",
					       watching->plan, "after", after), &answer);

		if (r < 0)
			return r;
		const json_t *pairs = json_object_get(answer, "pairs");

		count = json_array_size(pairs);
		for (size_t i = 0; i < count; i++)
			replay_pair(campaign, watching, json_array_get(pairs, i));
		if (count > 0)
			after = json_integer_value(json_object_get(
				json_array_get(pairs, count - 1), "look"));
		json_decref(answer);
	} while (count > 0);
	return 0;
}

static json_t *plan_of(const struct campaign *campaign)
{
	const struct watched_metric *primary = &campaign->metrics[0];

	return json_pack("{s:s, s:s, s:s, s:i}", "benchmark", primary->benchmark->title, "metric",
			 primary->metric->title, "better",
			 primary->metric->better ? "higher" : "lower", "pairs", WATCH_PAIRS);
}

static int begin(struct campaign *campaign, struct watching *watching)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.experiment",
			     json_pack("{s:I, s:I, s:s, s:O}", "session",
				       (json_int_t)campaign->session->id, "improvement",
				       (json_int_t)watching->improvement, "kind", "watch", "plan",
				       watching->plan), &answer);

	if (r < 0)
		return r;
	watching->experiment = json_integer_value(json_object_get(answer, "experiment"));
	json_decref(answer);
	return 0;
}

static bool has_time(const struct watching *watching)
{
	return clock_now_ns() < watching->until_ns;
}

static void add_pair(const struct campaign *campaign, struct watching *watching,
		     const struct pair *pair)
{
	memcpy(watching->pairs[watching->pair_count++].values, pair->values,
	       campaign->metric_count * sizeof(*pair->values));
	watch_add(&watching->watch, gain_difference(primary_direction(campaign),
						    pair->values[0].base,
						    pair->values[0].candidate));
}

static int look(struct campaign *campaign, struct watching *watching)
{
	json_t *samples = json_array();
	int r = 0;

	watching->pair_count = 0;
	for (unsigned n = 0; r == 0 && n < WATCH_PAIRS && (n == 0 || has_time(watching)); n++) {
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
			add_pair(campaign, watching, &pair);
	}
	int stored = campaign_ask(campaign, "store.samples",
				  json_pack("{s:I, s:o}", "experiment",
					    (json_int_t)watching->experiment, "samples", samples),
				  NULL);

	return r < 0 ? r : stored;
}

/* ret is the metric of a guard that this look shows to be broken, or 0. */
static int find_broken_guard(struct campaign *campaign, const struct watching *watching,
			     size_t *ret)
{
	struct decision_guard guards[DECISION_GUARDS_MAX];
	unsigned count = (unsigned)campaign->metric_count - 1;
	struct decision *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return error_set(campaign->why, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < count; i++)
		guards[i] = campaign->metrics[i + 1].guard;
	int guard = watch_broken_guard(scratch, guards, count, watching->pairs,
				       watching->pair_count);

	*ret = guard < 0 ? 0 : (size_t)guard + 1;
	free(scratch);
	return 0;
}

/* What a look came to, where 'cupel show' finds it. */
static int keep(struct campaign *campaign, const struct watching *watching, const char *state,
		const char *doubt)
{
	return campaign_ask(campaign, "store.verdict",
			    json_pack("{s:I, s:s, s:s, s:I}", "experiment",
				      (json_int_t)watching->experiment, "verdict", state,
				      "reason", doubt ? doubt : "", "pairs",
				      (json_int_t)watching->pair_count), NULL);
}

/* What seems broken is looked at once more, at once. */
static int look_at_guards(struct campaign *campaign, struct watching *watching)
{
	int r = find_broken_guard(campaign, watching, &watching->guard);

	if (r < 0 || watching->guard == 0 || watching->failures > 1)
		return r;
	r = keep(campaign, watching, "looked at again", "a guard seemed broken");
	if (r == 0)
		r = begin(campaign, watching);
	if (r == 0)
		r = look(campaign, watching);
	if (r == 0)
		r = find_broken_guard(campaign, watching, &watching->again);
	return r;
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

/* doubt: NULL, or what is to be said of a guard. */
static int tell(struct campaign *campaign, const struct watching *watching, const char *state,
		const char *doubt, bool rolled_back)
{
	json_array_append_new(json_object_get(campaign->report, "watched"),
			      json_pack("{s:I, s:s, s:s?, s:I, s:b}", "improvement",
					(json_int_t)watching->improvement, "state", state,
					"doubt", doubt, "pairs",
					(json_int_t)watching->watch.harm.pairs, "rolled_back",
					rolled_back));
	return keep(campaign, watching, state, doubt);
}

/* The state is known no better, for the reason that stands in why. */
static int tell_obstacle(struct campaign *campaign, const struct watching *watching,
			 const char *state, const char *what)
{
	char words[3 * ERROR_TEXT_BYTES];

	snprintf(words, sizeof(words), "%.*s%s: %.*s", ERROR_TEXT_BYTES, state, what,
		 ERROR_TEXT_BYTES, campaign->why->text);
	return tell(campaign, watching, words, NULL, false);
}

static int take_back(struct campaign *campaign, const struct watching *watching,
		     const char *reason)
{
	int r = improvement_roll_back(campaign, watching->improvement, reason);

	if (r == -EBUSY)
		return tell_obstacle(campaign, watching, reason, ", and is not taken back");
	if (r == 0 && watching->is_new)
		json_object_set_new(campaign->report, "status", json_string("rolled_back"));
	return r < 0 ? r : tell(campaign, watching, reason, NULL, true);
}

static double median_of_guard(const struct watching *watching, bool new)
{
	double values[WATCH_PAIRS];

	for (unsigned i = 0; i < watching->pair_count; i++) {
		const struct decision_value *value = &watching->pairs[i].values[watching->guard];

		values[i] = new ? value->candidate : value->base;
	}
	return statistics_median(values, watching->pair_count);
}

#define GUARD_NAME_BYTES (METRIC_NAME_BYTES + 30)

/* Where processor time decides, the clock of the same metric is a guard. */
static void name_guard(const struct campaign *campaign, const struct watched_metric *guard,
		       char ret[GUARD_NAME_BYTES])
{
	bool is_clock = campaign->metrics[0].cpu && guard->metric == campaign->metrics[0].metric;
	char name[METRIC_NAME_BYTES];

	workspace_metric_name(guard->benchmark, guard->metric, name);
	snprintf(ret, GUARD_NAME_BYTES, "guard %s%s", name, is_clock ? ", by the clock," : "");
}

static void describe_broken_guard(const struct campaign *campaign,
				  const struct watching *watching, char *ret, size_t size)
{
	const struct watched_metric *guard = &campaign->metrics[watching->guard];
	const char *unit = guard->metric->unit;
	char name[GUARD_NAME_BYTES];

	name_guard(campaign, guard, name);
	snprintf(ret, size, "%s is worse by more than its tolerance of %g %%: %.4g before, "
		 "%.4g after%s%s", name, 100 * guard->guard.margin,
		 median_of_guard(watching, false), median_of_guard(watching, true),
		 *unit ? ", in " : "", unit);
}

static void describe_doubt(const struct campaign *campaign, const struct watching *watching,
			   char *ret, size_t size)
{
	char names[2][GUARD_NAME_BYTES] = { "" };

	name_guard(campaign, &campaign->metrics[watching->guard], names[0]);
	if (watching->again)
		name_guard(campaign, &campaign->metrics[watching->again], names[1]);
	snprintf(ret, size, "%s seemed worse than is tolerated, %s%s%s", names[0],
		 watching->again ? "and " :
		 watching->pair_count < WATCH_GUARD_PAIRS_MIN ?
			"and there was no time to look again" : "but not a second time",
		 names[1], watching->again ? " the second time" : "");
}

static int judge(struct campaign *campaign, struct watching *watching)
{
	const char *reason = NULL;
	char words[2 * GUARD_NAME_BYTES + 200];
	bool broken = watching->guard && watching->again == watching->guard;
	bool fail;
	int r = tests_fail(campaign, watching, &fail);

	if (r < 0)
		return r;
	if (broken)
		describe_broken_guard(campaign, watching, words, sizeof(words));
	else if (watching->guard)
		describe_doubt(campaign, watching, words, sizeof(words));
	if (fail)
		reason = "tests fail that passed before";
	else if (watching->failures > 1)
		reason = "its benchmark fails, which did not before";
	else if (broken)
		reason = words;
	else if (watching->watch.state == WATCH_HARM)
		reason = "it is slower than what it replaced";
	if (reason)
		return take_back(campaign, watching, reason);
	r = tell(campaign, watching, watch_state_name(watching->watch.state),
		 watching->guard ? words : NULL, false);
	return r == 0 && watching->is_new ? campaign_judge_metrics(campaign, watching->series) : r;
}

/* A look has begun with its row, lest what cannot be built be looked at first for ever. */
static int compare(struct campaign *campaign, struct watching *watching, const json_t *row)
{
	int r = replay(campaign, watching);

	if (r == 0)
		r = begin(campaign, watching);
	if (r < 0)
		return r;
	r = build_both(campaign, watching, json_object_get(row, "changes"));
	if (r == 0)
		r = look(campaign, watching);
	if (r == 0)
		r = look_at_guards(campaign, watching);
	if (r == 0)
		return judge(campaign, watching);
	return r == -EINVAL ? tell_obstacle(campaign, watching, "not to be compared any more", "") : r;
}

static int watch_one(struct campaign *campaign, const json_t *row, int64_t until_ns,
		     bool is_new)
{
	const json_t *rollback = json_object_get(row, "rollback");
	struct watching watching = {
		.improvement = json_integer_value(json_object_get(row, "improvement")),
		.commit = json_string_value(json_object_get(row, "commit")),
		.base = json_string_value(json_object_get(rollback, "base")),
		.until_ns = until_ns, .is_new = is_new,
	};
	double lower = json_number_value(json_object_get(row, "gain_lower"));
	int r;

	if (!watching.commit || !watching.base)
		return 0;
	watching.plan = plan_of(campaign);
	watch_init(&watching.watch, difference_of_gain(primary_direction(campaign),
						       fmax(lower, 0)));
	r = compare(campaign, &watching, row);
	json_decref(watching.plan);
	arm_release(&watching.old);
	arm_release(&watching.new);
	return r;
}

/* Nothing is, of which later changes have set all knobs anew, and the base has none. */
static bool is_in_force(const struct campaign *campaign, const json_t *row)
{
	const json_t *changes = json_object_get(row, "changes"), *knobs, *knob;
	const struct space *space = &campaign->knobs.space;
	const struct workspace_knob *declared = campaign->file.knobs.items;
	char value[KNOB_TEXT_BYTES];
	size_t i;

	if (!json_is_true(json_object_get(row, "superseded")))
		return true;
	knobs = json_object_get(changes, "knobs");
	json_array_foreach((json_t *)(uintptr_t)knobs, i, knob)
		for (size_t j = 0; j < space->count; j++) {
			knobs_value(&campaign->knobs, j, space->parameters[j].current, value);
			if (is_text(json_object_get(knob, "knob"), declared[j].title) &&
			    is_text(json_object_get(knob, "to"), value))
				return true;
		}
	return false;
}

/* improvement: the one that was just committed; 0: all that are applied. */
static int watch_applied(struct campaign *campaign, int64_t improvement, int64_t until_ns)
{
	json_t *answer;
	json_int_t late = json_integer_value(json_object_get(campaign->report, "not_watched"));
	int r = campaign_ask(campaign, "store.watched",
			     json_pack("{s:s, s:o}", "workspace", campaign->session->workspace,
				       "improvement", improvement ? json_integer(improvement) :
								    json_null()), &answer);

	if (r < 0)
		return r;
	const json_t *rows = json_object_get(answer, "applied");

	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (!is_in_force(campaign, row))
			continue;
		if (clock_now_ns() < until_ns)
			r = watch_one(campaign, row, until_ns, improvement != 0);
		else
			late++;
	}
	if (late > 0)
		json_object_set_new(campaign->report, "not_watched", json_integer(late));
	json_decref(answer);
	return r;
}

int campaign_watch(struct campaign *campaign)
{
	int64_t now_ns = clock_now_ns();

	return watch_applied(campaign, 0, now_ns + (campaign->until_ns - now_ns) / 2);
}

int campaign_watch_new(struct campaign *campaign, int64_t improvement)
{
	return watch_applied(campaign, improvement, campaign->until_ns);
}
