#include "tests/support/test.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/landscape.h"
#include "tests/support/seeds.h"
#include "workers/improve/tuner_core.h"

#define TRIALS_MAX 400
#define FAILED_COST (-1e9)	/* what must never be taken for a cost */

static struct tuner tuner, fresh;
static struct tuner_trial trials[TRIALS_MAX], stored[TRIALS_MAX];
static struct landscape landscape;

/* Ten configs: the second counts if the first is 1, the third if it is not 1. */
static const struct space_parameter nested[] = {
	{ .kind = SPACE_CATEGORY, .count = 2 },
	{ .kind = SPACE_ORDER, .count = 3, .current = 1,
	  .has_parent = true, .parent = 0, .when = 1 << 1 },
	{ .kind = SPACE_LINEAR, .count = 4, .least = 0, .most = 3,
	  .has_parent = true, .parent = 1, .when = 1 << 0 | 1 << 2 },
};
static const struct space small = { nested, COUNT(nested), SPACE_SAFE };

static void start(struct tuner *which, const struct space *space,
		  enum tuner_method method, uint64_t seed, size_t evaluations)
{
	struct tuner_settings settings = { method, evaluations, 0 };

	tuner_init(which, space, seed, &settings,
		   which == &tuner ? trials : stored, TRIALS_MAX);
}

static double bowl(const struct space_config *config)
{
	double sum = 1;

	for (size_t i = 0; i < SPACE_PARAMETERS_MAX; i++)
		sum += pow(config->levels[i] - 1.4, 2);
	return sum;
}

static void report(struct tuner *which, struct tuner_trial *trial, double cost)
{
	trial->cost = cost;
	assert_int_equal(tuner_report(which, trial), 0);
}

/* Searches the landscape to the end, counting; every fifth trial fails. */
static void search(size_t evaluations, uint64_t seed)
{
	struct tuner_trial trial;

	start(&tuner, &landscape.space, TUNER_ENSEMBLE, seed, evaluations);
	while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
		bool fails = tuner.count % 5 == 4;

		trial.outcome = fails ? TUNER_WRONG : TUNER_OK;
		report(&tuner, &trial, fails ? FAILED_COST :
		       landscape_cost(&landscape, &trial.config));
	}
}

static void it_begins_with_what_the_user_has(void **state)
{
	struct space_config current;
	struct tuner_trial trial;

	(void)state;
	for (unsigned method = 0; method < TUNER_METHOD_COUNT; method++) {
		start(&tuner, &small, method, 5, 10);
		assert_int_equal(tuner_next(&tuner, &trial), TUNER_GO_ON);
		space_current(&small, &current);
		assert_true(space_equal(&trial.config, &current));
		assert_int_equal(trial.why, TUNER_CURRENT);
	}
}

/* Every factor differs from the best so far in one parameter. */
static void then_comes_one_factor_at_a_time(void **state)
{
	struct tuner_trial trial;
	unsigned screened = 0;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_NK3, 4, SPACE_SAFE);
	landscape.parameters[0].kind = SPACE_ORDER;
	start(&tuner, &landscape.space, TUNER_ENSEMBLE, 4, 60);
	for (int n = 0; n < 21; n++) {
		size_t changed = 0, which = 0;

		assert_int_equal(tuner_next(&tuner, &trial), TUNER_GO_ON);
		for (size_t i = 0; n > 0 && i < LANDSCAPE_BITS; i++)
			if (trial.config.levels[i] !=
			    trials[tuner_best(&tuner)].config.levels[i]) {
				changed++;
				which = i;
			}
		assert_int_equal(changed, n > 0);
		screened |= n > 0 ? 1U << which : 0;
		report(&tuner, &trial, landscape_cost(&landscape, &trial.config));
	}
	assert_int_equal(screened, (1U << LANDSCAPE_BITS) - 1);
}

static bool same_trial(const struct tuner_trial *a, const struct tuner_trial *b)
{
	return space_equal(&a->config, &b->config) && a->why == b->why &&
	       (a->why != TUNER_FACTOR || a->step == b->step);
}

/* Killed after any trial: a tuner told what was stored goes on as before. */
static void it_resumes_where_it_was(void **state)
{
	struct tuner_trial again;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_RELAXED);
	search(60, 11);
	assert_int_equal(tuner.count, 60);
	start(&fresh, &landscape.space, TUNER_ENSEMBLE, 11, 60);
	for (size_t n = 0; n < 60; n++) {
		assert_int_equal(tuner_next(&fresh, &again), TUNER_GO_ON);
		test_row(same_trial(&again, &trials[n]), "trial %zu differs", n);
		assert_int_equal(tuner_next(&fresh, &again), TUNER_GO_ON);
		test_row(same_trial(&again, &trials[n]), "asked twice at %zu", n);
		assert_int_equal(tuner_report(&fresh, &trials[n]), 0);
	}
	assert_int_equal(tuner_next(&fresh, &again), TUNER_BUDGET);
}

static void another_seed_is_another_search(void **state)
{
	size_t same = 0;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_RELAXED);
	search(40, 1);
	memcpy(stored, trials, sizeof(stored));
	search(40, 2);
	for (size_t i = 0; i < 40; i++)
		same += same_trial(&stored[i], &trials[i]);
	assert_in_range(same, 1, 20);
}

/* tuner_report() itself refuses what was tried, or is not canonical. */
static void everything_is_tried_once(void **state)
{
	struct tuner_trial trial;

	(void)state;
	for (unsigned method = 0; method < TUNER_METHOD_COUNT; method++)
		for (uint64_t seed = 0; seed < SEEDS(20, 4); seed++) {
			start(&tuner, &small, method, seed, TRIALS_MAX);
			while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
				trial.outcome = trial.config.levels[2] == 2 ?
						TUNER_CRASH : TUNER_OK;
				report(&tuner, &trial, bowl(&trial.config));
			}
			assert_int_equal(tuner.count, space_size(&small));
			assert_int_equal(tuner_next(&tuner, &trial),
					 TUNER_EXHAUSTED);
		}
}

/* synchronous=OFF is the fastest by far; and neither is NORMAL given away. */
static void nothing_is_given_up_unasked(void **state)
{
	bool relaxed = false;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS(5, 1); seed++) {
		landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_SAFE);
		search(150, seed);
		assert_int_equal(tuner.count, 150);
		for (size_t i = 0; i < tuner.count; i++)
			assert_int_equal(trials[i].config.levels[3], 2);
	}
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_RELAXED);
	search(150, 0);
	for (size_t i = 0; i < tuner.count; i++) {
		assert_int_not_equal(trials[i].config.levels[3], 0);
		relaxed |= trials[i].config.levels[3] == 1;
	}
	assert_true(relaxed);
}

static void a_failure_is_no_cost(void **state)
{
	size_t finalists[6], count;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_RELAXED);
	search(80, 3);
	assert_int_equal(trials[tuner_best(&tuner)].outcome, TUNER_OK);
	count = tuner_finalists(&tuner, finalists, 6);
	assert_int_equal(count, 6);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(trials[finalists[i]].outcome, TUNER_OK);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(finalists[i], finalists[j]);
	}
	start(&tuner, &small, TUNER_ENSEMBLE, 1, 10);
	assert_true(tuner_best(&tuner) == SIZE_MAX);
	assert_int_equal(tuner_finalists(&tuner, finalists, 6), 0);
}

/* What its cost is called does not matter: proposals do not heed it. */
static void proposals_do_not_heed_a_failures_cost(void **state)
{
	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_RELAXED);
	search(60, 3);
	memcpy(stored, trials, sizeof(stored));
	start(&fresh, &landscape.space, TUNER_ENSEMBLE, 3, 60);
	for (size_t n = 0; n < 60; n++) {
		struct tuner_trial next, told = trials[n];

		assert_int_equal(tuner_next(&fresh, &next), TUNER_GO_ON);
		assert_true(same_trial(&next, &trials[n]));
		if (told.outcome != TUNER_OK)
			told.cost = (double)NAN;
		assert_int_equal(tuner_report(&fresh, &told), 0);
	}
}

/* Of draws half would have one of the two journal modes that never work. */
static void what_always_fails_is_avoided(void **state)
{
	struct tuner_trial trial;
	size_t tried = 0;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_UNSAFE);
	start(&tuner, &landscape.space, TUNER_ENSEMBLE, 2, 150);
	while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
		bool fails = trial.config.levels[2] >= 2;

		tried += fails;
		trial.outcome = fails ? TUNER_CRASH : TUNER_OK;
		report(&tuner, &trial, landscape_cost(&landscape, &trial.config));
	}
	test_row(tried >= 2 && tried <= 37, "tried %zu of 150",
		 tried);
}

/* Four flags of seven must stay as they are: a whole pass finds out which. */
static void a_failure_among_categories_is_looked_for(void **state)
{
	struct tuner_trial trial;
	size_t factors = 0;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_GCC, 0, SPACE_SAFE);
	start(&tuner, &landscape.space, TUNER_ENSEMBLE, 2, 30);
	while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
		bool fails = false;

		for (size_t i = 4; i < 8; i++)
			fails |= trial.config.levels[i] != 0;
		factors += trial.why == TUNER_FACTOR;
		trial.outcome = fails ? TUNER_INVALID : TUNER_OK;
		report(&tuner, &trial, landscape_cost(&landscape, &trial.config));
	}
	test_row(factors >= 8 && factors <= 10, "%zu factors", factors);
}

/* Three flags in four make no difference to what is built. */
static void a_known_binary_is_no_evaluation(void **state)
{
	struct tuner_trial trial;
	size_t reused = 0;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_GCC, 0, SPACE_SAFE);
	start(&tuner, &landscape.space, TUNER_ENSEMBLE, 1, 30);
	while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
		struct space_config seen = trial.config;
		uint64_t binary;

		memset(&seen.levels[3], 0, 5 * sizeof(seen.levels[0]));
		binary = space_hash(&landscape.space, &seen);
		if (!tuner_find_binary(&tuner, binary, &trial)) {
			trial.binary = binary;
			trial.cost = landscape_cost(&landscape, &seen);
		}
		assert_true(trial.cost ==
			    landscape_cost(&landscape, &seen));
		reused += trial.reused;
		assert_int_equal(tuner_report(&tuner, &trial), 0);
		if (tuner.evaluations == 16)
			break;
	}
	assert_int_equal(tuner.evaluations, tuner.count - reused);
	assert_true(reused > 0);
	size_t finalists[6], count = tuner_finalists(&tuner, finalists, 6);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(trials[finalists[i]].binary !=
				    trials[finalists[j]].binary);
}

static void a_foreign_trial_is_refused(void **state)
{
	const struct tuner_trial fine = { .config = { { 1, 0, 3 } }, .cost = 1 };
	struct tuner_trial bad[] = { fine, fine, fine, fine, fine, fine };

	(void)state;
	bad[0].why = TUNER_WHY_COUNT;
	bad[1].outcome = TUNER_OUTCOME_COUNT;
	bad[2].cost = (double)NAN;
	bad[3].config.levels[2] = 4;
	bad[4].config.levels[0] = 0;	/* the others do not apply then */
	bad[5].config.levels[20] = 1;
	start(&tuner, &small, TUNER_ENSEMBLE, 1, 10);
	for (size_t i = 0; i < COUNT(bad); i++)
		test_row(tuner_report(&tuner, &bad[i]) == -EINVAL,
			 "row %zu was taken", i);
	assert_int_equal(tuner.count, 0);
	assert_int_equal(tuner_report(&tuner, &fine), 0);
	assert_int_equal(tuner_report(&tuner, &fine), -EEXIST);
	tuner.trials_max = 1;
	bad[0] = fine;
	bad[0].config.levels[2] = 2;
	assert_int_equal(tuner_report(&tuner, &bad[0]), -ENOSPC);
	assert_int_equal(tuner_next(&tuner, &bad[0]), TUNER_FULL);
}

static void it_stops_when_nothing_is_left_to_gain(void **state)
{
	struct tuner_settings settings = { TUNER_ENSEMBLE, 300, 0.2 };
	struct tuner_trial trial;
	enum tuner_stop stop;

	(void)state;
	landscape_init(&landscape, LANDSCAPE_SQLITE, 0, SPACE_UNSAFE);
	tuner_init(&tuner, &landscape.space, 1, &settings, trials, TRIALS_MAX);
	while ((stop = tuner_next(&tuner, &trial)) == TUNER_GO_ON)
		report(&tuner, &trial, landscape_cost(&landscape, &trial.config));
	assert_int_equal(stop, TUNER_CONVERGED);
	assert_true(landscape_is_solved(&landscape,
					trials[tuner_best(&tuner)].cost));
}

/* What a search is for; random draws need some 600 for this. */
static void it_finds_the_valley_of_branin(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 100 + SEEDS(5, 2); seed++) {
		struct tuner_trial trial;
		size_t n = 0;

		landscape_init(&landscape, LANDSCAPE_BRANIN, seed, SPACE_SAFE);
		start(&tuner, &landscape.space, TUNER_ENSEMBLE, seed, 150);
		do {
			assert_int_equal(tuner_next(&tuner, &trial), TUNER_GO_ON);
			report(&tuner, &trial,
			       landscape_cost(&landscape, &trial.config));
			n++;
		} while (!landscape_is_solved(&landscape, trial.cost));
		test_row(n <= 100, "seed %d took %zu", (int)seed, n);
	}
}

/*
 * Four groups of three switches, each of which is worth something with all
 * three on and the worse the more of them are on before that: every single
 * step from the start leads away. Random draws need some 4,000 for this.
 */
static double trap_cost(const struct space_config *config)
{
	double sum = 1;

	for (size_t i = 0; i < 12; i += 3) {
		int on = config->levels[i] + config->levels[i + 1] +
			 config->levels[i + 2];

		sum += on == 3 ? 0 : 1 + 0.3 * on;
	}
	return sum;
}

static void it_leaves_hills_among_categories(void **state)
{
	struct space_parameter switches[12];
	const struct space space = { switches, COUNT(switches), SPACE_SAFE };

	(void)state;
	for (size_t i = 0; i < COUNT(switches); i++)
		switches[i] = (struct space_parameter){ .kind = SPACE_CATEGORY,
							.count = 2 };
	for (uint64_t seed = 1; seed <= SEEDS(5, 2); seed++) {
		struct tuner_trial trial;
		size_t n = 0;

		start(&tuner, &space, TUNER_ENSEMBLE, seed, 150);
		do {
			assert_int_equal(tuner_next(&tuner, &trial), TUNER_GO_ON);
			trial.outcome = TUNER_OK;
			report(&tuner, &trial, trap_cost(&trial.config));
			n++;
		} while (trial.cost > 1);
		test_row(n <= 100, "seed %d took %zu", (int)seed, n);
	}
}

/*
 * One level in twelve of one of four lists halves the cost, and next to nothing
 * else matters: what the model expects is little from the start, and it must
 * not be left at that before it has looked at every level.
 */
static void it_sees_every_level_before_it_stops(void **state)
{
	struct space_parameter lists[4];
	const struct space space = { lists, COUNT(lists), SPACE_SAFE };
	struct tuner_settings settings = { TUNER_ENSEMBLE, 150, 0.02 };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++)
		lists[i] = (struct space_parameter){ .kind = SPACE_CATEGORY,
						     .count = 12 };
	for (uint64_t seed = 1; seed <= SEEDS(10, 1); seed += 3) {
		struct tuner_trial trial;
		struct random random;

		random_init(&random, seed);
		tuner_init(&tuner, &space, seed, &settings, trials, TRIALS_MAX);
		while (tuner_next(&tuner, &trial) == TUNER_GO_ON) {
			bool good = trial.config.levels[seed % 4] == 1 + seed;

			trial.outcome = TUNER_OK;
			report(&tuner, &trial, (good ? 0.5 : 1) *
			       (1 + 0.003 * random_unit(&random)));
		}
		test_row(trials[tuner_best(&tuner)].cost < 0.6,
			 "seed %d: not seen in %zu", (int)seed, tuner.count);
	}
}

static void everything_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TUNER_WHY_COUNT; i++)
		assert_non_null(tuner_why_name(i));
	for (unsigned i = 0; i < TUNER_OUTCOME_COUNT; i++)
		assert_non_null(tuner_outcome_name(i));
	for (unsigned i = 0; i < TUNER_STOP_COUNT; i++)
		assert_non_null(tuner_stop_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_what_the_user_has),
		cmocka_unit_test(then_comes_one_factor_at_a_time),
		cmocka_unit_test(it_resumes_where_it_was),
		cmocka_unit_test(another_seed_is_another_search),
		cmocka_unit_test(everything_is_tried_once),
		cmocka_unit_test(nothing_is_given_up_unasked),
		cmocka_unit_test(a_failure_is_no_cost),
		cmocka_unit_test(proposals_do_not_heed_a_failures_cost),
		cmocka_unit_test(what_always_fails_is_avoided),
		cmocka_unit_test(a_failure_among_categories_is_looked_for),
		cmocka_unit_test(a_known_binary_is_no_evaluation),
		cmocka_unit_test(a_foreign_trial_is_refused),
		cmocka_unit_test(it_stops_when_nothing_is_left_to_gain),
		cmocka_unit_test(it_finds_the_valley_of_branin),
		cmocka_unit_test(it_leaves_hills_among_categories),
		cmocka_unit_test(it_sees_every_level_before_it_stops),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests_name("tuner", tests, NULL, NULL);
}
