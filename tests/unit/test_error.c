#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"

static void an_error_ends_a_function_in_one_line(void **state)
{
	struct error why;

	(void)state;
	assert_int_equal(error_set(&why, -EACCES, "open %s: %d", "x", 7), -EACCES);
	assert_string_equal(why.text, "open x: 7");
	assert_int_equal(why.code, ERROR_PERMISSION_DENIED);
	assert_int_equal(why.origin, ORIGIN_ROUTER);
	assert_int_equal(error_set_code(&why, -EPERM, ERROR_PROTOCOL, "no"),
			 -EPERM);
	assert_int_equal(why.code, ERROR_PROTOCOL);
	assert_string_equal(why.text, "no");
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, -EIO, "%s", "x"), -EIO);
	assert_int_equal(error_set_code(NULL, -EIO, ERROR_POISON, "x"), -EIO);
	assert_int_equal(error_prefix(NULL, -EIO, "x"), -EIO);
}

static void a_caller_that_knows_more_speaks_first(void **state)
{
	struct error why;

	(void)state;
	error_set(&why, -ENOENT, "open: gone");
	why.origin = ORIGIN_UPSTREAM;
	assert_int_equal(error_prefix(&why, -EIO, "policy %s", "tool"), -EIO);
	assert_string_equal(why.text, "policy tool: open: gone");
	assert_int_equal(why.code, ERROR_NOT_FOUND);
	assert_int_equal(why.origin, ORIGIN_UPSTREAM);
}

/* However long the prefix: cut where a character ends, marked, terminated. */
static void a_long_sentence_is_cut_at_a_character(void **state)
{
	char letters[ERROR_TEXT_BYTES + 8] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		letters[i] = "\xe2\x82\xac"[i % 3];
	for (size_t length = ERROR_TEXT_BYTES - 8; length < sizeof(letters);
	     length++) {
		char text[ERROR_TEXT_BYTES + 16];
		struct error set, prefixed;

		snprintf(text, sizeof(text), "%*s%s", (int)(length % 3), "",
			 letters + sizeof(letters) - 1 - length / 3 * 3);
		error_set(&set, -EIO, "%s", text);
		error_set(&prefixed, -EIO, "inner");
		error_prefix(&prefixed, -EIO, "%s", text);
		assert_true(text_is_utf8(span_of_text(set.text)));
		assert_true(text_is_utf8(span_of_text(prefixed.text)));
		test_row((strlen(text) >= ERROR_TEXT_BYTES) ==
				 (strcmp(set.text + strlen(set.text) - 3,
					 "...") == 0),
			 "%zu bytes: %s", strlen(text), set.text);
		assert_in_range(strlen(set.text),
				strlen(text) < ERROR_TEXT_BYTES ?
					strlen(text) : ERROR_TEXT_BYTES - 4,
				ERROR_TEXT_BYTES - 1);
	}
}

static void every_code_has_a_row_and_names(void **state)
{
	unsigned known = 0;

	(void)state;
	for (int code = -1; code <= ERROR_CODE_COUNT; code++) {
		const struct error_row *row = error_row(code);

		assert_non_null(row->name);
		assert_true(*error_class_name(row->class));
		assert_true(*error_severity_name(row->severity));
		known += row != error_row(ERROR_UNKNOWN);
	}
	assert_int_equal(known, 16 + 15);	/* gRPC's and ours */
	assert_string_equal(error_origin_name(ORIGIN_UPSTREAM), "upstream");
	assert_string_equal(error_row(ERROR_POISON)->name, "poison");
}

/* Whoever may ask again was not, or not provably, served. */
static void rows_agree_with_themselves(void **state)
{
	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		const struct error_row *row = error_row(code);

		test_row((row->class == ERROR_CLASS_NONE) == (code == ERROR_OK),
			 "%s: class", row->name);
		test_row((row->outcome == OUTCOME_OK) == (code == ERROR_OK),
			 "%s: outcome", row->name);
		test_row(row->class != ERROR_CLASS_POLICY ||
				 row->retry == RETRY_NEVER,
			 "%s: policy is never retried", row->name);
		test_row(row->class != ERROR_CLASS_CALLER ||
				 row->outcome == OUTCOME_NEUTRAL,
			 "%s: a caller's fault counts", row->name);
		test_row(row->class != ERROR_CLASS_TRANSIENT ||
				 row->retry != RETRY_NEVER,
			 "%s: transient, but never retried", row->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_ends_a_function_in_one_line),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(a_caller_that_knows_more_speaks_first),
		cmocka_unit_test(a_long_sentence_is_cut_at_a_character),
		cmocka_unit_test(every_code_has_a_row_and_names),
		cmocka_unit_test(rows_agree_with_themselves),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
