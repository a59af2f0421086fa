#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

static const struct json_limits limits = { 200, 3 };

static void parse_accepts_what_is_json_and_refuses_the_rest(void **state)
{
	static const struct {
		const char *name, *text;
		int want;
		const char *says;
	} cases[] = {
		{ "an object", "{\"a\": [1, 2.5, true, null, \"\xc3\xa9\"]}", 0, NULL },
		{ "a scalar", "-7", 0, NULL },
		{ "depth at the limit", "[[[]]]", 0, NULL },
		{ "siblings do not add up", "[[[]],[[]],{\"a\":[]}]", 0, NULL },
		{ "brackets in a string", "[\"[[[[ \\\" [[[[\"]", 0, NULL },
		{ "depth over the limit", "[\n  [[\n[]]]]", -EMSGSIZE, "line 3, column 1: nested deeper than 3" },
		{ "columns are characters", "[\"\xc3\xa9\", [[[", -EMSGSIZE, "line 1, column 9: nested" },
		{ "depth after an escape", "[\"\\\\\", [[[]]]]", -EMSGSIZE, "column 10: nested" },
		{ "nothing", "", -EBADMSG, "line 1, column 0: unexpected token near end of file" },
		{ "cut off", "{\"a\": ", -EBADMSG, "the text is cut off" },
		{ "two values", "1 2", -EBADMSG, "send one value" },
		{ "a duplicate key", "{\"a\": 1,\n\"a\": 2}", -EBADMSG, "line 2, column 3: duplicate object key" },
		{ "invalid UTF-8", "[\"\xff\"]", -EBADMSG, "write the text as UTF-8" },
		{ "a zero character", "[\"\\u0000\"]", -EBADMSG, "leave out \\u0000" },
		{ "a huge integer", "[92233720368547758080]", -EBADMSG, "as strings" },
		{ "a huge real", "[1e999]", -EBADMSG, "as strings" },
		{ "a trailing comma", "[1,]", -EBADMSG, "line 1, column 4" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error why = { 0 };
		json_t *json = NULL;
		int r = json_parse(span_of_text(cases[i].text), limits, &json, &why);

		test_row(r == cases[i].want, "%s: got %d, %s", cases[i].name, r, why.text);
		test_row((r == 0) == (json != NULL), "%s: result", cases[i].name);
		test_row(!cases[i].says || strstr(why.text, cases[i].says),
			 "%s: says \"%s\", not \"%s\"", cases[i].name, why.text, cases[i].says);
		json_decref(json);
	}
}

static void parse_bounds_the_size_before_anything_else(void **state)
{
	char text[202];
	struct error why;
	json_t *json = NULL;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[0] = '1';
	struct span fits = { (const uint8_t *)text, 200 };
	struct span over = { (const uint8_t *)text, 201 };

	assert_int_equal(json_parse(over, limits, &json, &why), -EMSGSIZE);
	assert_string_equal(why.text, "JSON of 201 bytes is over the limit of 200: send less");
	assert_null(json);
	assert_int_equal(json_parse(fits, limits, &json, &why), 0);
	json_decref(json);
}

static void parse_takes_the_empty_span(void **state)
{
	json_t *json = NULL;

	(void)state;
	assert_int_equal(json_parse((struct span){ NULL, 0 }, limits, &json, NULL), -EBADMSG);
}

static void write_keeps_or_sorts_the_order(void **state)
{
	static const struct {
		size_t layout;
		const char *want;
	} cases[] = {
		{ JSON_COMPACT, "{\"b\":1,\"a\":[true]}" },
		{ JSON_COMPACT | JSON_SORT_KEYS, "{\"a\":[true],\"b\":1}" },
		{ JSON_INDENT(1), "{\n \"b\": 1,\n \"a\": [\n  true\n ]\n}" },
	};
	json_t *json = json_pack("{s:i,s:[b]}", "b", 1, "a", 1);
	char text[100];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int r = json_write(json, cases[i].layout, text, sizeof(text), NULL);

		test_row(r == (int)strlen(cases[i].want) && strcmp(text, cases[i].want) == 0,
			 "row %zu: %d, %s", i, r, text);
	}
	json_decref(json);
}

static void write_refuses_a_buffer_that_is_too_small(void **state)
{
	json_t *json = json_string("abc");
	char text[6];

	(void)state;
	assert_int_equal(json_write(json, 0, text, 5, NULL), -EMSGSIZE);
	assert_int_equal(json_write(json, 0, text, 6, NULL), 5);
	assert_string_equal(text, "\"abc\"");
	json_decref(json);
}

/* What a row asks for, and the errno or the value it gets. */
static void fields_are_found_by_path_or_named_in_the_error(void **state)
{
	enum kind { TEXT, INT, REAL, BOOL, ARRAY };
	static const struct {
		const char *path;
		enum kind kind;
		int want;
		const char *says;	/* on success the value as text */
	} cases[] = {
		{ "choices[1].text", TEXT, 0, "two" },
		{ "grid[0][1]", INT, 0, "5" },
		{ "ratio", REAL, 0, "0.5" },
		{ "count", REAL, 0, "7" },
		{ "on", BOOL, 0, "true" },
		{ "off", BOOL, 0, "false" },
		{ "grid", ARRAY, 0, "" },
		{ "nothing", TEXT, -ENOENT, "nothing: missing" },
		{ "null", TEXT, -ENOENT, "null: missing" },
		{ "choices[2].text", TEXT, -ENOENT, "choices[2]: missing" },
		{ "choices[0].none.deep", TEXT, -ENOENT, "choices[0].none: missing" },
		{ "count.text", TEXT, -EINVAL, "count: expected an object, found an integer" },
		{ "choices.text", TEXT, -EINVAL, "choices: expected an object, found an array" },
		{ "ratio[0]", TEXT, -EINVAL, "ratio: expected an array, found a number" },
		{ "[0]", TEXT, -EINVAL, "top: expected an array, found an object" },
		{ "count", TEXT, -EINVAL, "count: expected a string, found an integer" },
		{ "ratio", INT, -EINVAL, "ratio: expected an integer, found a number" },
		{ "on", REAL, -EINVAL, "on: expected a number, found a boolean" },
		{ "count", BOOL, -EINVAL, "count: expected a boolean, found an integer" },
		{ "on", ARRAY, -EINVAL, "on: expected an array, found a boolean" },
		{ "low", INT, -ERANGE, "low: -1 is not between 0 and 9" },
		{ "high", INT, -ERANGE, "high: 10 is not between 0 and 9" },
	};
	static const char text[] =
		"{\"choices\":[{\"text\":\"one\"},{\"text\":\"two\"}],\"grid\":[[4,5]],"
		"\"ratio\":0.5,\"count\":7,\"on\":true,\"off\":false,\"null\":null,"
		"\"low\":-1,\"high\":10}";
	json_t *root = NULL;

	(void)state;
	assert_int_equal(json_parse(span_of_text(text), limits, &root, NULL), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error why = { 0 };
		const char *string = "";
		int64_t integer = 0;
		double real = 0;
		bool flag = false;
		json_t *array;
		int r = -1;

		switch (cases[i].kind) {
		case TEXT:
			r = json_get_text(root, cases[i].path, &string, &why);
			break;
		case INT:
			r = json_get_int(root, cases[i].path, 0, 9, &integer, &why);
			break;
		case REAL:
			r = json_get_real(root, cases[i].path, &real, &why);
			break;
		case BOOL:
			r = json_get_bool(root, cases[i].path, &flag, &why);
			break;
		case ARRAY:
			r = json_get(root, cases[i].path, JSON_ARRAY, &array, &why);
			break;
		}
		char got[32] = "";

		if (cases[i].kind == INT)
			snprintf(got, sizeof(got), "%d", (int)integer);
		else if (cases[i].kind == REAL)
			snprintf(got, sizeof(got), "%g", real);
		else if (cases[i].kind == BOOL)
			snprintf(got, sizeof(got), "%s", flag ? "true" : "false");
		else
			snprintf(got, sizeof(got), "%s", string);
		test_row(r == cases[i].want, "%s: got %d, %s", cases[i].path, r, why.text);
		test_row(strcmp(r ? why.text : got, cases[i].says) == 0,
			 "%s: \"%s\"", cases[i].path, r ? why.text : got);
	}
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_accepts_what_is_json_and_refuses_the_rest),
		cmocka_unit_test(parse_bounds_the_size_before_anything_else),
		cmocka_unit_test(parse_takes_the_empty_span),
		cmocka_unit_test(write_keeps_or_sorts_the_order),
		cmocka_unit_test(write_refuses_a_buffer_that_is_too_small),
		cmocka_unit_test(fields_are_found_by_path_or_named_in_the_error),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
