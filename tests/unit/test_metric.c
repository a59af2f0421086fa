/*
 * What is taken for the number of a run, and what for none.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workers/improve/metric.h"

static int read_json(struct span text, double *ret, struct error *why)
{
	const struct workspace_metric metric = {
		.title = "rate", .from = FROM_STDOUT, .pattern = "", .json = "a[1].b",
	};
	const struct command_outcome outcome = { .output = text };

	*ret = -1;
	return metric_read(&metric, &outcome, ret, why);
}

static void a_number_is_found_in_json(void **state)
{
	static const struct row {
		const char *text;
		int r;
		double want;
	} rows[] = {
		{ "{\"a\": [1, {\"b\": 2.5}]}", 0, 2.5 },
		{ "{\"a\": [1, {\"b\": -2.5}]}", -ENODATA, -1 },
		{ "{\"a\": [1]}", -ENODATA, -1 },
		{ "{\"a\": [1, {\"b\": 2.5}]", -ENODATA, -1 },
		{ "", -ENODATA, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error why = { 0 };
		double got;
		int r = read_json(span_of_text(rows[i].text), &got, &why);

		test_row(r == rows[i].r && !(got < rows[i].want) && !(got > rows[i].want) &&
			 (r == 0 || strncmp(why.text, "metric rate: ", 13) == 0),
			 "%s: %d, %g, %s", rows[i].text, r, got, why.text);
	}
}

/* A candidate that prints without end has no number, and does not end its judge. */
static void json_that_would_fill_the_memory_is_none(void **state)
{
	enum { MOST = 2 << 20 };
	uint8_t *text = malloc(MOST + 2);
	struct error why = { 0 };
	double got;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', MOST + 2);
	memcpy(text, "{\"a\": [1, {\"b\": 3}]}", 20);
	assert_int_equal(read_json((struct span){ text, MOST }, &got, &why), 0);
	assert_int_equal((int)got, 3);
	assert_int_equal(read_json((struct span){ text, MOST + 1 }, &got, &why), -ENODATA);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_found_in_json),
		cmocka_unit_test(json_that_would_fill_the_memory_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
