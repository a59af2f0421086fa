/*
 * What all parts stand on: the world itself, its dice, its trace, and how it
 * ends when something does not hold.
 */
#include "tests/simulation/router/world.h"

#include <stdio.h>
#include <stdlib.h>

struct world world;
uint64_t seen[SEEN_COUNT];

bool chance(unsigned percent)
{
	return random_below(&world.random, 100) < percent;
}

bool fault(enum fault kind, unsigned percent)
{
	return !world.calm && world.faults[kind] && chance(percent);
}

void fail(const char *what, uint64_t number)
{
	printf("Bail out! SEED=%llu: %s (%llu)\n",
	       (unsigned long long)world.seed, what,
	       (unsigned long long)number);
	exit(1);
}

void note_trace(uint64_t a, uint64_t b, uint64_t c)
{
	world.trace = (world.trace ^ (a * 31 + b)) * UINT64_C(0x100000001b3) + c;
	if (world.print)
		printf("# %10lld %llu %llu %llu\n", (long long)world.now_ns,
		       (unsigned long long)a, (unsigned long long)b,
		       (unsigned long long)c);
}

struct sim_call *call_of(uint32_t id)
{
	return id >> 16 == CLIENTS ? &world.effects[id & 0xffff] :
	       &world.clients[id >> 16].calls[(id & 0xffff) % IDS];
}

uint32_t workspace_of(uint32_t user, uint32_t moves)
{
	return moves * CONTROL_WORKSPACES_MAX + (user + moves) % USERS + 1;
}

uint32_t owner_of(uint32_t workspace)
{
	uint32_t moves = (workspace - 1) / CONTROL_WORKSPACES_MAX;

	return (control_workspace_place(workspace) + moves) % USERS;
}
