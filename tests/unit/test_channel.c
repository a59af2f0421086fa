#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/wire/channel.h"
#include "tests/support/heap.h"
#include "tests/support/messages.h"
#include "tests/support/test.h"

/* ---- the system calls of the channel, counted and made to fail ---- */

static unsigned sends, receives;
static int send_errno, receive_errno;	/* of the next call; then 0 again */

ssize_t send(int fd, const void *data, size_t length, int flags)
{
	sends++;
	if (send_errno) {
		errno = send_errno;
		send_errno = 0;
		return -1;
	}
	return syscall(SYS_sendto, fd, data, length, flags, NULL, 0);
}

static size_t most_at_once = SIZE_MAX;	/* bytes that the socket takes of a message */
static unsigned messages;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec parts[2] = { message->msg_iov[0], message->msg_iov[1] };

	messages++;
	assert_int_equal(message->msg_iovlen, 2);
	if (most_at_once == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (parts[0].iov_len > most_at_once)
		parts[0].iov_len = most_at_once;
	if (parts[1].iov_len > most_at_once - parts[0].iov_len)
		parts[1].iov_len = most_at_once - parts[0].iov_len;
	return syscall(SYS_sendmsg, fd, &(struct msghdr){
		.msg_iov = parts, .msg_iovlen = 2 }, flags);
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
	receives++;
	if (receive_errno) {
		errno = receive_errno;
		receive_errno = 0;
		return -1;
	}
	return syscall(SYS_recvfrom, fd, data, length, flags, NULL, NULL);
}

/* ---- both ends of a link ---- */

#define ROOM (2 * FRAME_BYTES_MAX)

static struct link {
	struct channel router, peer;
} link_;

static uint8_t rooms[4][ROOM];

static void link_open(enum link_direction from_router, enum link_state at)
{
	struct buffer buffers[4];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	buffer_init(&buffers[0], rooms[0], ROOM);
	buffer_init(&buffers[1], rooms[1], ROOM);
	buffer_init(&buffers[2], rooms[2], CHANNEL_BUFFER_BYTES_MIN);
	buffer_init(&buffers[3], rooms[3], ROOM);
	channel_init(&link_.router, ends[0], from_router, buffers[0], buffers[1]);
	channel_init(&link_.peer, ends[1], link_reverse(from_router),
		     buffers[2], buffers[3]);
	link_.router.state = link_.peer.state = at;
}

static void link_close(void)
{
	channel_release(&link_.router);
	channel_release(&link_.peer);
}

static void put_raw(int fd, const void *bytes, size_t length)
{
	assert_int_equal(write(fd, bytes, length), length);
}

/* The frame of a message, as another program might send it. */
static size_t raw(const struct message *message, uint8_t *buffer)
{
	int length = message_encode(message, buffer, FRAME_BYTES_MAX, NULL);

	assert_true(length > 0);
	return (size_t)length;
}

static void carry(struct channel *from, struct channel *to,
		  struct message message, enum link_state want)
{
	struct message got;

	assert_int_equal(channel_send(from, &message, NULL, NULL), 0);
	assert_int_equal(channel_flush(from), 0);
	assert_int_equal(channel_receive(to, &got), 0);
	assert_true(messages_equal(&got, &message));
	if (want != LINK_CLOSED)
		assert_int_equal(channel_receive(to, &got), -EAGAIN);
	assert_int_equal(from->state, want);
	assert_int_equal(to->state, want);
}

static struct message smallest(unsigned kind)
{
	return messages_make(kind, MESSAGES_SMALLEST, NULL);
}

static void a_worker_lives_from_hello_to_goaway(void **state)
{
	struct channel *router = &link_.router, *worker = &link_.peer;
	struct message got;

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_NEW);
	carry(worker, router, smallest(MESSAGE_HELLO), LINK_HELLO);
	carry(router, worker, smallest(MESSAGE_WELCOME), LINK_WELCOMED);
	carry(worker, router, smallest(MESSAGE_READY), LINK_READY);
	carry(router, worker, smallest(MESSAGE_CANCEL), LINK_READY);
	carry(router, worker, smallest(MESSAGE_DRAIN), LINK_DRAINING);
	carry(worker, router, smallest(MESSAGE_DRAINED), LINK_DRAINING);
	carry(worker, router, smallest(MESSAGE_GOAWAY), LINK_CLOSED);

	assert_int_equal(channel_receive(router, &got), -EPIPE);
	assert_int_equal(channel_events(router), 0);
	got = smallest(MESSAGE_GOAWAY);
	assert_int_equal(channel_send(router, &got, NULL, NULL), -EPIPE);
	link_close();
}

/* What one end may send the other receives; what not ends the link. */
static void every_pair_passes_or_ends_the_link(void **state)
{
	static uint8_t frame[FRAME_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(messages_kinds); i++)
		for (unsigned d = 0; d < LINK_DIRECTION_COUNT; d++)
			for (unsigned s = 0; s < LINK_CLOSED; s++) {
				unsigned kind = messages_kinds[i];
				bool may = message_permit(kind, d, s, NULL) == 0;
				struct message got, sent = smallest(kind);
				struct credit credit = { 0, 0 };
				/* A grant is kept by the channel itself. */
				int want = kind == MESSAGE_CREDIT ? -EAGAIN : 0;

				link_open(link_reverse(d), s);
				assert_int_equal(channel_send(&link_.peer, &sent, &credit, NULL),
						 may ? 0 : -EPERM);
				put_raw(link_.peer.fd, frame, raw(&sent, frame));
				assert_int_equal(channel_receive(&link_.router, &got),
						 may ? want : -EPERM);
				assert_int_equal(link_.router.receive_error, may ? 0 : -EPERM);
				link_close();
			}
}

/* ---- splits ---- */

/* One frame of every kind a working worker sends, one after the other. */
static size_t make_stream(uint8_t *stream, struct message *sent, size_t *ret_count,
			  struct random *random)
{
	size_t length = 0;

	*ret_count = 0;
	for (size_t i = 0; i < COUNT(messages_kinds); i++) {
		struct message message = messages_make(
			messages_kinds[i], random ? MESSAGES_RANDOM
						  : MESSAGES_SMALLEST, random);

		if (message_permit(message.kind, WORKER_TO_ROUTER,
				   LINK_DRAINING, NULL) < 0 ||
		    message.kind == MESSAGE_GOAWAY)
			continue;
		if (message.kind == MESSAGE_CREDIT)
			message.call_id |= 1;	/* 0 is for the channel */
		length += raw(&message, stream + length);
		sent[(*ret_count)++] = message;
	}
	return length;
}

/* Receives all there is now; the number of messages so far. */
static size_t drain_into_check(const struct message *sent, size_t count)
{
	struct message got;
	int r;

	while ((r = channel_receive(&link_.router, &got)) == 0)
		assert_true(messages_equal(&got, &sent[count++]));
	assert_int_equal(r, -EAGAIN);
	return count;
}

static void any_two_pieces_are_the_same_messages(void **state)
{
	static uint8_t stream[FRAME_BYTES_MAX];
	struct message sent[MESSAGES_KIND_COUNT];
	size_t count, length = make_stream(stream, sent, &count, NULL);

	(void)state;
	assert_int_equal(count, 12);
	for (size_t cut = 0; cut <= length; cut++) {
		size_t seen;

		link_open(ROUTER_TO_WORKER, LINK_DRAINING);
		put_raw(link_.peer.fd, stream, cut);
		seen = drain_into_check(sent, 0);
		put_raw(link_.peer.fd, stream + cut, length - cut);
		assert_int_equal(drain_into_check(sent, seen), count);
		link_close();
	}
}

static void any_pieces_are_the_same_messages(void **state)
{
	static uint8_t stream[FRAME_BYTES_MAX];
	struct message sent[MESSAGES_KIND_COUNT];
	struct random random;
	size_t count;

	(void)state;
	test_random_init(&random, "splits");
	for (int round = 0; round < 300; round++) {
		size_t length = make_stream(stream, sent, &count, &random);
		size_t most = 1 + random_below(&random, 200), seen = 0;

		link_open(ROUTER_TO_WORKER, LINK_DRAINING);
		for (size_t at = 0, piece; at < length; at += piece) {
			piece = 1 + random_below(&random, most);
			if (piece > length - at)
				piece = length - at;
			put_raw(link_.peer.fd, stream + at, piece);
			seen = drain_into_check(sent, seen);
		}
		assert_int_equal(seen, count);
		link_close();
	}
}

/* ---- one read, one write ---- */

static void many_messages_cost_one_write_and_one_read(void **state)
{
	struct message got, ping = smallest(MESSAGE_PING);

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	sends = receives = 0;
	for (ping.ping.token = 0; ping.ping.token < 32; ping.ping.token++)
		assert_int_equal(channel_send(&link_.router, &ping, NULL, NULL), 0);
	assert_int_equal(channel_events(&link_.router), EPOLLIN | EPOLLOUT);
	assert_int_equal(channel_flush(&link_.router), 0);
	assert_int_equal(channel_events(&link_.router), EPOLLIN);
	for (uint64_t i = 0; i < 32; i++) {
		assert_int_equal(channel_pending(&link_.peer), i > 0);
		assert_int_equal(channel_receive(&link_.peer, &got), 0);
		assert_int_equal(got.ping.token, i);
	}
	assert_false(channel_pending(&link_.peer));
	assert_int_equal(channel_receive(&link_.peer, &got), -EAGAIN);
	assert_int_equal(sends, 1);
	assert_int_equal(receives, 1);

	/* Having said wait, it looks again when asked again. */
	assert_int_equal(channel_receive(&link_.peer, &got), -EAGAIN);
	assert_int_equal(receives, 2);
	link_close();
}

/* The socket and both buffers hold less than this; all of it arrives. */
static void a_full_buffer_asks_to_wait_and_loses_nothing(void **state)
{
	struct credit call = { CREDIT_LINK_BYTES, CREDIT_LINK_BYTES };
	struct message got, chunk = messages_make(MESSAGE_CHUNK, MESSAGES_LARGEST, NULL);
	unsigned queued = 0, seen = 0, waits = 0;

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	while (seen < 14) {
		chunk.chunk.sequence = queued;
		if (queued < 14) {
			int r = channel_send(&link_.peer, &chunk, &call, NULL);

			assert_true(r == 0 || r == -EAGAIN);
			queued += r == 0;
			waits += r != 0;
			if (r == 0)
				continue;
		}
		assert_true(channel_flush(&link_.peer) <= 0);
		if (channel_receive(&link_.router, &got) == 0) {
			assert_int_equal(got.chunk.sequence, seen++);
			assert_true(span_equal(got.body, chunk.body));
		}
	}
	assert_true(waits > 0);
	assert_int_equal(link_.router.receive_credit.bytes,
			 CREDIT_LINK_BYTES - 14 * MESSAGE_BODY_BYTES_MAX);
	link_close();
}

static void a_long_body_goes_at_once_as_far_as_the_socket_takes_it(void **state)
{
	static const size_t limits[] = { 0, 1, 5, 20, 21, 30, 100, 39999, SIZE_MAX };
	static uint8_t bytes[40000];
	struct message chunk = { .kind = MESSAGE_CHUNK, .call_id = 1, .generation = 1,
				 .body = { bytes, sizeof(bytes) } };
	struct message got;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct credit call = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

		link_open(ROUTER_TO_WORKER, LINK_READY);
		most_at_once = limits[i];
		messages = 0;
		assert_int_equal(channel_send(&link_.peer, &chunk, &call, NULL), 0);
		assert_int_equal(messages, 1);
		assert_int_equal(buffer_length(&link_.peer.out) == 0,
				 limits[i] == SIZE_MAX);
		chunk.chunk.sequence = 1;	/* behind what is left, if anything is */
		assert_int_equal(channel_send(&link_.peer, &chunk, &call, NULL), 0);
		assert_int_equal(messages, limits[i] == SIZE_MAX ? 2 : 1);
		assert_int_equal(call.bytes, CREDIT_CALL_BYTES - 2 * sizeof(bytes));
		for (uint32_t seen = 0; seen < 2; seen++) {
			while (channel_receive(&link_.router, &got) == -EAGAIN)
				assert_true(channel_flush(&link_.peer) <= 0);
			assert_int_equal(got.chunk.sequence, seen);
			assert_true(span_equal(got.body, chunk.body));
		}
		chunk.chunk.sequence = 0;
		link_close();
	}
	most_at_once = SIZE_MAX;
}

/* ---- credit ---- */

static void set_credit(size_t bytes)
{
	link_.peer.send_credit.bytes = bytes;
	link_.router.receive_credit.bytes = bytes;
}

static void without_credit_only_empty_bodies_go(void **state)
{
	struct credit call = { 100, CREDIT_CALL_BYTES };
	struct message result = smallest(MESSAGE_RESULT);

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	set_credit(150);
	result.body = span_of_text("0123456789012345678901234567890123456789"
				   "01234567890123456789");
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), 0);
	assert_int_equal(call.bytes, 40);
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), -EAGAIN);
	assert_int_equal(call.bytes, 40);
	call.bytes = 100;
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), 0);
	call.bytes = 100;
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), -EAGAIN);
	assert_int_equal(call.bytes, 100);
	result.body.length = 0;
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), 0);
	link_close();
}

static void what_is_consumed_is_granted_again(void **state)
{
	struct credit call = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
	struct message got, chunk = smallest(MESSAGE_CHUNK);

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	chunk.body = span_of_text("ten bytes.");
	assert_int_equal(channel_send(&link_.peer, &chunk, &call, NULL), 0);
	assert_int_equal(channel_flush(&link_.peer), 0);
	assert_int_equal(channel_receive(&link_.router, &got), 0);
	channel_consume(&link_.router, 10);
	assert_int_equal(channel_events(&link_.router), EPOLLIN);

	set_credit(CREDIT_LINK_BYTES / 2);
	channel_consume(&link_.router, CREDIT_LINK_BYTES / 2 - 10);
	assert_int_equal(channel_events(&link_.router), EPOLLIN | EPOLLOUT);
	assert_int_equal(channel_flush(&link_.router), 0);
	assert_int_equal(channel_events(&link_.router), EPOLLIN);
	assert_int_equal(channel_receive(&link_.peer, &got), -EAGAIN);
	assert_int_equal(link_.peer.send_credit.bytes, CREDIT_LINK_BYTES);
	assert_int_equal(link_.router.receive_credit.bytes, CREDIT_LINK_BYTES);
	link_close();
}

/* ---- bad input ---- */

#define RAW(text) text, sizeof(text) - 1

static const struct {
	const char *name, *bytes;
	size_t length;
	int want;
	const char *words;
} bad[] = {
	{ "a length of zero", RAW("\0\0\0\0"), -EBADMSG, "a frame of impossible form" },
	{ "a lying length", RAW("\xff\0\0\0"), -EMSGSIZE, "a frame of impossible length" },
	{ "a control frame as long as data", RAW("\0\1\0\0\x95\5"), -EMSGSIZE, "a frame of impossible length" },
	{ "bytes that are no frame", RAW("\0\0\0\7GET / H"), -EBADMSG, "a frame of impossible form" },
	{ "too deep", RAW("\0\0\0\x10\x97\5\0\0\0\x91\x91\x91\x91\x91\x91\x91\x91\1\xc4\0"), -EBADMSG, "pong message: pong.token is array" },
	{ "a trailing byte", RAW("\0\0\0\x0a\x97\5\0\0\0\1\1\xc4\0\0"), -EBADMSG, "pong message: bytes after its end" },
	{ "an unknown kind", RAW("\0\0\0\7\x95\x20\0\0\0\xc4\0"), -EBADMSG, "unknown message kind 32" },
	{ "not permitted now", RAW("\0\0\0\x0e\x9c\1\0\0\0\1\0\0\xa0\xa0\0\xc4\0\xc4\0"), -EPERM, "a worker may not send hello while the link is ready" },
	{ "a grant beyond the window", RAW("\0\0\0\x08\x96\x0f\0\0\0\1\xc4\0"), -EBADMSG, "credit message: more than the link's window" },
	{ "a body beyond its credit", RAW("\0\0\0\x0a\x97\x42\1\0\0\0\0\xc4\1x"), -EBADMSG, "chunk message: 1 body bytes, credit for 0" },
};

static void bad_input_ends_the_stream_with_one_typed_error(void **state)
{
	struct message got, ping = smallest(MESSAGE_PING);

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char byte;

		link_open(ROUTER_TO_WORKER, LINK_READY);
		link_.router.receive_credit.bytes = 0;
		put_raw(link_.peer.fd, bad[i].bytes, bad[i].length);
		int r = channel_receive(&link_.router, &got);

		test_row(r == bad[i].want, "%s: got %d", bad[i].name, r);
		test_row(strstr(link_.router.why.text, bad[i].words),
			 "%s: got \"%s\"", bad[i].name, link_.router.why.text);
		test_row(link_.router.why.code == ERROR_PROTOCOL, "%s: code %d",
			 bad[i].name, (int)link_.router.why.code);
		test_row(recv(link_.peer.fd, &byte, 1, MSG_DONTWAIT) == 0,
			 "%s: the peer's stream is open", bad[i].name);
		test_row(channel_receive(&link_.router, &got) == bad[i].want &&
			 channel_send(&link_.router, &ping, NULL, NULL) == bad[i].want &&
			 channel_flush(&link_.router) == bad[i].want &&
			 channel_events(&link_.router) == 0,
			 "%s: the error does not last", bad[i].name);
		link_close();
	}
}

static void a_callers_mistake_leaves_the_channel_alone(void **state)
{
	struct credit call = { CREDIT_LINK_BYTES, CREDIT_LINK_BYTES };
	struct message got, message = smallest(MESSAGE_PONG);

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	assert_int_equal(channel_send(&link_.router, &message, NULL, NULL), -EPERM);
	message = smallest(MESSAGE_CANCEL);
	message.call_id = 0;
	assert_int_equal(channel_send(&link_.router, &message, NULL, NULL), -EBADMSG);
	message = messages_make(MESSAGE_CALL, MESSAGES_LARGEST, NULL);
	message.body.length++;
	assert_int_equal(channel_send(&link_.router, &message, &call, NULL), -EBADMSG);
	assert_int_equal(call.bytes, CREDIT_LINK_BYTES);
	assert_int_equal(channel_flush(&link_.router), 0);
	assert_int_equal(channel_receive(&link_.peer, &got), -EAGAIN);
	link_close();
}

static void extensions_are_skipped_by_their_length(void **state)
{
	static const char extension[] = "\0\0\0\5\x9f\xcc\xc8\xc1\xff";
	struct message got, pong = smallest(MESSAGE_PONG);
	uint8_t frame[64];

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	put_raw(link_.peer.fd, extension, sizeof(extension) - 1);
	put_raw(link_.peer.fd, extension, sizeof(extension) - 1);
	put_raw(link_.peer.fd, frame, raw(&pong, frame));
	assert_int_equal(channel_receive(&link_.router, &got), 0);
	assert_int_equal(got.kind, MESSAGE_PONG);
	assert_int_equal(channel_receive(&link_.router, &got), -EAGAIN);
	link_close();

	link_open(ROUTER_TO_WORKER, LINK_HELLO);
	put_raw(link_.peer.fd, extension, sizeof(extension) - 1);
	assert_int_equal(channel_receive(&link_.router, &got), -EPERM);
	link_close();
}

/* ---- the end of a stream ---- */

static void a_dead_peers_last_frames_are_received(void **state)
{
	struct message got, result = smallest(MESSAGE_RESULT);
	struct message ping = smallest(MESSAGE_PING);
	struct credit call = { 0, 0 };

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), 0);
	assert_int_equal(channel_send(&link_.peer, &result, &call, NULL), 0);
	assert_int_equal(channel_flush(&link_.peer), 0);

	/* Its death with our words unread makes the kernel report a reset. */
	assert_int_equal(channel_send(&link_.router, &ping, NULL, NULL), 0);
	assert_int_equal(channel_flush(&link_.router), 0);
	channel_release(&link_.peer);
	assert_int_equal(channel_send(&link_.router, &ping, NULL, NULL), 0);
	assert_int_equal(channel_flush(&link_.router), -EPIPE);
	assert_int_equal(channel_send(&link_.router, &ping, NULL, NULL), -EPIPE);

	assert_int_equal(channel_receive(&link_.router, &got), 0);
	assert_int_equal(channel_receive(&link_.router, &got), 0);
	assert_int_equal(channel_receive(&link_.router, &got), -EAGAIN);
	assert_int_equal(channel_receive(&link_.router, &got), -EPIPE);
	assert_string_equal(link_.router.why.text, "the peer closed the stream");
	link_close();
}

static void a_stream_may_end_inside_a_frame(void **state)
{
	struct message got, pong = smallest(MESSAGE_PONG);
	uint8_t frame[64];
	size_t length = raw(&pong, frame);

	(void)state;
	for (size_t cut = 1; cut < length; cut++) {
		link_open(ROUTER_TO_WORKER, LINK_READY);
		put_raw(link_.peer.fd, frame, cut);
		assert_int_equal(channel_receive(&link_.router, &got), -EAGAIN);
		channel_release(&link_.peer);
		assert_int_equal(channel_receive(&link_.router, &got), -EPIPE);
		assert_string_equal(link_.router.why.text,
				    "the peer closed the stream inside a frame");
		link_close();
	}
}

static const struct {
	const char *name;
	int error, want_send, want_receive;
} failures[] = {
	{ "interrupted", EINTR, -EAGAIN, -EAGAIN },
	{ "not now", EAGAIN, -EAGAIN, -EAGAIN },
	{ "reset", ECONNRESET, -EPIPE, -EPIPE },
	{ "closed", EPIPE, -EPIPE, -EPIPE },
	{ "out of memory", ENOMEM, -EAGAIN, -EAGAIN },
	{ "out of buffers", ENOBUFS, -EAGAIN, -EAGAIN },
	{ "broken", EIO, -EIO, -EIO },
};

static void each_system_call_may_fail(void **state)
{
	struct message got, ping = smallest(MESSAGE_PING);

	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		link_open(ROUTER_TO_WORKER, LINK_READY);
		send_errno = receive_errno = failures[i].error;
		assert_int_equal(channel_send(&link_.router, &ping, NULL, NULL), 0);
		int s = channel_flush(&link_.router);
		int r = channel_receive(&link_.peer, &got);

		test_row(s == failures[i].want_send && r == failures[i].want_receive,
			 "%s: got %d and %d", failures[i].name, s, r);
		s = channel_flush(&link_.router);
		r = channel_receive(&link_.peer, &got);
		if (failures[i].want_send == -EAGAIN)
			test_row(s == 0 && r == 0, "%s: try again", failures[i].name);
		else
			test_row(s == failures[i].want_send &&
				 r == failures[i].want_receive,
				 "%s: does not last", failures[i].name);
		link_close();
	}
}

static void nothing_is_allocated(void **state)
{
	struct message got, call = messages_make(MESSAGE_CALL, MESSAGES_LARGEST, NULL);
	struct credit credit = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };

	(void)state;
	link_open(ROUTER_TO_WORKER, LINK_READY);
	uint64_t before = heap_count();

	assert_int_equal(channel_send(&link_.router, &call, &credit, NULL), 0);
	do {
		int r = channel_flush(&link_.router);

		assert_true(r == 0 || r == -EAGAIN);
	} while (channel_receive(&link_.peer, &got) == -EAGAIN);
	assert_true(messages_equal(&got, &call));
	assert_int_equal(heap_count(), before);
	link_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_lives_from_hello_to_goaway),
		cmocka_unit_test(every_pair_passes_or_ends_the_link),
		cmocka_unit_test(any_two_pieces_are_the_same_messages),
		cmocka_unit_test(any_pieces_are_the_same_messages),
		cmocka_unit_test(many_messages_cost_one_write_and_one_read),
		cmocka_unit_test(a_full_buffer_asks_to_wait_and_loses_nothing),
		cmocka_unit_test(without_credit_only_empty_bodies_go),
		cmocka_unit_test(what_is_consumed_is_granted_again),
		cmocka_unit_test(bad_input_ends_the_stream_with_one_typed_error),
		cmocka_unit_test(a_callers_mistake_leaves_the_channel_alone),
		cmocka_unit_test(a_long_body_goes_at_once_as_far_as_the_socket_takes_it),
		cmocka_unit_test(extensions_are_skipped_by_their_length),
		cmocka_unit_test(a_dead_peers_last_frames_are_received),
		cmocka_unit_test(a_stream_may_end_inside_a_frame),
		cmocka_unit_test(each_system_call_may_fail),
		cmocka_unit_test(nothing_is_allocated),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
