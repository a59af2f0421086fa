/* When campaigns begin, by a clock and a load that are made up. */
#include "tests/support/test.h"

#include "supervisor/cli/schedule_core.h"

#define MINUTE INT64_C(60000000000)
#define HOUR (60 * MINUTE)
#define NOW (INT64_C(1000000) * HOUR)

static const struct schedule_terms six_hours = { 6 * HOUR, 30 * MINUTE, 0.5 };

static void it_begins_when_due_and_nothing_else_goes_on(void **state)
{
	static const struct {
		const char *name;
		int64_t due_ns;
		unsigned in_flight;
		double load;
		enum schedule_word want;
		int64_t look_ns;	/* of no importance to a start */
	} cases[] = {
		{ "never ran", 0, 0, 0.1, SCHEDULE_START, 0 },
		{ "due just now", NOW, 0, 0.5, SCHEDULE_START, 0 },
		{ "a nanosecond early", NOW + 1, 0, 0, SCHEDULE_EARLY, NOW + 1 },
		{ "early and busy", NOW + HOUR, 3, 9, SCHEDULE_EARLY, NOW + HOUR },
		{ "a call of somebody", NOW - HOUR, 1, 0, SCHEDULE_BUSY, NOW + MINUTE },
		{ "above the load", NOW - HOUR, 0, 0.51, SCHEDULE_LOADED, NOW + MINUTE },
		{ "days late", NOW - 100 * HOUR, 0, 0, SCHEDULE_START, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct schedule schedule = { .due_ns = cases[i].due_ns };
		const struct schedule_sight sight = { NOW, cases[i].in_flight, cases[i].load };
		int64_t look_ns;
		enum schedule_word got = schedule_decide(&schedule, &six_hours, &sight, &look_ns);

		test_row(got == cases[i].want, "%s: got %d", cases[i].name, (int)got);
		test_row(got == SCHEDULE_START || look_ns == cases[i].look_ns, "%s: looks at %lld",
			 cases[i].name, (long long)look_ns);
		test_row(schedule.due_ns == cases[i].due_ns, "%s: due has moved", cases[i].name);
	}
}

static void it_is_due_again_by_how_it_ended(void **state)
{
	static const struct {
		const char *name;
		int64_t every_ns, took_ns;
		unsigned failures;
		enum schedule_end end;
		int64_t due_ns;		/* after the start; without jitter */
		unsigned want_failures;
	} cases[] = {
		{ "done", 6 * HOUR, HOUR, 0, SCHEDULE_DONE, 6 * HOUR, 0 },
		{ "done after failures", 6 * HOUR, HOUR, 5, SCHEDULE_DONE, 6 * HOUR, 0 },
		{ "longer than the interval", HOUR, 3 * HOUR, 0, SCHEDULE_DONE, 3 * HOUR, 0 },
		{ "failed", HOUR, MINUTE, 0, SCHEDULE_FAILED, 2 * HOUR, 1 },
		{ "failed again", HOUR, MINUTE, 2, SCHEDULE_FAILED, 8 * HOUR, 3 },
		{ "a day at most", HOUR, MINUTE, 900, SCHEDULE_FAILED, 24 * HOUR, 901 },
		{ "but no sooner than asked", 72 * HOUR, MINUTE, 3, SCHEDULE_FAILED, 72 * HOUR, 4 },
		{ "refused", HOUR, MINUTE, 2, SCHEDULE_REFUSED, 6 * MINUTE, 2 },
		{ "refused, of a short one", MINUTE, 0, 0, SCHEDULE_REFUSED, MINUTE, 0 },
		{ "cut", HOUR, MINUTE, 2, SCHEDULE_CUT, 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct schedule_terms terms = { cases[i].every_ns, 0, 1 };
		struct schedule schedule = { .due_ns = NOW, .failures = cases[i].failures };
		struct random random;

		random_init(&random, 1);
		schedule_begin(&schedule, NOW);
		schedule_end(&schedule, &terms, cases[i].end, NOW + cases[i].took_ns, &random);
		test_row(schedule.due_ns == NOW + cases[i].due_ns, "%s: due after %lld min",
			 cases[i].name, (long long)((schedule.due_ns - NOW) / MINUTE));
		test_row(schedule.failures == cases[i].want_failures, "%s: %u failures",
			 cases[i].name, schedule.failures);
	}
}

static void a_call_without_a_report_has_failed_or_was_refused_or_cut(void **state)
{
	static const struct {
		const char *name;
		struct schedule_call call;
		enum schedule_end want;
	} cases[] = {	/* code, origin; cancelled, accepted, begun */
		{ "the queue is full", { ERROR_QUEUE_FULL, ORIGIN_ROUTER, false, false, false }, SCHEDULE_REFUSED },
		{ "the supervisor leaves", { ERROR_DRAINING, ORIGIN_ROUTER, false, false, false }, SCHEDULE_REFUSED },
		{ "its worker died before it began", { ERROR_CRASH_NOT_STARTED, ORIGIN_ROUTER, false, false, false }, SCHEDULE_REFUSED },
		{ "another is at work in the copies", { ERROR_RESOURCE_EXHAUSTED, ORIGIN_WORKER, false, true, false }, SCHEDULE_REFUSED },
		{ "no supervisor", { ERROR_UNAVAILABLE, ORIGIN_CLIENT, false, false, false }, SCHEDULE_FAILED },
		{ "the disk is full on the way", { ERROR_RESOURCE_EXHAUSTED, ORIGIN_WORKER, false, true, true }, SCHEDULE_FAILED },
		{ "its worker died on the way", { ERROR_CRASH_OUTCOME_UNKNOWN, ORIGIN_ROUTER, false, true, true }, SCHEDULE_FAILED },
		{ "or as soon as it had taken it", { ERROR_CRASH_OUTCOME_UNKNOWN, ORIGIN_ROUTER, false, true, false }, SCHEDULE_FAILED },
		{ "the time was up", { ERROR_DEADLINE_EXCEEDED, ORIGIN_ROUTER, false, true, true }, SCHEDULE_FAILED },
		{ "git failed", { ERROR_INTERNAL, ORIGIN_WORKER, false, true, true }, SCHEDULE_FAILED },
		{ "killed for its memory", { ERROR_OOM_KILLED, ORIGIN_ROUTER, false, true, true }, SCHEDULE_FAILED },
		{ "poison", { ERROR_POISON, ORIGIN_ROUTER, false, false, false }, SCHEDULE_FAILED },
		{ "no cupel.conf", { ERROR_NOT_FOUND, ORIGIN_ROUTER, false, false, false }, SCHEDULE_FAILED },
		{ "cancelled by somebody else", { ERROR_CANCELLED, ORIGIN_ROUTER, false, true, true }, SCHEDULE_FAILED },
		{ "cancelled", { ERROR_CANCELLED, ORIGIN_WORKER, true, true, true }, SCHEDULE_CUT },
		{ "cancelled while its worker died", { ERROR_CRASH_OUTCOME_UNKNOWN, ORIGIN_ROUTER, true, true, true }, SCHEDULE_CUT },
		{ "cancelled while it was refused", { ERROR_QUEUE_FULL, ORIGIN_ROUTER, true, false, false }, SCHEDULE_CUT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum schedule_end got = schedule_end_of(&cases[i].call);

		test_row(got == cases[i].want, "%s: got %d", cases[i].name, (int)got);
	}
}

static void jitter_is_within_its_bounds_and_by_its_seed(void **state)
{
	int64_t low = INT64_MAX, high = INT64_MIN, first[2];

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct schedule schedule = { 0 };
		struct random random;

		random_init(&random, seed / 2);
		schedule_begin(&schedule, NOW);
		schedule_end(&schedule, &six_hours, SCHEDULE_DONE, NOW + HOUR, &random);
		first[seed % 2] = schedule.due_ns;
		low = schedule.due_ns < low ? schedule.due_ns : low;
		high = schedule.due_ns > high ? schedule.due_ns : high;
		if (seed % 2)
			assert_true(first[0] == first[1]);
	}
	assert_true(low >= NOW + 6 * HOUR && low < NOW + 6 * HOUR + 3 * MINUTE);
	assert_true(high <= NOW + 6 * HOUR + 30 * MINUTE && high > NOW + 6 * HOUR + 27 * MINUTE);
}

/* A year of looks a minute apart, the machine off for a week in the middle. */
static void what_was_missed_is_one_run(void **state)
{
	static const struct schedule_terms terms = { 6 * HOUR, 0, 1 };
	struct schedule schedule = { 0 };
	unsigned runs = 0, after_the_week = 0;
	struct random random;
	int64_t look_ns;

	(void)state;
	random_init(&random, 7);
	for (int64_t at = 0; at < 365 * 24 * HOUR; at += MINUTE) {
		at += at == 100 * 24 * HOUR + HOUR ? 7 * 24 * HOUR : 0;
		const struct schedule_sight sight = { NOW + at, 0, 0 };

		if (schedule_decide(&schedule, &terms, &sight, &look_ns) != SCHEDULE_START)
			continue;
		runs++;
		after_the_week += at >= 107 * 24 * HOUR && at < 107 * 24 * HOUR + 2 * HOUR;
		schedule_begin(&schedule, sight.now_ns);
		schedule_end(&schedule, &terms, SCHEDULE_DONE, sight.now_ns + MINUTE, &random);
	}
	/* Until then, then at once, and from there on. */
	assert_int_equal(runs, 4 * 100 + 1 + 4 * (365 - 107));
	assert_int_equal(after_the_week, 1);
}

static void a_clock_that_was_set_back_delays_by_a_period_at_most(void **state)
{
	struct schedule schedule = { .due_ns = NOW + 6 * HOUR, .began_ns = NOW, .ended_ns = NOW };
	const int64_t back = NOW - 9000 * HOUR;
	int64_t look_ns;

	(void)state;
	for (int64_t at = back; at < back + 7 * HOUR; at += MINUTE) {
		const struct schedule_sight sight = { at, 0, 0 };

		if (schedule_decide(&schedule, &six_hours, &sight, &look_ns) == SCHEDULE_START) {
			assert_true(at == back + 6 * HOUR + 30 * MINUTE);
			schedule_begin(&schedule, at);
			assert_true(schedule.began_ns > schedule.ended_ns);
			return;
		}
	}
	fail_msg("it never began");
}

static void one_that_was_killed_has_failed(void **state)
{
	static const struct schedule_terms terms = { HOUR, 0, 1 };
	struct schedule schedule = { .due_ns = NOW };
	struct random random;

	(void)state;
	random_init(&random, 1);
	schedule_resume(&schedule, &terms, NOW, &random);
	assert_int_equal(schedule.failures, 0);
	schedule_begin(&schedule, NOW);
	schedule_resume(&schedule, &terms, NOW + MINUTE, &random);
	assert_int_equal(schedule.failures, 1);
	assert_true(schedule.due_ns == NOW + 2 * HOUR);
	schedule_resume(&schedule, &terms, NOW + 2 * MINUTE, &random);
	assert_int_equal(schedule.failures, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_when_due_and_nothing_else_goes_on),
		cmocka_unit_test(it_is_due_again_by_how_it_ended),
		cmocka_unit_test(a_call_without_a_report_has_failed_or_was_refused_or_cut),
		cmocka_unit_test(jitter_is_within_its_bounds_and_by_its_seed),
		cmocka_unit_test(what_was_missed_is_one_run),
		cmocka_unit_test(a_clock_that_was_set_back_delays_by_a_period_at_most),
		cmocka_unit_test(one_that_was_killed_has_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
