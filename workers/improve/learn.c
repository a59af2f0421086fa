/*
 * learn.c - what experiments have shown, for the next campaign.
 *
 * Only what was measured becomes a lesson, and there are two kinds. Of a value
 * that failed, all else being as it was when things worked:
 *
 *	scope "knob"	number=number_quick: a test fails
 *
 * which the next campaigns do not try at all; told to the store together with
 * the end of the campaign, so that a resumed one searches the space it began
 * with. And what became of a whole setting,
 *
 *	scope "setting"	level: -O2 to -O3, slots: 256 to 2048
 *
 * which the database writes itself whenever an improvement is applied,
 * rejected or rolled back: the latter two are told to the tuner as trials that
 * cost nothing and are not raced; one that was rejected for what it gained, only
 * where that metric is asked for again. A lesson counts for LESSON_DAYS since it was
 * last seen; `cupel lessons --forget` ends it before.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "workers/improve/campaign.h"
#include "workers/improve/command.h"
#include "workers/improve/decision_core.h"

#define LESSON_DAYS 90
#define LESSONS_MAX 500

static const char *const words_of[TUNER_OUTCOME_COUNT] = {
	[TUNER_WRONG] = "a test fails",
	[TUNER_CRASH] = "the benchmark fails",
	[TUNER_TIMEOUT] = "it takes too long",
	[TUNER_OOM] = "it runs out of memory",
	[TUNER_INVALID] = "it does not build",
};

/* ---- heeding ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void note(struct campaign *campaign, const json_t *row)
{
	json_array_append(json_object_get(campaign->report, "lessons"),
			  json_object_get(row, "statement"));
}

int campaign_heed(struct campaign *campaign)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.lessons",
			     json_pack("{s:s, s:i, s:i}", "workspace",
				       campaign->session->workspace, "days", LESSON_DAYS,
				       "limit", LESSONS_MAX), &answer);

	if (r < 0)
		return r;
	campaign->lessons = json_incref(json_object_get(answer, "lessons"));
	json_decref(answer);
	for (size_t i = 0; i < json_array_size(campaign->lessons); i++) {
		const json_t *row = json_array_get(campaign->lessons, i);
		const json_t *evidence = json_object_get(row, "evidence");

		if (strcmp(text_of(row, "scope"), "knob") == 0 &&
		    knobs_avoid(&campaign->knobs, text_of(evidence, "knob"),
				text_of(evidence, "value")))
			note(campaign, row);
	}
	return 0;
}

/* Of a verdict on what was gained; other words are of a guard, or of what failed. */
static bool is_of_gain(const char *reason)
{
	static const enum decision_reason reasons[] = {
		REASON_PROVED, REASON_NOT_SHOWN, REASON_TOO_SMALL, REASON_DISTURBED,
		REASON_IMPLAUSIBLE,
	};

	for (size_t i = 0; i < COUNT(reasons); i++)
		if (strcmp(reason, decision_reason_name(reasons[i])) == 0)
			return true;
	return false;
}

/* What the setting gained of another metric says nothing of this one. */
static bool is_of_another_metric(const struct campaign *campaign, const json_t *row)
{
	const json_t *evidence = json_object_get(row, "evidence");
	char metric[METRIC_NAME_BYTES];

	workspace_metric_name(campaign->metrics[0].benchmark, campaign->metrics[0].metric,
			      metric);
	return strcmp(text_of(evidence, "status"), "rejected") == 0 &&
	       is_of_gain(text_of(evidence, "verdict_reason")) &&
	       strcmp(text_of(row, "metric"), metric) != 0;
}

/* Of a setting that was judged: the gain it was found to have, or a failure. */
static void judge_setting(const struct campaign *campaign, const json_t *evidence,
			  struct tuner_trial *trial)
{
	const struct workspace_metric *metric = campaign->metrics[0].metric;
	const json_t *gain = json_object_get(evidence, "gain");
	bool futile = strcmp(text_of(evidence, "verdict"), "futile") == 0 ||
		      strcmp(text_of(evidence, "verdict"), "accept") == 0;
	double cost = exp(-difference_of_gain(metric_direction(metric),
					      json_number_value(gain)));

	trial->outcome = TUNER_WRONG;
	if (!futile || !json_is_number(gain) || !isfinite(cost) ||
	    strcmp(text_of(evidence, "status"), "rejected") != 0)
		return;
	trial->outcome = TUNER_OK;
	trial->cost = cost;
}

void campaign_tell_lessons(struct campaign *campaign)
{
	for (size_t i = 0; i < json_array_size(campaign->lessons); i++) {
		const json_t *row = json_array_get(campaign->lessons, i);
		const json_t *evidence = json_object_get(row, "evidence");
		struct tuner_trial trial = { .why = TUNER_LESSON, .expected = (double)NAN,
					     .reused = true };
		struct error ignored;

		if (strcmp(text_of(row, "scope"), "setting") != 0 ||
		    strcmp(text_of(evidence, "status"), "applied") == 0 ||
		    json_integer_value(json_object_get(evidence, "session")) ==
			    campaign->session->id ||
		    is_of_another_metric(campaign, row) ||
		    knobs_config(&campaign->knobs, json_object_get(evidence, "knobs"),
				 &trial.config, &ignored) < 0)
			continue;
		judge_setting(campaign, evidence, &trial);
		if (tuner_report(campaign->tuner, &trial) == 0)
			note(campaign, row);
	}
}

/* ---- learning ---- */

/* The one knob in which two settings differ; SIZE_MAX: none, or several. */
static size_t only_difference(const struct space *space, const struct space_config *a,
			      const struct space_config *b)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < space->count; i++) {
		if (a->levels[i] == b->levels[i])
			continue;
		if (found != SIZE_MAX)
			return SIZE_MAX;
		found = i;
	}
	return found;
}

/* The knob whose value is to blame: with another one it worked. */
static size_t to_blame(const struct campaign *campaign, const struct tuner_trial *failed)
{
	const struct tuner *tuner = campaign->tuner;

	for (size_t i = 0; i < tuner->count; i++) {
		size_t knob = tuner->trials[i].outcome != TUNER_OK ? SIZE_MAX :
			      only_difference(tuner->space, &tuner->trials[i].config,
					      &failed->config);

		if (knob != SIZE_MAX &&
		    failed->config.levels[knob] != tuner->space->parameters[knob].current)
			return knob;
	}
	return SIZE_MAX;
}

static json_t *lesson_of(const struct campaign *campaign, const struct tuner_trial *failed)
{
	size_t knob = to_blame(campaign, failed);
	const struct workspace_knob *knobs = campaign->file.knobs.items;
	char value[KNOB_TEXT_BYTES], statement[KNOB_TEXT_BYTES + 128];

	if (knob == SIZE_MAX)
		return NULL;
	knobs_value(&campaign->knobs, knob, failed->config.levels[knob], value);
	snprintf(statement, sizeof(statement), "%s=%s: %s", knobs[knob].title, value,
		 words_of[failed->outcome]);
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:I}}", "scope", "knob", "statement",
			 statement, "evidence", "knob", knobs[knob].title, "value", value,
			 "outcome", tuner_outcome_name(failed->outcome), "session",
			 (json_int_t)campaign->session->id);
}

int campaign_learn(struct campaign *campaign, const char *outcome)
{
	const struct tuner *tuner = campaign->tuner;
	json_t *lessons = json_array();

	for (size_t i = 0; tuner && i < tuner->count; i++) {
		const struct tuner_trial *trial = &tuner->trials[i];
		json_t *lesson = trial->outcome == TUNER_OK || trial->why == TUNER_LESSON ?
					 NULL : lesson_of(campaign, trial);

		if (lesson)
			json_array_append_new(lessons, lesson);
	}
	int r = commands_record(campaign->session, campaign->why);

	if (r < 0) {
		json_decref(lessons);
		return r;
	}
	return campaign_ask(campaign, "store.end",
			    json_pack("{s:I, s:s, s:s, s:o}", "session",
				      (json_int_t)campaign->session->id, "workspace",
				      campaign->session->workspace, "outcome", outcome,
				      "lessons", lessons), NULL);
}
