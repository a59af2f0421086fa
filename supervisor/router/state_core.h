/*
 * state_core.h - what the router knows; shared by the parts of its core.
 *
 * tools_core	the catalogue, who may call what, a tool's breaker
 * clients_core	clients and their words; sending to any peer
 * admit_core	a call comes in: checks
 * door_core	into its tool's queue, or what becomes of it if that is full
 * dispatch_core	a call goes out to a worker
 * degrade_core	its tool cannot serve: another one, or what is kept
 * calls_core	a call's record: its state, its places, its time
 * action_core	what the events of its life do; whether it is tried again
 * answer_core	its client's answer, told or kept
 * ending_core	how it ended, in words
 * share_core	equal calls become one; results that are kept
 * effect_core	a side effect that has a name happens once
 * breakers_core	breakers that outlive the router
 * legacy_core	calls that outlive the router; resume_core: their both ends meet
 * slots_core	workers and their words
 * control_core	the monitor's records
 * record_core	how every call ended, on its way to the store
 * own_core	the router's own methods; report_core, metrics_core: their text
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
#include "supervisor/router/door_core.h"
#include "supervisor/router/effect_core.h"
#include "supervisor/router/health_core.h"
#include "supervisor/router/latency_core.h"
#include "supervisor/router/legacy_core.h"
#include "supervisor/router/life_core.h"
#include "supervisor/router/poison_core.h"
#include "supervisor/router/record_core.h"
#include "supervisor/router/resume_core.h"
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
	uint32_t parked_count;
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

	struct list id_link, client_link, slot_link, parked_link, effect_link;
	struct list door_link;
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

/* ---- clients_core: peers ---- */

struct peer *peer_of(struct router *router, uint32_t index);
uint32_t slot_peer(const struct router *router, uint32_t slot);

/* Sends, or keeps the message until the peer can take it. */
void peer_send(struct router *router, uint32_t index,
	       const struct message *message, int64_t now_ns);
void peer_writable(struct router *router, uint32_t index, int64_t now_ns);

/*
 * A copy in the store. If there is no room, whoever holds most of it gives: what is
 * held for clients of his that may come back, then his link that holds most, which
 * is cut; NULL if there is none all the same.
 */
struct parcel *parcel_keep(struct router *router, const struct message *message);

/* The link is gone, with all that waited for it. */
void peer_forget(struct router *router, uint32_t index);

void client_open(struct router *router, uint32_t index, uint32_t uid,
		 enum caller_role role, bool internal, int64_t now_ns);
void client_message(struct router *router, uint32_t index,
		    const struct message *message, int64_t now_ns);
void client_closed(struct router *router, uint32_t index, int64_t now_ns);
void client_cut(struct router *router, uint32_t index, enum error_code code,
		const char *reason, int64_t now_ns);

/*
 * Nothing more is sent to it, and what waits is dropped; it is cut at the end
 * of the step, for whoever sends is in the middle of something.
 */
void client_doom(struct router *router, uint32_t index, enum error_code code,
		 const char *reason);
void clients_cut_doomed(struct router *router, int64_t now_ns);
void clients_round(struct router *router, int64_t now_ns);

/* A call without a client is that one's again; what is kept for it goes out. */
void client_regain(struct router *router, struct call *call, uint32_t index);
void client_let_go(struct router *router, struct call *call);
/* One that a client of that session has left behind and comes back for; or NULL. */
struct call *client_find_left(struct router *router, uint32_t index, uint64_t id);
void client_go_on(struct router *router, struct call *call, int64_t now_ns);

/* Whether it is a user's who has but a share; and what he has of it. */
bool client_is_guest(const struct client *client);
struct user *user_row(struct router *router, uint32_t uid);
struct user *user_with_most(struct router *router, size_t offset);

/* The client a call is accounted to: its own, or the one for the lost. */
struct client *client_of(struct router *router, const struct call *call);

/* ---- tools_core ---- */

void tools_load(struct router *router, const struct catalog *catalog,
		int64_t now_ns);
struct pool *tool_pool(struct router *router, const struct tool *tool);
const char *tool_name(const struct router *router, const struct call *call);

/* After anything that may have moved the breaker: the queue follows it. */
void tool_watch(struct router *router, struct tool *tool, int64_t now_ns);
void tool_due(struct router *router, struct tool *tool, int64_t now_ns);
unsigned tool_concurrency(struct router *router, const struct tool *tool);
void tools_obey_pool(struct router *router, uint32_t pool, int64_t now_ns);
void tool_flush(struct router *router, uint32_t tool, enum error_code code,
		const char *reason, int64_t now_ns);
uint32_t tool_retry_ms(struct router *router, const struct tool *tool,
		       int64_t now_ns);

/* ---- admit_core ---- */

void admit_call(struct router *router, uint32_t client,
		const struct message *message, int64_t now_ns);
void admit_argument(struct router *router, struct call *call,
		    const struct message *message, int64_t now_ns);

/* Checks that come after the argument is complete; then the queue. */
void admit_complete(struct router *router, struct call *call, int64_t now_ns);

/* Those that are about the tool alone. */
void admit_to_tool(struct router *router, struct call *call, int64_t now_ns);

/* It may have become one while it waited. */
bool admit_is_poison(struct router *router, struct call *call,
		     struct ending *why, int64_t now_ns);

/* A call nobody is told of. */
struct own_call {
	bool probe, records;
	enum queue_priority priority;
	int64_t limit_ns;	/* from now, or the tool's own if that is less */
};

/* False: the tool is not served now, or there is no room for the call. */
bool admit_own(struct router *router, struct tool *tool,
	       const struct message *message, const struct own_call *own,
	       int64_t now_ns);
void admit_probe(struct router *router, struct tool *tool, int64_t now_ns);
struct call *call_find(struct router *router, uint32_t client, uint64_t id);
void call_register(struct router *router, struct call *call);

/* ---- degrade_core ---- */

/*
 * Its tool cannot serve, as its breaker is open, its workers do not start, or none
 * has come in time; the call is not with one. Another tool is asked, if one is
 * declared; or a result is served that is past its time; or that is why it ends.
 */
void degrade(struct router *router, struct call *call, const struct ending *why,
	     int64_t now_ns);

/* Its time is over, and none has begun it: the same where there is no worker, or its end. */
void degrade_late(struct router *router, struct call *call, const struct ending *why,
		  int64_t now_ns);

/* ---- dispatch_core ---- */

/* Sends what can be sent in the pools marked dirty. */
void dispatch(struct router *router, int64_t now_ns);
void dispatch_mark(struct router *router, uint32_t pool);
/* It is with that worker already. */
void dispatch_adopted(struct router *router, struct call *call,
		      struct slot *slot, int64_t now_ns);

/* It was not begun where it is, as another call is in its way. */
void dispatch_stuck(struct router *router, struct call *call);

/* It has come back, and is the first to be sent again. */
void dispatch_again(struct router *router, struct call *call);

/* No worker can be started in that workspace, for that errno: what waits is ended. */
void dispatch_no_entry(struct router *router, struct pool *pool, uint32_t workspace,
		       uint64_t error, int64_t now_ns);
void dispatch_arguments(struct router *router, struct call *call,
			int64_t now_ns);

/* ---- calls_core ---- */

struct call *call_new(struct router *router, uint32_t uid, int64_t now_ns);
void call_enter(struct router *router, struct call *call,
		enum call_state state);
void call_rearm(struct router *router, struct call *call);
bool call_is_patient(const struct call *call);
void call_due(struct router *router, struct call *call, int64_t now_ns);
/*
 * Whether the router was not running, stopped or frozen with its machine's
 * clock going on, when it was to see to something: that nobody is to blame for.
 */
bool call_stood_still(int64_t due_ns, int64_t now_ns);
uint64_t call_handle(const struct router *router, const struct call *call);

/* The handle of its last attempt, by which logs know it; 0: there was none. */
uint64_t call_number(const struct router *router, const struct call *call);
struct call *call_of_handle(struct router *router, uint64_t handle);
/* By what its worker calls it; NULL: that worker has none of that name. */
struct call *call_of_worker(struct router *router, struct slot *slot,
			    uint64_t handle);

/* Of a tool and its arguments, by two keys. */
struct signature sign_call(const struct hash_key keys[2], uint64_t tool,
			   const struct call *call);
struct signature call_signature(struct router *router, struct call *call);
void call_free(struct router *router, struct call *call);

/* Over; its result stays for a client that may come, or come back. */
void call_hold(struct router *router, struct call *call, int64_t keep_ns);

/* It is held no more. */
void call_let_go(struct router *router, struct call *call);

/*
 * Of a user's that are held while their client is not there, the one that was to
 * go first goes now. False: there is none.
 */
bool call_drop_held(struct router *router, const struct user *user,
		    const struct call *but);

/* Off its worker; out of its queue or wherever else it is listed. */
void call_leave_slot(struct router *router, struct call *call);
void call_detach(struct router *router, struct call *call);
void call_grant(struct router *router, struct call *call, size_t bytes,
		int64_t now_ns);
void calls_round(struct router *router, int64_t now_ns);

/* ---- action_core ---- */

void call_event(struct router *router, struct call *call,
		enum call_event event, const struct message *message,
		int64_t now_ns);
void call_stop(struct router *router, struct call *call, enum stop_cause cause,
	       int64_t now_ns);
/* Of adopted calls: the worker does not have it any more, or never began it. */
void call_end_unnamed(struct router *router, struct call *call,
		      struct ending ending, int64_t now_ns);
void call_give_back(struct router *router, struct call *call, int64_t now_ns);
/* Its client has had the RESULT from an earlier router. */
void call_confirm(struct router *router, struct call *call);

/* ---- answer_core ---- */

void call_announce(struct router *router, struct call *call, int64_t now_ns);

/* A worker's message, under the client's own number. */
void call_pass_on(struct router *router, struct call *call,
		  const struct message *message, int64_t now_ns);
/* Before its result, for a client that wants it, or needs it. */
void call_remark(struct router *router, const struct call *call,
		 int64_t now_ns);
void call_count_end(struct router *router, const struct call *call,
		    enum error_code code, int64_t now_ns);
void call_send_result(struct router *router, struct call *call,
		      const struct ending *ending, struct span body,
		      int64_t now_ns);

/* The client has its one answer; the worker may still have the call. */
void call_answer(struct router *router, struct call *call,
		 const struct ending *ending, struct span body,
		 int64_t now_ns);

/* The call is over: answers (unless answered) and frees it, or keeps it. */
void call_end(struct router *router, struct call *call,
	      const struct ending *ending, int64_t now_ns);

/* The same with the worker's RESULT. */
void call_end_with_result(struct router *router, struct call *call,
			  const struct message *message,
			  const struct ending *ending, int64_t now_ns);

/* ---- ending_core ---- */

struct ending ending_of(enum error_code code, const char *reason);
void ending_add(struct ending *ending, const char *text);
void ending_add_number(struct ending *ending, uint64_t number);
struct ending ending_of_result(const struct message *message);
struct ending ending_of_stop(struct router *router, const struct call *call);
struct ending ending_of_death(const struct slot *slot,
			      const struct call *call);
const char *stop_reason(enum stop_cause cause);
bool slot_end_is_own(enum slot_end end);

/* ---- share_core ---- */

void share_init(struct router *router);

/* 0: the call goes on alone or leads; 1: it is being served. */
int share_join(struct router *router, struct call *call, int64_t now_ns);

/* What is kept of an equal call, maybe past its time: value, or NULL. */
struct cache_found share_find(struct router *router, struct call *call,
			      int64_t now_ns);

/* Keeps a copy of output; the call stops collecting if it is too much. */
void share_collect(struct router *router, struct call *call,
		   const struct message *message);

/* The leader is done; result: what it collected is good for others, too. */
void share_land(struct router *router, struct call *call, bool result,
		int64_t now_ns);
void share_leave(struct router *router, struct call *call);

/* Nobody but those who know of the gap will read what is collected. */
void share_begin_collecting(struct router *router, struct call *call, bool cuts);

/* From its beginning: what is not there any more is lost to this call. */
void share_read_anew(struct call *call);
void share_stop_collecting(struct router *router, struct call *call);
void share_pass_over(struct call *call, const struct parcel *parcel,
		     struct parcel *before);

/* The call is over, and that is its result. */
void share_serve(struct router *router, struct call *call, struct kept *kept,
		 int64_t now_ns);

/*
 * Sends what is kept as the client's credit allows; with its RESULT it is
 * over, and the call may be freed.
 */
void share_deliver(struct router *router, struct call *call, int64_t now_ns);
struct kept *kept_new(struct router *router);
/* It is that call's. */
void kept_sign(struct router *router, struct kept *kept, const struct call *call);
void kept_clear(struct router *router, struct kept *kept);
void kept_release(struct router *router, struct kept *kept);

/* ---- slots_core ---- */

void slot_message(struct router *router, uint32_t slot,
		  const struct message *message, int64_t now_ns);
void slot_closed(struct router *router, uint32_t slot, bool fault,
		 const char *detail, int64_t now_ns);
void slot_fault(struct router *router, struct slot *slot, const char *detail,
		int64_t now_ns);
void slot_kill(struct router *router, struct slot *slot,
	       enum kill_reason reason, uint64_t call);

/* It has begun or ended a call, so that others it has may have their turn. */
void slot_flows(struct router *router, struct slot *slot);

/* A call has left it: it may be idle, used up, or wanted elsewhere. */
void slot_freed(struct router *router, struct slot *slot, int64_t now_ns);

/* One that takes no more is recycled once it has no call, and all is confirmed or late. */
void slot_settled(struct router *router, struct slot *slot);
void slots_round(struct router *router, int64_t now_ns);
void slot_join_pool(struct router *router, struct slot *slot, uint32_t pool);
uint32_t slot_index(const struct router *router, const struct slot *slot);

/* What the monitor says of one; of a generation that is over nothing is heard. */
void slot_up(struct router *router, const struct router_event *event, int64_t now_ns);
void slot_down(struct router *router, const struct router_event *event, int64_t now_ns);
void slot_usage(struct router *router, const struct router_event *event, int64_t now_ns);
void slot_move(struct router *router, const struct router_event *event, int64_t now_ns);
void slot_drain(struct router *router, const struct router_event *event, int64_t now_ns);

/* ---- control_core ---- */

void control_record(struct router *router, const struct router_event *event,
		    int64_t now_ns);
/* Whatever names a pool says by which catalogue. */
void control_send(struct router *router, enum control_kind kind,
		  const struct control *record);

/* ---- own_core ---- */

bool own_method(const struct message *message);
void own_call(struct router *router, struct call *call, int64_t now_ns);
void health_round(struct router *router, int64_t now_ns);
void health_pool(struct router *router, struct pool *pool, int64_t now_ns);
void health_sample(struct router *router, const struct router_sample *sample,
		   int64_t now_ns);

/* Bits to be given away, from which nothing of the keys can be learnt. */
uint64_t router_nonce(struct router *router);

void router_say(struct router *router, enum router_note_level level,
		const char *message, const char *name, const char *detail);

#endif
