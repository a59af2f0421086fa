#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/support/noise.h"
#include "workers/improve/watch_core.h"

static struct watch watch;

/* Feeds normal differences; how many until an alarm, or most + 1. */
static unsigned pairs_to_alarm(struct random *random, double mean, double sigma,
			       unsigned most)
{
	for (unsigned i = 1; i <= most; i++)
		if (watch_add(&watch, mean + sigma * noise_normal(random)) !=
		    WATCH_QUIET)
			return i;
	return most + 1;
}

/* The accepted bound is 0: both games are at their edge, and share one fate. */
static void false_alarms_are_rare_for_ever(void **state)
{
	enum { TRIALS = 500 };
	struct random random;
	unsigned alarms = 0;

	(void)state;
	test_random_init(&random, "no change");
	for (int i = 0; i < TRIALS; i++) {
		watch_init(&watch, 0);
		alarms += pairs_to_alarm(&random, 0, 0.03, 400) <= 400;
	}
	/* 5 are expected at most; 13 would be seen once in a thousand times. */
	test_row(alarms <= 12, "%u of %d", alarms, TRIALS);
}

static const struct {
	const char *name;
	double proved, before_mean, mean;
	unsigned before;
	enum watch_state want;
	unsigned median_most;	/* pairs to the alarm */
} changes[] = {
	{ "a loss of 5 % is harm", 0, 0, -0.05, 0, WATCH_HARM, 30 },
	{ "a loss of 3 % too, later", 0, 0, -0.03, 0, WATCH_HARM, 50 },
	{ "after 100 good pairs as well", 0, 0.05, -0.05, 100, WATCH_HARM, 70 },
	{ "no gain where 8 % were proved", 0.08, 0, 0, 0, WATCH_BENEFIT_GONE, 50 },
};

static int ascending(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

static void changes_are_noticed_soon(void **state)
{
	struct random random;
	unsigned pairs[101];

	(void)state;
	test_random_init(&random, "changes");
	for (size_t i = 0; i < COUNT(changes); i++) {
		for (size_t trial = 0; trial < COUNT(pairs); trial++) {
			watch_init(&watch, changes[i].proved);
			pairs_to_alarm(&random, changes[i].before_mean, 0.03,
				       changes[i].before);
			pairs[trial] = pairs_to_alarm(&random, changes[i].mean,
						      0.03, 300);
			test_row(watch.state >= changes[i].want, "%s: got %s",
				 changes[i].name, watch_state_name(watch.state));
		}
		qsort(pairs, COUNT(pairs), sizeof(*pairs), ascending);
		test_row(pairs[COUNT(pairs) / 2] <= changes[i].median_most,
			 "%s: after %u pairs", changes[i].name,
			 pairs[COUNT(pairs) / 2]);
	}
}

/* What was proved and still holds is quiet in both games. */
static void a_lasting_gain_is_quiet(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "lasting gain");
	for (int i = 0; i < 50; i++) {
		watch_init(&watch, 0.05);
		assert_int_equal(pairs_to_alarm(&random, 0.06, 0.03, 400), 401);
	}
}

/*
 * The first gambler alone, by hand: shares 1, 1, 1 of rising sizes all lost by
 * the new version make (1 + lambda)^3 each.
 */
static void wealth_is_what_the_formula_says(void **state)
{
	const double lambdas[] = { 0.1, 0.2, 0.35, 0.5, 0.7, 0.9 };
	const size_t count = COUNT(lambdas);
	double want = 0;

	(void)state;
	watch_init(&watch, 0);
	for (int i = 1; i <= 3; i++)
		watch_add(&watch, -i);
	for (size_t i = 0; i < count; i++)
		want += pow(1 + lambdas[i], 3) / (double)count;
	want *= 6 / (3.14159265358979 * 3.14159265358979);
	assert_true(fabs(watch.harm.evidence - want) < 1e-9);
	/* The least of four sizes, won by the new: a share of a quarter. */
	want = 0;
	watch_add(&watch, 0.5);
	for (size_t i = 0; i < count; i++)
		want += pow(1 + lambdas[i], 3) * (1 - lambdas[i] / 4) / (double)count;
	want *= 6 / (3.14159265358979 * 3.14159265358979);
	assert_true(fabs(watch.harm.evidence - want) < 1e-9);
	/* No difference at all says nothing. */
	watch_add(&watch, 0);
	assert_true(fabs(watch.harm.evidence - want) < 1e-9);
}

static void alarms_stay_and_harm_is_worst(void **state)
{
	(void)state;
	watch_init(&watch, 0.1);
	for (int i = 0; i < 30; i++)
		watch_add(&watch, 0.01 - 0.0001 * i);
	assert_int_equal(watch.state, WATCH_BENEFIT_GONE);
	for (int i = 0; i < 30; i++)
		watch_add(&watch, -0.1 - 0.01 * i);
	assert_int_equal(watch.state, WATCH_HARM);
	for (int i = 0; i < 300; i++)
		watch_add(&watch, 0.2);
	assert_int_equal(watch.state, WATCH_HARM);
}

/* Longer than there are places for gamblers: still finite, still awake. */
static void a_long_watch_stays_awake(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "long watch");
	watch_init(&watch, 0.02);
	assert_int_equal(pairs_to_alarm(&random, 0.05, 0.03, 20000), 20001);
	assert_true(isfinite(watch.harm.evidence));
	assert_true(pairs_to_alarm(&random, -0.05, 0.03, 400) <= 400);
	assert_int_equal(watch_add(&watch, -0.05) != WATCH_QUIET, true);
}

/* ---- guards ---- */

enum { LOOK = 10 };

static const struct {
	const char *name;
	struct decision_guard guard;
	double factor, primary;	/* new against old, of the guard and of the first */
	unsigned pairs;
	int want;		/* guards[1] is that one, guards[0] as it was */
} guards[] = {
	{ "what takes more than is tolerated", { LOWER_IS_BETTER, false, 0.05 }, 1.08, 0.5, LOOK, 1 },
	{ "what gives less", { HIGHER_IS_BETTER, false, 0.05 }, 0.92, 0.5, LOOK, 1 },
	{ "a hard one alike", { LOWER_IS_BETTER, true, 0.05 }, 1.08, 0.5, LOOK, 1 },
	{ "also where the gain is gone", { LOWER_IS_BETTER, false, 0.05 }, 1.08, 1, LOOK, 1 },
	{ "a loss that is tolerated", { LOWER_IS_BETTER, false, 0.05 }, 1.03, 0.5, LOOK, -1 },
	{ "not shown to be inside is not broken", { LOWER_IS_BETTER, true, 0.05 }, 1.05, 0.5, LOOK, -1 },
	{ "no difference but noise", { LOWER_IS_BETTER, false, 0 }, 1, 0.5, LOOK, -1 },
	{ "three times as much is tolerated", { LOWER_IS_BETTER, true, 2 }, 2.9, 0.5, LOOK, -1 },
	{ "and not four times", { LOWER_IS_BETTER, true, 2 }, 4, 0.5, LOOK, 1 },
	{ "a gain", { HIGHER_IS_BETTER, true, 0.01 }, 2, 0.5, LOOK, -1 },
	{ "seven pairs are enough", { LOWER_IS_BETTER, false, 0.05 }, 1.08, 0.5, 7, 1 },
	{ "six are not", { LOWER_IS_BETTER, false, 0.05 }, 1.08, 0.5, 6, -1 },
	{ "none says nothing", { LOWER_IS_BETTER, false, 0.05 }, 1.08, 0.5, 0, -1 },
};

static struct decision scratch;

static void guards_are_broken_beyond_their_margin(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(guards); i++) {
		const struct decision_guard both[] = {
			{ LOWER_IS_BETTER, true, 0.02 }, guards[i].guard
		};
		struct watch_pair pairs[LOOK];

		for (unsigned n = 0; n < LOOK; n++)
			pairs[n] = (struct watch_pair){ {
				{ 100, 100 * guards[i].primary }, { 3, 3 },
				{ 100, 100 * guards[i].factor * (n % 2 ? 1.01 : 0.99) },
			} };
		int got = watch_broken_guard(&scratch, both, COUNT(both), pairs,
					     guards[i].pairs);

		test_row(got == guards[i].want, "%s: got %d", guards[i].name, got);
	}
	assert_int_equal(watch_broken_guard(&scratch, NULL, 0, NULL, 0), -1);
}

/* Just at its margin, where a false alarm is likeliest. */
static void noise_breaks_a_guard_seldom_and_a_loss_often(void **state)
{
	const struct decision_guard guard = { LOWER_IS_BETTER, false, 0.05 };
	enum { TRIALS = 1000 };
	unsigned broken[2] = { 0 };
	struct random random;

	(void)state;
	test_random_init(&random, "guards");
	for (int i = 0; i < 2 * TRIALS; i++) {
		double factor = i % 2 ? 1.15 : 1.05;
		struct watch_pair pairs[LOOK];

		for (unsigned n = 0; n < LOOK; n++)
			pairs[n] = (struct watch_pair){ {
				{ 2, 1 },
				{ 1, factor * exp(0.05 * noise_normal(&random)) },
			} };
		broken[i % 2] += watch_broken_guard(&scratch, &guard, 1, pairs, LOOK) == 0;
	}
	/* 10 are expected at most; 22 would be seen once in a thousand times. */
	test_row(broken[0] <= 21, "%u of %d by noise", broken[0], TRIALS);
	test_row(broken[1] >= TRIALS * 9 / 10, "%u of %d losses", broken[1], TRIALS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(false_alarms_are_rare_for_ever),
		cmocka_unit_test(changes_are_noticed_soon),
		cmocka_unit_test(a_lasting_gain_is_quiet),
		cmocka_unit_test(wealth_is_what_the_formula_says),
		cmocka_unit_test(alarms_stay_and_harm_is_worst),
		cmocka_unit_test(a_long_watch_stays_awake),
		cmocka_unit_test(guards_are_broken_beyond_their_margin),
		cmocka_unit_test(noise_breaks_a_guard_seldom_and_a_loss_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
