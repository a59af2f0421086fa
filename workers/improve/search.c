/*
 * search.c - candidates from the tuner, ranked by a few pairs each; then the
 * best again on fresh runs, and what did not matter put back. Nothing here
 * says "better": that is for prove.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/core/statistics.h"
#include "workers/improve/campaign.h"
#include "workers/improve/prune_core.h"
#include "workers/improve/command.h"
#include "workers/improve/race_core.h"
#include "workers/improve/tools.h"

#define SEARCH_PAIRS 3
#define PRUNE_TOLERANCE 0.005
#define PRUNE_LOOKS 4
#define LEAD 1.02		/* of the best cost: who is tested for it */
#define TRIALS_PER_EVALUATION 4

/* ---- trials as rows ---- */

static json_t *levels_of(const struct campaign *campaign, const struct space_config *config)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < campaign->knobs.space.count; i++)
		json_array_append_new(ret, json_integer(config->levels[i]));
	return ret;
}

static int store_trial(struct campaign *campaign, const struct tuner_trial *trial)
{
	json_t *row = json_pack("{s:I, s:o, s:i, s:i, s:i, s:I, s:b}", "session",
				(json_int_t)campaign->session->id, "config",
				levels_of(campaign, &trial->config), "why", (int)trial->why,
				"step", (int)trial->step, "outcome", (int)trial->outcome,
				"binary", (json_int_t)(trial->binary & INT64_MAX), "reused",
				trial->reused);

	json_object_set_new(row, "expected", isnan(trial->expected) ?
			    json_null() : json_real(trial->expected));
	json_object_set_new(row, "cost", trial->outcome == TUNER_OK ?
			    json_real(trial->cost) : json_null());
	int r = campaign_ask(campaign, "store.trial", row, NULL);

	return r < 0 ? r : commands_record(campaign->session, campaign->why);
}

/* Whatever does not fit the space any more is left out by tuner_report(). */
static void read_trial(const json_t *row, struct tuner_trial *ret)
{
	const json_t *levels = json_object_get(row, "config");
	const json_t *expected = json_object_get(row, "expected");

	*ret = (struct tuner_trial){
		.why = (enum tuner_why)json_integer_value(json_object_get(row, "why")),
		.step = (uint32_t)json_integer_value(json_object_get(row, "step")),
		.expected = json_is_number(expected) ? json_number_value(expected) : (double)NAN,
		.outcome = (enum tuner_outcome)json_integer_value(json_object_get(row, "outcome")),
		.cost = json_number_value(json_object_get(row, "cost")),
		.binary = (uint64_t)json_integer_value(json_object_get(row, "binary")),
		.reused = json_is_true(json_object_get(row, "reused")),
	};
	for (size_t i = 0; i < json_array_size(levels) && i < SPACE_PARAMETERS_MAX; i++)
		ret->config.levels[i] = (uint16_t)json_integer_value(json_array_get(levels, i));
}

static int resume_trials(struct campaign *campaign)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.trials",
			     json_pack("{s:I}", "session", (json_int_t)campaign->session->id),
			     &answer);

	if (r < 0)
		return r;
	const json_t *rows = json_object_get(answer, "trials");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		struct tuner_trial trial;

		read_trial(json_array_get(rows, i), &trial);
		if (tuner_report(campaign->tuner, &trial) < 0)
			break;	/* of another space: what follows would not fit either */
	}
	json_decref(answer);
	return 0;
}

static int init_tuner(struct campaign *campaign)
{
	const struct tuner_settings settings = {
		.method = TUNER_ENSEMBLE,
		.evaluations_max = (size_t)option_integer(campaign->session, "rounds",
							   campaign->file.improve.rounds),
		.effect_min = campaign->metrics[0].metric->min_effect / 100,
	};
	size_t most = settings.evaluations_max * TRIALS_PER_EVALUATION + 8;
	int r = campaign_heed(campaign);

	if (r < 0)
		return r;
	most += json_array_size(campaign->lessons);

	campaign->tuner = calloc(1, sizeof(*campaign->tuner));
	campaign->trials = calloc(most, sizeof(*campaign->trials));
	if (!campaign->tuner || !campaign->trials)
		return error_set(campaign->why, -ENOMEM, "out of memory");
	tuner_init(campaign->tuner, &campaign->knobs.space, campaign->seed, &settings,
		   campaign->trials, most);
	campaign_tell_lessons(campaign);
	return resume_trials(campaign);
}

/* ---- one candidate ---- */

/* Of some pairs: the logarithm of how much better it is; its own run first in turn. */
static int rank(struct campaign *campaign, const struct arm *base, const struct arm *arm,
		unsigned pairs, bool first, double *ret_differences, bool *ret_failed)
{
	enum direction direction = metric_direction(campaign->metrics[0].metric);

	*ret_failed = false;
	for (unsigned n = 0; n < pairs; n++) {
		struct pair pair;
		int r = pair_measure(campaign, base, arm, (n + first) % 2, &pair);

		if (r < 0)
			return r;
		if (pair.failed) {
			*ret_failed = true;
			return 0;
		}
		ret_differences[n] = gain_difference(direction, pair.values[0].base,
						     pair.values[0].candidate);
	}
	return 0;
}

static double best_cost(const struct campaign *campaign)
{
	size_t best = tuner_best(campaign->tuner);

	return best == SIZE_MAX ? (double)INFINITY : campaign->tuner->trials[best].cost;
}

static int measure_trial(struct campaign *campaign, const struct arm *arm,
			 struct tuner_trial *trial)
{
	double differences[SEARCH_PAIRS];
	bool failed;
	int r = rank(campaign, &campaign->baseline, arm, SEARCH_PAIRS,
		     campaign->tuner->evaluations % 2, differences, &failed);

	if (r < 0)
		return r;
	if (failed) {
		trial->outcome = TUNER_CRASH;
		return 0;
	}
	trial->cost = exp(-statistics_median(differences, SEARCH_PAIRS));
	/* Tests are for those that could lead: who is slow wins nothing. */
	return trial->cost < LEAD * fmin(best_cost(campaign), 1) ?
		       arm_test(campaign, arm, false, &trial->outcome) : 0;
}

static int run_trial(struct campaign *campaign, struct tuner_trial *trial)
{
	struct arm arm;
	int r;

	trial->outcome = TUNER_OK;
	if (trial->why == TUNER_CURRENT) {
		trial->cost = 1;
		return arm_binary(campaign, &campaign->baseline, &trial->binary);
	}
	r = arm_build(campaign, COPY_CANDIDATE, &trial->config, &arm, &trial->outcome);
	if (r == 0 && trial->outcome == TUNER_OK)
		r = arm_binary(campaign, &arm, &trial->binary);
	if (r == 0 && trial->outcome == TUNER_OK && trial->binary &&
	    tuner_find_binary(campaign->tuner, trial->binary, trial))
		error_set(campaign->why, -EEXIST, "it builds what was built before");
	else if (r == 0 && trial->outcome == TUNER_OK)
		r = measure_trial(campaign, &arm, trial);
	arm_release(&arm);
	return r;
}

static void say_trial(struct campaign *campaign, const struct tuner_trial *trial)
{
	double best = best_cost(campaign);
	char words[200];

	if (!isfinite(best))
		return;
	knobs_describe(&campaign->knobs, &trial->config, words, sizeof(words));
	campaign_say(campaign, campaign->tuner->evaluations,
		     campaign->tuner->settings.evaluations_max, "best %+.1f %%, trying %s",
		     100 * (1 - best), words);
}

static void report_trial(struct campaign *campaign, const struct tuner_trial *trial)
{
	char words[300];

	knobs_describe(&campaign->knobs, &trial->config, words, sizeof(words));
	json_t *row = json_pack("{s:s, s:s, s:s, s:b}", "setting", words, "outcome",
				tuner_outcome_name(trial->outcome), "from",
				tuner_why_name(trial->why), "reused", trial->reused);

	if (trial->outcome == TUNER_OK)
		json_object_set_new(row, "cost", json_real(trial->cost));
	else
		json_object_set_new(row, "reason", json_string(campaign->why->text));
	json_array_append_new(json_object_get(campaign->report, "trials"), row);
}

/* Settings that cost no more than their build. */
static json_int_t reused_trials(const struct campaign *campaign)
{
	const struct tuner *tuner = campaign->tuner;
	json_int_t reused = 0;

	for (size_t i = 0; tuner && i < tuner->count; i++)
		reused += tuner->trials[i].reused && tuner->trials[i].why != TUNER_LESSON;
	return reused;
}

int campaign_search(struct campaign *campaign)
{
	struct tuner_trial trial;
	int r = init_tuner(campaign);
	enum tuner_stop stop = TUNER_GO_ON;

	campaign_share_budget(campaign);
	while (r == 0 && campaign_has_budget(campaign, BUDGET_SEARCH)) {
		stop = tuner_next(campaign->tuner, &trial);
		if (stop != TUNER_GO_ON)
			break;
		say_trial(campaign, &trial);
		r = run_trial(campaign, &trial);
		if (r == 0)
			r = tuner_report(campaign->tuner, &trial);
		if (r == 0) {
			report_trial(campaign, &trial);
			r = store_trial(campaign, &trial);
		}
	}
	json_object_set_new(campaign->report, "search",
			    json_pack("{s:I, s:I, s:s}",
		"evaluations", (json_int_t)(campaign->tuner ? campaign->tuner->evaluations : 0),
		"reused", reused_trials(campaign),
		"stopped", stop == TUNER_GO_ON ? "budget of time or runs" : tuner_stop_name(stop)));
	return r;
}

/* ---- the race ---- */

/* More than two only of what the search has left over. */
static int build_finalists(struct campaign *campaign, const size_t *trials,
			   struct arm *arms, struct race *race)
{
	for (size_t i = 0; i < race->count; i++) {
		enum tuner_outcome outcome;

		if (i > 0 && !campaign_has_budget(campaign, i > 1 ? BUDGET_SEARCH : BUDGET_RACE)) {
			race->count = i;
			break;
		}
		int r = arm_build(campaign, COPY_FINALISTS + (unsigned)i,
				  &campaign->tuner->trials[trials[i]].config, &arms[i], &outcome);

		if (r == 0 && outcome == TUNER_OK)
			r = arm_test(campaign, &arms[i], false, &outcome);
		if (r < 0)
			return r;
		if (outcome != TUNER_OK)
			race_report(race, i, NAN);
	}
	return 0;
}

static int run_race(struct campaign *campaign, const struct arm *arms, struct race *race)
{
	unsigned runs = 0;
	size_t entrant;

	while (race_next(race, &entrant) && campaign_has_budget(campaign, BUDGET_RACE)) {
		double difference;
		bool failed;
		int r = rank(campaign, &campaign->baseline, &arms[entrant], 1,
			     race->entrants[entrant].runs % 2, &difference, &failed);

		if (r < 0)
			return r;
		race_report(race, entrant, failed ? (double)NAN : -difference);
		campaign_say(campaign, ++runs, 0, "racing the best %zu on fresh runs",
			     race->count);
	}
	return 0;
}

/*
 * The winner, if it is better than the base. Of a race that was cut short too
 * early for one it is the search's leader: the proof will tell.
 */
static bool choose(const struct campaign *campaign, const size_t *trials,
		   const struct race *race, size_t *ret)
{
	if (race_winner(race, ret) && race->entrants[*ret].runs > 0)
		return race_measure(race, *ret) < 0;
	for (*ret = 0; *ret < race->count; ++*ret)
		if (!race->entrants[*ret].failed)
			return campaign->tuner->trials[trials[*ret]].cost < 1;
	return false;
}

int campaign_race(struct campaign *campaign)
{
	size_t room = campaign->session->copy_count - COPY_FINALISTS, winner;
	size_t trials[RACE_ENTRANTS_MAX];
	struct arm arms[RACE_ENTRANTS_MAX] = { 0 };
	struct space_config current;
	struct race race;
	size_t count = tuner_finalists(campaign->tuner, trials,
				       room < RACE_ENTRANTS_MAX ? room : RACE_ENTRANTS_MAX);
	int r = 0;

	campaign->found = false;
	if (count == 0)
		return 0;
	race_init(&race, count, campaign->seed);
	r = build_finalists(campaign, trials, arms, &race);
	if (r == 0)
		r = run_race(campaign, arms, &race);
	for (size_t i = 0; i < count; i++)
		arm_release(&arms[i]);
	if (r < 0 || !choose(campaign, trials, &race, &winner))
		return r;
	space_current(&campaign->knobs.space, &current);
	campaign->winner = campaign->tuner->trials[trials[winner]].config;
	campaign->found = !space_equal(&current, &campaign->winner);
	return 0;
}

/* ---- what did not matter ---- */

/* Bounds, each at 95 %, of what the simpler one loses against the kept. */
static struct interval loss_of(const double *differences, unsigned count)
{
	struct moments moments = { 0 };

	for (unsigned i = 0; i < count; i++)
		/* cppcheck-suppress uninitvar ; count of them are set */
		moments_add(&moments, -differences[i]);
	double error = 1.9 * sqrt(moments_variance(&moments) / count);

	return (struct interval){ moments.mean - error, moments.mean + error };
}

/* Some pairs, and some more while they say neither that it matters nor that it does not. */
static int measure_loss(struct campaign *campaign, const struct arm *kept,
			const struct arm *arm, double *ret_loss, bool *ret_failed)
{
	double differences[PRUNE_LOOKS * PRUNE_PAIRS];
	struct interval loss;
	unsigned count = 0;

	do {
		int r = rank(campaign, kept, arm, PRUNE_PAIRS, false, differences + count,
			     ret_failed);

		if (r < 0 || *ret_failed)
			return r;
		count += PRUNE_PAIRS;
		loss = loss_of(differences, count);
	} while (loss.high > PRUNE_TOLERANCE && loss.low <= PRUNE_TOLERANCE &&
		 count < COUNT(differences) && campaign_has_budget(campaign, BUDGET_PRUNE));
	*ret_loss = loss.high;
	return 0;
}

static int try_simpler(struct campaign *campaign, const struct arm *kept,
		       const struct space_config *config, bool *ret_works, double *ret_loss)
{
	enum tuner_outcome outcome;
	struct arm arm;
	bool failed = true;
	int r = arm_build(campaign, COPY_FINALISTS, config, &arm, &outcome);

	*ret_loss = NAN;
	if (r == 0 && outcome == TUNER_OK)
		r = arm_test(campaign, &arm, false, &outcome);
	if (r == 0 && outcome == TUNER_OK)
		r = measure_loss(campaign, kept, &arm, ret_loss, &failed);
	if (outcome == TUNER_OK && r == -EINVAL) {
		failed = true;	/* the winner does: its proof will say so */
		r = 0;
	}
	arm_release(&arm);
	*ret_works = r == 0 && !failed;
	return r;
}

/* Leaves the candidate's copy with what is kept in it. */
int campaign_prune(struct campaign *campaign, struct arm *ret,
		   enum tuner_outcome *ret_outcome)
{
	struct space_config simpler;
	struct prune prune;
	size_t parameter;
	int r = arm_build(campaign, COPY_CANDIDATE, &campaign->winner, ret, ret_outcome);

	prune_init(&prune, &campaign->knobs.space, &campaign->winner);
	while (r == 0 && *ret_outcome == TUNER_OK && prune_next(&prune, &simpler, &parameter) &&
	       campaign_has_budget(campaign, BUDGET_PRUNE)) {
		struct space_config kept = prune.kept;
		struct space_config current;
		double loss = NAN;
		bool works = false;

		space_current(&campaign->knobs.space, &current);
		if (space_equal(&simpler, &current)) {	/* that is what is to be proved */
			prune_report(&prune, false, NAN, PRUNE_TOLERANCE);
			continue;
		}
		campaign_say(campaign, parameter, campaign->knobs.space.count,
			     "leaving out what does not matter");
		r = try_simpler(campaign, ret, &simpler, &works, &loss);
		prune_report(&prune, works, loss, PRUNE_TOLERANCE);
		if (r == 0 && !space_equal(&kept, &prune.kept)) {
			arm_release(ret);
			r = arm_build(campaign, COPY_CANDIDATE, &prune.kept, ret, ret_outcome);
		}
	}
	campaign->winner = prune.kept;
	return r;
}
