#include "supervisor/router/parts_core.h"

#include <string.h>

#include "supervisor/router/writer_core.h"

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

struct ending ending_of_result(const struct message *message)
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

const char *stop_reason(enum stop_cause cause)
{
	return stops[cause].reason;
}

/* Both limits are named, for one alone would explain nothing. */
struct ending ending_of_stop(struct router *router,
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
	if (call->unread)
		ending_add(&ending, "; what it had written was not read");
	if (call->accepted)
		ending_add(&ending, "; it had begun and is being stopped");
	else if (call->slot == NONE)
		ending_add(&ending, "; it was not executed");
	return ending;
}

/* What a death means for one call of the dead worker, told exactly once. */
static const enum error_code alone[SLOT_END_COUNT] = {
	[SLOT_END_OOM]    = ERROR_OOM_KILLED,
	[SLOT_END_POLICY] = ERROR_POLICY_KILLED,
};

bool slot_end_is_own(enum slot_end end)
{
	return end != SLOT_END_ORDERED && end != SLOT_END_NORMAL;
}

struct ending ending_of_death(const struct slot *slot,
			      const struct call *call)
{
	struct ending ending;

	if (!call->accepted && !call->adopted)	/* else who knows */
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
