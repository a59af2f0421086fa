/* Breakers outlive their router: its core, and the rows it has written down. */
#include "tests/support/test.h"

#include <string.h>

#include "supervisor/router/state_core.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

#define CLIENT 0
#define DAY_NS (24 * 3600 * NS_PER_S)

static struct catalog catalog;
static struct router_world world;
static struct {
	uint64_t last_id;
	unsigned code;
} heard;
static int64_t wall_ns;		/* at the clock's zero; 0: nobody knows */

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	(void)peer;
	if (message->kind == MESSAGE_RESULT)
		heard.code = message->result.code;
	return 0;
}

static void look_at_the_date(void)
{
	struct router_sample sample = { .memory_percent = 101, .disk_percent = 101,
		.cpu_percent = 101,
		.wall_ns = wall_ns ? wall_ns + world.now_ns : 0 };

	router_world_step(&world, (struct router_event){
		.kind = ROUTER_SAMPLE, .sample = &sample });
}

static void name_tools(const char *first, const char *second)
{
	catalog = (struct catalog){ 0 };
	router_rig_add_pool(&catalog, "worker", 1, 8);
	router_rig_add_tool(&catalog, first, 0, 8);
	router_rig_add_tool(&catalog, second, 0, 8);
}

/* How many of its forerunner's rows were none. */
static unsigned live(void)
{
	router_world_begin(&world);
	router_world_connect(&world, CLIENT, 0, ROLE_OWNER);
	look_at_the_date();
	return world.refused;
}

static void die(void)
{
	router_world_end(&world);
}

static unsigned live_again(void)
{
	die();
	return live();
}

static void begin(void)
{
	memset(&heard, 0, sizeof(heard));
	wall_ns = 0;
	world = (struct router_world){ .catalog = &catalog, .now_ns = 1000 * NS_PER_S,
		.size = { .clients = 4, .slots = 1 }, .sink.send = on_send };
	name_tools("one", "two");
	live();
}

static void begin_as(enum breaker_mode mode)
{
	begin();
	die();
	wall_ns = 20000 * DAY_NS;
	catalog.tools[0].breaker = mode;
	live();
}

static unsigned call(const char *tool, const char *words)
{
	heard.code = ERROR_CODE_COUNT;
	router_world_hear(&world, CLIENT, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++heard.last_id,
		.deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(tool), .attempt = 1 },
		.body = { (const uint8_t *)words, strlen(words) } });
	return heard.code;
}

static void order(const char *words)
{
	assert_int_equal(call("router.breaker", words), ERROR_OK);
}

static void wait_s(int64_t seconds)
{
	router_world_wait(&world, seconds * NS_PER_S);
}

static struct breaker *breaker_of(const char *name)
{
	for (uint32_t i = 0; i < world.router->tools_fresh; i++)
		if (strcmp(world.router->tools[i].row.name, name) == 0)
			return &world.router->tools[i].breaker;
	fail_msg("no tool %s", name);
	return NULL;
}

static const char *state_of(const char *name)
{
	return breaker_state_name(breaker_of(name)->state);
}

static bool nothing_is_kept(void)
{
	static const struct breaker_row none[ROUTER_WORLD_BREAKERS];

	return memcmp(world.breakers, none, sizeof(none)) == 0;
}

static void isolation_has_the_same_end(void **state)
{
	(void)state;
	begin();
	order("isolate two 600");
	assert_string_equal(state_of("two"), "forced_open");
	world.now_ns += 100 * NS_PER_S;
	assert_int_equal(live_again(), 0);
	assert_string_equal(state_of("two"), "forced_open");
	assert_string_equal(state_of("one"), "closed");
	assert_int_equal(breaker_next_ns(breaker_of("two")), 1600 * NS_PER_S);
	order("isolate two 900");	/* the state stays, its end does not */
	assert_int_equal(live_again(), 0);
	assert_int_equal(breaker_next_ns(breaker_of("two")), 2000 * NS_PER_S);
	wait_s(901);
	assert_string_equal(state_of("two"), "half_open");
	die();
}

static void it_ends_while_nobody_is_there(void **state)
{
	(void)state;
	begin();
	order("isolate one 600");
	world.now_ns += 700 * NS_PER_S;
	live_again();
	assert_string_equal(state_of("one"), "half_open");
	die();
}

static void reset_is_kept_as_well(void **state)
{
	(void)state;
	begin();
	order("isolate one 600");
	order("isolate two 600");
	order("reset one");
	live_again();
	assert_string_equal(state_of("one"), "closed");
	assert_string_equal(state_of("two"), "forced_open");
	order("reset two");
	assert_true(nothing_is_kept());
	live_again();
	assert_string_equal(state_of("two"), "closed");
	die();
}

static void rows_follow_names(void **state)
{
	(void)state;
	begin();
	order("isolate one 600");
	order("isolate two 600");
	name_tools("three", "two");
	live_again();
	assert_string_equal(state_of("two"), "forced_open");
	assert_string_equal(state_of("three"), "closed");
	name_tools("one", "two");
	live_again();			/* it had gone, and its row with it */
	assert_string_equal(state_of("one"), "closed");
	assert_string_equal(state_of("two"), "forced_open");
	die();
}

static void what_goes_while_it_runs_is_dropped(void **state)
{
	static struct catalog next;

	(void)state;
	begin();
	order("isolate one 600");
	next = catalog;
	next.tools[0] = next.tools[1];
	next.tools[0].class = TOOL_PURE;	/* or schemas are compared: there are none */
	next.tool_count = 1;
	next.generation++;
	router_world_reload(&world, &next);
	assert_true(nothing_is_kept());
	die();
}

static void the_clock_begins_anew(void **state)
{
	(void)state;
	begin();
	order("isolate one 600");
	world.now_ns = 10 * NS_PER_S;
	for (int i = 0; i < 2; i++) {	/* what the second finds is of this clock */
		live_again();
		assert_string_equal(state_of("one"), "forced_open");
		assert_int_equal(breaker_next_ns(breaker_of("one")), 610 * NS_PER_S);
		world.now_ns += 5 * NS_PER_S;
	}
	die();
}

static void a_call_writes_nothing(void **state)
{
	unsigned written;

	(void)state;
	begin();
	order("isolate one 600");
	written = world.written;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(call("one", "1"), ERROR_BREAKER_OPEN);
		wait_s(1);
	}
	assert_int_equal(world.written, written);
	die();
}

/* Each byte in turn; and all that a stranger could make up. */
static void damage_is_dropped(void **state)
{
	struct breaker_row row;
	struct random random;

	(void)state;
	begin();
	order("isolate one 600");
	row = world.breakers[0];
	for (size_t i = 0; i < sizeof(row); i++) {
		world.breakers[0] = row;
		((uint8_t *)&world.breakers[0])[i] ^= 1;
		assert_int_equal(live_again(), 1);
		assert_string_equal(state_of("one"), "closed");
		assert_true(nothing_is_kept());
	}
	test_random_init(&random, "damage");
	for (int i = 0; i < 200; i++) {
		for (size_t j = 0; j < sizeof(row); j++)
			((uint8_t *)&world.breakers[1])[j] = (uint8_t)random_next(&random);
		assert_int_equal(live_again(), 1);
	}
	world.breakers[0] = world.breakers[3] = row;	/* twice the same */
	live_again();
	assert_string_equal(state_of("one"), "forced_open");
	order("reset one");
	assert_true(nothing_is_kept());
	die();
}

/* ---- who is only observed ---- */

/* It fails five times in a row, as if calls had been sent. */
static void fail_five(void)
{
	struct breaker *breaker = breaker_of("one");

	for (uint64_t i = 1; i <= 5; i++) {
		struct breaker_permit permit;

		assert_int_not_equal(breaker_admit(breaker, i, world.now_ns, &permit),
				     BREAKER_REJECTED);
		breaker_report(breaker, &permit, OUTCOME_FAIL, BREAKER_CRASH_NONE,
			       world.now_ns);
	}
}

static void live_days(unsigned days)
{
	die();
	world.now_ns += days * DAY_NS;
	assert_int_equal(live(), 0);
}

static void the_first_days_are_observed(void **state)
{
	struct breaker_permit permit;

	(void)state;
	begin_as(BREAKER_ROLLS_OUT);
	assert_string_equal(state_of("one"), "observe");
	assert_string_equal(state_of("two"), "closed");
	fail_five();
	assert_string_equal(state_of("one"), "observe");
	assert_int_equal(breaker_of("one")->trips, 1);
	assert_int_equal(breaker_of("one")->spared, 0);
	assert_int_equal(breaker_admit(breaker_of("one"), 9, world.now_ns, &permit),
			 BREAKER_ADMITTED);
	assert_int_equal(breaker_of("one")->spared, 1);
	live_days(6);
	assert_string_equal(state_of("one"), "observe");
	wait_s(24 * 3600 - 1);
	assert_string_equal(state_of("one"), "observe");
	wait_s(1);
	assert_string_equal(state_of("one"), "closed");
	fail_five();
	assert_int_equal(call("one", "1"), ERROR_BREAKER_OPEN);
	live_days(0);
	live_days(100);		/* once is once */
	assert_string_equal(state_of("one"), "half_open");
	order("reset one");
	live_days(0);
	assert_string_equal(state_of("one"), "closed");
	die();
}

static void the_date_is_of_the_wall(void **state)
{
	(void)state;
	begin_as(BREAKER_ROLLS_OUT);
	world.now_ns = 10 * NS_PER_S;		/* the machine was off for six days */
	wall_ns += 6 * DAY_NS;
	live_again();
	assert_string_equal(state_of("one"), "observe");
	wall_ns += 2 * DAY_NS;		/* as it comes to know the time */
	look_at_the_date();
	assert_string_equal(state_of("one"), "closed");
	wall_ns -= 30 * DAY_NS;		/* then it was seen in the future: */
	live_again();				/* a week from now on, and no longer */
	assert_string_equal(state_of("one"), "observe");
	wait_s(7 * 24 * 3600);
	assert_string_equal(state_of("one"), "closed");
	die();
	begin_as(BREAKER_ROLLS_OUT);
	wall_ns = 0;
	live_again();				/* nobody knows the time */
	assert_string_equal(state_of("one"), "closed");
	die();
}

static void reload_as(enum breaker_mode mode)
{
	static struct catalog next;

	next = catalog;
	next.tools[0].breaker = mode;
	for (uint32_t i = 0; i < next.tool_count; i++)	/* or schemas are compared */
		next.tools[i].class = next.tools[i].class == TOOL_PURE ?
				      TOOL_IDEMPOTENT : TOOL_PURE;
	next.generation = world.router->catalog->generation + 1;
	catalog = next;
	router_world_reload(&world, &next);
}

static void its_manifest_ends_it(void **state)
{
	(void)state;
	begin_as(BREAKER_ROLLS_OUT);
	reload_as(BREAKER_ENFORCES);
	assert_string_equal(state_of("one"), "closed");
	live_again();
	assert_string_equal(state_of("one"), "closed");
	reload_as(BREAKER_ROLLS_OUT);		/* it is as old as it was */
	assert_string_equal(state_of("one"), "observe");
	live_days(7);
	assert_string_equal(state_of("one"), "closed");
	reload_as(BREAKER_OBSERVES);
	wait_s(50 * 24 * 3600);
	assert_string_equal(state_of("one"), "observe");
	die();
}

static void isolation_goes_before(void **state)
{
	(void)state;
	begin_as(BREAKER_ROLLS_OUT);
	order("isolate one 600");
	assert_int_equal(call("one", "1"), ERROR_BREAKER_OPEN);
	live_again();
	assert_string_equal(state_of("one"), "forced_open");
	wait_s(601);
	assert_string_equal(state_of("one"), "observe");
	order("isolate one 600");
	order("reset one");
	assert_string_equal(state_of("one"), "observe");
	die();
}

static void rows_of_before_have_no_date(void **state)
{
	(void)state;
	begin();
	order("isolate one 600");
	die();
	wall_ns = 20000 * DAY_NS;
	catalog.tools[0].breaker = BREAKER_ROLLS_OUT;
	assert_int_equal(live(), 0);		/* known, and new as of today */
	assert_string_equal(state_of("one"), "forced_open");
	order("reset one");
	assert_string_equal(state_of("one"), "observe");
	live_days(8);
	assert_string_equal(state_of("one"), "closed");
	name_tools("three", "two");
	live_again();
	assert_true(nothing_is_kept());
	die();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isolation_has_the_same_end),
		cmocka_unit_test(it_ends_while_nobody_is_there),
		cmocka_unit_test(reset_is_kept_as_well),
		cmocka_unit_test(rows_follow_names),
		cmocka_unit_test(what_goes_while_it_runs_is_dropped),
		cmocka_unit_test(the_clock_begins_anew),
		cmocka_unit_test(a_call_writes_nothing),
		cmocka_unit_test(damage_is_dropped),
		cmocka_unit_test(the_first_days_are_observed),
		cmocka_unit_test(the_date_is_of_the_wall),
		cmocka_unit_test(its_manifest_ends_it),
		cmocka_unit_test(isolation_goes_before),
		cmocka_unit_test(rows_of_before_have_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
