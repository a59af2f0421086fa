#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/log_line.h"

#define HEAD                                                                   \
	"{\"ts\":\"2026-01-02T03:04:05.123456789Z\",\"level\":\"warning\","     \
	"\"component\":\"router\",\"pid\":12"

static const struct {
	const char *name, *line;
	bool good;
} cases[] = {
	{ "a message alone", HEAD ",\"msg\":\"one\"}", true },
	{ "context and fields", HEAD ",\"call\":71,\"msg\":\"one\",\"signal\":-9,\"cut\":true}", true },
	{ "escapes", HEAD ",\"msg\":\"a \\\"b\\\" \\\\xff \\u202e\"}", true },
	{ "characters", HEAD ",\"msg\":\"gr\xc3\xbc\xc3\x9f\"}", true },
	{ "no message", HEAD ",\"call\":71}", false },
	{ "two messages", HEAD ",\"msg\":\"one\",\"msg\":\"two\"}", false },
	{ "another speaker", HEAD ",\"msg\":\"one\",\"component\":\"monitor\"}", false },
	{ "another speaker, in disguise", HEAD ",\"msg\":\"one\",\"componen\\u0074\":\"monitor\"}", false },
	{ "another worker", HEAD ",\"worker\":\"fs/3\",\"msg\":\"one\"}", false },
	{ "another generation", HEAD ",\"msg\":\"one\",\"generation\":1}", false },
	{ "another level", HEAD ",\"msg\":\"one\",\"level\":\"debug\"}", false },
	{ "something behind it", HEAD ",\"msg\":\"one\"} ", false },
	{ "something before it", " " HEAD ",\"msg\":\"one\"}", false },
	{ "a string that does not end", HEAD ",\"msg\":\"one}", false },
	{ "a byte that is no character", HEAD ",\"msg\":\"\xff\"}", false },
	{ "a bare control character", HEAD ",\"msg\":\"\x1b[31m\"}", false },
	{ "one that reorders", HEAD ",\"msg\":\"\xe2\x80\xae\"}", false },
	{ "an escape log.h has not", HEAD ",\"msg\":\"\\n\"}", false },
	{ "half an escape", HEAD ",\"msg\":\"\\u20", false },
	{ "half a character", HEAD ",\"msg\":\"\\ud83d\"}", false },
	{ "no character", HEAD ",\"msg\":\"\\u0000\"}", false },
	{ "a message that is a number", HEAD ",\"msg\":-9}", false },
	{ "a number beyond all", HEAD ",\"msg\":\"one\",\"x\":9999999999999999999}", false },
	{ "a field twice", HEAD ",\"x\":1,\"msg\":\"one\",\"x\":1}", false },
	{ "a nested value", HEAD ",\"msg\":\"one\",\"x\":{}}", false },
	{ "a fraction", HEAD ",\"msg\":\"one\",\"x\":1.5}", false },
	{ "a leading zero", HEAD ",\"msg\":\"one\",\"x\":01}", false },
	{ "a comma too many", HEAD ",\"msg\":\"one\",}", false },
	{ "an unknown level", "{\"ts\":\"2026-01-02T03:04:05.123456789Z\",\"level\":\"loud\","
	  "\"component\":\"r\",\"pid\":1,\"msg\":\"one\"}", false },
	{ "a short time", "{\"ts\":\"2026-01-02T03:04:05Z\",\"level\":\"info\","
	  "\"component\":\"r\",\"pid\":1,\"msg\":\"one\"}", false },
	{ "nothing", "", false },
};

static void a_line_is_a_record_or_it_is_not(void **state)
{
	struct log_line line;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int r = log_line_parse(span_of_text(cases[i].line), &line);

		test_row(r == (cases[i].good ? 0 : -EBADMSG), "%s: %d", cases[i].name, r);
	}
}

static void no_beginning_of_a_record_is_one(void **state)
{
	struct log_line line;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span text = span_of_text(cases[i].line);

		if (!cases[i].good)
			continue;
		while (text.length-- > 0)
			test_row(log_line_parse(text, &line) == -EBADMSG, "%s: %zu bytes",
				 cases[i].name, text.length);
	}
}

static bool is_text(struct span span, const char *text)
{
	return span_equal(span, span_of_text(text));
}

/* What log_format() writes, it reads: each kind of field, and a cut line. */
static void what_the_log_writes_is_read_back(void **state)
{
	char text[LOG_LINE_BYTES], long_text[2 * LOG_LINE_BYTES];
	struct log_record record = {
		.wall_ns = 1, .level = LEVEL_NOTICE, .component = "router",
		.context = { .call = 7, .attempt = 2 }, .message = "it \"has\"\n\xff begun",
		.fields = LOG_FIELDS(log_text("a", "\x1b"), log_int("b", -1),
				     log_uint("c", UINT64_MAX)) };
	struct log_line line;
	size_t length = log_format(&record, text);

	(void)state;
	assert_int_equal(log_line_parse((struct span){ (uint8_t *)text, length - 1 }, &line), 0);
	assert_int_equal(line.level, LEVEL_NOTICE);
	assert_true(is_text(line.time, "1970-01-01T00:00:00.000000001Z"));
	assert_true(is_text(line.message, "it \\\"has\\\"\\u000a\\\\xff begun"));
	assert_memory_equal(line.fields.data, ",\"call\":7,", 10);
	assert_int_equal(line.fields.data[line.fields.length - 1], '"');

	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	record.message = long_text;
	length = log_format(&record, text);
	assert_int_equal(log_line_parse((struct span){ (uint8_t *)text, length - 1 }, &line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_record_or_it_is_not),
		cmocka_unit_test(no_beginning_of_a_record_is_one),
		cmocka_unit_test(what_the_log_writes_is_read_back),
	};

	return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}
