/*
 * suite.h - all tests of a workspace, side by side in as many slots as there
 * are processors, each in a sandbox of its own.
 *
 * The report does not depend on which test ended first: cases stand in the
 * order of the file.
 */
#ifndef CUPEL_WORKERS_IMPROVE_SUITE_H
#define CUPEL_WORKERS_IMPROVE_SUITE_H

#include "workers/improve/cases.h"
#include "workers/improve/command.h"

#define SUITE_SLOTS_MAX 16

struct suite {
	const struct workspace_file *file;
	uint32_t workspace;		/* where they run */
	json_t *environment;		/* borrowed; or NULL */
	bool holdout;			/* the held-out ones too */
	bool (*chosen)(void *owner, const struct workspace_test *test);	/* or NULL */
	void *owner;
	unsigned slots;			/* 1 to SUITE_SLOTS_MAX */
};

/*
 * Runs them; cases are all cases of all tests, and the memory it needs is their
 * arena's. -ENOENT when no test is chosen at all, or why something could not
 * even be started.
 */
int suite_run(struct session *session, const struct suite *suite,
	      struct cases *cases, struct error *why);

/*
 * {"passed", "failed", "skipped": counts, "cases": rows}, and their names;
 * "timeouts" and "errors" are those of "failed" that are not the test's verdict.
 */
json_t *suite_report(const struct cases *cases);
json_t *suite_totals(const struct cases *cases);	/* without the cases */
json_t *suite_names(const struct cases *cases);

/*
 * Keeps one run of the tests in the store, under a name for people; commit is
 * what was checked out, with the files of a setting changed if the name is one.
 */
int suite_record(struct session *session, const char *name, const char *commit,
		 const struct cases *cases, const struct cases *flaky, struct error *why);

#endif
