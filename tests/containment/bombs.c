/*
 * probe bomb KIND MOST - takes one thing without end, or until it has MOST of
 * it (MiB, or a count), so that a limit that does not hold costs the host no
 * more than that. Exits 1 when it is refused, 3 when it got all it wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/containment/probe.h"

#define MIB (1UL << 20)
#define REFUSED 1
#define SURVIVED 3

static unsigned char block[MIB];

/* Whoever only looks every 50 ms must get a chance to see it. */
static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static int take_process(long index)
{
	pid_t pid = fork();

	(void)index;
	if (pid == 0)
		for (;;)
			pause();
	return pid < 0 ? -1 : 0;
}

static void *wait_for_ever(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static int take_thread(long index)
{
	pthread_attr_t attributes;
	pthread_t thread;

	(void)index;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	errno = pthread_create(&thread, &attributes, wait_for_ever, NULL);
	return errno ? -1 : 0;
}

static int take_anonymous(long index)
{
	void *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	memset(memory, (int)index + 1, MIB);
	rest();
	return 0;
}

/* Written without being mapped: no process' resident set grows. */
static int append(int fd)
{
	rest();
	if (fd < 0)
		return -1;
	for (size_t written = 0; written < MIB;) {
		ssize_t length = write(fd, block, MIB - written);

		if (length < 0)
			return -1;
		written += (size_t)length;
	}
	return 0;
}

static int take_scratch(long index)
{
	static int fd = -1;

	if (index == 0)
		fd = open("/tmp/bomb", O_WRONLY | O_CREAT, 0600);
	return append(fd);
}

static int take_dev_shm(long index)
{
	static int fd = -1;

	if (index == 0)
		fd = open("/dev/shm/bomb", O_WRONLY | O_CREAT, 0600);
	return append(fd);
}

static int take_memfd(long index)
{
	static int fd = -1;

	if (index == 0)
		fd = memfd_create("bomb", 0);
	return append(fd);
}

static int take_shared(long index)
{
	int id = shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600);
	void *memory = id < 0 ? NULL : shmat(id, NULL, 0);

	if (id < 0 || memory == (void *)-1)
		return -1;
	memset(memory, (int)index + 1, MIB);
	rest();
	return 0;
}

static int fill(int fd, size_t most)
{
	size_t filled = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (filled < most) {
		ssize_t written = write(fd, block, 65536);

		if (written <= 0)
			break;
		filled += (size_t)written;
	}
	return 0;
}

static int take_pipe(long index)
{
	int ends[2];

	(void)index;
	if (pipe(ends) < 0)
		return -1;
	fcntl(ends[1], F_SETPIPE_SZ, MIB);
	return fill(ends[1], MIB);
}

static int take_socket(long index)
{
	int ends[2], size = 1 << 20;

	(void)index;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fill(ends[0], MIB);
}

static int take_inode(long index)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/inode-%ld", index);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int take_descriptor(long index)
{
	(void)index;
	return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? -1 : 0;
}

static int take_output(long index)
{
	(void)index;
	return write(1, block, MIB) < 0 ? -1 : 0;
}

/* A tree as deep as may be, climbed into by its working directory. */
static int take_depth(long index)
{
	(void)index;
	return mkdir("d", 0700) < 0 || chdir("d") < 0 ? -1 : 0;
}

/* Short children, so that no single process uses much of a processor. */
static int take_time(long index)
{
	struct timespec spent;
	pid_t pid = fork();

	(void)index;
	if (pid < 0)
		return -1;
	if (pid > 0) {
		int status;

		return waitpid(pid, &status, 0) < 0 ? -1 : 0;
	}
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	while (spent.tv_nsec < 10000000);
	_exit(0);
}

static const struct {
	const char *name;
	int (*take)(long index);
} kinds[] = {
	{ "process", take_process },   { "thread", take_thread },
	{ "anonymous", take_anonymous }, { "scratch", take_scratch },
	{ "dev-shm", take_dev_shm },   { "memfd", take_memfd },
	{ "shared", take_shared },     { "pipe", take_pipe },
	{ "socket", take_socket },     { "inode", take_inode },
	{ "descriptor", take_descriptor }, { "output", take_output },
	{ "depth", take_depth },       { "time", take_time },
};

static int explode(int (*take)(long index), long most)
{
	for (long i = 0; i < most; i++)
		if (take(i) < 0) {
			fprintf(stderr, "refused after %ld: %s\n", i, strerror(errno));
			return REFUSED;
		}
	return SURVIVED;
}

int probe_bomb(int argc, char **argv)
{
	(void)argc;
	memset(block, 'y', sizeof(block));
	signal(SIGTERM, SIG_IGN);	/* only a limit may end it */
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(kinds[i].name, argv[1]) == 0)
			return explode(kinds[i].take, number_of(argv[2]));
	fprintf(stderr, "probe: no bomb '%s'\n", argv[1]);
	return 64;
}
