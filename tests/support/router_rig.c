#include "tests/support/router_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/core/retry.h"

#define BUFFER_BYTES 266240
#define WAIT_MS 10000
#define LINK_ABOVE 16	/* descriptors are gathered above those we assign */

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- peers ---- */

static struct buffer new_buffer(void)
{
	uint8_t *data = malloc(BUFFER_BYTES);

	must(data != NULL, "memory");
	return (struct buffer){ .data = data, .capacity = BUFFER_BYTES };
}

static void begin_peer(struct router_rig_peer *peer, int fd, enum link_direction sends)
{
	channel_init(&peer->channel, fd, sends, new_buffer(), new_buffer());
}

void router_rig_peer_end(struct router_rig_peer *peer)
{
	channel_release(&peer->channel);
	free(peer->channel.in.data);
	free(peer->channel.out.data);
}

void router_rig_send(struct router_rig_peer *peer, const struct message *message)
{
	struct credit call = { SIZE_MAX / 2, SIZE_MAX / 2 };
	struct error why = { 0 };
	int r = channel_send(&peer->channel, message, &call, &why);

	if (r < 0)
		printf("# %s: %s\n", message_kind_name(message->kind), why.text);
	must(r == 0, "send");
}

bool router_rig_take(struct router_rig_peer *peer, struct message *ret)
{
	int r = channel_receive(&peer->channel, ret);

	if (r == -EAGAIN)
		return false;
	if (r < 0)
		printf("# %s\n", peer->channel.why.text);
	must(r == 0, "receive");
	if (ret->body.length > 0)
		channel_consume(&peer->channel, ret->body.length);
	return true;
}

static void wait_peer(struct router_rig_peer *peer)
{
	struct pollfd poll_fd = { .fd = peer->channel.fd, .events = POLLIN };

	channel_flush(&peer->channel);
	if (channel_events(&peer->channel) & POLLOUT)
		poll_fd.events |= POLLOUT;
	must(poll(&poll_fd, 1, WAIT_MS) == 1, "an answer within 10 s");
}

void router_rig_wait(struct router_rig_peer *peer, uint64_t call_id, struct message *ret)
{
	for (;;) {
		while (router_rig_take(peer, ret)) {
			if (ret->call_id == call_id &&
			    ret->kind != MESSAGE_ACCEPT)
				return;
		}
		wait_peer(peer);
	}
}

static void wait_kind(struct router_rig_peer *peer, unsigned kind)
{
	struct message message = { 0 };

	while (message.kind != kind)
		router_rig_wait(peer, 0, &message);
}

static void say_hello(struct router_rig_peer *peer)
{
	router_rig_send(peer, &(struct message){ .kind = MESSAGE_HELLO, .hello = {
		.major = MESSAGE_MAJOR, .minor_most = MESSAGE_MINOR,
		.name = message_text_of("rig"),
		.build = message_text_of("0") } });
	wait_kind(peer, MESSAGE_WELCOME);
}

/* ---- a worker: another process ---- */

static void work(void)
{
	const struct timespec time = { .tv_nsec = ROUTER_RIG_WORK_NS };

	nanosleep(&time, NULL);
}

static void serve(struct router_rig_peer *peer, const struct message *call,
		  uint32_t generation)
{
	struct message_text tool = call->call.tool;

	router_rig_send(peer, &(struct message){ .kind = MESSAGE_ACCEPT,
		.call_id = call->call_id, .generation = generation });
	if (memcmp(tool.data, ROUTER_RIG_HANG, 4) == 0)
		return;
	if (memcmp(tool.data, ROUTER_RIG_WORK, 4) == 0)
		work();
	router_rig_send(peer, &(struct message){ .kind = MESSAGE_RESULT,
		.call_id = call->call_id, .generation = generation,
		.result = { .origin = ORIGIN_WORKER, .attempts = 1 },
		.body = memcmp(tool.data, ROUTER_RIG_STORE, 4) == 0 ?
			(struct span){ 0 } : call->body });
}

static void be_worker(int fd, unsigned calls_max)
{
	struct router_rig_peer peer;
	struct message message = { 0 };
	uint32_t generation;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1UL);
	begin_peer(&peer, fd, WORKER_TO_ROUTER);
	router_rig_send(&peer, &(struct message){ .kind = MESSAGE_HELLO, .hello = {
		.major = MESSAGE_MAJOR, .minor_most = MESSAGE_MINOR,
		.name = message_text_of("rig"),
		.build = message_text_of("0") } });
	while (message.kind != MESSAGE_WELCOME)
		router_rig_wait(&peer, 0, &message);
	generation = message.generation;
	router_rig_send(&peer, &(struct message){ .kind = MESSAGE_READY,
		.generation = generation, .ready.calls_max = calls_max });
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

		while (channel_receive(&peer.channel, &message) == 0) {
			if (message.kind == MESSAGE_CALL)
				serve(&peer, &message, generation);
			if (message.body.length > 0)
				channel_consume(&peer.channel,
						message.body.length);
		}
		if (peer.channel.receive_error ||
		    channel_flush(&peer.channel) == -EPIPE)
			_exit(0);
		poll(&poll_fd, 1, -1);
	}
}

static pid_t fork_worker(int *ret_fd, unsigned calls_max)
{
	int ends[2];
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
	     "socketpair");
	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		close(ends[0]);
		be_worker(ends[1], calls_max);
	}
	close(ends[1]);
	*ret_fd = ends[0];
	return pid;
}

pid_t router_rig_direct(struct router_rig_peer *peer, unsigned calls_max)
{
	int fd;
	pid_t pid = fork_worker(&fd, calls_max);

	begin_peer(peer, fd, ROUTER_TO_WORKER);
	wait_kind(peer, MESSAGE_HELLO);
	router_rig_send(peer, &(struct message){ .kind = MESSAGE_WELCOME,
		.generation = 1, .welcome.catalog = 1 });
	wait_kind(peer, MESSAGE_READY);
	return pid;
}

/* ---- the catalogue ---- */

void router_rig_add_pool(struct catalog *catalog, const char *name, unsigned size,
		  unsigned calls_max)
{
	struct catalog_pool *pool = &catalog->pools[catalog->pool_count++];

	*pool = (struct catalog_pool){
		.program = "/nowhere", .policy = "tool", .kind = POOL_STATIC,
		.size = size, .warm = size, .calls_max = calls_max,
		.client_role = ROLE_COUNT, .start_ns = NS_PER_S };
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	catalog->magic = CATALOG_MAGIC;
	catalog->generation = 1;
	catalog->text_bytes = 1;
}

void router_rig_add_tool(struct catalog *catalog, const char *name, uint32_t pool,
		  unsigned queue)
{
	struct catalog_tool *tool = &catalog->tools[catalog->tool_count++];

	*tool = (struct catalog_tool){
		.pool = pool, .class = TOOL_EFFECTFUL, .roles = (1U << ROLE_COUNT) - 1,
		.queue = queue, .deadline_ns = 10 * NS_PER_S,
		.deadline_max_ns = 60 * NS_PER_S, .slow_ns = 10 * NS_PER_S,
		.output_bytes = 1U << 20 };
	snprintf(tool->name, sizeof(tool->name), "%s", name);
}

static int seal(const struct catalog *catalog)
{
	size_t bytes = sizeof(*catalog) + catalog->text_bytes;
	int fd = memfd_create("catalog", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
	     pwrite(fd, catalog, sizeof(*catalog), 0) == sizeof(*catalog) &&
	     fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
		   F_SEAL_SEAL) == 0, "catalogue");
	return fd;
}

/* ---- the router ---- */

static struct sockaddr_un address_of(const struct router_rig *rig)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig->path);
	return address;
}

static int listen_at(struct router_rig *rig)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	snprintf(rig->path, sizeof(rig->path), "/tmp/cupel-rig-%d", getpid());
	unlink(rig->path);
	address = address_of(rig);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address,
			     sizeof(address)) == 0 && listen(fd, 64) == 0,
	     "listen");
	return fd;
}

static void become_router(const int fds[ROUTER_DESCRIPTORS_END])
{
	const char *directory = getenv("CUPEL_BIN");
	char path[4096];
	int high[ROUTER_DESCRIPTORS_END];

	snprintf(path, sizeof(path), "%s/cupel-router",
		 directory ? directory : "build/bin");
	for (int i = ROUTER_CONTROL_FD; i < ROUTER_DESCRIPTORS_END; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, LINK_ABOVE);
	for (int i = ROUTER_CONTROL_FD; i < ROUTER_DESCRIPTORS_END; i++)
		dup2(high[i], i);
	if (!getenv("ROUTER_RIG_LOG"))
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	execl(path, "cupel-router", (char *)NULL);
	perror(path);
	_exit(127);
}

void router_rig_start(struct router_rig *rig, const struct catalog *catalog)
{
	int pair[2], fds[ROUTER_DESCRIPTORS_END];

	*rig = (struct router_rig){ .control = -1 };
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0,
	     "socketpair");
	fds[ROUTER_CONTROL_FD] = pair[1];
	fds[ROUTER_LISTEN_FD] = listen_at(rig);
	fds[ROUTER_CATALOG_FD] = seal(catalog);
	fds[ROUTER_EFFECTS_FD] = memfd_create("effects", MFD_CLOEXEC);
	fds[ROUTER_LOCK_FD] = memfd_create("lock", MFD_CLOEXEC);
	fds[ROUTER_LEGACY_FD] = memfd_create("legacy", MFD_CLOEXEC);
	fds[ROUTER_BREAKERS_FD] = memfd_create("breakers", MFD_CLOEXEC);
	must(ftruncate(fds[ROUTER_LEGACY_FD], ROUTER_LEGACY_BYTES) == 0, "legacy");
	fflush(stdout);
	rig->router = fork();
	must(rig->router >= 0, "fork");
	if (rig->router == 0)
		become_router(fds);
	for (int i = ROUTER_CONTROL_FD; i < ROUTER_DESCRIPTORS_END; i++)
		close(fds[i]);
	rig->control = pair[0];
	must(send(rig->control, &(struct control){ .kind = CONTROL_ALL_UP },
		  sizeof(struct control), 0) == sizeof(struct control), "all up");
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void router_rig_stop(struct router_rig *rig)
{
	end_process(rig->router);
	for (int i = 0; i < ROUTER_RIG_SLOTS; i++) {
		if (rig->slots[i].pid > 0) {
			end_process(rig->slots[i].pid);
			close(rig->slots[i].pidfd);
		}
	}
	close(rig->control);
	unlink(rig->path);
}

void router_rig_control(struct router_rig *rig, const struct control *record, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} space = { 0 };
	struct iovec piece = { (void *)(uintptr_t)record, sizeof(*record) };
	struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
	struct cmsghdr *part;

	if (fd >= 0) {
		header.msg_control = space.bytes;
		header.msg_controllen = sizeof(space.bytes);
		part = CMSG_FIRSTHDR(&header);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	}
	must(sendmsg(rig->control, &header, MSG_NOSIGNAL) == sizeof(*record),
	     "the router takes a record");
}

void router_rig_drain_control(struct router_rig *rig)
{
	struct control record;

	while (recv(rig->control, &record, sizeof(record), MSG_DONTWAIT) > 0)
		;
}

void router_rig_worker_up(struct router_rig *rig, uint32_t slot, uint16_t pool,
		   unsigned calls_max)
{
	struct router_rig_slot *row = &rig->slots[slot];
	int fd;

	row->pid = fork_worker(&fd, calls_max);
	row->pidfd = (int)syscall(SYS_pidfd_open, row->pid, 0);
	must(row->pidfd >= 0, "pidfd_open");
	row->generation++;
	row->pool = pool;
	router_rig_control(rig, &(struct control){ .kind = CONTROL_SLOT_UP,
		.slot = slot, .generation = row->generation, .pool = pool,
		.argument = rig->spawned_ago_ns ?
			(uint64_t)(clock_now_ns() - rig->spawned_ago_ns) : 0 }, fd);
	close(fd);
	router_rig_drain_control(rig);
}

void router_rig_worker_down(struct router_rig *rig, uint32_t slot)
{
	struct router_rig_slot *row = &rig->slots[slot];
	siginfo_t info;

	must(waitid(P_PIDFD, (id_t)row->pidfd, &info, WEXITED) == 0, "waitid");
	router_rig_control(rig, &(struct control){ .kind = CONTROL_SLOT_DOWN,
		.slot = slot, .generation = row->generation, .pool = row->pool,
		.detail = SLOT_END_SIGNAL,
		.argument = (uint64_t)info.si_status }, -1);
	close(row->pidfd);
	row->pid = 0;
}

/* ---- clients ---- */

void router_rig_connect(struct router_rig *rig, struct router_rig_peer *peer)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = address_of(rig);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&address,
				sizeof(address)) == 0, "connect");
	begin_peer(peer, fd, CLIENT_TO_ROUTER);
	say_hello(peer);
}

size_t router_rig_own(struct router_rig_peer *peer, uint64_t call_id, const char *method,
	       const char *argument, char *text, size_t capacity)
{
	struct message message = { 0 };
	size_t length = 0;

	router_rig_send(peer, &(struct message){ .kind = MESSAGE_CALL,
		.call_id = call_id, .deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(method), .attempt = 1,
			  .priority = 1 },
		.body = { (const uint8_t *)argument, strlen(argument) } });
	while (message.kind != MESSAGE_RESULT) {
		router_rig_wait(peer, call_id, &message);
		if (message.kind != MESSAGE_CHUNK &&
		    message.kind != MESSAGE_RESULT)
			continue;
		must(length + message.body.length < capacity, "room");
		if (message.body.length > 0)
			memcpy(text + length, message.body.data,
			       message.body.length);
		length += message.body.length;
	}
	must(message.result.code == ERROR_OK, method);
	text[length] = '\0';
	return length;
}
