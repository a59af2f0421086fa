#include "workers/worker_sent.h"

#include <assert.h>

#define ROOM_BYTES_MIN 4096
#define LENGTH_BITS 24

/* ---- the ring ---- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void put(struct sent *sent, const void *bytes, size_t length)
{
	size_t at = (sent->start + sent->bytes) % sent->room;
	size_t before_end = least(length, sent->room - at);

	memcpy(sent->data + at, bytes, before_end);
	memcpy(sent->data, (const uint8_t *)bytes + before_end, length - before_end);
	sent->bytes += length;
}

static void get(const struct sent *sent, size_t offset, void *bytes, size_t length)
{
	assert(sent->room > 0);
	size_t at = (sent->start + offset) % sent->room;
	size_t before_end = least(length, sent->room - at);

	memcpy(bytes, sent->data + at, before_end);
	memcpy((uint8_t *)bytes + before_end, sent->data, length - before_end);
}

static bool grow(struct sent *sent, struct arena *memory)
{
	struct sent larger = *sent;

	larger.room = sent->room ? 2 * sent->room : ROOM_BYTES_MIN;
	larger.data = larger.room > SENT_BYTES_MAX ? NULL :
		      arena_alloc(memory, larger.room);
	if (!larger.data)
		return false;
	larger.start = 0;
	if (sent->bytes)
		get(sent, 0, larger.data, sent->bytes);
	*sent = larger;
	return true;
}

/* ---- chunks ---- */

static uint32_t word_at(const struct sent *sent, size_t offset)
{
	uint32_t word;

	get(sent, offset, &word, sizeof(word));
	return word;
}

static size_t length_of(uint32_t word)
{
	return word & ((1U << LENGTH_BITS) - 1);
}

static size_t next_after(const struct sent *sent, size_t offset)
{
	return offset + sizeof(uint32_t) + length_of(word_at(sent, offset));
}

static void forget_first(struct sent *sent)
{
	size_t length = next_after(sent, 0);

	sent->start = (sent->start + length) % sent->room;
	sent->bytes -= length;
	sent->first++;
	sent->count--;
}

void sent_keep(struct sent *sent, struct arena *memory, uint32_t stream,
	       struct span bytes)
{
	uint32_t word = stream << LENGTH_BITS | (uint32_t)bytes.length;
	size_t length = sizeof(word) + bytes.length;

	assert(bytes.length <= SENT_CHUNK_BYTES_MAX);
	while (sent->room - sent->bytes < length && grow(sent, memory))
		;
	while (sent->room - sent->bytes < length && sent->count > 0)
		forget_first(sent);
	if (sent->room < length) {	/* no memory: what is missing is the end */
		sent->first++;
		return;
	}
	put(sent, &word, sizeof(word));
	put(sent, bytes.data, bytes.length);
	sent->count++;
}

bool sent_seek(struct sent *sent, uint32_t chunk)
{
	if (chunk < sent->first || chunk - sent->first > sent->count)
		return false;
	sent->cursor = 0;
	for (uint32_t i = sent->first; i < chunk; i++)
		sent_pass(sent);
	return true;
}

struct span sent_peek(const struct sent *sent, uint8_t *buffer, uint32_t *ret_stream)
{
	uint32_t word = word_at(sent, sent->cursor);

	*ret_stream = word >> LENGTH_BITS;
	get(sent, sent->cursor + sizeof(word), buffer, length_of(word));
	return (struct span){ buffer, length_of(word) };
}

void sent_pass(struct sent *sent)
{
	sent->cursor = next_after(sent, sent->cursor);
}
