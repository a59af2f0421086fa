#include "workers/improve/campaign.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "workers/improve/race_core.h"

int campaign_ask(struct campaign *campaign, const char *tool, json_t *arguments,
		 json_t **ret)
{
	struct session *session = campaign->session;
	bool git = strncmp(tool, "git.", 4) == 0;

	return session_ask(session, tool, git ? session->repository : 0, arguments, ret,
			   campaign->why);
}

/* Pairs, and builds with their tests, at most; the search is what is left. */
static void estimate(const struct campaign *campaign, int64_t ret_ns[BUDGET_STEP_COUNT],
		     int64_t ret_runs[BUDGET_STEP_COUNT])
{
	enum { KNOBS_CHANGED = 4 };
	const struct {
		int64_t pairs, builds;
	} needs[BUDGET_STEP_COUNT] = {
		[BUDGET_RACE] = { RACE_RUNS_ALL, RACE_ENTRANTS_MAX },
		[BUDGET_PRUNE] = { KNOBS_CHANGED * PRUNE_PAIRS, KNOBS_CHANGED },
		[BUDGET_PROOF] = { campaign->file.improve.pairs, 1 },
		[BUDGET_WATCH] = { WATCH_PAIRS, 2 },
	};

	for (int step = 0; step < BUDGET_STEP_COUNT; step++) {
		bool skipped = step == BUDGET_WATCH && campaign->mode != MODE_AUTO;

		ret_ns[step] = skipped ? 0 : needs[step].pairs * campaign->pair_ns +
					     needs[step].builds * campaign->build_ns;
		ret_runs[step] = skipped ? 0 : needs[step].pairs * campaign->pair_runs;
	}
}

void campaign_share_budget(struct campaign *campaign)
{
	int64_t ns[BUDGET_STEP_COUNT], runs[BUDGET_STEP_COUNT];

	estimate(campaign, ns, runs);
	budget_share(campaign->until_ns - clock_now_ns(), ns, campaign->kept_ns);
	budget_share(campaign->runs_left, runs, campaign->kept_runs);
}

bool campaign_has_budget(struct campaign *campaign, enum budget_step step)
{
	if (campaign->until_ns - clock_now_ns() > campaign->kept_ns[step] &&
	    campaign->runs_left > campaign->kept_runs[step])
		return true;
	json_object_set_new(campaign->report, "budget_spent", json_true());
	return false;
}

void campaign_say(struct campaign *campaign, uint64_t done, uint64_t total,
		  const char *format, ...)
{
	char words[512], note[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	text_escape(span_of_text(words), note, sizeof(note));
	worker_progress(campaign->session->call, done, total, note);
}

void campaign_release(struct campaign *campaign)
{
	arm_release(&campaign->baseline);
	config_release(&campaign->config);
	free(campaign->tuner);
	free(campaign->trials);
	json_decref(campaign->lessons);
	json_decref(campaign->report);
}
