#include "supervisor/router/resume_core.h"

#include "supervisor/router/parts_core.h"

/* ---- where worker and client meet ---- */

/* From here on it is as any other, once its client has all that has come. */
static void become_ordinary(struct router *router, struct call *call, int64_t now_ns)
{
	size_t granted = call->from_worker.bytes + call->owed;

	if (call->to_client.bytes < granted ||
	    (call->kept && call->last_kept != call->kept->parcels.last))
		return;
	call->silent = false;
	if (call->to_client.bytes > granted)
		call_grant(router, call, call->to_client.bytes - granted, now_ns);
	if (call->borrowed)
		call->flags &= ~(uint32_t)CALL_DETACHED;
	call->borrowed = false;
	if (!(call->flags & CALL_DETACHED) && call->effect == NONE)
		share_stop_collecting(router, call);
}

static void say_from(struct router *router, struct slot *slot, uint64_t handle,
		     uint32_t chunk, int64_t now_ns)
{
	peer_send(router, slot_peer(router, slot_index(router, slot)), &(struct message){
		.kind = MESSAGE_RESYNC, .call_id = handle,
		.generation = slot->generation, .resync.chunks = chunk }, now_ns);
}

static void ask(struct router *router, struct call *call, uint32_t from, int64_t now_ns)
{
	call->unasked = false;
	call->chunks_in = call->resumed_from = from;
	if (call->kept)
		call->kept->places = from;
	deadline_pair_progress(&call->limits, now_ns);
	call_rearm(router, call);
	say_from(router, &router->slots[call->slot], call_handle(router, call), from, now_ns);
}

static bool outlives_clients(const struct call *call)
{
	return call->flags & CALL_DETACHED && !call->borrowed;
}

/* All of it, if others may want that, too; else what its client is yet to have. */
static uint32_t wanted_from(const struct call *call)
{
	bool all = call->effect != NONE || outlives_clients(call);

	return all && call->resent_from == 0 ? 0 : call->had;
}

/* What its client is yet to have is here, or will be. */
static bool has_rest(const struct call *call)
{
	bool here = call->kept || (call->unasked && call->state != CALL_HELD);
	uint32_t most = call->chunks_in > call->resent_to ? call->chunks_in
							  : call->resent_to;

	return here && call->had <= most &&
	       call->had >= (call->unasked ? call->resent_from : call->resumed_from);
}

static const char lost[] = "its output was lost with a router that died, in whole or in part";

static void answer(struct router *router, uint32_t client, uint64_t id,
		   enum error_code code, uint32_t chunks, const char *reason,
		   int64_t now_ns)
{
	peer_send(router, client, &(struct message){
		.kind = MESSAGE_RESULT, .call_id = id,
		.result = { .code = (uint32_t)code, .origin = ORIGIN_ROUTER,
			    .chunks = chunks, .reason = message_text_of(reason) },
	}, now_ns);
}

/* Its client is not waited for: as much as there is, for others. */
static void go_on_alone(struct router *router, struct call *call, int64_t now_ns)
{
	size_t room = CREDIT_CALL_BYTES - call->from_worker.bytes;

	if (call->slot == NONE || !call->named)
		return;
	if (call->unasked)
		ask(router, call, call->resent_from, now_ns);
	else if (room > call->owed)
		call_grant(router, call, room - call->owed, now_ns);
}

void resume_desert(struct router *router, struct call *call, int64_t now_ns)
{
	if (!call->borrowed || effect_is_awaited(router, call)) {
		go_on_alone(router, call, now_ns);
		return;
	}
	call->flags &= ~(uint32_t)CALL_DETACHED;
	call->borrowed = false;
	call_event(router, call, LIFE_LOST, NULL, now_ns);
}

/* It ends here, but its row is there until that is confirmed; or it goes on. */
static void tell_loss(struct router *router, struct call *call, int64_t now_ns)
{
	struct ending ending = call->stop == STOP_NONE ?
			       ending_of(ERROR_DATA_LOSS, lost) :
			       ending_of_stop(router, call);
	uint32_t client = call->client;

	resume_desert(router, call, now_ns);
	if (call->state == CALL_CANCELLING) {
		call_answer(router, call, &ending, (struct span){ 0 }, now_ns);
	} else if (call->state == CALL_HELD) {
		call_send_result(router, call, &ending, (struct span){ 0 }, now_ns);
		call->answered = true;
	} else {
		client_let_go(router, call);
		answer(router, client, call->client_id, ending.code,
		       call->chunks_out, lost, now_ns);
	}
}

/* Both have said how far they are, or there is nothing to be said any more. */
static void meet(struct router *router, struct call *call, int64_t now_ns)
{
	bool over = call->state == CALL_HELD;

	if (call->client == NONE || call->answered || !(call->named || over))
		return;
	call_announce(router, call, now_ns);
	if (call->named && !has_rest(call)) {
		tell_loss(router, call, now_ns);
		return;
	}
	if (call->unasked && !over)
		ask(router, call, wanted_from(call), now_ns);
	client_go_on(router, call, now_ns);
	if (!over)
		become_ordinary(router, call, now_ns);
}

void resume_join(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->adopted && call->client == NONE &&
	    (!call->unasked || call->resent_from == 0))
		go_on_alone(router, call, now_ns);
}

/* ---- the worker's words ---- */

/* Nobody else waits for what nobody will come back for. */
static bool is_deserted(const struct call *call)
{
	return !call->probe && call->client == NONE &&
	       !(call->flags & (CALL_RESUME | CALL_DETACHED));
}

/* Its client was there when the router died, and has been waited for not long enough. */
static bool is_expected(const struct router *router, const struct call *call)
{
	const struct legacy *legacy = &router->legacy;

	return !call->probe && legacy->heirs[call->legacy].past &&
	       !legacy->calls[call->legacy].left;
}

/* A worker that has chunks to send again says no more of it before it is asked. */
static void take_over(struct router *router, struct call *call,
		      const struct message *message, int64_t now_ns)
{
	const struct message_resync *resync = &message->resync;

	call->named = call->accepted = true;
	call->chunks_in = call->resumed_from = call->resent_to = resync->chunks;
	call->resent_from = resync->first;
	call->unasked = resync->first < resync->chunks && !call->stopping;
	if (call->state == CALL_SENT)
		call_enter(router, call, CALL_RUNNING);
	meet(router, call, now_ns);
	if (call->unasked && !is_expected(router, call))
		go_on_alone(router, call, now_ns);
	if (effect_is_awaited(router, call))
		resume_join(router, call, now_ns);
	if (is_deserted(call))
		call_event(router, call, LIFE_LOST, NULL, now_ns);
}

/* Its client had it: the result comes once more, and is declined. */
static void expect_unclaimed(struct router *router, struct slot *slot,
			     const struct message *message, int64_t now_ns)
{
	slot->unclaimed++;
	slot->served++;
	if (message->resync.first < message->resync.chunks)
		say_from(router, slot, message->call_id, message->resync.chunks, now_ns);
}

static void hear_of_call(struct router *router, struct slot *slot,
			 const struct message *message, int64_t now_ns)
{
	struct call *call = call_of_worker(router, slot, message->call_id);

	if (call && call->adopted && !call->named)
		take_over(router, call, message, now_ns);
	else if (!call && message->resync.finished)
		expect_unclaimed(router, slot, message, now_ns);
	else
		slot_fault(router, slot, "it has a call that nobody has sent", now_ns);
}

/* What it did not name it has not begun; unless it had, and no longer knows. */
static void settle_unnamed(struct router *router, struct slot *slot, bool forgot,
			   int64_t now_ns)
{
	struct list *link = slot->calls.next;

	while (link != &slot->calls) {
		struct call *call = LIST_OWNER(link, struct call, slot_link);
		const struct legacy_call *row = &router->legacy.calls[call->legacy];

		link = link->next;
		if (!call->adopted || call->named)
			continue;
		if (row->told)
			call_end_unnamed(router, call,
					 ending_of(ERROR_DATA_LOSS, lost), now_ns);
		else if (forgot || row->begun)
			call_end_unnamed(router, call, ending_of(
				ERROR_CRASH_OUTCOME_UNKNOWN, "its worker has "
				"forgotten its result; the outcome is unknown"), now_ns);
		else
			call_give_back(router, call, now_ns);
		link = slot->calls.next;
	}
}

void resume_hear_worker(struct router *router, struct slot *slot,
			const struct message *message, int64_t now_ns)
{
	if (!slot->again)
		slot_fault(router, slot, "resync, unasked", now_ns);
	else if (message->call_id)
		hear_of_call(router, slot, message, now_ns);
	else
		settle_unnamed(router, slot, message->resync.finished, now_ns);
}

/* ---- the client's words ---- */

/* Left behind here, by its link's end alone: all of its output is there, or none. */
static void take_up(struct router *router, struct call *call, uint32_t client,
		    uint32_t chunks, int64_t now_ns)
{
	if (chunks > 0) {
		answer(router, client, call->client_id, ERROR_DATA_LOSS, chunks,
		       "it goes on, but the rest of its output is not for this link", now_ns);
		return;
	}
	client_regain(router, call, client);
	client_go_on(router, call, now_ns);
}

static void attach(struct router *router, struct call *call, uint32_t client,
		   uint32_t chunks, int64_t now_ns)
{
	if (!call->adopted) {
		take_up(router, call, client, chunks, now_ns);
		return;
	}
	if (call->legacy != NONE)
		router->legacy.heirs[call->legacy].past = false;
	client_regain(router, call, client);
	call_rearm(router, call);
	call->answered &= call->state != CALL_HELD;	/* it was not read */
	call->chunks_out = call->had = chunks;
	meet(router, call, now_ns);
}

/* There is no harm in doing it twice. */
static bool is_repeatable(const struct router *router, const struct legacy_call *row)
{
	uint32_t tool = legacy_tool_of(router, row);

	return tool != NONE && router->tools[tool].row.class != TOOL_EFFECTFUL;
}

void resume_hear_client(struct router *router, uint32_t index,
			const struct message *message, int64_t now_ns)
{
	struct client *client = &router->clients[index];
	uint64_t id = message->call_id;
	struct call *call = client_find_left(router, index, id);
	uint32_t row = legacy_find_past(router, client, id);

	if (!bucket_take(&client->looks, 1, now_ns))
		client_cut(router, index, ERROR_RESOURCE_EXHAUSTED,
			   "more than 100 resyncs a second", now_ns);
	else if (id == 0 || call_find(router, index, id))
		client_cut(router, index, ERROR_PROTOCOL,
			   "resync of no call, or of one that goes on", now_ns);
	else if (call)
		attach(router, call, index, message->resync.chunks, now_ns);
	else if (row == NONE ? client->resumed :
			       is_repeatable(router, &router->legacy.calls[row]))
		peer_send(router, index, &(struct message){
			.kind = MESSAGE_BUSY, .call_id = id,
			.busy = { .code = ERROR_CRASH_NOT_STARTED,
				  .reason = message_text_of(
					"it was not executed before its router died") },
		}, now_ns);
	else
		answer(router, index, id, ERROR_CRASH_OUTCOME_UNKNOWN,
		       message->resync.chunks, "its router died, and its worker "
		       "or its result is gone; the outcome is unknown", now_ns);
}
