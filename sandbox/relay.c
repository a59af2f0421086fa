#include "sandbox/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/deadline.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/error.h"

#define PIPE_BYTES (1 << 20)
#define MOVE_BYTES (256U << 10)
#define COPY_BYTES 4096		/* what poll(2) promises a terminal or socket takes */
#define FINISH_NS NS_PER_S

static void on_source(void *owner, uint32_t events, int64_t now_ns);
static void on_sink(void *owner, uint32_t events, int64_t now_ns);

static bool sink_ready(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };

	return poll(&polled, 1, 0) == 1;
}

/* Keeps the end of what is dropped. */
static void keep_tail(struct relay_stream *stream, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		stream->tail[stream->tail_bytes++ % RUN_TAIL_BYTES] = data[i];
}

static ssize_t drop(struct relay_stream *stream)
{
	uint8_t bytes[16384];
	ssize_t length = read(stream->source, bytes, sizeof(bytes));

	if (length > 0) {
		keep_tail(stream, bytes, (size_t)length);
		stream->count->bytes += (uint64_t)length;
	}
	return length;
}

/* To a terminal or socket: no more than it takes without blocking us. */
static ssize_t copy(struct relay_stream *stream, size_t most)
{
	uint8_t bytes[COPY_BYTES];
	size_t done = 0;

	if (!sink_ready(stream->sink)) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t length = read(stream->source, bytes,
			      most < sizeof(bytes) ? most : sizeof(bytes));

	while (length > 0 && done < (size_t)length) {
		ssize_t n = write(stream->sink, bytes + done, (size_t)length - done);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return length;
}

static ssize_t pass(struct relay_stream *stream, size_t most)
{
	if (!stream->splices)
		return copy(stream, most);
	ssize_t length = splice(stream->source, NULL, stream->sink, NULL, most,
				SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (length < 0 && errno == EINVAL) {	/* e.g. a file opened for appending */
		stream->splices = false;
		return copy(stream, most);
	}
	return length;
}

static void end_stream(struct relay_stream *stream)
{
	/* One of the two is watched, never both. */
	loop_remove(stream->relay->loop, stream->waits_for_sink ?
		    &stream->sink_watch : &stream->source_watch);
	close(stream->source);
	stream->source = -1;
}

/* The sink is full: look at it instead of the source until it is not. */
static void wait_for_sink(struct relay_stream *stream)
{
	if (loop_add(stream->relay->loop, &stream->sink_watch, EPOLLOUT, NULL) < 0)
		return;		/* a regular file: never full, epoll refuses it */
	loop_remove(stream->relay->loop, &stream->source_watch);
	stream->waits_for_sink = true;
}

/* Moves once; whether there may be more to move at once. */
static bool move(struct relay_stream *stream, int64_t now_ns)
{
	struct relay *relay = stream->relay;
	size_t most = relay->allowance < MOVE_BYTES ? (size_t)relay->allowance :
						      MOVE_BYTES;
	ssize_t length = most ? pass(stream, most) : drop(stream);

	if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
		end_stream(stream);	/* its end, or nobody reads the sink any more */
		return false;
	}
	if (length < 0)
		return false;
	if (!most) {
		if (!relay->over && relay->exceeded)
			relay->exceeded(relay->owner, now_ns);
		relay->over = true;
		return true;
	}
	stream->count->bytes += (uint64_t)length;
	stream->count->passed += (uint64_t)length;
	relay->allowance -= (uint64_t)length;
	return true;
}

static void on_source(void *owner, uint32_t events, int64_t now_ns)
{
	struct relay_stream *stream = owner;

	(void)events;
	if (!move(stream, now_ns) && stream->source >= 0 &&
	    !stream->waits_for_sink && !sink_ready(stream->sink))
		wait_for_sink(stream);
}

static void on_sink(void *owner, uint32_t events, int64_t now_ns)
{
	struct relay_stream *stream = owner;

	(void)events;
	loop_remove(stream->relay->loop, &stream->sink_watch);
	stream->waits_for_sink = false;
	if (loop_add(stream->relay->loop, &stream->source_watch, EPOLLIN, NULL) == 0)
		move(stream, now_ns);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int open_stream(struct relay *relay, int index, int sink,
		       struct run_stream *count, int *ret_inside, struct error *why)
{
	struct relay_stream *stream = &relay->streams[index];
	struct stat status;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	/* Only what we read must not block; a refused size keeps the default. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	*stream = (struct relay_stream){
		.source = ends[0], .sink = sink, .relay = relay, .count = count,
		.splices = fstat(sink, &status) == 0 &&
			   (S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode)),
	};
	stream->source_watch = (struct loop_source){
		.fd = ends[0], .ready = on_source, .owner = stream };
	stream->sink_watch = (struct loop_source){
		.fd = sink, .ready = on_sink, .owner = stream };
	*ret_inside = ends[1];
	return loop_add(relay->loop, &stream->source_watch, EPOLLIN, why);
}

int relay_open(struct relay *relay, struct loop *loop, const int sinks[2],
	       uint64_t allowance, struct run_stream counts[2],
	       int ret_inside[2], struct error *why)
{
	*relay = (struct relay){ .loop = loop, .allowance = allowance };
	relay->streams[0].source = relay->streams[1].source = -1;
	int r = open_stream(relay, 0, sinks[0], &counts[0], &ret_inside[0], why);

	if (r < 0)
		return r;
	if (same_file(sinks[0], sinks[1])) {
		ret_inside[1] = fcntl(ret_inside[0], F_DUPFD_CLOEXEC, 3);
		return ret_inside[1] < 0 ? error_set(why, -errno, "dup: %s",
						     strerror(errno)) : 0;
	}
	return open_stream(relay, 1, sinks[1], &counts[1], &ret_inside[1], why);
}

/* The last of a stream may meet a slow reader: waited for, but not for ever. */
static void finish_stream(struct relay_stream *stream, int64_t until_ns)
{
	while (stream->source >= 0) {
		int64_t now_ns = clock_now_ns();

		if (now_ns >= until_ns) {
			end_stream(stream);
			return;
		}
		if (move(stream, now_ns) || stream->source < 0)
			continue;
		struct pollfd polled = { .fd = stream->sink, .events = POLLOUT };

		/* Nothing more comes: every writer is dead, so an empty pipe ends. */
		poll(&polled, 1, 10);
	}
}

static void write_all(int fd, const uint8_t *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
}

static void write_tail(struct relay_stream *stream)
{
	uint64_t kept = stream->tail_bytes < RUN_TAIL_BYTES ? stream->tail_bytes :
							      RUN_TAIL_BYTES;
	size_t start = (size_t)((stream->tail_bytes - kept) % RUN_TAIL_BYTES);
	size_t first = RUN_TAIL_BYTES - start < kept ? RUN_TAIL_BYTES - start :
						       (size_t)kept;
	char marker[80];

	if (!stream->tail_bytes)
		return;
	if (!sink_ready(stream->sink))
		kept = 0;
	stream->count->dropped = stream->tail_bytes - kept;
	stream->count->passed += kept;
	if (!kept)
		return;
	if (stream->count->dropped) {
		int length = snprintf(marker, sizeof(marker),
				      "\n[cupel: %" PRIu64 " bytes dropped here]\n",
				      stream->count->dropped);

		write_all(stream->sink, (uint8_t *)marker, (size_t)length);
	}
	write_all(stream->sink, stream->tail + start, first);
	write_all(stream->sink, stream->tail, (size_t)kept - first);
}

void relay_finish(struct relay *relay)
{
	int64_t until_ns = clock_now_ns() + FINISH_NS;

	for (size_t i = 0; i < COUNT(relay->streams); i++) {
		if (relay->streams[i].source >= 0)
			finish_stream(&relay->streams[i], until_ns);
		if (relay->streams[i].count)
			write_tail(&relay->streams[i]);
	}
}
