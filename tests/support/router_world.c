#include "tests/support/router_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/router/state_core.h"

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	(void)peer;
	(void)message;
	return 0;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	(void)peer;
}

static void on_control(void *owner, const struct control *record)
{
	(void)owner;
	(void)record;
}

static int on_keep(void *owner, uint32_t index, const struct effect_row *row)
{
	(void)owner;
	(void)index;
	(void)row;
	return 0;
}

static void on_keep_breaker(void *owner, uint32_t index, const struct breaker_row *row)
{
	struct router_world *world = owner;

	assert(index < ROUTER_WORLD_BREAKERS);
	world->breakers[index] = *row;
	world->written++;
}

static void on_note(void *owner, const struct router_note *note)
{
	(void)owner;
	(void)note;
}

static struct router_sink sink_of(struct router_world *world)
{
	const struct router_sink *own = &world->sink;

	return (struct router_sink){
		.owner = world,
		.send = own->send ? own->send : on_send,
		.close = own->close ? own->close : on_close,
		.control = own->control ? own->control : on_control,
		.keep = own->keep ? own->keep : on_keep,
		.keep_breaker = own->keep_breaker ? own->keep_breaker : on_keep_breaker,
		.note = own->note ? own->note : on_note,
	};
}

static struct router_size size_of(const struct router_world *world)
{
	struct router_size size = world->size;

	size.calls = size.calls ? size.calls : 64;
	size.queue = size.queue ? size.queue : 8;
	size.cached = size.cached ? size.cached : 8;
	size.effects = size.effects ? size.effects : 2 * size.calls;
	size.kept_bytes = size.kept_bytes ? size.kept_bytes : 65536;
	size.store_bytes = size.store_bytes ? size.store_bytes : 64 * STORE_PIECE_MOST;
	return size;
}

static void *new_memory(size_t bytes)
{
	void *memory = calloc(1, bytes);

	assert(memory);
	return memory;
}

void router_world_begin(struct router_world *world)
{
	const struct router_size size = size_of(world);
	const struct router_sink sink = sink_of(world);

	world->router = router_init(new_memory(router_bytes(&size)), &size,
				    world->catalog, &sink, 1, world->now_ns);
	world->refused = 0;
	for (uint32_t i = 0; i < ROUTER_WORLD_BREAKERS; i++)
		world->refused += !router_recall_breaker(
			world->router, i, &world->breakers[i], world->now_ns);
	router_inherit(world->router, new_memory(router_legacy_bytes(&size)),
		       world->now_ns);
}

void router_world_end(struct router_world *world)
{
	free(world->router->legacy.head);
	free(world->router);
}

void router_world_step(struct router_world *world, struct router_event event)
{
	router_step(world->router, &event, world->now_ns);
	router_check(world->router);
}

void router_world_wait(struct router_world *world, int64_t ns)
{
	world->now_ns += ns;
	router_world_step(world, (struct router_event){ .kind = ROUTER_TICK });
}

void router_world_hear(struct router_world *world, uint32_t peer, struct message message)
{
	router_world_step(world, (struct router_event){ .kind = ROUTER_MESSAGE,
		.peer = peer, .message = &message });
}

void router_world_tell(struct router_world *world, uint32_t peer, struct control record)
{
	router_world_step(world, (struct router_event){ .kind = ROUTER_CONTROL,
		.peer = peer, .record = &record });
}

void router_world_reload(struct router_world *world, const struct catalog *catalog)
{
	world->catalog = catalog;
	router_world_step(world, (struct router_event){ .kind = ROUTER_CONTROL,
		.catalog = catalog,
		.record = &(struct control){ .kind = CONTROL_CATALOG } });
}

void router_world_give(struct router_world *world, uint32_t workspace, uint32_t uid)
{
	router_world_tell(world, 0, (struct control){ .kind = CONTROL_WORKSPACE,
		.workspace = workspace, .argument = uid });
}

bool router_world_connect(struct router_world *world, uint32_t peer, uint32_t uid,
			  enum caller_role role)
{
	router_world_step(world, (struct router_event){ .kind = ROUTER_OPEN,
		.peer = peer, .uid = uid, .role = role });
	if (!world->router->clients[peer].peer.open)
		return false;
	router_world_hear(world, peer, (struct message){ .kind = MESSAGE_HELLO,
							 .hello.major = MESSAGE_MAJOR });
	return true;
}

void router_world_worker_up(struct router_world *world, uint32_t slot,
			    uint32_t generation, uint32_t workspace)
{
	uint32_t peer = world->size.clients + slot;

	router_world_tell(world, peer, (struct control){ .kind = CONTROL_SLOT_UP,
		.slot = slot, .generation = generation, .pool = (uint16_t)slot,
		.workspace = workspace });
	router_world_hear(world, peer, (struct message){ .kind = MESSAGE_HELLO,
							 .hello.major = MESSAGE_MAJOR });
	router_world_hear(world, peer, (struct message){ .kind = MESSAGE_READY,
		.generation = generation,
		.ready.calls_max = world->catalog->pools[slot].calls_max });
}

void router_world_answer(struct router_world *world, uint32_t slot, uint64_t handle,
			 enum error_code code, const char *words)
{
	uint32_t peer = world->size.clients + slot;
	uint32_t generation = world->router->slots[slot].generation;

	router_world_hear(world, peer, (struct message){ .kind = MESSAGE_ACCEPT,
		.generation = generation, .call_id = handle });
	router_world_hear(world, peer, (struct message){ .kind = MESSAGE_RESULT,
		.generation = generation, .call_id = handle,
		.result = { .code = code, .origin = ORIGIN_WORKER },
		.body = { (const uint8_t *)words, strlen(words) } });
}
