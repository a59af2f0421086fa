#include "sandbox/limits.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text.h"

enum kind { DURATION, SIZE, PLAIN };

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset;
} rows[] = {
	{ "wall", DURATION, offsetof(struct limits, wall_ns) },
	{ "cpu", DURATION, offsetof(struct limits, cpu_ns) },
	{ "cpus", PLAIN, offsetof(struct limits, cpus) },
	{ "memory", SIZE, offsetof(struct limits, memory_bytes) },
	{ "pids", PLAIN, offsetof(struct limits, pids) },
	{ "output", SIZE, offsetof(struct limits, output_bytes) },
	{ "disk", SIZE, offsetof(struct limits, disk_bytes) },
	{ "inodes", PLAIN, offsetof(struct limits, inodes) },
	{ "files", PLAIN, offsetof(struct limits, files) },
};

/* Durations are signed, but never negative: both fit the same eight bytes. */
static void *value_of(struct limits *limits, const struct row *row)
{
	return (char *)limits + row->offset;
}

/* A count such as 100 or 10k; k and M are decimal here. */
static int parse_plain(const char *text, uint64_t *ret, struct error *why)
{
	char *end;
	uint64_t scale = 1;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (*end == 'k' || *end == 'M')
		scale = *end++ == 'k' ? 1000 : 1000000;
	if (!isdigit((unsigned char)text[0]) || *end)
		return error_set(why, -EINVAL,
				 "'%s' is no count; write 100, 10k or none", text);
	if (errno || __builtin_mul_overflow(*ret, scale, ret))
		return error_set(why, -ERANGE, "'%s' is too large", text);
	return 0;
}

static int parse(const struct row *row, const char *text, uint64_t *ret,
		 struct error *why)
{
	size_t length = strlen(text);
	int64_t ns;
	int r;

	if (row->kind == PLAIN)
		return parse_plain(text, ret, why);
	if (length && isdigit((unsigned char)text[length - 1]))
		return error_set(why, -EINVAL, "'%s' has no unit; write %s or none",
				 text, row->kind == SIZE ? "512M" : "10s");
	if (row->kind == SIZE)
		return text_parse_size(text, ret, why);
	r = text_parse_duration(text, &ns, why);
	if (r == 0)
		*ret = (uint64_t)ns;
	return r;
}

static const struct row *row_of(const char *name, size_t length)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strlen(rows[i].name) == length &&
		    memcmp(rows[i].name, name, length) == 0)
			return &rows[i];
	return NULL;
}

static int unknown(const char *text, size_t length, struct error *why)
{
	char name[32];
	const char *names[COUNT(rows) + 1] = { NULL };
	const char *nearest;

	for (size_t i = 0; i < COUNT(rows); i++)
		names[i] = rows[i].name;
	if (length >= sizeof(name))
		length = sizeof(name) - 1;
	memcpy(name, text, length);
	name[length] = '\0';
	nearest = text_nearest(name, names);
	if (nearest)
		return error_set(why, -EINVAL, "no limit '%s'; did you mean %s?",
				 name, nearest);
	return error_set(why, -EINVAL, "no limit '%s'; there are wall, cpu, cpus,"
			 " memory, pids, output, disk, inodes and files", name);
}

int limits_set(struct limits *limits, const char *text, struct error *why)
{
	size_t length = strcspn(text, "=");
	const struct row *row = row_of(text, length);
	uint64_t value = 0;

	if (text[length] != '=')
		return error_set(why, -EINVAL, "limit '%s': write NAME=VALUE", text);
	if (!row)
		return unknown(text, length, why);
	if (strcmp(text + length + 1, "none") != 0) {
		int r = parse(row, text + length + 1, &value, why);

		if (r < 0)
			return error_prefix(why, r, "limit %s", row->name);
		if (value == 0)
			return error_set(why, -ERANGE, "limit %s: 0 would let nothing"
					 " run; write none to lift the limit", row->name);
	}
	memcpy(value_of(limits, row), &value, sizeof(value));
	return 0;
}

const char *limits_name(size_t index)
{
	return index < COUNT(rows) ? rows[index].name : NULL;
}

void limits_text(const struct limits *limits, size_t index,
		 char ret[LIMIT_TEXT_BYTES])
{
	struct limits copy = *limits;
	char text[TEXT_QUANTITY_BYTES];
	uint64_t value;

	memcpy(&value, value_of(&copy, &rows[index]), sizeof(value));
	if (rows[index].kind == SIZE)
		text_size(value, text);
	else if (rows[index].kind == DURATION)
		text_duration((int64_t)value, text);
	else
		snprintf(text, sizeof(text), "%" PRIu64, value);
	/* A size in whole bytes is written without a unit, which we ask for. */
	snprintf(ret, LIMIT_TEXT_BYTES, "%s%s", value ? text : "none",
		 value && rows[index].kind == SIZE &&
		 isdigit((unsigned char)text[strlen(text) - 1]) ? "B" : "");
}
