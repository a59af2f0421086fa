#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>

#include "workers/improve/auto_apply_core.h"
#include "workers/improve/confidence_core.h"

static const struct {
	const char *name;
	struct confidence_record record;
	double proposed, accepted;	/* at alpha 1 %, power 90 % */
} rows[] = {
	{ "nothing known", { 0, 0, 0, 0 }, 0.5, 0.9890 },
	{ "three wins", { 3, 0, 0, 0 }, 0.8, 0.9972 },
	{ "twenty losses", { 0, 20, 0, 0 }, 0.0455, 0.8108 },
	{ "25 losses", { 0, 25, 0, 0 }, 0.0370, 0.7759 },
	{ "promises kept", { 10, 0, 9.8, 10 }, 0.9167, 0.9990 },
	{ "promises broken", { 10, 0, 9.8, 0 }, 0.2657, 0.2896 },
};

static void confidence_follows_the_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		double proposed = confidence_proposed(&rows[i].record);
		double accepted = confidence_accepted(&rows[i].record, 0.01, 0.9);

		test_row(fabs(proposed - rows[i].proposed) < 1e-4,
			 "%s: proposed %.4f", rows[i].name, proposed);
		test_row(fabs(accepted - rows[i].accepted) < 1e-4,
			 "%s: accepted %.4f", rows[i].name, accepted);
	}
}

static void other_workspaces_count_for_a_quarter(void **state)
{
	struct confidence_record pooled = confidence_pool(
		(struct confidence_record){ 1, 2, 3, 4 },
		(struct confidence_record){ 4, 8, 12, 16 });
	double sum = pooled.wins + 10 * pooled.losses + 100 * pooled.promised +
		     1000 * pooled.kept;

	(void)state;
	assert_true(fabs(sum - (2 + 40 + 600 + 8000)) < 1e-9);
}

/* Of the seed's rule each condition alone, at its edge. */
static const struct {
	const char *name;
	bool tests;
	double confidence, gain;
	enum auto_apply_answer want;
} edges[] = {
	{ "all above", true, 0.81, 0.21, AUTO_APPLY_YES },
	{ "a hair above", true, 0.8000001, 0.2000001, AUTO_APPLY_YES },
	{ "a planted 30 %, confidence 0.81", true, 0.81, 0.3, AUTO_APPLY_YES },
	{ "tests fail", false, 1, 1, AUTO_APPLY_TESTS_FAIL },
	{ "exactly 0.8", true, 0.8, 1, AUTO_APPLY_NOT_CONFIDENT },
	{ "exactly 20 %", true, 1, 0.2, AUTO_APPLY_GAIN_TOO_SMALL },
	{ "no gain", true, 1, 0, AUTO_APPLY_GAIN_TOO_SMALL },
	{ "a loss", true, 1, -0.5, AUTO_APPLY_GAIN_TOO_SMALL },
	{ "no confidence", true, (double)NAN, 1, AUTO_APPLY_NOT_CONFIDENT },
	{ "no number", true, 1, (double)NAN, AUTO_APPLY_GAIN_TOO_SMALL },
	{ "nothing proved", true, 1, -(double)INFINITY, AUTO_APPLY_GAIN_TOO_SMALL },
};

static void it_is_applied_only_above_every_threshold(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++) {
		enum auto_apply_answer got = auto_apply_judge(
			&auto_apply_limits_default, edges[i].tests,
			edges[i].confidence, edges[i].gain);

		test_row(got == edges[i].want, "%s: got %s", edges[i].name,
			 auto_apply_name(got));
	}
}

static void thresholds_are_settings(void **state)
{
	const struct auto_apply_limits limits = { .confidence = 0.5, .gain = 0.05 };

	(void)state;
	assert_int_equal(auto_apply_judge(&limits, true, 0.51, 0.051),
			 AUTO_APPLY_YES);
	assert_int_equal(auto_apply_judge(&limits, true, 0.5, 0.051),
			 AUTO_APPLY_NOT_CONFIDENT);
	assert_int_equal(auto_apply_judge(&limits, true, 0.51, 0.05),
			 AUTO_APPLY_GAIN_TOO_SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confidence_follows_the_record),
		cmocka_unit_test(other_workspaces_count_for_a_quarter),
		cmocka_unit_test(it_is_applied_only_above_every_threshold),
		cmocka_unit_test(thresholds_are_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
