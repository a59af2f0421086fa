#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "common/log.h"

#define BYTES(text) { (const uint8_t *)(text), sizeof(text) - 1 }

static struct log_record record_of(const char *message,
				   const struct log_field *fields)
{
	return (struct log_record){
		.wall_ns = 1767323045123456789,
		.level = LEVEL_WARNING,
		.component = "monitor",
		.message = message,
		.fields = fields,
	};
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t integer_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Checks that bytes are one line of JSON, and hands its object out. */
static json_t *parse_line(const char *bytes, size_t length)
{
	json_error_t error;
	json_t *object;

	assert_in_range(length, 1, LOG_LINE_BYTES);
	assert_ptr_equal(memchr(bytes, '\n', length), bytes + length - 1);
	object = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
	test_row(object, "%s in: %.*s", error.text, (int)length, bytes);
	return object;
}

static json_t *parse_record(const struct log_record *record)
{
	char bytes[LOG_LINE_BYTES];
	size_t length = log_format(record, bytes);

	return parse_line(bytes, length);
}

static void a_record_is_the_documented_line(void **state)
{
	char bytes[LOG_LINE_BYTES], want[LOG_LINE_BYTES];
	struct log_record record = record_of("worker died", LOG_FIELDS(
		log_int("signal", 9), log_text("cause", "oom"),
		log_text("absent", NULL), log_text("empty", "")));

	(void)state;
	record.context = (struct log_context){ "fs/3", 71, "01J9Z", 2 };
	size_t length = log_format(&record, bytes);

	snprintf(want, sizeof(want),
		 "{\"ts\":\"2026-01-02T03:04:05.123456789Z\","
		 "\"level\":\"warning\",\"component\":\"monitor\",\"pid\":%d,"
		 "\"worker\":\"fs/3\",\"call\":71,\"conversation\":\"01J9Z\","
		 "\"attempt\":2,\"msg\":\"worker died\",\"signal\":9,"
		 "\"cause\":\"oom\",\"empty\":\"\"}\n", getpid());
	assert_int_equal(length, strlen(want));
	assert_memory_equal(bytes, want, length);
}

static void nasty_bytes_come_out_readable(void **state)
{
	static const struct {
		const char *name;
		struct span input;
		const char *want;	/* between the quotes */
	} cases[] = {
		{ "quote and backslash", BYTES("a\"b\\c"), "a\\\"b\\\\c" },
		{ "newline and return", BYTES("a\r\nb"), "a\\u000d\\u000ab" },
		{ "an escape sequence", BYTES("\x1b[2J"), "\\u001b[2J" },
		{ "delete", BYTES("\x7f"), "\\u007f" },
		{ "the C1 sequence introducer", BYTES("\xc2\x9b"), "\\u009b" },
		{ "NUL", BYTES("a\0b"), "a\\\\x00b" },
		{ "the line separator", BYTES("\xe2\x80\xa8"), "\\u2028" },
		{ "a directional override", BYTES("\xe2\x80\xae"), "\\u202e" },
		{ "letters beyond ASCII", BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a lone continuation", BYTES("\x80z"), "\\\\x80z" },
		{ "a character cut short", BYTES("\xe2\x82"), "\\\\xe2\\\\x82" },
		{ "a broken character, then text", BYTES("\xe2(\xa1"), "\\\\xe2(\\\\xa1" },
		{ "an overlong slash", BYTES("\xc0\xaf"), "\\\\xc0\\\\xaf" },
		{ "an overlong three", BYTES("\xe0\x80\xaf"), "\\\\xe0\\\\x80\\\\xaf" },
		{ "a surrogate", BYTES("\xed\xa0\x80"), "\\\\xed\\\\xa0\\\\x80" },
		{ "beyond Unicode", BYTES("\xf4\x90\x80\x80"), "\\\\xf4\\\\x90\\\\x80\\\\x80" },
		{ "bytes UTF-8 never has", BYTES("\xfe\xff"), "\\\\xfe\\\\xff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct log_record record = record_of("m", LOG_FIELDS(
			log_bytes("text", cases[i].input)));
		char bytes[LOG_LINE_BYTES], want[256];
		size_t length = log_format(&record, bytes);
		int used = snprintf(want, sizeof(want), "\"text\":\"%s\"}\n",
				    cases[i].want);

		json_decref(parse_line(bytes, length));
		test_row(memcmp(bytes + length - used, want, (size_t)used) == 0,
			 "%s: got %.*s, want %s", cases[i].name, (int)length,
			 bytes, want);
	}
}

/* Bytes from a small alphabet that is rich in beginnings of characters. */
static void fill(struct random *random, uint8_t *bytes, size_t length)
{
	static const uint8_t alphabet[] = {
		'a', '"', '\\', '\n', 0, 0x1b, 0x7f, 0x80, 0xbf, 0xc2, 0xc3,
		0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0x90, 0xa0, 0xff,
	};
	bool any = random_below(random, 2) == 0;

	for (size_t i = 0; i < length; i++)
		bytes[i] = any ? (uint8_t)random_next(random) :
			   alphabet[random_below(random, COUNT(alphabet))];
}

static void any_bytes_make_valid_json(void **state)
{
	struct random random;
	uint8_t value[2 * LOG_LINE_BYTES], text[2][512];

	(void)state;
	test_random_init(&random, "any bytes");
	for (int i = 0; i < 20000; i++) {
		size_t length = random_below(&random, i % 10 ? 64 :
							 sizeof(value));

		fill(&random, value, length);
		for (size_t k = 0; k < COUNT(text); k++) {
			size_t end = random_below(&random, sizeof(text[k]));

			fill(&random, text[k], end);
			text[k][end] = 0;
		}
		const char *key = (const char *)text[1];
		const char *message = (const char *)text[0];
		struct log_record record = record_of(message, LOG_FIELDS(
			log_bytes(key, (struct span){ value, length }),
			log_uint("last", random_next(&random))));

		record.component = key;
		record.context.worker = message;
		json_decref(parse_record(&record));
	}
}

/* Each length and each kind of byte meets the edge of the line once. */
static void a_record_too_long_is_cut_and_says_so(void **state)
{
	static const char *const units[] = { "x", "\"", "\\", "\n", "\xff",
					     "\xc3\xa4", "\xf0\x9f\x98\x80" };
	static char text[2 * LOG_LINE_BYTES];

	(void)state;
	for (size_t u = 0; u < COUNT(units); u++) {
		for (size_t pad = 3700; pad < 4100; pad++) {
			memset(text, 'p', pad);
			for (char *at = text + pad; at < text + pad + 600;)
				at = stpcpy(at, units[u]);
			struct log_record record = record_of("m", LOG_FIELDS(
				log_text("text", text), log_int("last", 1)));
			json_t *object = parse_record(&record);

			test_row(json_is_true(json_object_get(object, "cut")),
				 "unit %zu after %zu bytes: no mark", u, pad);
			assert_null(json_object_get(object, "last"));
			assert_string_equal("m", text_of(object, "msg"));
			json_decref(object);
		}
	}
}

/* Short fields around the edge: each is whole or absent, and that is marked. */
static void no_field_is_half_written(void **state)
{
	static char text[LOG_LINE_BYTES];

	(void)state;
	for (size_t pad = 3800; pad < 4000; pad++) {
		memset(text, 'p', pad);
		text[pad] = 0;
		struct log_record record = record_of("m", LOG_FIELDS(
			log_text("text", text), log_int("number", INT64_MIN),
			log_uint("natural", UINT64_MAX)));
		json_t *object = parse_record(&record);
		json_t *number = json_object_get(object, "number");
		json_t *natural = json_object_get(object, "natural");

		assert_true(!number || json_integer_value(number) == INT64_MIN);
		if (natural)
			assert_string_equal(json_string_value(natural),
					    "18446744073709551615");
		assert_int_equal(json_object_get(object, "cut") != NULL,
				 !number || !natural);
		json_decref(object);
	}
}

static void numbers_are_written_exactly(void **state)
{
	static const struct {
		const char *name;
		struct log_field field;
		const char *want;
	} cases[] = {
		{ "zero", { "n", LOG_INT, { .integer = 0 } }, "\"n\":0}\n" },
		{ "minus one", { "n", LOG_INT, { .integer = -1 } }, "\"n\":-1}\n" },
		{ "the least", { "n", LOG_INT, { .integer = INT64_MIN } }, "\"n\":-9223372036854775808}\n" },
		{ "the most a reader must take", { "n", LOG_UINT, { .natural = INT64_MAX } }, "\"n\":9223372036854775807}\n" },
		{ "one more is quoted", { "n", LOG_UINT, { .natural = (uint64_t)INT64_MAX + 1 } }, "\"n\":\"9223372036854775808\"}\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct log_record record = record_of("m", LOG_FIELDS(
			cases[i].field));
		char bytes[LOG_LINE_BYTES];
		size_t length = log_format(&record, bytes);
		size_t want = strlen(cases[i].want);

		test_row(memcmp(bytes + length - want, cases[i].want,
				want) == 0,
			 "%s: got %.*s", cases[i].name, (int)length, bytes);
	}
}

/* A pipe in packet mode shows how many write(2) calls a record took. */
static int open_packets(struct log *log, enum log_level least)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
	log_init(log, "monitor", least, (struct log_sink){ .fd = ends[1] });
	return ends[0];
}

static json_t *read_packet(int fd)
{
	char bytes[LOG_LINE_BYTES];
	ssize_t length = read(fd, bytes, sizeof(bytes));

	return length <= 0 ? NULL : parse_line(bytes, (size_t)length);
}

static void assert_context(int fd, const struct log_context *want)
{
	json_t *object = read_packet(fd);
	const char *worker, *conversation;

	assert_non_null(object);
	worker = text_of(object, "worker");
	conversation = text_of(object, "conversation");
	assert_int_equal(!worker, !want->worker);
	if (worker)
		assert_string_equal(worker, want->worker);
	assert_int_equal(!conversation, !want->conversation);
	if (conversation)
		assert_string_equal(conversation, want->conversation);
	assert_int_equal(integer_of(object, "call"), want->call);
	assert_int_equal(integer_of(object, "attempt"), want->attempt);
	json_decref(object);
}

static void the_context_grows_and_shrinks_as_a_stack(void **state)
{
	struct log log;
	AUTO_CLOSE int fd = open_packets(&log, LEVEL_DEBUG);
	AUTO_CLOSE int sink = log.sink.fd;

	(void)state;
	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_context(fd, &(struct log_context){ 0 });
	struct log_context none = log_push(&log, (struct log_context){
		.worker = "fs/3" });
	struct log_context worker = log_push(&log, (struct log_context){
		.call = 71, .conversation = "01J9Z" });
	struct log_context call = log_push(&log, (struct log_context){
		.attempt = 2 });

	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_context(fd, &(struct log_context){ "fs/3", 71, "01J9Z", 2 });
	log_pop(&log, call);
	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_context(fd, &(struct log_context){ "fs/3", 71, "01J9Z", 0 });
	log_pop(&log, worker);
	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_context(fd, &(struct log_context){ .worker = "fs/3" });
	log_pop(&log, none);
	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_context(fd, &(struct log_context){ 0 });
}

static void a_child_before_exec_keeps_the_context(void **state)
{
	struct log log;
	AUTO_CLOSE int fd = open_packets(&log, LEVEL_DEBUG);
	AUTO_CLOSE int sink = log.sink.fd;

	(void)state;
	log_push(&log, (struct log_context){ "job/1", 9, NULL, 1 });
	log.sink.fd = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct log mine = log;

		mine.sink = (struct log_sink){ .fd = sink };
		log_write(&mine, LEVEL_ERROR, "exec failed", NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	json_t *object = read_packet(fd);

	assert_int_equal(integer_of(object, "pid"), pid);
	assert_int_equal(integer_of(object, "call"), 9);
	json_decref(object);
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	for (int least = 0; least < LEVEL_COUNT; least++) {
		struct log log;
		AUTO_CLOSE int fd = open_packets(&log, (enum log_level)least);
		AUTO_CLOSE int sink = log.sink.fd;

		for (int level = 0; level < LEVEL_COUNT; level++)
			log_write(&log, (enum log_level)level, "m", NULL);
		for (int level = least; level < LEVEL_COUNT; level++) {
			json_t *object = read_packet(fd);

			assert_string_equal(
				log_level_name((enum log_level)level),
				text_of(object, "level"));
			json_decref(object);
		}
		assert_null(read_packet(fd));
	}
}

static void a_failing_sink_is_counted_and_errno_kept(void **state)
{
	struct log log;

	(void)state;
	log_init(&log, "monitor", LEVEL_DEBUG, (struct log_sink){ .fd = -1 });
	errno = ENOTTY;
	log_write(&log, LEVEL_INFO, "m", NULL);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(log.lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_the_documented_line),
		cmocka_unit_test(nasty_bytes_come_out_readable),
		cmocka_unit_test(any_bytes_make_valid_json),
		cmocka_unit_test(a_record_too_long_is_cut_and_says_so),
		cmocka_unit_test(no_field_is_half_written),
		cmocka_unit_test(numbers_are_written_exactly),
		cmocka_unit_test(the_context_grows_and_shrinks_as_a_stack),
		cmocka_unit_test(a_child_before_exec_keeps_the_context),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(a_failing_sink_is_counted_and_errno_kept),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
