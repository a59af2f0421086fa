#include "tests/support/test.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/noise.h"
#include "workers/improve/decision_core.h"
#include "workers/improve/explain.h"

static struct decision decision;

/* One metric of a made-up program: a gain and a spread of its logarithm. */
struct made_up {
	double gain;
	double sigma;
};

static struct decision_value draw(struct random *random,
				  const struct made_up *made_up)
{
	double base = exp(made_up->sigma * noise_normal(random));
	double candidate = exp(made_up->sigma * noise_normal(random));

	return (struct decision_value){ base, candidate * (1 - made_up->gain) };
}

/* Runs a plan to its end on the primary metric and its guards. */
static enum decision_verdict run(const struct decision_plan *plan,
				 const struct made_up *made_up)
{
	struct decision_value values[1 + DECISION_GUARDS_MAX];
	struct random random;

	random_init(&random, plan->seed + 1000);
	decision_init(&decision, plan);
	while (decision_look(&decision) == DECISION_CONTINUE) {
		for (unsigned i = 0; i <= plan->guard_count; i++)
			values[i] = draw(&random, &made_up[i]);
		assert_int_equal(decision_add_pair(&decision, values), 0);
	}
	return decision.verdict;
}

/* sigma and margins are wide apart, so every row is the same for any seed. */
static const struct {
	const char *name;
	struct made_up primary, guard;
	struct decision_guard rule;
	enum decision_verdict verdict;
	enum decision_reason reason;
	unsigned pairs_min, pairs_max;
} verdicts[] = {
	{ "a clear gain is accepted at the first look", { 0.1, 0.01 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_ACCEPT, REASON_PROVED, 10, 10 },
	{ "no change is futile", { 0, 0.005 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_FUTILE, REASON_TOO_SMALL, 10, 10 },
	{ "a loss is futile", { -0.2, 0.01 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_FUTILE, REASON_TOO_SMALL, 10, 10 },
	{ "half of the least effect is futile, though it crosses", { 0.01, 0.001 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_FUTILE, REASON_TOO_SMALL, 10, 10 },
	{ "noise that hides everything shows nothing", { 0, 3 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_REJECT, REASON_NOT_SHOWN, 60, 60 },
	{ "twelve times as fast is reviewed", { 0.92, 0.01 },
	  { 0, 0.01 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_REVIEW, REASON_IMPLAUSIBLE, 10, 10 },
	{ "a guard that is worse rejects a gain", { 0.3, 0.01 },
	  { -0.1, 0.005 }, { LOWER_IS_BETTER, false, 0 },
	  DECISION_REJECT, REASON_GUARD_WORSE, 10, 10 },
	{ "a soft guard may lose what is tolerated", { 0.3, 0.01 },
	  { -0.1, 0.005 }, { LOWER_IS_BETTER, false, 0.25 },
	  DECISION_ACCEPT, REASON_PROVED, 10, 10 },
	{ "and no more", { 0.3, 0.01 },
	  { -0.3, 0.005 }, { LOWER_IS_BETTER, false, 0.25 },
	  DECISION_REJECT, REASON_GUARD_WORSE, 10, 10 },
	{ "a guard that is better does not", { 0.3, 0.01 },
	  { 0.1, 0.005 }, { LOWER_IS_BETTER, true, 0.03 },
	  DECISION_ACCEPT, REASON_PROVED, 10, 10 },
	{ "less of what should be more is worse", { 0.3, 0.01 },
	  { 0.1, 0.005 }, { HIGHER_IS_BETTER, false, 0 },
	  DECISION_REJECT, REASON_GUARD_WORSE, 10, 10 },
	{ "a quiet hard guard holds", { 0.3, 0.01 },
	  { 0, 0.002 }, { LOWER_IS_BETTER, true, 0.03 },
	  DECISION_ACCEPT, REASON_PROVED, 10, 15 },
	{ "a soft guard may be noisy", { 0.3, 0.01 },
	  { 0.01, 2 }, { LOWER_IS_BETTER, false, 0.03 },
	  DECISION_ACCEPT, REASON_PROVED, 10, 10 },
	{ "a noisy hard guard is not shown to hold", { 0.3, 0.01 },
	  { 0.01, 2 }, { LOWER_IS_BETTER, true, 0.03 },
	  DECISION_REJECT, REASON_GUARD_NOT_SHOWN, 60, 60 },
};

static void verdicts_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		const struct made_up made_up[] = { verdicts[i].primary,
						   verdicts[i].guard };
		struct decision_plan plan = decision_plan_default;

		plan.guard_count = 1;
		plan.guards[0] = verdicts[i].rule;
		plan.seed = 5;
		run(&plan, made_up);
		test_row(decision.verdict == verdicts[i].verdict &&
			 decision.reason == verdicts[i].reason,
			 "%s: got %s, %s", verdicts[i].name,
			 decision_verdict_name(decision.verdict),
			 decision_reason_name(decision.reason));
		test_row(decision.pairs >= verdicts[i].pairs_min &&
			 decision.pairs <= verdicts[i].pairs_max,
			 "%s: got %u pairs", verdicts[i].name, decision.pairs);
		/* A doubt takes back an acceptance, and changes nothing else. */
		decision_doubt(&decision);
		test_row(decision.verdict == (verdicts[i].verdict == DECISION_ACCEPT ?
					      DECISION_REVIEW : verdicts[i].verdict),
			 "%s, doubted: got %s", verdicts[i].name,
			 decision_verdict_name(decision.verdict));
	}
}

static void it_looks_only_where_the_plan_says(void **state)
{
	struct decision_value value = { 1, 1 };
	unsigned next = 0;

	(void)state;
	decision_init(&decision, &decision_plan_default);
	assert_null(decision_latest(&decision));
	while (decision.verdict == DECISION_CONTINUE) {
		/* Noise without a trend, so that the looks go on. */
		value.candidate = decision.pairs % 4 < 2 ? 0.5 : 2 -
				  0.01 * decision.pairs;
		assert_int_equal(decision_add_pair(&decision, &value), 0);
		bool due = decision.pairs == decision_plan_default.looks[next];

		if (due)
			assert_int_equal(decision_add_pair(&decision, &value),
					 -EALREADY);
		decision_look(&decision);
		next += due;
		assert_int_equal(decision.look_count, next);
	}
	assert_int_equal(decision_add_pair(&decision, &value), -EALREADY);
	assert_int_equal(decision_add_invalid_pair(&decision, true, true),
			 -EALREADY);
}

static void values_that_are_none_are_refused(void **state)
{
	static const struct decision_value bad[] = {
		{ -1, 1 }, { 1, -1 }, { NAN, 1 }, { 1, NAN }, { INFINITY, 1 },
		{ 1, INFINITY },
	};

	(void)state;
	decision_init(&decision, &decision_plan_default);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(decision_add_pair(&decision, &bad[i]), -EINVAL);
	assert_int_equal(decision.pairs, 0);
	assert_int_equal(decision_add_pair(&decision,
					   &(struct decision_value){ 0, 0 }), 0);
	assert_int_equal(decision.pairs, 1);
}

static void plans_that_cannot_be_carried_out_are_invalid(void **state)
{
	struct decision_plan plan = decision_plan_default;

	(void)state;
	assert_true(decision_plan_is_valid(&plan));
#define INVALID(change)                                                        \
	do {                                                                   \
		plan = decision_plan_default;                                  \
		change;                                                        \
		test_row(!decision_plan_is_valid(&plan), "%s", #change);       \
	} while (0)
	INVALID(plan.look_count = 0);
	INVALID(plan.look_count = DECISION_LOOKS_MAX + 1);
	INVALID(plan.guard_count = DECISION_GUARDS_MAX + 1);
	INVALID(plan.looks[5] = SIGN_FLIP_PAIRS_MAX + 1);
	INVALID(plan.looks[0] = 0);
	INVALID(plan.looks[2] = plan.looks[1]);
	INVALID(plan.spent[2] = 0.1);
	INVALID(plan.spent[5] = 1.1);
	INVALID(plan.spent[3] = (double)NAN);
	INVALID(plan.alpha = 0);
	INVALID(plan.alpha = 0.6);
	INVALID(plan.alpha = (double)NAN);
	INVALID(plan.min_effect = 1);
	INVALID(plan.min_effect = -0.1);
	INVALID(plan.plausible_gain = (double)NAN);
	INVALID((plan.guard_count = 1, plan.guards[0].margin = -1));
	INVALID((plan.guard_count = 1, plan.guards[0].margin = (double)NAN));
	INVALID((plan.guard_count = 1, plan.guards[0].margin = (double)INFINITY));
	INVALID((plan.guard_count = 1, plan.guards[0].margin = 1,
		 plan.guards[0].direction = HIGHER_IS_BETTER));
#undef INVALID
	plan = decision_plan_default;	/* what costs may double, and more */
	plan.guard_count = 1;
	plan.guards[0].margin = 10;
	assert_true(decision_plan_is_valid(&plan));
}

/* A later validation may spend less, so the same pairs prove less. */
static void each_validation_has_half_the_alpha(void **state)
{
	const struct made_up gain = { 0.05, 0.03 };
	struct decision_plan plan = decision_plan_default;
	unsigned pairs = 0;
	double sum = 0;

	(void)state;
	for (unsigned nth = 1; nth <= 40; nth++) {
		sum += decision_alpha(nth);
		plan.alpha = decision_alpha(nth);
		if (nth > 8)
			continue;
		run(&plan, &gain);
		test_row(decision.pairs >= pairs, "%u: got %u pairs", nth,
			 decision.pairs);
		pairs = decision.pairs;
	}
	assert_true(decision_alpha(1) >= 0.01 && decision_alpha(1) <= 0.01);
	assert_true(sum <= 0.02 && sum > 0.0199);
	/* 2^-10 is more than is left at the first look of the fourth. */
	plan.alpha = decision_alpha(4);
	run(&plan, &(struct made_up){ 0.5, 0.001 });
	assert_int_equal(decision.pairs, 15);
}

static void replaying_gives_the_same_bits(void **state)
{
	const struct made_up gain = { 0.03, 0.03 };
	static struct decision kept;
	struct decision_plan plan = decision_plan_default;

	(void)state;
	for (plan.seed = 0; plan.seed < 20; plan.seed++) {
		run(&plan, &gain);
		kept = decision;
		run(&plan, &gain);
		assert_int_equal(kept.verdict, decision.verdict);
		assert_int_equal(kept.pairs, decision.pairs);
		for (unsigned i = 0; i < kept.look_count; i++) {
			assert_memory_equal(&kept.looks[i].tail,
					    &decision.looks[i].tail,
					    sizeof(double));
			assert_memory_equal(&kept.looks[i].gain_lower,
					    &decision.looks[i].gain_lower,
					    sizeof(double));
		}
		assert_memory_equal(&kept.paths, &decision.paths,
				    sizeof(kept.paths));
	}
}

static void coins_are_fair_and_the_seeds(void **state)
{
	struct decision_plan plan = decision_plan_default;
	unsigned heads = 0, changes = 0;

	(void)state;
	for (plan.seed = 0; plan.seed < 100; plan.seed++) {
		bool before = false;

		decision_init(&decision, &plan);
		for (unsigned i = 0; i < 59; i++) {
			heads += decision.candidate_first;
			changes += decision.candidate_first != before;
			before = decision.candidate_first;
			decision_add_invalid_pair(&decision, false, false);
		}
	}
	/* 5900 throws: sigma is 38. */
	assert_in_range(heads, 2950 - 150, 2950 + 150);
	assert_in_range(changes, 2950 - 150, 2950 + 150);
}

/* The two smallest counts of disturbed runs, of ten, that Fisher tells apart. */
static void unequal_disturbance_rejects(void **state)
{
	static const struct {
		const char *name;
		unsigned base, candidate, valid;
		enum decision_reason reason;
	} rows[] = {
		{ "six of ten are not enough", 0, 6, 4, REASON_NONE },
		{ "seven are", 0, 7, 3, REASON_INVALID_RATES },
		{ "on the base's side too", 7, 0, 3, REASON_INVALID_RATES },
		{ "both alike are nobody's fault", 7, 7, 3, REASON_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned most = rows[i].base > rows[i].candidate ?
				rows[i].base : rows[i].candidate;

		decision_init(&decision, &decision_plan_default);
		for (unsigned n = 0; n < most; n++) {
			decision_look(&decision);
			decision_add_invalid_pair(&decision, n < rows[i].base,
						  n < rows[i].candidate);
		}
		for (unsigned n = 0; n < rows[i].valid; n++) {
			decision_look(&decision);
			decision_add_pair(&decision,
					  &(struct decision_value){ 1, 0.5 });
		}
		decision_look(&decision);
		test_row(decision.reason == rows[i].reason, "%s: got %s",
			 rows[i].name, decision_reason_name(decision.reason));
	}
}

static void endless_disturbance_ends(void **state)
{
	unsigned pairs = 0;

	(void)state;
	decision_init(&decision, &decision_plan_default);
	for (; decision_look(&decision) == DECISION_CONTINUE; pairs++)
		assert_int_equal(decision_add_invalid_pair(&decision, true, true),
				 0);
	assert_int_equal(pairs, 60);
	assert_int_equal(decision.verdict, DECISION_REJECT);
	assert_int_equal(decision.reason, REASON_DISTURBED);
}

/* Of many accepted gains, at most 1 % may be below their lower bound. */
static void lower_bounds_hold(void **state)
{
	const struct made_up gain = { 0.06, 0.03 };
	struct decision_plan plan = decision_plan_default;
	unsigned accepted = 0, broken = 0;

	(void)state;
	for (plan.seed = 0; plan.seed < 1000; plan.seed++) {
		if (run(&plan, &gain) != DECISION_ACCEPT)
			continue;
		const struct decision_look *look = decision_latest(&decision);

		accepted++;
		broken += look->gain_lower > gain.gain;
		assert_true(look->gain_lower > 0);
		assert_true(look->gain_lower <= look->gain);
		assert_true(look->gain >= plan.min_effect);
	}
	test_row(accepted > 900, "%u accepted", accepted);
	test_row(broken <= 20, "%u of %u bounds broken", broken, accepted);
}

/* A gain that is there is not left with a bound that a few pairs more would lift. */
static void a_bound_that_is_too_low_takes_more_pairs(void **state)
{
	const struct made_up made_up = { 0.35, 0.2 };
	struct decision_plan plan = decision_plan_default, wants;
	unsigned high = 0, high_wanted = 0;

	(void)state;
	for (plan.seed = 1; plan.seed <= 50; plan.seed++) {
		wants = plan;
		wants.gain_wanted = 0.2;
		assert_int_equal(run(&plan, &made_up), DECISION_ACCEPT);
		high += decision_latest(&decision)->gain_lower > 0.2;
		unsigned pairs = decision.pairs;

		assert_int_equal(run(&wants, &made_up), DECISION_ACCEPT);
		const struct decision_look *look = decision_latest(&decision);

		high_wanted += look->gain_lower > 0.2;
		assert_true(decision.pairs >= pairs);
		assert_true(look->gain_lower > 0.2 || look->gain <= 0.2 || decision.pairs == 60);
	}
	assert_true(high < 25);
	assert_true(high_wanted > 45);
	wants.gain_wanted = 5;	/* what cannot be had is not waited for */
	assert_int_equal(run(&wants, &made_up), DECISION_ACCEPT);
	assert_true(decision.pairs < 60);
}

static void the_sentence_says_what_was_decided(void **state)
{
	struct decision_plan plan = decision_plan_default;
	char text[EXPLAIN_BYTES];

	(void)state;
	decision_init(&decision, &plan);
	explain_decision(&decision, text, sizeof(text));
	assert_string_equal(text, "continue: undecided so far, after 0 pairs "
			    "(0 invalid)");
	run(&plan, (struct made_up[2]){ { 0.1, 1e-6 } });
	explain_decision(&decision, text, sizeof(text));
	assert_string_equal(text, "better by 10 % (at least 10 % at 99 %), 10 "
			    "pairs, false-accept budget 1 %");
	run(&plan, (struct made_up[2]){ { -0.1, 1e-6 } });
	explain_decision(&decision, text, sizeof(text));
	assert_string_equal(text, "futile: the gain is smaller than what was "
			    "asked for; -10 % (at most -10 % at 95 %), 10 pairs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_the_table),
		cmocka_unit_test(it_looks_only_where_the_plan_says),
		cmocka_unit_test(values_that_are_none_are_refused),
		cmocka_unit_test(plans_that_cannot_be_carried_out_are_invalid),
		cmocka_unit_test(each_validation_has_half_the_alpha),
		cmocka_unit_test(replaying_gives_the_same_bits),
		cmocka_unit_test(coins_are_fair_and_the_seeds),
		cmocka_unit_test(unequal_disturbance_rejects),
		cmocka_unit_test(endless_disturbance_ends),
		cmocka_unit_test(lower_bounds_hold),
		cmocka_unit_test(a_bound_that_is_too_low_takes_more_pairs),
		cmocka_unit_test(the_sentence_says_what_was_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
