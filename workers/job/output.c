#include "workers/job/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A pipe at its end would wake us for ever, had it not left the loop. */
static void listen(struct output_stream *stream, bool wanted)
{
	struct loop *loop = stream->output->call->worker->loop;

	if (stream->source.fd < 0 || wanted == stream->listening)
		return;
	if (!wanted)
		loop_remove(loop, &stream->source);
	stream->listening = wanted && loop_add(loop, &stream->source, EPOLLIN, NULL) == 0;
}

static void pass_on(struct output_stream *stream)
{
	size_t sent = stream->held_bytes;

	if (!stream->output->discarding)
		sent = worker_chunk_some(stream->output->call, stream->number,
					 (struct span){ stream->held,
							stream->held_bytes });
	memmove(stream->held, stream->held + sent, stream->held_bytes - sent);
	stream->held_bytes -= sent;
	listen(stream, stream->held_bytes == 0);
}

static void drop(struct output_stream *stream, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		stream->tail[stream->dropped++ % OUTPUT_TAIL_BYTES] = bytes[i];
}

/* All has been passed on: there is room for it. */
static void hold_tail(struct output_stream *stream)
{
	uint64_t count = stream->dropped < OUTPUT_TAIL_BYTES ? stream->dropped
							     : OUTPUT_TAIL_BYTES;
	uint64_t first = stream->dropped - count;

	if (stream->dropped == 0)
		return;
	stream->dropped = first;
	stream->held_bytes = (size_t)snprintf(
		(char *)stream->held, OUTPUT_MARKER_BYTES,
		"\n[cupel: %" PRIu64 " bytes dropped here]\n", first);
	for (uint64_t i = first; i < first + count; i++)
		stream->held[stream->held_bytes++] =
			stream->tail[i % OUTPUT_TAIL_BYTES];
}

static void end_stream(struct output_stream *stream)
{
	listen(stream, false);
	close(stream->source.fd);
	stream->source.fd = -1;
	hold_tail(stream);
}

static void take(struct output_stream *stream, size_t count)
{
	struct output *output = stream->output;
	size_t kept = count < output->room ? count : (size_t)output->room;

	stream->bytes += count;
	output->room -= kept;
	drop(stream, stream->held + kept, count - kept);
	stream->held_bytes = kept;
	if (kept < count && output->exceeded)
		output->exceeded(output->owner);
}

static void on_readable(void *owner, uint32_t events, int64_t now_ns)
{
	struct output_stream *stream = owner;
	ssize_t n = read(stream->source.fd, stream->held, OUTPUT_READ_BYTES);

	(void)events;
	(void)now_ns;
	if (n > 0)
		take(stream, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end_stream(stream);
	pass_on(stream);
	stream->output->changed(stream->output->owner);
}

/* The only output of a process that waits: what is not used is not touched. */
static uint8_t held[2][OUTPUT_READ_BYTES], tail[2][OUTPUT_TAIL_BYTES];

static int open_stream(struct output *output, int index, int *ret_theirs,
		       struct error *why)
{
	struct output_stream *stream = &output->streams[index];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	*ret_theirs = ends[1];
	stream->output = output;
	stream->held = held[index];
	stream->tail = tail[index];
	stream->number = (uint32_t)index + 1;
	stream->source = (struct loop_source){ .fd = ends[0], .ready = on_readable,
					       .owner = stream };
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return error_set(why, -errno, "pipe: %s", strerror(errno));
	int r = loop_add(output->call->worker->loop, &stream->source, EPOLLIN, why);

	stream->listening = r == 0;
	return r;
}

int output_open(struct output *output, int ret_theirs[2], struct error *why)
{
	int r = 0;

	for (int i = 0; i < 2; i++)
		output->streams[i].source.fd = -1;
	for (int i = 0; r == 0 && i < 2; i++)
		r = open_stream(output, i, &ret_theirs[i], why);
	return r;
}

void output_pass_on(struct output *output)
{
	for (size_t i = 0; i < COUNT(output->streams); i++)
		pass_on(&output->streams[i]);
}

void output_discard(struct output *output)
{
	output->discarding = true;
	output_pass_on(output);
}

bool output_has_ended(const struct output *output)
{
	for (size_t i = 0; i < COUNT(output->streams); i++)
		if (output->streams[i].source.fd >= 0 ||
		    output->streams[i].held_bytes)
			return false;
	return true;
}

void output_close(struct output *output)
{
	for (size_t i = 0; i < COUNT(output->streams); i++)
		if (output->streams[i].source.fd >= 0)
			end_stream(&output->streams[i]);
}
