#include "workers/improve/campaign.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int campaign_ask(struct campaign *campaign, const char *tool, json_t *arguments,
		 json_t **ret)
{
	struct session *session = campaign->session;
	bool git = strncmp(tool, "git.", 4) == 0;

	return session_ask(session, tool, git ? session->repository : 0, arguments, ret,
			   campaign->why);
}

void campaign_say(struct campaign *campaign, uint64_t done, uint64_t total,
		  const char *format, ...)
{
	char note[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(note, sizeof(note), format, arguments);
	va_end(arguments);
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
