#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "workers/improve/campaign.h"
#include "workers/improve/command.h"

/* ---- a world in which every run fails, and the twentieth decision has begun ---- */

static json_t *environment;		/* of each arm that is built */
static enum tuner_outcome builds;	/* what becomes of it */
static unsigned built, checked;		/* arms; experiments of the base with itself */

int campaign_ask(struct campaign *campaign, const char *tool, json_t *arguments, json_t **ret)
{
	const char *kind = json_string_value(json_object_get(arguments, "kind"));

	(void)campaign;
	if (strcmp(tool, "store.experiment") == 0 && strcmp(kind, "aa") == 0)
		checked++;
	if (ret)
		*ret = json_pack("{s:i, s:s, s:n, s:i, s:i, s:i}", "improvement", 1, "status",
				 "proposed", "verdict", "experiment", 1, "nth", 0, "lifetime", 19);
	json_decref(arguments);
	return 0;
}

int commands_record(struct session *session, struct error *why)
{
	(void)session, (void)why;
	return 0;
}

bool campaign_has_budget(struct campaign *campaign, enum budget_step step)
{
	(void)campaign, (void)step;
	return true;
}

void campaign_say(struct campaign *campaign, uint64_t done, uint64_t total,
		  const char *format, ...)
{
	(void)campaign, (void)done, (void)total, (void)format;
}

int arm_build(struct campaign *campaign, unsigned copy, const struct space_config *config,
	      struct arm *ret, enum tuner_outcome *ret_outcome)
{
	(void)campaign;
	built++;
	*ret = (struct arm){ .copy = copy, .config = *config,
			     .environment = json_incref(environment),
			     .run_environment = json_incref(environment) };
	*ret_outcome = builds;
	return 0;
}

void arm_release(struct arm *arm)
{
	json_decref(arm->environment);
	json_decref(arm->run_environment);
	arm->environment = arm->run_environment = NULL;
}

int arm_test(struct campaign *campaign, const struct arm *arm, bool holdout,
	     enum tuner_outcome *ret_outcome)
{
	(void)campaign, (void)arm, (void)holdout;
	*ret_outcome = TUNER_OK;
	return 0;
}

int campaign_prune(struct campaign *campaign, struct arm *ret, enum tuner_outcome *ret_outcome)
{
	(void)campaign, (void)ret;
	*ret_outcome = TUNER_OK;
	return 0;
}

int pair_measure(struct campaign *campaign, const struct arm *base,
		 const struct arm *candidate, bool candidate_first, struct pair *ret)
{
	(void)base, (void)candidate, (void)candidate_first;
	error_set(campaign->why, -EINVAL, "it fails");
	*ret = (struct pair){ .failed = true };
	return 0;
}

void pair_record(const struct pair *pair, unsigned number, json_t *samples)
{
	(void)pair, (void)number, (void)samples;
}

/* ---- what is done then ---- */

static const struct workspace_metric metric = { .title = "time", .from = FROM_TIME,
						.min_effect = 1 };
static const struct workspace_benchmark benchmark = { .title = "spin" };

static void prove(void)
{
	struct session session = { .workspace = "/w", .id = 1 };
	struct tuner *tuner = calloc(1, sizeof(*tuner));
	struct campaign *campaign = calloc(1, sizeof(*campaign));
	struct error why = { 0 };
	int64_t improvement;

	*campaign = (struct campaign){
		.session = &session, .why = &why, .base = "base", .tuner = tuner,
		.file.improve.pairs = 20, .metric_count = 1,
		.metrics = { { .benchmark = &benchmark, .metric = &metric } },
		.report = json_object(),
	};
	built = checked = 0;
	test_row(campaign_prove(campaign, &improvement) == 0, "%s", why.text);
	assert_int_equal(improvement, 0);
	assert_string_equal(json_string_value(json_object_get(campaign->report, "status")),
			    "rejected");
	json_decref(campaign->report);
	free(campaign);
	free(tuner);
}

static void a_copy_that_is_built_is_judged(void **state)
{
	(void)state;
	builds = TUNER_OK;
	prove();
	assert_int_equal(built, 1);
	assert_int_equal(checked, 1);
	assert_int_equal(environment->refcount, 1);
}

static void a_copy_that_is_not_is_let_go(void **state)
{
	(void)state;
	builds = TUNER_TIMEOUT;
	prove();
	assert_int_equal(built, 1);
	assert_int_equal(checked, 0);
	assert_int_equal(environment->refcount, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_that_is_built_is_judged),
		cmocka_unit_test(a_copy_that_is_not_is_let_go),
	};

	environment = json_object();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	json_decref(environment);
	return failed;
}
