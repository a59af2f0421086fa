/*
 * schedule.h - campaigns over a workspace again and again: cupel improve --every.
 *
 *	STATE/schedules/ID	a file a workspace: its terms, when it is due, how the
 *				last campaign ended (JSON)
 *	STATE/schedules/ID.new	the next one of that name, until it is complete
 *
 * A process of the user's own keeps the schedule, with the user's rights and no
 * others: each campaign is the call that `cupel improve` makes. It holds a lock
 * on the file, so that there is one for a workspace, and the file is what the
 * next process, and whoever lists them, knows. It is locked before it gets its
 * name, and never written again, so that it is whole whenever the process or the
 * disk gives up. The lock is one of fcntl(2), F_OFD_SETLK: it can be looked at
 * without being taken. When: schedule_core.h.
 */
#ifndef CUPEL_SUPERVISOR_CLI_SCHEDULE_H
#define CUPEL_SUPERVISOR_CLI_SCHEDULE_H

#include "common/error.h"
#include "common/json.h"
#include "supervisor/cli/schedule_core.h"
#include "supervisor/cli/table.h"

#define SCHEDULE_ID_LETTERS 16

struct campaign_end {
	enum schedule_end how;
	bool asked;			/* SIGINT or SIGTERM has come meanwhile */
	char text[ERROR_TEXT_BYTES];	/* the reason, or what came of it */
};

struct scheduled {
	struct schedule_terms terms;
	const char *workspace, *mode;	/* borrowed */
	int (*campaign)(const void *owner, struct campaign_end *ret);
	const void *owner;		/* borrowed; its exit code is not asked for */
	struct schedule schedule;
	struct random random;
	int folder, fd;			/* of the schedules; of the file, which is locked */
	char id[SCHEDULE_ID_LETTERS + 1];	/* its name */
	char outcome[200];		/* of the last campaign */
	enum schedule_word told;	/* what stderr was told it waits for */
};

/*
 * Takes the workspace's schedule; the members up to owner are filled in. -EBUSY
 * (RESOURCE_EXHAUSTED) if another process keeps it.
 */
int scheduled_open(struct scheduled *scheduled, struct error *why);

/*
 * Runs campaigns until SIGINT or SIGTERM. An exit code: EXIT_CANCELLED if that
 * cut one short, else 0.
 */
int scheduled_run(struct scheduled *scheduled);

/* All there are, [{"workspace", "running", ...}]; the caller's. */
json_t *scheduled_list(void);
void scheduled_print(const struct table *look, const json_t *list);

#endif
