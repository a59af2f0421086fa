#include "tests/support/test.h"

#include <errno.h>

#include "common/buffer.h"

static uint8_t memory[16];

static bool waits(const struct buffer *buffer, const char *want)
{
	return span_equal(buffer_peek(buffer), span_of_text(want));
}

static void bytes_leave_in_the_order_they_came(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	assert_true(waits(&buffer, ""));
	assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
	assert_int_equal(buffer_append(&buffer, "", 0), 0);
	assert_int_equal(buffer_append(&buffer, "de", 2), 0);
	assert_true(waits(&buffer, "abcde"));
	buffer_consume(&buffer, 2);
	assert_true(waits(&buffer, "cde"));
	buffer_consume(&buffer, 3);
	assert_true(waits(&buffer, ""));
}

static void only_what_is_committed_waits(void **state)
{
	struct buffer buffer;
	size_t bytes;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	uint8_t *to = buffer_reserve(&buffer, 4, &bytes);

	assert_int_equal(bytes, sizeof(memory));
	memcpy(to, "wxyz", 4);
	buffer_commit(&buffer, 2);
	assert_true(waits(&buffer, "wx"));
	assert_ptr_equal(buffer_reserve(&buffer, 1, &bytes), to + 2);
	assert_int_equal(bytes, sizeof(memory) - 2);
}

static void what_waits_moves_only_when_it_must(void **state)
{
	struct buffer buffer;
	size_t bytes;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append(&buffer, "0123456789", 10);
	buffer_consume(&buffer, 7);
	assert_ptr_equal(buffer_reserve(&buffer, 6, &bytes), memory + 10);
	assert_int_equal(bytes, 6);
	assert_ptr_equal(buffer_reserve(&buffer, 7, &bytes), memory + 3);
	assert_int_equal(bytes, 13);
	assert_true(waits(&buffer, "789"));
	buffer_consume(&buffer, 3);
	assert_ptr_equal(buffer_reserve(&buffer, 1, &bytes), memory);
	assert_int_equal(bytes, 16);
}

static void a_full_buffer_refuses_and_changes_nothing(void **state)
{
	struct buffer buffer;
	size_t bytes = 77;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append(&buffer, "0123456789", 10);
	buffer_consume(&buffer, 1);
	assert_int_equal(buffer_append(&buffer, "abcdefgh", 8), -ENOSPC);
	assert_null(buffer_reserve(&buffer, 8, &bytes));
	assert_null(buffer_reserve(&buffer, SIZE_MAX, &bytes));
	assert_int_equal(bytes, 77);
	assert_true(waits(&buffer, "123456789"));
	assert_int_equal(buffer_append(&buffer, "abcdefg", 7), 0);
	assert_true(waits(&buffer, "123456789abcdefg"));
	assert_null(buffer_reserve(&buffer, 1, &bytes));
}

static void any_traffic_comes_out_as_it_went_in(void **state)
{
	struct random random;
	struct buffer buffer;
	uint8_t in = 0, out = 0;

	(void)state;
	test_random_init(&random, "traffic");
	buffer_init(&buffer, memory, sizeof(memory));
	for (int i = 0; i < 20000; i++) {
		size_t bytes, count = random_below(&random, 9);
		uint8_t *to = buffer_reserve(&buffer, count, &bytes);
		struct span waiting;

		for (size_t n = 0; to && n < count; n++)
			to[n] = in++;
		buffer_commit(&buffer, to ? count : 0);
		waiting = buffer_peek(&buffer);
		count = random_below(&random, waiting.length + 1);
		for (size_t n = 0; n < count; n++)
			assert_int_equal(waiting.data[n], out++);
		buffer_consume(&buffer, count);
	}
	assert_int_equal((uint8_t)(in - out), buffer_peek(&buffer).length);
}

static void formatted_text_fits_or_stays_out(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	assert_int_equal(buffer_append(&buffer, "0123456789", 10), 0);
	buffer_consume(&buffer, 9);
	assert_int_equal(buffer_room(&buffer), 15);
	assert_int_equal(buffer_format(&buffer, "%s=%d", "answer", 42), 0);
	assert_true(waits(&buffer, "9answer=42"));
	assert_int_equal(buffer_length(&buffer), 10);
	assert_int_equal(buffer_format(&buffer, "%06d", 1), -ENOSPC);
	assert_true(waits(&buffer, "9answer=42"));
	assert_int_equal(buffer_format(&buffer, "%05d", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_leave_in_the_order_they_came),
		cmocka_unit_test(only_what_is_committed_waits),
		cmocka_unit_test(what_waits_moves_only_when_it_must),
		cmocka_unit_test(a_full_buffer_refuses_and_changes_nothing),
		cmocka_unit_test(formatted_text_fits_or_stays_out),
		cmocka_unit_test(any_traffic_comes_out_as_it_went_in),
	};

	return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
