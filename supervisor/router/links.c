#include "supervisor/router/shell.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define LINK_FRAMES_PER_TURN 1024
#define LINK_FRAMES_LEAST 4	/* and beyond, what each can say in its part of ... */
#define LINK_TURN_NS (20 * NS_PER_MS)
#define LINK_ROUNDS 4	/* of writing in a turn */
#define LINK_ACCEPTS_PER_TURN 32
#define LINK_REST_NS (100 * NS_PER_MS)	/* without descriptors */
#define LINK_TIMED_EACH 251	/* prime: talk that repeats has each of its parts timed */
#define LINK_BUFFERS_WARM 16	/* of those given back, this many stay resident */

/* ---- buffers: lent while bytes wait in them ---- */

static void lend(struct shell *shell, struct buffer *buffer)
{
	if (buffer->data)
		return;
	assert(shell->idle_count > 0);	/* two a link, and no more links */
	buffer->data = shell->buffers + (size_t)SHELL_BUFFER_BYTES *
		       shell->idle_buffers[--shell->idle_count];
}

/* The deeper it lies, the later it is lent again: it need not be resident. */
static void give_back(struct shell *shell, struct buffer *buffer)
{
	if (!buffer->data || buffer_length(buffer) > 0)
		return;
	if (SHELL_BUFFERS - shell->idle_count > LINK_BUFFERS_WARM)
		madvise(buffer->data, SHELL_BUFFER_BYTES, MADV_DONTNEED);
	shell->idle_buffers[shell->idle_count++] = (uint16_t)(
		(size_t)(buffer->data - shell->buffers) / SHELL_BUFFER_BYTES);
	buffer->data = NULL;
}

int links_init(struct shell *shell, struct error *why)
{
	void *region = mmap(NULL, (size_t)SHELL_BUFFERS * SHELL_BUFFER_BYTES,
			    PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (region == MAP_FAILED)
		return error_set(why, -errno, "buffers: %s", strerror(errno));
	shell->buffers = region;
	for (uint32_t i = 0; i < SHELL_BUFFERS; i++)
		shell->idle_buffers[i] = (uint16_t)(SHELL_BUFFERS - 1 - i);
	shell->idle_count = SHELL_BUFFERS;
	return 0;
}

/* ---- life ---- */

static void mark_dirty(struct link *link)
{
	struct shell *shell = link->shell;

	if (link->dirty)
		return;
	link->dirty = true;
	shell->dirty[shell->dirty_count++] = link->peer;
}

/* It goes out with what is sent next, or at the next wakeup: within 1 s. */
static void mark_patient(struct link *link)
{
	struct shell *shell = link->shell;

	if (link->patient)
		return;
	link->patient = true;
	shell->patient[shell->patient_count++] = link->peer;
}

void links_hurry(struct shell *shell)
{
	for (uint32_t i = 0; i < shell->patient_count; i++) {
		struct link *link = &shell->links[shell->patient[i]];

		link->patient = false;
		mark_dirty(link);
	}
	shell->patient_count = 0;
}

static void release(struct link *link)
{
	struct shell *shell = link->shell;
	struct channel *channel = &link->channel;

	if (!link->open)
		return;
	loop_remove(&shell->loop, &link->source);
	channel_release(channel);
	buffer_consume(&channel->in, buffer_length(&channel->in));
	buffer_consume(&channel->out, buffer_length(&channel->out));
	give_back(shell, &channel->in);
	give_back(shell, &channel->out);
	link->open = link->closing = link->starved = false;
	shell->open_count--;
}

static void tell_closed(struct link *link)
{
	bool fault = link->channel.receive_error != 0 &&
		     link->channel.receive_error != -EPIPE;

	router_step(link->shell->router, &(struct router_event){
		.kind = ROUTER_CLOSED, .peer = link->peer, .fault = fault,
		.detail = fault ? link->channel.why.text : NULL,
	}, link->shell->now_ns);
}

/* Over, for whatever reason; it is let go of when this turn settles. */
static void end(struct link *link)
{
	tell_closed(link);
	link->closing = true;
	mark_dirty(link);
}

static void watch(struct link *link)
{
	uint32_t events = channel_events(&link->channel);

	if (!link->open || events == link->events)
		return;
	if (loop_modify(&link->shell->loop, &link->source, events, NULL) == 0)
		link->events = events;
	else
		end(link);
}

/* ---- how long our work takes, of one in LINK_TIMED_EACH ---- */

static bool is_timed(struct shell *shell, enum router_work work)
{
	return shell->done[work]++ % LINK_TIMED_EACH == 0;
}

static void add_time(struct shell *shell, enum router_work work, int64_t since_ns)
{
	histogram_add(&shell->works[work], work_bounds_ns, clock_now_ns() - since_ns);
}

/* Once more, for receiving may include a read; the frame is still there. */
static void time_decoding(struct link *link)
{
	struct message message;
	struct frame frame;
	struct error why;
	int64_t since_ns = clock_now_ns();

	if (frame_next(buffer_peek(&link->channel.in), &frame) > 0 &&
	    message_decode(&frame, &message, &why) == 0)
		add_time(link->shell, WORK_DECODE, since_ns);
}

/* Once more: the core, who looks it up, has no clock. */
static void time_lookup(struct shell *shell, const struct message_text *tool)
{
	int64_t since_ns = clock_now_ns();

	if (catalog_find_tool(shell->catalog, tool->data, tool->length) >= 0)
		add_time(shell, WORK_LOOKUP, since_ns);
}

/* ---- reading ---- */

/* One message to the core; false when there is none now, or ever. */
static bool receive_one(struct link *link)
{
	struct shell *shell = link->shell;
	struct message message;
	int r = channel_receive(&link->channel, &message);

	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		end(link);
		return false;
	}
	if (is_timed(shell, WORK_DECODE))
		time_decoding(link);
	if (message.kind == MESSAGE_CALL && is_timed(shell, WORK_LOOKUP))
		time_lookup(shell, &message.call.tool);
	if (message.kind == MESSAGE_CALL && message.call.workspace)
		control_catch_up(shell);	/* whose it is */
	router_step(shell->router, &(struct router_event){
		.kind = ROUTER_MESSAGE, .peer = link->peer,
		.message = &message }, shell->now_ns);
	if (message.body.length > 0 && link->channel.state != LINK_CLOSED)
		channel_consume(&link->channel, message.body.length);
	if (message.kind == MESSAGE_CREDIT && link->starved)
		mark_dirty(link);
	return true;
}

/* However many links there are, and whatever is said: our beat is awaited. */
static bool has_had_its_turn(const struct shell *shell, unsigned count, int64_t since_ns)
{
	return count == LINK_FRAMES_PER_TURN ||
	       (count % LINK_FRAMES_LEAST == 0 &&
		clock_now_ns() - since_ns > LINK_TURN_NS / shell->open_count);
}

/* Once: it has its next turn when this one has settled, and none before. */
static void mark_again(struct link *link)
{
	if (!link->again)
		link->shell->again[link->shell->again_count++] = link->peer;
	link->again = true;
}

static void receive_all(struct link *link)
{
	struct shell *shell = link->shell;
	int64_t since_ns = clock_now_ns();
	unsigned count = 0;
	bool over = false;

	lend(shell, &link->channel.in);
	while (!link->closing && !over && receive_one(link))
		over = has_had_its_turn(shell, ++count, since_ns);
	if (over && !link->closing)
		mark_again(link);
	else
		give_back(shell, &link->channel.in);
	if (channel_grants(&link->channel) || link->starved)
		mark_dirty(link);
}

static void on_ready(void *owner, uint32_t events, int64_t now_ns)
{
	struct link *link = owner;

	link->shell->now_ns = now_ns;
	if (link->closing)
		return;
	if (events & EPOLLOUT)
		mark_dirty(link);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !link->again)
		receive_all(link);
}

void link_finish(struct shell *shell, uint32_t peer)
{
	struct link *link = &shell->links[peer];

	if (!link->open)
		return;
	lend(shell, &link->channel.in);
	for (unsigned i = 0; i < LINK_FRAMES_PER_TURN && !link->closing &&
	     receive_one(link); i++)
		;
	if (!link->closing)
		tell_closed(link);
	release(link);
}

/* ---- writing ---- */

static const struct credit unlimited = { SIZE_MAX / 2, SIZE_MAX / 2 };

int links_send(void *owner, uint32_t peer, const struct message *message)
{
	struct shell *shell = owner;
	struct link *link = &shell->links[peer];
	struct credit call = unlimited;	/* the core keeps the call's */
	struct error why;
	int64_t since_ns;
	bool timed;
	int r;

	if (!link->open || link->closing)
		return -EPIPE;
	lend(shell, &link->channel.out);
	timed = is_timed(shell, WORK_ENCODE);
	since_ns = timed ? clock_now_ns() : 0;
	r = channel_send(&link->channel, message, &call, &why);
	if (r == 0 && timed)
		add_time(shell, WORK_ENCODE, since_ns);
	if (r == -EAGAIN && channel_flush(&link->channel) >= 0)
		r = channel_send(&link->channel, message, &call, &why);
	if (r == -EAGAIN)
		link->starved = true;
	else if (r == -EPERM || r == -EBADMSG)
		log_write(&shell->log, LEVEL_ERROR, "a message was not sent",
			  LOG_FIELDS(log_text("reason", why.text)));
	if (r == 0 && message->kind == MESSAGE_RESULT_ACK)
		mark_patient(link);
	else
		mark_dirty(link);
	return r == 0 || r == -EAGAIN ? r : -EPIPE;
}

void links_close(void *owner, uint32_t peer)
{
	struct shell *shell = owner;
	struct link *link = &shell->links[peer];

	if (!link->open)
		return;
	link->closing = true;
	mark_dirty(link);
}

static void write_out(struct link *link)
{
	struct shell *shell = link->shell;
	struct channel *channel = &link->channel;
	int r;

	link->dirty = false;
	if (!link->open)
		return;
	lend(shell, &channel->out);
	r = channel_flush(channel);
	/* What was lost on its way would be waited for: the link is over. */
	if (r < 0 && r != -EAGAIN && r != -EPIPE && !link->closing)
		end(link);
	if (link->closing) {
		release(link);
		return;
	}
	/* Room may be there, or credit has come; whoever waits tries again. */
	if (link->starved && r != -EAGAIN) {
		link->starved = false;
		router_step(shell->router, &(struct router_event){
			.kind = ROUTER_WRITABLE, .peer = link->peer },
			shell->now_ns);
		if (!link->starved)
			channel_flush(channel);
	}
	give_back(shell, &channel->out);
	watch(link);
}

static void write_dirty(struct shell *shell)
{
	uint32_t count = shell->dirty_count;

	for (uint32_t i = 0; i < count; i++)
		write_out(&shell->links[shell->dirty[i]]);
	shell->dirty_count -= count;
	memmove(shell->dirty, shell->dirty + count,
		shell->dirty_count * sizeof(shell->dirty[0]));
}

/* What writing brings about may be more to write, but not for ever. */
void links_settle(struct shell *shell)
{
	uint32_t again = shell->again_count;

	for (int i = 0; i < LINK_ROUNDS && shell->dirty_count > 0; i++)
		write_dirty(shell);
	if (again == 0)
		return;
	shell->again_count = 0;
	for (uint32_t i = 0; i < again; i++) {
		struct link *link = &shell->links[shell->again[i]];

		link->again = false;
		if (link->open && !link->closing)
			receive_all(link);
	}
}

/* ---- beginning ---- */

int link_attach(struct shell *shell, uint32_t peer, int fd, struct error *why)
{
	struct link *link = &shell->links[peer];
	struct buffer none = { .capacity = SHELL_BUFFER_BYTES };
	AUTO_CLOSE int owned = fd;
	int r;

	release(link);
	link->shell = shell;
	link->peer = peer;
	link->source = (struct loop_source){ .fd = fd, .ready = on_ready,
					     .owner = link,
					     .phase = LOOP_CHANNELS };
	r = loop_add(&shell->loop, &link->source, EPOLLIN, why);
	if (r < 0)
		return r;
	channel_init(&link->channel, fd_take(&owned), peer < ROUTER_CLIENTS ?
		     ROUTER_TO_CLIENT : ROUTER_TO_WORKER, none, none);
	link->events = EPOLLIN;
	link->open = true;
	shell->open_count++;
	link->closing = link->starved = false;
	return 0;
}

int link_unused_client(const struct shell *shell)
{
	for (int i = 0; i < ROUTER_CLIENTS; i++) {
		if (!shell->links[i].open)
			return i;
	}
	return -ENOSPC;
}

static void welcome(struct shell *shell, int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int index = link_unused_client(shell);

	if (index < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer,
				    &length) < 0) {
		close(fd);
		return;
	}
	if (link_attach(shell, (uint32_t)index, fd, NULL) < 0)
		return;
	router_step(shell->router, &(struct router_event){
		.kind = ROUTER_OPEN, .peer = (uint32_t)index, .uid = peer.uid,
		.role = peer.uid == 0 || peer.uid == shell->owner_uid ?
			ROLE_OWNER : ROLE_MEMBER }, shell->now_ns);
}

void links_accept(void *owner, uint32_t events, int64_t now_ns)
{
	struct shell *shell = owner;

	(void)events;
	shell->now_ns = now_ns;
	for (int i = 0; i < LINK_ACCEPTS_PER_TURN; i++) {
		int fd = loop_accept(&shell->loop, &shell->listener);

		if (fd < 0 && fd != -EAGAIN)
			shell->listen_ns = now_ns + LINK_REST_NS;
		if (fd < 0)
			return;
		welcome(shell, fd);
	}
}

void links_listen(struct shell *shell, int64_t now_ns)
{
	if (now_ns < shell->listen_ns)
		return;
	shell->listen_ns = DEADLINE_NEVER;
	loop_modify(&shell->loop, &shell->listener, EPOLLIN, NULL);
}
