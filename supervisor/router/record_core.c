#include "supervisor/router/record_core.h"

#include <string.h>

#include "common/wire/pack.h"
#include "supervisor/router/parts_core.h"

#define RECORD_TOOL "store.call"
#define RECORD_DEADLINE_NS (10 * NS_PER_S)
#define RECORD_STOP_NS NS_PER_S	/* when all waits for it */
#define RECORD_BYTES_MOST 256	/* of one, packed */

_Static_assert(RECORD_BATCH * RECORD_BYTES_MOST <= STORE_PIECE_MOST / 2,
	       "a batch is one frame");

static struct record *nth(struct recorder *recorder, uint32_t index)
{
	return &recorder->ring[(recorder->first + index) % RECORDS];
}

static struct tool *recording_tool(struct router *router)
{
	int row = catalog_find_tool(router->catalog, RECORD_TOOL,
				    strlen(RECORD_TOOL));
	struct tool *tool;

	if (row < 0 || router->tool_of[row] == NONE)
		return NULL;
	tool = &router->tools[router->tool_of[row]];
	return tool->enabled ? tool : NULL;
}

/* ---- the batch that comes back ---- */

static void take_out(struct recorder *recorder)
{
	recorder->first = (recorder->first + recorder->out) % RECORDS;
	recorder->count -= recorder->out;
	recorder->out = 0;
	if (recorder->count == 0)
		recorder->first = 0;	/* the rest is not touched in vain */
}

static void end_batch(struct router *router, const struct call *call,
		      enum error_code code, int64_t now_ns)
{
	struct recorder *recorder = &router->recorder;

	if (code != ERROR_OK && !call->begun) {
		recorder->out = 0;
		recorder->again_ns = now_ns + RECORD_AGAIN_NS;
		return;
	}
	*(code == ERROR_OK ? &recorder->written : &recorder->dropped) +=
		recorder->out;
	take_out(recorder);
}

static void note(struct router *router, const struct tool *tool,
		 struct record record)
{
	struct recorder *recorder = &router->recorder;

	if (!recording_tool(router))
		return;
	recorder->noted++;
	if (recorder->count == RECORDS) {
		recorder->dropped++;
		return;
	}
	memcpy(record.tool, tool->row.name, sizeof(record.tool));
	*nth(recorder, recorder->count++) = record;
}

void record_refusal(struct router *router, const struct tool *tool,
		    enum caller_role role, enum error_code code)
{
	note(router, tool, (struct record){ .role = role, .code = code });
}

void record_call(struct router *router, const struct call *call,
		 enum error_code code, int64_t now_ns)
{
	if (call->records)
		end_batch(router, call, code, now_ns);
	else if (call->tool != NONE && !call->probe)
		note(router, &router->tools[call->tool], (struct record){
			.call = call_handle(router, call) & INT64_MAX,
			.wall_ns = now_ns - call->received_ns,
			.attempts = call->attempts,
			.role = call->role, .code = code });
}

/* ---- the batch that goes out ---- */

static void pack_text(struct pack_writer *writer, const char *text)
{
	pack_write(writer, &(struct pack_value){
		.type = PACK_TEXT, .number = strlen(text),
		.data = (const uint8_t *)text });
}

static void pack_count(struct pack_writer *writer, enum pack_type type,
		       uint64_t number)
{
	pack_write(writer, &(struct pack_value){ .type = type,
						 .number = number });
}

static void pack_number(struct pack_writer *writer, const char *key,
			uint64_t number)
{
	pack_text(writer, key);
	pack_count(writer, PACK_UINT, number);
}

static void pack_record(struct pack_writer *writer, const struct record *record)
{
	static const char *const roles[ROLE_COUNT] = {
		[ROLE_OWNER] = "owner", [ROLE_MEMBER] = "member",
		[ROLE_AGENT] = "agent", [ROLE_IMPROVE] = "improve",
	};

	pack_count(writer, PACK_MAP, 6);
	pack_number(writer, "call", record->call);
	pack_text(writer, "tool");
	pack_text(writer, record->tool);
	pack_text(writer, "client_role");
	pack_text(writer, roles[record->role]);
	pack_text(writer, "outcome");
	pack_text(writer, error_row((int)record->code)->name);
	pack_number(writer, "attempts", record->attempts);
	pack_number(writer, "wall_ns", (uint64_t)record->wall_ns);
}

static void send_batch(struct router *router, struct tool *tool,
		       uint8_t *piece, int64_t now_ns)
{
	struct recorder *recorder = &router->recorder;
	struct pack_writer writer;
	int length;

	pack_writer_init(&writer, piece, RECORD_BATCH * RECORD_BYTES_MOST);
	pack_count(&writer, PACK_MAP, 1);
	pack_text(&writer, "calls");
	pack_count(&writer, PACK_ARRAY, recorder->out);
	for (uint32_t i = 0; i < recorder->out; i++)
		pack_record(&writer, nth(recorder, i));
	length = pack_written(&writer);
	if (length >= 0 && admit_own(router, tool, &(struct message){
			.kind = MESSAGE_CALL,
			.call.tool = message_text_of(RECORD_TOOL),
			.body = { piece, (size_t)length },
		}, &(struct own_call){
			.records = true, .priority = QUEUE_BATCH,
			.limit_ns = router->stopping ? RECORD_STOP_NS
						     : RECORD_DEADLINE_NS,
		}, now_ns))
		return;
	recorder->out = 0;
	recorder->again_ns = now_ns + RECORD_AGAIN_NS;
}

void record_flush(struct router *router, bool all, int64_t now_ns)
{
	struct recorder *recorder = &router->recorder;
	struct tool *tool;
	void *piece;

	if (recorder->out > 0 || recorder->count == 0 ||
	    (recorder->count < RECORD_BATCH && !all) ||
	    now_ns < recorder->again_ns)
		return;
	tool = recording_tool(router);
	piece = tool ? store_take(&router->store,
				  RECORD_BATCH * RECORD_BYTES_MOST) : NULL;
	if (!piece)
		return;
	recorder->out = recorder->count < RECORD_BATCH ? recorder->count
						       : RECORD_BATCH;
	send_batch(router, tool, piece, now_ns);
	store_give(&router->store, piece);
}
