/*
 * changes_list.h - a list of changes as a file.
 *
 * Records of text, each ended by a NUL, since a path may hold anything else;
 * `tr '\0' '\n' <changes` shows them:
 *
 *	cupel.changes/1 COUNT OMITTED DEVICE INODE STARTED_NS WORKSPACE
 *	VERB KIND WAS MODE MODIFIED_NS SIZE PATH	(COUNT times)
 *
 * OMITTED changes are neither listed nor kept. VERB is a letter of changes.h;
 * KIND and WAS are - f d l s for none, file, directory, link and special; MODE
 * is octal, the other numbers are decimal; a blank is between any two fields.
 */
#ifndef CUPEL_SANDBOX_CHANGES_LIST_H
#define CUPEL_SANDBOX_CHANGES_LIST_H

#include <stdint.h>

#include "common/span.h"
#include "sandbox/changes.h"

/* What the changes are changes of. */
struct changes_origin {
	uint64_t device, inode;	/* of the workspace directory */
	int64_t started_ns;	/* wall clock, before the run was started */
	const char *workspace;	/* its path, for people */
};

/* Writes the list to fd and closes it. 0 or -errno. */
int list_write(int fd, const struct changes *changes,
	       const struct changes_origin *origin, struct error *why);

/*
 * Reads a list back; rows and the path in ret_origin borrow from text. -EBADMSG
 * if it is not a list as above, not a whole one, or if a path leads anywhere
 * but down.
 */
int list_parse(struct span text, struct arena *arena, struct changes *ret,
	       struct changes_origin *ret_origin, struct error *why);

/* The same from the file "changes" in a directory, read into the arena. */
int list_read(int directory, struct arena *arena, struct changes *ret,
	      struct changes_origin *ret_origin, struct error *why);

#endif
