/* Who makes room in the router, and who gets none. */
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/router/parts_core.h"
#include "tests/support/router_world.h"

#define CLIENTS 4

static struct router_world world;
static bool closed[CLIENTS];

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	(void)peer;
	return message->kind == MESSAGE_GOAWAY ? 0 : -EAGAIN;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	closed[peer] = true;
}

/* With one piece of 256 KiB for all that waits. */
static struct router *begin(void)
{
	static const struct catalog catalog = { .magic = CATALOG_MAGIC, .generation = 1 };

	memset(closed, 0, sizeof(closed));
	world = (struct router_world){ .catalog = &catalog, .now_ns = NS_PER_S,
		.size = { .clients = CLIENTS, .slots = 1,
			  .store_bytes = STORE_PIECE_MOST },
		.sink = { .send = on_send, .close = on_close } };
	router_world_begin(&world);
	return world.router;
}

static struct message chunk_of(size_t bytes)
{
	static const uint8_t nothing[STORE_PIECE_MOST];

	return (struct message){ .kind = MESSAGE_CHUNK, .body = { nothing, bytes } };
}

static void hold(struct router *router, size_t bytes, int64_t keep_ns)
{
	struct message chunk = chunk_of(bytes);
	struct call *call = call_new(router, 0, NS_PER_S);

	call->kept = kept_new(router);
	parcels_append(&call->kept->parcels, parcel_new(&router->store, &chunk));
	call_hold(router, call, keep_ns);
}

static void what_is_held_makes_room(void **state)
{
	struct router *router = begin();
	struct message chunk = chunk_of(60000);
	struct parcel *parcel;

	(void)state;
	hold(router, 60000, 7 * NS_PER_S);
	hold(router, 60000, 5 * NS_PER_S);
	hold(router, 60000, 6 * NS_PER_S);
	assert_int_equal(router->held, 3);
	parcel = parcel_keep(router, &chunk);
	assert_non_null(parcel);
	assert_int_equal(router->held, 2);	/* the one that was to go first */
	assert_int_equal(router->calls[1].state, CALL_FREE);
	chunk = chunk_of(200000);
	assert_null(parcel_keep(router, &chunk));
	assert_int_equal(router->held, 0);
	store_give(&router->store, parcel);
	assert_non_null(parcel_keep(router, &chunk));
	router_world_end(&world);
}

/* Its arguments count like output that it does not read. */
static void who_holds_most_is_cut(void **state)
{
	struct router *router = begin();
	struct message chunk = chunk_of(200000);
	struct message call = { .kind = MESSAGE_CALL, .call_id = 1,
		.deadline_ns = 9 * NS_PER_S, .body = { chunk.body.data, 100000 },
		.call = { .tool = message_text_of("router.status"), .flags = CALL_MORE } };

	(void)state;
	router_world_connect(&world, 0, 1000, ROLE_MEMBER);
	router_world_connect(&world, 1, 1001, ROLE_MEMBER);
	router_world_hear(&world, 1, call);
	assert_int_equal(router->call_count, 1);
	peer_send(router, 0, &chunk, NS_PER_S);
	router_world_wait(&world, 0);
	assert_true(closed[1]);
	assert_int_equal(router->call_count, 0);
	router_world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_makes_room),
		cmocka_unit_test(who_holds_most_is_cut),
	};

	return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
