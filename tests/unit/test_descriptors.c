#include "tests/support/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/descriptors.h"

static void those_that_are_open_are_counted(void **state)
{
	unsigned end = descriptors_end(), before = descriptors_open(end);
	int fds[2];

	(void)state;
	assert_true(end <= descriptors_limit() && end <= DESCRIPTORS_MOST);
	assert_in_range(before, 1, end);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(descriptors_open(end), before + 2);
	close(fds[0]);
	assert_int_equal(descriptors_open(end), before + 1);
	close(fds[1]);
	assert_int_equal(descriptors_open(end), before);
}

static void wherever_they_are(void **state)
{
	static const int places[] = { 255, 256, 257, 511, 512, 700 };
	unsigned end = 1000, before;

	(void)state;
	if (descriptors_limit() < end)
		test_skip("there may be too few");
	before = descriptors_open(end);
	for (size_t i = 0; i < COUNT(places); i++) {
		assert_int_equal(dup2(1, places[i]), places[i]);
		assert_int_equal(descriptors_open(end), before + i + 1);
	}
	assert_int_equal(descriptors_open(700), before + COUNT(places) - 1);
	for (size_t i = 0; i < COUNT(places); i++)
		close(places[i]);
	assert_int_equal(descriptors_open(end), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_are_open_are_counted),
		cmocka_unit_test(wherever_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
