/*
 * The breaker lives through the same events as its model: every string of
 * events up to a length, from several states, and long random ones.
 */
#include "tests/support/test.h"

#include <string.h>

#include "tests/support/breaker_model.h"

/* Small, so that short strings go everywhere. */
static const struct breaker_limits small_limits = {
	.window_ns = 36,
	.calls_min = 3,
	.fail_percent = 50,
	.slow_percent = 80,
	.failures_row_max = 2,
	.crashes_max = 2,
	.hung_min = 2,
	.open_first_ns = 20,
	.open_max_ns = 50,
	.forget_ns = 101,
	.probes = 3,
	.probes_ok_min = 2,
	.lease_ns = 15,
	.neutral_max = 1,
	.ramp_percents = { 25, 50, 100 },
	.ramp_step_ns = 17,
	.ramp_hold_percent = 25,
	.ramp_calls_min = 2,
	.isolate_ns = 33,
	.observe_ns = 61,
};

#define SMALL_SLOW_NS 10
#define WAIT_NS 7
#define DEPTH_MAX 64

struct out {
	uint64_t id;
	struct breaker_permit permit;
};

/* The breaker and its model, having lived through the same events. */
struct twin {
	struct breaker breaker;
	struct breaker_model model;
	int64_t now_ns;
	unsigned out_count;
	struct out out[MODEL_CALLS_MAX];	/* oldest first */
};

static struct model_coverage coverage;
static char path[DEPTH_MAX + 1];
static uint64_t strings;

static void twin_init(struct twin *twin)
{
	memset(twin, 0, sizeof(*twin));
	twin->now_ns = 1000;
	breaker_init(&twin->breaker, &small_limits, SMALL_SLOW_NS, 1, 1000);
	model_init(&twin->model, &small_limits, SMALL_SLOW_NS, 1000, &coverage);
}

static bool twin_admit(struct twin *twin)
{
	struct out *out = &twin->out[twin->out_count];
	enum breaker_answer want;

	out->id = twin->model.call_count;
	want = model_admit(&twin->model, twin->now_ns);
	if (breaker_admit(&twin->breaker, out->id, twin->now_ns,
			  &out->permit) != want)
		fail_msg("%s: the model answers %d", path, want);
	if (want != BREAKER_REJECTED)
		twin->out_count++;
	return true;
}

static bool twin_end(struct twin *twin, enum outcome outcome,
		     enum breaker_crash crash)
{
	if (twin->out_count == 0)
		return false;
	breaker_report(&twin->breaker, &twin->out[0].permit, outcome, crash,
		       twin->now_ns);
	model_end(&twin->model, twin->out[0].id, outcome, crash, twin->now_ns);
	twin->out_count--;
	memmove(&twin->out[0], &twin->out[1],
		twin->out_count * sizeof(twin->out[0]));
	return true;
}

/* The oldest call still thought quick passes its limit. */
static bool twin_slow(struct twin *twin)
{
	for (unsigned i = 0; i < twin->out_count; i++) {
		struct out *out = &twin->out[i];

		if (out->permit.counted_slow)
			continue;
		if (twin->now_ns < out->permit.slow_at_ns)
			twin->now_ns = out->permit.slow_at_ns;
		breaker_running_slow(&twin->breaker, &out->permit,
				     twin->now_ns);
		model_slow(&twin->model, out->id, twin->now_ns);
		return true;
	}
	return false;
}

static bool twin_timer(struct twin *twin)
{
	int64_t next = model_next_ns(&twin->model);

	if (next == DEADLINE_NEVER)
		return false;
	if (next > twin->now_ns)
		twin->now_ns = next;
	breaker_tick(&twin->breaker, twin->now_ns);
	model_until(&twin->model, twin->now_ns);
	return true;
}

static bool twin_order(struct twin *twin, char event)
{
	struct breaker *b = &twin->breaker;
	struct breaker_model *m = &twin->model;

	if (event == 'D') {
		breaker_pool_down(b, twin->now_ns);
		model_pool(m, true, twin->now_ns);
	} else if (event == 'U') {
		breaker_pool_up(b, twin->now_ns);
		model_pool(m, false, twin->now_ns);
	} else if (event == 'I') {
		breaker_isolate(b, 0, twin->now_ns);
		model_isolate(m, twin->now_ns);
	} else if (event == 'B') {
		breaker_observe(b, 0, twin->now_ns);
		model_observe(m, twin->now_ns);
	} else {
		breaker_reset(b, twin->now_ns);
		model_reset(m, twin->now_ns);
	}
	return true;
}

/*
 * A admit; of the oldest call: O ok, F fail, N neutral, C crash before it
 * started, K crash after, S found slow; W wait without a tick, T the next
 * timer; D and U the pool goes down and up, I isolate, B observe, R reset. False when
 * the event cannot happen: nothing is out, no timer runs.
 */
static bool twin_apply(struct twin *twin, char event)
{
	switch (event) {
	case 'A':
		return twin_admit(twin);
	case 'O':
		return twin_end(twin, OUTCOME_OK, BREAKER_CRASH_NONE);
	case 'F':
		return twin_end(twin, OUTCOME_FAIL, BREAKER_CRASH_NONE);
	case 'N':
		return twin_end(twin, OUTCOME_NEUTRAL, BREAKER_CRASH_NONE);
	case 'C':
		return twin_end(twin, OUTCOME_FAIL, BREAKER_CRASH_NOT_STARTED);
	case 'K':
		return twin_end(twin, OUTCOME_FAIL, BREAKER_CRASH_STARTED);
	case 'S':
		return twin_slow(twin);
	case 'W':
		twin->now_ns += WAIT_NS;
		return true;
	case 'T':
		return twin_timer(twin);
	default:
		return twin_order(twin, event);
	}
}

static void twin_compare(const struct twin *twin)
{
	const struct breaker *b = &twin->breaker;
	const struct breaker_model *m = &twin->model;

	breaker_check(b);
	if (b->state != m->state || b->reason != m->reason)
		fail_msg("%s: got %s for %s, want %s for %s", path,
			 breaker_state_name(b->state),
			 breaker_reason_name(b->reason),
			 breaker_state_name(m->state),
			 breaker_reason_name(m->reason));
	if (breaker_next_ns(b) != model_next_ns(m))
		fail_msg("%s: timer at %jd, want %jd", path,
			 (intmax_t)breaker_next_ns(b),
			 (intmax_t)model_next_ns(m));
	if (b->generation != m->era || b->stale_results != m->stale ||
	    b->trips != m->trips || b->rejected != m->rejected ||
	    b->spared != m->spared)
		fail_msg("%s: counters differ", path);
	if (breaker_concurrency_max(b, 10) != model_concurrency(m, 10))
		fail_msg("%s: concurrency %u, want %u", path,
			 breaker_concurrency_max(b, 10),
			 model_concurrency(m, 10));
}

/* Every string over the alphabet, each prefix lived through only once. */
static void walk(const struct twin *from, const char *alphabet, size_t length,
		 size_t depth)
{
	for (const char *event = alphabet; *event; event++) {
		struct twin twin = *from;

		path[length] = *event;
		path[length + 1] = '\0';
		if (!twin_apply(&twin, *event))
			continue;
		strings++;
		twin_compare(&twin);
		if (depth > 1)
			walk(&twin, alphabet, length + 1, depth - 1);
	}
}

static void walk_from(const char *prefix, const char *alphabet, size_t depth)
{
	struct twin twin;

	twin_init(&twin);
	strcpy(path, prefix);
	for (const char *event = prefix; *event; event++)
		assert_true(twin_apply(&twin, *event));
	walk(&twin, alphabet, strlen(prefix), depth);
}

/* Bits of the states that may follow each state. */
#define TO(state) (1u << BREAKER_##state)
static const unsigned may_follow[BREAKER_STATE_COUNT] = {
	[BREAKER_CLOSED]      = TO(OPEN) | TO(FORCED_OPEN) | TO(OBSERVE) | TO(CLOSED),
	[BREAKER_OPEN]        = TO(HALF_OPEN) | TO(FORCED_OPEN) | TO(OBSERVE) | TO(CLOSED),
	[BREAKER_HALF_OPEN]   = TO(OPEN) | TO(RAMP) | TO(FORCED_OPEN) | TO(OBSERVE) | TO(CLOSED),
	[BREAKER_RAMP]        = TO(OPEN) | TO(CLOSED) | TO(FORCED_OPEN) | TO(OBSERVE),
	[BREAKER_FORCED_OPEN] = TO(HALF_OPEN) | TO(OBSERVE) | TO(CLOSED),
	[BREAKER_OBSERVE]     = TO(OBSERVE) | TO(CLOSED) | TO(FORCED_OPEN),
};

#define TO_HALF_OPEN "AFAFT"
#define TO_RAMP TO_HALF_OPEN "AOAO"
#define TO_CLOSED_AGAIN TO_HALF_OPEN "ACT" "AOAO" "TTT"

static void every_string_of_events_agrees_with_the_model(void **state)
{
	static const char calls[] = "AOFNCSWT";
	static const char orders[] = "AOFTDUIBR";

	(void)state;
	walk_from("", calls, 9);
	walk_from(TO_HALF_OPEN, calls, 9);
	walk_from(TO_RAMP, calls, 9);
	walk_from(TO_CLOSED_AGAIN, calls, 9);
	walk_from("", orders, 8);
	walk_from(TO_HALF_OPEN, orders, 8);
	walk_from(TO_RAMP, orders, 8);
	print_message("# %ju strings\n", (uintmax_t)strings);

	for (unsigned from = 0; from < BREAKER_STATE_COUNT; from++)
		for (unsigned to = 0; to < BREAKER_STATE_COUNT; to++)
			test_row(coverage.transitions[from][to] ==
				 ((may_follow[from] >> to & 1) != 0),
				 "%s to %s: seen %d", breaker_state_name(from),
				 breaker_state_name(to),
				 coverage.transitions[from][to]);
	for (unsigned reason = 1; reason < BREAKER_REASON_COUNT; reason++)
		test_row(coverage.reasons[reason], "no string opened it for %s",
			 breaker_reason_name(reason));
}

/* Longer lives, every event; W may leave it unticked for many timers. */
static void random_lives_agree_with_the_model(void **state)
{
	static const char events[] = "AAAAAAAAOOOOFFFNNCKSSSWWWWTTTTTTDUUIBRW";
	struct random random;
	struct twin twin;

	(void)state;
	test_random_init(&random, "lives");
	for (int life = 0; life < 20000; life++) {
		twin_init(&twin);
		memset(path, 0, sizeof(path));
		for (size_t i = 0; i < DEPTH_MAX - 1; i++) {
			path[i] = events[random_below(&random,
						      sizeof(events) - 1)];
			if (twin_apply(&twin, path[i]) && path[i] != 'W')
				twin_compare(&twin);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_string_of_events_agrees_with_the_model),
		cmocka_unit_test(random_lives_agree_with_the_model),
	};

	return cmocka_run_group_tests_name("breaker_model", tests, NULL, NULL);
}
