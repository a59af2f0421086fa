#include "tests/support/test.h"

#include <math.h>

#include "workers/improve/prune_core.h"

/* The third depends on the second; the user has all of them at 0. */
static const struct space_parameter parameters[] = {
	{ .kind = SPACE_CATEGORY, .count = 2 },
	{ .kind = SPACE_CATEGORY, .count = 3 },
	{ .kind = SPACE_ORDER, .count = 4, .has_parent = true, .parent = 1,
	  .when = 1 << 2 },
	{ .kind = SPACE_CATEGORY, .count = 2 },
};
static const struct space space = { parameters, COUNT(parameters), SPACE_SAFE };
static const struct space_config accepted = { { 1, 2, 3, 1 } };

/* What the answers make of it, a row per way to answer. */
static const struct {
	const char *name;
	struct {
		size_t parameter;
		bool works;
		double loss_high;
	} answers[4];
	size_t count;
	struct space_config kept;
} rows[] = {
	{ "all matter", { { 0, true, 0.2 }, { 1, true, 0.2 }, { 2, true, 0.2 },
			  { 3, true, 0.2 } }, 4, { { 1, 2, 3, 1 } } },
	{ "none matters", { { 0, true, 0 }, { 1, true, 0 }, { 3, true, 0 } }, 3,
	  { { 0, 0, 0, 0 } } },
	{ "the child matters not", { { 0, true, 0.2 }, { 1, true, 0.2 },
				     { 2, true, 0.01 }, { 3, true, -0.5 } }, 4,
	  { { 1, 2, 0, 0 } } },
	{ "what fails is needed", { { 0, false, -0.5 }, { 1, true, 0 },
				    { 3, true, (double)NAN } }, 3,
	  { { 1, 0, 0, 1 } } },
};

static void only_what_matters_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct space_config config;
		struct prune prune;
		size_t parameter, count = 0;

		prune_init(&prune, &space, &accepted);
		for (; prune_next(&prune, &config, &parameter); count++) {
			test_row(count < rows[i].count &&
				 parameter == rows[i].answers[count].parameter,
				 "%s: asked for %zu as number %zu", rows[i].name,
				 parameter, count);
			prune_report(&prune, rows[i].answers[count].works,
				     rows[i].answers[count].loss_high, 0.01);
		}
		test_row(count == rows[i].count, "%s: asked %zu times",
			 rows[i].name, count);
		test_row(space_equal(&prune.kept, &rows[i].kept),
			 "%s: kept otherwise", rows[i].name);
	}
}

static void a_parent_takes_its_children_along(void **state)
{
	static const struct space_config want = { { 0, 0, 0, 1 } };
	struct space_config config;
	struct prune prune;
	size_t parameter;

	(void)state;
	prune_init(&prune, &space, &accepted);
	assert_true(prune_next(&prune, &config, &parameter));
	prune_report(&prune, true, 0, 0.01);
	assert_true(prune_next(&prune, &config, &parameter));
	assert_int_equal(parameter, 1);
	assert_true(space_equal(&config, &want));
}

static void asking_twice_gives_the_same(void **state)
{
	struct space_config one, two;
	struct prune prune;
	size_t first, second;

	(void)state;
	prune_init(&prune, &space, &accepted);
	assert_true(prune_next(&prune, &one, &first));
	assert_true(prune_next(&prune, &two, &second));
	assert_int_equal(first, second);
	assert_true(space_equal(&one, &two));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_matters_is_kept),
		cmocka_unit_test(a_parent_takes_its_children_along),
		cmocka_unit_test(asking_twice_gives_the_same),
	};

	return cmocka_run_group_tests_name("prune", tests, NULL, NULL);
}
