#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* ---- users ---- */

bool client_is_guest(const struct client *client)
{
	return !client->internal && client->role != ROLE_OWNER;
}

struct user *user_row(struct router *router, uint32_t uid)
{
	assert(router->size.clients > 0);
	return &router->users[uid % router->size.clients];
}

static uint64_t field_at(const struct user *user, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)user + offset, sizeof(value));
	return value;
}

struct user *user_with_most(struct router *router, size_t offset)
{
	struct user *most = router->users;

	for (uint32_t i = 1; i < router->size.clients; i++)
		if (field_at(&router->users[i], offset) > field_at(most, offset))
			most = &router->users[i];
	return most;
}

/* ---- peers ---- */

struct peer *peer_of(struct router *router, uint32_t index)
{
	if (index < router->size.clients)
		return &router->clients[index].peer;
	return &router->slots[index - router->size.clients].peer;
}

uint32_t slot_peer(const struct router *router, uint32_t slot)
{
	return router->size.clients + slot;
}

void peer_forget(struct router *router, uint32_t index)
{
	struct peer *peer = peer_of(router, index);

	parcels_clear(&peer->waiting, &router->store);
	*peer = (struct peer){ 0 };
}

static bool is_doomed(const struct router *router, uint32_t index)
{
	return index < router->size.clients && router->clients[index].doom;
}

/* Output it does not read, and arguments, which wait until their calls end. */
static size_t room_held(struct client *client)
{
	size_t room = parcels_room(&client->peer.waiting);

	for (struct list *link = client->calls.next; link != &client->calls;
	     link = link->next)
		room += parcels_room(&LIST_OWNER(link, struct call,
						 client_link)->arguments);
	return room;
}

static struct user *who_holds_most(struct router *router)
{
	struct list *lost = &router->clients[router->size.clients].calls;

	for (uint32_t i = 0; i < router->size.clients; i++)
		router->users[i].room = 0;
	for (uint32_t i = 0; i < router->size.clients; i++) {
		struct client *client = &router->clients[i];

		if (client->peer.open && !client->doom)
			user_row(router, client->uid)->room += room_held(client);
	}
	for (struct list *link = lost->next; link != lost; link = link->next) {
		const struct call *call = LIST_OWNER(link, struct call, client_link);

		if (call->state == CALL_HELD && call->kept)
			user_row(router, call->uid)->room +=
				parcels_room(&call->kept->parcels);
	}
	return user_with_most(router, offsetof(struct user, room));
}

static void cut_largest(struct router *router, const struct user *user)
{
	size_t most = 0, room;
	uint32_t holder = NONE;

	for (uint32_t i = 0; i < router->size.clients; i++) {
		struct client *client = &router->clients[i];

		if (!client->peer.open || client->doom ||
		    user_row(router, client->uid) != user)
			continue;
		room = room_held(client);
		if (room <= most)
			continue;
		most = room;
		holder = i;
	}
	if (holder == NONE)
		return;
	router->totals.stalled++;
	client_doom(router, holder, ERROR_RESOURCE_EXHAUSTED,
		    "it holds most of what is full: output it does not read, "
		    "and arguments");
}

struct parcel *parcel_keep(struct router *router, const struct message *message)
{
	struct parcel *parcel;
	struct user *user;

	while (!(parcel = parcel_new(&router->store, message))) {
		user = who_holds_most(router);
		if (call_drop_held(router, user, NULL))
			continue;
		cut_largest(router, user);
		return parcel_new(&router->store, message);
	}
	return parcel;
}

static void keep_waiting(struct router *router, uint32_t index,
			 const struct message *message, int64_t now_ns)
{
	struct peer *peer = peer_of(router, index);
	struct parcel *parcel = parcel_keep(router, message);

	if (is_doomed(router, index)) {	/* it was the one that made room */
		if (parcel)
			store_give(&router->store, parcel);
		return;
	}
	if (parcel) {
		if (peer->waiting.count == 0)
			peer->stalled_ns = now_ns;
		parcels_append(&peer->waiting, parcel);
	} else if (index < router->size.clients) {
		client_doom(router, index, ERROR_RESOURCE_EXHAUSTED,
			    "no room for more output");
	} else {
		slot_kill(router, &router->slots[index - router->size.clients],
			  KILL_PROTOCOL, 0);
	}
}

void peer_send(struct router *router, uint32_t index,
	       const struct message *message, int64_t now_ns)
{
	struct peer *peer = peer_of(router, index);
	int r = -EAGAIN;

	if (!peer->open || is_doomed(router, index))
		return;
	router->totals.bytes_out += message->body.length;
	if (peer->waiting.count == 0)
		r = router->sink.send(router->sink.owner, index, message);
	if (r == -EAGAIN)
		keep_waiting(router, index, message, now_ns);
}

void peer_writable(struct router *router, uint32_t index, int64_t now_ns)
{
	struct peer *peer = peer_of(router, index);
	struct parcels *waiting = &peer->waiting;

	while (peer->open && waiting->first) {
		if (router->sink.send(router->sink.owner, index,
				      &waiting->first->message) == -EAGAIN)
			return;
		peer->stalled_ns = now_ns;
		parcels_drop_first(waiting, &router->store);
	}
	peer->stalled_ns = 0;
	if (index >= router->size.clients && peer->open)
		dispatch_mark(router, router->slots[index -
			      router->size.clients].pool);
}

/* ---- clients ---- */

struct client *client_of(struct router *router, const struct call *call)
{
	return &router->clients[call->client == NONE ? router->size.clients
						     : call->client];
}

void client_open(struct router *router, uint32_t index, uint32_t uid,
		 enum caller_role role, bool internal, int64_t now_ns)
{
	struct client *client = &router->clients[index];
	uint32_t left = router->size.clients - (uint32_t)router->totals.clients;

	assert(!client->peer.open && client->running + client->waiting == 0);
	*client = (struct client){
		.peer.open = true, .internal = internal, .uid = uid,
		.role = role, .since_ns = now_ns,
	};
	client->legacy = NONE;
	list_init(&client->calls);
	list_init(&client->unconfirmed);
	bucket_init(&client->cancels, CLIENT_CANCELS_PER_S, NS_PER_S,
		    CLIENT_CANCELS_PER_S, now_ns);
	bucket_init(&client->looks, CLIENT_CANCELS_PER_S, NS_PER_S,
		    CLIENT_CANCELS_PER_S, now_ns);
	router->totals.clients++;
	if (!fair_allows(user_row(router, uid)->links++, left) &&
	    client_is_guest(client))
		client_cut(router, index, ERROR_RESOURCE_EXHAUSTED,
			   "this user has more links than are left", now_ns);
}

/* What its client has not paid for any more is paid for here. */
static void fall_silent(struct router *router, struct call *call,
			int64_t now_ns)
{
	size_t room = CREDIT_CALL_BYTES - call->from_worker.bytes;

	call->silent = true;
	call_grant(router, call, room > call->owed ? room - call->owed : 0,
		   now_ns);
}

/* What was only lent to it goes with its client, now that it had come. */
static bool outlives_client(struct call *call)
{
	if (call->borrowed)
		call->flags &= ~(uint32_t)CALL_DETACHED;
	call->borrowed = false;
	return call->flags & CALL_DETACHED && !call->more && call->state != CALL_DELIVERING &&
	       call->state != CALL_HELD;
}

/* Among those that have no client. */
void client_let_go(struct router *router, struct call *call)
{
	struct client *lost = &router->clients[router->size.clients];
	struct client *client = client_of(router, call);
	bool with_worker = call->slot != NONE;

	list_remove(&call->client_link);
	list_remove(&call->id_link);
	*(with_worker ? &client->running : &client->waiting) -= 1;
	*(with_worker ? &lost->running : &lost->waiting) += 1;
	call->client = NONE;
	legacy_left(router, call, true);
	list_append(&lost->calls, &call->client_link);
}

/* Every call of a client that is gone: stopped, dropped or held. */
void client_closed(struct router *router, uint32_t index, int64_t now_ns)
{
	struct client *client = &router->clients[index];

	if (!client->peer.open)
		return;
	peer_forget(router, index);
	legacy_part(router, client);
	router->doomed -= client->doom != NULL;
	client->doom = NULL;
	router->totals.clients--;
	user_row(router, client->uid)->links--;
	while (!list_is_empty(&client->calls)) {
		struct call *call = LIST_OWNER(client->calls.next, struct call,
					       client_link);

		client_let_go(router, call);
		if (effect_is_awaited(router, call) || outlives_client(call))
			fall_silent(router, call, now_ns);
		else
			call_event(router, call, LIFE_LOST, NULL, now_ns);
	}
	assert(client->running + client->waiting == 0);
	memset(client->session, 0, sizeof(client->session));
}

void client_cut(struct router *router, uint32_t index, enum error_code code,
		const char *reason, int64_t now_ns)
{
	struct client *client = &router->clients[index];

	if (!client->peer.open)
		return;
	router->sink.send(router->sink.owner, index, &(struct message){
		.kind = MESSAGE_GOAWAY,
		.goaway = { (uint32_t)code, message_text_of(reason) } });
	router->sink.close(router->sink.owner, index);
	client_closed(router, index, now_ns);
}

void client_doom(struct router *router, uint32_t index, enum error_code code,
		 const char *reason)
{
	struct client *client = &router->clients[index];

	if (!client->peer.open || client->doom)
		return;
	client->doom = reason;
	client->doom_code = code;
	router->doomed++;
	parcels_clear(&client->peer.waiting, &router->store);
}

void clients_cut_doomed(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->size.clients && router->doomed; i++) {
		struct client *client = &router->clients[i];

		if (client->doom)
			client_cut(router, i, client->doom_code, client->doom,
				   now_ns);
	}
}

static void client_fault(struct router *router, uint32_t index,
			 const char *reason, int64_t now_ns)
{
	router->totals.faults++;
	client_cut(router, index, ERROR_PROTOCOL, reason, now_ns);
}

static bool is_left_by(struct router *router, const struct call *call,
		       uint32_t index)
{
	const struct client *client = &router->clients[index];

	return !call->probe && call->uid == client->uid &&
	       call->role == client->role && call->flags & CALL_DETACHED &&
	       (!call->answered || call->state == CALL_HELD) &&
	       memcmp(call->session, client->session, SESSION_BYTES) == 0 &&
	       !call_find(router, index, call->client_id);
}

struct call *client_find_left(struct router *router, uint32_t index, uint64_t id)
{
	struct list *lost = &router->clients[router->size.clients].calls;

	for (struct list *link = lost->next; link != lost; link = link->next) {
		struct call *call = LIST_OWNER(link, struct call, client_link);

		if (call->client_id == id && is_left_by(router, call, index))
			return call;
	}
	return NULL;
}

void client_regain(struct router *router, struct call *call, uint32_t index)
{
	struct client *lost = &router->clients[router->size.clients];
	struct client *client = &router->clients[index];
	bool with_worker = call->slot != NONE;

	list_remove(&call->client_link);
	*(with_worker ? &lost->running : &lost->waiting) -= 1;
	*(with_worker ? &client->running : &client->waiting) += 1;
	call->client = index;
	legacy_left(router, call, false);
	list_append(&client->calls, &call->client_link);
	call_register(router, call);
	share_read_anew(call);
	call->announced = false;
	call->chunks_out = 0;
	call->to_client = (struct credit){ CREDIT_CALL_BYTES,
					   CREDIT_LINK_BYTES };
}

void client_go_on(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->state == CALL_HELD) {
		call_let_go(router, call);
		call->answered = false;
		call_enter(router, call, CALL_DELIVERING);
		share_deliver(router, call, now_ns);
	} else if (call->silent) {
		share_deliver(router, call, now_ns);
	}
}

/*
 * Calls it left behind, in an earlier life, are its own again; but those it asks
 * for itself (CALL_RESUME), and what is not whole here. What is sent may take the
 * room of another that is held, hence from the beginning.
 */
static void adopt(struct router *router, uint32_t index, int64_t now_ns)
{
	struct list *lost = &router->clients[router->size.clients].calls;
	struct list *link = lost->next;

	while (link != lost) {
		struct call *call = LIST_OWNER(link, struct call, client_link);

		if (call->adopted || call->flags & CALL_RESUME ||
		    !is_left_by(router, call, index)) {
			link = link->next;
			continue;
		}
		client_regain(router, call, index);
		client_go_on(router, call, now_ns);
		link = lost->next;
	}
}

static void on_hello(struct router *router, uint32_t index,
		     const struct message *message, int64_t now_ns)
{
	struct client *client = &router->clients[index];
	const struct message_hello *hello = &message->hello;
	bool back = hello->session.length == SESSION_BYTES;

	if (hello->major != MESSAGE_MAJOR || hello->minor_least > MESSAGE_MINOR) {
		client_cut(router, index, ERROR_UNIMPLEMENTED,
			   "this supervisor speaks version 1.0 of the protocol",
			   now_ns);
		return;
	}
	client->greeted = true;
	if (back)
		memcpy(client->session, hello->session.data, SESSION_BYTES);
	else
		for (unsigned i = 0; i < SESSION_BYTES; i += 8)
			memcpy(client->session + i,
			       &(uint64_t){ router_nonce(router) }, 8);
	legacy_greet(router, index);
	peer_send(router, index, &(struct message){
		.kind = MESSAGE_WELCOME,
		.welcome = { .minor = MESSAGE_MINOR,
			     .catalog = router->catalog->generation,
			     .session = { client->session, SESSION_BYTES } },
	}, now_ns);
	if (back)
		adopt(router, index, now_ns);
}

/* Its result is there, and stays until the client has confirmed it. */
static bool is_over(const struct call *call)
{
	return call->state == CALL_HELD || (call->state == CALL_DELIVERING &&
					    call->flags & CALL_DETACHED);
}

static void on_cancel(struct router *router, uint32_t index,
		      const struct message *message, int64_t now_ns)
{
	struct client *client = &router->clients[index];
	struct call *call = call_find(router, index, message->call_id);

	if (!call)
		return;		/* it crossed the result */
	if (!bucket_take(&client->cancels, 1, now_ns)) {
		client_cut(router, index, ERROR_RESOURCE_EXHAUSTED,
			   "more than 100 cancels a second", now_ns);
		return;
	}
	if (is_over(call))
		return;		/* so it did here, and the result is kept */
	if (call->stop == STOP_NONE)
		call->stop = STOP_CLIENT;
	call_event(router, call, LIFE_CANCEL, NULL, now_ns);
}

static void on_credit(struct router *router, uint32_t index,
		      const struct message *message, int64_t now_ns)
{
	struct call *call = call_find(router, index, message->call_id);

	if (!call)
		return;
	if (!credit_add(&call->to_client, message->credit.bytes)) {
		client_fault(router, index, "more credit than the window",
			     now_ns);
		return;
	}
	if (call->state == CALL_DELIVERING || call->state == CALL_JOINED ||
	    call->silent)
		share_deliver(router, call, now_ns);
	else
		call_grant(router, call, message->credit.bytes, now_ns);
}

static void on_result_ack(struct router *router, uint32_t index,
			  const struct message *message, int64_t now_ns)
{
	struct call *call = call_find(router, index, message->call_id);

	(void)now_ns;
	if (!call)
		legacy_confirm(router, index, message->call_id);
	else if (call->state == CALL_HELD || call->answered)
		call_confirm(router, call);
}

static void on_chunk_req(struct router *router, uint32_t index,
			 const struct message *message, int64_t now_ns)
{
	struct call *call = call_find(router, index, message->call_id);

	if (!call)
		return;		/* it was answered already */
	if (call->state != CALL_RECEIVED)
		client_fault(router, index, "a chunk after the last", now_ns);
	else
		admit_argument(router, call, message, now_ns);
}

static void (*const on_kind[])(struct router *, uint32_t,
			       const struct message *, int64_t) = {
	[MESSAGE_HELLO]      = on_hello,
	[MESSAGE_CANCEL]     = on_cancel,
	[MESSAGE_CREDIT]     = on_credit,
	[MESSAGE_RESULT_ACK] = on_result_ack,
	[MESSAGE_CALL]       = admit_call,
	[MESSAGE_CHUNK_REQ]  = on_chunk_req,
	[MESSAGE_RESYNC]     = resume_hear_client,
};

void client_message(struct router *router, uint32_t index,
		    const struct message *message, int64_t now_ns)
{
	if (!router->clients[index].peer.open)
		return;
	if (message->kind < sizeof(on_kind) / sizeof(on_kind[0]) &&
	    on_kind[message->kind])
		on_kind[message->kind](router, index, message, now_ns);
}

static bool has_stalled(const struct peer *peer, int64_t now_ns)
{
	return peer->stalled_ns != 0 &&
	       peer->waiting.bytes > CLIENT_STALL_BYTES &&
	       now_ns - peer->stalled_ns >= CLIENT_STALL_NS;
}

void clients_round(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->size.clients; i++) {
		struct client *client = &router->clients[i];

		if (!client->peer.open)
			continue;
		if (!client->greeted && !client->internal &&
		    now_ns - client->since_ns >= CLIENT_HELLO_NS)
			client_cut(router, i, ERROR_DEADLINE_EXCEEDED,
				   "no hello within 5 s", now_ns);
		else if (has_stalled(&client->peer, now_ns)) {
			router->totals.stalled++;
			client_cut(router, i, ERROR_DEADLINE_EXCEEDED,
				   "nothing was read for 30 s", now_ns);
		}
	}
}
