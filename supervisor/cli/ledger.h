/*
 * ledger.h - what the store answers about improvements, for a person.
 *
 * Rows of "store.*" methods in, text out; pure but for the output.
 */
#ifndef CUPEL_SUPERVISOR_CLI_LEDGER_H
#define CUPEL_SUPERVISOR_CLI_LEDGER_H

#include "common/json.h"
#include "supervisor/cli/table.h"

#define LEDGER_NAME_WIDTH 12	/* of the tables of ledger_show() and ledger_stats() */

void ledger_list(const struct table *look, const json_t *improvements);
void ledger_show(const struct table *table, const json_t *improvement);
void ledger_bottlenecks(const struct table *look, const json_t *bottlenecks);

void ledger_lessons(const struct table *look, const json_t *lessons);

/*
 * The newest first, with a bar for each value; the list comes that way. Where the
 * environment changed it says so, and sums up what was measured in the newest one.
 */
void ledger_trend(const struct table *look, const json_t *trend, const json_t *environments);
void ledger_stats(const struct table *table, const json_t *stats);

#endif
