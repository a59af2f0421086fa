#include "common/wire/message.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "common/cleanup.h"
#include "common/wire/kind.h"
#include "common/wire/pack.h"

static const struct field envelope_fields[] = {
	FIELD(kind, FRAME_KIND_COUNT - 1),
	FIELD(call_id, UINT64_MAX),
	FIELD(deadline_ns, INT64_MAX),
	FIELD(generation, UINT32_MAX),
};

static const struct field control_body = FIELD(body, 0);
static const struct field data_body = FIELD(body, MESSAGE_BODY_BYTES_MAX);

/* ---- fields to values and back ---- */

static const enum pack_type wire_types[FIELD_TYPE_COUNT] = {
	[FIELD_BOOL] = PACK_BOOL,   [FIELD_U32] = PACK_UINT,
	[FIELD_U64] = PACK_UINT,    [FIELD_TIME] = PACK_UINT,
	[FIELD_BYTES] = PACK_BYTES, [FIELD_TEXT] = PACK_TEXT,
};

/* Texts are loaded and stored as the spans they are but for their name. */
static_assert(sizeof(struct message_text) == sizeof(struct span) &&
	      offsetof(struct message_text, length) ==
	      offsetof(struct span, length), "a text is laid out like a span");

static void load(const struct message *message, const struct field *field,
		 struct pack_value *ret)
{
	const void *member = (const char *)message + field->offset;
	struct span bytes;

	ret->type = wire_types[field->type];
	switch (field->type) {
	case FIELD_BOOL:
		ret->number = *(const bool *)member;
		break;
	case FIELD_U32:
		ret->number = *(const uint32_t *)member;
		break;
	case FIELD_U64:
	case FIELD_TIME:	/* a negative one is beyond its limit */
		ret->number = *(const uint64_t *)member;
		break;
	case FIELD_BYTES:
	case FIELD_TEXT:
		memcpy(&bytes, member, sizeof(bytes));
		ret->number = bytes.length;
		ret->data = bytes.data;
		break;
	case FIELD_TYPE_COUNT:
		ret->number = 0;
		break;
	}
}

static void store(struct message *message, const struct field *field,
		  const struct pack_value *value)
{
	void *member = (char *)message + field->offset;
	struct span bytes;

	switch (field->type) {
	case FIELD_BOOL:
		*(bool *)member = value->number;
		break;
	case FIELD_U32:
		*(uint32_t *)member = (uint32_t)value->number;
		break;
	case FIELD_U64:
	case FIELD_TIME:
		*(uint64_t *)member = value->number;
		break;
	case FIELD_BYTES:
	case FIELD_TEXT:
		bytes = (struct span){ value->data, (size_t)value->number };
		memcpy(member, &bytes, sizeof(bytes));
		break;
	case FIELD_TYPE_COUNT:
		break;
	}
}

/* ---- the walk ---- */

#define BODY_PART 2

/* Envelope, own fields, body: the order on the wire. */
struct walk {
	struct {
		const struct field *fields;
		size_t count;
	} parts[3];
	size_t field_count;
};

static struct walk walk_of(const struct kind *kind, unsigned number)
{
	return (struct walk){
		{ { envelope_fields, COUNT(envelope_fields) },
		  { kind->fields, kind->field_count },
		  { frame_kind_is_data(number) ? &data_body : &control_body, 1 } },
		COUNT(envelope_fields) + kind->field_count + 1,
	};
}

static int unknown_kind(unsigned number, struct error *why)
{
	return error_set(why, -EBADMSG, "unknown message kind %u", number);
}

static int check_limit(const struct kind *kind, const struct field *field,
		       uint64_t number, struct error *why)
{
	if (number <= field->most)
		return 0;
	return error_set(why, -EBADMSG,
			 "%s message: %s is %" PRIu64 ", at most %" PRIu64,
			 kind->name, field->name, number, field->most);
}

/* What the row asks of the envelope's members beyond their limits. */
static int check_envelope(const struct kind *kind,
			  const struct message *message, struct error *why)
{
	bool of_call = message->call_id != 0;

	if (kind->about != ABOUT_EITHER && of_call != (kind->about == ABOUT_CALL))
		return error_set(why, -EBADMSG, "%s message: call_id is %s",
				 kind->name, of_call ? "not 0" : "0");
	if (kind->deadline != (message->deadline_ns != 0))
		return error_set(why, -EBADMSG, "%s message: deadline_ns is %s",
				 kind->name, kind->deadline ? "0" : "not 0");
	return 0;
}

static int put_field(struct pack_writer *writer, const struct kind *kind,
		     const struct message *message, const struct field *field,
		     struct error *why)
{
	struct pack_value value = { 0 };
	int r;

	load(message, field, &value);
	r = check_limit(kind, field, value.number, why);
	if (r < 0)
		return r;
	pack_write(writer, &value);
	if (writer->error == -EBADMSG)
		return error_set(why, -EBADMSG, "%s message: %s is not UTF-8",
				 kind->name, field->name);
	return 0;
}

static int no_room(const struct kind *kind, size_t capacity, struct error *why)
{
	return error_set(why, -ENOBUFS, "%s message: more than %zu bytes",
			 kind->name, capacity);
}

int message_encode_head(const struct message *message, uint8_t *buffer,
			size_t capacity, struct error *why)
{
	const struct kind *kind = kind_of(message->kind);
	struct pack_writer writer;
	struct walk walk;
	int r;

	if (!kind)
		return unknown_kind(message->kind, why);
	r = check_envelope(kind, message, why);
	if (r < 0)
		return r;
	walk = walk_of(kind, message->kind);
	if (capacity < FRAME_HEADER_BYTES)
		return no_room(kind, capacity, why);
	pack_writer_init(&writer, buffer + FRAME_HEADER_BYTES,
			 capacity - FRAME_HEADER_BYTES);
	pack_write(&writer, &(struct pack_value){ .type = PACK_ARRAY,
						  .number = walk.field_count });
	for (size_t i = 0; i < BODY_PART; i++)
		for (size_t j = 0; j < walk.parts[i].count && r == 0; j++)
			r = put_field(&writer, kind, message,
				      &walk.parts[i].fields[j], why);
	if (r == 0)
		r = check_limit(kind, walk.parts[BODY_PART].fields,
				message->body.length, why);
	if (r < 0)
		return r;
	pack_write_bytes_head(&writer, message->body.length);
	r = pack_written(&writer);
	if (r < 0)
		return no_room(kind, capacity, why);
	r = frame_seal(buffer, (size_t)r + message->body.length);
	return r < 0 ? r : r - (int)message->body.length;
}

int message_encode(const struct message *message, uint8_t *buffer,
		   size_t capacity, struct error *why)
{
	struct span body = message->body;
	int r = message_encode_head(message, buffer, capacity, why);

	if (r < 0)
		return r;
	if (body.length > capacity - (size_t)r)
		return no_room(kind_of(message->kind), capacity, why);
	if (body.length)
		memcpy(buffer + r, body.data, body.length);
	return r + (int)body.length;
}

static int get_field(struct pack_reader *reader, const struct kind *kind,
		     struct message *message, const struct field *field,
		     struct error *why)
{
	struct pack_value value;
	int r = pack_read(reader, &value);

	if (r < 0)
		return error_set(why, r, "%s message: %s is malformed or cut short",
				 kind->name, field->name);
	if (value.type != wire_types[field->type])
		return error_set(why, -EBADMSG, "%s message: %s is %s, not %s",
				 kind->name, field->name,
				 pack_type_name(value.type),
				 pack_type_name(wire_types[field->type]));
	r = check_limit(kind, field, value.number, why);
	if (r == 0)
		store(message, field, &value);
	return r;
}

int message_decode(const struct frame *frame, struct message *ret,
		   struct error *why)
{
	const struct kind *kind = kind_of(frame->kind);
	struct message message = { 0 };
	struct pack_reader reader;
	struct pack_value array;
	struct walk walk;
	int r;

	if (!kind)
		return unknown_kind(frame->kind, why);
	walk = walk_of(kind, frame->kind);
	pack_reader_init(&reader, frame->envelope);
	r = pack_read(&reader, &array);
	if (r < 0 || array.type != PACK_ARRAY || array.number != walk.field_count)
		return error_set(why, -EBADMSG, "%s message: not an array of %zu",
				 kind->name, walk.field_count);
	for (size_t i = 0; i < COUNT(walk.parts); i++)
		for (size_t j = 0; j < walk.parts[i].count && r == 0; j++)
			r = get_field(&reader, kind, &message,
				      &walk.parts[i].fields[j], why);
	if (r == 0)
		r = check_envelope(kind, &message, why);
	if (r < 0)
		return r;
	if (pack_finish(&reader) < 0)
		return error_set(why, -EBADMSG, "%s message: bytes after its end",
				 kind->name);
	*ret = message;
	return 0;
}
