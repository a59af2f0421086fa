#include "common/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_BYTES TEXT_QUANTITY_BYTES

/* The first pair is what we write; the place tells false from true. */
static const char *const truths[] = { "false", "true", "no", "yes",
				      "off",   "on",   NULL };

static int parse_int(const char *text, int64_t *ret)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end)
		return -EINVAL;
	if (errno)
		return -errno;
	*ret = value;
	return 0;
}

static void format_int(int64_t value, char ret[NUMBER_BYTES])
{
	snprintf(ret, NUMBER_BYTES, "%" PRId64, value);
}

static int parse_size(const char *text, int64_t *ret)
{
	uint64_t size;
	int r = text_parse_size(text, &size, NULL);

	if (r < 0)
		return r;
	*ret = (int64_t)size;	/* the parser knows no larger one */
	return 0;
}

static void format_size(int64_t value, char ret[NUMBER_BYTES])
{
	text_size((uint64_t)value, ret);
}

static int parse_duration(const char *text, int64_t *ret)
{
	return text_parse_duration(text, ret, NULL);
}

static void format_duration(int64_t value, char ret[NUMBER_BYTES])
{
	text_duration(value, ret);
}

/* The types whose member is an int64_t. */
static const struct number {
	const char *name;
	int (*parse)(const char *text, int64_t *ret);
	void (*format)(int64_t value, char ret[NUMBER_BYTES]);
} numbers[CONFIG_TYPE_COUNT] = {
	[CONFIG_INT] = { "a whole number", parse_int, format_int },
	[CONFIG_SIZE] = { "a size like 10M", parse_size, format_size },
	[CONFIG_DURATION] = { "a duration like 30s", parse_duration,
			      format_duration },
};

static int parse_number(const struct config_row *row, const char *text,
			int64_t *member, struct error *why)
{
	const struct number *number = &numbers[row->type];
	char range[CONFIG_RANGE_BYTES];
	int64_t value;
	int r = number->parse(text, &value);

	config_value_range(row, range);
	if (r == -EINVAL)
		return error_set(why, -EINVAL, "'%.40s' is not %s %s", text,
				 number->name, range);
	if (r < 0 || value < row->least || value > row->most)
		return error_set(why, -EINVAL, "%.40s is not %s", text, range);
	*member = value;
	return 0;
}

static bool may_be_none(const struct config_row *row)
{
	return row->standard && strcmp(row->standard, "none") == 0;
}

static int parse_real(const struct config_row *row, const char *text,
		      double *member, struct error *why)
{
	char range[CONFIG_RANGE_BYTES];
	char *end;
	double value = strtod(text, &end);
	bool number = end != text && !*end && isfinite(value);

	config_value_range(row, range);
	if (may_be_none(row) && strcmp(text, "none") == 0) {
		*member = NAN;
		return 0;
	}
	if (!number)
		return error_set(why, -EINVAL, "'%.40s' is not a number %s%s",
				 text, range, may_be_none(row) ? ", or none" : "");
	if (value < (double)row->least || value > (double)row->most)
		return error_set(why, -EINVAL, "%.40s is not %s", text, range);
	*member = value;
	return 0;
}

/* The shortest form that reads back as the same. */
static void print_real(FILE *out, double value)
{
	char text[NUMBER_BYTES + 8];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fputs(isnan(value) ? "none" : text, out);
}

static int find_choice(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i]; i++)
		if (strcmp(choices[i], text) == 0)
			return i;
	return -1;
}

static const char *const *choices_of(const struct config_row *row)
{
	return row->type == CONFIG_BOOL ? truths : row->choices;
}

int config_value_parse(const struct config_row *row, const char *text,
		       void *member, struct error *why)
{
	char range[CONFIG_RANGE_BYTES];
	int place;

	if (numbers[row->type].name)
		return parse_number(row, text, member, why);
	if (row->type == CONFIG_REAL)
		return parse_real(row, text, member, why);
	place = find_choice(choices_of(row), text);
	if (place < 0) {
		config_value_range(row, range);
		return error_set(why, -EINVAL, "'%.40s' is not %s", text, range);
	}
	if (row->type == CONFIG_BOOL)
		*(bool *)member = place % 2;
	else
		*(unsigned *)member = (unsigned)place;
	return 0;
}

int config_value_check_length(const struct config_row *row, size_t length,
			      struct error *why)
{
	char range[CONFIG_RANGE_BYTES];

	if (length >= (size_t)row->least && length <= (size_t)row->most)
		return 0;
	config_value_range(row, range);
	return error_set(why, -EINVAL, "its length is %zu, not that of %s",
			 length, range);
}

static void list_choices(const char *const *choices,
			 char ret[CONFIG_RANGE_BYTES])
{
	size_t used = 0;

	for (size_t i = 0; choices[i] && used < CONFIG_RANGE_BYTES; i++)
		used += (size_t)snprintf(ret + used, CONFIG_RANGE_BYTES - used,
					 "%s%s", i ? ", " : "one of ",
					 choices[i]);
}

void config_value_range(const struct config_row *row,
			char ret[CONFIG_RANGE_BYTES])
{
	const struct number *number = &numbers[row->type];
	char least[NUMBER_BYTES] = "", most[NUMBER_BYTES] = "";

	if (row->type == CONFIG_BOOL || row->type == CONFIG_ENUM) {
		list_choices(choices_of(row), ret);
	} else if (number->name || row->type == CONFIG_REAL) {
		(number->name ? number->format : format_int)(row->least, least);
		(number->name ? number->format : format_int)(row->most, most);
		snprintf(ret, CONFIG_RANGE_BYTES, "between %s and %s%s%s",
			 least, most, row->unit ? " " : "",
			 row->unit ? row->unit : "");
	} else {
		bool is_list = row->type == CONFIG_LIST;

		snprintf(ret, CONFIG_RANGE_BYTES,
			 "a %s of %" PRId64 " to %" PRId64 " %s",
			 is_list ? "list" : "text", row->least, row->most,
			 is_list ? "items" : "bytes");
	}
}

/* Between double quotes, as config_scan.h allows them. */
static void print_string(FILE *out, const char *text)
{
	static const char special[] = "\"\\$\n\t", escape[] = "\"\\$nt";

	fputc('"', out);
	for (; *text; text++) {
		const char *found = strchr(special, *text);

		if (found)
			fprintf(out, "\\%c", escape[found - special]);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void print_list(FILE *out, const struct config_list *list)
{
	fputc('{', out);
	for (size_t i = 0; i < list->count; i++) {
		fputs(i ? ", " : " ", out);
		print_string(out, list->items[i]);
	}
	fputs(" }", out);
}

bool config_value_number(const struct config_row *row, const void *member,
			 char ret[TEXT_QUANTITY_BYTES])
{
	if (!numbers[row->type].name)
		return false;
	numbers[row->type].format(*(const int64_t *)member, ret);
	return true;
}

void config_value_print(FILE *out, const struct config_row *row,
			const void *member)
{
	char number[NUMBER_BYTES];

	switch (row->type) {
	case CONFIG_BOOL:
		fputs(truths[*(const bool *)member], out);
		return;
	case CONFIG_ENUM:
		fputs(row->choices[*(const unsigned *)member], out);
		return;
	case CONFIG_STRING:
		print_string(out, *(const char *const *)member);
		return;
	case CONFIG_LIST:
		print_list(out, member);
		return;
	case CONFIG_REAL:
		print_real(out, *(const double *)member);
		return;
	case CONFIG_INT:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_TYPE_COUNT:
		config_value_number(row, member, number);
		fputs(number, out);
	}
}
