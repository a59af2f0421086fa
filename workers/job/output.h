/*
 * output.h - what the command writes, on its way to the caller.
 *
 *	pipe --> held --> CHUNK, against the caller's credit
 *	   \--> beyond the limit: dropped, but for the tail
 *
 * Both streams are read as they come and share one limit. A caller who is slow
 * lets the pipes fill up, which slows down the command: nothing is buffered
 * but one read of each. Beyond the limit bytes are counted and dropped, but for
 * the last of each stream, which follow a marker when the stream has ended.
 */
#ifndef CUPEL_WORKERS_JOB_OUTPUT_H
#define CUPEL_WORKERS_JOB_OUTPUT_H

#include "workers/worker.h"

#define OUTPUT_READ_BYTES 65536
#define OUTPUT_TAIL_BYTES 4096
#define OUTPUT_MARKER_BYTES 80	/* tail and marker fit one read */

struct output;

struct output_stream {
	struct output *output;
	struct loop_source source;	/* fd -1: at its end */
	uint32_t number;		/* 1 stdout, 2 stderr */
	bool listening;
	uint64_t bytes;			/* written by the command */
	uint64_t dropped;		/* of them, for good once it has ended */
	size_t held_bytes;
	uint8_t *held;			/* OUTPUT_READ_BYTES */
	uint8_t *tail;			/* OUTPUT_TAIL_BYTES, a ring: the last dropped */
};

struct output {
	struct worker_call *call;
	uint64_t room;			/* bytes that may still pass */
	bool discarding;		/* nobody takes them any more */
	void (*exceeded)(void *owner);	/* once the limit is */
	void (*changed)(void *owner);	/* perhaps it has ended */
	void *owner;
	struct output_stream streams[2];
};

/*
 * Makes the pipes; ret_theirs are the command's ends, to be closed once it has
 * them. The other members are the caller's to fill in first.
 */
int output_open(struct output *output, int ret_theirs[2], struct error *why);

/* Goes on where credit was missing. */
void output_pass_on(struct output *output);

/* What is there and what still comes is dropped. */
void output_discard(struct output *output);

/* Whether both streams have ended and all of them has been passed on. */
bool output_has_ended(const struct output *output);

void output_close(struct output *output);

#endif
