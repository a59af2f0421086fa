/*
 * kind.h - the rows behind message.h: a kind's fields, and who may send it.
 *
 * Encoding, decoding and permission walk these rows; nothing else knows a
 * kind's layout. A new kind is a struct in message.h, its fields and one row.
 */
#ifndef CUPEL_COMMON_WIRE_KIND_H
#define CUPEL_COMMON_WIRE_KIND_H

#include "common/wire/message.h"

enum field_type {
	FIELD_BOOL,
	FIELD_U32,
	FIELD_U64,
	FIELD_TIME,		/* int64_t, never negative */
	FIELD_BYTES,
	FIELD_TEXT,
	FIELD_TYPE_COUNT
};

struct field {
	const char *name;
	size_t offset;		/* in struct message */
	enum field_type type;
	uint64_t most;		/* value; of bytes and text the length */
};

/* The type on the wire is read off the member's C type. */
#define FIELD(member, limit)                                                  \
	{                                                                     \
		.name = #member, .offset = offsetof(struct message, member),  \
		.type = _Generic(((struct message *)NULL)->member,            \
				 bool: FIELD_BOOL,                            \
				 uint32_t: FIELD_U32,                         \
				 uint64_t: FIELD_U64,                         \
				 int64_t: FIELD_TIME,                         \
				 struct span: FIELD_BYTES,                    \
				 struct message_text: FIELD_TEXT),            \
		.most = (limit)                                               \
	}

enum about {
	ABOUT_LINK,		/* call_id is 0 */
	ABOUT_CALL,		/* call_id is not 0 */
	ABOUT_EITHER,
};

/* Who may send a kind when; next is LINK_NEW where the state stays. */
struct permit {
	unsigned states;	/* 0: never this way */
	enum link_state next;
};

struct kind {
	const char *name;
	const struct field *fields;
	size_t field_count;
	enum about about;
	bool deadline;		/* required, else deadline_ns is 0 */
	struct permit permit[LINK_DIRECTION_COUNT];
};

/* The row of a kind; NULL if there is none. */
const struct kind *kind_of(unsigned number);

#endif
