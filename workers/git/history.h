/*
 * history.h - the commits that some tips have and others are known to have.
 *
 *	history_add(known)	these and all before them are not asked for
 *	history_add(!known)	these are, the newest first
 *
 * Each commit comes once, whatever number of tips lead to it. Where the clocks
 * of their authors disagree a known one may come too. A shallow clone ends at
 * the commits its file "shallow" names, which libgit2 1.5 does not read: its
 * own walk fails there.
 */
#ifndef CUPEL_WORKERS_GIT_HISTORY_H
#define CUPEL_WORKERS_GIT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "workers/git/libgit.h"

struct history {
	git_repository *repository;	/* borrowed */
	json_t *ends, *seen;		/* sets of commits, in hex */
	struct tip {
		git_commit *commit;
		bool known;
	} *tips;			/* what comes next */
	size_t count;
	bool cut;			/* one that was asked for is such an end */
};

/* To be released, also after an error: of reading "shallow", or -ENOMEM. */
int history_init(struct history *history, git_repository *repository, struct error *why);
void history_release(struct history *history);

/* An error where the commit cannot be read. */
int history_add(struct history *history, const git_oid *id, bool known, struct error *why);

/* 1 with the caller's commit, 0 at the end, or an error where a parent cannot be read. */
int history_next(struct history *history, git_commit **ret, struct error *why);

#endif
