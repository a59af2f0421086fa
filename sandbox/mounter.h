/*
 * mounter.h - mounts that are made apart, and attached when they are ready.
 *
 * A mount is a descriptor of its root (O_PATH), nowhere to be seen until it is
 * attached, so what the command will see never had more rights than it shall.
 * Two families of system calls do this:
 *
 *	by descriptor	fsopen(2), open_tree(2), mount_setattr(2), move_mount(2)
 *			(Linux 5.12)
 *	by mount(2)	where a kernel lacks one of those, or a filter around us
 *			refuses it: a stage, which is a tmpfs of our own above
 *			"/", has a place for every mount until MS_MOVE takes it
 *			where it belongs; attributes are set mount by mount, as
 *			/proc/self/mountinfo lists them
 *
 * Both give the same tree or none. By mount(2) a tree with a mount that another
 * one covers is refused (-EOPNOTSUPP): it cannot be reached to be restricted. Mapped ids
 * (tree.h) have no way but the first.
 *
 * For a process alone in a mount namespace of its own, with CAP_SYS_ADMIN there.
 */
#ifndef CUPEL_SANDBOX_MOUNTER_H
#define CUPEL_SANDBOX_MOUNTER_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct mounter_calls;

struct mounter {
	const struct mounter_calls *calls;
	int stage;		/* by mount(2): its root; else -1 */
	unsigned staged;	/* places taken so far */
};

/* Whether every call of the first family is answered here; needs CAP_SYS_ADMIN. */
bool mounter_by_descriptor(void);

/*
 * Chooses the family. What is made belongs to the caller, who closes it; the
 * stage stays under what is attached to "/" and goes with the old root. All
 * return 0, or a descriptor, or -errno with the object's name in why.
 */
int mounter_start(struct mounter *m, struct error *why);

/* A new file system; pairs of options end with NULL, attributes are MOUNT_ATTR_*. */
int mounter_make(struct mounter *m, const char *type, const char *const options[][2],
		 unsigned attributes, struct error *why);

/* A copy of the tree mounted at fd, with attributes set on all of it. */
int mounter_clone(struct mounter *m, int fd, unsigned attributes, const char *name,
		  struct error *why);

/* At target below directory (or PATH_ABSOLUTE), whose last part is no link. */
int mounter_attach(struct mounter *m, int mount, int directory, const char *target,
		   struct error *why);

/* Changes attributes of a mount, or with all of all mounts below it, too. */
int mounter_set(struct mounter *m, int mount, unsigned set, unsigned clear, bool all,
		const char *name, struct error *why);

/* Other options for the file system mounted at that descriptor. */
int mounter_change(struct mounter *m, int mount, const char *const options[][2],
		   const char *name, struct error *why);

/*
 * Makes the mount that is attached to "/" the root and working directory, and
 * lets go of the old root with all that was there. Checks that it did.
 */
int mounter_pivot(struct mounter *m, int root, struct error *why);

#endif
