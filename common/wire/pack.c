#include "common/wire/pack.h"

#include <assert.h>
#include <errno.h>
#include <msgpack/pack.h>

#include "common/text.h"

const char *pack_type_name(enum pack_type type)
{
	static const char *const names[PACK_TYPE_COUNT] = {
		"refused", "nil",   "bool",  "integer", "negative integer",
		"real",	   "text",  "bytes", "array",	"map",
	};

	assert((unsigned)type < PACK_TYPE_COUNT);
	return names[type];
}

void pack_writer_init(struct pack_writer *writer, uint8_t *data,
		      size_t capacity)
{
	*writer = (struct pack_writer){ .data = data, .capacity = capacity };
}

/*
 * The packer's callback; its own return value is of no interest to us. Most
 * values are one byte, for which a call of memcpy would be most of the cost.
 */
static int append(void *context, const char *bytes, size_t length)
{
	struct pack_writer *writer = context;

	if (writer->error)
		return -1;
	if (length > writer->capacity - writer->length) {
		writer->error = -EMSGSIZE;
		return -1;
	}
	if (length == 1)
		writer->data[writer->length] = (uint8_t)*bytes;
	else if (length > 0)
		memcpy(writer->data + writer->length, bytes, length);
	writer->length += length;
	return 0;
}

void pack_write(struct pack_writer *writer, const struct pack_value *value)
{
	msgpack_packer packer = { writer, append };
	const void *data = value->data;
	size_t length = (size_t)value->number;

	switch (value->type) {
	case PACK_NIL:
		msgpack_pack_nil(&packer);
		return;
	case PACK_BOOL:
		if (value->number)
			msgpack_pack_true(&packer);
		else
			msgpack_pack_false(&packer);
		return;
	case PACK_UINT:
		msgpack_pack_uint64(&packer, value->number);
		return;
	case PACK_NEGATIVE:
		msgpack_pack_int64(&packer, value->negative);
		return;
	case PACK_REAL:
		msgpack_pack_double(&packer, value->real);
		return;
	case PACK_TEXT:
		if (!text_is_utf8((struct span){ data, length }) &&
		    !writer->error)
			writer->error = -EBADMSG;
		msgpack_pack_str(&packer, length);
		msgpack_pack_str_body(&packer, data, length);
		return;
	case PACK_BYTES:
		msgpack_pack_bin(&packer, length);
		msgpack_pack_bin_body(&packer, data, length);
		return;
	case PACK_ARRAY:
		msgpack_pack_array(&packer, length);
		return;
	case PACK_MAP:
		msgpack_pack_map(&packer, length);
		return;
	case PACK_REFUSED:
	case PACK_TYPE_COUNT:
		break;
	}
	assert(!"a type that can be written");
}

void pack_write_bytes_head(struct pack_writer *writer, size_t length)
{
	msgpack_packer packer = { writer, append };

	msgpack_pack_bin(&packer, length);
}

int pack_written(const struct pack_writer *writer)
{
	return writer->error ? writer->error : (int)writer->length;
}

void pack_reader_init(struct pack_reader *reader, struct span bytes)
{
	reader->at = bytes.data;
	reader->end = bytes.length ? bytes.data + bytes.length : bytes.data;
	reader->depth = 0;
	reader->left[0] = 1;	/* deeper ones are set on the way down */
}

/*
 * The lead bytes 0xc0 .. 0xdf: the type, and how many bytes of big-endian
 * number follow. Extension types and the never used 0xc1 stay PACK_REFUSED.
 */
static const struct lead {
	uint8_t type, width;
} leads[32] = {
	[0x00] = { PACK_NIL, 0 },
	[0x02] = { PACK_BOOL, 0 },
	[0x03] = { PACK_BOOL, 0 },
	[0x04] = { PACK_BYTES, 1 },
	[0x05] = { PACK_BYTES, 2 },
	[0x06] = { PACK_BYTES, 4 },
	[0x0a] = { PACK_REAL, 4 },
	[0x0b] = { PACK_REAL, 8 },
	[0x0c] = { PACK_UINT, 1 },
	[0x0d] = { PACK_UINT, 2 },
	[0x0e] = { PACK_UINT, 4 },
	[0x0f] = { PACK_UINT, 8 },
	[0x10] = { PACK_NEGATIVE, 1 },
	[0x11] = { PACK_NEGATIVE, 2 },
	[0x12] = { PACK_NEGATIVE, 4 },
	[0x13] = { PACK_NEGATIVE, 8 },
	[0x19] = { PACK_TEXT, 1 },
	[0x1a] = { PACK_TEXT, 2 },
	[0x1b] = { PACK_TEXT, 4 },
	[0x1c] = { PACK_ARRAY, 2 },
	[0x1d] = { PACK_ARRAY, 4 },
	[0x1e] = { PACK_MAP, 2 },
	[0x1f] = { PACK_MAP, 4 },
};

static void set_signed(struct pack_value *value, uint64_t number, unsigned width)
{
	assert(width > 0);
	unsigned unused = 64 - 8 * width;
	int64_t integer = (int64_t)(number << unused) >> unused;

	value->type = integer < 0 ? PACK_NEGATIVE : PACK_UINT;
	if (integer < 0)
		value->negative = integer;
	else
		value->number = (uint64_t)integer;
}

static void set_real(struct pack_value *value, uint64_t number, unsigned width)
{
	uint32_t low = (uint32_t)number;
	float single;

	memcpy(&single, &low, sizeof(single));
	memcpy(&value->real, &number, sizeof(value->real));
	if (width == sizeof(single))
		value->real = (double)single;
}

/* A lead byte of 0xc0 .. 0xdf and the number behind it. */
static int read_long(struct pack_reader *reader, uint8_t lead,
		     struct pack_value *value)
{
	const struct lead *row = &leads[lead & 0x1f];
	uint64_t number = 0;

	if (row->width > reader->end - reader->at)
		return -EBADMSG;
	for (unsigned i = 0; i < row->width; i++)
		number = number << 8 | *reader->at++;

	*value = (struct pack_value){ .type = row->type, .number = number };
	if (row->type == PACK_BOOL)
		value->number = lead & 1;
	else if (row->type == PACK_NEGATIVE)
		set_signed(value, number, row->width);
	else if (row->type == PACK_REAL)
		set_real(value, number, row->width);
	return row->type == PACK_REFUSED ? -EBADMSG : 0;
}

static int read_lead(struct pack_reader *reader, struct pack_value *value)
{
	uint8_t lead = *reader->at++;

	*value = (struct pack_value){ .type = PACK_UINT, .number = lead };
	if (lead < 0x80)
		return 0;
	if (lead >= 0xe0) {
		value->type = PACK_NEGATIVE;
		value->negative = (int8_t)lead;
		return 0;
	}
	if (lead >= 0xc0)
		return read_long(reader, lead, value);
	if (lead >= 0xa0) {
		value->type = PACK_TEXT;
		value->number = lead & 0x1f;
		return 0;
	}
	value->type = lead >= 0x90 ? PACK_ARRAY : PACK_MAP;
	value->number = lead & 0x0f;
	return 0;
}

static int take_bytes(struct pack_reader *reader, struct pack_value *value)
{
	size_t left = (size_t)(reader->end - reader->at);

	if (value->number > left)
		return -EBADMSG;
	value->data = reader->at;
	reader->at += value->number;
	if (value->type == PACK_TEXT &&
	    !text_is_utf8((struct span){ value->data, (size_t)value->number }))
		return -EBADMSG;
	return 0;
}

/* Each value takes a byte at least, so a count beyond the bytes is a lie. */
static int open_container(struct pack_reader *reader,
			  const struct pack_value *value)
{
	size_t left = (size_t)(reader->end - reader->at);
	uint64_t due = value->type == PACK_MAP ? 2 * value->number
					       : value->number;

	if (reader->depth == PACK_DEPTH_MAX || due > left)
		return -EBADMSG;
	reader->left[++reader->depth] = (size_t)due;
	return 0;
}

int pack_read(struct pack_reader *reader, struct pack_value *ret)
{
	int r;

	if (reader->at == reader->end || reader->left[reader->depth] == 0)
		return -EBADMSG;
	r = read_lead(reader, ret);
	if (r < 0)
		return r;

	reader->left[reader->depth]--;
	if (ret->type == PACK_TEXT || ret->type == PACK_BYTES)
		r = take_bytes(reader, ret);
	else if (ret->type == PACK_ARRAY || ret->type == PACK_MAP)
		r = open_container(reader, ret);
	if (r < 0)
		return r;

	while (reader->depth > 0 && reader->left[reader->depth] == 0)
		reader->depth--;
	return 0;
}

int pack_finish(const struct pack_reader *reader)
{
	bool whole = reader->depth == 0 && reader->left[0] == 0;

	return whole && reader->at == reader->end ? 0 : -EBADMSG;
}
