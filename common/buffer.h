/*
 * buffer.h - a bounded queue of bytes.
 *
 *	| consumed | waiting: buffer_peek() | free: buffer_reserve() |
 *
 * The storage is the caller's and never grows. Reading from a descriptor is
 * reserve, read(2), commit; writing is peek, write(2), consume. Consumed room
 * is won back by moving the waiting bytes to the front, only when needed.
 */
#ifndef CUPEL_COMMON_BUFFER_H
#define CUPEL_COMMON_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct buffer {
	uint8_t *data;
	size_t capacity;
	size_t start, end;	/* of the waiting bytes */
};

void buffer_init(struct buffer *buffer, void *data, size_t capacity);

/* Bytes that wait, and bytes that still fit (after moving, if need be). */
size_t buffer_length(const struct buffer *buffer);
size_t buffer_room(const struct buffer *buffer);

/* The waiting bytes; valid until the buffer changes. */
struct span buffer_peek(const struct buffer *buffer);

/* Drops the first count waiting bytes; count must not exceed the length. */
void buffer_consume(struct buffer *buffer, size_t count);

/*
 * Room for at least count bytes in one piece, all of it in ret_room; NULL if
 * the buffer cannot hold them. What was written there counts once committed.
 */
uint8_t *buffer_reserve(struct buffer *buffer, size_t count, size_t *ret_room);
void buffer_commit(struct buffer *buffer, size_t count);

/* Appends all of the bytes, or none and -ENOSPC. */
int buffer_append(struct buffer *buffer, const void *data, size_t count);

/* Appends formatted text without its terminator, or none and -ENOSPC. */
int buffer_format(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
