#include "supervisor/router/router_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/parts_core.h"

#define ROUTER_TICK_NS NS_PER_MS
#define ROUTER_KEY_BYTES 64

const struct router_size router_size_default = {
	.calls = ROUTER_CALLS, .clients = ROUTER_CLIENTS,
	.slots = ROUTER_SLOTS, .queue = QUEUE_CAPACITY_DEFAULT, .cached = 512,
	.effects = ROUTER_EFFECTS, .kept_bytes = 1U << 20,
	.store_bytes = ROUTER_STORE_BYTES,
};

/* ---- storage: one block, divided ---- */

struct division {
	char *at;		/* NULL while the size is being counted */
	size_t bytes;
};

static void *divide(struct division *division, size_t count, size_t bytes)
{
	void *part = division->at ? division->at + division->bytes : NULL;

	division->bytes += (count * bytes + 63) / 64 * 64;
	return part;
}

static size_t lay_out(struct router *router, const struct router_size *size,
		      char *memory)
{
	struct division d = { .at = memory };
	struct router unused;
	/* cppcheck-suppress uninitvar ; only its size matters */
	struct router *r = router ? router : &unused;
	uint8_t *region, *levels;
	void *legacy, *own;

	divide(&d, 1, sizeof(*r));
	r->clients = divide(&d, size->clients + 1, sizeof(*r->clients));
	r->users = divide(&d, size->clients, sizeof(*r->users));
	r->slots = divide(&d, size->slots, sizeof(*r->slots));
	r->tools = divide(&d, TOOLS_MAX, sizeof(*r->tools));
	r->entries = divide(&d, TOOLS_MAX * (size_t)size->queue,
			    sizeof(*r->entries));
	r->lanes = divide(&d, TOOLS_MAX * (size_t)router_lanes(size),
			  QUEUE_PRIORITY_COUNT * sizeof(*r->lanes));
	r->calls = divide(&d, size->calls, sizeof(*r->calls));
	r->chains = divide(&d, size->calls, sizeof(*r->chains));
	r->cache_entries = divide(&d, size->cached, sizeof(*r->cache_entries));
	r->cache_keys = divide(&d, size->cached, ROUTER_KEY_BYTES);
	r->flight_rows = divide(&d, ROUTER_FLIGHTS, sizeof(*r->flight_rows));
	r->recorder.ring = divide(&d, RECORDS, sizeof(struct record));
	r->effects.rows = divide(&d, size->effects, sizeof(struct effect));
	r->effects.chains = divide(&d, size->effects, sizeof(struct list));
	legacy = divide(&d, legacy_bytes(size), 1);
	own = divide(&d, legacy_own_bytes(size), 1);
	levels = divide(&d, size->store_bytes / STORE_PIECE_LEAST, 1);
	region = divide(&d, size->store_bytes, 1);
	if (!router)
		return d.bytes;
	router->size = *size;
	store_init(&router->store, region, levels, size->store_bytes);
	legacy_init(router, legacy, own);
	return d.bytes;
}

size_t router_bytes(const struct router_size *size)
{
	return lay_out(NULL, size, NULL);
}

static void init_tables(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i <= router->size.clients; i++)
		list_init(&router->clients[i].calls);
	for (uint32_t i = 0; i < router->size.clients; i++)
		bucket_init(&router->users[i].looks, USER_LOOKS_PER_S, NS_PER_S,
			    USER_LOOKS_PER_S, now_ns);
	for (uint32_t i = 0; i < router->size.slots; i++)
		list_init(&router->slots[i].calls);
	for (uint32_t i = 0; i < CATALOG_POOLS_MAX; i++) {
		list_init(&router->pools[i].slots);
		list_init(&router->pools[i].tools);
		list_init(&router->pools[i].parked);
		list_init(&router->pools[i].coming);
	}
	for (uint32_t i = 0; i < CATALOG_TOOLS_MAX; i++)
		router->tool_of[i] = NONE;
	list_init(&router->free_calls);
	wheel_init(&router->wheel, ROUTER_TICK_NS, now_ns);
	retry_budget_init(&router->retries, RETRY_SHARE_ALL, NULL, now_ns);
}

struct router *router_init(void *memory, const struct router_size *size,
			   const struct catalog *catalog,
			   const struct router_sink *sink, uint64_t seed,
			   int64_t now_ns)
{
	struct router *router = memory;

	lay_out(router, size, memory);
	router->sink = *sink;
	random_init(&router->random, seed);
	for (unsigned i = 0; i < 4; i++)
		router->keys[i / 2].words[i % 2] = random_next(&router->random);
	init_tables(router, now_ns);
	share_init(router);
	effect_init(router);
	router->supervisor = SUPERVISOR_RUNNING;
	router->started_ns = router->monitor_ns = now_ns;
	router->round_ns = router->health_ns = now_ns;
	tools_load(router, catalog, now_ns);
	return router;
}

struct hash_key *router_keys(struct router *router)
{
	return router->effects.keys;
}

size_t router_legacy_bytes(const struct router_size *size)
{
	return legacy_bytes(size);
}

void router_inherit(struct router *router, void *memory, int64_t now_ns)
{
	legacy_inherit(router, memory, now_ns);
}

bool router_recall(struct router *router, uint32_t index,
		   const struct effect_row *row, int64_t now_ns)
{
	return index < router->size.effects &&
	       effect_recall(router, index, row, now_ns);
}

bool router_recall_breaker(struct router *router, uint32_t index,
			   const struct breaker_row *row, int64_t now_ns)
{
	return index < BREAKER_ROWS && breakers_recall(router, index, row, now_ns);
}

/* ---- time ---- */

static void run_timers(struct router *router, int64_t now_ns)
{
	struct wheel_timer *due;

	while ((due = wheel_pop(&router->wheel, now_ns))) {
		struct timer *timer = LIST_OWNER(due, struct timer, wheel);

		if (timer->kind == TIMER_CALL)
			call_due(router, &router->calls[timer->index], now_ns);
		else
			tool_due(router, &router->tools[timer->index], now_ns);
	}
}

static void beat(struct router *router)
{
	control_send(router, CONTROL_BEAT, &(struct control){
		.argument = router->turns,
		.call = router->call_count,
		.slot = (uint32_t)router->totals.clients,
	});
}

/* What need not be exact is looked at once a second. */
static void run_round(struct router *router, int64_t now_ns)
{
	if (now_ns < router->round_ns)
		return;
	router->round_ns = now_ns + ROUND_NS;
	beat(router);
	clients_round(router, now_ns);
	slots_round(router, now_ns);
	calls_round(router, now_ns);
	cache_sweep(&router->cache, now_ns);
	effect_round(router, now_ns);
	legacy_round(router, now_ns);
	record_flush(router, true, now_ns);
	if (now_ns >= router->health_ns) {
		router->health_ns = now_ns + HEALTH_INTERVAL_NS;
		health_round(router, now_ns);
	}
}

/* Told to stop: at the end of all calls, or of the time. */
static void run_stop(struct router *router, int64_t now_ns)
{
	if (!router->stopping || router->left)
		return;
	if (router->call_count > router->held && now_ns < router->stop_ns)
		return;
	router->left = true;
	for (uint32_t i = 0; i < router->size.clients; i++) {
		if (router->clients[i].peer.open)
			client_cut(router, i, ERROR_DRAINING,
				   "the supervisor stops", now_ns);
	}
	router->sink.leave(router->sink.owner);
}

int64_t router_next_ns(const struct router *router)
{
	int64_t next_ns = deadline_earlier(wheel_next_ns(&router->wheel),
					   router->round_ns);

	if (router->stopping && !router->left)
		next_ns = deadline_earlier(next_ns, router->stop_ns);
	return next_ns;
}

/* ---- events ---- */

static void on_message(struct router *router, const struct router_event *event,
		       int64_t now_ns)
{
	router->totals.bytes_in += event->message->body.length;
	if (event->peer < router->size.clients)
		client_message(router, event->peer, event->message, now_ns);
	else
		slot_message(router, event->peer - router->size.clients,
			     event->message, now_ns);
}

static void on_closed(struct router *router, const struct router_event *event,
		      int64_t now_ns)
{
	if (event->fault)
		router->totals.faults++;
	if (event->peer < router->size.clients)
		client_closed(router, event->peer, now_ns);
	else
		slot_closed(router, event->peer - router->size.clients,
			    event->fault, event->detail, now_ns);
}

void router_step(struct router *router, const struct router_event *event,
		 int64_t now_ns)
{
	router->turns++;
	router->now_ns = now_ns;
	switch (event->kind) {
	case ROUTER_OPEN:
		client_open(router, event->peer, event->uid, event->role, false,
			    now_ns);
		break;
	case ROUTER_MESSAGE:
		on_message(router, event, now_ns);
		break;
	case ROUTER_WRITABLE:
		peer_writable(router, event->peer, now_ns);
		break;
	case ROUTER_CLOSED:
		on_closed(router, event, now_ns);
		break;
	case ROUTER_CONTROL:
		control_record(router, event, now_ns);
		break;
	case ROUTER_SAMPLE:
		breakers_date(router, event->sample->wall_ns, now_ns);
		health_sample(router, event->sample, now_ns);
		break;
	case ROUTER_TICK:
		run_timers(router, now_ns);
		run_round(router, now_ns);
		break;
	case ROUTER_EVENT_COUNT:
		break;
	}
	record_flush(router, router->stopping, now_ns);
	dispatch(router, now_ns);
	while (router->doomed) {
		clients_cut_doomed(router, now_ns);
		dispatch(router, now_ns);
	}
	run_stop(router, now_ns);
}

/* ---- what holds ---- */

uint32_t router_calls(const struct router *router)
{
	return router->call_count;
}

bool router_store_is_empty(const struct router *router)
{
	return router->store.used == 0;
}

uint64_t router_nonce(struct router *router)
{
	return hash_number(&router->keys[1], random_next(&router->random));
}

void router_say(struct router *router, enum router_note_level level,
		const char *message, const char *name, const char *detail)
{
	router->sink.note(router->sink.owner, &(struct router_note){
		.level = level, .message = message, .name = name,
		.detail = detail, .slot = NONE });
}

static bool with_worker(enum call_state state)
{
	return state == CALL_SENT || state == CALL_RUNNING ||
	       state == CALL_CANCELLING;
}

static void check_call(const struct router *router, const struct call *call)
{
	assert(!call_awaits_worker(call->state) ||
	       router->tools[call->tool].present);
	assert(with_worker(call->state) == (call->slot != NONE));
	assert(with_worker(call->state) == list_is_linked(&call->slot_link));
	assert(with_worker(call->state) == (call->permit.generation != 0));
	assert(list_is_linked(&call->parked_link) ?
		       call->state == CALL_PARKED ||
			       (call->state == CALL_RECEIVED && call->more) :
		       call->state != CALL_PARKED);
	assert((call->state == CALL_BLOCKED) ==
	       list_is_linked(&call->door_link));
	assert((call->state == CALL_QUEUED) == (call->queue_id != 0));
	assert(!list_is_linked(&call->effect_link) ||
	       call->state == CALL_JOINED);
	assert(!call->answered || call->state == CALL_CANCELLING ||
	       call->state == CALL_HELD);
	/* What a client granted, its worker has or will be given. */
	assert(call->state != CALL_RUNNING || call->silent ||
	       call->client == NONE ||
	       call->from_worker.bytes + call->owed >= call->to_client.bytes);
	/* Nothing waits without a timer: something will happen. */
	assert(wheel_is_armed(&call->timer.wheel) ||
	       (call->state == CALL_CANCELLING && call->kill_ns == 0));
}

void router_check(const struct router *router)
{
	uint32_t count = 0, running = 0;

	for (uint32_t i = 0; i < router->calls_fresh; i++) {
		const struct call *call = &router->calls[i];

		if (call->state == CALL_FREE)
			continue;
		check_call(router, call);
		count++;
		running += with_worker(call->state);
	}
	assert(count == router->call_count);
	assert(running == router->running);
	for (uint32_t i = 0; i < router->legacy.fresh; i++) {
		uint32_t call = router->legacy.heirs[i].call;

		assert(call == NONE || router->calls[call].legacy == i);
	}
	for (uint32_t i = 0; i < router->tools_fresh; i++) {
		if (!router->tools[i].present)
			continue;
		breaker_check(&router->tools[i].breaker);
		door_check(router, &router->tools[i]);
	}
	for (uint32_t i = 0; i < router->size.slots; i++) {
		const struct slot *slot = &router->slots[i];
		uint32_t calls = 0, recalled = 0;

		for (struct list *link = slot->calls.next;
		     link != &slot->calls; link = link->next) {
			const struct call *call =
				LIST_OWNER(link, struct call, slot_link);

			calls++;
			recalled += call->recalled;
		}
		assert(calls == slot->running);
		assert(recalled == slot->recalling);
		assert(!slot->blocked || calls > 0 || slot->state == SLOT_EMPTY);
		assert(slot->state != SLOT_EMPTY || calls == 0);
	}
}
