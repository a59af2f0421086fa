#include "tests/support/test.h"

#include "common/core/severity.h"

#define INFO SEVERITY_INFO
#define WARN SEVERITY_WARNING
#define ERR SEVERITY_ERROR
#define CRIT SEVERITY_CRITICAL
#define FATAL SEVERITY_FATAL

static void code_repetition_and_rank_give_the_severity(void **state)
{
	static const unsigned bands[3][2] = { { 0, 4 }, { 5, 19 }, { 20, 5000 } };
	static const struct {
		const char *name;
		int code;
		/* optional, ordinary, critical; rare, repeated, persistent */
		enum error_severity want[3][RANK_COUNT];
	} cases[] = {
		{ "success is no news", ERROR_OK, { { INFO, INFO, INFO }, { INFO, INFO, INFO }, { INFO, INFO, INFO } } },
		{ "a change of generation", ERROR_DRAINING, { { INFO, INFO, WARN }, { WARN, ERR, ERR }, { ERR, CRIT, CRIT } } },
		{ "a hiccup", ERROR_UNAVAILABLE, { { WARN, WARN, WARN }, { WARN, ERR, ERR }, { ERR, CRIT, CRIT } } },
		{ "a crash", ERROR_CRASH_NOT_STARTED, { { ERR, ERR, ERR }, { ERR, ERR, ERR }, { ERR, CRIT, CRIT } } },
		{ "a defect", ERROR_INTERNAL, { { ERR, ERR, ERR }, { ERR, ERR, CRIT }, { ERR, CRIT, FATAL } } },
		{ "an unknown code", 12345, { { ERR, ERR, ERR }, { ERR, ERR, CRIT }, { ERR, CRIT, FATAL } } },
		{ "lost data", ERROR_DATA_LOSS, { { CRIT, CRIT, CRIT }, { CRIT, CRIT, CRIT }, { CRIT, CRIT, FATAL } } },
		{ "a caller's wish", ERROR_CANCELLED, { { INFO, INFO, INFO }, { INFO, INFO, INFO }, { WARN, WARN, WARN } } },
		{ "a caller's fault", ERROR_NOT_FOUND, { { WARN, WARN, WARN }, { WARN, WARN, WARN }, { WARN, WARN, WARN } } },
		{ "a refusal", ERROR_DENIED_BY_ACL, { { WARN, WARN, WARN }, { WARN, ERR, ERR }, { ERR, ERR, CRIT } } },
		{ "overload", ERROR_QUEUE_FULL, { { WARN, WARN, WARN }, { WARN, WARN, ERR }, { WARN, ERR, ERR } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases) * 3 * RANK_COUNT * 2; i++) {
		size_t c = i / (3 * RANK_COUNT * 2);
		size_t band = i / (RANK_COUNT * 2) % 3;
		size_t rank = i / 2 % RANK_COUNT;
		unsigned n = bands[band][i % 2];
		enum error_severity got = severity_of(
			cases[c].code, n, (enum severity_rank)rank);

		test_row(got == cases[c].want[band][rank],
			 "%s, %u a minute, rank %zu: got %s", cases[c].name, n,
			 rank, error_severity_name(got));
	}
}

/* Over every code: more often or more depended on is never less severe. */
static void repetition_and_rank_only_make_it_worse(void **state)
{
	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		for (unsigned n = 0; n < 30; n++) {
			for (int r = 0; r < RANK_COUNT; r++) {
				enum severity_rank rank = (enum severity_rank)r;
				enum error_severity got =
					severity_of(code, n, rank);

				assert_true(got >= error_row(code)->severity);
				assert_true(severity_of(code, n + 1, rank)
					    >= got);
				assert_true(severity_of(code, n, RANK_CRITICAL)
					    >= got);
				assert_true(severity_of(code, n, RANK_OPTIONAL)
					    <= got);
			}
		}
	}
}

static void callers_never_alert_overload_never_restarts(void **state)
{
	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		unsigned effects = severity_effects(
			severity_of(code, 1000, RANK_CRITICAL));
		enum error_class class = error_row(code)->class;

		if (class == ERROR_CLASS_CALLER || class == ERROR_CLASS_NONE)
			assert_int_equal(effects, EFFECT_LOG);
		if (class == ERROR_CLASS_OVERLOAD)
			assert_int_equal(effects, EFFECT_LOG | EFFECT_ALERT);
	}
}

static void each_severity_has_its_effects(void **state)
{
	(void)state;
	assert_int_equal(severity_effects(SEVERITY_INFO), EFFECT_LOG);
	assert_int_equal(severity_effects(SEVERITY_WARNING), EFFECT_LOG);
	assert_int_equal(severity_effects(SEVERITY_ERROR),
			 EFFECT_LOG | EFFECT_ALERT);
	assert_int_equal(severity_effects(SEVERITY_CRITICAL),
			 EFFECT_LOG | EFFECT_ALERT | EFFECT_RESTART);
	assert_int_equal(severity_effects(SEVERITY_FATAL),
			 EFFECT_LOG | EFFECT_ALERT | EFFECT_STOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_repetition_and_rank_give_the_severity),
		cmocka_unit_test(repetition_and_rank_only_make_it_worse),
		cmocka_unit_test(callers_never_alert_overload_never_restarts),
		cmocka_unit_test(each_severity_has_its_effects),
	};

	return cmocka_run_group_tests_name("severity", tests, NULL, NULL);
}
