/*
 * The router itself: how it acts on the world, and each of its lives.
 */
#include "tests/simulation/router/world.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BEGUN_NS (20000 * 24 * 3600 * NS_PER_S)	/* the clock's zero, since 1970 */

static struct {
	void *memory;
	char *legacy;			/* and a copy of when it was killed */
	struct hash_key keys[2];	/* the first one's, and all others' */
	struct router_size size;
} place = { .size = { .calls = 48, .clients = CLIENTS, .slots = SLOTS, .queue = 8,
		      .cached = 8, .effects = EFFECTS, .kept_bytes = 5 * CHUNK_BYTES,
		      .store_bytes = 64 * STORE_PIECE_MOST } };

/* Whatever it would do after that, it does not. */
static bool is_dead(void)
{
	size_t bytes = router_legacy_bytes(&place.size);

	if (!world.dying && !world.left && fault(FAULT_ROUTER, 1) && chance(10)) {
		world.dying = true;
		memcpy(place.legacy + bytes, place.legacy, bytes);
		seen[SEEN_MIDST]++;
	}
	return world.dying;
}

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (is_dead())
		return 0;
	if (world.closing[peer])
		return -EPIPE;
	if (fault(FAULT_FULL, 10) && message->kind != MESSAGE_GOAWAY) {
		world.starved[peer] = true;
		seen[SEEN_FULL]++;
		return -EAGAIN;
	}
	note_trace(peer, message->kind, message->call_id);
	if (peer < CLIENTS)
		client_hears(peer, message);
	else if (world.workers[peer - CLIENTS].alive)
		worker_hears(&world.workers[peer - CLIENTS], message);
	return 0;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	if (is_dead())
		return;
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
	const struct slot *slot = &world.router->slots[record->slot % SLOTS];

	(void)owner;
	if (is_dead())
		return;
	if (record->kind != CONTROL_BEAT)
		note_trace(100, record->kind, record->slot);
	if (record->kind != CONTROL_KILL && record->kind != CONTROL_RECYCLE)
		return;
	if (!worker->up || worker->generation != record->generation)
		fail("a word about no such worker", record->slot);
	if (record->kind == CONTROL_RECYCLE && worker->alive && working(worker))
		fail("a worker is to go while it works", record->slot);
	if (record->kind == CONTROL_RECYCLE && worker->alive &&
	    worker->kept_count + worker->count > slot->unclaimed &&
	    world.now_ns < worker->drain_ns && slot->peer.waiting.count == 0)
		fail("a worker is to go while it keeps a result", record->slot);
	seen[SEEN_KILL] += record->kind == CONTROL_KILL;
	worker->alive = false;
	worker->killed = true;
}

static int on_keep(void *owner, uint32_t index, const struct effect_row *row)
{
	(void)owner;
	if (is_dead())
		return 0;
	if (fault(FAULT_DISK, 20)) {
		seen[SEEN_UNWRITTEN]++;
		return -EIO;
	}
	world.ledger[index] = *row;
	return 0;
}

static void on_keep_breaker(void *owner, uint32_t index, const struct breaker_row *row)
{
	(void)owner;
	assert(index < BREAKERS);
	if (!is_dead() && !fault(FAULT_DISK, 20))
		world.breakers[index] = *row;
}

static void on_note(void *owner, const struct router_note *note)
{
	(void)owner;
	(void)note;
}

static void on_leave(void *owner)
{
	(void)owner;
	world.left = !world.dying;
}

void step(struct router_event event)
{
	if (world.dying)
		return;
	router_step(world.router, &event, world.now_ns);
	router_check(world.router);
}

/* The first finds nothing, each other one what was written before it. */
static void prepare_legacy(bool first)
{
	size_t bytes = router_legacy_bytes(&place.size);

	if (first) {
		free(place.legacy);
		place.legacy = calloc(2, bytes);
		assert(place.legacy);
	}
	if (world.dying)
		memcpy(place.legacy, place.legacy + bytes, bytes);
	world.dying = false;
}

void begin_router(const struct catalog *catalog)
{
	const struct router_sink sink = {
		.send = on_send, .close = on_close, .control = on_control,
		.keep = on_keep, .keep_breaker = on_keep_breaker,
		.note = on_note, .leave = on_leave };
	bool first = world.lives++ == 0;

	prepare_legacy(first);
	free(place.memory);	/* what is new is zero, and mostly never touched */
	place.memory = calloc(1, router_bytes(&place.size));
	assert(place.memory);
	world.router = router_init(place.memory, &place.size, catalog, &sink,
				   world.seed + world.lives, world.now_ns);
	router_inherit(world.router, place.legacy, world.now_ns);
	if (first)
		memcpy(place.keys, router_keys(world.router), sizeof(place.keys));
	memcpy(router_keys(world.router), place.keys, sizeof(place.keys));
	for (uint32_t i = 0; i < EFFECTS; i++)
		if (!router_recall(world.router, i, &world.ledger[i], world.now_ns))
			fail("a row of its own is none", i);
	for (uint32_t i = 0; i < BREAKERS; i++)
		if (!router_recall_breaker(world.router, i, &world.breakers[i],
					   world.now_ns))
			fail("a breaker's row is none", i);
	step((struct router_event){ .kind = ROUTER_SAMPLE, .sample = &(struct router_sample){
		.wall_ns = BEGUN_NS + world.now_ns } });
}

void end_router(void)
{
	free(place.memory);
	free(place.legacy);
}
