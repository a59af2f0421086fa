/*
 * changes_keep.h - changes put by, to be looked at or committed later.
 *
 *	DIRECTORY/tree/...	what was added or modified, as a plain tree
 *	DIRECTORY/changes	the list (changes_list.h), with the deletions
 *	DIRECTORY/begun		a commit of these changes has begun
 *
 * Special files are listed, not kept. The kept tree has no setuid, setgid or
 * sticky bit, and its owner may always read it; the list has the modes.
 */
#ifndef CUPEL_SANDBOX_CHANGES_KEEP_H
#define CUPEL_SANDBOX_CHANGES_KEEP_H

#include "sandbox/changes.h"
#include "sandbox/changes_list.h"

struct owner;

#define KEEP_NAME_BYTES 48
#define KEEP_BEGUN "begun"
#define KEEP_DONE "done-"	/* a name that starts so is being removed */

/*
 * The directory in which changes are kept unless someone names another:
 * /var/lib/cupel/commits for root, else $XDG_STATE_HOME/cupel/commits or
 * ~/.local/state/cupel/commits; made if it is not there. A descriptor or -errno.
 */
int keep_open_state(struct error *why);

/*
 * Makes a directory for changes in the state directory, under a new name that
 * says when; it belongs to owner. A descriptor or -errno.
 */
int keep_create(int state, const struct owner *owner, char ret_name[KEEP_NAME_BYTES],
		struct error *why);

/* The same at an absolute path that the caller named; nothing may be there. */
int keep_create_at(const char *path, struct error *why);

/*
 * Copies the changes from upper (as changes_read()) into directory, on behalf
 * of owner, and returns when they are on the disk. 0 or -errno.
 */
int keep_write(int directory, int upper, const struct changes *changes,
	       const struct changes_origin *origin, const struct owner *owner,
	       struct error *why);

/*
 * Removes kept changes that are committed; what does not belong to them stays,
 * and its directory. They are renamed first, so that whoever finds the new name
 * after an interruption knows what to do: call this again.
 */
void keep_forget(int state, const char *name, const struct changes *changes,
		 const struct owner *owner);

#endif
