/*
 * The calls of a worker, which is cupel-echo: accepted, answered, refused and
 * cancelled; their output and long arguments in pieces, against credit.
 */
#include "tests/support/test.h"

#include <string.h>

#include "common/clock.h"
#include "tests/support/rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_call_is_accepted_and_answered),
		RIG_TEST(many_calls_in_one_write_are_all_answered),
		RIG_TEST(what_is_wrong_with_a_call_is_said),
		RIG_TEST(arguments_that_are_no_json_are_refused),
		RIG_TEST(beyond_its_calls_it_is_busy),
		RIG_TEST(pending_calls_end_in_their_own_order),
		RIG_TEST(one_that_works_hears_cancel_and_deadline),
		RIG_TEST(what_is_not_begun_is_given_back),
		RIG_TEST(progress_is_reported),
		RIG_TEST(chunks_wait_for_credit),
		RIG_TEST(without_credit_a_call_can_still_be_cancelled),
		RIG_TEST(a_router_that_does_not_read_is_waited_for),
		RIG_TEST(long_arguments_and_results_come_in_pieces),
		RIG_TEST(arguments_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
