#include "supervisor/router/parts_core.h"

#include <assert.h>
#include <errno.h>

#define PARKED_MAX 256

void dispatch_mark(struct router *router, uint32_t pool)
{
	if (pool < CATALOG_POOLS_MAX)
		router->dirty |= 1U << pool;
}

/* ---- which worker ---- */

static bool takes_calls(const struct slot *slot)
{
	return slot->state == SLOT_READY && slot->running < slot->calls_max &&
	       !slot->blocked && slot->kill_at_ns == DEADLINE_NEVER &&
	       slot->peer.waiting.count == 0;
}

/* On probation a pool serves one call at a time. */
static bool pool_is_full(const struct pool *pool)
{
	if (pool->state != RESTART_PROBATION)
		return false;
	for (struct list *link = pool->slots.next; link != &pool->slots;
	     link = link->next) {
		if (LIST_OWNER(link, struct slot, pool_link)->running > 0)
			return true;
	}
	return false;
}

/* A worker of the pool serves the calls of one workspace. */
static bool is_bound(const struct pool *pool)
{
	return pool->row.flags & POOL_WORKSPACE;
}

/* The least busy; any workspace will do for a pool that knows none. */
static struct slot *find_slot(struct pool *pool, const struct call *call)
{
	bool by_workspace = is_bound(pool);
	struct slot *best = NULL;

	if (pool_is_full(pool))
		return NULL;
	for (struct list *link = pool->slots.next; link != &pool->slots;
	     link = link->next) {
		struct slot *slot = LIST_OWNER(link, struct slot, pool_link);

		if (!takes_calls(slot) ||
		    (by_workspace && call &&
		     slot->workspace != call->workspace))
			continue;
		if (!best || slot->running < best->running)
			best = slot;
	}
	return best;
}

/* ---- which call ---- */

static bool can_run(struct router *router, const struct tool *tool)
{
	return tool->running < tool_concurrency(router, tool);
}

static unsigned most_urgent(const struct tool *tool)
{
	unsigned class = 0;

	while (class < QUEUE_PRIORITY_COUNT &&
	       tool->queue.classes[class].counts.depth == 0)
		class++;
	return class;
}

/* The tool with the most urgent call; equals take turns, by their order. */
static struct tool *next_tool(struct router *router, struct pool *pool)
{
	unsigned best_class = QUEUE_PRIORITY_COUNT;
	struct tool *best = NULL;

	for (struct list *link = pool->tools.next; link != &pool->tools;
	     link = link->next) {
		struct tool *tool = LIST_OWNER(link, struct tool, pool_link);
		unsigned class = most_urgent(tool);

		if (class < best_class && can_run(router, tool)) {
			best = tool;
			best_class = class;
		}
	}
	if (best) {
		list_remove(&best->pool_link);
		list_append(&pool->tools, &best->pool_link);
	}
	return best;
}

/* ---- out it goes ---- */

static void count_in(struct router *router, struct call *call,
		     struct slot *slot)
{
	struct client *client = client_of(router, call);

	client->waiting--;
	client->running++;
	router->waiting--;
	router->running++;
	router->tools[call->tool].running++;
	slot->running++;
	list_append(&slot->calls, &call->slot_link);
	call->slot = slot_index(router, slot);
}

void dispatch_arguments(struct router *router, struct call *call,
			int64_t now_ns)
{
	uint32_t peer = slot_peer(router, call->slot);

	while (call->next_argument &&
	       credit_take(&call->to_worker, call->next_argument->bytes)) {
		struct message message = call->next_argument->message;

		message.call_id = call_handle(router, call);
		message.generation = router->slots[call->slot].generation;
		call->next_argument = call->next_argument->next;
		peer_send(router, peer, &message, now_ns);
	}
}

static void send_first(struct router *router, struct call *call,
		       struct slot *slot, int64_t now_ns)
{
	struct message message = call->arguments.first->message;

	message.call_id = call_handle(router, call);
	message.generation = slot->generation;
	message.deadline_ns = call->limits.absolute_ns;
	message.call.tool = message_text_of(tool_name(router, call));
	message.call.attempt = call->attempts;
	message.call.priority = call->priority;
	message.call.catalog = router->catalog->generation;
	message.call.workspace = call->workspace;
	message.call.parent = call->parent;	/* as it was found to be */
	message.call.flags = (call->arguments.count > 1 ? CALL_MORE : 0U) |
			     (call->flags & CALL_DETACHED);
	credit_take(&call->to_worker, message.body.length);
	call->next_argument = call->arguments.first->next;
	peer_send(router, slot_peer(router, call->slot), &message, now_ns);
	dispatch_arguments(router, call, now_ns);
}

static void begin_attempt(struct router *router, struct call *call,
			  int64_t now_ns)
{
	const struct tool *tool = &router->tools[call->tool];
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	call->attempts++;
	call->accepted = call->stopping = call->stuck = call->recalled = false;
	call->chunks_in = 0;
	call->from_worker = call->to_worker = fresh;
	call->sent_ns = now_ns;
	deadline_pair_init(&call->limits, call->limits.absolute_ns,
			   tool->row.idle_ns ? tool->row.idle_ns
					     : DEADLINE_NEVER, now_ns);
}

/* Without the breaker's leave, if need be: then what comes of it is stale to it. */
void dispatch_adopted(struct router *router, struct call *call,
		      struct slot *slot, int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];

	call_enter(router, call, CALL_RECEIVED);
	if (breaker_admit(&tool->breaker, call_handle(router, call), now_ns,
			  &call->permit) == BREAKER_REJECTED)
		call->permit = (struct breaker_permit){
			.generation = UINT64_MAX, .slow_at_ns = DEADLINE_NEVER };
	begin_attempt(router, call, now_ns);
	call->stuck_ns = DEADLINE_NEVER;	/* not before it has been named */
	count_in(router, call, slot);
	call_enter(router, call, CALL_SENT);
}

/* What its client has granted ahead, beyond what every worker begins with. */
static size_t granted_ahead(const struct call *call)
{
	return !call->silent && call->to_client.bytes > CREDIT_CALL_BYTES
		? call->to_client.bytes - CREDIT_CALL_BYTES : 0;
}

static void send_call(struct router *router, struct call *call,
		      struct slot *slot, int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];
	struct pool *pool = tool_pool(router, tool);
	struct ending why;

	if (admit_is_poison(router, call, &why, now_ns)) {
		call_end(router, call, &why, now_ns);
		return;
	}
	call->generation = handle_next_generation(call->generation);
	if (!legacy_note(router, call, slot)) {
		why = ending_of(ERROR_RESOURCE_EXHAUSTED,
				"too many results are not confirmed");
		why.retry_after_ms = 1000;
		call_end(router, call, &why, now_ns);
		return;
	}
	if (!effect_begin(router, call)) {
		why = ending_of(ERROR_UNAVAILABLE, "it was not executed: its "
				"effect's id cannot be written down");
		why.retry_after_ms = 1000;
		call_end(router, call, &why, now_ns);
		return;
	}
	if (breaker_admit(&tool->breaker, call_handle(router, call), now_ns,
			  &call->permit) == BREAKER_REJECTED) {
		why = ending_of(ERROR_BREAKER_OPEN,
				"the tool is being tried again");
		why.retry_after_ms = tool_retry_ms(router, tool, now_ns);
		degrade(router, call, &why, now_ns);
		tool_watch(router, tool, now_ns);	/* which ends all that wait */
		return;
	}
	if (call->attempts == 0) {
		retry_budget_call(&pool->budget, now_ns);
		latency_add(&tool->waits, now_ns - call->received_ns, now_ns);
	}
	begin_attempt(router, call, now_ns);
	call->stuck_ns = slot->running && pool->row.size > 1 ? now_ns + STUCK_NS
							     : DEADLINE_NEVER;
	count_in(router, call, slot);
	call_enter(router, call, CALL_SENT);
	tool_watch(router, tool, now_ns);
	send_first(router, call, slot, now_ns);
	call_grant(router, call, granted_ahead(call), now_ns);
}

static bool may_park(const struct pool *pool, const struct call *call)
{
	const struct list *parked = &pool->parked;
	uint32_t mine = 0;

	if (!call->guest)
		return true;
	for (struct list *link = parked->next; link != parked; link = link->next)
		mine += LIST_OWNER(link, struct call, parked_link)->uid == call->uid;
	return fair_allows(mine, PARKED_MAX - pool->parked_count);
}

static void park(struct router *router, struct pool *pool, struct call *call)
{
	list_append(&pool->parked, &call->parked_link);
	pool->parked_count++;
	call_enter(router, call, CALL_PARKED);
}

static bool may_run(struct router *router, const struct call *call)
{
	return client_of(router, call)->running < CLIENT_FLIGHT_MAX &&
	       can_run(router, &router->tools[call->tool]);
}

/* One that goes out, or not, may end any of the others: then from the first one on. */
static void send_parked(struct router *router, struct pool *pool,
			int64_t now_ns)
{
	struct list *link = pool->parked.next;

	while (link != &pool->parked) {
		struct call *call = LIST_OWNER(link, struct call, parked_link);
		struct slot *slot = NULL;

		link = link->next;
		if (may_run(router, call))
			slot = find_slot(pool, call);
		if (!slot)
			continue;
		list_remove(&call->parked_link);
		pool->parked_count--;
		send_call(router, call, slot, now_ns);
		link = pool->parked.next;
	}
}

static void send_queued(struct router *router, struct pool *pool,
			int64_t now_ns)
{
	const struct ending full = ending_of(ERROR_QUEUE_FULL, "too many calls "
					     "of this user wait for workers");
	struct queue_item item;
	struct tool *tool;

	/* Which workspace a bound pool's calls are of shows once they are out. */
	while (pool->parked_count < PARKED_MAX &&
	       (is_bound(pool) || find_slot(pool, NULL)) &&
	       (tool = next_tool(router, pool))) {
		struct call *call;
		struct slot *slot = NULL;

		if (!queue_pop(&tool->queue, now_ns, &item))
			return;	/* all that is left has expired */
		call = item.call;
		call->queue_id = 0;
		if (may_run(router, call))
			slot = find_slot(pool, call);
		if (slot)
			send_call(router, call, slot, now_ns);
		else if (may_park(pool, call))
			park(router, pool, call);
		else
			call_end(router, call, &full, now_ns);
	}
}

/* As in send_parked(). */
static void end_all_of(struct router *router, struct list *calls, uint32_t workspace,
		       const struct ending *why, int64_t now_ns)
{
	struct list *link = calls->next;

	while (link != calls) {
		struct call *call = LIST_OWNER(link, struct call, parked_link);

		link = link->next;
		if (call->workspace != workspace)
			continue;
		call_end(router, call, why, now_ns);
		link = calls->next;
	}
}

void dispatch_no_entry(struct router *router, struct pool *pool, uint32_t workspace,
		       uint64_t error, int64_t now_ns)
{
	struct ending why = ending_of(ERROR_FAILED_PRECONDITION, error == EOPNOTSUPP ?
		"no worker can enter the workspace, as the ids of its file system "
		"cannot be mapped: run cupel as an ordinary user, or use ext4, xfs, "
		"btrfs or tmpfs" :
		"no worker can enter the workspace: is the directory still there?");

	end_all_of(router, &pool->parked, workspace, &why, now_ns);
	end_all_of(router, &pool->coming, workspace, &why, now_ns);
}

/* ---- back from a worker that another call keeps busy ---- */

void dispatch_stuck(struct router *router, struct call *call)
{
	struct slot *slot = &router->slots[call->slot];

	call->stuck_ns = DEADLINE_NEVER;	/* asked once */
	if (slot->calls.next == &call->slot_link)
		return;		/* nothing is in its way any more */
	call->stuck = slot->blocked = true;
	dispatch_mark(router, slot->pool);
}

void dispatch_again(struct router *router, struct call *call)
{
	legacy_drop(router, call);
	park(router, tool_pool(router, &router->tools[call->tool]), call);
}

static bool may_grow(const struct pool *pool)
{
	return pool->row.kind != POOL_STATIC && pool->slot_count < pool->row.size &&
	       (pool->state == RESTART_UP || pool->state == RESTART_DEGRADED);
}

static struct call *first_stuck(const struct slot *slot)
{
	for (struct list *link = slot->calls.next; link != &slot->calls;
	     link = link->next) {
		struct call *call = LIST_OWNER(link, struct call, slot_link);

		if (call->state == CALL_SENT && call->stuck && !call->recalled)
			return call;
	}
	return NULL;
}

/* One at a time, as long as there is or may be another worker for it. */
static void recall(struct router *router, struct pool *pool, int64_t now_ns)
{
	for (struct list *link = pool->slots.next; link != &pool->slots;
	     link = link->next) {
		struct slot *slot = LIST_OWNER(link, struct slot, pool_link);
		struct call *call;

		if (!slot->blocked || slot->recalling || slot->state != SLOT_READY)
			continue;
		call = first_stuck(slot);
		if (!call || !(may_grow(pool) || find_slot(pool, call)))
			continue;
		call->recalled = slot->recalling = true;
		peer_send(router, slot_peer(router, call->slot), &(struct message){
			.kind = MESSAGE_RECALL,
			.call_id = call_handle(router, call),
			.generation = slot->generation }, now_ns);
	}
}

/* ---- more workers ---- */

/*
 * A worker that serves one call of one workspace starts while the call's
 * arguments still come: who sends the last of them later finds it ready.
 */
void dispatch_expect(struct router *router, struct call *call)
{
	const struct tool *tool = call->tool == NONE ? NULL : &router->tools[call->tool];
	struct pool *pool = tool ? tool_pool(router, tool) : NULL;

	if (!pool || pool->row.kind != POOL_PER_CALL || !is_bound(pool) || !tool->enabled ||
	    tool->breaker.state == BREAKER_OPEN ||
	    tool->breaker.state == BREAKER_FORCED_OPEN || pool->coming_count == PARKED_MAX)
		return;
	list_append(&pool->coming, &call->parked_link);
	pool->coming_count++;
	dispatch_mark(router, tool->row.pool);
}

void dispatch_leave_pool(struct router *router, struct call *call)
{
	struct pool *pool = tool_pool(router, &router->tools[call->tool]);

	if (!list_is_linked(&call->parked_link))
		return;
	list_remove(&call->parked_link);
	if (pool)
		--*(call->state == CALL_PARKED ? &pool->parked_count : &pool->coming_count);
}

static uint32_t waiting_in(const struct pool *pool)
{
	uint64_t count = pool->parked_count;

	for (struct list *link = pool->tools.next; link != &pool->tools;
	     link = link->next) {
		const struct tool *tool = LIST_OWNER(link, struct tool,
						     pool_link);

		count += queue_depth(&tool->queue, QUEUE_SHEDDABLE) + tool->door_count;
	}
	return (uint32_t)count;
}

/* As many as there are places, but so many left. */
static void want_more(struct router *router, struct pool *pool, uint32_t workspace,
		      uint32_t wanted, uint32_t starting, uint32_t left)
{
	uint32_t taken = pool->slot_count + pool->asked + left;
	uint32_t room = pool->row.size > taken ? pool->row.size - taken : 0;

	if (wanted <= starting || room == 0)
		return;
	wanted -= starting;
	wanted = wanted < room ? wanted : room;
	pool->asked += wanted;
	control_send(router, CONTROL_WANT, &(struct control){
		.pool = (uint16_t)(pool - router->pools),
		.workspace = workspace,
		.argument = wanted });
}

/* From the beginning of a list up to a link. */
static bool has_call_of(const struct list *list, const struct list *end, uint32_t workspace)
{
	struct list *link = list->next;

	while (link != end && LIST_OWNER(link, struct call, parked_link)->workspace != workspace)
		link = link->next;
	return link != end;
}

static uint32_t calls_of(const struct list *list, uint32_t workspace)
{
	uint32_t count = 0;

	for (struct list *link = list->next; link != list; link = link->next)
		count += LIST_OWNER(link, struct call, parked_link)->workspace == workspace;
	return count;
}

bool dispatch_awaits(const struct pool *pool, uint32_t workspace)
{
	return has_call_of(&pool->parked, &pool->parked, workspace) ||
	       has_call_of(&pool->coming, &pool->coming, workspace);
}

/* Its workers that start, or wait for a call. */
static uint32_t workers_of(const struct pool *pool, uint32_t workspace)
{
	uint32_t count = 0;

	for (struct list *link = pool->slots.next; link != &pool->slots; link = link->next) {
		const struct slot *slot = LIST_OWNER(link, struct slot, pool_link);

		count += slot->workspace == workspace &&
			 (slot->state == SLOT_LINKED || slot->state == SLOT_WELCOMED ||
			  (slot->running == 0 && takes_calls(slot)));
	}
	return count;
}

/* Once for each workspace: those that wait have its workers first. */
static void want_for(struct router *router, struct pool *pool, const struct list *calls)
{
	bool wait = calls == &pool->parked;

	for (struct list *link = calls->next; link != calls; link = link->next) {
		uint32_t workspace = LIST_OWNER(link, struct call, parked_link)->workspace;
		uint32_t workers, parked;

		if (workspace == 0 || has_call_of(calls, link, workspace))
			continue;
		workers = workers_of(pool, workspace);
		parked = wait ? 0 : calls_of(&pool->parked, workspace);
		want_more(router, pool, workspace, calls_of(calls, workspace),
			  workers > parked ? workers - parked : 0, !wait);
	}
}

/*
 * The last place is for a call that waits, lest those of which only one runs at a
 * time, as a pool on probation has it, wait for each other.
 */
static void want_bound(struct router *router, struct pool *pool)
{
	want_for(router, pool, &pool->parked);
	if (pool->state != RESTART_PROBATION)
		want_for(router, pool, &pool->coming);
}

/* Workers that are on their way will take some of what waits. */
static void want(struct router *router, struct pool *pool, int64_t now_ns)
{
	uint32_t each = pool->row.calls_max ? pool->row.calls_max : 1;
	uint32_t waiting = waiting_in(pool);

	if (pool->row.kind == POOL_STATIC ||
	    (waiting == 0 && list_is_empty(&pool->coming)) ||
	    (pool->asked > 0 && now_ns < pool->want_ns))
		return;
	pool->asked = 0;
	pool->want_ns = now_ns + WANT_NS;
	if (pool->slot_count >= pool->row.size)
		legacy_relieve(router, pool);
	if (is_bound(pool))
		want_bound(router, pool);
	else
		want_more(router, pool, 0, (waiting + each - 1) / each,
			  pool->slot_count - pool->ready_count, 0);
}

void dispatch(struct router *router, int64_t now_ns)
{
	while (router->dirty) {
		unsigned index = (unsigned)__builtin_ctz(router->dirty);
		struct pool *pool = &router->pools[index];

		router->dirty &= ~(1U << index);
		if (!pool->present)
			continue;
		send_parked(router, pool, now_ns);
		do
			send_queued(router, pool, now_ns);
		while (door_open(router, pool, now_ns));
		recall(router, pool, now_ns);
		want(router, pool, now_ns);
	}
}
