#include <errno.h>
#include <string.h>

#include "common/wire/message.h"
#include "tests/support/heap.h"
#include "tests/support/messages.h"
#include "tests/support/test.h"

#define FRAME_ROOM (FRAME_BYTES_MAX + MESSAGE_OVERHEAD_BYTES_MAX)

static uint8_t buffer[FRAME_ROOM];

static struct frame encoded(const struct message *message)
{
	struct frame frame = { 0 };
	struct error why = { 0 };
	int length = message_encode(message, buffer, sizeof(buffer), &why);

	test_row(length > 0, "%s", why.text);
	assert_int_equal(frame_next((struct span){ buffer, (size_t)length },
				    &frame), length);
	return frame;
}

/* The layout promised in frame.h, byte by byte. */
static void a_call_has_this_layout(void **state)
{
	static const uint8_t want[] = {
		0, 0, 0, 46,
		0x9d,					/* 13 elements */
		64, 7,					/* kind, call_id */
		0xcd, 0x03, 0xe8, 0,			/* deadline, generation */
		0xa7, 'f', 's', '.', 'r', 'e', 'a', 'd',
		3, 0xcc, 200, 1, 2, 5,			/* catalog .. flags */
		0xc4, 16, 0, 1, 2, 3, 4, 5, 6, 7,
		8, 9, 10, 11, 12, 13, 14, 15,		/* effect */
		0,					/* parent */
		0xc4, 4, 'b', 'o', 'd', 'y',
	};
	static const uint8_t effect[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8,
					    9, 10, 11, 12, 13, 14, 15 };
	struct message message = {
		.kind = MESSAGE_CALL, .call_id = 7, .deadline_ns = 1000,
		.call = {
			.tool = message_text_of("fs.read"), .catalog = 3,
			.workspace = 200, .priority = 1, .attempt = 2,
			.flags = CALL_MORE | CALL_NO_RETRY,
			.effect = { effect, sizeof(effect) },
		},
		.body = span_of_text("body"),
	};

	(void)state;
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), NULL),
			 sizeof(want));
	assert_memory_equal(buffer, want, sizeof(want));
}

static void every_kind_comes_back_as_it_went(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "round trip");
	for (size_t i = 0; i < COUNT(messages_kinds); i++)
		for (int round = 0; round < 500; round++) {
			enum messages_size size =
				round < 2 ? (round ? MESSAGES_LARGEST
						   : MESSAGES_SMALLEST)
					  : MESSAGES_RANDOM;
			struct message got, sent = messages_make(
				messages_kinds[i], size, &random);
			struct frame frame = encoded(&sent);
			struct error why = { 0 };

			test_row(message_decode(&frame, &got, &why) == 0,
				 "%s", why.text);
			test_row(messages_equal(&got, &sent), "%s differs",
				 message_kind_name(sent.kind));
		}
}

static void every_kind_there_is_was_walked(void **state)
{
	size_t named = 0;

	(void)state;
	for (unsigned kind = 0; kind < FRAME_KIND_COUNT; kind++)
		named += strcmp(message_kind_name(kind), "unknown") != 0;
	assert_int_equal(named, COUNT(messages_kinds));
}

/* So a buffer of that size always does, and a largest body always fits. */
static void the_largest_keeps_to_its_overhead(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages_kinds); i++) {
		struct message message = messages_make(messages_kinds[i],
						       MESSAGES_LARGEST, NULL);
		size_t room = message.body.length + MESSAGE_OVERHEAD_BYTES_MAX +
			      FRAME_HEADER_BYTES;
		int length = message_encode(&message, buffer, room, NULL);

		test_row(length > 0, "%s: %d", message_kind_name(message.kind),
			 length);
		for (size_t less = 0; less < (size_t)length;
		     less += 1 + less / 16) {
			struct error why = { 0 };

			assert_int_equal(message_encode(&message, buffer, less,
							&why), -ENOBUFS);
			assert_non_null(strstr(why.text, " message: more than "));
		}
	}
}

/* ---- refusals ---- */

static void every_prefix_asks_for_more_or_is_refused(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "prefixes");
	for (size_t i = 0; i < COUNT(messages_kinds); i++)
		for (int round = 0; round < 20; round++) {
			struct message got, sent = messages_make(
				messages_kinds[i], MESSAGES_RANDOM, &random);
			struct frame frame = encoded(&sent), unused;
			size_t whole = frame.envelope.length;

			for (size_t cut = 0; cut < FRAME_HEADER_BYTES + whole; cut++)
				assert_int_equal(frame_next(
					(struct span){ buffer, cut }, &unused), 0);
			for (size_t cut = 0; cut < whole; cut++) {
				frame.envelope.length = cut;
				assert_int_equal(message_decode(&frame, &got, NULL),
						 -EBADMSG);
			}
		}
}

/* A frame of the bytes given, whatever they say. */
static struct frame raw_frame(const char *bytes, size_t length)
{
	memcpy(buffer, bytes, length);
	return (struct frame){ buffer[1] == 0xcc ? buffer[2] : buffer[1],
			       { buffer, length } };
}

#define RAW(text) text, sizeof(text) - 1

static const struct {
	const char *name, *bytes;
	size_t length;
	const char *want;	/* in the error's sentence */
} refused[] = {
	{ "unknown control kind", RAW("\x95\x3f\0\0\0\xc4\0"), "unknown message kind 63" },
	{ "unknown data kind", RAW("\x95\x7f\0\0\0\xc4\0"), "unknown message kind 127" },
	{ "an extension", RAW("\x95\xcc\x80\0\0\0\xc4\0"), "unknown message kind 128" },
	{ "a missing field", RAW("\x95\x04\0\0\0\xc4\0"), "ping message: not an array of 6" },
	{ "a trailing field", RAW("\x97\x04\0\0\0\1\1\xc4\0"), "ping message: not an array of 6" },
	{ "a trailing byte", RAW("\x96\x04\0\0\0\1\xc4\0\0"), "ping message: bytes after its end" },
	{ "a wrong type", RAW("\x96\x04\0\0\0\xa0\xc4\0"), "ping message: ping.token is text, not integer" },
	{ "a negative integer", RAW("\x96\x04\0\0\0\xff\xc4\0"), "ping.token is negative integer, not integer" },
	{ "bytes where text is due", RAW("\x96\x10\1\0\0\xc4\0\xc4\0"), "cancel.reason is bytes, not text" },
	{ "text where bytes are due", RAW("\x96\x04\0\0\0\1\xa0"), "ping message: body is text, not bytes" },
	{ "an integer where a bool is due", RAW("\x98\x0b\1\0\0\1\0\0\xc4\0"), "resync.finished is integer, not bool" },
	{ "a value over its limit", RAW("\x96\x03\0\0\0\xce\0\1\0\0\xc4\0"), "ready message: ready.calls_max is 65536, at most 65535" },
	{ "a body where none may be", RAW("\x96\x04\0\0\0\1\xc4\1x"), "ping message: body is 1, at most 0" },
	{ "text that is not UTF-8", RAW("\x96\x10\1\0\0\xa1\xff\xc4\0"), "cancel message: cancel.reason is malformed" },
	{ "a lying length", RAW("\x96\x10\1\0\0\xbf" "abc\xc4\0"), "cancel message: cancel.reason is malformed" },
	{ "a nested array", RAW("\x96\x04\0\0\0\x91\1\xc4\0"), "ping.token is array, not integer" },
	{ "a ping about a call", RAW("\x96\x04\1\0\0\1\xc4\0"), "ping message: call_id is not 0" },
	{ "an accept of no call", RAW("\x95\x0c\0\0\0\xc4\0"), "accept message: call_id is 0" },
	{ "a drain without a deadline", RAW("\x96\x06\0\0\0\xa0\xc4\0"), "drain message: deadline_ns is 0" },
	{ "a ping with a deadline", RAW("\x96\x04\0\1\0\1\xc4\0"), "ping message: deadline_ns is not 0" },
	{ "a deadline beyond the clock", RAW("\x96\x06\0\xcf\x80\0\0\0\0\0\0\0\0\xa0\xc4\0"), "drain message: deadline_ns is 9223372036854775808" },
};

static void bad_input_gets_one_typed_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct frame frame = raw_frame(refused[i].bytes, refused[i].length);
		struct message got = { .kind = 99 };
		struct error why = { 0 };
		int r = message_decode(&frame, &got, &why);

		test_row(r == -EBADMSG && why.code == ERROR_PROTOCOL,
			 "%s: got %d", refused[i].name, r);
		test_row(strstr(why.text, refused[i].want), "%s: got \"%s\"",
			 refused[i].name, why.text);
		test_row(got.kind == 99, "%s: ret was touched", refused[i].name);
	}
}

/* What a peer would refuse is not sent: the same limits, the same words. */
static void bad_messages_are_not_sent(void **state)
{
	static char reason[513];
	struct message message = { .kind = MESSAGE_CANCEL, .call_id = 1 };
	struct error why;

	(void)state;
	memset(reason, 'x', sizeof(reason));
	message.cancel.reason = (struct message_text){ reason, 513 };
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), &why),
			 -EBADMSG);
	assert_string_equal(why.text, "cancel message: cancel.reason is 513, at most 512");
	message.cancel.reason = message_text_of("\xff");
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), &why),
			 -EBADMSG);
	assert_string_equal(why.text, "cancel message: cancel.reason is not UTF-8");
	message.cancel.reason.length = 0;
	message.call_id = 0;
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), &why),
			 -EBADMSG);
	message = (struct message){ .kind = MESSAGE_DRAIN, .deadline_ns = -1 };
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), &why),
			 -EBADMSG);
	message.kind = 63;
	assert_int_equal(message_encode(&message, buffer, sizeof(buffer), &why),
			 -EBADMSG);
}

/* A flipped bit is refused or gives another valid message; it never crashes. */
static void flipped_bits_do_no_harm(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "flips");
	for (int round = 0; round < 50000; round++) {
		struct message got, sent = messages_make(
			messages_kinds[random_below(&random, COUNT(messages_kinds))],
			MESSAGES_RANDOM, &random);
		struct frame frame = encoded(&sent);
		size_t total = FRAME_HEADER_BYTES + frame.envelope.length;

		for (uint64_t flips = 1 + random_below(&random, 3); flips; flips--)
			buffer[random_below(&random, total)] ^=
				(uint8_t)(1U << random_below(&random, 8));
		int r = frame_next((struct span){ buffer, total }, &frame);
		if (r > 0 && message_decode(&frame, &got, NULL) == 0) {
			static uint8_t again[FRAME_ROOM];

			assert_true(message_encode(&got, again, sizeof(again),
						   NULL) > 0);
		}
	}
}

/* ---- permission ---- */

/*
 * Who may send what when, as the design has it: a column a direction, a
 * letter a state: New, Hello, Welcomed, Ready, Draining.
 */
static const struct {
	uint8_t kind;
	const char *may[LINK_DIRECTION_COUNT];
} permits[] = {
	{ MESSAGE_HELLO,	 { "N", "", "N", "" } },
	{ MESSAGE_WELCOME,	 { "", "H", "", "H" } },
	{ MESSAGE_READY,	 { "", "", "WD", "" } },
	{ MESSAGE_PING,		 { "", "RD", "", "WRD" } },
	{ MESSAGE_PONG,		 { "RD", "", "WRD", "" } },
	{ MESSAGE_DRAIN,	 { "", "RD", "", "WRD" } },
	{ MESSAGE_DRAINED,	 { "", "", "D", "" } },
	{ MESSAGE_RELOAD,	 { "", "", "", "R" } },
	{ MESSAGE_GOAWAY,	 { "NHWRD", "NHWRD", "NHWRD", "NHWRD" } },
	{ MESSAGE_STATS,	 { "", "", "RD", "" } },
	{ MESSAGE_RESYNC,	 { "RD", "", "WRD", "WRD" } },
	{ MESSAGE_ACCEPT,	 { "", "RD", "RD", "" } },
	{ MESSAGE_PROGRESS,	 { "", "RD", "RD", "" } },
	{ MESSAGE_RESULT_ACK,	 { "RD", "", "", "RD" } },
	{ MESSAGE_CREDIT,	 { "RD", "RD", "RD", "RD" } },
	{ MESSAGE_CANCEL,	 { "RD", "", "", "RD" } },
	{ MESSAGE_BUSY,		 { "", "RD", "RD", "" } },
	{ MESSAGE_TOOLS_CHANGED, { "", "RD", "RD", "" } },
	{ MESSAGE_REMARK,	 { "", "RD", "", "" } },
	{ MESSAGE_RECALL,	 { "", "", "", "RD" } },
	{ MESSAGE_CALL,		 { "RD", "", "", "R" } },
	{ MESSAGE_CHUNK_REQ,	 { "RD", "", "", "RD" } },
	{ MESSAGE_CHUNK,	 { "", "RD", "RD", "" } },
	{ MESSAGE_RESULT,	 { "", "RD", "RD", "" } },
	{ FRAME_KIND_EXTENSION,	 { "WRD", "WRD", "WRD", "WRD" } },
	{ 255,			 { "WRD", "WRD", "WRD", "WRD" } },
};

static void every_pair_is_permitted_or_refused(void **state)
{
	static const char letters[LINK_STATE_COUNT] = "NHWRDC";

	(void)state;
	for (size_t i = 0; i < COUNT(permits); i++)
		for (unsigned d = 0; d < LINK_DIRECTION_COUNT; d++)
			for (unsigned s = 0; s < LINK_STATE_COUNT; s++) {
				struct error why = { 0 };
				int r = message_permit(permits[i].kind, d, s, &why);
				bool want = strchr(permits[i].may[d], letters[s]);

				test_row(r == (want ? 0 : -EPERM),
					 "%s, direction %u, state %c: got %d",
					 message_kind_name(permits[i].kind), d,
					 letters[s], r);
				test_row(want || why.code == ERROR_PROTOCOL,
					 "a refusal is a protocol error");
			}
	assert_int_equal(COUNT(permits), COUNT(messages_kinds) + 2);
}

static void unknown_kinds_are_never_permitted(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < FRAME_KIND_EXTENSION; kind++)
		if (strcmp(message_kind_name(kind), "unknown") == 0)
			assert_int_equal(message_permit(kind, WORKER_TO_ROUTER,
							LINK_READY, NULL),
					 -EBADMSG);
}

/*
 * The two ends of a link may see a move of its state at different times. Once
 * the version is settled, what was permitted before a move by the other side
 * must be permitted after it, or a message in flight would end the link.
 */
static void what_crosses_a_move_is_still_permitted(void **state)
{
	unsigned moves = 0;

	(void)state;
	for (unsigned mover = 1; mover < FRAME_KIND_EXTENSION; mover++)
		for (unsigned d = 0; d < LINK_DIRECTION_COUNT; d++)
			for (unsigned s = LINK_WELCOMED; s < LINK_CLOSED; s++) {
				unsigned next = message_next_state(mover, d, s);
				unsigned back = link_reverse(d);

				if (message_permit(mover, d, s, NULL) < 0 ||
				    next == s || next == LINK_CLOSED)
					continue;
				moves++;
				for (unsigned k = 1; k < FRAME_KIND_COUNT; k++)
					test_row(message_permit(k, back, s, NULL) < 0 ||
						 message_permit(k, back, next, NULL) == 0,
						 "%s crosses %s", message_kind_name(k),
						 message_kind_name(mover));
			}
	assert_int_equal(moves, 4);	/* ready; drain from three states */
}

static void states_move_as_drawn(void **state)
{
	static const struct {
		uint8_t kind;
		enum link_direction direction;
		enum link_state from, to;
	} moves[] = {
		{ MESSAGE_HELLO, CLIENT_TO_ROUTER, LINK_NEW, LINK_HELLO },
		{ MESSAGE_HELLO, WORKER_TO_ROUTER, LINK_NEW, LINK_HELLO },
		{ MESSAGE_WELCOME, ROUTER_TO_CLIENT, LINK_HELLO, LINK_READY },
		{ MESSAGE_WELCOME, ROUTER_TO_WORKER, LINK_HELLO, LINK_WELCOMED },
		{ MESSAGE_READY, WORKER_TO_ROUTER, LINK_WELCOMED, LINK_READY },
		{ MESSAGE_READY, WORKER_TO_ROUTER, LINK_DRAINING, LINK_DRAINING },
		{ MESSAGE_DRAIN, ROUTER_TO_WORKER, LINK_WELCOMED, LINK_DRAINING },
		{ MESSAGE_DRAIN, ROUTER_TO_CLIENT, LINK_READY, LINK_DRAINING },
		{ MESSAGE_GOAWAY, ROUTER_TO_CLIENT, LINK_NEW, LINK_CLOSED },
		{ MESSAGE_GOAWAY, WORKER_TO_ROUTER, LINK_DRAINING, LINK_CLOSED },
		{ MESSAGE_CALL, ROUTER_TO_WORKER, LINK_READY, LINK_READY },
		{ FRAME_KIND_EXTENSION, ROUTER_TO_WORKER, LINK_READY, LINK_READY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(moves); i++)
		test_row(message_next_state(moves[i].kind, moves[i].direction,
					    moves[i].from) == moves[i].to,
			 "move %zu", i);
}

static void nothing_is_allocated(void **state)
{
	struct message got, sent;
	uint64_t before = heap_count();

	(void)state;
	for (size_t i = 0; i < COUNT(messages_kinds); i++) {
		sent = messages_make(messages_kinds[i], MESSAGES_LARGEST, NULL);
		struct frame frame = encoded(&sent);

		assert_int_equal(message_decode(&frame, &got, NULL), 0);
	}
	assert_int_equal(heap_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_has_this_layout),
		cmocka_unit_test(every_kind_comes_back_as_it_went),
		cmocka_unit_test(every_kind_there_is_was_walked),
		cmocka_unit_test(the_largest_keeps_to_its_overhead),
		cmocka_unit_test(every_prefix_asks_for_more_or_is_refused),
		cmocka_unit_test(bad_input_gets_one_typed_error),
		cmocka_unit_test(bad_messages_are_not_sent),
		cmocka_unit_test(flipped_bits_do_no_harm),
		cmocka_unit_test(every_pair_is_permitted_or_refused),
		cmocka_unit_test(unknown_kinds_are_never_permitted),
		cmocka_unit_test(what_crosses_a_move_is_still_permitted),
		cmocka_unit_test(states_move_as_drawn),
		cmocka_unit_test(nothing_is_allocated),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
