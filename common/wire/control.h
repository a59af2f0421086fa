/*
 * control.h - the fixed records of the monitor, who reads nothing else.
 *
 *	router  <-- struct control, 32 bytes, packet socket -->  monitor
 *	worker  <-- struct beat, 16 bytes, packet socket ----->  monitor
 *	client  --- struct workspace_ask and a descriptor ---->  monitor
 *	worker  === struct crash_page, shared memory =========   monitor
 *
 * Every record is one packet of exactly its size in the machine's own byte
 * order: nothing to parse, nothing to resynchronise. Whatever is out of range
 * is the sender's fault and ends that socket alone. Descriptors travel
 * downward only: from the monitor to router and workers. The one exception is
 * a workspace, which a client opened itself and the kernel vouches for
 * (SO_PEERCRED, unix(7)).
 *
 * A slot is a place for one worker; its generation counts the workers it has
 * had, from 1, so that a late word about a dead one is told apart. A pool is
 * the slots that run one program; its number is the index of its row in the
 * catalog (common/catalog.h).
 *
 * A workspace is a directory that a client has registered, and its number none
 * but that one ever has: of the CONTROL_WORKSPACES_MAX places there are, the
 * number says which, and how often places were taken before, from a random
 * beginning, so that what an earlier supervisor gave away does not come again
 * either. Before the client learns the number the router has a CONTROL_WORKSPACE
 * that says whose it is, as has each router from its start: only that user and
 * root may have calls served in it.
 *
 * A new catalog renumbers: right after CONTROL_CATALOG every living slot gets
 * a CONTROL_SLOT_POOL, with CONTROL_NO_POOL if its worker belongs to the old
 * generation of a changed pool and is to be given no more calls. A canary, the
 * first worker of a changed pool, is up before that, with CONTROL_NO_POOL: it
 * is greeted, and called only once it has a pool. Records of the router that
 * name a pool carry the generation of the catalog it means in generation; what
 * an older one numbered is passed over.
 *
 * When the router dies, the workers that said they would (BEAT_HELLO) go on. To
 * each the monitor sends a BEAT_LINK with one end of a fresh socket, whose other
 * end the next router gets with a CONTROL_SLOT_UP that says SLOT_UP_AGAIN: same
 * slot, same generation. CONTROL_ALL_UP ends the list; whoever is not on it is
 * gone. What that router must know of its forerunner's calls it finds in memory
 * that outlives both (ROUTER_LEGACY_FD), where only routers read and write.
 *
 * A want is answered by at most that many workers (fewer at the pool's size),
 * and then forgotten; the monitor by itself keeps size of a static pool alive,
 * warm of the others. A worker that ended idle for idle_ns, or that has served
 * recycle_calls, is the router's to see: it drains it and says RECYCLE, upon
 * which the monitor stops it and replaces it if it is one of those.
 */
#ifndef CUPEL_COMMON_WIRE_CONTROL_H
#define CUPEL_COMMON_WIRE_CONTROL_H

#include <stdint.h>

#define CONTROL_SLOTS_MAX 256
#define CONTROL_WORKSPACES_MAX 64	/* at a time; number 0: none */
#define CONTROL_NO_POOL 0xffff

/* What a program of ours finds open when it starts. */
enum worker_descriptor {
	WORKER_LINK_FD = 3,	/* stream socket: frames with the router */
	WORKER_BEAT_FD = 4,	/* packet socket: beats, and fresh links; its end is
				   the monitor's */
	WORKER_CRASH_FD = 5,	/* one struct crash_page, to be mapped shared */
	WORKER_CLIENT_FD = 6,	/* pools with a client_role: frames, as a client */
	WORKER_COUNTER_FD = WORKER_CLIENT_FD,	/* pools per call, instead: sandbox/counter.h */
	WORKER_DESCRIPTORS_END
};
enum router_descriptor {
	ROUTER_CONTROL_FD = 3,	/* packet socket: struct control */
	ROUTER_LISTEN_FD = 4,	/* listening stream socket of the clients */
	ROUTER_CATALOG_FD = 5,	/* sealed memory: struct catalog */
	ROUTER_EFFECTS_FD = 6,	/* the router's own file, which outlives it */
	ROUTER_LOCK_FD = 7,	/* held, so that no other writes it meanwhile */
	ROUTER_LEGACY_FD = 8,	/* memory of ROUTER_LEGACY_BYTES, zero at first */
	ROUTER_BREAKERS_FD = 9,	/* another file of its own, under the same lock */
	ROUTER_DESCRIPTORS_END
};

#define ROUTER_LEGACY_BYTES (2U << 20)

enum control_kind {
	/* Monitor to router. */
	CONTROL_SLOT_UP = 1,	/* slot, generation, pool, workspace; link attached;
				 * detail: enum slot_up; argument: when it was
				 * spawned, monotonic ns; 0: just now */
	CONTROL_CLIENT_UP,	/* slot, generation; detail: enum caller_role; link attached */
	CONTROL_SLOT_DOWN,	/* slot, generation, pool; detail: enum slot_end;
				 * call; argument: exit status or signal */
	CONTROL_SLOT_USAGE,	/* slot, generation; argument: resident bytes;
				 * call: processor time so far, ns */
	CONTROL_POOL_STATE,	/* pool; detail: enum restart_state;
				 * argument: retry at, monotonic ns */
	CONTROL_CATALOG,	/* argument: catalog generation; sealed memory attached */
	CONTROL_SUPERVISOR,	/* detail: enum supervisor_state; each second;
				 * argument: descriptors the monitor has open; 0: not counted */
	CONTROL_SLOT_POOL,	/* slot, generation, pool: its number in the present catalog */
	CONTROL_SLOT_DRAIN,	/* slot, generation; argument: deadline, monotonic
				 * ns: no new call, then RECYCLE */
	CONTROL_STOP,		/* argument: deadline, monotonic ns: drain, then leave */
	CONTROL_NO_ENTRY,	/* pool, workspace: no worker gets into it, for the
				 * errno in argument, or it is no more, 0 */
	CONTROL_WORKSPACE,	/* workspace; argument: uid of the client that registered it */
	CONTROL_ALL_UP,		/* of those who lived before this router */
	CONTROL_POOL_REASON,	/* pool; detail: which piece, from 0 on; text: of why its
				 * last worker failed, before a POOL_STATE that it rests */
	CONTROL_POOL_CRASH,	/* the same of that worker's crash page */

	/* Router to monitor. */
	CONTROL_BEAT,		/* argument: turns of its loop; call: calls in hand */
	CONTROL_WANT,		/* pool, workspace; argument: more workers wanted than there are */
	CONTROL_USEFUL,		/* slot, generation: it has served a call well */
	CONTROL_PROBED,		/* pool: its probe succeeded */
	CONTROL_RECYCLE,	/* slot, generation: drained, replace it */
	CONTROL_KILL,		/* slot, generation, detail: enum kill_reason; call */
	CONTROL_POOL_ORDER,	/* pool, detail: enum pool_order */
	CONTROL_RELOAD,		/* look at the manifests now */
	CONTROL_SHUTDOWN,	/* the owner asked for it */
	CONTROL_KIND_COUNT
};

enum slot_up { SLOT_UP_CANARY = 1, SLOT_UP_AGAIN = 2 };

enum slot_end {
	SLOT_END_NORMAL,	/* drained, recycled, or a single-use one that is done */
	SLOT_END_ORDERED,	/* killed by our order */
	SLOT_END_EXIT,		/* argument: the exit status */
	SLOT_END_SIGNAL,	/* argument: the signal */
	SLOT_END_OOM,		/* its cgroup ran out of memory */
	SLOT_END_POLICY,	/* SIGSYS: a call its filter forbids */
	SLOT_END_HUNG,		/* no beat */
	SLOT_END_START,		/* never became ready; argument: exit status or errno */
	SLOT_END_COUNT
};

enum kill_reason { KILL_CANCELLED, KILL_DEADLINE, KILL_PROTOCOL, KILL_REASON_COUNT };

enum pool_order { POOL_RESET, POOL_DISABLE, POOL_ENABLE, POOL_ORDER_COUNT };

enum supervisor_state {
	SUPERVISOR_BOOT, SUPERVISOR_RUNNING, SUPERVISOR_BROWNOUT,
	SUPERVISOR_DRAINING, SUPERVISOR_STATE_COUNT
};

/* Texts end with a NUL unless their last piece is full, and are printable ASCII. */
#define CONTROL_TEXT_BYTES 24
#define CONTROL_REASON_BYTES (4 * CONTROL_TEXT_BYTES)
#define CONTROL_CRASH_BYTES (20 * CONTROL_TEXT_BYTES)

struct control {
	uint8_t kind;		/* enum control_kind */
	uint8_t detail;
	uint16_t pool;
	uint32_t slot;
	union {
		struct {
			uint32_t generation;
			uint32_t workspace;
			uint64_t argument;
			uint64_t call;	/* SLOT_DOWN: the culprit by the crash page; 0: none */
		};
		char text[CONTROL_TEXT_BYTES];	/* POOL_REASON, POOL_CRASH */
	};
};

enum beat_kind {
	BEAT_HELLO = 1,		/* the program runs; nothing before it counts as started;
				   value 1: it outlives the router, and takes a BEAT_LINK */
	BEAT_READY,		/* tested and serving; value: calls at a time */
	BEAT_ALIVE,		/* value: turns of the work loop so far */
	BEAT_BUSY_UNTIL,	/* value: monotonic ns; until then silence is no sign */
	BEAT_TAKEN,		/* of a single-use worker: its call goes on, it is no spare */
	BEAT_LINK,		/* of the monitor: a fresh link, attached */
	BEAT_KIND_COUNT
};

#define BEAT_INTERVAL_NS INT64_C(1000000000)

struct beat {
	uint32_t kind;		/* enum beat_kind */
	uint32_t reserved;	/* 0 */
	uint64_t value;
};

/* A client hands over a directory it has opened with O_PATH. */
#define WORKSPACE_MAGIC 0x63775031U

struct workspace_ask {
	uint32_t magic;		/* WORKSPACE_MAGIC */
	uint32_t release;	/* the number to forget; 0: register the descriptor */
};

/* It lasts as long as the socket it was registered on. */
struct workspace_answer {
	int32_t error;		/* 0 or a negative errno */
	uint32_t number;
};

/*
 * Written by the worker, read by the monitor once the worker is dead, and
 * believed no more than any word of a worker: one that lies blames itself.
 */
#define CRASH_ADDRESSES_MAX 24
#define CRASH_BUILD_BYTES 32

struct crash_page {
	uint64_t call;		/* being served; 0: none, or several */
	uint32_t phase;		/* the tool's own numbering */
	uint32_t address_count;
	char build[CRASH_BUILD_BYTES];
	uint64_t addresses[CRASH_ADDRESSES_MAX];
};

/* The place of a workspace; for a number that is not 0. */
static inline uint32_t control_workspace_place(uint32_t number)
{
	return (number - 1) % CONTROL_WORKSPACES_MAX;
}

_Static_assert(sizeof(struct control) == 32, "a record of 32 bytes");
_Static_assert(sizeof(struct beat) == 16, "a record of 16 bytes");
_Static_assert(sizeof(struct crash_page) <= 4096, "one page");

#endif
