#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/noise.h"
#include "workers/improve/bottleneck_core.h"
#include "workers/improve/explain.h"

static struct bottleneck_series steady(double value, unsigned count)
{
	struct bottleneck_series series = { 0 };

	for (unsigned i = 0; i < count; i++)
		bottleneck_add(&series, value);
	return series;
}

/* Values without noise, so that every gap is sure. */
static const struct {
	const char *name;
	enum direction direction;
	double target, value;
	unsigned samples;
	bool hard;
	enum bottleneck_severity severity;
	double impact;		/* to the next whole number */
} rows[] = {
	{ "9.9 % over is none", LOWER_IS_BETTER, 100, 109.9, 9, false, BOTTLENECK_NONE, 17 },
	{ "10 % over is low", LOWER_IS_BETTER, 100, 110.00001, 9, false, BOTTLENECK_LOW, 17 },
	{ "25 % over is medium", LOWER_IS_BETTER, 100, 125, 9, false, BOTTLENECK_MEDIUM, 36 },
	{ "50 % over is high", LOWER_IS_BETTER, 100, 150, 9, false, BOTTLENECK_HIGH, 56 },
	{ "99 % over is high still", LOWER_IS_BETTER, 100, 199, 9, false, BOTTLENECK_HIGH, 75 },
	{ "twice is critical", LOWER_IS_BETTER, 100, 200, 9, false, BOTTLENECK_CRITICAL, 75 },
	{ "four times ranks beyond", LOWER_IS_BETTER, 100, 400, 9, false, BOTTLENECK_CRITICAL, 94 },
	{ "half of what is due is critical", HIGHER_IS_BETTER, 50, 25, 9, false, BOTTLENECK_CRITICAL, 75 },
	{ "0.64 of a rate of 0.8 is medium", HIGHER_IS_BETTER, 0.8, 0.64, 9, false, BOTTLENECK_MEDIUM, 36 },
	{ "nothing where much is due", HIGHER_IS_BETTER, 50, 0, 9, false, BOTTLENECK_CRITICAL, 100 },
	{ "28 MB of 500 are fine", LOWER_IS_BETTER, 500, 28, 9, true, BOTTLENECK_NONE, 0 },
	{ "more than is due is fine", HIGHER_IS_BETTER, 50, 5000, 9, true, BOTTLENECK_NONE, 0 },
	{ "on target is fine", LOWER_IS_BETTER, 100, 100, 9, true, BOTTLENECK_NONE, 0 },
	{ "a rate on target is fine", HIGHER_IS_BETTER, 0.8, 0.8, 9, true, BOTTLENECK_NONE, 0 },
	{ "a hard target missed by 1 % is critical", LOWER_IS_BETTER, 100, 101, 9, true, BOTTLENECK_CRITICAL, 2 },
	{ "no errors, as wanted", LOWER_IS_BETTER, 0, 0, 9, false, BOTTLENECK_NONE, 0 },
	{ "one error where none is wanted", LOWER_IS_BETTER, 0, 1, 9, false, BOTTLENECK_CRITICAL, 75 },
	{ "many errors rank higher", LOWER_IS_BETTER, 0, 9, 9, false, BOTTLENECK_CRITICAL, 99 },
	{ "four samples say too little", LOWER_IS_BETTER, 100, 400, 4, true, BOTTLENECK_NONE, 94 },
};

static void severities_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bottleneck_series series = steady(rows[i].value,
							 rows[i].samples);
		struct bottleneck_target target = bottleneck_target_default;

		target.target = rows[i].target;
		target.direction = rows[i].direction;
		target.hard = rows[i].hard;
		struct bottleneck got = bottleneck_judge(&series, &target);

		test_row(got.severity == rows[i].severity, "%s: got %s",
			 rows[i].name, bottleneck_severity_name(got.severity));
		test_row(fabs(got.impact - rows[i].impact) <= 0.51,
			 "%s: impact %g", rows[i].name, got.impact);
		test_row(got.samples == rows[i].samples, "%s", rows[i].name);
		test_row(got.resolved == (got.deviation <= 0), "%s: resolved %d",
			 rows[i].name, got.resolved);
	}
}

static void draw(struct random *random, double level, double sigma,
		 struct bottleneck_series *ret)
{
	uint64_t count = 5 + random_below(random, 100);

	*ret = (struct bottleneck_series){ 0 };
	while (count-- > 0)
		bottleneck_add(ret, level * exp(sigma * noise_normal(random)));
}

static void better_never_raises_severity_or_impact(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "better");
	for (int i = 0; i < 5000; i++) {
		struct bottleneck_target target = bottleneck_target_default;
		struct bottleneck_series series, better;
		double factor = exp(0.5 * random_unit(&random));

		target.target = 100;
		target.hard = random_below(&random, 2);
		target.direction = random_below(&random, 2) ? LOWER_IS_BETTER :
							      HIGHER_IS_BETTER;
		if (target.direction == LOWER_IS_BETTER)
			factor = 1 / factor;
		draw(&random, 100 * exp(noise_normal(&random)),
		     0.3 * random_unit(&random), &series);
		better = series;
		for (size_t n = 0; n < COUNT(better.window); n++)
			better.window[n] *= factor;
		struct bottleneck before = bottleneck_judge(&series, &target);
		struct bottleneck after = bottleneck_judge(&better, &target);

		assert_true(after.severity <= before.severity);
		assert_true(after.impact <= before.impact + 1e-9);
		assert_true(after.deviation >= 0 || after.severity == BOTTLENECK_NONE);
		assert_true(!(after.resolved && after.severity));
	}
}

static void noise_is_not_a_bottleneck(void **state)
{
	struct bottleneck_target target = bottleneck_target_default;
	struct random random;
	unsigned found = 0, resolved = 0;

	(void)state;
	test_random_init(&random, "noise");
	target.target = 100;
	target.hard = true;
	for (int i = 0; i < 2000; i++) {
		struct bottleneck_series series;

		draw(&random, 100, 0.2, &series);
		struct bottleneck got = bottleneck_judge(&series, &target);

		found += got.severity != BOTTLENECK_NONE;
		resolved += got.resolved;
	}
	/* A level of 95 % on either side; the robust sigma is a little rash. */
	assert_in_range(found, 40, 240);
	assert_in_range(resolved, 40, 240);
}

static void only_the_window_counts(void **state)
{
	struct bottleneck_series series = steady(1e9, 1000);
	struct bottleneck_target target = bottleneck_target_default;

	(void)state;
	target.target = 100;
	for (unsigned i = 0; i < BOTTLENECK_WINDOW; i++)
		bottleneck_add(&series, 50);
	bottleneck_add(&series, (double)NAN);
	bottleneck_add(&series, (double)INFINITY);
	struct bottleneck got = bottleneck_judge(&series, &target);

	assert_true(fabs(got.value - 50) < 1e-9);
	assert_true(got.resolved);
	assert_int_equal(got.samples, BOTTLENECK_WINDOW);
	series = steady(0, 0);
	got = bottleneck_judge(&series, &target);
	assert_true(isnan(got.value) && got.severity == BOTTLENECK_NONE);
	assert_false(got.resolved);
}

static void trends_are_seen_through_noise(void **state)
{
	static const struct {
		double slope;
		enum direction direction;
		enum bottleneck_trend want;
	} trends[] = {
		{ 0.005, LOWER_IS_BETTER, TREND_RISING },
		{ -0.005, LOWER_IS_BETTER, TREND_FALLING },
		{ 0.005, HIGHER_IS_BETTER, TREND_RISING },
		{ 0, LOWER_IS_BETTER, TREND_STEADY },
	};
	struct random random;

	(void)state;
	random_init(&random, 1);
	for (size_t i = 0; i < COUNT(trends); i++) {
		struct bottleneck_series series = { 0 };
		struct bottleneck_target target = bottleneck_target_default;

		target.target = 100;
		target.direction = trends[i].direction;
		for (int n = 0; n < 200; n++)
			bottleneck_add(&series, 100 * exp(trends[i].slope * n +
					0.02 * noise_normal(&random)));
		struct bottleneck got = bottleneck_judge(&series, &target);

		test_row(got.trend == trends[i].want, "%zu: got %d", i,
			 (int)got.trend);
		test_row(fabs(log1p(got.change) - 32 * trends[i].slope) < 0.05,
			 "%zu: change %g", i, got.change);
	}
}

static void the_sentence_has_every_number(void **state)
{
	struct bottleneck_series series = steady(143, 64);
	struct bottleneck_target target = bottleneck_target_default;
	char text[EXPLAIN_BYTES];

	(void)state;
	target.target = 100;
	struct bottleneck got = bottleneck_judge(&series, &target);

	explain_bottleneck(&got, &target, "startup", "ms", text, sizeof(text));
	assert_string_equal(text, "startup 143 ms, target 100 ms: 43 % worse, "
			    "medium, impact 51; 64 samples, steady");
	got.trend = TREND_FALLING;
	got.change = -0.12;
	got.deviation = -0.5;
	explain_bottleneck(&got, &target, "startup", "ms", text, sizeof(text));
	assert_non_null(strstr(text, "50 % better"));
	assert_non_null(strstr(text, "falling 12 %"));
	explain_bottleneck(&got, &target, "startup", "ms", text, 8);
	assert_string_equal(text, "startup");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(severities_are_those_of_the_table),
		cmocka_unit_test(better_never_raises_severity_or_impact),
		cmocka_unit_test(noise_is_not_a_bottleneck),
		cmocka_unit_test(only_the_window_counts),
		cmocka_unit_test(trends_are_seen_through_noise),
		cmocka_unit_test(the_sentence_has_every_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
