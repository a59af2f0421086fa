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
#include "common/wire/packet.h"
#include "common/convert.h"
#include "tests/support/rig.h"
#include "workers/worker.h"

#define ROOM (2 * FRAME_BYTES_MAX)
#define PATIENCE_NS (30 * NS_PER_S)	/* of a busy machine */

struct rig rig;

static uint8_t rooms[2][ROOM];

/* ---- starting one ---- */

void rig_exec_echo(void)
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

void rig_start(void (*program)(void))
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

void rig_lose_router(void)
{
	channel_release(&rig.router);
}

void rig_renew(void)
{
	const struct beat beat = { .kind = BEAT_LINK };
	struct buffer in = rig.router.in, out = rig.router.out;
	int link[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link), 0);
	assert_int_equal(packet_send(rig.beat, &beat, sizeof(beat), &link[1], 1), 0);
	close(link[1]);
	buffer_init(&in, in.data, in.capacity);
	buffer_init(&out, out.data, out.capacity);
	channel_init(&rig.router, link[0], ROUTER_TO_WORKER, in, out);
}

/* The wait status of the worker, which is to end by itself. */
int rig_ended(void)
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

int rig_stop(void **state)
{
	(void)state;
	if (!rig.page)
		return 0;
	if (rig.pid > 0) {
		kill(rig.pid, SIGKILL);
		waitpid(rig.pid, NULL, 0);
	}
	channel_release(&rig.router);
	close(rig.beat);
	munmap(rig.page, sizeof(*rig.page));
	rig.page = NULL;
	rig.pid = 0;
	return 0;
}

/* ---- speaking ---- */

void rig_flush(void)
{
	while (channel_flush(&rig.router) == -EAGAIN)
		poll(&(struct pollfd){ rig.router.fd, POLLOUT, 0 }, 1, 1000);
}

void rig_say(struct message message)
{
	struct error why = { 0 };

	message.generation = RIG_GENERATION;
	test_row(channel_send(&rig.router, &message, &rig.call, &why) == 0,
		 "%s: %s", message_kind_name(message.kind), why.text);
	rig_flush();
}

/* The next message, or an error of the channel. */
int rig_hear(struct message *ret)
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
	rig_flush();
	return r;
}

struct message rig_expect(enum message_kind kind)
{
	struct message message;
	int r = rig_hear(&message);

	test_row(r == 0, "%s awaited, got error %d", message_kind_name(kind), r);
	test_row(message.kind == kind, "%s awaited, got %s (%.*s)",
		 message_kind_name(kind), message_kind_name(message.kind),
		 message.kind == MESSAGE_RESULT ? (int)message.result.reason.length : 0,
		 message.kind == MESSAGE_RESULT ? message.result.reason.data : "");
	return message;
}

struct beat rig_expect_beat(enum beat_kind kind)
{
	struct beat beat = { 0 };

	assert_int_equal(poll(&(struct pollfd){ rig.beat, POLLIN, 0 }, 1,
			      PATIENCE_NS / NS_PER_MS), 1);
	assert_int_equal(recv(rig.beat, &beat, sizeof(beat), 0), sizeof(beat));
	assert_int_equal(beat.kind, kind);
	return beat;
}

void rig_welcome(void)
{
	rig_say((struct message){ .kind = MESSAGE_WELCOME, .welcome = { .minor = MESSAGE_MINOR } });
}

void rig_start_ready(void (*program)(void))
{
	rig_start(program);
	rig_expect(MESSAGE_HELLO);
	rig_welcome();
	rig_expect(MESSAGE_READY);
}

void rig_set_body(const char *json)
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

struct message rig_call_message(uint64_t id, const char *tool, int64_t timeout_ns)
{
	return (struct message){
		.kind = MESSAGE_CALL, .call_id = id,
		.deadline_ns = clock_now_ns() + timeout_ns,
		.call = { .tool = message_text_of(tool), .attempt = 1 },
	};
}

void rig_call_within(uint64_t id, const char *tool, const char *json,
			int64_t timeout_ns)
{
	struct message message = rig_call_message(id, tool, timeout_ns);

	rig_set_body(json);
	message.body = (struct span){ rig.body, rig.body_bytes };
	rig.call = (struct credit){ CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	rig_say(message);
}

void rig_call(uint64_t id, const char *tool, const char *json)
{
	rig_call_within(id, tool, json, 60 * NS_PER_S);
}

/* ACCEPT and RESULT of a call, with that code. */
struct message rig_expect_result(uint64_t id, enum error_code code)
{
	struct message message = rig_expect(MESSAGE_ACCEPT);

	assert_int_equal(message.call_id, id);
	message = rig_expect(MESSAGE_RESULT);
	assert_int_equal(message.call_id, id);
	test_row(message.result.code == code, "code %u: %.*s", message.result.code,
		 (int)message.result.reason.length, message.result.reason.data);
	assert_int_equal(message.generation, RIG_GENERATION);
	return message;
}

bool rig_says(const struct message *message, const char *words)
{
	char reason[ERROR_TEXT_BYTES] = { 0 };

	memcpy(reason, message->result.reason.data, message->result.reason.length);
	if (!strstr(reason, words))
		print_message("# reason: %s\n", reason);
	return strstr(reason, words);
}

void rig_confirm(uint64_t id)
{
	rig_say((struct message){ .kind = MESSAGE_RESULT_ACK, .call_id = id });
}

void rig_grant(uint64_t id, uint32_t bytes)
{
	if (rig.router.send_error)
		return;
	rig_say((struct message){ .kind = MESSAGE_CREDIT, .call_id = id,
			      .credit.bytes = bytes });
}

void rig_cancel(uint64_t id)
{
	rig_say((struct message){ .kind = MESSAGE_CANCEL, .call_id = id });
}

void rig_recall(uint64_t id)
{
	rig_say((struct message){ .kind = MESSAGE_RECALL, .call_id = id });
}

void rig_drain(int64_t timeout_ns)
{
	rig_say((struct message){ .kind = MESSAGE_DRAIN,
			      .deadline_ns = clock_now_ns() + timeout_ns });
}

bool rig_left_well(void)
{
	int status = rig_ended();

	if (status != 0)
		print_message("# wait status %x\n", (unsigned)status);
	return status == 0;
}

bool rig_left_broken(void)
{
	int status = rig_ended();

	return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_BROKEN;
}
