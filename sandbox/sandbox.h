/*
 * sandbox.h - from a policy to a confined process.
 *
 *	launcher                         the new namespaces
 *	sandbox_spawn() -- clone3 -->    init (pid 1)
 *	   id maps        <-- sync -->     mounts, identity, capabilities,
 *	   cgroup                          no_new_privs, Landlock
 *	                                     vfork --> command (pid 2)
 *	                                                 session, limits, seccomp,
 *	   <-- report, descriptors ------                self-audit, exec
 *	   <-- exit status --------------    reap all; the end of init is the
 *	   -- signal, kill ------------->    end of every process inside
 *
 * The steps are rows of tables (init_steps.h), run in order, each failing closed
 * with its own name; there is no partial sandbox. Tier landlock has a shorter
 * table and neither namespaces nor mounts: see bare.h and domain.h. sandbox_spawn()
 * plans nothing: everything it needs is in struct sandbox_plan.
 *
 * The launcher and init share one packet socket (the control socket) that
 * carries the fixed-size records below and, once, descriptors.
 */
#ifndef CUPEL_SANDBOX_SANDBOX_H
#define CUPEL_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/policy.h"
#include "sandbox/seccomp.h"
#include "sandbox/tree.h"

struct error;
struct cgroup;

#define SANDBOX_INHERITED_MAX 8

enum tier { TIER_LANDLOCK, TIER_USERNS, TIER_FULL };

/*
 * Everything a run needs, resolved; borrows all it points to. A program that
 * is given as a descriptor is one of our own workers: nobody listens for its
 * refused calls, which fail with EPERM.
 */
struct sandbox_plan {
	const struct policy *policy;
	enum tier tier;
	char *const *argv;
	char *const *envp;	/* exactly what the command gets */
	const char *cwd;	/* absolute, inside */
	const char *workspace;	/* absolute host path, seen at the same path; NULL: none */
	struct tree workspace_tree;	/* what the launcher opened under these names; */
	struct tree bind_trees[POLICY_ROWS_MAX];	/* directory -1: not looked at */
	enum workspace_mode workspace_mode;
	int stdio[3];		/* become 0, 1, 2 of the command */
	int inherited[SANDBOX_INHERITED_MAX];	/* become 3, 4, ... of the command */
	uint32_t inherited_count;
	int program;		/* is executed, whatever its name; -1: argv[0] is looked for */
	bool program_is_script;	/* its interpreter opens it: it stays open, after the inherited */
	bool host_clock;		/* no clocks of its own: it is told deadlines by ours */
	bool counter;		/* after the inherited: what counter.h says, if to be had */
	int network;		/* empty, loopback up: is born into it; -1: its policy says */
	int home_network;	/* with it: the launcher's own, to come back to */
	bool tty;		/* stdio is the slave of our own pty: make it controlling */
	const struct cgroup *cgroup;	/* NULL: none to be had */
	uid_t host_uid;		/* full tier: this run's own id on the host */
	gid_t host_gid;
	struct seccomp_program filter;	/* of the policy */
	void *tables;		/* the launcher's own memory, for init to forget; or NULL */
	size_t table_bytes;
	uint64_t outside[8];	/* inodes of the launcher's namespaces, namespaces.h order */
};

/* Phases whose time is reported, in order. */
enum sandbox_phase {
	PHASE_IDMAP, PHASE_CGROUP, PHASE_NETWORK, PHASE_MOUNTS, PHASE_IDENTITY,
	PHASE_LANDLOCK, PHASE_SECCOMP, PHASE_AUDIT, PHASE_EXEC, PHASE_COUNT
};

/*
 * What was found in force, read back by the command's own process just before
 * its exec, never copied from the plan.
 */
struct sandbox_enforced {
	uint32_t namespaces;	/* bit per CLONE_NEW* whose inode differs from the
				 * launcher's: see namespaces.h */
	int landlock_abi;	/* 0: not in force */
	bool landlock_denies;	/* a canary outside every rule was refused */
	int seccomp_mode;	/* 2 = filter */
	bool seccomp_denies;	/* a denied call was seen to be refused */
	bool no_new_privs;
	uint64_t capabilities[5];	/* inheritable permitted effective bounding ambient */
	bool securebits_locked;
	bool keyring_fresh;
	bool counter;		/* it was to be had */
	uint32_t open_fds;	/* beyond 0, 1, 2: must be those of the plan */
	bool signals_denied;	/* tier landlock: one to init, outside, was refused */
	uid_t uid;
	gid_t gid;
};

/* First record from init: the command has been exec'd, or why not. */
struct sandbox_report {
	bool carries_denials, carries_upper;	/* descriptors sent along, in this order */
	int failed_errno;	/* 0: running */
	char failed_step[24];
	char detail[200];
	int64_t phase_ns[PHASE_COUNT];	/* duration of each; 0: not run */
	struct sandbox_enforced enforced;
};

/* Last record from init: how the command ended. */
struct sandbox_status {
	int wait_status;	/* as waitpid(2) */
	int64_t user_us, system_us;
	int64_t maxrss_kib;
	int64_t in_blocks, out_blocks;	/* of 512 bytes, as getrusage(2) */
	bool disk_full;		/* the scratch or the overlay has no byte or inode left */
};

/* From the launcher to init, after the report. */
struct sandbox_order {
	int signal;		/* for the command's process group */
};

struct sandbox {
	pid_t init_pid;		/* in the launcher's namespace; use the pidfd */
	int init_pidfd;
	bool bare;		/* tier landlock: init has to be asked to end all */
	int control;		/* packet socket to init; non-blocking */
	int denials;		/* seccomp listener; -1 before the report */
	int upper;		/* the overlay's changes; -1 unless overlay */
};

/*
 * Starts the command confined as planned and returns once init runs; the
 * report follows on the control socket. On failure everything made so far is
 * gone and why names the step. The caller reaps init through its pidfd.
 */
int sandbox_spawn(const struct sandbox_plan *plan, struct sandbox *ret,
		  struct error *why);

/* Asks init to send a signal to the command's process group. */
int sandbox_signal(struct sandbox *sandbox, int signal);

/*
 * Ends every process inside, now: the pid namespace dies with its init; where
 * there is none, init ends them and then itself.
 */
int sandbox_kill(struct sandbox *sandbox);

/*
 * Takes the first record from the control socket; descriptors in it become
 * sandbox->denials and sandbox->upper. 1, 0 when it is not there yet, or
 * -errno (-EPIPE: init died without a word).
 */
int sandbox_receive_report(struct sandbox *sandbox, struct sandbox_report *ret);

/* Takes the last record likewise. */
int sandbox_receive_status(struct sandbox *sandbox, struct sandbox_status *ret);

/* Closes the launcher's descriptors; init must have been reaped or killed. */
void sandbox_close(struct sandbox *sandbox);

const char *tier_name(enum tier tier);
const char *sandbox_phase_name(enum sandbox_phase phase);

#endif
