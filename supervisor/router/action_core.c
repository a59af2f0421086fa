#include "supervisor/router/parts_core.h"

#include <assert.h>

static void report(struct router *router, struct call *call,
		   enum outcome outcome, enum breaker_crash crash,
		   int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];

	if (!call->permit.counted_slow &&
	    call_stood_still(call->permit.slow_at_ns, now_ns))
		breaker_excuse(&call->permit);
	breaker_report(&tool->breaker, &call->permit, outcome, crash, now_ns);
	tool_watch(router, tool, now_ns);
}

/* Others may have seen output of it. */
static bool is_looked_on(const struct call *call)
{
	return call->kept && call->kept->references > 1 &&
	       call->kept->parcels.first;
}

/* False: it is over. Nothing of an attempt that is repeated was seen. */
static bool try_again(struct router *router, struct call *call,
		      enum error_code code, const struct ending *ending,
		      int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];
	struct pool *pool = tool_pool(router, tool);
	struct retry_call failed = {
		.code = code,
		.tool = (enum tool_class)tool->row.class,
		.unwanted = call->flags & CALL_NO_RETRY,
		.attempts = call->attempts,
		.deadline_ns = call->limits.absolute_ns,
		.p50_ns = latency_percentile_ns(&tool->latency, 50),
		.retry_after_ns = ending->retry_after_ms * NS_PER_MS,
	};
	enum retry_verdict verdict;
	int64_t wait_ns;

	if (!pool || !tool->present || call->adopted || call->stop != STOP_NONE ||
	    call->answered || call->chunks_out > 0 || is_looked_on(call) ||
	    (router->poisoned &&
	     poison_until_ns(&router->poison, call_signature(router, call),
			     now_ns) > 0))
		return false;
	verdict = retry_decide(retry_preset(RETRY_CALL), &failed, &pool->budget,
			       &router->random, now_ns, &wait_ns);
	router->totals.unaffordable += verdict == RETRY_OVER_BUDGET;
	if (verdict != RETRY_GO)
		return false;
	if (call->kept)
		kept_clear(router, call->kept);
	legacy_drop(router, call);
	call->last = *ending;
	call->retry_ns = now_ns + wait_ns;
	tool->retried++;
	router->totals.retried++;
	call_enter(router, call, CALL_WAITING);
	return true;
}

static void be_useful(struct router *router, struct call *call,
		      struct slot *slot)
{
	const struct pool *pool = tool_pool(router, &router->tools[call->tool]);

	if (call->probe && pool)
		control_send(router, CONTROL_PROBED, &(struct control){
			.pool = (uint16_t)(pool - router->pools) });
	if (slot->useful && !(pool && pool->state == RESTART_PROBATION))
		return;
	slot->useful = true;
	control_send(router, CONTROL_USEFUL, &(struct control){
		.slot = call->slot, .generation = slot->generation });
}

/* Slow is what takes twice as long as nearly all did, and no less than told. */
static void learn(struct tool *tool, int64_t took_ns, int64_t now_ns)
{
	int64_t p95_ns;

	latency_add(&tool->latency, took_ns, now_ns);
	if (tool->latency.ever.total % 64 != 0)
		return;
	p95_ns = latency_percentile_ns(&tool->latency, 95);
	tool->breaker.slow_ns = 2 * p95_ns > tool->row.slow_ns ? 2 * p95_ns
							       : tool->row.slow_ns;
	tool->queue.settings.target_ns = queue_target_ns(
		latency_percentile_ns(&tool->latency, 50));
}

/*
 * A deadline that was hopeless from the start says nothing of the callee, nor
 * does one that passed while nobody read what it had to say, or saw to it.
 */
static enum outcome outcome_of(struct router *router, const struct call *call,
			       const struct ending *ending)
{
	const struct tool *tool = &router->tools[call->tool];

	if ((call->unread || call->unseen) && ending->code != ERROR_OK)
		return OUTCOME_NEUTRAL;
	if (call->stop == STOP_DEADLINE && ending->code != ERROR_OK)
		return call->limits.absolute_ns - call->sent_ns <
			       latency_percentile_ns(&tool->latency, 50) ?
		       OUTCOME_NEUTRAL : OUTCOME_FAIL;
	if (call->stop == STOP_IDLE && ending->code != ERROR_OK)
		return OUTCOME_FAIL;
	if (call->stop != STOP_NONE && ending->code != ERROR_OK)
		return OUTCOME_NEUTRAL;
	return error_row((int)ending->code)->outcome;
}

/* ---- the actions of the table ---- */

static void do_ignore(struct router *router, struct call *call,
		      const struct message *message, int64_t now_ns)
{
	(void)router;
	(void)call;
	(void)message;
	(void)now_ns;
}

static void do_fault(struct router *router, struct call *call,
		     const struct message *message, int64_t now_ns)
{
	slot_fault(router, &router->slots[call->slot],
		   message_kind_name(message->kind), now_ns);
}

static void do_start(struct router *router, struct call *call,
		     const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];

	if (call->accepted) {
		do_fault(router, call, message, now_ns);
		return;
	}
	call->accepted = call->begun = true;
	legacy_begun(router, call);
	slot_flows(router, slot);
	slot->recalling &= !call->recalled;
	call->recalled = false;
	deadline_pair_progress(&call->limits, now_ns);
	if (!call->silent)
		call_announce(router, call, now_ns);
	effect_tell(router, call, message, now_ns);
}

/* Its client is to come back, and pays for what comes: a window of it at the most. */
static bool awaits_client(const struct router *router, const struct call *call)
{
	return call->adopted && call->borrowed && call->client == NONE &&
	       !effect_is_awaited(router, call);
}

static void forward_chunk(struct router *router, struct call *call,
			  const struct message *message, int64_t now_ns)
{
	uint64_t most = router->tools[call->tool].row.output_bytes;
	struct message chunk = *message;

	call->output_bytes += message->body.length;
	share_collect(router, call, message);
	if (call->silent || call->client == NONE) {
		share_deliver(router, call, now_ns);
		if (!awaits_client(router, call))
			call_grant(router, call, message->body.length, now_ns);
	} else if (message->chunk.sequence < call->had) {
		call_grant(router, call, message->body.length, now_ns);
	} else if (!call->answered) {
		credit_take(&call->to_client, message->body.length);
		chunk.chunk.sequence = call->chunks_out++;
		call_pass_on(router, call, &chunk, now_ns);
		call_grant(router, call, 0, now_ns);
	}
	if (most && call->output_bytes > most)
		call_stop(router, call, STOP_OUTPUT, now_ns);
}

static void do_forward(struct router *router, struct call *call,
		       const struct message *message, int64_t now_ns)
{
	bool chunk = message->kind == MESSAGE_CHUNK;

	if (!call->accepted || call->unasked ||
	    !credit_take(&call->from_worker, message->body.length) ||
	    (chunk && (message->chunk.sequence != call->chunks_in++ ||
		       message->body.length == 0))) {
		do_fault(router, call, message, now_ns);
		return;
	}
	deadline_pair_progress(&call->limits, now_ns);
	if (chunk)
		forward_chunk(router, call, message, now_ns);
	else
		call_pass_on(router, call, message, now_ns);
	effect_tell(router, call, message, now_ns);
}

/* BUSY: certainly not executed, so another worker, or this one later, may. */
static void do_again(struct router *router, struct call *call,
		     const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];
	const struct tool *tool = &router->tools[call->tool];
	struct ending ending;
	enum error_code code = (enum error_code)message->busy.code;

	if (call->accepted) {
		do_fault(router, call, message, now_ns);
		return;
	}
	ending = ending_of(code ? code : ERROR_DRAINING, "the worker is busy");
	ending.origin = ORIGIN_WORKER;
	ending.retry_after_ms = message->busy.retry_after_ms;
	report(router, call, OUTCOME_NEUTRAL, BREAKER_CRASH_NONE, now_ns);
	call_leave_slot(router, call);
	slot_freed(router, slot, now_ns);
	if (call->recalled && call->stop == STOP_NONE && tool->present &&
	    tool_pool(router, tool)) {
		dispatch_again(router, call);
		return;
	}
	if (call->stop != STOP_NONE)
		ending = ending_of_stop(router, call);
	else if (error_row((int)ending.code)->class != ERROR_CLASS_CALLER &&
		 try_again(router, call, ERROR_DRAINING, &ending, now_ns))
		return;
	call_end(router, call, &ending, now_ns);
}

static void do_finish(struct router *router, struct call *call,
		      const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];
	struct tool *tool = &router->tools[call->tool];
	struct ending ending = ending_of_result(message);

	if (!call->accepted || call->unasked ||
	    message->result.chunks != call->chunks_in ||
	    !credit_take(&call->from_worker, message->body.length)) {
		do_fault(router, call, message, now_ns);
		return;
	}
	report(router, call, outcome_of(router, call, &ending),
	       BREAKER_CRASH_NONE, now_ns);
	if (ending.code == ERROR_OK) {
		if (!call->adopted)
			learn(tool, now_ns - call->sent_ns, now_ns);
		be_useful(router, call, slot);
	} else if (call->stop != STOP_NONE) {
		ending = ending_of_stop(router, call);
	}
	slot->served++;
	slot_flows(router, slot);
	legacy_result(router, call);
	call_leave_slot(router, call);
	slot_freed(router, slot, now_ns);
	if (ending.code != ERROR_OK &&
	    try_again(router, call, ending.code, &ending, now_ns))
		return;
	call_end_with_result(router, call, message, &ending, now_ns);
}

static void do_classify(struct router *router, struct call *call,
			const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];
	struct ending ending = ending_of_death(slot, call);
	bool own = slot_end_is_own(slot->end);
	bool stopped = call->stop != STOP_NONE;
	enum breaker_crash crash = call->accepted ? BREAKER_CRASH_STARTED
						  : BREAKER_CRASH_NOT_STARTED;

	(void)message;
	if (stopped)
		ending = ending_of_stop(router, call);
	if (stopped || !own)
		report(router, call, stopped ?
		       outcome_of(router, call, &ending) : OUTCOME_NEUTRAL,
		       BREAKER_CRASH_NONE, now_ns);
	else
		report(router, call, OUTCOME_FAIL, crash, now_ns);
	call_leave_slot(router, call);
	if (!try_again(router, call, ending.code, &ending, now_ns))
		call_end(router, call, &ending, now_ns);
}

void call_end_unnamed(struct router *router, struct call *call,
		      struct ending ending, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];

	report(router, call, OUTCOME_NEUTRAL, BREAKER_CRASH_NONE, now_ns);
	call_leave_slot(router, call);
	slot_freed(router, slot, now_ns);
	call_end(router, call, &ending, now_ns);
}

/* Not executed: its client, which has the arguments, may have it done anew. */
void call_give_back(struct router *router, struct call *call, int64_t now_ns)
{
	struct ending ending = ending_of(ERROR_CRASH_NOT_STARTED,
					 "it was not executed before its router died");

	call->begun = false;
	if (call->client != NONE && !call->answered && call->stop == STOP_NONE) {
		peer_send(router, call->client, &(struct message){
			.kind = MESSAGE_BUSY, .call_id = call->client_id,
			.busy = { .code = (uint32_t)ending.code,
				  .reason = { ending.reason, ending.reason_length } },
		}, now_ns);
		call_count_end(router, call, ending.code, now_ns);
		call->answered = true;
	}
	/* Who has yet to come finds no row of it, which says the same. */
	call->confirmed = true;
	call->flags &= ~(uint32_t)CALL_DETACHED;
	if (call->stop != STOP_NONE)
		ending = ending_of_stop(router, call);
	call_end_unnamed(router, call, ending, now_ns);
}

void call_confirm(struct router *router, struct call *call)
{
	call->confirmed = true;
	if (call->state != CALL_HELD)
		return;
	call_let_go(router, call);
	call_free(router, call);
}

/* It, or the equal one whose answer it awaits. */
static bool awaits_worker(const struct call *call)
{
	return call_awaits_worker(call->state) ||
	       (call->state == CALL_JOINED && !list_is_linked(&call->effect_link));
}

static void do_answer(struct router *router, struct call *call,
		      const struct message *message, int64_t now_ns)
{
	struct ending ending = ending_of_stop(router, call);

	(void)message;
	if (call->state == CALL_HELD || call->state == CALL_DELIVERING) {
		call_detach(router, call);
		if (!call->answered)
			call_send_result(router, call, &ending, (struct span){ 0 },
				    now_ns);
		call_free(router, call);
		return;
	}
	/* A retry that never came to be: the last real error is the reason. */
	if (call->state == CALL_WAITING && call->stop == STOP_DEADLINE)
		ending = call->last;
	if (call->stop == STOP_DEADLINE && awaits_worker(call))
		degrade_late(router, call, &ending, now_ns);
	else
		call_end(router, call, &ending, now_ns);
}

static void stop_children(struct router *router, uint64_t parent,
			  int64_t now_ns)
{
	for (uint32_t i = 0; i < router->calls_fresh && router->nested; i++) {
		struct call *call = &router->calls[i];

		if (call->state == CALL_FREE || call->parent != parent)
			continue;
		if (call->stop == STOP_NONE)
			call->stop = STOP_PARENT;
		call_event(router, call, LIFE_CANCEL, NULL, now_ns);
	}
}

static void do_stop(struct router *router, struct call *call,
		    const struct message *message, int64_t now_ns)
{
	uint64_t handle = call_handle(router, call);

	(void)message;
	if (call->stopping)
		return;
	call->stopping = true;
	call->unasked = false;
	call->kill_ns = now_ns + CANCEL_GRACE_NS;
	call_rearm(router, call);
	if (router->nested)
		stop_children(router, handle, now_ns);
	peer_send(router, slot_peer(router, call->slot), &(struct message){
		.kind = MESSAGE_CANCEL, .call_id = handle,
		.generation = router->slots[call->slot].generation,
		.cancel.reason = message_text_of(stop_reason(call->stop)),
	}, now_ns);
}

static void do_give_up(struct router *router, struct call *call,
		       const struct message *message, int64_t now_ns)
{
	struct ending ending = ending_of_stop(router, call);

	do_stop(router, call, message, now_ns);
	call_rearm(router, call);
	if (call_is_patient(call))
		return;
	share_land(router, call, false, now_ns);
	call_answer(router, call, &ending, (struct span){ 0 }, now_ns);
	call_rearm(router, call);
}

static void do_hold(struct router *router, struct call *call,
		    const struct message *message, int64_t now_ns)
{
	(void)message;
	if (!(call->flags & CALL_DETACHED)) {
		call_free(router, call);
		return;
	}
	call->last_kept = NULL;
	call->chunks_out = 0;
	call_hold(router, call, now_ns + HELD_NS);
}

static void (*const actions[LIFE_ACTION_COUNT])(struct router *, struct call *,
						const struct message *,
						int64_t) = {
	[LIFE_IGNORE]   = do_ignore,   [LIFE_FAULT]    = do_fault,
	[LIFE_START]    = do_start,    [LIFE_FORWARD]  = do_forward,
	[LIFE_AGAIN]    = do_again,    [LIFE_FINISH]   = do_finish,
	[LIFE_CLASSIFY] = do_classify, [LIFE_ANSWER]   = do_answer,
	[LIFE_STOP]     = do_stop,     [LIFE_GIVE_UP]  = do_give_up,
	[LIFE_HOLD]     = do_hold,
};

void call_event(struct router *router, struct call *call,
		enum call_event event, const struct message *message,
		int64_t now_ns)
{
	struct call_step step = call_life(call->state, event);

	assert(step.action != LIFE_IMPOSSIBLE);
	if (event == LIFE_LOST && call->stop == STOP_NONE)
		call->stop = STOP_LOST;
	if (step.next != call->state)
		call_enter(router, call, step.next);
	actions[step.action](router, call, message, now_ns);
}

void call_stop(struct router *router, struct call *call, enum stop_cause cause,
	       int64_t now_ns)
{
	if (call->stop == STOP_NONE)
		call->stop = cause;
	call_event(router, call, LIFE_CANCEL, NULL, now_ns);
}
