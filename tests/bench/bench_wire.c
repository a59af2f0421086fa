/*
 * bench_wire.c - what a call costs on the wire: encode and decode, and a round
 * trip to another process over a channel against the same bytes over a bare
 * socketpair. Both sides of both wait in epoll_wait(2) on the one descriptor
 * and share a processor, so that only what the channel adds differs.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wire/channel.h"
#include "tests/support/bench.h"
#include "tests/support/heap.h"

#define BODY_BYTES 256

static const uint8_t body[BODY_BYTES];
static const uint8_t effect[16] = "0123456789abcde";

static struct message make_call(uint64_t call_id)
{
	return (struct message){
		.kind = MESSAGE_CALL, .call_id = call_id,
		.deadline_ns = INT64_C(123456789012345),
		.call = { .tool = { "fs.read", 7 }, .attempt = 1, .workspace = 3,
			  .effect = { effect, sizeof(effect) } },
		.body = { body, sizeof(body) },
	};
}

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(1);
}

static void codec_run(void *context, uint64_t count)
{
	uint8_t *buffer = context;

	for (uint64_t i = 0; i < count; i++) {
		struct message message = make_call(i + 1), got;
		struct frame frame;
		int length = message_encode(&message, buffer, 1024, NULL);

		must(length > 0 &&
		     frame_next((struct span){ buffer, (size_t)length }, &frame) > 0 &&
		     message_decode(&frame, &got, NULL) == 0 &&
		     got.call_id == i + 1, "codec");
		bench_keep(&got);
	}
}

/* ---- round trips ---- */

/* One end: its socket, what waits for it, and the channel where there is one. */
struct end {
	int fd, epoll_fd;
	size_t bytes_in, bytes_out;	/* of a frame */
	struct channel channel;
};

static void end_init(struct end *end, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	end->fd = fd;
	end->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	must(end->epoll_fd >= 0 &&
	     epoll_ctl(end->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
}

static void end_wait(struct end *end)
{
	struct epoll_event event;

	must(epoll_wait(end->epoll_fd, &event, 1, -1) == 1, "epoll_wait");
}

static void bare_write(struct end *end, const uint8_t *buffer)
{
	must(send(end->fd, buffer, end->bytes_out, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	     (ssize_t)end->bytes_out, "send");
}

/* A whole frame, as the channel has to have one before it answers. */
static bool bare_read(struct end *end, uint8_t *buffer, size_t size)
{
	size_t have = 0;

	while (have < end->bytes_in) {
		ssize_t count;

		end_wait(end);
		count = recv(end->fd, buffer + have, size - have, MSG_DONTWAIT);
		if (count <= 0)
			return false;
		have += (size_t)count;
	}
	return true;
}

static uint8_t bare_buffer[4096];

static void bare_echo(struct end *end)
{
	while (bare_read(end, bare_buffer, sizeof(bare_buffer)))
		bare_write(end, bare_buffer);
}

static void bare_run(void *context, uint64_t count)
{
	struct end *end = context;

	for (uint64_t i = 0; i < count; i++) {
		bare_write(end, bare_buffer);
		must(bare_read(end, bare_buffer, sizeof(bare_buffer)), "recv");
	}
}

static void channel_open_end(struct end *end, enum link_direction sends)
{
	struct buffer in, out;
	uint8_t *memory = calloc(2, CHANNEL_BUFFER_BYTES_MIN);

	must(memory, "calloc");
	buffer_init(&in, memory, CHANNEL_BUFFER_BYTES_MIN);
	buffer_init(&out, memory + CHANNEL_BUFFER_BYTES_MIN,
		    CHANNEL_BUFFER_BYTES_MIN);
	channel_init(&end->channel, end->fd, sends, in, out);
	end->channel.state = LINK_READY;
}

/* A turn of a loop: wait, receive till told to wait, write once. */
static bool channel_turn(struct end *end, bool answer, uint64_t *ret_received)
{
	struct message got;
	int r;

	end_wait(end);
	while ((r = channel_receive(&end->channel, &got)) == 0) {
		struct credit call = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		struct message result = {
			.kind = MESSAGE_RESULT, .call_id = got.call_id,
			.result = { .attempts = 1 }, .body = got.body,
		};

		++*ret_received;
		channel_consume(&end->channel, got.body.length);
		if (answer)
			must(channel_send(&end->channel, &result, &call, NULL) == 0,
			     "result");
	}
	return r == -EAGAIN && channel_flush(&end->channel) == 0;
}

static void channel_echo(struct end *end)
{
	uint64_t received = 0;

	channel_open_end(end, WORKER_TO_ROUTER);
	while (channel_turn(end, true, &received))
		;
}

static void channel_run(void *context, uint64_t count)
{
	struct end *end = context;

	for (uint64_t sent = 0, received = 0; sent < count; sent++) {
		struct credit credit = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES };
		struct message call = make_call(1000);

		must(channel_send(&end->channel, &call, &credit, NULL) == 0 &&
		     channel_flush(&end->channel) == 0, "call");
		while (received <= sent)
			must(channel_turn(end, false, &received), "result");
	}
}

/* Starts the other end in a child of its own, which ends with the stream. */
static void start(struct end *ours, void (*echo)(struct end *end),
		  size_t call_bytes, size_t result_bytes)
{
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
	     "socketpair");
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		struct end theirs = { .bytes_in = call_bytes,
				      .bytes_out = result_bytes };

		close(ends[0]);
		end_init(&theirs, ends[1]);
		echo(&theirs);
		_exit(0);
	}
	close(ends[1]);
	*ours = (struct end){ .bytes_in = result_bytes, .bytes_out = call_bytes };
	end_init(ours, ends[0]);
}

/* One processor for both: a wake-up across two would drown the rest. */
static void share_a_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

static bool codec_figures(uint8_t *buffer)
{
	bool met = bench_alone("frame encode + decode, call of 256 B",
			       (struct bench_side){ "wire", codec_run, buffer }, 400);
	uint64_t before = heap_count();

	codec_run(buffer, 1000);
	printf("%-44s %10llu        (bar 0)  %s\n", "heap allocations in 1000 of them",
	       (unsigned long long)(heap_count() - before),
	       heap_count() == before ? "met" : "MISSED");
	return met && heap_count() == before;
}

int main(void)
{
	static uint8_t buffer[1024];
	static struct end bare, channel;
	struct message call = make_call(1000);
	struct message result = { .kind = MESSAGE_RESULT, .call_id = 1000,
				  .result = { .attempts = 1 }, .body = call.body };
	size_t call_bytes = (size_t)message_encode(&call, buffer, sizeof(buffer), NULL);
	size_t result_bytes = (size_t)message_encode(&result, buffer, sizeof(buffer), NULL);
	bool met = codec_figures(buffer);

	share_a_processor();
	start(&bare, bare_echo, call_bytes, result_bytes);
	start(&channel, channel_echo, call_bytes, result_bytes);
	channel_open_end(&channel, ROUTER_TO_WORKER);
	met &= bench_pair("channel round trip, call and result of 256 B",
			  (struct bench_side){ "channel", channel_run, &channel },
			  (struct bench_side){ "bare socketpair", bare_run, &bare },
			  1.3);
	close(bare.fd);
	channel_release(&channel.channel);
	while (wait(NULL) > 0)
		;
	return met ? 0 : 1;
}
