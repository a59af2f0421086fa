/*
 * snapshot.h - what the supervisor says of itself ("cupel.status/1"), as text:
 * once by cupel status, every second by cupel top.
 */
#ifndef CUPEL_SUPERVISOR_CLI_SNAPSHOT_H
#define CUPEL_SUPERVISOR_CLI_SNAPSHOT_H

#include "common/json.h"
#include "supervisor/cli/table.h"

void snapshot_print_supervisor(FILE *out, const json_t *status);
void snapshot_print_pools(FILE *out, const json_t *status, int width, bool colours);
void snapshot_print_workers(FILE *out, const json_t *status, int width, bool colours);

/* All tools, or only those that were called. */
void snapshot_print_tools(FILE *out, const json_t *status, bool only_called,
			  int width, bool colours);
void snapshot_print_caches(FILE *out, const json_t *status, int width, bool colours);

/* The colour of a state's word: "up", "open", "unhealthy" ... */
enum table_tone snapshot_tone(const char *state);

#endif
