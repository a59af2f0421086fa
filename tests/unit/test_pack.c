#include <errno.h>
#include <jansson.h>
#include <msgpack.h>

#include "common/wire/pack.h"
#include "tests/support/heap.h"
#include "tests/support/test.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* Bit by bit: -0.0 is not 0.0, and a NaN is itself. */
static bool same_bits(double a, double b)
{
	uint64_t x, y;

	memcpy(&x, &a, sizeof(x));
	memcpy(&y, &b, sizeof(y));
	return x == y;
}

static bool value_equal(const struct pack_value *a, const struct pack_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case PACK_NEGATIVE:
		return a->negative == b->negative;
	case PACK_REAL:
		return same_bits(a->real, b->real);
	case PACK_TEXT:
	case PACK_BYTES:
		return span_equal((struct span){ a->data, a->number },
				  (struct span){ b->data, b->number });
	case PACK_REFUSED:
	case PACK_NIL:
	case PACK_BOOL:
	case PACK_UINT:
	case PACK_ARRAY:
	case PACK_MAP:
	case PACK_TYPE_COUNT:
		break;
	}
	return a->number == b->number;
}

#define NUMBER(kind, value) { .type = (kind), .number = (value) }
#define BELOW_0(value) { .type = PACK_NEGATIVE, .negative = (value) }
#define REAL(value) { .type = PACK_REAL, .real = (value) }
#define RUN(kind, words)                                                      \
	{                                                                     \
		.type = (kind), .number = sizeof(words) - 1,                  \
		.data = (const uint8_t *)(words)                              \
	}
#define TEXT(words) RUN(PACK_TEXT, words)
#define RAW(words) RUN(PACK_BYTES, words)

/* The shortest form of each value at the edges of the format's ranges. */
static const struct {
	const char *name;
	struct pack_value value;
	const uint8_t *bytes;
	size_t length;
} forms[] = {
	{ "nil", NUMBER(PACK_NIL, 0), BYTES(0xc0) },
	{ "false", NUMBER(PACK_BOOL, 0), BYTES(0xc2) },
	{ "true", NUMBER(PACK_BOOL, 1), BYTES(0xc3) },
	{ "0", NUMBER(PACK_UINT, 0), BYTES(0) },
	{ "127", NUMBER(PACK_UINT, 127), BYTES(127) },
	{ "128", NUMBER(PACK_UINT, 128), BYTES(0xcc, 128) },
	{ "256", NUMBER(PACK_UINT, 256), BYTES(0xcd, 1, 0) },
	{ "65536", NUMBER(PACK_UINT, 65536), BYTES(0xce, 0, 1, 0, 0) },
	{ "2^64-1", NUMBER(PACK_UINT, UINT64_MAX),
	  BYTES(0xcf, 255, 255, 255, 255, 255, 255, 255, 255) },
	{ "-1", BELOW_0(-1), BYTES(0xff) },
	{ "-32", BELOW_0(-32), BYTES(0xe0) },
	{ "-33", BELOW_0(-33), BYTES(0xd0, 0xdf) },
	{ "-129", BELOW_0(-129), BYTES(0xd1, 0xff, 0x7f) },
	{ "-32769", BELOW_0(-32769), BYTES(0xd2, 0xff, 0xff, 0x7f, 0xff) },
	{ "-2^63", BELOW_0(INT64_MIN), BYTES(0xd3, 128, 0, 0, 0, 0, 0, 0, 0) },
	{ "1.5", REAL(1.5), BYTES(0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0) },
	{ "empty text", TEXT(""), BYTES(0xa0) },
	{ "text", TEXT("ok"), BYTES(0xa2, 'o', 'k') },
	{ "long text", TEXT("12345678901234567890123456789012"),
	  BYTES(0xd9, 32, '1', '2', '3', '4', '5', '6', '7', '8', '9', '0',
		'1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '1', '2',
		'3', '4', '5', '6', '7', '8', '9', '0', '1', '2') },
	{ "empty bytes", RAW(""), BYTES(0xc4, 0) },
	{ "bytes", RAW("\xff\0"), BYTES(0xc4, 2, 0xff, 0) },
};

static void the_shortest_form_is_written_and_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		uint8_t buffer[64];
		struct pack_writer writer;
		struct pack_reader reader;
		struct pack_value value;

		pack_writer_init(&writer, buffer, sizeof(buffer));
		pack_write(&writer, &forms[i].value);
		test_row(pack_written(&writer) == (int)forms[i].length &&
			 memcmp(buffer, forms[i].bytes, forms[i].length) == 0,
			 "%s: written otherwise", forms[i].name);

		pack_reader_init(&reader, (struct span){ forms[i].bytes,
							 forms[i].length });
		test_row(pack_read(&reader, &value) == 0 &&
			 pack_finish(&reader) == 0 &&
			 value_equal(&value, &forms[i].value),
			 "%s: read otherwise", forms[i].name);
	}
}

/* Walks one value of any shape; what a decoder does with a whole input. */
static int walk(struct span bytes)
{
	struct pack_reader reader;
	struct pack_value value;
	int r = 0;

	pack_reader_init(&reader, bytes);
	while (r == 0 && pack_finish(&reader) < 0) {
		r = pack_read(&reader, &value);
		assert_true(reader.at <= reader.end);
	}
	return r;
}

static const struct {
	const char *name;
	const uint8_t *bytes;
	size_t length;
	int want;
} inputs[] = {
	{ "a longer form than needed is read", BYTES(0xcf, 0, 0, 0, 0, 0, 0, 0, 1), 0 },
	{ "a signed form of a positive integer is read", BYTES(0xd0, 1), 0 },
	{ "a short real is read", BYTES(0xca, 0x3f, 0xc0, 0, 0), 0 },
	{ "eight arrays deep is read", BYTES(0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x90), 0 },
	{ "a ninth is refused, be it empty", BYTES(0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x90), -EBADMSG },
	{ "beside each other there may be many", BYTES(0x93, 0x90, 0x80, 0x91, 0x90), 0 },
	{ "a map's keys and values count twice", BYTES(0x82, 1, 2, 3, 4), 0 },
	{ "a map that lacks a value is refused", BYTES(0x82, 1, 2, 3), -EBADMSG },
	{ "a trailing byte is refused", BYTES(0x91, 0, 0), -EBADMSG },
	{ "an announced count beyond the bytes is refused", BYTES(0xdd, 255, 255, 255, 255, 0), -EBADMSG },
	{ "so is a map's", BYTES(0xdf, 255, 255, 255, 255, 0), -EBADMSG },
	{ "so is a length", BYTES(0xc6, 255, 255, 255, 255, 0), -EBADMSG },
	{ "half a length is refused", BYTES(0xda, 1), -EBADMSG },
	{ "an extension type is refused", BYTES(0xd4, 1, 0), -EBADMSG },
	{ "the byte that is never used is refused", BYTES(0xc1), -EBADMSG },
	{ "text cut within a character is refused", BYTES(0xa1, 0xc3), -EBADMSG },
	{ "an overlong character is refused", BYTES(0xa2, 0xc0, 0x80), -EBADMSG },
	{ "a surrogate is refused", BYTES(0xa3, 0xed, 0xa0, 0x80), -EBADMSG },
	{ "beyond the last code point is refused", BYTES(0xa4, 0xf4, 0x90, 0x80, 0x80), -EBADMSG },
	{ "four bytes of one character are text", BYTES(0xa4, 0xf4, 0x8f, 0xbf, 0xbf), 0 },
};

static void inputs_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(inputs); i++) {
		int got = walk((struct span){ inputs[i].bytes, inputs[i].length });

		test_row(got == inputs[i].want, "%s: got %d", inputs[i].name, got);
	}
	assert_int_equal(walk((struct span){ NULL, 0 }), -EBADMSG);
}

/* ---- against msgpack-c ---- */

/* A second opinion on UTF-8; msgpack-c's empty text is a NULL pointer. */
static bool jansson_takes(const char *data, size_t length)
{
	json_t *text = json_stringn(length ? data : "", length);

	json_decref(text);
	return text;
}

/* Whether our reader must refuse what msgpack-c has unpacked. */
static bool beyond_us(const msgpack_object *object, unsigned depth)
{
	const msgpack_object_array *array = &object->via.array;
	const msgpack_object_map *map = &object->via.map;

	if (object->type == MSGPACK_OBJECT_EXT)
		return true;
	if (object->type == MSGPACK_OBJECT_STR)
		return !jansson_takes(object->via.str.ptr, object->via.str.size);
	if (object->type != MSGPACK_OBJECT_ARRAY &&
	    object->type != MSGPACK_OBJECT_MAP)
		return false;
	if (depth == PACK_DEPTH_MAX)
		return true;
	if (object->type == MSGPACK_OBJECT_ARRAY) {
		for (uint32_t i = 0; i < array->size; i++)
			if (beyond_us(&array->ptr[i], depth + 1))
				return true;
		return false;
	}
	for (uint32_t i = 0; i < map->size; i++)
		if (beyond_us(&map->ptr[i].key, depth + 1) ||
		    beyond_us(&map->ptr[i].val, depth + 1))
			return true;
	return false;
}

static struct pack_value value_of(const msgpack_object *object)
{
	switch (object->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		return (struct pack_value)NUMBER(PACK_BOOL, object->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return (struct pack_value)NUMBER(PACK_UINT, object->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return (struct pack_value)BELOW_0(object->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return (struct pack_value)REAL(object->via.f64);
	case MSGPACK_OBJECT_STR:
	case MSGPACK_OBJECT_BIN:
		return (struct pack_value){
			.type = object->type == MSGPACK_OBJECT_STR ? PACK_TEXT
								   : PACK_BYTES,
			.number = object->via.str.size,
			.data = (const uint8_t *)object->via.str.ptr,
		};
	case MSGPACK_OBJECT_ARRAY:
		return (struct pack_value)NUMBER(PACK_ARRAY, object->via.array.size);
	case MSGPACK_OBJECT_MAP:
		return (struct pack_value)NUMBER(PACK_MAP, object->via.map.size);
	case MSGPACK_OBJECT_NIL:
		return (struct pack_value)NUMBER(PACK_NIL, 0);
	case MSGPACK_OBJECT_EXT:
		break;
	}
	return (struct pack_value)NUMBER(PACK_REFUSED, 0);
}

static bool reads_alike(struct pack_reader *reader, const msgpack_object *object)
{
	struct pack_value got, want = value_of(object);

	if (pack_read(reader, &got) < 0 || !value_equal(&got, &want))
		return false;
	if (want.type == PACK_ARRAY)
		for (uint32_t i = 0; i < object->via.array.size; i++)
			if (!reads_alike(reader, &object->via.array.ptr[i]))
				return false;
	if (want.type == PACK_MAP)
		for (uint32_t i = 0; i < object->via.map.size; i++)
			if (!reads_alike(reader, &object->via.map.ptr[i].key) ||
			    !reads_alike(reader, &object->via.map.ptr[i].val))
				return false;
	return true;
}

/*
 * Lead bytes of every sort; lengths kept small, lest all inputs be cut short.
 * No 32-bit counts: msgpack-c would allocate what they announce.
 */
static size_t make_input(struct random *random, uint8_t *bytes, size_t size)
{
	static const uint8_t favourites[] = {
		0x91, 0x92, 0x93, 0x81, 0x82, 0xa0, 0xa2, 0xc0, 0xc3, 0xc4,
		0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3,
		0xd9, 0xda, 0xdb, 0xdc, 0xde, 0xff, 0xe0, 0x00, 0x7f, 0xc3,
	};
	size_t length = 1 + random_below(random, size - 1);

	for (size_t i = 0; i < length; i++) {
		switch (random_below(random, 4)) {
		case 0:
			bytes[i] = (uint8_t)random_next(random);
			break;
		case 1:
			bytes[i] = (uint8_t)random_below(random, 3);
			break;
		default:
			bytes[i] = favourites[random_below(random,
							   COUNT(favourites))];
		}
		if (bytes[i] == 0xdd || bytes[i] == 0xdf)
			bytes[i]--;
	}
	return length;
}

static void what_msgpack_c_unpacks_is_read_alike(void **state)
{
	struct random random;
	unsigned taken = 0, refused = 0;

	(void)state;
	test_random_init(&random, "against msgpack-c");
	for (int i = 0; i < 200000; i++) {
		uint8_t bytes[24];
		size_t length = make_input(&random, bytes, sizeof(bytes));
		size_t used = 0;
		struct pack_reader reader;
		msgpack_unpacked oracle;

		msgpack_unpacked_init(&oracle);
		bool whole = msgpack_unpack_next(&oracle, (const char *)bytes,
						 length, &used) ==
			     MSGPACK_UNPACK_SUCCESS;
		bool want = whole && !beyond_us(&oracle.data, 0);

		/* Random bytes seldom end where a value does: cut them there. */
		if (whole)
			length = used;
		pack_reader_init(&reader, (struct span){ bytes, length });
		if (want)
			test_row(reads_alike(&reader, &oracle.data) &&
				 pack_finish(&reader) == 0,
				 "input %d: msgpack-c reads it otherwise", i);
		else
			test_row(walk((struct span){ bytes, length }) == -EBADMSG,
				 "input %d: only we take it", i);
		msgpack_unpacked_destroy(&oracle);
		taken += want;
		refused += !want;
	}
	assert_in_range(taken, 20000, 180000);
	assert_in_range(refused, 20000, 180000);
}

/* ---- writing ---- */

static void a_short_buffer_is_never_overrun(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++)
		for (size_t room = 0; room < forms[i].length; room++) {
			uint8_t buffer[64];
			struct pack_writer writer;

			memset(buffer, 0x55, sizeof(buffer));
			pack_writer_init(&writer, buffer, room);
			pack_write(&writer, &forms[i].value);
			pack_write(&writer, &forms[0].value);
			test_row(pack_written(&writer) == -EMSGSIZE &&
				 buffer[room] == 0x55,
				 "%s in %zu bytes", forms[i].name, room);
		}
}

static void text_that_is_not_utf8_is_not_written(void **state)
{
	static const struct pack_value value = TEXT("\xff");
	uint8_t buffer[8];
	struct pack_writer writer;

	(void)state;
	pack_writer_init(&writer, buffer, sizeof(buffer));
	pack_write(&writer, &value);
	assert_int_equal(pack_written(&writer), -EBADMSG);
}

static void nothing_is_allocated(void **state)
{
	uint64_t before = heap_count();

	the_shortest_form_is_written_and_read(state);
	inputs_are_read_or_refused(state);
	assert_int_equal(heap_count(), before);
	void *volatile kept = malloc(1);
	free(kept);
	assert_int_equal(heap_count(), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shortest_form_is_written_and_read),
		cmocka_unit_test(inputs_are_read_or_refused),
		cmocka_unit_test(what_msgpack_c_unpacks_is_read_alike),
		cmocka_unit_test(a_short_buffer_is_never_overrun),
		cmocka_unit_test(text_that_is_not_utf8_is_not_written),
		cmocka_unit_test(nothing_is_allocated),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
