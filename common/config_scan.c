#include "common/config_scan.h"

#include <errno.h>
#include <stdio.h>

#include "common/text.h"

static const char no_environment[] =
	"${...} has no meaning here: write it in '...'";

struct scan {
	const char *name;
	unsigned line;
	struct span rest;
	char *out;
	struct error *why;
	char last;		/* byte that is neither blank nor comment */
	bool in_list;
	unsigned depth;		/* of braces */
	unsigned opened_line;	/* where the outermost stands */
};

static int refuse(const struct scan *scan, unsigned line, const char *reason)
{
	return error_set(scan->why, -EINVAL, "%s:%u: %s", scan->name, line,
			 reason);
}

/* The byte that many places ahead, or NUL behind the end. */
static char peek(const struct scan *scan, size_t ahead)
{
	return ahead < scan->rest.length ? (char)scan->rest.data[ahead] : '\0';
}

static void drop(struct scan *scan, size_t count)
{
	scan->rest = span_skip(scan->rest, count);
}

static void copy(struct scan *scan, size_t count)
{
	memcpy(scan->out, scan->rest.data, count);
	scan->out += count;
	drop(scan, count);
}

static void skip_comment(struct scan *scan)
{
	while (scan->rest.length > 0 && peek(scan, 0) != '\n')
		drop(scan, 1);
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
}

/* A string where a name or a title is expected; libconfuse trips over "". */
static bool is_empty_name(const struct scan *scan)
{
	return !scan->in_list && scan->last != '=' &&
	       peek(scan, 1) == peek(scan, 0);
}

/* What is wrong with a string at this byte, or NULL. */
static const char *string_objection(const struct scan *scan, char quote)
{
	char c = peek(scan, 0), next = peek(scan, 1);

	if (scan->rest.length == 0 || c == '\n')
		return "a string is not closed on its line";
	if (is_control(c))
		return "a control character in a string";
	if (quote == '"' && c == '$' && next == '{')
		return no_environment;
	if (quote == '"' && c == '\\' && (!next || !strchr("nt\"\\$", next)))
		return "the escapes are \\n, \\t, \\\", \\\\ and \\$";
	return NULL;
}

/* In single quotes a backslash is one, but before a quote or another. */
static bool is_escape(const struct scan *scan, char quote)
{
	char next = peek(scan, 1);

	return peek(scan, 0) == '\\' &&
	       (quote == '"' || next == quote || next == '\\');
}

/* A string to its closing quote, which is on the same line. */
static int take_string(struct scan *scan)
{
	char quote = peek(scan, 0), c;

	if (is_empty_name(scan))
		return refuse(scan, scan->line, "a name is empty");
	copy(scan, 1);
	do {
		const char *reason = string_objection(scan, quote);

		if (reason)
			return refuse(scan, scan->line, reason);
		c = peek(scan, 0);
		copy(scan, is_escape(scan, quote) ? 2 : 1);
	} while (c != quote);
	scan->last = quote;
	return 0;
}

/* Outside of strings and comments. */
static const char *objection(const struct scan *scan)
{
	char c = peek(scan, 0), next = peek(scan, 1);

	if (is_control(c))
		return c == '\r' ? "a carriage return: end lines without one" :
				   "a control character";
	if (strchr("+*()|\\", c) || (c == '/' && next == '/'))
		return "+ * ( ) | \\ and // belong in quotes; comments start with #";
	if (c == '$' && next == '{')
		return no_environment;
	return NULL;
}

/* A byte that is a token by itself, a blank, or part of a word. */
static void take_byte(struct scan *scan)
{
	char c = peek(scan, 0);

	copy(scan, 1);
	if (c == '{' && scan->last == '=') {
		scan->out = stpcpy(scan->out, "'" CONFIG_LIST_MARK "',");
		scan->in_list = true;
	}
	if (c == '{' && scan->depth++ == 0)
		scan->opened_line = scan->line;
	if (c == '}') {
		scan->in_list = false;
		scan->depth -= scan->depth > 0;
	}
	if (c == '\n')
		scan->line++;
	else if (c != ' ' && c != '\t')
		scan->last = c;
}

static int scan_all(struct scan *scan)
{
	while (scan->rest.length > 0) {
		char c = peek(scan, 0);
		const char *reason = objection(scan);
		int r = 0;

		if (reason)
			return refuse(scan, scan->line, reason);
		if (c == '#')
			skip_comment(scan);
		else if (c == '"' || c == '\'')
			r = take_string(scan);
		else
			take_byte(scan);
		if (r < 0)
			return r;
	}
	*scan->out = '\0';
	if (scan->depth > 0)
		return refuse(scan, scan->opened_line,
			      "the block opened here is never closed");
	return 0;
}

static int check_utf8(const char *name, struct span text, struct error *why)
{
	unsigned line = 1;

	while (text.length > 0) {
		uint32_t code;
		size_t length = text_character(text, &code);

		if (length == 0)
			return error_set(why, -EINVAL, "%s:%u: not UTF-8", name,
					 line);
		line += *text.data == '\n';
		text = span_skip(text, length);
	}
	return 0;
}

int config_scan(const char *name, struct span text, char *ret,
		struct error *why)
{
	struct scan scan = {
		.name = name, .line = 1, .rest = text, .out = ret, .why = why
	};
	int r = check_utf8(name, text, why);

	return r < 0 ? r : scan_all(&scan);
}
