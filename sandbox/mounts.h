/*
 * mounts.h - the file tree a confined process sees, built from nothing.
 *
 * The new root is an empty tmpfs; only what the policy names is attached to
 * it, then the old root is detached: what was never mounted needs no denial.
 * Every source is opened once, every target lies below a descriptor, and what
 * is mounted is ready before it is attached (mounter.h).
 *
 *	/usr /bin /lib ...	read-only, from the host (policy binds)
 *	/etc			a few files, the rest made here
 *	/proc			fresh, read-only, dangerous entries masked
 *	/dev			null zero full random urandom tty, pts, shm; console with --tty
 *	/tmp /var/tmp /run	writable parts of the root's own, limited tmpfs
 *	the workspace		at its own path
 */
#ifndef CUPEL_SANDBOX_MOUNTS_H
#define CUPEL_SANDBOX_MOUNTS_H

struct error;
struct sandbox_plan;

/* A file at the root that no Landlock rule covers: the audit tries to read it. */
#define MOUNTS_CANARY "/.cupel"

/*
 * Builds the tree in the caller's own mount namespace and makes it the root;
 * the caller's working directory is then the plan's. The overlay's upper
 * directory, if there is one, is returned for the launcher (else -1).
 */
int mounts_build(const struct sandbox_plan *plan, int *ret_upper,
		 struct error *why);

/* Rules for all of it, in a Landlock rule set of that ABI. */
int mounts_allow(const struct sandbox_plan *plan, int ruleset, int abi,
		 struct error *why);

#endif
