#include <errno.h>
#include <poll.h>
#include <time.h>

#include "common/clock.h"
#include "common/wire/packet.h"
#include "workers/worker_life.h"

/* ---- sending ---- */

static void wait_for_room(struct life *life)
{
	struct pollfd link = { life->channel.fd, POLLOUT, 0 };
	int64_t left_ns = deadline_remaining(life->beat_due_ns, clock_now_ns());

	poll(&link, 1, (int)(left_ns / NS_PER_MS) + 1);
	life_beat_if_due(life, clock_now_ns());
}

/* Until a new router has asked, nobody would know what is meant. */
static bool may_speak(const struct life *life)
{
	return !life->away && !life->unasked;
}

int link_write(struct life *life)
{
	int r = life->away ? 0 : channel_flush(&life->channel);

	if (r == -EPIPE)
		link_lost(life);
	else if (r < 0 && r != -EAGAIN)
		life_leave(life, WORKER_EXIT_BROKEN, "the link cannot be written to");
	return r;
}

void link_flush(struct life *life)
{
	while (link_write(life) == -EAGAIN && !life->leaving)
		wait_for_room(life);
}

void link_send(struct life *life, struct message *message)
{
	struct error why = { 0 };
	int r;

	if (life->away || (message->call_id && !may_speak(life)))
		return;
	message->generation = life->generation;
	do {
		r = channel_send(&life->channel, message, NULL, &why);
		if (r == -EAGAIN && channel_flush(&life->channel) == -EAGAIN)
			wait_for_room(life);
	} while (r == -EAGAIN && !life->leaving && !life->away);
	if (r < 0 && r != -EPIPE && r != -EAGAIN)
		life_leave(life, WORKER_EXIT_BROKEN, why.text);
}

int link_hello(struct life *life, struct error *why)
{
	const struct worker_program *program = life->worker.program;
	struct message hello = {
		.kind = MESSAGE_HELLO,
		.hello = {
			.major = MESSAGE_MAJOR,
			.minor_least = MESSAGE_MINOR,
			.minor_most = MESSAGE_MINOR,
			.name = message_text_of(program->name),
			.build = message_text_of(crash_build()),
			.tools_hash = program->contract->hash,
		},
	};
	int r = channel_send(&life->channel, &hello, NULL, why);

	if (r == 0)
		link_flush(life);
	return r;
}

/* ---- what the router says ---- */

static void break_off(struct life *life, const char *reason)
{
	struct message goaway = {
		.kind = MESSAGE_GOAWAY,
		.goaway = { ERROR_PROTOCOL, message_text_of(reason) },
	};

	link_send(life, &goaway);
	life_leave(life, WORKER_EXIT_BROKEN, reason);
}

static void on_welcome(struct life *life, const struct message *message)
{
	struct message ready = {
		.kind = MESSAGE_READY,
		.ready.calls_max = life->worker.program->calls_max,
	};

	if (!ready.ready.calls_max)
		ready.ready.calls_max = 1;
	life->generation = message->generation;
	link_send(life, &ready);
	if (!life->unasked)
		life_beat(life, BEAT_READY, ready.ready.calls_max);
}

static void on_ping(struct life *life, const struct message *message)
{
	struct message pong = {
		.kind = MESSAGE_PONG,
		.pong = { message->ping.token, life->turns },
	};

	link_send(life, &pong);
}

static void on_drain(struct life *life, const struct message *message)
{
	life->draining = true;
	life->drain_ns = message->deadline_ns;
}

/* To name it is to accept it. */
static void resync_call(struct life *life, struct worker_call *call, bool finished)
{
	struct message answer = {
		.kind = MESSAGE_RESYNC,
		.call_id = call->id,
		.resync = { finished, call->chunks },
	};

	call->accepted = true;
	call->send_credit.bytes = call->send_credit.window;
	link_send(life, &answer);
}

/* What runs, what is held, the end; then the results once more. */
static void on_resync(struct life *life, const struct message *message)
{
	struct message end = { .kind = MESSAGE_RESYNC,
			       .resync.finished = life->forgot };
	struct list *link;

	(void)message;
	life->unasked = false;
	life->away_ns = 0;
	for (link = life->calls.next; link != &life->calls; link = link->next)
		resync_call(life, LIST_OWNER(link, struct worker_call, link), false);
	for (link = life->kept.next; link != &life->kept; link = link->next)
		resync_call(life, LIST_OWNER(link, struct worker_call, link), true);
	link_send(life, &end);
	while (!list_is_empty(&life->kept))
		call_send_again(LIST_OWNER(life->kept.next, struct worker_call,
					   link));
}

/* Nothing is left to do, or to say once more. */
static bool is_confirmed(const struct life *life)
{
	return life->served > 0 && list_is_empty(&life->calls) &&
	       list_is_empty(&life->kept);
}

static void on_result_ack(struct life *life, const struct message *message)
{
	struct worker_call *call = call_find_kept(life, message->call_id);

	if (call)
		call_free(call);
	if (life->worker.program->single_use && is_confirmed(life))
		life_leave(life, 0, NULL);
}

static void on_credit(struct life *life, const struct message *message)
{
	struct worker_call *call = call_find(life, message->call_id);

	if (call && !credit_add(&call->send_credit, message->credit.bytes))
		break_off(life, "credit message: more than the call's window");
}

static void on_cancel(struct life *life, const struct message *message)
{
	struct worker_call *call = call_find(life, message->call_id);

	if (call)
		call_stop(call, ERROR_CANCELLED);
}

/* Another worker may have it at once, if it has not been begun here. */
static void on_recall(struct life *life, const struct message *message)
{
	struct worker_call *call = call_find(life, message->call_id);

	if (call && !call->accepted &&
	    (call->state_ == CALL_ARRIVING || call->state_ == CALL_WAITING))
		worker_busy(call, ERROR_RESOURCE_EXHAUSTED, "it waits for another call");
}

static void refuse_call(struct life *life, const struct message *message,
			enum error_code code, const char *reason)
{
	struct message busy = {
		.kind = MESSAGE_BUSY,
		.call_id = message->call_id,
		.busy = { .code = code, .reason = message_text_of(reason) },
	};

	link_send(life, &busy);
}

/*
 * "sleep" of "echo.sleep", nothing of "echo": what stands before the dot is
 * the manifest's choice, and several manifests may have the same program.
 */
static struct span method_of(struct span name)
{
	const uint8_t *dot = memchr(name.data, '.', name.length);

	return dot ? span_skip(name, (size_t)(dot - name.data) + 1) :
		     (struct span){ 0 };
}

static bool is_method(const char *mine, struct message_text name)
{
	return span_equal(method_of(span_of_text(mine)),
			  method_of((struct span){ (const uint8_t *)name.data, name.length }));
}

static const struct worker_tool *find_tool(const struct worker_program *program,
					   struct message_text name)
{
	if (program->tool_count == 1)
		return program->tools;
	for (size_t i = 0; i < program->tool_count; i++)
		if (is_method(program->tools[i].name, name))
			return &program->tools[i];
	return NULL;
}

/* By the name that was called: a program's one tool may serve several. */
static const struct worker_promise *find_promise(
	const struct worker_contract *contract, struct message_text name)
{
	const struct worker_promise *promises = contract->promises;

	if (contract->count == 1)
		return promises;
	for (size_t i = 0; i < contract->count; i++)
		if (is_method(promises[i].name, name))
			return &promises[i];
	return NULL;
}

/* Whether the bytes were taken; if not, the call has been refused. */
static bool append(struct worker_call *call, struct span bytes)
{
	int r = call_append(call, bytes);

	if (r < 0)
		call_refuse(call, ERROR_RESOURCE_EXHAUSTED, "%s",
			    r == -EMSGSIZE ? "the arguments are too long"
					   : "out of memory");
	return r == 0;
}

static void begin_call(struct worker_call *call, const struct message *message)
{
	const struct worker_program *program = call->worker->program;

	call->tool = find_tool(program, message->call.tool);
	call->promise = find_promise(program->contract, message->call.tool);
	if (!call->tool || !call->promise) {
		call_refuse(call, ERROR_UNIMPLEMENTED, "%s has no tool %.*s",
			    program->name, (int)message->call.tool.length,
			    message->call.tool.data);
		return;
	}
	if (!(message->call.flags & CALL_MORE))
		call_take_arguments(call, message->body);
	else
		append(call, message->body);
}

static void on_call(struct life *life, const struct message *message)
{
	uint32_t most = life->worker.program->calls_max;
	struct worker_call *call;

	if (call_find(life, message->call_id) ||
	    call_find_kept(life, message->call_id)) {
		break_off(life, "call message: a call_id that is in use");
		return;
	}
	if (life->call_count >= (most ? most : 1)) {
		refuse_call(life, message, ERROR_RESOURCE_EXHAUSTED,
			    "the worker has as many calls as it takes");
		return;
	}
	call = call_new(life, message);
	if (!call) {
		refuse_call(life, message, ERROR_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	if (!credit_take(&call->receive_credit, message->body.length))
		break_off(life, "call message: more than its credit");
	else
		begin_call(call, message);
}

/* What was taken in may come again, half a window at a time. */
static void grant(struct life *life, struct worker_call *call)
{
	size_t used = call->receive_credit.window - call->receive_credit.bytes;
	struct message credit = {
		.kind = MESSAGE_CREDIT,
		.call_id = call->id,
		.credit.bytes = (uint32_t)used,
	};

	if (used < call->receive_credit.window / 2)
		return;
	link_send(life, &credit);
	credit_add(&call->receive_credit, used);
}

static void on_chunk_req(struct life *life, const struct message *message)
{
	struct worker_call *call = call_find(life, message->call_id);

	if (!call || call->state_ != CALL_ARRIVING)
		return;		/* it was refused while this was on its way */
	if (message->chunk_req.sequence != call->requests++ ||
	    !credit_take(&call->receive_credit, message->body.length)) {
		break_off(life, "chunk_req message: a gap, or more than its credit");
		return;
	}
	if (!append(call, message->body))
		return;
	if (message->chunk_req.last)
		call_take_arguments(call, (struct span){ call->body, call->body_bytes });
	else
		grant(life, call);
}

static void (*const handlers[])(struct life *, const struct message *) = {
	[MESSAGE_WELCOME] = on_welcome,
	[MESSAGE_PING] = on_ping,
	[MESSAGE_DRAIN] = on_drain,
	[MESSAGE_RESYNC] = on_resync,
	[MESSAGE_RESULT_ACK] = on_result_ack,
	[MESSAGE_CREDIT] = on_credit,
	[MESSAGE_CANCEL] = on_cancel,
	[MESSAGE_RECALL] = on_recall,
	[MESSAGE_CALL] = on_call,
	[MESSAGE_CHUNK_REQ] = on_chunk_req,
};

/*
 * An answer must find room, or we would have to wait for a router that may be
 * waiting for us: what it says stays in the socket until there is some.
 */
static bool may_receive(const struct life *life)
{
	return !life->leaving && !life->away &&
	       buffer_room(&life->channel.out) >= LIFE_REPLY_BYTES;
}

static void receive_all(struct life *life)
{
	struct message message;
	int r = 0;

	while (may_receive(life)) {
		r = channel_receive(&life->channel, &message);
		if (r < 0)
			break;
		if (message.kind < COUNT(handlers) && handlers[message.kind])
			handlers[message.kind](life, &message);
		if (message.body.length)
			channel_consume(&life->channel, message.body.length);
	}
	if (r == -EPIPE)
		link_lost(life);
	else if (r < 0 && r != -EAGAIN)
		life_leave(life, WORKER_EXIT_BROKEN, life->channel.why.text);
}

/* ---- another router ---- */

void link_lost(struct life *life)
{
	if (life->away || life->leaving)
		return;
	if (life->worker.program->client || !life->generation) {
		life_leave(life, 0, NULL);
		return;
	}
	loop_remove(&life->loop, &life->link);
	channel_release(&life->channel);
	life->away = life->unasked = true;
	life->away_ns = clock_now_ns() + LIFE_AWAY_NS;
	life->draining = false;		/* that was its wish alone */
}

/* Whose arguments were still to come: nobody will send the rest. */
static void drop_arriving(struct life *life)
{
	struct list *link = life->calls.next;

	while (link != &life->calls) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		link = link->next;
		if (call->state_ == CALL_ARRIVING)
			call_free(call);
	}
}

/* What was half said or half heard on the old one is forgotten. */
static void renew(struct life *life, int fd)
{
	struct buffer in = life->channel.in, out = life->channel.out;
	struct error why = { 0 };

	link_lost(life);
	if (!life->away) {
		close(fd);
		return;
	}
	drop_arriving(life);
	buffer_init(&in, in.data, in.capacity);
	buffer_init(&out, out.data, out.capacity);
	channel_init(&life->channel, fd, WORKER_TO_ROUTER, in, out);
	life->link.fd = fd;
	life->link_events = EPOLLIN;
	life->away = false;
	life->away_ns = clock_now_ns() + LIFE_AWAY_NS;
	if (loop_add(&life->loop, &life->link, EPOLLIN, &why) < 0 ||
	    link_hello(life, &why) < 0)
		life_leave(life, WORKER_EXIT_BROKEN, why.text);
}

void link_hear_monitor(struct life *life)
{
	struct beat beat;
	int fd, r = packet_receive(life->beat.fd, &beat, sizeof(beat), &fd, 1);

	if (r > 0 && beat.kind == BEAT_LINK && fd >= 0)
		renew(life, fd);
	else if (r != 0)
		life_leave(life, 0, NULL);
}

/* ---- a turn ---- */

static void pump_all(struct life *life)
{
	struct list *link = life->calls.next;

	while (link != &life->calls && !life->leaving && may_speak(life)) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		link = link->next;	/* a call that is done leaves the list */
		call_pump(call);
	}
}

static struct worker_call *next_waiting(struct life *life)
{
	for (struct list *link = life->calls.next; link != &life->calls;
	     link = link->next) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		if (call->state_ == CALL_WAITING)
			return call;
	}
	return NULL;
}

/* Until its time is over it waits for what is not confirmed, too. */
static void look_whether_drained(struct life *life)
{
	struct message drained = {
		.kind = MESSAGE_DRAINED,
		.drained.calls = life->served,
	};

	if (!life->draining || life->leaving || life->unasked ||
	    !list_is_empty(&life->calls) ||
	    (!list_is_empty(&life->kept) && life->drain_ns != DEADLINE_NEVER))
		return;
	link_send(life, &drained);
	life_leave(life, 0, NULL);
}

void link_turn_within(struct life *life)
{
	receive_all(life);
	pump_all(life);
	link_write(life);
}

/* What we would not read must not wake us either. */
static uint32_t events_of(const struct life *life)
{
	uint32_t events = channel_events(&life->channel);

	return may_receive(life) ? events : events & ~(uint32_t)EPOLLIN;
}

void link_turn(struct life *life)
{
	struct worker_call *call;
	uint32_t events;

	life->turns++;
	life->busy = true;
	do {
		receive_all(life);
		while (!life->leaving && (call = next_waiting(life)))
			call_serve(call);
		pump_all(life);
	} while (may_receive(life) && channel_pending(&life->channel));
	life->busy = false;
	look_whether_drained(life);
	link_write(life);
	events = life->away ? life->link_events : events_of(life);
	if (events != life->link_events && !life->leaving) {
		life->link_events = events;
		if (loop_modify(&life->loop, &life->link, events, NULL) < 0)
			life_leave(life, WORKER_EXIT_BROKEN, "the link cannot be watched");
	}
}

void link_wait(struct life *life, int64_t until_ns)
{
	struct pollfd watched[] = {
		{ -1, 0, 0 }, { life->beat.fd, POLLIN, 0 },
		{ life->loop.signals.fd, POLLIN, 0 },
	};
	int64_t now_ns, left_ns;

	link_turn_within(life);
	now_ns = clock_now_ns();
	life_tick(life, now_ns);
	until_ns = deadline_earlier(until_ns, life->loop.wakeup_ns);
	left_ns = deadline_remaining(until_ns, now_ns);
	if (life->leaving)
		return;
	if (!life->away)
		watched[0] = (struct pollfd){ life->channel.fd,
					      (short)events_of(life), 0 };
	ppoll(watched, COUNT(watched), &(struct timespec){
		left_ns / NS_PER_S, left_ns % NS_PER_S }, NULL);
	if (watched[2].revents)
		life_leave(life, 0, NULL);
	else if (watched[1].revents)
		link_hear_monitor(life);
	link_turn_within(life);
	life_tick(life, clock_now_ns());
}
