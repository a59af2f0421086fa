/*
 * world.h - the simulated world of the router's core, and what its parts offer
 * each other. A part calls those that stand above it:
 *
 *	world.c		dice, trace, failing; whose a call and a workspace is
 *	answers.c	what clients hear
 *	tasks.c		what workers hear, do and say
 *	router.c	the router under test, and its lives
 *	monitor.c	catalogues, pools, workspaces
 *	clients.c	what clients say
 *	workers.c	the workers' processes
 *	main.c		turns, seeds, the end
 */
#ifndef CUPEL_TESTS_SIMULATION_ROUTER_WORLD_H
#define CUPEL_TESTS_SIMULATION_ROUTER_WORLD_H

#include "common/cleanup.h"
#include "common/core/random.h"
#include "supervisor/router/parts_core.h"

#define CLIENTS 4
#define SLOTS 6
#define MANY 4			/* of them; the rest are of "once", in a workspace */
#define USERS 2			/* the clients' in turn; each has a workspace */
#define IDS 512
#define OUTBOX 64
#define KEPT 24			/* results a worker keeps until they are confirmed */
#define CHUNK_BYTES 60000
#define CHUNKS 6		/* more than there is credit for at first */
#define KILLER 77		/* the second word of a call no worker survives */
#define NAMES 32		/* of effects, for whoever wants one */
#define EFFECTS 64
#define BREAKERS 32		/* rows of them, of which fewer are used */
#define UNUSED NAMES		/* a name nobody has used */
#define PARTS 2			/* of an argument, after the CALL */
#define STALE_NS (2 * NS_PER_S)	/* what is kept of "pure" may serve so long, after a second */
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
	SEEN_SPARED, SEEN_DROPPED, SEEN_BLOCKED,
	SEEN_FALLBACK, SEEN_OLD,
	SEEN_COUNT
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
	bool old;			/* its result is past its time, it says */
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
	struct breaker_row breakers[BREAKERS];	/* and of breakers */
	unsigned lives;			/* of the router */
	bool dying;			/* it was killed in the midst of a step */
	bool faults[FAULT_COUNT];
	bool starved[CLIENTS + SLOTS];
	bool closing[CLIENTS + SLOTS];
	int64_t now_ns;
	uint64_t trace, seed;
	bool calm, print, left;
	bool observes;			/* "effect" is new, and its breaker only counts */
	unsigned first_pool;		/* the number of "many" */
	uint32_t moves;			/* workspaces have changed hands so often */
	unsigned deaths[2];		/* by the killer, as "effect" and as "job" */
	uint64_t calls;			/* that clients have made */
};

extern struct world world;
extern uint64_t seen[SEEN_COUNT];

/* ---- world.c ---- */

bool chance(unsigned percent);
bool fault(enum fault kind, unsigned percent);	/* never while it is calm */
void fail(const char *what, uint64_t number) __attribute__((noreturn));
void note_trace(uint64_t a, uint64_t b, uint64_t c);

/* Whose executions count: an effect's, whoever asks for it. */
struct sim_call *call_of(uint32_t id);

/* At each move both users leave theirs, and each gets the other's place. */
uint32_t workspace_of(uint32_t user, uint32_t moves);
uint32_t owner_of(uint32_t workspace);

/* ---- answers.c ---- */

void client_hears(uint32_t index, const struct message *message);
void check_deadlines(void);

/* ---- tasks.c ---- */

void write_outputs(void);	/* once, before the first seed */
void worker_hears(struct sim_worker *worker, const struct message *message);
void push(struct sim_worker *worker, struct message message);
void accept_task(struct sim_worker *worker, struct task *task);
void work_on(struct sim_worker *worker, unsigned index);
void check_begun(const struct sim_worker *worker);
unsigned working(const struct sim_worker *worker);	/* on so many tasks */
bool is_single(const struct sim_worker *worker);

/* What a living worker has when its router dies will not be lost. */
void make_promises(const struct sim_worker *worker);
void break_promises(const struct sim_worker *worker);

/* ---- router.c ---- */

void begin_router(const struct catalog *catalog);
void end_router(void);
void step(struct router_event event);

/* ---- monitor.c ---- */

struct catalog *catalog_of(unsigned first_pool);
void load(unsigned first_pool);
uint16_t pool_of(uint32_t slot);
void tell_workspaces(void);
void turn_monitor(void);

/* ---- clients.c ---- */

enum { TOOL_PURE_ONE = 2, TOOL_UNKNOWN, TOOL_SPARE, TOOLS };	/* the others: 0, 1 */
extern const char *const tool_names[TOOLS];

void turn_client(uint32_t index);
void send_call(uint32_t index);
void orphan_client(struct sim_client *client);

/* ---- workers.c ---- */

void turn_worker(uint32_t slot);
void tell_up(uint32_t slot, uint8_t detail);	/* on a link that is new */
void orphan_worker(struct sim_worker *worker);

#endif
