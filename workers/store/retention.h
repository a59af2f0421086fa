/*
 * retention.h - what gets old in the store: rolled up, or thrown away.
 *
 *	performance_metrics, points --raw--> minutes --minutes--> hours, for ever
 *	events, calls --events--> nothing
 *
 * Nothing else is ever thrown away: not improvements, experiments and their
 * samples, verdicts, test runs, baselines, lessons, nor the audit.
 *
 * In pieces of a few milliseconds, each a transaction that rolls up and deletes
 * the same rows: killed at any moment, what there was is either here or there,
 * and the next piece goes on. Pages that fell free are given back in a file
 * that was made so; in an older one they are used again.
 */
#ifndef CUPEL_WORKERS_STORE_RETENTION_H
#define CUPEL_WORKERS_STORE_RETENTION_H

#include "common/settings.h"
#include "workers/store/database.h"
#include "workers/store/retention_core.h"

struct retention {
	struct settings_store settings;
	enum retention_verdict verdict;	/* of the last pass */
	struct retention_clock clock;	/* this and below: its own */
	unsigned step;
};

/*
 * One piece of a pass, or the beginning of the next; no transaction is open. now_ms:
 * the wall clock since 1970. 1: there is more, 0: the pass is done; an error
 * of the database leaves all as it was, and the next call begins a pass anew.
 */
int retention_run(struct retention *retention, struct database *database, int64_t now_ms,
		  struct error *why);

#endif
