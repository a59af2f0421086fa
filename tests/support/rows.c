#include "tests/support/rows.h"

#include <string.h>

#include "tests/support/test.h"

void rows_run(struct database *database, const char *sql)
{
	struct error why;

	if (database_run(database, sql, NULL, NULL, &why) < 0)
		fail_msg("%s: %s", sql, why.text);
}

void rows_refuse(struct database *database, const char *sql, const char *says)
{
	struct error why = { .text = "it was done" };
	int r = database_run(database, sql, NULL, NULL, &why);

	test_row(r < 0 && strstr(why.text, says), "%s: got \"%s\", want \"%s\"", sql, why.text,
		 says);
}

void rows_show(struct database *database, const char *sql, const char *want)
{
	json_t *rows = json_array();
	struct error why;

	if (database_run(database, sql, NULL, rows, &why) < 0)
		fail_msg("%s: %s", sql, why.text);
	const char *got = json_string_value(json_object_get(json_array_get(rows, 0), "got"));

	test_row(got && strcmp(got, want) == 0, "%s: got \"%s\", want \"%s\"", sql,
		 got ? got : "no text", want);
	json_decref(rows);
}
