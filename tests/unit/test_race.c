#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "workers/improve/race_core.h"

/* Runs the race with given costs, plus up to `spread` of noise. */
static unsigned run(struct race *race, const double *costs, double spread,
		    struct random *random)
{
	unsigned runs = 0;
	size_t entrant;

	for (; race_next(race, &entrant); runs++) {
		assert_true(runs < RACE_ENTRANTS_MAX * RACE_RUNS_MAX);
		race_report(race, entrant, costs[entrant] +
			    spread * random_unit(random));
	}
	return runs;
}

static void six_take_forty_runs_and_the_best_wins(void **state)
{
	static const double costs[] = { 1.5, 1.4, 1.3, 1.0, 1.2, 1.1 };
	static const unsigned runs[] = { 3, 3, 3, 12, 7, 12 };
	struct random random;
	struct race race;
	size_t winner;

	(void)state;
	test_random_init(&random, "six");
	race_init(&race, 6, 1);
	assert_int_equal(run(&race, costs, 0.05, &random), 40);
	for (size_t i = 0; i < 6; i++)
		test_row(race.entrants[i].runs == runs[i], "entrant %zu ran %u",
			 i, race.entrants[i].runs);
	assert_true(race_winner(&race, &winner));
	assert_int_equal(winner, 3);
}

/* Its one lucky run was the lowest of all; the others put it in its place. */
static void a_lucky_outlier_is_dethroned(void **state)
{
	static const double costs[] = { 1.2, 1.0 };
	bool was_lucky = false;
	struct race race;
	size_t entrant;

	(void)state;
	race_init(&race, 2, 1);
	while (race_next(&race, &entrant)) {
		double cost = costs[entrant];

		if (entrant == 0 && !was_lucky) {
			was_lucky = true;
			cost = 0.1;
		}
		race_report(&race, entrant, cost);
	}
	assert_true(race_winner(&race, &entrant));
	assert_int_equal(entrant, 1);
	assert_true(race_measure(&race, 0) > 1.1);
}

/* Of 1, 2 and 6 the means of pairs are 1 1.5 2 3.5 4 6: half-way 2.75. */
static void the_measure_is_hodges_and_lehmanns(void **state)
{
	struct race race;

	(void)state;
	race_init(&race, 2, 1);
	assert_true(isnan(race_measure(&race, 0)));
	race_report(&race, 0, 6);
	race_report(&race, 0, 1);
	race_report(&race, 0, 2);
	assert_true(fabs(race_measure(&race, 0) - 2.75) < 1e-12);
}

/* Nobody runs twice before everyone ran, and the order differs by turn. */
static void entrants_take_turns(void **state)
{
	size_t orders[3][6], entrant;
	struct race race;

	(void)state;
	race_init(&race, 6, 3);
	for (size_t turn = 0; turn < 3; turn++) {
		unsigned seen = 0;

		for (size_t i = 0; i < 6; i++) {
			assert_true(race_next(&race, &entrant));
			orders[turn][i] = entrant;
			seen |= 1U << entrant;
			race_report(&race, entrant, 1 + (double)entrant);
		}
		assert_int_equal(seen, 0x3f);
	}
	assert_memory_not_equal(orders[0], orders[1], sizeof(orders[0]));
	assert_memory_not_equal(orders[1], orders[2], sizeof(orders[0]));
}

static void one_failure_is_enough(void **state)
{
	struct race race;
	size_t entrant;

	(void)state;
	race_init(&race, 3, 1);
	for (unsigned n = 0; race_next(&race, &entrant); n++) {
		assert_false(entrant == 0 && race.entrants[0].runs == 2);
		race_report(&race, entrant, entrant == 0 &&
			    race.entrants[0].runs == 1 ? (double)INFINITY :
			    1 + (double)entrant);
	}
	assert_true(isnan(race_measure(&race, 0)));
	assert_true(race_winner(&race, &entrant));
	assert_int_equal(entrant, 1);
}

/* Those in `failing` fail once only they are left. */
static bool race_with_late_failures(unsigned failing, size_t *ret_winner)
{
	struct race race;
	size_t entrant;

	race_init(&race, 6, 1);
	while (race_next(&race, &entrant)) {
		bool fails = failing >> entrant & 1 &&
			     race.entrants[entrant].runs >= 8;

		race_report(&race, entrant, fails ? (double)NAN :
			    1 + (double)entrant);
	}
	return race_winner(&race, ret_winner);
}

/* Two reach the end; whoever was eliminated last has not failed at least. */
static void eliminated_ones_stand_in_for_those_that_failed(void **state)
{
	size_t winner;

	(void)state;
	assert_true(race_with_late_failures(1 << 0, &winner));
	assert_int_equal(winner, 1);
	assert_true(race_with_late_failures(1 << 0 | 1 << 1, &winner));
	assert_int_equal(winner, 2);
}

static void nobody_wins_if_all_fail(void **state)
{
	struct race race;
	size_t entrant;

	(void)state;
	race_init(&race, 4, 1);
	while (race_next(&race, &entrant))
		race_report(&race, entrant, (double)NAN);
	assert_false(race_winner(&race, &entrant));
}

/* By then each has run three times. */
static void nobody_has_won_before_the_first_round_is_over(void **state)
{
	struct race race;
	size_t entrant;

	(void)state;
	race_init(&race, 3, 1);
	for (unsigned n = 0; n < 9; n++) {
		assert_false(race_winner(&race, &entrant));
		assert_true(race_next(&race, &entrant));
		race_report(&race, entrant, entrant == 1 ? 0.5 : 1);
	}
	assert_true(race_winner(&race, &entrant));
	assert_int_equal(entrant, 1);
}

static void one_alone_has_won(void **state)
{
	struct race race;
	size_t entrant;

	(void)state;
	race_init(&race, 1, 1);
	assert_false(race_next(&race, &entrant));
	assert_true(race_winner(&race, &entrant));
	assert_int_equal(entrant, 0);
}

/* After any number of reports a fresh race that heard them asks the same. */
static void a_race_resumes(void **state)
{
	static const double costs[] = { 3, 1, 2, 5, 4 };
	struct race race, fresh;
	struct random random;
	size_t told[64], ours, theirs;
	double values[64];

	(void)state;
	test_random_init(&random, "resume");
	race_init(&race, 5, 9);
	for (size_t n = 0; race_next(&race, &ours); n++) {
		race_init(&fresh, 5, 9);
		for (size_t i = 0; i < n; i++)
			race_report(&fresh, told[i], values[i]);
		assert_true(race_next(&fresh, &theirs));
		assert_int_equal(ours, theirs);
		told[n] = ours;
		values[n] = costs[ours] + random_unit(&random);
		race_report(&race, ours, values[n]);
	}
	assert_true(race_winner(&race, &ours));
	assert_int_equal(ours, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(six_take_forty_runs_and_the_best_wins),
		cmocka_unit_test(a_lucky_outlier_is_dethroned),
		cmocka_unit_test(the_measure_is_hodges_and_lehmanns),
		cmocka_unit_test(entrants_take_turns),
		cmocka_unit_test(one_failure_is_enough),
		cmocka_unit_test(eliminated_ones_stand_in_for_those_that_failed),
		cmocka_unit_test(nobody_wins_if_all_fail),
		cmocka_unit_test(nobody_has_won_before_the_first_round_is_over),
		cmocka_unit_test(one_alone_has_won),
		cmocka_unit_test(a_race_resumes),
	};

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
