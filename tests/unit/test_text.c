#include "tests/support/test.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"

static const struct {
	const char *name, *bytes;
	bool want;
} encodings[] = {
	{ "nothing", "", true },
	{ "ASCII", "a line of more than eight bytes", true },
	{ "two bytes, least", "\xc2\x80", true },
	{ "two bytes, most", "\xdf\xbf", true },
	{ "three bytes, least", "\xe0\xa0\x80", true },
	{ "before the surrogates", "\xed\x9f\xbf", true },
	{ "after the surrogates", "\xee\x80\x80", true },
	{ "three bytes, most", "\xef\xbf\xbf", true },
	{ "four bytes, least", "\xf0\x90\x80\x80", true },
	{ "U+10FFFF", "\xf4\x8f\xbf\xbf", true },
	{ "characters after ASCII", "12345678\xc3\xa9z", true },
	{ "a byte that only follows", "\x80", false },
	{ "the same after ASCII", "12345678\xbf", false },
	{ "overlong two bytes", "\xc0\x80", false },
	{ "overlong two bytes, most", "\xc1\xbf", false },
	{ "overlong three bytes", "\xe0\x9f\xbf", false },
	{ "overlong four bytes", "\xf0\x8f\xbf\xbf", false },
	{ "first surrogate", "\xed\xa0\x80", false },
	{ "last surrogate", "\xed\xbf\xbf", false },
	{ "above U+10FFFF", "\xf4\x90\x80\x80", false },
	{ "far above", "\xf5\x80\x80\x80", false },
	{ "0xff", "\xff", false },
	{ "cut after one of two", "\xc3", false },
	{ "cut after two of three", "\xe2\x82", false },
	{ "cut after three of four", "\xf0\x9f\x92", false },
	{ "second byte too low", "\xc3\x28", false },
	{ "third byte too low", "\xe2\x82\x28", false },
	{ "third byte too high", "\xe2\x82\xc0", false },
	{ "fourth byte too low", "\xf0\x9f\x92\x28", false },
};

static void utf8_is_what_rfc_3629_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(encodings); i++)
		test_row(text_is_utf8(span_of_text(encodings[i].bytes)) ==
			 encodings[i].want, "%s", encodings[i].name);
	assert_true(text_is_utf8((struct span){ (const uint8_t *)"a\0b", 3 }));
}

static void a_character_has_its_code(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t want;
	} cases[] = {
		{ "a", 'a' }, { "\x7f", 0x7f }, { "\xc2\x80", 0x80 },
		{ "\xdf\xbf", 0x7ff }, { "\xe0\xa0\x80", 0x800 },
		{ "\xe2\x80\xae", 0x202e }, { "\xed\x9f\xbf", 0xd7ff },
		{ "\xef\xbf\xbf", 0xffff }, { "\xf0\x90\x80\x80", 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span text = span_of_text(cases[i].bytes);
		uint32_t code = 0;

		assert_int_equal(text_character(text, &code), text.length);
		assert_int_equal(code, cases[i].want);
	}
}

static const struct {
	const char *name, *bytes;
	size_t room;
	const char *want;
} escapes[] = {
	{ "plain text stays", "caf\xc3\xa9 \xf0\x9f\x98\x80", 64, "caf\xc3\xa9 \xf0\x9f\x98\x80" },
	{ "nothing stays nothing", "", 4, "" },
	{ "the named controls", "a\nb\rc\td\\", 64, "a\\nb\\rc\\td\\" },
	{ "other controls", "\x1b[31m\x7f\x01", 64, "\\x1b[31m\\x7f\\x01" },
	{ "the edge of the controls", "\x1f ~", 64, "\\x1f ~" },
	{ "controls above ASCII", "\xc2\x9b" "2J\xc2\x80\xc2\x9f\xc2\xa0", 64, "\\xc2\\x9b2J\\xc2\\x80\\xc2\\x9f\xc2\xa0" },
	{ "line separator", "\xe2\x80\xa8", 64, "\\xe2\\x80\\xa8" },
	{ "direction override", "\xe2\x80\xae\xe2\x80\xa7\xe2\x80\xaf", 64, "\\xe2\\x80\\xae\xe2\x80\xa7\xe2\x80\xaf" },
	{ "direction isolate", "\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", 64, "\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xe2\x81\xaa" },
	{ "invalid bytes", "a\xff\xc3(\xed\xa0\x80", 64, "a\\xff\\xc3(\\xed\\xa0\\x80" },
	{ "exactly enough room", "abcdef", 7, "abcdef" },
	{ "a byte too few", "abcdef", 6, "abcde" },
	{ "cut between characters", "abc\xc3\xa9" "fgh", 5, "abc" },
	{ "cut between escapes", "ab\x01gh", 6, "ab" },
	{ "no room for one escape", "\x01\x02", 4, "" },
};

static void escaped_text_is_fit_for_a_terminal(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(escapes); i++) {
		char out[64];

		memset(out, '#', sizeof(out));
		size_t length = text_escape(span_of_text(escapes[i].bytes), out,
					    escapes[i].room);
		test_row(strcmp(out, escapes[i].want) == 0 &&
			 length == strlen(escapes[i].want), "%s: got %s",
			 escapes[i].name, out);
		test_row(escapes[i].room == sizeof(out) ||
			 out[escapes[i].room] == '#', "%s: wrote too far",
			 escapes[i].name);
	}
	char out[8];
	text_escape((struct span){ (const uint8_t *)"a\0b", 3 }, out, sizeof(out));
	assert_string_equal(out, "a\\x00b");
	text_escape((struct span){ (const uint8_t *)"\xc3\xa9", 1 }, out, sizeof(out));
	assert_string_equal(out, "\\xc3");
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static void any_bytes_escape_to_printable_utf8(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "escape");
	for (int i = 0; i < 50000; i++) {
		uint8_t bytes[24];
		char out[100];
		size_t count = random_below(&random, sizeof(bytes) + 1);
		size_t room = 4 + random_below(&random, sizeof(out) - 3);

		for (size_t n = 0; n < count; n++)
			bytes[n] = (uint8_t)(random_below(&random, 2) ?
				0xc0 + random_below(&random, 64) :
				random_below(&random, 256));
		size_t length = text_escape((struct span){ bytes, count }, out, room);
		assert_true(length < room);
		assert_int_equal(strlen(out), length);
		assert_true(text_is_utf8(span_of_text(out)));
		assert_false(has_control(out));
	}
}

static const struct {
	const char *text;
	int want;
	uint64_t bytes;
} sizes[] = {
	{ "0", 0, 0 },
	{ "512", 0, 512 },
	{ "7B", 0, 7 },
	{ "10k", 0, 10240 },
	{ "10K", 0, 10240 },
	{ "512M", 0, 536870912 },
	{ "1G", 0, 1073741824 },
	{ "2T", 0, UINT64_C(2199023255552) },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "8388607T", 0, UINT64_C(9223370937343148032) },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "8388608T", -ERANGE, 0 },
	{ "99999999999999999999k", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "k", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 },
	{ "1 k", -EINVAL, 0 },
	{ "1kk", -EINVAL, 0 },
	{ "1s", -EINVAL, 0 },
};

static void sizes_parse_or_say_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct error why = { 0 };
		uint64_t bytes = 77;
		int r = text_parse_size(sizes[i].text, &bytes, &why);

		test_row(r == sizes[i].want, "%s: got %d", sizes[i].text, r);
		test_row(bytes == (r < 0 ? 77 : sizes[i].bytes),
			 "%s: got %" PRIu64, sizes[i].text, bytes);
		test_row(r == 0 || strstr(why.text, sizes[i].text),
			 "%s: says %s", sizes[i].text, why.text);
	}
}

static const struct {
	const char *text;
	int want;
	int64_t ns;
} durations[] = {
	{ "0", 0, 0 },
	{ "7ns", 0, 7 },
	{ "20us", 0, 20000 },
	{ "500ms", 0, 500000000 },
	{ "10s", 0, INT64_C(10000000000) },
	{ "1.5s", 0, 1500000000 },
	{ "0.25m", 0, INT64_C(15000000000) },
	{ "2m", 0, INT64_C(120000000000) },
	{ "1h", 0, INT64_C(3600000000000) },
	{ "1d", 0, INT64_C(86400000000000) },
	{ "9223372036s", 0, INT64_C(9223372036000000000) },
	{ "9223372036.9s", -ERANGE, 0 },
	{ "9223372037s", -ERANGE, 0 },
	{ "9223372036854775807ns", 0, INT64_MAX },
	{ "99999999999999999999s", -ERANGE, 0 },
	{ "10", -EINVAL, 0 },
	{ "1M", -EINVAL, 0 },
	{ "1..5s", -EINVAL, 0 },
	{ "1.s", -EINVAL, 0 },
	{ ".5s", -EINVAL, 0 },
	{ "-1s", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
};

static void durations_parse_or_say_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		struct error why = { 0 };
		int64_t ns = 77;
		int r = text_parse_duration(durations[i].text, &ns, &why);

		test_row(r == durations[i].want, "%s: got %d", durations[i].text, r);
		test_row(ns == (r < 0 ? 77 : durations[i].ns),
			 "%s: got %" PRId64, durations[i].text, ns);
		test_row(r == 0 || strstr(why.text, durations[i].text),
			 "%s: says %s", durations[i].text, why.text);
	}
}

static const struct {
	uint64_t value;
	const char *size, *duration;
} formats[] = {
	{ 0, "0", "0" },
	{ 1, "1", "1ns" },
	{ 1000, "1000", "1us" },
	{ 1024, "1K", "1024ns" },
	{ 1536, "1536", "1536ns" },
	{ 1500000000, "1500000000", "1500ms" },
	{ UINT64_C(536870912), "512M", "536870912ns" },
	{ UINT64_C(90000000000), "87890625K", "90s" },
	{ UINT64_C(7200000000000), "7031250000K", "2h" },
};

static void quantities_have_a_shortest_exact_form(void **state)
{
	char out[TEXT_QUANTITY_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		text_size(formats[i].value, out);
		assert_string_equal(out, formats[i].size);
		text_duration((int64_t)formats[i].value, out);
		assert_string_equal(out, formats[i].duration);
	}
}

static void formatted_quantities_parse_again(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "quantities");
	for (int i = 0; i < 20000; i++) {
		char out[TEXT_QUANTITY_BYTES];
		uint64_t value = random_next(&random) >> (1 + random_below(&random, 63));
		uint64_t bytes = 0;
		int64_t ns = 0;

		text_size(value, out);
		assert_int_equal(text_parse_size(out, &bytes, NULL), 0);
		assert_int_equal(bytes, value);
		text_duration((int64_t)value, out);
		assert_int_equal(text_parse_duration(out, &ns, NULL), 0);
		assert_int_equal(ns, value);
	}
}

static const char *const settings[] = {
	"timeout", "time", "job.deadline", "job.output", "workers", "log.level", NULL,
};

static const struct {
	const char *typed, *want;
} guesses[] = {
	{ "timeout", "timeout" },
	{ "timeot", "timeout" },
	{ "timeuot", "timeout" },
	{ "tiem", "time" },
	{ "worker", "workers" },
	{ "wrokers", "workers" },
	{ "job.dedline", "job.deadline" },
	{ "log_level", "log.level" },
	{ "tine", "time" },
	{ "tixx", NULL },
	{ "colour", NULL },
	{ "", NULL },
	{ "a-name-far-too-long-to-be-meant-as-any-of-those-that-are-there-at-all", NULL },
};

static void the_nearest_name_is_suggested(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(guesses); i++) {
		const char *got = text_nearest(guesses[i].typed, settings);

		test_row(guesses[i].want ? got && strcmp(got, guesses[i].want) == 0 :
					   !got,
			 "%s: got %s", guesses[i].typed, got ? got : "none");
	}
	assert_null(text_nearest("x", settings + COUNT(settings) - 1));
	assert_string_equal(text_nearest("ac", (const char *const[]){ "abc", "acd", NULL }),
			    "abc");
}

static void what_lies_in_a_directory_is_below_it(void **state)
{
	static const struct {
		const char *path, *directory;
		bool want;
	} rows[] = {
		{ "src", "src", true },		{ "src/a.h", "src", true },
		{ "src/a.h", "src/", true },	{ "srcs/a.h", "src", false },
		{ "sr", "src", false },		{ "a/src/b", "src", false },
		{ "/run/x", "/run", true },	{ "/x", "/", false },
		{ "/", "/", true },		{ "", "src", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		test_row(text_is_below(rows[i].path, rows[i].directory) == rows[i].want,
			 "%s, %s", rows[i].path, rows[i].directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
		cmocka_unit_test(a_character_has_its_code),
		cmocka_unit_test(what_lies_in_a_directory_is_below_it),
		cmocka_unit_test(escaped_text_is_fit_for_a_terminal),
		cmocka_unit_test(any_bytes_escape_to_printable_utf8),
		cmocka_unit_test(sizes_parse_or_say_why),
		cmocka_unit_test(durations_parse_or_say_why),
		cmocka_unit_test(quantities_have_a_shortest_exact_form),
		cmocka_unit_test(formatted_quantities_parse_again),
		cmocka_unit_test(the_nearest_name_is_suggested),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
