#include "tests/support/monitor_world.h"

#include <assert.h>
#include <string.h>

#include "common/core/deadline.h"
#include "tests/support/test.h"

#define MS NS_PER_MS

uint64_t world_seen[SOMETIMES_COUNT];

bool world_chance(struct world *world, unsigned percent)
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
	world_seen[SOMETIMES_BOUND] += slot->workspace != 0;
	*process = (struct process){ .exists = true, .generation = action->generation,
				     .next_ns = soon(world, 20),
				     .dies_ns = DEADLINE_NEVER };
	if (!world->lossy)
		return;
	process->outlives = world_chance(world, 50);
	process->hangs = world_chance(world, 3);
	if (action->slot == CORE_ROUTER ? world_chance(world, 10) : world_chance(world, 30))
		process->dies_ns = soon(world, world_chance(world, 50) ? 30 : 20000);
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

	world_seen[of[end]]++;
}

static void note_pool(const struct control *record)
{
	static const enum sometimes of[RESTART_STATE_COUNT] = {
		[RESTART_CRASHLOOP] = SOMETIMES_CRASHLOOP,
		[RESTART_PROBATION] = SOMETIMES_PROBATION,
		[RESTART_FAILED] = SOMETIMES_FAILED, [RESTART_UP] = SOMETIMES_UP,
	};

	if (record->kind == CONTROL_POOL_STATE && of[record->detail])
		world_seen[of[record->detail]]++;
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
		assert(process);
		assert_true(process->exists && world->processes[CORE_ROUTER].exists);
		assert_true(process->outlives);
		assert_true(process->linked != world->processes[CORE_ROUTER].generation);
		process->linked = world->processes[CORE_ROUTER].generation;
		world_seen[SOMETIMES_LINKED]++;
		break;
	case ACTION_SIGNAL:
		assert(process);
		assert_true(process->exists);
		if (!process->hangs && process->dies_ns == DEADLINE_NEVER)
			process->dies_ns = soon(world, 300);
		break;
	case ACTION_KILL:
		assert(process);
		assert_true(process->exists);
		if (world->immortal && world_chance(world, 20))
			process->dies_ns = soon(world, 6000);
		else if (process->dies_ns > world->now_ns)
			process->dies_ns = soon(world, 3);
		break;
	case ACTION_COLLECT:
		assert(process);
		assert_true(process->exists);
		assert_int_equal(process->facts, FACT_ALL);	/* all four, always */
		process->exists = false;
		note_end((enum slot_end)action->value);
		world_seen[SOMETIMES_ROUTER_DIED] += action->slot == CORE_ROUTER;
		break;
	case ACTION_LEAKED:
		world_seen[SOMETIMES_LEAKED]++;
		break;
	case ACTION_TELL:
		note_pool(&action->record);
		world_seen[SOMETIMES_NO_ENTRY] += action->record.kind == CONTROL_NO_ENTRY &&
						  !is_there(world, action->record.workspace);
		break;
	case ACTION_SWITCH:
		world_seen[action->value ? SOMETIMES_CHANGED_BACK : SOMETIMES_SWITCHED]++;
		break;
	case ACTION_SETTLE:
		world_seen[SOMETIMES_ROLLED_BACK] += action->value == 1;
		break;
	case ACTION_STATE:
		world_seen[SOMETIMES_BROWNOUT] += action->value == SUPERVISOR_BROWNOUT;
		if (action->value == SUPERVISOR_DRAINING && !world->stopped_ns)
			world->stopped_ns = world->now_ns;
		break;
	case ACTION_EXIT:
		assert_false(world->exited);
		world->exited = true;
		world_seen[SOMETIMES_EXITED]++;
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

void world_step(struct world *world, struct core_event event)
{
	if (world->exited)
		return;
	core_step(&world->core, &event, world->now_ns, &world->actions);
	mix(world, (uint64_t)event.kind << 56 ^ (uint64_t)world->now_ns);
	for (unsigned i = 0; i < world->actions.count; i++)
		take(world, &world->actions.list[i]);
	check(world);
}

struct core_event world_event(const struct world *world, enum core_event_kind kind,
			      uint32_t slot)
{
	return (struct core_event){ .kind = kind, .slot = slot, .exit_status = -1,
				    .generation = world->processes[slot].generation };
}

/* One of the facts of a death that is not known yet, in any order. */
static void tell_fact(struct world *world, uint32_t i)
{
	struct process *process = &world->processes[i];
	struct core_event event = world_event(world, CORE_FACTS, i);
	unsigned left = FACT_ALL & ~process->facts;
	unsigned fact = 1U << random_below(&world->random, 4);

	event.facts = left & fact ? fact : left & (~left + 1);
	process->facts |= event.facts;
	process->dies_ns = soon(world, 2);
	if (event.facts & FACT_REAPED) {
		bool exits = !world->lossy || world_chance(world, 30);

		event.exit_status = !exits ? -1 : world_chance(world, 70) ? 0 :
				    world_chance(world, 10) ? 78 : 1;
		event.signal = exits ? 0 : world_chance(world, 10) ? 31 : 9;
		event.oom = !exits && world_chance(world, 10);
		event.call = random_below(&world->random, 3);
	}
	world_step(world, event);
}

static void speak(struct world *world, uint32_t i)
{
	struct process *process = &world->processes[i];
	struct core_event event = world_event(world, CORE_BEAT, i);

	process->next_ns = soon(world, process->phase < 2 ? 30 : 1000);
	if (process->phase == 0) {
		process->phase = 1;
		event.kind = CORE_STARTED;
		if (world->lossy && world_chance(world, 4)) {
			event.kind = CORE_NOT_STARTED;
			event.value = 2;
			event.fault = world_chance(world, 5) ? START_FAULT_HOPELESS :
							       START_FAULT_PASSING;
			if (world_chance(world, 50))
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
		world_seen[SOMETIMES_READY] += process->phase == 3;
	} else {
		event.beat.kind = world->lossy && world_chance(world, 1) ? 99 :
				  world->lossy && world_chance(world, 10) ? BEAT_TAKEN : BEAT_ALIVE;
		world_seen[SOMETIMES_TAKEN] += event.beat.kind == BEAT_TAKEN;
	}
	if (process->hangs && process->phase >= 2)
		process->next_ns = DEADLINE_NEVER;
	world_step(world, event);
}

void world_reload(struct world *world)
{
	if (!core_may_reload(&world->core))
		return;
	for (uint32_t i = 0; i < world->spec_count; i++)
		if (world->core.catalog && world_chance(world, 30))
			world->specs[i].hash++;
	world->broken = world->lossy && world_chance(world, 30);
	world_step(world, (struct core_event){ .kind = CORE_RELOADED, .specs = world->specs,
					       .spec_count = world->spec_count });
}

void world_begin(struct world *world, uint64_t seed)
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
			.name = names[i], .fixed = world_chance(world, 40),
			.single_use = world_chance(world, 40), .critical = world_chance(world, 20),
			.bound = world_chance(world, 15), .batch = world_chance(world, 20),
			.size = 1 + (uint32_t)random_below(&world->random, 4),
			.warm = 1, .start_ns = 2 * NS_PER_S,
			.recycle_age_ns = world_chance(world, 20) ? 3 * NS_PER_S : 0,
			.recycle_bytes = 100,
		};
	world_reload(world);
}

void world_advance(struct world *world)
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
		world_step(world, (struct core_event){ .kind = CORE_TIMER });
	else if (world->processes[who].facts ||
		 world->processes[who].dies_ns <= world->now_ns)
		tell_fact(world, who);
	else
		speak(world, who);
}
