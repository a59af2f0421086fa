#include "supervisor/router/writer_core.h"

#include <string.h>

#include "common/core/deadline.h"

void write_bytes(struct writer *writer, const char *data, size_t length)
{
	while (length > 0) {
		size_t room = writer->capacity - writer->length;
		size_t part = length < room ? length : room;

		memcpy(writer->data + writer->length, data, part);
		writer->length += part;
		data += part;
		length -= part;
		if (length == 0)
			return;
		if (writer->full)
			writer->full(writer->owner, writer);
		if (writer->length == writer->capacity) {
			writer->cut = true;
			return;
		}
	}
}

void write_text(struct writer *writer, const char *text)
{
	write_bytes(writer, text, strlen(text));
}

void write_number(struct writer *writer, uint64_t number)
{
	char digits[20];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	write_bytes(writer, digits + first, sizeof(digits) - first);
}

void write_seconds(struct writer *writer, int64_t ns)
{
	uint64_t fraction = (uint64_t)ns % NS_PER_S;
	char digits[9];
	size_t count = sizeof(digits);

	write_number(writer, (uint64_t)ns / NS_PER_S);
	if (fraction == 0)
		return;
	for (size_t i = count; i-- > 0; fraction /= 10)
		digits[i] = (char)('0' + fraction % 10);
	while (digits[count - 1] == '0')
		count--;
	write_text(writer, ".");
	write_bytes(writer, digits, count);
}

/* What must not stand in a JSON string as it is, nor in a label's value. */
void write_quoted(struct writer *writer, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	write_text(writer, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			write_text(writer, "\\");
			write_bytes(writer, text, 1);
		} else if (c == '\n') {
			write_text(writer, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			write_text(writer, "\\u00");
			write_bytes(writer, &hex[c >> 4], 1);
			write_bytes(writer, &hex[c & 15], 1);
		} else {
			write_bytes(writer, text, 1);
		}
	}
	write_text(writer, "\"");
}

static void begin_member(struct writer *writer, const char *key)
{
	if (writer->comma)
		write_text(writer, ",");
	writer->comma = true;
	if (!key)
		return;
	write_quoted(writer, key);
	write_text(writer, ":");
}

void json_open(struct writer *writer, const char *key, const char *bracket)
{
	begin_member(writer, key);
	write_text(writer, bracket);
	writer->comma = false;
}

void json_close(struct writer *writer, const char *bracket)
{
	write_text(writer, bracket);
	writer->comma = true;
}

void json_text(struct writer *writer, const char *key, const char *text)
{
	begin_member(writer, key);
	write_quoted(writer, text);
}

void json_number(struct writer *writer, const char *key, uint64_t number)
{
	begin_member(writer, key);
	write_number(writer, number);
}

void json_bool(struct writer *writer, const char *key, bool value)
{
	begin_member(writer, key);
	write_text(writer, value ? "true" : "false");
}

void json_raw(struct writer *writer, const char *key, const char *text)
{
	begin_member(writer, key);
	write_text(writer, *text ? text : "null");
}
