/*
 * privileges.h - a program of root's that keeps a few capabilities, for good.
 *
 * All others leave every set and the bounding set as well, so that no exec of
 * this process or its children brings one back; capabilities(7).
 */
#ifndef CUPEL_SANDBOX_PRIVILEGES_H
#define CUPEL_SANDBOX_PRIVILEGES_H

#include <stddef.h>

struct error;

struct privilege {
	int capability;		/* CAP_* of linux/capability.h; 0 is CAP_CHOWN */
	const char *reason;	/* what would fail without it */
};

/* To be called as root, with one thread. 0 or -errno. */
int privileges_keep(const struct privilege *kept, size_t count, struct error *why);

#endif
