/*
 * What clients hear, and what must hold of it.
 */
#include "tests/simulation/router/world.h"

#include <string.h>

/* Under a name there is one call, and it is remembered once it was begun. */
static void check_named(const struct sim_call *call, unsigned code,
			const struct message *message)
{
	const struct sim_call *effect = &world.effects[call->name & 0xffff];

	if (call->misused && code == ERROR_OK)
		fail("another call under the same name", message->call_id);
	if (call->late && (code == ERROR_NOT_FOUND ||
			   code == ERROR_CRASH_NOT_STARTED))
		fail("an effect is forgotten", message->call_id);
	if (effect == &world.effects[UNUSED] && code != ERROR_NOT_FOUND &&
	    code != ERROR_DEADLINE_EXCEEDED && code != ERROR_CANCELLED &&
	    code != ERROR_RESOURCE_EXHAUSTED && code != ERROR_QUEUE_FULL &&
	    !(call->survived && code == ERROR_CRASH_OUTCOME_UNKNOWN))
		fail("the end of what nobody has begun", code);
	seen[SEEN_AGAIN] += call->late && code == ERROR_OK && !call->attached;
	seen[SEEN_ATTACHED] += call->attached && code == ERROR_OK;
	seen[SEEN_UNKNOWN_NAME] += call->attached && code == ERROR_NOT_FOUND;
	seen[SEEN_RECALLED] += world.lives > 1 &&
			       (code == ERROR_CRASH_OUTCOME_UNKNOWN ||
				code == ERROR_DATA_LOSS);
	seen[SEEN_MISUSED] += call->misused && code == ERROR_INVALID_ARGUMENT;
}

/* Of a call that is another's equal, nobody knows who ran it. */
static void check_result(const struct sim_call *call,
			 const struct message *message)
{
	const struct sim_call *ran = call->named ? call_of(call->name) : call;
	uint32_t name = call->name;
	unsigned code = message->result.code;

	if (!call->outstanding && !(call->detached && call->back))
		fail("a result for a call that has none due", message->call_id);
	if (message->result.chunks != call->chunks)
		fail("chunks were lost", message->call_id);
	/* A worker says as its phase how many there were. */
	if (code == ERROR_OK && call->effect && !call->killer &&
	    call->chunks + call->dropped / CHUNK_BYTES != message->result.phase)
		fail("output is lost without a word", message->call_id);
	/* Of what an earlier router had sent nobody knows whether it began. */
	if (code == ERROR_CRASH_OUTCOME_UNKNOWN && !ran->accepted &&
	    !call->survived && !(call->named && world.lives > 1))
		fail("outcome unknown without accept", message->call_id);
	if (call->named)
		check_named(call, code, message);
	/* What waited on a full link was true when it was said. */
	if (code == ERROR_CRASH_NOT_STARTED && ran->effect && ran->executed &&
	    !(call->named && world.faults[FAULT_FULL]))
		fail("not executed, it says, but it was", message->call_id);
	if (code == ERROR_OK && call->effect && !call->killer &&
	    (message->body.length != sizeof(name) ||
	     memcmp(message->body.data, &name, sizeof(name)) != 0))
		fail("the result of another call", message->call_id);
}

/* What lived through a router's death in a worker's hands is not lost. */
static void check_survivor(uint32_t client, const struct sim_call *call, unsigned code)
{
	bool lost = code == ERROR_CRASH_OUTCOME_UNKNOWN || code == ERROR_DATA_LOSS;

	if (call->stolen && code != ERROR_CRASH_OUTCOME_UNKNOWN)
		fail("something of another user's call", client);
	if (call->promised && lost)
		fail("a result is lost with a router", call->name);
	seen[SEEN_PROMISED] += call->promised && !lost;
	seen[SEEN_REPLAYED] += call->promised && call->replays && code == ERROR_OK;
	seen[SEEN_LOST] += call->survived && code == ERROR_DATA_LOSS;
	seen[SEEN_THIEF] += call->stolen;
}

/* Not executed, it says, before its router died. */
static void see_busy(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	if (!call->outstanding || !call->survived)
		fail("busy, unasked", message->call_id);
	if (call->effect && !call->named && call->executed)
		fail("not executed, it says of what was", message->call_id);
	call->outstanding = call->again = call->chunks == 0 && !call->stolen;
	call->unconfirmed = call->old = false;
	seen[SEEN_SENT_ANEW]++;
}

/* What no worker has had, and has another way to an answer, and time, is not refused. */
static void check_refusal(const struct sim_call *call,
			  const struct message_result *result)
{
	if (call->tool != TOOL_PURE_ONE || result->code != ERROR_BREAKER_OPEN ||
	    result->attempts > 0 || call->survived || world.faults[FAULT_FULL] ||
	    call->deadline_ns <= world.now_ns)
		return;
	for (uint32_t i = 0; i < world.router->tools_fresh; i++) {
		const struct tool *tool = &world.router->tools[i];

		if (tool->present && strcmp(tool->row.name, "spare") == 0 &&
		    (tool->breaker.state == BREAKER_CLOSED ||
		     tool->breaker.state == BREAKER_RAMP))
			fail("refused, and its fallback serves", result->attempts);
	}
}

static void see_result(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];
	unsigned code = message->result.code;

	check_result(call, message);
	check_survivor(client, call, code);
	check_refusal(call, &message->result);
	if (call->old && code != ERROR_OK)
		fail("an old result that is none", code);
	call->outstanding = false;
	call->unconfirmed = call->detached || world.clients[client].resumes;
	seen[SEEN_OK] += code == ERROR_OK;
	seen[SEEN_NOT_STARTED] += code == ERROR_CRASH_NOT_STARTED;
	seen[SEEN_UNKNOWN] += code == ERROR_CRASH_OUTCOME_UNKNOWN;
	seen[SEEN_DEADLINE] += code == ERROR_DEADLINE_EXCEEDED;
	seen[SEEN_CANCELLED] += code == ERROR_CANCELLED;
	seen[SEEN_POISON] += code == ERROR_POISON;
	seen[SEEN_BREAKER] += code == ERROR_BREAKER_OPEN;
	seen[SEEN_REFUSED] += code == ERROR_NOT_FOUND;
	seen[SEEN_NO_ENTRY] += code == ERROR_FAILED_PRECONDITION;
	seen[SEEN_TRESPASS] += code == ERROR_DENIED_BY_ACL;
	seen[SEEN_RETRY] += message->result.attempts > 1;
	seen[SEEN_STREAM] += message->result.chunks > 0;
	seen[SEEN_BACK] += call->back;
}

/* Only who may have another's answer, or an old one, has it, and is told. */
static void check_degraded(const struct sim_call *call, const struct message *message)
{
	const struct message_remark *remark = &message->remark;
	int64_t most_ns = NS_PER_S + STALE_NS;

	if ((call->old || remark->tool.length > 0) && call->tool != TOOL_PURE_ONE)
		fail("another answer than it may have", message->call_id);
	if (call->old && remark->tool.length > 0)
		fail("both an old answer and another tool's", message->call_id);
	if (remark->tool.length > 0 &&
	    (remark->tool.length != strlen("spare") ||
	     memcmp(remark->tool.data, "spare", strlen("spare")) != 0))
		fail("the answer of a tool that nobody named", message->call_id);
	if (remark->age_ms > (uint64_t)(most_ns / NS_PER_MS) + 1)
		fail("an answer that is too old", remark->age_ms);
	seen[SEEN_FALLBACK] += remark->tool.length > 0;
	seen[SEEN_OLD] += call->old;
}

static void see_remark(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	call->dropped = message->remark.dropped;
	call->old = message->remark.age_ms > 0;
	seen[SEEN_CUT] += call->dropped > 0;
	check_degraded(call, message);
}

static void see_chunk(uint32_t client, const struct message *message)
{
	struct sim_call *call = &world.clients[client].calls[
		message->call_id % IDS];

	if (!call->outstanding && !(call->detached && call->back))
		fail("output of a call that is over", message->call_id);
	if (message->chunk.sequence != call->chunks++)
		fail("a chunk out of order", message->call_id);
	if (message->body.data[0] < call->next_output)
		fail("the same output twice", message->call_id);
	call->next_output = message->body.data[0] + 1U;
	if (!credit_take(&call->credit, message->body.length))
		fail("more output than credit", message->call_id);
	call->received += message->body.length;
}

void client_hears(uint32_t index, const struct message *message)
{
	struct sim_client *client = &world.clients[index];

	if (message->kind == MESSAGE_RESULT)
		see_result(index, message);
	if (message->kind == MESSAGE_BUSY)
		see_busy(index, message);
	if (message->kind == MESSAGE_REMARK)
		see_remark(index, message);
	if (message->kind == MESSAGE_CHUNK)
		see_chunk(index, message);
	if (message->kind == MESSAGE_WELCOME) {
		client->welcomed = true;
		memcpy(client->session, message->welcome.session.data,
		       SESSION_BYTES);
	}
}

/* A call is answered by its deadline, as far as its client reads. */
void check_deadlines(void)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct sim_client *client = &world.clients[i];

		if (!client->open ||
		    world.router->clients[i].peer.waiting.count > 0)
			continue;
		for (uint32_t j = 0; j < IDS; j++) {
			const struct sim_call *call = &client->calls[j];

			if (call->outstanding && !call->detached && !call->again &&
			    call->chunks == 0 && call->deadline_ns +
			    (call->survived ? 3 * NS_PER_S : 2 * NS_PER_MS) <
				    world.now_ns)
				fail("over its deadline without a word", j);
		}
	}
}
