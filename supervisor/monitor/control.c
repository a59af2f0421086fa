/* Records to and from the router. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/wire/packet.h"
#include "supervisor/monitor/monitor.h"

#define RECORDS_PER_TURN 64
#define PATIENCE_MS 200		/* for a router whose socket is full, or memory */

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
		int r = packet_receive(router->beat.fd, &record, sizeof(record), NULL, 0);

		if (r > 0) {
			take_record(monitor, &record);
			continue;
		}
		if (r == 0)
			return;
		/* It closed its end, or sent what is no record: it is over. */
		loop_close(&monitor->loop, &router->beat);
		worker_kill(monitor, CORE_ROUTER);
		return;
	}
}

void control_tell(struct monitor *monitor, struct control record, int fd)
{
	struct worker *router = &monitor->workers[CORE_ROUTER];
	struct pollfd polled = { .fd = router->beat.fd, .events = POLLOUT };
	int r;

	if (router->beat.fd < 0)
		return;
	r = packet_send(router->beat.fd, &record, sizeof(record), &fd, fd >= 0);
	if (r < 0 && poll(&polled, 1, PATIENCE_MS) == 1)
		r = packet_send(router->beat.fd, &record, sizeof(record), &fd, fd >= 0);
	if (r == 0)
		return;
	if (r != -EPIPE)	/* or it is dead, which is told in its place */
		log_write(&monitor->log, LEVEL_ERROR, "the router takes no records and is killed",
			  LOG_FIELDS(log_text("reason", strerror(-r))));
	worker_kill(monitor, CORE_ROUTER);
}
