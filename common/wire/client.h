/*
 * client.h - the asking end of a link: calls out, results in.
 *
 *	client_call ----> [ slot ] --- HELLO, CALL, CHUNK_REQ*, CANCEL ---> router
 *	client_next <---- events <---- ACCEPT, PROGRESS, CHUNK, RESULT ----
 *
 * Used by whoever calls tools: the front door, and workers with a link of
 * their own. Nothing blocks but client_wait(), which waits for one event.
 *
 * Every call ends in exactly one CLIENT_RESULT, whatever happens: BUSY, a lost
 * link, and a router that lets the deadline pass by CLIENT_GRACE_NS are results
 * as well, made here. A call that was on its way when the link broke for good
 * ends in ERROR_UNAVAILABLE, and its reason says whether it had been accepted.
 *
 * A router that dies, or leaves with its supervisor, may be followed by another.
 * A client that can reconnect asks that one, for at most CLIENT_AWAY_NS, for its
 * session and each of its calls; what was certainly not executed is sent once more,
 * unless output of it had come (ERROR_DATA_LOSS). Its caller is told nothing of that.
 *
 * What the router may not say (a result of no call, a chunk out of order) ends
 * the link. Bytes are metered both ways: the body of an event counts as used
 * up once the next event is asked for.
 */
#ifndef CUPEL_COMMON_WIRE_CLIENT_H
#define CUPEL_COMMON_WIRE_CLIENT_H

#include "common/core/deadline.h"
#include "common/wire/channel.h"

#define CLIENT_CALLS_MAX 64
#define CLIENT_GRACE_NS (2 * NS_PER_S)
#define CLIENT_AWAY_NS (25 * NS_PER_S)
#define CLIENT_AGAIN_NS (20 * NS_PER_MS)	/* between two attempts at that */
#define CLIENT_EFFECT_BYTES 16
#define CLIENT_SESSION_BYTES 16
#define CLIENT_TOOL_BYTES 64	/* without an end */
#define CLIENT_BUFFER_BYTES (2 * FRAME_BYTES_MAX)

struct client_ask {
	const char *tool;	/* "fs.read"; borrowed like input */
	struct span input;	/* of any length; borrowed until the result,
				 * or until it is abandoned */
	int64_t deadline_ns;	/* monotonic, required */
	uint32_t workspace;	/* number; 0: none */
	uint32_t priority;	/* 0 .. 7; 0 is the most urgent */
	uint32_t flags;		/* CALL_DETACHED, CALL_NO_RETRY, CALL_REMARK */
	bool held;		/* the input's last byte waits for client_go() */
	struct span effect;	/* the side effect's id; or empty */
	uint64_t parent;	/* the call this one serves; or 0 */
};

/* What a call still has to send, and what it has received. */
struct client_call {
	struct client_ask ask;
	uint64_t id;		/* 0: the slot is free */
	bool called;		/* CALL is queued or sent: */
	uint64_t place;		/* bytes on this link before it; 0: it was on another */
	bool accepted;
	bool over;		/* its result has been told */
	bool cancel_due, ack_due;
	bool cancelled;
	bool resync_due;	/* another router is to be asked for it */
	bool resumed;		/* and has been, but has not answered */
	size_t sent;		/* bytes of the input */
	uint32_t requests;	/* CHUNK_REQ sent */
	uint32_t chunks;	/* CHUNK received */
	uint32_t grant_due;	/* bytes used up, not granted again */
	struct credit send_credit, receive_credit;
	struct message_remark remark;	/* zero: none has come */
	char remark_tool[CLIENT_TOOL_BYTES];	/* what that borrows */
};

enum client_event_kind {
	CLIENT_WELCOME,		/* the link serves; catalog */
	CLIENT_ACCEPTED,
	CLIENT_PROGRESS,
	CLIENT_CHUNK,		/* body, stream */
	CLIENT_RESULT,		/* body, result, remark; the call is over */
	CLIENT_TOOLS_CHANGED,	/* catalog */
	CLIENT_DRAINING,	/* reason: no new calls on this link */
};

/* Texts and spans borrow until the next event is asked for. */
struct client_event {
	enum client_event_kind kind;
	uint64_t call;		/* 0: about the link */
	uint32_t catalog;
	uint32_t stream;
	struct message_progress progress;
	struct message_result result;
	struct message_remark remark;
	struct message_text reason;
	struct span body;
};

struct client {
	struct channel channel;
	struct client_call calls[CLIENT_CALLS_MAX];
	uint64_t last_id;
	uint32_t catalog;
	bool welcome;
	bool lost;		/* nothing comes or goes any more */
	bool away;		/* the router has died; another is looked for */
	int64_t away_ns, again_ns;	/* how long; when again; or 0 */
	int (*reconnect)(void *owner);	/* or NULL */
	void *owner;
	const char *program;
	uint8_t session[CLIENT_SESSION_BYTES];
	bool known;		/* it has one */
	uint64_t used_call;	/* whose body the caller is looking at */
	size_t used_bytes;
	bool pong_due;
	uint64_t pong_token, turns;
	struct error why;	/* of the loss */
	uint8_t in[CLIENT_BUFFER_BYTES], out[CLIENT_BUFFER_BYTES];
};

/*
 * Takes over a connected stream socket and queues HELLO in the name of a
 * program. struct client is a megabyte: static or on the heap.
 */
int client_init(struct client *client, int fd, const char *program,
		struct error *why);
/* What it has had is confirmed, if the link takes that at once. */
void client_release(struct client *client);

/*
 * How a lost link is made anew: reconnect() returns the descriptor of a connected
 * stream socket, -EAGAIN to be asked again soon, or another negative errno: there
 * is no supervisor any more. To be called before the first call.
 */
void client_reconnect_by(struct client *client, int (*reconnect)(void *owner),
			 void *owner);

/*
 * Starts a call; it is sent once the link serves. -EAGAIN: CLIENT_CALLS_MAX
 * run already. -EINVAL: no deadline, or a tool's name or an effect's id that
 * cannot be sent. -EPIPE: the link is lost.
 */
int client_call(struct client *client, const struct client_ask *ask,
		uint64_t *ret_call, struct error *why);

/*
 * Sends the rest of a held call, whose single-use worker has been started
 * meanwhile. Idempotent.
 */
void client_go(struct client *client, uint64_t call);

/* Asks for the end of a call; its result still comes. Idempotent. */
void client_cancel(struct client *client, uint64_t call);

/*
 * Nobody waits for the call any more: it has no result, what was not sent never
 * is, and nothing is borrowed any longer.
 */
void client_abandon(struct client *client, uint64_t call);

/* Calls whose result is still to come. */
unsigned client_running(const struct client *client);

/*
 * Sends what it can and takes the next event. -EAGAIN: nothing now; wait for
 * client_events() or client_next_ns(). -EPIPE: the link is lost, client->why
 * says how, and every call has ended.
 */
int client_next(struct client *client, int64_t now_ns,
		struct client_event *ret);

/* What to wait for on client->channel.fd: EPOLLIN, EPOLLOUT, or both; 0: there is none. */
uint32_t client_events(const struct client *client);

/* When client_next() has something to say without input; or DEADLINE_NEVER. */
int64_t client_next_ns(const struct client *client);

/*
 * Waits for the next event, until until_ns (monotonic) or until stop_fd (-1:
 * none) is readable. 0, -ETIMEDOUT, -EINTR for stop_fd, or as client_next().
 */
int client_wait(struct client *client, int stop_fd, int64_t until_ns,
		struct client_event *ret);

#endif
