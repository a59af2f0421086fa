/*
 * improve_report.h - what a campaign found, for a person.
 *
 *	changed         level: -O1 to -O3, buckets: 64 to 4096
 *	before          61.20 ms of processor time (analyse.time)
 *	after           31.50 ms
 *	gain      ok    48.5 %, at least 44.1 %; 24 pairs, confidence 0.93
 *	tests     ok    38 passed, 0 failed, 1 skipped
 *	commit    ok    3f2a9c1d0b7e on main
 *	next            git show 3f2a9c1d0b7e; 'cupel rollback 7' takes it back
 *	before and after, by hand: ...
 *
 * Of the answer of improve.run ("cupel.improve/1"); whatever it lacks has no
 * row. Pure but for the output.
 */
#ifndef CUPEL_SUPERVISOR_CLI_IMPROVE_REPORT_H
#define CUPEL_SUPERVISOR_CLI_IMPROVE_REPORT_H

#include "common/json.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/table.h"

#define IMPROVE_NAME_WIDTH 8	/* of the table */
#define IMPROVE_STATE_WIDTH 4

void improve_report_print(const struct table *table, const json_t *report);

/* Whether something was proven, or nothing was to be: what cupel exits with. */
bool improve_report_found(const json_t *report);

/*
 * The commands that build and measure what was before a commit and what it is,
 * by anybody. measured has the "benchmark" and by what it was "judged_by";
 * nothing is printed without a commit or a benchmark.
 */
void improve_report_by_hand(FILE *out, const char *commit, const json_t *measured);

#define MEASURE_BYTES 48

struct measure {
	char text[MEASURE_BYTES];
};

/* "31.50 ms" of seconds, else the number and its unit. */
struct measure measure_of(double value, bool seconds, const char *unit);

#endif
