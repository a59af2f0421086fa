/*
 * router_core.h - the router as a function: state, event, now -> actions.
 *
 *	peers 0 .. clients - 1			clients
 *	peers clients .. clients + slots - 1	workers, by their slot
 *
 * An event goes in, actions come out through the sink, one by one and at once,
 * since a message may borrow from the event. A sink never calls back. No
 * system call, no heap, no clock: the same seed and the same events give the
 * same actions. All storage is one block, sized at start; what is not used is
 * not touched.
 *
 * The order in which a worker's death is told does not matter: its calls are
 * judged once both CONTROL_SLOT_DOWN and ROUTER_CLOSED of its link have come,
 * the latter after the last whole message of the link.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_ROUTER_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_ROUTER_CORE_H

#include "common/catalog.h"
#include "common/wire/control.h"
#include "common/wire/message.h"
#include "supervisor/router/latency_core.h"

#define ROUTER_CALLS 4096
#define ROUTER_CLIENTS 256
#define ROUTER_EFFECTS 16384
#define ROUTER_SLOTS CONTROL_SLOTS_MAX
#define ROUTER_STORE_BYTES (64U << 20)

struct router;
struct breaker_row;
struct effect_row;
struct hash_key;

struct router_size {
	uint32_t calls, clients, slots;
	uint32_t queue;		/* calls that may wait for a tool, at most */
	uint32_t cached;	/* results kept */
	uint32_t effects;	/* whose names are known; more than calls */
	uint32_t kept_bytes;	/* of a call's output, and as much of its result */
	size_t store_bytes;	/* of all that waits; a multiple of 256 KiB */
};

extern const struct router_size router_size_default;

struct router_note {
	enum router_note_level { NOTE_INFO, NOTE_WARNING, NOTE_ERROR } level;
	const char *message;	/* a constant sentence */
	const char *name;	/* of the tool or pool; or NULL */
	const char *detail;	/* or NULL */
	uint64_t call;
	uint32_t slot, generation;
};

struct router_sink {
	void *owner;

	/* 0, -EAGAIN (ROUTER_WRITABLE follows), or -EPIPE: never again. */
	int (*send)(void *owner, uint32_t peer, const struct message *message);

	/* What was sent goes out if it can; then the link is gone. */
	void (*close)(void *owner, uint32_t peer);
	void (*control)(void *owner, const struct control *record);

	/* Where the next router finds it, whatever becomes of this one. 0, -errno. */
	int (*keep)(void *owner, uint32_t index, const struct effect_row *row);
	void (*keep_breaker)(void *owner, uint32_t index, const struct breaker_row *row);
	void (*note)(void *owner, const struct router_note *note);
	void (*leave)(void *owner);
};

enum router_event_kind {
	ROUTER_OPEN,		/* a client came: peer, uid, role */
	ROUTER_MESSAGE,		/* peer, message */
	ROUTER_WRITABLE,	/* peer: after -EAGAIN there is room */
	ROUTER_CLOSED,		/* peer: no message will come; detail: why */
	ROUTER_CONTROL,		/* record; CLIENT_UP: peer; CATALOG: catalog */
	ROUTER_SAMPLE,		/* sample */
	ROUTER_TICK,
	ROUTER_EVENT_COUNT
};

struct router_process {		/* 0: unknown */
	uint64_t resident_bytes, virtual_bytes;
	int64_t cpu_ns;		/* so far */
	int64_t start_ns;	/* since 1970-01-01 UTC */
	uint64_t descriptors, descriptors_most;
};

/* Work that the core has no clock for: a few of many are timed, by work_bounds_ns. */
enum router_work { WORK_DECODE, WORK_ENCODE, WORK_LOOKUP, ROUTER_WORK_COUNT };

struct router_sample {
	int64_t wall_ns;	/* since 1970-01-01 UTC; 0: unknown */
	unsigned memory_percent, disk_percent, cpu_percent; /* 101: unknown */
	struct router_process self, monitor;
	struct histogram works[ROUTER_WORK_COUNT];
};

struct router_event {
	enum router_event_kind kind;
	uint32_t peer;
	uint32_t uid;
	enum caller_role role;
	bool fault;		/* CLOSED: the peer broke the rules */
	const char *detail;
	const struct message *message;
	const struct control *record;
	const struct catalog *catalog;	/* checked; outlives the next one */
	const struct router_sample *sample;
};

/* Bytes of zeroed memory that a router of that size needs. */
size_t router_bytes(const struct router_size *size);

/*
 * A router without peers. The catalog outlives it or is replaced by a
 * CONTROL_CATALOG event. The seed is secret: sessions and hashes follow from it.
 */
struct router *router_init(void *memory, const struct router_size *size,
			   const struct catalog *catalog,
			   const struct router_sink *sink, uint64_t seed,
			   int64_t now_ns);

/*
 * Before the first event: the keys, to be written down or replaced by those an
 * earlier router wrote down; and then the rows it did, from the first on. False:
 * that is none of a router's.
 */
struct hash_key *router_keys(struct router *router);
bool router_recall(struct router *router, uint32_t index,
		   const struct effect_row *row, int64_t now_ns);

/* The same of its breakers' rows. False: that is none, and it is dropped. */
bool router_recall_breaker(struct router *router, uint32_t index,
			   const struct breaker_row *row, int64_t now_ns);

/*
 * After that, and before the first event: memory of router_legacy_bytes() that
 * outlives this router, with what an earlier one has left there (legacy_core.h).
 */
size_t router_legacy_bytes(const struct router_size *size);
void router_inherit(struct router *router, void *memory, int64_t now_ns);

void router_step(struct router *router, const struct router_event *event,
		 int64_t now_ns);

/* When ROUTER_TICK is due. */
int64_t router_next_ns(const struct router *router);

/* Calls in hand, and whether nothing waits in the store. */
uint32_t router_calls(const struct router *router);
bool router_store_is_empty(const struct router *router);

/* Asserts everything that holds between two events; for tests. */
void router_check(const struct router *router);

#endif
