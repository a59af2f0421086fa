#include "parse.h"

#include <string.h>

#include "tuning.h"

struct cursor {
	const char *at, *end;
};

/* A field of digits, or "-" for none; whatever else is an error. */
__attribute__((unused))
static bool number_checked(struct cursor *cursor, long *ret)
{
	const char *start = cursor->at;
	long value = 0;

	if (cursor->at < cursor->end && *cursor->at == '-') {
		cursor->at++;
		*ret = 0;
		return true;
	}
	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
		if (value > (1L << 58))
			return false;
		value = value * 10 + (*cursor->at++ - '0');
	}
	*ret = value;
	return cursor->at > start && (cursor->at == cursor->end || *cursor->at == ' ');
}

/* Whatever is there, taken for digits. */
__attribute__((unused))
static bool number_quick(struct cursor *cursor, long *ret)
{
	long value = 0;

	while (cursor->at < cursor->end && *cursor->at > ' ')
		value = value * 10 + (*cursor->at++ - '0');
	*ret = value;
	return true;
}

/* Behind the next mark of that kind. */
static bool skip_past(struct cursor *cursor, char mark)
{
	const char *found = memchr(cursor->at, mark, (size_t)(cursor->end - cursor->at));

	if (!found)
		return false;
	cursor->at = found + 1;
	return true;
}

bool parse_line(const char *line, size_t length, struct request *ret)
{
	struct cursor cursor = { line, line + length };

	if (!skip_past(&cursor, '"') || !skip_past(&cursor, ' '))
		return false;
	ret->path = cursor.at;
	if (!skip_past(&cursor, ' '))
		return false;
	ret->path_length = (size_t)(cursor.at - 1 - ret->path);
	if (!skip_past(&cursor, '"') || !skip_past(&cursor, ' '))
		return false;
	return NUMBER(&cursor, &ret->status) && skip_past(&cursor, ' ') &&
	       NUMBER(&cursor, &ret->bytes);
}
