/*
 * The router's core against a simulated world: clients, workers and a monitor
 * that die, lie, delay and reorder, all from one seed. Safety first, with a
 * random subset of faults in each seed; then liveness, without any.
 *
 *	SEED=n		run that seed alone, and print its trace
 *	SEEDS=n		how many (default 10000, sanitized 500)
 *
 * What is checked, and which mistakes each check has been seen to find:
 * README.md.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/router/report_core.h"
#include "tests/support/seeds.h"

#define CLIENTS 4
#define SLOTS 6
#define USERS 2			/* the clients' in turn; each has a workspace */
#define IDS 512
#define OUTBOX 64
#define KEPT 24			/* results a worker keeps until they are confirmed */
#define CHUNK_BYTES 60000
#define CHUNKS 6		/* more than there is credit for at first */
#define AGAIN 3			/* of these a worker can send again */
#define KILLER 77		/* the second word of a call no worker survives */
#define NAMES 32		/* of effects, for whoever wants one */
#define EFFECTS 64
#define UNUSED NAMES		/* a name nobody has used */
#define PARTS 2			/* of an argument, after the CALL */
#define SHARED 511		/* the id of all calls whose bytes are equal */

enum fault {
	FAULT_CRASH, FAULT_BUSY, FAULT_CANCEL, FAULT_LEAVE, FAULT_FULL,
	FAULT_NONSENSE, FAULT_HANG, FAULT_POOL, FAULT_PHASES, FAULT_DRAIN,
	FAULT_RELOAD, FAULT_ENTRY, FAULT_ROUTER, FAULT_DISK, FAULT_MOVE, FAULT_COUNT
};

enum seen {
	SEEN_OK, SEEN_NOT_STARTED, SEEN_UNKNOWN, SEEN_DEADLINE, SEEN_CANCELLED,
	SEEN_POISON, SEEN_BREAKER, SEEN_RETRY, SEEN_KILL, SEEN_STALE, SEEN_SHARED,
	SEEN_FULL, SEEN_HELD, SEEN_REFUSED, SEEN_STREAM, SEEN_CREDIT, SEEN_PARTS,
	SEEN_DRAIN, SEEN_RELOAD, SEEN_BACK, SEEN_DOOMED, SEEN_BUDGET,
	SEEN_JOINED, SEEN_AGAIN, SEEN_ATTACHED, SEEN_UNKNOWN_NAME, SEEN_MISUSED,
	SEEN_NO_ENTRY, SEEN_RECORDED, SEEN_ROUTER, SEEN_UNWRITTEN, SEEN_RECALLED,
	SEEN_CUT, SEEN_GIVEN_BACK, SEEN_ADOPTED, SEEN_SENT_ANEW, SEEN_PROMISED, SEEN_LOST,
	SEEN_THIEF, SEEN_FORGOT, SEEN_MIDST, SEEN_REPLAYED, SEEN_TRESPASS, SEEN_MOVED,
	SEEN_COUNT
};

static const char *const seen_names[SEEN_COUNT] = {
	"ok", "not started", "outcome unknown", "deadline", "cancelled", "poison",
	"breaker", "retry", "kill", "faulty worker", "shared", "full link",
	"held", "refused", "streamed", "credit", "argument parts", "drained",
	"reloaded", "came back", "doomed twice", "no budget", "joined",
	"had again", "attached", "unknown name", "misused name", "no entry",
	"recorded", "router died", "not written down", "recalled",
	"cut", "given back", "adopted", "sent anew", "had after all", "output lost",
	"thief", "forgotten", "died midst", "replayed", "trespass", "moved",
};

struct task {
	uint64_t handle;
	bool accepted, cancelled, killer, recalled;
	uint32_t id;
	bool more;			/* the argument is not complete */
	uint32_t parts;
	uint32_t chunks, chunks_left;
	uint32_t next;			/* chunk that it sends, maybe again */
	bool waits;			/* to be told which */
	bool finished;			/* with this code */
	unsigned code;
	struct credit credit;
};

/* A result, until it is confirmed. */
struct kept_result {
	uint64_t handle;
	uint32_t id, chunks;
	unsigned code;
};

struct sim_worker {
	bool up, alive, closed_told, down_told, killed, draining, drained;
	uint64_t culprit;
	uint32_t generation;
	uint32_t workspace;
	bool unasked, forgot;		/* of an earlier router's, not heard yet */
	bool spent;			/* it has said nonsense, and is to be killed */
	struct task tasks[8 + KEPT];
	unsigned count;
	struct kept_result kept[KEPT];
	unsigned kept_count;
	int64_t drain_ns;
	struct message outbox[2 * OUTBOX];
	unsigned first, queued;
};

struct sim_call {
	bool outstanding, effect, accepted, detached, killer, unconfirmed;
	bool back;			/* it was asked for in an earlier life */
	uint32_t name;			/* what its result says */
	bool named;			/* it is of world.effects */
	bool misused;			/* with another argument than that has */
	bool attached, late;		/* late: that was begun before */
	bool promised;			/* its worker lives on, and has what is missing: */
	bool replays;			/* there is some */
	bool survived;			/* a router */
	bool again;			/* it was not executed, and is to be sent anew */
	bool stolen;			/* it is another's */
	bool parts;
	unsigned tool;
	uint32_t workspace;
	uint8_t effect_name;
	uint32_t body[2];
	unsigned executed;
	int64_t deadline_ns;
	uint32_t chunks, next_output;
	uint64_t dropped;
	size_t received;		/* and no credit given for it yet */
	struct credit credit;
};

struct sim_client {
	bool open;
	uint32_t next_id;
	uint32_t parts_of, parts_sent;	/* of an argument under way; 0: none */
	bool resumes;			/* it comes back after a router's death, */
	int64_t back_ns, lost_ns;	/* then; 0: none has died */
	bool welcomed;			/* and so knows its session */
	uint8_t session[SESSION_BYTES];
	struct sim_call calls[IDS];
};

struct world {
	struct random random;
	struct router *router;
	struct sim_client clients[CLIENTS];
	struct sim_worker workers[SLOTS];
	struct sim_call effects[NAMES + 1];	/* what became of each */
	struct effect_row ledger[EFFECTS];	/* what was written down of them */
	struct hash_key ledger_keys[2];
	unsigned lives;			/* of the router */
	void *legacy, *legacy_then;	/* what it leaves; when it was killed */
	bool dying;			/* it has been, in the midst of a step */
	bool faults[FAULT_COUNT];
	bool starved[CLIENTS + SLOTS];
	bool closing[CLIENTS + SLOTS];
	int64_t now_ns;
	uint64_t trace, seed;
	bool calm, print, left;
	unsigned first_pool;		/* the number of "many" */
	uint32_t moves;			/* workspaces have changed hands so often */
	unsigned deaths[2];		/* by the killer, as "effect" and as "job" */
	uint64_t calls;			/* that clients have made */
};

static struct {
	void *memory, *legacy;
	struct router_size size;
} place = { .size = { .calls = 48, .clients = CLIENTS, .slots = SLOTS, .queue = 8,
		      .cached = 8, .effects = EFFECTS, .kept_bytes = 5 * CHUNK_BYTES,
		      .store_bytes = 64 * STORE_PIECE_MOST } };

static uint64_t seen[SEEN_COUNT];
static struct world world;
static uint32_t names[(CLIENTS + 1) << 16];	/* what results say: each its index */
static uint8_t outputs[CHUNKS][CHUNK_BYTES];	/* each begins with its index */
static const uint8_t nothing[CHUNK_BYTES];

static bool chance(unsigned percent)
{
	return random_below(&world.random, 100) < percent;
}

static bool fault(enum fault kind, unsigned percent)
{
	return !world.calm && world.faults[kind] && chance(percent);
}

static void fail(const char *what, uint64_t number)
{
	printf("Bail out! SEED=%llu: %s (%llu)\n",
	       (unsigned long long)world.seed, what,
	       (unsigned long long)number);
	exit(1);
}

static void note_trace(uint64_t a, uint64_t b, uint64_t c)
{
	world.trace = (world.trace ^ (a * 31 + b)) * UINT64_C(0x100000001b3) + c;
	if (world.print)
		printf("# %10lld %llu %llu %llu\n", (long long)world.now_ns,
		       (unsigned long long)a, (unsigned long long)b,
		       (unsigned long long)c);
}

/* ---- what the router does ---- */

/* Whose executions count: an effect's, whoever asks for it. */
static struct sim_call *call_of(uint32_t id)
{
	return id >> 16 == CLIENTS ? &world.effects[id & 0xffff] :
	       &world.clients[id >> 16].calls[(id & 0xffff) % IDS];
}

/* Whoever has it is not there any more. */
static void break_promise(uint32_t id)
{
	if (id >> 16 < CLIENTS)
		call_of(id)->promised = false;
}

static void break_promises(const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++)
		break_promise(worker->tasks[i].id);
	for (unsigned i = 0; i < worker->kept_count; i++)
		break_promise(worker->kept[i].id);
}

/* Under a name there is one call, and it is remembered once it was begun. */
static void check_named(const struct sim_call *call, unsigned code,
			const struct message *message)
{
	const struct sim_call *effect = &world.effects[call->name & 0xffff];

	if (call->misused && code == ERROR_OK)
		fail("another call under the same name", message->call_id);
	if (call->late && (code == ERROR_NOT_FOUND ||
			   code == ERROR_CRASH_NOT_STARTED))
		fail("an effect is forgotten", message->call_id);
	if (effect == &world.effects[UNUSED] && code != ERROR_NOT_FOUND &&
	    code != ERROR_DEADLINE_EXCEEDED && code != ERROR_CANCELLED &&
	    code != ERROR_RESOURCE_EXHAUSTED && code != ERROR_QUEUE_FULL &&
	    !(call->survived && code == ERROR_CRASH_OUTCOME_UNKNOWN))
		fail("the end of what nobody has begun", code);
	seen[SEEN_AGAIN] += call->late && code == ERROR_OK && !call->attached;
	seen[SEEN_ATTACHED] += call->attached && code == ERROR_OK;
	seen[SEEN_UNKNOWN_NAME] += call->attached && code == ERROR_NOT_FOUND;
	seen[SEEN_RECALLED] += world.lives > 1 &&
			       (code == ERROR_CRASH_OUTCOME_UNKNOWN ||
				code == ERROR_DATA_LOSS);
	seen[SEEN_MISUSED] += call->misused && code == ERROR_INVALID_ARGUMENT;
}

/* Of a call that is another's equal, nobody knows who ran it. */
static void check_result(const struct sim_call *call,
			 const struct message *message)
{
	const struct sim_call *ran = call->named ? call_of(call->name) : call;
	uint32_t name = call->name;
	unsigned code = message->result.code;

	if (!call->outstanding && !(call->detached && call->back))
		fail("a result for a call that has none due", message->call_id);
	if (message->result.chunks != call->chunks)
		fail("chunks were lost", message->call_id);
	/* A worker says as its phase how many there were. */
	if (code == ERROR_OK && call->effect && !call->killer &&
	    call->chunks + call->dropped / CHUNK_BYTES != message->result.phase)
		fail("output is lost without a word", message->call_id);
	/* Of what an earlier router had sent nobody knows whether it began. */
	if (code == ERROR_CRASH_OUTCOME_UNKNOWN && !ran->accepted &&
	    !call->survived && !(call->named && world.lives > 1))
		fail("outcome unknown without accept", message->call_id);
	if (call->named)
		check_named(call, code, message);
	/* What waited on a full link was true when it was said. */
	if (code == ERROR_CRASH_NOT_STARTED && ran->effect && ran->executed &&
	    !(call->named && world.faults[FAULT_FULL]))
		fail("not executed, it says, but it was", message->call_id);
	if (code == ERROR_OK && call->effect && !call->killer &&
	    (message->body.length != sizeof(name) ||
	     memcmp(message->body.data, &name, sizeof(name)) != 0))
		fail("the result of another call", message->call_id);
}

/* What lived through a router's death in a worker's hands is not lost. */
static void check_survivor(uint32_t client, const struct sim_call *call, unsigned code)
{
	bool lost = code == ERROR_CRASH_OUTCOME_UNKNOWN || code == ERROR_DATA_LOSS;

	if (call->stolen && code != ERROR_CRASH_OUTCOME_UNKNOWN)
		fail("something of another user's call", client);
	if (call->promised && lost)
		fail("a result is lost with a router", call->name);
	seen[SEEN_PROMISED] += call->promised && !lost;
	seen[SEEN_REPLAYED] += call->promised && call->replays && code == ERROR_OK;
	seen[SEEN_LOST] += call->survived && code == ERROR_DATA_LOSS;
	seen[SEEN_THIEF] += call->stolen;
}

/* Not executed, it says, before its router died. */
static void see_busy(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	if (!call->outstanding || !call->survived)
		fail("busy, unasked", message->call_id);
	if (call->effect && !call->named && call->executed)
		fail("not executed, it says of what was", message->call_id);
	call->outstanding = call->again = call->chunks == 0 && !call->stolen;
	call->unconfirmed = false;
	seen[SEEN_SENT_ANEW]++;
}

static void see_result(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];
	unsigned code = message->result.code;

	check_result(call, message);
	check_survivor(client, call, code);
	call->outstanding = false;
	call->unconfirmed = call->detached || world.clients[client].resumes;
	seen[SEEN_OK] += code == ERROR_OK;
	seen[SEEN_NOT_STARTED] += code == ERROR_CRASH_NOT_STARTED;
	seen[SEEN_UNKNOWN] += code == ERROR_CRASH_OUTCOME_UNKNOWN;
	seen[SEEN_DEADLINE] += code == ERROR_DEADLINE_EXCEEDED;
	seen[SEEN_CANCELLED] += code == ERROR_CANCELLED;
	seen[SEEN_POISON] += code == ERROR_POISON;
	seen[SEEN_BREAKER] += code == ERROR_BREAKER_OPEN;
	seen[SEEN_REFUSED] += code == ERROR_NOT_FOUND;
	seen[SEEN_NO_ENTRY] += code == ERROR_FAILED_PRECONDITION;
	seen[SEEN_TRESPASS] += code == ERROR_DENIED_BY_ACL;
	seen[SEEN_RETRY] += message->result.attempts > 1;
	seen[SEEN_STREAM] += message->result.chunks > 0;
	seen[SEEN_BACK] += call->back;
}

static void see_remark(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	call->dropped = message->remark.dropped;
	seen[SEEN_CUT] += call->dropped > 0;
}

static void see_chunk(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	if (!call->outstanding && !(call->detached && call->back))
		fail("output of a call that is over", message->call_id);
	if (message->chunk.sequence != call->chunks++)
		fail("a chunk out of order", message->call_id);
	if (message->body.data[0] < call->next_output)
		fail("the same output twice", message->call_id);
	call->next_output = message->body.data[0] + 1U;
	if (!credit_take(&call->credit, message->body.length))
		fail("more output than credit", message->call_id);
	call->received += message->body.length;
}

static struct task *task_of(struct sim_worker *worker, uint64_t handle)
{
	for (unsigned i = 0; i < worker->count; i++) {
		if (worker->tasks[i].handle == handle)
			return &worker->tasks[i];
	}
	return NULL;
}

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

static bool is_single(const struct sim_worker *worker)
{
	return worker - world.workers >= 4;
}

static void check_written(uint64_t handle)
{
	const struct call *call = call_of_handle(world.router, handle);

	if (call && call->effect != NONE &&
	    world.ledger[call->effect].stage != EFFECT_BEGUN)
		fail("an effect goes out that is not written down", handle);
}

static unsigned working(const struct sim_worker *worker)
{
	unsigned count = 0;

	for (unsigned i = 0; i < worker->count; i++)
		count += !worker->tasks[i].finished;
	return count;
}

/* At each move both users leave theirs, and each gets the other's place. */
static uint32_t workspace_of(uint32_t user, uint32_t moves)
{
	return moves * CONTROL_WORKSPACES_MAX + (user + moves) % USERS + 1;
}

static uint32_t owner_of(uint32_t workspace)
{
	uint32_t moves = (workspace - 1) / CONTROL_WORKSPACES_MAX;

	return (control_workspace_place(workspace) + moves) % USERS;
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

static void push(struct sim_worker *worker, struct message message);
static void accept_task(struct sim_worker *worker, struct task *task);
static void push_result(struct sim_worker *worker, const struct kept_result *kept);

static uint32_t first_kept(uint32_t chunks)
{
	return chunks > AGAIN ? chunks - AGAIN : 0;
}

/* Of one that was cancelled nothing is sent again. */
static uint32_t first_of(const struct task *task)
{
	return task->cancelled ? task->chunks : first_kept(task->chunks);
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

static void forget(struct sim_worker *worker, uint64_t handle)
{
	unsigned i = 0;

	while (i < worker->kept_count && worker->kept[i].handle != handle)
		i++;
	if (i < worker->kept_count)
		memmove(&worker->kept[i], &worker->kept[i + 1],
			(--worker->kept_count - i) * sizeof(worker->kept[0]));
}

static void hear(struct sim_worker *worker, const struct message *message)
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

/* Whatever it would do after that, it does not. */
static bool is_dead(void)
{
	if (!world.dying && !world.left && fault(FAULT_ROUTER, 1) && chance(10)) {
		world.dying = true;
		memcpy(world.legacy_then, world.legacy, router_legacy_bytes(&place.size));
		seen[SEEN_MIDST]++;
	}
	return world.dying;
}

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	if (is_dead())
		return 0;
	if (world.closing[peer])
		return -EPIPE;
	if (fault(FAULT_FULL, 10) && message->kind != MESSAGE_GOAWAY) {
		world.starved[peer] = true;
		seen[SEEN_FULL]++;
		return -EAGAIN;
	}
	note_trace(peer, message->kind, message->call_id);
	if (peer < CLIENTS && message->kind == MESSAGE_RESULT)
		see_result(peer, message);
	if (peer < CLIENTS && message->kind == MESSAGE_BUSY)
		see_busy(peer, message);
	if (peer < CLIENTS && message->kind == MESSAGE_REMARK)
		see_remark(peer, message);
	if (peer < CLIENTS && message->kind == MESSAGE_CHUNK)
		see_chunk(peer, message);
	if (peer < CLIENTS && message->kind == MESSAGE_WELCOME) {
		world.clients[peer].welcomed = true;
		memcpy(world.clients[peer].session,
		       message->welcome.session.data, SESSION_BYTES);
	}
	if (peer >= CLIENTS && world.workers[peer - CLIENTS].alive)
		hear(&world.workers[peer - CLIENTS], message);
	return 0;
}

static void on_close(void *owner, uint32_t peer)
{
	(void)owner;
	if (is_dead())
		return;
	world.closing[peer] = true;
	if (peer < CLIENTS) {
		world.clients[peer].open = false;
	} else {
		world.workers[peer - CLIENTS].closed_told = true;
		world.workers[peer - CLIENTS].alive = false;
	}
}

static void on_control(void *owner, const struct control *record)
{
	struct sim_worker *worker = &world.workers[record->slot % SLOTS];
	const struct slot *slot = &world.router->slots[record->slot % SLOTS];

	(void)owner;
	if (is_dead())
		return;
	if (record->kind != CONTROL_BEAT)
		note_trace(100, record->kind, record->slot);
	if (record->kind != CONTROL_KILL && record->kind != CONTROL_RECYCLE)
		return;
	if (!worker->up || worker->generation != record->generation)
		fail("a word about no such worker", record->slot);
	if (record->kind == CONTROL_RECYCLE && worker->alive && working(worker))
		fail("a worker is to go while it works", record->slot);
	if (record->kind == CONTROL_RECYCLE && worker->alive &&
	    worker->kept_count + worker->count > slot->unclaimed && world.now_ns < worker->drain_ns &&
	    slot->peer.waiting.count == 0)
		fail("a worker is to go while it keeps a result", record->slot);
	seen[SEEN_KILL] += record->kind == CONTROL_KILL;
	worker->alive = false;
	worker->killed = true;
}

static int on_keep(void *owner, uint32_t index, const struct effect_row *row)
{
	(void)owner;
	if (is_dead())
		return 0;
	if (fault(FAULT_DISK, 20)) {
		seen[SEEN_UNWRITTEN]++;
		return -EIO;
	}
	world.ledger[index] = *row;
	return 0;
}

static void on_note(void *owner, const struct router_note *note)
{
	(void)owner;
	(void)note;
}

static void on_leave(void *owner)
{
	(void)owner;
	world.left = !world.dying;
}

static void step(struct router_event event)
{
	if (world.dying)
		return;
	router_step(world.router, &event, world.now_ns);
	router_check(world.router);
}

/* ---- what the world does ---- */

#define POOL(pool, how, places, calls, bound)                                 \
	{ .name = pool, .program = "/x", .kind = how, .size = places,         \
	  .warm = places, .calls_max = calls, .client_role = ROLE_COUNT,      \
	  .flags = bound }
#define TOOL(tool, number, kind)                                              \
	{ .name = tool, .pool = number, .class = kind, .roles = 15,           \
	  .queue = 8, .deadline_ns = 5 * NS_PER_S,                            \
	  .deadline_max_ns = 60 * NS_PER_S, .idle_ns = 2 * NS_PER_S,          \
	  .slow_ns = NS_PER_S, .output_bytes = 1 << 20

/* The second numbers the pools anew and has one tool less. */
static struct {
	struct catalog catalog;
	char text[1];		/* what text_bytes counts: the empty one */
} catalogs[] = { { .catalog = {
	.magic = CATALOG_MAGIC, .generation = 1, .pool_count = 2,
	.tool_count = 4, .text_bytes = 1,
	.pools = { POOL("many", POOL_STATIC, 4, 4, 0),
		   POOL("once", POOL_PER_CALL, 2, 1, POOL_WORKSPACE) },
	.tools = {
		TOOL("effect", 0, TOOL_EFFECTFUL) },
		TOOL("job", 1, TOOL_EFFECTFUL) },
		TOOL("pure", 0, TOOL_PURE), .coalesce = 1,
		  .cache_ns = NS_PER_S },
		TOOL("store.call", 0, TOOL_EFFECTFUL) },
	},
} }, { .catalog = {
	.magic = CATALOG_MAGIC, .generation = 1, .pool_count = 3,
	.tool_count = 3, .text_bytes = 1,
	.pools = { POOL("else", POOL_STATIC, 1, 1, 0),
		   POOL("many", POOL_STATIC, 4, 4, 0),
		   POOL("once", POOL_PER_CALL, 2, 1, POOL_WORKSPACE) },
	.tools = {
		TOOL("effect", 1, TOOL_EFFECTFUL) },
		TOOL("job", 2, TOOL_EFFECTFUL) },
		TOOL("store.call", 1, TOOL_EFFECTFUL) },
	},
} } };

static uint16_t pool_of(uint32_t slot)
{
	return (uint16_t)(world.first_pool + (slot >= 4));
}

static void push(struct sim_worker *worker, struct message message)
{
	message.generation = worker->generation;
	if (worker->queued < COUNT(worker->outbox))
		worker->outbox[(worker->first + worker->queued++) %
			       COUNT(worker->outbox)] = message;
}

/* On a link that is new. */
static void tell_up(uint32_t slot, uint8_t detail)
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
		.workspace = slot < 4 ? 0 : workspace_of(slot - 4, world.moves),
		.generation = world.workers[slot].generation + 1 };
	tell_up(slot, 0);
}

static void tell_workspaces(void)
{
	for (uint32_t i = 0; i < USERS; i++)
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){ .kind = CONTROL_WORKSPACE,
				.workspace = workspace_of(i, world.moves),
				.argument = 1000 + i } });
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

static void accept_task(struct sim_worker *worker, struct task *task)
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

static void work_on(struct sim_worker *worker, unsigned index)
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

/* The monitor wants another in its place; the worker says when it is idle. */
static void turn_drain(uint32_t slot)
{
	struct sim_worker *worker = &world.workers[slot];
	bool left = worker->workspace &&
		    worker->workspace != workspace_of(slot - 4, world.moves);

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

static void turn_worker(uint32_t slot)
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

/* Whether what it was sent is begun is looked at, in time. */
static void check_begun(const struct sim_worker *worker)
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

/* Of its earlier life only what was detached is left. */
static void come_back(struct sim_client *client)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	for (unsigned i = 0; i < IDS; i++) {
		struct sim_call *call = &client->calls[i];

		call->outstanding &= call->detached;
		call->again = false;
		call->back = true;
		call->survived |= client->resumes;	/* it asks for its calls */
		call->promised = false;
		if (!client->resumes)
			call->chunks = call->next_output = 0;
		if (!client->resumes)
			call->dropped = 0;
		call->received = 0;
		call->credit = fresh;
	}
}

static void say(uint32_t index, const struct message *message)
{
	step((struct router_event){ .kind = ROUTER_MESSAGE, .peer = index,
				    .message = message });
}

static void greet(uint32_t index, const uint8_t *session, bool known)
{
	struct sim_client *client = &world.clients[index];

	client->open = true;
	client->parts_of = 0;
	world.closing[index] = world.starved[index] = false;
	step((struct router_event){ .kind = ROUTER_OPEN, .peer = index,
		.uid = 1000 + index % USERS, .role = ROLE_MEMBER });
	say(index, &(struct message){ .kind = MESSAGE_HELLO,
		.hello = { .major = 1, .session = {
			session, known ? SESSION_BYTES : 0 } } });
}

/* It knows another user's session, and what that one waits for. */
static void steal(uint32_t index)
{
	struct sim_client *thief = &world.clients[index];
	const struct sim_client *victim = &world.clients[(index + 1) % CLIENTS];

	thief->open = false;
	step((struct router_event){ .kind = ROUTER_CLOSED, .peer = index });
	greet(index, victim->session, true);
	for (uint32_t id = 1; id <= victim->next_id && thief->open; id++) {
		struct sim_call *call = &thief->calls[id % IDS];

		if (!victim->calls[id % IDS].outstanding || !victim->back_ns)
			continue;
		*call = (struct sim_call){ .outstanding = true, .stolen = true,
			.survived = true, .deadline_ns = world.now_ns,
			.credit = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES } };
		say(index, &(struct message){ .kind = MESSAGE_RESYNC, .call_id = id });
	}
	thief->open = thief->welcomed = false;
	step((struct router_event){ .kind = ROUTER_CLOSED, .peer = index });
}

static void ask_for_calls(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	for (uint32_t id = 1; id <= client->next_id && client->open; id++) {
		const struct sim_call *call = &client->calls[id % IDS];

		if (call->outstanding && !call->again)
			say(index, &(struct message){ .kind = MESSAGE_RESYNC,
				.call_id = id, .resync.chunks = call->chunks });
	}
}

static void open_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	bool back = client->welcomed && chance(50);

	if (back)
		come_back(client);
	else
		memset(client->calls, 0, sizeof(client->calls));
	client->welcomed = back;
	if (!back)
		client->resumes = chance(60);
	greet(index, client->session, back);
	if (back && client->resumes)
		ask_for_calls(index);
	if (!back && client->open && !world.calm && chance(20))
		steal(index);
}

/* What waits for its client may wait until that is late, or its time is over. */
static void check_waiting(uint32_t index, const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++) {
		const struct task *task = &worker->tasks[i];
		const struct sim_call *call = call_of(task->id);

		if (task->id >> 16 == index && call->promised && call->replays &&
		    call->deadline_ns > world.now_ns && task->cancelled)
			fail("cancelled before its client came", task->id);
	}
}

/* Its router has died; it comes back with all it waits for. */
static void resume_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	bool late = world.now_ns - client->lost_ns >= LEGACY_NS - NS_PER_S;

	client->back_ns = 0;
	for (uint32_t i = 0; i < IDS; i++)
		client->calls[i].promised &= !late;
	for (uint32_t i = 0; i < SLOTS; i++)
		check_waiting(index, &world.workers[i]);
	greet(index, client->session, client->welcomed);
	ask_for_calls(index);
}

static void send_part(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	uint32_t id = client->parts_of;
	bool last = client->parts_sent + 1 == PARTS;

	if (last)
		client->parts_of = 0;
	say(index, &(struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = id,
		.chunk_req = { client->parts_sent++, last },
		.body = { nothing, 1000 } });
}

/* Credit for what was read, and a word that a detached result has come. */
static void send_grants(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	uint32_t last = client->next_id;

	for (uint32_t id = last > SHARED ? last - SHARED : 1; id <= last; id++) {
		struct sim_call *call = &client->calls[id % IDS];
		size_t bytes = call->received;

		if (bytes == 0 && !call->unconfirmed)
			continue;
		if (!client->open || chance(30))
			continue;
		call->received = 0;
		if (bytes > 0 && (call->outstanding ||
				  (call->detached && call->back)) &&
		    credit_add(&call->credit, bytes))
			say(index, &(struct message){
				.kind = MESSAGE_CREDIT, .call_id = id,
				.credit.bytes = (uint32_t)bytes });
		if (call->unconfirmed && !call->outstanding) {
			call->unconfirmed = false;
			say(index, &(struct message){
				.kind = MESSAGE_RESULT_ACK, .call_id = id });
		}
	}
}

/* Before anything has come: its worker may have all of it, once there is one. */
static void grant_ahead(uint32_t index, uint32_t id)
{
	if (!chance(20))
		return;
	world.clients[index].calls[id % IDS].credit.bytes += CREDIT_CALL_BYTES;
	say(index, &(struct message){ .kind = MESSAGE_CREDIT, .call_id = id,
				      .credit.bytes = CREDIT_CALL_BYTES });
}

/* As it stands written, the first time or once more. */
static void say_call(uint32_t index, uint32_t id)
{
	static const char *const tools[] = { "effect", "job", "pure", "pur" };
	struct sim_client *client = &world.clients[index];
	struct sim_call *call = &client->calls[id % IDS];

	if (call->parts) {
		client->parts_of = id;
		client->parts_sent = 0;
	}
	call->again = false;
	say(index, &(struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = call->deadline_ns,
		.call = { .tool = message_text_of(call->attached ? "router.attach" :
						  tools[call->tool]),
			  .effect = { &call->effect_name, call->named },
			  .priority = (uint32_t)random_below(&world.random, 4),
			  .workspace = call->workspace,
			  .flags = (call->detached ? CALL_DETACHED : 0U) |
				   (client->resumes ? CALL_RESUME : 0U) |
				   (call->parts ? CALL_MORE : 0U) },
		.body = { (const uint8_t *)call->body, sizeof(call->body) } });
}

static void send_again(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	for (uint32_t id = 1; id <= client->next_id && client->open; id++) {
		const struct sim_call *call = &client->calls[id % IDS];

		if (call->again && !(call->parts && client->parts_of))
			say_call(index, id);
	}
}

/* Its own; or one it has left, or the other's. */
static uint32_t some_workspace(uint32_t user)
{
	if (world.calm || chance(85))
		return workspace_of(user, world.moves);
	return workspace_of((user + chance(70)) % USERS, world.moves - chance(50));
}

static void send_call(uint32_t index)
{
	struct sim_client *client = &world.clients[index];
	unsigned tool = (unsigned)random_below(&world.random, 4);
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_LINK_BYTES };
	uint32_t body[2] = { 0, tool == 2 ?
		(uint32_t)random_below(&world.random, 3) : 0 };
	uint32_t id = client->next_id + 1, name = index << 16 | id % IDS;
	uint8_t effect = 0;
	struct sim_call *call = &client->calls[id % IDS];
	bool named = !world.calm && chance(25);
	bool attaches = named && chance(20);
	bool killer = tool < 2 && !named && chance(10);
	bool parts = !named && tool < 2 && !killer && !client->parts_of && chance(20);

	if (call->outstanding || id % IDS == SHARED)
		client->next_id += id % IDS == SHARED;
	if (call->outstanding || id % IDS == SHARED)
		return;
	client->next_id = id;
	world.calls++;
	*call = (struct sim_call){
		.outstanding = true, .effect = tool < 2 || named, .killer = killer,
		.name = name, .named = named, .attached = attaches, .parts = parts,
		.accepted = tool >= 2 || killer, /* whoever ran it accepted */
		.detached = chance(8) && !attaches, .credit = fresh,
		.deadline_ns = world.now_ns + (int64_t)(1 +
			random_below(&world.random, 8)) * NS_PER_S };
	body[0] = tool < 2 && !killer ? name : SHARED;
	body[1] = killer ? KILLER : body[1];
	if (named) {
		effect = (uint8_t)random_below(&world.random,
					       attaches ? NAMES + 1 : NAMES);
		if (effect != UNUSED)	/* each of the two users has names of its own */
			effect = (uint8_t)((effect & ~2U) | (index & 1) << 1);
		tool = effect & 1;
		call->name = body[0] = CLIENTS << 16 | effect;
		call->late = world.effects[effect].executed > 0;
		call->misused = call->late && !attaches && chance(20);
		body[1] = call->misused;
	}
	call->tool = tool;
	call->workspace = tool != 1 || attaches ? 0 : killer || named ?
			  workspace_of(index % USERS, world.moves) :
			  some_workspace(index % USERS);
	call->effect_name = effect;
	memcpy(call->body, body, sizeof(body));
	say_call(index, id);
	grant_ahead(index, id);
	/* What was refused is nowhere, and its answer may be lost. */
	call->detached &= call_find(world.router, index, id) != NULL;
}

/* Whoever left without a word has no interest in what still runs for it. */
static void check_abandoned(uint32_t index)
{
	for (uint32_t i = 0; i < SLOTS && !world.dying; i++) {
		const struct sim_worker *worker = &world.workers[i];

		if (!worker->up || !worker->alive || world.closing[CLIENTS + i] ||
		    world.router->slots[i].peer.waiting.count > 0)
			continue;
		for (unsigned j = 0; j < worker->count; j++) {
			const struct task *task = &worker->tasks[j];
			const struct call *call = call_of_handle(world.router,
								 task->handle);

			if (call && task->id >> 16 == index && task->id !=
			    SHARED && !(call->flags & CALL_DETACHED) &&
			    !task->cancelled)
				fail("nobody waits, and it runs on", task->id);
		}
	}
}

static void turn_client(uint32_t index)
{
	struct sim_client *client = &world.clients[index];

	if (world.left)
		return;
	if (!client->open && client->back_ns) {
		if (world.now_ns >= client->back_ns)
			resume_client(index);
		return;
	}
	if (!client->open) {
		open_client(index);
		return;
	}
	if (fault(FAULT_LEAVE, 2)) {
		client->open = false;
		step((struct router_event){ .kind = ROUTER_CLOSED,
					    .peer = index });
		check_abandoned(index);
		return;
	}
	if (fault(FAULT_CANCEL, 10) && client->next_id > 0)
		say(index, &(struct message){ .kind = MESSAGE_CANCEL,
					      .call_id = client->next_id });
	if (client->open && client->parts_of && chance(50))
		send_part(index);
	if (client->open)
		send_again(index);
	if (client->open)
		send_grants(index);
	/* Who wants to come back reads the welcome first. */
	if (client->open && !world.calm && (client->welcomed || !client->resumes) &&
	    chance(60))
		send_call(index);
}

static void turn_pool(void)
{
	enum restart_state state = RESTART_UP;

	if (fault(FAULT_ENTRY, 20))
		step((struct router_event){ .kind = ROUTER_CONTROL,
			.record = &(struct control){
				.kind = CONTROL_NO_ENTRY,
				.workspace = workspace_of(chance(50), world.moves),
				.pool = pool_of((uint32_t)random_below(
					&world.random, SLOTS)) } });
	if (fault(FAULT_MOVE, 5)) {
		world.moves++;
		tell_workspaces();
		seen[SEEN_MOVED]++;
	}
	if (fault(FAULT_POOL, 3))
		state = (enum restart_state)random_below(&world.random,
							 RESTART_STATE_COUNT);
	else if (!chance(5))
		return;
	step((struct router_event){ .kind = ROUTER_CONTROL,
		.record = &(struct control){ .kind = CONTROL_POOL_STATE,
			.pool = pool_of((uint32_t)random_below(&world.random,
							       SLOTS)),
			.detail = (uint8_t)state } });
}

/* Another catalogue, and the numbers it gives to the living. */
static void load(unsigned which)
{
	struct catalog *catalog = &catalogs[which].catalog;

	if (which == world.first_pool)
		return;
	catalog->generation = world.router->catalog->generation + 1;
	world.first_pool = which;
	seen[SEEN_RELOAD]++;
	step((struct router_event){ .kind = ROUTER_CONTROL, .catalog = catalog,
		.record = &(struct control){ .kind = CONTROL_CATALOG } });
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct sim_worker *worker = &world.workers[i];

		if (worker->up && !worker->down_told)
			step((struct router_event){ .kind = ROUTER_CONTROL,
				.record = &(struct control){
					.kind = CONTROL_SLOT_POOL, .slot = i,
					.generation = worker->generation,
					.pool = pool_of(i) } });
	}
}

/* A call is answered by its deadline, as far as its client reads. */
static void check_deadlines(void)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct sim_client *client = &world.clients[i];

		if (!client->open ||
		    world.router->clients[i].peer.waiting.count > 0)
			continue;
		for (uint32_t j = 0; j < IDS; j++) {
			const struct sim_call *call = &client->calls[j];

			if (call->outstanding && !call->detached && !call->again &&
			    call->chunks == 0 && call->deadline_ns +
			    (call->survived ? 3 * NS_PER_S : 2 * NS_PER_MS) <
				    world.now_ns)
				fail("over its deadline without a word", j);
		}
	}
}

/* Whatever fails: one a second, ten at once, and a fifth of the calls. */
static void check_retries(void)
{
	double most = 10 + (double)(world.now_ns - NS_PER_S) / NS_PER_S +
		      (double)world.calls / 5;

	if ((double)world.router->totals.retried > most)
		fail("more retries than the budget", world.calls);
}

/* ---- the router's own lives ---- */

static void begin_router(void)
{
	const struct router_sink sink = {
		.send = on_send, .close = on_close, .control = on_control,
		.keep = on_keep, .note = on_note, .leave = on_leave };
	bool first = world.lives++ == 0;

	free(place.memory);	/* what is new is zero, and mostly never touched */
	place.memory = calloc(1, router_bytes(&place.size));
	assert(place.memory);
	world.router = router_init(place.memory, &place.size,
				   &catalogs[world.first_pool].catalog, &sink,
				   world.seed + world.lives, world.now_ns);
	router_inherit(world.router, world.legacy, world.now_ns);
	if (first)
		memcpy(world.ledger_keys, router_keys(world.router),
		       sizeof(world.ledger_keys));
	memcpy(router_keys(world.router), world.ledger_keys,
	       sizeof(world.ledger_keys));
	for (uint32_t i = 0; i < EFFECTS; i++)
		if (!router_recall(world.router, i, &world.ledger[i], world.now_ns))
			fail("a row of its own is none", i);
	tell_workspaces();
}

/* Some die with it, and one may have begun what it was sent. */
static void orphan(struct sim_worker *worker)
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

static void make_promises(const struct sim_worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++) {
		const struct task *task = &worker->tasks[i];

		promise(task->id, first_of(task), task->chunks, task->chunks_left);
	}
	for (unsigned i = 0; i < worker->kept_count; i++)
		promise(worker->kept[i].id, first_kept(worker->kept[i].chunks),
			worker->kept[i].chunks, 0);
}

static void part(struct sim_client *client)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	if (!client->resumes || !(client->open || client->back_ns)) {
		client->open = client->welcomed = false;
		return;
	}
	for (uint32_t id = 1; id <= client->next_id; id++) {
		struct sim_call *call = &client->calls[id % IDS];

		call->again |= client->open && call->outstanding &&
			       client->parts_of == id;
		call->survived = true;
		call->promised = false;
		call->received = 0;
		call->credit = fresh;
	}
	client->open = false;
	client->lost_ns = world.now_ns;
	client->back_ns = world.now_ns + (int64_t)random_below(&world.random,
		chance(10) ? 60 * NS_PER_S : 100 * NS_PER_MS);
}

static void lose_router(void)
{
	if (world.dying)
		memcpy(world.legacy, world.legacy_then, router_legacy_bytes(&place.size));
	world.dying = false;
	for (uint32_t i = 0; i < CLIENTS; i++)
		part(&world.clients[i]);
	for (uint32_t i = 0; i < SLOTS; i++)
		orphan(&world.workers[i]);
	for (uint32_t i = 0; i < SLOTS; i++)
		make_promises(&world.workers[i]);
	memset(world.starved, 0, sizeof(world.starved));
	memset(world.closing, 0, sizeof(world.closing));
	memset(world.deaths, 0, sizeof(world.deaths));
	begin_router();
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
	turn_pool();
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

/* ---- the end ---- */

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
	catalogs[0].catalog.generation = 1;
	world.seed = seed;
	world.print = getenv("SEED") != NULL;
	random_init(&world.random, seed);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		world.faults[i] = chance(50);
	for (unsigned i = 0; i <= NAMES; i++)
		world.effects[i].effect = true;
	world.moves = 1;
	world.now_ns = NS_PER_S;
	free(place.legacy);
	world.legacy = place.legacy = calloc(2, router_legacy_bytes(&place.size));
	assert(place.legacy);
	world.legacy_then = (char *)place.legacy + router_legacy_bytes(&place.size);
	begin_router();
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

	for (uint32_t i = 0; i < COUNT(names); i++)
		names[i] = i;
	for (uint32_t i = 0; i < CHUNKS; i++)
		outputs[i][0] = (uint8_t)i;

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
	free(place.memory);
	free(place.legacy);
	return missing > 0;
}
