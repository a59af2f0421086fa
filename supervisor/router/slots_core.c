#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <string.h>

uint32_t slot_index(const struct router *router, const struct slot *slot)
{
	return (uint32_t)(slot - router->slots);
}

static struct pool *pool_of(struct router *router, const struct slot *slot)
{
	return slot->pool == NONE ? NULL : &router->pools[slot->pool];
}

static struct worker_tally *tally_of(struct router *router, const struct slot *slot)
{
	return slot->pool == NONE ? &router->homeless :
				    &router->pools[slot->pool].tally;
}

/* ---- words to the monitor ---- */

void slot_kill(struct router *router, struct slot *slot,
	       enum kill_reason reason, uint64_t call)
{
	if (slot->killed || slot->down || slot->state == SLOT_EMPTY)
		return;
	slot->killed = true;
	control_send(router, CONTROL_KILL, &(struct control){
		.slot = slot_index(router, slot),
		.generation = slot->generation,
		.detail = (uint8_t)reason, .call = call });
}

static void recycle(struct router *router, struct slot *slot)
{
	if (slot->recycled || slot->down || slot->again)
		return;		/* it may have more in hand than it has told */
	slot->recycled = true;
	control_send(router, CONTROL_RECYCLE, &(struct control){
		.slot = slot_index(router, slot),
		.generation = slot->generation });
}

/* ---- belonging to a pool ---- */

static void count_ready(struct router *router, struct slot *slot, int by)
{
	struct pool *pool = pool_of(router, slot);

	if (!pool)
		return;
	pool->ready_count = (uint32_t)((int)pool->ready_count + by);
	pool->served |= by > 0;
}

static void leave_pool(struct router *router, struct slot *slot)
{
	struct pool *pool = pool_of(router, slot);

	if (!pool)
		return;
	if (slot->state == SLOT_READY)
		count_ready(router, slot, -1);
	pool->slot_count--;
	list_remove(&slot->pool_link);
	slot->pool = NONE;
}

void slot_join_pool(struct router *router, struct slot *slot, uint32_t pool)
{
	slot->pool = pool;
	if (pool == NONE)
		return;
	router->pools[pool].slot_count++;
	list_append(&router->pools[pool].slots, &slot->pool_link);
	if (slot->state == SLOT_READY)
		count_ready(router, slot, 1);
	dispatch_mark(router, pool);
}

static void enter(struct router *router, struct slot *slot,
		  enum slot_state state)
{
	if (slot->state == SLOT_READY)
		count_ready(router, slot, -1);
	slot->state = state;
	if (slot->state == SLOT_READY)
		count_ready(router, slot, 1);
}

/* ---- draining and recycling ---- */

void slot_settled(struct router *router, struct slot *slot)
{
	bool confirmed = slot->owed == 0 || router->now_ns >= slot->drain_ns;

	if (slot->state == SLOT_DRAINING && slot->running == 0 && confirmed)
		recycle(router, slot);
}

/* Without a reason it is told nothing: a single-use worker knows that it is done. */
static void drain(struct router *router, struct slot *slot, int64_t deadline_ns,
		  const char *reason, int64_t now_ns)
{
	if (slot->state != SLOT_READY && slot->state != SLOT_WELCOMED)
		return;
	enter(router, slot, SLOT_DRAINING);
	slot->drain_ns = deadline_ns;
	if (reason)
		peer_send(router, slot_peer(router, slot_index(router, slot)),
			  &(struct message){ .kind = MESSAGE_DRAIN,
				.generation = slot->generation,
				.deadline_ns = deadline_ns,
				.drain.reason = message_text_of(reason) }, now_ns);
	slot_settled(router, slot);
}

#define DRAIN_NS (30 * NS_PER_S)

static bool is_used_up(const struct pool *pool, const struct slot *slot)
{
	return pool->row.kind == POOL_PER_CALL ||
	       (pool->row.recycle_calls > 0 &&
		slot->served >= pool->row.recycle_calls);
}

void slot_flows(struct router *router, struct slot *slot)
{
	if (slot->blocked)
		dispatch_mark(router, slot->pool);
	slot->blocked = false;
}

void slot_freed(struct router *router, struct slot *slot, int64_t now_ns)
{
	struct pool *pool = pool_of(router, slot);

	slot->idle_ns = now_ns;
	slot->blocked &= slot->running > 0;
	dispatch_mark(router, slot->pool);
	if (slot->state == SLOT_READY && slot->pool != NONE && slot->served > 0 &&
	    is_used_up(pool, slot))
		drain(router, slot, now_ns + DRAIN_NS,
		      pool->row.kind == POOL_PER_CALL ? NULL : "served its calls",
		      now_ns);
	else
		slot_settled(router, slot);
	if (slot->running == 0 && slot->kill_at_ns != DEADLINE_NEVER)
		drain(router, slot, slot->kill_at_ns, "it does not heed a cancel",
		      now_ns);
}

/* ---- death ---- */

static struct call *culprit_of(struct router *router, struct slot *slot)
{
	struct call *named = call_of_handle(router, slot->culprit);

	if (named && named->slot == slot_index(router, slot))
		return named;
	return slot->running == 1 ?
	       LIST_OWNER(slot->calls.next, struct call, slot_link) : NULL;
}

static void blame(struct router *router, struct slot *slot, int64_t now_ns)
{
	struct call *call;

	if (slot->end == SLOT_END_NORMAL || slot->end == SLOT_END_ORDERED ||
	    slot->end == SLOT_END_START)
		return;
	router->totals.deaths++;
	call = culprit_of(router, slot);
	if (!call || call->stop != STOP_NONE || call->probe || call->adopted)
		return;
	router->poisoned = true;
	if (poison_death(&router->poison, call_signature(router, call),
			 now_ns))
		router->sink.note(router->sink.owner, &(struct router_note){
			.level = NOTE_ERROR, .slot = NONE,
			.message = "a call kills its workers",
			.name = tool_name(router, call),
			.call = call_handle(router, call) });
}

/* By all the facts: its calls are judged, once, and the slot is free. */
static void bury(struct router *router, struct slot *slot, int64_t now_ns)
{
	struct pool *pool = pool_of(router, slot);
	struct worker_tally *tally = tally_of(router, slot);

	blame(router, slot, now_ns);
	tally->ends[slot->end]++;
	histogram_add(&tally->lives, lifetime_bounds_ns, now_ns - slot->since_ns);
	slot->died_alone = slot->running == 1;
	while (!list_is_empty(&slot->calls))
		call_event(router, LIST_OWNER(slot->calls.next, struct call,
					      slot_link),
			   LIFE_DEAD, NULL, now_ns);
	leave_pool(router, slot);
	if (pool) {
		pool->restarts += slot->end != SLOT_END_NORMAL;
		dispatch_mark(router, (uint32_t)(pool - router->pools));
	}
	assert(slot->running == 0);
	peer_forget(router, slot_peer(router, slot_index(router, slot)));
	slot->state = SLOT_EMPTY;
}

void slot_closed(struct router *router, uint32_t index, bool fault,
		 const char *detail, int64_t now_ns)
{
	struct slot *slot = &router->slots[index];

	if (slot->state == SLOT_EMPTY || !slot->peer.open)
		return;
	peer_forget(router, slot_peer(router, index));
	if (fault)
		router_say(router, NOTE_ERROR, "a worker broke the protocol",
			   slot->pool == NONE ? NULL
			   : router->pools[slot->pool].row.name, detail);
	if (slot->down) {
		bury(router, slot, now_ns);
		return;
	}
	/* Without a link it is of no use, dead or not. */
	if (fault || slot->state != SLOT_DRAINING || slot->running > 0)
		slot_kill(router, slot, KILL_PROTOCOL, 0);
	enter(router, slot, SLOT_ENDING);
}

void slot_fault(struct router *router, struct slot *slot, const char *detail,
		int64_t now_ns)
{
	uint32_t index = slot_index(router, slot);

	if (!slot->peer.open)
		return;
	router->totals.faults++;
	router->sink.close(router->sink.owner, slot_peer(router, index));
	slot_closed(router, index, true, detail, now_ns);
}

/* ---- words of a worker ---- */

static void on_hello(struct router *router, struct slot *slot,
		     const struct message *message, int64_t now_ns)
{
	const struct message_hello *hello = &message->hello;

	if (hello->major != MESSAGE_MAJOR ||
	    hello->minor_least > MESSAGE_MINOR) {
		slot_fault(router, slot, "another version of the protocol",
			   now_ns);
		return;
	}
	enter(router, slot, SLOT_WELCOMED);
	peer_send(router, slot_peer(router, slot_index(router, slot)),
		  &(struct message){ .kind = MESSAGE_WELCOME,
			.generation = slot->generation,
			.welcome = { .minor = MESSAGE_MINOR,
				.catalog = router->catalog->generation } },
		  now_ns);
	if (slot->again)
		peer_send(router, slot_peer(router, slot_index(router, slot)),
			  &(struct message){ .kind = MESSAGE_RESYNC,
				.generation = slot->generation }, now_ns);
	if (slot->drain_ns)
		drain(router, slot, slot->drain_ns, "the supervisor replaces it", now_ns);
}

static void serve(struct router *router, struct slot *slot, int64_t now_ns)
{
	slot->idle_ns = now_ns;
	enter(router, slot, SLOT_READY);
	dispatch_mark(router, slot->pool);
}

static void on_ready(struct router *router, struct slot *slot,
		     const struct message *message, int64_t now_ns)
{
	const struct pool *pool = pool_of(router, slot);
	uint32_t calls_max = message->ready.calls_max;

	if (slot->state != SLOT_WELCOMED)
		return;		/* it crossed a drain */
	if (pool && pool->row.calls_max > 0 && calls_max > pool->row.calls_max)
		calls_max = pool->row.calls_max;
	slot->calls_max = calls_max ? calls_max : 1;
	if (slot->again)
		return;		/* its start was an earlier router's to count */
	histogram_add(&tally_of(router, slot)->starts, latency_bounds_ns,
		      now_ns - slot->since_ns);
	serve(router, slot, now_ns);
}

/* Nothing new for it before all that it has is known. */
static void on_resync(struct router *router, struct slot *slot,
		      const struct message *message, int64_t now_ns)
{
	resume_hear_worker(router, slot, message, now_ns);
	if (message->call_id || !slot->again)
		return;
	slot->again = false;
	if (slot->state == SLOT_WELCOMED && slot->calls_max)
		serve(router, slot, now_ns);
	else
		slot_settled(router, slot);
}

static void on_pong(struct router *router, struct slot *slot,
		    const struct message *message, int64_t now_ns)
{
	(void)router;
	if (message->pong.token == slot->ping_token && slot->pong_ns < 0)
		slot->pong_ns = now_ns - slot->ping_ns;
}

static void on_drained(struct router *router, struct slot *slot,
		       const struct message *message, int64_t now_ns)
{
	(void)message;
	if (slot->running > 0)
		slot_fault(router, slot, "drained, with calls in hand", now_ns);
	else
		recycle(router, slot);
}

static const struct {
	void (*own)(struct router *, struct slot *, const struct message *,
		    int64_t);
	bool of_call;
	enum call_event event;
} on_kind[FRAME_KIND_EXTENSION] = {
	[MESSAGE_HELLO]    = { .own = on_hello },
	[MESSAGE_READY]    = { .own = on_ready },
	[MESSAGE_PONG]     = { .own = on_pong },
	[MESSAGE_DRAINED]  = { .own = on_drained },
	[MESSAGE_RESYNC]   = { .own = on_resync },
	[MESSAGE_ACCEPT]   = { .of_call = true, .event = LIFE_ACCEPT },
	[MESSAGE_BUSY]     = { .of_call = true, .event = LIFE_BUSY },
	[MESSAGE_PROGRESS] = { .of_call = true, .event = LIFE_OUTPUT },
	[MESSAGE_CHUNK]    = { .of_call = true, .event = LIFE_OUTPUT },
	[MESSAGE_RESULT]   = { .of_call = true, .event = LIFE_RESULT },
};

static void on_credit(struct router *router, struct slot *slot,
		      struct call *call, const struct message *message,
		      int64_t now_ns)
{
	if (!call)
		return;		/* it crossed the end of the call */
	if (credit_add(&call->to_worker, message->credit.bytes))
		dispatch_arguments(router, call, now_ns);
	else
		slot_fault(router, slot, "more credit than the window", now_ns);
}

/* One that an earlier router has had, as its RESYNC has announced. */
static void decline(struct router *router, struct slot *slot,
		    const struct message *message, int64_t now_ns)
{
	slot->unclaimed--;
	peer_send(router, slot_peer(router, slot_index(router, slot)),
		  &(struct message){ .kind = MESSAGE_RESULT_ACK,
			.call_id = message->call_id,
			.generation = slot->generation }, now_ns);
}

void slot_message(struct router *router, uint32_t index,
		  const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[index];
	struct call *call;

	if (slot->state == SLOT_EMPTY || !slot->peer.open)
		return;
	if (slot->state != SLOT_LINKED &&
	    message->generation != slot->generation) {
		slot_fault(router, slot, "words of another generation", now_ns);
		return;
	}
	if (on_kind[message->kind].own) {
		on_kind[message->kind].own(router, slot, message, now_ns);
		return;
	}
	call = call_of_worker(router, slot, message->call_id);
	if (message->kind == MESSAGE_CREDIT)
		on_credit(router, slot, call, message, now_ns);
	else if (on_kind[message->kind].of_call && call)
		call_event(router, call, on_kind[message->kind].event, message,
			   now_ns);
	else if (message->kind == MESSAGE_RESULT && slot->unclaimed > 0)
		decline(router, slot, message, now_ns);
	else if (on_kind[message->kind].of_call)
		slot_fault(router, slot, "words about no call of its own",
			   now_ns);
}

/* ---- what the monitor says of one ---- */

static void join_named_pool(struct router *router, struct slot *slot,
			    const struct control *record)
{
	struct pool *pool;

	if (record->detail & SLOT_UP_CANARY || record->pool >= CATALOG_POOLS_MAX)
		return;
	pool = &router->pools[record->pool];
	if (!pool->present)
		return;
	pool->asked -= pool->asked > 0;
	slot_join_pool(router, slot, record->pool);
}

void slot_up(struct router *router, const struct router_event *event,
		       int64_t now_ns)
{
	const struct control *record = event->record;
	struct slot *slot = &router->slots[record->slot];
	int64_t spawned_ns = (int64_t)record->argument;

	if (slot->state != SLOT_EMPTY) {	/* whose end was not told */
		slot->down = true;
		slot->end = SLOT_END_ORDERED;
		bury(router, slot, now_ns);
	}
	*slot = (struct slot){
		.peer.open = true,
		.state = SLOT_LINKED,
		.generation = record->generation,
		.pool = NONE,
		.workspace = record->workspace,
		.since_ns = spawned_ns > 0 && spawned_ns < now_ns ? spawned_ns
								  : now_ns,
		.kill_at_ns = DEADLINE_NEVER,
		.pong_ns = -1,
		.again = record->detail & SLOT_UP_AGAIN,
	};
	list_init(&slot->calls);
	join_named_pool(router, slot, record);
	if (slot->again)
		legacy_adopt(router, slot, now_ns);
}

static struct slot *named_slot(struct router *router,
			       const struct control *record)
{
	struct slot *slot = &router->slots[record->slot];

	return slot->state != SLOT_EMPTY &&
	       slot->generation == record->generation ? slot : NULL;
}

void slot_down(struct router *router,
			 const struct router_event *event, int64_t now_ns)
{
	const struct control *record = event->record;
	struct slot *slot = named_slot(router, record);

	if (!slot || slot->down)
		return;
	slot->down = true;
	slot->down_ns = now_ns;
	slot->end = record->detail < SLOT_END_COUNT ?
		    (enum slot_end)record->detail : SLOT_END_EXIT;
	slot->end_argument = record->argument;
	slot->culprit = record->call;
	if (slot->peer.open)
		enter(router, slot, SLOT_ENDING);
	else
		bury(router, slot, now_ns);
}

void slot_usage(struct router *router,
			  const struct router_event *event, int64_t now_ns)
{
	struct slot *slot = named_slot(router, event->record);

	int64_t cpu_ns = (int64_t)event->record->call;

	(void)now_ns;
	if (!slot)
		return;
	slot->resident_bytes = event->record->argument;
	if (cpu_ns <= slot->cpu_ns)
		return;
	tally_of(router, slot)->cpu_ns += cpu_ns - slot->cpu_ns;
	slot->cpu_ns = cpu_ns;
}

void slot_move(struct router *router,
			 const struct router_event *event, int64_t now_ns)
{
	struct slot *slot = named_slot(router, event->record);
	uint32_t pool = event->record->pool;

	(void)now_ns;
	if (!slot)
		return;
	leave_pool(router, slot);
	if (pool < CATALOG_POOLS_MAX && router->pools[pool].present)
		slot_join_pool(router, slot, pool);
}

void slot_drain(struct router *router,
			  const struct router_event *event, int64_t now_ns)
{
	struct slot *slot = named_slot(router, event->record);

	if (!slot)
		return;
	if (slot->state == SLOT_LINKED && slot->again)
		slot->drain_ns = (int64_t)event->record->argument;
	else if (slot->state == SLOT_LINKED)
		recycle(router, slot);
	else
		drain(router, slot, (int64_t)event->record->argument,
		      "the supervisor replaces it", now_ns);
}

/* ---- once a second ---- */

static bool is_idle(const struct slot *slot)
{
	return slot->state == SLOT_READY && slot->running == 0;
}

static uint32_t idle_of(const struct pool *pool, uint32_t workspace)
{
	uint32_t count = 0;

	for (struct list *link = pool->slots.next; link != &pool->slots; link = link->next) {
		const struct slot *slot = LIST_OWNER(link, struct slot, pool_link);

		count += slot->workspace == workspace && is_idle(slot);
	}
	return count;
}

/* Its call has ended before it was there, and it is none of the spares. */
static bool is_left_over(const struct pool *pool, const struct slot *slot, int64_t now_ns)
{
	return pool->row.kind == POOL_PER_CALL && slot->workspace && is_idle(slot) &&
	       now_ns - slot->idle_ns >= NS_PER_S &&
	       !dispatch_awaits(pool, slot->workspace) &&
	       idle_of(pool, slot->workspace) > pool->row.warm;
}

static bool is_idle_too_long(const struct pool *pool, const struct slot *slot,
			     int64_t now_ns)
{
	return pool->row.kind == POOL_ONDEMAND && pool->row.idle_ns > 0 &&
	       is_idle(slot) && pool->ready_count > pool->row.warm &&
	       now_ns - slot->idle_ns >= pool->row.idle_ns;
}

static void look_after(struct router *router, struct slot *slot,
		       int64_t now_ns)
{
	struct pool *pool = pool_of(router, slot);

	if (slot->down && now_ns - slot->down_ns >= LINK_END_NS) {
		/* Whoever holds the other end still, it is no worker. */
		router->sink.close(router->sink.owner,
				   slot_peer(router, slot_index(router, slot)));
		slot_closed(router, slot_index(router, slot), false, NULL,
			    now_ns);
		return;
	}
	if (now_ns >= slot->kill_at_ns) {
		slot_kill(router, slot, KILL_CANCELLED, 0);
		slot->kill_at_ns = DEADLINE_NEVER - 1;
	}
	slot_settled(router, slot);
	if (pool && (is_idle_too_long(pool, slot, now_ns) ||
		     is_left_over(pool, slot, now_ns)))
		drain(router, slot, now_ns + DRAIN_NS, "idle", now_ns);
}

void slots_round(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->size.slots; i++) {
		if (router->slots[i].state != SLOT_EMPTY)
			look_after(router, &router->slots[i], now_ns);
	}
	for (uint32_t i = 0; i < CATALOG_POOLS_MAX; i++) {
		if (router->pools[i].present &&
		    router->pools[i].row.kind != POOL_STATIC)
			dispatch_mark(router, i);	/* to want again */
	}
}
