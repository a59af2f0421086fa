/* Attempts that namespaces and mounts refuse of themselves, so that only tier
 * landlock, which has neither, has to be asked: what Landlock does not see. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/containment/probe.h"

static pid_t canary(void)
{
	return (pid_t)number_of(getenv("CANARY_PID"));
}

static const char *path(const struct attempt *t)
{
	static char buffer[64];

	return path_of(t, buffer, sizeof(buffer));
}

static int shown_file(const struct attempt *t)
{
	return open(path(t), O_RDONLY | O_CLOEXEC);
}

/* ---- what a file is, apart from its bytes ---- */

static int try_mode(const struct attempt *t)
{
	return result(chmod(path(t), 0666));
}

static int try_mode_by_descriptor(const struct attempt *t)
{
	int fd = shown_file(t);

	return result(fd < 0 ? fd : fchmod(fd, 0666));
}

static int try_mode_by_place(const struct attempt *t)
{
	int fd = open(path(t), O_PATH | O_CLOEXEC);

	/* fchmodat2, that no C library of Debian 12 has */
	return result(fd < 0 ? fd : syscall(452, fd, "", 0666, AT_EMPTY_PATH));
}

static int try_owner(const struct attempt *t)
{
	return result(chown(path(t), (uid_t)-1, getgid()));
}

static int try_time(const struct attempt *t)
{
	return result(utimensat(AT_FDCWD, path(t), NULL, 0));
}

static int try_time_by_descriptor(const struct attempt *t)
{
	int fd = shown_file(t);

	return result(fd < 0 ? fd : futimens(fd, NULL));
}

static int try_attribute(const struct attempt *t)
{
	return result(setxattr(path(t), "user.probe", "x", 1, 0));
}

static int try_flags(const struct attempt *t)
{
	int fd = shown_file(t), flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return errno;
	return result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* ---- other ways to a file ---- */

static int try_truncate(const struct attempt *t)
{
	return result(truncate(path(t), (off_t)t->a));
}

static int try_link(const struct attempt *t)
{
	char name[64];

	snprintf(name, sizeof(name), "probe-link-%d", getpid());
	long r = link(path(t), name);
	int saved = errno;

	unlink(name);
	errno = saved;
	return result(r);
}

static int try_rename(const struct attempt *t)
{
	return result(rename(path(t), path(t)));
}

static int try_list(const struct attempt *t)
{
	return result(open(t->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_watch(const struct attempt *t)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return result(fd < 0 ? fd : inotify_add_watch(fd, path(t), IN_OPEN));
}

/* ---- other processes, and what they share ---- */

static int try_command_line(const struct attempt *t)
{
	char name[64];

	(void)t;
	snprintf(name, sizeof(name), "/proc/%d/cmdline", canary());
	return result(open(name, O_RDONLY | O_CLOEXEC));
}

static int try_priority(const struct attempt *t)
{
	(void)t;
	return result(setpriority(PRIO_PROCESS, (id_t)canary(), 19));
}

static int try_processors(const struct attempt *t)
{
	cpu_set_t set;

	(void)t;
	if (sched_getaffinity(canary(), sizeof(set), &set) < 0)
		return errno;
	return result(sched_setaffinity(canary(), sizeof(set), &set));
}

static int try_group(const struct attempt *t)
{
	return result(kill(-getpgid(canary()), (int)t->a));
}

static int try_segment(const struct attempt *t)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	(void)t;
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return result(id);
}

static int try_queue(const struct attempt *t)
{
	long fd = syscall(SYS_mq_open, t->text, O_CREAT | O_RDWR, 0600, NULL);
	int saved = errno;

	syscall(SYS_mq_unlink, t->text);
	errno = saved;
	return result(fd);
}

static int try_pair(const struct attempt *t)
{
	int ends[2];

	return result(socketpair(AF_UNIX, (int)t->a, 0, ends));
}

static int try_socket(const struct attempt *t)
{
	return result(socket((int)t->a, (int)t->b, 0));
}

#define REFUSED "EPERM|EACCES"
#define LISTS "strict|tool|build|test|net"
#define NO_NETWORK "strict|tool|build|test|compute"

static const struct attempt rows[] = {
	{ "change the mode of the user's file", try_mode, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "change the mode of a file that may be read", try_mode_by_descriptor, "$CANARY_SHOWN", 0, 0, 0, REFUSED, "ok", NULL },
	{ "change a mode through a mere place", try_mode_by_place, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "change the owner of the user's file", try_owner, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "date the user's file", try_time, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "date a file that may be read", try_time_by_descriptor, "$CANARY_SHOWN", 0, 0, 0, REFUSED, "ok", NULL },
	{ "mark the user's file", try_attribute, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok|EOPNOTSUPP", NULL },
	{ "flag a file that may be read", try_flags, "$CANARY_SHOWN", 0, 0, 0, REFUSED, "ok|ENOTTY|EOPNOTSUPP", NULL },
	{ "truncate the user's file", try_truncate, "$CANARY_FILE", 10, 0, 0, REFUSED, "ok", NULL },
	{ "write a file that may be read", try_truncate, "$CANARY_SHOWN", 10, 0, 0, REFUSED, "ok", NULL },
	{ "link the user's file", try_link, "$CANARY_FILE", 0, 0, 0, REFUSED "|EXDEV", "ok", NULL },
	{ "rename the user's file", try_rename, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "list the root", try_list, "/", 0, 0, 0, REFUSED, "ok", NULL },
	{ "list /tmp", try_list, "/tmp", 0, 0, 0, REFUSED, "ok", NULL },
	{ "list processes", try_list, "/proc", 0, 0, 0, REFUSED, "ok", NULL },
	{ "list /dev/shm", try_list, "/dev/shm", 0, 0, 0, REFUSED, "ok", NULL },
	{ "watch the user's file", try_watch, "$CANARY_FILE", 0, 0, 0, REFUSED, "ok", NULL },
	{ "read another's command line", try_command_line, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "renice another", try_priority, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "move another to other processors", try_processors, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "signal another's group", try_group, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "make a System V segment", try_segment, NULL, 0, 0, 0, REFUSED, "ok", NULL },
	{ "make a message queue", try_queue, "probe-queue", 0, 0, 0, REFUSED, "ok", NULL },
	{ "a pair that can send elsewhere", try_pair, NULL, SOCK_DGRAM, 0, 0, REFUSED, "ok", NULL },
	{ "a raw pair, which is the same", try_pair, NULL, SOCK_RAW | SOCK_CLOEXEC, 0, 0, REFUSED, "ok", NULL },
	{ "a Unix socket", try_socket, NULL, AF_UNIX, SOCK_STREAM, 0, REFUSED, "ok", NULL },
	{ "a TCP socket", try_socket, NULL, AF_INET, SOCK_STREAM, 0, REFUSED, "ok", NO_NETWORK },
	{ "a UDP socket", try_socket, NULL, AF_INET6, SOCK_DGRAM, 0, REFUSED, "ok|EAFNOSUPPORT", NO_NETWORK },
};

const struct attempt_table bare_attempts = { rows, COUNT(rows) };
