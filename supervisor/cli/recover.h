/*
 * recover.h - commits to a workspace that were interrupted, gone on with.
 */
#ifndef CUPEL_SUPERVISOR_CLI_RECOVER_H
#define CUPEL_SUPERVISOR_CLI_RECOVER_H

#include <stdbool.h>

#include "common/arena.h"

struct error;
struct tree;

/*
 * Finishes every commit to the workspace that was killed on its way and tells
 * stderr unless quiet. Returns their number, or -errno when one cannot be
 * finished: its changes stay where they are kept.
 */
int recover_workspace(const struct tree *workspace, const char *path, bool quiet,
		      struct arena *arena, struct error *why);

#endif
