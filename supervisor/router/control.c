#include "supervisor/router/shell.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/wire/packet.h"

#define CONTROL_RECORDS_PER_TURN 64
#define CONTROL_EXIT_BEHIND 75	/* EX_TEMPFAIL */

/* ---- the catalogue ---- */

/*
 * Sealed, so that it cannot change after it was checked. Its size is asked by
 * lseek(2): the C library's fstat is newfstatat(2), a call that names paths.
 */
const struct catalog *control_map_catalog(int fd, size_t *ret_bytes,
					  struct error *why)
{
	off_t size = lseek(fd, 0, SEEK_END);
	void *block;
	int r;

	if (size <= 0)
		return error_set(why, -errno, "catalogue: %s", strerror(errno)),
		       NULL;
	block = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	if (block == MAP_FAILED)
		return error_set(why, -errno, "catalogue: %s", strerror(errno)),
		       NULL;
	r = catalog_check(block, (size_t)size, why);
	if (r < 0) {
		munmap(block, (size_t)size);
		return NULL;
	}
	*ret_bytes = (size_t)size;
	return block;
}

/* ---- towards the monitor: in order, none lost ---- */

static void watch(struct shell *shell)
{
	bool blocked = shell->control_count > 0;

	if (blocked == shell->control_blocked)
		return;
	shell->control_blocked = blocked;
	loop_modify(&shell->loop, &shell->control,
		    EPOLLIN | (blocked ? EPOLLOUT : 0U), NULL);
}

void control_flush(struct shell *shell)
{
	while (shell->control_count > 0) {
		const struct control *record =
			&shell->controls[shell->control_first];

		if (send(shell->control.fd, record, sizeof(*record),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		shell->control_first = (shell->control_first + 1) %
				       SHELL_CONTROLS;
		shell->control_count--;
	}
	watch(shell);
}

void control_write(void *owner, const struct control *record)
{
	struct shell *shell = owner;

	if (shell->control_count == SHELL_CONTROLS) {
		log_write(&shell->log, LEVEL_CRITICAL,
			  "the monitor does not read", NULL);
		shell->exit_status = CONTROL_EXIT_BEHIND;
		loop_stop(&shell->loop);
		return;
	}
	shell->controls[(shell->control_first + shell->control_count++) %
			SHELL_CONTROLS] = *record;
}

/* ---- from the monitor ---- */

static bool take_link(struct shell *shell, struct router_event *event, int fd)
{
	const struct control *record = event->record;
	int client = link_unused_client(shell);
	struct error why;

	if (record->kind == CONTROL_SLOT_UP)
		event->peer = ROUTER_CLIENTS + record->slot;
	else if (client >= 0)
		event->peer = (uint32_t)client;
	else
		return false;
	link_finish(shell, event->peer);	/* of an earlier generation */
	if (link_attach(shell, event->peer, fd_take(&fd), &why) == 0)
		return true;
	log_write(&shell->log, LEVEL_ERROR, "a link was not taken",
		  LOG_FIELDS(log_text("reason", why.text)));
	return false;
}

static void take_catalog(struct shell *shell, struct router_event *event,
			 int fd)
{
	const struct catalog *old = shell->catalog;
	size_t old_bytes = shell->catalog_bytes, bytes;
	struct error why;

	event->catalog = control_map_catalog(fd, &bytes, &why);
	if (!event->catalog) {
		log_write(&shell->log, LEVEL_ERROR, "a catalogue was refused",
			  LOG_FIELDS(log_text("reason", why.text)));
		return;
	}
	router_step(shell->router, event, shell->now_ns);
	shell->catalog = event->catalog;
	shell->catalog_bytes = bytes;
	munmap((void *)(uintptr_t)old, old_bytes);
}

static void handle(struct shell *shell, const struct control *record, int fd)
{
	struct router_event event = { .kind = ROUTER_CONTROL,
				      .record = record };
	AUTO_CLOSE int owned = fd;
	bool link = record->kind == CONTROL_SLOT_UP ||
		    record->kind == CONTROL_CLIENT_UP;

	if (record->slot >= ROUTER_SLOTS)
		return;
	if (record->kind == CONTROL_ALL_UP)
		shell->listen_ns = shell->now_ns;
	if (record->kind == CONTROL_CATALOG && owned >= 0)
		take_catalog(shell, &event, owned);
	else if (!link || (owned >= 0 &&
			   take_link(shell, &event, fd_take(&owned))))
		router_step(shell->router, &event, shell->now_ns);
}

static void take_records(struct shell *shell, unsigned most)
{
	struct control record;
	int fd, r = 1;

	for (unsigned i = 0; i < most && r > 0; i++) {
		r = packet_receive(shell->control.fd, &record, sizeof(record), &fd, 1);
		if (r > 0)
			handle(shell, &record, fd);
	}
	if (r < 0) {
		/* Without a monitor there is nothing to route. */
		log_write(&shell->log, LEVEL_ERROR, "the monitor is gone", NULL);
		loop_stop(&shell->loop);
	}
}

void control_catch_up(struct shell *shell)
{
	take_records(shell, UINT_MAX);
}

static void on_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct shell *shell = owner;

	shell->now_ns = now_ns;
	if (events & EPOLLOUT)
		control_flush(shell);
	take_records(shell, CONTROL_RECORDS_PER_TURN);
}

int control_init(struct shell *shell, struct error *why)
{
	shell->control = (struct loop_source){
		.fd = ROUTER_CONTROL_FD, .ready = on_ready, .owner = shell,
		.phase = LOOP_CHANNELS };
	return loop_add(&shell->loop, &shell->control, EPOLLIN, why);
}
