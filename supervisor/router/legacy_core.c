#include "supervisor/router/legacy_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/state_core.h"

struct heir {
	struct list link;	/* free; or of its client's unconfirmed */
	uint32_t call;		/* NONE: it is over */
	bool past;		/* its client has not come back to it yet */
	bool owed;		/* its worker keeps the result */
};

/* ---- storage ---- */

static size_t rounded(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static uint32_t sessions_of(const struct router_size *size)
{
	return 2 * size->clients;
}

static uint32_t rows_of(const struct router_size *size)
{
	return 2 * size->calls;
}

static size_t calls_at(const struct router_size *size)
{
	return sizeof(struct legacy_head) +
	       rounded(sessions_of(size) * sizeof(struct legacy_session));
}

size_t legacy_bytes(const struct router_size *size)
{
	return calls_at(size) + rows_of(size) * sizeof(struct legacy_call);
}

size_t legacy_own_bytes(const struct router_size *size)
{
	return rounded(sessions_of(size)) + rows_of(size) * sizeof(struct heir);
}

static void place(struct legacy *legacy, const struct router_size *size, char *memory)
{
	legacy->head = (void *)memory;
	legacy->sessions = (void *)(memory + sizeof(struct legacy_head));
	legacy->calls = (void *)(memory + calls_at(size));
}

void legacy_init(struct router *router, void *memory, void *own)
{
	struct legacy *legacy = &router->legacy;

	place(legacy, &router->size, memory);
	legacy->size = rows_of(&router->size);
	legacy->session_count = sessions_of(&router->size);
	legacy->past = own;
	legacy->heirs = (void *)((char *)own + rounded(legacy->session_count));
	list_init(&legacy->free);
}

/* ---- rows ---- */

static void publish(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static uint32_t index_of(const struct legacy *legacy, struct list *link)
{
	return (uint32_t)(LIST_OWNER(link, struct heir, link) - legacy->heirs);
}

/* Its worker need not keep the result any longer. */
static void acknowledge(struct router *router, uint32_t index)
{
	const struct legacy_call *row = &router->legacy.calls[index];
	struct heir *heir = &router->legacy.heirs[index];
	struct slot *slot = &router->slots[row->slot];
	bool owed = heir->owed && slot->generation == row->generation;

	heir->owed = false;
	if (!owed)
		return;
	peer_send(router, slot_peer(router, row->slot), &(struct message){
		.kind = MESSAGE_RESULT_ACK, .call_id = row->handle,
		.generation = row->generation }, router->now_ns);
	slot->owed--;
	slot_settled(router, slot);
}

static void release(struct router *router, uint32_t index)
{
	struct legacy *legacy = &router->legacy;

	acknowledge(router, index);
	publish(&legacy->calls[index].handle, 0);
	legacy->used--;
	legacy->heirs[index] = (struct heir){ .call = NONE };
	list_prepend(&legacy->free, &legacy->heirs[index].link);
}

bool legacy_note(struct router *router, struct call *call, const struct slot *slot)
{
	struct legacy *legacy = &router->legacy;
	struct list *link = list_take_first(&legacy->free);
	uint32_t index = link ? index_of(legacy, link) : legacy->fresh;
	struct legacy_call *row = &legacy->calls[index];

	if (index == legacy->size)
		return false;
	legacy->fresh += index == legacy->fresh;
	legacy->used++;
	legacy->heirs[index] = (struct heir){
		.call = (uint32_t)(call - router->calls) };
	call->legacy = index;
	row->client_id = call->client_id;
	row->deadline_ns = call->limits.absolute_ns;
	memcpy(row->session, call->session, sizeof(row->session));
	row->effect = call->effect;
	if (call->effect != NONE)
		row->effect_name = router->effects.rows[call->effect].name;
	row->slot = slot_index(router, slot);
	row->generation = slot->generation;
	row->uid = call->uid;
	row->role = call->role;
	row->flags = call->flags;
	row->workspace = call->workspace;
	row->attempts = call->attempts + 1;
	row->priority = call->priority;
	row->own = call->probe || call->records;
	row->begun = row->told = row->left = false;
	memcpy(row->tool, router->tools[call->tool].row.name, sizeof(row->tool));
	if (call->generation > legacy->head->generation)
		legacy->head->generation = call->generation;
	publish(&row->handle, call_handle(router, call));
	return true;
}

void legacy_drop(struct router *router, struct call *call)
{
	if (call->legacy != NONE)
		release(router, call->legacy);
	call->legacy = NONE;
}

void legacy_begun(struct router *router, const struct call *call)
{
	router->legacy.calls[call->legacy].begun = true;
}

void legacy_left(struct router *router, const struct call *call, bool left)
{
	if (call->legacy != NONE)
		router->legacy.calls[call->legacy].left = left;
}

/* Somebody will confirm the result, or ask for it once more. */
static bool is_wanted(const struct call *call)
{
	if (call->answered || call->confirmed)
		return false;
	return call->client == NONE ? call->adopted : call->flags & CALL_RESUME;
}

void legacy_result(struct router *router, struct call *call)
{
	struct legacy *legacy = &router->legacy;

	legacy->heirs[call->legacy].owed = true;
	router->slots[legacy->calls[call->legacy].slot].owed++;
	legacy->calls[call->legacy].told = true;
	if (!is_wanted(call))
		acknowledge(router, call->legacy);
}

static void await_confirmation(struct router *router, uint32_t index,
			       uint32_t client_index)
{
	struct client *client = &router->clients[client_index];
	struct user *user = user_row(router, client->uid);
	uint32_t left = router->legacy.size - router->legacy.used;

	list_append(&client->unconfirmed, &router->legacy.heirs[index].link);
	user->unconfirmed++;
	if (++client->unconfirmed_count > LEGACY_UNCONFIRMED_MAX ||
	    (client_is_guest(client) && !fair_allows(user->unconfirmed, left)))
		client_doom(router, client_index, ERROR_RESOURCE_EXHAUSTED,
			    "it does not confirm its results");
}

void legacy_leave(struct router *router, struct call *call)
{
	uint32_t index = call->legacy;
	struct heir *heir;

	if (index == NONE)
		return;
	heir = &router->legacy.heirs[index];
	call->legacy = heir->call = NONE;
	if (call->confirmed || !(call->flags & CALL_RESUME))
		release(router, index);
	else if (call->client != NONE)
		await_confirmation(router, index, call->client);
	else if (!heir->past)
		release(router, index);
	else
		acknowledge(router, index);
}

/* ---- a new life ---- */

static bool is_sound(const struct router *router, const struct legacy_call *row)
{
	return row->slot < router->size.slots && row->role < ROLE_COUNT &&
	       row->priority <= QUEUE_SHEDDABLE && row->deadline_ns > 0 &&
	       row->attempts > 0 && row->attempts <= UINT8_MAX &&
	       memchr(row->tool, '\0', sizeof(row->tool));
}

void legacy_inherit(struct router *router, void *memory, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;

	place(legacy, &router->size, memory);
	legacy->generation = legacy->head->generation;
	for (uint32_t i = 0; i < legacy->session_count; i++)
		legacy->past[i] = legacy->sessions[i].open;
	for (uint32_t i = 0; i < legacy->size; i++)
		if (legacy->calls[i].handle)
			legacy->fresh = i + 1;
	legacy->used = legacy->fresh;
	for (uint32_t i = 0; i < legacy->fresh; i++) {
		legacy->heirs[i] = (struct heir){ .call = NONE, .past = true };
		if (!legacy->calls[i].handle || !is_sound(router, &legacy->calls[i]))
			release(router, i);
	}
	legacy->waits = true;
	legacy->until_ns = now_ns + LEGACY_NS;
}

static uint32_t tool_named(const struct router *router, const char *name)
{
	int row = catalog_find_tool(router->catalog, name, strlen(name));

	return row < 0 ? NONE : router->tool_of[row];
}

/* As if its client had left one that outlives that; what we asked is nobody's. */
static void restore(struct router *router, struct call *call,
		    const struct legacy_call *row, uint32_t tool)
{
	call->alias = row->handle;
	call->client_id = row->client_id;
	call->role = (enum caller_role)row->role;
	memcpy(call->session, row->session, SESSION_BYTES);
	call->tool = tool;
	call->workspace = row->workspace;
	call->priority = row->priority;
	call->attempts = row->attempts - 1;
	call->limits.absolute_ns = row->deadline_ns;
	call->adopted = call->begun = call->silent = call->alone = true;
	call->probe = row->own;
	call->borrowed = row->flags & CALL_RESUME && !(row->flags & CALL_DETACHED);
	call->flags = (row->flags & (CALL_DETACHED | CALL_REMARK | CALL_RESUME)) |
		      CALL_NO_RETRY | (call->borrowed ? CALL_DETACHED : 0U);
	router->tools[tool].users++;
	router->tools[tool].probing |= call->probe;
}

static void adopt(struct router *router, uint32_t index, struct slot *slot,
		  int64_t now_ns)
{
	const struct legacy_call *row = &router->legacy.calls[index];
	uint32_t tool = tool_named(router, row->tool);
	struct call *call = tool == NONE ? NULL : call_new(router, row->uid, now_ns);

	if (!call)
		return;
	restore(router, call, row, tool);
	call->legacy = index;
	router->legacy.heirs[index].call = (uint32_t)(call - router->calls);
	share_begin_collecting(router, call, false);
	effect_resume(router, call, row->effect, row->effect_name);
	dispatch_adopted(router, call, slot, now_ns);
}

void legacy_adopt(struct router *router, struct slot *slot, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;
	uint32_t number = slot_index(router, slot);

	for (uint32_t i = 0; i < legacy->fresh; i++) {
		const struct legacy_call *row = &legacy->calls[i];

		if (row->handle && row->slot == number && legacy->heirs[i].past &&
		    row->generation == slot->generation &&
		    legacy->heirs[i].call == NONE)
			adopt(router, i, slot, now_ns);
	}
}

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

/* Nobody waits for it any more, unless it was to outlive that. */
static void desert(struct router *router, struct call *call, int64_t now_ns)
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

	desert(router, call, now_ns);
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

/* A client that has only joined it: its own may take a while. */
void legacy_join(struct router *router, struct call *call, int64_t now_ns)
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
		legacy_join(router, call, now_ns);
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

void legacy_hear_worker(struct router *router, struct slot *slot,
			const struct message *message, int64_t now_ns)
{
	if (!slot->again)
		slot_fault(router, slot, "resync, unasked", now_ns);
	else if (message->call_id)
		hear_of_call(router, slot, message, now_ns);
	else
		settle_unnamed(router, slot, message->resync.finished, now_ns);
}

/* ---- clients ---- */

static bool is_session(const struct legacy_session *session, const struct client *client)
{
	return session->open && session->uid == client->uid &&
	       session->role == (uint32_t)client->role &&
	       memcmp(session->token, client->session, SESSION_BYTES) == 0;
}

/* Whether its session was there when an earlier router died, is known at once. */
void legacy_greet(struct router *router, uint32_t index)
{
	struct legacy *legacy = &router->legacy;
	struct client *client = &router->clients[index];
	uint32_t unused = NONE;

	if (client->internal)
		return;
	for (uint32_t i = 0; i < legacy->session_count; i++) {
		struct legacy_session *session = &legacy->sessions[i];

		if (unused == NONE && !session->open)
			unused = i;
		if (!legacy->past[i] || !is_session(session, client))
			continue;
		legacy->past[i] = false;
		client->legacy = i;
		client->resumed = true;
		return;
	}
	client->legacy = unused;
	if (unused == NONE)
		return;
	memcpy(legacy->sessions[unused].token, client->session, SESSION_BYTES);
	legacy->sessions[unused].uid = client->uid;
	legacy->sessions[unused].role = client->role;
	publish(&legacy->sessions[unused].open, 1);
}

void legacy_part(struct router *router, struct client *client)
{
	struct list *link;

	if (client->legacy != NONE)
		publish(&router->legacy.sessions[client->legacy].open, 0);
	client->legacy = NONE;
	user_row(router, client->uid)->unconfirmed -= client->unconfirmed_count;
	client->unconfirmed_count = 0;
	while ((link = list_take_first(&client->unconfirmed)))
		release(router, index_of(&router->legacy, link));
}

/* Of an earlier life, and not taken up yet; or NONE. */
static uint32_t find_past(const struct router *router, const struct client *client,
			  uint64_t id)
{
	const struct legacy *legacy = &router->legacy;

	for (uint32_t i = 0; i < legacy->fresh && legacy->waits; i++) {
		const struct legacy_call *row = &legacy->calls[i];

		if (legacy->heirs[i].past && row->handle && row->client_id == id &&
		    !row->own && row->uid == client->uid &&
		    row->role == (uint32_t)client->role &&
		    memcmp(row->session, client->session, SESSION_BYTES) == 0)
			return i;
	}
	return NONE;
}

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
	uint32_t tool = tool_named(router, row->tool);

	return tool != NONE && router->tools[tool].row.class != TOOL_EFFECTFUL;
}

void legacy_hear_client(struct router *router, uint32_t index,
			const struct message *message, int64_t now_ns)
{
	struct client *client = &router->clients[index];
	uint64_t id = message->call_id;
	struct call *call = client_find_left(router, index, id);
	uint32_t row = find_past(router, client, id);

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

void legacy_confirm(struct router *router, uint32_t index, uint64_t id)
{
	struct client *client = &router->clients[index];
	struct legacy *legacy = &router->legacy;
	uint32_t row;

	for (struct list *link = client->unconfirmed.next;
	     link != &client->unconfirmed; link = link->next) {
		row = index_of(legacy, link);
		if (legacy->calls[row].client_id != id)
			continue;
		list_remove(link);
		client->unconfirmed_count--;
		user_row(router, client->uid)->unconfirmed--;
		release(router, row);
		return;
	}
	/* It had read it before; a look takes time. */
	if (!client->resumed || !legacy->waits ||
	    !bucket_take(&client->looks, 1, router->now_ns))
		return;
	row = find_past(router, client, id);
	if (row == NONE)
		return;
	if (legacy->heirs[row].call == NONE)
		release(router, row);
	else
		call_confirm(router, &router->calls[legacy->heirs[row].call]);
}

/* ---- time ---- */

void legacy_round(struct router *router, int64_t now_ns)
{
	struct legacy *legacy = &router->legacy;

	if (!legacy->waits || now_ns < legacy->until_ns)
		return;
	legacy->waits = false;
	for (uint32_t i = 0; i < legacy->fresh; i++) {
		struct heir *heir = &legacy->heirs[i];

		if (!heir->past)
			continue;
		heir->past = false;
		if (heir->call == NONE)
			release(router, i);
		else
			desert(router, &router->calls[heir->call], now_ns);
	}
	for (uint32_t i = 0; i < legacy->session_count; i++) {
		if (legacy->past[i])
			publish(&legacy->sessions[i].open, 0);
		legacy->past[i] = false;
	}
}
