#include "workers/improve/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/convert.h"

#define SLICE_NS (100 * NS_PER_MS)	/* between looks at the worker's own link */
#define ASK_TIMEOUT_NS (60 * NS_PER_S)
#define INPUT_BYTES_FIRST 8192
#define INPUT_BYTES_MAX (8U << 20)

int session_connect(int fd, struct client **ret, struct error *why)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return error_set(why, -ENOMEM, "out of memory");
	r = client_init(client, fd, "cupel-improve", why);
	if (r < 0) {
		free(client);
		return r;
	}
	*ret = client;
	return 0;
}

static struct ask *ask_of(const struct session *session, uint64_t call)
{
	for (struct ask *ask = session->asks; ask; ask = ask->next)
		if (ask->call == call)
			return ask;
	return NULL;
}

static void forget(struct session *session, struct ask *ask)
{
	struct ask **place = &session->asks;

	while (*place && *place != ask)
		place = &(*place)->next;
	if (*place)
		*place = ask->next;
	free(ask->input);	/* nobody borrows it any longer */
	ask->input = NULL;
}

void session_drop(struct session *session, struct ask *ask)
{
	for (size_t i = 0; i < COUNT(ask->streams); i++) {
		session->held_bytes -= ask->streams[i].room;
		free(ask->streams[i].data);
		ask->streams[i] = (struct session_stream){ 0 };
	}
	json_decref(ask->answer);
	ask->answer = NULL;
}

/* Keeps the beginning; who needs the end as well asks for less output. */
static int keep(struct session *session, struct session_stream *stream, struct span bytes)
{
	size_t room = stream->room ? stream->room : 8192;

	if (stream->length + bytes.length > SESSION_OUTPUT_BYTES_MAX) {
		stream->cut = true;
		bytes.length = SESSION_OUTPUT_BYTES_MAX - stream->length;
	}
	while (room < stream->length + bytes.length)
		room *= 2;
	if (room > stream->room) {
		size_t held = session->held_bytes + room - stream->room;
		uint8_t *data = held > SESSION_HELD_BYTES_MAX ? NULL :
				realloc(stream->data, room);

		if (!data)
			return -ENOMEM;
		session->held_bytes = held;
		stream->data = data;
		stream->room = room;
	}
	if (bytes.length)
		memcpy(stream->data + stream->length, bytes.data, bytes.length);
	stream->length += bytes.length;
	return 0;
}

static int errno_of(const struct message_result *result)
{
	switch (result->code) {
	case ERROR_OK: return 0;
	case ERROR_CANCELLED: return -ECANCELED;
	case ERROR_NOT_FOUND: return -ENOENT;
	case ERROR_ALREADY_EXISTS: return -EEXIST;
	case ERROR_FAILED_PRECONDITION: return -EBUSY;
	case ERROR_INVALID_ARGUMENT: return -EINVAL;
	case ERROR_PERMISSION_DENIED:
	case ERROR_DENIED_BY_ACL: return -EPERM;
	case ERROR_RESOURCE_EXHAUSTED: return -ENOSPC;
	case ERROR_DEADLINE_EXCEEDED:
	case ERROR_TIMEOUT_KILLED: return -ETIMEDOUT;
	default: return -EIO;
	}
}

static void finish(struct session *session, struct ask *ask,
		   const struct client_event *event)
{
	const struct message_result *result = &event->result;
	struct span body = event->body;

	forget(session, ask);
	ask->done = true;
	if (ask->result < 0)	/* told to end: what it wrote could not be kept */
		return;
	ask->result = errno_of(result);
	if (ask->result < 0) {
		error_set_code(&ask->why, ask->result, (enum error_code)result->code,
			       "%.*s", (int)result->reason.length, result->reason.data);
		return;
	}
	if (body.length == 0)
		body = (struct span){ ask->streams[0].data, ask->streams[0].length };
	if (body.length)
		ask->result = convert_to_json(body, &ask->answer, &ask->why);
}

static void take(struct session *session, const struct client_event *event)
{
	struct ask *ask = ask_of(session, event->call);

	if (!ask)	/* of a session that has ended, or about the link */
		return;
	if (event->kind == CLIENT_CHUNK && event->stream < COUNT(ask->streams) &&
	    keep(session, &ask->streams[event->stream], event->body) < 0) {
		ask->result = error_set(&ask->why, -ENOMEM, "out of memory for what it writes; let it write less, or fewer run side by side");
		client_cancel(session->client, ask->call);
	}
	if (event->kind == CLIENT_RESULT)
		finish(session, ask, event);
}

/* One look at both links; waits at most a slice for the client's. */
static int look(struct session *session)
{
	int r = worker_poll(session->call);
	struct client_event event;
	int64_t until_ns = clock_now_ns() + SLICE_NS, late_ns;

	if (r < 0)
		return r;
	r = client_wait(session->client, -1, until_ns, &event);
	late_ns = clock_now_ns() - until_ns;
	session->late_ns = late_ns > session->late_ns ? late_ns : session->late_ns;
	if (r == 0)
		take(session, &event);
	return r == -ETIMEDOUT || r == -EAGAIN || r == -EINTR ? 0 : r;
}

static int encode(json_t *arguments, struct ask *ask, struct span *ret)
{
	int length = -EMSGSIZE;

	for (size_t room = INPUT_BYTES_FIRST; length == -EMSGSIZE && room <= INPUT_BYTES_MAX;
	     room *= 4) {
		free(ask->input);
		ask->input = malloc(room);
		if (!ask->input)
			return error_set(&ask->why, -ENOMEM, "out of memory");
		length = convert_from_json(arguments, ask->input, room, &ask->why);
	}
	if (length < 0)
		return length;
	*ret = (struct span){ ask->input, (size_t)length };
	return 0;
}

int session_begin(struct session *session, struct ask *ask, const char *tool,
		  uint32_t workspace, json_t *arguments, int64_t timeout_ns, bool held)
{
	struct client_ask what = {
		.tool = tool, .workspace = workspace, .parent = session->call->id, .held = held,
		.deadline_ns = clock_now_ns() + timeout_ns, .priority = 2,
	};
	int r;

	*ask = (struct ask){ 0 };
	if (!arguments)
		return error_set(&ask->why, -ENOMEM, "out of memory");
	r = encode(arguments, ask, &what.input);
	json_decref(arguments);
	if (session->call->deadline_ns < what.deadline_ns)
		what.deadline_ns = session->call->deadline_ns;
	if (r == 0)
		r = client_call(session->client, &what, &ask->call, &ask->why);
	if (r < 0) {
		free(ask->input);
		ask->input = NULL;
		return error_prefix(&ask->why, r, "%s", tool);
	}
	ask->next = session->asks;
	session->asks = ask;
	return 0;
}

void session_go(struct session *session, const struct ask *ask)
{
	client_go(session->client, ask->call);
}

/* ---- the copies ---- */

/* No two are the same call: that one was killed is no reason to refuse the next. */
static int hold_once(struct session *session)
{
	struct ask *hold = &session->hold;
	int64_t now_ns = clock_now_ns();

	session_drop(session, hold);
	int r = session_begin(session, hold, "git.hold", session->repository,
			      json_pack("{s:I}", "since_ns", (json_int_t)now_ns),
			      deadline_remaining(session->call->deadline_ns, now_ns), false);

	while (r == 0 && !hold->done && hold->streams[1].length == 0)
		r = look(session);
	return r == 0 && hold->done ? -EBUSY : r;
}

static bool was_killed(const struct ask *hold)
{
	return hold->why.code == ERROR_CRASH_NOT_STARTED ||
	       hold->why.code == ERROR_CRASH_OUTCOME_UNKNOWN;
}

int session_hold(struct session *session, struct error *why)
{
	const struct ask *hold = &session->hold;
	int r;

	do
		r = hold_once(session);
	while (r == -EBUSY && was_killed(hold));
	session->holds = r == 0;
	if (r < 0 && hold->why.text[0])
		*why = hold->why;
	else if (r < 0)
		error_set(why, r, "ended before it had the copies");
	return r;
}

/* A look; and should the copies' keeper be gone, another one. */
static int turn(struct session *session)
{
	int r = session->taken.text[0] ? -EBUSY : look(session);

	if (r < 0 || !session->holds || !session->hold.done)
		return r;
	return session_hold(session, &session->taken);
}

/* ---- waiting ---- */

static bool runs(const struct ask *ask)
{
	return ask->call && !ask->done;
}

void session_give_up(struct session *session, struct ask *asks, size_t count)
{
	int64_t until_ns = clock_now_ns() + NS_PER_S;
	struct client_event event;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		if (runs(&asks[i]))
			client_cancel(session->client, asks[i].call);
	for (size_t i = 0; i < count; i++)
		while (runs(&asks[i]) && (r == 0 || r == -EAGAIN) &&
		       clock_now_ns() < until_ns) {
			r = client_wait(session->client, -1, until_ns, &event);
			if (r == 0)
				take(session, &event);
		}
	for (size_t i = 0; i < count; i++) {
		if (runs(&asks[i])) {
			client_abandon(session->client, asks[i].call);
			forget(session, &asks[i]);
		}
		if (asks[i].call)
			session_drop(session, &asks[i]);
		asks[i].call = 0;
	}
}

/* Why nothing can be waited for any longer. */
static int tell_end(const struct session *session, int r, struct error *why)
{
	if (r == -EBUSY)
		return error_set_code(why, r, ERROR_RESOURCE_EXHAUSTED, "%s",
				      session->taken.text);
	return error_set(why, r, "%s", r == -ECANCELED ? "cancelled" :
			 r == -ETIMEDOUT ? "the time is up" : "the supervisor is gone");
}

int session_wait(struct session *session, struct ask *ask)
{
	int r = 0;

	while (!ask->done && r == 0)
		r = turn(session);
	if (ask->done)
		return ask->result;
	session_give_up(session, ask, 1);
	return tell_end(session, r, &ask->why);
}

int session_wait_any(struct session *session, struct ask *asks, size_t count,
		     size_t *ret_index, struct error *why)
{
	int r = 0;

	while (r == 0) {
		for (size_t i = 0; i < count; i++)
			if (asks[i].call && asks[i].done) {
				asks[i].call = 0;
				*ret_index = i;
				return 0;
			}
		r = turn(session);
	}
	return tell_end(session, r, why);
}

int session_ask(struct session *session, const char *tool, uint32_t workspace,
		json_t *arguments, json_t **ret, struct error *why)
{
	struct ask ask;
	int r = session_begin(session, &ask, tool, workspace, arguments, ASK_TIMEOUT_NS, false);

	if (r == 0)
		r = session_wait(session, &ask);
	if (r < 0) {
		*why = ask.why;
		error_prefix(why, r, "%s", tool);
	} else if (ret && !ask.answer) {
		r = error_set(why, -EBADMSG, "%s: an empty answer", tool);
	} else if (ret) {
		*ret = json_incref(ask.answer);
	}
	session_drop(session, &ask);
	return r;
}

void session_end(struct session *session)
{
	session_give_up(session, &session->hold, 1);
}
