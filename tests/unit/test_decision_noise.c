/*
 * The decision on machines' noise, drawn and recorded. bench_decision measures
 * the same with enough trials for figures; here are as many as take seconds.
 */
#include "tests/support/test.h"

#include "common/core/distribution.h"
#include "tests/support/noise.h"
#include "workers/improve/decision_core.h"

#define TRIALS 300

static struct decision decision;

static void decide(const struct noise_kind *kind, double gain, double min_effect,
		   uint64_t seed)
{
	struct decision_plan plan = decision_plan_default;
	struct noise noise;

	plan.min_effect = min_effect;
	plan.seed = 2 * seed + 1;
	noise_init(&noise, kind, 2 * seed);
	decision_init(&decision, &plan);
	while (decision_look(&decision) == DECISION_CONTINUE) {
		bool swapped = decision.candidate_first;
		double first = noise_next(&noise), second = noise_next(&noise);
		struct decision_value value = {
			.base = swapped ? second : first,
			.candidate = (swapped ? first : second) * (1 - gain),
		};

		assert_int_equal(decision_add_pair(&decision, &value), 0);
	}
}

static unsigned count_accepted(const struct noise_kind *kind, double gain,
			       double min_effect)
{
	unsigned accepted = 0;

	for (uint64_t seed = 0; seed < TRIALS; seed++) {
		decide(kind, gain, min_effect, seed);
		accepted += decision.verdict == DECISION_ACCEPT;
	}
	return accepted;
}

/* Any gain would do: the test alone must hold, one kind in a thousand apart. */
static void nothing_is_accepted_where_nothing_changed(void **state)
{
	unsigned sum = 0;

	(void)state;
	for (size_t i = 0; i < NOISE_KIND_COUNT; i++) {
		unsigned accepted = count_accepted(&noise_kinds[i], 0, 0);

		test_row(binomial_tail(accepted, TRIALS, 0.01) > 0.001,
			 "%s: %u of %d accepted", noise_kinds[i].name, accepted,
			 TRIALS);
		sum += accepted;
	}
	/* And the budget is used: a test that never crosses has no power. */
	test_row(sum > 10, "%u in all", sum);
}

static const struct {
	const char *name;
	size_t kind;
	double gain, min_effect;
	unsigned percent;	/* at least */
} powers[] = {
	{ "2 %, CPU-bound, CPU time", 1, 0.02, 0.01, 90 },
	{ "5 %, CPU-bound, CPU time", 1, 0.05, 0.02, 95 },
	{ "10 %, CPU-bound, CPU time", 1, 0.1, 0.02, 99 },
	{ "5 %, CPU-bound, wall", 0, 0.05, 0.02, 80 },
	{ "10 %, CPU-bound, wall", 0, 0.1, 0.02, 94 },
	{ "5 %, sqlite, wall", 4, 0.05, 0.02, 95 },
	{ "5 %, independent", 8, 0.05, 0.02, 95 },
	{ "5 %, bursts", 11, 0.05, 0.02, 80 },
};

static void gains_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(powers); i++) {
		unsigned accepted = count_accepted(&noise_kinds[powers[i].kind],
						   powers[i].gain,
						   powers[i].min_effect);

		test_row(100 * accepted >= powers[i].percent * TRIALS,
			 "%s: %u of %d accepted", powers[i].name, accepted,
			 TRIALS);
	}
}

/* Without the coin, the second place would be taken for a gain. */
static void a_decision_without_its_coin_would_be_fooled(void **state)
{
	unsigned fooled = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct decision_plan plan = decision_plan_default;
		struct noise noise;

		plan.seed = seed;
		noise_init(&noise, &noise_kinds[12], seed);
		decision_init(&decision, &plan);
		while (decision_look(&decision) == DECISION_CONTINUE) {
			struct decision_value value;

			value.candidate = noise_next(&noise);
			value.base = noise_next(&noise);
			decision_add_pair(&decision, &value);
		}
		fooled += decision.verdict == DECISION_ACCEPT;
	}
	assert_true(fooled > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_accepted_where_nothing_changed),
		cmocka_unit_test(gains_are_found),
		cmocka_unit_test(a_decision_without_its_coin_would_be_fooled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
