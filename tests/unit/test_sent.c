#include "tests/support/test.h"

#include <string.h>

#include "common/core/random.h"
#include "workers/worker_sent.h"

static struct arena memory;
static struct sent sent;
static uint8_t buffer[SENT_CHUNK_BYTES_MAX];

static int set_up(void **state)
{
	(void)state;
	arena_init(&memory, 8U << 20);
	sent = (struct sent){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_release(&memory);
	return 0;
}

/* What the chunk of that number is, by its number alone. */
static struct span chunk_of(uint32_t number, size_t most)
{
	static uint8_t bytes[SENT_CHUNK_BYTES_MAX];
	struct random random;
	size_t length;

	random_init(&random, number);
	length = 1 + random_below(&random, most);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(number * 7 + i);
	return (struct span){ bytes, length };
}

static void keep(uint32_t number, size_t most)
{
	sent_keep(&sent, &memory, number % 3, chunk_of(number, most));
}

/* From that chunk on it holds what was put in; returns how many bytes that is. */
static size_t check_from(uint32_t first, uint32_t end, size_t most)
{
	size_t bytes = 0;
	uint32_t stream;

	assert_true(sent_seek(&sent, first));
	for (uint32_t i = first; i < end; i++) {
		struct span is = sent_peek(&sent, buffer, &stream);

		assert_true(span_equal(is, chunk_of(i, most)));
		assert_int_equal(stream, i % 3);
		bytes += is.length;
		sent_pass(&sent);
	}
	return bytes;
}

static void without_chunks_it_has_no_memory(void **state)
{
	(void)state;
	assert_true(sent_seek(&sent, 0));
	assert_false(sent_seek(&sent, 1));
	assert_int_equal(memory.bytes, 0);
}

static void all_of_little_is_kept_in_little(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		keep(i, 20);
	for (uint32_t i = 0; i <= 100; i++)
		check_from(i, 100, 20);
	assert_false(sent_seek(&sent, 101));
	assert_true(memory.bytes <= 16384);
}

static void of_much_the_last_window_is_kept_whole(void **state)
{
	static const size_t sizes[] = { 8, 3000, 70000, SENT_CHUNK_BYTES_MAX };

	for (size_t s = 0; s < COUNT(sizes); s++) {
		uint32_t count = (uint32_t)((5U << 20) / sizes[s]), i;

		for (i = 0; i < count; i++) {
			keep(i, sizes[s]);
			assert_int_equal(sent.first + sent.count, i + 1);
		}
		assert_true(sent.first > 0);
		assert_false(sent_seek(&sent, sent.first - 1));
		assert_false(sent_seek(&sent, count + 1));
		assert_true(check_from(sent.first, count, sizes[s]) >=
			    CREDIT_CALL_BYTES);
		assert_true(memory.bytes <= 2 * SENT_BYTES_MAX);
		tear_down(state);
		set_up(state);
	}
}

static void without_memory_it_keeps_less(void **state)
{
	(void)state;
	arena_release(&memory);
	arena_init(&memory, 16384);	/* for rings of 4096 and 8192 */
	keep(0, 10);
	for (uint32_t i = 1; i < 20; i++)
		keep(i, 3000);
	check_from(sent.first, 20, 3000);
	assert_true(sent.count > 0 && sent.bytes <= 8192);
	sent_keep(&sent, &memory, 1, (struct span){ buffer, 20000 });
	assert_int_equal(sent.first, 21);
	assert_int_equal(sent.count, 0);
	keep(21, 3000);
	check_from(21, 22, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_chunks_it_has_no_memory,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_of_little_is_kept_in_little,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_much_the_last_window_is_kept_whole,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_memory_it_keeps_less,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
