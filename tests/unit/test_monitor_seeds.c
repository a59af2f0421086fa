/*
 * The monitor's core over thousands of seeds: it holds, in the end it always
 * leaves, the same seed gives the same trace, and each thing that is to happen
 * sometimes is seen to.
 */
#include "tests/support/test.h"

#include "common/core/deadline.h"
#include "tests/support/monitor_world.h"
#include "tests/support/seeds.h"

#define STEPS 60
#define STEPS_LONG 2000		/* of each hundredth seed: a brownout takes its time */

static const char *const sometimes_names[SOMETIMES_COUNT] = {
	"ready", "crash", "hung", "leaked", "crashloop", "probation", "failed", "up",
	"not started", "router died", "switched", "rolled back", "changed back",
	"brownout", "drained", "ordered", "oom", "policy", "normal", "exited",
	"taken", "bound", "linked", "no entry",
};

/* There have been four at each of four places; 0: none. */
static uint32_t some_workspace(struct world *world)
{
	uint32_t place = (uint32_t)random_below(&world->random, 5);
	uint32_t turn = (uint32_t)random_below(&world->random, 4);

	return place ? turn * CONTROL_WORKSPACES_MAX + place : 0;
}

/* The router says something, mostly sensible. */
static void router_speaks(struct world *world)
{
	static const uint8_t kinds[] = { CONTROL_WANT, CONTROL_WANT, CONTROL_USEFUL,
					 CONTROL_RECYCLE, CONTROL_KILL, CONTROL_PROBED,
					 CONTROL_POOL_ORDER, CONTROL_KIND_COUNT };
	uint32_t slot = (uint32_t)random_below(&world->random, 12);
	struct core_event event = { .kind = CORE_RECORD };

	event.record = (struct control){
		.kind = kinds[random_below(&world->random, COUNT(kinds))],
		.slot = slot, .generation = world->core.slots[slot].generation,
		.pool = (uint16_t)random_below(&world->random, 7),
		.argument = random_below(&world->random, 4),
		.detail = (uint8_t)(world_chance(world, 10) ? POOL_DISABLE : POOL_RESET + 2),
	};
	if (event.record.kind == CONTROL_WANT || event.record.kind >= CONTROL_PROBED)
		event.record.generation = world->core.catalog;
	if (event.record.kind == CONTROL_WANT && world_chance(world, 20))
		event.record.workspace = some_workspace(world);
	world_seen[SOMETIMES_DRAINED] += event.record.kind == CONTROL_RECYCLE;
	if (world->processes[CORE_ROUTER].phase == 3)
		world_step(world, event);
}

static void workspace_comes_or_goes(struct world *world)
{
	struct core_event event = { .kind = CORE_WORKSPACE_CAME,
				    .value = some_workspace(world) };
	uint32_t there = !event.value ? 0 :
		world->core.workspaces[control_workspace_place((uint32_t)event.value)];

	if (there) {
		event.kind = CORE_WORKSPACE_GONE;
		event.value = world_chance(world, 80) ? there : event.value;
	}
	world_step(world, event);
}

static void print_slot(const struct world *world, uint32_t i, uint64_t seed)
{
	const struct core_slot *slot = &world->core.slots[i];

	if (slot->state != WORKER_FREE)
		print_message("# seed %llu slot %u %s timer %lld facts %u/%u\n",
			      (unsigned long long)seed, i, worker_state_name(slot->state),
			      (long long)(slot->timer_ns - world->now_ns), slot->facts,
			      world->processes[i].facts);
}

static uint64_t run(struct world *world, uint64_t seed)
{
	int steps = seed % 100 == 1 ? STEPS_LONG : STEPS;

	world_begin(world, seed);
	for (int i = 0; i < steps && !world->exited; i++) {
		unsigned dice = (unsigned)random_below(&world->random, 100);

		if (dice < 12)
			router_speaks(world);
		else if (dice < 14)
			world_reload(world);
		else if (dice < 15)
			world->now_ns += 20 * NS_PER_S;	/* the host was asleep */
		else if (dice < 17)
			workspace_comes_or_goes(world);
		else
			world_advance(world);
	}
	world_step(world, (struct core_event){ .kind = CORE_STOP });
	for (int i = 0; i < 2000 && !world->exited; i++)
		world_advance(world);
	if (!world->exited)
		for (uint32_t i = 0; i < CORE_SLOTS; i++)
			print_slot(world, i, seed);
	assert_true(world->exited);
	return world->trace;
}

static void test_holds_for_every_seed(void **state)
{
	static struct world world;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS(10000, 2000); seed++)
		run(&world, seed);
	for (int i = 0; i < SOMETIMES_COUNT; i++) {
		print_message("# %-12s %llu\n", sometimes_names[i],
			      (unsigned long long)world_seen[i]);
		test_row(world_seen[i] > 0, "never seen: %s", sometimes_names[i]);
	}
}

static void test_same_seed_same_trace(void **state)
{
	static struct world world;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint64_t first = run(&world, seed);

		assert_int_equal(run(&world, seed), first);
	}
	assert_int_not_equal(run(&world, 1), run(&world, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_holds_for_every_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
