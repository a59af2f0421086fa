#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/improve/report_format.h"

#define DEPTH_MAX 64	/* the parser keeps what each open element is called */

struct junit {
	XML_Parser parser;
	struct cases *cases;
	const char *test;
	unsigned depth;		/* of elements */
	bool inside;		/* of a testcase */
	char name[CASE_NAME_BYTES_MAX];
	enum case_outcome outcome;
	int64_t duration_ns;
	char file[CASE_FILE_BYTES_MAX], suite_file[CASE_FILE_BYTES_MAX];
	char detail[CASE_DETAIL_BYTES_MAX];
	int result;
};

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (; attributes[0]; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}

static int64_t duration_of(const char *seconds)
{
	double value = seconds ? strtod(seconds, NULL) : -1;

	return value >= 0 && value < 1e9 ? (int64_t)(value * 1e9) : -1;
}

/* The case's own, or that of the suite it is in. */
static void take_file(const XML_Char **attributes, const char *standard,
		      char ret[CASE_FILE_BYTES_MAX])
{
	const char *file = attribute(attributes, "file");

	snprintf(ret, CASE_FILE_BYTES_MAX, "%s", file ? file : standard);
}

static void begin_case(struct junit *junit, const XML_Char **attributes)
{
	const char *class = attribute(attributes, "classname");
	const char *name = attribute(attributes, "name");

	junit->inside = true;
	junit->outcome = CASE_PASSED;
	junit->duration_ns = duration_of(attribute(attributes, "time"));
	junit->detail[0] = '\0';
	take_file(attributes, junit->suite_file, junit->file);
	snprintf(junit->name, sizeof(junit->name), "%s%s%s", class ? class : "",
		 class && *class ? "." : "", name ? name : "unnamed");
}

static void mark(struct junit *junit, enum case_outcome outcome,
		 const XML_Char **attributes)
{
	const char *message = attribute(attributes, "message");

	junit->outcome = outcome;
	snprintf(junit->detail, sizeof(junit->detail), "%s", message ? message : "");
}

static void on_start(void *owner, const XML_Char *name, const XML_Char **attributes)
{
	struct junit *junit = owner;

	if (++junit->depth > DEPTH_MAX)
		XML_StopParser(junit->parser, XML_FALSE);
	if (strcmp(name, "testsuite") == 0)
		take_file(attributes, "", junit->suite_file);
	else if (strcmp(name, "testcase") == 0)
		begin_case(junit, attributes);
	else if (junit->inside && strcmp(name, "failure") == 0)
		mark(junit, CASE_FAILED, attributes);
	else if (junit->inside && strcmp(name, "error") == 0)
		mark(junit, CASE_ERROR, attributes);
	else if (junit->inside && strcmp(name, "skipped") == 0 &&
		 junit->outcome == CASE_PASSED)
		mark(junit, CASE_SKIPPED, attributes);
}

static void on_end(void *owner, const XML_Char *name)
{
	struct junit *junit = owner;

	junit->depth--;
	if (strcmp(name, "testcase") != 0)
		return;
	junit->inside = false;
	junit->result = report_add(junit->cases, junit->test, span_of_text(junit->name),
				   junit->outcome, junit->duration_ns,
				   span_of_text(junit->detail));
	if (junit->result == 0)
		junit->result = cases_set_file(junit->cases, span_of_text(junit->file));
	if (junit->result < 0)
		XML_StopParser(junit->parser, XML_FALSE);
}

/* No report needs one, and entities are what attacks are made of. */
static void on_doctype(void *owner, const XML_Char *name, const XML_Char *system,
		       const XML_Char *public, int internal)
{
	struct junit *junit = owner;

	(void)name, (void)system, (void)public, (void)internal;
	XML_StopParser(junit->parser, XML_FALSE);
}

static int refuse(struct junit *junit)
{
	char detail[160];

	snprintf(detail, sizeof(detail), "line %lu: %s",
		 (unsigned long)XML_GetCurrentLineNumber(junit->parser),
		 XML_ErrorString(XML_GetErrorCode(junit->parser)));
	return report_add(junit->cases, junit->test, span_of_text("report is no JUnit XML"),
			  CASE_FAILED, -1, span_of_text(detail));
}

int junit_read(struct cases *cases, const char *test, struct span text)
{
	struct junit junit = { .cases = cases, .test = test };
	int r;

	junit.parser = XML_ParserCreate(NULL);
	if (!junit.parser)
		return -ENOMEM;
	XML_SetUserData(junit.parser, &junit);
	XML_SetElementHandler(junit.parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(junit.parser, on_doctype);
	if (text.length > INT32_MAX ||
	    XML_Parse(junit.parser, (const char *)text.data, (int)text.length, 1) ==
		    XML_STATUS_ERROR)
		r = junit.result < 0 ? junit.result : refuse(&junit);
	else
		r = 0;
	XML_ParserFree(junit.parser);
	return r;
}

bool junit_looks_like(struct span text)
{
	static const char *const starts[] = { "<?xml", "<testsuite" };

	while (text.length && strchr(" \t\r\n", *text.data))
		text = span_skip(text, 1);
	for (size_t i = 0; i < 2; i++)
		if (text.length >= strlen(starts[i]) &&
		    memcmp(text.data, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}
