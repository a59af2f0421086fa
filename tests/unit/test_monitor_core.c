/*
 * The monitor's core against a world of processes that start, crash, hang, lie
 * and refuse to die, at the word of a seed. What must hold is checked after
 * each step; the same seed gives the same trace; each thing that is to happen
 * sometimes is seen to.
 */
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/deadline.h"
#include "supervisor/monitor/monitor_core.h"
#include "tests/support/seeds.h"

#define STEPS 60
#define MS NS_PER_MS
#define RECENT 64

enum sometimes {
	SOMETIMES_READY, SOMETIMES_CRASH, SOMETIMES_HUNG, SOMETIMES_LEAKED,
	SOMETIMES_CRASHLOOP, SOMETIMES_PROBATION, SOMETIMES_FAILED, SOMETIMES_UP,
	SOMETIMES_NOT_STARTED, SOMETIMES_ROUTER_DIED, SOMETIMES_SWITCHED,
	SOMETIMES_ROLLED_BACK, SOMETIMES_CHANGED_BACK, SOMETIMES_BROWNOUT,
	SOMETIMES_DRAINED, SOMETIMES_ORDERED, SOMETIMES_OOM, SOMETIMES_POLICY,
	SOMETIMES_NORMAL, SOMETIMES_EXITED, SOMETIMES_TAKEN, SOMETIMES_BOUND,
	SOMETIMES_LINKED, SOMETIMES_NO_ENTRY,
	SOMETIMES_COUNT
};
static const char *const sometimes_names[SOMETIMES_COUNT] = {
	"ready", "crash", "hung", "leaked", "crashloop", "probation", "failed", "up",
	"not started", "router died", "switched", "rolled back", "changed back",
	"brownout", "drained", "ordered", "oom", "policy", "normal", "exited",
	"taken", "bound", "linked", "no entry",
};
static uint64_t seen[SOMETIMES_COUNT];

/* What really runs on a slot. */
struct process {
	bool exists;
	uint32_t generation;
	int phase;		/* 0 cloned, 1 exec'd, 2 greeted, 3 serving */
	bool hangs, outlives;
	uint32_t linked;	/* to the router of that generation */
	int64_t next_ns;	/* its next word */
	int64_t dies_ns;	/* DEADLINE_NEVER: not yet */
	unsigned facts;
};

struct world {
	struct random random;
	struct core core;
	struct core_actions actions;
	struct process processes[CORE_SLOTS];
	int64_t now_ns;
	uint64_t trace;
	struct core_pool_spec specs[CORE_POOLS / 2];
	uint32_t spec_count;
	bool broken;		/* the newest programs crash at once */
	bool lossy;		/* this seed has faults at all */
	bool immortal;		/* some ignore even a kill for a while */
	int64_t restarts_ns[RECENT];
	unsigned restarts;
	int64_t stopped_ns, spawned_ns;
	bool exited;
};

static bool chance(struct world *world, unsigned percent)
{
	return random_below(&world->random, 100) < percent;
}

static int64_t soon(struct world *world, int64_t most_ms)
{
	return world->now_ns + MS * (int64_t)random_below(&world->random,
							  (uint64_t)most_ms + 1);
}

static void mix(struct world *world, uint64_t value)
{
	world->trace = (world->trace ^ value) * UINT64_C(0x100000001b3);
}

static void step(struct world *world, struct core_event event);

static bool is_there(const struct world *world, uint32_t workspace)
{
	return world->core.workspaces[control_workspace_place(workspace)] == workspace;
}

static void spawn(struct world *world, const struct core_action *action)
{
	struct process *process = &world->processes[action->slot];
	const struct core_slot *slot = &world->core.slots[action->slot];

	assert_false(process->exists);	/* one process a slot */
	assert_true(action->generation > process->generation);
	if (action->slot != CORE_ROUTER) {
		assert_true(world->processes[CORE_ROUTER].exists);
		assert_int_not_equal(world->core.state, SUPERVISOR_DRAINING);
	}
	if (slot->failed && !world->core.pools[slot->pool].spec.single_use) {
		int64_t *oldest = &world->restarts_ns[world->restarts % 30];

		assert_true(world->restarts < 30 ||
			    world->now_ns - *oldest >= 59 * NS_PER_S);
		*oldest = world->now_ns;
		world->restarts++;
	}
	assert_true(slot->workspace == 0 || is_there(world, slot->workspace));
	seen[SOMETIMES_BOUND] += slot->workspace != 0;
	*process = (struct process){ .exists = true, .generation = action->generation,
				     .next_ns = soon(world, 20),
				     .dies_ns = DEADLINE_NEVER };
	if (!world->lossy)
		return;
	process->outlives = chance(world, 50);
	process->hangs = chance(world, 3);
	if (action->slot == CORE_ROUTER ? chance(world, 10) : chance(world, 30))
		process->dies_ns = soon(world, chance(world, 50) ? 30 : 20000);
	if (world->broken && action->slot != CORE_ROUTER &&
	    world->core.pools[slot->pool].fresh)
		process->dies_ns = soon(world, 5);
}

static void note_end(enum slot_end end)
{
	static const enum sometimes of[SLOT_END_COUNT] = {
		[SLOT_END_NORMAL] = SOMETIMES_NORMAL, [SLOT_END_ORDERED] = SOMETIMES_ORDERED,
		[SLOT_END_EXIT] = SOMETIMES_CRASH, [SLOT_END_SIGNAL] = SOMETIMES_CRASH,
		[SLOT_END_OOM] = SOMETIMES_OOM, [SLOT_END_POLICY] = SOMETIMES_POLICY,
		[SLOT_END_HUNG] = SOMETIMES_HUNG, [SLOT_END_START] = SOMETIMES_NOT_STARTED,
	};

	seen[of[end]]++;
}

static void note_pool(const struct control *record)
{
	static const enum sometimes of[RESTART_STATE_COUNT] = {
		[RESTART_CRASHLOOP] = SOMETIMES_CRASHLOOP,
		[RESTART_PROBATION] = SOMETIMES_PROBATION,
		[RESTART_FAILED] = SOMETIMES_FAILED, [RESTART_UP] = SOMETIMES_UP,
	};

	if (record->kind == CONTROL_POOL_STATE && of[record->detail])
		seen[of[record->detail]]++;
}

static void take(struct world *world, const struct core_action *action)
{
	struct process *process = action->slot < CORE_SLOTS ?
				  &world->processes[action->slot] : NULL;

	mix(world, (uint64_t)action->kind << 32 | action->slot << 8 | (unsigned)action->value);
	switch (action->kind) {
	case ACTION_SPAWN:	/* it takes long: the rest is heard in between */
		assert_true(world->now_ns > world->spawned_ns);
		world->spawned_ns = world->now_ns;
		spawn(world, action);
		break;
	case ACTION_LINK:	/* once in each life of the router, if it asked to be */
		assert_true(process->exists && world->processes[CORE_ROUTER].exists);
		assert_true(process->outlives);
		assert_true(process->linked != world->processes[CORE_ROUTER].generation);
		process->linked = world->processes[CORE_ROUTER].generation;
		seen[SOMETIMES_LINKED]++;
		break;
	case ACTION_SIGNAL:
		assert_true(process->exists);
		if (!process->hangs && process->dies_ns == DEADLINE_NEVER)
			process->dies_ns = soon(world, 300);
		break;
	case ACTION_KILL:
		assert_true(process->exists);
		if (world->immortal && chance(world, 20))
			process->dies_ns = soon(world, 6000);
		else if (process->dies_ns > world->now_ns)
			process->dies_ns = soon(world, 3);
		break;
	case ACTION_COLLECT:
		assert_true(process->exists);
		assert_int_equal(process->facts, FACT_ALL);	/* all four, always */
		process->exists = false;
		note_end((enum slot_end)action->value);
		seen[SOMETIMES_ROUTER_DIED] += action->slot == CORE_ROUTER;
		break;
	case ACTION_LEAKED:
		seen[SOMETIMES_LEAKED]++;
		break;
	case ACTION_TELL:
		note_pool(&action->record);
		seen[SOMETIMES_NO_ENTRY] += action->record.kind == CONTROL_NO_ENTRY &&
					    !is_there(world, action->record.workspace);
		break;
	case ACTION_SWITCH:
		seen[action->value ? SOMETIMES_CHANGED_BACK : SOMETIMES_SWITCHED]++;
		break;
	case ACTION_SETTLE:
		seen[SOMETIMES_ROLLED_BACK] += action->value == 1;
		break;
	case ACTION_STATE:
		seen[SOMETIMES_BROWNOUT] += action->value == SUPERVISOR_BROWNOUT;
		if (action->value == SUPERVISOR_DRAINING && !world->stopped_ns)
			world->stopped_ns = world->now_ns;
		break;
	case ACTION_EXIT:
		assert_false(world->exited);
		world->exited = true;
		seen[SOMETIMES_EXITED]++;
		break;
	case ACTION_POOL:
		break;
	}
}

/* No pool is larger than it may be, and nothing waits for nothing. */
static void check(const struct world *world)
{
	unsigned alive[CORE_POOLS + 1] = { 0 };
	bool busy = false;

	core_check(&world->core);
	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		const struct core_slot *slot = &world->core.slots[i];
		bool running = slot->state >= WORKER_SPAWNING && slot->state < WORKER_DEAD;

		assert_int_equal(running, world->processes[i].exists);
		if (slot->state == WORKER_FREE)
			continue;
		busy |= running;
		if (slot->state >= WORKER_BACKOFF && slot->state <= WORKER_SUSPECT)
			alive[slot->pool]++;
		assert_true(slot->workspace == 0 || is_there(world, slot->workspace) ||
			    slot->state < WORKER_BACKOFF || slot->state > WORKER_SUSPECT);
		assert_true(!running || slot->timer_ns != DEADLINE_NEVER);
	}
	for (unsigned i = 0; i <= CORE_POOLS; i++)
		test_row(!world->core.pools[i].used ||
			 world->core.state == SUPERVISOR_DRAINING ||
			 alive[i] <= world->core.pools[i].spec.size,
			 "pool %u has %u workers", i, alive[i]);
	assert_true(!busy || core_next_ns(&world->core) != DEADLINE_NEVER);
	assert_true(!world->stopped_ns || world->exited ||
		    world->now_ns - world->stopped_ns <= 30 * NS_PER_S);
}

static void step(struct world *world, struct core_event event)
{
	if (world->exited)
		return;
	core_step(&world->core, &event, world->now_ns, &world->actions);
	mix(world, (uint64_t)event.kind << 56 ^ (uint64_t)world->now_ns);
	for (unsigned i = 0; i < world->actions.count; i++)
		take(world, &world->actions.list[i]);
	check(world);
}

static struct core_event of_slot(const struct world *world, enum core_event_kind kind,
				 uint32_t slot)
{
	return (struct core_event){ .kind = kind, .slot = slot, .exit_status = -1,
				    .generation = world->processes[slot].generation };
}

/* One of the facts of a death that is not known yet, in any order. */
static void tell_fact(struct world *world, uint32_t i)
{
	struct process *process = &world->processes[i];
	struct core_event event = of_slot(world, CORE_FACTS, i);
	unsigned left = FACT_ALL & ~process->facts;
	unsigned fact = 1U << random_below(&world->random, 4);

	event.facts = left & fact ? fact : left & (~left + 1);
	process->facts |= event.facts;
	process->dies_ns = soon(world, 2);
	if (event.facts & FACT_REAPED) {
		bool exits = !world->lossy || chance(world, 30);

		event.exit_status = !exits ? -1 : chance(world, 70) ? 0 : chance(world, 10) ? 78 : 1;
		event.signal = exits ? 0 : chance(world, 10) ? 31 : 9;
		event.oom = !exits && chance(world, 10);
		event.call = random_below(&world->random, 3);
	}
	step(world, event);
}

static void speak(struct world *world, uint32_t i)
{
	struct process *process = &world->processes[i];
	struct core_event event = of_slot(world, CORE_BEAT, i);

	process->next_ns = soon(world, process->phase < 2 ? 30 : 1000);
	if (process->phase == 0) {
		process->phase = 1;
		event.kind = CORE_STARTED;
		if (world->lossy && chance(world, 4)) {
			event.kind = CORE_NOT_STARTED;
			event.value = 2;
			event.fault = chance(world, 5) ? START_FAULT_HOPELESS : START_FAULT_PASSING;
			if (chance(world, 50))
				process->facts = event.facts = FACT_ALL;
			else if (process->dies_ns == DEADLINE_NEVER)
				process->dies_ns = soon(world, 5);
		}
	} else if (i == CORE_ROUTER) {
		process->phase = 3;
		event = (struct core_event){ .kind = CORE_RECORD,
					     .record = { .kind = CONTROL_BEAT } };
	} else if (process->phase < 3) {
		event.beat.kind = process->phase++ == 1 ? BEAT_HELLO : BEAT_READY;
		event.beat.value = event.beat.kind == BEAT_HELLO && process->outlives;
		seen[SOMETIMES_READY] += process->phase == 3;
	} else {
		event.beat.kind = world->lossy && chance(world, 1) ? 99 :
				  world->lossy && chance(world, 10) ? BEAT_TAKEN : BEAT_ALIVE;
		seen[SOMETIMES_TAKEN] += event.beat.kind == BEAT_TAKEN;
	}
	if (process->hangs && process->phase >= 2)
		process->next_ns = DEADLINE_NEVER;
	step(world, event);
}

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
		.detail = (uint8_t)(chance(world, 10) ? POOL_DISABLE : POOL_RESET + 2),
	};
	if (event.record.kind == CONTROL_WANT || event.record.kind >= CONTROL_PROBED)
		event.record.generation = world->core.catalog;
	if (event.record.kind == CONTROL_WANT && chance(world, 20))
		event.record.workspace = some_workspace(world);
	seen[SOMETIMES_DRAINED] += event.record.kind == CONTROL_RECYCLE;
	if (world->processes[CORE_ROUTER].phase == 3)
		step(world, event);
}

static void workspace_comes_or_goes(struct world *world)
{
	struct core_event event = { .kind = CORE_WORKSPACE_CAME,
				    .value = some_workspace(world) };
	uint32_t there = !event.value ? 0 :
		world->core.workspaces[control_workspace_place((uint32_t)event.value)];

	if (there) {
		event.kind = CORE_WORKSPACE_GONE;
		event.value = chance(world, 80) ? there : event.value;
	}
	step(world, event);
}

static void reload(struct world *world)
{
	if (!core_may_reload(&world->core))
		return;
	for (uint32_t i = 0; i < world->spec_count; i++)
		if (world->core.catalog && chance(world, 30))
			world->specs[i].hash++;
	world->broken = world->lossy && chance(world, 30);
	step(world, (struct core_event){ .kind = CORE_RELOADED, .specs = world->specs,
					 .spec_count = world->spec_count });
}

static void begin(struct world *world, uint64_t seed)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	memset(world, 0, sizeof(*world));
	random_init(&world->random, seed);
	world->now_ns = 1000 * NS_PER_S;
	world->trace = seed;
	world->lossy = seed % 4 != 0;
	world->immortal = seed % 3 == 0;
	world->spec_count = 3 + (uint32_t)random_below(&world->random, 4);
	core_init(&world->core, seed, 0, DEADLINE_NEVER, world->now_ns);
	for (uint32_t i = 0; i < world->spec_count; i++)
		world->specs[i] = (struct core_pool_spec){
			.name = names[i], .fixed = chance(world, 40),
			.single_use = chance(world, 40), .critical = chance(world, 20),
			.bound = chance(world, 15), .batch = chance(world, 20),
			.size = 1 + (uint32_t)random_below(&world->random, 4),
			.warm = 1, .start_ns = 2 * NS_PER_S,
			.recycle_age_ns = chance(world, 20) ? 3 * NS_PER_S : 0,
			.recycle_bytes = 100,
		};
	reload(world);
}

/* What happens next: the nearest thing due, in the world or in the core. */
static void advance(struct world *world)
{
	int64_t at_ns = core_next_ns(&world->core);
	uint32_t who = CORE_SLOTS;

	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		const struct process *process = &world->processes[i];
		int64_t due = process->dies_ns < process->next_ns || process->facts ?
			      process->dies_ns : process->next_ns;

		if (process->exists && due < at_ns) {
			at_ns = due;
			who = i;
		}
	}
	if (at_ns == DEADLINE_NEVER)
		at_ns = world->now_ns + NS_PER_S;
	if (at_ns > world->now_ns)
		world->now_ns = at_ns;
	if (who == CORE_SLOTS)
		step(world, (struct core_event){ .kind = CORE_TIMER });
	else if (world->processes[who].facts ||
		 world->processes[who].dies_ns <= world->now_ns)
		tell_fact(world, who);
	else
		speak(world, who);
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
	begin(world, seed);
	for (int i = 0; i < STEPS && !world->exited; i++) {
		unsigned dice = (unsigned)random_below(&world->random, 100);

		if (dice < 12)
			router_speaks(world);
		else if (dice < 14)
			reload(world);
		else if (dice < 15)
			world->now_ns += 20 * NS_PER_S;	/* the host was asleep */
		else if (dice < 17)
			workspace_comes_or_goes(world);
		else
			advance(world);
	}
	step(world, (struct core_event){ .kind = CORE_STOP });
	for (int i = 0; i < 2000 && !world->exited; i++)
		advance(world);
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
		print_message("# %-12s %llu\n", sometimes_names[i], (unsigned long long)seen[i]);
		test_row(seen[i] > 0, "never seen: %s", sometimes_names[i]);
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

		advance(world);
		if (world->now_ns == before && core_next_ns(&world->core) > until_ns)
			world->now_ns++;
	}
}

static void one_pool(struct world *world, struct core_pool_spec spec)
{
	begin(world, 4);	/* not lossy */
	step(world, (struct core_event){ .kind = CORE_STOP });
	for (int i = 0; i < 2000 && !world->exited; i++)
		advance(world);
	memset(world->processes, 0, sizeof(world->processes));
	world->exited = false;
	world->stopped_ns = 0;
	world->immortal = false;
	world->spec_count = 1;
	world->specs[0] = spec;
	core_init(&world->core, 1, 0, DEADLINE_NEVER, world->now_ns);
	world->spawned_ns = 0;
	reload(world);
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
		advance(&world);
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
	step(&world, reset);
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
	reload(&world);
	for (int64_t end_ns = world.now_ns + 120 * NS_PER_S; world.now_ns < end_ns; advance(&world))
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
			advance(&world);
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
			advance(&world);
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
	step(&world, want);
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
		step(&world, event);
	assert_int_equal(count_alive(&world, 7), 2);
	assert_int_equal(count_alive(&world, 8), 1);	/* half is left to be asked for */
	settle_down(&world, world.now_ns + NS_PER_S);
	world.core.slots[0].useful = true;	/* a job of it ends */
	world.processes[0].dies_ns = world.now_ns;
	settle_down(&world, world.now_ns + NS_PER_S);
	assert_int_equal(count_alive(&world, 7), 2);
	event = (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = 7 };
	step(&world, event);
	assert_int_equal(count_alive(&world, 7), 0);
	assert_int_equal(count_alive(&world, 8), 2);
}

/* What is wanted for one that is no more is not had from the next at its place. */
static void test_a_workspace_that_is_gone_stays_so(void **state)
{
	static struct world world;
	const uint32_t old = 7, fresh = 7 + CONTROL_WORKSPACES_MAX;
	uint64_t refused = seen[SOMETIMES_NO_ENTRY];
	struct core_event want = { .kind = CORE_RECORD };

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 4, .bound = true,
						  .single_use = true, .start_ns = NS_PER_S });
	settle_down(&world, world.now_ns + NS_PER_S);
	want.record = (struct control){ .kind = CONTROL_WANT, .argument = 1, .workspace = old,
					.generation = world.core.catalog };
	step(&world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = old });
	step(&world, want);
	assert_int_equal(count_alive(&world, old), 1);
	step(&world, (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = old });
	step(&world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = fresh });
	assert_int_equal(seen[SOMETIMES_NO_ENTRY], refused);
	step(&world, want);
	assert_int_equal(seen[SOMETIMES_NO_ENTRY], refused + 1);
	step(&world, (struct core_event){ .kind = CORE_WORKSPACE_GONE, .value = old });
	assert_int_equal(count_alive(&world, old), 0);
	assert_int_equal(count_alive(&world, fresh), 0);
	want.record.workspace = fresh;
	step(&world, want);
	assert_int_equal(seen[SOMETIMES_NO_ENTRY], refused + 1);
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
		struct core_event event = of_slot(&world, CORE_BEAT, i);

		event.beat.kind = BEAT_TAKEN;
		step(&world, event);
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
	step(world, (struct core_event){ .kind = CORE_WORKSPACE_CAME, .value = 7 });
	for (int n = 0; n < 10; n++) {
		step(world, (struct core_event){
			.kind = CORE_RECORD,
			.record = { .kind = CONTROL_WANT, .argument = 1, .workspace = 7,
				    .generation = world->core.catalog } });
		for (uint32_t i = 0; i < CORE_ROUTER; i++) {
			struct core_event event = of_slot(world, CORE_NOT_STARTED, i);

			if (world->core.slots[i].state != WORKER_SPAWNING)
				continue;
			event.value = 2;
			event.fault = fault;
			event.facts = world->processes[i].facts = FACT_ALL;
			step(world, event);
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

static void test_the_idle_leave(void **state)
{
	static struct world world;

	(void)state;
	one_pool(&world, (struct core_pool_spec){ .name = "x", .size = 1, .warm = 1,
						  .start_ns = NS_PER_S });
	world.core.idle_ns = 60 * NS_PER_S;
	int64_t start_ns = world.now_ns;

	for (int i = 0; i < 100000 && !world.exited; i++)
		advance(&world);
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
		cmocka_unit_test(test_the_idle_leave),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_holds_for_every_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
