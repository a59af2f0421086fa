#include "common/convert.h"

#include <errno.h>
#include <math.h>

#include "common/wire/pack.h"

/* ---- msgpack to JSON ---- */

struct source {
	struct pack_reader reader;
	const uint8_t *start;
	struct error *why;
};

static int refuse(const struct source *source, int error, const char *what)
{
	return error_set(source->why, error, "msgpack before byte %td: %s",
			 source->reader.at - source->start, what);
}

static int give(const struct source *source, json_t *json, json_t **ret)
{
	if (!json)
		return refuse(source, -ENOMEM, "out of memory");
	*ret = json;
	return 0;
}

static bool has_nul(const void *text, size_t length)
{
	return length > 0 && memchr(text, 0, length);
}

static int take(struct source *source, json_t **ret);

static int take_array(struct source *source, uint64_t count, json_t **ret)
{
	json_auto_t *array = json_array();
	int r = array ? 0 : refuse(source, -ENOMEM, "out of memory");

	for (uint64_t i = 0; i < count && r == 0; i++) {
		json_t *element = NULL;

		r = take(source, &element);
		if (r == 0 && json_array_append_new(array, element) < 0)
			r = refuse(source, -ENOMEM, "out of memory");
	}
	return r < 0 ? r : give(source, json_incref(array), ret);
}

static int take_member(struct source *source, json_t *object)
{
	struct pack_value key;
	const char *name;
	json_t *member = NULL;
	int r = pack_read(&source->reader, &key);

	if (r < 0)
		return refuse(source, r, "malformed, cut short or too deep");
	name = (const char *)key.data;
	if (key.type != PACK_TEXT || has_nul(name, key.number))
		return refuse(source, -EBADMSG, "a key is not a string");
	if (json_object_getn(object, name, key.number))
		return refuse(source, -EBADMSG, "a key comes twice");
	r = take(source, &member);
	if (r == 0 && json_object_setn_new(object, name, key.number, member) < 0)
		r = refuse(source, -ENOMEM, "out of memory");
	return r;
}

static int take_object(struct source *source, uint64_t count, json_t **ret)
{
	json_auto_t *object = json_object();
	int r = object ? 0 : refuse(source, -ENOMEM, "out of memory");

	for (uint64_t i = 0; i < count && r == 0; i++)
		r = take_member(source, object);
	return r < 0 ? r : give(source, json_incref(object), ret);
}

static int take(struct source *source, json_t **ret)
{
	struct pack_value value;
	int r = pack_read(&source->reader, &value);

	if (r < 0)
		return refuse(source, r, "malformed, cut short or too deep");
	switch (value.type) {
	case PACK_NIL:
		return give(source, json_null(), ret);
	case PACK_BOOL:
		return give(source, json_boolean(value.number), ret);
	case PACK_UINT:
		if (value.number > INT64_MAX)
			return refuse(source, -ERANGE, "an integer beyond 2^63 - 1");
		return give(source, json_integer((json_int_t)value.number), ret);
	case PACK_NEGATIVE:
		return give(source, json_integer(value.negative), ret);
	case PACK_REAL:
		if (!isfinite(value.real))
			return refuse(source, -EBADMSG, "a number that is not finite");
		return give(source, json_real(value.real), ret);
	case PACK_TEXT:
		if (has_nul(value.data, value.number))
			return refuse(source, -EBADMSG, "a string with U+0000");
		return give(source, json_stringn_nocheck((const char *)value.data,
							 value.number), ret);
	case PACK_ARRAY:
		return take_array(source, value.number, ret);
	case PACK_MAP:
		return take_object(source, value.number, ret);
	case PACK_BYTES:
	case PACK_REFUSED:
	case PACK_TYPE_COUNT:
		break;
	}
	return refuse(source, -EBADMSG, "raw bytes have no JSON form; send text");
}

int convert_to_json(struct span bytes, json_t **ret, struct error *why)
{
	struct source source = { .start = bytes.data, .why = why };
	json_auto_t *json = NULL;
	int r;

	pack_reader_init(&source.reader, bytes);
	r = take(&source, &json);
	if (r < 0)
		return r;
	if (pack_finish(&source.reader) < 0)
		return refuse(&source, -EBADMSG, "more than one value");
	*ret = json_incref(json);
	return 0;
}

/* ---- JSON to msgpack ---- */

struct sink {
	struct pack_writer writer;
	unsigned depth;
	struct error *why;
};

static int put(struct sink *sink, json_t *json);

static int put_text(struct sink *sink, const char *text, size_t length)
{
	if (has_nul(text, length))
		return error_set(sink->why, -EBADMSG,
				 "JSON: a string with U+0000");
	pack_write(&sink->writer, &(struct pack_value){
		.type = PACK_TEXT, .number = length,
		.data = (const uint8_t *)text });
	return 0;
}

static int put_elements(struct sink *sink, json_t *array)
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(array) && r == 0; i++)
		r = put(sink, json_array_get(array, i));
	return r;
}

static int put_members(struct sink *sink, json_t *object)
{
	void *at = json_object_iter(object);
	int r = 0;

	for (; at && r == 0; at = json_object_iter_next(object, at)) {
		r = put_text(sink, json_object_iter_key(at),
			     json_object_iter_key_len(at));
		if (r == 0)
			r = put(sink, json_object_iter_value(at));
	}
	return r;
}

static int put_container(struct sink *sink, json_t *json)
{
	bool is_array = json_is_array(json);
	size_t count = is_array ? json_array_size(json) : json_object_size(json);
	int r;

	if (sink->depth == PACK_DEPTH_MAX)
		return error_set(sink->why, -EMSGSIZE,
				 "JSON nested deeper than %d: flatten it",
				 PACK_DEPTH_MAX);
	pack_write(&sink->writer, &(struct pack_value){
		.type = is_array ? PACK_ARRAY : PACK_MAP, .number = count });
	sink->depth++;
	r = is_array ? put_elements(sink, json) : put_members(sink, json);
	sink->depth--;
	return r;
}

static struct pack_value scalar(const json_t *json)
{
	json_int_t integer = json_integer_value(json);

	if (json_is_real(json))
		return (struct pack_value){ .type = PACK_REAL,
					    .real = json_real_value(json) };
	if (json_is_integer(json) && integer < 0)
		return (struct pack_value){ .type = PACK_NEGATIVE,
					    .negative = integer };
	if (json_is_integer(json))
		return (struct pack_value){ .type = PACK_UINT,
					    .number = (uint64_t)integer };
	return (struct pack_value){
		.type = json_is_null(json) ? PACK_NIL : PACK_BOOL,
		.number = json_is_true(json),
	};
}

static int put(struct sink *sink, json_t *json)
{
	struct pack_value value;

	if (json_is_array(json) || json_is_object(json))
		return put_container(sink, json);
	if (json_is_string(json))
		return put_text(sink, json_string_value(json),
				json_string_length(json));
	value = scalar(json);
	pack_write(&sink->writer, &value);
	return 0;
}

int convert_from_json(json_t *json, uint8_t *buffer, size_t capacity,
		      struct error *why)
{
	struct sink sink = { .why = why };
	int r;

	pack_writer_init(&sink.writer, buffer, capacity);
	r = put(&sink, json);
	if (r == 0)
		r = pack_written(&sink.writer);
	if (r == -EMSGSIZE && sink.writer.error)
		return error_set(why, r, "JSON does not fit into %zu bytes of msgpack",
				 capacity);
	return r;
}
