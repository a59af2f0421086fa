#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/wire/client.h"
#include "tests/support/test.h"

/* ---- a client, and the router's end of its link, driven by hand ---- */

#define NOW_NS NS_PER_S
#define DEADLINE_NS (10 * NS_PER_S)

static struct client client;
static struct channel router;
static uint8_t router_in[CLIENT_BUFFER_BYTES], router_out[CLIENT_BUFFER_BYTES];
static struct client_event event;
static struct message heard;

static int open_link(void **state)
{
	struct buffer in, out;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	buffer_init(&in, router_in, sizeof(router_in));
	buffer_init(&out, router_out, sizeof(router_out));
	channel_init(&router, ends[0], ROUTER_TO_CLIENT, in, out);
	return client_init(&client, ends[1], "test", NULL);
}

static int close_link(void **state)
{
	(void)state;
	client_release(&client);
	channel_release(&router);
	return 0;
}

/* A channel may say -EAGAIN once before it reads. */
static int next(void)
{
	int r = client_next(&client, NOW_NS, &event);

	return r == -EAGAIN ? client_next(&client, NOW_NS, &event) : r;
}

/* What the router hears next; 0 if nothing. */
static unsigned hear(void)
{
	int r = channel_receive(&router, &heard);

	if (r == -EAGAIN)
		r = channel_receive(&router, &heard);
	return r == 0 ? heard.kind : 0;
}

static void say(struct message message)
{
	static struct credit credit;

	credit = (struct credit){ CREDIT_LINK_BYTES, CREDIT_LINK_BYTES };
	assert_int_equal(channel_send(&router, &message, &credit, NULL), 0);
	assert_int_equal(channel_flush(&router), 0);
}

static void welcome(void)
{
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_HELLO);
	say((struct message){ .kind = MESSAGE_WELCOME, .welcome.catalog = 7 });
	assert_int_equal(next(), 0);
	assert_int_equal(event.kind, CLIENT_WELCOME);
	assert_int_equal(event.catalog, 7);
}

static uint64_t ask_with(struct span input)
{
	const struct client_ask ask = {
		.tool = "echo", .input = input, .deadline_ns = DEADLINE_NS,
	};
	uint64_t call = 0;

	assert_int_equal(client_call(&client, &ask, &call, NULL), 0);
	return call;
}

static uint64_t ask(void)
{
	uint64_t call = ask_with(span_of_text("noble"));

	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CALL);
	assert_int_equal(heard.call_id, call);
	return call;
}

static struct message about(unsigned kind, uint64_t call)
{
	return (struct message){ .kind = kind, .call_id = call };
}

static void expect_result(uint64_t call, enum error_code code)
{
	assert_int_equal(next(), 0);
	assert_int_equal(event.kind, CLIENT_RESULT);
	assert_int_equal(event.call, call);
	assert_int_equal(event.result.code, code);
}

/* ---- what a call goes through ---- */

static void test_a_call_goes_out_and_its_result_comes_back(void **state)
{
	struct message result;
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	assert_true(span_equal(heard.body, span_of_text("noble")));
	assert_int_equal(heard.deadline_ns, DEADLINE_NS);
	assert_int_equal(heard.call.catalog, 7);

	say(about(MESSAGE_ACCEPT, call));
	say((struct message){ .kind = MESSAGE_PROGRESS, .call_id = call,
			      .progress = { .done = 1, .total = 2 } });
	say((struct message){ .kind = MESSAGE_CHUNK, .call_id = call,
			      .body = span_of_text("no") });
	result = about(MESSAGE_RESULT, call);
	result.result.chunks = 1;
	result.body = span_of_text("ble");
	say(result);

	assert_int_equal(next(), 0);
	assert_int_equal(event.kind, CLIENT_ACCEPTED);
	assert_int_equal(next(), 0);
	assert_int_equal(event.kind, CLIENT_PROGRESS);
	assert_int_equal(event.progress.done, 1);
	assert_int_equal(next(), 0);
	assert_int_equal(event.kind, CLIENT_CHUNK);
	assert_true(span_equal(event.body, span_of_text("no")));
	expect_result(call, ERROR_OK);
	assert_true(span_equal(event.body, span_of_text("ble")));
	assert_int_equal(client_running(&client), 0);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_RESULT_ACK);
}

static void test_a_remark_is_told_with_its_result(void **state)
{
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	say((struct message){ .kind = MESSAGE_REMARK, .call_id = call,
			      .remark = { .age_ms = 5, .tool = message_text_of("spare") } });
	assert_int_equal(next(), -EAGAIN);
	say(about(MESSAGE_RESULT, call));
	expect_result(call, ERROR_OK);
	assert_int_equal(event.remark.age_ms, 5);
	assert_int_equal(event.remark.tool.length, 5);
	assert_memory_equal(event.remark.tool.data, "spare", 5);
}

static void test_nothing_is_asked_before_the_welcome(void **state)
{
	uint64_t call;

	(void)state;
	call = ask_with(span_of_text("{}"));
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_HELLO);
	assert_int_equal(hear(), 0);
	say((struct message){ .kind = MESSAGE_WELCOME });
	assert_int_equal(next(), 0);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CALL);
	assert_int_equal(heard.call_id, call);
}

static void test_busy_is_a_result(void **state)
{
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	say((struct message){ .kind = MESSAGE_BUSY, .call_id = call,
			      .busy = { .code = ERROR_QUEUE_FULL, .retry_after_ms = 20 } });
	expect_result(call, ERROR_QUEUE_FULL);
	assert_int_equal(event.result.retry_after_ms, 20);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), 0);
	assert_int_equal(client_running(&client), 0);
}

static void test_a_long_input_is_sent_in_pieces_against_credit(void **state)
{
	static uint8_t input[3 * CREDIT_CALL_BYTES];
	size_t arrived = 0;
	unsigned pieces = 0;
	uint64_t call;
	bool last = false;

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i * 31 >> 3);
	welcome();
	call = ask_with((struct span){ input, sizeof(input) });
	for (int turns = 0; turns < 1000 && !last; turns++) {
		size_t bytes = 0;

		assert_int_equal(next(), -EAGAIN);
		while (hear()) {
			assert_memory_equal(input + arrived, heard.body.data,
					    heard.body.length);
			bytes += heard.body.length;
			arrived += heard.body.length;
			last = heard.kind == MESSAGE_CHUNK_REQ && heard.chunk_req.last;
			if (pieces++ == 0)
				assert_int_equal(heard.call.flags & CALL_MORE, CALL_MORE);
			channel_consume(&router, heard.body.length);
		}
		assert_true(bytes <= CREDIT_CALL_BYTES);
		if (bytes)
			say((struct message){ .kind = MESSAGE_CREDIT, .call_id = call,
					      .credit.bytes = (uint32_t)bytes });
	}
	assert_true(last);
	assert_int_equal(arrived, sizeof(input));
}

/* All but the last byte, whatever it is in. */
static void test_a_held_call_waits_for_its_end(void **state)
{
	static uint8_t input[CREDIT_CALL_BYTES / 2];
	static const size_t lengths[] = { 1, 2, sizeof(input) };
	struct error why;
	uint64_t call;

	(void)state;
	welcome();
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct client_ask what = {
			.tool = "a", .deadline_ns = NS_PER_S, .held = true,
			.input = { input, lengths[i] },
		};

		assert_int_equal(client_call(&client, &what, &call, &why), 0);
		assert_int_equal(next(), -EAGAIN);
		assert_int_equal(hear(), MESSAGE_CALL);
		assert_int_equal(heard.call.flags & CALL_MORE, CALL_MORE);
		assert_int_equal(heard.body.length, lengths[i] - 1);
		assert_int_equal(next(), -EAGAIN);
		assert_int_equal(hear(), 0);
		client_go(&client, call);
		client_go(&client, call);
		client_go(&client, 99);
		assert_int_equal(next(), -EAGAIN);
		assert_int_equal(hear(), MESSAGE_CHUNK_REQ);
		assert_int_equal(heard.chunk_req.last, true);
		assert_int_equal(heard.body.length, 1);
		assert_int_equal(hear(), 0);
	}
}

static void test_a_long_output_is_granted_as_it_is_used(void **state)
{
	static uint8_t piece[100000];
	uint32_t granted = CREDIT_CALL_BYTES, sequence = 0;
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	for (size_t sent = 0; sent < 64 * sizeof(piece); sent += sizeof(piece)) {
		assert_true(granted >= sizeof(piece));
		granted -= (uint32_t)sizeof(piece);
		say((struct message){ .kind = MESSAGE_CHUNK, .call_id = call,
				      .chunk.sequence = sequence++,
				      .body = { piece, sizeof(piece) } });
		assert_int_equal(next(), 0);
		assert_int_equal(event.kind, CLIENT_CHUNK);
		assert_int_equal(next(), -EAGAIN);
		while (hear())
			if (heard.kind == MESSAGE_CREDIT)
				granted += heard.credit.bytes;
	}
}

/* ---- ends ---- */

static void test_a_cancel_is_sent_once_and_the_result_awaited(void **state)
{
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	client_cancel(&client, call);
	client_cancel(&client, call);
	client_cancel(&client, 99);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CANCEL);
	assert_int_equal(heard.call_id, call);
	assert_int_equal(hear(), 0);
	assert_int_equal(client_running(&client), 1);
	say((struct message){ .kind = MESSAGE_RESULT, .call_id = call,
			      .result.code = ERROR_CANCELLED });
	expect_result(call, ERROR_CANCELLED);
}

/* Its input may be gone the moment after. */
static void test_an_abandoned_call_is_not_sent_later(void **state)
{
	char input[] = "noble";
	uint64_t call;

	(void)state;
	welcome();
	client_abandon(&client, 0);
	call = ask_with(span_of_text(input));
	client_abandon(&client, call);
	memset(input, 0, sizeof(input));
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), 0);
	assert_int_equal(client_running(&client), 0);

	call = ask();
	client_abandon(&client, call);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CANCEL);
	say((struct message){ .kind = MESSAGE_RESULT, .call_id = call,
			      .result.code = ERROR_CANCELLED });
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_RESULT_ACK);
	assert_int_equal(client.calls[0].id, 0);
}

/* What is left of a long input is not sent, though there is credit for it. */
static void test_of_an_abandoned_call_no_more_is_sent(void **state)
{
	static uint8_t input[2 * CREDIT_CALL_BYTES];
	uint64_t call;

	(void)state;
	welcome();
	call = ask_with((struct span){ input, sizeof(input) });
	for (int i = 0; i < 10; i++) {
		next();
		while (hear())
			;
	}
	assert_int_equal(client.calls[0].sent, CREDIT_CALL_BYTES);
	client_abandon(&client, call);
	say((struct message){ .kind = MESSAGE_CREDIT, .call_id = call,
			      .credit.bytes = CREDIT_CALL_BYTES });
	assert_int_equal(next(), -EAGAIN);
	while (hear())
		assert_int_equal(heard.kind, MESSAGE_CANCEL);
	assert_int_equal(client.calls[0].sent, CREDIT_CALL_BYTES);
}

static void test_a_silent_router_does_not_keep_a_call(void **state)
{
	int64_t late_ns = DEADLINE_NS + CLIENT_GRACE_NS;
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	assert_int_equal(client_next_ns(&client), late_ns);
	assert_int_equal(client_next(&client, late_ns - 1, &event), -EAGAIN);
	assert_int_equal(client_next(&client, late_ns, &event), 0);
	assert_int_equal(event.kind, CLIENT_RESULT);
	assert_int_equal(event.call, call);
	assert_int_equal(event.result.code, ERROR_DEADLINE_EXCEEDED);
	assert_int_equal(client_next(&client, late_ns, &event), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CANCEL);

	/* What comes too late is taken, acknowledged and not told. */
	say((struct message){ .kind = MESSAGE_RESULT, .call_id = call });
	assert_int_equal(client_next(&client, late_ns, &event), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_RESULT_ACK);
}

static void test_a_lost_link_ends_every_call_once(void **state)
{
	static const char *const reasons[] = { "was on its way", "had begun" };
	uint64_t calls[2], late;

	(void)state;
	welcome();
	calls[0] = ask();
	calls[1] = ask();
	say(about(MESSAGE_ACCEPT, calls[1]));
	assert_int_equal(next(), 0);
	late = ask_with(span_of_text("{}"));
	channel_release(&router);
	for (int i = 0; i < 2; i++) {
		expect_result(calls[i], ERROR_UNAVAILABLE);
		test_row(memmem(event.result.reason.data, event.result.reason.length,
				reasons[i], strlen(reasons[i])),
			 "call %d: %s", i, event.result.reason.data);
	}
	expect_result(late, ERROR_UNAVAILABLE);
	assert_int_equal(next(), -EPIPE);
	assert_int_equal(next(), -EPIPE);
	assert_int_equal(client_running(&client), 0);
	assert_int_equal(client_call(&client, &(struct client_ask){
		.tool = "echo", .deadline_ns = 1 }, &late, NULL), -EPIPE);
}

/* ---- a router that dies, and another ---- */

static int other_end = -1;

static int reconnect(void *owner)
{
	(void)owner;
	return other_end;
}

static void lose_router(void)
{
	channel_release(&router);
	other_end = -EAGAIN;
	client_reconnect_by(&client, reconnect, NULL);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(client_events(&client), 0);
}

/* It comes with its session, and is welcomed without a word to its caller. */
static void find_router(int64_t now_ns)
{
	struct buffer in, out;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	buffer_init(&in, router_in, sizeof(router_in));
	buffer_init(&out, router_out, sizeof(router_out));
	channel_init(&router, ends[0], ROUTER_TO_CLIENT, in, out);
	other_end = ends[1];
	assert_int_equal(client_next(&client, now_ns, &event), -EAGAIN);
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_HELLO);
	assert_true(span_equal(heard.hello.session, span_of_text("sixteen letters.")));
	say((struct message){ .kind = MESSAGE_WELCOME,
			      .welcome.session = span_of_text("sixteen letters.") });
	assert_int_equal(next(), -EAGAIN);
}

/* It is dead before it has heard a word. */
static void miss_router(int64_t now_ns)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[0]);
	other_end = ends[1];
	assert_int_equal(client_next(&client, now_ns, &event), -EAGAIN);
	other_end = -EAGAIN;
	assert_int_equal(client_next(&client, now_ns, &event), -EAGAIN);
	assert_true(client.away);
}

static void welcome_with_session(void)
{
	assert_int_equal(next(), -EAGAIN);
	hear();
	say((struct message){ .kind = MESSAGE_WELCOME,
			      .welcome.session = span_of_text("sixteen letters.") });
	assert_int_equal(next(), 0);
	client_reconnect_by(&client, reconnect, NULL);
}

static void test_a_call_outlives_its_router(void **state)
{
	struct message result;
	uint64_t call;

	(void)state;
	welcome_with_session();
	call = ask();
	assert_true(heard.call.flags & CALL_RESUME);
	say(about(MESSAGE_ACCEPT, call));
	say((struct message){ .kind = MESSAGE_CHUNK, .call_id = call,
			      .body = span_of_text("no") });
	say((struct message){ .kind = MESSAGE_REMARK, .call_id = call, .remark.age_ms = 5 });
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 0);
	assert_int_equal(next(), -EAGAIN);
	lose_router();
	find_router(NOW_NS + CLIENT_AGAIN_NS);
	assert_int_equal(hear(), MESSAGE_RESYNC);
	assert_int_equal(heard.call_id, call);
	lose_router();
	miss_router(NOW_NS + 2 * CLIENT_AGAIN_NS);
	find_router(NOW_NS + 3 * CLIENT_AGAIN_NS);
	assert_int_equal(hear(), MESSAGE_RESYNC);
	assert_int_equal(heard.resync.chunks, 1);
	say(about(MESSAGE_ACCEPT, call));	/* as its caller knows */
	result = about(MESSAGE_RESULT, call);
	result.result.chunks = 1;
	say(result);
	expect_result(call, ERROR_OK);
	assert_int_equal(event.remark.age_ms, 0);	/* nor is it what the dead one kept */
}

static void test_what_was_not_executed_is_sent_once_more(void **state)
{
	uint64_t call, other;

	(void)state;
	welcome_with_session();
	call = ask();
	other = ask();
	say(about(MESSAGE_ACCEPT, other));
	say((struct message){ .kind = MESSAGE_CHUNK, .call_id = other,
			      .body = span_of_text("no") });
	say((struct message){ .kind = MESSAGE_REMARK, .call_id = call,
			      .remark.age_ms = 5 });
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 0);
	assert_int_equal(next(), -EAGAIN);
	lose_router();
	find_router(NOW_NS + CLIENT_AGAIN_NS);
	assert_int_equal(hear(), MESSAGE_RESYNC);
	assert_int_equal(hear(), MESSAGE_RESYNC);
	say((struct message){ .kind = MESSAGE_BUSY, .call_id = call });
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CALL);
	assert_int_equal(heard.call_id, call);
	assert_true(span_equal(heard.body, span_of_text("noble")));
	say(about(MESSAGE_RESULT, call));
	expect_result(call, ERROR_OK);
	assert_int_equal(event.remark.age_ms, 0);	/* it was of another result */
	/* Of what output has come the beginning would come twice. */
	say((struct message){ .kind = MESSAGE_BUSY, .call_id = other });
	expect_result(other, ERROR_DATA_LOSS);
}

/* Nor told, where its caller has given it up meanwhile. */
static void test_what_is_given_up_is_not_told_again(void **state)
{
	int64_t late_ns = DEADLINE_NS + CLIENT_GRACE_NS;
	uint64_t calls[3];	/* of nothing; with output; cancelled */

	(void)state;
	welcome_with_session();
	for (size_t i = 0; i < COUNT(calls); i++)
		calls[i] = ask();
	say(about(MESSAGE_ACCEPT, calls[1]));
	say((struct message){ .kind = MESSAGE_CHUNK, .call_id = calls[1],
			      .body = span_of_text("no") });
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 0);
	client_cancel(&client, calls[2]);
	lose_router();
	find_router(NOW_NS + CLIENT_AGAIN_NS);
	for (size_t i = 0; i < COUNT(calls); i++) {
		assert_int_equal(client_next(&client, late_ns, &event), 0);
		assert_int_equal(event.result.code, ERROR_DEADLINE_EXCEEDED);
	}
	for (size_t i = 0; i < COUNT(calls); i++)
		say((struct message){ .kind = MESSAGE_BUSY, .call_id = calls[i] });
	assert_int_equal(client_next(&client, late_ns, &event), -EAGAIN);
	assert_int_equal(client_running(&client), 0);
}

/* However long it is and whichever way it went. */
static void test_what_went_out_is_not_called_anew(void **state)
{
	static const uint8_t input[100000];
	uint64_t call;

	(void)state;
	welcome_with_session();
	call = ask_with((struct span){ input, sizeof(input) });
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_CALL);
	lose_router();
	find_router(NOW_NS + CLIENT_AGAIN_NS);
	assert_int_equal(hear(), MESSAGE_RESYNC);
	assert_int_equal(heard.call_id, call);
}

/* Its supervisor leaves, and tells so; the call was written, but never went out. */
static void test_what_never_went_out_is_called_anew(void **state)
{
	uint64_t call;

	(void)state;
	welcome_with_session();
	say((struct message){ .kind = MESSAGE_GOAWAY, .goaway.code = ERROR_DRAINING });
	call = ask_with(span_of_text("noble"));
	lose_router();
	find_router(NOW_NS + CLIENT_AGAIN_NS);
	assert_int_equal(hear(), MESSAGE_CALL);
	assert_int_equal(heard.call_id, call);
	say(about(MESSAGE_RESULT, call));
	expect_result(call, ERROR_OK);
}

static void test_another_router_is_not_awaited_for_ever(void **state)
{
	uint64_t call;

	(void)state;
	welcome_with_session();
	call = ask();
	client.calls[0].ask.deadline_ns = DEADLINE_NEVER;
	lose_router();
	assert_int_equal(client_next(&client, NOW_NS + CLIENT_AWAY_NS - 1, &event), -EAGAIN);
	assert_int_equal(client_next(&client, NOW_NS + 2 * CLIENT_AWAY_NS, &event), 0);
	assert_int_equal(event.call, call);
	assert_int_equal(event.result.code, ERROR_UNAVAILABLE);
	assert_int_equal(next(), -EPIPE);
}

static void test_where_no_supervisor_is_none_is_awaited(void **state)
{
	(void)state;
	welcome_with_session();
	uint64_t call = ask();

	channel_release(&router);
	other_end = -ECONNREFUSED;
	expect_result(call, ERROR_UNAVAILABLE);
}

static void test_a_goaway_is_told_in_its_own_words(void **state)
{
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	say((struct message){ .kind = MESSAGE_GOAWAY,
			      .goaway = { ERROR_PROTOCOL, message_text_of("too slow") } });
	expect_result(call, ERROR_UNAVAILABLE);
	assert_int_equal(next(), -EPIPE);
	assert_string_equal(client.why.text, "too slow");
	assert_int_equal(client.why.code, ERROR_PROTOCOL);
}

/* ---- a router that lies ---- */

static void test_what_the_router_may_not_say_ends_the_link(void **state)
{
	static const struct {
		const char *name;
		struct message message;
	} lies[] = {
		{ "a result of no call", { .kind = MESSAGE_RESULT, .call_id = 99 } },
		{ "a chunk out of order", { .kind = MESSAGE_CHUNK, .call_id = 1,
					    .chunk.sequence = 1 } },
		{ "a result with chunks missing", { .kind = MESSAGE_RESULT, .call_id = 1,
						    .result.chunks = 2 } },
		{ "more credit than the window", { .kind = MESSAGE_CREDIT, .call_id = 1,
						   .credit.bytes = CREDIT_CALL_BYTES } },
	};

	for (size_t i = 0; i < COUNT(lies); i++) {
		open_link(state);
		welcome();
		ask();
		say(lies[i].message);
		test_row(next() == 0 && event.kind == CLIENT_RESULT &&
			 event.result.code == ERROR_UNAVAILABLE,
			 "%s: no result", lies[i].name);
		test_row(next() == -EPIPE, "%s: not lost", lies[i].name);
		close_link(state);
	}
}

static void test_a_second_result_ends_the_link(void **state)
{
	uint64_t call;

	(void)state;
	welcome();
	call = ask();
	say(about(MESSAGE_RESULT, call));
	say(about(MESSAGE_RESULT, call));
	expect_result(call, ERROR_OK);
	assert_int_equal(next(), -EPIPE);
}

/* ---- what is refused here ---- */

static void test_asks_that_cannot_be_sent_are_refused(void **state)
{
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890123x";
	static const struct {
		const char *name;
		struct client_ask ask;
		int want;
	} cases[] = {
		{ "no deadline", { .tool = "echo" }, -EINVAL },
		{ "no name", { .tool = "", .deadline_ns = 1 }, -EINVAL },
		{ "a name too long", { .tool = long_name, .deadline_ns = 1 }, -EINVAL },
		{ "a name that is no text", { .tool = "\xff", .deadline_ns = 1 }, -EINVAL },
		{ "an effect's id too long", { .tool = "echo", .deadline_ns = 1,
			.effect = { (const uint8_t *)long_name, 17 } }, -EINVAL },
	};
	uint64_t call;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int got = client_call(&client, &cases[i].ask, &call, NULL);

		test_row(got == cases[i].want, "%s: %d", cases[i].name, got);
	}
	for (int i = 0; i < CLIENT_CALLS_MAX; i++)
		ask_with(span_of_text("{}"));
	assert_int_equal(client_call(&client, &(struct client_ask){
		.tool = "echo", .deadline_ns = 1 }, &call, NULL), -EAGAIN);
}

static void test_waiting_ends_by_time_and_by_the_other_descriptor(void **state)
{
	int ends[2];

	(void)state;
	welcome();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(client_wait(&client, ends[0], 0, &event), -ETIMEDOUT);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(client_wait(&client, ends[0], DEADLINE_NEVER, &event), -EINTR);
	say((struct message){ .kind = MESSAGE_TOOLS_CHANGED, .tools_changed.catalog = 8 });
	assert_int_equal(client_wait(&client, -1, DEADLINE_NEVER, &event), 0);
	assert_int_equal(event.catalog, 8);
	close(ends[0]);
	close(ends[1]);
}

static void test_a_ping_is_answered(void **state)
{
	(void)state;
	welcome();
	say((struct message){ .kind = MESSAGE_PING, .ping.token = 5 });
	assert_int_equal(next(), -EAGAIN);
	assert_int_equal(hear(), MESSAGE_PONG);
	assert_int_equal(heard.pong.token, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_link, close_link)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_call_goes_out_and_its_result_comes_back),
		TEST(test_a_remark_is_told_with_its_result),
		TEST(test_nothing_is_asked_before_the_welcome),
		TEST(test_busy_is_a_result),
		TEST(test_a_long_input_is_sent_in_pieces_against_credit),
		TEST(test_a_held_call_waits_for_its_end),
		TEST(test_a_long_output_is_granted_as_it_is_used),
		TEST(test_a_cancel_is_sent_once_and_the_result_awaited),
		TEST(test_an_abandoned_call_is_not_sent_later),
		TEST(test_of_an_abandoned_call_no_more_is_sent),
		TEST(test_a_silent_router_does_not_keep_a_call),
		TEST(test_a_lost_link_ends_every_call_once),
		TEST(test_a_call_outlives_its_router),
		TEST(test_what_was_not_executed_is_sent_once_more),
		TEST(test_what_is_given_up_is_not_told_again),
		TEST(test_what_went_out_is_not_called_anew),
		TEST(test_what_never_went_out_is_called_anew),
		TEST(test_another_router_is_not_awaited_for_ever),
		TEST(test_where_no_supervisor_is_none_is_awaited),
		TEST(test_a_goaway_is_told_in_its_own_words),
		cmocka_unit_test(test_what_the_router_may_not_say_ends_the_link),
		TEST(test_a_second_result_ends_the_link),
		TEST(test_asks_that_cannot_be_sent_are_refused),
		TEST(test_waiting_ends_by_time_and_by_the_other_descriptor),
		TEST(test_a_ping_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
