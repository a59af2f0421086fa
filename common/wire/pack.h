/*
 * pack.h - one msgpack value at a time, without a heap.
 *
 * Writing goes through msgpack-c's packer, whose callback appends to the
 * caller's fixed buffer: always the shortest form. Reading is our own:
 * msgpack-c's unpacker builds a tree in an allocated zone, where five bytes of
 * input can ask for 128 GiB, which a frame decoder must not do. The tests hold
 * the two against each other: what msgpack-c unpacks, this reader reads alike.
 *
 * The reader is stricter where the format leaves a choice: at most
 * PACK_DEPTH_MAX containers deep, no extension types, text is UTF-8, a
 * container never announces more elements than bytes are left. Longer forms
 * than needed are read; other encoders write them.
 *
 * Pure. Source: github.com/msgpack/msgpack spec.md.
 */
#ifndef CUPEL_COMMON_WIRE_PACK_H
#define CUPEL_COMMON_WIRE_PACK_H

#include "common/span.h"

#define PACK_DEPTH_MAX 8

enum pack_type {
	PACK_REFUSED,		/* no value has this type */
	PACK_NIL,
	PACK_BOOL,
	PACK_UINT,		/* every integer from 0 */
	PACK_NEGATIVE,		/* every integer below 0 */
	PACK_REAL,
	PACK_TEXT,		/* str */
	PACK_BYTES,		/* bin */
	PACK_ARRAY,		/* its elements follow as values of their own */
	PACK_MAP,		/* so do its keys and values, in turn */
	PACK_TYPE_COUNT
};

struct pack_value {
	enum pack_type type;
	uint64_t number;	/* BOOL, UINT: value; TEXT, BYTES: length;
				   ARRAY, MAP: count of elements or of pairs */
	union {
		const uint8_t *data;	/* TEXT, BYTES: borrowed */
		int64_t negative;
		double real;
	};
};

/* "text", "array" and so on, for error sentences. */
const char *pack_type_name(enum pack_type type);

struct pack_writer {
	uint8_t *data;		/* the caller's */
	size_t capacity;
	size_t length;
	int error;		/* the first; nothing is appended after it */
};

void pack_writer_init(struct pack_writer *writer, uint8_t *data,
		      size_t capacity);

/* Appends one value; a failure shows in pack_written(). */
void pack_write(struct pack_writer *writer, const struct pack_value *value);

/* What stands before so many bytes, which come from elsewhere. */
void pack_write_bytes_head(struct pack_writer *writer, size_t length);

/*
 * The length in bytes of all that was written, -EMSGSIZE if it did not fit
 * the buffer, -EBADMSG if a text was not UTF-8.
 */
int pack_written(const struct pack_writer *writer);

struct pack_reader {
	const uint8_t *at, *end;
	unsigned depth;
	size_t left[PACK_DEPTH_MAX + 1];	/* values still due, by depth */
};

/* The reader borrows bytes, which must hold exactly one value. */
void pack_reader_init(struct pack_reader *reader, struct span bytes);

/*
 * Reads the next value, which borrows from the bytes read. -EBADMSG if they
 * are malformed or end early, or if no further value is due; ret then means
 * nothing.
 */
int pack_read(struct pack_reader *reader, struct pack_value *ret);

/* 0 if the one value was read in full and nothing follows, else -EBADMSG. */
int pack_finish(const struct pack_reader *reader);

#endif
