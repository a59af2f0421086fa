/*
 * host_probes.c - the rows of host.h, each with the attempt behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup.h"
#include "sandbox/host.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/mounter.h"
#include "sandbox/namespaces.h"
#include "sandbox/path.h"
#include "sandbox/seccomp.h"
#include "sandbox/tree.h"

#define NEW_USER ((uint64_t)CLONE_NEWUSER)
#define NEW_MOUNTS (NEW_USER | CLONE_NEWNS)
#define NO_SUCH_USER 2000000000U

static int failed(struct error *why, const char *call)
{
	return error_set(why, -errno, "%s: %s", call, strerror(errno));
}

/* Present, but with less: what was seen, and the way to all of it. */
static int weaker(struct host_finding *ret, const char *found, const char *fix)
{
	ret->state = HOST_WEAKER;
	snprintf(ret->found, sizeof(ret->found), "%s", found);
	snprintf(ret->fix, sizeof(ret->fix), "%s", fix);
	return 0;
}

/* ---- the kernel, namespaces ---- */

static int probe_kernel(struct host_finding *ret, struct error *why)
{
	struct utsname name;
	char *dot;

	if (uname(&name) < 0)
		return failed(why, "uname");
	unsigned long major = strtoul(name.release, &dot, 10);
	unsigned long minor = *dot == '.' ? strtoul(dot + 1, NULL, 10) : 0;

	if (major < 6 || (major == 6 && minor < 1))
		return weaker(ret, name.release, "boot Linux 6.1 or newer");
	return 0;
}

/* Also uses a right inside: some hosts grant the namespace and not its rights. */
static int probe_userns(struct host_finding *ret, struct error *why)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = 0;

	if (unshare(CLONE_NEWUSER) < 0)
		r = failed(why, "unshare");
	if (r == 0)
		r = identity_map(0, uid, gid, why);
	if (r == 0 && unshare(CLONE_NEWUTS) < 0)
		r = failed(why, "use a right inside");
	if (r < 0)
		host_explain_userns("/proc/sys", uid == 0, -r, ret);
	return r;
}

static int probe_namespaces(struct host_finding *ret, struct error *why)
{
	(void)ret;
	for (size_t i = 0; i < NAMESPACE_COUNT; i++) {
		uint64_t flag = namespaces[i].flag;

		if (flag == CLONE_NEWUSER || flag == CLONE_NEWTIME)
			continue;
		if (unshare((int)flag) < 0)
			return error_set(why, -errno, "no %s namespace: %s",
					 namespaces[i].name, strerror(errno));
	}
	return 0;
}

static int probe_time(struct host_finding *ret, struct error *why)
{
	(void)ret;
	if (unshare(CLONE_NEWTIME) < 0)
		return failed(why, "unshare");
	return path_write(PATH_ABSOLUTE, "/proc/self/timens_offsets", "monotonic 1 0\n", why);
}

/* ---- mounts ---- */

/* A new file system, not attached; options are pairs, NULL ends them. */
static int new_filesystem(struct mounter *m, const char *type,
			  const char *const options[][2], struct error *why)
{
	int r = mounter_start(m, why);

	if (r == 0)
		r = mounter_make(m, type, options, MOUNT_ATTR_NOSUID, why);
	return r < 0 ? error_set(why, r, "mount a new %s: %s", type, strerror(-r)) : r;
}

/* A scratch file system over "/", as the working directory. */
static int enter_scratch(struct mounter *m, struct error *why)
{
	static const char *const no_options[][2] = { { NULL, NULL } };
	AUTO_CLOSE int scratch = new_filesystem(m, "tmpfs", no_options, why);
	int r = scratch < 0 ? scratch :
		mounter_attach(m, scratch, PATH_ABSOLUTE, "/", why);

	if (r < 0)
		return r;
	return fchdir(scratch) < 0 ? failed(why, "fchdir") : 0;
}

static int probe_mounts(struct host_finding *ret, struct error *why)
{
	struct mounter mounter;
	AUTO_CLOSE int usr = path_open(PATH_ABSOLUTE, "/usr", O_PATH, 0, PATH_HOST, why);
	int r = usr < 0 ? usr : enter_scratch(&mounter, why);
	AUTO_CLOSE int tree = r < 0 ? r :
		mounter_clone(&mounter, usr, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, "/usr", why);

	if (tree < 0)
		return tree;
	if (!mounter_by_descriptor())
		return weaker(ret, "done by older calls, which cannot map ids",
			      "boot Linux 5.12 or newer, without a filter around Cupel");
	return 0;
}

static int probe_proc(struct host_finding *ret, struct error *why)
{
	static const char *const options[][2] = {
		{ "hidepid", "invisible" }, { "subset", "pid" }, { NULL, NULL },
	};
	struct mounter mounter;
	AUTO_CLOSE int proc = new_filesystem(&mounter, "proc", options, why);

	(void)ret;
	return proc < 0 ? proc : 0;
}

/* That a removed directory can be made again takes attributes on tmpfs. */
static int probe_overlay(struct host_finding *ret, struct error *why)
{
	static const char *const options[][2] = {
		{ "userxattr", NULL },	   { "lowerdir", "lower" },
		{ "upperdir", "upper" }, { "workdir", "work" },
		{ NULL, NULL },
	};
	struct mounter mounter;
	int r = enter_scratch(&mounter, why);

	if (r < 0)
		return r;
	if (mkdir("lower", 0700) < 0 || mkdir("lower/d", 0700) < 0 ||
	    mkdir("upper", 0700) < 0 || mkdir("work", 0700) < 0)
		return failed(why, "mkdir");
	AUTO_CLOSE int overlay = mounter_make(&mounter, "overlay", options, 0, why);

	if (overlay < 0)
		return overlay;
	if (unlinkat(overlay, "d", AT_REMOVEDIR) < 0)
		return failed(why, "rmdir in an overlay");
	if (mkdirat(overlay, "d", 0700) < 0)
		return weaker(ret, "a directory that was removed cannot be made again",
			      "boot Linux 6.6 or newer (attributes on tmpfs)");
	return 0;
}

/* tree_take() ends its sentence with ways out for a run, of which one is ours. */
static int probe_idmap(struct host_finding *ret, struct error *why)
{
	struct tree tree;
	int r = path_open(PATH_ABSOLUTE, ".", O_PATH, 0, PATH_HOST, why);

	(void)ret;
	if (r >= 0)
		r = tree_take(&tree, r, "this directory", NO_SUCH_USER, NO_SUCH_USER, why);
	if (r < 0)
		why->text[strcspn(why->text, ";")] = '\0';
	else
		tree_close(&tree);
	return r;
}

static int probe_terminals(struct host_finding *ret, struct error *why)
{
	static const char *const options[][2] = { { "ptmxmode", "0666" }, { NULL, NULL } };
	struct mounter mounter;
	AUTO_CLOSE int pts = new_filesystem(&mounter, "devpts", options, why);

	(void)ret;
	if (pts < 0)
		return pts;
	AUTO_CLOSE int master = path_open(pts, "ptmx", O_RDWR | O_NOCTTY, 0, PATH_STRICT, why);

	return master < 0 ? master : 0;
}

/* ---- Landlock, seccomp ---- */

static int landlock_left_out(struct host_finding *ret, struct error *why)
{
	char modules[200] = "";
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/sys/kernel/security/lsm", O_RDONLY,
				      0, PATH_HOST, NULL);

	if (fd >= 0 && read(fd, modules, sizeof(modules) - 1) > 0)
		snprintf(ret->fix, sizeof(ret->fix), "boot with lsm=landlock,%s", modules);
	return error_set(why, -EOPNOTSUPP, "in the kernel, but not among its lsm= modules");
}

/* ENOSYS: not built in; EOPNOTSUPP: built in, but not in the list of modules. */
static int probe_landlock(struct host_finding *ret, struct error *why)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0 && errno == EOPNOTSUPP)
		return landlock_left_out(ret, why);
	if (abi < 0)
		return failed(why, "landlock_create_ruleset");
	snprintf(ret->found, sizeof(ret->found), "ABI %ld", abi);
	if (abi < LANDLOCK_ABI_SCOPES) {
		ret->state = HOST_WEAKER;
		snprintf(ret->found, sizeof(ret->found),
			 "ABI %ld: %ssignals are left to the first wall, --net host has no Unix sockets", abi,
			 abi < 3 ? "truncation and " : "");
		snprintf(ret->fix, sizeof(ret->fix), "boot Linux 6.12 or newer");
	}
	return 0;
}

static int install_filter(int with_listener, struct error *why)
{
	static const struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct seccomp_program program = { &allow, 1 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(why, "no_new_privs");
	int r = seccomp_install(&program, with_listener, why);

	return r < 0 ? r : 0;
}

static int probe_filter(struct host_finding *ret, struct error *why)
{
	(void)ret;
	return install_filter(0, why);
}

static int probe_listener(struct host_finding *ret, struct error *why)
{
	int r = install_filter(1, why);

	if (r == -EBUSY)
		snprintf(ret->fix, sizeof(ret->fix),
			 "start Cupel outside of the sandbox whose filter already listens");
	return r;
}

static int probe_no_new_privs(struct host_finding *ret, struct error *why)
{
	(void)ret;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return failed(why, "prctl");
	return 0;
}

/* ---- plain system calls ---- */

static int probe_clone3(struct host_finding *ret, struct error *why)
{
	int pidfd = -1;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	(void)ret;
	if (pid < 0)
		return failed(why, "clone3");
	if (pid == 0)
		_exit(0);
	if (waitid(P_PIDFD, (id_t)pidfd, NULL, WEXITED) < 0)
		return failed(why, "waitid");
	return 0;
}

static int probe_pidfd(struct host_finding *ret, struct error *why)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)ret;
	if (fd < 0)
		return failed(why, "pidfd_open");
	return syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 ?
		       failed(why, "pidfd_send_signal") : 0;
}

static int probe_close_range(struct host_finding *ret, struct error *why)
{
	(void)ret;
	return close_range(INT_MAX, ~0U, 0) < 0 ? failed(why, "close_range") : 0;
}

static int probe_openat2(struct host_finding *ret, struct error *why)
{
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/", O_PATH, 0, PATH_HOST, why);

	(void)ret;
	return fd < 0 ? fd : 0;
}

/* ---- limits ---- */

/* cgroup_create() ends its sentence with the way out. */
static int probe_cgroup(struct host_finding *ret, struct error *why)
{
	struct limits limits = { .memory_bytes = 64U << 20, .pids = 64 };
	struct cgroup group;
	int r = cgroup_create(&group, &limits, false, why);

	if (r == 0) {
		snprintf(ret->found, sizeof(ret->found), "%s",
			 cgroup_layout_name(group.layout));
		return cgroup_remove(&group, why);
	}
	char *way_out = strrchr(why->text, ';');

	if (way_out) {
		snprintf(ret->fix, sizeof(ret->fix), "%s", way_out + 2);
		*way_out = '\0';
	}
	return r;
}

#define SECURITY_OPTION "start the container with --security-opt "

const struct host_row host_rows[] = {
	{ "kernel", 0, HOST_WEAKER, false, probe_kernel,
	  "Cupel is tested from Linux 6.1 on", "boot Linux 6.1 or newer", NULL },
	{ "user namespaces", 0, HOST_MISSING, false, probe_userns,
	  "nobody inside is root outside",
	  "start Cupel outside of the chroot or security profile that refuses",
	  SECURITY_OPTION "seccomp=unconfined" },
	{ "other namespaces", NEW_USER, HOST_MISSING, false, probe_namespaces,
	  "own files, processes, network, host name, groups",
	  "boot a kernel with CONFIG_NAMESPACES=y", SECURITY_OPTION "seccomp=unconfined" },
	{ "time namespace", NEW_USER, HOST_MISSING, false, probe_time,
	  "the host's uptime stays untold",
	  "boot Linux 5.6 or newer with CONFIG_TIME_NS=y", SECURITY_OPTION "seccomp=unconfined" },
	{ "mounts by descriptor", NEW_MOUNTS, HOST_MISSING, false, probe_mounts,
	  "built apart and attached when ready; map ids",
	  "boot Linux 5.12 or newer", SECURITY_OPTION "apparmor=unconfined" },
	{ "fresh /proc", NEW_MOUNTS | CLONE_NEWPID, HOST_MISSING, false, probe_proc,
	  "only its own processes are to be seen",
	  "umount what covers parts of /proc", SECURITY_OPTION "systempaths=unconfined" },
	{ "fresh terminals", NEW_MOUNTS, HOST_MISSING, false, probe_terminals,
	  "terminals of its own, none of the caller's",
	  "boot a kernel with CONFIG_UNIX98_PTYS=y", SECURITY_OPTION "apparmor=unconfined" },
	{ "overlay", NEW_MOUNTS, HOST_WEAKER, false, probe_overlay,
	  "changes kept apart: --workspace DIR:overlay",
	  "sudo modprobe overlay", SECURITY_OPTION "apparmor=unconfined" },
	{ "mapped ids here", 0, HOST_WEAKER, true, probe_idmap,
	  "files of a workspace keep their owner",
	  "keep workspaces on ext4, xfs, btrfs or tmpfs",
	  "start the container with --cap-add SYS_ADMIN" },
	{ "landlock", 0, HOST_MISSING, false, probe_landlock,
	  "the second wall, under the mounts",
	  "boot Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK=y",
	  SECURITY_OPTION "seccomp=unconfined" },
	{ "system-call filter", 0, HOST_MISSING, false, probe_filter,
	  "calls the policy does not list are refused",
	  "boot a kernel with CONFIG_SECCOMP_FILTER=y", NULL },
	{ "filter that tells", 0, HOST_MISSING, false, probe_listener,
	  "refused calls are named in the verdict",
	  "boot Linux 5.19 or newer", NULL },
	{ "no_new_privs", 0, HOST_MISSING, false, probe_no_new_privs,
	  "no program inside can gain a right", "boot Linux 3.5 or newer", NULL },
	{ "cgroup", 0, HOST_WEAKER, false, probe_cgroup,
	  "the kernel, not Cupel, keeps the limits of a run",
	  "start it by 'systemd-run --user --scope', or as root", NULL },
	{ "clone3", 0, HOST_MISSING, false, probe_clone3,
	  "a run starts in its namespaces and group at once",
	  "boot Linux 5.7 or newer", SECURITY_OPTION "seccomp=unconfined" },
	{ "pidfd", 0, HOST_MISSING, false, probe_pidfd,
	  "no signal meets the wrong process",
	  "boot Linux 5.4 or newer", SECURITY_OPTION "seccomp=unconfined" },
	{ "close_range", 0, HOST_MISSING, false, probe_close_range,
	  "no descriptor of the caller is inherited",
	  "boot Linux 5.9 or newer", SECURITY_OPTION "seccomp=unconfined" },
	{ "openat2", 0, HOST_MISSING, false, probe_openat2,
	  "no link in a workspace leads Cupel out of it",
	  "boot Linux 5.6 or newer", SECURITY_OPTION "seccomp=unconfined" },
};

const size_t host_row_count = COUNT(host_rows);
