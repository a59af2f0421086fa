/* What one user leaves for the others: the router's core, and two users who are guests. */
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "supervisor/router/parts_core.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

#define CLIENTS 8
#define SERVED (-1)
#define WAITS (-2)
#define ENTER_ANNES 8		/* workspaces, each of its user */
#define ENTER_BERTS 9

enum { ANNE = 1001, BERT };
/* Of pools: the last is of workspaces, and has a worker in Bert's. */
enum { WORKER, ENTERER, SLOTS };

static struct catalog catalog;
static struct router_world world;
static struct {
	uint64_t last_id, handle;	/* of what was sent to a worker; or 0 */
	int code;
	bool closed[CLIENTS], deaf;
} heard;

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (peer < CLIENTS && heard.deaf && message->kind != MESSAGE_GOAWAY)
		return -EAGAIN;
	if (message->kind == MESSAGE_CALL)
		heard.handle = message->call_id;
	else if (message->kind == MESSAGE_RESULT)
		heard.code = (int)message->result.code;
	return 0;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	if (peer < CLIENTS)
		heard.closed[peer] = true;
}

static void begin(uint32_t calls, uint32_t queue, size_t pieces)
{
	memset(&heard, 0, sizeof(heard));
	catalog = (struct catalog){ 0 };
	router_rig_add_pool(&catalog, "worker", 1, 8);
	router_rig_add_pool(&catalog, "enterer", 8, 1);
	catalog.pools[ENTERER].flags = POOL_WORKSPACE;
	router_rig_add_tool(&catalog, "enter", ENTERER, queue);
	router_rig_add_tool(&catalog, "work", WORKER, queue);
	world = (struct router_world){ .catalog = &catalog, .now_ns = NS_PER_S,
		.size = { .calls = calls, .clients = CLIENTS, .slots = SLOTS,
			  .queue = queue, .effects = calls + 1,
			  .store_bytes = pieces * STORE_PIECE_MOST },
		.sink = { .send = on_send, .close = on_close } };
	router_world_begin(&world);
	router_world_give(&world, ENTER_ANNES, ANNE);
	router_world_give(&world, ENTER_BERTS, BERT);
}

static void end(void)
{
	router_world_end(&world);
}

/* False: there is no link for that user. */
static bool connect_as(uint32_t peer, uint32_t uid)
{
	heard.closed[peer] = false;
	return router_world_connect(&world, peer, uid, ROLE_MEMBER);
}

static void leave(uint32_t peer)
{
	router_world_step(&world, (struct router_event){
		.kind = ROUTER_CLOSED, .peer = peer });
}

struct asked {
	const char *tool;
	uint32_t workspace, flags;
	uint64_t name;		/* of its effect; 0: it has none */
	size_t bytes;
};

/* SERVED: it is with a worker; WAITS; or how it has ended. */
static int call(uint32_t peer, struct asked asked)
{
	static const uint8_t nothing[STORE_PIECE_MOST / 2];
	struct span name = { (const uint8_t *)&asked.name, sizeof(asked.name) };

	heard.handle = 0;
	heard.code = WAITS;
	router_world_hear(&world, peer, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++heard.last_id,
		.deadline_ns = 10 * NS_PER_S,
		.call = { .tool = message_text_of(asked.tool ? asked.tool : "work"),
			  .attempt = 1, .workspace = asked.workspace, .flags = asked.flags,
			  .effect = asked.name ? name : (struct span){ 0 } },
		.body = { nothing, asked.bytes } });
	return heard.handle ? SERVED : heard.code;
}

static int serve(uint32_t peer, struct asked asked)
{
	int code = call(peer, asked);

	if (code != SERVED)
		return code;
	router_world_answer(&world, WORKER, heard.handle, ERROR_OK, "");
	return heard.code;
}

/* How often until it is refused. */
static unsigned calls_until_refused(uint32_t peer, struct asked asked, unsigned most)
{
	unsigned count = 0;

	while (count < most && call(peer, asked) < 0)
		count++;
	return count;
}

static void of_links(void **state)
{
	unsigned annes = 0;

	(void)state;
	begin(16, 4, 1);
	while (annes < CLIENTS && connect_as(annes, ANNE))
		annes++;
	assert_int_equal(annes, 5);
	assert_true(connect_as(5, BERT));
	assert_true(connect_as(6, BERT));
	assert_false(connect_as(7, BERT));
	assert_true(connect_as(7, 1003));
	end();
}

static void of_calls(void **state)
{
	unsigned annes;

	(void)state;
	begin(64, 64, 1);
	connect_as(0, ANNE);
	connect_as(1, ANNE);
	connect_as(2, BERT);
	annes = calls_until_refused(0, (struct asked){ .flags = CALL_MORE }, 64);
	annes += calls_until_refused(1, (struct asked){ .flags = CALL_MORE }, 64);
	assert_int_equal(heard.code, ERROR_RESOURCE_EXHAUSTED);
	assert_int_equal(annes, 33);
	assert_int_equal(call(2, (struct asked){ .flags = CALL_MORE }), WAITS);
	end();
}

static void of_a_tools_queue(void **state)
{
	(void)state;
	begin(64, 8, 1);
	connect_as(0, ANNE);
	connect_as(1, ANNE);
	connect_as(2, BERT);
	assert_int_equal(calls_until_refused(0, (struct asked){ 0 }, 3), 3);
	assert_int_equal(calls_until_refused(1, (struct asked){ 0 }, 8), 2);
	assert_int_equal(heard.code, ERROR_QUEUE_FULL);
	assert_int_equal(calls_until_refused(2, (struct asked){ 0 }, 8), 2);
	end();
}

/* Not her links take turns with his, but she with him. */
static void of_turns(void **state)
{
	unsigned annes = 0;

	(void)state;
	begin(64, 16, 1);
	for (uint32_t peer = 0; peer < 4; peer++) {
		connect_as(peer, ANNE);
		assert_int_equal(call(peer, (struct asked){ 0 }), WAITS);
	}
	connect_as(4, BERT);
	for (int i = 0; i < 4; i++)
		assert_int_equal(call(4, (struct asked){ 0 }), WAITS);
	for (int i = 0; i < 4; i++) {
		struct queue_item item;

		assert_true(queue_pop(&world.router->tools[1].queue, NS_PER_S, &item));
		annes += ((struct call *)item.call)->uid == ANNE;
	}
	assert_int_equal(annes, 2);
	end();
}

/* The next at that link is not taken for the one who has left. */
static void of_what_was_left_at_a_link(void **state)
{
	(void)state;
	begin(256, 256, 1);
	connect_as(0, ANNE);
	assert_int_equal(calls_until_refused(0, (struct asked){ .flags = CALL_DETACHED },
					     CLIENT_WAITING_MAX), CLIENT_WAITING_MAX);
	leave(0);
	assert_int_equal(world.router->call_count, CLIENT_WAITING_MAX);
	connect_as(0, BERT);
	assert_int_equal(call(0, (struct asked){ 0 }), WAITS);
	end();
}

/* Hers wait for a worker that never comes; his has one. */
static void of_places_beside_the_queue(void **state)
{
	(void)state;
	begin(1024, 1024, 4);
	for (uint32_t peer = 0; peer < 5; peer++) {
		connect_as(peer, ANNE);
		calls_until_refused(peer, (struct asked){ .tool = "enter",
			.workspace = ENTER_ANNES }, CLIENT_WAITING_MAX);
	}
	connect_as(5, BERT);
	router_world_worker_up(&world, ENTERER, 1, ENTER_BERTS);
	assert_int_equal(call(5, (struct asked){ .tool = "enter",
		.workspace = ENTER_BERTS }), SERVED);
	end();
}

static void of_results_that_are_not_confirmed(void **state)
{
	const struct asked asked = { .flags = CALL_RESUME };
	unsigned peer = 0, annes = 0;

	(void)state;
	begin(16, 4, 1);
	router_world_worker_up(&world, WORKER, 1, 0);
	for (; peer < 4; peer++)
		connect_as(peer, ANNE);
	connect_as(peer, BERT);
	for (unsigned i = 0; i < 64; i++)
		annes += !heard.closed[i % peer] && serve(i % peer, asked) == ERROR_OK;
	assert_true(annes >= 16);
	assert_int_equal(serve(peer, asked), ERROR_OK);
	assert_true(heard.closed[0] || heard.closed[1] || heard.closed[2] || heard.closed[3]);
	end();
}

/* Whoever has left holds them as well. */
static void of_room_for_arguments(void **state)
{
	const struct asked asked = { .flags = CALL_DETACHED, .bytes = 60000 };

	(void)state;
	begin(16, 16, 2);
	connect_as(0, ANNE);
	connect_as(1, BERT);
	assert_int_equal(calls_until_refused(0, asked, 8), 5);
	assert_int_equal(heard.code, ERROR_RESOURCE_EXHAUSTED);
	leave(0);
	assert_true(world.router->store.used > STORE_PIECE_MOST / 2);
	assert_int_equal(call(1, asked), WAITS);
	end();
}

/* His one link holds more than either of hers, and less than both. */
static void of_room_for_output(void **state)
{
	static const uint8_t nothing[65536];
	static const struct { uint32_t peer; size_t bytes; } rows[] = {
		{ 0, 50000 }, { 1, 50000 }, { 2, 40000 }, { 2, 40000 }, { 2, 40000 },
	};

	(void)state;
	begin(16, 16, 1);
	connect_as(0, ANNE);
	connect_as(1, ANNE);
	connect_as(2, BERT);
	heard.deaf = true;
	for (uint32_t i = 0; i < COUNT(rows); i++)
		peer_send(world.router, rows[i].peer, &(struct message){
			.kind = MESSAGE_CHUNK, .body = { nothing, rows[i].bytes } },
			NS_PER_S);
	router_world_wait(&world, 0);
	assert_true(heard.closed[0]);
	assert_false(heard.closed[2]);
	end();
}

/* What the router tells of itself it has to write first. */
static void of_looks_at_the_router(void **state)
{
	const struct asked asked = { .tool = "router.health" };
	unsigned annes = 0;

	(void)state;
	begin(16, 16, 4);
	connect_as(0, ANNE);
	connect_as(1, ANNE);
	connect_as(2, BERT);
	for (unsigned i = 0; i < 64; i++)
		annes += call(i % 2, asked) == ERROR_OK;
	assert_int_equal(annes, USER_LOOKS_PER_S);
	assert_int_equal(heard.code, ERROR_RESOURCE_EXHAUSTED);
	assert_int_equal(call(2, asked), ERROR_OK);
	end();
}

static bool works(uint32_t slot)
{
	return world.router->slots[slot].state == SLOT_READY;
}

/* What costs a worker no credit must cost the store nothing either. */
static void of_what_is_not_metered(void **state)
{
	struct message progress = { .kind = MESSAGE_PROGRESS, .generation = 1,
				    .progress.done = 1 };
	struct message chunk = { .kind = MESSAGE_CHUNK, .generation = 1 };

	(void)state;
	begin(16, 16, 4);
	router_world_worker_up(&world, WORKER, 1, 0);
	connect_as(0, ANNE);
	assert_int_equal(call(0, (struct asked){ 0 }), SERVED);
	chunk.call_id = progress.call_id = heard.handle;
	heard.deaf = true;
	router_world_hear(&world, CLIENTS + WORKER, (struct message){
		.kind = MESSAGE_ACCEPT, .generation = 1, .call_id = heard.handle });
	for (int i = 0; i < 2000; i++)
		router_world_hear(&world, CLIENTS + WORKER, progress);
	assert_true(world.router->store.used < 8 * STORE_PIECE_LEAST);
	assert_false(heard.closed[0]);
	assert_true(works(WORKER));
	router_world_hear(&world, CLIENTS + WORKER, chunk);
	assert_false(works(WORKER));
	end();
}

static unsigned held_of(uint32_t uid)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < world.router->calls_fresh; i++)
		count += world.router->calls[i].state == CALL_HELD &&
			 world.router->calls[i].uid == uid;
	return count;
}

static void of_results_that_are_held(void **state)
{
	const struct asked asked = { .flags = CALL_DETACHED };

	(void)state;
	begin(1024, 16, 16);
	router_world_worker_up(&world, WORKER, 1, 0);
	connect_as(0, BERT);
	assert_int_equal(serve(0, asked), ERROR_OK);
	leave(0);
	assert_int_equal(held_of(BERT), 1);
	for (unsigned i = 0; i < HELD_MAX + 8; i++) {
		connect_as(1, ANNE);
		assert_int_equal(serve(1, asked), ERROR_OK);
		leave(1);
	}
	assert_int_equal(held_of(BERT), 1);
	assert_int_equal(world.router->held, HELD_MAX);
	end();
}

static void of_names_that_are_known(void **state)
{
	(void)state;
	begin(16, 4, 4);
	router_world_worker_up(&world, WORKER, 1, 0);
	connect_as(0, BERT);
	connect_as(1, ANNE);
	assert_int_equal(serve(0, (struct asked){ .name = 1 }), ERROR_OK);
	for (uint64_t name = 1; name <= 40; name++)
		assert_int_equal(serve(1, (struct asked){ .name = name }), ERROR_OK);
	call(0, (struct asked){ .name = 1 });
	assert_int_equal(heard.handle, 0);	/* it is not done again */
	assert_int_equal(heard.code, ERROR_OK);
	call(1, (struct asked){ .name = 40 });
	assert_int_equal(heard.handle, 0);
	call(1, (struct asked){ .name = 1 });
	assert_int_not_equal(heard.handle, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_links),
		cmocka_unit_test(of_calls),
		cmocka_unit_test(of_a_tools_queue),
		cmocka_unit_test(of_turns),
		cmocka_unit_test(of_what_was_left_at_a_link),
		cmocka_unit_test(of_places_beside_the_queue),
		cmocka_unit_test(of_results_that_are_not_confirmed),
		cmocka_unit_test(of_room_for_arguments),
		cmocka_unit_test(of_room_for_output),
		cmocka_unit_test(of_looks_at_the_router),
		cmocka_unit_test(of_what_is_not_metered),
		cmocka_unit_test(of_results_that_are_held),
		cmocka_unit_test(of_names_that_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
