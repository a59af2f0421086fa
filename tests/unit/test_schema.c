#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/schema.h"

static const struct json_limits limits = { 1 << 16, 64 };

static json_t *parse(const char *text)
{
	struct error why;
	json_t *json = NULL;
	int r = json_parse(span_of_text(text), limits, &json, &why);

	test_row(r == 0, "%s: %s", text, why.text);
	return json;
}

static void values_are_judged(void **state)
{
	static const struct {
		const char *schema, *value;
		const char *says;	/* NULL: it is permitted */
	} cases[] = {
		{ "true", "[1]", NULL },
		{ "{}", "{\"a\":1}", NULL },
		{ "false", "1", "the arguments: nothing may stand here" },
		{ "{\"type\":\"string\"}", "\"a\"", NULL },
		{ "{\"type\":\"string\"}", "1", "it must be of type \"string\", not 1" },
		{ "{\"type\":\"null\"}", "null", NULL },
		{ "{\"type\":\"number\"}", "null", "it must be of type" },
		{ "{\"type\":\"number\"}", "1", NULL },
		{ "{\"type\":\"number\"}", "1.5", NULL },
		{ "{\"type\":\"integer\"}", "2.0", NULL },
		{ "{\"type\":\"integer\"}", "1.5", "it must be of type" },
		{ "{\"type\":\"boolean\"}", "false", NULL },
		{ "{\"type\":\"boolean\"}", "0", "it must be of type" },
		{ "{\"type\":\"array\"}", "{}", "it must be of type" },
		{ "{\"type\":[\"string\",\"null\"]}", "null", NULL },
		{ "{\"type\":[\"string\",\"null\"]}", "1", "of type [\"string\",\"null\"]" },
		{ "{\"enum\":[1,\"a\"]}", "\"a\"", NULL },
		{ "{\"enum\":[1,\"a\"]}", "1.0", NULL },
		{ "{\"enum\":[1,\"a\"]}", "\"b\"", "it must be one of [1,\"a\"], not \"b\"" },
		{ "{\"const\":{\"a\":[1]}}", "{\"a\":[1]}", NULL },
		{ "{\"const\":3}", "4", "it must be 3, not 4" },
		{ "{\"minimum\":1,\"maximum\":3}", "1", NULL },
		{ "{\"minimum\":1,\"maximum\":3}", "0", "it must be at least 1, not 0" },
		{ "{\"minimum\":1,\"maximum\":3}", "3.5", "it must be at most 3, not 3.5" },
		{ "{\"minimum\":1}", "\"no number\"", NULL },
		{ "{\"exclusiveMinimum\":1}", "1", "it must be more than 1" },
		{ "{\"exclusiveMaximum\":1}", "1", "it must be less than 1" },
		{ "{\"maximum\":9007199254740992}", "9007199254740993", "it must be at most" },
		{ "{\"minLength\":2,\"maxLength\":2}", "\"\xc3\xa9\xc3\xa9\"", NULL },
		{ "{\"maxLength\":2}", "\"abc\"", "it must have at most 2 characters, not 3" },
		{ "{\"minLength\":2}", "\"a\"", "it must have at least 2 characters, not 1" },
		{ "{\"minItems\":1}", "[]", "it must have at least 1 elements, not 0" },
		{ "{\"maxItems\":1}", "[1,2]", "it must have at most 1 elements, not 2" },
		{ "{\"items\":{\"type\":\"integer\"}}", "[1,2]", NULL },
		{ "{\"items\":{\"type\":\"integer\"}}", "[1,\"b\"]", "[1]: it must be of type" },
		{ "{\"required\":[\"a\"]}", "{\"a\":null}", NULL },
		{ "{\"required\":[\"a\"]}", "{}", "a: it is missing" },
		{ "{\"properties\":{\"a\":{\"items\":{\"properties\":{\"b\":{\"maximum\":1}}}}}}",
		  "{\"a\":[{\"b\":1},{\"b\":2}]}", "a[1].b: it must be at most 1, not 2" },
		{ "{\"properties\":{\"text\":true},\"additionalProperties\":false}",
		  "{\"test\":1}", "test: there is no such argument; did you mean 'text'?" },
		{ "{\"properties\":{\"text\":true},\"additionalProperties\":false}",
		  "{\"zzzzzz\":1}", "zzzzzz: there is no such argument" },
		{ "{\"properties\":{\"a\":true},\"additionalProperties\":{\"type\":\"string\"}}",
		  "{\"a\":1,\"b\":\"x\"}", NULL },
		{ "{\"properties\":{\"a\":true},\"additionalProperties\":{\"type\":\"string\"}}",
		  "{\"a\":1,\"b\":2}", "b: it must be of type" },
		{ "{\"type\":\"object\",\"required\":[\"a\"]}", "7", "it must be of type" },
		{ "{\"title\":\"t\",\"description\":\"d\",\"default\":1,\"examples\":[1]}", "1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_auto_t *schema = parse(cases[i].schema);
		json_auto_t *value = parse(cases[i].value);
		struct error why = { 0 };
		int r = schema_lint(schema, &why);

		test_row(r == 0, "%s: %s", cases[i].schema, why.text);
		r = schema_check(schema, value, &why);
		test_row(r == (cases[i].says ? -EINVAL : 0), "%s %s: got %d %s",
			 cases[i].schema, cases[i].value, r, why.text);
		if (!cases[i].says)
			continue;
		test_row(strstr(why.text, cases[i].says), "%s %s: got \"%s\"",
			 cases[i].schema, cases[i].value, why.text);
		assert_int_equal(why.code, ERROR_INVALID_ARGUMENT);
	}
}

static void what_would_be_passed_over_is_refused(void **state)
{
	static const struct {
		const char *schema, *says;
	} cases[] = {
		{ "7", "a schema is an object, true or false" },
		{ "{\"typ\":\"string\"}", "typ: no such word of a schema is known; did you mean 'type'?" },
		{ "{\"$ref\":\"#\"}", "$ref: no such word of a schema is known" },
		{ "{\"pattern\":\"a*\"}", "pattern: no such word" },
		{ "{\"type\":\"text\"}", "type: it must be a type's name or a list of them" },
		{ "{\"type\":[]}", "type: it must be" },
		{ "{\"type\":[\"string\",1]}", "type: it must be" },
		{ "{\"enum\":[]}", "enum: it must be a list of values" },
		{ "{\"enum\":1}", "enum: it must be a list of values" },
		{ "{\"required\":\"a\"}", "required: it must be a list of names" },
		{ "{\"required\":[1]}", "required: it must be a list of names" },
		{ "{\"minimum\":\"1\"}", "minimum: it must be a number" },
		{ "{\"maxLength\":-1}", "maxLength: it must be a count" },
		{ "{\"maxItems\":1.5}", "maxItems: it must be a count" },
		{ "{\"properties\":[]}", "properties: it must be an object of schemas" },
		{ "{\"properties\":{\"a\":{\"b\":1}}}", "properties.a.b: no such word" },
		{ "{\"items\":{\"items\":1}}", "items.items: a schema is" },
		{ "{\"additionalProperties\":\"no\"}", "additionalProperties: a schema is" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_auto_t *schema = parse(cases[i].schema);
		struct error why = { 0 };
		int r = schema_lint(schema, &why);

		test_row(r == -EINVAL && strstr(why.text, cases[i].says),
			 "%s: got %d \"%s\"", cases[i].schema, r, why.text);
	}
}

static void schemas_are_not_nested_without_end(void **state)
{
	char text[64 * (SCHEMA_DEPTH_MAX + 2)] = "";
	struct error why;

	(void)state;
	for (int depth = SCHEMA_DEPTH_MAX; depth <= SCHEMA_DEPTH_MAX + 1; depth++) {
		text[0] = '\0';
		for (int i = 0; i < depth - 1; i++)
			strcat(text, "{\"items\":");
		strcat(text, "{}");
		for (int i = 0; i < depth - 1; i++)
			strcat(text, "}");
		json_auto_t *schema = parse(text);

		assert_int_equal(schema_lint(schema, &why),
				 depth > SCHEMA_DEPTH_MAX ? -EINVAL : 0);
	}
}

static void long_names_and_values_are_cut_in_the_reason(void **state)
{
	char text[4000] = "{\"";
	struct error why;

	(void)state;
	memset(text + 2, 'k', 3000);
	strcpy(text + 3002, "\":1}");
	json_auto_t *schema = parse("{\"additionalProperties\":{\"type\":\"object\"}}");
	json_auto_t *value = parse(text);

	assert_int_equal(schema_check(schema, value, &why), -EINVAL);
	assert_true(strlen(why.text) < ERROR_TEXT_BYTES);
	json_auto_t *text_only = parse("{\"type\":\"string\"}");

	assert_int_equal(schema_check(text_only, value, &why), -EINVAL);
	assert_true(strstr(why.text, "not one of 3006 bytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_judged),
		cmocka_unit_test(what_would_be_passed_over_is_refused),
		cmocka_unit_test(schemas_are_not_nested_without_end),
		cmocka_unit_test(long_names_and_values_are_cut_in_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
