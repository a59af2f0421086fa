/*
 * span.h - a borrowed run of bytes.
 *
 * A span owns nothing: whoever hands one out says until when it holds. The
 * empty span may have a NULL data pointer; no function here dereferences it.
 * Types and comparisons only, so that pure code may include it.
 */
#ifndef CUPEL_COMMON_SPAN_H
#define CUPEL_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t length;
};

/* Bytes of a C string without its terminator; borrows from text. */
static inline struct span span_of_text(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.length == b.length &&
	       (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* The span without its first count bytes; count must not exceed its length. */
static inline struct span span_skip(struct span span, size_t count)
{
	return (struct span){ count ? span.data + count : span.data,
			      span.length - count };
}

#endif
