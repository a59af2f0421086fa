/*
 * apply.c - from an approved row to a commit, and back.
 *
 *	store.apply_begin  git.commit  store.apply_end
 *	store.rollback_begin  git.revert  store.rollback_end
 *
 * Git's own step is atomic and knows the improvement's number, so whatever is
 * cut short between the rows, or ends in an error that may have come too late,
 * is settled by asking git what it has. Where even that cannot be asked the
 * row stays open for campaign_recover() or improvement_recover().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "workers/improve/auto_apply_core.h"
#include "workers/improve/campaign.h"

#define SUBJECT_BYTES 61	/* of the words in the first line */
#define BODY_BYTES 601
#define MESSAGE_BYTES 900

static int read_improvement(struct campaign *campaign, int64_t improvement, json_t **ret)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.improvement",
			     json_pack("{s:I}", "improvement", (json_int_t)improvement), &answer);

	if (r < 0)
		return r;
	json_t *row = json_object_get(answer, "improvement");
	const char *workspace = json_string_value(json_object_get(row, "workspace"));

	if (workspace && strcmp(workspace, campaign->session->workspace) == 0)
		*ret = json_incref(row);
	else
		r = error_set_code(campaign->why, -ENOENT, ERROR_NOT_FOUND,
				   "there is no improvement %lld of %s", (long long)improvement,
				   campaign->session->workspace);
	json_decref(answer);
	return r;
}

static void write_message(const json_t *row, char ret[MESSAGE_BYTES])
{
	const char *description = json_string_value(json_object_get(row, "description"));
	const struct span words = span_of_text(description ? description : "");
	const json_t *gain = json_object_get(row, "gain_lower");
	char subject[SUBJECT_BYTES], body[BODY_BYTES];

	text_escape(words, subject, sizeof(subject));
	text_escape(words, body, sizeof(body));
	snprintf(ret, MESSAGE_BYTES, "Tune %s\n\n%s\n\nMeasured side by side: at least %.1f %% better.\n",
		 subject, body, 100 * json_number_value(gain));
}

/* What git knows it by: see workers/git/change.h. */
static json_t *identity_of(const json_t *row)
{
	return json_pack("{s:O, s:O, s:O}", "improvement", json_object_get(row, "improvement"),
			 "change", json_object_get(row, "hash"), "since",
			 json_object_get(json_object_get(row, "changes"), "base"));
}

static int64_t number_of(const json_t *row)
{
	return json_integer_value(json_object_get(row, "improvement"));
}

static json_t *commit_order(struct campaign *campaign, const json_t *row, json_t *files,
			    bool here)
{
	char message[MESSAGE_BYTES], branch[64];
	json_t *order = identity_of(row);

	write_message(row, message);
	snprintf(branch, sizeof(branch), "cupel/improve-%lld", (long long)number_of(row));
	json_object_set_new(order, "base", json_string(campaign->base));
	json_object_set_new(order, "branch", here ? json_null() : json_string(branch));
	json_object_set_new(order, "message", json_string(message));
	json_object_set(order, "files", files);
	return order;
}

/* What has to be known to take it back, before anything is done. */
static json_t *inverse_of(const struct campaign *campaign, const json_t *files)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);

		json_array_append_new(paths, json_pack(
			"{s:O, s:O}", "path", json_object_get(file, "path"), "before_sha256",
			json_object_get(file, "before_sha256")));
	}
	return json_pack("{s:s, s:o}", "base", campaign->base, "files", paths);
}

static int end_apply(struct campaign *campaign, int64_t apply, const json_t *commit,
		     const char *notes)
{
	bool success = json_is_object(commit);
	json_t *row = json_pack("{s:I, s:b, s:s}", "apply", (json_int_t)apply, "success",
				success, "notes", notes);

	json_object_set(row, "commit", success ? json_object_get(commit, "commit") : json_null());
	if (success) {
		json_object_set(row, "files", json_object_get(commit, "files"));
		json_object_set(row, "inverse", json_object_get(commit, "inverse"));
	}
	return campaign_ask(campaign, "store.apply_end", row, NULL);
}


/* Ends the open row by what there is; *ret is NULL if there is no commit. */
static int settle_apply(struct campaign *campaign, const json_t *row, int64_t apply,
			const char *notes, json_t **ret)
{
	json_t *found;
	int r = campaign_ask(campaign, "git.find", identity_of(row), &found);

	*ret = NULL;
	if (r < 0)
		return r;
	if (json_is_string(json_object_get(found, "commit")))
		*ret = json_incref(found);
	r = end_apply(campaign, apply, *ret, *ret ? "" : notes);
	json_decref(found);
	return r;
}

static void report_commit(struct campaign *campaign, const json_t *commit)
{
	json_object_set(campaign->report, "commit", json_object_get(commit, "commit"));
	json_object_set(campaign->report, "branch", json_object_get(commit, "branch"));
	json_object_set_new(campaign->report, "status", json_string("applied"));
}

static int commit(struct campaign *campaign, const json_t *row, json_t *files, bool here)
{
	json_t *answer, *done = NULL;
	int r = campaign_ask(campaign, "store.apply_begin",
			     json_pack("{s:I, s:o}", "improvement",
				       (json_int_t)number_of(row), "rollback",
				       inverse_of(campaign, files)), &answer);

	if (r < 0)
		return r;
	int64_t apply = json_integer_value(json_object_get(answer, "apply"));
	struct error why;

	json_decref(answer);
	r = campaign_ask(campaign, "git.commit", commit_order(campaign, row, files, here), &done);
	why = *campaign->why;
	int ended = r == 0 ? end_apply(campaign, apply, done, "") :
			     settle_apply(campaign, row, apply, why.text, &done);

	if (done && ended == 0)
		report_commit(campaign, done);
	if (!done)
		*campaign->why = why;
	ended = done ? ended : r;
	json_decref(done);
	return ended;
}

static bool has_status(const json_t *row, const char *status)
{
	const char *text = json_string_value(json_object_get(row, "status"));

	return text && strcmp(text, status) == 0;
}

/*
 * Without git nobody has said that a file is to be as it is now: it has to be
 * the one that was measured.
 */
static int check_unchanged(struct campaign *campaign, const json_t *row, const json_t *files)
{
	const json_t *base = json_object_get(json_object_get(row, "changes"), "base");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i), *path = json_object_get(file, "path");
		json_t *was;

		r = campaign_ask(campaign, "git.read",
				 json_pack("{s:O, s:O}", "commit", base, "path", path), &was);
		if (r < 0)
			break;
		if (!json_equal(json_object_get(was, "sha256"),
				json_object_get(file, "before_sha256")))
			r = error_set_code(campaign->why, -EBUSY, ERROR_FAILED_PRECONDITION,
					   "%s has changed since this was measured, so nothing was done; run cupel improve again",
					   json_string_value(path));
		json_decref(was);
	}
	return r;
}

static int apply_row(struct campaign *campaign, const json_t *row, bool here)
{
	struct space_config config;
	json_t *files = NULL;
	int r;

	if (has_status(row, "applied")) {	/* and the caller never heard of it */
		report_commit(campaign, json_object_get(row, "apply"));
		return 0;
	}
	r = knobs_config(&campaign->knobs,
			 json_object_get(json_object_get(row, "changes"), "knobs"), &config,
			 campaign->why);
	if (r == 0)
		r = knobs_files(&campaign->knobs, &config, true,
				session_memory(campaign->session), &files, campaign->why);
	if (r == 0 && !campaign->repository)
		r = check_unchanged(campaign, row, files);
	if (r == 0)
		r = commit(campaign, row, files, here);
	json_decref(files);
	return r;
}

int improvement_apply(struct campaign *campaign, int64_t improvement, bool here)
{
	json_t *row = NULL;
	int r = read_improvement(campaign, improvement, &row);

	if (r == 0)
		r = apply_row(campaign, row, here);
	json_decref(row);
	return r;
}

/* ---- unasked ---- */

static const char *objection(const struct campaign *campaign, double confidence,
			     double gain_lower)
{
	const struct auto_apply_limits limits = {
		.confidence = campaign->file.improve.confidence,
		.gain = campaign->file.improve.gain / 100,
	};
	enum auto_apply_answer answer = auto_apply_judge(&limits, campaign->tested, confidence,
							 gain_lower);

	if (!campaign->tested)
		return "there are no tests; declare one in " WORKSPACE_FILE_NAME;
	if (answer != AUTO_APPLY_YES)
		return auto_apply_name(answer);
	if (campaign->repository && !campaign->branch)
		return "HEAD is detached; check out a branch, or apply it by hand";
	return NULL;
}

/* Says in the report if so many were applied lately that a person has to look. */
static int check_day(struct campaign *campaign, int64_t improvement, bool *ret_full)
{
	const json_int_t most = (json_int_t)campaign->file.improve.daily;
	json_t *answer;
	int r = campaign_ask(campaign, "store.applied",
			     json_pack("{s:s}", "workspace", campaign->session->workspace),
			     &answer);

	if (r < 0)
		return r;
	const json_t *day = json_object_get(answer, "day");

	*ret_full = !json_is_integer(day) || json_integer_value(day) >= most;
	if (*ret_full)
		json_object_set_new(campaign->report, "not_applied", json_sprintf(
			"%lld changes were applied in the last 24 hours, and improve.daily is %lld; look at it, then: cupel apply %lld",
			(long long)json_integer_value(day), (long long)most,
			(long long)improvement));
	json_decref(answer);
	return 0;
}

/* Whether an apply was begun of which nobody knows yet how it ended. */
static bool is_open(const json_t *row)
{
	const json_t *apply = json_object_get(row, "apply");

	return json_is_object(apply) && json_is_null(json_object_get(apply, "success"));
}

/* Whether nothing has come of it; a campaign that is ended here knows no more. */
static bool is_still_approved(struct campaign *campaign, int64_t improvement)
{
	struct error *why = campaign->why, ignored;
	json_t *row = NULL;

	campaign->why = &ignored;
	bool is = read_improvement(campaign, improvement, &row) == 0 &&
		  has_status(row, "approved") && !is_open(row);

	campaign->why = why;
	json_decref(row);
	return is;
}

int campaign_apply(struct campaign *campaign, int64_t improvement)
{
	const json_t *decision = json_object_get(campaign->report, "decision");
	const char *why_not = objection(
		campaign, json_number_value(json_object_get(decision, "confidence")),
		json_number_value(json_object_get(decision, "gain_lower_percent")) / 100);

	if (why_not) {
		json_object_set_new(campaign->report, "not_applied", json_string(why_not));
		return 0;
	}
	bool full = false;
	int r = check_day(campaign, improvement, &full);

	if (r == 0 && !full)
		r = improvement_apply(campaign, improvement, true);
	if (r == 0 || !is_still_approved(campaign, improvement))
		return r;
	/* Somebody's work is in the way, or it cannot be written. */
	json_object_set_new(campaign->report, "not_applied", json_string(campaign->why->text));
	return 0;
}

/* ---- back ---- */

static int end_roll_back(struct campaign *campaign, int64_t improvement,
			 const json_t *reverted, const char *notes)
{
	json_t *row = json_pack("{s:I, s:b, s:s}", "improvement", (json_int_t)improvement,
				"success", reverted != NULL, "notes", notes);

	json_object_set(row, "commit", reverted ? json_object_get(reverted, "commit") :
						  json_null());
	return campaign_ask(campaign, "store.rollback_end", row, NULL);
}

/* As settle_apply(). What no branch holds any more needs no inverse. */
static int settle_roll_back(struct campaign *campaign, const json_t *row,
			    const char *notes, bool *ret_undone)
{
	json_t *found;
	int r = campaign_ask(campaign, "git.find", identity_of(row), &found);

	*ret_undone = false;
	if (r < 0)
		return r;
	bool gone = !json_is_string(json_object_get(found, "commit"));

	*ret_undone = gone || json_is_true(json_object_get(found, "reverted"));
	json_object_set(found, "commit", json_object_get(found, "revert"));
	r = end_roll_back(campaign, number_of(row), *ret_undone ? found : NULL,
			  gone ? "no branch held it any more" : *ret_undone ? "" : notes);
	json_decref(found);
	return r;
}

static int revert_row(struct campaign *campaign, const json_t *row)
{
	const json_t *apply = json_object_get(row, "apply");
	json_t *answer = NULL, *order = identity_of(row);
	bool undone = true;

	json_object_set(order, "commit", json_object_get(apply, "commit"));
	json_object_set(order, "files", json_object_get(json_object_get(apply, "rollback"), "files"));
	int r = campaign_ask(campaign, "git.revert", order, &answer);
	struct error why = *campaign->why;
	int ended = r == 0 ? end_roll_back(campaign, number_of(row), answer, "") :
			     settle_roll_back(campaign, row, why.text, &undone);

	json_decref(answer);
	if (!undone)
		*campaign->why = why;
	return undone ? ended : r;
}

int improvement_roll_back(struct campaign *campaign, int64_t improvement,
			  const char *reason)
{
	json_t *row;
	int r = read_improvement(campaign, improvement, &row);

	if (r < 0)
		return r;
	if (!has_status(row, "rolled_back")) {
		r = campaign_ask(campaign, "store.rollback_begin",
				 json_pack("{s:I, s:s}", "improvement", (json_int_t)improvement,
					   "reason", reason), NULL);
		if (r == 0)
			r = revert_row(campaign, row);
	}
	json_decref(row);
	return r;
}

/* ---- what was cut short ---- */

static int settle_one(struct campaign *campaign, const json_t *row)
{
	const json_t *apply = json_object_get(row, "apply");
	json_t *found = NULL;
	int r = 0;

	if (has_status(row, "rolling_back")) {	/* or is applied as before: work is in the way */
		r = revert_row(campaign, row);
		return r == -EBUSY ? 0 : r;
	}
	if (json_is_null(json_object_get(apply, "success")))
		r = settle_apply(campaign, row,
				 json_integer_value(json_object_get(apply, "id")),
				 "interrupted", &found);
	json_decref(found);
	return r;
}

int improvement_recover(struct campaign *campaign, int64_t improvement)
{
	json_t *row = NULL;
	int r = read_improvement(campaign, improvement, &row);

	if (r == 0)
		r = settle_one(campaign, row);
	json_decref(row);
	return r;
}

int campaign_recover(struct campaign *campaign)
{
	json_t *answer;
	int r = campaign_ask(campaign, "store.recover",
			     json_pack("{s:s}", "workspace", campaign->session->workspace),
			     &answer);

	if (r < 0)
		return r;
	const json_t *rows = json_object_get(answer, "interrupted");

	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
		r = settle_one(campaign, json_array_get(rows, i));
	json_decref(answer);
	return r;
}
