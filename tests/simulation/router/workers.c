/*
 * The processes of workers: they come, die, drain, and outlive a router, as the
 * monitor tells it.
 */
#include "tests/simulation/router/world.h"

void tell_up(uint32_t slot, uint8_t detail)
{
	struct sim_worker *worker = &world.workers[slot];
	uint32_t generation = worker->generation;

	world.closing[CLIENTS + slot] = world.starved[CLIENTS + slot] = false;
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_SLOT_UP,
			.slot = slot, .generation = generation, .detail = detail,
			.pool = pool_of(slot), .workspace = worker->workspace } });
	worker->generation = 0;
	push(worker, (struct message){ .kind = MESSAGE_HELLO,
				       .hello.major = 1 });
	worker->generation = generation;
	push(worker, (struct message){ .kind = MESSAGE_READY,
				       .ready.calls_max = 4 });
}

static void raise_worker(uint32_t slot)
{
	world.workers[slot] = (struct sim_worker){ .up = true, .alive = true,
		.workspace = slot < MANY ? 0 : workspace_of(slot - MANY, world.moves),
		.generation = world.workers[slot].generation + 1 };
	tell_up(slot, 0);
}

static void deliver_one(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];
	struct message message;

	if (worker->queued == 0 || worker->closed_told)
		return;
	message = worker->outbox[worker->first];
	worker->first = (worker->first + 1) % COUNT(worker->outbox);
	worker->queued--;
	step((struct router_event){ .kind = ROUTER_MESSAGE,
		.peer = CLIENTS + slot, .message = &message });
}

/* Blamed is whoever the crash page names, unless it was being stopped. */
static void count_death(const struct sim_worker *worker)
{
	const struct call *call = call_of_handle(world.router, worker->culprit);
	unsigned deaths;

	if (!worker->closed_told || !worker->down_told || worker->killed ||
	    !call || call->stop != STOP_NONE)
		return;
	deaths = ++world.deaths[is_single(worker)];
	seen[SEEN_DOOMED] += deaths == 2;
}

static void tell_death(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];

	if (!worker->closed_told && worker->queued == 0 && chance(50)) {
		worker->closed_told = true;
		count_death(worker);
		step((struct router_event){ .kind = ROUTER_CLOSED,
					    .peer = CLIENTS + slot });
	}
	if (!worker->down_told && chance(50)) {
		worker->down_told = true;
		count_death(worker);
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_SLOT_DOWN, .slot = slot,
				.generation = worker->generation,
				.detail = worker->killed ? SLOT_END_ORDERED
							 : SLOT_END_SIGNAL,
				.call = worker->culprit, .argument = 9 } });
	}
	if (!worker->closed_told || !worker->down_told)
		return;
	worker->up = false;
	if (!world.dying && world.router->slots[slot].state != SLOT_EMPTY)
		fail("a dead worker has a place", slot);
}

/* The monitor wants another in its place; the worker says when it is idle. */
static void turn_drain(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];
	bool left = worker->workspace &&
		    worker->workspace != workspace_of(slot - MANY, world.moves);

	if ((left && chance(30)) || fault(FAULT_DRAIN, 2))
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_SLOT_DRAIN, .slot = slot,
				.generation = worker->generation,
				.argument = (uint64_t)(world.now_ns +
						       NS_PER_S) } });
	if (!worker->draining || worker->drained || worker->count > 0 ||
	    (worker->kept_count > 0 && world.now_ns < worker->drain_ns))
		return;
	worker->drained = true;
	seen[SEEN_DRAIN]++;
	push(worker, (struct message){ .kind = MESSAGE_DRAINED });
}

void turn_worker(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];

	if (!worker->up) {
		if (chance(60))
			raise_worker(slot);
		return;
	}
	deliver_one(slot);
	if (!worker->alive)
		break_promises(worker);
	if (worker->up && !worker->alive)
		tell_death(slot);
	else if (fault(FAULT_CRASH, 4))
		worker->alive = false;
	else if (worker->count > 0 && !fault(FAULT_HANG, 60))
		work_on(worker, (unsigned)random_below(&world.random,
						       worker->count));
	if (worker->up && worker->alive && !worker->unasked)
		turn_drain(slot);
}

/* Some die with it, and one may have begun what it was sent. */
void orphan_worker(struct sim_worker *worker)
{
	bool lives = worker->up && worker->alive && !worker->closed_told && chance(80);
	unsigned count = 0;

	for (unsigned j = 0; j < worker->count && worker->alive; j++)
		if (!worker->tasks[j].accepted && !worker->tasks[j].more && chance(50))
			accept_task(worker, &worker->tasks[j]);
	if (!lives || !worker->alive) {
		break_promises(worker);
		*worker = (struct sim_worker){ .generation = worker->generation };
		return;
	}
	for (unsigned j = 0; j < worker->count; j++)
		if (!worker->tasks[j].more)
			worker->tasks[count++] = worker->tasks[j];
	worker->count = count;
	worker->queued = worker->first = 0;
	worker->draining = worker->drained = false;
	worker->unasked = true;
}
