#include "supervisor/router/effect_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/parts_core.h"

/* ---- rows ---- */

static struct span name_of(const struct call *call)
{
	return call->arguments.first->message.call.effect;
}

/*
 * Hashes with two keys only we know stand for whose and which it is: of a call that
 * a worker makes, the user in whose name it does.
 */
static struct signature sign(const struct router *router,
			     const struct call *call)
{
	uint64_t whose = (uint64_t)call->role << 32 | call->user;
	struct signature name;

	for (unsigned i = 0; i < 2; i++) {
		const struct hash_key *key = &router->effects.keys[i];

		name.words[i] = hash_number(key, hash_number(key, whose) ^
					    hash_bytes(key, name_of(call)));
	}
	return name;
}

static struct list *chain_of(struct effect_ledger *ledger,
			     struct signature name)
{
	struct list *head =
		&ledger->chains[hash_chain(name.words[0], ledger->size)];

	if (!head->next)
		list_init(head);
	return head;
}

static struct effect *find(struct effect_ledger *ledger, struct signature name)
{
	struct list *head = chain_of(ledger, name);

	for (struct list *link = head->next; link != head; link = link->next) {
		struct effect *effect = LIST_OWNER(link, struct effect,
						   chain_link);

		if (signature_is(effect->name, name))
			return effect;
	}
	return NULL;
}

static size_t bytes_of(const struct kept *kept)
{
	return parcels_room(&kept->parcels) + STORE_PIECE_LEAST;
}

static void drop_result(struct router *router, struct effect *effect)
{
	if (!effect->kept)
		return;
	router->effects.bytes -= bytes_of(effect->kept);
	user_row(router, effect->uid)->result_bytes -= bytes_of(effect->kept);
	list_remove(&effect->kept_link);
	kept_release(router, effect->kept);
	effect->kept = NULL;
}

/* What is written stays until it is written over: an error is for the caller. */
static int write_row(struct router *router, struct effect *effect,
		     enum effect_stage stage)
{
	struct effect_ledger *ledger = &router->effects;
	const struct effect_row row = {
		.turn = effect->turn = ++ledger->turn, .name = effect->name,
		.asked = effect->asked, .stage = stage,
		.code = (uint32_t)effect->code, .uid = effect->uid,
	};

	return router->sink.keep(router->sink.owner,
				 (uint32_t)(effect - ledger->rows), &row);
}

static void count_known(struct router *router, const struct effect *effect, int by)
{
	router->effects.known += (uint64_t)by;
	user_row(router, effect->uid)->known += (uint64_t)by;
}

static void forget(struct router *router, struct effect *effect)
{
	drop_result(router, effect);
	if (effect->written)
		write_row(router, effect, EFFECT_NONE);
	if (list_is_linked(&effect->age_link)) {
		list_remove(&effect->age_link);
		count_known(router, effect, -1);
	}
	list_remove(&effect->chain_link);
	list_append(&router->effects.free, &effect->age_link);
}

/* There are more rows than calls, so that one is over if none is free. */
static struct effect *new_row(struct router *router)
{
	struct effect_ledger *ledger = &router->effects;
	struct list *link;

	if (list_is_empty(&ledger->free) && ledger->fresh < ledger->size)
		return &ledger->rows[ledger->fresh++];
	if (list_is_empty(&ledger->free)) {
		link = user_with_most(router, offsetof(struct user, known))->names.next;
		forget(router, LIST_OWNER(link, struct effect, age_link));
	}
	link = list_take_first(&ledger->free);
	return LIST_OWNER(link, struct effect, age_link);
}

static void add(struct router *router, struct effect *effect)
{
	list_init(&effect->waiters);
	list_append(chain_of(&router->effects, effect->name),
		    &effect->chain_link);
}

static void retire(struct router *router, struct effect *effect,
		   enum error_code code, int64_t now_ns)
{
	effect->leader = NONE;
	effect->code = code;
	effect->until_ns = now_ns + EFFECT_KEPT_NS;
	count_known(router, effect, 1);
}

void effect_init(struct router *router)
{
	struct effect_ledger *ledger = &router->effects;

	assert(router->size.effects > router->size.calls);
	ledger->size = router->size.effects;
	memcpy(ledger->keys, router->keys, sizeof(ledger->keys));
	list_init(&ledger->free);
	for (uint32_t i = 0; i < router->size.clients; i++) {
		struct user *user = &router->users[i];

		list_init(&user->names);
		list_init(&user->results);
		user->recalled = &user->names;
	}
}

static uint64_t turn_of(struct list *link)
{
	return LIST_OWNER(link, struct effect, age_link)->turn;
}

/* By their turns, which mostly follow the order in which they are recalled. */
static void insert_recalled(struct user *user, struct effect *effect)
{
	struct list *names = &user->names, *before = user->recalled;

	while (before != names && turn_of(before) > effect->turn)
		before = before->prev;
	while (before->next != names && turn_of(before->next) < effect->turn)
		before = before->next;
	list_insert_after(before, &effect->age_link);
	user->recalled = &effect->age_link;
}

bool effect_recall(struct router *router, uint32_t index,
		   const struct effect_row *row, int64_t now_ns)
{
	struct effect_ledger *ledger = &router->effects;
	struct effect *effect = &ledger->rows[index];

	if (row->stage >= EFFECT_STAGE_COUNT || row->code >= ERROR_CODE_COUNT)
		return false;
	assert(index == ledger->fresh);
	ledger->fresh++;
	if (row->turn > ledger->turn)
		ledger->turn = row->turn;
	if (row->stage == EFFECT_NONE || find(ledger, row->name)) {
		list_append(&ledger->free, &effect->age_link);
		return true;
	}
	*effect = (struct effect){ .name = row->name, .asked = row->asked,
				   .uid = row->uid, .turn = row->turn,
				   .written = true };
	add(router, effect);
	insert_recalled(user_row(router, row->uid), effect);
	retire(router, effect, row->stage == EFFECT_OVER ?
	       (enum error_code)row->code : ERROR_CRASH_OUTCOME_UNKNOWN, now_ns);
	return true;
}

/* By name and not by number, which changes with the catalogue. */
static struct signature asked_of(const struct router *router,
				 const struct call *call)
{
	const char *tool = router->tools[call->tool].row.name;

	return sign_call(router->effects.keys,
			 hash_bytes(&router->effects.keys[0],
				    span_of_text(tool)), call);
}

/* ---- joining ---- */

static void lead(struct router *router, struct call *call,
		 struct signature name)
{
	struct effect *effect = new_row(router);

	*effect = (struct effect){
		.name = name, .asked = asked_of(router, call), .uid = call->uid,
		.leader = (uint32_t)(call - router->calls),
	};
	add(router, effect);
	call->effect = (uint32_t)(effect - router->effects.rows);
	call->alone = true;
	share_begin_collecting(router, call, true);
}

/* What it looked on at is not its own. */
static void let_go(struct router *router, struct call *call)
{
	if (call->kept)
		kept_release(router, call->kept);
	call->kept = NULL;
	share_read_anew(call);
}

/* What an earlier router has had of it is in nobody's hands any more. */
static bool is_whole(const struct call *call)
{
	return !call->adopted || (call->named && call->resumed_from == 0);
}

static void wait_for(struct router *router, struct effect *effect,
		     struct call *call, int64_t now_ns)
{
	struct call *leader = &router->calls[effect->leader];

	resume_join(router, leader, now_ns);
	let_go(router, call);
	call->kept = leader->collecting && is_whole(leader) ? leader->kept : NULL;
	if (call->kept)
		call->kept->references++;
	call->collecting = false;
	share_read_anew(call);
	router->effects.joined++;
	list_append(&effect->waiters, &call->effect_link);
	call_enter(router, call, CALL_JOINED);
	if (leader->begun)
		call_announce(router, call, now_ns);
	share_deliver(router, call, now_ns);
}

static void serve(struct router *router, const struct effect *effect,
		  struct call *call, int64_t now_ns)
{
	struct ending lost;

	/* Of the output it has seen nothing, or the beginning of what is kept. */
	if (effect->kept && (!call->last_kept || call->kept == effect->kept)) {
		share_serve(router, call, effect->kept, now_ns);
		return;
	}
	let_go(router, call);
	lost = ending_of(effect->code == ERROR_OK ? ERROR_DATA_LOSS
						  : effect->code,
			 "it has ended (");
	ending_add(&lost, error_row((int)effect->code)->name);
	ending_add(&lost, "), and its result is not kept");
	call_end(router, call, &lost, now_ns);
}

static void join(struct router *router, struct effect *effect,
		 struct call *call, int64_t now_ns)
{
	if (effect->leader != NONE)
		wait_for(router, effect, call, now_ns);
	else
		serve(router, effect, call, now_ns);
}

int effect_join(struct router *router, struct call *call, int64_t now_ns)
{
	struct signature name;
	struct effect *effect;
	struct ending why;

	if (call->probe || name_of(call).length == 0)
		return 0;
	name = sign(router, call);
	effect = find(&router->effects, name);
	if (!effect) {
		lead(router, call, name);
		return 0;
	}
	if (signature_is(effect->asked, asked_of(router, call))) {
		join(router, effect, call, now_ns);
		return 1;
	}
	why = ending_of(ERROR_INVALID_ARGUMENT,
			"another call has been made under this effect's id");
	call_end(router, call, &why, now_ns);
	return 1;
}

void effect_attach(struct router *router, struct call *call, int64_t now_ns)
{
	struct effect *effect = find(&router->effects, sign(router, call));
	struct ending why;

	call->flags &= ~(uint32_t)CALL_DETACHED;
	if (effect) {
		join(router, effect, call, now_ns);
		return;
	}
	why = ending_of(ERROR_NOT_FOUND, "no call of this id is known; one is "
			"for a day from its end");
	call_end(router, call, &why, now_ns);
}

/* ---- while it runs ---- */

static struct effect *led_by(struct router *router, const struct call *call)
{
	return call->effect == NONE ? NULL
				    : &router->effects.rows[call->effect];
}

bool effect_begin(struct router *router, struct call *call)
{
	struct effect *effect = led_by(router, call);

	if (!effect || effect->written)
		return true;
	effect->written = write_row(router, effect, EFFECT_BEGUN) == 0;
	return effect->written;
}

void effect_resume(struct router *router, struct call *call, uint32_t index,
		   struct signature name)
{
	struct effect_ledger *ledger = &router->effects;
	struct effect *effect = &ledger->rows[index];

	if (index >= ledger->fresh || !effect->written ||
	    !signature_is(effect->name, name) || effect->leader != NONE ||
	    effect->kept || !list_is_linked(&effect->age_link))
		return;
	list_remove(&effect->age_link);
	count_known(router, effect, -1);
	effect->code = ERROR_OK;
	effect->leader = (uint32_t)(call - router->calls);
	call->effect = index;
}

bool effect_is_awaited(const struct router *router, const struct call *call)
{
	return call->effect != NONE &&
	       !list_is_empty(&router->effects.rows[call->effect].waiters);
}

void effect_tell(struct router *router, struct call *call,
		 const struct message *message, int64_t now_ns)
{
	struct effect *effect = led_by(router, call);

	if (!effect)
		return;
	for (struct list *link = effect->waiters.next; link != &effect->waiters;
	     link = link->next) {
		struct call *waiter = LIST_OWNER(link, struct call, effect_link);

		if (message->kind == MESSAGE_ACCEPT)
			call_announce(router, waiter, now_ns);
		else if (message->kind == MESSAGE_PROGRESS)
			call_pass_on(router, waiter, message, now_ns);
		else
			share_deliver(router, waiter, now_ns);
	}
}

void effect_pass_over(struct router *router, struct call *call,
		      const struct parcel *parcel, struct parcel *before)
{
	struct effect *effect = led_by(router, call);

	if (call->silent)	/* else it has what others are kept waiting for */
		share_pass_over(call, parcel, before);
	if (!effect)
		return;
	for (struct list *link = effect->waiters.next; link != &effect->waiters;
	     link = link->next)
		share_pass_over(LIST_OWNER(link, struct call, effect_link),
				parcel, before);
}

void effect_leave(struct router *router, struct call *call)
{
	if (!list_is_linked(&call->effect_link))
		return;
	list_remove(&call->effect_link);
	let_go(router, call);
}

/* ---- its end ---- */

static void settle(struct router *router, struct effect *effect,
		   struct call *call, const struct ending *ending,
		   int64_t now_ns)
{
	struct user *user = user_row(router, effect->uid);
	struct kept *kept = call->kept;

	retire(router, effect, ending->code, now_ns);
	list_append(&user->names, &effect->age_link);
	if (effect->written)
		write_row(router, effect, EFFECT_OVER);
	if (!kept || !is_whole(call) || !kept->parcels.last ||
	    kept->parcels.last->message.kind != MESSAGE_RESULT)
		return;
	effect->kept = kept;
	kept->references++;
	list_append(&user->results, &effect->kept_link);
	user->result_bytes += bytes_of(kept);
	router->effects.bytes += bytes_of(kept);
}

/* The oldest results of who has most make room; their names stay. */
static void trim(struct router *router)
{
	while (router->effects.bytes > EFFECT_BYTES_MAX) {
		struct user *most = user_with_most(
			router, offsetof(struct user, result_bytes));

		drop_result(router, LIST_OWNER(most->results.next, struct effect,
					       kept_link));
	}
}

/* It was not begun: whoever brings the arguments along may be the next. */
static void release(struct router *router, struct call *call,
		    const struct ending *ending, int64_t now_ns)
{
	effect_leave(router, call);
	if (call->tool == NONE) {
		call_end(router, call, ending, now_ns);
		return;
	}
	call_enter(router, call, CALL_RECEIVED);
	admit_complete(router, call, now_ns);
}

void effect_land(struct router *router, struct call *call,
		 const struct ending *ending, int64_t now_ns)
{
	struct effect *effect = led_by(router, call);
	struct list waiters, *link;
	bool over = call->begun;

	if (!effect)
		return;
	call->effect = NONE;
	list_init(&waiters);
	while ((link = list_take_first(&effect->waiters)))
		list_append(&waiters, link);
	if (over)
		settle(router, effect, call, ending, now_ns);
	else
		forget(router, effect);
	while (!list_is_empty(&waiters)) {
		struct call *waiter = LIST_OWNER(waiters.next, struct call,
						 effect_link);

		if (!over) {
			release(router, waiter, ending, now_ns);
			continue;
		}
		list_remove(&waiter->effect_link);
		serve(router, effect, waiter, now_ns);
	}
	trim(router);
}

void effect_round(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->size.clients; i++) {
		struct list *names = &router->users[i].names;

		while (!list_is_empty(names)) {
			struct effect *effect = LIST_OWNER(
				names->next, struct effect, age_link);

			if (effect->until_ns > now_ns)
				break;
			forget(router, effect);
		}
	}
}
