#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"

#define CUT_MARK ",\"cut\":true"
/* The rest is kept for what ends a line: a quote, the mark, brace, newline. */
#define LINE_ROOM (LOG_LINE_BYTES - (sizeof("\"" CUT_MARK "}\n") - 1))

_Static_assert(LOG_LINE_BYTES <= PIPE_BUF, "a line goes into a pipe whole");

struct line {
	char *bytes;
	size_t length;
	bool cut;
};

const char *log_level_name(enum log_level level)
{
	static const char *const names[LEVEL_COUNT] = {
		"debug", "info", "notice", "warning", "error", "critical",
	};

	assert((unsigned)level < LEVEL_COUNT);
	return names[level];
}

/* For the room kept; everything else goes through put(). */
static void end(struct line *line, const char *text)
{
	size_t length = strlen(text);

	assert(length <= LOG_LINE_BYTES - line->length);
	memcpy(line->bytes + line->length, text, length);
	line->length += length;
}

/* All of it or, from the first piece that does not fit, nothing any more. */
static void put(struct line *line, const void *bytes, size_t length)
{
	if (line->length + length > LINE_ROOM)
		line->cut = true;
	if (line->cut)
		return;
	memcpy(line->bytes + line->length, bytes, length);
	line->length += length;
}

static void put_hex(struct line *line, const char *prefix, uint32_t value,
		    unsigned digits)
{
	char text[sizeof("\\u0000")];
	size_t used = strlen(prefix);

	assert(used + digits < sizeof(text));
	memcpy(text, prefix, used);
	while (digits-- > 0)
		text[used++] = "0123456789abcdef"[value >> 4 * digits & 0xf];
	put(line, text, used);
}

/* Puts the first character of text and returns how many bytes that took. */
static size_t put_character(struct line *line, struct span text)
{
	uint32_t code = 0;
	size_t length = text_character(text, &code);

	if (length == 0 || code == 0) {
		put_hex(line, "\\\\x", text.data[0], 2);
		return 1;
	}
	if (code == '"' || code == '\\')
		put(line, code == '"' ? "\\\"" : "\\\\", 2);
	else if (text_is_control(code))
		put_hex(line, "\\u", code, 4);
	else
		put(line, text.data, length);
	return length;
}

static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Plain runs are copied as far as they fit, the rest goes by character. */
static void put_string(struct line *line, struct span text)
{
	put(line, "\"", 1);
	if (line->cut)
		return;
	while (text.length > 0 && !line->cut) {
		size_t room = LINE_ROOM - line->length;
		size_t run = 0;

		while (run < text.length && run < room &&
		       is_plain(text.data[run]))
			run++;
		if (run > 0)
			put(line, text.data, run);
		else
			run = put_character(line, text);
		text = span_skip(text, run);
	}
	end(line, "\"");
}

static void put_number(struct line *line, bool negative, uint64_t magnitude)
{
	char digits[sizeof("\"-18446744073709551615\"")];
	size_t at = sizeof(digits);
	bool quoted = !negative && magnitude > INT64_MAX;

	if (quoted)
		digits[--at] = '"';
	do {
		digits[--at] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude > 0);
	if (quoted || negative)
		digits[--at] = quoted ? '"' : '-';
	put(line, digits + at, sizeof(digits) - at);
}

static void put_value(struct line *line, const struct log_field *field)
{
	uint64_t bits = (uint64_t)field->integer;

	if (field->kind == LOG_BYTES)
		put_string(line, field->bytes);
	else if (field->kind == LOG_INT)
		put_number(line, field->integer < 0,
			   field->integer < 0 ? 0 - bits : bits);
	else
		put_number(line, false, field->natural);
}

/* A string may lose its tail; a field that got no value goes whole. */
static void put_field(struct line *line, const struct log_field *field)
{
	size_t start = line->length;

	put(line, start == 0 ? "{" : ",", 1);
	put_string(line, span_of_text(field->key));
	put(line, ":", 1);

	size_t value = line->length;

	if (!line->cut)
		put_value(line, field);
	if (line->cut && line->length == value)
		line->length = start;
}

static void put_fields(struct line *line, const struct log_field *fields)
{
	for (; fields->key && !line->cut; fields++)
		if (fields->kind != LOG_BYTES || fields->bytes.data)
			put_field(line, fields);
}

size_t log_format(const struct log_record *record, char ret[LOG_LINE_BYTES])
{
	const struct log_context *context = &record->context;
	struct line line = { .bytes = ret };
	char time[CLOCK_TEXT_BYTES];

	clock_text(record->wall_ns, time);
	put_fields(&line, LOG_FIELDS(
		log_text("ts", time),
		log_text("level", log_level_name(record->level)),
		log_text("component", record->component),
		log_int("pid", getpid()),
		log_text("worker", context->worker),
		context->call ? log_uint("call", context->call) :
				log_text("call", NULL),
		log_text("conversation", context->conversation),
		context->attempt ? log_uint("attempt", context->attempt) :
				   log_text("attempt", NULL),
		log_text("msg", record->message)));
	if (record->fields)
		put_fields(&line, record->fields);
	end(&line, line.cut ? CUT_MARK "}\n" : "}\n");
	return line.length;
}

void log_init(struct log *log, const char *component, enum log_level least,
	      struct log_sink sink)
{
	*log = (struct log){
		.component = component,
		.least = least,
		.sink = sink,
	};
}

struct log_context log_push(struct log *log, struct log_context inner)
{
	struct log_context outer = log->context;
	struct log_context *context = &log->context;

	if (inner.worker)
		context->worker = inner.worker;
	if (inner.call)
		context->call = inner.call;
	if (inner.conversation)
		context->conversation = inner.conversation;
	if (inner.attempt)
		context->attempt = inner.attempt;
	return outer;
}

void log_pop(struct log *log, struct log_context outer)
{
	log->context = outer;
}

static int write_once(int fd, struct span line)
{
	ssize_t n;

	do
		n = write(fd, line.data, line.length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == line.length ? 0 : -EIO;
}

void log_put(struct log *log, const struct log_record *record, struct span line)
{
	int r;

	if (record->level < log->least)
		return;
	r = log->sink.write ?
		    log->sink.write(log->sink.owner, record, line) :
		    write_once(log->sink.fd, line);
	log->lost += r < 0;
}

void log_write(struct log *log, enum log_level level, const char *message,
	       const struct log_field *fields)
{
	char bytes[LOG_LINE_BYTES];
	struct span line = { .data = (const uint8_t *)bytes };
	int kept = errno;

	if (level < log->least)
		return;

	struct log_record record = {
		.wall_ns = clock_wall_ns(),
		.now_ns = clock_now_ns(),
		.level = level,
		.component = log->component,
		.context = log->context,
		.message = message,
		.fields = fields,
	};

	line.length = log_format(&record, bytes);
	log_put(log, &record, line);
	errno = kept;
}
