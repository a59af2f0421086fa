/*
 * view.h - what a path leads to inside, told from the policy alone.
 *
 * Pure: nothing is looked up, links are not followed. For advice to people;
 * what is really there is decided by mounts.c, or bare.c, and the kernel.
 */
#ifndef CUPEL_SANDBOX_VIEW_H
#define CUPEL_SANDBOX_VIEW_H

#include <stdbool.h>

#include "sandbox/policy.h"

enum view_kind {
	VIEW_ABSENT,	/* nothing shows it */
	VIEW_HIDDEN,	/* covered by nothing, by the policy's wish */
	VIEW_MADE,	/* made anew for each run */
	VIEW_READ,
	VIEW_WRITE,
};

struct view {
	enum view_kind kind;
	const struct bind *bind;	/* that shows it; NULL for others, and a workspace */
	const char *what;	/* VIEW_MADE: a few words; VIEW_HIDDEN: the covered path */
};

/* Of an absolute, plain path; workspace is NULL where there is none. */
struct view view_of(const struct policy *policy, const char *workspace,
		    enum workspace_mode mode, const char *path);

/*
 * Makes a path absolute and plain in place of what it was: below directory if
 * it is relative, without "." and "..", as text. False if it does not fit.
 */
bool view_plain_path(const char *directory, const char *path, char *ret, size_t size);

/* What showing it would risk, in a few words: "low: ...", "medium: ...", "high: ...". */
const char *view_risk(const char *path, bool write);

#endif
