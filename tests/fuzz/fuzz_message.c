/*
 * fuzz_message.c - one envelope: what is decoded is encoded, and then decoded
 * to bytes that are encoded alike.
 */
#include <stdlib.h>
#include <string.h>

#include "common/wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (FRAME_BYTES_MAX + MESSAGE_OVERHEAD_BYTES_MAX)

static size_t encode(const struct message *message, uint8_t *buffer)
{
	int length = message_encode(message, buffer, ROOM, NULL);

	if (length <= 0)
		abort();
	return (size_t)length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[ROOM], second[ROOM];
	struct frame frame = { size > 1 ? data[1] : 0, { data, size } };
	struct message message;
	struct error why;
	size_t length;

	if (message_decode(&frame, &message, &why) < 0)
		return 0;
	length = encode(&message, first);
	if (frame_next((struct span){ first, length }, &frame) != (int)length ||
	    message_decode(&frame, &message, &why) < 0 ||
	    encode(&message, second) != length ||
	    memcmp(first, second, length) != 0)
		abort();
	return 0;
}
