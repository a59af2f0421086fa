#include "tests/support/test.h"

#include <math.h>
#include <stdbool.h>

/* Its inner functions too: the gradient has no other way out. */
#include "workers/improve/gaussian_core.c"

static struct gaussian gaussian;

static bool near(double got, double want, double tolerance)
{
	return fabs(got - want) <= tolerance * fmax(1e-3, fabs(want));
}

/* A number and a category; learnt with scales 0.4 and 2, noise 0.01. */
static const double points[3][2] = { { 0.1, 0 }, { 0.5, 1 }, { 0.9, 1 } };
static const double values[3] = { 1, -0.5, 2 };

/* By numpy, which inverts the matrix. */
static const struct {
	double at[2], mean, deviation;
} believed[] = {
	{ { 0.5, 1 }, -0.468186293538006, 0.157487225617136 },
	{ { 0.3, 0 }, 0.335860212142647, 0.715928448768915 },
	{ { 0.7, 1 }, 0.67551052915906, 0.503772091505121 },
	{ { 5, 3 }, 0.833333372885308, 1.58785556177684 },
};

static void learn_three(void)
{
	static const bool is_category[] = { false, true };

	gaussian_init(&gaussian, 2, is_category);
	for (size_t i = 0; i < COUNT(points); i++)
		gaussian_add(&gaussian, points[i], values[i]);
	gaussian.scales[0] = 0.4;
	gaussian.scales[1] = 2;
	gaussian.noise = 0.01;
}

static void three_points_are_believed_as_worked_out(void **state)
{
	(void)state;
	learn_three();
	assert_true(gaussian_fit(&gaussian));
	assert_true(near(gaussian_correlation(&gaussian, points[0], points[1]),
			 0.408087022283025, 1e-12));
	assert_true(near(gaussian.mean, 0.833333333333333, 1e-12));
	assert_true(near(gaussian.variance, 2.52128528506564, 1e-12));
	for (size_t i = 0; i < COUNT(believed); i++) {
		struct gaussian_belief got = gaussian_ask(&gaussian,
							  believed[i].at);

		test_row(near(got.mean, believed[i].mean, 1e-10) &&
			 near(got.deviation, believed[i].deviation, 1e-10),
			 "row %zu: %.15g %.15g", i, got.mean, got.deviation);
	}
}

/* By Simpson's rule over 400,000 pieces; the last two have no spread. */
static const struct {
	double mean, deviation, best, want;
} improvements[] = {
	{ 1, 2, 1.5, 1.072689396 },
	{ 0, 1, 0, 0.3989422804 },
	{ 3, 0.5, 1, 3.572629216e-06 },
	{ -2, 0.1, 0, 2 },
	{ 1, 0, 3, 2 },
	{ 3, 0, 1, 0 },
};

static void improvement_is_its_integral(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(improvements); i++) {
		struct gaussian_belief belief = { improvements[i].mean,
						  improvements[i].deviation };
		double got = gaussian_improvement(belief, improvements[i].best);

		test_row(fabs(got - improvements[i].want) <=
			 1e-8 * improvements[i].want, "row %zu: %.10g", i, got);
	}
}

static void improvement_is_never_negative(void **state)
{
	struct gaussian_belief far = { 1e6, 1e-3 };

	(void)state;
	assert_true(gaussian_improvement(far, 0) >= 0);
}

/* Where the axis does not apply to either, it does not part them. */
static void axes_that_do_not_apply(void **state)
{
	double none[2] = { (double)NAN, 1 }, one[2] = { 0.5, 1 };

	(void)state;
	learn_three();
	assert_true(near(gaussian_correlation(&gaussian, none, none), 1, 1e-15));
	assert_true(gaussian_correlation(&gaussian, none, one) < 0.5);
}

/* The same point over and over: noise alone keeps the matrix definite. */
static void points_nearly_the_same(void **state)
{
	static const bool is_category[] = { false };

	(void)state;
	gaussian_init(&gaussian, 1, is_category);
	for (int i = 0; i < GAUSSIAN_POINTS_MAX; i++) {
		double feature = 0.5 + 1e-9 * i;

		gaussian_add(&gaussian, &feature, i % 2);
	}
	gaussian_tune(&gaussian);
	assert_true(gaussian.noise >= NOISE_LEAST);
	assert_true(gaussian_fit(&gaussian));
	struct gaussian_belief belief = gaussian_ask(&gaussian,
						     gaussian.features[0]);

	assert_true(near(belief.mean, 0.5, 0.05));
	assert_true(belief.deviation >= 0 && belief.deviation < 0.2);
	gaussian.noise = 0;
	assert_false(gaussian_fit(&gaussian));
}

static void nothing_is_learnt_from_nothing(void **state)
{
	static const bool is_category[] = { false };

	(void)state;
	gaussian_init(&gaussian, 1, is_category);
	gaussian_tune(&gaussian);
	assert_false(gaussian_fit(&gaussian));
}

/* Five axes, two of them categories: the second is all that matters. */
static void learn_a_ridge(size_t count)
{
	static const bool is_category[] = { false, false, true, true, false };
	struct random random;

	random_init(&random, 7);
	gaussian_init(&gaussian, 5, is_category);
	for (size_t i = 0; i < count; i++) {
		double at[5];

		for (size_t k = 0; k < 5; k++)
			at[k] = is_category[k] ?
				(double)random_below(&random, 3) :
				random_unit(&random);
		gaussian_add(&gaussian, at, sin(7 * at[1]) + 0.3 * (at[2] > 1));
	}
}

static void the_gradient_is_that_of_the_density(void **state)
{
	static struct search search, other;
	double unknowns[6] = { -0.3, -1.1, 0.2, 0.7, -0.6, -4 };
	const double step = 1e-5;

	(void)state;
	learn_a_ridge(25);
	search.gaussian = &gaussian;
	search.points = 25;
	search.pairs = 25 * 24 / 2;
	measure_pairs(&search);
	centre_values(&search);
	assert_true(isfinite(density(&search, unknowns)));
	for (size_t k = 0; k < COUNT(unknowns); k++) {
		double here = unknowns[k], up, down, slope;

		other = search;
		unknowns[k] = here + step;
		up = density(&other, unknowns);
		unknowns[k] = here - step;
		down = density(&other, unknowns);
		unknowns[k] = here;
		slope = (up - down) / (2 * step);
		test_row(fabs(slope - search.gradient[k]) <=
			 1e-4 * fmax(1, fabs(slope)), "unknown %zu: %g, not %g",
			 k, search.gradient[k], slope);
	}
}

static void tuning_finds_which_axis_matters(void **state)
{
	double scales[5];

	(void)state;
	learn_a_ridge(60);
	gaussian_tune(&gaussian);
	for (size_t k = 0; k < 5; k++) {
		scales[k] = gaussian.scales[k];
		test_row(k == 1 || scales[k] > 2 * gaussian.scales[1],
			 "axis %zu has %g beside %g", k, scales[k],
			 gaussian.scales[1]);
	}
	learn_a_ridge(60);
	gaussian_tune(&gaussian);
	assert_memory_equal(scales, gaussian.scales, sizeof(scales));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_points_are_believed_as_worked_out),
		cmocka_unit_test(improvement_is_its_integral),
		cmocka_unit_test(improvement_is_never_negative),
		cmocka_unit_test(axes_that_do_not_apply),
		cmocka_unit_test(points_nearly_the_same),
		cmocka_unit_test(nothing_is_learnt_from_nothing),
		cmocka_unit_test(the_gradient_is_that_of_the_density),
		cmocka_unit_test(tuning_finds_which_axis_matters),
	};

	return cmocka_run_group_tests_name("gaussian", tests, NULL, NULL);
}
