/*
 * The skeleton of workers from outside: the test is router and monitor, the
 * worker is cupel-echo itself, or a small program where that one cannot show it.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "tests/support/rig.h"
#include "workers/worker.h"

/* ---- the life ---- */

static void it_announces_itself_and_is_ready_only_once_welcomed(void **state)
{
	struct message message;
	struct beat first, second;

	(void)state;
	rig_start(rig_exec_echo);
	message = rig_expect(MESSAGE_HELLO);
	assert_int_equal(message.hello.major, MESSAGE_MAJOR);
	assert_int_equal(message.generation, 0);
	assert_true(message.hello.tools_hash != 0);
	rig_expect_beat(BEAT_HELLO);
	assert_int_equal(poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100), 0);
	rig_welcome();
	message = rig_expect(MESSAGE_READY);
	assert_int_equal(message.generation, RIG_GENERATION);
	assert_int_equal(message.ready.calls_max, 8);
	first = rig_expect_beat(BEAT_ALIVE);	/* the loop's first; */
	assert_int_equal(rig_expect_beat(BEAT_READY).value, 8);
	second = rig_expect_beat(BEAT_ALIVE);
	assert_true(second.value > first.value);
}

static void it_answers_a_ping(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_say((struct message){ .kind = MESSAGE_PING, .ping.token = 42 });
	message = rig_expect(MESSAGE_PONG);
	assert_int_equal(message.pong.token, 42);
	assert_true(message.pong.progress > 0);
}

static void it_leaves_when_either_socket_ends(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	shutdown(rig.router.fd, SHUT_RDWR);
	assert_true(rig_left_well());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	close(rig.beat);
	rig.beat = -1;
	assert_true(rig_left_well());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);		/* and in the midst of serving */
	rig_call(1, "echo.progress", "{\"steps\":1,\"ms\":10000}");
	rig_expect(MESSAGE_ACCEPT);
	close(rig.beat);
	rig.beat = -1;
	assert_true(rig_left_well());
}

static void it_leaves_in_order_when_terminated(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	kill(rig.pid, SIGTERM);
	assert_int_equal(rig_expect(MESSAGE_RESULT).result.code, ERROR_CANCELLED);
	assert_true(rig_left_well());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.burn", "{\"ms\":300}");
	rig_expect(MESSAGE_ACCEPT);
	kill(rig.pid, SIGTERM);
	assert_int_equal(rig_expect(MESSAGE_RESULT).result.code, ERROR_OK);
	assert_true(rig_left_well());
}

static void drained_it_finishes_and_leaves(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.sleep", "{\"ms\":200}");
	rig_drain(60 * NS_PER_S);
	rig_expect_result(1, ERROR_OK);
	rig_say((struct message){ .kind = MESSAGE_PING });
	rig_expect(MESSAGE_PONG);	/* it is still there */
	rig_confirm(1);
	message = rig_expect(MESSAGE_DRAINED);
	assert_int_equal(message.drained.calls, 1);
	assert_true(rig_left_well());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.sleep", "{\"ms\":60000}");
	rig_drain(100 * NS_PER_MS);
	rig_expect_result(1, ERROR_CANCELLED);
	rig_expect(MESSAGE_DRAINED);
	assert_true(rig_left_well());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	rig_drain(60 * NS_PER_S);
	assert_int_equal(rig_expect(MESSAGE_DRAINED).drained.calls, 0);
	assert_true(rig_left_well());
}

/* ---- calls ---- */

static void a_call_is_accepted_and_answered(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	for (uint64_t id = 1; id <= 100; id++) {
		rig_call(id, "echo", "{\"text\":\"noble\",\"n\":[1,2.5,null]}");
		message = rig_expect_result(id, ERROR_OK);
		assert_true(span_equal(message.body, (struct span){ rig.body, rig.body_bytes }));
		rig_confirm(id);
	}
}

static void many_calls_in_one_write_are_all_answered(void **state)
{
	struct error why = { 0 };

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_set_body("{\"text\":\"noble\"}");
	for (uint64_t id = 1; id <= 8; id++) {
		struct message message = rig_call_message(id, "echo", NS_PER_S * 60);

		message.generation = RIG_GENERATION;
		message.body = (struct span){ rig.body, rig.body_bytes };
		rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		test_row(channel_send(&rig.router, &message, &rig.call, &why) == 0,
			 "%s", why.text);
	}
	rig_flush();
	for (uint64_t id = 1; id <= 8; id++)
		rig_expect_result(id, ERROR_OK);
}

static void what_is_wrong_with_a_call_is_said(void **state)
{
	static const struct {
		const char *tool, *json;
		enum error_code code;
		const char *words;
	} cases[] = {
		{ "echo.fly", "{}", ERROR_UNIMPLEMENTED, "echo has no tool echo.fly" },
		{ "echo.sleep", "{}", ERROR_INVALID_ARGUMENT, "ms: it is missing" },
		{ "echo.sleep", "{\"ms\":-1}", ERROR_INVALID_ARGUMENT, "ms: it must be at least 0, not -1" },
		{ "echo.sleep", "{\"ms\":1,\"mss\":1}", ERROR_INVALID_ARGUMENT, "mss: there is no such argument; did you mean 'ms'?" },
		{ "echo.sleep", "[]", ERROR_INVALID_ARGUMENT, "the arguments: it must be of type \"object\", not []" },
		{ "echo.fail", "{\"code\":5,\"reason\":\"gone\"}", ERROR_NOT_FOUND, "gone" },
		{ "echo.fail", "{\"code\":14,\"reason\":\"a\\u0007b\"}", ERROR_UNAVAILABLE, "a\\x07b" },
	};

	(void)state;
	rig_start_ready(rig_exec_echo);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct message message;

		rig_call(i + 1, cases[i].tool, cases[i].json);
		message = rig_expect_result(i + 1, cases[i].code);
		test_row(rig_says(&message, cases[i].words), "%s %s", cases[i].tool,
			 cases[i].json);
		assert_int_equal(message.result.origin, ORIGIN_WORKER);
		assert_int_equal(message.body.length, 0);
	}
}

static void arguments_that_are_no_json_are_refused(void **state)
{
	static const char *const bodies[] = { "\xc1", "\x92\x01", "\x01\x01", "\xc4\x01z" };
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		message = rig_call_message(i + 1, "echo", NS_PER_S);
		message.body = span_of_text(bodies[i]);
		rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		rig_say(message);
		message = rig_expect_result(i + 1, ERROR_INVALID_ARGUMENT);
		assert_true(rig_says(&message, "msgpack before byte"));
	}
}

static void beyond_its_calls_it_is_busy(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	for (uint64_t id = 1; id <= 8; id++) {
		rig_call(id, "echo.sleep", "{\"ms\":60000}");
		rig_expect(MESSAGE_ACCEPT);
	}
	rig_call(9, "echo", "{}");
	message = rig_expect(MESSAGE_BUSY);
	assert_int_equal(message.call_id, 9);
	assert_int_equal(message.busy.code, ERROR_RESOURCE_EXHAUSTED);
	rig_cancel(3);
	assert_int_equal(rig_expect(MESSAGE_RESULT).call_id, 3);
	rig_call(10, "echo", "{}");
	rig_expect_result(10, ERROR_OK);
	rig_call(11, "echo.fail", "{\"code\":68,\"busy\":true,\"reason\":\"not now\"}");
	message = rig_expect(MESSAGE_BUSY);
	assert_int_equal(message.busy.code, ERROR_SHED);
}

static void pending_calls_end_in_their_own_order(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.sleep", "{\"ms\":400}");
	rig_call(2, "echo.sleep", "{\"ms\":50}");
	rig_call_within(3, "echo.sleep", "{\"ms\":60000}", 200 * NS_PER_MS);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(rig_expect(MESSAGE_ACCEPT).call_id, id);
	rig_call(4, "echo", "{}");
	rig_expect_result(4, ERROR_OK);
	struct message message = rig_expect(MESSAGE_RESULT);

	assert_int_equal(message.call_id, 2);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 3);
	assert_int_equal(message.result.code, ERROR_DEADLINE_EXCEEDED);
	assert_int_equal(rig_expect(MESSAGE_RESULT).call_id, 1);
}

static void one_that_works_hears_cancel_and_deadline(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.burn", "{\"ms\":60000}");
	rig_call(2, "echo.sleep", "{\"ms\":0}");	/* waits behind it */
	rig_call_within(3, "echo", "{}", 100 * NS_PER_MS);	/* so long that it is too late */
	assert_int_equal(rig_expect(MESSAGE_ACCEPT).call_id, 1);
	struct message message = rig_expect(MESSAGE_ACCEPT);

	assert_int_equal(message.call_id, 3);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 3);
	assert_int_equal(message.result.code, ERROR_DEADLINE_EXCEEDED);
	rig_cancel(1);
	rig_cancel(1);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 1);
	assert_int_equal(message.result.code, ERROR_CANCELLED);
	rig_expect_result(2, ERROR_OK);
	rig_cancel(2);				/* crosses the result */
	rig_call_within(4, "echo.burn", "{\"ms\":60000}", 50 * NS_PER_MS);
	rig_expect_result(4, ERROR_DEADLINE_EXCEEDED);
}

static void what_is_not_begun_is_given_back(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.burn", "{\"ms\":60000}");
	assert_int_equal(rig_expect(MESSAGE_ACCEPT).call_id, 1);
	rig_call(2, "echo", "{}");
	rig_call(3, "echo", "{\"text\":\"mine\"}");
	rig_recall(1);				/* too late */
	rig_recall(2);
	rig_recall(2);				/* it is not here any more */
	assert_int_equal(rig_expect(MESSAGE_BUSY).call_id, 2);
	rig_cancel(1);
	assert_int_equal(rig_expect(MESSAGE_RESULT).call_id, 1);
	rig_expect_result(3, ERROR_OK);
	rig_recall(3);				/* crosses the result */
	rig_call(2, "echo", "{}");		/* and may come again */
	rig_expect_result(2, ERROR_OK);
}

static void progress_is_reported(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.progress", "{\"steps\":3,\"ms\":1}");
	rig_expect(MESSAGE_ACCEPT);
	for (unsigned i = 1; i <= 3; i++) {
		struct message message = rig_expect(MESSAGE_PROGRESS);

		assert_int_equal(message.progress.done, i);
		assert_int_equal(message.progress.total, 3);
	}
	rig_expect(MESSAGE_RESULT);
}

/* ---- streams ---- */

static void chunks_wait_for_credit(void **state)
{
	size_t received = 0;
	uint32_t sequence = 0;
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.flood", "{\"bytes\":1000000,\"stream\":2}");
	rig_expect(MESSAGE_ACCEPT);
	while (received < CREDIT_CALL_BYTES) {
		message = rig_expect(MESSAGE_CHUNK);
		assert_int_equal(message.chunk.sequence, sequence++);
		assert_int_equal(message.chunk.stream, 2);
		received += message.body.length;
	}
	assert_int_equal(received, CREDIT_CALL_BYTES);
	rig_say((struct message){ .kind = MESSAGE_PING });
	rig_expect(MESSAGE_PONG);			/* nothing but this comes */
	while (received < 1000000) {
		rig_grant(1, 100000);
		for (size_t all = received + 100000; received < all && received < 1000000;) {
			message = rig_expect(MESSAGE_CHUNK);
			assert_int_equal(message.chunk.sequence, sequence++);
			received += message.body.length;
		}
	}
	assert_int_equal(received, 1000000);
	rig_grant(1, 100000);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.result.chunks, sequence);
}

static void without_credit_a_call_can_still_be_cancelled(void **state)
{
	size_t received = 0;
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.flood", "{\"bytes\":262144}");	/* then its result has no credit */
	rig_expect(MESSAGE_ACCEPT);
	while (received < CREDIT_CALL_BYTES)
		received += rig_expect(MESSAGE_CHUNK).body.length;
	rig_cancel(1);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_CANCELLED);
	assert_int_equal(message.body.length, 0);
}

static void a_router_that_does_not_read_is_waited_for(void **state)
{
	size_t received = 0;

	(void)state;
	rig_start_ready(rig_exec_echo);
	for (uint64_t id = 1; id <= 8; id++)
		rig_call(id, "echo.flood", "{\"bytes\":200000}");
	for (unsigned i = 0; i < 100; i++)
		rig_say((struct message){ .kind = MESSAGE_PING, .ping.token = i });
	for (unsigned pongs = 0, results = 0; pongs < 100 || results < 8;) {
		struct message message;

		assert_int_equal(rig_hear(&message), 0);
		pongs += message.kind == MESSAGE_PONG;
		results += message.kind == MESSAGE_RESULT;
		received += message.kind == MESSAGE_CHUNK ? message.body.length : 0;
	}
	assert_int_equal(received, 8 * 200000);
}

static void long_arguments_and_results_come_in_pieces(void **state)
{
	static char json[500000];
	static uint8_t again[sizeof(rig.body)];
	struct message message = rig_call_message(1, "echo", 60 * NS_PER_S);
	size_t sent = 0, received = 0;

	(void)state;
	memset(json, 'a', sizeof(json) - 1);
	memcpy(json, "{\"text\":\"", 9);
	strcpy(json + sizeof(json) - 3, "\"}");
	rig_start_ready(rig_exec_echo);
	rig_set_body(json);
	message.call.flags = CALL_MORE;
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	rig_say(message);
	for (uint32_t i = 0; sent < rig.body_bytes; i++) {
		size_t length = rig.body_bytes - sent < 60000 ? rig.body_bytes - sent : 60000;

		if (!credit_covers(&rig.call, length))
			credit_add(&rig.call, rig_expect(MESSAGE_CREDIT).credit.bytes);
		rig_say((struct message){
			.kind = MESSAGE_CHUNK_REQ, .call_id = 1,
			.chunk_req = { i, sent + length == rig.body_bytes },
			.body = { rig.body + sent, length } });
		sent += length;
	}
	do {
		assert_int_equal(rig_hear(&message), 0);
		if (message.kind != MESSAGE_CHUNK)
			continue;
		assert_int_equal(message.chunk.stream, 0);
		memcpy(again + received, message.body.data, message.body.length);
		received += message.body.length;
		rig_grant(1, (uint32_t)message.body.length);
	} while (message.kind != MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_OK);
	assert_int_equal(message.body.length, 0);
	assert_int_equal(received, rig.body_bytes);
	assert_memory_equal(again, rig.body, received);
}

static void arguments_have_a_limit(void **state)
{
	static const uint8_t piece[200000];
	struct message message = rig_call_message(1, "echo", 60 * NS_PER_S);

	(void)state;
	rig_start_ready(rig_exec_echo);
	message.call.flags = CALL_MORE;
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	rig_say(message);
	for (uint32_t i = 0; i < 6; i++) {
		if (!credit_covers(&rig.call, sizeof(piece)))
			credit_add(&rig.call, rig_expect(MESSAGE_CREDIT).credit.bytes);
		rig_say((struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = 1,
				      .chunk_req.sequence = i,
				      .body = { piece, sizeof(piece) } });
	}
	do
		assert_int_equal(rig_hear(&message), 0);
	while (message.kind == MESSAGE_CREDIT);
	assert_int_equal(message.kind, MESSAGE_ACCEPT);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_RESOURCE_EXHAUSTED);
	rig_call(2, "echo", "{}");
	rig_expect_result(2, ERROR_OK);
}

/* ---- results that are kept ---- */

static void a_result_is_kept_until_it_is_confirmed(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo", "{\"a\":1}");
	rig_expect_result(1, ERROR_OK);
	rig_call(2, "echo", "{\"a\":2}");
	rig_expect_result(2, ERROR_OK);
	rig_confirm(1);
	rig_call(3, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	rig_say((struct message){ .kind = MESSAGE_RESYNC });
	struct message message = rig_expect(MESSAGE_RESYNC);

	assert_int_equal(message.call_id, 3);
	assert_false(message.resync.finished);
	message = rig_expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id, 2);
	assert_true(message.resync.finished);
	assert_int_equal(rig_expect(MESSAGE_RESYNC).call_id, 0);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 2);
	assert_true(message.body.length > 0);
}

static void its_router_dies_and_it_goes_on(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo", "{\"a\":1}");
	rig_expect_result(1, ERROR_OK);
	rig_call(2, "echo.sleep", "{\"ms\":300}");
	rig_expect(MESSAGE_ACCEPT);
	rig_call(3, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	rig_lose_router();
	usleep(600000);		/* one of them ends meanwhile */
	rig_renew();
	message = rig_expect(MESSAGE_HELLO);
	assert_int_equal(message.generation, 0);
	rig_welcome();
	assert_int_equal(rig_expect(MESSAGE_READY).generation, RIG_GENERATION);
	assert_int_equal(poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100), 0);
	rig_say((struct message){ .kind = MESSAGE_RESYNC });
	message = rig_expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id + rig_expect(MESSAGE_RESYNC).call_id, 2 + 3);
	message = rig_expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id, 1);
	assert_true(message.resync.finished);
	message = rig_expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id, 0);
	assert_false(message.resync.finished);
	assert_int_equal(rig_expect(MESSAGE_RESULT).call_id +
			 rig_expect(MESSAGE_RESULT).call_id, 1 + 2);
	rig_cancel(3);
	assert_int_equal(rig_expect(MESSAGE_RESULT).result.code, ERROR_CANCELLED);
	rig_call(4, "echo", "{}");	/* and as any other */
	rig_expect_result(4, ERROR_OK);
}

/* Output of echo.flood from that byte on, in chunks from that one on. */
struct flood {
	size_t bytes;
	uint32_t chunks;
};

static void take_flood(struct flood *flood, size_t end)
{
	while (flood->bytes < end) {
		struct message message = rig_expect(MESSAGE_CHUNK);

		assert_int_equal(message.chunk.sequence, flood->chunks++);
		for (size_t i = 0; i < message.body.length; i++, flood->bytes++)
			assert_int_equal(message.body.data[i], 'a' + flood->bytes % 65536 % 26);
	}
	assert_int_equal(flood->bytes, end);
}

/* As much as there is credit for at first. */
static void begin_flood(struct flood *ret)
{
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.flood", "{\"bytes\":2000000}");
	rig_expect(MESSAGE_ACCEPT);
	*ret = (struct flood){ 0 };
	take_flood(ret, CREDIT_CALL_BYTES);
}

/* Another router, which the worker tells of its only call. */
static struct message_resync ask_after_death(void)
{
	struct message message;

	rig_lose_router();
	rig_renew();
	rig_expect(MESSAGE_HELLO);
	rig_welcome();
	rig_expect(MESSAGE_READY);
	rig_say((struct message){ .kind = MESSAGE_RESYNC });
	message = rig_expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id, 1);
	assert_int_equal(rig_expect(MESSAGE_RESYNC).call_id, 0);
	assert_int_equal(poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100), 0);
	return message.resync;
}

static void ask_from(uint32_t chunk)
{
	rig_say((struct message){ .kind = MESSAGE_RESYNC, .call_id = 1,
				  .resync.chunks = chunk });
}

static void output_and_result_come_again_from_where_they_are_wanted(void **state)
{
	struct flood first = { 0 }, flood = { 0 };
	struct message_resync resync;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.flood", "{\"bytes\":200000}");
	rig_expect(MESSAGE_ACCEPT);
	take_flood(&first, 65536);
	flood = first;
	take_flood(&flood, 200000);
	rig_expect(MESSAGE_RESULT);
	for (unsigned i = 0; i < 3; i++) {	/* the last of them wants all */
		resync = ask_after_death();
		assert_true(resync.finished);
		assert_int_equal(resync.chunks, flood.chunks);
		assert_int_equal(resync.first, 0);
		flood = i == 2 ? (struct flood){ 0 } : first;
		ask_from(flood.chunks);
		if (i == 0) {
			rig_expect(MESSAGE_CHUNK);
			flood.chunks = resync.chunks;
			continue;
		}
		take_flood(&flood, 200000);
		assert_int_equal(rig_expect(MESSAGE_RESULT).result.chunks, flood.chunks);
	}
	rig_confirm(1);
	rig_call(2, "echo", "{}");
	rig_expect_result(2, ERROR_OK);
}

static void a_stream_goes_on_after_its_last_window(void **state)
{
	struct flood flood = { 0 }, again;
	struct message_resync resync;

	(void)state;
	begin_flood(&flood);
	for (unsigned i = 0; i < 4; i++) {
		rig_grant(1, CREDIT_CALL_BYTES);
		again = flood;
		take_flood(&flood, flood.bytes + CREDIT_CALL_BYTES);
	}
	resync = ask_after_death();
	assert_false(resync.finished);
	assert_int_equal(resync.chunks, flood.chunks);
	assert_true(resync.first > 0 && resync.first <= again.chunks);
	ask_from(again.chunks);		/* a window is lost, and as much is granted */
	take_flood(&again, flood.bytes);
	assert_int_equal(poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100), 0);
	while (again.bytes < 2000000) {
		rig_grant(1, 100000);
		take_flood(&again, again.bytes + 100000 < 2000000 ? again.bytes + 100000
								  : 2000000);
	}
	rig_grant(1, 100000);
	assert_int_equal(rig_expect(MESSAGE_RESULT).result.chunks, again.chunks);
}

static void cancelled_it_sends_nothing_again(void **state)
{
	struct message_resync resync;
	struct flood flood = { 0 };
	struct message message;

	for (unsigned asked = 0; asked < 2; asked++) {
		begin_flood(&flood);
		rig_grant(1, 65536);
		take_flood(&flood, CREDIT_CALL_BYTES + 65536);
		resync = ask_after_death();
		if (asked) {		/* as much as there is credit for */
			ask_from(0);
			flood = (struct flood){ 0 };
			take_flood(&flood, CREDIT_CALL_BYTES);
		}
		rig_cancel(1);
		message = rig_expect(MESSAGE_RESULT);
		assert_int_equal(message.result.code, ERROR_CANCELLED);
		assert_int_equal(message.result.chunks, asked ? flood.chunks : resync.chunks);
		rig_stop(state);
	}
}

static void what_it_cannot_send_again_is_not_to_be_asked_for(void **state)
{
	struct message_resync resync;
	struct flood flood = { 0 };
	struct message message;

	for (unsigned how = 0; how < 4; how++) {
		begin_flood(&flood);
		for (unsigned i = 0; i < 4; i++) {
			rig_grant(1, CREDIT_CALL_BYTES);
			take_flood(&flood, flood.bytes + CREDIT_CALL_BYTES);
		}
		resync = ask_after_death();
		if (how == 3) {			/* twice */
			ask_from(resync.chunks);
			ask_from(resync.chunks);
		} else if (how == 2) {		/* of a call it does not have */
			rig_say((struct message){ .kind = MESSAGE_RESYNC, .call_id = 2 });
		} else {
			ask_from(how == 1 ? resync.first - 1 : resync.chunks + 1);
		}
		do
			assert_int_equal(rig_hear(&message), 0);
		while (message.kind == MESSAGE_CHUNK);
		assert_int_equal(message.kind, MESSAGE_GOAWAY);
		assert_true(rig_left_broken());
		rig_stop(state);
	}
}

/* Whatever was not whole is not executed, and its number may come again. */
static void half_a_call_dies_with_its_router(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_set_body("{\"a\":1}");
	message = rig_call_message(1, "echo", 10 * NS_PER_S);
	message.call.flags = CALL_MORE;
	rig_say(message);
	rig_lose_router();
	rig_renew();
	rig_expect(MESSAGE_HELLO);
	rig_welcome();
	rig_expect(MESSAGE_READY);
	rig_say((struct message){ .kind = MESSAGE_RESYNC });
	assert_int_equal(rig_expect(MESSAGE_RESYNC).call_id, 0);
	rig_call(1, "echo", "{}");
	rig_expect_result(1, ERROR_OK);
}

/* ---- a router that is wrong ---- */

static void send_bytes(const void *bytes, size_t length)
{
	assert_int_equal(send(rig.router.fd, bytes, length, MSG_NOSIGNAL), length);
}

static void nonsense_ends_it(void **state)
{
	static const uint8_t huge[] = { 0x7f, 0xff, 0xff, 0xff, 0x95, 1 };
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	send_bytes("what is this?", 13);
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	send_bytes(huge, sizeof(huge));
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);			/* a message out of place */
	rig.router.state = LINK_HELLO;
	rig_welcome();
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);			/* a call id in use */
	rig_call(1, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	rig_call(1, "echo", "{}");
	assert_int_equal(rig_expect(MESSAGE_GOAWAY).goaway.code, ERROR_PROTOCOL);
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);			/* a gap in the argument */
	message = rig_call_message(1, "echo", NS_PER_S);
	message.call.flags = CALL_MORE;
	rig_say(message);
	rig_say((struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = 1,
			      .chunk_req.sequence = 1 });
	rig_expect(MESSAGE_GOAWAY);
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);			/* credit beyond the window */
	rig_call(1, "echo.sleep", "{\"ms\":60000}");
	rig_expect(MESSAGE_ACCEPT);
	rig_grant(1, 1);
	rig_expect(MESSAGE_GOAWAY);
	assert_true(rig_left_broken());
}

static void late_words_about_calls_that_are_gone_are_nothing(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_cancel(99);
	rig_confirm(99);
	rig_grant(99, 1000);
	rig_call(1, "echo", "{}");
	rig_expect_result(1, ERROR_OK);
	rig_grant(1, 1);
	rig_confirm(1);
	rig_confirm(1);
	rig_call(2, "echo", "{}");
	rig_expect_result(2, ERROR_OK);
}

static void a_frame_may_come_byte_by_byte(void **state)
{
	uint8_t frame[4096];
	struct message message = rig_call_message(1, "echo", 60 * NS_PER_S);
	int length;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_set_body("{\"text\":\"noble\"}");
	message.generation = RIG_GENERATION;
	message.body = (struct span){ rig.body, rig.body_bytes };
	length = message_encode(&message, frame, sizeof(frame), NULL);
	assert_true(length > 0);
	for (int i = 0; i < length; i++) {
		send_bytes(frame + i, 1);
		usleep(200);
	}
	rig_expect_result(1, ERROR_OK);
}

/* ---- deaths ---- */

static void the_crash_page_names_the_call(void **state)
{
	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(77, "echo.crash", "{\"signal\":11,\"phase\":3}");
	rig_expect(MESSAGE_ACCEPT);
	int status = rig_ended();

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(rig.page->call, 77);
	assert_int_equal(rig.page->phase, 3);
	assert_true(rig.page->address_count >= 3);
	assert_int_equal(strnlen(rig.page->build, CRASH_BUILD_BYTES), CRASH_BUILD_BYTES - 2);
}

static void death_before_accepting_shows(void **state)
{
	struct message message;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.crash", "{\"exit\":9,\"accept\":false}");
	assert_int_equal(rig_hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(rig_ended()), 9);
	rig_stop(NULL);

	rig_start_ready(rig_exec_echo);
	rig_call(1, "echo.crash", "{\"exit\":9}");
	rig_expect(MESSAGE_ACCEPT);
	assert_int_equal(rig_hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(rig_ended()), 9);
}

static void a_hang_can_be_seen_in_the_beats(void **state)
{
	struct beat first, second;

	(void)state;
	rig_start_ready(rig_exec_echo);
	rig_expect_beat(BEAT_HELLO);
	rig_expect_beat(BEAT_ALIVE);
	rig_expect_beat(BEAT_READY);
	rig_call(1, "echo.hang", "{\"ms\":2500,\"beats\":\"still\"}");
	first = rig_expect_beat(BEAT_ALIVE);
	second = rig_expect_beat(BEAT_ALIVE);
	assert_int_equal(first.value, second.value);
	rig_expect_result(1, ERROR_OK);
	rig_call(2, "echo.hang", "{\"ms\":2500,\"beats\":\"alive\"}");
	first = rig_expect_beat(BEAT_ALIVE);
	second = rig_expect_beat(BEAT_ALIVE);
	assert_true(second.value > first.value);
}

/* ---- programs of another kind ---- */

/* Of a program below: the send on its link that fails; 0: none. */
static int bad_send, sends_left;
static bool *served;

ssize_t send(int fd, const void *data, size_t length, int flags)
{
	if (fd == WORKER_LINK_FD && sends_left > 0 && --sends_left == 0) {
		errno = EIO;
		return -1;
	}
	return sendto(fd, data, length, flags, NULL, 0);
}

static int serve_once(struct worker_call *call, json_t **ret, struct error *why)
{
	(void)why;
	if (served)
		*served = true;
	*ret = json_incref(call->arguments);
	return 0;
}

static int fail_test(struct worker *worker, struct error *why)
{
	(void)worker;
	return error_set(why, -EIO, "the self-test has failed");
}

static const struct worker_promise promises[] = { { "other", "true", TOOL_PURE } };
static const struct worker_contract contract = { promises, 1, 1 };
static const struct worker_promise effects[] = { { "other", "true", TOOL_EFFECTFUL } };
static const struct worker_contract effectful = { effects, 1, 1 };
static const struct worker_tool once[] = { { .name = "other", .serve = serve_once } };
static const struct worker_tool strange[] = { { .name = "strange", .serve = serve_once } };

static void run_single(void)
{
	_exit(worker_main(&(struct worker_program){
		.name = "single", .contract = &contract, .tools = once,
		.tool_count = 1, .single_use = true }));
}

static void run_untested(void)
{
	_exit(worker_main(&(struct worker_program){
		.name = "untested", .contract = &contract, .tools = once,
		.tool_count = 1, .self_test = fail_test }));
}

static void run_strange(void)
{
	_exit(worker_main(&(struct worker_program){
		.name = "strange", .contract = &contract, .tools = strange,
		.tool_count = 1 }));
}

static void run_effectful(void)
{
	sends_left = bad_send;
	_exit(worker_main(&(struct worker_program){
		.name = "effectful", .contract = &effectful, .tools = once,
		.tool_count = 1, .single_use = true }));
}

static void a_single_use_worker_serves_any_name_once(void **state)
{
	(void)state;
	rig_start_ready(run_single);
	rig_call(1, "what.ever", "{\"a\":1}");
	rig_expect_result(1, ERROR_OK);
	rig_confirm(1);
	assert_true(rig_left_well());
}

/* HELLO, READY, ACCEPT, RESULT; without an ACCEPT another worker gets the call. */
static void what_cannot_be_sent_ends_it_and_nothing_begins_unaccepted(void **state)
{
	struct message message;

	(void)state;
	served = mmap(NULL, sizeof(*served), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(served != MAP_FAILED);
	for (bad_send = 3; bad_send <= 4; bad_send++) {
		bool accepted = bad_send == 4;

		*served = false;
		rig_start_ready(run_effectful);
		rig_call(1, "other", "{\"a\":1}");
		if (accepted)
			rig_expect(MESSAGE_ACCEPT);
		assert_int_equal(rig_hear(&message), -EPIPE);
		assert_true(rig_left_broken());
		assert_int_equal(*served, accepted);
		rig_stop(NULL);
	}
	munmap(served, sizeof(*served));
	served = NULL;
}

static void one_that_cannot_serve_never_becomes_ready(void **state)
{
	struct message message;

	(void)state;
	rig_start(run_untested);
	rig_expect(MESSAGE_HELLO);
	rig_welcome();
	assert_int_equal(rig_hear(&message), -EPIPE);
	assert_true(rig_left_broken());
	rig_stop(NULL);

	rig_start(run_strange);
	assert_int_equal(rig_hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(rig_ended()), WORKER_EXIT_CONTRACT);
}

#define TEST(function) cmocka_unit_test_teardown(function, rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_announces_itself_and_is_ready_only_once_welcomed),
		TEST(it_answers_a_ping),
		TEST(it_leaves_when_either_socket_ends),
		TEST(it_leaves_in_order_when_terminated),
		TEST(drained_it_finishes_and_leaves),
		TEST(a_call_is_accepted_and_answered),
		TEST(many_calls_in_one_write_are_all_answered),
		TEST(what_is_wrong_with_a_call_is_said),
		TEST(arguments_that_are_no_json_are_refused),
		TEST(beyond_its_calls_it_is_busy),
		TEST(pending_calls_end_in_their_own_order),
		TEST(one_that_works_hears_cancel_and_deadline),
		TEST(what_is_not_begun_is_given_back),
		TEST(progress_is_reported),
		TEST(chunks_wait_for_credit),
		TEST(without_credit_a_call_can_still_be_cancelled),
		TEST(a_router_that_does_not_read_is_waited_for),
		TEST(long_arguments_and_results_come_in_pieces),
		TEST(arguments_have_a_limit),
		TEST(a_result_is_kept_until_it_is_confirmed),
		TEST(its_router_dies_and_it_goes_on),
		TEST(output_and_result_come_again_from_where_they_are_wanted),
		TEST(a_stream_goes_on_after_its_last_window),
		TEST(cancelled_it_sends_nothing_again),
		TEST(what_it_cannot_send_again_is_not_to_be_asked_for),
		TEST(half_a_call_dies_with_its_router),
		TEST(nonsense_ends_it),
		TEST(late_words_about_calls_that_are_gone_are_nothing),
		TEST(a_frame_may_come_byte_by_byte),
		TEST(the_crash_page_names_the_call),
		TEST(death_before_accepting_shows),
		TEST(a_hang_can_be_seen_in_the_beats),
		TEST(a_single_use_worker_serves_any_name_once),
		TEST(what_cannot_be_sent_ends_it_and_nothing_begins_unaccepted),
		TEST(one_that_cannot_serve_never_becomes_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
