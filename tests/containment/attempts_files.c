/* Attempts on files: the host's, the kernel's in /proc, /dev and /sys, and
 * what a command could leave behind for others to run. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/containment/probe.h"

static int try_open(const struct attempt *t)
{
	char buffer[64];

	return result(open(path_of(t, buffer, sizeof(buffer)),
			   (int)t->a | O_CLOEXEC, 0600));
}

/* The same file, from the working directory upwards. */
static int try_climb(const struct attempt *t)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", "../../../../../../../../../..",
		 getenv(t->text) ? getenv(t->text) : "");
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

/* Where files may be made: below $TMPDIR or /tmp. */
static const char *scratch(const char *name)
{
	static char path[4096];
	const char *directory = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/%s", directory ? directory : "/tmp", name);
	return path;
}

/* A name without '/' is one in the scratch directory. */
static int try_create(const struct attempt *t)
{
	const char *path = t->text[0] == '/' ? t->text : scratch(t->text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, (mode_t)t->a);

	if (fd >= 0)
		unlink(path);
	return result(fd);
}

/* A temporary file's descriptor; its name is gone already. */
static int nameless_file(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", scratch("probe-XXXXXX"));
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

static int try_set_mode(const struct attempt *t)
{
	int fd = nameless_file();

	return result(fd < 0 ? fd : fchmod(fd, (mode_t)t->a));
}

static int try_special_directory(const struct attempt *t)
{
	const char *path = scratch("probe-directory");
	long r = mkdir(path, (mode_t)t->a);
	int saved = errno;

	rmdir(path);
	errno = saved;
	return result(r);
}

static int try_mknod(const struct attempt *t)
{
	const char *path = scratch("probe-node");
	long r = mknod(path, (mode_t)t->a | 0600, (dev_t)t->b);
	int saved = errno;

	unlink(path);
	errno = saved;
	return result(r);
}

static int try_capability_file(const struct attempt *t)
{
	static const unsigned char rights[20] = { 1, 0, 0, 2, 0xff };
	int fd = nameless_file();

	(void)t;
	return result(fd < 0 ? fd : fsetxattr(fd, "security.capability", rights,
					      sizeof(rights), 0));
}

static int writable_files;

static int count_writable(const char *path, const struct stat *status, int type,
			  struct FTW *where)
{
	(void)where;
	if (type == FTW_F && S_ISREG(status->st_mode)) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd >= 0) {
			writable_files++;
			close(fd);
		}
	}
	return 0;
}

static int try_writable_below(const struct attempt *t)
{
	nftw(t->text, count_writable, 16, FTW_PHYS);
	return writable_files > 0 ? 0 : EACCES;
}

static int try_descriptors(const struct attempt *t)
{
	(void)t;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 0;	/* one was inherited */
	return EBADF;
}

static int try_variable(const struct attempt *t)
{
	return getenv(t->text) ? 0 : ENOENT;
}

/* ENOENT unless /proc/self/status has that text: "Seccomp:\t2". */
static int try_status(const struct attempt *t)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	/* Tier landlock shows the command its own alone, not its children's. */
	if (fd < 0 && errno == EACCES) {
		snprintf(text, sizeof(text), "/proc/%d/status", getppid());
		fd = open(text, O_RDONLY | O_CLOEXEC);
	}
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length < 0)
		return errno;
	text[length] = '\0';
	return strstr(text, t->text) ? 0 : ENOENT;
}

/* Who is not root outside cannot show that it would be found. */
static int try_be_root(const struct attempt *t)
{
	return unconfined && geteuid() != 0 ? EPERM : try_status(t);
}

static int try_limit(const struct attempt *t)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)t->a, &now) < 0)
		return errno;
	now.rlim_max++;
	if (now.rlim_max == 0)	/* it was unlimited */
		return 0;
	return result(setrlimit((__rlimit_resource_t)t->a, &now));
}

#define READ_ONLY "EROFS|EACCES|ENOENT|EPERM"
#define HOST_MAY_LACK "ok|ENOENT"

static const struct attempt rows[] = {
	{ "read a host file", try_open, "$CANARY_FILE", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "write a host file", try_open, "$CANARY_FILE", O_WRONLY, 0, 0, ABSENT, "ok", NULL },
	{ "climb to a host file", try_climb, "CANARY_FILE", 0, 0, 0, ABSENT, "ok", NULL },
	{ "read the shadow file", try_open, "/etc/shadow", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "list a home", try_open, "/root", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "write to /usr", try_create, "/usr/cupel-probe", 0600, 0, 0, READ_ONLY, "ok", NULL },
	{ "write to /etc", try_create, "/etc/cupel-probe", 0600, 0, 0, READ_ONLY, "ok", NULL },
	{ "write to the root", try_create, "/cupel-probe", 0600, 0, 0, READ_ONLY, "ok", NULL },
	{ "write to /dev", try_create, "/dev/cupel-probe", 0600, 0, 0, READ_ONLY, "ok", NULL },

	{ "write core_pattern", try_open, "/proc/sys/kernel/core_pattern", O_WRONLY, 0, 0, READ_ONLY, "ok", NULL },
	{ "write modprobe's path", try_open, "/proc/sys/kernel/modprobe", O_WRONLY, 0, 0, READ_ONLY, HOST_MAY_LACK, NULL },
	{ "write any sysctl", try_writable_below, "/proc/sys", 0, 0, 0, "EACCES", "ok", NULL },
	{ "write uevent_helper", try_open, "/sys/kernel/uevent_helper", O_WRONLY, 0, 0, READ_ONLY, HOST_MAY_LACK, NULL },
	{ "register a binary format", try_open, "/proc/sys/fs/binfmt_misc/register", O_WRONLY, 0, 0, READ_ONLY, HOST_MAY_LACK, NULL },
	{ "write sysrq-trigger", try_open, "/proc/sysrq-trigger", O_WRONLY, 0, 0, READ_ONLY, HOST_MAY_LACK, NULL },
	{ "read kcore", try_open, "/proc/kcore", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "read keys", try_open, "/proc/keys", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "read kallsyms", try_open, "/proc/kallsyms", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "read timer_list", try_open, "/proc/timer_list", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "read kmsg", try_open, "/proc/kmsg", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "open init's program", try_open, "/proc/1/exe", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "overwrite init's program", try_open, "/proc/1/exe", O_WRONLY, 0, 0, ABSENT "|EROFS|ETXTBSY", "ok|ETXTBSY", NULL },
	{ "read init's environment", try_open, "/proc/1/environ", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "open init's memory", try_open, "/proc/1/mem", O_RDWR, 0, 0, ABSENT "|EROFS", "ok", NULL },
	{ "enter init's root", try_open, "/proc/1/root/", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "enter init's directory", try_open, "/proc/1/cwd/", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "list init's descriptors", try_open, "/proc/1/fd", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "change init's oom score", try_open, "/proc/1/oom_score_adj", O_WRONLY, 0, 0, READ_ONLY, "ok", NULL },

	{ "open the kernel log", try_open, "/dev/kmsg", O_RDONLY, 0, 0, ABSENT, HOST_MAY_LACK, NULL },
	{ "open /dev/mem", try_open, "/dev/mem", O_RDONLY, 0, 0, ABSENT, "ok|ENOENT|EPERM", NULL },
	{ "open /dev/kvm", try_open, "/dev/kvm", O_RDWR, 0, 0, ABSENT, "ok|ENOENT|ENXIO|ENODEV|EBUSY", NULL },
	{ "open /dev/vhost-vsock", try_open, "/dev/vhost-vsock", O_RDWR, 0, 0, ABSENT, "ok|ENOENT|ENODEV", NULL },
	{ "open /dev/fuse", try_open, "/dev/fuse", O_RDWR, 0, 0, ABSENT, "ok|ENOENT|ENODEV", NULL },
	{ "see cgroups", try_open, "/sys/fs/cgroup", O_RDONLY, 0, 0, ABSENT, "ok", NULL },
	{ "open the container socket", try_open, "/run/docker.sock", O_PATH, 0, 0, ABSENT, HOST_MAY_LACK, NULL },

	{ "leave a setuid file", try_set_mode, NULL, 04755, 0, 0, "EPERM", "ok", NULL },
	{ "leave a setgid file", try_set_mode, NULL, 02755, 0, 0, "EPERM", "ok", NULL },
	{ "leave a setuid file, high bits set", try_set_mode, NULL, 0x10000 | 04755, 0, 0, "EPERM", "ok", NULL },
	{ "create a setuid file", try_create, "probe-suid", 04755, 0, 0, "EPERM", "ok", NULL },
	{ "make a setgid directory", try_special_directory, NULL, 02755, 0, 0, "EPERM", "ok", NULL },
	{ "leave a file with capabilities", try_capability_file, NULL, 0, 0, 0, "EPERM|EOPNOTSUPP", "ok", NULL },
	{ "make a device node", try_mknod, NULL, S_IFCHR, 0x103, 0, "EPERM|EACCES", "ok", NULL },
	{ "make a block device", try_mknod, NULL, S_IFBLK, 0x700, 0, "EPERM|EACCES", "ok", NULL },

	{ "inherit a descriptor", try_descriptors, NULL, 0, 0, 0, "EBADF", "ok", NULL },
	{ "inherit a secret", try_variable, "CANARY_SECRET", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "inherit LD_LIBRARY_PATH", try_variable, "LD_LIBRARY_PATH", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "inherit GLIBC_TUNABLES", try_variable, "GLIBC_TUNABLES", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "inherit BASH_ENV", try_variable, "BASH_ENV", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "inherit PYTHONPATH", try_variable, "PYTHONPATH", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "inherit NODE_OPTIONS", try_variable, "NODE_OPTIONS", 0, 0, 0, "ENOENT", "ok", NULL },

	{ "run without a filter", try_status, "Seccomp:\t0", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "gain rights by an exec", try_status, "NoNewPrivs:\t0", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "be able to be root", try_be_root, "Uid:\t0", 0, 0, 0, "ENOENT", "ok", NULL },
	{ "raise the limit of descriptors", try_limit, NULL, RLIMIT_NOFILE, 0, 0, "EPERM", "ok", NULL },
	{ "raise the limit of core files", try_limit, NULL, RLIMIT_CORE, 0, 0, "EPERM", "ok", NULL },
	{ "raise the limit of locked memory", try_limit, NULL, RLIMIT_MEMLOCK, 0, 0, "EPERM", "ok", NULL },
};

const struct attempt_table file_attempts = { rows, COUNT(rows) };

/* What must keep working inside, or the refusals would prove little. */
#define COMMANDS "strict|tool|build|test|net"

static const struct attempt allowed[] = {
	{ "may read a program", try_open, "/usr/bin/env", O_RDONLY, 0, 0, "ok", NULL, NULL },
	{ "may write to /tmp", try_create, "/tmp/probe-file", 0644, 0, 0, "ok", NULL, COMMANDS },
	{ "may write where it should", try_create, "probe-file", 0644, 0, 0, "ok", NULL, COMMANDS },
	{ "may change a mode", try_set_mode, NULL, 0700, 0, 0, "ok", NULL, COMMANDS },
	{ "may read /dev/urandom", try_open, "/dev/urandom", O_RDONLY, 0, 0, "ok", NULL, NULL },
	{ "may write to /dev/null", try_open, "/dev/null", O_WRONLY, 0, 0, "ok", NULL, NULL },
	{ "may read its own status", try_open, "/proc/self/status", O_RDONLY, 0, 0, "ok", NULL, NULL },
	{ "may list the root", try_open, "/", O_RDONLY | O_DIRECTORY, 0, 0, "ok", NULL, NULL },
	{ "has a filter", try_status, "Seccomp:\t2", 0, 0, 0, "ok", NULL, NULL },
	{ "has no_new_privs", try_status, "NoNewPrivs:\t1", 0, 0, 0, "ok", NULL, NULL },
	{ "has no inheritable capability", try_status, "CapInh:\t0000000000000000", 0, 0, 0, "ok", NULL, NULL },
	{ "has no permitted capability", try_status, "CapPrm:\t0000000000000000", 0, 0, 0, "ok", NULL, NULL },
	{ "has no effective capability", try_status, "CapEff:\t0000000000000000", 0, 0, 0, "ok", NULL, NULL },
	{ "has no bounding capability", try_status, "CapBnd:\t0000000000000000", 0, 0, 0, "ok", NULL, NULL },
	{ "has no ambient capability", try_status, "CapAmb:\t0000000000000000", 0, 0, 0, "ok", NULL, NULL },
	{ "is user 1000", try_status, "Uid:\t1000\t1000\t1000\t1000", 0, 0, 0, "ok", NULL, NULL },
};

const struct attempt_table allowances = { allowed, COUNT(allowed) };
