#include "tests/support/test.h"

#include <string.h>

#include "common/core/breaker.h"

#define SLOW_NS (2 * NS_PER_S)

/* ---- a breaker at its defaults, driven call by call ---- */

static struct breaker breaker;
static int64_t now_ns;
static uint64_t call_id;

static const struct breaker_limits *without_jitter(void)
{
	static struct breaker_limits limits;

	limits = breaker_limits_default;
	limits.jitter_percent = 0;
	return &limits;
}

static void start(const struct breaker_limits *limits)
{
	now_ns = 1000 * NS_PER_S;
	breaker_init(&breaker, limits, SLOW_NS, 1, now_ns);
}

static struct breaker_permit admit(void)
{
	struct breaker_permit permit = { 0 };

	if (!breaker_admit(&breaker, call_id++, now_ns, &permit))
		fail_msg("rejected while %s",
			 breaker_state_name(breaker.state));
	return permit;
}

static void end(struct breaker_permit *permit, enum outcome outcome)
{
	breaker_report(&breaker, permit, outcome, BREAKER_CRASH_NONE, now_ns);
	breaker_check(&breaker);
}

static void call(enum outcome outcome)
{
	struct breaker_permit permit = admit();

	end(&permit, outcome);
}

static bool rejects(void)
{
	struct breaker_permit permit;

	return breaker_admit(&breaker, call_id++, now_ns, &permit) ==
	       BREAKER_REJECTED;
}

static void wait_for_timer(void)
{
	assert_true(breaker_next_ns(&breaker) != DEADLINE_NEVER);
	now_ns = breaker_next_ns(&breaker);
	breaker_tick(&breaker, now_ns);
}

static void make_open(void)
{
	for (unsigned i = 0; i < breaker.limits->failures_row_max; i++)
		call(OUTCOME_FAIL);
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void make_half_open(void)
{
	make_open();
	wait_for_timer();
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void make_ramp(void)
{
	make_half_open();
	call(OUTCOME_OK);
	call(OUTCOME_OK);
	assert_int_equal(breaker.state, BREAKER_RAMP);
}

/* ---- what opens it ---- */

/*
 * One letter a call, one after the other: o ok, f fail, n neutral, c crash
 * before it started, C crash after, s slow but ok, . six seconds of nothing.
 */
static void play(const char *calls)
{
	for (; *calls; calls++) {
		enum breaker_crash crash = *calls == 'c' ?
			BREAKER_CRASH_NOT_STARTED : *calls == 'C' ?
			BREAKER_CRASH_STARTED : BREAKER_CRASH_NONE;

		if (*calls == '.') {
			now_ns += 6 * NS_PER_S;
			continue;
		}
		struct breaker_permit permit = admit();

		if (*calls == 's')
			now_ns += SLOW_NS;
		breaker_report(&breaker, &permit,
			       strchr("fcC", *calls) ? OUTCOME_FAIL :
			       *calls == 'n' ? OUTCOME_NEUTRAL : OUTCOME_OK,
			       crash, now_ns);
	}
}

static void opens_when_the_callee_is_bad_and_not_before(void **state)
{
	static const struct {
		const char *name;
		const char *calls;
		enum breaker_reason want;
	} cases[] = {
		{ "four failures are bad luck", "ffff", BREAKER_REASON_NONE },
		{ "five in a row open it", "fffff", BREAKER_REASON_FAILURES_ROW },
		{ "a success ends the row", "ffffoffff", BREAKER_REASON_NONE },
		{ "a neutral end does not", "ffffnf", BREAKER_REASON_FAILURES_ROW },
		{ "a row has no age", "f...........f...........fff", BREAKER_REASON_FAILURES_ROW },
		{ "half of nine is too few calls", "ofofofofo", BREAKER_REASON_NONE },
		{ "half of ten opens it", "ofofofofof", BREAKER_REASON_FAIL_RATIO },
		{ "less than half of ten does not", "ofofofofoo", BREAKER_REASON_NONE },
		{ "neutral calls are no volume", "ofofofofonnnn", BREAKER_REASON_NONE },
		{ "failures beyond the window are forgotten", "ofofofofo...........f", BREAKER_REASON_NONE },
		{ "seven slow of nine are too few", "oosssssss", BREAKER_REASON_NONE },
		{ "eight slow of ten open it", "oossssssss", BREAKER_REASON_SLOW_RATIO },
		{ "seven slow of ten do not", "ooosssssss", BREAKER_REASON_NONE },
		{ "two crashes before the start", "cooc", BREAKER_REASON_NONE },
		{ "three of them open it", "coococ", BREAKER_REASON_CRASHES },
		{ "but not over more than a minute", "coooc..........ooooc", BREAKER_REASON_NONE },
		{ "crashes after the start only fail", "CooCooC", BREAKER_REASON_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(without_jitter());
		play(cases[i].calls);
		test_row(breaker.reason == cases[i].want,
			 "%s: got %s, want %s", cases[i].name,
			 breaker_reason_name(breaker.reason),
			 breaker_reason_name(cases[i].want));
		test_row((breaker.state == BREAKER_OPEN) ==
			 (cases[i].want != BREAKER_REASON_NONE),
			 "%s: %s", cases[i].name,
			 breaker_state_name(breaker.state));
	}
}

/* Four slots, all filled, nobody answers: volume and deadline are far away. */
static void hung_calls_open_it_while_they_hang(void **state)
{
	struct breaker_permit permits[4];

	(void)state;
	start(without_jitter());
	for (size_t i = 0; i < COUNT(permits); i++) {
		permits[i] = admit();
		now_ns += NS_PER_S / 20;
	}
	for (size_t i = 0; i < COUNT(permits); i++) {
		assert_int_equal(breaker.state, BREAKER_CLOSED);
		now_ns = permits[i].slow_at_ns;
		breaker_running_slow(&breaker, &permits[i], now_ns);
	}
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker.reason, BREAKER_REASON_HUNG);
}

static void one_long_call_alone_does_not_open_it(void **state)
{
	(void)state;
	start(without_jitter());
	struct breaker_permit permit = admit();

	now_ns = permit.slow_at_ns;
	breaker_running_slow(&breaker, &permit, now_ns);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

/* At the limit of eight of ten, a call counted twice would open it. */
static void a_slow_call_counts_once_however_it_is_noticed(void **state)
{
	(void)state;
	start(without_jitter());
	play("ooo");
	for (int i = 0; i < 7; i++) {
		struct breaker_permit permit = admit();

		breaker_running_slow(&breaker, &permit, now_ns);
		now_ns = permit.slow_at_ns;
		breaker_running_slow(&breaker, &permit, now_ns);
		breaker_running_slow(&breaker, &permit, now_ns);
		end(&permit, i % 2 ? OUTCOME_OK : OUTCOME_NEUTRAL);
	}
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	play("s");
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	play("ssss");
	assert_int_equal(breaker.reason, BREAKER_REASON_SLOW_RATIO);
}

/* ---- how it comes back ---- */

static void three_cancelled_probes_then_1000_good_calls_all_pass(void **state)
{
	struct breaker_permit probes[3];

	(void)state;
	start(without_jitter());
	make_half_open();
	for (size_t i = 0; i < COUNT(probes); i++)
		probes[i] = admit();
	assert_true(rejects());
	for (size_t i = 0; i < COUNT(probes); i++)
		end(&probes[i], OUTCOME_NEUTRAL);
	for (int i = 0; i < 1000; i++)
		call(OUTCOME_OK);
}

/* The same when nobody ever reports the cancelled probes. */
static void lost_probes_are_judged_when_their_lease_is_over(void **state)
{
	(void)state;
	start(without_jitter());
	make_half_open();
	for (int i = 0; i < 3; i++)
		admit();
	assert_true(rejects());
	now_ns += breaker.limits->lease_ns;
	assert_true(rejects());
	assert_int_equal(breaker.state, BREAKER_OPEN);
	wait_for_timer();
	for (int i = 0; i < 1000; i++)
		call(OUTCOME_OK);
}

/* With three of three asked for, two successes must not be carried over. */
static void a_new_recovery_needs_the_full_count_again(void **state)
{
	struct breaker_limits limits = *without_jitter();

	(void)state;
	limits.probes_ok_min = 3;
	start(&limits);
	make_half_open();
	play("oof");
	assert_int_equal(breaker.state, BREAKER_OPEN);
	wait_for_timer();
	play("oo");
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	play("o");
	assert_int_equal(breaker.state, BREAKER_RAMP);
}

static void probes_decide_by_majority(void **state)
{
	static const struct {
		const char *name;
		unsigned probes, ok_min;
		const char *calls;
		enum breaker_state want;
	} cases[] = {
		{ "one good probe of three decides nothing", 3, 2, "o", BREAKER_HALF_OPEN },
		{ "two good ones recover", 3, 2, "oo", BREAKER_RAMP },
		{ "one flaky probe does not reopen", 3, 2, "ofo", BREAKER_RAMP },
		{ "two bad ones reopen", 3, 2, "fof", BREAKER_OPEN },
		{ "any crash reopens", 3, 2, "C", BREAKER_OPEN },
		{ "an effectful tool recovers by one", 1, 1, "o", BREAKER_RAMP },
		{ "an effectful tool reopens by one", 1, 1, "f", BREAKER_OPEN },
		{ "ten neutral ends say nothing", 1, 1, "nnnnnnnnnn", BREAKER_HALF_OPEN },
		{ "the next one shows that it answers", 1, 1, "nnnnnnnnnnn", BREAKER_RAMP },
		{ "other ends begin the ten anew", 3, 2, "nnnnnfnnnnnnnn", BREAKER_HALF_OPEN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct breaker_limits limits = *without_jitter();

		limits.probes = cases[i].probes;
		limits.probes_ok_min = cases[i].ok_min;
		start(&limits);
		make_half_open();
		play(cases[i].calls);
		test_row(breaker.state == cases[i].want, "%s: got %s, want %s",
			 cases[i].name, breaker_state_name(breaker.state),
			 breaker_state_name(cases[i].want));
	}
}

static void a_probe_given_up_on_past_its_slow_limit_has_failed(void **state)
{
	(void)state;
	start(without_jitter());
	make_half_open();
	for (int i = 0; i < 2; i++) {
		struct breaker_permit probe = admit();

		now_ns = probe.slow_at_ns;
		end(&probe, OUTCOME_NEUTRAL);
	}
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void late_results_are_stale_and_change_nothing(void **state)
{
	struct breaker_permit old[8], probe;

	(void)state;
	start(without_jitter());
	for (size_t i = 0; i < COUNT(old); i++)
		old[i] = admit();
	make_half_open();
	for (size_t i = 0; i < 4; i++)
		end(&old[i], OUTCOME_OK);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	for (size_t i = 4; i < COUNT(old); i++)
		end(&old[i], OUTCOME_FAIL);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	assert_int_equal(breaker.stale_results, COUNT(old));

	probe = admit();
	wait_for_timer();
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	end(&probe, OUTCOME_OK);
	assert_int_equal(breaker.stale_results, COUNT(old) + 1);
	assert_int_equal(breaker.probes.ok, 0);
	assert_int_equal(breaker.probes.bad, 1);
}

static void the_ramp_climbs_holds_and_falls(void **state)
{
	(void)state;
	start(without_jitter());
	make_ramp();
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 3);
	assert_int_equal(breaker_concurrency_max(&breaker, 1), 1);
	wait_for_timer();
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 5);
	play("ooof");
	wait_for_timer();
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 5);
	play("oooof");
	wait_for_timer();
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 10);
	assert_int_equal(breaker.state, BREAKER_RAMP);
	play("off");
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker.open_ns, 10 * NS_PER_S);
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 0);
}

static void open_time_doubles_to_the_cap_and_is_forgotten(void **state)
{
	static const int64_t want_s[] = { 5, 10, 20, 40, 60, 60 };

	(void)state;
	start(without_jitter());
	make_open();
	for (size_t i = 0; i < COUNT(want_s); i++) {
		assert_int_equal(breaker_next_ns(&breaker) - now_ns,
				 want_s[i] * NS_PER_S);
		wait_for_timer();
		play("ff");
	}
	wait_for_timer();
	play("oo");
	for (int i = 0; i < BREAKER_RAMP_STEPS; i++)
		wait_for_timer();
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	assert_int_equal(breaker_next_ns(&breaker) - now_ns, 600 * NS_PER_S);
	wait_for_timer();
	make_open();
	assert_int_equal(breaker_next_ns(&breaker) - now_ns, 5 * NS_PER_S);
}

static void jitter_spreads_and_never_passes_the_cap(void **state)
{
	int64_t least = INT64_MAX, most = 0;
	struct random random;

	(void)state;
	test_random_init(&random, "jitter");
	for (int i = 0; i < 100000; i++) {
		int64_t open_ns;

		now_ns = 0;
		breaker_init(&breaker, &breaker_limits_default, SLOW_NS,
			     random_next(&random), now_ns);
		breaker.open_ns = i % 2 ? 5 * NS_PER_S : 60 * NS_PER_S;
		make_open();
		open_ns = breaker_next_ns(&breaker);
		if (i % 2) {
			assert_in_range(open_ns, 4 * NS_PER_S, 6 * NS_PER_S);
			least = open_ns < least ? open_ns : least;
			most = open_ns > most ? open_ns : most;
		} else {
			assert_in_range(open_ns, 48 * NS_PER_S,
					60 * NS_PER_S);
		}
	}
	assert_true(least < 401 * NS_PER_S / 100);
	assert_true(most > 599 * NS_PER_S / 100);
}

/* ---- orders ---- */

static void isolation_has_an_end_and_outlives_neither_word(void **state)
{
	(void)state;
	start(without_jitter());
	breaker_isolate(&breaker, 0, now_ns);
	assert_true(rejects());
	assert_int_equal(breaker.reason, BREAKER_REASON_OPERATOR);
	assert_int_equal(breaker_next_ns(&breaker) - now_ns, 3600 * NS_PER_S);
	breaker_reset(&breaker, now_ns);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	breaker_isolate(&breaker, 7 * NS_PER_S, now_ns);
	now_ns += 7 * NS_PER_S;
	call(OUTCOME_OK);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void pool_and_operator_hold_it_together(void **state)
{
	(void)state;
	start(without_jitter());
	breaker_pool_down(&breaker, now_ns);
	assert_int_equal(breaker_next_ns(&breaker), DEADLINE_NEVER);
	breaker_isolate(&breaker, NS_PER_S, now_ns);
	now_ns += NS_PER_S;
	assert_true(rejects());
	assert_int_equal(breaker.reason, BREAKER_REASON_POOL);
	breaker_isolate(&breaker, NS_PER_S, now_ns);
	breaker_reset(&breaker, now_ns);
	assert_true(rejects());
	breaker_isolate(&breaker, NS_PER_S, now_ns);
	breaker_pool_up(&breaker, now_ns);
	assert_int_equal(breaker.reason, BREAKER_REASON_OPERATOR);
	wait_for_timer();
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void observing_counts_and_never_rejects(void **state)
{
	(void)state;
	start(without_jitter());
	breaker_observe(&breaker, 100 * NS_PER_S, now_ns);
	play("fffffccc");
	assert_int_equal(breaker.state, BREAKER_OBSERVE);
	assert_int_equal(breaker.trips, 2);
	assert_int_equal(breaker.rejected, 0);
	assert_int_equal(breaker.spared, 3);
	assert_int_equal(breaker_concurrency_max(&breaker, 10), 10);
	wait_for_timer();
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void defaults_are_valid_and_nonsense_is_not(void **state)
{
	struct breaker_limits limits = breaker_limits_default;

	(void)state;
	assert_true(breaker_limits_valid(&limits));
	limits.probes_ok_min = limits.probes + 1;
	assert_false(breaker_limits_valid(&limits));
	limits = breaker_limits_default;
	limits.open_first_ns = limits.open_max_ns + 1;
	assert_false(breaker_limits_valid(&limits));
	limits = breaker_limits_default;
	limits.ramp_percents[0] = 0;
	assert_false(breaker_limits_valid(&limits));
}

/* ---- keeping ---- */

static bool recall(int64_t later_ns)
{
	struct breaker_kept kept;
	bool r;

	breaker_keep(&breaker, now_ns, &kept);
	now_ns += later_ns;
	breaker_init(&breaker, breaker.limits, SLOW_NS, 2, now_ns);
	r = breaker_recall(&breaker, &kept, now_ns);
	breaker_check(&breaker);
	return r;
}

static void what_is_kept_goes_on(void **state)
{
	int64_t end_ns;

	(void)state;
	start(without_jitter());
	make_half_open();
	call(OUTCOME_FAIL);
	call(OUTCOME_FAIL);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	end_ns = breaker_next_ns(&breaker);
	assert_true(recall(NS_PER_S));
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker.reason, BREAKER_REASON_PROBES);
	assert_int_equal(breaker_next_ns(&breaker), end_ns);
	assert_true(recall(20 * NS_PER_S));	/* its time is over meanwhile */
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	assert_true(recall(NS_PER_S));
	call(OUTCOME_FAIL);
	call(OUTCOME_FAIL);
	assert_int_equal(breaker.open_ns, 20 * NS_PER_S);	/* it still doubles */
	wait_for_timer();
	call(OUTCOME_OK);
	call(OUTCOME_OK);
	assert_int_equal(breaker.state, BREAKER_RAMP);
	assert_true(recall(NS_PER_S));
	assert_int_equal(breaker.state, BREAKER_RAMP);
	assert_true(recall(60 * NS_PER_S));
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	assert_int_equal(breaker.open_ns, 20 * NS_PER_S);
	assert_true(recall(600 * NS_PER_S));
	assert_int_equal(breaker.open_ns, 5 * NS_PER_S);	/* and that is forgotten */
	breaker_pool_down(&breaker, now_ns);	/* not ours to keep */
	assert_true(recall(NS_PER_S));
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void nonsense_is_not_recalled(void **state)
{
	static const struct {
		const char *name;
		struct breaker_kept kept;
		bool want;
	} cases[] = {
		{ "closed", { BREAKER_CLOSED, 0, 0, 0, 0 }, true },
		{ "no such state", { (enum breaker_state)99, 0, 1, 2, 3 }, false },
		{ "nobody observes", { BREAKER_OBSERVE, 0, 1, 2, 3 }, false },
		{ "no such reason", { BREAKER_OPEN, (enum breaker_reason)99, 1, 2, 3 }, false },
		{ "before time", { BREAKER_OPEN, 0, -1, 2, 3 }, false },
		{ "no open time", { BREAKER_OPEN, 0, 1, 2, -3 }, false },
		{ "over before it began", { BREAKER_OPEN, 0, 2, 1, 3 }, false },
		{ "isolated for no time", { BREAKER_FORCED_OPEN, 0, 2, 2, 3 }, false },
		{ "isolated for ever", { BREAKER_FORCED_OPEN, 0, 2, DEADLINE_NEVER, 3 }, false },
		{ "isolated very long", { BREAKER_FORCED_OPEN, 0, 0, DEADLINE_NEVER - 1, 3 }, true },
		{ "open from the end of time", { BREAKER_OPEN, 0, INT64_MAX - 1, INT64_MAX, 3 }, false },
		{ "open longer than may be", { BREAKER_OPEN, 0, 0, INT64_MAX - 1, INT64_MAX }, true },
		{ "a ramp of the future", { BREAKER_RAMP, 0, INT64_MAX, INT64_MIN, 3 }, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&breaker_limits_default);
		if (breaker_recall(&breaker, &cases[i].kept, now_ns) != cases[i].want)
			fail_msg("%s", cases[i].name);
		breaker_check(&breaker);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_when_the_callee_is_bad_and_not_before),
		cmocka_unit_test(hung_calls_open_it_while_they_hang),
		cmocka_unit_test(one_long_call_alone_does_not_open_it),
		cmocka_unit_test(a_slow_call_counts_once_however_it_is_noticed),
		cmocka_unit_test(three_cancelled_probes_then_1000_good_calls_all_pass),
		cmocka_unit_test(lost_probes_are_judged_when_their_lease_is_over),
		cmocka_unit_test(a_new_recovery_needs_the_full_count_again),
		cmocka_unit_test(probes_decide_by_majority),
		cmocka_unit_test(a_probe_given_up_on_past_its_slow_limit_has_failed),
		cmocka_unit_test(late_results_are_stale_and_change_nothing),
		cmocka_unit_test(the_ramp_climbs_holds_and_falls),
		cmocka_unit_test(open_time_doubles_to_the_cap_and_is_forgotten),
		cmocka_unit_test(jitter_spreads_and_never_passes_the_cap),
		cmocka_unit_test(isolation_has_an_end_and_outlives_neither_word),
		cmocka_unit_test(pool_and_operator_hold_it_together),
		cmocka_unit_test(observing_counts_and_never_rejects),
		cmocka_unit_test(defaults_are_valid_and_nonsense_is_not),
		cmocka_unit_test(what_is_kept_goes_on),
		cmocka_unit_test(nonsense_is_not_recalled),
	};

	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
