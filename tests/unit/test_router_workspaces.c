/*
 * Who may have calls served in which workspace: the router's core, which is told
 * whose each is, and for a worker that calls in its turn the real program.
 */
#include "tests/support/test.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/router/parts_core.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

#define SERVED (-1)
#define WAITS (-2)

enum { ANNE = 1001, BERT, ROOT = 0 };		/* users */
enum { OF_ANNE, OF_BERT, OF_ROOT, OF_WORKER, CLIENTS };	/* links; the last a worker's own */
/* Workers, each of its own pool; BUILDER's is of a workspace, and none comes by itself. */
enum { CONDUCTOR, DRUDGE, BUILDER, SLOTS };

/* Behind a catalogue stand its texts, of which all are empty here. */
static struct {
	struct catalog catalog;
	char text[1];
} book;
static struct router_world world;
static struct {
	uint64_t last_id, handle;	/* handle: of what was sent to a worker; or 0 */
	uint32_t workspace;
	int code;
	bool drain;			/* a worker is to leave */
	struct control want;		/* the last; of no kind: none */
} heard;

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	(void)peer;
	if (message->kind == MESSAGE_CALL) {
		heard.handle = message->call_id;
		heard.workspace = message->call.workspace;
	} else if (message->kind == MESSAGE_RESULT) {
		heard.code = (int)message->result.code;
	} else if (message->kind == MESSAGE_DRAIN) {
		heard.drain = true;
	}
	return 0;
}

static void on_control(void *owner, const struct control *record)
{
	(void)owner;
	if (record->kind == CONTROL_WANT)
		heard.want = *record;
}

static void begin(void)
{
	static const uint32_t users[] = { ANNE, BERT, ROOT };

	book.catalog = (struct catalog){ 0 };
	router_rig_add_pool(&book.catalog, "conductor", 1, 8);
	router_rig_add_pool(&book.catalog, "drudge", 1, 8);
	router_rig_add_pool(&book.catalog, "builder", 3, 1);
	book.catalog.pools[BUILDER].flags = POOL_WORKSPACE;
	book.catalog.pools[BUILDER].kind = POOL_PER_CALL;
	book.catalog.pools[BUILDER].warm = 0;
	router_rig_add_tool(&book.catalog, "build", BUILDER, 8);
	router_rig_add_tool(&book.catalog, "conduct", CONDUCTOR, 8);
	router_rig_add_tool(&book.catalog, "work", DRUDGE, 8);
	world = (struct router_world){ .catalog = &book.catalog, .now_ns = NS_PER_S,
		.size = { .clients = CLIENTS, .slots = SLOTS },
		.sink = { .send = on_send, .control = on_control } };
	router_world_begin(&world);
	router_world_worker_up(&world, CONDUCTOR, 1, 0);
	router_world_worker_up(&world, DRUDGE, 1, 0);
	for (uint32_t i = 0; i < COUNT(users); i++)
		router_world_connect(&world, i, users[i], ROLE_MEMBER);
	router_world_tell(&world, OF_WORKER, (struct control){
		.kind = CONTROL_CLIENT_UP, .slot = CONDUCTOR,
		.generation = 1, .detail = ROLE_IMPROVE });
	router_world_hear(&world, OF_WORKER, (struct message){
		.kind = MESSAGE_HELLO, .hello.major = 1 });
	router_world_give(&world, 7, ANNE);
	router_world_give(&world, 8, BERT);
}

static void end(void)
{
	router_world_end(&world);
}

/* SERVED, in that workspace; WAITS; or the code it ends with, at once. */
static int call_once(uint32_t client, const char *tool, uint32_t workspace,
		     uint64_t parent, const char *effect)
{
	heard.handle = 0;
	heard.code = WAITS;
	router_world_hear(&world, client, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++heard.last_id,
		.deadline_ns = 10 * NS_PER_S,
		.call = { .tool = message_text_of(tool), .attempt = 1,
			  .effect = { (const uint8_t *)effect, strlen(effect) },
			  .workspace = workspace, .parent = parent } });
	if (!heard.handle)
		return heard.code;
	assert_int_equal(heard.workspace, workspace);
	return SERVED;
}

static int call(uint32_t client, const char *tool, uint32_t workspace, uint64_t parent)
{
	return call_once(client, tool, workspace, parent, "");
}

static uint64_t served(uint32_t client, const char *tool, uint32_t workspace)
{
	assert_int_equal(call(client, tool, workspace, 0), SERVED);
	return heard.handle;
}

static void a_workspace_is_its_users_and_roots(void **state)
{
	static const struct { const char *what; uint32_t client, workspace; int end; } rows[] = {
		{ "one's own",		  OF_ANNE, 7,  SERVED },
		{ "another's",		  OF_BERT, 7,  ERROR_DENIED_BY_ACL },
		{ "another's, the other way", OF_ANNE, 8, ERROR_DENIED_BY_ACL },
		{ "root's, in anybody's", OF_ROOT, 8,  SERVED },
		{ "none",		  OF_BERT, 0,  SERVED },
		{ "a place never taken",  OF_ANNE, 9,  ERROR_FAILED_PRECONDITION },
		{ "the next at a place",  OF_ANNE, 71, ERROR_FAILED_PRECONDITION },
		{ "the same, root's",	  OF_ROOT, 71, ERROR_FAILED_PRECONDITION },
		{ "the last number",	  OF_ROOT, UINT32_MAX, ERROR_FAILED_PRECONDITION },
	};

	(void)state;
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = call(rows[i].client, "work", rows[i].workspace, 0);

		test_row(got == rows[i].end, "%s: %d", rows[i].what, got);
	}
	/* Nothing waits for a worker that never comes. */
	assert_int_equal(call(OF_ANNE, "build", 0, 0), ERROR_FAILED_PRECONDITION);
	assert_int_equal(call(OF_ANNE, "build", 8, 0), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_ANNE, "build", 7, 0), WAITS);
	router_world_give(&world, 71, BERT);	/* at the place of Anne's, who has left */
	assert_int_equal(call(OF_BERT, "work", 71, 0), SERVED);
	assert_int_equal(call(OF_ANNE, "work", 71, 0), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_ANNE, "work", 7, 0), ERROR_FAILED_PRECONDITION);
	assert_int_equal(call(OF_BERT, "work", 7, 0), ERROR_FAILED_PRECONDITION);
	end();
}

static void a_worker_enters_what_its_caller_may(void **state)
{
	(void)state;
	begin();
	uint64_t of_anne = served(OF_ANNE, "conduct", 7);
	uint64_t elsewhere = served(OF_ANNE, "work", 7);

	assert_int_equal(call(OF_WORKER, "work", 7, of_anne), SERVED);
	assert_int_equal(call(OF_WORKER, "work", 8, of_anne), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_WORKER, "work", 0, 0), SERVED);
	assert_int_equal(call(OF_WORKER, "work", 7, 0), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_WORKER, "work", 7, elsewhere), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_WORKER, "work", 7, of_anne + 1), ERROR_DENIED_BY_ACL);
	/* Through another worker's hands it is hers still. */
	assert_int_equal(call(OF_WORKER, "conduct", 7, of_anne), SERVED);
	uint64_t nested = heard.handle;

	assert_int_equal(call(OF_WORKER, "work", 7, nested), SERVED);
	assert_int_equal(call(OF_WORKER, "work", 8, nested), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_WORKER, "work", 8, served(OF_ROOT, "conduct", 0)), SERVED);
	router_world_answer(&world, CONDUCTOR, of_anne, ERROR_OK, "");
	assert_int_equal(heard.code, ERROR_OK);
	assert_int_equal(call(OF_WORKER, "work", 7, of_anne), ERROR_DENIED_BY_ACL);
	end();
}

/* Its arguments come in two pieces, of which this is the first. */
static void begin_to_ask_as(uint32_t client, const char *tool, uint32_t workspace,
			    uint32_t flags)
{
	heard.handle = 0;
	heard.code = WAITS;
	heard.want = (struct control){ 0 };
	router_world_hear(&world, client, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++heard.last_id,
		.deadline_ns = 100 * NS_PER_S, .body = span_of_text("["),
		.call = { .tool = message_text_of(tool), .attempt = 1,
			  .flags = CALL_MORE | flags, .workspace = workspace } });
}

static void begin_to_ask(uint32_t client, const char *tool, uint32_t workspace)
{
	begin_to_ask_as(client, tool, workspace, 0);
}

static void ask_the_rest(uint32_t client, uint64_t id)
{
	router_world_hear(&world, client, (struct message){
		.kind = MESSAGE_CHUNK_REQ, .call_id = id, .chunk_req.last = true,
		.body = span_of_text("]") });
}

static void expect_want(uint32_t workspace, uint64_t workers)
{
	assert_int_equal(heard.want.kind, workers ? CONTROL_WANT : 0);
	assert_int_equal(heard.want.workspace, workspace);
	assert_int_equal(heard.want.argument, workers);
}

static void a_worker_starts_while_the_arguments_come(void **state)
{
	(void)state;
	begin();
	begin_to_ask(OF_ANNE, "work", 7);	/* whose worker serves others as well */
	expect_want(0, 0);
	begin_to_ask(OF_BERT, "build", 7);
	assert_int_equal(heard.code, ERROR_DENIED_BY_ACL);
	expect_want(0, 0);
	begin_to_ask(OF_ANNE, "build", 7);
	uint64_t first = heard.last_id;

	expect_want(7, 1);
	begin_to_ask(OF_ANNE, "build", 7);
	router_world_wait(&world, 2 * NS_PER_S);	/* the one asked for has not come */
	expect_want(7, 2);
	heard.want = (struct control){ 0 };
	router_world_worker_up(&world, BUILDER, 1, 7);
	router_world_wait(&world, 2 * NS_PER_S);
	expect_want(7, 1);
	assert_int_equal(heard.handle, 0);	/* before it is whole */
	ask_the_rest(OF_ANNE, first);
	assert_true(heard.handle != 0);
	assert_int_equal(heard.workspace, 7);
	router_world_answer(&world, BUILDER, heard.handle, ERROR_OK, "");
	assert_int_equal(heard.code, ERROR_OK);
	end();
}

/* Else two that wait for each other could each have one of two places. */
static void the_last_place_is_for_whom_it_waits(void **state)
{
	static const struct { const char *what; uint32_t size, state, wanted; } rows[] = {
		{ "there is room",    2, RESTART_UP,	    1 },
		{ "there is one",     1, RESTART_UP,	    0 },
		{ "one at a time",    9, RESTART_PROBATION, 0 },
		{ "and room again",   9, RESTART_UP,	    1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin();
		book.catalog.pools[BUILDER].size = rows[i].size;
		router_world_reload(&world, &book.catalog);
		router_world_tell(&world, 0, (struct control){ .kind = CONTROL_POOL_STATE,
			.generation = book.catalog.generation, .pool = BUILDER,
			.detail = (uint8_t)rows[i].state });
		begin_to_ask(OF_ANNE, "build", 7);
		test_row(heard.want.argument == rows[i].wanted, "%s: %d", rows[i].what,
			 (int)heard.want.argument);
		heard.want = (struct control){ 0 };
		ask_the_rest(OF_ANNE, heard.last_id);
		router_world_wait(&world, NS_PER_S);
		test_row(heard.want.argument == 1, "%s: and then %d", rows[i].what,
			 (int)heard.want.argument);
		end();
	}
}

/* Where none can be, who is about to ask is told so, and none is tried again. */
static void a_workspace_that_is_gone_ends_what_comes(void **state)
{
	(void)state;
	begin();
	begin_to_ask(OF_ANNE, "build", 7);
	expect_want(7, 1);
	heard.want = (struct control){ 0 };
	router_world_tell(&world, 0, (struct control){ .kind = CONTROL_NO_ENTRY,
		.generation = book.catalog.generation, .pool = BUILDER, .workspace = 7 });
	assert_int_equal(heard.code, ERROR_FAILED_PRECONDITION);
	router_world_wait(&world, 2 * NS_PER_S);
	expect_want(0, 0);
	ask_the_rest(OF_ANNE, heard.last_id);	/* of a call that is over */
	end();
}

/* Nobody else can send the rest of it. */
static void half_a_call_goes_with_its_client(void **state)
{
	(void)state;
	begin();
	begin_to_ask_as(OF_ANNE, "build", 7, CALL_DETACHED);
	expect_want(7, 1);
	router_world_step(&world, (struct router_event){ .kind = ROUTER_CLOSED,
							 .peer = OF_ANNE });
	heard.want = (struct control){ 0 };
	router_world_wait(&world, 2 * NS_PER_S);
	expect_want(0, 0);
	end();
}

/* And is not kept where nobody comes for it, unless it is a spare. */
static void a_worker_without_its_call_leaves(void **state)
{
	(void)state;
	for (uint32_t warm = 0; warm < 2; warm++) {
		begin();
		book.catalog.pools[BUILDER].warm = warm;
		router_world_reload(&world, &book.catalog);
		begin_to_ask(OF_ANNE, "build", 7);
		heard.drain = false;
		router_world_worker_up(&world, BUILDER, 1, 7);
		router_world_wait(&world, 20 * NS_PER_S);
		assert_false(heard.drain);
		router_world_hear(&world, OF_ANNE, (struct message){
			.kind = MESSAGE_CANCEL, .call_id = heard.last_id });
		router_world_wait(&world, 2 * NS_PER_S);
		assert_int_equal(heard.drain, warm == 0);
		end();
	}
}

/* One that ends before it is whole waits for no worker; one in between goes on. */
static void arguments_that_do_not_come_want_nobody(void **state)
{
	(void)state;
	begin();
	begin_to_ask(OF_ANNE, "build", 7);
	uint64_t first = heard.last_id;

	begin_to_ask(OF_ROOT, "build", 8);
	uint64_t second = heard.last_id;

	router_world_reload(&world, &book.catalog);
	router_world_hear(&world, OF_ANNE, (struct message){ .kind = MESSAGE_CANCEL,
							     .call_id = first });
	assert_int_equal(heard.code, ERROR_CANCELLED);
	heard.want = (struct control){ 0 };
	router_world_wait(&world, 2 * NS_PER_S);
	expect_want(8, 1);
	ask_the_rest(OF_ROOT, second);
	router_world_worker_up(&world, BUILDER, 1, 8);
	assert_true(heard.handle != 0);
	router_world_answer(&world, BUILDER, heard.handle, ERROR_OK, "");
	heard.want = (struct control){ 0 };
	router_world_wait(&world, 2 * NS_PER_S);
	expect_want(0, 0);
	end();
}

/* Two callers of one worker, which gives what it does for them the same name. */
static void an_effects_name_is_its_callers(void **state)
{
	(void)state;
	begin();
	uint64_t of_anne = served(OF_ANNE, "conduct", 0);
	uint64_t of_bert = served(OF_BERT, "conduct", 0);

	assert_int_equal(call_once(OF_WORKER, "work", 0, of_anne, "x"), SERVED);
	assert_int_equal(call_once(OF_WORKER, "work", 0, of_bert, "x"), SERVED);
	assert_int_equal(call_once(OF_WORKER, "work", 0, of_anne, "x"), WAITS);
	end();
}

/* What a dead worker had still to say is not said of its successor's calls. */
static void the_dead_have_no_callers(void **state)
{
	(void)state;
	begin();
	router_world_worker_up(&world, CONDUCTOR, 2, 0);
	uint64_t next = served(OF_ANNE, "conduct", 7);

	assert_int_equal(call(OF_WORKER, "work", 7, next), ERROR_DENIED_BY_ACL);
	end();
}

/* Of a client's own call it makes nothing more, and nothing less. */
static void an_ordinary_client_serves_no_call(void **state)
{
	(void)state;
	begin();
	uint64_t of_anne = served(OF_ANNE, "conduct", 7);

	assert_int_equal(call(OF_BERT, "work", 7, of_anne), ERROR_DENIED_BY_ACL);
	assert_int_equal(call(OF_BERT, "work", 8, of_anne), SERVED);
	assert_int_equal(call_find(world.router, OF_BERT, heard.last_id)->parent, 0);
	assert_int_equal(call(OF_WORKER, "work", 7, of_anne), SERVED);
	assert_int_equal(call_find(world.router, OF_WORKER, heard.last_id)->parent, of_anne);
	end();
}

/*
 * The monitor's word was before the client's, however they are read. The router
 * sleeps until both are there, and the client's link was heard of first.
 */
static void a_workspace_is_known_before_it_is_used(void **state)
{
	struct message ask = { .kind = MESSAGE_CALL, .call_id = 1,
		.deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(ROUTER_RIG_ECHO), .attempt = 1 } };
	struct control whose = { .kind = CONTROL_WORKSPACE, .workspace = 1000,
				 .argument = geteuid() };
	struct router_rig_peer client;
	struct router_rig rig;
	struct message answer;

	(void)state;
	book.catalog = (struct catalog){ 0 };
	router_rig_add_pool(&book.catalog, "fast", 1, 4);
	router_rig_add_tool(&book.catalog, ROUTER_RIG_ECHO, 0, 16);
	router_rig_start(&rig, &book.catalog);
	router_rig_worker_up(&rig, 0, 0, 4);
	router_rig_connect(&rig, &client);
	kill(rig.router, SIGSTOP);
	router_rig_send(&client, &ask);
	channel_flush(&client.channel);
	for (int i = 0; i < 100; i++)	/* more than it reads in a turn */
		router_rig_control(&rig, &whose, -1), whose.workspace++;
	ask.call_id = 2;
	ask.call.workspace = whose.workspace - 1;
	router_rig_send(&client, &ask);
	channel_flush(&client.channel);
	kill(rig.router, SIGCONT);
	router_rig_wait(&client, 2, &answer);
	assert_int_equal(answer.kind, MESSAGE_RESULT);
	assert_int_equal(answer.result.code, ERROR_OK);
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workspace_is_its_users_and_roots),
		cmocka_unit_test(a_worker_enters_what_its_caller_may),
		cmocka_unit_test(a_worker_starts_while_the_arguments_come),
		cmocka_unit_test(the_last_place_is_for_whom_it_waits),
		cmocka_unit_test(a_workspace_that_is_gone_ends_what_comes),
		cmocka_unit_test(half_a_call_goes_with_its_client),
		cmocka_unit_test(a_worker_without_its_call_leaves),
		cmocka_unit_test(arguments_that_do_not_come_want_nobody),
		cmocka_unit_test(an_effects_name_is_its_callers),
		cmocka_unit_test(the_dead_have_no_callers),
		cmocka_unit_test(an_ordinary_client_serves_no_call),
		cmocka_unit_test(a_workspace_is_known_before_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
