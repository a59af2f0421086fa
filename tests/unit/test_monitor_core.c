/*
 * The monitor's core: a worker's table, and single behaviours.
 */
#include "tests/support/test.h"

#include <inttypes.h>
#include <string.h>

#include "common/core/deadline.h"
#include "tests/support/monitor_world.h"

#define MS NS_PER_MS

/* ---- a worker's table ---- */

static void test_a_worker_reaches_no_assertion(void **state)
{
	(void)state;
	for (enum worker_state s = WORKER_SPAWNING; s <= WORKER_LEAKED; s++)
		for (enum worker_event e = WORKER_EVENT_STARTED; e <= WORKER_EVENT_DIED; e++)
			test_row(worker_step(s, e).action != WORKER_IMPOSSIBLE,
				 "%s has no answer to event %d", worker_state_name(s), (int)e);
}

static void test_every_state_is_left_in_time(void **state)
{
	(void)state;
	for (enum worker_state s = WORKER_SPAWNING; s < WORKER_LEAKED; s++) {
		enum worker_state at = s;

		for (int n = 0; n < 6 && at != WORKER_LEAKED; n++)
			at = worker_step(at, WORKER_EVENT_TIMEOUT).next;
		test_row(at == WORKER_LEAKED, "%s stays", worker_state_name(s));
	}
	for (enum worker_state s = WORKER_SPAWNING; s <= WORKER_LEAKED; s++)
		assert_int_equal(worker_step(s, WORKER_EVENT_DIED).next, WORKER_DEAD);
}

/* ---- single behaviours, on a small world without chance ---- */

static void settle_down(struct world *world, int64_t until_ns)
{
	while (world->now_ns < until_ns) {
		int64_t before = world->now_ns;

		world_advance(world);
		if (world->now_ns == before && core_next_ns(&world->core) > until_ns)
			world->now_ns++;
	}
}

static void one_pool(struct world *world, struct core_pool_spec spec)
{
	world_begin(world, 4);	/* not lossy */
	world_step(world, (struct core_event){ .kind = CORE_STOP });
	for (int i = 0; i < 2000 && !world->exited; i++)
		world_advance(world);
	memset(world->processes, 0, sizeof(world->processes));
	world->exited = false;
	world->stopped_ns = 0;
	world->immortal = false;
	world->spec_count = 1;
	world->specs[0] = spec;
	core_init(&world->core, 1, 0, DEADLINE_NEVER, world->now_ns);
	world->spawned_ns = 0;
	world_reload(world);
}

static void test_crash_loop_cools_down(void **state)
{
	static struct world world;
	unsigned spawns = 0;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .fixed = true, .size = 1,
						  .warm = 1, .start_ns = NS_PER_S });
	int64_t end_ns = world.now_ns + 60 * NS_PER_S;
	uint32_t last = 0;

	while (world.now_ns < end_ns) {
		for (uint32_t i = 0; i < CORE_ROUTER; i++)	/* dies as it starts */
			if (world.processes[i].exists && !world.processes[i].facts &&
			    world.processes[i].dies_ns == DEADLINE_NEVER) {
				spawns += world.processes[i].generation != last;
				last = world.processes[i].generation;
				world.processes[i].dies_ns = world.now_ns + 5 * MS;
				world.processes[i].next_ns = DEADLINE_NEVER;
			}
		world_advance(&world);
	}
	test_row(spawns >= 3 && spawns <= 5, "%u spawns in 60 s", spawns);
}

/* Who asks for a pool again is not told to wait for what it did before. */
static void test_an_order_is_not_waited_for(void **state)
{
	static struct world world;
	struct core_event reset = { .kind = CORE_RECORD };
	const struct core_slot *slot = &world.core.slots[0];

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .fixed = true, .size = 1,
						  .warm = 1, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	reset.record = (struct control){ .kind = CONTROL_POOL_ORDER, .detail = POOL_RESET,
					 .generation = world.core.catalog };
	world.core.restarts.period_ns = 600 * NS_PER_S;
	for (unsigned i = 0; i < world.core.restarts.most; i++)
		world.core.restarts.at_ns[i] = world.now_ns;	/* it is spent */
	world.lossy = true;		/* by signals, most of them */
	for (int i = 0; i < 20 && slot->state != WORKER_BACKOFF; i++) {
		world.processes[0].dies_ns = world.now_ns;
		settle_down(&world, world.now_ns + 2 * NS_PER_S);
	}
	assert_int_equal(slot->state, WORKER_BACKOFF);
	world.lossy = false;
	world_step(&world, reset);
	assert_int_not_equal(slot->state, WORKER_BACKOFF);
	settle_down(&world, world.now_ns + NS_PER_S);
	assert_int_equal(slot->state, WORKER_READY);
}

/* The most starts after a failure within any period, of workers that die once ready. */
static unsigned most_starts(bool single_use, int64_t period_ns)
{
	static struct world world;
	static int64_t at_ns[4096];
	static char names[CORE_POOLS / 2][4];
	uint32_t last[CORE_ROUTER] = { 0 };
	unsigned count = 0, most = 0, oldest = 0;

	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 1 });
	for (uint32_t i = 0; i < COUNT(world.specs); i++) {
		snprintf(names[i], sizeof(names[i]), "%02u", i);
		world.specs[i] = (struct core_pool_spec){
			.name = names[i], .hash = 1, .fixed = !single_use,
			.single_use = single_use, .size = 4, .warm = 4, .start_ns = NS_PER_S };
	}
	world.spec_count = COUNT(world.specs);
	core_init(&world.core, 1, 0, DEADLINE_NEVER, world.now_ns);
	world.spawned_ns = 0;
	memset(world.processes, 0, sizeof(world.processes));
	world.lossy = true;	/* by signals, most of them */
	world_reload(&world);
	for (int64_t end_ns = world.now_ns + 120 * NS_PER_S; world.now_ns < end_ns;
	     world_advance(&world))
		for (uint32_t i = 0; i < CORE_ROUTER; i++) {
			struct process *process = &world.processes[i];

			if (process->exists && process->dies_ns == DEADLINE_NEVER &&
			    world.core.slots[i].state == WORKER_READY)
				process->dies_ns = world.now_ns + 5 * MS;
			if (!process->exists || process->generation == last[i])
				continue;
			if (world.core.slots[i].failed && count < COUNT(at_ns))
				at_ns[count++] = world.now_ns;
			last[i] = process->generation;
			while (count && at_ns[count - 1] - at_ns[oldest] >= period_ns)
				oldest++;
			most = count - oldest > most ? count - oldest : most;
		}
	return most;
}

static void test_restarts_are_bounded_in_any_period(void **state)
{
	unsigned restarts = most_starts(false, 60 * NS_PER_S);
	unsigned jobs = most_starts(true, NS_PER_S);

	(void)state;
	test_row(restarts >= 20 && restarts <= 30, "%u restarts in 60 s", restarts);
	test_row(jobs >= 40 && jobs <= 50, "%u starts of jobs in a second", jobs);
}

/* Without it nobody is served: after a good run it comes back at once. */
static void test_the_router_is_back_at_once(void **state)
{
	static struct world world;
	struct process *router = &world.processes[CORE_ROUTER];
	int64_t longest_ns = 0;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .fixed = true, .size = 1,
						  .warm = 1, .start_ns = NS_PER_S });
	for (int n = 0; n < 30; n++) {
		settle_down(&world, world.now_ns + 20 * NS_PER_S);
		assert_true(router->exists);
		int64_t killed_ns = router->dies_ns = world.now_ns + MS;
		uint32_t generation = router->generation;

		while (world.core.slots[CORE_ROUTER].state != WORKER_READY ||
		       router->generation == generation)
			world_advance(&world);
		if (world.now_ns - killed_ns > longest_ns)
			longest_ns = world.now_ns - killed_ns;
	}
	test_row(longest_ns < NS_PER_S, "away for %" PRId64 " ms", longest_ns / MS);
}

/* The process is the same afterwards, with a link; or another, if it cannot. */
static void test_who_outlives_the_router_is_linked_anew(void **state)
{
	static struct world world;
	struct process *router = &world.processes[CORE_ROUTER], *worker = &world.processes[0];

	(void)state;
	for (int outlives = 0; outlives < 2; outlives++) {
		one_pool(&world, (struct core_pool_spec){ .name = "x", .fixed = true, .size = 1,
							  .warm = 1, .start_ns = NS_PER_S });
		while (!worker->exists)
			world_advance(&world);
		worker->outlives = outlives;
		settle_down(&world, world.now_ns + 20 * NS_PER_S);
		uint32_t generation = worker->generation;

		router->dies_ns = world.now_ns + MS;
		settle_down(&world, world.now_ns + 20 * NS_PER_S);
		assert_int_equal(worker->exists && worker->generation == generation, outlives);
		assert_int_equal(worker->linked, outlives ? router->generation : 0);
		assert_int_equal(world.core.slots[!outlives].state, WORKER_READY);
	}
}

static void test_wants_grow_slowly_and_to_the_size(void **state)
{
	static struct world world;
	struct core_event want = { .kind = CORE_RECORD };

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 4, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	want.record = (struct control){ .kind = CONTROL_WANT, .argument = 9,
					.generation = world.core.catalog };
	world_step(&world, want);
	unsigned running = 0, held = 0;

	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		running += world.processes[i].exists;
		held += world.core.slots[i].state != WORKER_FREE;
	}
	assert_int_equal(running, 1);
	assert_int_equal(held, 4);
	settle_down(&world, world.now_ns + 3 * NS_PER_S);
	running = 0;
	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		running += world.core.slots[i].state == WORKER_READY;
	assert_int_equal(running, 4);
}

static unsigned count_alive(const struct world *world, uint32_t workspace)
{
	unsigned ret = 0;

	for (uint32_t i = 0; i < CORE_ROUTER; i++)
		ret += world->core.slots[i].state >= WORKER_BACKOFF &&
		       world->core.slots[i].state <= WORKER_SUSPECT &&
		       world->core.slots[i].workspace == workspace;
	return ret;
}

static void test_each_workspace_has_its_spares(void **state)
{
	static struct world world;
	struct core_event event = { .kind = CORE_WORKSPACE_CAME };

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 5, .warm = 2,
		.bound = true, .single_use = true, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	assert_int_equal(count_alive(&world, 7), 0);
	for (event.value = 7; event.value <= 8; event.value++)
		world_step(&world, event);
	assert_int_equal(count_alive(&world, 7), 2);
	assert_int_equal(count_alive(&world, 8), 1);	/* half is left to be asked for */
	settle_down(&world, world.now_ns + NS_PER_S);
	world.core.slots[0].useful = true;	/* a job of it ends */
	world.processes[0].dies_ns = world.now_ns;
	settle_down(&world, world.now_ns + NS_PER_S);
	assert_int_equal(count_alive(&world, 7), 2);
	event = (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = 7 };
	world_step(&world, event);
	assert_int_equal(count_alive(&world, 7), 0);
	assert_int_equal(count_alive(&world, 8), 2);
}

/* What is wanted for one that is no more is not had from the next at its place. */
static void test_a_workspace_that_is_gone_stays_so(void **state)
{
	static struct world world;
	const uint32_t old = 7, fresh = 7 + CONTROL_WORKSPACES_MAX;
	uint64_t refused = world_seen[SOMETIMES_NO_ENTRY];
	struct core_event want = { .kind = CORE_RECORD };

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 4, .bound = true,
						  .single_use = true, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	want.record = (struct control){ .kind = CONTROL_WANT, .argument = 1, .workspace = old,
					.generation = world.core.catalog };
	world_step(&world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = old });
	world_step(&world, want);
	assert_int_equal(count_alive(&world, old), 1);
	world_step(&world, (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = old });
	world_step(&world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = fresh });
	assert_int_equal(world_seen[SOMETIMES_NO_ENTRY], refused);
	world_step(&world, want);
	assert_int_equal(world_seen[SOMETIMES_NO_ENTRY], refused + 1);
	world_step(&world, (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = old });
	assert_int_equal(count_alive(&world, old), 0);
	assert_int_equal(count_alive(&world, fresh), 0);
	want.record.workspace = fresh;
	world_step(&world, want);
	assert_int_equal(world_seen[SOMETIMES_NO_ENTRY], refused + 1);
	assert_int_equal(count_alive(&world, fresh), 1);
}

static void test_a_job_that_has_its_call_is_no_spare(void **state)
{
	static struct world world;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 3, .warm = 1,
		.single_use = true, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	assert_int_equal(count_alive(&world, 0), 1);
	for (uint32_t i = 0; i < 4; i++) {
		struct core_event event = world_event(&world, CORE_BEAT, i);

		event.beat.kind = BEAT_TAKEN;
		world_step(&world, event);
		assert_int_equal(count_alive(&world, 0), i < 2 ? i + 2 : 3);
		settle_down(&world, world.now_ns + NS_PER_S);
	}
}

/* Asks for a worker in a workspace ten times, where each start fails like that. */
static enum restart_state state_after_starts(struct world *world, enum start_fault fault)
{
	one_pool(world, (struct core_pool_spec){ .name = "x", .size = 4, .bound = true,
						 .single_use = true, .start_ns = NS_PER_S });
	settle_down(world, world->now_ns + NS_PER_S);
	world_step(world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = 7 });
	for (int n = 0; n < 10; n++) {
		world_step(world, (struct core_event){
			.kind = CORE_RECORD,
			.record = { .kind = CONTROL_WANT, .argument = 1, .workspace = 7,
				    .generation = world->core.catalog } });
		for (uint32_t i = 0; i < CORE_ROUTER; i++) {
			struct core_event event = world_event(world, CORE_NOT_STARTED, i);

			if (world->core.slots[i].state != WORKER_SPAWNING)
				continue;
			event.value = 2;
			event.fault = fault;
			event.facts = world->processes[i].facts = FACT_ALL;
			world_step(world, event);
		}
		world->now_ns += NS_PER_S;
	}
	return world->core.pools[0].restart.state;
}

static void test_a_callers_directory_fails_no_pool(void **state)
{
	static struct world world;
	enum restart_state after = state_after_starts(&world, START_FAULT_WORKSPACE);

	(void)state;
	test_row(after == RESTART_UP || after == RESTART_DEGRADED, "it is %s",
		 restart_state_name(after));
	assert_int_equal(state_after_starts(&world, START_FAULT_HOPELESS), RESTART_FAILED);
	assert_int_equal(state_after_starts(&world, START_FAULT_PASSING),
			 RESTART_CRASHLOOP);
}

/* The router sees the end of the link before the monitor sees that of the worker. */
static void test_a_link_that_ends_first_hides_no_status(void **state)
{
	static struct world world;
	struct core_event event;
	const uint32_t i = 0;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .fixed = true, .size = 1,
						  .warm = 1, .start_ns = NS_PER_S });
	while (world.core.slots[i].state != WORKER_STARTING)
		world_advance(&world);
	event = world_event(&world, CORE_RECORD, i);
	event.record = (struct control){ .kind = CONTROL_KILL, .slot = i,
					 .generation = event.generation,
					 .detail = KILL_PROTOCOL };
	world_step(&world, event);
	assert_false(world.core.slots[i].forced);
	event = world_event(&world, CORE_FACTS, i);
	event.facts = world.processes[i].facts = FACT_ALL;
	event.exit_status = 78;
	world_step(&world, event);
	assert_int_equal(world.core.pools[0].restart.state, RESTART_FAILED);
}

static void test_the_idle_leave(void **state)
{
	static struct world world;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 1, .warm = 1,
						  .start_ns = NS_PER_S });
	world.core.idle_ns = 60 * NS_PER_S;
	int64_t start_ns = world.now_ns;

	for (int i = 0; i < 100000 && !world.exited; i++)
		world_advance(&world);
	assert_true(world.exited);
	assert_int_equal(world.core.exit_status, 0);
	assert_true(world.now_ns - start_ns >= 60 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_worker_reaches_no_assertion),
		cmocka_unit_test(test_every_state_is_left_in_time),
		cmocka_unit_test(test_crash_loop_cools_down),
		cmocka_unit_test(test_an_order_is_not_waited_for),
		cmocka_unit_test(test_restarts_are_bounded_in_any_period),
		cmocka_unit_test(test_the_router_is_back_at_once),
		cmocka_unit_test(test_who_outlives_the_router_is_linked_anew),
		cmocka_unit_test(test_wants_grow_slowly_and_to_the_size),
		cmocka_unit_test(test_each_workspace_has_its_spares),
		cmocka_unit_test(test_a_workspace_that_is_gone_stays_so),
		cmocka_unit_test(test_a_job_that_has_its_call_is_no_spare),
		cmocka_unit_test(test_a_callers_directory_fails_no_pool),
		cmocka_unit_test(test_a_link_that_ends_first_hides_no_status),
		cmocka_unit_test(test_the_idle_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
