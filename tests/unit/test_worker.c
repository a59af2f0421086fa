/*
 * The skeleton of workers from outside: the test is router and monitor, the
 * worker is cupel-echo itself, or a small program where that one cannot show it.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/convert.h"
#include "workers/worker.h"

#define ROOM (2 * FRAME_BYTES_MAX)
#define GENERATION 7
#define PATIENCE_NS (10 * NS_PER_S)

static struct rig {
	struct channel router;
	int beat;
	struct crash_page *page;
	pid_t pid;
	struct credit call;		/* of the call that is being sent */
	uint8_t body[1 << 20];
	size_t body_bytes;
} rig;

static uint8_t rooms[2][ROOM];

/* ---- starting one ---- */

static void exec_echo(void)
{
	const char *folder = getenv("CUPEL_BIN");
	char path[4096];

	snprintf(path, sizeof(path), "%s/cupel-echo", folder ? folder : "build/bin");
	execl(path, "cupel-echo", (char *)NULL);
	_exit(126);
}

static void become_worker(int link, int beat, int page, void (*program)(void))
{
	int fds[] = { fcntl(link, F_DUPFD, 20), fcntl(beat, F_DUPFD, 20),
		      fcntl(page, F_DUPFD, 20) };

	for (int i = 0; i < 3; i++)
		dup2(fds[i], WORKER_LINK_FD + i);
	close_range(WORKER_CLIENT_FD, ~0U, 0);
	program();
	_exit(127);
}

static void start(void (*program)(void))
{
	struct buffer in, out;
	int link[2], beat[2], page = memfd_create("crash", MFD_CLOEXEC);

	rig.body_bytes = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, beat), 0);
	assert_int_equal(ftruncate(page, sizeof(struct crash_page)), 0);
	rig.page = mmap(NULL, sizeof(*rig.page), PROT_READ, MAP_SHARED, page, 0);
	assert_true(rig.page != MAP_FAILED);
	fflush(stdout);
	rig.pid = fork();
	assert_true(rig.pid >= 0);
	if (rig.pid == 0)
		become_worker(link[1], beat[1], page, program);
	close(link[1]);
	close(beat[1]);
	close(page);
	rig.beat = beat[0];
	buffer_init(&in, rooms[0], ROOM);
	buffer_init(&out, rooms[1], ROOM);
	channel_init(&rig.router, link[0], ROUTER_TO_WORKER, in, out);
}

/* The wait status of the worker, which is to end by itself. */
static int ended(void)
{
	int64_t until_ns = clock_now_ns() + PATIENCE_NS;
	int status;

	while (waitpid(rig.pid, &status, WNOHANG) == 0) {
		if (clock_now_ns() > until_ns) {
			kill(rig.pid, SIGKILL);
			waitpid(rig.pid, &status, 0);
			fail_msg("the worker did not end");
		}
		usleep(1000);
	}
	rig.pid = 0;
	return status;
}

static int stop(void **state)
{
	(void)state;
	if (rig.pid > 0) {
		kill(rig.pid, SIGKILL);
		waitpid(rig.pid, NULL, 0);
	}
	channel_release(&rig.router);
	close(rig.beat);
	munmap(rig.page, sizeof(*rig.page));
	rig.pid = 0;
	return 0;
}

/* ---- speaking ---- */

static void flush(void)
{
	while (channel_flush(&rig.router) == -EAGAIN)
		poll(&(struct pollfd){ rig.router.fd, POLLOUT, 0 }, 1, 1000);
}

static void say(struct message message)
{
	struct error why = { 0 };

	message.generation = GENERATION;
	test_row(channel_send(&rig.router, &message, &rig.call, &why) == 0,
		 "%s: %s", message_kind_name(message.kind), why.text);
	flush();
}

/* The next message, or an error of the channel. */
static int hear(struct message *ret)
{
	int64_t until_ns = clock_now_ns() + PATIENCE_NS;
	int r;

	while ((r = channel_receive(&rig.router, ret)) == -EAGAIN) {
		if (clock_now_ns() > until_ns)
			fail_msg("the worker says nothing");
		poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100);
	}
	if (r == 0 && ret->body.length)
		channel_consume(&rig.router, ret->body.length);
	flush();
	return r;
}

static struct message expect(enum message_kind kind)
{
	struct message message;
	int r = hear(&message);

	test_row(r == 0, "%s awaited, got error %d", message_kind_name(kind), r);
	test_row(message.kind == kind, "%s awaited, got %s (%.*s)",
		 message_kind_name(kind), message_kind_name(message.kind),
		 message.kind == MESSAGE_RESULT ? (int)message.result.reason.length : 0,
		 message.kind == MESSAGE_RESULT ? message.result.reason.data : "");
	return message;
}

static struct beat expect_beat(enum beat_kind kind)
{
	struct beat beat = { 0 };

	assert_int_equal(poll(&(struct pollfd){ rig.beat, POLLIN, 0 }, 1, 5000), 1);
	assert_int_equal(recv(rig.beat, &beat, sizeof(beat), 0), sizeof(beat));
	assert_int_equal(beat.kind, kind);
	return beat;
}

static void welcome(void)
{
	say((struct message){ .kind = MESSAGE_WELCOME, .welcome = { .minor = MESSAGE_MINOR } });
}

static void start_ready(void (*program)(void))
{
	start(program);
	expect(MESSAGE_HELLO);
	welcome();
	expect(MESSAGE_READY);
}

static void set_body(const char *json)
{
	const struct json_limits limits = { 1 << 20, 8 };
	json_t *tree;
	struct error why;
	int r = json_parse(span_of_text(json), limits, &tree, &why);

	test_row(r == 0, "%s: %s", json, why.text);
	r = convert_from_json(tree, rig.body, sizeof(rig.body), &why);
	json_decref(tree);
	assert_true(r > 0);
	rig.body_bytes = (size_t)r;
}

static struct message call_message(uint64_t id, const char *tool, int64_t timeout_ns)
{
	return (struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = clock_now_ns() + timeout_ns,
		.call = { .tool = message_text_of(tool), .attempt = 1 },
	};
}

static void call_within(uint64_t id, const char *tool, const char *json,
			int64_t timeout_ns)
{
	struct message message = call_message(id, tool, timeout_ns);

	set_body(json);
	message.body = (struct span){ rig.body, rig.body_bytes };
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	say(message);
}

static void call(uint64_t id, const char *tool, const char *json)
{
	call_within(id, tool, json, 60 * NS_PER_S);
}

/* ACCEPT and RESULT of a call, with that code. */
static struct message expect_result(uint64_t id, enum error_code code)
{
	struct message message = expect(MESSAGE_ACCEPT);

	assert_int_equal(message.call_id, id);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, id);
	test_row(message.result.code == code, "code %u: %.*s", message.result.code,
		 (int)message.result.reason.length, message.result.reason.data);
	assert_int_equal(message.generation, GENERATION);
	return message;
}

static bool says(const struct message *message, const char *words)
{
	char reason[ERROR_TEXT_BYTES] = { 0 };

	memcpy(reason, message->result.reason.data, message->result.reason.length);
	if (!strstr(reason, words))
		print_message("# reason: %s\n", reason);
	return strstr(reason, words);
}

static void confirm(uint64_t id)
{
	say((struct message){ .kind = MESSAGE_RESULT_ACK, .call_id = id });
}

static void grant(uint64_t id, uint32_t bytes)
{
	say((struct message){ .kind = MESSAGE_CREDIT, .call_id = id,
			      .credit.bytes = bytes });
}

static void cancel(uint64_t id)
{
	say((struct message){ .kind = MESSAGE_CANCEL, .call_id = id });
}

static void drain(int64_t timeout_ns)
{
	say((struct message){ .kind = MESSAGE_DRAIN,
			      .deadline_ns = clock_now_ns() + timeout_ns });
}

static bool left_well(void)
{
	int status = ended();

	if (status != 0)
		print_message("# wait status %x\n", (unsigned)status);
	return status == 0;
}

static bool left_broken(void)
{
	int status = ended();

	return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_BROKEN;
}

/* ---- the life ---- */

static void it_announces_itself_and_is_ready_only_once_welcomed(void **state)
{
	struct message message;
	struct beat first, second;

	(void)state;
	start(exec_echo);
	message = expect(MESSAGE_HELLO);
	assert_int_equal(message.hello.major, MESSAGE_MAJOR);
	assert_int_equal(message.generation, 0);
	assert_true(message.hello.tools_hash != 0);
	expect_beat(BEAT_HELLO);
	assert_int_equal(poll(&(struct pollfd){ rig.router.fd, POLLIN, 0 }, 1, 100), 0);
	welcome();
	message = expect(MESSAGE_READY);
	assert_int_equal(message.generation, GENERATION);
	assert_int_equal(message.ready.calls_max, 8);
	first = expect_beat(BEAT_ALIVE);	/* the loop's first; */
	assert_int_equal(expect_beat(BEAT_READY).value, 8);
	second = expect_beat(BEAT_ALIVE);
	assert_true(second.value > first.value);
}

static void it_answers_a_ping(void **state)
{
	struct message message;

	(void)state;
	start_ready(exec_echo);
	say((struct message){ .kind = MESSAGE_PING, .ping.token = 42 });
	message = expect(MESSAGE_PONG);
	assert_int_equal(message.pong.token, 42);
	assert_true(message.pong.progress > 0);
}

static void it_leaves_when_either_socket_ends(void **state)
{
	(void)state;
	start_ready(exec_echo);
	shutdown(rig.router.fd, SHUT_RDWR);
	assert_true(left_well());
	stop(NULL);

	start_ready(exec_echo);
	call(1, "echo.sleep", "{\"ms\":60000}");
	expect(MESSAGE_ACCEPT);
	close(rig.beat);
	rig.beat = -1;
	assert_true(left_well());
	stop(NULL);

	start_ready(exec_echo);		/* and in the midst of serving */
	call(1, "echo.progress", "{\"steps\":1,\"ms\":10000}");
	expect(MESSAGE_ACCEPT);
	close(rig.beat);
	rig.beat = -1;
	assert_true(left_well());
}

static void it_leaves_in_order_when_terminated(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(1, "echo.sleep", "{\"ms\":60000}");
	expect(MESSAGE_ACCEPT);
	kill(rig.pid, SIGTERM);
	assert_int_equal(expect(MESSAGE_RESULT).result.code, ERROR_CANCELLED);
	assert_true(left_well());
	stop(NULL);

	start_ready(exec_echo);
	call(1, "echo.burn", "{\"ms\":300}");
	expect(MESSAGE_ACCEPT);
	kill(rig.pid, SIGTERM);
	assert_int_equal(expect(MESSAGE_RESULT).result.code, ERROR_OK);
	assert_true(left_well());
}

static void drained_it_finishes_and_leaves(void **state)
{
	struct message message;

	(void)state;
	start_ready(exec_echo);
	call(1, "echo.sleep", "{\"ms\":200}");
	drain(60 * NS_PER_S);
	expect_result(1, ERROR_OK);
	message = expect(MESSAGE_DRAINED);
	assert_int_equal(message.drained.calls, 1);
	assert_true(left_well());
	stop(NULL);

	start_ready(exec_echo);
	call(1, "echo.sleep", "{\"ms\":60000}");
	drain(100 * NS_PER_MS);
	expect_result(1, ERROR_CANCELLED);
	expect(MESSAGE_DRAINED);
	assert_true(left_well());
	stop(NULL);

	start_ready(exec_echo);
	drain(60 * NS_PER_S);
	assert_int_equal(expect(MESSAGE_DRAINED).drained.calls, 0);
	assert_true(left_well());
}

/* ---- calls ---- */

static void a_call_is_accepted_and_answered(void **state)
{
	struct message message;

	(void)state;
	start_ready(exec_echo);
	for (uint64_t id = 1; id <= 100; id++) {
		call(id, "echo", "{\"text\":\"noble\",\"n\":[1,2.5,null]}");
		message = expect_result(id, ERROR_OK);
		assert_true(span_equal(message.body, (struct span){ rig.body, rig.body_bytes }));
		confirm(id);
	}
}

static void many_calls_in_one_write_are_all_answered(void **state)
{
	struct error why = { 0 };

	(void)state;
	start_ready(exec_echo);
	set_body("{\"text\":\"noble\"}");
	for (uint64_t id = 1; id <= 8; id++) {
		struct message message = call_message(id, "echo", NS_PER_S * 60);

		message.generation = GENERATION;
		message.body = (struct span){ rig.body, rig.body_bytes };
		rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		test_row(channel_send(&rig.router, &message, &rig.call, &why) == 0,
			 "%s", why.text);
	}
	flush();
	for (uint64_t id = 1; id <= 8; id++)
		expect_result(id, ERROR_OK);
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
	start_ready(exec_echo);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct message message;

		call(i + 1, cases[i].tool, cases[i].json);
		message = expect_result(i + 1, cases[i].code);
		test_row(says(&message, cases[i].words), "%s %s", cases[i].tool,
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
	start_ready(exec_echo);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		message = call_message(i + 1, "echo", NS_PER_S);
		message.body = span_of_text(bodies[i]);
		rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		say(message);
		message = expect_result(i + 1, ERROR_INVALID_ARGUMENT);
		assert_true(says(&message, "msgpack before byte"));
	}
}

static void beyond_its_calls_it_is_busy(void **state)
{
	struct message message;

	(void)state;
	start_ready(exec_echo);
	for (uint64_t id = 1; id <= 8; id++) {
		call(id, "echo.sleep", "{\"ms\":60000}");
		expect(MESSAGE_ACCEPT);
	}
	call(9, "echo", "{}");
	message = expect(MESSAGE_BUSY);
	assert_int_equal(message.call_id, 9);
	assert_int_equal(message.busy.code, ERROR_RESOURCE_EXHAUSTED);
	cancel(3);
	assert_int_equal(expect(MESSAGE_RESULT).call_id, 3);
	call(10, "echo", "{}");
	expect_result(10, ERROR_OK);
	call(11, "echo.fail", "{\"code\":68,\"busy\":true,\"reason\":\"not now\"}");
	message = expect(MESSAGE_BUSY);
	assert_int_equal(message.busy.code, ERROR_SHED);
}

static void pending_calls_end_in_their_own_order(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(1, "echo.sleep", "{\"ms\":400}");
	call(2, "echo.sleep", "{\"ms\":50}");
	call_within(3, "echo.sleep", "{\"ms\":60000}", 200 * NS_PER_MS);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(expect(MESSAGE_ACCEPT).call_id, id);
	call(4, "echo", "{}");
	expect_result(4, ERROR_OK);
	struct message message = expect(MESSAGE_RESULT);

	assert_int_equal(message.call_id, 2);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 3);
	assert_int_equal(message.result.code, ERROR_DEADLINE_EXCEEDED);
	assert_int_equal(expect(MESSAGE_RESULT).call_id, 1);
}

static void one_that_works_hears_cancel_and_deadline(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(1, "echo.burn", "{\"ms\":60000}");
	call(2, "echo.sleep", "{\"ms\":0}");	/* waits behind it */
	call_within(3, "echo", "{}", 100 * NS_PER_MS);	/* so long that it is too late */
	assert_int_equal(expect(MESSAGE_ACCEPT).call_id, 1);
	struct message message = expect(MESSAGE_ACCEPT);

	assert_int_equal(message.call_id, 3);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 3);
	assert_int_equal(message.result.code, ERROR_DEADLINE_EXCEEDED);
	cancel(1);
	cancel(1);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 1);
	assert_int_equal(message.result.code, ERROR_CANCELLED);
	expect_result(2, ERROR_OK);
	cancel(2);				/* crosses the result */
	call_within(4, "echo.burn", "{\"ms\":60000}", 50 * NS_PER_MS);
	expect_result(4, ERROR_DEADLINE_EXCEEDED);
}

static void progress_is_reported(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(1, "echo.progress", "{\"steps\":3,\"ms\":1}");
	expect(MESSAGE_ACCEPT);
	for (unsigned i = 1; i <= 3; i++) {
		struct message message = expect(MESSAGE_PROGRESS);

		assert_int_equal(message.progress.done, i);
		assert_int_equal(message.progress.total, 3);
	}
	expect(MESSAGE_RESULT);
}

/* ---- streams ---- */

static void chunks_wait_for_credit(void **state)
{
	size_t received = 0;
	uint32_t sequence = 0;
	struct message message;

	(void)state;
	start_ready(exec_echo);
	call(1, "echo.flood", "{\"bytes\":1000000,\"stream\":2}");
	expect(MESSAGE_ACCEPT);
	while (received < CREDIT_CALL_BYTES) {
		message = expect(MESSAGE_CHUNK);
		assert_int_equal(message.chunk.sequence, sequence++);
		assert_int_equal(message.chunk.stream, 2);
		received += message.body.length;
	}
	assert_int_equal(received, CREDIT_CALL_BYTES);
	say((struct message){ .kind = MESSAGE_PING });
	expect(MESSAGE_PONG);			/* nothing but this comes */
	while (received < 1000000) {
		grant(1, 100000);
		for (size_t all = received + 100000; received < all && received < 1000000;) {
			message = expect(MESSAGE_CHUNK);
			assert_int_equal(message.chunk.sequence, sequence++);
			received += message.body.length;
		}
	}
	assert_int_equal(received, 1000000);
	grant(1, 100000);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.result.chunks, sequence);
}

static void without_credit_a_call_can_still_be_cancelled(void **state)
{
	size_t received = 0;
	struct message message;

	(void)state;
	start_ready(exec_echo);
	call(1, "echo.flood", "{\"bytes\":262144}");	/* then its result has no credit */
	expect(MESSAGE_ACCEPT);
	while (received < CREDIT_CALL_BYTES)
		received += expect(MESSAGE_CHUNK).body.length;
	cancel(1);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_CANCELLED);
	assert_int_equal(message.body.length, 0);
}

static void a_router_that_does_not_read_is_waited_for(void **state)
{
	size_t received = 0;

	(void)state;
	start_ready(exec_echo);
	for (uint64_t id = 1; id <= 8; id++)
		call(id, "echo.flood", "{\"bytes\":200000}");
	for (unsigned i = 0; i < 100; i++)
		say((struct message){ .kind = MESSAGE_PING, .ping.token = i });
	for (unsigned pongs = 0, results = 0; pongs < 100 || results < 8;) {
		struct message message;

		assert_int_equal(hear(&message), 0);
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
	struct message message = call_message(1, "echo", 60 * NS_PER_S);
	size_t sent = 0, received = 0;

	(void)state;
	memset(json, 'a', sizeof(json) - 1);
	memcpy(json, "{\"text\":\"", 9);
	strcpy(json + sizeof(json) - 3, "\"}");
	start_ready(exec_echo);
	set_body(json);
	message.call.flags = CALL_MORE;
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	say(message);
	for (uint32_t i = 0; sent < rig.body_bytes; i++) {
		size_t length = rig.body_bytes - sent < 60000 ? rig.body_bytes - sent : 60000;

		if (!credit_covers(&rig.call, length))
			credit_add(&rig.call, expect(MESSAGE_CREDIT).credit.bytes);
		say((struct message){
			.kind = MESSAGE_CHUNK_REQ, .call_id = 1,
			.chunk_req = { i, sent + length == rig.body_bytes },
			.body = { rig.body + sent, length } });
		sent += length;
	}
	do {
		assert_int_equal(hear(&message), 0);
		if (message.kind != MESSAGE_CHUNK)
			continue;
		assert_int_equal(message.chunk.stream, 0);
		memcpy(again + received, message.body.data, message.body.length);
		received += message.body.length;
		grant(1, (uint32_t)message.body.length);
	} while (message.kind != MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_OK);
	assert_int_equal(message.body.length, 0);
	assert_int_equal(received, rig.body_bytes);
	assert_memory_equal(again, rig.body, received);
}

static void arguments_have_a_limit(void **state)
{
	static const uint8_t piece[200000];
	struct message message = call_message(1, "echo", 60 * NS_PER_S);

	(void)state;
	start_ready(exec_echo);
	message.call.flags = CALL_MORE;
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	say(message);
	for (uint32_t i = 0; i < 6; i++) {
		if (!credit_covers(&rig.call, sizeof(piece)))
			credit_add(&rig.call, expect(MESSAGE_CREDIT).credit.bytes);
		say((struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = 1,
				      .chunk_req.sequence = i,
				      .body = { piece, sizeof(piece) } });
	}
	do
		assert_int_equal(hear(&message), 0);
	while (message.kind == MESSAGE_CREDIT);
	assert_int_equal(message.kind, MESSAGE_ACCEPT);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_RESOURCE_EXHAUSTED);
	call(2, "echo", "{}");
	expect_result(2, ERROR_OK);
}

/* ---- results that are kept ---- */

static void a_result_is_kept_until_it_is_confirmed(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(1, "echo", "{\"a\":1}");
	expect_result(1, ERROR_OK);
	call(2, "echo", "{\"a\":2}");
	expect_result(2, ERROR_OK);
	confirm(1);
	call(3, "echo.sleep", "{\"ms\":60000}");
	expect(MESSAGE_ACCEPT);
	say((struct message){ .kind = MESSAGE_RESYNC });
	struct message message = expect(MESSAGE_RESYNC);

	assert_int_equal(message.call_id, 3);
	assert_false(message.resync.finished);
	message = expect(MESSAGE_RESYNC);
	assert_int_equal(message.call_id, 2);
	assert_true(message.resync.finished);
	assert_int_equal(expect(MESSAGE_RESYNC).call_id, 0);
	message = expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, 2);
	assert_true(message.body.length > 0);
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
	start_ready(exec_echo);
	send_bytes("what is this?", 13);
	assert_true(left_broken());
	stop(NULL);

	start_ready(exec_echo);
	send_bytes(huge, sizeof(huge));
	assert_true(left_broken());
	stop(NULL);

	start_ready(exec_echo);			/* a message out of place */
	rig.router.state = LINK_HELLO;
	welcome();
	assert_true(left_broken());
	stop(NULL);

	start_ready(exec_echo);			/* a call id in use */
	call(1, "echo.sleep", "{\"ms\":60000}");
	expect(MESSAGE_ACCEPT);
	call(1, "echo", "{}");
	assert_int_equal(expect(MESSAGE_GOAWAY).goaway.code, ERROR_PROTOCOL);
	assert_true(left_broken());
	stop(NULL);

	start_ready(exec_echo);			/* a gap in the argument */
	message = call_message(1, "echo", NS_PER_S);
	message.call.flags = CALL_MORE;
	say(message);
	say((struct message){ .kind = MESSAGE_CHUNK_REQ, .call_id = 1,
			      .chunk_req.sequence = 1 });
	expect(MESSAGE_GOAWAY);
	assert_true(left_broken());
	stop(NULL);

	start_ready(exec_echo);			/* credit beyond the window */
	call(1, "echo.sleep", "{\"ms\":60000}");
	expect(MESSAGE_ACCEPT);
	grant(1, 1);
	expect(MESSAGE_GOAWAY);
	assert_true(left_broken());
}

static void late_words_about_calls_that_are_gone_are_nothing(void **state)
{
	(void)state;
	start_ready(exec_echo);
	cancel(99);
	confirm(99);
	grant(99, 1000);
	call(1, "echo", "{}");
	expect_result(1, ERROR_OK);
	grant(1, 1);
	confirm(1);
	confirm(1);
	call(2, "echo", "{}");
	expect_result(2, ERROR_OK);
}

static void a_frame_may_come_byte_by_byte(void **state)
{
	uint8_t frame[4096];
	struct message message = call_message(1, "echo", 60 * NS_PER_S);
	int length;

	(void)state;
	start_ready(exec_echo);
	set_body("{\"text\":\"noble\"}");
	message.generation = GENERATION;
	message.body = (struct span){ rig.body, rig.body_bytes };
	length = message_encode(&message, frame, sizeof(frame), NULL);
	assert_true(length > 0);
	for (int i = 0; i < length; i++) {
		send_bytes(frame + i, 1);
		usleep(200);
	}
	expect_result(1, ERROR_OK);
}

/* ---- deaths ---- */

static void the_crash_page_names_the_call(void **state)
{
	(void)state;
	start_ready(exec_echo);
	call(77, "echo.crash", "{\"signal\":11,\"phase\":3}");
	expect(MESSAGE_ACCEPT);
	int status = ended();

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
	start_ready(exec_echo);
	call(1, "echo.crash", "{\"exit\":9,\"accept\":false}");
	assert_int_equal(hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(ended()), 9);
	stop(NULL);

	start_ready(exec_echo);
	call(1, "echo.crash", "{\"exit\":9}");
	expect(MESSAGE_ACCEPT);
	assert_int_equal(hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(ended()), 9);
}

static void a_hang_can_be_seen_in_the_beats(void **state)
{
	struct beat first, second;

	(void)state;
	start_ready(exec_echo);
	expect_beat(BEAT_HELLO);
	expect_beat(BEAT_ALIVE);
	expect_beat(BEAT_READY);
	call(1, "echo.hang", "{\"ms\":2500,\"beats\":\"still\"}");
	first = expect_beat(BEAT_ALIVE);
	second = expect_beat(BEAT_ALIVE);
	assert_int_equal(first.value, second.value);
	expect_result(1, ERROR_OK);
	call(2, "echo.hang", "{\"ms\":2500,\"beats\":\"alive\"}");
	first = expect_beat(BEAT_ALIVE);
	second = expect_beat(BEAT_ALIVE);
	assert_true(second.value > first.value);
}

/* ---- programs of another kind ---- */

static int serve_once(struct worker_call *call, json_t **ret, struct error *why)
{
	(void)why;
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

static void a_single_use_worker_serves_any_name_once(void **state)
{
	(void)state;
	start_ready(run_single);
	call(1, "what.ever", "{\"a\":1}");
	expect_result(1, ERROR_OK);
	assert_true(left_well());
}

static void one_that_cannot_serve_never_becomes_ready(void **state)
{
	struct message message;

	(void)state;
	start(run_untested);
	expect(MESSAGE_HELLO);
	welcome();
	assert_int_equal(hear(&message), -EPIPE);
	assert_true(left_broken());
	stop(NULL);

	start(run_strange);
	assert_int_equal(hear(&message), -EPIPE);
	assert_int_equal(WEXITSTATUS(ended()), WORKER_EXIT_CONTRACT);
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

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
		TEST(progress_is_reported),
		TEST(chunks_wait_for_credit),
		TEST(without_credit_a_call_can_still_be_cancelled),
		TEST(a_router_that_does_not_read_is_waited_for),
		TEST(long_arguments_and_results_come_in_pieces),
		TEST(arguments_have_a_limit),
		TEST(a_result_is_kept_until_it_is_confirmed),
		TEST(nonsense_ends_it),
		TEST(late_words_about_calls_that_are_gone_are_nothing),
		TEST(a_frame_may_come_byte_by_byte),
		TEST(the_crash_page_names_the_call),
		TEST(death_before_accepting_shows),
		TEST(a_hang_can_be_seen_in_the_beats),
		TEST(a_single_use_worker_serves_any_name_once),
		TEST(one_that_cannot_serve_never_becomes_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
