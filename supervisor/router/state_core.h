/*
 * state_core.h - what the router knows; what its parts do with it is in
 * parts_core.h.
 *
 * From the outside in: clients and their users; workers, their pools and tools;
 * calls; and the router, which has them all.
 *
 * Lists hold indices' owners, never copies; a call is named by its index and,
 * to a worker, by a handle that every attempt changes.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_STATE_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_STATE_CORE_H

#include "common/core/breaker.h"
#include "common/core/bucket.h"
#include "common/core/cache.h"
#include "common/core/credit.h"
#include "common/core/deadline.h"
#include "common/core/fair.h"
#include "common/core/flight.h"
#include "common/core/handle.h"
#include "common/core/queue.h"
#include "common/core/restart.h"
#include "common/core/retry.h"
#include "supervisor/router/breakers_core.h"
#include "supervisor/router/effect_core.h"
#include "supervisor/router/health_core.h"
#include "supervisor/router/latency_core.h"
#include "supervisor/router/legacy_core.h"
#include "supervisor/router/life_core.h"
#include "supervisor/router/poison_core.h"
#include "supervisor/router/record_core.h"
#include "supervisor/router/router_core.h"
#include "supervisor/router/store_core.h"

#define NONE UINT32_MAX

#define CLIENT_FLIGHT_MAX 64
#define CLIENT_WAITING_MAX 64
#define CLIENT_CANCELS_PER_S 100
#define USER_LOOKS_PER_S 20	/* at the router itself, which takes long */
#define CLIENT_HELLO_NS (5 * NS_PER_S)
#define CLIENT_STALL_NS (30 * NS_PER_S)
#define CLIENT_STALL_BYTES (1U << 20)

#define CALL_ARGUMENT_MAX (8U << 20)
#define CALL_DEADLINE_MOST_NS (24 * 3600 * NS_PER_S)
#define CANCEL_GRACE_NS NS_PER_S
#define SUSPECT_GRACE_NS (5 * NS_PER_S)
#define STILL_NS NS_PER_S	/* later than that we look only if we stood still */
#define HELD_NS (3600 * NS_PER_S)
#define HELD_ACK_NS (30 * NS_PER_S)
#define HELD_MAX 256		/* then whoever has most of them gives one up */
#define LINK_END_NS NS_PER_S	/* after SLOT_DOWN the link has so long */
#define ROUND_NS NS_PER_S
#define WANT_NS (20 * NS_PER_MS)
#define STUCK_NS (20 * NS_PER_MS)	/* behind another call, and not begun */
#define ROUTER_FLIGHTS 256
#define TOOLS_MAX (2 * CATALOG_TOOLS_MAX)	/* with those that go */

enum timer_kind { TIMER_CALL, TIMER_TOOL };

struct timer {
	struct wheel_timer wheel;
	enum timer_kind kind;
	uint32_t index;
};

struct peer {
	bool open;
	struct parcels waiting;		/* the link took no more */
	int64_t stalled_ns;		/* since when; 0: it is not */
};

struct client {
	struct peer peer;		/* open: the record is in use */
	bool greeted;
	bool internal;			/* a worker's own link: CLIENT_UP */
	uint32_t slot, generation;	/* that worker */
	const char *doom;		/* why it is cut when the step is over */
	enum error_code doom_code;
	uint32_t uid;
	enum caller_role role;
	int64_t since_ns;
	uint8_t session[SESSION_BYTES];
	uint32_t running, waiting;	/* calls with a worker; all others */
	struct list calls;
	struct bucket cancels;
	struct bucket looks;		/* for what an earlier router left */
	uint32_t legacy;		/* row of its session; NONE: it has none */
	bool resumed;			/* it was there when an earlier router died */
	struct list unconfirmed;	/* rows of calls whose RESULT it has had */
	uint32_t unconfirmed_count;
};

/*
 * What a user has of what all have in common (common/core/fair.h). Users whose
 * numbers are equal modulo size.clients count as one. Whoever owns the supervisor,
 * and its workers, may have all: their rows are kept, and never asked.
 */
struct user {
	uint64_t links, calls;
	uint64_t unconfirmed;		/* results, of all links */
	uint64_t argument_bytes;	/* room of all calls' arguments */
	uint64_t held;			/* results that wait for clients of his */
	uint64_t room;			/* of the store, when it was last full */
	uint64_t known, result_bytes;	/* effects that are over; what is kept of them */
	struct list names, results;	/* the same: the longest over first */
	struct list *recalled;		/* last, in names */
	struct bucket looks;
};

enum slot_state {
	SLOT_EMPTY,
	SLOT_LINKED,		/* its HELLO is awaited */
	SLOT_WELCOMED,		/* its READY is */
	SLOT_READY,
	SLOT_DRAINING,		/* takes no more; RECYCLE when it has none */
	SLOT_ENDING,		/* one of link's end and SLOT_DOWN has come */
	SLOT_STATE_COUNT
};

struct slot {
	struct peer peer;
	enum slot_state state;
	uint32_t generation;
	uint32_t pool;			/* NONE: a canary's, or it is gone */
	uint32_t workspace;
	bool down;			/* SLOT_DOWN has come: */
	enum slot_end end;
	uint64_t end_argument, culprit;
	bool died_alone;		/* of one call that it had */
	bool recycled, killed, useful;	/* told the monitor so */
	bool again;			/* of an earlier router's: RESYNC is to end */
	uint32_t owed;			/* results it keeps until we confirm them */
	uint32_t unclaimed;		/* results it will bring that nobody wants */
	int64_t drain_ns;		/* to be drained by then, told at any time; or 0 */
	uint32_t calls_max;
	uint32_t running;
	bool blocked;			/* it begins nothing that it is sent, */
	bool recalling;			/* and one call of it may come back */
	struct list calls;
	struct list pool_link;
	uint64_t served, resident_bytes;
	int64_t cpu_ns;			/* so far */
	int64_t since_ns, idle_ns;	/* spawned; without a call since */
	int64_t kill_at_ns;		/* DEADLINE_NEVER, or suspect until */
	int64_t down_ns;
	uint64_t ping_token;
	int64_t ping_ns, pong_ns;	/* last sent; round trip, -1: none */
};

/* Of all workers that a pool has had. */
struct worker_tally {
	struct histogram starts;	/* from being spawned to READY */
	struct histogram lives;		/* from being spawned to the end */
	uint64_t ends[SLOT_END_COUNT];
	int64_t cpu_ns;
};

struct pool {
	struct catalog_pool row;
	bool present;
	bool served;			/* a worker of it has been ready */
	enum restart_state state;
	int64_t retry_at_ns;
	char reason[CONTROL_REASON_BYTES + 1];	/* why its last worker failed, */
	char crash[CONTROL_CRASH_BYTES + 1];	/* and what that said of its crash */
	struct retry_budget budget;
	struct list slots, tools, parked;
	struct list coming;		/* calls whose arguments still come */
	uint32_t parked_count, coming_count;
	uint32_t slot_count, ready_count;
	uint64_t restarts;
	struct worker_tally tally;
	int64_t want_ns;		/* not before, as long as ... */
	uint32_t asked;			/* ... workers asked for have not come */
	struct health_component health;
};

struct tool {
	struct timer timer;
	struct catalog_tool row;
	bool present;
	bool enabled;
	uint32_t changed;		/* in this generation of the catalogue */
	uint32_t users;			/* calls that name it */
	struct list pool_link;
	struct breaker_limits limits;
	struct breaker breaker;
	uint64_t breaker_seen;		/* generation dealt with */
	uint32_t breaker_row;		/* where it is kept; NONE: it need not be */
	uint64_t kept_generation;	/* what was looked at for that */
	int64_t kept_isolated_ns;
	int64_t first_ns;		/* first seen, since 1970; 0: not asked */
	int64_t armed_ns;
	struct queue queue;
	struct list door;		/* calls that wait for room in it */
	uint32_t door_count;
	uint64_t overflows[OVERFLOW_COUNT];	/* calls that found it full */
	uint32_t running;
	bool probing;
	int64_t probe_ns;		/* the next is due; while half-open */
	struct latency latency;		/* from sent to result, ok only */
	struct latency waits;		/* in the queue */
	uint64_t ends[ERROR_CODE_COUNT];
	uint64_t retried, coalesced, hits, misses;
	uint64_t stale, fallbacks;	/* served past its time; asked elsewhere */
};

/*
 * A result somebody may still want: CHUNKs and the RESULT, in this order. Of
 * output that is too much the beginning and the end are kept, if the call may
 * be cut (others have it or none); a result is kept whole.
 */
struct kept {
	unsigned references;
	struct parcels parcels;
	uint64_t number;		/* of the call it is of; 0: not known */
	char instead[CATALOG_NAME_BYTES]; /* the tool that answered it, if another was asked */
	uint32_t places;		/* of all that came */
	struct parcel *beginning;	/* its last; NULL: it goes on */
	size_t result_bytes, beginning_bytes, end_bytes;	/* and a weight each */
	uint64_t dropped;		/* bytes in between */
};

enum stop_cause {
	STOP_NONE,
	STOP_CLIENT,
	STOP_LOST,
	STOP_DEADLINE,
	STOP_IDLE,
	STOP_OUTPUT,
	STOP_PARENT,
	STOP_CAUSE_COUNT
};

#define REASON_BYTES 240

/* How a call ends, or the last attempt of it did. */
struct ending {
	enum error_code code;
	enum error_origin origin;
	uint32_t phase;
	uint32_t retry_after_ms;
	char reason[REASON_BYTES];
	uint32_t reason_length;
};

struct call {
	struct timer timer;
	enum call_state state;
	uint32_t generation;		/* of the handle: one an attempt */
	uint32_t client;		/* NONE: it has none (any more) */
	uint64_t client_id;
	uint32_t uid;
	uint32_t user;			/* in whose name; NONE: nobody's */
	enum caller_role role;
	bool guest;			/* of a user who has but a share */
	uint8_t session[SESSION_BYTES];
	uint32_t tool;			/* NONE: the router's own */
	uint32_t asked;			/* before, instead of it, as long as none has begun */
	bool instead;			/* it is not the tool that was asked for */
	uint64_t age_ms;		/* of what is past its time, which it has; or 0 */
	uint32_t slot;			/* NONE: with no worker */
	uint32_t workspace, flags;
	enum queue_priority priority;
	uint64_t parent;
	bool probe, records;		/* the router's own: to see; to record */
	bool alone;			/* joins nobody */
	bool cuts;			/* what is kept of it may have a gap */
	bool accepted;			/* the worker has, in this attempt */
	bool begun;			/* or in one before */
	bool announced;			/* the client has had an ACCEPT */
	bool stopping;			/* the worker has had a CANCEL */
	bool stuck, recalled;		/* waits behind another; has had a RECALL */
	bool silent;			/* its client has left: all into kept */
	bool unread;			/* nobody read it when its time was over */
	bool unseen;			/* nor did the router look: it stood still */
	bool answered;			/* the client has had its RESULT */
	bool more;			/* the argument is not complete */
	bool hashed;
	bool adopted;			/* an earlier router had sent it; so far: */
	bool named;			/* the worker has said it has it */
	bool borrowed;			/* it is detached for as long as it has no client */
	bool confirmed;			/* its client has the RESULT already */
	bool unasked;			/* and waits to be told from which chunk on */
	uint32_t resumed_from;		/* chunks that only an earlier router has had of it, */
	uint32_t resent_from, resent_to;	/* of which the worker has these */
	uint32_t had;			/* that its client came back with */
	uint32_t legacy;		/* row; NONE: it has none */
	uint64_t alias;			/* its worker's name for it; 0: the handle */
	enum stop_cause stop;
	unsigned attempts;
	struct signature signature;

	struct parcels arguments;	/* CALL, then CHUNK_REQs */
	struct parcel *next_argument;	/* to the worker */
	uint32_t argument_sequence;
	struct credit from_client, to_client, from_worker, to_worker;
	size_t owed;			/* credit the worker has yet to get */
	uint32_t chunks_in, chunks_out;
	uint64_t output_bytes;

	struct deadline_pair limits;
	int64_t received_ns, sent_ns, stuck_ns, retry_ns, kill_ns, keep_ns;
	struct breaker_permit permit;
	uint64_t queue_id;
	struct ending last;

	struct kept *kept;		/* being collected, or delivered */
	bool collecting;
	struct parcel *last_kept;	/* that the client has had; NULL: none */
	uint64_t dropped;		/* bytes of it that the client will not have */
	uint32_t effect;		/* that it leads; NONE: none */
	uint64_t ticket, flight;	/* 0: none */
	struct flight_waiter waiter;

	struct list id_link, client_link, slot_link, effect_link, door_link;
	struct list parked_link;	/* of its pool: parked, or coming */
};

struct totals {
	uint64_t accepted, ok, failed, retried, shed, poisoned;
	uint64_t refused, clients, faults, stalled, deaths, unaffordable;
	uint64_t bytes_in, bytes_out;
};

/* The last one that was at its place. */
struct workspace {
	uint32_t number, uid;
};

enum resource { RESOURCE_MEMORY, RESOURCE_DISK, RESOURCE_CPU, RESOURCE_COUNT };

struct router {
	struct router_size size;
	struct router_sink sink;
	const struct catalog *catalog;
	uint32_t tool_of[CATALOG_TOOLS_MAX];	/* by row of the catalogue */
	struct random random;
	struct hash_key keys[2];
	struct wheel wheel;
	struct store store;

	struct client *clients;		/* and one for calls without a client */
	struct user *users;		/* as many as clients */
	size_t argument_bytes;		/* of all users */
	struct slot *slots;
	struct pool pools[CATALOG_POOLS_MAX];
	struct retry_budget retries;	/* of all pools together */
	struct tool *tools;
	uint32_t tools_fresh;		/* never used from here on */
	bool breaker_rows[TOOLS_MAX];	/* those that are a tool's */
	struct queue_entry *entries;	/* size.queue a tool */
	struct queue_lane *lanes;	/* router_lanes() rows a tool */

	struct call *calls;
	struct list *chains;		/* by client and its id; as many */
	struct list free_calls;
	uint32_t calls_fresh;		/* never used from here on */
	uint32_t call_count, running, waiting, nested, held;
	size_t owed;

	struct cache cache;
	struct cache_entry *cache_entries;
	uint8_t *cache_keys;
	struct flight_table flights;
	struct flight *flight_rows;
	struct effect_ledger effects;
	struct legacy legacy;
	struct recorder recorder;
	struct poison poison;
	bool poisoned;			/* somebody has died of something */

	struct workspace workspaces[CONTROL_WORKSPACES_MAX];
	uint32_t doomed;		/* clients to be cut */
	uint32_t dirty;			/* pools to look at, a bit each */
	int64_t now_ns;			/* of this step */
	int64_t date_ns;		/* when the clock was 0, since 1970; 0: unknown */
	int64_t round_ns, health_ns, started_ns;
	uint64_t turns;
	enum supervisor_state supervisor;
	struct router_process self, monitor;
	struct histogram works[ROUTER_WORK_COUNT];
	uint64_t monitor_descriptors;	/* as it says itself */
	struct worker_tally homeless;	/* of workers without a pool: canaries,
					   those that a reload replaces */
	int64_t monitor_ns;		/* its last word */
	bool draining, stopping, left;
	int64_t stop_ns;
	struct health_component resources[RESOURCE_COUNT], monitor_health;
	struct totals totals;
	uint64_t refusals[ERROR_CODE_COUNT], ends[ERROR_CODE_COUNT];
	uint64_t stops[STOP_CAUSE_COUNT];	/* calls that ended stopped */
};

/*
 * Who takes turns in a queue: each client, one for calls that have none, and each
 * user who has but a share, however many links he has, or had.
 */
static inline uint32_t router_lanes(const struct router_size *size)
{
	return 2 * size->clients + 1;
}

#endif
