#include "tests/support/test.h"

#include <inttypes.h>
#include <signal.h>

#include "common/core/deadline.h"
#include "common/core/restart.h"

#define S NS_PER_S
#define START (5000 * S)

struct fixture {
	struct restart_pool pool;
	struct restart_slot slot;
	struct random random;
	int64_t now_ns;
};

static void start(struct fixture *f)
{
	f->now_ns = START;
	restart_init(&f->pool, f->now_ns);
	restart_slot_init(&f->slot, f->now_ns);
	random_init(&f->random, 1);
}

static enum restart_action die(struct fixture *f, enum restart_exit exit,
			       int64_t ready_ns)
{
	struct restart_run run = { exit, ready_ns, true, false, false };

	return restart_dead(&f->pool, &f->slot, &run, &f->random, f->now_ns);
}

static enum restart_action tick_when_due(struct fixture *f)
{
	f->now_ns = restart_next_ns(&f->pool);
	assert_true(f->now_ns < DEADLINE_NEVER);
	return restart_tick(&f->pool, f->now_ns);
}

/* Three deaths before READY, ten seconds apart. */
static void fall_into_the_crash_loop(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		f->now_ns += 10 * S;
		die(f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
	}
	assert_int_equal(f->pool.state, RESTART_CRASHLOOP);
}

static void rise_from_probation(struct fixture *f)
{
	assert_int_equal(tick_when_due(f), RESTART_TRY);
	restart_ready(&f->pool, true, f->now_ns);
	restart_probed(&f->pool);
	assert_int_equal(tick_when_due(f), RESTART_RAMP);
	assert_int_equal(f->pool.state, RESTART_UP);
}

/* ---- the slot's delay ---- */

static void delays_follow_the_record_of_the_slot(void **state)
{
	static const struct {
		const char *name;
		enum restart_exit exit;
		int64_t ready_ns;
		bool useful;
		unsigned crashes;	/* before */
		unsigned want_crashes;
		int64_t nominal_ms;	/* the delay lies in its upper half */
		bool vital;
	} cases[] = {
		{ "a normal exit costs nothing", RESTART_EXIT_NORMAL, 0, false, 5, 5, 0, false },
		{ "the first crash after a healthy run is free", RESTART_EXIT_ABNORMAL, 10 * S, true, 0, 1, 0, false },
		{ "not after a shorter run", RESTART_EXIT_ABNORMAL, 10 * S - 1, true, 0, 1, 100, false },
		{ "not after a useless run", RESTART_EXIT_ABNORMAL, 10 * S, false, 0, 1, 100, false },
		{ "the second healthy run is not free", RESTART_EXIT_ABNORMAL, 59 * S, true, 1, 2, 200, false },
		{ "a settled run clears the record", RESTART_EXIT_ABNORMAL, 60 * S, true, 20, 0, 0, false },
		{ "cleared, but useless", RESTART_EXIT_ABNORMAL, 60 * S, false, 20, 0, 50, false },
		{ "if all depends on it, so does a healthy one", RESTART_EXIT_ABNORMAL, 10 * S, true, 20, 0, 0, true },
		{ "but not a shorter one", RESTART_EXIT_ABNORMAL, 10 * S - 1, true, 1, 2, 200, true },
		{ "death before READY", RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY, true, 2, 3, 400, false },
		{ "a kill on our order backs off too", RESTART_EXIT_ORDERED, 0, false, 1, 2, 200, false },
		{ "the last doubling", RESTART_EXIT_ABNORMAL, 0, false, 8, 9, 25600, false },
		{ "then the cap", RESTART_EXIT_ABNORMAL, 0, false, 9, 10, 30000, false },
		{ "and the cap for ever", RESTART_EXIT_ABNORMAL, 0, false, 4000000, 4000001, 30000, false },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct restart_run run = { cases[i].exit, cases[i].ready_ns,
					   cases[i].useful, false, cases[i].vital };

		start(&f);
		f.slot.crashes = cases[i].crashes;
		restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns);
		int64_t wait = f.slot.spawn_at_ns - f.now_ns;

		test_row(f.slot.crashes == cases[i].want_crashes,
			 "%s: record %u", cases[i].name, f.slot.crashes);
		test_row(wait >= cases[i].nominal_ms * NS_PER_MS / 2 &&
				 wait <= cases[i].nominal_ms * NS_PER_MS,
			 "%s: waits %" PRId64 " ns", cases[i].name, wait);
	}
}

static void jittered_delays_never_exceed_the_cap(void **state)
{
	struct fixture f;
	int64_t most = 0, least = INT64_MAX;

	(void)state;
	start(&f);
	test_random_init(&f.random, "cap");
	for (int i = 0; i < 100000; i++) {
		die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
		int64_t wait = f.slot.spawn_at_ns - f.now_ns;

		assert_true(wait >= 0 && wait <= 30 * S);
		most = wait > most ? wait : most;
		if (f.slot.crashes > 10)
			least = wait < least ? wait : least;
	}
	assert_true(most > 29 * S);
	assert_true(least >= 15 * S && least < 15 * S + S / 10);
}

/* ---- how an exit is judged ---- */

static void exits_are_classified(void **state)
{
	static const struct {
		int status, signal;
		bool drained;
		enum restart_exit want;
	} cases[] = {
		{ 0, 0, true, RESTART_EXIT_NORMAL },
		{ 0, 0, false, RESTART_EXIT_ABNORMAL },
		{ 1, 0, true, RESTART_EXIT_ABNORMAL },
		{ 75, 0, false, RESTART_EXIT_ABNORMAL },
		{ 78, 0, false, RESTART_EXIT_HOPELESS },
		{ 125, 0, true, RESTART_EXIT_HOPELESS },
		{ -1, SIGSYS, true, RESTART_EXIT_POLICY },
		{ -1, SIGSEGV, false, RESTART_EXIT_ABNORMAL },
		{ -1, SIGKILL, true, RESTART_EXIT_ABNORMAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		test_row(restart_exit_of(cases[i].status, cases[i].signal,
					 cases[i].drained) == cases[i].want,
			 "row %zu", i);
}

/* Deaths of a READY worker: how many of each kind, how far apart, then what. */
static void the_ring_trips_at_the_fifth_death_within_60_s(void **state)
{
	static const struct {
		const char *name;
		enum restart_exit exit;
		int deaths;
		int64_t apart_ns;
		enum restart_state want;
	} cases[] = {
		{ "four are borne", RESTART_EXIT_ABNORMAL, 4, S, RESTART_DEGRADED },
		{ "the fifth is not", RESTART_EXIT_ABNORMAL, 5, S, RESTART_CRASHLOOP },
		{ "five just within 60 s", RESTART_EXIT_ABNORMAL, 5, 15 * S - 1, RESTART_CRASHLOOP },
		{ "five in 60 s are borne", RESTART_EXIT_ABNORMAL, 5, 15 * S, RESTART_DEGRADED },
		{ "and so for ever", RESTART_EXIT_ABNORMAL, 1000, 15 * S, RESTART_DEGRADED },
		{ "poison counts half", RESTART_EXIT_POISONED, 9, S, RESTART_DEGRADED },
		{ "ten halves are five", RESTART_EXIT_POISONED, 10, S, RESTART_CRASHLOOP },
		{ "ordered kills never count", RESTART_EXIT_ORDERED, 1000, 1, RESTART_DEGRADED },
		{ "normal exits never count", RESTART_EXIT_NORMAL, 1000, 1, RESTART_DEGRADED },
		{ "one policy kill is a crash", RESTART_EXIT_POLICY, 1, S, RESTART_DEGRADED },
		{ "the second is hopeless", RESTART_EXIT_POLICY, 2, 1000000 * S, RESTART_FAILED },
		{ "hopeless is at once", RESTART_EXIT_HOPELESS, 1, S, RESTART_FAILED },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		for (int d = 0; d < cases[i].deaths; d++) {
			f.now_ns += cases[i].apart_ns;
			die(&f, cases[i].exit, S);
		}
		test_row(f.pool.state == cases[i].want, "%s: got %s",
			 cases[i].name, restart_state_name(f.pool.state));
	}
}

static void poison_and_other_deaths_add_up(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (int i = 0; i < 4; i++)
		assert_int_equal(die(&f, RESTART_EXIT_ABNORMAL, S),
				 RESTART_NOTHING);
	assert_int_equal(die(&f, RESTART_EXIT_POISONED, S), RESTART_NOTHING);
	assert_int_equal(die(&f, RESTART_EXIT_POISONED, S), RESTART_COOL_DOWN);
}

static void only_deaths_in_a_row_before_ready_trip_early(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (int i = 0; i < 20; i++) {
		f.now_ns += 40 * S;
		die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
		f.now_ns += 40 * S;
		die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
		f.now_ns += 40 * S;
		if (i % 2)
			restart_ready(&f.pool, false, f.now_ns);
		else
			die(&f, RESTART_EXIT_ABNORMAL, 0);
		assert_int_equal(f.pool.state, RESTART_DEGRADED);
	}
	fall_into_the_crash_loop(&f);
}

/* ---- the pool's life ---- */

#define IN(state) (1U << RESTART_##state)
#define SERVING (IN(DEGRADED) | IN(UP))
#define WANTED (SERVING | IN(CRASHLOOP) | IN(PROBATION))

/*
 * All moves there are. Any other pair changes nothing, or is impossible if
 * the event is a timer or the end of a drain.
 */
static const struct {
	unsigned from;		/* set of states */
	enum restart_event event;
	struct restart_transition want;
} moves[] = {
	{ IN(UP), RESTART_LOST, { RESTART_DEGRADED, RESTART_SHRINK } },
	{ IN(UP), RESTART_CRASHED, { RESTART_DEGRADED, RESTART_SHRINK } },
	{ IN(DEGRADED), RESTART_STEADY, { RESTART_UP, RESTART_RESTORE } },
	{ SERVING | IN(PROBATION), RESTART_TOO_MANY, { RESTART_CRASHLOOP, RESTART_COOL_DOWN } },
	{ IN(PROBATION), RESTART_CRASHED, { RESTART_CRASHLOOP, RESTART_COOL_DOWN } },
	{ IN(CRASHLOOP), RESTART_COOLED, { RESTART_PROBATION, RESTART_TRY } },
	{ IN(CRASHLOOP) | IN(FAILED), RESTART_RENEW, { RESTART_PROBATION, RESTART_TRY } },
	{ IN(PROBATION), RESTART_PROVEN, { RESTART_UP, RESTART_RAMP } },
	{ WANTED, RESTART_HOPELESS, { RESTART_FAILED, RESTART_GIVE_UP } },
	{ WANTED | IN(FAILED), RESTART_DISABLE, { RESTART_DRAINING, RESTART_DRAIN } },
	{ IN(DRAINING), RESTART_DRAINED, { RESTART_DISABLED, RESTART_END } },
	{ IN(DRAINING) | IN(DISABLED), RESTART_ENABLE, { RESTART_DEGRADED, RESTART_START } },
};

static struct restart_transition wanted_step(enum restart_state state,
					     enum restart_event event)
{
	for (size_t i = 0; i < COUNT(moves); i++)
		if (moves[i].event == event && (moves[i].from >> state & 1))
			return moves[i].want;
	if (event == RESTART_STEADY || event == RESTART_COOLED ||
	    event == RESTART_PROVEN || event == RESTART_DRAINED)
		return (struct restart_transition){ 0 };
	return (struct restart_transition){ state, RESTART_NOTHING };
}

static void every_pair_is_a_move_or_nothing_or_impossible(void **state)
{
	(void)state;
	for (int s = 0; s < RESTART_STATE_COUNT; s++) {
		for (int e = 0; e < RESTART_EVENT_COUNT; e++) {
			struct restart_transition got = restart_step(
				(enum restart_state)s, (enum restart_event)e);
			struct restart_transition want = wanted_step(
				(enum restart_state)s, (enum restart_event)e);

			test_row(got.next == want.next &&
					 got.action == want.action,
				 "state %d, event %d: to %d, action %d", s, e,
				 (int)got.next, (int)got.action);
		}
	}
}

static void a_full_pool_is_up_after_three_steady_seconds(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(f.pool.state, RESTART_DEGRADED);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	restart_ready(&f.pool, false, START);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	restart_ready(&f.pool, true, START + S);
	assert_int_equal(restart_next_ns(&f.pool), START + 4 * S);
	restart_event(&f.pool, RESTART_LOST, START + 2 * S);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	restart_ready(&f.pool, true, START + 3 * S);
	die(&f, RESTART_EXIT_NORMAL, S);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	restart_ready(&f.pool, true, START + 10 * S);
	assert_int_equal(restart_tick(&f.pool, START + 13 * S - 1),
			 RESTART_NOTHING);
	assert_int_equal(restart_tick(&f.pool, START + 13 * S),
			 RESTART_RESTORE);
	assert_int_equal(f.pool.state, RESTART_UP);
	assert_int_equal(restart_event(&f.pool, RESTART_LOST, START + 20 * S),
			 RESTART_SHRINK);
	assert_int_equal(f.pool.state, RESTART_DEGRADED);
}

/* The killed and the hung of a crash loop are slower to go than an operator. */
static void who_was_there_before_the_probation_does_not_fail_it(void **state)
{
	struct restart_run run = { .exit = RESTART_EXIT_ABNORMAL, .ready_ns = S, .older = true };
	struct fixture f;

	(void)state;
	start(&f);
	fall_into_the_crash_loop(&f);
	f.now_ns += S;
	assert_int_equal(restart_event(&f.pool, RESTART_RENEW, f.now_ns), RESTART_TRY);
	assert_int_equal(f.pool.begun_ns, f.now_ns);
	assert_int_equal(restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns),
			 RESTART_NOTHING);
	assert_int_equal(f.pool.state, RESTART_PROBATION);
	run.older = false;
	assert_int_equal(restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns),
			 RESTART_COOL_DOWN);
}

static void cool_downs_double_up_to_a_quarter_of_an_hour(void **state)
{
	static const int64_t want_s[] = { 15, 30, 60, 120, 240, 480, 900, 900, 900 };
	struct fixture f;

	(void)state;
	start(&f);
	fall_into_the_crash_loop(&f);
	for (size_t i = 0; i < COUNT(want_s); i++) {
		assert_int_equal(restart_next_ns(&f.pool),
				 f.now_ns + want_s[i] * S);
		assert_int_equal(restart_slots(&f.pool, 4), 0);
		assert_int_equal(restart_tick(&f.pool, f.now_ns),
				 RESTART_NOTHING);
		assert_int_equal(tick_when_due(&f), RESTART_TRY);
		assert_int_equal(restart_slots(&f.pool, 4), 1);
		assert_int_equal(restart_slots(&f.pool, 1), 1);
		assert_int_equal(restart_slots(&f.pool, 0), 0);
		assert_int_equal(die(&f, RESTART_EXIT_ABNORMAL, S),
				 RESTART_COOL_DOWN);
	}
}

/* After eight failed probations and so much quiet: the next cool-down. */
static void quiet_hours_shorten_the_next_cool_down(void **state)
{
	static const struct {
		int64_t quiet_ns, want_s;
	} cases[] = {
		{ 3600 * S - 1, 900 }, { 3600 * S, 480 },
		{ 2 * 3600 * S, 240 }, { 6 * 3600 * S, 15 },
		{ 1000 * 3600 * S, 15 },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		fall_into_the_crash_loop(&f);
		for (int m = 0; m < 8; m++) {
			tick_when_due(&f);
			die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
		}
		int64_t began = restart_next_ns(&f.pool);

		rise_from_probation(&f);
		f.now_ns = began + cases[i].quiet_ns;
		for (int d = 0; d < 5; d++)
			die(&f, RESTART_EXIT_ABNORMAL, S);
		test_row(restart_next_ns(&f.pool) ==
				 f.now_ns + cases[i].want_s * S,
			 "row %zu: cools for %" PRId64 " ns", i,
			 restart_next_ns(&f.pool) - f.now_ns);
	}
}

static void probation_wants_time_and_good_results(void **state)
{
	static const struct {
		const char *name;
		int ok, failed;		/* results, 10 s after READY */
		bool probed;
		int64_t want_ns;	/* after READY */
	} cases[] = {
		{ "five good results", 5, 3, false, 30 * S },
		{ "four are not enough", 4, 0, false, DEADLINE_NEVER },
		{ "failures are not good", 0, 9, false, DEADLINE_NEVER },
		{ "a probe and no traffic", 0, 0, true, 30 * S },
		{ "a probe after the traffic has ended", 2, 1, true, 40 * S },
		{ "neither", 0, 0, false, DEADLINE_NEVER },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&f);
		fall_into_the_crash_loop(&f);
		assert_int_equal(tick_when_due(&f), RESTART_TRY);
		restart_ready(&f.pool, true, f.now_ns);
		for (int n = 0; n < cases[i].ok + cases[i].failed; n++)
			restart_result(&f.pool, n < cases[i].ok,
				       f.now_ns + 10 * S);
		if (cases[i].probed)
			restart_probed(&f.pool);
		int64_t want = deadline_after(f.now_ns, cases[i].want_ns);

		test_row(restart_next_ns(&f.pool) == want, "%s: at %" PRId64,
			 cases[i].name, restart_next_ns(&f.pool) - f.now_ns);
		if (want == DEADLINE_NEVER)
			continue;
		assert_int_equal(restart_tick(&f.pool, want - 1),
				 RESTART_NOTHING);
		assert_int_equal(restart_tick(&f.pool, want), RESTART_RAMP);
	}
}

static void a_worker_not_ready_proves_nothing(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	fall_into_the_crash_loop(&f);
	tick_when_due(&f);
	restart_ready(&f.pool, true, f.now_ns);
	restart_probed(&f.pool);
	restart_event(&f.pool, RESTART_LOST, f.now_ns + 20 * S);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	restart_ready(&f.pool, true, f.now_ns + 25 * S);
	assert_int_equal(restart_next_ns(&f.pool), f.now_ns + 55 * S);
}

static void a_second_probation_starts_from_nothing(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	fall_into_the_crash_loop(&f);
	tick_when_due(&f);
	restart_ready(&f.pool, true, f.now_ns);
	restart_probed(&f.pool);
	for (int i = 0; i < 5; i++)
		restart_result(&f.pool, true, f.now_ns);
	die(&f, RESTART_EXIT_ABNORMAL, S);
	tick_when_due(&f);
	restart_ready(&f.pool, true, f.now_ns);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
}

static void deaths_before_probation_do_not_count_after_it(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (int i = 0; i < 5; i++)
		die(&f, RESTART_EXIT_ABNORMAL, S);
	assert_int_equal(f.pool.state, RESTART_CRASHLOOP);
	rise_from_probation(&f);
	assert_int_equal(f.now_ns, START + 45 * S);
	for (int i = 0; i < 4; i++)
		die(&f, RESTART_EXIT_ABNORMAL, S);
	die(&f, RESTART_EXIT_POISONED, S);
	assert_int_equal(f.pool.state, RESTART_DEGRADED);
}

static void a_failed_pool_waits_for_a_new_generation(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	die(&f, RESTART_EXIT_POLICY, S);
	restart_event(&f.pool, RESTART_LOST, f.now_ns);
	assert_int_equal(die(&f, RESTART_EXIT_POLICY, S), RESTART_GIVE_UP);
	assert_true(restart_next_ns(&f.pool) == DEADLINE_NEVER);
	assert_int_equal(restart_slots(&f.pool, 4), 0);
	assert_int_equal(die(&f, RESTART_EXIT_ABNORMAL, S), RESTART_NOTHING);
	assert_int_equal(restart_event(&f.pool, RESTART_RENEW, f.now_ns),
			 RESTART_TRY);
	assert_int_equal(f.pool.state, RESTART_PROBATION);
	assert_int_equal(die(&f, RESTART_EXIT_POLICY, S), RESTART_COOL_DOWN);
}

static void a_disabled_pool_waits_for_the_operator(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	die(&f, RESTART_EXIT_POLICY, RESTART_NEVER_READY);
	die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
	assert_int_equal(restart_event(&f.pool, RESTART_DISABLE, f.now_ns),
			 RESTART_DRAIN);
	assert_int_equal(restart_slots(&f.pool, 4), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(die(&f, RESTART_EXIT_HOPELESS,
				     RESTART_NEVER_READY),
				 RESTART_NOTHING);
	assert_int_equal(f.pool.state, RESTART_DRAINING);
	assert_int_equal(restart_event(&f.pool, RESTART_DRAINED, f.now_ns),
			 RESTART_END);
	assert_int_equal(f.pool.state, RESTART_DISABLED);
	assert_int_equal(restart_event(&f.pool, RESTART_RENEW, f.now_ns),
			 RESTART_NOTHING);
	assert_int_equal(restart_event(&f.pool, RESTART_ENABLE, f.now_ns),
			 RESTART_START);
	assert_int_equal(restart_slots(&f.pool, 4), 4);
	assert_int_equal(die(&f, RESTART_EXIT_POLICY, RESTART_NEVER_READY),
			 RESTART_NOTHING);
}

/* A worker that dies at once, every time, for a day. */
static void a_hopeless_start_is_cheap_and_never_given_up(void **state)
{
	struct fixture f;
	int64_t end = START + 86400 * S;
	int64_t last = 0;
	int early = 0, late = 0;

	(void)state;
	start(&f);
	while (f.now_ns < end) {
		if (restart_slots(&f.pool, 1) == 0) {
			assert_int_equal(tick_when_due(&f), RESTART_TRY);
			restart_slot_init(&f.slot, f.now_ns);
		}
		f.now_ns = f.slot.spawn_at_ns;
		early += f.now_ns < START + 60 * S;
		if (f.now_ns > START + 3600 * S) {
			assert_true(f.now_ns - last >= 900 * S || late == 0);
			late++;
		}
		last = f.now_ns;
		f.now_ns += NS_PER_MS;
		die(&f, RESTART_EXIT_ABNORMAL, RESTART_NEVER_READY);
	}
	assert_in_range(early, 3, 5);
	assert_in_range(late, 90, 93);
}

/* Nobody would be left to say that it is to be tried again. */
static void what_all_depends_on_is_never_given_up(void **state)
{
	static const enum restart_exit exits[] = { RESTART_EXIT_POLICY, RESTART_EXIT_HOPELESS };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(exits); i++) {
		const struct restart_run run = { exits[i], S, true, false, true };

		start(&f);
		for (int death = 0; death < 4; death++) {
			f.now_ns += S;
			restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns);
		}
		assert_int_equal(f.pool.state, RESTART_DEGRADED);
		restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns);
		assert_int_equal(f.pool.state, RESTART_CRASHLOOP);
		assert_int_equal(tick_when_due(&f), RESTART_TRY);
		f.now_ns += S;
		restart_dead(&f.pool, &f.slot, &run, &f.random, f.now_ns);
		assert_int_equal(f.pool.state, RESTART_CRASHLOOP);
	}
}

/* Whatever happens, something is due or somebody may still run. */
static void no_sequence_leaves_a_pool_silent(void **state)
{
	static const enum restart_event events[] = {
		RESTART_LOST, RESTART_RENEW, RESTART_DISABLE, RESTART_ENABLE,
	};
	struct fixture f;

	(void)state;
	start(&f);
	test_random_init(&f.random, "silence");
	for (int i = 0; i < 200000; i++) {
		size_t e;

		f.now_ns += (int64_t)random_below(&f.random, 40 * S);
		switch (random_below(&f.random, 8)) {
		case 0: case 1: case 2:
			die(&f, (enum restart_exit)random_below(
				    &f.random, RESTART_EXIT_COUNT),
			    (int64_t)random_below(&f.random, 90 * S) - 1);
			break;
		case 3: case 4:
			restart_ready(&f.pool, true, f.now_ns);
			restart_result(&f.pool, true, f.now_ns);
			break;
		case 5:
			e = random_below(&f.random, COUNT(events));
			restart_event(&f.pool, events[e], f.now_ns);
			break;
		default:
			restart_tick(&f.pool, f.now_ns);
		}
		if (f.pool.state == RESTART_DRAINING && i % 3 == 0)
			restart_event(&f.pool, RESTART_DRAINED, f.now_ns);
		assert_true(f.pool.state == RESTART_FAILED ||
			    f.pool.state == RESTART_DRAINING ||
			    f.pool.state == RESTART_DISABLED ||
			    restart_slots(&f.pool, 4) > 0 ||
			    restart_next_ns(&f.pool) <= f.now_ns + 900 * S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_follow_the_record_of_the_slot),
		cmocka_unit_test(jittered_delays_never_exceed_the_cap),
		cmocka_unit_test(exits_are_classified),
		cmocka_unit_test(the_ring_trips_at_the_fifth_death_within_60_s),
		cmocka_unit_test(poison_and_other_deaths_add_up),
		cmocka_unit_test(only_deaths_in_a_row_before_ready_trip_early),
		cmocka_unit_test(every_pair_is_a_move_or_nothing_or_impossible),
		cmocka_unit_test(a_full_pool_is_up_after_three_steady_seconds),
		cmocka_unit_test(who_was_there_before_the_probation_does_not_fail_it),
		cmocka_unit_test(cool_downs_double_up_to_a_quarter_of_an_hour),
		cmocka_unit_test(quiet_hours_shorten_the_next_cool_down),
		cmocka_unit_test(probation_wants_time_and_good_results),
		cmocka_unit_test(a_worker_not_ready_proves_nothing),
		cmocka_unit_test(a_second_probation_starts_from_nothing),
		cmocka_unit_test(deaths_before_probation_do_not_count_after_it),
		cmocka_unit_test(a_failed_pool_waits_for_a_new_generation),
		cmocka_unit_test(a_disabled_pool_waits_for_the_operator),
		cmocka_unit_test(a_hopeless_start_is_cheap_and_never_given_up),
		cmocka_unit_test(what_all_depends_on_is_never_given_up),
		cmocka_unit_test(no_sequence_leaves_a_pool_silent),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
