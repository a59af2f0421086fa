/*
 * builder.h - a file tree under construction: what all steps of it do.
 *
 * Each returns 0 or a descriptor, or a negative errno and why. Targets are
 * relative to the new root and lie below it (path.h).
 */
#ifndef CUPEL_SANDBOX_BUILDER_H
#define CUPEL_SANDBOX_BUILDER_H

#include <sys/mount.h>

#include "sandbox/mounter.h"
#include "sandbox/sandbox.h"

struct error;

#define BUILDER_WALL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct builder {
	const struct sandbox_plan *plan;
	struct mounter mounter;
	int root;		/* of the new tree */
	int upper;
	int empty_file, empty_directory;	/* what others are covered with */
	struct error *why;
};

/* -errno, with "what path: the reason" as why. */
int builder_fail(const struct builder *b, const char *what, const char *path);

/* A new mount, the caller's descriptor; its limits come when it is filled. */
int builder_make_tmpfs(struct builder *b);

/* The policy's limits of bytes and inodes, for what comes to what is there. */
int builder_limit_tmpfs(struct builder *b, int tmpfs, const char *name);

int builder_attach(struct builder *b, int mount, const char *target);

/* Binds what fd names to target, which is made. */
int builder_bind(struct builder *b, int fd, const char *target, unsigned attributes);

/* What the launcher looked at must be what is mounted: names can be exchanged. */
int builder_check_same(const struct builder *b, int fd, const struct tree *seen,
		       const char *path);

/* Covers directory/name, if it is there, by nothing at all. */
int builder_cover(struct builder *b, int directory, const char *name, unsigned attributes);

#endif
