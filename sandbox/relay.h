/*
 * relay.h - the command's output on its way to the caller, counted.
 *
 * Each stream is a pipe inside and the caller's descriptor outside; bytes are
 * moved by splice(2) where both ends allow it and copied otherwise. Both
 * streams share one allowance. What comes after it is read and dropped, but
 * for the last RUN_TAIL_BYTES of each stream, which follow a marker at the end.
 *
 * When stdout and stderr are one file outside they are one pipe inside, so
 * the order of what is written to them stays.
 */
#ifndef CUPEL_SANDBOX_RELAY_H
#define CUPEL_SANDBOX_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "sandbox/run.h"

struct relay_stream {
	int source;		/* our end of the pipe; -1 when ended or shared */
	int sink;		/* the caller's */
	bool splices;
	bool waits_for_sink;
	struct relay *relay;
	struct loop_source source_watch, sink_watch;
	struct run_stream *count;
	uint8_t tail[RUN_TAIL_BYTES];
	uint64_t tail_bytes;	/* ever put into the ring */
};

struct relay {
	struct loop *loop;
	struct relay_stream streams[2];
	uint64_t allowance;	/* bytes that may still pass */
	void (*exceeded)(void *owner, int64_t now_ns);	/* once */
	void *owner;
	bool over;
};

/*
 * Makes the pipes; ret_inside are the command's ends of 1 and 2, to be closed
 * by the caller once the command has them. 0 or -errno.
 */
int relay_open(struct relay *relay, struct loop *loop, const int sinks[2],
	       uint64_t allowance, struct run_stream counts[2],
	       int ret_inside[2], struct error *why);

/* Moves what is left in the pipes, then the tails; at most a second. */
void relay_finish(struct relay *relay);

#endif
