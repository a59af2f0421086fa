/* Records to and from the router. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/path.h"
#include "supervisor/monitor/monitor.h"

#define RECORDS_PER_TURN 64
#define PATIENCE_MS 200		/* for a router whose socket is full */

static void take_record(struct monitor *monitor, const struct control *record)
{
	if (record->kind == CONTROL_RELOAD)
		catalogs_request(monitor, true, monitor->now_ns);
	monitor_event(monitor, &(struct core_event){ .kind = CORE_RECORD,
						     .record = *record });
}

void control_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct worker *router = owner;
	struct monitor *monitor = router->monitor;
	struct control record;

	(void)events;
	monitor->now_ns = now_ns;
	for (int n = 0; n < RECORDS_PER_TURN && router->beat.fd >= 0; n++) {
		ssize_t length = recv(router->beat.fd, &record, sizeof(record),
				      MSG_DONTWAIT | MSG_TRUNC);

		if (length == (ssize_t)sizeof(record)) {
			take_record(monitor, &record);
			continue;
		}
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* It closed its end, or sent what is no record: it is over. */
		loop_remove(&monitor->loop, &router->beat);
		close(router->beat.fd);
		router->beat.fd = -1;
		worker_kill(monitor, CORE_ROUTER);
		return;
	}
}

static bool send_record(int socket, const struct control *record, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary = { { 0 } };
	struct iovec part = { (void *)(uintptr_t)record, sizeof(*record) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = ancillary.bytes;
		message.msg_controllen = sizeof(ancillary.bytes);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)sizeof(*record);
}

void control_tell(struct monitor *monitor, struct control record, int fd)
{
	struct worker *router = &monitor->workers[CORE_ROUTER];
	struct pollfd polled = { .fd = router->beat.fd, .events = POLLOUT };

	if (router->beat.fd < 0 || send_record(router->beat.fd, &record, fd))
		return;
	if (errno == EAGAIN && poll(&polled, 1, PATIENCE_MS) == 1 &&
	    send_record(router->beat.fd, &record, fd))
		return;
	log_write(&monitor->log, LEVEL_ERROR, "the router takes no records and is killed",
		  LOG_FIELDS(log_text("reason", strerror(errno))));
	worker_kill(monitor, CORE_ROUTER);
}

static uint64_t own_resident_bytes(void)
{
	char text[64] = "";
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/proc/self/statm", O_RDONLY, 0,
				      PATH_HOST, NULL);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return strtoul(text + strcspn(text, " "), NULL, 10) *	/* pages: the second word */
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

void control_tell_memory(struct monitor *monitor)
{
	control_tell(monitor, (struct control){
		.kind = CONTROL_SUPERVISOR, .detail = (uint8_t)monitor->core.state,
		.argument = own_resident_bytes() }, -1);
}
