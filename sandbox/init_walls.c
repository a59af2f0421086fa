#include "sandbox/init_steps.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/bare.h"
#include "sandbox/cgroup.h"
#include "sandbox/domain.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/mounts.h"
#include "sandbox/network.h"
#include "sandbox/path.h"

#define NETWORK_STACK_BYTES 16384

/*
 * A change of credentials clears the parent-death signal (prctl(2)), so this
 * runs again after it; end of file on the control socket covers the moment
 * between, and a launcher that died before the first call.
 */
static int die_with_launcher(struct init *init)
{
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return init_failed(init, "parent-death signal");
	if (recv(init->control, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		_exit(INIT_EXIT_SETUP_FAILED);
	return 0;
}

/* In the full tier the launcher writes the maps and then says one byte. */
static int take_identity(struct init *init)
{
	const struct sandbox_plan *plan = init->plan;
	char byte;
	int r = 0;

	if (plan->tier == TIER_USERNS)
		r = identity_map(0, plan->host_uid, plan->host_gid, &init->why);
	else if (recv(init->control, &byte, 1, 0) != 1)
		_exit(INIT_EXIT_SETUP_FAILED);
	if (r == 0)
		r = identity_assume(&init->why);
	/* The change of ids made /proc/self root's; it is ours until the drop. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = init_failed(init, "make dumpable");
	return r;
}

static int join_cgroup(struct init *init)
{
	return init->plan->cgroup ? cgroup_join(init->plan->cgroup, &init->why) : 0;
}

/*
 * The cgroup namespace is made after the group was joined, so that it is its
 * root. The clocks inside start near zero: the host's uptime is not told.
 */
static int new_namespaces(struct init *init)
{
	struct timespec monotonic, boottime;
	char offsets[96];

	if (unshare(init->plan->host_clock ? CLONE_NEWCGROUP :
					     CLONE_NEWCGROUP | CLONE_NEWTIME) < 0)
		return init_failed(init, "unshare");
	if (init->plan->host_clock)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_BOOTTIME, &boottime);
	snprintf(offsets, sizeof(offsets), "monotonic -%ld 0\nboottime -%ld 0\n",
		 (long)monotonic.tv_sec - 1, (long)boottime.tv_sec - 1);
	return path_write(PATH_ABSOLUTE, "/proc/self/timens_offsets", offsets,
			  &init->why);
}

/* Quotas that count against the host user, lowered for this namespace. */
static int lower_quotas(struct init *init)
{
	static const struct {
		const char *path, *value;
	} quotas[] = {
		{ "/proc/sys/user/max_user_namespaces", "0" },
		{ "/proc/sys/user/max_inotify_instances", "64" },
		{ "/proc/sys/user/max_inotify_watches", "16384" },
		{ "/proc/sys/user/max_fanotify_groups", "0" },
	};

	for (size_t i = 0; i < COUNT(quotas); i++) {
		int r = path_write(PATH_ABSOLUTE, quotas[i].path, quotas[i].value,
				   &init->why);

		if (r < 0 && r != -ENOENT)	/* not built into this kernel */
			return r;
	}
	return 0;
}

static int name_host(struct init *init)
{
	if (sethostname("cupel", 5) < 0 || setdomainname("", 0) < 0)
		return init_failed(init, "sethostname");
	return 0;
}

/* Unless the launcher has put this process into one, or the host's is kept. */
static bool makes_network(const struct init *init)
{
	return init->plan->policy->network == NETWORK_NONE && init->plan->network < 0;
}

/*
 * In a process of its own that shares memory and descriptors with init, which
 * runs on: nothing is written but its stack and that one number.
 */
static int make_network(void *argument)
{
	struct init *init = argument;

	init->network = network_make();
	return init->network < 0 ? INIT_EXIT_SETUP_FAILED : 0;
}

/*
 * The new network namespace takes as long as all the mounts: a helper makes it
 * beside them. Its end closes nothing, as the table of descriptors is init's.
 */
static int start_network(struct init *init)
{
	static char stack[NETWORK_STACK_BYTES] __attribute__((aligned(64)));

	if (!makes_network(init))
		return 0;
	init->network_maker = clone(make_network, stack + sizeof(stack),
				    CLONE_VM | CLONE_FILES | SIGCHLD, init);
	return init->network_maker < 0 ? init_failed(init, "clone") : 0;
}

static int join_network(struct init *init)
{
	int status;

	if (!makes_network(init))
		return 0;
	if (waitpid(init->network_maker, &status, 0) < 0 || status != 0)
		return error_set(&init->why, init->network < 0 ? init->network : -EPERM,
				 "a new network with its loopback interface up was refused: %s",
				 init->network < 0 ? strerror(-init->network) : "killed");
	AUTO_CLOSE int fd = init->network;

	return network_enter(fd) < 0 ? init_failed(init, "join the new network") : 0;
}

static int fresh_keyring(struct init *init)
{
	init->keyring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (init->keyring < 0 && errno != ENOSYS)
		return init_failed(init, "join an anonymous session keyring");
	return 0;
}

static int build_mounts(struct init *init)
{
	return mounts_build(init->plan, &init->upper, &init->why);
}

static int drop_privileges(struct init *init)
{
	int r = identity_drop(&init->why);

	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = init_failed(init, "make undumpable");
	return r;
}

static int lock_files(struct init *init)
{
	int abi = landlock_abi();

	if (abi == 0)
		return error_set(&init->why, -ENOSYS,
				 "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock)");
	AUTO_CLOSE int ruleset = landlock_open(abi, &init->why);

	if (ruleset < 0)
		return ruleset;
	int r = mounts_allow(init->plan, ruleset, abi, &init->why);

	if (r == 0 && init->program >= 0)
		r = landlock_allow_fd(ruleset, abi, init->program, "the program",
					      LANDLOCK_READ, &init->why);
	if (r == 0)
		r = landlock_enforce(ruleset, &init->why);
	init->report.enforced.landlock_abi = r == 0 ? abi : 0;
	return r;
}

static const struct init_step steps[] = {
	{ "launcher", PHASE_IDMAP, die_with_launcher },
	{ "cgroup", PHASE_CGROUP, join_cgroup },
	{ "identity", PHASE_IDMAP, take_identity },
	{ "launcher", PHASE_IDMAP, die_with_launcher },
	{ "network", PHASE_NETWORK, start_network },
	{ "namespaces", PHASE_IDENTITY, new_namespaces },
	{ "quotas", PHASE_IDENTITY, lower_quotas },
	{ "hostname", PHASE_IDENTITY, name_host },
	{ "keyring", PHASE_IDENTITY, fresh_keyring },
	{ "mounts", PHASE_MOUNTS, build_mounts },
	{ "network", PHASE_NETWORK, join_network },
	{ "descriptors", PHASE_MOUNTS, init_settle_descriptors },
	{ "privileges", PHASE_IDENTITY, drop_privileges },
	{ "landlock", PHASE_LANDLOCK, lock_files },
};

/* ---- tier landlock, where they differ ---- */

static int renounce_privileges(struct init *init)
{
	int r = identity_renounce(&init->why);

	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = init_failed(init, "make undumpable");
	return r;
}

static int enter_domain(struct init *init)
{
	return domain_enter(&init->why);
}

static const struct init_step bare_steps[] = {
	{ "cgroup", PHASE_CGROUP, join_cgroup },
	{ "keyring", PHASE_IDENTITY, fresh_keyring },
	{ "privileges", PHASE_IDENTITY, renounce_privileges },
	{ "domain", PHASE_LANDLOCK, enter_domain },
};

int init_build_walls(struct init *init)
{
	if (init->plan->tier == TIER_LANDLOCK)
		return init_walk(init, bare_steps, COUNT(bare_steps));
	return init_walk(init, steps, COUNT(steps));
}
