/*
 * The router's core against a simulated world: clients, workers and a monitor
 * that die, lie, delay and reorder, all from one seed. Safety first, with a
 * random subset of faults in each seed; then liveness, without any.
 *
 *	SEED=n		run that seed alone, and print its trace
 *	SEEDS=n		how many (default 10000)
 *
 * Checked in every step: router_check(), and that every result belongs to a
 * call that has none yet, that no effect happens twice, and that an outcome is
 * unknown only after an ACCEPT. In the end: each call of a living client has
 * its result, the counters add up, pools are ready, nothing is stored.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/router/report_core.h"

#define CLIENTS 4
#define SLOTS 6
#define IDS 512
#define OUTBOX 64

enum fault {
	FAULT_CRASH, FAULT_BUSY, FAULT_CANCEL, FAULT_LEAVE, FAULT_FULL,
	FAULT_NONSENSE, FAULT_HANG, FAULT_POOL, FAULT_PHASES, FAULT_COUNT
};

enum seen {
	SEEN_OK, SEEN_NOT_STARTED, SEEN_UNKNOWN, SEEN_DEADLINE, SEEN_CANCELLED,
	SEEN_POISON, SEEN_BREAKER, SEEN_RETRY, SEEN_KILL, SEEN_STALE, SEEN_SHARED,
	SEEN_FULL, SEEN_HELD, SEEN_REFUSED, SEEN_COUNT
};

static const char *const seen_names[SEEN_COUNT] = {
	"ok", "not started", "outcome unknown", "deadline", "cancelled", "poison",
	"breaker", "retry", "kill", "faulty worker", "shared", "full link",
	"held", "refused",
};

struct task {
	uint64_t handle;
	bool accepted;
	uint32_t id;
};

struct sim_worker {
	bool up, alive, linked, closed_told, down_told, killed, single;
	uint32_t generation;
	struct task tasks[16];
	unsigned count;
	struct message outbox[OUTBOX];
	unsigned first, queued;
};

struct sim_call {
	bool outstanding, effect, accepted;
	unsigned executed;
};

struct sim_client {
	bool open;
	uint32_t next_id;
	struct sim_call calls[IDS];
};

struct world {
	struct random random;
	struct router *router;
	struct sim_client clients[CLIENTS];
	struct sim_worker workers[SLOTS];
	bool faults[FAULT_COUNT];
	bool starved[CLIENTS + SLOTS];
	bool closing[CLIENTS + SLOTS];
	int64_t now_ns;
	uint64_t trace, seed;
	bool calm, print;
};

static uint64_t seen[SEEN_COUNT];
static struct world world;

static bool chance(unsigned percent)
{
	return random_below(&world.random, 100) < percent;
}

static bool fault(enum fault kind, unsigned percent)
{
	return !world.calm && world.faults[kind] && chance(percent);
}

static void fail(const char *what, uint64_t number)
{
	printf("Bail out! SEED=%llu: %s (%llu)\n",
	       (unsigned long long)world.seed, what,
	       (unsigned long long)number);
	exit(1);
}

static void note_trace(uint64_t a, uint64_t b, uint64_t c)
{
	world.trace = (world.trace ^ (a * 31 + b)) * UINT64_C(0x100000001b3) + c;
	if (world.print)
		printf("# %10lld %llu %llu %llu\n", (long long)world.now_ns,
		       (unsigned long long)a, (unsigned long long)b,
		       (unsigned long long)c);
}

/* ---- what the router does ---- */

static void see_result(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];
	unsigned code = message->result.code;

	if (!call->outstanding)
		fail("a result for a call that has none due", message->call_id);
	call->outstanding = false;
	if (code == ERROR_CRASH_OUTCOME_UNKNOWN && !call->accepted)
		fail("outcome unknown without accept", message->call_id);
	if (code == ERROR_CRASH_NOT_STARTED && call->effect && call->executed)
		fail("not executed, it says, but it was", message->call_id);
	seen[SEEN_OK] += code == ERROR_OK;
	seen[SEEN_NOT_STARTED] += code == ERROR_CRASH_NOT_STARTED;
	seen[SEEN_UNKNOWN] += code == ERROR_CRASH_OUTCOME_UNKNOWN;
	seen[SEEN_DEADLINE] += code == ERROR_DEADLINE_EXCEEDED;
	seen[SEEN_CANCELLED] += code == ERROR_CANCELLED;
	seen[SEEN_POISON] += code == ERROR_POISON;
	seen[SEEN_BREAKER] += code == ERROR_BREAKER_OPEN;
	seen[SEEN_REFUSED] += code == ERROR_NOT_FOUND;
	seen[SEEN_RETRY] += message->result.attempts > 1;
}

static void take_call(struct sim_worker *worker, const struct message *message)
{
	struct task *task;
	uint32_t id;

	if (worker->count == COUNT(worker->tasks))
		fail("more calls than the worker said", message->call_id);
	memcpy(&id, message->body.data, sizeof(id));
	task = &worker->tasks[worker->count++];
	*task = (struct task){ .handle = message->call_id, .id = id };
}

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (world.closing[peer])
		return -EPIPE;
	if (fault(FAULT_FULL, 10) && message->kind != MESSAGE_GOAWAY) {
		world.starved[peer] = true;
		seen[SEEN_FULL]++;
		return -EAGAIN;
	}
	note_trace(peer, message->kind, message->call_id);
	if (peer < CLIENTS && message->kind == MESSAGE_RESULT)
		see_result(peer, message);
	if (peer >= CLIENTS && message->kind == MESSAGE_CALL &&
	    world.workers[peer - CLIENTS].alive)
		take_call(&world.workers[peer - CLIENTS], message);
	return 0;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	world.closing[peer] = true;
	if (peer < CLIENTS) {
		world.clients[peer].open = false;
	} else {
		world.workers[peer - CLIENTS].closed_told = true;
		world.workers[peer - CLIENTS].alive = false;
	}
}

static void on_control(void *owner, const struct control *record)
{
	struct sim_worker *worker = &world.workers[record->slot % SLOTS];

	(void)owner;
	if (record->kind != CONTROL_BEAT)
		note_trace(100, record->kind, record->slot);
	if (record->kind != CONTROL_KILL && record->kind != CONTROL_RECYCLE)
		return;
	if (!worker->up || worker->generation != record->generation)
		fail("a word about no such worker", record->slot);
	seen[SEEN_KILL] += record->kind == CONTROL_KILL;
	worker->alive = false;
	worker->killed = true;
}

static void on_note(void *owner, const struct router_note *note)
{
	(void)owner;
	(void)note;
}

static void on_leave(void *owner)
{
	(void)owner;
}

static void step(struct router_event event)
{
	router_step(world.router, &event, world.now_ns);
	router_check(world.router);
}

/* ---- what the world does ---- */

static struct catalog catalog = {
	.magic = CATALOG_MAGIC, .generation = 1, .pool_count = 2,
	.tool_count = 3, .text_bytes = 1,
	.pools = {
		{ .name = "many", .program = "/x", .kind = POOL_STATIC,
		  .size = 4, .warm = 4, .calls_max = 4,
		  .client_role = ROLE_COUNT },
		{ .name = "once", .program = "/x", .kind = POOL_PER_CALL,
		  .size = 2, .warm = 2, .calls_max = 1,
		  .client_role = ROLE_COUNT },
	},
#define TOOL(tool, number, kind)                                              \
	{ .name = tool, .pool = number, .class = kind, .roles = 15,           \
	  .queue = 8, .deadline_ns = 5 * NS_PER_S,                            \
	  .deadline_max_ns = 60 * NS_PER_S, .idle_ns = 2 * NS_PER_S,          \
	  .slow_ns = NS_PER_S, .output_bytes = 4096
	.tools = {
		TOOL("effect", 0, TOOL_EFFECTFUL) },
		TOOL("job", 1, TOOL_EFFECTFUL) },
		TOOL("pure", 0, TOOL_PURE), .coalesce = 1,
		  .cache_ns = NS_PER_S },
	},
};

static void push(struct sim_worker *worker, struct message message)
{
	message.generation = worker->generation;
	if (worker->queued < OUTBOX)
		worker->outbox[(worker->first + worker->queued++) % OUTBOX] =
			message;
}

static void raise_worker(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];
	uint32_t generation = worker->generation + 1;

	*worker = (struct sim_worker){ .up = true, .alive = true,
				       .single = slot >= 4,
				       .generation = generation };
	world.closing[CLIENTS + slot] = world.starved[CLIENTS + slot] = false;
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_SLOT_UP,
			.slot = slot, .generation = generation,
			.pool = slot >= 4 } });
	worker->generation = 0;
	push(worker, (struct message){ .kind = MESSAGE_HELLO,
				       .hello.major = 1 });
	worker->generation = generation;
	push(worker, (struct message){ .kind = MESSAGE_READY,
				       .ready.calls_max = 4 });
}

static void deliver_one(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];
	struct message message;

	if (worker->queued == 0 || worker->closed_told)
		return;
	message = worker->outbox[worker->first];
	worker->first = (worker->first + 1) % OUTBOX;
	worker->queued--;
	step((struct router_event){ .kind = ROUTER_MESSAGE,
		.peer = CLIENTS + slot, .message = &message });
}

static void tell_death(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];

	if (!worker->closed_told && worker->queued == 0 && chance(50)) {
		worker->closed_told = true;
		step((struct router_event){ .kind = ROUTER_CLOSED,
					    .peer = CLIENTS + slot });
	}
	if (!worker->down_told && chance(50)) {
		worker->down_told = true;
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_SLOT_DOWN, .slot = slot,
				.generation = worker->generation,
				.detail = worker->killed ? SLOT_END_ORDERED
							 : SLOT_END_SIGNAL,
				.argument = 9 } });
	}
	if (worker->closed_told && worker->down_told)
		worker->up = false;
}

static struct sim_call *call_of(uint32_t id)
{
	return &world.clients[id >> 16].calls[(id & 0xffff) % IDS];
}

static void work_on(struct sim_worker *worker, unsigned index)
{
	struct task *task = &worker->tasks[index];
	struct sim_call *call = call_of(task->id);

	if (!task->accepted && fault(FAULT_BUSY, 20)) {
		push(worker, (struct message){ .kind = MESSAGE_BUSY,
					       .call_id = task->handle });
	} else if (!task->accepted) {
		task->accepted = call->accepted = true;
		if (++call->executed > 1 && call->effect)
			fail("an effect happens twice", task->id);
		push(worker, (struct message){ .kind = MESSAGE_ACCEPT,
					       .call_id = task->handle });
		return;
	} else if (fault(FAULT_NONSENSE, 3)) {
		push(worker, (struct message){ .kind = MESSAGE_RESULT,
					       .call_id = task->handle + 7 });
		seen[SEEN_STALE]++;
	} else {
		push(worker, (struct message){ .kind = MESSAGE_RESULT,
			.call_id = task->handle,
			.result.origin = ORIGIN_WORKER,
			.result.code = fault(FAULT_PHASES, 30) ?
				       ERROR_UNAVAILABLE : ERROR_OK,
			.body = { (const uint8_t *)"done", 4 } });
	}
	worker->tasks[index] = worker->tasks[--worker->count];
}

static void turn_worker(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];

	if (!worker->up) {
		if (chance(60))
			raise_worker(slot);
		return;
	}
	deliver_one(slot);
	if (worker->up && !worker->alive)
		tell_death(slot);
	else if (fault(FAULT_CRASH, 4))
		worker->alive = false;
	else if (worker->count > 0 && !fault(FAULT_HANG, 60))
		work_on(worker, (unsigned)random_below(&world.random,
						       worker->count));
}

static void open_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	uint32_t next = client->next_id;

	memset(client, 0, sizeof(*client));
	client->next_id = next;
	client->open = true;
	world.closing[index] = world.starved[index] = false;
	step((struct router_event){ .kind = ROUTER_OPEN, .peer = index,
				    .uid = 1000, .role = ROLE_MEMBER });
	step((struct router_event){ .kind = ROUTER_MESSAGE, .peer = index,
		.message = &(struct message){ .kind = MESSAGE_HELLO,
					      .hello.major = 1 } });
}

static void send_call(uint32_t index)
{
	static const char *const tools[] = { "effect", "job", "pure", "pur" };
	struct sim_client *client = &world.clients[index];
	unsigned tool = (unsigned)random_below(&world.random, 4);
	uint32_t body[2] = { 0, tool == 2 ?
		(uint32_t)random_below(&world.random, 3) : 0 };
	uint32_t id = client->next_id + 1;
	struct sim_call *call = &client->calls[id % IDS];

	if (call->outstanding)
		return;
	client->next_id = id;
	*call = (struct sim_call){ .outstanding = true, .effect = tool < 2 };
	body[0] = index << 16 | id % IDS;
	if (tool == 2)
		body[0] = index << 16 | 511;	/* equal calls are equal bytes */
	else if (chance(10))
		body[1] = 77;
	step((struct router_event){ .kind = ROUTER_MESSAGE, .peer = index,
		.message = &(struct message){
			.kind = MESSAGE_CALL, .call_id = id,
			.deadline_ns = world.now_ns + (int64_t)(1 +
				random_below(&world.random, 8)) * NS_PER_S,
			.call = { .tool = message_text_of(tools[tool]),
				  .priority = (uint32_t)random_below(
					  &world.random, 4),
				  .flags = chance(5) ? CALL_DETACHED : 0 },
			.body = { (const uint8_t *)body, sizeof(body) } } });
	if (client->open && !call->effect)
		call->accepted = true;	/* shared: whoever ran it accepted */
}

static void turn_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	if (!client->open) {
		open_client(index);
		return;
	}
	if (fault(FAULT_LEAVE, 2)) {
		client->open = false;
		step((struct router_event){ .kind = ROUTER_CLOSED,
					    .peer = index });
		return;
	}
	if (fault(FAULT_CANCEL, 10))
		step((struct router_event){ .kind = ROUTER_MESSAGE,
			.peer = index, .message = &(struct message){
				.kind = MESSAGE_CANCEL,
				.call_id = client->next_id } });
	if (!world.calm && chance(60))
		send_call(index);
}

static void turn_pool(void)
{
	enum restart_state state = RESTART_UP;

	if (fault(FAULT_POOL, 3))
		state = (enum restart_state)random_below(&world.random,
							 RESTART_STATE_COUNT);
	else if (!chance(5))
		return;
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_POOL_STATE,
			.pool = (uint16_t)random_below(&world.random, 2),
			.detail = (uint8_t)state } });
}

static void turn(void)
{
	world.now_ns += (int64_t)random_below(&world.random,
		chance(10) ? NS_PER_S : 5 * NS_PER_MS);
	for (uint32_t i = 0; i < CLIENTS; i++)
		turn_client(i);
	for (uint32_t i = 0; i < SLOTS; i++)
		turn_worker(i);
	turn_pool();
	for (uint32_t i = 0; i < CLIENTS + SLOTS; i++) {
		if (!world.starved[i] || chance(50))
			continue;
		world.starved[i] = false;
		step((struct router_event){ .kind = ROUTER_WRITABLE,
					    .peer = i });
	}
	if (router_next_ns(world.router) <= world.now_ns)
		step((struct router_event){ .kind = ROUTER_TICK });
}

/* ---- the end ---- */

static void check_end(void)
{
	const struct totals *totals = &world.router->totals;

	for (uint32_t i = 0; i < CLIENTS; i++) {
		for (uint32_t j = 0; j < IDS && world.clients[i].open; j++) {
			if (world.clients[i].calls[j].outstanding)
				fail("a call without a result", j);
		}
	}
	seen[SEEN_HELD] += world.router->held;
	seen[SEEN_SHARED] += world.router->flights.stats.coalesced;
	if (world.router->call_count != world.router->held)
		fail("calls are left over", world.router->call_count);
	if (totals->accepted != totals->ok + totals->failed)
		fail("the counters do not add up", totals->accepted);
	for (uint32_t i = 0; i < TOOLS_MAX; i++) {
		const struct tool *tool = &world.router->tools[i];

		if (tool->present && tool->breaker.state != BREAKER_CLOSED &&
		    tool->breaker.state != BREAKER_HALF_OPEN)
			fail("a breaker has not come back", i);
	}
}

static uint64_t run(uint64_t seed, void *memory, size_t bytes,
		    const struct router_size *size)
{
	const struct router_sink sink = {
		.send = on_send, .close = on_close, .control = on_control,
		.note = on_note, .leave = on_leave };

	memset(&world, 0, sizeof(world));
	memset(memory, 0, bytes);
	world.seed = seed;
	world.print = getenv("SEED") != NULL;
	random_init(&world.random, seed);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		world.faults[i] = chance(50);
	world.now_ns = NS_PER_S;
	world.router = router_init(memory, size, &catalog, &sink, seed,
				   world.now_ns);
	for (unsigned i = 0; i < 120; i++)
		turn();
	world.calm = true;
	for (unsigned i = 0; i < 40; i++)
		turn();
	for (uint16_t i = 0; i < 2; i++)
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_POOL_STATE, .pool = i,
				.detail = RESTART_UP } });
	for (unsigned i = 0; i < 200; i++) {
		world.now_ns += NS_PER_S;
		turn();
	}
	check_end();
	return world.trace;
}

int main(void)
{
	const struct router_size size = { .calls = 48, .clients = CLIENTS,
		.slots = SLOTS, .queue = 8, .cached = 8,
		.store_bytes = 8 * STORE_PIECE_MOST };
	size_t bytes = router_bytes(&size) - size.store_bytes;
	void *memory = malloc(bytes + size.store_bytes);
	const char *one = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : 10000;
	unsigned missing = 0;

	for (uint64_t seed = first; seed < first + count; seed++) {
		uint64_t trace = run(seed, memory, bytes, &size);

		if (seed % 1000 == 1 && run(seed, memory, bytes, &size) != trace)
			fail("the same seed, another trace", seed);
	}
	printf("ok 1 - the router keeps its promises, %llu seeds\n",
	       (unsigned long long)count);
	for (unsigned i = 0; i < SEEN_COUNT && !one; i++) {
		missing += seen[i] == 0;
		printf("# seen %-16s %llu\n", seen_names[i],
		       (unsigned long long)seen[i]);
	}
	printf("%sok 2 - every case was seen\n1..2\n", missing ? "not " : "");
	free(memory);
	return missing > 0;
}
