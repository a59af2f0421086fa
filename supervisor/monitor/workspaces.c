/* Directories that clients hand over; a number lives as long as its client. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/core/fair.h"
#include "common/wire/packet.h"
#include "supervisor/monitor/monitor.h"

#define ASKS_PER_TURN 8
#define ASKS_MAX 32		/* a second, of one user: each may start workers */

/* ---- what one user may have: root and whoever owns the supervisor all ---- */

static bool is_guest(uid_t uid)
{
	return uid != 0 && uid != geteuid();
}

/* False: he has asked often enough, and waits for the next second. */
static bool may_ask(struct monitor *monitor, uid_t uid)
{
	if (!is_guest(uid))
		return true;
	for (unsigned i = 0; i < WORKSPACE_CLIENTS_MAX; i++) {
		struct workspace_asker *asker = &monitor->askers[i];

		if (asker->asks && asker->uid != uid)
			continue;
		asker->uid = uid;
		return asker->asks++ < ASKS_MAX;
	}
	return false;
}

static struct workspace_client *find_seat(struct monitor *monitor, uid_t uid)
{
	struct workspace_client *seat = NULL;
	unsigned mine = 0, left = 0;

	for (unsigned i = WORKSPACE_CLIENTS_MAX; i-- > 0;) {
		struct workspace_client *client = &monitor->clients[i];

		if (client->source.fd < 0) {
			seat = client;
			left++;
		} else {
			mine += client->uid == uid;
		}
	}
	return !is_guest(uid) || fair_allows(mine, left) ? seat : NULL;
}

static struct workspace *find_place(struct monitor *monitor, uid_t uid)
{
	struct workspace *place = NULL;
	unsigned mine = 0, left = 0;

	for (unsigned i = CONTROL_WORKSPACES_MAX; i-- > 0;) {
		struct workspace *workspace = &monitor->workspaces[i];

		if (!workspace->number) {
			place = workspace;
			left++;
		} else {
			mine += monitor->clients[workspace->client].uid == uid;
		}
	}
	return !is_guest(uid) || fair_allows(mine, left) ? place : NULL;
}

/* ---- by their numbers ---- */

struct workspace *workspaces_find(struct monitor *monitor, uint32_t number)
{
	struct workspace *workspace =
		&monitor->workspaces[control_workspace_place(number)];

	return number && workspace->number == number ? workspace : NULL;
}

/* Before its client has the number, so that no call in it comes before that. */
static void tell(struct monitor *monitor, const struct workspace *workspace)
{
	control_tell(monitor, (struct control){
		.kind = CONTROL_WORKSPACE, .workspace = workspace->number,
		.argument = monitor->clients[workspace->client].uid }, -1);
}

void workspaces_tell(struct monitor *monitor)
{
	for (uint32_t i = 0; i < CONTROL_WORKSPACES_MAX; i++)
		if (monitor->workspaces[i].number)
			tell(monitor, &monitor->workspaces[i]);
}

/* Another than any before, until 2^26 of them come round; 0 is left out. */
static uint32_t next_number(struct monitor *monitor, uint32_t place)
{
	uint32_t number;

	do
		number = ++monitor->workspace_turn * CONTROL_WORKSPACES_MAX + place + 1;
	while (number == 0);
	return number;
}

static void release(struct monitor *monitor, struct workspace *workspace)
{
	uint32_t number = workspace->number;

	close(workspace->fd);
	workspace->number = 0;
	monitor_event(monitor, &(struct core_event){ .kind = CORE_WORKSPACE_GONE,
						     .value = number });
}

/* ---- clients ---- */

static void drop_client(struct monitor *monitor, struct workspace_client *client)
{
	uint32_t index = (uint32_t)(client - monitor->clients);

	for (uint32_t i = 0; i < CONTROL_WORKSPACES_MAX; i++)
		if (monitor->workspaces[i].number && monitor->workspaces[i].client == index)
			release(monitor, &monitor->workspaces[i]);
	loop_close(&monitor->loop, &client->source);
}

/*
 * Its owner may use it as it likes, and root any; for others to let it in, the
 * mode would have to, and who is in which group we do not ask.
 */
static int check(int fd, uid_t uid)
{
	struct stat status;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!(flags & O_PATH))
		return -EBADF;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	return uid == 0 || uid == status.st_uid ? 0 : -EACCES;
}

/* The kernel's own name; it is mounted at the same path inside. */
static int read_path(int fd, char ret[PATH_MAX])
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, ret, PATH_MAX - 1);

	if (length < 0)
		return -errno;
	ret[length] = '\0';
	if (ret[0] != '/' || strstr(ret, " (deleted)"))
		return -ENOENT;
	return ret[1] == '\0' ? -EINVAL : 0;	/* the whole machine */
}

/* Its pools make their spares while the client gets to its first call. */
static struct workspace_answer add(struct monitor *monitor,
				   const struct workspace_client *client, int fd)
{
	AUTO_CLOSE int directory = fd;
	struct workspace *workspace = find_place(monitor, client->uid);
	int r = directory < 0 ? -EBADF : check(directory, client->uid);

	if (r == 0)
		r = workspace ? read_path(directory, workspace->path) : -EDQUOT;
	if (r < 0)
		return (struct workspace_answer){ .error = r };
	workspace->fd = fd_take(&directory);
	workspace->client = (uint32_t)(client - monitor->clients);
	workspace->number = next_number(monitor,
					(uint32_t)(workspace - monitor->workspaces));
	tell(monitor, workspace);
	monitor_event(monitor, &(struct core_event){ .kind = CORE_WORKSPACE_CAME,
						     .value = workspace->number });
	return (struct workspace_answer){ .number = workspace->number };
}

static struct workspace_answer answer(struct monitor *monitor,
				      const struct workspace_client *client,
				      const struct workspace_ask *ask, int fd)
{
	struct workspace *workspace = workspaces_find(monitor, ask->release);

	if (!ask->release)
		return add(monitor, client, fd);
	if (fd >= 0)
		close(fd);
	if (!workspace || workspace->client != client - monitor->clients)
		return (struct workspace_answer){ .error = -ENOENT };
	release(monitor, workspace);
	return (struct workspace_answer){ .number = ask->release };
}

/* One that has left meanwhile would be told of all the time. */
static void rest(struct monitor *monitor, struct workspace_client *client, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		drop_client(monitor, client);
	else
		loop_modify(&monitor->loop, &client->source, 0, NULL);
	client->rests = client->source.fd >= 0;
}

static void on_ask(void *owner, uint32_t events, int64_t now_ns)
{
	struct workspace_client *client = owner;
	struct monitor *monitor = client->monitor;

	monitor->now_ns = now_ns;
	for (int n = 0; n < ASKS_PER_TURN; n++) {
		struct workspace_ask ask;
		int fd, r;

		if (!may_ask(monitor, client->uid)) {
			rest(monitor, client, events);
			return;
		}
		r = packet_receive(client->source.fd, &ask, sizeof(ask), &fd, 1);

		if (r == 0)
			return;
		if (r < 0 || ask.magic != WORKSPACE_MAGIC) {
			if (fd >= 0)
				close(fd);
			drop_client(monitor, client);
			return;
		}
		struct workspace_answer said = answer(monitor, client, &ask, fd);

		if (send(client->source.fd, &said, sizeof(said),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			drop_client(monitor, client);
			return;
		}
	}
}

static void on_client(void *owner, uint32_t events, int64_t now_ns)
{
	struct monitor *monitor = owner;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	AUTO_CLOSE int fd = loop_accept(&monitor->loop, &monitor->workspace_listener);

	(void)events;
	(void)now_ns;
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	struct workspace_client *client = find_seat(monitor, peer.uid);

	if (!client)
		return;
	client->uid = peer.uid;
	client->rests = false;
	client->source = (struct loop_source){ .fd = fd, .ready = on_ask, .owner = client };
	if (loop_add(&monitor->loop, &client->source, EPOLLIN, NULL) < 0)
		client->source.fd = -1;
	else
		fd_take(&fd);
}

void workspaces_tick(struct monitor *monitor)
{
	memset(monitor->askers, 0, sizeof(monitor->askers));
	loop_modify(&monitor->loop, &monitor->workspace_listener, EPOLLIN, NULL);
	for (unsigned i = 0; i < WORKSPACE_CLIENTS_MAX; i++) {
		struct workspace_client *client = &monitor->clients[i];

		if (client->source.fd >= 0 && client->rests)
			loop_modify(&monitor->loop, &client->source, EPOLLIN, NULL);
		client->rests = false;
	}
}

int workspaces_open(struct monitor *monitor, int listener, struct error *why)
{
	if (getrandom(&monitor->workspace_turn, sizeof(monitor->workspace_turn), 0) !=
	    sizeof(monitor->workspace_turn))
		return error_set(why, -EIO, "getrandom: %s", strerror(errno));
	for (unsigned i = 0; i < WORKSPACE_CLIENTS_MAX; i++)
		monitor->clients[i] = (struct workspace_client){
			.monitor = monitor, .source = { .fd = -1 } };
	monitor->workspace_listener = (struct loop_source){ .fd = listener,
							    .ready = on_client,
							    .owner = monitor };
	return loop_add(&monitor->loop, &monitor->workspace_listener, EPOLLIN, why);
}

void workspaces_release(struct monitor *monitor)
{
	for (unsigned i = 0; i < WORKSPACE_CLIENTS_MAX; i++)
		if (monitor->clients[i].source.fd >= 0)
			drop_client(monitor, &monitor->clients[i]);
	close(monitor->workspace_listener.fd);
}
