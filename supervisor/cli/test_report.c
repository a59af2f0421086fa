#include "supervisor/cli/test_report.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "supervisor/cli/grid.h"

#define SHOWN_BYTES 4096

/* A case, its name cut where the test's own ends. */
struct one {
	const char *whole, *test, *name;
	int test_length;
	bool failed, skipped;
	bool error;		/* failed, but not by the test's own verdict */
	const char *outcome;
	const char *detail;
	double seconds;
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static struct one read_case(const json_t *row)
{
	const char *name = text_of(row, "name"), *colon = strstr(name, ": ");
	const char *outcome = text_of(row, "outcome");
	bool error = strcmp(outcome, "timeout") == 0 || strcmp(outcome, "error") == 0;

	return (struct one){
		.whole = name, .test = name, .name = colon ? colon + 2 : name,
		.test_length = colon ? (int)(colon - name) : (int)strlen(name),
		.failed = error || strcmp(outcome, "failed") == 0,
		.skipped = strcmp(outcome, "skipped") == 0,
		.error = error,
		.outcome = outcome,
		.detail = text_of(row, "detail"),
		.seconds = member_number(row, "duration_ns") * 1e-9,
	};
}

/* ---- JUnit ---- */

static void put_xml(FILE *out, const char *text, int length)
{
	char shown[SHOWN_BYTES];
	static const struct {
		char character;
		const char *entity;
	} entities[] = {
		{ '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" },
	};

	text_escape((struct span){ (const uint8_t *)text, (size_t)length }, shown,
		    sizeof(shown));
	for (const char *c = shown; *c; c++) {
		size_t i = 0;

		while (i < COUNT(entities) && entities[i].character != *c)
			i++;
		if (i < COUNT(entities))
			fputs(entities[i].entity, out);
		else
			fputc(*c, out);
	}
}

static void put_attribute(FILE *out, const char *name, const char *text, int length)
{
	fprintf(out, " %s=\"", name);
	put_xml(out, text, length);
	fputc('"', out);
}

static void put_case(FILE *out, const struct one *one)
{
	const char *element = one->error ? "error" : one->failed ? "failure" :
			      one->skipped ? "skipped" : NULL;

	fputs("    <testcase", out);
	put_attribute(out, "classname", one->test, one->test_length);
	put_attribute(out, "name", one->name, (int)strlen(one->name));
	fprintf(out, " time=\"%.6f\"", one->seconds);
	if (!element) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, ">\n      <%s", element);
	if (one->error)
		put_attribute(out, "type", one->outcome, (int)strlen(one->outcome));
	put_attribute(out, "message", one->detail, (int)strlen(one->detail));
	fputs("/>\n    </testcase>\n", out);
}

static bool same_test(const struct one *a, const struct one *b)
{
	return a->test_length == b->test_length &&
	       memcmp(a->test, b->test, (size_t)a->test_length) == 0;
}

/* The cases of one test, which stand together; returns where they end. */
static size_t put_suite(FILE *out, const json_t *cases, size_t begin)
{
	struct one first = read_case(json_array_get(cases, begin));
	size_t end = begin, failed = 0, errors = 0, skipped = 0;
	double seconds = 0;

	for (; end < json_array_size(cases); end++) {
		struct one one = read_case(json_array_get(cases, end));

		if (!same_test(&first, &one))
			break;
		failed += one.failed && !one.error;
		errors += one.error;
		skipped += one.skipped;
		seconds += one.seconds;
	}
	fputs("  <testsuite", out);
	put_attribute(out, "name", first.test, first.test_length);
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\">\n",
		end - begin, failed, errors, skipped, seconds);
	for (size_t i = begin; i < end; i++) {
		struct one one = read_case(json_array_get(cases, i));

		put_case(out, &one);
	}
	fputs("  </testsuite>\n", out);
	return end;
}

void test_report_junit(FILE *out, const json_t *report)
{
	const json_t *cases = json_object_get(report, "cases");
	double errors = member_number(report, "timeouts") + member_number(report, "errors");

	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites tests=\"%zu\" failures=\"%.0f\" errors=\"%.0f\" skipped=\"%.0f\" time=\"%.6f\">\n",
		json_array_size(cases), member_number(report, "failed") - errors, errors,
		member_number(report, "skipped"), member_number(report, "wall_ns") * 1e-9);
	for (size_t i = 0; i < json_array_size(cases);)
		i = put_suite(out, cases, i);
	fputs("</testsuites>\n", out);
}

/* ---- what --changed has left ---- */

static bool is_unaffected(const json_t *report)
{
	const json_t *changed = json_object_get(report, "changed");

	return changed && member_number(changed, "chosen") == 0;
}

/* "2 of 5 tests: 3 files differ from HEAD"; 0 if nothing was left out by files. */
static int write_choice(const json_t *report, char ret[SHOWN_BYTES])
{
	const json_t *changed = json_object_get(report, "changed");
	size_t files = json_array_size(json_object_get(changed, "files"));
	const char *unknown = text_of(changed, "unknown");
	char since[200];

	text_escape(span_of_text(text_of(changed, "since")), since, sizeof(since));
	if (!changed)
		return 0;
	if (*unknown)
		return snprintf(ret, SHOWN_BYTES, "all of %.0f tests: %s (--changed=%s)",
				member_number(changed, "asked"), unknown, since);
	return snprintf(ret, SHOWN_BYTES, "%.0f of %.0f tests: %zu file%s from %s",
			member_number(changed, "chosen"), member_number(changed, "asked"), files,
			files == 1 ? " differs" : "s differ", since);
}

/* ---- TAP ---- */

/* On one line; what begins a directive, and its own mark, escaped. */
static void put_tap(FILE *out, const char *text)
{
	char shown[SHOWN_BYTES];

	text_escape(span_of_text(text), shown, sizeof(shown));
	for (const char *c = shown; *c; c++) {
		if (*c == '#')
			fputc('\\', out);
		fputc(*c, out);
	}
}

/* YAML takes a JSON string as it is. */
static void put_detail(FILE *out, const char *detail)
{
	json_t *text = json_string(detail);

	fputs("  ---\n  message: ", out);
	json_dumpf(text, out, JSON_ENCODE_ANY);
	fputs("\n  ...\n", out);
	json_decref(text);
}

void test_report_tap(FILE *out, const json_t *report)
{
	const json_t *cases = json_object_get(report, "cases"), *row;
	char choice[SHOWN_BYTES];
	size_t i;

	fprintf(out, "TAP version 13\n1..%zu%s\n", json_array_size(cases),
		is_unaffected(report) ? " # SKIP no test is affected" : "");
	if (write_choice(report, choice))
		fprintf(out, "# %s\n", choice);
	json_array_foreach((json_t *)(uintptr_t)cases, i, row) {
		struct one one = read_case(row);

		fprintf(out, "%sok %zu - ", one.failed ? "not " : "", i + 1);
		put_tap(out, one.whole);
		if (one.skipped) {
			fputs(" # SKIP ", out);
			put_tap(out, one.detail);
		}
		fputc('\n', out);
		if (one.failed && *one.detail)
			put_detail(out, one.detail);
	}
}

/* ---- for people ---- */

void test_report_text(const struct table *table, const json_t *report)
{
	const json_t *cases = json_object_get(report, "cases"), *row;
	char name[200], detail[SHOWN_BYTES];
	size_t i;

	if (write_choice(report, detail))
		fprintf(table->out, "%s\n", detail);
	if (is_unaffected(report))
		return;
	json_array_foreach((json_t *)(uintptr_t)cases, i, row) {
		struct one one = read_case(row);

		if (!one.failed && !one.skipped)
			continue;
		text_escape(span_of_text(one.whole), name, sizeof(name));
		text_escape(span_of_text(one.detail), detail, sizeof(detail));
		table_row(table, one.outcome, "",
			  one.failed ? TABLE_BAD : TABLE_WARN, name);
		if (*detail)
			table_row(table, "", "", TABLE_PLAIN, detail);
	}
	fprintf(table->out, "%.0f passed, %.0f failed, %.0f skipped in %s\n",
		member_number(report, "passed"), member_number(report, "failed"),
		member_number(report, "skipped"),
		quantity_us(member_number(report, "wall_ns") / 1e3).text);
}

bool test_report_passed(const json_t *report)
{
	return (member_number(report, "passed") > 0 || is_unaffected(report)) &&
	       member_number(report, "failed") == 0;
}
