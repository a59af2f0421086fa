/*
 * landlock.h - the second wall, under the mounts.
 *
 * Mounts decide what exists inside; Landlock repeats, per directory, what may
 * be done there, so that one mistake in one of the walls opens nothing. What
 * the kernel knows is probed, never assumed from its version: rights it lacks
 * are left out and the ABI in force is reported. Source: landlock(7).
 */
#ifndef CUPEL_SANDBOX_LANDLOCK_H
#define CUPEL_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

struct error;

enum landlock_access {
	LANDLOCK_LIST,		/* names of directories only */
	LANDLOCK_READ,		/* read, execute, list */
	LANDLOCK_WRITE,		/* all but devices and ioctls of devices */
	LANDLOCK_DEVICE,	/* read, write and ioctl of device files */
};

/* From here on signals and abstract sockets can be kept in (Linux 6.12). */
#define LANDLOCK_ABI_SCOPES 6

/* The newest ABI of this kernel, 0 when Landlock is missing or disabled. */
int landlock_abi(void);

/*
 * An empty rule set for the kernel's ABI that handles every file right and,
 * from ABI 6, refuses signals and abstract sockets to the outside. A
 * descriptor or -errno.
 */
int landlock_open(int abi, struct error *why);

/*
 * The same where nothing but Landlock stands before the host (tier landlock):
 * without network no TCP port can be bound or connected to either, from ABI 4.
 */
int landlock_open_bare(int abi, bool network, struct error *why);

/* Only refuses signals and abstract sockets to the outside; ABI 6. */
int landlock_open_border(struct error *why);

/* Grants access to a path and what is below it; -errno on failure. */
int landlock_allow(int ruleset, int abi, const char *path,
		   enum landlock_access access, struct error *why);

/* The same for what a descriptor names; path is for people. */
int landlock_allow_fd(int ruleset, int abi, int fd, const char *path,
		      enum landlock_access access, struct error *why);

/* Confines the calling thread for good; no_new_privs must be set. */
int landlock_enforce(int ruleset, struct error *why);

#endif
