/*
 * The skeleton of workers from outside: the test is router and monitor, the
 * worker is cupel-echo itself, or a small program where that one cannot show it.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
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

/* How often a program was given a pause that wants no other after its first. */
static int pauses;

static int64_t pause_once(struct worker *worker, int64_t now_ns)
{
	(void)worker;
	(void)now_ns;
	pauses++;
	return DEADLINE_NEVER;
}

static int serve_long(struct worker_call *call, json_t **ret, struct error *why)
{
	(void)ret;
	(void)why;
	worker_wake_at(call, clock_now_ns() + 200 * NS_PER_MS);
	return WORKER_PENDING;
}

static void tell_pauses(struct worker_call *call)
{
	worker_finish(call, json_integer(pauses));
}

static void run_idle(void)
{
	static const struct worker_tool slow[] = {
		{ .name = "other", .serve = serve_long, .woken = tell_pauses } };

	_exit(worker_main(&(struct worker_program){
		.name = "idle", .contract = &contract, .tools = slow,
		.tool_count = 1, .calls_max = 1, .idle = pause_once }));
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

static void a_pause_nobody_wants_is_given_to_nobody(void **state)
{
	static const uint8_t counted[] = { 0, 1, 1 };	/* as pack.h writes them */
	struct message message;

	(void)state;
	rig_start_ready(run_idle);
	for (uint64_t id = 1; id <= 3; id++) {
		rig_call(id, "other", "1");
		message = rig_expect_result(id, ERROR_OK);
		assert_int_equal(message.body.length, 1);
		assert_int_equal(*message.body.data, counted[id - 1]);
		rig_confirm(id);
		poll(NULL, 0, id == 1 ? 1500 : 100);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(it_announces_itself_and_is_ready_only_once_welcomed),
		RIG_TEST(it_answers_a_ping),
		RIG_TEST(it_leaves_when_either_socket_ends),
		RIG_TEST(it_leaves_in_order_when_terminated),
		RIG_TEST(drained_it_finishes_and_leaves),
		RIG_TEST(nonsense_ends_it),
		RIG_TEST(late_words_about_calls_that_are_gone_are_nothing),
		RIG_TEST(a_frame_may_come_byte_by_byte),
		RIG_TEST(the_crash_page_names_the_call),
		RIG_TEST(death_before_accepting_shows),
		RIG_TEST(a_hang_can_be_seen_in_the_beats),
		RIG_TEST(a_single_use_worker_serves_any_name_once),
		RIG_TEST(a_pause_nobody_wants_is_given_to_nobody),
		RIG_TEST(what_cannot_be_sent_ends_it_and_nothing_begins_unaccepted),
		RIG_TEST(one_that_cannot_serve_never_becomes_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
