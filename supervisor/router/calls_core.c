#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/writer_core.h"

/* ---- records and handles ---- */

uint64_t call_handle(const struct router *router, const struct call *call)
{
	return call->alias ? call->alias :
	       handle_make((size_t)(call - router->calls), call->generation);
}

uint64_t call_number(const struct router *router, const struct call *call)
{
	return call->attempts > 0 ? call_handle(router, call) : 0;
}

struct call *call_of_handle(struct router *router, uint64_t handle)
{
	size_t index = handle_index(handle);

	if (index >= router->calls_fresh ||
	    router->calls[index].state == CALL_FREE ||
	    router->calls[index].generation != handle_generation(handle))
		return NULL;
	return &router->calls[index];
}

struct call *call_of_worker(struct router *router, struct slot *slot,
			    uint64_t handle)
{
	struct call *call = call_of_handle(router, handle);

	if (call && call->slot == slot_index(router, slot) && !call->alias)
		return call;
	for (struct list *link = slot->calls.next; link != &slot->calls;
	     link = link->next) {
		call = LIST_OWNER(link, struct call, slot_link);
		if (call->alias == handle)
			return call;
	}
	return NULL;
}

/* No handle is as one of an earlier router's, which workers may still know. */
static struct call *fresh_call(struct router *router)
{
	struct call *call = &router->calls[router->calls_fresh++];

	call->generation = router->legacy.generation;
	return call;
}

struct call *call_new(struct router *router, uint32_t uid, int64_t now_ns)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_LINK_BYTES };
	struct list *free = list_take_first(&router->free_calls);
	struct call *call;

	if (free)
		call = LIST_OWNER(free, struct call, client_link);
	else if (router->calls_fresh < router->size.calls)
		call = fresh_call(router);
	else
		return NULL;

	uint32_t generation = handle_next_generation(call->generation);

	memset(call, 0, sizeof(*call));
	call->generation = generation;
	call->timer = (struct timer){
		.kind = TIMER_CALL,
		.index = (uint32_t)(call - router->calls) };
	call->state = CALL_RECEIVED;
	call->client = call->slot = call->tool = call->effect = NONE;
	call->legacy = call->user = call->asked = NONE;
	call->uid = uid;
	call->received_ns = now_ns;
	call->from_client = call->to_client = fresh;
	user_row(router, uid)->calls++;
	router->call_count++;
	router->waiting++;
	router->totals.accepted++;
	return call;
}

/* Under its client, once that is known. */
static void join_client(struct router *router, struct call *call)
{
	struct client *client = client_of(router, call);

	if (list_is_linked(&call->client_link))
		return;
	client->waiting++;
	list_append(&client->calls, &call->client_link);
}

/* Over time it is answered once its worker is done: there is time to keep it. */
bool call_is_patient(const struct call *call)
{
	return call->flags & CALL_DETACHED &&
	       !(call->borrowed && call->client != NONE);
}

static int64_t call_next_ns(const struct call *call)
{
	int64_t next_ns = call->limits.absolute_ns;

	switch (call->state) {
	case CALL_WAITING:
		return deadline_earlier(next_ns, call->retry_ns);
	case CALL_SENT:
	case CALL_RUNNING:
		if (call->unasked)	/* it is silent as it should be */
			return next_ns;
		next_ns = deadline_pair_next_ns(&call->limits);
		if (call->state == CALL_SENT)
			next_ns = deadline_earlier(next_ns, call->stuck_ns);
		if (!call->permit.counted_slow)
			next_ns = deadline_earlier(next_ns,
						   call->permit.slow_at_ns);
		return next_ns;
	case CALL_CANCELLING:
		if (call->answered || call_is_patient(call))
			next_ns = DEADLINE_NEVER;
		return call->kill_ns ? deadline_earlier(next_ns, call->kill_ns)
				     : next_ns;
	case CALL_DELIVERING:
	case CALL_HELD:
		return call->keep_ns;
	case CALL_RECEIVED:
	case CALL_BLOCKED:
	case CALL_QUEUED:
	case CALL_JOINED:
	case CALL_PARKED:
	case CALL_FREE:
	case CALL_STATE_COUNT:
		break;
	}
	return next_ns;
}

void call_rearm(struct router *router, struct call *call)
{
	int64_t next_ns = call_next_ns(call);

	if (next_ns == DEADLINE_NEVER)
		wheel_cancel(&router->wheel, &call->timer.wheel);
	else
		wheel_add(&router->wheel, &call->timer.wheel, next_ns);
}

/* The only place where the state changes. */
void call_enter(struct router *router, struct call *call,
		enum call_state state)
{
	join_client(router, call);
	call->state = state;
	call_rearm(router, call);
}

struct signature sign_call(const struct hash_key keys[2], uint64_t tool,
			   const struct call *call)
{
	struct signature signature;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t sum = hash_number(&keys[i], tool);

		for (const struct parcel *parcel = call->arguments.first;
		     parcel; parcel = parcel->next)
			sum = hash_number(&keys[i], sum ^ hash_bytes(
				&keys[i], parcel->message.body));
		signature.words[i] = sum;
	}
	return signature;
}

struct signature call_signature(struct router *router, struct call *call)
{
	if (!call->hashed)
		call->signature = sign_call(router->keys, call->tool, call);
	call->hashed = true;
	return call->signature;
}

void call_free(struct router *router, struct call *call)
{
	struct client *client = client_of(router, call);
	struct user *user = user_row(router, call->uid);

	assert(call->slot == NONE && call->permit.generation == 0);
	assert(call->effect == NONE);
	legacy_leave(router, call);
	join_client(router, call);
	client->waiting--;
	list_remove(&call->client_link);
	if (list_is_linked(&call->id_link))
		list_remove(&call->id_link);
	wheel_cancel(&router->wheel, &call->timer.wheel);
	user->argument_bytes -= parcels_room(&call->arguments);
	router->argument_bytes -= parcels_room(&call->arguments);
	parcels_clear(&call->arguments, &router->store);
	if (call->kept)
		kept_release(router, call->kept);
	if (call->asked != NONE)
		router->tools[call->asked].users--;
	if (call->tool != NONE) {
		router->tools[call->tool].users--;
		if (call->probe)
			router->tools[call->tool].probing = false;
	}
	if (call->parent)
		router->nested--;
	user->calls--;
	router->call_count--;
	router->waiting--;
	call->kept = NULL;
	call->state = CALL_FREE;
	call->generation = handle_next_generation(call->generation);
	list_append(&router->free_calls, &call->client_link);
}

void call_let_go(struct router *router, struct call *call)
{
	router->held--;
	user_row(router, call->uid)->held--;
}

bool call_drop_held(struct router *router, const struct user *user,
		    const struct call *but)
{
	struct list *lost = &router->clients[router->size.clients].calls;
	struct call *oldest = NULL;

	for (struct list *link = lost->next; link != lost; link = link->next) {
		struct call *call = LIST_OWNER(link, struct call, client_link);

		if (call->state == CALL_HELD && call != but &&
		    user_row(router, call->uid) == user &&
		    (!oldest || call->keep_ns < oldest->keep_ns))
			oldest = call;
	}
	if (!oldest)
		return false;
	call_let_go(router, oldest);
	call_free(router, oldest);
	return true;
}

void call_hold(struct router *router, struct call *call, int64_t keep_ns)
{
	call->keep_ns = keep_ns;
	router->held++;
	user_row(router, call->uid)->held++;
	call_enter(router, call, CALL_HELD);
	if (router->held > HELD_MAX)
		call_drop_held(router, user_with_most(
			router, offsetof(struct user, held)), call);
}

/* ---- leaving places ---- */

void call_leave_slot(struct router *router, struct call *call)
{
	struct slot *slot = &router->slots[call->slot];
	struct tool *tool = &router->tools[call->tool];
	struct client *client = client_of(router, call);

	assert(call->permit.generation == 0);
	list_remove(&call->slot_link);
	slot->recalling &= !call->recalled;
	slot->running--;
	tool->running--;
	client->running--;
	client->waiting++;
	router->running--;
	router->waiting++;
	router->owed -= call->owed;
	call->owed = 0;
	call->kill_ns = 0;
	call->slot = NONE;
	dispatch_mark(router, tool->row.pool);
}

void call_detach(struct router *router, struct call *call)
{
	struct queue_item unused;

	if (call->queue_id) {
		queue_remove(&router->tools[call->tool].queue, call->queue_id,
			     &unused);
		call->queue_id = 0;
		dispatch_mark(router, router->tools[call->tool].row.pool);
	}
	door_leave(router, call);
	if (call->tool != NONE)
		dispatch_leave_pool(router, call);
	if (call->state == CALL_HELD)
		call_let_go(router, call);
	share_leave(router, call);
	effect_leave(router, call);
	call_enter(router, call, CALL_RECEIVED);	/* tool_flush() passes it over */
}

/* ---- credit towards the worker ---- */

/* When much waits in the store, only interactive calls get more. */
static bool is_short(const struct router *router, const struct call *call)
{
	return call->priority != QUEUE_INTERACTIVE &&
	       router->store.used > router->store.bytes / 4 * 3;
}

void call_grant(struct router *router, struct call *call, size_t bytes,
		int64_t now_ns)
{
	size_t room, give;

	if (call->slot == NONE)
		return;
	call->owed += bytes;
	router->owed += bytes;
	room = CREDIT_CALL_BYTES - call->from_worker.bytes;
	give = call->owed < room ? call->owed : room;
	if (give == 0 || is_short(router, call) ||
	    (give < CREDIT_CALL_BYTES / 4 &&
	     call->from_worker.bytes > CREDIT_CALL_BYTES / 2))
		return;
	call->owed -= give;
	router->owed -= give;
	credit_add(&call->from_worker, give);
	peer_send(router, slot_peer(router, call->slot), &(struct message){
		.kind = MESSAGE_CREDIT,
		.call_id = call_handle(router, call),
		.generation = router->slots[call->slot].generation,
		.credit.bytes = (uint32_t)give }, now_ns);
}

void calls_round(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->calls_fresh && router->owed; i++) {
		struct call *call = &router->calls[i];

		if (call->state != CALL_FREE && call->owed > 0)
			call_grant(router, call, 0, now_ns);
	}
}

/* ---- time ---- */

static void kill_for(struct router *router, struct call *call, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];

	call->kill_ns = 0;
	if (slot->running == 1)
		slot_kill(router, slot, call->stop == STOP_DEADLINE ?
			  KILL_DEADLINE : KILL_CANCELLED,
			  call_handle(router, call));
	else if (slot->kill_at_ns == DEADLINE_NEVER)
		slot->kill_at_ns = now_ns + SUSPECT_GRACE_NS;
}

static void send_again(struct router *router, struct call *call,
		       int64_t now_ns)
{
	const struct breaker *breaker =
		&router->tools[call->tool].breaker;

	if (breaker->state == BREAKER_OPEN ||
	    breaker->state == BREAKER_FORCED_OPEN)
		degrade(router, call, &call->last, now_ns);
	else
		door_enter(router, call, now_ns);
}

/* Its worker may not go on: what it has said is not read, or has no room. */
static bool is_held_up(const struct router *router, const struct call *call)
{
	bool spent = call->from_worker.bytes <= CREDIT_CALL_BYTES / 2;

	if (call->unasked || (call->owed > 0 && spent))
		return true;
	return call->client != NONE && !call->silent && call->chunks_out > 0 &&
	       (call->to_client.bytes <= CREDIT_CALL_BYTES / 2 ||
		(spent && router->clients[call->client].peer.waiting.count > 0));
}

/* It, or what its worker may have to finish before it. */
static bool is_behind_held_up(const struct router *router,
			      const struct call *call)
{
	const struct list *calls = &router->slots[call->slot].calls;

	for (struct list *link = calls->next; link != calls;
	     link = link->next)
		if (is_held_up(router, LIST_OWNER(link, struct call, slot_link)))
			return true;
	return false;
}

bool call_stood_still(int64_t due_ns, int64_t now_ns)
{
	return due_ns < now_ns && now_ns - due_ns > STILL_NS;
}

/* Past its slow limit: one mark against the callee, if it is the callee's. */
static void be_slow(struct router *router, struct call *call, int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];

	if (is_behind_held_up(router, call) ||
	    call_stood_still(call->permit.slow_at_ns, now_ns)) {
		breaker_excuse(&call->permit);
		return;
	}
	breaker_running_slow(&tool->breaker, &call->permit, now_ns);
	call->permit.counted_slow = true;	/* asked once */
	tool_watch(router, tool, now_ns);
}

void call_due(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->state == CALL_FREE)
		return;
	if (call->state == CALL_WAITING && call->retry_ns <= now_ns &&
	    call->limits.absolute_ns > now_ns) {
		send_again(router, call, now_ns);
		return;
	}
	if (call->state == CALL_SENT && call->stuck_ns <= now_ns)
		dispatch_stuck(router, call);
	if ((call->state == CALL_SENT || call->state == CALL_RUNNING) &&
	    call->permit.slow_at_ns <= now_ns && !call->permit.counted_slow)
		be_slow(router, call, now_ns);
	if (call->state == CALL_CANCELLING && call->kill_ns &&
	    call->kill_ns <= now_ns) {
		kill_for(router, call, now_ns);
		/* Its caller has waited long enough for a worker's word. */
		if (!call->answered)
			call_event(router, call, LIFE_TIME, NULL, now_ns);
		return;
	}
	if (call_next_ns(call) > now_ns) {
		call_rearm(router, call);
		return;
	}
	if (call->stop == STOP_NONE) {
		call->unread = is_held_up(router, call);
		call->unseen = call_stood_still(call_next_ns(call), now_ns);
		call->stop = deadline_pair_check(&call->limits, now_ns) ==
			     DEADLINE_IDLE ? STOP_IDLE : STOP_DEADLINE;
	}
	call_event(router, call, LIFE_TIME, NULL, now_ns);
}
