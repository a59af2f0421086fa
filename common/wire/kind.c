#include "common/wire/kind.h"

#include <errno.h>

#include "common/cleanup.h"

#define NAME_BYTES 64
#define REASON_BYTES 512
#define ID_BYTES 16

static const struct field hello_fields[] = {
	FIELD(hello.major, 255),
	FIELD(hello.minor_least, 255),
	FIELD(hello.minor_most, 255),
	FIELD(hello.name, NAME_BYTES),
	FIELD(hello.build, NAME_BYTES),
	FIELD(hello.tools_hash, UINT64_MAX),
	FIELD(hello.session, ID_BYTES),
};
static const struct field welcome_fields[] = {
	FIELD(welcome.minor, 255),
	FIELD(welcome.catalog, UINT32_MAX),
	FIELD(welcome.session, ID_BYTES),
};
static const struct field ready_fields[] = {
	FIELD(ready.calls_max, 65535),
};
static const struct field ping_fields[] = {
	FIELD(ping.token, UINT64_MAX),
};
static const struct field pong_fields[] = {
	FIELD(pong.token, UINT64_MAX),
	FIELD(pong.progress, UINT64_MAX),
};
static const struct field drain_fields[] = {
	FIELD(drain.reason, REASON_BYTES),
};
static const struct field drained_fields[] = {
	FIELD(drained.calls, UINT64_MAX),
};
static const struct field reload_fields[] = {
	FIELD(reload.catalog, UINT32_MAX),
};
static const struct field goaway_fields[] = {
	FIELD(goaway.code, ERROR_CODE_COUNT - 1),
	FIELD(goaway.reason, REASON_BYTES),
};
static const struct field stats_fields[] = {
	FIELD(stats.calls, UINT64_MAX),
	FIELD(stats.failures, UINT64_MAX),
	FIELD(stats.busy_ns, UINT64_MAX),
	FIELD(stats.resident_bytes, UINT64_MAX),
	FIELD(stats.running, 65535),
};
static const struct field resync_fields[] = {
	FIELD(resync.finished, true),
	FIELD(resync.chunks, UINT32_MAX),
	FIELD(resync.first, UINT32_MAX),
};
static const struct field progress_fields[] = {
	FIELD(progress.done, UINT64_MAX),
	FIELD(progress.total, UINT64_MAX),
	FIELD(progress.note, REASON_BYTES),
};
static const struct field credit_fields[] = {
	FIELD(credit.bytes, CREDIT_LINK_BYTES),
};
static const struct field cancel_fields[] = {
	FIELD(cancel.reason, REASON_BYTES),
};
static const struct field busy_fields[] = {
	FIELD(busy.code, ERROR_CODE_COUNT - 1),
	FIELD(busy.retry_after_ms, 3600000),
	FIELD(busy.reason, REASON_BYTES),
};
static const struct field tools_changed_fields[] = {
	FIELD(tools_changed.catalog, UINT32_MAX),
	FIELD(tools_changed.tools_hash, UINT64_MAX),
};
static const struct field remark_fields[] = {
	FIELD(remark.number, UINT64_MAX),
	FIELD(remark.dropped, UINT64_MAX),
	FIELD(remark.age_ms, UINT64_MAX),
	FIELD(remark.tool, NAME_BYTES),
};
static const struct field call_fields[] = {
	FIELD(call.tool, NAME_BYTES),
	FIELD(call.catalog, UINT32_MAX),
	FIELD(call.workspace, UINT32_MAX),
	FIELD(call.priority, 7),
	FIELD(call.attempt, 255),
	FIELD(call.flags, CALL_MORE | CALL_DETACHED | CALL_NO_RETRY | CALL_REMARK | CALL_RESUME),
	FIELD(call.effect, ID_BYTES),
	FIELD(call.parent, UINT64_MAX),
};
static const struct field chunk_req_fields[] = {
	FIELD(chunk_req.sequence, UINT32_MAX),
	FIELD(chunk_req.last, true),
};
static const struct field chunk_fields[] = {
	FIELD(chunk.sequence, UINT32_MAX),
	FIELD(chunk.stream, 2),
};
static const struct field result_fields[] = {
	FIELD(result.code, ERROR_CODE_COUNT - 1),
	FIELD(result.origin, ORIGIN_COUNT - 1),
	FIELD(result.attempts, 255),
	FIELD(result.phase, 255),
	FIELD(result.chunks, UINT32_MAX),
	FIELD(result.retry_after_ms, 3600000),
	FIELD(result.reason, REASON_BYTES),
};

enum states {
	IN_NEW = 1 << LINK_NEW,
	IN_HELLO = 1 << LINK_HELLO,
	IN_WELCOMED = 1 << LINK_WELCOMED,
	IN_READY = 1 << LINK_READY,
	IN_DRAINING = 1 << LINK_DRAINING,
	AT_WORK = IN_READY | IN_DRAINING,
	SETTLED = IN_WELCOMED | AT_WORK,
	ALIVE = IN_NEW | IN_HELLO | SETTLED,
};

#define FIELDS(kind) #kind, kind##_fields, COUNT(kind##_fields)

/* The columns of permits: client to router, back, worker to router, back. */
static const struct kind kinds[FRAME_KIND_EXTENSION] = {
	[MESSAGE_HELLO]     = { FIELDS(hello), ABOUT_LINK, false,
		{ { IN_NEW, LINK_HELLO }, { 0 }, { IN_NEW, LINK_HELLO }, { 0 } } },
	[MESSAGE_WELCOME]   = { FIELDS(welcome), ABOUT_LINK, false,
		{ { 0 }, { IN_HELLO, LINK_READY }, { 0 }, { IN_HELLO, LINK_WELCOMED } } },
	[MESSAGE_READY]     = { FIELDS(ready), ABOUT_LINK, false,
		{ { 0 }, { 0 }, { IN_WELCOMED | IN_DRAINING, LINK_READY }, { 0 } } },
	[MESSAGE_PING]      = { FIELDS(ping), ABOUT_LINK, false,
		{ { 0 }, { AT_WORK }, { 0 }, { SETTLED } } },
	[MESSAGE_PONG]      = { FIELDS(pong), ABOUT_LINK, false,
		{ { AT_WORK }, { 0 }, { SETTLED }, { 0 } } },
	[MESSAGE_DRAIN]     = { FIELDS(drain), ABOUT_LINK, true,
		{ { 0 }, { AT_WORK, LINK_DRAINING }, { 0 }, { SETTLED, LINK_DRAINING } } },
	[MESSAGE_DRAINED]   = { FIELDS(drained), ABOUT_LINK, false,
		{ { 0 }, { 0 }, { IN_DRAINING }, { 0 } } },
	[MESSAGE_RELOAD]    = { FIELDS(reload), ABOUT_LINK, false,
		{ { 0 }, { 0 }, { 0 }, { IN_READY } } },
	[MESSAGE_GOAWAY]    = { FIELDS(goaway), ABOUT_LINK, false,
		{ { ALIVE, LINK_CLOSED }, { ALIVE, LINK_CLOSED },
		  { ALIVE, LINK_CLOSED }, { ALIVE, LINK_CLOSED } } },
	[MESSAGE_STATS]     = { FIELDS(stats), ABOUT_LINK, false,
		{ { 0 }, { 0 }, { AT_WORK }, { 0 } } },
	[MESSAGE_RESYNC]    = { FIELDS(resync), ABOUT_EITHER, false,
		{ { AT_WORK }, { 0 }, { SETTLED }, { SETTLED } } },
	[MESSAGE_ACCEPT]    = { "accept", NULL, 0, ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
	[MESSAGE_PROGRESS]  = { FIELDS(progress), ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
	[MESSAGE_RESULT_ACK] = { "result_ack", NULL, 0, ABOUT_CALL, false,
		{ { AT_WORK }, { 0 }, { 0 }, { AT_WORK } } },
	[MESSAGE_CREDIT]    = { FIELDS(credit), ABOUT_EITHER, false,
		{ { AT_WORK }, { AT_WORK }, { AT_WORK }, { AT_WORK } } },
	[MESSAGE_CANCEL]    = { FIELDS(cancel), ABOUT_CALL, false,
		{ { AT_WORK }, { 0 }, { 0 }, { AT_WORK } } },
	[MESSAGE_BUSY]      = { FIELDS(busy), ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
	[MESSAGE_TOOLS_CHANGED] = { FIELDS(tools_changed), ABOUT_LINK, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
	[MESSAGE_REMARK]    = { FIELDS(remark), ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { 0 }, { 0 } } },
	[MESSAGE_RECALL]    = { "recall", NULL, 0, ABOUT_CALL, false,
		{ { 0 }, { 0 }, { 0 }, { AT_WORK } } },

	/* A client's call may cross our drain: it is answered, not punished. */
	[MESSAGE_CALL]      = { FIELDS(call), ABOUT_CALL, true,
		{ { AT_WORK }, { 0 }, { 0 }, { IN_READY } } },
	[MESSAGE_CHUNK_REQ] = { FIELDS(chunk_req), ABOUT_CALL, false,
		{ { AT_WORK }, { 0 }, { 0 }, { AT_WORK } } },
	[MESSAGE_CHUNK]     = { FIELDS(chunk), ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
	[MESSAGE_RESULT]    = { FIELDS(result), ABOUT_CALL, false,
		{ { 0 }, { AT_WORK }, { AT_WORK }, { 0 } } },
};

const struct kind *kind_of(unsigned number)
{
	if (number >= COUNT(kinds) || !kinds[number].name)
		return NULL;
	return &kinds[number];
}

const char *message_kind_name(unsigned kind)
{
	const struct kind *row = kind_of(kind);

	return row ? row->name : "unknown";
}

static const char *const direction_names[LINK_DIRECTION_COUNT] = {
	"a client", "the router", "a worker", "the router",
};

static const char *const state_names[LINK_STATE_COUNT] = {
	"new", "in hello", "welcomed", "ready", "draining", "closed",
};

int message_permit(unsigned kind, enum link_direction direction,
		   enum link_state state, struct error *why)
{
	const struct kind *row = kind_of(kind);
	unsigned states = SETTLED;

	if (row)
		states = row->permit[direction].states;
	else if (kind < FRAME_KIND_EXTENSION)
		return error_set(why, -EBADMSG, "unknown message kind %u", kind);
	if (states & 1U << state)
		return 0;
	return error_set_code(why, -EPERM, ERROR_PROTOCOL,
			      "%s may not send %s while the link is %s",
			      direction_names[direction],
			      message_kind_name(kind), state_names[state]);
}

enum link_state message_next_state(unsigned kind,
				   enum link_direction direction,
				   enum link_state state)
{
	const struct kind *row = kind_of(kind);

	if (!row || row->permit[direction].next <= state)
		return state;
	return row->permit[direction].next;
}
