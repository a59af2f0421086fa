#include "common/log_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"

#define INTEGER_CHARACTERS_MAX 18	/* whatever they are, they fit 64 bits */

static bool take(struct span *rest, const char *text)
{
	size_t length = strlen(text);

	if (rest->length < length || memcmp(rest->data, text, length) != 0)
		return false;
	*rest = span_skip(*rest, length);
	return true;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
	return is_digit(byte) || (byte >= 'a' && byte <= 'f');
}

/* Of the escapes: \" \\ and \uXXXX of a whole character. Its length, or 0. */
static size_t escape_length(struct span text)
{
	if (text.length < 2)
		return 0;
	if (text.data[1] == '"' || text.data[1] == '\\')
		return 2;
	if (text.length < 6 || text.data[1] != 'u')
		return 0;
	for (size_t i = 2; i < 6; i++)
		if (!is_hex(text.data[i]))
			return 0;
	if (memcmp(text.data + 2, "0000", 4) == 0 ||
	    (text.data[2] == 'd' && text.data[3] >= '8'))
		return 0;
	return 6;
}

/* What stands between two quotes; the second is taken, too. */
static bool take_string(struct span *rest, struct span *ret)
{
	*ret = (struct span){ rest->data, 0 };
	while (rest->length > 0 && rest->data[0] != '"') {
		uint32_t code = 0;
		size_t length = rest->data[0] == '\\' ? escape_length(*rest) :
							text_character(*rest, &code);

		if (length == 0 || (rest->data[0] != '\\' && text_is_control(code)))
			return false;
		*rest = span_skip(*rest, length);
		ret->length += length;
	}
	return take(rest, "\"");
}

static bool take_integer(struct span *rest, struct span *ret)
{
	*ret = (struct span){ rest->data, 0 };
	take(rest, "-");
	if (rest->length == 0 || !is_digit(rest->data[0]) ||
	    (rest->data[0] == '0' && rest->length > 1 && is_digit(rest->data[1])))
		return false;
	while (rest->length > 0 && is_digit(rest->data[0]))
		*rest = span_skip(*rest, 1);
	ret->length = (size_t)(rest->data - ret->data);
	return ret->length <= INTEGER_CHARACTERS_MAX;
}

static bool take_value(struct span *rest, struct span *ret)
{
	if (take(rest, "\""))
		return take_string(rest, ret);
	return take(rest, "true") || take_integer(rest, ret);
}

static bool is_reserved(struct span key)
{
	static const char *const keys[] = {
		"ts", "level", "component", "pid", "worker", "generation",
	};

	for (size_t i = 0; i < COUNT(keys); i++)
		if (span_equal(key, span_of_text(keys[i])))
			return true;
	return memchr(key.data, '\\', key.length) != NULL;
}

/* Among the fields before it, which are in order. */
static bool is_repeated(struct span fields, struct span key)
{
	struct span other, value;

	while (take(&fields, ",\"")) {
		take_string(&fields, &other);
		if (span_equal(other, key))
			return true;
		take(&fields, ":");
		take_value(&fields, &value);
	}
	return false;
}

/* All of them to the closing brace, the message among them. */
static bool take_fields(struct span *rest, struct log_line *ret)
{
	struct span key, value;
	bool message = false;

	ret->fields = (struct span){ rest->data, 0 };
	while (take(rest, ",\"")) {
		if (!take_string(rest, &key) || is_reserved(key) ||
		    is_repeated(ret->fields, key) || !take(rest, ":"))
			return false;
		if (!span_equal(key, span_of_text("msg"))) {
			if (!take_value(rest, &value))
				return false;
		} else if (!take(rest, "\"") || !take_string(rest, &ret->message)) {
			return false;
		} else {
			message = true;
		}
		ret->fields.length = (size_t)(rest->data - ret->fields.data);
	}
	return message && take(rest, "}") && rest->length == 0;
}

static bool read_level(struct span name, enum log_level *ret)
{
	for (int level = 0; level < LEVEL_COUNT; level++) {
		*ret = (enum log_level)level;
		if (span_equal(name, span_of_text(log_level_name(*ret))))
			return true;
	}
	return false;
}

int log_line_parse(struct span line, struct log_line *ret)
{
	struct span level, component;

	return take(&line, "{\"ts\":\"") && take_string(&line, &ret->time) &&
	       ret->time.length == CLOCK_TEXT_BYTES - 1 &&
	       take(&line, ",\"level\":\"") && take_string(&line, &level) &&
	       read_level(level, &ret->level) &&
	       take(&line, ",\"component\":\"") && take_string(&line, &component) &&
	       take(&line, ",\"pid\":") && take_integer(&line, &ret->pid) &&
	       take_fields(&line, ret) ? 0 : -EBADMSG;
}
