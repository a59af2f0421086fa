#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

#define NAME_LETTERS_MAX 63

/* ---- UTF-8 ---- */

/*
 * First byte's range -> its bits of the code, the range of the second byte,
 * the length.
 */
static const struct {
	uint8_t first, last, bits, second_least, second_most, length;
} forms[] = {
	{ 0x00, 0x7f, 0x7f, 0, 0, 1 },
	{ 0xc2, 0xdf, 0x1f, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0x0f, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x0f, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x0f, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x0f, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x07, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x07, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x07, 0x80, 0x8f, 4 },
};

size_t text_character(struct span text, uint32_t *ret_code)
{
	size_t form = 0;

	if (text.length == 0)
		return 0;
	while (form < COUNT(forms) && text.data[0] > forms[form].last)
		form++;
	if (form == COUNT(forms) || text.data[0] < forms[form].first ||
	    text.length < forms[form].length)
		return 0;
	if (forms[form].length > 1 && (text.data[1] < forms[form].second_least ||
				       text.data[1] > forms[form].second_most))
		return 0;

	uint32_t code = text.data[0] & forms[form].bits;

	for (size_t i = 1; i < forms[form].length; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text.data[i] & 0x3f);
	}
	*ret_code = code;
	return forms[form].length;
}

bool text_is_utf8(struct span text)
{
	uint32_t code;

	while (text.length) {
		size_t length = text_character(text, &code);

		if (!length)
			return false;
		text = span_skip(text, length);
	}
	return true;
}

bool text_is_control(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },		/* C0: escape sequences, newlines */
		{ 0x7f, 0x9f },		/* DEL and C1, the same in one character */
		{ 0x2028, 0x202e },	/* line ends, directional overrides */
		{ 0x2066, 0x2069 },	/* directional isolates */
	};

	for (size_t i = 0; i < COUNT(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

static size_t escape_byte(uint8_t byte, char *ret)
{
	if (byte == '\n' || byte == '\t' || byte == '\r')
		return (size_t)snprintf(ret, 5, "\\%c",
					byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
	return (size_t)snprintf(ret, 5, "\\x%02x", byte);
}

static size_t escape_all(const uint8_t *data, size_t count, char *ret)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		used += escape_byte(data[i], ret + used);
	return used;
}

size_t text_escape(struct span text, char *ret, size_t size)
{
	size_t used = 0;

	while (text.length && size) {
		uint32_t code;
		size_t length = text_character(text, &code);
		char escaped[3 * 4 + 1];
		const char *piece = (const char *)text.data;
		size_t piece_length = length;

		if (!length || text_is_control(code)) {
			piece_length = escape_all(text.data, length ? length : 1, escaped);
			length = length ? length : 1;
			piece = escaped;
		}
		if (used + piece_length >= size)
			break;
		memcpy(ret + used, piece, piece_length);
		used += piece_length;
		text = span_skip(text, length);
	}
	if (size)
		ret[used] = '\0';
	return used;
}

/* ---- quantities ---- */

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first: the formatters take the first that divides. */
static const struct unit size_units[] = {
	{ "T", INT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "K", 1 << 10 },	   { "B", 1 },	     { "", 1 },
	{ "t", INT64_C(1) << 40 }, { "g", 1 << 30 }, { "m", 1 << 20 },
	{ "k", 1 << 10 },	   { "b", 1 },
};

static const struct unit duration_units[] = {
	{ "d", INT64_C(86400000000000) }, { "h", INT64_C(3600000000000) },
	{ "m", INT64_C(60000000000) },	  { "s", 1000000000 },
	{ "ms", 1000000 },		  { "us", 1000 },
	{ "ns", 1 },
};

static const struct unit *find_unit(const struct unit *units, size_t count,
				    const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* Digits into *ret; how many there were, or -ERANGE. */
static int parse_digits(const char *text, uint64_t *ret)
{
	int count = 0;

	*ret = 0;
	for (; text[count] >= '0' && text[count] <= '9'; count++)
		if (__builtin_mul_overflow(*ret, (uint64_t)10, ret) ||
		    __builtin_add_overflow(*ret, (uint64_t)(text[count] - '0'), ret))
			return -ERANGE;
	return count;
}

int text_parse_size(const char *text, uint64_t *ret, struct error *why)
{
	uint64_t number;
	int digits = parse_digits(text, &number);
	const struct unit *unit = digits > 0 ?
		find_unit(size_units, COUNT(size_units), text + digits) : NULL;

	if (digits >= 0 && !unit)
		return error_set(why, -EINVAL,
				 "'%.40s' is not a size; write a whole number "
				 "and K, M, G or T, such as 512M",
				 text);
	if (digits < 0 || number > INT64_MAX / (uint64_t)unit->factor)
		return error_set(why, -ERANGE, "'%.40s' is too large a size", text);
	*ret = number * (uint64_t)unit->factor;
	return 0;
}

/* The digits behind a decimal point, in billionths of the unit. */
static int parse_fraction(const char *text, uint64_t *ret)
{
	uint64_t place = 100000000;
	int count = 0;

	for (*ret = 0; text[count] >= '0' && text[count] <= '9'; count++) {
		*ret += (uint64_t)(text[count] - '0') * place;
		place /= 10;
	}
	return count;
}

static int64_t part_of(const struct unit *unit, uint64_t billionths)
{
	return (int64_t)((__extension__ (unsigned __int128)billionths) *
			 (uint64_t)unit->factor / 1000000000);
}

int text_parse_duration(const char *text, int64_t *ret_ns, struct error *why)
{
	uint64_t number, fraction = 0;
	int digits = parse_digits(text, &number);
	const char *rest = text + (digits > 0 ? digits : 0);
	int decimals = *rest == '.' ? parse_fraction(rest + 1, &fraction) : 0;
	int64_t ns;

	rest += decimals > 0 ? 1 + decimals : 0;
	const struct unit *unit = digits > 0 ?
		find_unit(duration_units, COUNT(duration_units), rest) : NULL;

	if (strcmp(text, "0") == 0)
		unit = &duration_units[3];
	if (digits >= 0 && !unit)
		return error_set(why, -EINVAL,
				 "'%.40s' is not a duration; write a number "
				 "and ns, us, ms, s, m, h or d, such as 10s",
				 text);
	if (digits < 0 ||
	    __builtin_mul_overflow(number, unit->factor, &ns) ||
	    __builtin_add_overflow(ns, part_of(unit, fraction), &ns))
		return error_set(why, -ERANGE, "'%.40s' is too long a duration", text);
	*ret_ns = ns;
	return 0;
}

void text_size(uint64_t bytes, char ret[TEXT_QUANTITY_BYTES])
{
	size_t i = 0;

	while (bytes == 0 || bytes % (uint64_t)size_units[i].factor)
		if (++i == 5)
			break;
	if (size_units[i].factor == 1)
		snprintf(ret, TEXT_QUANTITY_BYTES, "%" PRIu64, bytes);
	else
		snprintf(ret, TEXT_QUANTITY_BYTES, "%" PRIu64 "%s",
			 bytes / (uint64_t)size_units[i].factor, size_units[i].name);
}

void text_duration(int64_t ns, char ret[TEXT_QUANTITY_BYTES])
{
	size_t i = 0;

	if (ns == 0) {
		snprintf(ret, TEXT_QUANTITY_BYTES, "0");
		return;
	}
	while (ns % duration_units[i].factor)
		i++;
	snprintf(ret, TEXT_QUANTITY_BYTES, "%" PRId64 "%s",
		 ns / duration_units[i].factor, duration_units[i].name);
}

/* ---- guessing ---- */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: edits and swaps of neighbours. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][NAME_LETTERS_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = least(least(last[j], now[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		unsigned *spare = before;

		before = last;
		last = now;
		now = spare;
	}
	return last[b_length];
}

const char *text_nearest(const char *typed, const char *const *names)
{
	size_t typed_length = strlen(typed);
	const char *best = NULL;
	unsigned best_distance = 0;

	if (typed_length > NAME_LETTERS_MAX)
		return NULL;
	for (; *names; names++) {
		size_t length = strlen(*names);

		size_t gap = length > typed_length ? length - typed_length :
						     typed_length - length;

		if (length > NAME_LETTERS_MAX || 3 * gap > (length > 2 ? length : 3))
			continue;	/* it would be too far off, too */
		unsigned d = distance(typed, typed_length, *names, length);

		if (3 * d <= (length > 2 ? length : 3) && (!best || d < best_distance)) {
			best = *names;
			best_distance = d;
		}
	}
	return best;
}

bool text_is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}
