/*
 * report_format.h - the formats tests report in; used by cases.c alone.
 */
#ifndef CUPEL_WORKERS_IMPROVE_REPORT_FORMAT_H
#define CUPEL_WORKERS_IMPROVE_REPORT_FORMAT_H

#include "workers/improve/cases.h"

/*
 * Adds the cases of a TAP stream, and one that failed for a missing plan, a
 * plan not met, or "Bail out!". 0 or -ENOMEM. tap_looks_like: it has a plan or
 * a version line.
 */
int tap_read(struct cases *cases, const char *test, struct span text);
bool tap_looks_like(struct span text);

/*
 * Adds the testcase elements of JUnit XML, and one that failed if the text is
 * not well-formed or declares a document type. 0 or -ENOMEM.
 */
int junit_read(struct cases *cases, const char *test, struct span text);
bool junit_looks_like(struct span text);

/* Adds a case whose name is "TEST: NAME". */
int report_add(struct cases *cases, const char *test, struct span name,
	       enum case_outcome outcome, int64_t duration_ns, struct span detail);

#endif
