#include "sandbox/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/bare.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"

#define BOUNDING_SET 3	/* of struct sandbox_enforced's capabilities */

/* Past the last one this kernel knows prctl(2) fails. */
static uint64_t read_set(int option, unsigned long subject)
{
	uint64_t set = 0;

	for (unsigned long cap = 0; cap < 64; cap++) {
		int has = subject ? prctl(option, subject, cap, 0, 0) :
				    prctl(option, cap, 0, 0, 0);

		if (has < 0)
			return cap ? set : UINT64_MAX;
		set |= (uint64_t)has << cap;
	}
	return set;
}

/* Asked for one by one: to print /proc/self/status takes the kernel far longer. */
static void read_capabilities(uint64_t ret[5])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	memset(sets, 0xff, sizeof(sets));
	(void)syscall(SYS_capget, &header, sets);
	ret[0] = sets[0].inheritable | (uint64_t)sets[1].inheritable << 32;
	ret[1] = sets[0].permitted | (uint64_t)sets[1].permitted << 32;
	ret[2] = sets[0].effective | (uint64_t)sets[1].effective << 32;
	ret[BOUNDING_SET] = read_set(PR_CAPBSET_READ, 0);
	ret[4] = read_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET);
}

/* Descriptors beyond 0, 1, 2 that would survive an exec. */
static uint32_t surviving_descriptors(void)
{
	uint32_t count = 0;

	for (int fd = 3; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			count++;
	}
	return count;
}

static bool canary_refused(const char *canary)
{
	int fd = path_open(PATH_ABSOLUTE, canary, O_RDONLY, 0, PATH_HOST, NULL);

	if (fd >= 0)
		close(fd);
	return fd == -EACCES;
}

void audit_before(const struct sandbox_plan *plan, long session_keyring,
		  struct sandbox_enforced *ret)
{
	uint64_t inside[NAMESPACE_COUNT];
	int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	bool bare = plan->tier == TIER_LANDLOCK;

	namespaces_read(inside);
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (inside[i] && inside[i] != plan->outside[i])
			ret->namespaces |= 1U << i;
	read_capabilities(ret->capabilities);
	ret->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	ret->securebits_locked = bits >= 0 && (bits & SECBIT_NOROOT) &&
				 (bits & SECBIT_NOROOT_LOCKED);
	ret->landlock_denies = canary_refused(bare ? BARE_CANARY : MOUNTS_CANARY);
	/* The parent is init: of the same user, outside this domain. */
	ret->signals_denied = bare && kill(getppid(), 0) < 0 && errno == EPERM;
	ret->open_fds = surviving_descriptors();
	ret->uid = getuid();
	ret->gid = getgid();
	ret->keyring_fresh = session_keyring < 0 ||
			     syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID,
				     KEY_SPEC_SESSION_KEYRING, 0) == session_keyring;
}

const char *audit_missing(const struct sandbox_plan *plan,
			  const struct sandbox_enforced *enforced)
{
	/* Privilege is needed to give up what no_new_privs makes worthless. */
	bool bare = plan->tier == TIER_LANDLOCK;

	for (int i = 0; i < NAMESPACE_COUNT; i++) {
		bool wanted = !bare && i != NAMESPACE_TIME &&	/* entered by the exec */
			      (namespaces[i].flag != CLONE_NEWNET ||
			       plan->policy->network == NETWORK_NONE);

		if (wanted && !(enforced->namespaces & (1U << i)))
			return namespaces[i].name;
	}
	for (size_t i = 0; i < COUNT(enforced->capabilities); i++)
		if (enforced->capabilities[i] && !(bare && i == BOUNDING_SET))
			return "the loss of capabilities";
	if (!enforced->no_new_privs)
		return "no_new_privs";
	if (!bare && !enforced->securebits_locked)
		return "securebits";
	if (!enforced->landlock_abi || !enforced->landlock_denies)
		return "Landlock";
	if (bare && !enforced->signals_denied)
		return "the scope of signals";
	if (!enforced->keyring_fresh)
		return "a keyring of its own";
	if (enforced->open_fds != plan->inherited_count + plan->program_is_script +
				  enforced->counter)
		return "the closing of descriptors";
	return NULL;
}

/*
 * A call that any kernel would refuse differently: with a bad descriptor the
 * kernel says EBADF (or ENOSYS where io_uring is not built), our filter ENOSYS;
 * with a bad size openat2(2) says EINVAL, our filter ENOSYS.
 */
void audit_after(struct sandbox_enforced *ret)
{
	long mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

	ret->seccomp_mode = mode < 0 ? 0 : (int)mode;
	ret->seccomp_denies = syscall(SYS_openat2, -1, "", NULL, 0) < 0 &&
			      errno == ENOSYS;
}
