/*
 * plan.h - what the caller asked for, resolved into a struct sandbox_plan.
 *
 * Boundaries come from here alone: the caller's own options, environment and
 * working directory, and the policies of its owner. Nothing is read from the
 * workspace. A plan holds descriptors; plan_release() closes them.
 */
#ifndef CUPEL_SANDBOX_PLAN_H
#define CUPEL_SANDBOX_PLAN_H

#include <stdbool.h>

#include "sandbox/sandbox.h"
#include "sandbox/tree.h"

struct arena;
struct error;

#define PLAN_OPTIONS_MAX 64
#define PLAN_ENVIRONMENT_MAX 256

struct plan_options {
	const char *policy;		/* name or path; NULL: "tool" */
	const char *workspace;		/* NULL: the working directory, if it will do */
	bool no_workspace;
	bool explain;			/* tell which paths were asked for and not shown */
	bool mode_given, tier_given, network_given;
	enum workspace_mode mode;
	enum tier tier;
	enum network_mode network;
	const char *cwd;		/* inside; relative to the workspace */
	const char *limits[PLAN_OPTIONS_MAX];	/* "wall=10s" */
	const char *set_env[PLAN_OPTIONS_MAX];	/* "NAME=value" */
	const char *pass_env[PLAN_OPTIONS_MAX];
	const char *binds[PLAN_OPTIONS_MAX];	/* "SRC:DST[:ro|rw]" */
	char *const *argv;
	char *const *environment;	/* the caller's */
};

struct plan {
	struct policy policy;		/* with the options of this run applied */
	struct sandbox_plan sandbox;
	char *environment[PLAN_ENVIRONMENT_MAX];
	bool policy_refused;		/* after a failure: it was the policy's fault */
	char note[512];			/* what was decided without being asked */
};

/*
 * Resolves the options; strings live in the arena. -EINVAL, -ENOENT, -ELOOP,
 * -EPERM ... with one sentence that names the option and the way out; nothing
 * is left open then, and plan_release() may be called.
 */
int plan_resolve(struct plan *ret, const struct plan_options *options,
		 struct arena *arena, struct error *why);

void plan_release(struct plan *plan);

#endif
