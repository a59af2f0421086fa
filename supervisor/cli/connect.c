#include "supervisor/cli/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/wire/control.h"
#include "common/wire/packet.h"
#include "supervisor/cli/cli.h"

#define RETRY_LEAST_NS (4 * NS_PER_MS)
#define RETRY_MOST_NS (100 * NS_PER_MS)
#define ATTEMPTS_MAX 3		/* one may find a supervisor about to leave */

/* ---- a socket ---- */

static int check_peer(int fd, const char *path, struct error *why)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return error_set(why, -errno, "%s: %s", path, strerror(errno));
	if (peer.uid != 0 && peer.uid != geteuid())
		return error_set(why, -EPERM,
				 "%s: user %u listens there, who is neither you nor root",
				 path, (unsigned)peer.uid);
	return 0;
}

static int open_socket(const struct places *places, const char *name, int type,
		       struct error *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", places->run, name);
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(why, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(why, -errno, "%s: %s", address.sun_path,
				 errno == EACCES ?
				 "not for this user; ask to be in the group cupel" :
				 strerror(errno));
	int r = check_peer(fd, address.sun_path, why);

	return r < 0 ? r : fd_take(&fd);
}

/* Nobody is there: no socket, or one left behind. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

/* ---- which one ---- */

/* The system's, if it is that one, is not for us to start. */
static int find_running(struct places *places, bool *start, struct error *why)
{
	static const struct places system = {
		.run = "/run/cupel", .state = "/var/lib/cupel", .log = "/var/log/cupel",
	};
	struct error unused;
	int r = places_find(places, why), fd;

	if (r < 0)
		return r;
	fd = open_socket(places, PLACES_ROUTER, SOCK_STREAM, why);
	if (!is_absent(fd) || geteuid() == 0 || getenv("CUPEL_RUN"))
		return fd;
	r = open_socket(&system, PLACES_ROUTER, SOCK_STREAM, &unused);
	if (r < 0)
		return fd;
	*places = system;
	*start = false;
	return r;
}

/* ---- starting one ---- */

/* Beside this program, or where an installation has it. */
static int find_monitor(char *ret, size_t size, struct error *why)
{
	static const char *const folders[] = { ".", "../libexec/cupel", "../sbin" };
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length < 0)
		return error_set(why, -errno, "/proc/self/exe: %s", strerror(errno));
	self[length] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(ret, size, "%.*s/%s/cupeld", (int)(slash - self), self, folders[i]);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	return error_set(why, -ENOENT,
			 "no supervisor runs, and there is no cupeld beside %s to start", self);
}

static int prepare(posix_spawn_file_actions_t *actions, int words_fd)
{
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, 0, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, words_fd, 2);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	return r ? r : posix_spawn_file_actions_addchdir_np(actions, "/");
}

/* A supervisor that was started from here; what it says at first is in words_fd. */
struct started {
	char program[PATH_MAX + 40];
	pid_t child;		/* 0: none, or it has ended */
	int words_fd;
};

static void started_release(struct started *started)
{
	if (started->words_fd >= 0)
		close(started->words_fd);
}

static int spawn(const char *program, int words_fd, pid_t *ret, struct error *why)
{
	char name[] = "cupeld", user[] = "--user", foreground[] = "--foreground";
	char *const argv[] = { name, user, foreground, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	r = prepare(&actions, words_fd);
	if (r == 0)
		r = posix_spawn(ret, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? 0 : error_set(why, -r, "start %s: %s", program, strerror(r));
}

/* Its last words, on one line. */
static int tell_failure(const struct started *started, const char *how, struct error *why)
{
	char words[ERROR_TEXT_BYTES * 2], text[ERROR_TEXT_BYTES];
	ssize_t length = pread(started->words_fd, words, sizeof(words), 0);

	while (length > 0 && words[length - 1] == '\n')
		length--;
	text_escape((struct span){ (uint8_t *)words, length > 0 ? (size_t)length : 0 },
		    text, sizeof(text));
	return error_set(why, -ENOENT, "%s %s%s%s", started->program, how,
			 text[0] ? ": " : "; its log may say why", text);
}

/* The child's end: 0 while it runs, or another supervisor has the lock. */
static int check_child(struct started *started, struct error *why)
{
	char how[40];
	int status;

	if (started->child <= 0 || waitpid(started->child, &status, WNOHANG) != started->child)
		return 0;
	started->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BUSY)
		return 0;
	snprintf(how, sizeof(how), WIFSIGNALED(status) ? "was killed by signal %d" :
		 "ended with status %d",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return tell_failure(started, how, why);
}

/* An eighth of the time until now: many who wait leave it the processor. */
static void pause_since(int64_t began_ns)
{
	int64_t pause_ns = (clock_now_ns() - began_ns) / 8;

	if (pause_ns < RETRY_LEAST_NS)
		pause_ns = RETRY_LEAST_NS;
	if (pause_ns > RETRY_MOST_NS)
		pause_ns = RETRY_MOST_NS;
	nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
}

/* started is the caller's to release, whatever came of it. */
static int start_one(const struct places *places, struct started *started, struct error *why)
{
	int64_t began_ns = clock_now_ns();
	int64_t until_ns = deadline_after(began_ns, START_TIMEOUT_NS);
	struct error refused;
	int r = find_monitor(started->program, sizeof(started->program), why), fd;

	if (r < 0)
		return r;
	started->words_fd = memfd_create("cupeld", MFD_CLOEXEC);
	r = started->words_fd < 0 ? error_set(why, -errno, "memfd_create: %s", strerror(errno)) :
		spawn(started->program, started->words_fd, &started->child, why);
	while (r == 0) {
		fd = open_socket(places, PLACES_ROUTER, SOCK_STREAM, &refused);
		if (!is_absent(fd)) {
			*why = refused;
			return fd;
		}
		r = check_child(started, why);
		if (r == 0 && deadline_passed(until_ns, clock_now_ns()))
			r = tell_failure(started, "does not serve after 20 s", why);
		pause_since(began_ns);
	}
	return r;
}

/* ---- the greeting ---- */

static bool has_asked(const struct client *client)
{
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
		if (client->calls[i].id && client->calls[i].called)
			return true;
	return false;
}

/* What is registered is so as long as the other end of this lives. */
static bool is_hung_up(int fd)
{
	struct pollfd other = { .fd = fd };

	return fd >= 0 && poll(&other, 1, 0) == 1 && other.revents & POLLHUP;
}

/*
 * The same again, whose router has died; to wait for room would be to hang. Or
 * another, once, as that one was idle and left before it was asked anything.
 */
static int reconnect(void *owner)
{
	struct connection *connection = owner;
	bool asked = has_asked(&connection->client);
	struct error why;
	int fd;

	connection->left = !asked && is_hung_up(connection->workspace_fd);
	if (connection->left)
		return -ECONNRESET;
	fd = open_socket(&connection->places, PLACES_ROUTER,
			 SOCK_STREAM | SOCK_NONBLOCK, &why);
	if (!is_absent(fd) || !connection->start || asked)
		return fd;
	connection->start = false;
	struct started started = { .words_fd = -1 };

	fd = start_one(&connection->places, &started, &why);
	started_release(&started);
	return fd;
}

static int greet(struct connection *connection, int fd, bool start, struct error *why)
{
	struct client *client = &connection->client;
	struct client_event event;
	int r = client_init(client, fd, "cupel", why);

	if (r == 0)
		r = client_wait(client, -1, deadline_after(clock_now_ns(), CONNECT_TIMEOUT_NS),
				&event);
	if (r == 0) {	/* nothing comes before the welcome */
		connection->start = start;
		client_reconnect_by(client, reconnect, connection);
		return 0;
	}
	client_release(client);
	if (r == -ETIMEDOUT)
		return error_set(why, r, "%s/%s: the supervisor does not answer",
				 connection->places.run, PLACES_ROUTER);
	*why = client->why;
	return error_prefix(why, r, "%s/%s", connection->places.run, PLACES_ROUTER);
}

/* It listens before it can serve: why it ended meanwhile is what there is to tell. */
static int explain_loss(struct started *started, int r, struct error *why)
{
	int64_t began_ns = clock_now_ns();

	for (int ended = 0; started->child > 0 &&
			    !deadline_passed(deadline_after(began_ns, NS_PER_S), clock_now_ns());) {
		ended = check_child(started, why);
		if (ended < 0)
			return ended;
		pause_since(began_ns);
	}
	return r;
}

static int attempt_with(bool start, struct connection *connection, struct started *started,
			struct error *why)
{
	int fd = find_running(&connection->places, &start, why);

	if (is_absent(fd) && start)
		fd = start_one(&connection->places, started, why);
	else if (is_absent(fd))
		return error_set(why, -ENOENT, "no supervisor runs (looked for %s/%s); "
				 "'cupel call' starts one", connection->places.run, PLACES_ROUTER);
	if (fd < 0)
		return fd;
	int r = greet(connection, fd, start, why);

	return r == -EPIPE ? explain_loss(started, r, why) : r;
}

static int attempt(bool start, struct connection *connection, struct error *why)
{
	struct started started = { .words_fd = -1 };
	int r = attempt_with(start, connection, &started, why);

	started_release(&started);
	return r;
}

/* Whatever keeps a supervisor from answering, unless it is a lack of rights. */
static void tell_absence(int r, struct error *why)
{
	if (r == -EACCES || r == -EPERM || r == -ENOMEM)
		return;
	why->code = ERROR_UNAVAILABLE;
	why->origin = ORIGIN_CLIENT;
}

int connect_open(bool start, struct connection **ret, struct error *why)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int r = -EPIPE;

	if (!connection)
		return error_set(why, -ENOMEM, "out of memory");
	connection->workspace_fd = -1;
	for (int i = 0; i < ATTEMPTS_MAX && r == -EPIPE; i++)
		r = attempt(start, connection, why);
	if (r < 0) {
		free(connection);
		tell_absence(r, why);
	} else {
		*ret = connection;
	}
	return r;
}

void connect_close(struct connection *connection)
{
	client_release(&connection->client);
	free(connection);
}

void connect_cleanup(struct connection **connection)
{
	if (*connection)
		connect_close(*connection);
}

/* ---- a workspace ---- */

int connect_workspace_at(struct connection *connection, int directory,
			 const char *name, uint32_t *ret_number, struct error *why)
{
	const struct timeval limit = { CONNECT_TIMEOUT_NS / NS_PER_S, 0 };
	const struct workspace_ask ask = { .magic = WORKSPACE_MAGIC };
	struct workspace_answer answer = { 0 };
	AUTO_CLOSE int fd = open_socket(&connection->places, PLACES_WORKSPACE,
					SOCK_SEQPACKET, why);

	connection->left = is_absent(fd);
	if (connection->left)
		tell_absence(fd, why);
	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	int r = packet_send(fd, &ask, sizeof(ask), &directory, 1);
	ssize_t length = r == 0 ? recv(fd, &answer, sizeof(answer), 0) : 0;

	if (r == 0)
		r = length == sizeof(answer) ? answer.error : length < 0 ? -errno : -EPIPE;
	connection->left = r == -EPIPE || r == -ECONNRESET;
	if (r == -EDQUOT || connection->left)	/* or it has no link for us */
		return error_set(why, -EDQUOT, "the supervisor does not take %s: too many "
				 "directories are registered, by this user or in all", name);
	if (r < 0)
		return error_set(why, r, "the supervisor does not take %s: %s", name,
				 strerror(-r));
	*ret_number = answer.number;
	connection->workspace_fd = fd;
	return fd_take(&fd);
}

int connect_workspace(struct connection *connection,
		      const char *directory, uint32_t *ret_number,
		      struct error *why)
{
	AUTO_CLOSE int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(why, -errno, "%s: %s", directory, strerror(errno));
	return connect_workspace_at(connection, fd, directory, ret_number, why);
}
