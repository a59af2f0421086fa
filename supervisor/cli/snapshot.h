/*
 * snapshot.h - what the supervisor says of itself ("cupel.status/1"), as text:
 * once by cupel status, every second by cupel top.
 */
#ifndef CUPEL_SUPERVISOR_CLI_SNAPSHOT_H
#define CUPEL_SUPERVISOR_CLI_SNAPSHOT_H

#include "common/json.h"
#include "supervisor/cli/table.h"

void snapshot_print_supervisor(FILE *out, const json_t *status);
void snapshot_print_pools(const struct table *look, const json_t *status);
void snapshot_print_workers(const struct table *look, const json_t *status);

/* Those that were called, or cannot be. */
void snapshot_print_tools(const struct table *look, const json_t *status);
void snapshot_print_caches(const struct table *look, const json_t *status);

/* The colour of a state's word: "up", "open", "unhealthy" ... */
enum table_tone snapshot_tone(const char *state);

#endif
