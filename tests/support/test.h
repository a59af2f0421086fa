/*
 * test.h - what every unit test includes: cmocka with the headers it wants
 * first, the seed of property tests, and table helpers.
 */
#ifndef CUPEL_TESTS_SUPPORT_TEST_H
#define CUPEL_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/core/random.h"

/*
 * Seeds a property test from CUPEL_SEED (default 1) and prints the seed as a
 * TAP comment, so that a failure can be replayed.
 */
void test_random_init(struct random *random, const char *property);

/* Fails with the row's own words: test_row(got == want, "%s: got %d", ...). */
#define test_row(condition, ...)                                              \
	do {                                                                  \
		if (!(condition))                                             \
			fail_msg(__VA_ARGS__);                                \
	} while (0)

/* The wait status of a body that runs as an ordinary user, or as we do; or -1. */
int test_as_ordinary_user(void (*body)(void));

/* What a shell says to the script; cut to size, which is at least 1. */
void test_output(const char *script, char *ret, size_t size);

/* Setup and teardown of a group that works in a folder of its own. */
int test_enter_folder(void **state);
int test_leave_folder(void **state);

/* Skips the test and says why: a skip without a reason is a failure. */
#define test_skip(...)                                                        \
	do {                                                                  \
		printf("# skip: " __VA_ARGS__);                               \
		putchar('\n');                                                \
		skip();                                                       \
	} while (0)

#endif
