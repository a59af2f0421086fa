#include "tests/support/test.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

static void a_wall_time_is_written_as_rfc_3339(void **state)
{
	static const struct {
		const char *name;
		int64_t wall_ns;
		const char *want;
	} cases[] = {
		{ "the epoch", 0, "1970-01-01T00:00:00.000000000Z" },
		{ "one nanosecond earlier", -1, "1969-12-31T23:59:59.999999999Z" },
		{ "one second earlier", -1000000000, "1969-12-31T23:59:59.000000000Z" },
		{ "every decimal", 123456789, "1970-01-01T00:00:00.123456789Z" },
		{ "a leap day by 400", 951782400000000000, "2000-02-29T00:00:00.000000000Z" },
		{ "the end of a leap year", 1735689599999999999, "2024-12-31T23:59:59.999999999Z" },
		{ "no leap day by 100", 4107542400000000000, "2100-03-01T00:00:00.000000000Z" },
		{ "the last moment", INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ "the first moment", INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
	};
	char got[CLOCK_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		clock_text(cases[i].wall_ns, got);
		test_row(strcmp(got, cases[i].want) == 0, "%s: got %s, want %s",
			 cases[i].name, got, cases[i].want);
	}
}

static void any_moment_agrees_with_the_c_library(void **state)
{
	struct random random;
	char got[CLOCK_TEXT_BYTES], want[CLOCK_TEXT_BYTES];

	(void)state;
	test_random_init(&random, "clock_text");
	for (int i = 0; i < 20000; i++) {
		int64_t wall_ns = (int64_t)(random_next(&random) >> 1);
		time_t seconds = wall_ns / NS_PER_S;
		struct tm parts;

		assert_non_null(gmtime_r(&seconds, &parts));
		size_t used = strftime(want, sizeof(want), "%FT%T", &parts);

		snprintf(want + used, sizeof(want) - used, ".%09dZ",
			 (int)(wall_ns % NS_PER_S));
		clock_text(wall_ns, got);
		test_row(strcmp(got, want) == 0, "%" PRId64 ": got %s, want %s",
			 wall_ns, got, want);
	}
}

static void the_clocks_are_those_they_say(void **state)
{
	int64_t before_ns = clock_now_ns();
	int64_t wall_ns = clock_wall_ns();
	struct timespec wall;

	(void)state;
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	assert_true(clock_now_ns() - before_ns >= 2000000);
	/* Not time(2), whose clock is behind by up to a tick. */
	clock_gettime(CLOCK_REALTIME, &wall);
	assert_in_range(wall.tv_sec - wall_ns / NS_PER_S, 0, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wall_time_is_written_as_rfc_3339),
		cmocka_unit_test(any_moment_agrees_with_the_c_library),
		cmocka_unit_test(the_clocks_are_those_they_say),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
