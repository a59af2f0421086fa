/*
 * policy.h - what a confined command may do, as plain data.
 *
 * A policy is a preset (sandbox/preset.c), possibly extended by a policy file
 * that names its base in "include", possibly tightened by options of one run.
 * Lists append, never replace; scalars of the nearer source win. Nothing here
 * touches the kernel: sandbox/sandbox.h turns a policy into a process.
 *
 * Strings belong to the arena the policy was loaded into.
 */
#ifndef CUPEL_SANDBOX_POLICY_H
#define CUPEL_SANDBOX_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sandbox/bind.h"
#include "sandbox/limits.h"
#include "sandbox/syscalls.h"

struct arena;
struct error;

#define POLICY_NAME_BYTES 64
#define POLICY_ROWS_MAX 64
#define POLICY_SUFFIX ".policy"

enum network_mode {
	NETWORK_NONE,		/* an empty namespace with loopback up */
	NETWORK_HOST,		/* the caller's network: weaker, said in the result */
};

enum workspace_mode {
	WORKSPACE_NONE,
	WORKSPACE_DIRECT,	/* read-write, changes are immediate */
	WORKSPACE_READONLY,
	WORKSPACE_OVERLAY,	/* a private copy-on-write view */
};

/* Their names in a policy and an option, in the order above; NULL at the end. */
extern const char *const network_mode_names[];
extern const char *const workspace_mode_names[];

struct policy {
	char name[POLICY_NAME_BYTES];
	const char *description;
	struct bind binds[POLICY_ROWS_MAX];
	size_t bind_count;
	const char *hidden[POLICY_ROWS_MAX];	/* paths masked even below a bind */
	size_t hidden_count;
	const char *pass_env[POLICY_ROWS_MAX];	/* names taken from the caller */
	size_t pass_env_count;
	const char *set_env[POLICY_ROWS_MAX];	/* "NAME=value" */
	size_t set_env_count;
	struct syscall_set syscalls;		/* allowed; all others are refused */
	bool proc_full;		/* /proc/cpuinfo and the like, not only pids */
	bool write_execute;	/* writable memory may become executable (JITs) */
	enum network_mode network;
	bool interfaces;	/* network interfaces may be listed (netlink route) */
	bool observed;		/* calls with paths are shown to the launcher: observe.h */
	bool bare;		/* no namespace is around it: bare.h */
	bool unscoped;		/* Unix sockets would reach abstract ones of the host:
				 * plan.h; none of these three is ever a file's */
	enum workspace_mode workspace;		/* what a run gets unless it asks for less */
	bool repository_readonly;	/* its .git and .cupel: mounts_workspace.c */
	struct limits limits;
};

/* The preset or NULL. Presets are constants; "ci" is another name of "build". */
const struct policy *policy_preset(const char *name);

/* Preset names in the order they are shown; NULL ends the list. */
const char *const *policy_preset_names(void);

/*
 * Loads by name: a preset, else NAME.policy in one of the policy directories,
 * else, when name holds a '/', that file. Never from the working directory or
 * a workspace by a bare name. A file's "include" is such a name, and what it
 * includes may not include. 0, -ENOENT with the nearest name, -EINVAL with
 * file, line and key, -EPERM for a file that others than its reader and root
 * may change.
 */
int policy_load(struct policy *ret, const char *name, struct arena *arena,
		struct error *why);

/* What a file starts from that includes nothing: nothing, and strict's limits. */
void policy_init(struct policy *policy, const char *name);

/* A policy that can be loaded by its bare name. */
struct policy_found {
	const char *name;
	const char *path;	/* NULL: a preset */
};

/*
 * The presets, then the files in the policy directories by name; a name that
 * an earlier place has taken is left out. Returns their number, at most
 * capacity, or -ENOMEM; strings live in the arena.
 */
int policy_list(struct policy_found *ret, size_t capacity, struct arena *arena);

/* The policy as a policy file; loading it gives the policy back. */
void policy_print(const struct policy *policy, FILE *out);

#endif
