#include "supervisor/router/parts_core.h"

#include <string.h>

void call_announce(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->announced || call->answered || call->client == NONE)
		return;
	call->announced = true;
	peer_send(router, call->client, &(struct message){
		.kind = MESSAGE_ACCEPT, .call_id = call->client_id }, now_ns);
}

void call_pass_on(struct router *router, struct call *call,
		  const struct message *message, int64_t now_ns)
{
	struct message copy = *message;

	if (call->answered || call->silent || call->client == NONE)
		return;
	/* How far it is nobody pays for, nor wants to know who reads it late. */
	if (message->kind == MESSAGE_PROGRESS &&
	    router->clients[call->client].peer.waiting.count > 0)
		return;
	copy.call_id = call->client_id;
	copy.generation = 0;
	peer_send(router, call->client, &copy, now_ns);
}

/* The tool that it has its answer from, unless that is the one it asked for. */
static const char *answered_by(const struct router *router, const struct call *call)
{
	const char *other = call->kept ? call->kept->instead : "";

	if (call->instead)
		return tool_name(router, call);
	return strcmp(other, tool_name(router, call)) == 0 ? "" : other;
}

void call_remark(struct router *router, const struct call *call,
		 int64_t now_ns)
{
	const char *other = answered_by(router, call);

	if (call->client == NONE ||
	    !(call->flags & CALL_REMARK || call->dropped > 0 || call->age_ms > 0 ||
	      *other))
		return;
	peer_send(router, call->client, &(struct message){
		.kind = MESSAGE_REMARK, .call_id = call->client_id,
		.remark = {
			.number = call->kept && call->kept->number ?
				  call->kept->number : call_number(router, call),
			.dropped = call->dropped, .age_ms = call->age_ms,
			.tool = message_text_of(other) } }, now_ns);
}

void call_count_end(struct router *router, const struct call *call,
		    enum error_code code, int64_t now_ns)
{
	if (code == ERROR_OK)
		router->totals.ok++;
	else
		router->totals.failed++;
	router->ends[code]++;
	router->stops[call->stop]++;
	if (call->tool != NONE)
		router->tools[call->tool].ends[code]++;
	record_call(router, call, code, now_ns);
}

static struct message result_of(const struct call *call,
				const struct ending *ending, struct span body)
{
	return (struct message){
		.kind = MESSAGE_RESULT,
		.call_id = call->client_id,
		.result = {
			.code = (uint32_t)ending->code,
			.origin = (uint32_t)ending->origin,
			.attempts = call->attempts,
			.phase = ending->phase,
			.chunks = call->chunks_out,
			.retry_after_ms = ending->retry_after_ms > 3600000 ?
					  3600000 : ending->retry_after_ms,
			.reason = { ending->reason, ending->reason_length } },
		.body = body,
	};
}

void call_send_result(struct router *router, struct call *call,
		      const struct ending *ending, struct span body,
		      int64_t now_ns)
{
	struct message result = result_of(call, ending, body);

	if (call->client == NONE)
		return;
	call_remark(router, call, now_ns);
	peer_send(router, call->client, &result, now_ns);
}

void call_answer(struct router *router, struct call *call,
		 const struct ending *ending, struct span body,
		 int64_t now_ns)
{
	if (call->answered)
		return;
	call_count_end(router, call, ending->code, now_ns);
	call_send_result(router, call, ending, body, now_ns);
	call->answered = true;
}

/* The result is kept: it goes out under credit, or waits for its client. */
static void end_kept(struct router *router, struct call *call,
		     const struct ending *ending, int64_t now_ns)
{
	call_count_end(router, call, ending->code, now_ns);
	if (call->client == NONE) {
		call_hold(router, call, now_ns + (call->borrowed ? HELD_ACK_NS : HELD_NS));
		return;
	}
	call->keep_ns = call->limits.absolute_ns > now_ns + HELD_ACK_NS ?
			call->limits.absolute_ns : now_ns + HELD_ACK_NS;
	call_enter(router, call, CALL_DELIVERING);
	share_deliver(router, call, now_ns);
}

static bool is_kept(const struct call *call)
{
	return call->flags & CALL_DETACHED && !call->answered && call->kept &&
	       call->kept->parcels.last &&
	       call->kept->parcels.last->message.kind == MESSAGE_RESULT;
}

/*
 * The last word: told now, or when its client comes back. What is detached
 * stays until the client has confirmed it, who may leave before it has it.
 */
static void conclude(struct router *router, struct call *call,
		     const struct ending *ending, struct span body,
		     int64_t now_ns)
{
	bool kept = is_kept(call) && !call->confirmed;

	if (kept && call->silent) {
		end_kept(router, call, ending, now_ns);
		return;
	}
	call_answer(router, call, ending, body, now_ns);
	if (!kept) {
		call_free(router, call);
		return;
	}
	call_hold(router, call, now_ns + HELD_ACK_NS);
}

static void keep_ending(struct router *router, struct call *call,
			const struct ending *ending)
{
	struct message result = result_of(call, ending, (struct span){ 0 });
	struct parcel *parcel = parcel_keep(router, &result);

	if (!call->kept)
		call->kept = kept_new(router);
	if (call->kept)
		kept_sign(router, call->kept, call);
	if (parcel && call->kept)
		parcels_append(&call->kept->parcels, parcel);
	else if (parcel)
		store_give(&router->store, parcel);
}

void call_end(struct router *router, struct call *call,
	      const struct ending *ending, int64_t now_ns)
{
	call_detach(router, call);
	share_land(router, call, false, now_ns);
	if ((call->flags & CALL_DETACHED && !call->answered) ||
	    call->effect != NONE)
		keep_ending(router, call, ending);
	effect_land(router, call, ending, now_ns);
	conclude(router, call, ending, (struct span){ 0 }, now_ns);
}

/* The worker's last word on it. */
void call_end_with_result(struct router *router, struct call *call,
			  const struct message *message,
			  const struct ending *ending, int64_t now_ns)
{
	struct message result = *message;
	struct ending lost;
	bool kept;

	if (message->result.code != (uint32_t)ending->code)
		result = result_of(call, ending, message->body);
	result.result.origin = (uint32_t)ending->origin;
	result.result.attempts = call->attempts;
	share_collect(router, call, &result);
	kept = call->collecting;
	share_land(router, call, kept && !call->answered, now_ns);
	effect_land(router, call, ending, now_ns);
	if (call->silent && !kept && !call->answered) {
		lost = ending_of(ERROR_DATA_LOSS, "the result was too large "
				 "to be kept for a client that left");
		call_end(router, call, &lost, now_ns);
		return;
	}
	conclude(router, call, ending, message->body, now_ns);
}
