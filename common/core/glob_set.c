#include "common/core/glob_set.h"

#include <errno.h>
#include <string.h>

/*
 * Which alternative of each brace group the current expansion takes, in the
 * order in which the groups are met. Counting up the last one visits all.
 */
struct choices {
	size_t count;
	size_t taken[GLOB_BRACES_MAX];
	size_t of[GLOB_BRACES_MAX];
};

static bool next_choices(struct choices *choices)
{
	while (choices->count > 0) {
		size_t last = choices->count - 1;

		if (++choices->taken[last] < choices->of[last])
			return true;
		choices->count--;
	}
	return false;
}

/* The comma or brace that ends the alternative at; NULL if there is none. */
static const uint8_t *alternative_end(const uint8_t *at, const uint8_t *end)
{
	size_t depth = 0;

	while (at && at < end) {
		if (depth == 0 && (*at == ',' || *at == '}'))
			return at;
		if (*at == '{')
			depth++;
		if (*at == '}')
			depth--;
		at = glob_unit_end(at, end);
	}
	return NULL;
}

static size_t count_alternatives(const uint8_t *at, const uint8_t *end)
{
	size_t count = 0;

	do {
		at = alternative_end(at, end);
		if (!at)
			return 0;
		count++;
	} while (*at++ == ',');
	return count;
}

/* Enters the group that opens at; returns where its chosen text begins. */
static int enter_group(struct choices *choices, size_t index,
		       const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at + 1;

	if (index == GLOB_BRACES_MAX)
		return -E2BIG;
	if (index == choices->count) {
		choices->taken[index] = 0;
		choices->of[index] = count_alternatives(text, end);
		if (choices->of[index] == 0)
			return -EINVAL;
		choices->count++;
	}
	for (size_t i = 0; i < choices->taken[index]; i++)
		text = alternative_end(text, end) + 1;
	*at = text;
	return 0;
}

/* Past the group whose current alternative ends at. */
static const uint8_t *leave_group(const uint8_t *at, const uint8_t *end)
{
	while (*at == ',')
		at = alternative_end(at + 1, end);
	return at + 1;
}

/*
 * Writes pattern with the chosen alternatives to text, which is as large as
 * the pattern. Returns the length.
 */
static int expand(struct span pattern, struct choices *choices, uint8_t *text)
{
	const uint8_t *at = pattern.data, *end = at + pattern.length;
	size_t length = 0, depth = 0, index = 0;

	while (at < end) {
		if (*at == '{') {
			int r = enter_group(choices, index++, &at, end);

			if (r < 0)
				return r;
			depth++;
		} else if (depth > 0 && (*at == ',' || *at == '}')) {
			at = leave_group(at, end);
			depth--;
		} else {
			const uint8_t *unit = at;

			at = glob_unit_end(at, end);
			if (!at)
				return -EINVAL;
			memcpy(text + length, unit, (size_t)(at - unit));
			length += (size_t)(at - unit);
		}
	}
	return (int)length;
}

void glob_set_init(struct glob_set *set, struct glob *globs, size_t capacity,
		   uint8_t *memory, size_t memory_bytes)
{
	*set = (struct glob_set){ .globs = globs, .capacity = capacity,
				  .memory = memory,
				  .memory_bytes = memory_bytes };
}

static int add_one(struct glob_set *set, struct span pattern)
{
	if (set->count == set->capacity)
		return -ENOSPC;
	int r = glob_compile(&set->globs[set->count], pattern,
			     set->memory + set->memory_used,
			     set->memory_bytes - set->memory_used);

	if (r < 0)
		return r;
	set->memory_used += (size_t)r;
	set->count++;
	return 0;
}

int glob_set_add(struct glob_set *set, struct span pattern)
{
	struct choices choices = { .count = 0 };
	struct glob_set before = *set;
	uint8_t text[GLOB_PATTERN_BYTES_MAX];

	if (pattern.length > sizeof(text))
		return -ENAMETOOLONG;
	do {
		int r = expand(pattern, &choices, text);

		if (r >= 0)
			r = add_one(set, (struct span){ text, (size_t)r });
		if (r < 0) {
			*set = before;
			return r;
		}
	} while (next_choices(&choices));
	return (int)(set->count - before.count);
}

bool glob_set_match(const struct glob_set *set, struct span path)
{
	for (size_t i = 0; i < set->count; i++)
		if (glob_match(&set->globs[i], path))
			return true;
	return false;
}
