/*
 * cases.h - what tests told of their cases, and how two tellings differ.
 *
 *	output of a test --> cases_read() --> struct cases --> cases_compare()
 *
 * A test that tells of no case has failed, whatever its exit status; so has
 * one whose exit status is not 0 although every case passed, or that promised
 * more cases than it told of. Each such finding is a case of its own that
 * failed, so that nothing is judged beside the list.
 *
 * What is read was written by code under test: it is bounded, escaped where it
 * is shown, and believed only about itself. A name that comes twice gets "#2".
 *
 * Sources: testanything.org, TAP version 13 and 14; the JUnit XML that Maven
 * Surefire and pytest write, for which there is no standard.
 */
#ifndef CUPEL_WORKERS_IMPROVE_CASES_H
#define CUPEL_WORKERS_IMPROVE_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"
#include "workers/improve/workspace_file.h"

struct arena;
struct error;

#define CASES_MAX 20000
#define CASE_NAME_BYTES_MAX 512
#define CASE_DETAIL_BYTES_MAX 2000
#define CASE_FILE_BYTES_MAX 1000

enum case_outcome {
	CASE_PASSED,
	CASE_FAILED,
	CASE_SKIPPED,
	CASE_TIMEOUT,		/* the test was ended by its time limit */
	CASE_ERROR,		/* by something else, or the report says error */
	CASE_OUTCOME_COUNT
};

struct test_case {
	const char *name;	/* "TEST: NAME" */
	enum case_outcome outcome;
	int64_t duration_ns;	/* -1: not told */
	const char *detail;	/* why it failed or was skipped; "" */
	const char *file;	/* it is in, if the report says so; "" */
};

struct cases {
	struct test_case *items;
	size_t count, capacity;
	struct arena *arena;	/* of all strings and items */
	bool too_many;		/* more than CASES_MAX: said as a failed case */
};

void cases_init(struct cases *cases, struct arena *arena);

/* Adds one; name and detail are copied, cut and made UTF-8. -ENOMEM. */
int cases_add(struct cases *cases, struct span name, enum case_outcome outcome,
	      int64_t duration_ns, struct span detail);

/* The file of the one that was added last; copied likewise. -ENOMEM. */
int cases_set_file(struct cases *cases, struct span file);

/* Adds all of others, which has the same arena: strings are shared. -ENOMEM. */
int cases_add_all(struct cases *cases, const struct cases *others);

/* How a test has ended. */
struct case_source {
	const char *test;		/* title of the test */
	enum test_format format;
	struct span report;		/* its output, or the file it wrote */
	int exit_code;			/* -1: it did not exit */
	bool timed_out;			/* that was because of a limit of time */
	const char *end;		/* for people: "ended by wall", "exit status 2" */
	int64_t duration_ns;
};

/* Reads all of that into cases and judges it as said above. -ENOMEM. */
int cases_read(struct cases *cases, const struct case_source *source);

size_t cases_count(const struct cases *cases, enum case_outcome outcome);

/* Neither passed nor skipped, for whatever reason. */
bool case_is_bad(enum case_outcome outcome);
size_t cases_count_bad(const struct cases *cases);

/* The cases by name, as long as there is no other; in memory of an arena. -ENOMEM. */
struct case_index {
	struct test_case **by;
	size_t count;
};
int cases_index(const struct cases *cases, struct arena *arena, struct case_index *ret);

/* The case of that name, or NULL. */
const struct test_case *cases_find(const struct case_index *index, const char *name);

/* How a candidate's cases differ from the baseline's, by name. */
struct case_difference {
	size_t newly_failed;	/* passed before */
	size_t vanished;	/* were there before, whatever came of them */
	size_t newly_skipped;	/* passed before */
	size_t newly_passed;
	size_t added;
	const char *first;	/* name of the first of the first three kinds; the baseline's */
};

/*
 * Cases named in flaky (sorted or not) are not counted. A candidate is as good
 * as the baseline if the first three counts are 0. -ENOMEM, which is no verdict.
 */
int cases_compare(const struct cases *baseline, const struct cases *candidate,
		  const struct cases *flaky, struct case_difference *ret);

const char *case_outcome_name(enum case_outcome outcome);

#endif
