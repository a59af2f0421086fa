#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/convert.h"
#include "common/wire/pack.h"
#include "tests/support/test.h"

#define BYTES(text) text, sizeof(text) - 1

/* Both ways, the msgpack in its shortest form. */
static const struct {
	const char *json, *bytes;
	size_t length;
} pairs[] = {
	{ "null", BYTES("\xc0") },
	{ "true", BYTES("\xc3") },
	{ "false", BYTES("\xc2") },
	{ "0", BYTES("\x00") },
	{ "-1", BYTES("\xff") },
	{ "9223372036854775807", BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff") },
	{ "-9223372036854775808", BYTES("\xd3\x80\0\0\0\0\0\0\0") },
	{ "9007199254740993", BYTES("\xcf\0\x20\0\0\0\0\0\x01") },
	{ "1.0", BYTES("\xcb\x3f\xf0\0\0\0\0\0\0") },
	{ "-0.0", BYTES("\xcb\x80\0\0\0\0\0\0\0") },
	{ "0.1", BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a") },
	{ "\"\"", BYTES("\xa0") },
	{ "\"\xc3\xa9\xf0\x9f\x94\xa5\"", BYTES("\xa6\xc3\xa9\xf0\x9f\x94\xa5") },
	{ "[]", BYTES("\x90") },
	{ "{}", BYTES("\x80") },
	{ "{\"b\":[1,null],\"a\":{}}", BYTES("\x82\xa1" "b\x92\x01\xc0\xa1" "a\x80") },
	{ "[[[[[[[[]]]]]]]]", BYTES("\x91\x91\x91\x91\x91\x91\x91\x90") },
};

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	test_row(json, "%s: no JSON", text);
	return json;
}

static void values_convert_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		json_auto_t *want = parse(pairs[i].json);
		struct span bytes = { (const uint8_t *)pairs[i].bytes, pairs[i].length };
		json_auto_t *got = NULL;
		uint8_t buffer[64];
		char text[64];

		test_row(convert_from_json(want, buffer, sizeof(buffer), NULL) ==
			 (int)bytes.length &&
			 memcmp(buffer, bytes.data, bytes.length) == 0,
			 "%s: other bytes", pairs[i].json);
		test_row(convert_to_json(bytes, &got, NULL) == 0,
			 "%s: no tree", pairs[i].json);
		json_write(got, JSON_COMPACT | JSON_REAL_PRECISION(17), text,
			   sizeof(text), NULL);
		test_row(json_equal(got, want) &&
			 (strchr(text, '.') || strcmp(text, pairs[i].json) == 0),
			 "%s: became %s", pairs[i].json, text);
	}
}

static const struct {
	const char *name, *bytes;
	size_t length;
	int want;
	const char *words;
} refused[] = {
	{ "nothing", BYTES(""), -EBADMSG, "before byte 0: malformed, cut short or too deep" },
	{ "an integer beyond the signed", BYTES("\x92\x01\xcf\x80\0\0\0\0\0\0\0"), -ERANGE, "before byte 11: an integer beyond 2^63 - 1" },
	{ "raw bytes", BYTES("\xc4\x01x"), -EBADMSG, "raw bytes have no JSON form" },
	{ "not a number", BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), -EBADMSG, "not finite" },
	{ "infinity", BYTES("\xca\xff\x80\0\0"), -EBADMSG, "not finite" },
	{ "a key that is no text", BYTES("\x81\x01\x01"), -EBADMSG, "a key is not a string" },
	{ "a key with a NUL", BYTES("\x81\xa1\0\x01"), -EBADMSG, "a key is not a string" },
	{ "a key that comes twice", BYTES("\x82\xa1" "a\x01\xa1" "a\x02"), -EBADMSG, "a key comes twice" },
	{ "a string with a NUL", BYTES("\xa3" "a\0b"), -EBADMSG, "a string with U+0000" },
	{ "a string that is not UTF-8", BYTES("\xa1\xff"), -EBADMSG, "malformed" },
	{ "nine arrays deep", BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x90"), -EBADMSG, "too deep" },
	{ "a second value", BYTES("\x01\x02"), -EBADMSG, "more than one value" },
	{ "a map cut after its key", BYTES("\x81\xa1" "a"), -EBADMSG, "cut short" },
	{ "a lying count", BYTES("\xdd\xff\xff\xff\xff"), -EBADMSG, "malformed" },
	{ "an extension type", BYTES("\xd4\x01\x01"), -EBADMSG, "malformed" },
};

static void what_json_cannot_say_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct span bytes = { (const uint8_t *)refused[i].bytes,
				      refused[i].length };
		json_t *got = NULL;
		struct error why = { 0 };
		int r = convert_to_json(bytes, &got, &why);

		test_row(r == refused[i].want && !got, "%s: got %d",
			 refused[i].name, r);
		test_row(strstr(why.text, refused[i].words), "%s: got \"%s\"",
			 refused[i].name, why.text);
	}
}

static void what_msgpack_cannot_carry_is_refused(void **state)
{
	json_auto_t *deep = parse("[[[[[[[[[]]]]]]]]]");
	json_auto_t *deep_object = parse("[[[[[[[[{}]]]]]]]]");
	json_auto_t *nul = json_stringn("a\0b", 3);
	uint8_t buffer[64];
	struct error why;

	(void)state;
	assert_int_equal(convert_from_json(deep, buffer, sizeof(buffer), &why), -EMSGSIZE);
	assert_string_equal(why.text, "JSON nested deeper than 8: flatten it");
	assert_int_equal(convert_from_json(deep_object, buffer, sizeof(buffer), NULL), -EMSGSIZE);
	assert_int_equal(convert_from_json(nul, buffer, sizeof(buffer), &why), -EBADMSG);
	assert_string_equal(why.text, "JSON: a string with U+0000");
}

static void a_short_buffer_is_refused(void **state)
{
	json_auto_t *json = parse("{\"list\":[1,2.5,\"three\",null]}");
	uint8_t buffer[64];
	int whole = convert_from_json(json, buffer, sizeof(buffer), NULL);
	struct error why;

	(void)state;
	assert_int_equal(whole, 24);
	for (size_t room = 0; room < (size_t)whole; room++)
		assert_int_equal(convert_from_json(json, buffer, room, &why), -EMSGSIZE);
	assert_string_equal(why.text, "JSON does not fit into 23 bytes of msgpack");
}

/* ---- round trips ---- */

static json_t *make_text(struct random *random)
{
	static const char letters[] = "a\n\"\\\xc3\xa9\xf0\x9f\x94\xa5zz";
	static const uint8_t ends[] = { 0, 1, 2, 3, 4, 6, 10, 11, 12 };

	return json_stringn(letters, ends[random_below(random, COUNT(ends))]);
}

static json_t *make_real(struct random *random)
{
	double value;

	do {
		uint64_t bits = random_next(random);

		memcpy(&value, &bits, sizeof(value));
	} while (value - value != 0);	/* not finite */
	return json_real(value);
}

static json_t *make_json(struct random *random, unsigned depth)
{
	uint64_t sort = random_below(random, depth < PACK_DEPTH_MAX ? 8 : 6);
	json_t *container;

	switch (sort) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(random_below(random, 2));
	case 2:
		return json_integer((json_int_t)random_next(random));
	case 3:
		return json_integer((json_int_t)random_below(random, 600) - 300);
	case 4:
		return make_real(random);
	case 5:
		return make_text(random);
	default:
		container = sort == 6 ? json_array() : json_object();
	}
	for (uint64_t i = random_below(random, 5); i; i--) {
		json_t *member = make_json(random, depth + 1);
		char key[8];

		snprintf(key, sizeof(key), "k%" PRIu64, random_below(random, 50));
		if (sort == 6)
			json_array_append_new(container, member);
		else
			json_object_set_new(container, key, member);
	}
	return container;
}

static void random_trees_come_back_equal(void **state)
{
	static uint8_t first[65536], second[65536];
	struct random random;
	unsigned containers = 0;

	(void)state;
	test_random_init(&random, "trees");
	for (int round = 0; round < 5000; round++) {
		json_auto_t *sent = make_json(&random, 0);
		json_auto_t *got = NULL;
		int length = convert_from_json(sent, first, sizeof(first), NULL);

		assert_true(length > 0);
		assert_int_equal(convert_to_json((struct span){ first, (size_t)length },
						 &got, NULL), 0);
		assert_true(json_equal(got, sent));
		assert_int_equal(convert_from_json(got, second, sizeof(second), NULL),
				 length);
		assert_memory_equal(first, second, (size_t)length);
		containers += json_is_array(sent) || json_is_object(sent);
	}
	assert_in_range(containers, 500, 4500);
}

static void flipped_bits_do_no_harm(void **state)
{
	static uint8_t bytes[65536], again[65536];
	struct random random;

	(void)state;
	test_random_init(&random, "flips");
	for (int round = 0; round < 5000; round++) {
		json_auto_t *sent = make_json(&random, 0);
		json_auto_t *got = NULL;
		size_t length = (size_t)convert_from_json(sent, bytes,
							  sizeof(bytes), NULL);

		bytes[random_below(&random, length)] ^=
			(uint8_t)(1U << random_below(&random, 8));
		if (convert_to_json((struct span){ bytes, length }, &got, NULL) == 0)
			assert_true(convert_from_json(got, again, sizeof(again),
						      NULL) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_convert_both_ways),
		cmocka_unit_test(what_json_cannot_say_is_refused),
		cmocka_unit_test(what_msgpack_cannot_carry_is_refused),
		cmocka_unit_test(a_short_buffer_is_refused),
		cmocka_unit_test(random_trees_come_back_equal),
		cmocka_unit_test(flipped_bits_do_no_harm),
	};

	return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
