#include "tests/support/test.h"

#include <inttypes.h>
#include <string.h>

#include "common/core/deadline.h"
#include "common/core/retry.h"

#define NOW (1000 * NS_PER_S)

static void presets_are_the_promised_ones(void **state)
{
	static const struct {
		const char *name;
		unsigned retries;
		int64_t base_ms, cap_ms;
		unsigned least, most;	/* percent */
	} want[] = {
		{ "call", 2, 50, 2000, 0, 100 },
		{ "default", 3, 1000, 60000, 75, 125 },
		{ "llm", 3, 2000, 60000, 75, 125 },
		{ "file", 2, 500, 60000, 75, 125 },
		{ "http", 3, 500, 2000, 75, 125 },
		{ "network", 5, 1000, 30000, 75, 125 },
		{ "database", 3, 500, 10000, 75, 125 },
		{ "timeout", 2, 2000, 20000, 75, 125 },
		{ "resource", 4, 1000, 60000, 75, 125 },
	};

	(void)state;
	assert_int_equal(COUNT(want), RETRY_PRESET_COUNT);
	for (size_t i = 0; i < COUNT(want); i++) {
		enum retry_preset preset = (enum retry_preset)i;
		const struct retry_policy *got = retry_preset(preset);

		assert_string_equal(got->name, want[i].name);
		assert_ptr_equal(retry_preset_named(want[i].name), got);
		assert_int_equal(got->retries_max, want[i].retries);
		assert_int_equal(got->backoff.base_ns,
				 want[i].base_ms * NS_PER_MS);
		assert_int_equal(got->backoff.cap_ns,
				 want[i].cap_ms * NS_PER_MS);
		assert_int_equal(got->backoff.least_percent, want[i].least);
		assert_int_equal(got->backoff.most_percent, want[i].most);
	}
	assert_null(retry_preset_named("no such preset"));
}

/* 10^5 delays of every preset, at attempts far beyond the limit too. */
static void jittered_delays_never_exceed_the_cap(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "cap");
	for (int p = 0; p < RETRY_PRESET_COUNT; p++) {
		const struct backoff *backoff =
			&retry_preset((enum retry_preset)p)->backoff;

		for (int i = 0; i < 100000; i++) {
			int64_t wait = backoff_delay_ns(
				backoff, (unsigned)random_below(&random, 100),
				&random);

			assert_true(wait >= 0 && wait <= backoff->cap_ns);
		}
	}
}

struct fixture {
	struct retry_budget budget;
	struct random random;
	struct retry_call call;
	int64_t wait_ns;
};

static void start(struct fixture *f)
{
	memset(f, 0x5a, sizeof(*f));
	retry_budget_init(&f->budget, RETRY_SHARE_POOL, NULL, NOW);
	random_init(&f->random, 1);
	f->call = (struct retry_call){
		.code = ERROR_UNAVAILABLE, .tool = TOOL_PURE, .attempts = 1,
		.deadline_ns = DEADLINE_NEVER };
	f->wait_ns = -1;
}

static enum retry_verdict decide(struct fixture *f, enum retry_preset preset,
				 int64_t now_ns)
{
	return retry_decide(retry_preset(preset), &f->call, &f->budget,
			    &f->random, now_ns, &f->wait_ns);
}

static void code_and_tool_class_say_what_is_safe(void **state)
{
	static const struct {
		const char *name;
		enum error_code code;
		int64_t retry_after_ns;
		bool want[TOOL_CLASS_COUNT];
	} cases[] = {
		{ "success is not retried", ERROR_OK, 0, { false, false, false } },
		{ "not executed is always safe", ERROR_CRASH_NOT_STARTED, 0, { true, true, true } },
		{ "unknown outcome by class", ERROR_CRASH_OUTCOME_UNKNOWN, 0, { true, true, false } },
		{ "unavailable by class", ERROR_UNAVAILABLE, 0, { true, true, false } },
		{ "a named time does not make it safe", ERROR_UNAVAILABLE, NS_PER_S, { true, true, false } },
		{ "a refusal names a time", ERROR_RESOURCE_EXHAUSTED, NS_PER_S, { true, true, true } },
		{ "however short", ERROR_RESOURCE_EXHAUSTED, 1, { true, true, true } },
		{ "an overload without one may be half done", ERROR_RESOURCE_EXHAUSTED, 0, { true, true, false } },
		{ "a stale catalogue needs a new list first", ERROR_STALE_CATALOG, NS_PER_S, { false, false, false } },
		{ "the caller's fault stays", ERROR_INVALID_ARGUMENT, 0, { false, false, false } },
		{ "policy is never retried", ERROR_POLICY_KILLED, NS_PER_S, { false, false, false } },
		{ "a cancelled call stays cancelled", ERROR_CANCELLED, 0, { false, false, false } },
		{ "poison is never retried", ERROR_POISON, 0, { false, false, false } },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int tool = 0; tool < TOOL_CLASS_COUNT; tool++) {
			start(&f);
			f.call.code = cases[i].code;
			f.call.tool = (enum tool_class)tool;
			f.call.retry_after_ns = cases[i].retry_after_ns;
			enum retry_verdict got = decide(&f, RETRY_CALL, NOW);
			enum retry_verdict want = cases[i].want[tool] ?
				RETRY_GO : RETRY_UNSAFE;

			test_row(got == want, "%s, tool class %d: got %s",
				 cases[i].name, tool, retry_verdict_name(got));
		}
	}
}

/* Wait ranges in milliseconds for the attempts already made. */
static void attempts_end_and_waits_grow(void **state)
{
	static const struct {
		enum retry_preset preset;
		unsigned attempts;
		enum retry_verdict want;
		int64_t least_ms, most_ms;
	} cases[] = {
		{ RETRY_HTTP, 1, RETRY_GO, 375, 625 },
		{ RETRY_HTTP, 2, RETRY_GO, 750, 1250 },
		{ RETRY_HTTP, 3, RETRY_GO, 1500, 2000 },
		{ RETRY_HTTP, 4, RETRY_SPENT, 0, 0 },
		{ RETRY_CALL, 1, RETRY_GO, 0, 50 },
		{ RETRY_CALL, 2, RETRY_GO, 0, 100 },
		{ RETRY_CALL, 3, RETRY_SPENT, 0, 0 },
		{ RETRY_NETWORK, 5, RETRY_GO, 12000, 20000 },
		{ RETRY_NETWORK, 6, RETRY_SPENT, 0, 0 },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		f.call.attempts = cases[i].attempts;
		enum retry_verdict got = decide(&f, cases[i].preset, NOW);

		test_row(got == cases[i].want, "row %zu: got %s", i,
			 retry_verdict_name(got));
		if (got != RETRY_GO)
			continue;
		test_row(f.wait_ns >= cases[i].least_ms * NS_PER_MS &&
				 f.wait_ns <= cases[i].most_ms * NS_PER_MS,
			 "row %zu: waits %" PRId64 " ns", i, f.wait_ns);
	}
}

static void a_dead_worker_s_call_goes_to_another_at_once(void **state)
{
	static const struct {
		enum error_code code;
		unsigned attempts;
		bool at_once;
	} cases[] = {
		{ ERROR_CRASH_NOT_STARTED, 1, true },
		{ ERROR_CRASH_OUTCOME_UNKNOWN, 1, true },
		{ ERROR_CRASH_NOT_STARTED, 2, false },
		{ ERROR_UNAVAILABLE, 1, false },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		f.call.code = cases[i].code;
		f.call.attempts = cases[i].attempts;
		test_row(decide(&f, RETRY_CALL, NOW) == RETRY_GO &&
			 (f.wait_ns == 0) == cases[i].at_once,
			 "row %zu: waits %" PRId64 " ns", i, f.wait_ns);
	}
}

static void what_the_upstream_asks_for_is_a_floor(void **state)
{
	static const struct {
		const char *name;
		int64_t retry_after_ns, least_ns, most_ns;
	} cases[] = {
		{ "no time named: the back-off", 0, 0, 50 * NS_PER_MS },
		{ "too short is 0.1 s", 1, 100 * NS_PER_MS, 100 * NS_PER_MS },
		{ "taken at its word", 7 * NS_PER_S, 7 * NS_PER_S, 7 * NS_PER_S },
		{ "an hour is 120 s", 3600 * NS_PER_S, 120 * NS_PER_S, 120 * NS_PER_S },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		f.call.code = ERROR_RESOURCE_EXHAUSTED;
		f.call.retry_after_ns = cases[i].retry_after_ns;
		assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_GO);
		test_row(f.wait_ns >= cases[i].least_ns &&
				 f.wait_ns <= cases[i].most_ns,
			 "%s: waits %" PRId64 " ns", cases[i].name, f.wait_ns);
	}
	start(&f);
	f.call.attempts = 5;
	f.call.retry_after_ns = NS_PER_S;
	assert_int_equal(decide(&f, RETRY_NETWORK, NOW), RETRY_GO);
	assert_true(f.wait_ns >= 12 * NS_PER_S);
}

static void the_deadline_must_hold_wait_and_answer(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.call.retry_after_ns = 2 * NS_PER_S;
	f.call.p50_ns = NS_PER_S;
	f.call.deadline_ns = NOW + 3 * NS_PER_S - 1;
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_TOO_LATE);
	f.call.deadline_ns = NOW + 3 * NS_PER_S;
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_GO);
	f.call.deadline_ns = NOW - 1;
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_TOO_LATE);
}

/* A refused retry costs nothing: the ten tokens of the burst are all there. */
static void a_refusal_takes_no_token(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (int i = 0; i < 100; i++) {
		f.call.deadline_ns = NOW;
		f.call.p50_ns = 1;
		assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_TOO_LATE);
		f.call.unwanted = true;
		assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_UNWANTED);
		f.call.unwanted = false;
	}
	assert_int_equal(f.wait_ns, -1);
	f.call.deadline_ns = DEADLINE_NEVER;
	for (int i = 0; i < 10; i++)
		assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_GO);
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_OVER_BUDGET);
}

/* Every call fails and every failure wants two retries, for 100 s. */
static void retries_add_a_tenth_and_one_a_second(void **state)
{
	static const int64_t calls_per_s[] = { 1, 10, 100, 1000 };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(calls_per_s); i++) {
		int64_t calls = 100 * calls_per_s[i];
		int64_t retries = 0;

		start(&f);
		for (int64_t c = 0; c < calls; c++) {
			int64_t now = NOW + c * NS_PER_S / calls_per_s[i];

			retry_budget_call(&f.budget, now);
			retries += decide(&f, RETRY_CALL, now) == RETRY_GO;
			retries += decide(&f, RETRY_CALL, now) == RETRY_GO;
		}
		int64_t most = 10 + 100 + calls / 10;

		test_row(retries <= most, "%" PRId64 "/s: %" PRId64
			 " retries, at most %" PRId64, calls_per_s[i], retries,
			 most);
		test_row(calls_per_s[i] < 10 || retries >= most * 9 / 10,
			 "%" PRId64 "/s: only %" PRId64 " of %" PRId64,
			 calls_per_s[i], retries, most);
	}
}

/* 105 calls after a long silence pay for ten retries beside the burst's. */
static void calls_pay_from_the_time_they_are_made(void **state)
{
	struct fixture f;
	int64_t now = NOW + 100 * NS_PER_S;
	int granted = 0;

	(void)state;
	start(&f);
	for (int i = 0; i < 105; i++)
		retry_budget_call(&f.budget, now);
	while (decide(&f, RETRY_CALL, now) == RETRY_GO)
		granted++;
	assert_int_equal(granted, 20);
}

/* 10,000 calls pay for 1,000 retries; a minute later for hardly any. */
static void an_old_flood_pays_for_no_retries(void **state)
{
	struct fixture f;
	int granted = 0;

	(void)state;
	start(&f);
	for (int i = 0; i < 10000; i++)
		retry_budget_call(&f.budget, NOW);
	while (decide(&f, RETRY_CALL, NOW + 60 * NS_PER_S) == RETRY_GO)
		granted++;
	assert_in_range(granted, 10, 13);
}

/*
 * Eight pools fail at a time, of which each keeps to its own budget; together
 * they keep to the wider one, and what it refuses costs no pool a token.
 */
static void all_pools_together_add_a_fifth(void **state)
{
	static const int64_t calls_per_s[] = { 1, 10, 100, 1000 };
	struct fixture pools[8];
	struct retry_budget all;

	(void)state;
	for (size_t i = 0; i < COUNT(calls_per_s); i++) {
		int64_t calls = 100 * calls_per_s[i], retries = 0, most;

		retry_budget_init(&all, RETRY_SHARE_ALL, NULL, NOW);
		for (size_t p = 0; p < COUNT(pools); p++) {
			start(&pools[p]);
			pools[p].budget.share = 1;
			pools[p].budget.wider = &all;
		}
		for (int64_t c = 0; c < calls; c++) {
			int64_t now = NOW + c * NS_PER_S / calls_per_s[i];
			struct fixture *f = &pools[c % (int64_t)COUNT(pools)];

			retry_budget_call(&f->budget, now);
			retries += decide(f, RETRY_CALL, now) == RETRY_GO;
			retries += decide(f, RETRY_CALL, now) == RETRY_GO;
		}
		most = 10 + 100 + calls / 5;
		test_row(retries <= most && retries >= most * 8 / 10,
			 "%" PRId64 "/s: %" PRId64 " retries, nearly %" PRId64,
			 calls_per_s[i], retries, most);
	}
}

static void what_the_wider_budget_refuses_costs_nothing(void **state)
{
	struct retry_budget all;
	struct fixture f;

	(void)state;
	start(&f);
	retry_budget_init(&all, RETRY_SHARE_ALL, NULL, NOW);
	f.budget.wider = &all;
	while (bucket_take(&all.steady, 1, NOW))
		;
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_OVER_BUDGET);
	f.budget.wider = NULL;
	for (int i = 0; i < 10; i++)
		assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_GO);
	f.budget.wider = &all;
	all.pot = 1;
	assert_int_equal(decide(&f, RETRY_CALL, NOW), RETRY_OVER_BUDGET);
	assert_true(all.pot == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_are_the_promised_ones),
		cmocka_unit_test(jittered_delays_never_exceed_the_cap),
		cmocka_unit_test(code_and_tool_class_say_what_is_safe),
		cmocka_unit_test(attempts_end_and_waits_grow),
		cmocka_unit_test(a_dead_worker_s_call_goes_to_another_at_once),
		cmocka_unit_test(what_the_upstream_asks_for_is_a_floor),
		cmocka_unit_test(the_deadline_must_hold_wait_and_answer),
		cmocka_unit_test(a_refusal_takes_no_token),
		cmocka_unit_test(retries_add_a_tenth_and_one_a_second),
		cmocka_unit_test(calls_pay_from_the_time_they_are_made),
		cmocka_unit_test(an_old_flood_pays_for_no_retries),
		cmocka_unit_test(all_pools_together_add_a_fifth),
		cmocka_unit_test(what_the_wider_budget_refuses_costs_nothing),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
