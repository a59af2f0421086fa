#include "tests/support/test.h"

#include "common/core/window.h"

#define SLOT_NS 5

/* One event of class 0 at 100; the window began at 100. */
static void an_event_is_forgotten_with_its_slot(void **state)
{
	static const struct {
		const char *name;
		int64_t now_ns;
		uint32_t want;
	} cases[] = {
		{ "counted at once", 100, 1 },
		{ "still there in the next slot", 105, 1 },
		{ "still there in the last moment", 159, 1 },
		{ "gone when its slot is the thirteenth", 160, 0 },
		{ "gone after one ring", 220, 0 },
		{ "gone after a year of nothing", INT64_C(31536000000000000), 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct window window;

		window_init(&window, SLOT_NS, 100);
		window_count(&window, 0, 100);
		uint32_t got = window_total(&window, 0, cases[i].now_ns);

		test_row(got == cases[i].want, "%s: got %u, want %u",
			 cases[i].name, got, cases[i].want);
	}
}

static void classes_are_counted_apart(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, SLOT_NS, 0);
	for (unsigned class = 0; class < WINDOW_CLASSES; class++)
		for (unsigned n = 0; n <= class; n++)
			window_count(&window, class, n * SLOT_NS);
	for (unsigned class = 0; class < WINDOW_CLASSES; class++)
		assert_int_equal(window_total(&window, class, 20), class + 1);
}

static void a_late_word_counts_in_the_newest_slot(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, SLOT_NS, 0);
	window_count(&window, 1, 50);
	window_count(&window, 1, 3);
	assert_int_equal(window_total(&window, 1, 109), 2);
	assert_int_equal(window_total(&window, 1, 110), 0);
}

/* The reference keeps every event and asks each one for its slot. */
static void agrees_with_a_list_of_all_events(void **state)
{
	static struct { int64_t at_ns; unsigned class; } events[3000];
	struct random random;
	struct window window;
	int64_t now_ns = 77;

	(void)state;
	test_random_init(&random, "window");
	window_init(&window, SLOT_NS, now_ns);
	for (size_t n = 0; n < COUNT(events); n++) {
		now_ns += random_below(&random, 20) ?
			  (int64_t)random_below(&random, 4) :
			  (int64_t)random_below(&random, 150);
		events[n].at_ns = now_ns;
		events[n].class =
			(unsigned)random_below(&random, WINDOW_CLASSES);
		window_count(&window, events[n].class, now_ns);
		uint32_t want[WINDOW_CLASSES] = { 0 };

		for (size_t i = 0; i <= n; i++)
			if ((events[i].at_ns - 77) / SLOT_NS >
			    (now_ns - 77) / SLOT_NS - WINDOW_SLOTS)
				want[events[i].class]++;
		for (unsigned class = 0; class < WINDOW_CLASSES; class++)
			assert_int_equal(window_total(&window, class, now_ns),
					 want[class]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_forgotten_with_its_slot),
		cmocka_unit_test(classes_are_counted_apart),
		cmocka_unit_test(a_late_word_counts_in_the_newest_slot),
		cmocka_unit_test(agrees_with_a_list_of_all_events),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
