/* What a call gets whose tool cannot serve: the router's core, its workers made up. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/router/state_core.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

enum { OWNER, MEMBER, AGENT, CLIENTS };		/* links */
enum { MAIN, SPARE, SLOTS };			/* workers, each of its own pool */
enum { LOOK, NEAR, OTHER, STEP };		/* tools, by their names */

static struct block {
	struct catalog catalog;
	char text[1];		/* the empty one */
} block;
static struct router_world world;
static struct {
	uint64_t last_id;
	struct { uint64_t handle; int64_t deadline_ns; char tool[65], words[65]; } sent[SLOTS];
	int code;		/* of the last call's RESULT; -1: none has come */
	char result[65], reason[REASON_BYTES + 1];
	uint64_t age_ms;	/* of the last REMARK */
	char by[65];
} heard;

static void text_of(char ret[65], const void *data, size_t length)
{
	assert_in_range(length, 0, 64);
	if (length)
		memcpy(ret, data, length);
	ret[length] = '\0';
}

static void on_call(uint32_t slot, const struct message *message)
{
	assert_in_range(slot, 0, SLOTS - 1);
	heard.sent[slot].handle = message->call_id;
	heard.sent[slot].deadline_ns = message->deadline_ns;
	text_of(heard.sent[slot].tool, message->call.tool.data, message->call.tool.length);
	text_of(heard.sent[slot].words, message->body.data, message->body.length);
}

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (message->kind == MESSAGE_CALL) {
		on_call(peer - CLIENTS, message);
	} else if (message->kind == MESSAGE_REMARK) {
		heard.age_ms = message->remark.age_ms;
		text_of(heard.by, message->remark.tool.data, message->remark.tool.length);
	} else if (message->kind == MESSAGE_RESULT && message->call_id == heard.last_id) {
		heard.code = (int)message->result.code;
		text_of(heard.result, message->body.data, message->body.length);
		snprintf(heard.reason, sizeof(heard.reason), "%.*s",
			 (int)message->result.reason.length, message->result.reason.data);
	}
	return 0;
}

static void name_tools(void)
{
	struct catalog *catalog = &block.catalog;

	*catalog = (struct catalog){ 0 };
	router_rig_add_pool(catalog, "main", 1, 8);
	router_rig_add_pool(catalog, "spare", 1, 8);
	router_rig_add_tool(catalog, "look", MAIN, 8);
	router_rig_add_tool(catalog, "near", MAIN, 8);
	router_rig_add_tool(catalog, "other", SPARE, 8);
	router_rig_add_tool(catalog, "step", MAIN, 8);
	for (int i = LOOK; i <= OTHER; i++)
		catalog->tools[i].class = TOOL_PURE;
	catalog->tools[LOOK].cache_ns = NS_PER_S;
	catalog->tools[LOOK].stale_ns = 60 * NS_PER_S;
	catalog->tools[NEAR].stale_ns = 60 * NS_PER_S;
	catalog->tools[STEP].class = TOOL_IDEMPOTENT;
	catalog->tools[STEP].deadline_ns = catalog->tools[NEAR].deadline_ns = NS_PER_S;
	strcpy(catalog->tools[LOOK].fallback, "other");
	strcpy(catalog->tools[STEP].fallback, "other");
	catalog->tools[OTHER].roles = 1U << ROLE_OWNER | 1U << ROLE_MEMBER;
	catalog->tools[OTHER].deadline_ns = NS_PER_S;
	catalog->tools[OTHER].deadline_max_ns = 5 * NS_PER_S;
}

static void begin(void)
{
	static const enum caller_role roles[CLIENTS] = { ROLE_OWNER, ROLE_MEMBER, ROLE_AGENT };
	struct error why;

	memset(&heard, 0, sizeof(heard));
	world = (struct router_world){ .catalog = &block.catalog,
		.size = { .clients = CLIENTS, .slots = SLOTS },
		.sink.send = on_send, .now_ns = 1000 * NS_PER_S };
	name_tools();
	int r = catalog_check(&block.catalog, sizeof(block.catalog) + 1, &why);

	test_row(r == 0, "%s", why.text);
	router_world_begin(&world);
	router_world_worker_up(&world, MAIN, 1, 0);
	router_world_worker_up(&world, SPARE, 1, 0);
	for (uint32_t i = 0; i < CLIENTS; i++)
		router_world_connect(&world, i, i, roles[i]);
}

static void end(void)
{
	router_world_end(&world);
}

static void call_within(int64_t ns, uint32_t client, const char *tool, const char *words,
			const char *effect)
{
	memset(heard.sent, 0, sizeof(heard.sent));
	heard.code = -1;
	heard.age_ms = 0;
	*heard.by = *heard.result = *heard.reason = '\0';
	router_world_hear(&world, client, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++heard.last_id,
		.deadline_ns = world.now_ns + ns,
		.call = { .tool = message_text_of(tool), .attempt = 1,
			  .effect = { (const uint8_t *)effect, strlen(effect) } },
		.body = { (const uint8_t *)words, strlen(words) } });
}

static void call_named(uint32_t client, const char *tool, const char *words, const char *effect)
{
	call_within(30 * NS_PER_S, client, tool, words, effect);
}

static void call(uint32_t client, const char *tool, const char *words)
{
	call_named(client, tool, words, "");
}

/* Of what that worker was sent last. */
static void answer(uint32_t slot, enum error_code code, const char *words)
{
	uint64_t handle = heard.sent[slot].handle;

	assert_int_not_equal(handle, 0);
	router_world_answer(&world, slot, handle, code, words);
}

static void order(const char *words)
{
	call(OWNER, "router.breaker", words);
	assert_int_equal(heard.code, ERROR_OK);
}

static void pool_is(uint16_t pool, enum restart_state state)
{
	router_world_tell(&world, 0, (struct control){
		.kind = CONTROL_POOL_STATE, .pool = pool, .detail = (uint8_t)state });
}

static void drain(uint32_t slot)
{
	router_world_tell(&world, CLIENTS + slot, (struct control){
		.kind = CONTROL_SLOT_DRAIN, .slot = slot, .generation = 1,
		.argument = (uint64_t)(world.now_ns + NS_PER_S) });
}

/* An answer of the tool itself, that is kept. */
static void keep(const char *tool, const char *words, const char *result)
{
	call(OWNER, tool, words);
	answer(MAIN, ERROR_OK, result);
	assert_int_equal(heard.code, ERROR_OK);
	assert_int_equal(heard.age_ms, 0);
	assert_string_equal(heard.by, "");
}

static void the_fallback_is_called_with_the_same(void **state)
{
	(void)state;
	begin();
	order("isolate look 600");
	call(MEMBER, "look", "here");
	assert_int_equal(heard.sent[MAIN].handle, 0);
	assert_string_equal(heard.sent[SPARE].tool, "other");
	assert_string_equal(heard.sent[SPARE].words, "here");
	assert_int_equal(heard.sent[SPARE].deadline_ns, world.now_ns + 5 * NS_PER_S);
	answer(SPARE, ERROR_OK, "seen");
	assert_int_equal(heard.code, ERROR_OK);
	assert_string_equal(heard.result, "seen");
	assert_string_equal(heard.by, "other");
	assert_int_equal(heard.age_ms, 0);
	assert_int_equal(world.router->tools[LOOK].fallbacks, 1);
	assert_int_equal(world.router->tools[LOOK].ends[ERROR_OK], 0);
	assert_int_equal(world.router->tools[OTHER].ends[ERROR_OK], 1);
	call(MEMBER, "other", "here");		/* who asks for it is told nothing */
	answer(SPARE, ERROR_OK, "seen");
	assert_string_equal(heard.by, "");
	order("reset look");
	call(MEMBER, "look", "here");
	assert_string_equal(heard.sent[MAIN].tool, "look");
	end();
}

static void its_own_failures_are_told_as_its(void **state)
{
	(void)state;
	begin();
	order("isolate look 600");
	call(MEMBER, "look", "here");
	answer(SPARE, ERROR_INVALID_ARGUMENT, "");
	assert_int_equal(heard.code, ERROR_INVALID_ARGUMENT);
	assert_string_equal(heard.by, "other");
	end();
}

static void what_waits_goes_there_when_the_breaker_opens(void **state)
{
	(void)state;
	begin();
	pool_is(MAIN, RESTART_DEGRADED);
	drain(MAIN);
	call(MEMBER, "step", "on");
	assert_int_equal(heard.sent[MAIN].handle, 0);
	assert_int_equal(heard.sent[SPARE].handle, 0);
	pool_is(MAIN, RESTART_FAILED);
	assert_string_equal(heard.sent[SPARE].tool, "other");
	answer(SPARE, ERROR_OK, "done");
	assert_int_equal(heard.code, ERROR_OK);
	assert_string_equal(heard.by, "other");
	end();
}

/* What the caller may not call he does not reach by another's manifest. */
static void nobody_reaches_more_than_he_may_call(void **state)
{
	(void)state;
	begin();
	order("isolate look 600");
	call(AGENT, "look", "here");
	assert_int_equal(heard.code, ERROR_BREAKER_OPEN);
	assert_int_equal(heard.sent[SPARE].handle, 0);
	assert_string_equal(heard.by, "");
	call(MEMBER, "look", "here");
	assert_int_not_equal(heard.sent[SPARE].handle, 0);
	world.router->tools[LOOK].row.roles = 1U << ROLE_OWNER;
	call(MEMBER, "look", "here");		/* nor is he told what is kept */
	assert_int_equal(heard.code, ERROR_DENIED_BY_ACL);
	world.router->pools[SPARE].row.flags = POOL_WORKSPACE;
	call(OWNER, "look", "here");
	assert_int_equal(heard.code, ERROR_BREAKER_OPEN);
	end();
}

static void a_tool_that_is_switched_off_is_off(void **state)
{
	(void)state;
	begin();
	keep("look", "here", "seen");
	router_world_wait(&world, 2 * NS_PER_S);
	call(OWNER, "router.tool", "disable look");
	call(MEMBER, "look", "here");
	assert_int_equal(heard.code, ERROR_UNAVAILABLE);
	assert_int_equal(heard.sent[SPARE].handle, 0);
	call(OWNER, "router.tool", "enable look");
	call(OWNER, "router.tool", "disable other");
	order("isolate look 600");
	call(MEMBER, "look", "there");
	assert_int_equal(heard.code, ERROR_BREAKER_OPEN);
	end();
}

static void an_earlier_result_answers_for_so_long(void **state)
{
	static const struct {
		const char *what;
		int64_t age_ns;
		int code;
		uint64_t age_ms;
	} rows[] = {
		{ "within its time",	 NS_PER_S - 1, ERROR_OK, 0 },
		{ "past it",		 NS_PER_S, ERROR_OK, 1001 },
		{ "a minute later",	 61 * NS_PER_S - 1, ERROR_OK, 61000 },
		{ "past that",		 61 * NS_PER_S, ERROR_BREAKER_OPEN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin();
		keep("look", "here", "seen");
		pool_is(MAIN, RESTART_CRASHLOOP);
		order("isolate other 600");
		router_world_wait(&world, rows[i].age_ns);
		call(MEMBER, "look", "here");
		test_row(heard.code == rows[i].code && heard.age_ms == rows[i].age_ms &&
			 strcmp(heard.by, "") == 0 &&
			 strcmp(heard.result, rows[i].code ? "" : "seen") == 0,
			 "%s: %d, %llu ms, %s", rows[i].what, heard.code,
			 (unsigned long long)heard.age_ms, heard.result);
		call(MEMBER, "look", "there");
		assert_int_not_equal(heard.code, ERROR_OK);
		assert_non_null(strstr(heard.reason, "nor its fallback other"));
		end();
	}
}

/* They are still being started, and the call's time is over. */
static void without_a_worker_in_time_it_does_as_well(void **state)
{
	(void)state;
	begin();
	keep("look", "here", "seen");
	router_world_wait(&world, 2 * NS_PER_S);
	drain(MAIN);
	call(MEMBER, "look", "here");
	router_world_wait(&world, 29 * NS_PER_S);
	assert_int_equal(heard.code, -1);
	router_world_wait(&world, NS_PER_S);
	assert_int_equal(heard.sent[SPARE].handle, 0);	/* for which it is too late */
	assert_int_equal(heard.code, ERROR_OK);
	assert_string_equal(heard.result, "seen");
	assert_int_equal(heard.age_ms, 32001);
	call(MEMBER, "look", "there");
	router_world_wait(&world, 30 * NS_PER_S);
	assert_int_equal(heard.code, ERROR_DEADLINE_EXCEEDED);
	end();
	begin();			/* a worker that has too much to do is no reason */
	keep("look", "here", "seen");
	router_world_wait(&world, 2 * NS_PER_S);
	for (int i = 0; i < 8; i++) {
		call(MEMBER, "step", "on");
		router_world_hear(&world, CLIENTS + MAIN, (struct message){
			.kind = MESSAGE_ACCEPT, .generation = 1,
			.call_id = heard.sent[MAIN].handle });
	}
	call(MEMBER, "look", "here");
	assert_int_equal(heard.sent[MAIN].handle, 0);
	router_world_wait(&world, 30 * NS_PER_S);
	assert_int_equal(heard.code, ERROR_DEADLINE_EXCEEDED);
	end();
}

/* Whoever waits for an equal call's answer has as little of it. */
static void without_a_worker_in_time_whoever_shares_it_has_it_too(void **state)
{
	static const int64_t times_ns[] = { 30 * NS_PER_S, 20 * NS_PER_S };

	(void)state;
	for (size_t i = 0; i < sizeof(times_ns) / sizeof(*times_ns); i++) {
		begin();
		keep("look", "here", "seen");
		router_world_wait(&world, 2 * NS_PER_S);
		drain(MAIN);
		call(OWNER, "look", "here");
		call_within(times_ns[i], MEMBER, "look", "here", "");
		assert_int_equal(world.router->tools[LOOK].coalesced, 1);
		router_world_wait(&world, times_ns[i]);
		test_row(heard.code == ERROR_OK && strcmp(heard.result, "seen") == 0 &&
			 heard.age_ms > 0, "%zu: %d, %s", i, heard.code, heard.reason);
		end();
	}
}

/* Without a time of its own it is kept for nothing else. */
static void what_is_not_cached_is_asked_for_while_it_can_be(void **state)
{
	(void)state;
	begin();
	keep("near", "here", "one");
	keep("near", "here", "two");
	order("isolate near 600");
	call(MEMBER, "near", "here");
	assert_string_equal(heard.result, "two");
	assert_int_equal(heard.age_ms, 1);
	assert_int_equal(world.router->tools[NEAR].stale, 1);
	order("reset near");
	keep("near", "here", "three");
	end();
}

static void the_fallback_comes_first(void **state)
{
	(void)state;
	begin();
	keep("look", "here", "seen");
	router_world_wait(&world, 2 * NS_PER_S);
	order("isolate look 600");
	call(MEMBER, "look", "here");
	answer(SPARE, ERROR_OK, "seen anew");
	assert_string_equal(heard.result, "seen anew");
	assert_string_equal(heard.by, "other");
	end();
}

/* It came there, and that cannot any more: what is kept of the first is there still. */
static void from_the_fallback_there_is_a_way_back(void **state)
{
	(void)state;
	begin();
	keep("look", "here", "seen");
	router_world_wait(&world, 2 * NS_PER_S);
	order("isolate look 600");
	drain(SPARE);
	call(MEMBER, "look", "here");
	assert_int_equal(heard.code, -1);
	/* As another catalogue may say by now: it does not go on from there. */
	strcpy(world.router->tools[OTHER].row.fallback, "near");
	pool_is(SPARE, RESTART_FAILED);
	assert_int_equal(heard.sent[MAIN].handle, 0);
	assert_int_equal(heard.code, ERROR_OK);
	assert_string_equal(heard.result, "seen");
	assert_in_range(heard.age_ms, 2001, 2001);
	assert_string_equal(heard.by, "");
	end();
}

/* Its caller never named the fallback that goes while he waits there. */
static void the_way_back_is_there_if_the_fallback_goes(void **state)
{
	static const struct {
		const char *what, *order;	/* NULL: it is in no catalogue any more */
		const char *words;
		int code;
	} rows[] = {
		{ "switched off",	"disable other", "here", ERROR_OK },
		{ "nothing is kept",	"disable other", "there", ERROR_UNAVAILABLE },
		{ "removed",		NULL, "there", ERROR_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block *other = calloc(1, sizeof(*other));

		begin();
		router_rig_add_pool(&other->catalog, "main", 1, 8);
		router_rig_add_tool(&other->catalog, "look", 0, 8);
		other->catalog.generation = 2;
		keep("look", "here", "seen");
		router_world_wait(&world, 2 * NS_PER_S);
		order("isolate look 600");
		drain(SPARE);
		call(MEMBER, "look", rows[i].words);
		assert_int_equal(heard.code, -1);
		if (rows[i].order)
			router_world_hear(&world, OWNER, (struct message){
				.kind = MESSAGE_CALL, .call_id = 1000,
				.deadline_ns = world.now_ns + NS_PER_S,
				.call = { .tool = message_text_of("router.tool"), .attempt = 1 },
				.body = span_of_text(rows[i].order) });
		else
			router_world_reload(&world, &other->catalog);
		test_row(heard.code == rows[i].code &&
			 (heard.code == ERROR_OK || strstr(heard.reason, "neither")),
			 "%s: %d, %s", rows[i].what, heard.code, heard.reason);
		end();
		free(other);
	}
}

static void what_was_begun_goes_nowhere_else(void **state)
{
	(void)state;
	begin();
	call(MEMBER, "step", "on");
	answer(MAIN, ERROR_UNAVAILABLE, "");
	assert_int_equal(heard.code, -1);	/* it is to be tried again */
	pool_is(MAIN, RESTART_FAILED);
	assert_int_equal(heard.code, ERROR_UNAVAILABLE);
	assert_int_equal(heard.sent[SPARE].handle, 0);
	end();
}

static void half_open(const char *tool)
{
	char words[65];

	snprintf(words, sizeof(words), "isolate %s 1", tool);
	order(words);
	router_world_wait(&world, NS_PER_S);
}

/* Which the next router would take for a call that it had. */
static void what_was_about_to_go_leaves_no_row(void **state)
{
	const struct legacy *legacy;

	(void)state;
	begin();
	legacy = &world.router->legacy;
	half_open("look");
	call(MEMBER, "look", "one");
	answer(MAIN, ERROR_OK, "seen");
	assert_int_equal(legacy->used, 0);
	call(MEMBER, "look", "two");
	call(MEMBER, "look", "three");
	assert_int_equal(legacy->used, 2);
	call(MEMBER, "look", "four");		/* one too many for a trial */
	assert_string_equal(heard.sent[SPARE].words, "four");
	assert_int_equal(legacy->used, 3);
	answer(SPARE, ERROR_OK, "seen");
	assert_int_equal(legacy->used, 2);
	end();
}

/* Two on trial, whose time is over before anybody has looked, and no place for more. */
static uint64_t fill_with_trials(const char *tool)
{
	uint64_t other;

	begin();
	half_open(tool);
	call(MEMBER, tool, "one");
	call(MEMBER, tool, "two");
	call(MEMBER, "look", "here");
	other = heard.sent[MAIN].handle;
	for (int n = 0; n < 5; n++)
		call(OWNER, "look", (char[]){ (char)('a' + n), '\0' });
	call(OWNER, tool, "three");
	assert_int_equal(heard.sent[MAIN].handle, 0);
	return other;
}

/* As one goes out, is next of a workspace, has no worker there, or is cancelled. */
static void who_ends_as_the_breaker_opens_ends_once(void **state)
{
	enum way { GOES_OUT, NEXT, NO_ENTRY, CANCELLED, WAYS };

	(void)state;
	for (enum way way = GOES_OUT; way < WAYS; way++) {
		uint64_t other = fill_with_trials("near"), leader = heard.last_id;

		call(AGENT, "near", "three");		/* who waits for its answer */
		if (way == NEXT || way == NO_ENTRY) {
			call(MEMBER, "near", "four");
			world.router->pools[MAIN].row.flags = POOL_WORKSPACE;
			pool_is(MAIN, RESTART_UP);
			assert_int_equal(world.router->pools[MAIN].parked_count, 2);
		}
		world.now_ns += 2 * NS_PER_S;
		heard.sent[MAIN].handle = other;
		if (way == CANCELLED)
			router_world_hear(&world, OWNER, (struct message){
				.kind = MESSAGE_CANCEL, .call_id = leader });
		else if (way == NO_ENTRY)
			router_world_tell(&world, 0, (struct control){
				.kind = CONTROL_NO_ENTRY, .pool = MAIN, .argument = 2 });
		else
			answer(MAIN, ERROR_OK, "seen");
		assert_int_equal(world.router->tools[NEAR].breaker.state, BREAKER_OPEN);
		assert_int_equal(world.router->pools[MAIN].parked_count, 0);
		test_row(heard.code == ERROR_BREAKER_OPEN, "%d: %d", (int)way, heard.code);
		end();
	}
}

/* Whoever joins an effect, or comes for it later, is told as well whose answer it is. */
static void it_is_told_to_all_who_share_it(void **state)
{
	(void)state;
	begin();
	order("isolate step 600");
	call_named(MEMBER, "step", "on", "mine");
	assert_string_equal(heard.sent[SPARE].tool, "other");
	answer(SPARE, ERROR_OK, "done");
	assert_string_equal(heard.by, "other");
	call_named(MEMBER, "step", "on", "mine");
	assert_int_equal(heard.sent[SPARE].handle, 0);
	assert_string_equal(heard.result, "done");
	assert_string_equal(heard.by, "other");
	call_named(MEMBER, "router.attach", "", "mine");
	assert_string_equal(heard.result, "done");
	assert_string_equal(heard.by, "other");
	end();
}

/* An effect that nobody has begun is free after an answer from what is kept. */
static void an_earlier_result_is_no_effect(void **state)
{
	(void)state;
	begin();
	keep("near", "here", "one");
	order("isolate near 600");
	call_named(MEMBER, "near", "here", "mine");
	assert_string_equal(heard.result, "one");
	assert_int_equal(heard.age_ms, 1);
	order("reset near");
	call_named(MEMBER, "near", "here", "mine");
	assert_int_not_equal(heard.sent[MAIN].handle, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fallback_is_called_with_the_same),
		cmocka_unit_test(its_own_failures_are_told_as_its),
		cmocka_unit_test(what_waits_goes_there_when_the_breaker_opens),
		cmocka_unit_test(nobody_reaches_more_than_he_may_call),
		cmocka_unit_test(a_tool_that_is_switched_off_is_off),
		cmocka_unit_test(an_earlier_result_answers_for_so_long),
		cmocka_unit_test(without_a_worker_in_time_it_does_as_well),
		cmocka_unit_test(without_a_worker_in_time_whoever_shares_it_has_it_too),
		cmocka_unit_test(what_is_not_cached_is_asked_for_while_it_can_be),
		cmocka_unit_test(the_fallback_comes_first),
		cmocka_unit_test(from_the_fallback_there_is_a_way_back),
		cmocka_unit_test(the_way_back_is_there_if_the_fallback_goes),
		cmocka_unit_test(what_was_begun_goes_nowhere_else),
		cmocka_unit_test(what_was_about_to_go_leaves_no_row),
		cmocka_unit_test(who_ends_as_the_breaker_opens_ends_once),
		cmocka_unit_test(it_is_told_to_all_who_share_it),
		cmocka_unit_test(an_earlier_result_is_no_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
