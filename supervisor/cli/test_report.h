/*
 * test_report.h - the answer of improve.test ("cupel.test/1") in other words.
 *
 *	"unit: adds"  passed	TAP    ok 1 - unit: adds
 *				JUnit  <testcase classname="unit" name="adds">
 *
 * The texts come from code under test: what XML 1.0 cannot hold is written as
 * \xHH, what TAP takes for a directive is escaped. Pure but for the output.
 *
 * Sources: testanything.org, TAP version 13; the JUnit XML of Maven Surefire
 * as continuous integration systems read it.
 */
#ifndef CUPEL_SUPERVISOR_CLI_TEST_REPORT_H
#define CUPEL_SUPERVISOR_CLI_TEST_REPORT_H

#include <stdio.h>

#include "common/json.h"
#include "supervisor/cli/table.h"

void test_report_junit(FILE *out, const json_t *report);
void test_report_tap(FILE *out, const json_t *report);

/* The cases that failed or were skipped, why, and one line of sums. */
void test_report_text(const struct table *table, const json_t *report);

/*
 * Some case passed and none failed; or nothing that differs concerns a test, so
 * that none was expected.
 */
bool test_report_passed(const json_t *report);

#endif
