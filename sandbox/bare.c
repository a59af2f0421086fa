#include "sandbox/bare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"
#include "sandbox/cgroup.h"
#include "sandbox/domain.h"
#include "sandbox/landlock.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"

const char *const bare_weaknesses[] = {
	"names, sizes and owners of the host's files can be looked up",
	"numbers of the host's processes can be guessed and confirmed",
	"the host's name, clocks and addresses of interfaces are its own",
	"limits of processes count all that the user runs, unless a cgroup counts",
	NULL,
};

/*
 * Calls that act on what Landlock does not see. By descriptor as well: one
 * opened for reading would do to change a mode in what is read-only.
 */
static const char *const unseen[] = {
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown",
	"fchownat", "utime", "utimes", "futimesat", "utimensat", "setxattr",
	"lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr",
	"fremovexattr", "removexattrat", "file_setattr",
	"shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semctl",
	"semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
	"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify",
	"mq_getsetattr",
	"inotify_init", "inotify_init1", "inotify_add_watch",
	"setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr",
	"sched_setaffinity", "ioprio_set", "statmount", "listmount",
};

static const struct {
	const char *path;
	enum landlock_access access;
} fixed[] = {
	{ "/dev/null", LANDLOCK_DEVICE }, { "/dev/zero", LANDLOCK_DEVICE },
	{ "/dev/full", LANDLOCK_DEVICE }, { "/dev/random", LANDLOCK_DEVICE },
	{ "/dev/urandom", LANDLOCK_DEVICE }, { "/dev/tty", LANDLOCK_DEVICE },
	{ "/proc/self/status", LANDLOCK_READ },	/* its own, for the audit */
};

/* ---- what only a mount or a namespace could give ---- */

static int refuse_host(struct error *why)
{
	int abi = landlock_abi();

	if (geteuid() == 0)
		return error_set(why, -EPERM,
				 "--tier landlock would leave the command the host's root; as root take --tier full");
	if (abi < DOMAIN_ABI_LEAST)
		return error_set(why, -EOPNOTSUPP,
				 "--tier landlock needs Landlock ABI %d (Linux 6.12) to keep signals in, and this kernel has %d",
				 DOMAIN_ABI_LEAST, abi);
	return 0;
}

static bool has_repository(const char *workspace)
{
	AUTO_CLOSE int folder = !workspace ? -1 :
		path_open(PATH_ABSOLUTE, workspace, O_PATH | O_DIRECTORY, 0, PATH_HOST, NULL);
	struct stat about;

	return folder >= 0 && (fstatat(folder, ".git", &about, AT_SYMLINK_NOFOLLOW) == 0 ||
			       fstatat(folder, ".cupel", &about, AT_SYMLINK_NOFOLLOW) == 0);
}

static int refuse_mounts(const struct policy *policy, const struct sandbox_plan *plan,
			 struct error *why)
{
	if (plan->workspace_mode == WORKSPACE_OVERLAY)
		return error_set(why, -EOPNOTSUPP,
				 "an overlay needs mounts, which --tier landlock has not; take DIR:direct or DIR:readonly");
	if (policy->repository_readonly && plan->workspace_mode == WORKSPACE_DIRECT &&
	    has_repository(plan->workspace))
		return error_set(why, -EOPNOTSUPP,
				 "keeping the workspace's .git read-only needs a mount, which --tier landlock has not; take DIR:readonly, or another policy");
	for (size_t i = 0; i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		if (strcmp(bind->source, bind->target) != 0)
			return error_set(why, -EOPNOTSUPP,
					 "%s at %s needs a mount, which --tier landlock has not; show it at its own path",
					 bind->source, bind->target);
		for (size_t j = 0; j < policy->hidden_count; j++)
			if (text_is_below(policy->hidden[j], bind->source))
				return error_set(why, -EOPNOTSUPP,
						 "hiding %s below %s needs a mount, which --tier landlock has not",
						 policy->hidden[j], bind->source);
	}
	for (size_t j = 0; plan->workspace && j < policy->hidden_count; j++)
		if (text_is_below(policy->hidden[j], plan->workspace))
			return error_set(why, -EOPNOTSUPP,
					 "hiding %s in the workspace needs a mount, which --tier landlock has not",
					 policy->hidden[j]);
	return 0;
}

/* What the presets do without was never weighed against a bare host. */
static int refuse_calls(const struct policy *policy, struct error *why)
{
	const struct policy *known = policy_preset("build");

	for (int i = 0; i < SYSCALL_NUMBERS; i++)
		if (syscall_set_has(&policy->syscalls, i) &&
		    !syscall_set_has(&known->syscalls, i))
			return error_set(why, -EOPNOTSUPP,
					 "policy %s allows %s, which --tier landlock cannot keep from the host",
					 policy->name, syscall_name(i));
	return 0;
}

int bare_restrict(struct policy *policy, const struct sandbox_plan *plan,
		  struct error *why)
{
	int r = refuse_host(why);

	if (r == 0)
		r = refuse_mounts(policy, plan, why);
	if (r == 0)
		r = refuse_calls(policy, why);
	for (size_t i = 0; r == 0 && i < COUNT(unseen); i++)
		r = syscall_set_remove(&policy->syscalls, unseen[i]);
	if (r == 0 && policy->network == NETWORK_NONE)
		r = syscall_set_remove(&policy->syscalls, "socket");
	policy->bare = true;
	return r;
}

/* ---- inside ---- */

static int allow_bind(const struct sandbox_plan *plan, size_t index, int ruleset,
		      int abi, struct error *why)
{
	const struct bind *bind = &plan->policy->binds[index];
	int opened = plan->bind_trees[index].directory;
	enum landlock_access access = bind->access == BIND_WRITE ? LANDLOCK_WRITE :
								   LANDLOCK_READ;
	int r = opened >= 0 ? landlock_allow_fd(ruleset, abi, opened, bind->source,
						access, why) :
			      landlock_allow(ruleset, abi, bind->source, access, why);

	return r == -ENOENT && bind->optional ? 0 : r;
}

static int allow_all(const struct sandbox_plan *plan, int ruleset, int abi,
		     struct error *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(fixed); i++)
		r = landlock_allow(ruleset, abi, fixed[i].path, fixed[i].access, why);
	for (size_t i = 0; r == 0 && i < plan->policy->bind_count; i++)
		r = allow_bind(plan, i, ruleset, abi, why);
	if (r == 0 && plan->workspace)
		r = landlock_allow_fd(ruleset, abi, plan->workspace_tree.directory,
				      plan->workspace,
				      plan->workspace_mode == WORKSPACE_DIRECT ?
					      LANDLOCK_WRITE : LANDLOCK_READ, why);
	return r;
}

static int enter_directory(const struct sandbox_plan *plan, struct error *why)
{
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, plan->cwd, O_PATH | O_DIRECTORY, 0,
				      PATH_HOST, NULL);

	if (fd < 0 || fchdir(fd) < 0)
		return error_set(why, fd < 0 ? fd : -errno, "no directory %s: %s",
				 plan->cwd, strerror(fd < 0 ? -fd : errno));
	return 0;
}

int bare_confine(const struct sandbox_plan *plan, struct error *why)
{
	int abi = landlock_abi();
	AUTO_CLOSE int canary = path_open(PATH_ABSOLUTE, BARE_CANARY, O_RDONLY, 0,
					  PATH_HOST, why);
	AUTO_CLOSE int ruleset = canary < 0 ? canary :
		landlock_open_bare(abi, plan->policy->network == NETWORK_HOST, why);
	int r = ruleset < 0 ? ruleset : enter_directory(plan, why);

	if (r == 0)
		r = allow_all(plan, ruleset, abi, why);
	if (r == 0)
		r = landlock_enforce(ruleset, why);
	return r < 0 ? r : abi;
}

uint64_t bare_tasks_of_user(const struct sandbox_plan *plan)
{
	uint64_t count = 0;
	struct dirent *entry;

	if (plan->cgroup && plan->cgroup->limited & (1U << CGROUP_PIDS))
		return 0;
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/proc", O_RDONLY | O_DIRECTORY, 0,
				      PATH_HOST, NULL);
	DIR *processes = fd < 0 ? NULL : fdopendir(fd);

	if (!processes)
		return 0;
	fd_take(&fd);
	while ((entry = readdir(processes))) {
		char task[300];
		struct stat status;

		/* Two links of a directory are its own; a thread is one more. */
		snprintf(task, sizeof(task), "%s/task", entry->d_name);
		if (fstatat(dirfd(processes), task, &status, 0) == 0 &&
		    status.st_uid == geteuid() && status.st_nlink > 2)
			count += status.st_nlink - 2;
	}
	closedir(processes);
	return count;
}
