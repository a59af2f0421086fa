#include "supervisor/router/door_core.h"

#include <assert.h>
#include <errno.h>

#include "supervisor/router/parts_core.h"

static struct ending refusal_of(int error)
{
	struct ending why;

	if (error == -ETIME)
		return ending_of(ERROR_DEADLINE_EXCEEDED,
				 "the deadline has passed");
	why = ending_of(ERROR_QUEUE_FULL, error == -EDQUOT ?
			"this user has more calls in the tool's queue than are left" :
			"the tool's queue is full");
	why.retry_after_ms = 100;
	return why;
}

static uint32_t lane_of(const struct router *router, const struct call *call)
{
	uint32_t clients = router->size.clients;

	if (call->guest)
		return clients + 1 + call->uid % router->size.clients;
	return call->client == NONE ? clients : call->client;
}

static uint64_t room_in(const struct queue *queue)
{
	return queue->capacity - queue_depth(queue, QUEUE_SHEDDABLE);
}

static bool has_share(const struct router *router, const struct tool *tool,
		      const struct call *call)
{
	return !call->guest ||
	       fair_allows(queue_depth_of(&tool->queue, lane_of(router, call)),
			   room_in(&tool->queue));
}

static void give_way(struct router *router, const struct tool *tool, struct call *call,
		     int64_t now_ns)
{
	struct ending why = ending_of(ERROR_SHED, tool->row.overflow == OVERFLOW_DROPS ?
				      "the tool's queue is full, and a later call took its place" :
				      "more urgent calls took its place");

	why.retry_after_ms = 100;
	call->queue_id = 0;
	router->totals.shed++;
	call_end(router, call, &why, now_ns);
}

/* 0: it is in; or why it is not. */
static int go_in(struct router *router, struct tool *tool, struct call *call,
		 int64_t now_ns)
{
	const struct queue_item item = {
		.call = call, .client = lane_of(router, call), .cost = 1,
		.priority = call->priority, .deadline_ns = call->limits.absolute_ns };
	struct queue_item victim;
	uint64_t id;
	int r = -EDQUOT;

	if (has_share(router, tool, call))
		r = queue_push(&tool->queue, &item, now_ns, &id, &victim);
	if (r != 0 && r != -ETIME)
		tool->overflows[tool->row.overflow]++;
	if (r < 0)
		return r;
	call->queue_id = id;
	call_enter(router, call, CALL_QUEUED);
	dispatch_mark(router, tool->row.pool);
	if (r == 1)
		give_way(router, tool, victim.call, now_ns);
	return 0;
}

void door_enter(struct router *router, struct call *call, int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];
	struct ending why;
	int r = go_in(router, tool, call, now_ns);

	if (r == 0)
		return;
	if (tool->row.overflow == OVERFLOW_BLOCKS && r != -ETIME) {
		list_append(&tool->door, &call->door_link);
		tool->door_count++;
		call_enter(router, call, CALL_BLOCKED);
		return;
	}
	why = refusal_of(r);
	if (r == -ETIME)
		degrade_late(router, call, &why, now_ns);
	else
		call_end(router, call, &why, now_ns);
}

void door_leave(struct router *router, struct call *call)
{
	if (!list_is_linked(&call->door_link))
		return;
	list_remove(&call->door_link);
	router->tools[call->tool].door_count--;
}

/* ---- those who wait ---- */

static bool goes_before(const struct router *router, const struct tool *tool,
			const struct call *a, const struct call *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return queue_depth_of(&tool->queue, lane_of(router, a)) <
	       queue_depth_of(&tool->queue, lane_of(router, b));
}

static struct call *next_of(const struct router *router, const struct tool *tool)
{
	struct call *best = NULL;

	if (queue_is_full(&tool->queue))
		return NULL;
	for (struct list *link = tool->door.next; link != &tool->door;
	     link = link->next) {
		struct call *call = LIST_OWNER(link, struct call, door_link);

		if (has_share(router, tool, call) &&
		    (!best || goes_before(router, tool, call, best)))
			best = call;
	}
	return best;
}

bool door_open(struct router *router, struct pool *pool, int64_t now_ns)
{
	bool opened = false;

	for (struct list *link = pool->tools.next; link != &pool->tools;
	     link = link->next) {
		struct tool *tool = LIST_OWNER(link, struct tool, pool_link);
		struct call *call;

		while ((call = next_of(router, tool))) {
			door_leave(router, call);
			door_enter(router, call, now_ns);
			opened = true;
		}
	}
	return opened;
}

void door_check(const struct router *router, const struct tool *tool)
{
	uint32_t count = 0;

	for (const struct list *link = tool->door.next; link != &tool->door;
	     link = link->next)
		count++;
	assert(count == tool->door_count);
	assert(!next_of(router, tool));
}
