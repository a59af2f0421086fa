#include "common/wire/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"

#define TOOL_BYTES_MAX 64
#define TURNS_PER_PUSH 32

/* ---- life ---- */

/* On a link that is new. */
static int begin(struct client *client, int fd, struct span session, struct error *why)
{
	const struct message hello = {
		.kind = MESSAGE_HELLO,
		.hello = {
			.major = MESSAGE_MAJOR,
			.minor_most = MESSAGE_MINOR,
			.name = message_text_of(client->program),
			.build = message_text_of(CUPEL_VERSION),
			.session = session,
		},
	};
	struct buffer in, out;

	buffer_init(&in, client->in, sizeof(client->in));
	buffer_init(&out, client->out, sizeof(client->out));
	channel_init(&client->channel, fd, CLIENT_TO_ROUTER, in, out);
	return channel_send(&client->channel, &hello, NULL, why);
}

int client_init(struct client *client, int fd, const char *program,
		struct error *why)
{
	memset(client, 0, offsetof(struct client, in));
	client->program = program;
	return begin(client, fd, (struct span){ 0 }, why);
}

void client_reconnect_by(struct client *client, int (*reconnect)(void *owner),
			 void *owner)
{
	client->reconnect = reconnect;
	client->owner = owner;
}

static struct client_call *find(struct client *client, uint64_t id)
{
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
		if (client->calls[i].id == id)
			return &client->calls[i];
	return NULL;
}

int client_call(struct client *client, const struct client_ask *ask,
		uint64_t *ret_call, struct error *why)
{
	const struct credit full = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	struct client_call *call = find(client, 0);

	if (client->lost)
		return error_set(why, -EPIPE, "the link to the router is lost");
	if (ask->deadline_ns <= 0)
		return error_set(why, -EINVAL, "a call needs a deadline");
	if (!*ask->tool || strlen(ask->tool) > TOOL_BYTES_MAX ||
	    !text_is_utf8(span_of_text(ask->tool)))
		return error_set(why, -EINVAL, "a tool's name has 1 to %d bytes of text",
				 TOOL_BYTES_MAX);
	if (ask->effect.length > CLIENT_EFFECT_BYTES)
		return error_set(why, -EINVAL, "an effect's id has at most %d bytes",
				 CLIENT_EFFECT_BYTES);
	if (!call)
		return error_set(why, -EAGAIN, "%d calls run already",
				 CLIENT_CALLS_MAX);
	*call = (struct client_call){
		.ask = *ask, .id = ++client->last_id,
		.send_credit = full, .receive_credit = full,
	};
	*ret_call = call->id;
	return 0;
}

void client_go(struct client *client, uint64_t id)
{
	struct client_call *call = id ? find(client, id) : NULL;

	if (call)
		call->ask.held = false;
}

void client_cancel(struct client *client, uint64_t id)
{
	struct client_call *call = id ? find(client, id) : NULL;

	if (call && !call->over)
		call->cancel_due = call->cancelled = true;
}

static void end_waiting(struct client_call *call)
{
	call->over = true;
	call->cancel_due = call->called;
}

void client_abandon(struct client *client, uint64_t id)
{
	struct client_call *call = id ? find(client, id) : NULL;

	if (call && !call->over)
		end_waiting(call);
}

unsigned client_running(const struct client *client)
{
	unsigned count = 0;

	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
		count += client->calls[i].id && !client->calls[i].over;
	return count;
}

/* ---- sending: each step says whether it is done ---- */

/* What is wrong with our own message ends the link: it must not be lost. */
static bool send_message(struct client *client, const struct message *message,
			 struct credit *credit)
{
	int r = channel_send(&client->channel, message, credit, &client->why);

	if (r < 0 && r != -EAGAIN && !(r == -EPIPE && client->reconnect))
		client->lost = true;	/* else receiving finds out */
	return r == 0;
}

static size_t piece_bytes(const struct client_call *call)
{
	size_t left = call->ask.input.length - call->sent;

	if (left && call->ask.held)
		left--;
	if (left > MESSAGE_BODY_BYTES_MAX)
		left = MESSAGE_BODY_BYTES_MAX;
	return left < call->send_credit.bytes ? left : call->send_credit.bytes;
}

static bool send_call(struct client *client, struct client_call *call)
{
	struct span piece = { call->ask.input.data, piece_bytes(call) };
	bool more = piece.length < call->ask.input.length;
	const struct message message = {
		.kind = MESSAGE_CALL,
		.call_id = call->id,
		.deadline_ns = call->ask.deadline_ns,
		.call = {
			.tool = message_text_of(call->ask.tool),
			.catalog = client->catalog,
			.workspace = call->ask.workspace,
			.priority = call->ask.priority,
			.attempt = 1,
			.flags = call->ask.flags | (more ? CALL_MORE : 0U) |
				 (client->reconnect ? CALL_RESUME : 0U),
			.effect = call->ask.effect,
			.parent = call->ask.parent,
		},
		.body = piece,
	};

	call->place = client->channel.sent + buffer_peek(&client->channel.out).length;
	if (!send_message(client, &message, &call->send_credit))
		return false;
	call->called = true;
	call->sent = piece.length;
	return true;
}

static bool send_rest(struct client *client, struct client_call *call)
{
	while (call->sent < call->ask.input.length) {
		size_t bytes = piece_bytes(call);
		const struct message message = {
			.kind = MESSAGE_CHUNK_REQ,
			.call_id = call->id,
			.chunk_req = {
				.sequence = call->requests,
				.last = call->sent + bytes == call->ask.input.length,
			},
			.body = { call->ask.input.data + call->sent, bytes },
		};

		if (bytes == 0 || !send_message(client, &message, &call->send_credit))
			return false;
		call->sent += bytes;
		call->requests++;
	}
	return true;
}

static void send_about(struct client *client, struct client_call *call,
		       enum message_kind kind, bool *due)
{
	const struct message message = { .kind = kind, .call_id = call->id };

	if (*due && send_message(client, &message, NULL))
		*due = false;
}

static void send_grant(struct client *client, struct client_call *call)
{
	const struct message message = {
		.kind = MESSAGE_CREDIT, .call_id = call->id,
		.credit.bytes = call->grant_due,
	};

	if (call->grant_due < CREDIT_CALL_BYTES / 2 || call->over)
		return;
	if (!send_message(client, &message, NULL))
		return;
	credit_add(&call->receive_credit, call->grant_due);
	call->grant_due = 0;
}

static bool send_resync(struct client *client, struct client_call *call)
{
	const struct message resync = {
		.kind = MESSAGE_RESYNC, .call_id = call->id,
		.resync.chunks = call->chunks,
	};

	if (call->resync_due && !send_message(client, &resync, NULL))
		return false;
	call->resumed |= call->resync_due;
	call->resync_due = false;
	return true;
}

static void push_call(struct client *client, struct client_call *call)
{
	if (!send_resync(client, call))
		return;
	if (!call->called && (call->over || !send_call(client, call))) {
		if (call->over)
			call->id = 0;	/* it never was on the wire */
		return;
	}
	if (!call->over)
		send_rest(client, call);
	send_grant(client, call);
	send_about(client, call, MESSAGE_CANCEL, &call->cancel_due);
	if (call->ack_due) {
		send_about(client, call, MESSAGE_RESULT_ACK, &call->ack_due);
		if (!call->ack_due)
			call->id = 0;
	}
}

static void push_pong(struct client *client)
{
	const struct message pong = {
		.kind = MESSAGE_PONG,
		.pong = { .token = client->pong_token, .progress = client->turns },
	};

	if (client->pong_due && send_message(client, &pong, NULL))
		client->pong_due = false;
}

static void push(struct client *client)
{
	if (client->away)
		return;
	if (!client->lost && client->welcome) {
		push_pong(client);
		for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
			if (client->calls[i].id)
				push_call(client, &client->calls[i]);
	}
	if (!client->lost)
		channel_flush(&client->channel); /* a loss shows in receiving */
}

void client_release(struct client *client)
{
	push(client);
	channel_release(&client->channel);
	client->lost = true;
}

/* ---- results made here ---- */

static void end_call(struct client_call *call, enum error_code code,
		     const char *reason, struct client_event *ret)
{
	end_waiting(call);
	*ret = (struct client_event){
		.kind = CLIENT_RESULT,
		.call = call->id,
		.result = {
			.code = code, .origin = ORIGIN_CLIENT,
			.reason = message_text_of(reason),
		},
	};
}

/* -EPIPE once the last call has ended. */
static int tell_loss(struct client *client, struct client_event *ret)
{
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++) {
		struct client_call *call = &client->calls[i];

		if (!call->id)
			continue;
		if (call->over) {
			call->id = 0;
			continue;
		}
		end_call(call, ERROR_UNAVAILABLE,
			 call->accepted ?
			 "the supervisor is gone; the call had begun and its outcome is unknown" :
			 call->called ?
			 "the supervisor is gone; the call was on its way and its outcome is unknown" :
			 "the supervisor is gone; the call was not sent", ret);
		call->id = 0;
		return 0;
	}
	return -EPIPE;
}

static int64_t give_up_ns(const struct client_call *call)
{
	return deadline_after(call->ask.deadline_ns, CLIENT_GRACE_NS);
}

static int tell_overdue(struct client *client, int64_t now_ns,
			struct client_event *ret)
{
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++) {
		struct client_call *call = &client->calls[i];

		if (!call->id || call->over ||
		    !deadline_passed(give_up_ns(call), now_ns))
			continue;
		end_call(call, ERROR_DEADLINE_EXCEEDED,
			 "the deadline has passed and the supervisor does not answer",
			 ret);
		return 0;
	}
	return -EAGAIN;
}

/* ---- another router ---- */

static void call_anew(struct client_call *call)
{
	call->called = false;
	call->sent = call->requests = 0;
	call->remark = (struct message_remark){ 0 };	/* of what was not told */
}

/* What was still queued here nobody has heard of. */
static void leave_router(struct client *client)
{
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++) {
		struct client_call *call = &client->calls[i];

		if (call->id && call->place && client->channel.sent <= call->place)
			call_anew(call);
		call->place = 0;
	}
	channel_release(&client->channel);
	client->away = true;
}

/* Whoever has not had all of the arguments cannot have passed them on. */
static void ask_anew(struct client_call *call)
{
	const struct credit full = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	if (call->over && !call->ack_due)
		call->id = 0;
	call->send_credit = call->receive_credit = full;
	call->grant_due = 0;
	call->remark.age_ms = 0;	/* of a result that only that one had */
	call->resync_due = call->called && !call->over;
	call->resumed = false;
	call->cancel_due |= call->cancelled && !call->over;
	if (call->called && call->sent < call->ask.input.length) {
		call->resync_due = false;
		call_anew(call);
	}
}

static void look_for_router(struct client *client, int64_t now_ns)
{
	int fd;

	if (client->away_ns == 0)
		client->away_ns = deadline_after(now_ns, CLIENT_AWAY_NS);
	if (now_ns < client->again_ns)
		return;
	fd = deadline_passed(client->away_ns, now_ns) ? -ETIMEDOUT :
	     client->reconnect(client->owner);
	client->again_ns = now_ns + CLIENT_AGAIN_NS;
	client->lost = fd < 0 && fd != -EAGAIN;
	if (fd < 0)
		return;
	client->away = client->welcome = false;
	client->used_call = client->used_bytes = 0;
	client->pong_due = false;
	begin(client, fd, (struct span){ client->session,
					 client->known ? CLIENT_SESSION_BYTES : 0 }, NULL);
	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
		if (client->calls[i].id)
			ask_anew(&client->calls[i]);
}

/* ---- receiving ---- */

static int lose(struct client *client, int error)
{
	client->lost = true;
	return error;
}

static int refuse(struct client *client, const struct message *message,
		  const char *what)
{
	error_set_code(&client->why, -EBADMSG, ERROR_PROTOCOL,
		       "the router sent %s, %s",
		       message_kind_name(message->kind), what);
	return lose(client, -EBADMSG);
}

/* The caller has seen the body of the event before. */
static void use_up(struct client *client)
{
	struct client_call *call = client->used_call ?
		find(client, client->used_call) : NULL;

	if (client->used_bytes)
		channel_consume(&client->channel, client->used_bytes);
	if (call)
		call->grant_due += (uint32_t)client->used_bytes;
	client->used_call = 0;
	client->used_bytes = 0;
}

static int on_chunk(struct client *client, struct client_call *call,
		    const struct message *message, struct client_event *ret)
{
	if (message->chunk.sequence != call->chunks)
		return refuse(client, message, "which is out of order");
	call->chunks++;
	ret->kind = CLIENT_CHUNK;
	ret->stream = message->chunk.stream;
	ret->body = message->body;
	return 0;
}

static int on_result(struct client *client, struct client_call *call,
		     const struct message *message, struct client_event *ret)
{
	if (message->result.chunks != call->chunks)
		return refuse(client, message, "after which chunks are missing");
	ret->kind = CLIENT_RESULT;
	ret->result = message->result;
	ret->remark = call->remark;
	ret->body = message->body;
	call->over = call->ack_due = true;
	call->cancel_due = false;
	return 0;
}

/* It is told with the result, when its frame is gone. */
static void take_remark(struct client_call *call, const struct message_remark *remark)
{
	size_t length = remark->tool.length;

	assert(length <= sizeof(call->remark_tool));
	call->remark = *remark;
	if (length)
		memcpy(call->remark_tool, remark->tool.data, length);
	call->remark.tool.data = call->remark_tool;
}

/* Its router had died before it was executed: 1 if it is sent to the new one. */
static int send_anew(struct client_call *call, struct client_event *ret)
{
	if (call->chunks > 0) {
		end_call(call, ERROR_DATA_LOSS,
			 "its router has died, and the rest of its output is lost", ret);
	} else if (call->cancelled) {
		end_call(call, ERROR_CANCELLED, "cancelled before it was executed", ret);
	} else {
		call_anew(call);
		return 1;
	}
	call->id = 0;
	return 0;
}

/* Certainly not executed, and nothing is left to acknowledge. */
static void on_busy(struct client_call *call, const struct message *message,
		    struct client_event *ret)
{
	assert(message->kind == MESSAGE_BUSY);
	ret->kind = CLIENT_RESULT;
	ret->result = (struct message_result){
		.code = message->busy.code,
		.origin = ORIGIN_ROUTER,
		.retry_after_ms = message->busy.retry_after_ms,
		.reason = message->busy.reason,
	};
	call->id = 0;
}

/* Of a call: 0 if it is an event for the caller, 1 if not. */
static int on_call_message(struct client *client, const struct message *message,
			   struct client_event *ret)
{
	struct client_call *call = find(client, message->call_id);
	bool told = call && call->over;
	int r = 0;

	if (message->kind == MESSAGE_CREDIT) {	/* it may cross our last word */
		if (call && !credit_add(&call->send_credit, message->credit.bytes))
			return refuse(client, message, "more than the window");
		return 1;
	}
	if (!call || call->ack_due || !call->called)
		return refuse(client, message, "about no call of ours");
	if (!credit_take(&call->receive_credit, message->body.length))
		return refuse(client, message, "more than was granted");

	client->used_call = call->id;
	client->used_bytes = message->body.length;
	*ret = (struct client_event){ .call = call->id };
	bool resumed = call->resumed;

	call->resumed = false;
	if (message->kind == MESSAGE_BUSY && resumed) {
		r = send_anew(call, ret);
	} else if (message->kind == MESSAGE_ACCEPT) {
		r = call->accepted;	/* as an earlier router said */
		call->accepted = true;
		ret->kind = CLIENT_ACCEPTED;
	} else if (message->kind == MESSAGE_PROGRESS) {
		ret->kind = CLIENT_PROGRESS;
		ret->progress = message->progress;
	} else if (message->kind == MESSAGE_CHUNK) {
		r = on_chunk(client, call, message, ret);
	} else if (message->kind == MESSAGE_REMARK) {
		take_remark(call, &message->remark);
		r = 1;
	} else if (message->kind == MESSAGE_RESULT) {
		r = on_result(client, call, message, ret);
	} else {
		on_busy(call, message, ret);
	}
	return r == 0 && told ? 1 : r;
}

static int on_link_message(struct client *client, const struct message *message,
			   struct client_event *ret)
{
	*ret = (struct client_event){ 0 };
	if (message->kind == MESSAGE_WELCOME) {
		bool again = client->away_ns != 0;

		client->welcome = true;
		client->away_ns = client->again_ns = 0;
		client->catalog = message->welcome.catalog;
		client->known = message->welcome.session.length == CLIENT_SESSION_BYTES;
		if (client->known)
			memcpy(client->session, message->welcome.session.data,
			       CLIENT_SESSION_BYTES);
		if (again)
			return 1;
		*ret = (struct client_event){ .kind = CLIENT_WELCOME,
					      .catalog = client->catalog };
	} else if (message->kind == MESSAGE_PING) {
		client->pong_due = true;
		client->pong_token = message->ping.token;
		return 1;
	} else if (message->kind == MESSAGE_TOOLS_CHANGED) {
		client->catalog = message->tools_changed.catalog;
		*ret = (struct client_event){ .kind = CLIENT_TOOLS_CHANGED,
					      .catalog = client->catalog };
	} else if (message->kind == MESSAGE_DRAIN) {
		*ret = (struct client_event){ .kind = CLIENT_DRAINING,
					      .reason = message->drain.reason };
	} else {
		assert(message->kind == MESSAGE_GOAWAY);
		if (message->goaway.code == ERROR_DRAINING && client->reconnect) {
			leave_router(client);
			return -EAGAIN;
		}
		error_set_code(&client->why, -EPIPE,
			       (enum error_code)message->goaway.code, "%.*s",
			       (int)message->goaway.reason.length,
			       message->goaway.reason.data);
		return lose(client, -EPIPE);
	}
	return 0;
}

/* 0 with an event, or what channel_receive() returns. */
static int receive(struct client *client, struct client_event *ret)
{
	struct message message;
	int r;

	do {
		use_up(client);
		r = channel_receive(&client->channel, &message);
		if (r == -EAGAIN)
			return r;
		client->why = client->channel.why;
		if (r == -EPIPE && client->reconnect) {
			leave_router(client);
			return -EAGAIN;
		}
		if (r < 0)
			return lose(client, r);
		client->turns++;
		r = message.call_id ? on_call_message(client, &message, ret) :
				      on_link_message(client, &message, ret);
	} while (r == 1);
	return r;
}

int client_next(struct client *client, int64_t now_ns,
		struct client_event *ret)
{
	int r = client->lost ? -EPIPE : client->away ? -EAGAIN : receive(client, ret);

	/* One write for all that a read brought about, and never none for long. */
	if (r == -EAGAIN || client->turns % TURNS_PER_PUSH == 0)
		push(client);
	if (client->away)
		look_for_router(client, now_ns);
	if (client->lost && r != 0)
		return tell_loss(client, ret);
	return r == -EAGAIN ? tell_overdue(client, now_ns, ret) : r;
}

/* ---- waiting ---- */

uint32_t client_events(const struct client *client)
{
	return client->lost || client->away ? 0 : channel_events(&client->channel);
}

int64_t client_next_ns(const struct client *client)
{
	int64_t next_ns = client->away ? client->again_ns : DEADLINE_NEVER;

	for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
		if (client->calls[i].id && !client->calls[i].over)
			next_ns = deadline_earlier(next_ns,
						   give_up_ns(&client->calls[i]));
	return client->lost ? 0 : next_ns;
}

static void wait_for_any(struct client *client, int stop_fd, int64_t ns)
{
	uint32_t events = client_events(client);
	struct pollfd fds[] = {
		{ client->channel.fd, (short)((events & EPOLLIN ? POLLIN : 0) |
					      (events & EPOLLOUT ? POLLOUT : 0)), 0 },
		{ stop_fd, POLLIN, 0 },
	};
	struct timespec time = { ns / NS_PER_S, ns % NS_PER_S };

	ppoll(fds, COUNT(fds), ns == DEADLINE_NEVER ? NULL : &time, NULL);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	return fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

int client_wait(struct client *client, int stop_fd, int64_t until_ns,
		struct client_event *ret)
{
	for (;;) {
		int64_t now_ns = clock_now_ns(), wake_ns;
		int r = client_next(client, now_ns, ret);

		if (r != -EAGAIN)
			return r;
		if (is_readable(stop_fd))
			return -EINTR;
		if (deadline_passed(until_ns, now_ns))
			return -ETIMEDOUT;
		wake_ns = deadline_earlier(until_ns, client_next_ns(client));
		wait_for_any(client, stop_fd, deadline_remaining(wake_ns, now_ns));
	}
}
