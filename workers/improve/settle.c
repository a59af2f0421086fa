#include "workers/improve/settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/config_print.h"
#include "common/config_value.h"
#include "workers/improve/workspace_file.h"

/* ---- where it stands ---- */

/* A string with its quotes, a sign, or a word; empty at the end of the text. */
struct token {
	const char *start, *end;
};

struct reader {
	struct token before, last, now;
	unsigned depth;		/* of braces, around what is now */
};

static const char *skip_blanks(const char *at)
{
	for (at += strspn(at, " \t\n"); *at == '#'; at += strspn(at, " \t\n"))
		at += strcspn(at, "\n");
	return at;
}

static const char *end_of_token(const char *at)
{
	char quote = *at;

	if (!quote)
		return at;
	if (strchr("{}=,", quote))
		return at + 1;
	if (quote != '"' && quote != '\'')
		return at + strcspn(at, " \t\n#{}=,\"'");
	for (at++; *at && *at != quote; at++)
		at += *at == '\\' && at[1];
	return at + (*at != '\0');
}

static bool is_sign(struct token token, char sign)
{
	return *token.start == sign;
}

/* A name, with quotes or without. */
static bool is_name(struct token token, const char *name)
{
	size_t quotes = is_sign(token, '"') || is_sign(token, '\'');
	size_t length = strlen(name);

	return (size_t)(token.end - token.start) == length + 2 * quotes &&
	       memcmp(token.start + quotes, name, length) == 0;
}

static bool advance(struct reader *reader)
{
	reader->depth += is_sign(reader->now, '{');
	reader->before = reader->last;
	reader->last = reader->now;
	reader->now.start = skip_blanks(reader->now.end);
	reader->now.end = end_of_token(reader->now.start);
	reader->depth -= is_sign(reader->now, '}') && reader->depth > 0;
	return *reader->now.start;
}

/*
 * The value of the knob's `current`, or nothing in front of which one may be
 * put, at the beginning of its block. False: there is no such knob.
 */
static bool find_current(const char *text, const char *knob, struct token *ret)
{
	const struct token start = { text, text };
	struct reader reader = { start, start, start, 0 };
	bool inside = false;

	while (advance(&reader)) {
		if (inside && reader.depth == 1 && is_name(reader.before, "current") &&
		    is_sign(reader.last, '=')) {
			*ret = reader.now;
			return true;
		}
		if (inside && reader.depth == 0)
			break;
		if (reader.depth == 0 && is_sign(reader.now, '{') &&
		    is_name(reader.before, "knob") && is_name(reader.last, knob)) {
			*ret = (struct token){ reader.now.end, reader.now.end };
			inside = true;
		}
	}
	return inside;
}

/* ---- what is put there ---- */

/* As a file would say it. */
static const char *quoted(struct arena *arena, const char *value)
{
	static const struct config_row row = { .type = CONFIG_STRING };
	AUTO_FREE char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	config_value_print(out, &row, &value);
	return fclose(out) == 0 ? arena_text(arena, "%s", text) : NULL;
}

/* A `current` that was not there stands as what follows it does. */
static const char *put(struct arena *arena, const char *text, struct token place,
		       const char *value)
{
	bool is_new = place.start == place.end;
	int blanks = is_new ? (int)strspn(place.end, " \t\n") : 0;

	return arena_text(arena, "%.*s%.*s%s%s%s", (int)(place.start - text), text, blanks,
			  place.end, is_new ? "current = " : "", value, place.end);
}

/* ---- whether that is all ---- */

static void set_current(struct workspace_file *file, const char *knob, const char *value)
{
	struct workspace_knob *knobs = file->knobs.items;

	for (size_t i = 0; i < file->knobs.count; i++)
		if (strcmp(knobs[i].title, knob) == 0)
			knobs[i].current = value;
}

/*
 * All that the text says, with every default, were the knob's `current` that
 * value (NULL: as it is). NULL where it makes no sense; the caller's to free.
 */
static char *read_all(const char *text, const char *knob, const char *value)
{
	struct workspace_file file;
	struct config config;
	struct error ignored;
	char *ret = NULL;
	size_t length;
	FILE *out = open_memstream(&ret, &length);
	int r = workspace_file_parse(&config, &file, WORKSPACE_FILE_NAME, span_of_text(text),
				     &ignored);

	if (r == 0 && value)
		set_current(&file, knob, value);
	if (r == 0 && out)
		config_print_file(out, &config);
	config_release(&config);
	if (out && fclose(out) == 0 && r == 0)
		return ret;
	free(ret);
	return NULL;
}

/* What cannot be read for want of memory is not made sure of either. */
static bool says_that_alone(const char *text, const char *settled, const char *knob,
			    const char *value)
{
	AUTO_FREE char *want = read_all(text, knob, value);
	AUTO_FREE char *got = read_all(settled, knob, NULL);

	return want && got && strcmp(want, got) == 0;
}

int settle_current(struct arena *arena, const char *text, const char *knob,
		   const char *value, const char **ret, struct error *why)
{
	const char *written = quoted(arena, value), *settled = NULL;
	struct token place;

	if (written && find_current(text, knob, &place))
		settled = put(arena, text, place, written);
	if (!settled || !says_that_alone(text, settled, knob, value))
		return error_set_code(why, -EBUSY, ERROR_FAILED_PRECONDITION,
				      "knob %s: its new value cannot be written to " WORKSPACE_FILE_NAME
				      " with nothing else changed, so nothing was done; write into its block: current = %s",
				      knob, written ? written : value);
	*ret = settled;
	return 0;
}
