#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "workers/improve/report_format.h"

struct tap {
	struct cases *cases;
	const char *test;
	long planned;		/* -1: no plan yet */
	long seen;
	bool bailed;
};

static struct span next_line(struct span *rest)
{
	const uint8_t *end = memchr(rest->data, '\n', rest->length);
	size_t length = end ? (size_t)(end - rest->data) : rest->length;
	struct span line = { rest->data, length };

	*rest = span_skip(*rest, length + (end != NULL));
	if (line.length && line.data[line.length - 1] == '\r')
		line.length--;
	return line;
}

static bool starts_with(struct span line, const char *word)
{
	size_t length = strlen(word);

	return line.length >= length && memcmp(line.data, word, length) == 0;
}

static struct span trim(struct span text)
{
	while (text.length && (*text.data == ' ' || *text.data == '\t'))
		text = span_skip(text, 1);
	while (text.length && (text.data[text.length - 1] == ' ' ||
			       text.data[text.length - 1] == '\t'))
		text.length--;
	return text;
}

static long take_number(struct span *text)
{
	long number = -1;

	while (text->length && *text->data >= '0' && *text->data <= '9') {
		number = (number < 0 ? 0 : number) * 10 + (*text->data - '0');
		if (number > 10 * CASES_MAX)
			number = 10 * CASES_MAX;
		*text = span_skip(*text, 1);
	}
	return number;
}

static bool is_plan(struct span line, long *ret)
{
	if (!starts_with(line, "1.."))
		return false;
	line = span_skip(line, 3);
	*ret = take_number(&line);
	return *ret >= 0;
}

/* The part behind an unescaped " #", which says SKIP or TODO, and a reason. */
static struct span take_directive(struct span *description)
{
	for (size_t i = 0; i < description->length; i++) {
		struct span directive = span_skip(*description, i + 1);

		if (description->data[i] != '#' ||
		    (i > 0 && description->data[i - 1] == '\\'))
			continue;
		description->length = i;
		return trim(directive);
	}
	return (struct span){ 0 };
}

static bool says(struct span directive, const char *word)
{
	size_t length = strlen(word);

	return directive.length >= length &&
	       strncasecmp((const char *)directive.data, word, length) == 0;
}

/* A test that is still to do may fail, and passing is no news. */
static enum case_outcome outcome_of(bool ok, struct span directive)
{
	if (says(directive, "skip") || says(directive, "todo"))
		return CASE_SKIPPED;
	return ok ? CASE_PASSED : CASE_FAILED;
}

static int take_result(struct tap *tap, struct span line, bool ok)
{
	struct span name = trim(span_skip(line, ok ? 2 : 6));
	char numbered[32];
	long number = take_number(&name);
	struct span directive;

	name = trim(name);
	if (starts_with(name, "-"))
		name = trim(span_skip(name, 1));
	directive = take_directive(&name);
	name = trim(name);
	tap->seen++;
	if (name.length == 0) {
		snprintf(numbered, sizeof(numbered), "%ld", number < 0 ? tap->seen : number);
		name = span_of_text(numbered);
	}
	return report_add(tap->cases, tap->test, name, outcome_of(ok, directive), -1,
			  directive);
}

static bool is_result(struct span line, const char *word)
{
	size_t length = strlen(word);

	return starts_with(line, word) &&
	       (line.length == length || line.data[length] == ' ');
}

static int take_line(struct tap *tap, struct span line)
{
	if (is_result(line, "ok"))
		return take_result(tap, line, true);
	if (is_result(line, "not ok"))
		return take_result(tap, line, false);
	if (starts_with(line, "Bail out!")) {
		tap->bailed = true;
		return report_add(tap->cases, tap->test, span_of_text("bailed out"),
				  CASE_FAILED, -1, trim(span_skip(line, 9)));
	}
	if (tap->planned < 0)
		is_plan(line, &tap->planned);
	return 0;
}

static int judge_plan(struct tap *tap)
{
	char detail[96];

	if (tap->bailed || tap->planned == tap->seen)
		return 0;
	if (tap->planned < 0)
		snprintf(detail, sizeof(detail), "%ld cases and no plan", tap->seen);
	else
		snprintf(detail, sizeof(detail), "%ld cases promised, %ld seen",
			 tap->planned, tap->seen);
	return report_add(tap->cases, tap->test, span_of_text("plan"), CASE_FAILED, -1,
			  span_of_text(detail));
}

int tap_read(struct cases *cases, const char *test, struct span text)
{
	struct tap tap = { .cases = cases, .test = test, .planned = -1 };
	int r = 0;

	while (r == 0 && text.length > 0 && !tap.bailed)
		r = take_line(&tap, next_line(&text));
	return r == 0 && (tap.seen > 0 || tap.planned > 0) ? judge_plan(&tap) : r;
}

bool tap_looks_like(struct span text)
{
	long planned;

	while (text.length > 0) {
		struct span line = next_line(&text);

		if (starts_with(line, "TAP version") || is_plan(line, &planned))
			return true;
	}
	return false;
}
