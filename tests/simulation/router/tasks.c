/*
 * What workers have in hand: the calls they are sent, and what must hold of
 * those; what they say of them, and keep until it is confirmed.
 */
#include "tests/simulation/router/world.h"

#include <string.h>

#define AGAIN 3			/* of its chunks a worker can send again */

static uint32_t names[(CLIENTS + 1) << 16];	/* what results say: each its index */
static uint8_t outputs[CHUNKS][CHUNK_BYTES];	/* each begins with its index */

void write_outputs(void)
{
	for (uint32_t i = 0; i < COUNT(names); i++)
		names[i] = i;
	for (uint32_t i = 0; i < CHUNKS; i++)
		outputs[i][0] = (uint8_t)i;
}

void push(struct sim_worker *worker, struct message message)
{
	message.generation = worker->generation;
	if (worker->queued < COUNT(worker->outbox))
		worker->outbox[(worker->first + worker->queued++) %
			       COUNT(worker->outbox)] = message;
}

bool is_single(const struct sim_worker *worker)
{
	return worker - world.workers >= MANY;
}

unsigned working(const struct sim_worker *worker)
{
	unsigned count = 0;

	for (unsigned i = 0; i < worker->count; i++)
		count += !worker->tasks[i].finished;
	return count;
}

static struct task *task_of(struct sim_worker *worker, uint64_t handle)
{
	for (unsigned i = 0; i < worker->count; i++) {
		if (worker->tasks[i].handle == handle)
			return &worker->tasks[i];
	}
	return NULL;
}

/* ---- promises ---- */

/* Whoever has it is not there any more. */
static void break_promise(uint32_t id)
{
	if (id >> 16 < CLIENTS)
		call_of(id)->promised = false;
}

void break_promises(const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++)
		break_promise(worker->tasks[i].id);
	for (unsigned i = 0; i < worker->kept_count; i++)
		break_promise(worker->kept[i].id);
}

static uint32_t first_kept(uint32_t chunks)
{
	return chunks > AGAIN ? chunks - AGAIN : 0;
}

/* Of one that was cancelled nothing is sent again. */
static uint32_t first_of(const struct task *task)
{
	return task->cancelled ? task->chunks : first_kept(task->chunks);
}

/* What is detached goes on meanwhile, and that may be more than is kept for it. */
static void promise(uint32_t id, uint32_t first, uint32_t chunks, uint32_t chunks_left)
{
	struct sim_call *call;

	if (id >> 16 >= CLIENTS || !world.clients[id >> 16].back_ns)
		return;
	call = call_of(id);
	call->promised = call->outstanding && !call->again && call->effect &&
			 call->chunks >= first &&
			 (chunks > 0 || chunks_left == 0 || !call->detached);
	call->replays = call->chunks < chunks;
}

void make_promises(const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++) {
		const struct task *task = &worker->tasks[i];

		promise(task->id, first_of(task), task->chunks, task->chunks_left);
	}
	for (unsigned i = 0; i < worker->kept_count; i++)
		promise(worker->kept[i].id, first_kept(worker->kept[i].chunks),
			worker->kept[i].chunks, 0);
}

/* ---- what it says ---- */

void accept_task(struct sim_worker *worker, struct task *task)
{
	struct sim_call *call = call_of(task->id);

	task->accepted = call->accepted = true;
	if (++call->executed > 1 && call->effect)
		fail("an effect happens twice", task->id);
	if (!worker->unasked)
		push(worker, (struct message){ .kind = MESSAGE_ACCEPT,
					       .call_id = task->handle });
	if (!task->killer)
		return;
	worker->culprit = task->handle;
	worker->alive = false;
}

/* False: there is no credit, or enough was said. */
static bool say_chunk(struct sim_worker *worker, struct task *task)
{
	bool again = task->next < task->chunks;

	if (task->waits)
		return true;
	if (task->cancelled && again) {		/* its credit may never come */
		task->chunks = task->next;
		task->code = ERROR_CANCELLED;
	}
	if (task->cancelled || !(again || task->chunks_left > 0))
		return false;
	if (!credit_take(&task->credit, CHUNK_BYTES))
		return true;
	task->chunks_left -= !again;
	push(worker, (struct message){ .kind = MESSAGE_CHUNK,
		.call_id = task->handle,
		.chunk = { .sequence = task->next, .stream = 1 },
		.body = { outputs[task->next], CHUNK_BYTES } });
	task->next++;
	task->chunks += !again;
	return true;
}

static void push_result(struct sim_worker *worker, const struct kept_result *kept)
{
	push(worker, (struct message){ .kind = MESSAGE_RESULT,
		.call_id = kept->handle,
		.result = { .origin = ORIGIN_WORKER, .chunks = kept->chunks,
			    .phase = kept->chunks, .code = kept->code },
		.body = { (const uint8_t *)&names[kept->id],
			  sizeof(names[0]) } });
}

static void forget(struct sim_worker *worker, uint64_t handle)
{
	unsigned i = 0;

	while (i < worker->kept_count && worker->kept[i].handle != handle)
		i++;
	if (i < worker->kept_count)
		memmove(&worker->kept[i], &worker->kept[i + 1],
			(--worker->kept_count - i) * sizeof(worker->kept[0]));
}

static void finish_task(struct sim_worker *worker, struct task *task)
{
	if (worker->kept_count == KEPT) {
		break_promise(worker->kept[0].id);
		forget(worker, worker->kept[0].handle);
		worker->forgot = true;
	}
	worker->kept[worker->kept_count] = (struct kept_result){
		.handle = task->handle, .id = task->id, .chunks = task->chunks,
		.code = task->finished || task->code ? task->code :
			fault(FAULT_PHASES, 30) ? ERROR_UNAVAILABLE : ERROR_OK };
	push_result(worker, &worker->kept[worker->kept_count++]);
}

void work_on(struct sim_worker *worker, unsigned index)
{
	struct task *task = &worker->tasks[index];

	if (worker->unasked || worker->spent || worker->queued > OUTBOX / 2 ||
	    (task->more && !task->cancelled))
		return;
	if (!task->accepted && (task->recalled || fault(FAULT_BUSY, 20))) {
		seen[SEEN_GIVEN_BACK] += task->recalled;
		push(worker, (struct message){ .kind = MESSAGE_BUSY,
					       .call_id = task->handle });
	} else if (!task->accepted) {
		accept_task(worker, task);
		return;
	} else if (fault(FAULT_NONSENSE, 3)) {
		push(worker, (struct message){ .kind = MESSAGE_RESULT,
					       .call_id = task->handle + (1ULL << 50) });
		seen[SEEN_STALE]++;
		worker->forgot = worker->spent = true;
		break_promise(task->id);
	} else if (say_chunk(worker, task)) {
		return;
	} else {
		finish_task(worker, task);
	}
	worker->tasks[index] = worker->tasks[--worker->count];
}

/* ---- what it hears ---- */

static void take_part(struct task *task, const struct message *message)
{
	if (!task->more || message->chunk_req.sequence != task->parts++)
		fail("an argument in disorder", message->call_id);
	task->more = !message->chunk_req.last;
	if (!task->more && task->parts != PARTS)
		fail("an argument with a part missing", message->call_id);
	seen[SEEN_PARTS] += !task->more;
}

static void hear_of_task(struct sim_worker *worker,
			 const struct message *message)
{
	struct task *task = task_of(worker, message->call_id);

	if (!task)
		return;
	if (message->kind == MESSAGE_CANCEL)
		task->cancelled = true, task->waits = false;
	if (message->kind == MESSAGE_RECALL)
		task->recalled = true;
	if (message->kind == MESSAGE_CHUNK_REQ)
		take_part(task, message);
	if (message->kind == MESSAGE_CREDIT &&
	    !credit_add(&task->credit, message->credit.bytes))
		fail("more credit than the window", message->call_id);
	seen[SEEN_CREDIT] += message->kind == MESSAGE_CREDIT;
}

static void check_written(uint64_t handle)
{
	const struct call *call = call_of_handle(world.router, handle);

	if (call && call->effect != NONE &&
	    world.ledger[call->effect].stage != EFFECT_BEGUN)
		fail("an effect goes out that is not written down", handle);
}

/* The tool that it is for now, whichever was asked for. */
static void check_name(const struct message *message)
{
	const struct call *call = call_of_handle(world.router, message->call_id);
	const char *name = call ? world.router->tools[call->tool].row.name : "";

	if (call && (message->call.tool.length != strlen(name) ||
		     memcmp(message->call.tool.data, name, strlen(name)) != 0))
		fail("a call under another tool's name", message->call_id);
}

/* Of a client's call, or of what one of its user's is named. */
static uint32_t user_of(uint32_t id)
{
	return id >> 16 < CLIENTS ? (id >> 16) % USERS : id >> 1 & 1;
}

static void check_place(const struct sim_worker *worker, uint32_t workspace, uint32_t id)
{
	if (!is_single(worker))
		return;
	if (workspace != worker->workspace)
		fail("a call in another directory", id);
	if (id != SHARED && owner_of(workspace) != user_of(id))
		fail("a call in another's workspace", id);
}

static void take_call(struct sim_worker *worker, const struct message *message)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	struct task *task;
	uint32_t words[2];

	if (worker->unasked)
		fail("a call before its RESYNC has ended", message->call_id);
	if (working(worker) == 4)
		fail("more calls than the worker said", message->call_id);
	if (!world.faults[FAULT_FULL] &&
	    world.router->slots[worker - world.workers].blocked)
		fail("a call for a worker that begins none", message->call_id);
	if (worker->draining)
		fail("a call for a worker that leaves", message->call_id);
	check_written(message->call_id);
	check_name(message);
	memcpy(words, message->body.data, sizeof(words));
	if (message->call.tool.length == strlen("store.call")) {
		words[0] = SHARED;
		words[1] = 0;
	}
	check_place(worker, message->call.workspace, words[0]);
	/* On a full link it may have gone out long ago. */
	if (words[1] == KILLER && !world.faults[FAULT_FULL] &&
	    world.deaths[is_single(worker)] >= 2)
		fail("a call that has killed twice goes out", message->call_id);
	task = &worker->tasks[worker->count++];
	*task = (struct task){
		.handle = message->call_id, .id = words[0], .credit = fresh,
		.more = message->call.flags & CALL_MORE,
		.killer = words[1] == KILLER,
		.chunks_left = chance(10) ? CHUNKS : 0 };
}

/* What is sent again comes before the result does. */
static void take_up_kept(struct sim_worker *worker)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	unsigned count = 0;

	for (unsigned i = 0; i < worker->kept_count; i++) {
		const struct kept_result *kept = &worker->kept[i];

		if (kept->chunks > 0)
			worker->tasks[worker->count++] = (struct task){
				.handle = kept->handle, .id = kept->id,
				.chunks = kept->chunks, .code = kept->code,
				.credit = fresh, .accepted = true, .finished = true };
		else
			worker->kept[count++] = *kept;
	}
	worker->kept_count = count;
}

/* Names what it has, and brings what it keeps. */
static void tell_all(struct sim_worker *worker)
{
	worker->unasked = false;
	take_up_kept(worker);
	for (unsigned i = 0; i < worker->count; i++) {
		struct task *task = &worker->tasks[i];

		if (!task->accepted)
			accept_task(worker, task);
		task->credit.bytes = task->credit.window;
		task->next = task->chunks;
		task->waits = first_of(task) < task->chunks;
		push(worker, (struct message){ .kind = MESSAGE_RESYNC,
			.call_id = task->handle,
			.resync = { task->finished, task->chunks, first_of(task) } });
	}
	for (unsigned i = 0; i < worker->kept_count; i++)
		push(worker, (struct message){ .kind = MESSAGE_RESYNC,
			.call_id = worker->kept[i].handle,
			.resync = { true, worker->kept[i].chunks } });
	push(worker, (struct message){ .kind = MESSAGE_RESYNC,
				       .resync.finished = worker->forgot });
	for (unsigned i = 0; i < worker->kept_count; i++)
		push_result(worker, &worker->kept[i]);
	seen[SEEN_FORGOT] += worker->forgot;
}

static void send_from(struct sim_worker *worker, const struct message *message)
{
	struct task *task = task_of(worker, message->call_id);
	uint32_t chunk = message->resync.chunks;

	if (worker->spent)
		return;
	if (!task || !task->waits || chunk > task->chunks ||
	    chunk < first_of(task))
		fail("asked for what it does not have", message->call_id);
	task->waits = false;
	task->next = chunk;
}

void worker_hears(struct sim_worker *worker, const struct message *message)
{
	if (message->kind == MESSAGE_RESULT_ACK)
		forget(worker, message->call_id);
	else if (message->kind == MESSAGE_RESYNC && message->call_id)
		send_from(worker, message);
	else if (message->kind == MESSAGE_RESYNC)
		tell_all(worker);
	else if (message->kind == MESSAGE_CALL)
		take_call(worker, message);
	else if (message->kind == MESSAGE_DRAIN)
		worker->draining = true, worker->drain_ns = message->deadline_ns;
	else
		hear_of_task(worker, message);
}

/* Whether what it was sent is begun is looked at, in time. */
void check_begun(const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count && worker->alive; i++) {
		const struct call *call = call_of_handle(world.router,
							 worker->tasks[i].handle);

		if (call && call->state == CALL_SENT && call->stuck_ns !=
		    DEADLINE_NEVER && call->sent_ns + STUCK_NS + 2 * NS_PER_MS <
		    world.now_ns)
			fail("nobody looks whether it is begun", worker->tasks[i].handle);
	}
}
