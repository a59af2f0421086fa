#include "common/wire/frame.h"

#include <errno.h>

static uint32_t get_length(const uint8_t *header)
{
	return (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
	       (uint32_t)header[2] << 8 | header[3];
}

static void put_length(uint8_t *header, uint32_t length)
{
	header[0] = (uint8_t)(length >> 24);
	header[1] = (uint8_t)(length >> 16);
	header[2] = (uint8_t)(length >> 8);
	header[3] = (uint8_t)length;
}

/*
 * The kind of the envelope whose first bytes are at hand, 0 if they are too
 * few, -EBADMSG if no envelope starts like this.
 */
static int get_kind(struct span envelope)
{
	const uint8_t *at = envelope.data;

	if (envelope.length < 1)
		return 0;
	if ((at[0] & 0xf0) != 0x90)
		return -EBADMSG;
	if (envelope.length < 2)
		return 0;
	if (at[1] > 0 && at[1] < FRAME_KIND_EXTENSION)
		return at[1];
	if (at[1] != 0xcc)
		return -EBADMSG;
	if (envelope.length < 3)
		return 0;
	return at[2] >= FRAME_KIND_EXTENSION ? at[2] : -EBADMSG;
}

static size_t bytes_max(unsigned kind)
{
	return frame_kind_is_data(kind) ? FRAME_DATA_BYTES_MAX
					: FRAME_CONTROL_BYTES_MAX;
}

int frame_next(struct span received, struct frame *ret)
{
	size_t length, present;
	int kind;

	if (received.length < FRAME_HEADER_BYTES)
		return 0;
	length = get_length(received.data);
	if (length == 0)
		return -EBADMSG;
	if (length > FRAME_DATA_BYTES_MAX)
		return -EMSGSIZE;

	present = received.length - FRAME_HEADER_BYTES;
	struct span envelope = { received.data + FRAME_HEADER_BYTES,
				 present < length ? present : length };
	kind = get_kind(envelope);
	if (kind < 0)
		return kind;
	if (kind == 0)
		return envelope.length == length ? -EBADMSG : 0;
	if (length > bytes_max((unsigned)kind))
		return -EMSGSIZE;
	if (present < length)
		return 0;
	*ret = (struct frame){ (unsigned)kind, envelope };
	return (int)(FRAME_HEADER_BYTES + length);
}

int frame_seal(uint8_t *frame, size_t envelope_bytes)
{
	struct frame sealed;

	if (envelope_bytes > FRAME_DATA_BYTES_MAX)
		return -EMSGSIZE;
	put_length(frame, (uint32_t)envelope_bytes);
	return frame_next((struct span){ frame, FRAME_HEADER_BYTES +
						envelope_bytes }, &sealed);
}
