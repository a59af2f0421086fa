#include "supervisor/router/state_core.h"

#include <assert.h>
#include <string.h>

#include "supervisor/router/writer_core.h"

/* ---- records and handles ---- */

uint64_t call_handle(const struct router *router, const struct call *call)
{
	return handle_make((size_t)(call - router->calls), call->generation);
}

struct call *call_of_handle(struct router *router, uint64_t handle)
{
	size_t index = handle_index(handle);

	if (index >= router->calls_fresh ||
	    router->calls[index].state == CALL_FREE ||
	    router->calls[index].generation != handle_generation(handle))
		return NULL;
	return &router->calls[index];
}

struct call *call_new(struct router *router, int64_t now_ns)
{
	const struct credit fresh = { CREDIT_CALL_BYTES, CREDIT_LINK_BYTES };
	struct list *free = list_take_first(&router->free_calls);
	struct call *call;

	if (free)
		call = LIST_OWNER(free, struct call, client_link);
	else if (router->calls_fresh < router->size.calls)
		call = &router->calls[router->calls_fresh++];
	else
		return NULL;

	uint32_t generation = handle_next_generation(call->generation);

	memset(call, 0, sizeof(*call));
	call->generation = generation;
	call->timer = (struct timer){
		.kind = TIMER_CALL,
		.index = (uint32_t)(call - router->calls) };
	call->state = CALL_RECEIVED;
	call->client = call->slot = call->tool = NONE;
	call->received_ns = now_ns;
	call->from_client = call->to_client = fresh;
	router->call_count++;
	router->waiting++;
	router->totals.accepted++;
	return call;
}

/* Under its client, once that is known. */
static void join_client(struct router *router, struct call *call)
{
	struct client *client = client_of(router, call);

	if (list_is_linked(&call->client_link))
		return;
	client->waiting++;
	list_append(&client->calls, &call->client_link);
}

/* Over time it is answered once its worker is done: there is time to keep it. */
static bool is_patient(const struct call *call)
{
	return call->flags & CALL_DETACHED;
}

static int64_t call_next_ns(const struct call *call)
{
	int64_t next_ns = call->limits.absolute_ns;

	switch (call->state) {
	case CALL_WAITING:
		return deadline_earlier(next_ns, call->retry_ns);
	case CALL_SENT:
	case CALL_RUNNING:
		next_ns = deadline_pair_next_ns(&call->limits);
		if (!call->permit.counted_slow)
			next_ns = deadline_earlier(next_ns,
						   call->permit.slow_at_ns);
		return next_ns;
	case CALL_CANCELLING:
		if (call->answered || is_patient(call))
			next_ns = DEADLINE_NEVER;
		return call->kill_ns ? deadline_earlier(next_ns, call->kill_ns)
				     : next_ns;
	case CALL_DELIVERING:
	case CALL_HELD:
		return call->keep_ns;
	case CALL_RECEIVED:
	case CALL_QUEUED:
	case CALL_JOINED:
	case CALL_PARKED:
	case CALL_FREE:
	case CALL_STATE_COUNT:
		break;
	}
	return next_ns;
}

static void rearm(struct router *router, struct call *call)
{
	int64_t next_ns = call_next_ns(call);

	if (next_ns == DEADLINE_NEVER)
		wheel_cancel(&router->wheel, &call->timer.wheel);
	else
		wheel_add(&router->wheel, &call->timer.wheel, next_ns);
}

/* The only place where the state changes. */
void call_enter(struct router *router, struct call *call,
		enum call_state state)
{
	join_client(router, call);
	call->state = state;
	rearm(router, call);
}

struct signature call_signature(struct router *router, struct call *call)
{
	struct parcel *parcel = call->arguments.first;

	if (call->hashed)
		return call->signature;
	for (unsigned i = 0; i < 2; i++) {
		const struct hash_key *key = &router->keys[i];
		uint64_t sum = hash_number(key, call->tool);

		for (parcel = call->arguments.first; parcel;
		     parcel = parcel->next)
			sum = hash_number(key, sum ^ hash_bytes(key,
						parcel->message.body));
		call->signature.words[i] = sum;
	}
	call->hashed = true;
	return call->signature;
}

/* ---- endings ---- */

struct ending ending_of(enum error_code code, const char *reason)
{
	struct ending ending = { .code = code, .origin = ORIGIN_ROUTER };

	ending_add(&ending, reason);
	return ending;
}

/* What was cut inside of a character loses the rest of it, too. */
static uint32_t whole_characters(const char *text, size_t length)
{
	size_t lead = length;
	unsigned char first;

	while (lead > 0 && length - lead < 3 &&
	       ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0)
		return 0;
	first = (unsigned char)text[lead - 1];
	if (first < 0x80 || length - lead + 1 ==
	    (first >= 0xf0 ? 4U : first >= 0xe0 ? 3U : 2U))
		return (uint32_t)length;
	return (uint32_t)lead - 1;
}

void ending_add(struct ending *ending, const char *text)
{
	struct writer writer = { .data = ending->reason,
				 .length = ending->reason_length,
				 .capacity = REASON_BYTES };

	write_text(&writer, text);
	ending->reason_length = whole_characters(ending->reason, writer.length);
}

void ending_add_number(struct ending *ending, uint64_t number)
{
	struct writer writer = { .data = ending->reason,
				 .length = ending->reason_length,
				 .capacity = REASON_BYTES };

	write_number(&writer, number);
	ending->reason_length = (uint32_t)writer.length;
}

static struct ending ending_of_result(const struct message *message)
{
	const struct message_result *result = &message->result;
	struct ending ending = {
		.code = (enum error_code)result->code,
		.origin = (enum error_origin)result->origin,
		.phase = result->phase,
		.retry_after_ms = result->retry_after_ms,
	};
	size_t length;

	/* A worker speaks for itself and its upstream, for nobody else. */
	if (ending.origin != ORIGIN_UPSTREAM)
		ending.origin = ORIGIN_WORKER;
	length = result->reason.length < REASON_BYTES ? result->reason.length
						      : REASON_BYTES;
	if (length)
		memcpy(ending.reason, result->reason.data, length);
	ending.reason_length = whole_characters(ending.reason, length);
	return ending;
}

static void add_ms(struct ending *ending, const char *text, int64_t ns)
{
	ending_add(ending, text);
	ending_add_number(ending, (uint64_t)ns / NS_PER_MS);
	ending_add(ending, " ms");
}

static const struct {
	enum error_code code;
	const char *reason;
} stops[STOP_CAUSE_COUNT] = {
	[STOP_NONE]     = { ERROR_UNKNOWN, "" },
	[STOP_CLIENT]   = { ERROR_CANCELLED, "cancelled by its caller" },
	[STOP_LOST]     = { ERROR_CANCELLED, "its caller is gone" },
	[STOP_DEADLINE] = { ERROR_DEADLINE_EXCEEDED, "over its deadline" },
	[STOP_IDLE]     = { ERROR_DEADLINE_EXCEEDED, "no progress" },
	[STOP_OUTPUT]   = { ERROR_OUTPUT_LIMIT, "more output than the tool may have" },
	[STOP_PARENT]   = { ERROR_CANCELLED, "the call it served has ended" },
};

/* Both limits are named, for one alone would explain nothing. */
static struct ending ending_of_stop(struct router *router,
				    const struct call *call)
{
	struct ending ending = ending_of(stops[call->stop].code,
					 stops[call->stop].reason);

	if (call->stop != STOP_DEADLINE && call->stop != STOP_IDLE)
		return ending;
	add_ms(&ending, " (in all ", call->limits.absolute_ns -
	       call->received_ns);
	if (call->tool != NONE && router->tools[call->tool].row.idle_ns)
		add_ms(&ending, ", without progress ",
		       router->tools[call->tool].row.idle_ns);
	ending_add(&ending, ")");
	if (call->accepted)
		ending_add(&ending, "; it had begun and is being stopped");
	else if (call->slot == NONE)
		ending_add(&ending, "; it was not executed");
	return ending;
}

/* ---- towards the client ---- */

void call_announce(struct router *router, struct call *call, int64_t now_ns)
{
	if (call->announced || call->answered || call->client == NONE)
		return;
	call->announced = true;
	peer_send(router, call->client, &(struct message){
		.kind = MESSAGE_ACCEPT, .call_id = call->client_id }, now_ns);
}

static void count_end(struct router *router, struct call *call,
		      enum error_code code)
{
	if (code == ERROR_OK)
		router->totals.ok++;
	else
		router->totals.failed++;
	router->ends[code]++;
	if (call->tool != NONE)
		router->tools[call->tool].ends[code]++;
}

static struct message result_of(const struct call *call,
				const struct ending *ending, struct span body)
{
	return (struct message){
		.kind = MESSAGE_RESULT,
		.call_id = call->client_id,
		.result = {
			.code = (uint32_t)ending->code,
			.origin = (uint32_t)ending->origin,
			.attempts = call->attempts,
			.phase = ending->phase,
			.chunks = call->chunks_out,
			.retry_after_ms = ending->retry_after_ms > 3600000 ?
					  3600000 : ending->retry_after_ms,
			.reason = { ending->reason, ending->reason_length } },
		.body = body,
	};
}

static void send_result(struct router *router, struct call *call,
			const struct ending *ending, struct span body,
			int64_t now_ns)
{
	struct message result = result_of(call, ending, body);

	if (call->client != NONE)
		peer_send(router, call->client, &result, now_ns);
}

/* The client has its one answer; the worker may still have the call. */
static void answer(struct router *router, struct call *call,
		   const struct ending *ending, struct span body,
		   int64_t now_ns)
{
	if (call->answered)
		return;
	count_end(router, call, ending->code);
	send_result(router, call, ending, body, now_ns);
	call->answered = true;
}

void call_free(struct router *router, struct call *call)
{
	struct client *client = client_of(router, call);

	assert(call->slot == NONE && call->permit.generation == 0);
	join_client(router, call);
	client->waiting--;
	list_remove(&call->client_link);
	if (list_is_linked(&call->id_link))
		list_remove(&call->id_link);
	wheel_cancel(&router->wheel, &call->timer.wheel);
	parcels_clear(&call->arguments, &router->store);
	if (call->kept)
		kept_release(router, call->kept);
	if (call->tool != NONE) {
		router->tools[call->tool].users--;
		if (call->probe)
			router->tools[call->tool].probing = false;
	}
	if (call->parent)
		router->nested--;
	router->call_count--;
	router->waiting--;
	call->kept = NULL;
	call->state = CALL_FREE;
	call->generation = handle_next_generation(call->generation);
	list_append(&router->free_calls, &call->client_link);
}

/* The result is kept: it goes out under credit, or waits for its client. */
static void end_kept(struct router *router, struct call *call,
		     const struct ending *ending, int64_t now_ns)
{
	count_end(router, call, ending->code);
	if (call->client == NONE) {
		call->keep_ns = now_ns + HELD_NS;
		router->held++;
		call_enter(router, call, CALL_HELD);
		return;
	}
	call->keep_ns = call->limits.absolute_ns > now_ns + HELD_ACK_NS ?
			call->limits.absolute_ns : now_ns + HELD_ACK_NS;
	call_enter(router, call, CALL_DELIVERING);
	share_deliver(router, call, now_ns);
}

static bool is_kept(const struct call *call)
{
	return call->flags & CALL_DETACHED && !call->answered && call->kept &&
	       call->kept->parcels.last &&
	       call->kept->parcels.last->message.kind == MESSAGE_RESULT;
}

/*
 * The last word: told now, or when its client comes back. What is detached
 * stays until the client has confirmed it, who may leave before it has it.
 */
static void conclude(struct router *router, struct call *call,
		     const struct ending *ending, struct span body,
		     int64_t now_ns)
{
	bool kept = is_kept(call);

	if (kept && call->silent) {
		end_kept(router, call, ending, now_ns);
		return;
	}
	answer(router, call, ending, body, now_ns);
	if (!kept) {
		call_free(router, call);
		return;
	}
	call->keep_ns = now_ns + HELD_ACK_NS;
	router->held++;
	call_enter(router, call, CALL_HELD);
}

static void keep_ending(struct router *router, struct call *call,
			const struct ending *ending)
{
	struct message result = result_of(call, ending, (struct span){ 0 });
	struct parcel *parcel = parcel_new(&router->store, &result);

	if (!call->kept)
		call->kept = kept_new(router);
	if (parcel && call->kept)
		parcels_append(&call->kept->parcels, parcel);
	else if (parcel)
		store_give(&router->store, parcel);
}

void call_end(struct router *router, struct call *call,
	      const struct ending *ending, int64_t now_ns)
{
	call_detach(router, call);
	share_land(router, call, false, now_ns);
	if (call->flags & CALL_DETACHED && !call->answered)
		keep_ending(router, call, ending);
	conclude(router, call, ending, (struct span){ 0 }, now_ns);
}

/* ---- leaving places ---- */

static void leave_slot(struct router *router, struct call *call)
{
	struct slot *slot = &router->slots[call->slot];
	struct tool *tool = &router->tools[call->tool];
	struct client *client = client_of(router, call);

	assert(call->permit.generation == 0);
	list_remove(&call->slot_link);
	slot->running--;
	tool->running--;
	client->running--;
	client->waiting++;
	router->running--;
	router->waiting++;
	router->owed -= call->owed;
	call->owed = 0;
	call->kill_ns = 0;
	call->slot = NONE;
	dispatch_mark(router, tool->row.pool);
}

void call_detach(struct router *router, struct call *call)
{
	struct queue_item unused;

	if (call->queue_id) {
		queue_remove(&router->tools[call->tool].queue, call->queue_id,
			     &unused);
		call->queue_id = 0;
	}
	if (list_is_linked(&call->parked_link)) {
		struct pool *pool = tool_pool(router,
					      &router->tools[call->tool]);

		list_remove(&call->parked_link);
		if (pool)
			pool->parked_count--;
	}
	if (call->state == CALL_HELD)
		router->held--;
	share_leave(router, call);
}

static void report(struct router *router, struct call *call,
		   enum outcome outcome, enum breaker_crash crash,
		   int64_t now_ns)
{
	struct tool *tool = &router->tools[call->tool];

	breaker_report(&tool->breaker, &call->permit, outcome, crash, now_ns);
	tool_watch(router, tool, now_ns);
}

/* ---- what becomes of it ---- */

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

	if (!pool || !tool->present || call->stop != STOP_NONE ||
	    call->answered || call->chunks_out > 0 ||
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
		parcels_clear(&call->kept->parcels, &router->store);
	call->last = *ending;
	call->retry_ns = now_ns + wait_ns;
	tool->retried++;
	router->totals.retried++;
	call_enter(router, call, CALL_WAITING);
	return true;
}

static void send_again(struct router *router, struct call *call,
		       int64_t now_ns)
{
	const struct breaker *breaker =
		&router->tools[call->tool].breaker;

	if (breaker->state == BREAKER_OPEN ||
	    breaker->state == BREAKER_FORCED_OPEN)
		call_end(router, call, &call->last, now_ns);
	else
		admit_queue(router, call, now_ns);
}

/* The worker's last word on it. */
static void end_with_result(struct router *router, struct call *call,
			    const struct message *message,
			    const struct ending *ending, int64_t now_ns)
{
	struct message result = *message;
	struct ending lost;
	bool kept;

	result.result.origin = (uint32_t)ending->origin;
	result.result.attempts = call->attempts;
	share_collect(router, call, &result);
	kept = call->collecting;
	share_land(router, call, kept && !call->answered, now_ns);
	if (call->silent && !kept && !call->answered) {
		lost = ending_of(ERROR_DATA_LOSS, "the result was too large "
				 "to be kept for a client that left");
		call_end(router, call, &lost, now_ns);
		return;
	}
	conclude(router, call, ending, message->body, now_ns);
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
	if (tool->latency.total % 64 != 0)
		return;
	p95_ns = latency_percentile_ns(&tool->latency, 95);
	tool->breaker.slow_ns = 2 * p95_ns > tool->row.slow_ns ? 2 * p95_ns
							       : tool->row.slow_ns;
	tool->queue.settings.target_ns = queue_target_ns(
		latency_percentile_ns(&tool->latency, 50));
}

/* A deadline that was hopeless from the start says nothing of the callee. */
static enum outcome outcome_of(struct router *router, const struct call *call,
			       const struct ending *ending)
{
	const struct tool *tool = &router->tools[call->tool];

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
	if (call->accepted) {
		do_fault(router, call, message, now_ns);
		return;
	}
	call->accepted = true;
	deadline_pair_progress(&call->limits, now_ns);
	if (!call->silent)
		call_announce(router, call, now_ns);
}

static void forward_progress(struct router *router, struct call *call,
			     const struct message *message, int64_t now_ns)
{
	struct message progress = *message;

	if (call->answered || call->silent || call->client == NONE)
		return;
	progress.call_id = call->client_id;
	progress.generation = 0;
	peer_send(router, call->client, &progress, now_ns);
}

static void forward_chunk(struct router *router, struct call *call,
			  const struct message *message, int64_t now_ns)
{
	uint64_t most = router->tools[call->tool].row.output_bytes;
	struct message chunk = *message;

	call->output_bytes += message->body.length;
	share_collect(router, call, message);
	if (call->silent || call->client == NONE) {
		call_grant(router, call, message->body.length, now_ns);
	} else if (!call->answered) {
		credit_take(&call->to_client, message->body.length);
		chunk.call_id = call->client_id;
		chunk.generation = 0;
		chunk.chunk.sequence = call->chunks_out++;
		peer_send(router, call->client, &chunk, now_ns);
		call_grant(router, call, 0, now_ns);
	}
	if (most && call->output_bytes > most)
		call_stop(router, call, STOP_OUTPUT, now_ns);
}

static void do_forward(struct router *router, struct call *call,
		       const struct message *message, int64_t now_ns)
{
	bool chunk = message->kind == MESSAGE_CHUNK;

	if (!call->accepted ||
	    !credit_take(&call->from_worker, message->body.length) ||
	    (chunk && message->chunk.sequence != call->chunks_in++)) {
		do_fault(router, call, message, now_ns);
		return;
	}
	deadline_pair_progress(&call->limits, now_ns);
	if (chunk)
		forward_chunk(router, call, message, now_ns);
	else
		forward_progress(router, call, message, now_ns);
}

/* BUSY: certainly not executed, so another worker, or this one later, may. */
static void do_again(struct router *router, struct call *call,
		     const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];
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
	leave_slot(router, call);
	slot_freed(router, slot, now_ns);
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
	uint64_t handle = call_handle(router, call);

	if (!call->accepted || message->result.chunks != call->chunks_in ||
	    !credit_take(&call->from_worker, message->body.length)) {
		do_fault(router, call, message, now_ns);
		return;
	}
	report(router, call, outcome_of(router, call, &ending),
	       BREAKER_CRASH_NONE, now_ns);
	if (ending.code == ERROR_OK) {
		learn(tool, now_ns - call->sent_ns, now_ns);
		be_useful(router, call, slot);
	} else if (call->stop != STOP_NONE) {
		ending = ending_of_stop(router, call);
	}
	slot->served++;
	peer_send(router, slot_peer(router, call->slot), &(struct message){
		.kind = MESSAGE_RESULT_ACK, .call_id = handle,
		.generation = slot->generation }, now_ns);
	leave_slot(router, call);
	slot_freed(router, slot, now_ns);
	if (ending.code != ERROR_OK &&
	    try_again(router, call, ending.code, &ending, now_ns))
		return;
	end_with_result(router, call, message, &ending, now_ns);
}

/* What a death means for one call of the dead worker, told exactly once. */
static const enum error_code alone[SLOT_END_COUNT] = {
	[SLOT_END_OOM]    = ERROR_OOM_KILLED,
	[SLOT_END_POLICY] = ERROR_POLICY_KILLED,
};

static bool is_own_death(enum slot_end end)
{
	return end != SLOT_END_ORDERED && end != SLOT_END_NORMAL;
}

static struct ending ending_of_death(const struct slot *slot,
				     const struct call *call)
{
	struct ending ending;

	if (!call->accepted)
		ending = ending_of(ERROR_CRASH_NOT_STARTED,
				   "the worker died before it accepted");
	else if (slot->died_alone && alone[slot->end])
		ending = ending_of(alone[slot->end], slot->end == SLOT_END_OOM ?
				   "it took more memory than it may" :
				   "it did what its policy forbids");
	else
		ending = ending_of(ERROR_CRASH_OUTCOME_UNKNOWN,
				   "the worker died while it ran; "
				   "the outcome is unknown");
	ending.origin = ORIGIN_WORKER;
	if (slot->end == SLOT_END_SIGNAL || slot->end == SLOT_END_EXIT) {
		ending_add(&ending, slot->end == SLOT_END_SIGNAL ?
			   " (signal " : " (exit status ");
		ending_add_number(&ending, slot->end_argument);
		ending_add(&ending, ")");
	}
	return ending;
}

static void do_classify(struct router *router, struct call *call,
			const struct message *message, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];
	struct ending ending = ending_of_death(slot, call);
	bool own = is_own_death(slot->end);
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
	leave_slot(router, call);
	if (!try_again(router, call, ending.code, &ending, now_ns))
		call_end(router, call, &ending, now_ns);
}

static void do_answer(struct router *router, struct call *call,
		      const struct message *message, int64_t now_ns)
{
	struct ending ending = ending_of_stop(router, call);

	(void)message;
	if (call->state == CALL_HELD || call->state == CALL_DELIVERING) {
		call_detach(router, call);
		if (!call->answered)
			send_result(router, call, &ending, (struct span){ 0 },
				    now_ns);
		call_free(router, call);
		return;
	}
	/* A retry that never came to be: the last real error is the reason. */
	if (call->state == CALL_WAITING && call->stop == STOP_DEADLINE)
		ending = call->last;
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
	call->kill_ns = now_ns + CANCEL_GRACE_NS;
	rearm(router, call);
	if (router->nested)
		stop_children(router, handle, now_ns);
	peer_send(router, slot_peer(router, call->slot), &(struct message){
		.kind = MESSAGE_CANCEL, .call_id = handle,
		.generation = router->slots[call->slot].generation,
		.cancel.reason = message_text_of(stops[call->stop].reason),
	}, now_ns);
}

static void do_give_up(struct router *router, struct call *call,
		       const struct message *message, int64_t now_ns)
{
	struct ending ending = ending_of_stop(router, call);

	do_stop(router, call, message, now_ns);
	rearm(router, call);
	if (is_patient(call))
		return;
	share_land(router, call, false, now_ns);
	answer(router, call, &ending, (struct span){ 0 }, now_ns);
	rearm(router, call);
}

static void do_hold(struct router *router, struct call *call,
		    const struct message *message, int64_t now_ns)
{
	(void)message;
	if (!(call->flags & CALL_DETACHED)) {
		call_free(router, call);
		return;
	}
	call->next_kept = call->kept->parcels.first;
	call->chunks_out = 0;
	call->keep_ns = now_ns + HELD_NS;
	router->held++;
	rearm(router, call);
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

/* ---- credit towards the worker ---- */

/* When much waits in the store, only interactive calls get more. */
static bool is_short(const struct router *router, const struct call *call)
{
	return call->priority != QUEUE_INTERACTIVE &&
	       router->store.used > router->store.bytes / 4 * 3;
}

void call_grant(struct router *router, struct call *call, size_t bytes,
		int64_t now_ns)
{
	size_t room, give;

	if (call->slot == NONE)
		return;
	call->owed += bytes;
	router->owed += bytes;
	room = CREDIT_CALL_BYTES - call->from_worker.bytes;
	give = call->owed < room ? call->owed : room;
	if (give == 0 || is_short(router, call) ||
	    (give < CREDIT_CALL_BYTES / 4 &&
	     call->from_worker.bytes > CREDIT_CALL_BYTES / 2))
		return;
	call->owed -= give;
	router->owed -= give;
	credit_add(&call->from_worker, give);
	peer_send(router, slot_peer(router, call->slot), &(struct message){
		.kind = MESSAGE_CREDIT,
		.call_id = call_handle(router, call),
		.generation = router->slots[call->slot].generation,
		.credit.bytes = (uint32_t)give }, now_ns);
}

void calls_round(struct router *router, int64_t now_ns)
{
	for (uint32_t i = 0; i < router->calls_fresh && router->owed; i++) {
		struct call *call = &router->calls[i];

		if (call->state != CALL_FREE && call->owed > 0)
			call_grant(router, call, 0, now_ns);
	}
}

/* ---- time ---- */

static void kill_for(struct router *router, struct call *call, int64_t now_ns)
{
	struct slot *slot = &router->slots[call->slot];

	call->kill_ns = 0;
	if (slot->running == 1)
		slot_kill(router, slot, call->stop == STOP_DEADLINE ?
			  KILL_DEADLINE : KILL_CANCELLED,
			  call_handle(router, call));
	else if (slot->kill_at_ns == DEADLINE_NEVER)
		slot->kill_at_ns = now_ns + SUSPECT_GRACE_NS;
}

void call_due(struct router *router, struct call *call, int64_t now_ns)
{
	struct tool *tool;

	if (call->state == CALL_FREE)
		return;
	if (call->state == CALL_WAITING && call->retry_ns <= now_ns &&
	    call->limits.absolute_ns > now_ns) {
		send_again(router, call, now_ns);
		return;
	}
	if ((call->state == CALL_SENT || call->state == CALL_RUNNING) &&
	    call->permit.slow_at_ns <= now_ns && !call->permit.counted_slow) {
		tool = &router->tools[call->tool];
		breaker_running_slow(&tool->breaker, &call->permit, now_ns);
		call->permit.counted_slow = true;	/* asked once */
		tool_watch(router, tool, now_ns);
	}
	if (call->state == CALL_CANCELLING && call->kill_ns &&
	    call->kill_ns <= now_ns) {
		kill_for(router, call, now_ns);
		/* Its caller has waited long enough for a worker's word. */
		if (!call->answered)
			call_event(router, call, LIFE_TIME, NULL, now_ns);
		return;
	}
	if (call_next_ns(call) > now_ns) {
		rearm(router, call);
		return;
	}
	if (call->stop == STOP_NONE)
		call->stop = deadline_pair_check(&call->limits, now_ns) ==
			     DEADLINE_IDLE ? STOP_IDLE : STOP_DEADLINE;
	call_event(router, call, LIFE_TIME, NULL, now_ns);
}
