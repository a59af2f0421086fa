#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/schema.h"
#include "common/text.h"
#include "common/wire/pack.h"
#include "workers/worker_life.h"

#define ARENA_KEPT_BYTES 65536	/* more than that is given back after a call */
#define BODY_BYTES_MIN 4096

/* ---- having calls ---- */

static struct worker_call *allocate(struct life *life)
{
	struct list *link = list_take_first(&life->free);
	struct worker_call *call;

	if (link)
		return LIST_OWNER(link, struct worker_call, link);
	call = calloc(1, sizeof(*call));
	if (call)
		arena_init(&call->memory, WORKER_CALL_BYTES_MAX);
	return call;
}

struct worker_call *call_new(struct life *life, const struct message *message)
{
	static const struct credit window = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	struct worker_call *call = allocate(life);

	if (!call)
		return NULL;
	*call = (struct worker_call){
		.worker = &life->worker,
		.id = message->call_id,
		.deadline_ns = message->deadline_ns,
		.workspace = message->call.workspace,
		.attempt = message->call.attempt,
		.parent = message->call.parent,
		.effect_bytes = message->call.effect.length,
		.memory = call->memory,
		.state_ = CALL_ARRIVING,
		.send_credit = window,
		.receive_credit = window,
		.origin = ORIGIN_WORKER,
	};
	if (call->effect_bytes)
		memcpy(call->effect, message->call.effect.data,
		       call->effect_bytes);
	list_append(&life->calls, &call->link);
	life->call_count++;
	return call;
}

static struct worker_call *find(struct list *list, uint64_t id)
{
	for (struct list *link = list->next; link != list; link = link->next) {
		struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		if (call->id == id)
			return call;
	}
	return NULL;
}

struct worker_call *call_find(struct life *life, uint64_t id)
{
	return find(&life->calls, id);
}

struct worker_call *call_find_kept(struct life *life, uint64_t id)
{
	return find(&life->kept, id);
}

static void leave_list(struct worker_call *call)
{
	struct life *life = life_of(call);

	list_remove(&call->link);
	if (call->state_ == CALL_KEPT)
		life->kept_bytes -= call->memory.bytes;
	else
		life->call_count--;
}

void call_free(struct worker_call *call)
{
	leave_list(call);
	json_decref(call->arguments);
	call->arguments = NULL;
	if (call->memory.bytes > ARENA_KEPT_BYTES)
		arena_release(&call->memory);
	else
		arena_reset(&call->memory);
	call->state_ = CALL_FREE;
	list_prepend(&life_of(call)->free, &call->link);
}

/* Confirmed in order as a rule; beyond the limit the oldest is forgotten. */
static void keep(struct worker_call *call)
{
	struct life *life = life_of(call);

	leave_list(call);
	call->state_ = CALL_KEPT;
	life->kept_bytes += call->memory.bytes;
	list_append(&life->kept, &call->link);
	while (life->kept_bytes > WORKER_KEPT_BYTES_MAX) {
		call_free(LIST_OWNER(life->kept.next, struct worker_call, link));
		life->forgot = true;
	}
}

void call_send_again(struct worker_call *call)
{
	struct life *life = life_of(call);

	leave_list(call);
	call->state_ = CALL_FINISHED;
	list_append(&life->calls, &call->link);
	life->call_count++;
}

/* ---- the end ---- */

/* Room for a body's frame that leaves what answers need. */
static size_t out_bytes(size_t body)
{
	return LIFE_REPLY_BYTES + FRAME_HEADER_BYTES + MESSAGE_OVERHEAD_BYTES_MAX + body;
}

struct message call_result(const struct worker_call *call)
{
	bool whole = call->body_bytes <= MESSAGE_BODY_BYTES_MAX;

	return (struct message){
		.kind = MESSAGE_RESULT,
		.generation = life_of(call)->generation,
		.call_id = call->id,
		.result = {
			.code = call->code,
			.origin = call->origin,
			.attempts = call->attempt,
			.phase = call->phase,
			.chunks = call->chunks,
			.reason = message_text_of(call->reason),
		},
		.body = { call->body, whole ? call->body_bytes : 0 },
	};
}

/* A new router has heard of it, and is yet to have what the old one has had. */
static bool is_behind(const struct worker_call *call)
{
	return !call->waits && call->next < call->chunks;
}

static bool may_tell(const struct worker_call *call)
{
	return !life_of(call)->away && !life_of(call)->unasked && !call->waits &&
	       !is_behind(call);
}

static bool send_large_body(struct worker_call *call)
{
	if (call->body_bytes > MESSAGE_BODY_BYTES_MAX)
		call->body_sent += worker_chunk_some(call, 0, (struct span){
			call->body + call->body_sent,
			call->body_bytes - call->body_sent });
	return call->body_bytes <= MESSAGE_BODY_BYTES_MAX ||
	       call->body_sent == call->body_bytes;
}

static void send_result(struct worker_call *call)
{
	struct life *life = life_of(call);
	struct message result;
	int r;

	if (!may_tell(call) || !send_large_body(call))
		return;
	result = call_result(call);
	r = channel_send(&life->channel, &result, &call->send_credit, NULL);
	if (r == -EAGAIN)
		return;
	life->served++;
	keep(call);
}

/* From where a new router wants it; false as long as there is no credit or room. */
static bool send_chunk_again(struct worker_call *call)
{
	static uint8_t bytes[SENT_CHUNK_BYTES_MAX];
	struct channel *channel = &life_of(call)->channel;
	struct message chunk = {
		.kind = MESSAGE_CHUNK,
		.generation = life_of(call)->generation,
		.call_id = call->id,
		.chunk.sequence = call->next,
	};

	chunk.body = sent_peek(&call->sent, bytes, &chunk.chunk.stream);
	if (buffer_room(&channel->out) < out_bytes(chunk.body.length) &&
	    channel_flush(channel) < 0)
		return false;
	if (channel_send(channel, &chunk, &call->send_credit, NULL) < 0)
		return false;
	sent_pass(&call->sent);
	call->next++;
	return true;
}

void call_pump(struct worker_call *call)
{
	while (is_behind(call) && send_chunk_again(call))
		;
	if (call->state_ == CALL_FINISHED)
		send_result(call);
	else if (call->state_ == CALL_SERVED && call != life_of(call)->serving &&
		 call->tool->writable)
		call->tool->writable(call);
}

/* Every call that is not refused as BUSY is accepted first, a failed one too. */
static void accept(struct worker_call *call)
{
	struct message accept = { .kind = MESSAGE_ACCEPT, .call_id = call->id };

	if (call->accepted)
		return;
	call->accepted = true;
	link_send(life_of(call), &accept);
}

/* The crash page names a call only where it must be that one. */
static void name_culprit(struct life *life)
{
	uint64_t only = 0;
	unsigned count = 0;

	for (struct list *link = life->calls.next; link != &life->calls;
	     link = link->next) {
		const struct worker_call *call =
			LIST_OWNER(link, struct worker_call, link);

		if (call->state_ == CALL_SERVED) {
			only = call->id;
			count++;
		}
	}
	crash_set_call(life->serving ? life->serving->id :
		       count == 1    ? only : 0);
}

static void finish(struct worker_call *call, enum error_code code,
		   const char *reason)
{
	struct life *life = life_of(call);

	json_decref(call->arguments);
	call->arguments = NULL;
	call->code = code;
	text_escape(span_of_text(reason), call->reason, sizeof(call->reason));
	call->state_ = CALL_FINISHED;
	if (call->stop != ERROR_OK &&
	    (is_behind(call) || !credit_covers(&call->send_credit, call->body_bytes))) {
		call->body_bytes = 0;	/* nobody may be there to take it */
		call->chunks = call->next;
		call->code = call->stop;
	}
	name_culprit(life);
	accept(call);
	send_result(call);
	if (!life->busy && !life->serving)
		link_turn(life);
}

void call_refuse(struct worker_call *call, enum error_code code,
		 const char *format, ...)
{
	char reason[ERROR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	call->body_bytes = 0;
	finish(call, code, reason);
}

/* A tool's failure; one that was told to end has failed for that reason. */
void worker_fail(struct worker_call *call, const struct error *why)
{
	enum error_code code = why->code != ERROR_OK ? why->code : ERROR_INTERNAL;

	if (why->origin == ORIGIN_UPSTREAM)
		call->origin = ORIGIN_UPSTREAM;
	call_refuse(call, call->stop != ERROR_OK ? call->stop : code, "%s",
		    why->text);
}

/* Grows until it fits; what an arena has given is only given back at the end. */
static int encode(struct worker_call *call, json_t *result, struct error *why)
{
	int r = -EMSGSIZE;

	for (size_t room = BODY_BYTES_MIN; r == -EMSGSIZE; room *= 8) {
		call->body = arena_alloc(&call->memory, room);
		if (!call->body)
			return error_set_code(why, -EMSGSIZE, ERROR_OUTPUT_LIMIT,
					      "the result is deeper than %d or longer than %u bytes",
					      PACK_DEPTH_MAX, WORKER_CALL_BYTES_MAX);
		r = convert_from_json(result, call->body, room, why);
	}
	return r;
}

static void finish_with(struct worker_call *call, enum error_code code,
			const char *reason, json_t *result)
{
	struct error why;
	int r;

	if (!result)
		result = json_null();
	r = encode(call, result, &why);
	json_decref(result);
	if (r < 0) {
		worker_fail(call, &why);
		return;
	}
	call->body_bytes = (size_t)r;
	finish(call, code, reason);
}

void worker_finish(struct worker_call *call, json_t *result)
{
	finish_with(call, ERROR_OK, "", result);
}

void worker_cancelled(struct worker_call *call, json_t *result)
{
	finish_with(call, ERROR_CANCELLED, "cancelled", result);
}

void worker_busy(struct worker_call *call, enum error_code code,
		 const char *reason)
{
	struct life *life = life_of(call);
	struct message busy = {
		.kind = MESSAGE_BUSY,
		.call_id = call->id,
		.busy = { .code = code, .reason = message_text_of(reason) },
	};

	if (call->accepted) {	/* it was named to a new router */
		call_refuse(call, code, "%s", reason);
		return;
	}
	link_send(life, &busy);
	call_free(call);
	name_culprit(life);
}

void call_stop(struct worker_call *call, enum error_code code)
{
	if (call->stop == ERROR_OK)
		call->stop = code;
	switch (call->state_) {
	case CALL_ARRIVING:
	case CALL_WAITING:
		call_refuse(call, call->stop, "it ended before it was begun");
		break;
	case CALL_SERVED:
		if (call != life_of(call)->serving && call->tool->stopped)
			call->tool->stopped(call);
		break;
	case CALL_FINISHED:	/* nobody may be there to take the body */
		call_refuse(call, call->stop, "it ended before its result was taken");
		break;
	case CALL_KEPT:
	case CALL_FREE:
		break;
	}
}

/* ---- the beginning ---- */

int call_append(struct worker_call *call, struct span bytes)
{
	size_t most = life_of(call)->worker.program->argument_bytes_max;
	size_t room = call->body_room ? call->body_room : BODY_BYTES_MIN;
	uint8_t *body;

	if (bytes.length > (most ? most : WORKER_ARGUMENT_BYTES_MAX) - call->body_bytes)
		return -EMSGSIZE;
	while (room < call->body_bytes + bytes.length)
		room *= 2;
	if (room != call->body_room) {
		body = arena_alloc(&call->memory, room);
		if (!body)
			return -ENOMEM;
		if (call->body_bytes)
			memcpy(body, call->body, call->body_bytes);
		call->body = body;
		call->body_room = room;
	}
	if (bytes.length)
		memcpy(call->body + call->body_bytes, bytes.data, bytes.length);
	call->body_bytes += bytes.length;
	return 0;
}

void call_take_arguments(struct worker_call *call, struct span bytes)
{
	struct life *life = life_of(call);
	size_t row = (size_t)(call->promise - life->worker.program->contract->promises);
	struct error why = { 0 };
	int r = 0;

	if (bytes.length == 0)
		call->arguments = json_null();
	else
		r = convert_to_json(bytes, &call->arguments, &why);
	if (r == 0)
		r = schema_check(life->schemas[row], call->arguments, &why);
	if (r < 0)
		call_refuse(call, r == -ENOMEM ? ERROR_RESOURCE_EXHAUSTED
					       : ERROR_INVALID_ARGUMENT,
			    "%s", why.text);
	else
		call->state_ = CALL_WAITING;
}

/* What a tool is told: to go on, or why not. */
static int verdict(const struct worker_call *call)
{
	if (life_of(call)->leaving)
		return -EPIPE;
	if (call->stop == ERROR_OK)
		return 0;
	return call->stop == ERROR_DEADLINE_EXCEEDED ? -ETIMEDOUT : -ECANCELED;
}

int worker_accept(struct worker_call *call)
{
	accept(call);
	if (call->promise->class != TOOL_PURE)
		link_flush(life_of(call));
	return verdict(call);
}

void call_serve(struct worker_call *call)
{
	struct life *life = life_of(call);
	struct error why = { 0 };
	json_t *result = NULL;
	struct log_context outer = log_push(&life->worker.log,
					    (struct log_context){ .call = call->id });
	int r = 0;

	call->state_ = CALL_SERVED;
	if (deadline_passed(call->deadline_ns, clock_now_ns()))
		call->stop = ERROR_DEADLINE_EXCEEDED;
	life->serving = call;
	name_culprit(life);
	crash_set_phase(0);
	r = verdict(call);
	if (r == 0 && !call->tool->accepts)
		r = worker_accept(call);
	if (r == 0)
		r = call->tool->serve(call, &result, &why);
	life->serving = NULL;
	log_pop(&life->worker.log, outer);
	if (call->state_ != CALL_SERVED)	/* the tool has ended it itself */
		return;
	if (r == 0) {
		worker_finish(call, result);
	} else if (r < 0) {
		if (!why.text[0])
			error_set(&why, r, "%s", strerror(-r));
		worker_fail(call, &why);
	} else {
		name_culprit(life);
		if (life->worker.program->single_use)
			life->taken_ns = clock_now_ns() + LIFE_TAKEN_NS;
		if (call->stop != ERROR_OK)
			call_stop(call, call->stop);
	}
}

/* ---- while it is served ---- */

#define LOOK_NS NS_PER_MS	/* how often a busy tool looks at its link */

int worker_poll(struct worker_call *call)
{
	struct life *life = life_of(call);
	int64_t now_ns = clock_now_ns();

	life->turns++;
	if (now_ns >= life->look_due_ns) {
		life->look_due_ns = now_ns + LOOK_NS;
		link_turn_within(life);
		life_tick(life, now_ns);
	}
	return verdict(call);
}

int worker_pause(struct worker_call *call, int64_t until_ns)
{
	struct life *life = life_of(call);
	int r = verdict(call);

	while (r == 0 && clock_now_ns() < until_ns) {
		link_wait(life, until_ns);
		r = verdict(call);
	}
	return r;
}

int worker_chunk(struct worker_call *call, uint32_t stream, struct span bytes)
{
	int r = verdict(call);

	while (r == 0 && bytes.length > 0) {
		size_t sent = worker_chunk_some(call, stream, bytes);

		bytes = span_skip(bytes, sent);
		if (sent == 0)
			link_wait(life_of(call), DEADLINE_NEVER);
		r = verdict(call);
	}
	return r;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One frame at a time, and never into the room that answers need. */
static size_t frame_bytes(const struct worker_call *call, size_t length)
{
	const struct channel *channel = &life_of(call)->channel;
	size_t room = buffer_room(&channel->out);
	size_t kept = out_bytes(0);

	length = least(length, SENT_CHUNK_BYTES_MAX);
	length = least(length, call->send_credit.bytes);
	length = least(length, channel->send_credit.bytes);
	return room <= kept ? 0 : least(length, room - kept);
}

size_t worker_chunk_some(struct worker_call *call, uint32_t stream,
			 struct span bytes)
{
	struct life *life = life_of(call);
	size_t sent = 0, length;

	while (may_tell(call) &&
	       (length = frame_bytes(call, bytes.length - sent)) > 0) {
		struct message chunk = {
			.kind = MESSAGE_CHUNK,
			.generation = life->generation,
			.call_id = call->id,
			.chunk = { .sequence = call->chunks, .stream = stream },
			.body = { bytes.data + sent, length },
		};

		if (channel_send(&life->channel, &chunk, &call->send_credit, NULL) < 0)
			break;
		sent_keep(&call->sent, &call->memory, stream, chunk.body);
		call->next = ++call->chunks;
		sent += length;
	}
	if (sent > 0)
		channel_flush(&life->channel);
	return sent;
}

void worker_progress(struct worker_call *call, uint64_t done, uint64_t total,
		     const char *note)
{
	struct life *life = life_of(call);
	struct message progress = {
		.kind = MESSAGE_PROGRESS,
		.generation = life->generation,
		.call_id = call->id,
		.progress = { done, total, message_text_of(note) },
	};

	if (!may_tell(call))
		return;
	if (buffer_room(&life->channel.out) > 2 * LIFE_REPLY_BYTES)
		channel_send(&life->channel, &progress, NULL, NULL);
	channel_flush(&life->channel);
}

void worker_wake_at(struct worker_call *call, int64_t at_ns)
{
	struct life *life = life_of(call);

	call->wake_ns = at_ns;
	loop_set_wakeup(&life->loop,
			deadline_earlier(life->loop.wakeup_ns, at_ns));
}

void worker_phase(struct worker_call *call, uint32_t phase)
{
	call->phase = phase;
	crash_set_phase(phase);
}
