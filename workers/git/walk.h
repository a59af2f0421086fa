/*
 * walk.h - every file and link below a folder, with what is in it.
 *
 * By descriptors alone, without following a link; sockets and the like are
 * passed over, and so is what is deeper than WALK_DEPTH_MAX.
 */
#ifndef CUPEL_WORKERS_GIT_WALK_H
#define CUPEL_WORKERS_GIT_WALK_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/span.h"

struct error;

#define WALK_DEPTH_MAX 64
#define WALK_FILE_BYTES_MAX (512L << 20)

struct walk {
	void *owner;
	/* Whether to leave it out, a folder with all that is in it; or NULL. */
	bool (*skips)(void *owner, const char *path, const char *name, bool folder);
	/* mode as of lstat(2); the content of a link is where it leads. */
	int (*take)(void *owner, const char *path, mode_t mode, struct span content);
	struct error *why;
};

/* In no order. The first error ends it, of take or of reading. */
int walk_files(const struct walk *walk, int directory);

#endif
