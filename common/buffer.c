#include "common/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_init(struct buffer *buffer, void *data, size_t capacity)
{
	*buffer = (struct buffer){ .data = data, .capacity = capacity };
}

size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

size_t buffer_room(const struct buffer *buffer)
{
	return buffer->capacity - buffer_length(buffer);
}

struct span buffer_peek(const struct buffer *buffer)
{
	return (struct span){ buffer->data + buffer->start, buffer_length(buffer) };
}

void buffer_consume(struct buffer *buffer, size_t count)
{
	assert(count <= buffer_length(buffer));
	buffer->start += count;
	if (buffer->start == buffer->end)
		buffer->start = buffer->end = 0;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t count, size_t *ret_room)
{
	if (count > buffer_room(buffer))
		return NULL;
	if (buffer->capacity - buffer->end < count) {
		memmove(buffer->data, buffer->data + buffer->start,
			buffer_length(buffer));
		buffer->end -= buffer->start;
		buffer->start = 0;
	}
	*ret_room = buffer->capacity - buffer->end;
	return buffer->data + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t count)
{
	assert(count <= buffer->capacity - buffer->end);
	buffer->end += count;
}

int buffer_append(struct buffer *buffer, const void *data, size_t count)
{
	size_t room;
	uint8_t *place = buffer_reserve(buffer, count, &room);

	if (!place)
		return -ENOSPC;
	if (count)
		memcpy(place, data, count);
	buffer_commit(buffer, count);
	return 0;
}

int buffer_format(struct buffer *buffer, const char *format, ...)
{
	size_t room;
	uint8_t *place = buffer_reserve(buffer, buffer_room(buffer), &room);
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf((char *)place, room, format, arguments);
	va_end(arguments);
	/* vsnprintf wants a byte for its terminator, too. */
	if (length < 0 || (size_t)length >= room)
		return -ENOSPC;
	buffer_commit(buffer, (size_t)length);
	return 0;
}
