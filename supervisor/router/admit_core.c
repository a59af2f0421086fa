#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <string.h>

#define PROBE_DEADLINE_NS (10 * NS_PER_S)

/* ---- which call ---- */

static struct list *chain_of(struct router *router, uint32_t client,
			     uint64_t id)
{
	uint64_t mixed = id ^ (uint64_t)client << 40;
	size_t chain = hash_chain(hash_number(&router->keys[0], mixed),
				  router->size.calls);
	struct list *head = &router->chains[chain];

	if (!head->next)
		list_init(head);
	return head;
}

struct call *call_find(struct router *router, uint32_t client, uint64_t id)
{
	struct list *head = chain_of(router, client, id);

	for (struct list *link = head->next; link != head; link = link->next) {
		struct call *call = LIST_OWNER(link, struct call, id_link);

		if (call->client == client && call->client_id == id)
			return call;
	}
	return NULL;
}

void call_register(struct router *router, struct call *call)
{
	list_append(chain_of(router, call->client, call->client_id),
		    &call->id_link);
}

/* ---- the checks, in this order; each says why not ---- */

struct asked {
	uint32_t client;
	const struct message *message;
	struct tool *tool;		/* NULL: the router's own method */
	int64_t deadline_ns;
	enum queue_priority priority;
	struct call *parent;
	uint32_t user;			/* NONE: nobody */
};

/* Who may call what comes before anything else. */
static bool check_access(struct router *router, struct asked *asked,
			 struct ending *why, int64_t now_ns)
{
	const struct message_call *call = &asked->message->call;
	enum caller_role role = router->clients[asked->client].role;
	const char *near;
	int row;

	(void)now_ns;
	if (own_method(asked->message))
		return true;
	row = catalog_find_tool(router->catalog, call->tool.data,
				call->tool.length);
	if (row >= 0 && router->tool_of[row] != NONE) {
		asked->tool = &router->tools[router->tool_of[row]];
		if (asked->tool->row.roles & 1U << role)
			return true;
		*why = ending_of(ERROR_DENIED_BY_ACL,
				 "this caller may not use the tool");
		return false;
	}
	near = catalog_nearest_tool(router->catalog, call->tool.data,
				    call->tool.length);
	*why = ending_of(ERROR_NOT_FOUND, near ? "no such tool; did you mean "
					       : "no such tool; 'cupel tools' lists them");
	if (near) {
		ending_add(why, near);
		ending_add(why, "?");
	}
	return false;
}

/*
 * For good: the number is never another's, so that wherever the call waits, and
 * however often it is tried, it is served in that directory or not at all.
 */
static bool check_workspace(struct router *router, struct asked *asked,
			    struct ending *why, int64_t now_ns)
{
	uint32_t number = asked->message->call.workspace;
	const struct workspace *workspace =
		&router->workspaces[control_workspace_place(number)];
	const struct pool *pool = asked->tool ? tool_pool(router, asked->tool) : NULL;

	(void)now_ns;
	if (number == 0 && !(pool && pool->row.flags & POOL_WORKSPACE))
		return true;
	if (number == 0)
		*why = ending_of(ERROR_FAILED_PRECONDITION, "the tool works in a "
				 "workspace: name a directory");
	else if (workspace->number != number)
		*why = ending_of(ERROR_FAILED_PRECONDITION, "the workspace is no more: "
				 "hand its directory over again");
	else if (asked->user != 0 && asked->user != workspace->uid)
		*why = ending_of(ERROR_DENIED_BY_ACL, "this is another user's workspace: "
				 "hand over a directory of your own");
	else
		return true;
	return false;
}

static bool check_duty(struct router *router, struct asked *asked,
		       struct ending *why, int64_t now_ns)
{
	(void)now_ns;
	if (!asked->tool)
		return true;
	if (router->draining || router->stopping)
		*why = ending_of(ERROR_DRAINING,
				 "the supervisor takes no new calls");
	else if (!asked->tool->enabled)
		*why = ending_of(ERROR_UNAVAILABLE,
				 "the tool is disabled; 'cupel tools enable' takes it in again");
	else if (router->supervisor == SUPERVISOR_BROWNOUT &&
		 asked->priority >= QUEUE_BATCH)
		*why = ending_of(ERROR_SHED,
				 "only urgent calls are served for now");
	else
		return true;
	why->retry_after_ms = 1000;
	return false;
}

static bool check_catalog(struct router *router, struct asked *asked,
			  struct ending *why, int64_t now_ns)
{
	uint32_t known = asked->message->call.catalog;

	(void)router;
	(void)now_ns;
	if (!asked->tool || known == 0 || known >= asked->tool->changed)
		return true;
	*why = ending_of(ERROR_STALE_CATALOG,
			 "the tool has changed since it was looked up");
	return false;
}

static bool check_deadline(struct router *router, struct asked *asked,
			   struct ending *why, int64_t now_ns)
{
	int64_t usual_ns = asked->tool ? asked->tool->row.deadline_ns
				       : PROBE_DEADLINE_NS;
	int64_t most_ns = asked->tool ? asked->tool->row.deadline_max_ns
				      : CALL_DEADLINE_MOST_NS;

	(void)router;
	asked->deadline_ns = asked->message->deadline_ns;
	if (asked->deadline_ns == DEADLINE_NEVER)
		asked->deadline_ns = deadline_after(now_ns, usual_ns);
	asked->deadline_ns = deadline_clamp(asked->deadline_ns, now_ns, most_ns);
	if (asked->parent)
		asked->deadline_ns = deadline_earlier(
			asked->deadline_ns, asked->parent->limits.absolute_ns);
	if (!deadline_passed(asked->deadline_ns, now_ns))
		return true;
	*why = ending_of(ERROR_DEADLINE_EXCEEDED,
			 "the deadline had passed on arrival");
	return false;
}

static bool check_share(struct router *router, struct asked *asked,
			struct ending *why, int64_t now_ns)
{
	const struct client *client = &router->clients[asked->client];
	struct user *user = user_row(router, client->uid);
	uint32_t left = router->size.calls - router->call_count;

	if (client->waiting >= CLIENT_WAITING_MAX)
		*why = ending_of(ERROR_RESOURCE_EXHAUSTED,
				 "64 calls of this client wait already");
	else if (client_is_guest(client) && !fair_allows(user->calls, left))
		*why = ending_of(ERROR_RESOURCE_EXHAUSTED,
				 "this user has more calls than are left");
	else if (client_is_guest(client) && !asked->tool &&
		 !bucket_take(&user->looks, 1, now_ns))
		*why = ending_of(ERROR_RESOURCE_EXHAUSTED,
				 "this user has looked 20 times in a second");
	else
		return true;
	why->retry_after_ms = 100;
	return false;
}

static bool (*const checks[])(struct router *, struct asked *, struct ending *,
			      int64_t) = {
	check_access, check_workspace, check_duty, check_catalog, check_deadline,
	check_share,
};

/* An answer to what never became a call. */
static void refuse(struct router *router, struct asked *asked,
		   const struct ending *why, int64_t now_ns)
{
	const struct client *client = &router->clients[asked->client];

	router->totals.refused++;
	router->refusals[why->code]++;
	if (asked->tool)
		record_refusal(router, asked->tool, client->role, why->code);
	peer_send(router, asked->client, &(struct message){
		.kind = MESSAGE_RESULT,
		.call_id = asked->message->call_id,
		.result = {
			.code = (uint32_t)why->code, .origin = why->origin,
			.retry_after_ms = why->retry_after_ms,
			.reason = { why->reason, why->reason_length } },
	}, now_ns);
}

/* ---- a call comes in ---- */

static void fill_call(struct router *router, struct call *call,
		      const struct asked *asked, int64_t now_ns)
{
	const struct message *message = asked->message;
	const struct client *client = &router->clients[asked->client];

	call->client = asked->client;
	call->client_id = message->call_id;
	call->user = asked->user;
	call->role = client->role;
	call->guest = client_is_guest(client);
	memcpy(call->session, client->session, SESSION_BYTES);
	call->tool = asked->tool ? (uint32_t)(asked->tool - router->tools)
				 : NONE;
	call->workspace = message->call.workspace;
	call->flags = message->call.flags;
	call->parent = asked->parent ? message->call.parent : 0;
	call->priority = asked->priority;
	call->more = call->flags & CALL_MORE;
	deadline_pair_init(&call->limits, asked->deadline_ns, DEADLINE_NEVER,
			   now_ns);
	if (asked->tool)
		asked->tool->users++;
	if (call->parent)
		router->nested++;
	call_register(router, call);
}

static enum queue_priority priority_of(const struct client *client,
				       uint32_t wished)
{
	if (client->role == ROLE_IMPROVE || wished > QUEUE_SHEDDABLE)
		return QUEUE_SHEDDABLE;
	return wished;
}

/* As much as one call may bring, and of the store as much as its user may. */
static bool may_keep(struct router *router, const struct call *call,
		     const struct message *message)
{
	size_t left = router->store.bytes > router->argument_bytes ?
		      router->store.bytes - router->argument_bytes : 0;

	return call->arguments.bytes + message->body.length <= CALL_ARGUMENT_MAX &&
	       (!call->guest ||
		fair_allows(user_row(router, call->uid)->argument_bytes, left));
}

/* The argument's bytes, of the CALL or a CHUNK_REQ, are kept until the end. */
static bool keep_argument(struct router *router, struct call *call,
			  const struct message *message, int64_t now_ns)
{
	size_t before = parcels_room(&call->arguments), room;
	struct parcel *parcel;
	struct ending why;

	if (!credit_take(&call->from_client, message->body.length)) {
		client_cut(router, call->client, ERROR_PROTOCOL,
			   "more argument bytes than credit", now_ns);
		return false;
	}
	parcel = may_keep(router, call, message) ? parcel_keep(router, message)
						 : NULL;
	if (parcel) {
		parcels_append(&call->arguments, parcel);
		room = parcels_room(&call->arguments) - before;
		user_row(router, call->uid)->argument_bytes += room;
		router->argument_bytes += room;
		return true;
	}
	why = ending_of(ERROR_RESOURCE_EXHAUSTED, "no room for the argument");
	call_end(router, call, &why, now_ns);
	return false;
}

/* Only a worker's own link has one: a call that very worker serves. */
static struct call *parent_of(struct router *router, const struct client *client,
			      uint64_t handle)
{
	struct slot *slot = &router->slots[client->slot];

	return client->internal && handle && slot->generation == client->generation ?
	       call_of_worker(router, slot, handle) : NULL;
}

/* In whose name: of a worker that of the call it serves. */
static uint32_t user_of(const struct client *client, const struct call *parent)
{
	if (!client->internal)
		return client->uid;
	return parent ? parent->user : NONE;
}

void admit_call(struct router *router, uint32_t client,
		const struct message *message, int64_t now_ns)
{
	const struct client *from = &router->clients[client];
	struct call *parent = parent_of(router, from, message->call.parent);
	struct asked asked = {
		.client = client, .message = message,
		.priority = priority_of(from, message->call.priority),
		.parent = parent, .user = user_of(from, parent),
	};
	struct ending why;
	struct call *call;

	if (call_find(router, client, message->call_id)) {
		client_cut(router, client, ERROR_PROTOCOL,
			   "the call's id is in use", now_ns);
		return;
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i](router, &asked, &why, now_ns))
			continue;
		refuse(router, &asked, &why, now_ns);
		return;
	}
	call = call_new(router, from->uid, now_ns);
	if (!call) {
		why = ending_of(ERROR_QUEUE_FULL, "too many calls at once");
		why.retry_after_ms = 100;
		refuse(router, &asked, &why, now_ns);
		return;
	}
	fill_call(router, call, &asked, now_ns);
	if (!keep_argument(router, call, message, now_ns))
		return;
	if (call->more) {
		call_enter(router, call, CALL_RECEIVED);
		dispatch_expect(router, call);
	} else {
		admit_complete(router, call, now_ns);
	}
}

void admit_argument(struct router *router, struct call *call,
		    const struct message *message, int64_t now_ns)
{
	if (message->chunk_req.sequence != call->arguments.count - 1) {
		client_cut(router, call->client, ERROR_PROTOCOL,
			   "argument chunks out of order", now_ns);
		return;
	}
	if (!keep_argument(router, call, message, now_ns))
		return;
	if (message->chunk_req.last) {
		call->more = false;
		if (call->tool != NONE)
			dispatch_leave_pool(router, call);
		admit_complete(router, call, now_ns);
		return;
	}
	if (message->body.length == 0)
		return;
	credit_add(&call->from_client, message->body.length);
	peer_send(router, call->client, &(struct message){
		.kind = MESSAGE_CREDIT, .call_id = call->client_id,
		.credit.bytes = (uint32_t)message->body.length }, now_ns);
}

/* ---- the argument is here ---- */

bool admit_is_poison(struct router *router, struct call *call,
		     struct ending *why, int64_t now_ns)
{
	int64_t until_ns = router->poisoned ?
		poison_until_ns(&router->poison, call_signature(router, call),
				now_ns) : 0;

	if (until_ns == 0)
		return false;
	router->totals.poisoned++;
	*why = ending_of(ERROR_POISON, "this call has killed two workers; "
			 "it is refused for ten minutes");
	why->retry_after_ms = (uint32_t)((until_ns - now_ns) / NS_PER_MS);
	return true;
}

static bool is_broken(struct router *router, struct tool *tool,
		      struct ending *why, int64_t now_ns)
{
	if (!tool->present || !tool->enabled) {
		*why = tool->present ?
		       ending_of(ERROR_UNAVAILABLE, "the tool is disabled") :
		       ending_of(ERROR_NOT_FOUND, "the tool was removed");
		return true;
	}
	breaker_tick(&tool->breaker, now_ns);
	tool_watch(router, tool, now_ns);
	if (tool->breaker.state == BREAKER_FORCED_OPEN &&
	    tool->breaker.pool_down)
		*why = ending_of(ERROR_UNAVAILABLE, "the tool's workers are ");
	else if (tool->breaker.state == BREAKER_OPEN ||
		 tool->breaker.state == BREAKER_FORCED_OPEN)
		*why = ending_of(ERROR_BREAKER_OPEN,
				 "the tool's breaker is open: ");
	else
		return false;
	if (why->code == ERROR_UNAVAILABLE) {
		ending_add(why, restart_state_name(tool_pool(router, tool)->state));
		ending_add(why, "; 'cupel log' says why, 'cupel breaker reset' tries them now");
	} else {
		ending_add(why, breaker_reason_name(tool->breaker.reason));
	}
	why->retry_after_ms = tool_retry_ms(router, tool, now_ns);
	return true;
}

/* Whoever would come too late learns it now, and does not wait for it. */
static bool is_too_late(struct router *router, const struct call *call,
			const struct tool *tool, struct ending *why,
			int64_t now_ns)
{
	const struct pool *pool = tool_pool(router, tool);
	unsigned places = tool_concurrency(router, tool);
	int64_t p50_ns, wait_ns;

	if (!pool || pool->ready_count == 0 || places == 0 ||
	    queue_depth(&tool->queue, call->priority) == 0)
		return false;
	if (places > pool->ready_count * pool->row.calls_max)
		places = pool->ready_count * pool->row.calls_max;
	p50_ns = latency_percentile_ns(&tool->latency, 50);
	wait_ns = queue_wait_ns(&tool->queue, call->priority, p50_ns,
				places ? places : 1);
	if (queue_can_meet(wait_ns, latency_percentile_ns(&tool->latency, 90),
			   deadline_remaining(call->limits.absolute_ns,
					      now_ns)))
		return false;
	*why = ending_of(ERROR_SHED, "it would wait past its deadline");
	why->retry_after_ms = wait_ns > NS_PER_S * 3600 ? 3600000 :
			      (uint32_t)(wait_ns / NS_PER_MS) + 1;
	return true;
}

void admit_complete(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->tool == NONE) {
		own_call(router, call, now_ns);
		return;
	}
	if (effect_join(router, call, now_ns) == 0)
		admit_to_tool(router, call, now_ns);
}

void admit_to_tool(struct router *router, struct call *call, int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];
	struct ending why;

	if (admit_is_poison(router, call, &why, now_ns)) {
		call_end(router, call, &why, now_ns);
		return;
	}
	if (share_join(router, call, now_ns) != 0)
		return;
	if (is_broken(router, tool, &why, now_ns))
		degrade(router, call, &why, now_ns);
	else if (is_too_late(router, call, tool, &why, now_ns))
		call_end(router, call, &why, now_ns);
	else
		door_enter(router, call, now_ns);
}

bool admit_own(struct router *router, struct tool *tool,
	       const struct message *message, const struct own_call *own,
	       int64_t now_ns)
{
	struct call *call;
	struct ending none;

	if (is_broken(router, tool, &none, now_ns))
		return false;
	call = call_new(router, 0, now_ns);
	if (!call)
		return false;
	call->probe = own->probe;
	call->records = own->records;
	call->tool = (uint32_t)(tool - router->tools);
	tool->users++;
	tool->probing |= own->probe;
	call->flags = CALL_NO_RETRY;
	call->priority = own->priority;
	deadline_pair_init(&call->limits,
			   deadline_after(now_ns, tool->row.deadline_ns <
					  own->limit_ns ? tool->row.deadline_ns
							: own->limit_ns),
			   DEADLINE_NEVER, now_ns);
	if (keep_argument(router, call, message, now_ns))
		door_enter(router, call, now_ns);
	return true;
}

void admit_probe(struct router *router, struct tool *tool, int64_t now_ns)
{
	const char *argument = catalog_text(router->catalog, tool->row.probe);

	if (tool->probing)
		return;
	admit_own(router, tool, &(struct message){
		.kind = MESSAGE_CALL,
		.call.tool = message_text_of(tool->row.name),
		.call.attempt = 1,
		.body = { (const uint8_t *)argument, tool->row.probe.length },
	}, &(struct own_call){ .probe = true, .priority = QUEUE_INTERACTIVE,
			       .limit_ns = PROBE_DEADLINE_NS }, now_ns);
}
