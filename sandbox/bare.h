/*
 * bare.h - tier landlock: a policy kept without namespaces and mounts.
 *
 * For hosts where neither can be had; never chosen by itself. What confines
 * the command is Landlock over the host's own tree, the filter, limits and the
 * loss of capabilities; the end of all it starts is a domain's (domain.h).
 *
 * Nothing runs with less than its policy demands. What only a mount or a
 * namespace can give is refused with a sentence; what Landlock does not see
 * (modes, owners, times and attributes of files, System V objects, inotify,
 * priorities of the user's other processes, sockets by path) is taken from the
 * filter instead, for there is no way to allow it inside alone. A command so
 * gets less than in the other tiers: no /tmp, /proc or /dev/shm, and without
 * network no socket. What it still learns of the host is in bare_weaknesses.
 */
#ifndef CUPEL_SANDBOX_BARE_H
#define CUPEL_SANDBOX_BARE_H

#include <stdint.h>

struct error;
struct policy;
struct sandbox_plan;

/* A file of the host that no rule covers: the audit tries to list it. */
#define BARE_CANARY "/"

/* For people, NULL at the end. */
extern const char *const bare_weaknesses[];

/*
 * Takes from the policy what cannot be kept inside. -EOPNOTSUPP when the
 * policy, the plan or this kernel's Landlock will not do; -EPERM for root.
 */
int bare_restrict(struct policy *policy, const struct sandbox_plan *plan,
		  struct error *why);

/*
 * Confines the calling process to what the plan shows of the host; its working
 * directory is then the plan's. Returns the ABI in force or -errno.
 */
int bare_confine(const struct sandbox_plan *plan, struct error *why);

/*
 * RLIMIT_NPROC counts whatever the user runs: the number of those threads now,
 * to be added to the policy's; 0 if a cgroup counts better.
 */
uint64_t bare_tasks_of_user(const struct sandbox_plan *plan);

#endif
