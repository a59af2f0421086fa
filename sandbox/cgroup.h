/*
 * cgroup.h - limits and accounting of one run, in a group of its own.
 *
 * Three layouts, told apart by what can really be written, not by what is
 * mounted: v2 (one tree), v1 (a tree per controller), hybrid (v1 controllers
 * beside a v2 tree that has none, yet kills, freezes and counts processor
 * time). What each tree sets and tells is two tables in cgroup.c. A group is
 * made fresh for each run and removed after it. Its name,
 * cupel-PIDNAMESPACE-PID-STARTTIME-N, is its launcher and a count.
 *
 * The parent is the launcher's own group, so that the limits around the
 * launcher hold for its commands, or else the nearest group above it that may
 * be divided. On v2 a group with processes cannot have limited children ("no
 * internal processes"), hence the group then stands beside the launcher's. It
 * never stands elsewhere: an ordinary user could not move a process there,
 * because the kernel wants the right to write to the common ancestor.
 *
 * Joining costs what the layout allows: on v2 the child is born inside
 * (CLONE_INTO_CGROUP); on v1 the child itself writes "0" to "tasks", the one
 * way that takes no system-wide lock. Writing a pid to cgroup.procs waits for
 * an RCU grace period, some 10 ms (cgroup_procs_write_start() in the kernel).
 *
 * A group in the background runs when nothing else beside it wants the processor
 * (cpu.idle, on v1 as on v2 since Linux 5.15); it may wait for ever. That is no
 * limit: where it cannot be had, the group does without. It leaves the background
 * to be killed, as dying takes a processor, too.
 *
 * Absent on purpose: bytes read and written on v1, whose blkio tree does not
 * see writes that go through the page cache.
 *
 * Source: kernel Documentation/admin-guide/cgroup-v1, cgroup-v2.rst.
 */
#ifndef CUPEL_SANDBOX_CGROUP_H
#define CUPEL_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/policy.h"

struct error;

#define CGROUP_NAME_BYTES 96

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_HYBRID };

/* The freezer first: a sweep kills through it. */
enum cgroup_controller {
	CGROUP_FREEZER, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPUACCT, CGROUP_CPU,
	CGROUP_CONTROLLER_COUNT
};

/* A tree for each v1 controller, and the v2 tree. */
enum { CGROUP_UNIFIED = CGROUP_CONTROLLER_COUNT, CGROUP_TREE_COUNT };

struct cgroup {
	enum cgroup_layout layout;
	char name[CGROUP_NAME_BYTES];
	int v2;			/* directory in the v2 tree: born inside; or -1 */
	int v1[CGROUP_CONTROLLER_COUNT];	/* directories; -1: none */
	int v1_tasks[CGROUP_CONTROLLER_COUNT];	/* opened for writing; -1 */
	int parents[CGROUP_TREE_COUNT];		/* to remove it from; -1 */
	uint32_t limited;	/* bit per controller whose limit is in force */
	uint64_t memory_bytes, pids;	/* what it was made for */
	bool meek;
};

struct cgroup_usage {		/* -1: this layout cannot say */
	int64_t memory_peak_bytes;
	int64_t cpu_ns;
	int64_t user_ns, system_ns;
	int64_t io_read_bytes, io_write_bytes;
	int64_t pids_peak;
	int64_t oom_kills;
	int64_t pids_denied;	/* forks refused by the limit */
};

/*
 * Makes a group with all of those limits, or none: 0, or -EOPNOTSUPP with the
 * reason and the way out, or another error when the host runs short or the
 * kernel does not take a limit. On failure ret is empty (layout CGROUP_NONE)
 * and valid for every call below.
 */
int cgroup_create(struct cgroup *ret, const struct limits *limits,
		  bool meek, struct error *why);

/* Into the background, or out of it, if it was made to be meek and can. */
void cgroup_background(const struct cgroup *cgroup, bool background);

/*
 * Whether root itself needs CAP_DAC_OVERRIDE to make a group: the root of a
 * tree is nobody's to write (mode 0555), a group below it is its owner's.
 */
bool cgroup_needs_override(void);

/* In the new child, before anything else: joins the v1 groups. */
int cgroup_join(const struct cgroup *cgroup, struct error *why);

/* What was used until now. */
void cgroup_usage(const struct cgroup *cgroup, struct cgroup_usage *ret);

/* Processes that the kernel killed as there was no memory left; -1: unknown. */
int64_t cgroup_oom_kills(const struct cgroup *cgroup);

/*
 * Whether a group made with these limits can serve again: nothing is in it,
 * and nobody has been killed in it for memory. Its other counts go on; what
 * page cache it is charged for goes when its memory is needed.
 */
bool cgroup_is_reusable(const struct cgroup *cgroup);
bool cgroup_fits(const struct cgroup *cgroup, const struct limits *limits, bool meek);

/* SIGKILL to every process inside at once (cgroup.kill, or freeze and kill). */
int cgroup_kill(const struct cgroup *cgroup);

/* Asks the kernel, which stops the processes as they leave it. 0 or -errno. */
int cgroup_freeze(const struct cgroup *cgroup, bool frozen);

/*
 * Kills what is left and removes the group; retries while it empties. On
 * failure (-EBUSY: a process would not die) it is left to a later sweep.
 */
int cgroup_remove(struct cgroup *cgroup, struct error *why);

/*
 * Removes the group if nothing is in it: 0, or -EBUSY at once, for callers that
 * must not wait.
 */
int cgroup_try_remove(struct cgroup *cgroup);

/*
 * Removes groups whose launcher is gone from the caller's own group and those
 * above it, in all trees. Allocates no memory.
 */
void cgroup_sweep(void);

/*
 * Sweeps if a group beside this one has lost its launcher (which was killed
 * together with its keeper). Each tree is looked at: who swept the others may
 * have lived elsewhere in this one.
 */
void cgroup_sweep_beside(const struct cgroup *cgroup);

const char *cgroup_layout_name(enum cgroup_layout layout);

#endif
