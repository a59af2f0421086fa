/*
 * groups.h - groups of this very host, and what runs in them.
 *
 * What the host cannot do ends a test as skipped, with the reason.
 */
#ifndef CUPEL_TESTS_SUPPORT_GROUPS_H
#define CUPEL_TESTS_SUPPORT_GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_host.h"

/* As it is, and as if the v2 tree were not there; read by a setup of cmocka. */
extern struct cgroup_host group_host, group_host_v1;
int group_read_host(void **state);

/* The two tests of one that asks where. */
#define ON_BOTH(test)                                                         \
	static void test##_here(void **state)                                 \
	{                                                                     \
		(void)state;                                                  \
		test(&group_host);                                            \
	}                                                                     \
	static void test##_without_v2(void **state)                           \
	{                                                                     \
		(void)state;                                                  \
		test(&group_host_v1);                                         \
	}

struct cgroup group_make(const struct cgroup_host *where, struct limits limits);
void group_remove(struct cgroup *cgroup);

/* Whether a group of that name is in any tree, in our own group or above. */
bool group_exists(const char *name);

/* A child in the group, as sandbox_spawn() makes one; -1 if it cannot be. */
pid_t group_try_spawn(const struct cgroup *cgroup, void (*body)(void));
pid_t group_spawn(const struct cgroup *cgroup, void (*body)(void));
int group_wait(pid_t pid);	/* its wait status */
void group_sleep_ms(long ms);

/* Bodies: pauses for ever; ever more processes that ignore what can be ignored. */
void group_sleeper(void);
void group_fork_bomb(void);

#endif
