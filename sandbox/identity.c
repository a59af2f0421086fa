#include "sandbox/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define LOCKED_BITS                                                           \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |      \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |            \
	 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static int write_map(pid_t pid, const char *file, unsigned inside,
		     unsigned outside, struct error *why)
{
	char path[64], line[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	else
		snprintf(path, sizeof(path), "/proc/thread-self/%s", file);
	snprintf(line, sizeof(line), "%u %u 1\n", inside, outside);
	/* /proc/thread-self is a plain link, not a magic one. */
	return path_write(PATH_ABSOLUTE, path, line, why);
}

int identity_map(pid_t pid, uid_t host_uid, gid_t host_gid, struct error *why)
{
	if (!pid) {
		int r = path_write(PATH_ABSOLUTE, "/proc/thread-self/setgroups",
				   "deny", why);

		if (r < 0)
			return r;
	}
	int r = write_map(pid, "uid_map", IDENTITY_UID, host_uid, why);

	return r < 0 ? r : write_map(pid, "gid_map", IDENTITY_GID, host_gid, why);
}

/* The ids of an owner on disk, and those which they are seen as. */
struct mapping {
	uid_t owner_uid, host_uid;
	gid_t owner_gid, host_gid;
};

static int make_mount_namespace(const struct mapping *mapping, struct error *why)
{
	struct clone_args arguments = {
		.flags = CLONE_NEWUSER,
		.exit_signal = SIGCHLD,
	};
	int fd = -1;
	pid_t parent = getpid();
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid < 0)
		return error_set(why, -errno, "clone3: %s", strerror(errno));
	if (pid == 0) {
		/* Only the namespace is wanted; its keeper must not outlive us. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)	/* it died before the call */
			_exit(0);
		for (;;)
			pause();
	}
	int r = write_map(pid, "uid_map", mapping->owner_uid, mapping->host_uid, why);

	if (r == 0)
		r = write_map(pid, "gid_map", mapping->owner_gid, mapping->host_gid, why);
	if (r == 0)
		r = fd = path_open_user_namespace(pid, why);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r < 0 ? r : fd;
}

/*
 * To make one takes a process, a tenth of a launch: a supervisor, whose workers
 * have the same few ids again and again, finds it where it left it.
 */
int identity_mount_namespace(uid_t owner_uid, gid_t owner_gid, uid_t host_uid,
			     gid_t host_gid, struct error *why)
{
	static struct {
		struct mapping mapping;
		int fd;		/* 0: none */
	} kept[16], *place;
	const struct mapping wanted = { owner_uid, host_uid, owner_gid, host_gid };

	place = &kept[host_uid % COUNT(kept)];
	if (place->fd > 0 && memcmp(&place->mapping, &wanted, sizeof(wanted)) == 0)
		return place->fd;
	int fd = make_mount_namespace(&wanted, why);

	if (fd < 0)
		return fd;
	if (place->fd > 0)
		close(place->fd);
	place->mapping = wanted;
	return place->fd = fd;
}

/* Raw calls: glibc's would signal the threads of a process it thinks it is. */
int identity_assume(struct error *why)
{
	/* Without privilege over the host setgroups(2) is denied by design. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return error_set(why, -errno, "setgroups: %s", strerror(errno));
	if (syscall(SYS_setresgid, IDENTITY_GID, IDENTITY_GID, IDENTITY_GID) < 0)
		return error_set(why, -errno, "setresgid: %s", strerror(errno));
	if (syscall(SYS_setresuid, IDENTITY_UID, IDENTITY_UID, IDENTITY_UID) < 0)
		return error_set(why, -errno, "setresuid: %s", strerror(errno));
	return 0;
}

int identity_renounce(struct error *why)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set(why, -errno, "clear ambient: %s", strerror(errno));
	if (syscall(SYS_capset, &header, none) < 0)
		return error_set(why, -errno, "capset: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(why, -errno, "no_new_privs: %s", strerror(errno));
	return 0;
}

int identity_drop(struct error *why)
{
	/* EINVAL: past the last capability this kernel knows. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (errno != EINVAL)
		return error_set(why, -errno, "drop the bounding set: %s",
				 strerror(errno));
	if (prctl(PR_SET_SECUREBITS, LOCKED_BITS, 0, 0, 0) < 0)
		return error_set(why, -errno, "lock securebits: %s", strerror(errno));
	return identity_renounce(why);
}
