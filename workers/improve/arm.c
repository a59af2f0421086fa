/*
 * arm.c - a setting, built and tested in a private copy of the base commit.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "workers/improve/campaign.h"
#include "workers/improve/suite.h"

static json_t *list_of(const struct config_list *list)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(ret, json_string(list->items[i]));
	return ret;
}

static int build(struct campaign *campaign, const struct arm *arm,
		 enum tuner_outcome *ret_outcome)
{
	const struct command command = {
		.tool = COMMAND_BUILD,
		.workspace = campaign->session->copies[arm->copy],
		.argv = campaign->file.build.command, .environment = arm->environment,
		.timeout_ns = campaign->file.build.timeout_ns,
	};
	struct command_outcome outcome;
	char reason[ERROR_TEXT_BYTES];
	struct ask ask;

	if (command.argv.count == 0)
		return 0;
	int r = command_run(campaign->session, &ask, &command, &outcome, campaign->why);

	if (r < 0)
		return error_prefix(campaign->why, r, "build");
	if (!command_succeeded(&outcome)) {
		command_describe(&outcome, reason, sizeof(reason));
		*ret_outcome = strcmp(outcome.cause, "wall") == 0 ? TUNER_TIMEOUT :
								     TUNER_INVALID;
		error_set(campaign->why, -EINVAL, "the build failed: %s", reason);
	}
	session_drop(campaign->session, &ask);
	return 0;
}

/* What the build did to protected files is undone, and counts against it. */
static int protect(struct campaign *campaign, const char *commit, const char *copy,
		   enum tuner_outcome *ret_outcome)
{
	static const char *const kinds[] = { "changed", "missing" };
	json_t *answer;

	if (campaign->file.protect.count == 0)
		return 0;
	int r = campaign_ask(campaign, "git.protect",
			     json_pack("{s:s, s:s, s:o}", "commit", commit, "copy", copy,
				       "paths", list_of(&campaign->file.protect)),
			     &answer);

	if (r < 0)
		return r;
	/* What was added may be results of tests beside themselves. */
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const json_t *first = json_array_get(json_object_get(answer, kinds[i]), 0);

		if (!first)
			continue;
		*ret_outcome = TUNER_INVALID;
		error_set(campaign->why, -EPERM, "protected: the build left %s %s",
			  json_string_value(first), kinds[i]);
	}
	json_decref(answer);
	return 0;
}

static int make(struct campaign *campaign, const char *commit, json_t *files,
		struct arm *arm, enum tuner_outcome *ret_outcome)
{
	const char name[] = { (char)('a' + arm->copy), '\0' };

	*ret_outcome = TUNER_OK;
	arm->run_environment = knobs_run_environment(&campaign->knobs, arm->environment);
	int r = campaign_ask(campaign, "git.checkout",
			     json_pack("{s:s, s:s, s:o}", "commit", commit, "copy", name,
				       "files", files), NULL);

	if (r == 0)
		r = build(campaign, arm, ret_outcome);
	if (r == 0 && *ret_outcome == TUNER_OK)
		r = protect(campaign, commit, name, ret_outcome);
	if (r < 0)
		arm_release(arm);
	return r;
}

int arm_build(struct campaign *campaign, unsigned copy,
	      const struct space_config *config, struct arm *ret,
	      enum tuner_outcome *ret_outcome)
{
	struct arena texts;
	json_t *files = NULL;

	*ret = (struct arm){ .copy = copy, .config = *config, .commit = campaign->base,
			     .environment = knobs_environment(&campaign->knobs, config) };
	knobs_describe(&campaign->knobs, config, ret->name, sizeof(ret->name));
	arena_init(&texts, WORKER_CALL_BYTES_MAX);
	int r = knobs_files(&campaign->knobs, config, false, &texts, &files, campaign->why);

	arena_release(&texts);
	if (r == 0)
		return make(campaign, campaign->base, files, ret, ret_outcome);
	arm_release(ret);
	return r;
}

int arm_build_commit(struct campaign *campaign, unsigned copy, const char *commit,
		     json_t *environment, struct arm *ret,
		     enum tuner_outcome *ret_outcome)
{
	*ret = (struct arm){ .copy = copy, .environment = environment, .commit = commit };
	snprintf(ret->name, sizeof(ret->name), "%.40s", commit);
	return make(campaign, commit, json_array(), ret, ret_outcome);
}

void arm_release(struct arm *arm)
{
	json_decref(arm->environment);
	json_decref(arm->run_environment);
	arm->environment = arm->run_environment = NULL;
}

int arm_binary(struct campaign *campaign, const struct arm *arm, uint64_t *ret)
{
	const char name[] = { (char)('a' + arm->copy), '\0' };
	json_t *paths = json_array(), *answer;

	*ret = 0;
	if (campaign->file.build.command.count == 0 ||
	    !knobs_build_decides(&campaign->knobs, &arm->config, paths)) {
		json_decref(paths);
		return 0;
	}
	int r = campaign_ask(campaign, "git.artefacts",
			     json_pack("{s:s, s:s, s:o}", "commit", campaign->base, "copy", name,
				       "except", paths), &answer);

	if (r < 0)
		return r;
	if (json_integer_value(json_object_get(answer, "files")) > 0)
		*ret = (uint64_t)json_integer_value(json_object_get(answer, "hash"));
	json_decref(answer);
	return 0;
}

/* In memory that this one run of the tests has for itself. */
static int test_in(struct arena *memory, struct campaign *campaign, const struct arm *arm,
		   bool holdout, enum tuner_outcome *ret_outcome)
{
	const struct suite suite = {
		.file = &campaign->file,
		.workspace = campaign->session->copies[arm->copy],
		.environment = arm->run_environment, .holdout = holdout,
		.slots = campaign->slots,
	};
	struct case_difference difference;
	struct cases cases;

	cases_init(&cases, memory);
	int r = suite_run(campaign->session, &suite, &cases, campaign->why);

	if (r == -ENOENT && !holdout)	/* all of them are held out */
		return 0;
	if (r < 0)
		return r;
	r = suite_record(campaign->session, arm->name, arm->commit, &cases, &campaign->flaky,
			 campaign->why);
	if (r < 0)
		return r;
	r = cases_compare(&campaign->cases, &cases, &campaign->flaky, &difference);
	if (r < 0)
		return error_set(campaign->why, r, "out of memory to compare the tests");
	if (!difference.first)
		return 0;
	*ret_outcome = TUNER_WRONG;
	error_set(campaign->why, -EINVAL, "%zu tests failed, %zu vanished, %zu were skipped that passed before; first: %s",
		  difference.newly_failed, difference.vanished, difference.newly_skipped,
		  difference.first);
	return 0;
}

int arm_test(struct campaign *campaign, const struct arm *arm, bool holdout,
	     enum tuner_outcome *ret_outcome)
{
	struct arena memory;

	*ret_outcome = TUNER_OK;
	if (!campaign->tested)
		return 0;
	arena_init(&memory, WORKER_CALL_BYTES_MAX);
	int r = test_in(&memory, campaign, arm, holdout, ret_outcome);

	arena_release(&memory);
	return r;
}
