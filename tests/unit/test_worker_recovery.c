/*
 * What a worker keeps until it is confirmed, and tells another router when its
 * own has died.
 */
#include "tests/support/test.h"

#include <poll.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_result_is_kept_until_it_is_confirmed),
		RIG_TEST(its_router_dies_and_it_goes_on),
		RIG_TEST(output_and_result_come_again_from_where_they_are_wanted),
		RIG_TEST(a_stream_goes_on_after_its_last_window),
		RIG_TEST(cancelled_it_sends_nothing_again),
		RIG_TEST(what_it_cannot_send_again_is_not_to_be_asked_for),
		RIG_TEST(half_a_call_dies_with_its_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
