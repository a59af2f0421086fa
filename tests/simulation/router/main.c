/*
 * The router's core against a simulated world: clients, workers and a monitor
 * that die, lie, delay and reorder, all from one seed. Safety first, with a
 * random subset of faults in each seed; then liveness, without any.
 *
 *	SEED=n		run that seed alone, and print its trace
 *	SEEDS=n		how many (default 10000, sanitized 500)
 *
 * What is checked, and which mistakes each check has been seen to find:
 * ../README.md.
 */
#include "tests/simulation/router/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/seeds.h"

static const char *const seen_names[SEEN_COUNT] = {
	"ok", "not started", "outcome unknown", "deadline", "cancelled", "poison",
	"breaker", "retry", "kill", "faulty worker", "shared", "full link",
	"held", "refused", "streamed", "credit", "argument parts", "drained",
	"reloaded", "came back", "doomed twice", "no budget", "joined",
	"had again", "attached", "unknown name", "misused name", "no entry",
	"recorded", "router died", "not written down", "recalled",
	"cut", "given back", "adopted", "sent anew", "had after all", "output lost",
	"thief", "forgotten", "died midst", "replayed", "trespass", "moved",
	"fallback", "old result",
};

/* Whatever fails: one a second, ten at once, and a fifth of the calls. */
static void check_retries(void)
{
	double most = 10 + (double)(world.now_ns - NS_PER_S) / NS_PER_S +
		      (double)world.calls / 5;

	if ((double)world.router->totals.retried > most)
		fail("more retries than the budget", world.calls);
}

static void lose_router(void)
{
	for (uint32_t i = 0; i < CLIENTS; i++)
		orphan_client(&world.clients[i]);
	for (uint32_t i = 0; i < SLOTS; i++)
		orphan_worker(&world.workers[i]);
	for (uint32_t i = 0; i < SLOTS; i++)
		make_promises(&world.workers[i]);
	memset(world.starved, 0, sizeof(world.starved));
	memset(world.closing, 0, sizeof(world.closing));
	memset(world.deaths, 0, sizeof(world.deaths));
	begin_router(catalog_of(world.first_pool));
	tell_workspaces();
	for (uint32_t i = 0; i < SLOTS; i++)
		if (world.workers[i].up)
			tell_up(i, SLOT_UP_AGAIN);
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_ALL_UP } });
	seen[SEEN_ADOPTED] += router_calls(world.router);
	seen[SEEN_ROUTER]++;
}

static void turn(void)
{
	world.now_ns += (int64_t)random_below(&world.random,
		chance(10) ? NS_PER_S : 5 * NS_PER_MS);
	for (uint32_t i = 0; i < CLIENTS; i++)
		turn_client(i);
	for (uint32_t i = 0; i < SLOTS; i++)
		turn_worker(i);
	turn_monitor();
	if (fault(FAULT_RELOAD, 2))
		load(!world.first_pool);
	if (world.dying || fault(FAULT_ROUTER, 2))
		lose_router();
	for (uint32_t i = 0; i < CLIENTS + SLOTS; i++) {
		if (!world.starved[i] || chance(50))
			continue;
		world.starved[i] = false;
		step((struct router_event){ .kind = ROUTER_WRITABLE,
					    .peer = i });
	}
	if (router_next_ns(world.router) <= world.now_ns)
		step((struct router_event){ .kind = ROUTER_TICK });
	if (world.dying)	/* of what it was about to do nothing can be said */
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		check_begun(&world.workers[i]);
	check_deadlines();
	check_retries();
}

static void check_end(void)
{
	const struct totals *totals = &world.router->totals;
	const struct recorder *records = &world.router->recorder;

	for (uint32_t i = 0; i < CLIENTS; i++) {
		for (uint32_t j = 0; j < IDS && world.clients[i].open; j++) {
			const struct sim_call *call =
				&world.clients[i].calls[j];

			if (call->outstanding)
				fail("a call without a result", j);
		}
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		for (unsigned j = 0; j < world.workers[i].count; j++)
			if (world.workers[i].tasks[j].waits)
				fail("a worker waits to be asked", i);
	seen[SEEN_HELD] += world.router->held;
	seen[SEEN_BUDGET] += totals->unaffordable;
	seen[SEEN_JOINED] += world.router->effects.joined;
	seen[SEEN_SHARED] += world.router->flights.stats.coalesced;
	if (world.router->call_count != world.router->held)
		fail("calls are left over", world.router->call_count);
	if (totals->accepted != totals->ok + totals->failed)
		fail("the counters do not add up", totals->accepted);
	if (records->noted != records->written + records->dropped +
			      records->count)
		fail("records do not add up", records->noted);
	seen[SEEN_RECORDED] += records->written;
	for (uint32_t i = 0; i < world.router->tools_fresh; i++) {
		const struct tool *tool = &world.router->tools[i];

		if (tool->present && tool->breaker.state != BREAKER_CLOSED &&
		    tool->breaker.state != BREAKER_HALF_OPEN)
			fail("a breaker has not come back", i);
	}
}

/* Told to stop: what runs may end, then the router leaves, in time. */
static void stop(void)
{
	int64_t stop_ns = world.now_ns + 3 * NS_PER_S;

	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (world.clients[i].open)
			send_call(i);
	}
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_STOP,
			.argument = (uint64_t)stop_ns } });
	while (!world.left && world.now_ns < stop_ns + 2 * NS_PER_S)
		turn();
	if (!world.left)
		fail("it does not leave", 0);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (world.clients[i].open)
			fail("it leaves without a word", i);
	}
}

static uint64_t run(uint64_t seed)
{
	memset(&world, 0, sizeof(world));
	catalog_of(0)->generation = 1;
	world.seed = seed;
	world.print = getenv("SEED") != NULL;
	random_init(&world.random, seed);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		world.faults[i] = chance(50);
	for (unsigned i = 0; i <= NAMES; i++)
		world.effects[i].effect = true;
	world.moves = 1;
	world.now_ns = NS_PER_S;
	begin_router(catalog_of(0));
	tell_workspaces();
	for (unsigned i = 0; i < 120; i++)
		turn();
	world.calm = true;
	for (unsigned i = 0; i < 40; i++)
		turn();
	load(0);
	for (uint16_t i = 0; i < 2; i++)
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_POOL_STATE, .pool = i,
				.detail = RESTART_UP } });
	for (unsigned i = 0; i < 200; i++) {
		world.now_ns += NS_PER_S;
		turn();
	}
	check_end();
	stop();
	return world.trace;
}

int main(void)
{
	const char *one = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : SEEDS(10000, 500);
	unsigned missing = 0;

	write_outputs();
	for (uint64_t seed = first; seed < first + count; seed++) {
		uint64_t trace = run(seed);

		if (seed % 1000 == 1 && run(seed) != trace)
			fail("the same seed, another trace", seed);
	}
	printf("ok 1 - the router keeps its promises, %llu seeds\n",
	       (unsigned long long)count);
	for (unsigned i = 0; i < SEEN_COUNT && !one; i++) {
		missing += seen[i] == 0;
		printf("# seen %-16s %llu\n", seen_names[i],
		       (unsigned long long)seen[i]);
	}
	printf("%sok 2 - every case was seen\n1..2\n", missing ? "not " : "");
	end_router();
	return missing > 0;
}
