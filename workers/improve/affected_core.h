/*
 * affected_core.h - whether a changed file is one of those a test depends on.
 *
 *	test parse { command = "make check-parse"
 *		files = { "src/{parse,lex}*.[ch]", "include" } }
 *
 * A pattern stands for every path that it matches, and where it matches a
 * folder, for all that is below: "include" for include/a.h as well. See
 * common/core/glob_set.h for its form.
 *
 * Pure. A pattern is compiled once, and then asked of every path.
 */
#ifndef CUPEL_WORKERS_IMPROVE_AFFECTED_CORE_H
#define CUPEL_WORKERS_IMPROVE_AFFECTED_CORE_H

#include "common/core/glob_set.h"

#define AFFECTED_ALTERNATIVES_MAX 64	/* that the braces of one may stand for */
#define AFFECTED_MEMORY_BYTES 16384

struct affected {
	struct glob_set set;
	struct glob globs[AFFECTED_ALTERNATIVES_MAX];
	uint8_t memory[AFFECTED_MEMORY_BYTES];
};

/* 0, or the errors of glob_set_add(). The struct must stay where it is. */
int affected_compile(struct affected *affected, const char *pattern);

/* Of a path relative to the top, without a slash at its end. */
bool affected_by(const struct affected *affected, const char *path);

#endif
