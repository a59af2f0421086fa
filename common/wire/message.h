/*
 * message.h - what the processes say to each other, declared once.
 *
 * A message is one frame (frame.h gives its layout): an envelope all kinds
 * share, the kind's own fields in the order of its struct, and an opaque
 * body, which only data kinds have. kind.c holds a row per kind: its
 * fields with their limits, whether it is about a call, and who may send it
 * in which state of the link.
 *
 * A link has the router at one end and a client or a worker at the other; the
 * monitor speaks fixed records and never frames. Both ends keep the state:
 *
 *	NEW -- hello --> HELLO -- welcome to a worker --> WELCOMED
 *	                   |                                | ready
 *	                   +---- welcome to a client --> READY
 *	                                                    | drain
 *	any -- goaway --> CLOSED                         DRAINING
 *
 * States only move forward, so a message that crosses such a move on the wire
 * is permitted on both sides of it; a ready that crosses a drain stays behind.
 *
 * A call is: CALL, CHUNK_REQ*, answered by BUSY, or by ACCEPT before the first
 * side effect, (PROGRESS | CHUNK)*, one RESULT, and RESULT_ACK. A worker answers
 * RECALL of a call that it has not begun by BUSY, and any other not. Body bytes are
 * sent against credit: at first CREDIT_CALL_BYTES a call and
 * CREDIT_LINK_BYTES a link, in each direction; CREDIT grants more.
 *
 * The protocol version is negotiated in HELLO and WELCOME alone. Another
 * minor version may add kinds from 128, nothing else.
 */
#ifndef CUPEL_COMMON_WIRE_MESSAGE_H
#define CUPEL_COMMON_WIRE_MESSAGE_H

#include "common/error.h"
#include "common/wire/frame.h"

#define MESSAGE_MAJOR 1
#define MESSAGE_MINOR 0

/* A frame is at most its body and this much; so a body has a limit, too. */
#define MESSAGE_OVERHEAD_BYTES_MAX 1024
#define MESSAGE_BODY_BYTES_MAX \
	(FRAME_DATA_BYTES_MAX - MESSAGE_OVERHEAD_BYTES_MAX)

#define CREDIT_CALL_BYTES 262144
#define CREDIT_LINK_BYTES 4194304

enum message_kind {
	MESSAGE_HELLO = 1,
	MESSAGE_WELCOME,
	MESSAGE_READY,
	MESSAGE_PING,
	MESSAGE_PONG,
	MESSAGE_DRAIN,
	MESSAGE_DRAINED,
	MESSAGE_RELOAD,
	MESSAGE_GOAWAY,
	MESSAGE_STATS,
	MESSAGE_RESYNC,
	MESSAGE_ACCEPT,
	MESSAGE_PROGRESS,
	MESSAGE_RESULT_ACK,
	MESSAGE_CREDIT,
	MESSAGE_CANCEL,
	MESSAGE_BUSY,
	MESSAGE_TOOLS_CHANGED,
	MESSAGE_REMARK,
	MESSAGE_RECALL,

	MESSAGE_CALL = FRAME_KIND_DATA,
	MESSAGE_CHUNK_REQ,
	MESSAGE_CHUNK,
	MESSAGE_RESULT,
};

/* UTF-8, not terminated: print it with %.*s. Borrows like a span. */
struct message_text {
	const char *data;
	size_t length;
};

static inline struct message_text message_text_of(const char *text)
{
	return (struct message_text){ text, strlen(text) };
}

/* The first words on a link: what the sender is and speaks. */
struct message_hello {
	uint32_t major;
	uint32_t minor_least, minor_most;
	struct message_text name;	/* of the program */
	struct message_text build;
	uint64_t tools_hash;		/* of the tools a worker offers */
	struct span session;		/* a client's, on coming back; or empty */
};

struct message_welcome {
	uint32_t minor;			/* within the range offered */
	uint32_t catalog;		/* generation of the tool catalogue */
	struct span session;
};

/* A worker is confined, tested, and takes that many calls at a time. */
struct message_ready {
	uint32_t calls_max;
};

struct message_ping {
	uint64_t token;
};

struct message_pong {
	uint64_t token;			/* the ping's */
	uint64_t progress;		/* turns of the work loop so far */
};

/* Finish what runs by deadline_ns, take nothing new. */
struct message_drain {
	struct message_text reason;
};

struct message_drained {
	uint64_t calls;			/* served in this generation */
};

struct message_reload {
	uint32_t catalog;
};

/* The last words on a link. */
struct message_goaway {
	uint32_t code;			/* enum error_code */
	struct message_text reason;
};

struct message_stats {
	uint64_t calls, failures;	/* since the worker started */
	uint64_t busy_ns;
	uint64_t resident_bytes;
	uint32_t running;
};

/*
 * From a new router: say what you hold. The worker answers with one such
 * message a call it runs or holds the result of, and one with call_id 0 last.
 * What it names is accepted, what it does not was not begun, unless the last
 * one is finished: then it has forgotten some. The credit of what is named
 * begins anew. If first is less than chunks, it says nothing more of that call
 * until the router tells it, by one about the call, from which of those chunks
 * on it wants them, or cancels it: then what was sent before stays away.
 *
 * From a client that is back (hello.session): one a call that it waits for.
 * The router goes on from there, or answers with BUSY: that was not executed.
 */
struct message_resync {
	bool finished;
	uint32_t chunks;		/* sent so far; of a client: received */
	uint32_t first;			/* of those, that can be sent again */
};

struct message_progress {
	uint64_t done, total;		/* total 0: not known */
	struct message_text note;
};

struct message_credit {
	uint32_t bytes;			/* more; to the link if call_id is 0 */
};

struct message_cancel {
	struct message_text reason;
};

/* Certainly not executed. */
struct message_busy {
	uint32_t code;
	uint32_t retry_after_ms;
	struct message_text reason;
};

struct message_tools_changed {
	uint32_t catalog;
	uint64_t tools_hash;
};

/* Of a call whose result comes next. */
struct message_remark {
	uint64_t number;		/* by which logs know it; 0: nobody had it */
	uint64_t dropped;		/* bytes of its output that were not kept */
	uint64_t age_ms;		/* of a kept result past its time; 0: it is none */
	struct message_text tool;	/* that has answered, if another was asked for */
};

enum message_call_flag {
	CALL_MORE = 1,			/* the argument goes on in CHUNK_REQ */
	CALL_DETACHED = 2,		/* outlives the client that asked */
	CALL_NO_RETRY = 4,
	CALL_REMARK = 8,		/* a REMARK is wanted before its result */
	CALL_RESUME = 16,		/* its result will be confirmed, and the caller
					   comes back for it if the router dies */
};

struct message_call {
	struct message_text tool;	/* "fs.read": tool and method */
	uint32_t catalog;		/* generation the caller looked it up in */
	uint32_t workspace;		/* number; 0: none */
	uint32_t priority;		/* 0 is the most urgent */
	uint32_t attempt;		/* from 1 */
	uint32_t flags;
	struct span effect;		/* the caller's id of the side effect */
	uint64_t parent;		/* on a worker's own link: its call that this
					   one serves; 0: none */
};

struct message_chunk_req {
	uint32_t sequence;		/* from 0, without gaps */
	bool last;
};

struct message_chunk {
	uint32_t sequence;
	uint32_t stream;		/* 0 the result, 1 stdout, 2 stderr */
};

struct message_result {
	uint32_t code;			/* enum error_code */
	uint32_t origin;		/* enum error_origin */
	uint32_t attempts;
	uint32_t phase;			/* reached; the tool's own numbering */
	uint32_t chunks;		/* sent before this */
	uint32_t retry_after_ms;
	struct message_text reason;	/* one sentence; empty if code is 0 */
};

/* Spans and texts borrow from the frame it was decoded from. */
struct message {
	uint32_t kind;			/* enum message_kind */
	uint32_t generation;		/* of the worker; 0 on a client's link */
	uint64_t call_id;		/* 0: about the link itself */
	int64_t deadline_ns;		/* monotonic; 0: none */
	union {
		struct message_hello hello;
		struct message_welcome welcome;
		struct message_ready ready;
		struct message_ping ping;
		struct message_pong pong;
		struct message_drain drain;
		struct message_drained drained;
		struct message_reload reload;
		struct message_goaway goaway;
		struct message_stats stats;
		struct message_resync resync;
		struct message_progress progress;
		struct message_credit credit;
		struct message_cancel cancel;
		struct message_busy busy;
		struct message_tools_changed tools_changed;
		struct message_remark remark;
		struct message_call call;
		struct message_chunk_req chunk_req;
		struct message_chunk chunk;
		struct message_result result;
	};
	struct span body;		/* of a data kind; opaque */
};

enum link_direction {
	CLIENT_TO_ROUTER,
	ROUTER_TO_CLIENT,
	WORKER_TO_ROUTER,
	ROUTER_TO_WORKER,
	LINK_DIRECTION_COUNT
};

static inline enum link_direction link_reverse(enum link_direction direction)
{
	return (enum link_direction)(direction ^ 1);
}

enum link_state {
	LINK_NEW,
	LINK_HELLO,
	LINK_WELCOMED,
	LINK_READY,
	LINK_DRAINING,
	LINK_CLOSED,
	LINK_STATE_COUNT
};

/* "call", "result" and so on; "unknown" for what is not in the table. */
const char *message_kind_name(unsigned kind);

/*
 * Whether this kind may go that way now: 0, -EPERM if not, or -EBADMSG if no
 * such kind exists. A kind from 128 is an extension: it may come once the
 * version is settled, and whoever permits it skips the frame.
 */
int message_permit(unsigned kind, enum link_direction direction,
		   enum link_state state, struct error *why);

/* The state of the link after a permitted message has gone that way. */
enum link_state message_next_state(unsigned kind,
				   enum link_direction direction,
				   enum link_state state);

/*
 * Writes the whole frame into the buffer and returns its length in bytes.
 * -EBADMSG if the message breaks its own row, -ENOBUFS if capacity bytes do
 * not hold it; body.length + MESSAGE_OVERHEAD_BYTES_MAX + FRAME_HEADER_BYTES
 * always do.
 */
int message_encode(const struct message *message, uint8_t *buffer,
		   size_t capacity, struct error *why);

/* The same without the body's bytes, the last of the frame, which follow. */
int message_encode_head(const struct message *message, uint8_t *buffer,
			size_t capacity, struct error *why);

/*
 * Reads a frame's envelope. -EBADMSG for an unknown kind, a field that is
 * missing, too many, of another type or over its limit, and a trailing byte;
 * the error names kind and field. ret borrows from the frame's bytes.
 */
int message_decode(const struct frame *frame, struct message *ret,
		   struct error *why);

#endif
