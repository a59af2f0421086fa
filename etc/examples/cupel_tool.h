/*
 * cupel_tool.h - a tool of Cupel in C, with this header and libc alone.
 *
 *	static int serve(struct cupel_call *call)
 *	{
 *		int64_t n;
 *
 *		if (cupel_get_int(call, "n", &n) < 0)
 *			return cupel_fail(call, CUPEL_INVALID_ARGUMENT, "n: an integer");
 *		cupel_put_map(call, 1);
 *		cupel_put_text(call, "square");
 *		cupel_put_int(call, n * n);
 *		return 0;
 *	}
 *
 *	int main(void) { return cupel_main("square", serve); }
 *
 * One call at a time; cupel_main() speaks with router and monitor as
 * cupel-tool(5) has it, and returns when it is to leave. A serve function that
 * works for more than a second calls cupel_alive() now and then.
 */
#ifndef CUPEL_TOOL_H
#define CUPEL_TOOL_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CUPEL_LINK_FD 3
#define CUPEL_BEAT_FD 4
#define CUPEL_FRAME_MAX 262144
#define CUPEL_BODY_MAX 261120
#define CUPEL_DEPTH_MAX 8
#define CUPEL_LINK_CREDIT 4194304
#define CUPEL_GRANT 1048576

enum {
	CUPEL_OK = 0,
	CUPEL_CANCELLED = 1,
	CUPEL_INVALID_ARGUMENT = 3,
	CUPEL_NOT_FOUND = 5,
	CUPEL_RESOURCE_EXHAUSTED = 8,
	CUPEL_INTERNAL = 13,
	CUPEL_UNAVAILABLE = 14,
};

struct cupel_bytes {
	uint8_t *data;
	size_t length, room;		/* length beyond room: it did not fit */
};

struct cupel_call {
	uint64_t id, attempt;
	int64_t deadline_ns;		/* CLOCK_MONOTONIC */
	char tool[65];
	const uint8_t *body, *end;	/* the arguments, msgpack */
	struct cupel_bytes result;
	int code;
	char reason[200];
};

/* ---- writing msgpack ---- */

static void cupel_put(struct cupel_bytes *out, const void *data, size_t length)
{
	if (length && out->length + length <= out->room)
		memcpy(out->data + out->length, data, length);
	out->length += length;
}

static void cupel_put_head(struct cupel_bytes *out, uint8_t first, uint64_t number,
			   unsigned bytes)
{
	uint8_t head[9] = { first };

	for (unsigned i = bytes; i > 0; i--, number >>= 8)
		head[i] = (uint8_t)number;
	cupel_put(out, head, 1 + bytes);
}

static void cupel_put_number(struct cupel_bytes *out, uint64_t number)
{
	cupel_put_head(out, number < 128 ? (uint8_t)number : 0xcf, number,
		       number < 128 ? 0 : 8);
}

static void cupel_put_string(struct cupel_bytes *out, uint8_t first, const void *data,
			     size_t length)
{
	cupel_put_head(out, first, length, 4);
	cupel_put(out, data, length);
}

/* A map's keys and values, in turn, follow: pairs of them; likewise an array's. */
static inline void cupel_put_map(struct cupel_call *call, uint32_t pairs)
{
	cupel_put_head(&call->result, 0xdf, pairs, 4);
}

static inline void cupel_put_array(struct cupel_call *call, uint32_t items)
{
	cupel_put_head(&call->result, 0xdd, items, 4);
}

static inline void cupel_put_text(struct cupel_call *call, const char *utf8)
{
	cupel_put_string(&call->result, 0xdb, utf8, strlen(utf8));
}

static inline void cupel_put_int(struct cupel_call *call, int64_t number)
{
	if (number >= 0)
		cupel_put_number(&call->result, (uint64_t)number);
	else
		cupel_put_head(&call->result, 0xd3, (uint64_t)number, 8);
}

static inline void cupel_put_bool(struct cupel_call *call, bool truth)
{
	cupel_put_head(&call->result, truth ? 0xc3 : 0xc2, 0, 0);
}

static inline void cupel_put_null(struct cupel_call *call)
{
	cupel_put_head(&call->result, 0xc0, 0, 0);
}

/* ---- reading it ---- */

enum cupel_type { CUPEL_BAD, CUPEL_NULL, CUPEL_BOOL, CUPEL_INT, CUPEL_REAL,
		  CUPEL_TEXT, CUPEL_BIN, CUPEL_ARRAY, CUPEL_MAP };

struct cupel_value {
	enum cupel_type type;
	uint64_t number;		/* value, length in bytes, or count */
	const uint8_t *data;		/* of a text; a real's eight or four bytes */
};

static uint64_t cupel_big_endian(const uint8_t *data, unsigned bytes)
{
	uint64_t number = 0;

	while (bytes-- > 0)
		number = number << 8 | *data++;
	return number;
}

/* What follows the first byte of a form: so many bytes of number or length. */
static unsigned cupel_form(uint8_t first, struct cupel_value *ret)
{
	static const struct { uint8_t type, bytes; } forms[] = {
		[0xc0 - 0xc0] = { CUPEL_NULL, 0 }, [0xc2 - 0xc0] = { CUPEL_BOOL, 0 },
		[0xc3 - 0xc0] = { CUPEL_BOOL, 0 }, [0xc4 - 0xc0] = { CUPEL_BIN, 1 },
		[0xc5 - 0xc0] = { CUPEL_BIN, 2 }, [0xc6 - 0xc0] = { CUPEL_BIN, 4 },
		[0xca - 0xc0] = { CUPEL_REAL, 4 }, [0xcb - 0xc0] = { CUPEL_REAL, 8 },
		[0xcc - 0xc0] = { CUPEL_INT, 1 }, [0xcd - 0xc0] = { CUPEL_INT, 2 },
		[0xce - 0xc0] = { CUPEL_INT, 4 }, [0xcf - 0xc0] = { CUPEL_INT, 8 },
		[0xd0 - 0xc0] = { CUPEL_INT, 1 }, [0xd1 - 0xc0] = { CUPEL_INT, 2 },
		[0xd2 - 0xc0] = { CUPEL_INT, 4 }, [0xd3 - 0xc0] = { CUPEL_INT, 8 },
		[0xd9 - 0xc0] = { CUPEL_TEXT, 1 }, [0xda - 0xc0] = { CUPEL_TEXT, 2 },
		[0xdb - 0xc0] = { CUPEL_TEXT, 4 }, [0xdc - 0xc0] = { CUPEL_ARRAY, 2 },
		[0xdd - 0xc0] = { CUPEL_ARRAY, 4 }, [0xde - 0xc0] = { CUPEL_MAP, 2 },
		[0xdf - 0xc0] = { CUPEL_MAP, 4 },
	};

	if (first >= 0xc0 && first < 0xe0) {
		ret->type = (enum cupel_type)forms[first - 0xc0].type;
		ret->number = first == 0xc3;
		return forms[first - 0xc0].bytes;
	}
	ret->type = first < 0x80 || first >= 0xe0 ? CUPEL_INT : first < 0x90 ? CUPEL_MAP :
		    first < 0xa0 ? CUPEL_ARRAY : CUPEL_TEXT;
	ret->number = first < 0x80 ? first : first >= 0xe0 ? (uint64_t)(int8_t)first :
		      first < 0xa0 ? first & 15U : first & 31U;
	return 0;
}

/* The value at *at, which moves behind it, but not behind what is in it. */
static struct cupel_value cupel_take(const uint8_t **at, const uint8_t *end)
{
	struct cupel_value value = { CUPEL_BAD, 0, NULL };
	uint8_t first;
	unsigned bytes;

	if (*at >= end)
		return value;
	first = *(*at)++;
	bytes = cupel_form(first, &value);
	if ((size_t)(end - *at) < bytes)
		return (struct cupel_value){ CUPEL_BAD, 0, NULL };
	if (bytes)
		value.number = cupel_big_endian(*at, bytes);
	if (first >= 0xd0 && first <= 0xd3 && bytes < 8)	/* negative, perhaps */
		value.number = (uint64_t)((int64_t)(value.number << (64 - 8 * bytes)) >>
					  (64 - 8 * bytes));
	value.data = *at;
	*at += bytes;
	if (value.type != CUPEL_TEXT && value.type != CUPEL_BIN)
		return value;
	value.data = *at;
	if (value.number > (size_t)(end - *at))
		return (struct cupel_value){ CUPEL_BAD, 0, NULL };
	*at += value.number;
	return value;
}

/* Moves *at behind a whole value: false if it is malformed or too deep. */
static bool cupel_skip(const uint8_t **at, const uint8_t *end, unsigned depth)
{
	struct cupel_value value = cupel_take(at, end);
	uint64_t inside = value.type == CUPEL_MAP ? 2 * value.number :
			  value.type == CUPEL_ARRAY ? value.number : 0;

	if (value.type == CUPEL_BAD || (inside && depth == CUPEL_DEPTH_MAX))
		return false;
	while (inside-- > 0)
		if (!cupel_skip(at, end, depth + 1))
			return false;
	return true;
}

/* Finds a key of the arguments' map; CUPEL_BAD: there is none. */
static inline struct cupel_value cupel_get(const struct cupel_call *call, const char *key,
					   const uint8_t **ret_inside)
{
	const uint8_t *at = call->body;
	struct cupel_value map = cupel_take(&at, call->end), name, value;

	for (uint64_t i = 0; map.type == CUPEL_MAP && i < map.number; i++) {
		name = cupel_take(&at, call->end);
		if (name.type != CUPEL_TEXT)
			break;
		if (name.number == strlen(key) && memcmp(name.data, key, name.number) == 0) {
			value = cupel_take(&at, call->end);
			*ret_inside = at;
			return value;
		}
		if (!cupel_skip(&at, call->end, 1))
			break;
	}
	return (struct cupel_value){ CUPEL_BAD, 0, NULL };
}

/* 0, or -1 if the argument is missing or of another type. */
static inline int cupel_get_int(const struct cupel_call *call, const char *key, int64_t *ret)
{
	const uint8_t *unused;
	struct cupel_value value = cupel_get(call, key, &unused);

	*ret = (int64_t)value.number;
	return value.type == CUPEL_INT ? 0 : -1;
}

/* The text is not terminated: length bytes of it. */
static inline int cupel_get_text(const struct cupel_call *call, const char *key,
				 const char **ret, size_t *ret_length)
{
	const uint8_t *unused;
	struct cupel_value value = cupel_get(call, key, &unused);

	*ret = (const char *)value.data;
	*ret_length = value.number;
	return value.type == CUPEL_TEXT ? 0 : -1;
}

/* ---- the link and the beat ---- */

static struct {
	uint8_t in[4 + CUPEL_FRAME_MAX], out[4 + CUPEL_FRAME_MAX], body[CUPEL_BODY_MAX];
	size_t received;
	uint64_t generation, turns, served;
	uint64_t credit, taken;		/* bytes of bodies: to send, and read */
	int64_t next_beat_ns;
} cupel = { .credit = CUPEL_LINK_CREDIT };

static int64_t cupel_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int cupel_beat(uint32_t kind, uint64_t value)
{
	const struct { uint32_t kind, reserved; uint64_t value; } beat = { kind, 0, value };

	return send(CUPEL_BEAT_FD, &beat, sizeof(beat), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Something has moved: a beat, if one is due. */
static void cupel_alive(void)
{
	cupel.turns++;
	if (cupel_now_ns() < cupel.next_beat_ns)
		return;
	cupel.next_beat_ns = cupel_now_ns() + INT64_C(1000000000);
	cupel_beat(3, cupel.turns);
}

static struct cupel_bytes cupel_begin(uint8_t kind, uint64_t call, unsigned elements)
{
	struct cupel_bytes out = { cupel.out, 4, sizeof(cupel.out) };

	cupel_put_head(&out, (uint8_t)(0x90 + elements), 0, 0);
	cupel_put_number(&out, kind);
	cupel_put_number(&out, call);
	cupel_put_number(&out, 0);
	cupel_put_number(&out, cupel.generation);
	return out;
}

static int cupel_end(struct cupel_bytes *out, const void *body, size_t length)
{
	cupel_put_string(out, 0xc6, body, length);
	cupel.out[0] = 0;
	cupel.out[1] = (uint8_t)((out->length - 4) >> 16);
	cupel.out[2] = (uint8_t)((out->length - 4) >> 8);
	cupel.out[3] = (uint8_t)(out->length - 4);
	for (size_t sent = 0; sent < out->length;) {
		ssize_t n = send(CUPEL_LINK_FD, cupel.out + sent, out->length - sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -1;
		sent += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A message whose own fields are numbers. */
static int cupel_say(uint8_t kind, uint64_t call, const uint64_t *fields, unsigned count)
{
	struct cupel_bytes out = cupel_begin(kind, call, 5 + count);

	for (unsigned i = 0; i < count; i++)
		cupel_put_number(&out, fields[i]);
	return cupel_end(&out, NULL, 0);
}

static int cupel_hello(const char *name)
{
	struct cupel_bytes out = cupel_begin(1, 0, 12);

	for (unsigned i = 0; i < 3; i++)
		cupel_put_number(&out, i == 0);	/* major 1, minor 0 to 0 */
	cupel_put_string(&out, 0xdb, name, strlen(name));
	cupel_put_string(&out, 0xdb, "", 0);
	cupel_put_number(&out, 0);
	cupel_put_string(&out, 0xc6, "", 0);
	return cupel_end(&out, NULL, 0) < 0 ? -1 : cupel_beat(1, 0);
}

/* "As if it had never come": another worker may have it, or we later. */
static int cupel_busy(uint64_t call)
{
	static const char reason[] = "arguments or results wait";
	struct cupel_bytes out = cupel_begin(17, call, 8);

	cupel_put_number(&out, CUPEL_RESOURCE_EXHAUSTED);
	cupel_put_number(&out, 0);
	cupel_put_string(&out, 0xdb, reason, strlen(reason));
	return cupel_end(&out, NULL, 0);
}

static int cupel_result(const struct cupel_call *call)
{
	struct cupel_bytes out = cupel_begin(67, call->id, 12);
	const uint64_t fields[] = { (uint64_t)call->code, 2, call->attempt, 0, 0, 0 };

	for (unsigned i = 0; i < 6; i++)
		cupel_put_number(&out, fields[i]);
	cupel_put_string(&out, 0xdb, call->reason, strlen(call->reason));
	if (call->code == CUPEL_OK)
		cupel.credit -= call->result.length;
	return cupel_end(&out, call->result.data, call->code ? 0 : call->result.length);
}

/* In place of a result: return it from serve. The reason is one sentence. */
static inline int cupel_fail(struct cupel_call *call, int code, const char *reason)
{
	call->code = code;
	strncpy(call->reason, reason, sizeof(call->reason) - 1);
	return -1;
}

/* ---- the life ---- */

struct cupel_frame {
	uint64_t kind, call, deadline, generation, fields[8];
	struct cupel_value tool, body;
};

/* Envelope, own fields, body: numbers are kept, and the two we need besides. */
static bool cupel_read(const uint8_t *at, const uint8_t *end, struct cupel_frame *ret)
{
	struct cupel_value value = cupel_take(&at, end);
	uint64_t *const envelope[] = { &ret->kind, &ret->call, &ret->deadline,
				       &ret->generation };
	uint64_t count = value.number;

	memset(ret, 0, sizeof(*ret));
	if (value.type != CUPEL_ARRAY || count < 5 || count > 13)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		value = cupel_take(&at, end);
		if (value.type == CUPEL_BAD)
			return false;
		if (i < 4)
			*envelope[i] = value.number;
		else if (i == count - 1)
			ret->body = value;
		else if (value.type == CUPEL_TEXT && i == 4)
			ret->tool = value;
		else
			ret->fields[i - 4] = value.number;
	}
	return true;
}

/* What has been read may come again. */
static int cupel_grant(uint64_t bytes)
{
	cupel.taken += bytes;
	if (cupel.taken < CUPEL_GRANT)
		return 0;
	bytes = cupel.taken;
	cupel.taken = 0;
	return cupel_say(15, 0, &bytes, 1);
}

static int cupel_serve(const struct cupel_frame *frame, int (*serve)(struct cupel_call *))
{
	static struct cupel_call call;

	if (cupel_grant(frame->body.number) < 0)
		return -1;
	if (frame->fields[5] & 1 || cupel.credit < CUPEL_BODY_MAX)
		return cupel_busy(frame->call);	/* more than a frame, or no way to answer */
	call = (struct cupel_call){
		.id = frame->call, .attempt = frame->fields[4],
		.deadline_ns = (int64_t)frame->deadline,
		.body = frame->body.data, .end = frame->body.data + frame->body.number,
		.result = { cupel.body, 0, sizeof(cupel.body) },
	};
	memcpy(call.tool, frame->tool.data, frame->tool.number < 64 ? frame->tool.number : 64);
	if (cupel_say(12, call.id, NULL, 0) < 0)	/* ACCEPT: before any side effect */
		return -1;
	if (serve(&call) < 0 && call.code == CUPEL_OK)
		cupel_fail(&call, CUPEL_INTERNAL, "it failed");
	if (call.code == CUPEL_OK && call.result.length == 0)
		cupel_put_null(&call);
	if (call.result.length > call.result.room)
		cupel_fail(&call, CUPEL_RESOURCE_EXHAUSTED, "the result is too long");
	cupel.served++;
	return cupel_result(&call);
}

/* -1: leave. */
static int cupel_handle(const struct cupel_frame *frame, int (*serve)(struct cupel_call *))
{
	switch (frame->kind) {
	case 2:			/* WELCOME: READY for one call at a time */
		cupel.generation = frame->generation;
		return cupel_say(3, 0, &(uint64_t){ 1 }, 1) < 0 ? -1 : cupel_beat(2, 1);
	case 4:			/* PING: PONG */
		return cupel_say(5, 0, (uint64_t[]){ frame->fields[0], cupel.turns }, 2);
	case 6:			/* DRAIN: DRAINED; nothing runs between frames */
		cupel_say(7, 0, &cupel.served, 1);
		return -1;
	case 9:			/* GOAWAY */
		return -1;
	case 15:		/* CREDIT, to the link */
		cupel.credit += frame->call ? 0 : frame->fields[0];
		return 0;
	case 64:
		return cupel_serve(frame, serve);
	default:
		return 0;
	}
}

/* Every whole frame that has come; -1: leave. */
static int cupel_frames(int (*serve)(struct cupel_call *))
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && cupel.received - done >= 4) {
		size_t length = cupel_big_endian(cupel.in + done, 4);
		const uint8_t *frame = cupel.in + done + 4;
		struct cupel_frame read;

		if (length > CUPEL_FRAME_MAX)
			return -1;
		if (cupel.received - done < 4 + length)
			break;
		r = cupel_read(frame, frame + length, &read) ? cupel_handle(&read, serve) : -1;
		done += 4 + length;
	}
	memmove(cupel.in, cupel.in + done, cupel.received - done);
	cupel.received -= done;
	return r;
}

/* A program's whole life; its exit status. */
static inline int cupel_main(const char *name, int (*serve)(struct cupel_call *call))
{
	struct pollfd sockets[] = { { CUPEL_LINK_FD, POLLIN, 0 }, { CUPEL_BEAT_FD, 0, 0 } };

	if (cupel_hello(name) < 0)
		return 70;
	while (cupel_frames(serve) == 0) {
		ssize_t n;

		cupel_alive();
		poll(sockets, 2, 1000);
		if (sockets[1].revents)
			break;
		if (!sockets[0].revents)
			continue;
		n = recv(CUPEL_LINK_FD, cupel.in + cupel.received,
			 sizeof(cupel.in) - cupel.received, 0);
		if (n <= 0)
			break;
		cupel.received += (size_t)n;
	}
	return 0;
}

#endif
