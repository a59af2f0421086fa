/*
 * changes_later.h - files that something outside executes unasked.
 *
 * A confined command cannot run anything on the host, but it can leave a file
 * that will be run there: by git, a shell, an editor, a CI service, a package
 * manager or another agent, without anyone asking to run this project. Such
 * files are named in every listing, new or changed, so that a person looks.
 *
 * Deliberately not listed: what runs only when someone builds, tests or starts
 * the project itself (Makefile, package.json, setup.py, conftest.py): that is
 * its ordinary source; and .gitattributes, which can only choose among filters
 * that the user's own git configuration defines.
 */
#ifndef CUPEL_SANDBOX_CHANGES_LATER_H
#define CUPEL_SANDBOX_CHANGES_LATER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/glob.h"

#define LATER_ROWS_MAX 160
#define LATER_BYTES_MAX 8192

struct error;

/* The patterns, compiled. */
struct later_table {
	struct glob globs[LATER_ROWS_MAX];
	struct glob folders[LATER_ROWS_MAX];	/* a pattern's first component, before a '/' */
	uint8_t memory[LATER_BYTES_MAX];
};

int later_init(struct later_table *table, struct error *why);

/*
 * Who executes the file at that path, as "git hook", or NULL. Letters count
 * as small ones: some file systems take .GIT for .git. A symbolic link also
 * stands for what it may lead to: .git/hooks for all the hooks.
 */
const char *later_of(const struct later_table *table, const char *path,
		     bool is_link);

/*
 * Whether a pattern may begin with a directory of that name. Below directories
 * of other names the last component of a path alone decides.
 */
bool later_begins(const struct later_table *table, const char *name);

#endif
