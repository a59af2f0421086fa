#include "common/core/breaker.h"

#include <assert.h>

/* ---- the life ---- */

enum event {
	EVENT_TRIP,	/* what was counted is bad */
	EVENT_RECOVER,	/* what was counted is good */
	EVENT_TIME,	/* the state's time is over */
	EVENT_FORCE,
	EVENT_RELEASE,
	EVENT_OBSERVE,
	EVENT_RESET,
	EVENT_COUNT
};

enum action {
	ACTION_IMPOSSIBLE,
	ACTION_ENTER,
	ACTION_DOUBLE,	/* the open time, then enter */
	ACTION_FORGET	/* the doublings, then enter */
};

static const struct transition {
	enum breaker_state next;
	enum action action;
} life[BREAKER_STATE_COUNT][EVENT_COUNT] = {
	[BREAKER_CLOSED] = {
		[EVENT_TRIP]    = { BREAKER_OPEN,        ACTION_ENTER },
		[EVENT_FORCE]   = { BREAKER_FORCED_OPEN, ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
	[BREAKER_OPEN] = {
		[EVENT_TIME]    = { BREAKER_HALF_OPEN,   ACTION_ENTER },
		[EVENT_FORCE]   = { BREAKER_FORCED_OPEN, ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
	[BREAKER_HALF_OPEN] = {
		[EVENT_TRIP]    = { BREAKER_OPEN,        ACTION_DOUBLE },
		[EVENT_RECOVER] = { BREAKER_RAMP,        ACTION_ENTER },
		[EVENT_FORCE]   = { BREAKER_FORCED_OPEN, ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
	[BREAKER_RAMP] = {
		[EVENT_TRIP]    = { BREAKER_OPEN,        ACTION_DOUBLE },
		[EVENT_RECOVER] = { BREAKER_CLOSED,      ACTION_ENTER },
		[EVENT_FORCE]   = { BREAKER_FORCED_OPEN, ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
	[BREAKER_FORCED_OPEN] = {
		[EVENT_RELEASE] = { BREAKER_HALF_OPEN,   ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
	[BREAKER_OBSERVE] = {
		[EVENT_TRIP]    = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_TIME]    = { BREAKER_CLOSED,      ACTION_ENTER },
		[EVENT_FORCE]   = { BREAKER_FORCED_OPEN, ACTION_ENTER },
		[EVENT_OBSERVE] = { BREAKER_OBSERVE,     ACTION_ENTER },
		[EVENT_RESET]   = { BREAKER_CLOSED,      ACTION_FORGET },
	},
};

/* Jitter is drawn below the cap, not cut at it, lest breakers meet there. */
static int64_t open_time(struct breaker *breaker)
{
	const struct breaker_limits *limits = breaker->limits;
	int64_t spread = breaker->open_ns / 100 * limits->jitter_percent;
	int64_t least = breaker->open_ns - spread;
	int64_t most = breaker->open_ns + spread;

	if (most > limits->open_max_ns)
		most = limits->open_max_ns;
	return least + (int64_t)random_below(&breaker->random,
					     (uint64_t)(most - least) + 1);
}

/* When a state just entered ends by itself; a lease brings its own time. */
static int64_t first_timer(struct breaker *breaker, int64_t at_ns)
{
	const struct breaker_limits *limits = breaker->limits;

	switch (breaker->state) {
	case BREAKER_CLOSED:
		return breaker->open_ns > limits->open_first_ns ?
		       at_ns + limits->forget_ns : DEADLINE_NEVER;
	case BREAKER_OPEN:
		return at_ns + open_time(breaker);
	case BREAKER_RAMP:
		return at_ns + limits->ramp_step_ns;
	case BREAKER_FORCED_OPEN:
		return breaker->isolated_until_ns;
	case BREAKER_OBSERVE:
		return breaker->observe_until_ns;
	case BREAKER_HALF_OPEN:
	case BREAKER_STATE_COUNT:
		break;
	}
	return DEADLINE_NEVER;
}

/* The only place where the state changes. */
static void enter(struct breaker *breaker, enum breaker_state state, int64_t at_ns)
{
	breaker->state = state;
	breaker->generation++;
	breaker->since_ns = at_ns;
	breaker_tally_init(&breaker->tally, breaker->limits->window_ns, at_ns);
	breaker->probes = (struct breaker_probes){ 0 };
	breaker->ramp_step = 0;
	breaker->timer_ns = first_timer(breaker, at_ns);
}

static void step(struct breaker *breaker, enum event event, int64_t at_ns)
{
	const struct breaker_limits *limits = breaker->limits;
	const struct transition *t = &life[breaker->state][event];

	assert(t->action != ACTION_IMPOSSIBLE);
	if (t->action == ACTION_FORGET)
		breaker->open_ns = limits->open_first_ns;
	if (t->action == ACTION_DOUBLE)
		breaker->open_ns = breaker->open_ns > limits->open_max_ns / 2 ?
				   limits->open_max_ns : breaker->open_ns * 2;
	enter(breaker, t->next, at_ns);
	breaker_check(breaker);
}

static void trip(struct breaker *breaker, enum breaker_reason reason,
		 int64_t at_ns)
{
	breaker->reason = reason;
	breaker->trips++;
	if (breaker->state == BREAKER_OBSERVE)
		breaker->spare_until_ns = at_ns + open_time(breaker);
	step(breaker, EVENT_TRIP, at_ns);
}

/* Enters or leaves FORCED_OPEN as pool and operator together command. */
static void obey(struct breaker *breaker, int64_t at_ns)
{
	bool isolated = breaker->isolated_until_ns != DEADLINE_NEVER;
	bool forced = breaker->state == BREAKER_FORCED_OPEN;

	if (!breaker->pool_down && !isolated) {
		if (forced)
			step(breaker, EVENT_RELEASE, at_ns);
		return;
	}
	breaker->reason = breaker->pool_down ? BREAKER_REASON_POOL :
					       BREAKER_REASON_OPERATOR;
	if (forced)
		breaker->timer_ns = breaker->isolated_until_ns;
	else
		step(breaker, EVENT_FORCE, at_ns);
}

/* ---- judging ---- */

static void judge_calls(struct breaker *breaker, int64_t at_ns)
{
	const struct breaker_limits *limits = breaker->limits;
	unsigned calls_min = breaker->state == BREAKER_RAMP ?
			     limits->ramp_calls_min : limits->calls_min;
	enum breaker_reason reason = breaker_tally_verdict(
		&breaker->tally, limits, calls_min, at_ns);

	if (reason != BREAKER_REASON_NONE)
		trip(breaker, reason, at_ns);
}

static void judge_probes(struct breaker *breaker, int64_t at_ns)
{
	switch (breaker_probes_verdict(&breaker->probes, breaker->limits)) {
	case BREAKER_UNDECIDED:
		breaker->timer_ns = breaker_probes_next_ns(&breaker->probes);
		break;
	case BREAKER_RECOVERED:
		step(breaker, EVENT_RECOVER, at_ns);
		break;
	case BREAKER_FAILED:
		trip(breaker, BREAKER_REASON_PROBES, at_ns);
		break;
	}
}

/* ---- time ---- */

static void on_time_closed(struct breaker *breaker, int64_t at_ns)
{
	(void)at_ns;
	breaker->open_ns = breaker->limits->open_first_ns;
	breaker->timer_ns = DEADLINE_NEVER;
}

static void on_time_over(struct breaker *breaker, int64_t at_ns)
{
	step(breaker, EVENT_TIME, at_ns);
}

static void on_time_half_open(struct breaker *breaker, int64_t at_ns)
{
	breaker_probes_expire(&breaker->probes, at_ns);
	judge_probes(breaker, at_ns);
}

/* A step in which too much failed is repeated; its counts do not outlive it. */
static void on_time_ramp(struct breaker *breaker, int64_t at_ns)
{
	const struct breaker_limits *limits = breaker->limits;

	if (!breaker_tally_fails(&breaker->tally, limits->ramp_hold_percent, 1,
				 at_ns))
		breaker->ramp_step++;
	if (breaker->ramp_step == BREAKER_RAMP_STEPS) {
		step(breaker, EVENT_RECOVER, at_ns);
		return;
	}
	breaker_tally_clear_window(&breaker->tally, at_ns);
	breaker->timer_ns = at_ns + limits->ramp_step_ns;
}

static void on_time_forced_open(struct breaker *breaker, int64_t at_ns)
{
	breaker->isolated_until_ns = DEADLINE_NEVER;
	obey(breaker, at_ns);
}

static void (*const on_time[BREAKER_STATE_COUNT])(struct breaker *, int64_t) = {
	[BREAKER_CLOSED]      = on_time_closed,
	[BREAKER_OPEN]        = on_time_over,
	[BREAKER_HALF_OPEN]   = on_time_half_open,
	[BREAKER_RAMP]        = on_time_ramp,
	[BREAKER_FORCED_OPEN] = on_time_forced_open,
	[BREAKER_OBSERVE]     = on_time_over,
};

void breaker_tick(struct breaker *breaker, int64_t now_ns)
{
	while (now_ns >= breaker->timer_ns)
		on_time[breaker->state](breaker, breaker->timer_ns);
}

int64_t breaker_next_ns(const struct breaker *breaker)
{
	return breaker->timer_ns;
}

void breaker_init(struct breaker *breaker, const struct breaker_limits *limits,
		  int64_t slow_ns, uint64_t seed, int64_t now_ns)
{
	assert(breaker_limits_valid(limits));
	*breaker = (struct breaker){
		.limits = limits,
		.slow_ns = slow_ns,
		.generation = 1,
		.since_ns = now_ns,
		.timer_ns = DEADLINE_NEVER,
		.open_ns = limits->open_first_ns,
		.isolated_until_ns = DEADLINE_NEVER,
	};
	random_init(&breaker->random, seed);
	breaker_tally_init(&breaker->tally, limits->window_ns, now_ns);
}

/* ---- calls ---- */

static bool passes(const struct breaker *breaker)
{
	return breaker->state != BREAKER_OPEN &&
	       breaker->state != BREAKER_FORCED_OPEN;
}

static enum breaker_answer admit(struct breaker *breaker, uint64_t call_id,
				 int64_t now_ns)
{
	if (!passes(breaker))
		return BREAKER_REJECTED;
	if (breaker->state != BREAKER_HALF_OPEN) {
		breaker_tally_start(&breaker->tally);
		breaker->spared += breaker->state == BREAKER_OBSERVE &&
				   now_ns < breaker->spare_until_ns;
		return BREAKER_ADMITTED;
	}
	if (!breaker_probes_take(&breaker->probes, breaker->limits, call_id,
				 now_ns))
		return BREAKER_REJECTED;
	breaker->timer_ns = breaker_probes_next_ns(&breaker->probes);
	return BREAKER_PROBE;
}

enum breaker_answer breaker_admit(struct breaker *breaker, uint64_t call_id,
				  int64_t now_ns, struct breaker_permit *ret)
{
	enum breaker_answer answer;

	breaker_tick(breaker, now_ns);
	answer = admit(breaker, call_id, now_ns);
	if (answer == BREAKER_REJECTED)
		breaker->rejected++;
	else
		*ret = (struct breaker_permit){
			.call_id = call_id,
			.generation = breaker->generation,
			.slow_at_ns = now_ns + breaker->slow_ns,
		};
	return answer;
}

void breaker_running_slow(struct breaker *breaker,
			  struct breaker_permit *permit, int64_t now_ns)
{
	assert(permit->generation != 0);
	breaker_tick(breaker, now_ns);
	if (permit->counted_slow || now_ns < permit->slow_at_ns ||
	    permit->generation != breaker->generation ||
	    breaker->state == BREAKER_HALF_OPEN)
		return;
	permit->counted_slow = true;
	breaker_tally_slow(&breaker->tally, now_ns);
	judge_calls(breaker, now_ns);
}

/* Given up on past its slow limit, a probe has not answered: it failed. */
static void report_probe(struct breaker *breaker, uint64_t call_id,
			 struct breaker_end end, int64_t now_ns)
{
	if (end.outcome == OUTCOME_NEUTRAL && end.slow)
		end.outcome = OUTCOME_FAIL;
	if (breaker_probes_settle(&breaker->probes, breaker->limits, call_id,
				  end.outcome, end.crash != BREAKER_CRASH_NONE))
		judge_probes(breaker, now_ns);
	else
		breaker->stale_results++;
}

void breaker_report(struct breaker *breaker, struct breaker_permit *permit,
		    enum outcome outcome, enum breaker_crash crash,
		    int64_t now_ns)
{
	struct breaker_end end = {
		.outcome = outcome,
		.crash = crash,
		.slow = now_ns >= permit->slow_at_ns,
		.counted_slow = permit->counted_slow,
	};

	assert(permit->generation != 0);
	assert(crash == BREAKER_CRASH_NONE || outcome == OUTCOME_FAIL);
	breaker_tick(breaker, now_ns);
	if (permit->generation != breaker->generation) {
		breaker->stale_results++;
	} else if (breaker->state == BREAKER_HALF_OPEN) {
		report_probe(breaker, permit->call_id, end, now_ns);
	} else {
		breaker_tally_end(&breaker->tally, &end, now_ns);
		judge_calls(breaker, now_ns);
	}
	permit->generation = 0;
}

unsigned breaker_concurrency_max(const struct breaker *breaker,
				 unsigned configured)
{
	const struct breaker_limits *limits = breaker->limits;
	uint64_t percent = 100;

	if (!passes(breaker))
		return 0;
	if (breaker->state == BREAKER_HALF_OPEN && configured > limits->probes)
		return limits->probes;
	if (breaker->state == BREAKER_RAMP)
		percent = limits->ramp_percents[breaker->ramp_step];
	return (unsigned)((configured * percent + 99) / 100);
}

/* ---- orders ---- */

void breaker_pool_down(struct breaker *breaker, int64_t now_ns)
{
	breaker_tick(breaker, now_ns);
	breaker->pool_down = true;
	obey(breaker, now_ns);
}

void breaker_pool_up(struct breaker *breaker, int64_t now_ns)
{
	breaker_tick(breaker, now_ns);
	breaker->pool_down = false;
	obey(breaker, now_ns);
}

void breaker_isolate(struct breaker *breaker, int64_t for_ns, int64_t now_ns)
{
	breaker_tick(breaker, now_ns);
	breaker->isolated_until_ns =
		now_ns + (for_ns ? for_ns : breaker->limits->isolate_ns);
	obey(breaker, now_ns);
}

/* Reset or observe: the operator's earlier word, isolation, is taken back. */
static void restart(struct breaker *breaker, enum event event, int64_t now_ns)
{
	breaker->isolated_until_ns = DEADLINE_NEVER;
	if (breaker->pool_down) {
		obey(breaker, now_ns);
		return;
	}
	breaker->reason = BREAKER_REASON_NONE;
	step(breaker, event, now_ns);
}

void breaker_observe(struct breaker *breaker, int64_t for_ns, int64_t now_ns)
{
	breaker_tick(breaker, now_ns);
	breaker->observe_until_ns =
		now_ns + (for_ns ? for_ns : breaker->limits->observe_ns);
	breaker->spare_until_ns = now_ns;
	restart(breaker, EVENT_OBSERVE, now_ns);
}

void breaker_reset(struct breaker *breaker, int64_t now_ns)
{
	breaker_tick(breaker, now_ns);
	restart(breaker, EVENT_RESET, now_ns);
}

/* ---- keeping ---- */

void breaker_keep(const struct breaker *breaker, int64_t now_ns,
		  struct breaker_kept *ret)
{
	bool isolated = breaker->isolated_until_ns != DEADLINE_NEVER;

	*ret = (struct breaker_kept){
		.state = breaker->state, .reason = breaker->reason,
		.at_ns = breaker->since_ns, .open_ns = breaker->open_ns };
	if (breaker->state == BREAKER_OPEN || isolated) {
		ret->at_ns = now_ns;
		ret->until_ns = breaker->timer_ns;
	} else if (breaker->state == BREAKER_FORCED_OPEN ||
		   breaker->state == BREAKER_OBSERVE) {
		ret->state = BREAKER_CLOSED;
		ret->reason = BREAKER_REASON_NONE;
	}
}

static bool is_timed(const struct breaker_kept *kept)
{
	return kept->state == BREAKER_OPEN || kept->state == BREAKER_FORCED_OPEN;
}

static bool is_kept(const struct breaker_kept *kept)
{
	return (unsigned)kept->state < BREAKER_STATE_COUNT &&
	       kept->state != BREAKER_OBSERVE &&
	       (unsigned)kept->reason < BREAKER_REASON_COUNT &&
	       kept->at_ns >= 0 && kept->open_ns >= 0 &&
	       (!is_timed(kept) || (kept->until_ns > kept->at_ns &&
				    kept->until_ns != DEADLINE_NEVER));
}

/* The limits may have changed. */
static int64_t within(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

bool breaker_recall(struct breaker *breaker, const struct breaker_kept *kept,
		    int64_t now_ns)
{
	const struct breaker_limits *limits = breaker->limits;
	int64_t left_ns, at_ns;

	assert(breaker->state == BREAKER_CLOSED && !breaker->pool_down);
	if (!is_kept(kept))
		return false;
	left_ns = is_timed(kept) ? kept->until_ns - kept->at_ns : 0;
	at_ns = kept->at_ns < now_ns ? kept->at_ns : now_ns;
	breaker->open_ns = within(kept->open_ns, limits->open_first_ns,
				  limits->open_max_ns);
	breaker->reason = kept->reason;
	if (kept->state == BREAKER_FORCED_OPEN)
		breaker->isolated_until_ns = at_ns + left_ns;
	enter(breaker, kept->state, at_ns);
	if (kept->state == BREAKER_OPEN)
		breaker->timer_ns = at_ns + within(left_ns, 1, limits->open_max_ns);
	breaker_check(breaker);
	breaker_tick(breaker, now_ns);
	return true;
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[BREAKER_STATE_COUNT] = {
		"closed", "open", "half_open", "ramp", "forced_open", "observe",
	};

	assert((unsigned)state < BREAKER_STATE_COUNT);
	return names[state];
}

/* ---- what holds ---- */

static void check_state(const struct breaker *breaker)
{
	const struct breaker_limits *limits = breaker->limits;
	const struct breaker_probes *probes = &breaker->probes;
	int64_t lasts_ns = breaker->timer_ns - breaker->since_ns;

	switch (breaker->state) {
	case BREAKER_OPEN:
		assert(lasts_ns <= limits->open_max_ns);
		break;
	case BREAKER_HALF_OPEN:
		assert(breaker->timer_ns == breaker_probes_next_ns(probes));
		assert(breaker_probes_verdict(probes, limits) ==
		       BREAKER_UNDECIDED);
		assert(probes->lease_count > 0 ||
		       probes->ok + probes->bad < limits->probes);
		break;
	case BREAKER_RAMP:
		assert(breaker->timer_ns != DEADLINE_NEVER);
		assert(breaker->ramp_step < BREAKER_RAMP_STEPS);
		break;
	case BREAKER_FORCED_OPEN:
		assert(breaker->timer_ns == breaker->isolated_until_ns);
		break;
	case BREAKER_OBSERVE:
		assert(breaker->timer_ns == breaker->observe_until_ns);
		break;
	case BREAKER_CLOSED:
	case BREAKER_STATE_COUNT:
		break;
	}
}

void breaker_check(const struct breaker *breaker)
{
	const struct breaker_limits *limits = breaker->limits;
	bool isolated = breaker->isolated_until_ns != DEADLINE_NEVER;

	assert((unsigned)breaker->state < BREAKER_STATE_COUNT);
	assert(breaker->timer_ns > breaker->since_ns);
	assert(breaker->open_ns >= limits->open_first_ns);
	assert(breaker->open_ns <= limits->open_max_ns);
	assert((breaker->state == BREAKER_FORCED_OPEN) ==
	       (breaker->pool_down || isolated));
	assert(breaker->tally.running_slow <= breaker->tally.running);
	assert(passes(breaker) || breaker->tally.running == 0);
	assert(breaker->state == BREAKER_HALF_OPEN ||
	       breaker->probes.lease_count == 0);
	check_state(breaker);
}
