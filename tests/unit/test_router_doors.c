/* When a tool's queue is full: the router's core, a tool for each policy, no worker. */
#include "tests/support/test.h"

#include <string.h>

#include "supervisor/router/report_core.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

#define CLIENTS 4
#define IDS 64
#define QUEUE 2
#define WAITS (-1)

static struct catalog catalog;
static struct router_world world;
static struct {
	int codes[CLIENTS][IDS];	/* of calls, by client and id */
	uint32_t retry_ms[CLIENTS][IDS];
	uint64_t last_id[CLIENTS];
	unsigned sent;			/* to the worker, */
	uint64_t handle;		/* the last one */
} heard;

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (peer >= CLIENTS && message->kind == MESSAGE_CALL) {
		heard.sent++;
		heard.handle = message->call_id;
	}
	if (peer < CLIENTS && message->kind == MESSAGE_RESULT) {
		heard.codes[peer][message->call_id % IDS] = (int)message->result.code;
		heard.retry_ms[peer][message->call_id % IDS] = message->result.retry_after_ms;
	}
	return 0;
}

static void name_tools(void)
{
	static const char *const names[OVERFLOW_COUNT] = { "a-rejects", "b-drops", "c-blocks" };

	catalog = (struct catalog){ 0 };
	router_rig_add_pool(&catalog, "worker", 1, 1);
	for (uint32_t i = 0; i < OVERFLOW_COUNT; i++) {
		router_rig_add_tool(&catalog, names[i], 0, QUEUE);
		catalog.tools[i].overflow = i;
		catalog.tools[i].class = TOOL_PURE;
	}
}

static int begin(void **state)
{
	*state = NULL;
	memset(&heard, 0, sizeof(heard));
	name_tools();
	world = (struct router_world){ .catalog = &catalog, .now_ns = NS_PER_S,
		.size = { .calls = 32, .clients = CLIENTS, .slots = 1 },
		.sink.send = on_send };
	router_world_begin(&world);
	for (uint32_t peer = 0; peer < CLIENTS; peer++)
		router_world_connect(&world, peer, 0, ROLE_OWNER);
	return 0;
}

static int end(void **state)
{
	(void)state;
	router_world_end(&world);
	return 0;
}

/* Its id; code_of says what has become of it. */
static uint64_t call(uint32_t peer, const char *tool, enum queue_priority priority)
{
	uint64_t id = ++heard.last_id[peer];

	heard.codes[peer][id % IDS] = WAITS;
	router_world_hear(&world, peer, (struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = world.now_ns + 10 * NS_PER_S,
		.call = { .tool = message_text_of(tool), .attempt = 1,
			  .priority = priority } });
	return id;
}

static int code_of(uint32_t peer, uint64_t id)
{
	return heard.codes[peer][id % IDS];
}

static uint64_t call_normal(uint32_t peer, const char *tool)
{
	return call(peer, tool, QUEUE_NORMAL);
}

static void cancel(uint32_t peer, uint64_t id)
{
	router_world_hear(&world, peer, (struct message){
		.kind = MESSAGE_CANCEL, .call_id = id });
}

static const struct tool *tool_of(enum overflow overflow)
{
	return &world.router->tools[world.router->tool_of[overflow]];
}

static unsigned queued(enum overflow overflow)
{
	return (unsigned)queue_depth(&tool_of(overflow)->queue, QUEUE_SHEDDABLE);
}

static void the_newcomer_is_refused(void **state)
{
	uint64_t first, refused, batch, urgent;

	(void)state;
	first = call_normal(0, "a-rejects");
	batch = call(0, "a-rejects", QUEUE_BATCH);
	refused = call(1, "a-rejects", QUEUE_BATCH);
	assert_int_equal(code_of(1, refused), ERROR_QUEUE_FULL);
	assert_int_equal(heard.retry_ms[1][refused], 100);
	urgent = call_normal(1, "a-rejects");
	assert_int_equal(code_of(0, batch), ERROR_SHED);
	assert_int_equal(code_of(1, urgent), WAITS);
	assert_int_equal(code_of(0, first), WAITS);
	assert_int_equal(tool_of(OVERFLOW_REJECTS)->overflows[OVERFLOW_REJECTS], 2);
}

static void the_oldest_gives_way(void **state)
{
	uint64_t first, second, third, sheddable;

	(void)state;
	first = call_normal(0, "b-drops");
	second = call_normal(1, "b-drops");
	third = call_normal(2, "b-drops");
	assert_int_equal(code_of(0, first), ERROR_SHED);
	assert_int_equal(heard.retry_ms[0][first], 100);
	assert_int_equal(code_of(1, second), WAITS);
	assert_int_equal(code_of(2, third), WAITS);
	sheddable = call(3, "b-drops", QUEUE_BATCH);	/* all are more urgent */
	assert_int_equal(code_of(3, sheddable), ERROR_QUEUE_FULL);
	assert_int_equal(queued(OVERFLOW_DROPS), QUEUE);
	assert_int_equal(tool_of(OVERFLOW_DROPS)->overflows[OVERFLOW_DROPS], 2);
}

/* Client 0 has filled the queue, and one of his is at the door. */
static uint64_t fill(uint64_t ret_in[QUEUE])
{
	uint64_t id;

	for (int i = 0; i < QUEUE; i++)
		ret_in[i] = call_normal(0, "c-blocks");
	id = call_normal(0, "c-blocks");
	assert_int_equal(code_of(0, id), WAITS);
	assert_int_equal(queued(OVERFLOW_BLOCKS), QUEUE);
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->door_count, 1);
	return id;
}

static void it_waits_until_there_is_room(void **state)
{
	uint64_t in[QUEUE], id;

	(void)state;
	id = fill(in);
	cancel(0, in[0]);
	assert_int_equal(code_of(0, in[0]), ERROR_CANCELLED);
	assert_int_equal(code_of(0, id), WAITS);
	assert_int_equal(queued(OVERFLOW_BLOCKS), QUEUE);
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->door_count, 0);
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->overflows[OVERFLOW_BLOCKS], 1);
}

/* Meanwhile its client and others are heard, and served elsewhere. */
static void it_is_in_nobodys_way(void **state)
{
	uint64_t in[QUEUE], id, other;

	(void)state;
	id = fill(in);
	other = call_normal(0, "a-rejects");
	assert_int_equal(queued(OVERFLOW_REJECTS), 1);
	cancel(0, other);
	assert_int_equal(code_of(0, other), ERROR_CANCELLED);
	other = call_normal(1, "router.status");
	assert_int_equal(code_of(1, other), ERROR_OK);
	cancel(0, id);
	assert_int_equal(code_of(0, id), ERROR_CANCELLED);
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->door_count, 0);
}

static void it_ends_in_time(void **state)
{
	uint64_t in[QUEUE], id;

	(void)state;
	id = fill(in);
	router_world_wait(&world, 11 * NS_PER_S);
	assert_int_equal(code_of(0, id), ERROR_DEADLINE_EXCEEDED);
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->door_count, 0);
	assert_int_equal(router_calls(world.router), 0);
}

static void it_goes_with_its_client(void **state)
{
	uint64_t in[QUEUE];

	(void)state;
	fill(in);
	router_world_step(&world, (struct router_event){
		.kind = ROUTER_CLOSED, .peer = 0 });
	assert_int_equal(tool_of(OVERFLOW_BLOCKS)->door_count, 0);
	assert_int_equal(router_calls(world.router), 0);
}

static void one_client_does_not_keep_others_out(void **state)
{
	uint64_t in[QUEUE], his;

	(void)state;
	fill(in);
	for (int i = 0; i < 5; i++)
		call_normal(0, "c-blocks");
	his = call_normal(1, "c-blocks");
	cancel(0, in[0]);
	assert_int_equal(code_of(1, his), WAITS);
	assert_int_equal(queue_depth_of(&tool_of(OVERFLOW_BLOCKS)->queue, 1), 1);
	his = call(2, "c-blocks", QUEUE_INTERACTIVE);	/* but the most urgent goes first */
	call_normal(3, "c-blocks");
	cancel(0, in[1]);
	assert_int_equal(queue_depth_of(&tool_of(OVERFLOW_BLOCKS)->queue, 2), 1);
	assert_int_equal(code_of(2, his), WAITS);
}

/* So many of a client may wait, wherever that is. */
static void its_client_may_have_no_more(void **state)
{
	uint64_t id = 0;

	(void)state;
	world.router->clients[0].waiting += CLIENT_WAITING_MAX - QUEUE - 1;
	for (int i = 0; i <= QUEUE; i++)
		id = call_normal(0, "c-blocks");
	assert_int_equal(code_of(0, id), WAITS);
	id = call_normal(0, "c-blocks");
	assert_int_equal(code_of(0, id), ERROR_RESOURCE_EXHAUSTED);
	assert_int_equal(heard.retry_ms[0][id], 100);
	world.router->clients[0].waiting -= CLIENT_WAITING_MAX - QUEUE - 1;
}

static void all_are_served_in_the_end(void **state)
{
	uint64_t in[QUEUE];

	(void)state;
	fill(in);
	call_normal(1, "c-blocks");
	router_world_worker_up(&world, 0, 1, 0);
	for (unsigned done = 0; done < QUEUE + 2; done++) {
		assert_int_equal(heard.sent, done + 1);
		router_world_answer(&world, 0, heard.handle, ERROR_OK, "");
	}
	assert_int_equal(router_calls(world.router), 0);
}

/* Of another class, or schemas are compared: there are none. */
static void reload(void)
{
	for (uint32_t i = 0; i < OVERFLOW_COUNT; i++)
		catalog.tools[i].class = catalog.tools[i].class == TOOL_PURE ?
					 TOOL_IDEMPOTENT : TOOL_PURE;
	router_world_reload(&world, &catalog);
}

static void a_manifest_may_change_that(void **state)
{
	struct catalog old;
	uint64_t in[QUEUE], id, first, refused;

	(void)state;
	id = fill(in);
	first = call_normal(2, "a-rejects");
	call_normal(2, "a-rejects");
	old = catalog;
	world.router->catalog = &old;
	catalog.tools[OVERFLOW_REJECTS].overflow = OVERFLOW_DROPS;
	catalog.tools[OVERFLOW_BLOCKS].overflow = OVERFLOW_REJECTS;
	catalog.generation++;
	reload();
	refused = call_normal(1, "c-blocks");
	assert_int_equal(code_of(1, refused), ERROR_QUEUE_FULL);
	call_normal(1, "a-rejects");
	assert_int_equal(code_of(2, first), ERROR_SHED);
	cancel(0, in[0]);			/* who is at the door still goes in */
	assert_int_equal(queued(OVERFLOW_BLOCKS), QUEUE);
	assert_int_equal(code_of(0, id), WAITS);
	call_normal(1, "c-blocks");
	old = catalog;
	catalog.tool_count = OVERFLOW_BLOCKS;	/* it is removed */
	catalog.generation++;
	reload();
	assert_int_equal(router_calls(world.router), QUEUE);
	assert_int_equal(code_of(0, id), ERROR_NOT_FOUND);
}

static void it_is_told(void **state)
{
	static char text[1 << 20];
	struct writer writer = { .data = text, .capacity = sizeof(text) - 1 };
	uint64_t in[QUEUE];

	(void)state;
	fill(in);
	report_metrics(world.router, &writer, world.now_ns);
	report_status(world.router, &writer, world.now_ns);
	assert_false(writer.cut);
	assert_non_null(strstr(text, "cupel_queue_blocked{tool=\"c-blocks\"} 1\n"));
	assert_non_null(strstr(text, "cupel_queue_overflows_total"
			       "{tool=\"c-blocks\",policy=\"block\"} 1\n"));
	assert_non_null(strstr(text, "cupel_queue_overflows_total"
			       "{tool=\"b-drops\",policy=\"drop-oldest\"} 0\n"));
	assert_non_null(strstr(text, "\"queued\":2,\"blocked\":1,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_newcomer_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(the_oldest_gives_way, begin, end),
		cmocka_unit_test_setup_teardown(it_waits_until_there_is_room, begin, end),
		cmocka_unit_test_setup_teardown(it_is_in_nobodys_way, begin, end),
		cmocka_unit_test_setup_teardown(it_ends_in_time, begin, end),
		cmocka_unit_test_setup_teardown(it_goes_with_its_client, begin, end),
		cmocka_unit_test_setup_teardown(one_client_does_not_keep_others_out, begin, end),
		cmocka_unit_test_setup_teardown(its_client_may_have_no_more, begin, end),
		cmocka_unit_test_setup_teardown(all_are_served_in_the_end, begin, end),
		cmocka_unit_test_setup_teardown(a_manifest_may_change_that, begin, end),
		cmocka_unit_test_setup_teardown(it_is_told, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
