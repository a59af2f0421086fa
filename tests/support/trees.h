/*
 * trees.h - a workspace and an overlay's upper directory, built by hand.
 *
 *	TOP/ws		the workspace
 *	TOP/up/upper	what a run would have left
 *	TOP/state	where commits keep changes
 *
 * Scripts are for sh, run in the directory named, with $WS and $UP set.
 */
#ifndef CUPEL_TESTS_SUPPORT_TREES_H
#define CUPEL_TESTS_SUPPORT_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "sandbox/changes.h"
#include "sandbox/commit.h"
#include "sandbox/tree.h"

#define TREES_MEMORY "/dev/shm"	/* a tmpfs */

struct trees {
	char top[64];
	struct tree workspace;
	int upper;		/* TOP/up */
	int state;
	struct arena arena;
	struct error why;
	struct changes changes;
	struct commit_result result;
	int64_t started_ns;
};

/*
 * In memory where that has user attributes, else below /tmp: a commit syncs,
 * which a disk with other work on it takes its time for.
 */
void trees_init(struct trees *trees);
void trees_init_below(struct trees *trees, const char *base);
void trees_release(struct trees *trees);

/* A setup of cmocka: mounts of a test that is killed go with it. */
int trees_own_mounts(void **state);

/* Runs a script in TOP/directory; fails the test if it fails. NULL: nothing. */
void trees_script(const struct trees *trees, const char *directory,
		  const char *script);

/* Marks a directory below TOP/up/upper as opaque. NULL: nothing. */
void trees_make_opaque(const struct trees *trees, const char *path);

/* Gives every file of the workspace a ctime before the start of the "run". */
void trees_start(struct trees *trees);

int trees_read(struct trees *trees);
int trees_commit(struct trees *trees);
int trees_recover(struct trees *trees, const char *name);

/* Kind, mode, name, link target and content of all below TOP/directory. */
char *trees_snapshot(const struct trees *trees, const char *directory);

/* Whether the state directory is empty; makes it so. */
bool trees_state_is_empty(const struct trees *trees);
void trees_empty_state(const struct trees *trees);

/* The listing as changes_print() gives it; free() it. */
char *trees_listing(const struct trees *trees);

#endif
