/*
 * frame.h - where one message ends and the next begins.
 *
 *	byte 0..3	length N of what follows, big-endian, 1 .. the kind's limit
 *	byte 4		msgpack array of up to 15 elements: 0x90 + count
 *	byte 5		the kind below 128; or 0xcc
 *	byte 6		(after 0xcc) the kind from 128
 *	...		N bytes in all from byte 4: the rest of the array
 *
 *	element		 0 kind		one byte, or two from 128
 *			 1 call_id	unsigned; 0: about the link itself
 *			 2 deadline_ns	unsigned, monotonic; 0: none
 *			 3 generation	unsigned; of the worker, else 0
 *			 4 ..		the kind's own fields (message.h)
 *			 last body	bin, opaque, forwarded unread
 *
 *	kind	  0		refused
 *		  1 ..  63	control, at most FRAME_CONTROL_BYTES_MAX
 *		 64 .. 127	data, at most FRAME_DATA_BYTES_MAX
 *		128 .. 255	extensions of a later minor version, limited as
 *				control: whoever does not know one skips it by
 *				its length
 *
 * The array header and the kind are held to their shortest form, so that the
 * kind, and with it the limit, is known after seven bytes at most. Nothing
 * here stores bytes: how the stream was split cannot matter. Pure.
 */
#ifndef CUPEL_COMMON_WIRE_FRAME_H
#define CUPEL_COMMON_WIRE_FRAME_H

#include "common/span.h"

#define FRAME_HEADER_BYTES 4
#define FRAME_CONTROL_BYTES_MAX 16384
#define FRAME_DATA_BYTES_MAX 262144
#define FRAME_BYTES_MAX (FRAME_HEADER_BYTES + FRAME_DATA_BYTES_MAX)

#define FRAME_KIND_DATA 64
#define FRAME_KIND_EXTENSION 128
#define FRAME_KIND_COUNT 256

static inline bool frame_kind_is_data(unsigned kind)
{
	return kind >= FRAME_KIND_DATA && kind < FRAME_KIND_EXTENSION;
}

struct frame {
	unsigned kind;
	struct span envelope;	/* the array, without the four bytes of length */
};

/*
 * Looks at the bytes received so far for a whole frame at their start.
 * Returns its length in bytes, header included, or 0 if more input is needed.
 * -EMSGSIZE when it announces more than its kind may have, -EBADMSG when it
 * cannot be a frame: the stream is then lost. ret borrows from received.
 */
int frame_next(struct span received, struct frame *ret);

/*
 * Puts the length before an envelope of that many bytes, which stands at
 * frame + FRAME_HEADER_BYTES. Returns the length of the frame, or -EMSGSIZE
 * or -EBADMSG as frame_next() would.
 */
int frame_seal(uint8_t *frame, size_t envelope_bytes);

#endif
