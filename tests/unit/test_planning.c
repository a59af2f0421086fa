#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/noise.h"
#include "workers/improve/explain.h"
#include "workers/improve/planning_core.h"

static struct calibration noise_of(double wall, double cpu)
{
	return (struct calibration){
		.pairs = 20,
		.sigma = { [METRIC_WALL] = wall, [METRIC_CPU] = cpu,
			   [METRIC_REPORTED] = (double)NAN },
	};
}

static const struct {
	const char *name;
	double wall, cpu, gain;
	enum metric metric;
	double pairs;		/* 16.92 (sigma / ln of the gain)^2, about */
	bool possible, cpu_would_do;
} rows[] = {
	{ "as much noise as gain", 0.05129, 0, 0.05, METRIC_WALL, 16.92, true, true },
	{ "three times the noise", 0.15388, 0, 0.05, METRIC_WALL, 152.3, false, true },
	{ "and neither metric does", 0.15388, 0.2, 0.05, METRIC_WALL, 152.3, false, false },
	{ "no noise at all", 0, 0, 0.05, METRIC_CPU, 0, true, false },
	{ "noise 1.8 times the gain", 0.05129 * 1.8, 1, 0.05, METRIC_WALL, 54.8, true, false },
	{ "noise 1.9 times the gain", 0.05129 * 1.9, 1, 0.05, METRIC_WALL, 61.1, false, false },
	{ "an unknown noise", (double)NAN, 1, 0.05, METRIC_WALL, (double)NAN, false, false },
};

static void pairs_follow_from_noise_and_gain(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct calibration noise = noise_of(rows[i].wall, rows[i].cpu);
		struct planning got = planning_of(&noise, rows[i].metric,
						  LOWER_IS_BETTER, rows[i].gain,
						  0.01);

		test_row(isnan(rows[i].pairs) ? isnan(got.pairs) :
			 fabs(got.pairs - rows[i].pairs) <= 0.01 * rows[i].pairs,
			 "%s: got %g pairs", rows[i].name, got.pairs);
		test_row(got.possible == rows[i].possible &&
			 got.cpu_would_do == rows[i].cpu_would_do, "%s",
			 rows[i].name);
	}
}

/* Each way out, taken, makes the plan possible; a little less does not. */
static void the_ways_out_lead_out(void **state)
{
	struct calibration noise = noise_of(0.15, 1);
	struct planning refused = planning_of(&noise, METRIC_WALL,
					      LOWER_IS_BETTER, 0.05, 0.01);

	(void)state;
	assert_false(refused.possible);
	for (int less = 0; less < 2; less++) {
		double step = less ? 0.99 : 1.0001;

		noise = noise_of(0.15, 1);
		assert_int_equal(planning_of(&noise, METRIC_WALL, LOWER_IS_BETTER,
			refused.smallest_gain * step, 0.01).possible, !less);
		noise = noise_of(0.15 / sqrt(refused.longer * step), 1);
		assert_int_equal(planning_of(&noise, METRIC_WALL, LOWER_IS_BETTER,
			0.05, 0.01).possible, !less);
	}
}

/* What is planned for 90 % power has it. */
static void a_planned_gain_is_found(void **state)
{
	static struct decision decision;
	struct decision_plan plan = decision_plan_default;
	struct calibration noise = noise_of(0.04, 1);
	struct random random;
	unsigned accepted = 0;

	(void)state;
	test_random_init(&random, "planned gain");
	double gain = planning_of(&noise, METRIC_WALL, LOWER_IS_BETTER, 0.05,
				  0.01).smallest_gain;

	plan.min_effect = gain / 2;
	for (plan.seed = 0; plan.seed < 400; plan.seed++) {
		decision_init(&decision, &plan);
		while (decision_look(&decision) == DECISION_CONTINUE)
			decision_add_pair(&decision, &(struct decision_value){
				exp(0.04 * noise_normal(&random)), 1 - gain });
		accepted += decision.verdict == DECISION_ACCEPT;
	}
	test_row(accepted >= 350, "%u of 400 accepted", accepted);
}

static void calibration_sees_levels_noise_and_shares(void **state)
{
	struct calibration_pair pairs[CALIBRATION_PAIRS_MAX] = { 0 };
	struct calibration got;
	struct random random;

	(void)state;
	random_init(&random, 1);
	for (unsigned i = 0; i < COUNT(pairs); i++) {
		for (int arm = 0; arm < 2; arm++) {
			double wall = 2 * exp(0.03 * noise_normal(&random));
			double values[] = { wall, 0.97 * wall, (double)NAN };

			/* One in ten is far off, which is not to matter. */
			if (i % 10 == 0)
				values[METRIC_CPU] *= 3;
			for (int m = 0; m < METRIC_COUNT; m++)
				*(arm ? &pairs[i].values[m].candidate :
				  &pairs[i].values[m].base) = values[m];
		}
	}
	calibration_summarise(pairs, COUNT(pairs), &got);
	assert_int_equal(got.pairs, COUNT(pairs));
	assert_true(fabs(got.level[METRIC_WALL] - 2) < 0.02);
	assert_true(fabs(got.cpu_share - 0.97) < 1e-9);
	/* A pair's difference has the noise of two runs: 0.0424. */
	assert_true(got.sigma[METRIC_WALL] > 0.03 && got.sigma[METRIC_WALL] < 0.055);
	assert_true(got.sigma[METRIC_CPU] > 0.03 && got.sigma[METRIC_CPU] < 0.055);
	assert_true(isnan(got.sigma[METRIC_REPORTED]));
	assert_true(isnan(got.level[METRIC_REPORTED]));
}

static void more_than_half_alike_is_not_no_noise(void **state)
{
	struct calibration_pair pairs[10];
	struct calibration got;

	(void)state;
	for (unsigned i = 0; i < COUNT(pairs); i++)
		for (int m = 0; m < METRIC_COUNT; m++)
			pairs[i].values[m] = (struct decision_value){ 1,
				i < 6 ? 1 : i % 2 ? 2 : 0.5 };
	calibration_summarise(pairs, COUNT(pairs), &got);
	assert_true(got.sigma[METRIC_WALL] > 0.3);
}

static void the_metric_is_cpu_time_for_one_busy_thread(void **state)
{
	static const struct {
		double share;
		unsigned threads;
		enum metric want;
	} choices[] = {
		{ 0.95, 1, METRIC_CPU },  { 0.9499, 1, METRIC_WALL },
		{ 0.99, 2, METRIC_WALL }, { 1.9, 2, METRIC_WALL },
		{ (double)NAN, 1, METRIC_WALL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++) {
		struct calibration calibration = { .cpu_share = choices[i].share };

		test_row(planning_metric(&calibration, choices[i].threads) ==
			 choices[i].want, "%zu", i);
	}
}

static void a_refusal_names_the_ways_out(void **state)
{
	char text[EXPLAIN_BYTES];
	struct calibration noise = noise_of(0.15, 0.01);
	struct planning plan = planning_of(&noise, METRIC_WALL, LOWER_IS_BETTER,
					   0.03, 0.01);

	(void)state;
	explain_planning(&plan, METRIC_WALL, 0.03, text, sizeof(text));
	assert_non_null(strstr(text, "times as long"));
	assert_non_null(strstr(text, "CPU time"));
	assert_non_null(strstr(text, "or more"));
	noise = noise_of((double)NAN, 1);
	plan = planning_of(&noise, METRIC_WALL, LOWER_IS_BETTER, 0.03, 0.01);
	explain_planning(&plan, METRIC_WALL, 0.03, text, sizeof(text));
	assert_null(strstr(text, "nan"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_follow_from_noise_and_gain),
		cmocka_unit_test(the_ways_out_lead_out),
		cmocka_unit_test(a_planned_gain_is_found),
		cmocka_unit_test(calibration_sees_levels_noise_and_shares),
		cmocka_unit_test(more_than_half_alike_is_not_no_noise),
		cmocka_unit_test(the_metric_is_cpu_time_for_one_busy_thread),
		cmocka_unit_test(a_refusal_names_the_ways_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
