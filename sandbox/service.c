#include "sandbox/service.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/preset_filters.h"

static int failed(struct error *why, const char *what)
{
	return error_set(why, -errno, "%s: %s", what, strerror(errno));
}

static int close_others(const struct service *service, struct error *why)
{
	if (close_range(service->descriptors_end, ~0U, 0) < 0)
		return failed(why, "close_range");
	return 0;
}

/* What lets root's last capabilities be dropped after it is root no more. */
static int raise_setpcap(struct error *why)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2] = {
		{ .effective = 1U << CAP_SETPCAP, .permitted = 1U << CAP_SETPCAP },
	};

	if (syscall(SYS_capset, &header, sets) < 0)
		return failed(why, "capset");
	return 0;
}

static int leave_root(const struct service *service, struct error *why)
{
	const unsigned id = SERVICE_UID_BASE + (unsigned)getpid();

	(void)service;
	if (geteuid() != 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0)
		return failed(why, "keep capabilities");
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return failed(why, "setgroups");
	if (syscall(SYS_setresgid, id, id, id) < 0)
		return failed(why, "setresgid");
	if (syscall(SYS_setresuid, id, id, id) < 0)
		return failed(why, "setresuid");
	int r = raise_setpcap(why);

	return r < 0 ? r : identity_drop(why);
}

/* The change of ids has cleared it, hence after that; prctl(2). */
static int die_with_parent(const struct service *service, struct error *why)
{
	pid_t parent = getppid();

	(void)service;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return failed(why, "parent-death signal");
	if (getppid() != parent)
		raise(SIGKILL);
	return 0;
}

static int refuse_privileges(const struct service *service, struct error *why)
{
	(void)service;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(why, "no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return failed(why, "make undumpable");
	return 0;
}

/* Made as root, as others may not reach the directories; in force later. */
static int rules = -1;

static int make_rules(const struct service *service, struct error *why)
{
	int abi = landlock_abi();

	if (abi == 0)
		return error_set(why, -ENOSYS,
				 "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock)");
	rules = landlock_open(abi, why);
	if (rules < 0)
		return rules;
	for (const char *const *path = service->readable; path && *path; path++) {
		int r = landlock_allow(rules, abi, *path, LANDLOCK_READ, why);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int lock_files(const struct service *service, struct error *why)
{
	AUTO_CLOSE int ruleset = rules;

	(void)service;
	return landlock_enforce(ruleset, why);
}

/* The sanitizers' runtime makes calls of its own: such a build has no filter. */
static int filter_calls(const struct service *service, struct error *why)
{
#ifdef __SANITIZE_ADDRESS__
	(void)service;
	(void)why;
	return 0;
#else
	return seccomp_install(service->readable ? &reader_filter : &service_filter,
			       0, why);
#endif
}

int service_confine(const struct service *service, struct error *why)
{
	static const struct {
		const char *name;
		int (*run)(const struct service *service, struct error *why);
	} steps[] = {
		{ "descriptors", close_others },
		{ "landlock", make_rules },
		{ "identity", leave_root },
		{ "parent", die_with_parent },
		{ "privileges", refuse_privileges },
		{ "landlock", lock_files },
		{ "seccomp", filter_calls },
	};

	for (size_t i = 0; i < COUNT(steps); i++) {
		int r = steps[i].run(service, why);

		if (r < 0)
			return error_prefix(why, r, "confine: %s", steps[i].name);
	}
	return 0;
}
