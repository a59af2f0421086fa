/*
 * parts_core.h - what the parts of the router's core offer each other; what they
 * share is in state_core.h.
 *
 *	router_core	an event comes in: whose it is
 *	tools_core	the catalogue, who may call what, a tool's breaker
 *	clients_core	clients and their words; sending to any peer
 *	admit_core	a call comes in: checks
 *	door_core	into its tool's queue, or what becomes of it if that is full
 *	dispatch_core	a call goes out to a worker
 *	degrade_core	its tool cannot serve: another one, or what is kept
 *	calls_core	a call's record: its state, its places, its time
 *	action_core	what the events of its life do; whether it is tried again
 *	answer_core	its client's answer, told or kept
 *	ending_core	how it ended, in words
 *	share_core	equal calls become one; results that are kept
 *	effect_core	a side effect that has a name happens once
 *	breakers_core	breakers that outlive the router
 *	legacy_core	calls that outlive the router; resume_core: their both ends meet
 *	slots_core	workers and their words
 *	control_core	the monitor's records
 *	record_core	how every call ended, on its way to the store
 *	own_core	the router's own methods; report_core, metrics_core: their text
 *
 * A part with a header of its own has its functions there.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_PARTS_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_PARTS_CORE_H

#include "supervisor/router/door_core.h"
#include "supervisor/router/resume_core.h"
#include "supervisor/router/state_core.h"

/* ---- clients_core ---- */

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
/* Its arguments still come: a worker for this call alone may start already. */
void dispatch_expect(struct router *router, struct call *call);
/* It is not expected any more, nor parked. */
void dispatch_leave_pool(struct router *router, struct call *call);
/* Whether a call of the workspace waits for one of the pool's workers, or soon will. */
bool dispatch_awaits(const struct pool *pool, uint32_t workspace);
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

/* ---- router_core ---- */

/* Bits to be given away, from which nothing of the keys can be learnt. */
uint64_t router_nonce(struct router *router);

void router_say(struct router *router, enum router_note_level level,
		const char *message, const char *name, const char *detail);

#endif
