#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>

#include "workers/improve/space_core.h"

/* An allocator, the arenas that only one of its two kinds has, and a size. */
static const enum space_class speeds[] = { SPACE_SAFE, SPACE_RELAXED,
					   SPACE_UNSAFE };
static const struct space_parameter nested[] = {
	{ .kind = SPACE_CATEGORY, .count = 2 },
	{ .kind = SPACE_ORDER, .count = 3, .current = 1,
	  .has_parent = true, .parent = 0, .when = 1 << 1 },
	{ .kind = SPACE_CATEGORY, .count = 3, .classes = speeds },
	{ .kind = SPACE_LINEAR, .count = 4, .least = 0, .most = 3,
	  .has_parent = true, .parent = 1, .when = 1 << 0 | 1 << 2 },
};

static const struct space safe = { nested, COUNT(nested), SPACE_SAFE };
static const struct space unsafe = { nested, COUNT(nested), SPACE_UNSAFE };

static struct space_parameter range(enum space_kind kind, uint16_t count,
				    double least, double most, bool whole)
{
	return (struct space_parameter){ .kind = kind, .count = count,
		.least = least, .most = most, .whole = whole };
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

static void what_does_not_apply_does_not_count(void **state)
{
	struct space_config a = { { 0, 2, 0, 3 } }, b = { { 0, 0, 0, 1 } };
	struct space_config c = { { 1, 1, 0, 3 } }, d = { { 1, 2, 0, 3 } };

	(void)state;
	assert_false(space_is_active(&safe, &a, 1));
	assert_false(space_is_active(&safe, &a, 3));	/* nor its child */
	assert_true(space_is_active(&safe, &c, 1));
	assert_false(space_is_active(&safe, &c, 3));
	assert_true(space_is_active(&safe, &d, 3));
	assert_true(space_hash(&safe, &a) == space_hash(&safe, &b));
	assert_true(space_hash(&safe, &c) != space_hash(&safe, &d));
	space_canonicalise(&safe, &a);
	space_canonicalise(&safe, &b);
	assert_true(space_equal(&a, &b));
	assert_int_equal(a.levels[1], 1);
	assert_int_equal(a.levels[3], 0);
}

/* By a SipHash of another hand: what is stored must stay findable. */
static void hashes_stay_the_same(void **state)
{
	struct space_config config = { { 1, 2, 0, 3 } };

	(void)state;
	assert_true(space_hash(&safe, &config) == UINT64_C(0xcc9fd9926147ae64));
}

static uint64_t walk(const struct space *space)
{
	struct space_config config, canonical, seen[256];
	uint64_t count = 0;

	space_first(space, &config);
	do {
		canonical = config;
		space_canonicalise(space, &canonical);
		assert_true(space_equal(&canonical, &config));
		for (size_t i = 0; i < space->count; i++)
			assert_true(space_permits(space, i, config.levels[i]));
		for (uint64_t i = 0; i < count; i++)
			assert_false(space_equal(&seen[i], &config));
		assert_true(count < COUNT(seen));
		seen[count++] = config;
	} while (space_advance(space, &config));
	return count;
}

/* Off: 1. On: arenas 0 and 2 with four sizes each, 1 alone. Times speeds. */
static void a_walk_visits_each_config_once(void **state)
{
	(void)state;
	assert_int_equal(space_size(&safe), (1 + 4 + 1 + 4) * 1);
	assert_int_equal(walk(&safe), space_size(&safe));
	assert_int_equal(space_size(&unsafe), (1 + 4 + 1 + 4) * 3);
	assert_int_equal(walk(&unsafe), space_size(&unsafe));
}

static void sizes_do_not_overflow(void **state)
{
	struct space_parameter many[SPACE_PARAMETERS_MAX];
	struct space space = { many, COUNT(many), SPACE_SAFE };

	(void)state;
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = range(SPACE_LINEAR, 1001, 0, 1, false);
	assert_true(space_size(&space) == UINT64_MAX);
	space.count = 6;
	assert_true(space_size(&space) == UINT64_C(1006015020015006001));
}

static void grids_are_of_steps_or_of_ratios(void **state)
{
	struct space_parameter linear = range(SPACE_LINEAR, 5, -1, 1, false);
	struct space_parameter ratio = range(SPACE_LOG, 4, 1, 1000, false);
	struct space_parameter whole = range(SPACE_LOG, 8, 1, 64, true);

	(void)state;
	assert_true(near(space_value(&linear, 1), -0.5));
	assert_true(near(space_value(&ratio, 1), 10));
	assert_true(near(space_coordinate(&ratio, 2), 2.0 / 3));
	for (unsigned i = 1; i < 8; i++)
		assert_true(space_value(&whole, i) >= space_value(&whole, i - 1) + 1);
	assert_true(near(space_value(&whole, 7), 64));
}

/* Everyone's value can be gone back to, wherever it lies. */
static void the_users_own_value_has_a_level(void **state)
{
	static const double values[] = { -3, 0, 2.5, 7, 10, 11 };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct space_parameter own = range(SPACE_LINEAR, 5, 0, 10, false);
		struct space space = { &own, 1, SPACE_SAFE };
		size_t which;

		space_place(&own, values[i]);
		test_row(near(space_value(&own, own.current), values[i]),
			 "%g became %g", values[i], space_value(&own, own.current));
		for (unsigned k = 1; k < own.count; k++)
			test_row(space_value(&own, k) > space_value(&own, k - 1),
				 "around %g: level %u does not rise", values[i], k);
		assert_null(space_check(&space, &which));
	}
}

static void an_own_value_on_the_grid_adds_no_level(void **state)
{
	struct space_parameter on = range(SPACE_LINEAR, 5, 0, 10, false);
	struct space_parameter off = on;

	(void)state;
	space_place(&on, 7.5);
	assert_int_equal(on.count, 5);
	assert_int_equal(on.current, 3);
	assert_false(on.off_grid);
	space_place(&off, 7);
	assert_int_equal(off.count, 6);
	assert_int_equal(off.current, 3);
	assert_true(near(space_value(&off, 4), 7.5));
}

static void what_is_forbidden_is_never_drawn_or_reached(void **state)
{
	struct space_config config;
	struct random random;
	bool arenas = false;

	(void)state;
	test_random_init(&random, "draws");
	for (int i = 0; i < 2000; i++) {
		space_draw(&safe, &random, &config);
		assert_int_equal(config.levels[2], 0);
		arenas |= config.levels[1] == 2;
		assert_true(space_wander(&safe, &random, &config));
		assert_int_equal(config.levels[2], 0);
	}
	assert_true(arenas);
	assert_false(space_permits(&safe, 2, 1));
	assert_true(space_permits(&unsafe, 2, 2));
}

/* Whatever the user has is theirs to keep. */
static void the_current_level_is_always_permitted(void **state)
{
	struct space_parameter risky = { .kind = SPACE_CATEGORY, .count = 3,
					 .current = 2, .classes = speeds };
	struct space space = { &risky, 1, SPACE_SAFE };

	(void)state;
	assert_true(space_permits(&space, 0, 2));
	assert_false(space_permits(&space, 0, 1));
	assert_int_equal(space_size(&space), 2);
}

static void moves_that_lead_nowhere_change_nothing(void **state)
{
	struct space_config config = { { 0, 1, 0, 0 } }, before = config;

	(void)state;
	for (unsigned step = 0; step < space_moves(&safe, 1); step++)
		assert_false(space_move(&safe, &config, 1, step));
	for (unsigned step = 0; step < space_moves(&safe, 2); step++)
		assert_false(space_move(&safe, &config, 2, step));
	assert_true(space_equal(&config, &before));
	assert_true(space_move(&safe, &config, 0, 0));
	assert_int_equal(config.levels[0], 1);
}

static void faults_are_told(void **state)
{
	static const enum space_kind list = SPACE_CATEGORY;
	const struct space_parameter fine = { .kind = list, .count = 2 };
	const struct space_parameter faults[] = {
		{ .kind = list, .count = 1 },
		{ .kind = list, .count = 2, .current = 2 },
		{ .kind = list, .count = 65 },
		{ .kind = SPACE_LINEAR, .count = 3, .least = 1, .most = 1 },
		{ .kind = SPACE_LINEAR, .count = 3, .least = (double)NAN, .most = 1 },
		{ .kind = SPACE_LOG, .count = 3, .least = 0, .most = 1 },
		{ .kind = SPACE_LINEAR, .count = 9, .most = 7, .whole = true },
		{ .kind = SPACE_LINEAR, .count = 3, .most = 7.5, .whole = true },
		{ .kind = list, .count = 2, .has_parent = true, .parent = 1, .when = 1 },
		{ .kind = list, .count = 2, .has_parent = true, .when = 0 },
		{ .kind = list, .count = 2, .has_parent = true, .when = 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct space_parameter two[] = { fine, faults[i] };
		struct space space = { two, 2, SPACE_SAFE };
		size_t which = 99;

		test_row(space_check(&space, &which) && which == 1,
			 "fault %zu was not told", i);
	}
	struct space space = { nested, 0, SPACE_SAFE };
	size_t which;

	assert_non_null(space_check(&space, &which));
	assert_null(space_check(&safe, &which));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_apply_does_not_count),
		cmocka_unit_test(hashes_stay_the_same),
		cmocka_unit_test(a_walk_visits_each_config_once),
		cmocka_unit_test(sizes_do_not_overflow),
		cmocka_unit_test(grids_are_of_steps_or_of_ratios),
		cmocka_unit_test(the_users_own_value_has_a_level),
		cmocka_unit_test(an_own_value_on_the_grid_adds_no_level),
		cmocka_unit_test(what_is_forbidden_is_never_drawn_or_reached),
		cmocka_unit_test(the_current_level_is_always_permitted),
		cmocka_unit_test(moves_that_lead_nowhere_change_nothing),
		cmocka_unit_test(faults_are_told),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
