#include "tests/support/breaker_model.h"

#include <assert.h>

/* ---- questions to the lists ---- */

static bool counts(const struct breaker_model *model,
		   const struct model_note *note)
{
	return note->era == model->era && note->at_ns >= model->period_ns;
}

/* Notes of a kind in the slots that the window still covers. */
static unsigned lately(const struct breaker_model *model, enum model_word word,
		       int64_t now_ns)
{
	int64_t slot_ns = model->limits->window_ns / 12;
	unsigned n = 0;

	for (unsigned i = 0; i < model->note_count; i++) {
		const struct model_note *note = &model->notes[i];
		int64_t slot = (note->at_ns - model->period_ns) / slot_ns;
		int64_t now_slot = (now_ns - model->period_ns) / slot_ns;

		if (note->word == word && counts(model, note) &&
		    now_slot - slot < 12)
			n++;
	}
	return n;
}

static unsigned in_era(const struct breaker_model *model, enum model_word word)
{
	unsigned n = 0;

	for (unsigned i = 0; i < model->note_count; i++)
		if (model->notes[i].word == word &&
		    model->notes[i].era == model->era)
			n++;
	return n;
}

/* How many of a kind came last, before any of the kinds that end the row. */
static unsigned row_of(const struct breaker_model *model, enum model_word word,
		       enum model_word end, enum model_word other_end)
{
	unsigned n = 0;

	for (unsigned i = model->note_count; i-- > 0;) {
		const struct model_note *note = &model->notes[i];

		if (note->era != model->era || note->word == end ||
		    note->word == other_end)
			break;
		if (note->word == word)
			n++;
	}
	return n;
}

static unsigned leases_out(const struct breaker_model *model)
{
	unsigned n = 0;

	for (unsigned i = 0; i < model->call_count; i++) {
		const struct model_call *call = &model->calls[i];

		if (call->probe && call->era == model->era && !call->ended &&
		    !call->judged)
			n++;
	}
	return n;
}

static bool all_hung(const struct breaker_model *model)
{
	unsigned running = 0;

	for (unsigned i = 0; i < model->call_count; i++) {
		const struct model_call *call = &model->calls[i];

		if (call->era != model->era || call->ended)
			continue;
		if (!call->known_slow)
			return false;
		running++;
	}
	return running >= model->limits->hung_min;
}

static bool share(unsigned part, unsigned rest, unsigned percent, unsigned min)
{
	double whole = (double)part + (double)rest;

	return whole >= min && whole > 0 && part / whole * 100 >= percent;
}

static enum breaker_reason trouble(const struct breaker_model *model,
				   int64_t now_ns)
{
	const struct breaker_limits *limits = model->limits;
	unsigned min = model->state == BREAKER_RAMP ? limits->ramp_calls_min
						    : limits->calls_min;

	if (row_of(model, WORD_BAD, WORD_GOOD, WORD_GOOD) >=
	    limits->failures_row_max)
		return BREAKER_REASON_FAILURES_ROW;
	if (lately(model, WORD_CRASH, now_ns) >= limits->crashes_max)
		return BREAKER_REASON_CRASHES;
	if (share(lately(model, WORD_BAD, now_ns),
		  lately(model, WORD_GOOD, now_ns), limits->fail_percent, min))
		return BREAKER_REASON_FAIL_RATIO;
	if (share(lately(model, WORD_SLOW, now_ns),
		  lately(model, WORD_QUICK, now_ns), limits->slow_percent, min))
		return BREAKER_REASON_SLOW_RATIO;
	if (all_hung(model))
		return BREAKER_REASON_HUNG;
	return BREAKER_REASON_NONE;
}

/* ---- changes ---- */

static void write_down(struct breaker_model *model, enum model_word word,
		       int64_t at_ns)
{
	assert(model->note_count < MODEL_NOTES_MAX);
	model->notes[model->note_count++] =
		(struct model_note){ at_ns, model->era, word };
}

static void become(struct breaker_model *model, enum breaker_state state,
		   int64_t at_ns)
{
	model->coverage->transitions[model->state][state] = true;
	model->state = state;
	model->era++;
	model->entered_ns = at_ns;
	model->period_ns = at_ns;
	model->ramp_step = 0;
	model->would_open = false;
}

static void open_for(struct breaker_model *model, enum breaker_reason reason,
		     int64_t at_ns)
{
	model->reason = reason;
	model->coverage->reasons[reason] = true;
	model->trips++;
	if (model->state == BREAKER_OBSERVE) {
		become(model, BREAKER_OBSERVE, at_ns);
		model->would_open = true;
		return;
	}
	if (model->state != BREAKER_CLOSED)
		model->doublings++;
	become(model, BREAKER_OPEN, at_ns);
}

static void look_at_calls(struct breaker_model *model, int64_t now_ns)
{
	enum breaker_reason reason = trouble(model, now_ns);

	if (reason != BREAKER_REASON_NONE)
		open_for(model, reason, now_ns);
}

static void look_at_probes(struct breaker_model *model, int64_t now_ns)
{
	unsigned may_fail = model->limits->probes -
			    model->limits->probes_ok_min;

	if (in_era(model, WORD_CRASH) || in_era(model, WORD_BAD) > may_fail)
		open_for(model, BREAKER_REASON_PROBES, now_ns);
	else if (in_era(model, WORD_GOOD) >= model->limits->probes_ok_min)
		become(model, BREAKER_RAMP, now_ns);
}

/* Both holds are looked at afresh after either has changed. */
static void look_at_holds(struct breaker_model *model, int64_t now_ns)
{
	if (model->pool_down || model->isolated) {
		model->reason = model->pool_down ? BREAKER_REASON_POOL
						 : BREAKER_REASON_OPERATOR;
		model->coverage->reasons[model->reason] = true;
		if (model->state != BREAKER_FORCED_OPEN)
			become(model, BREAKER_FORCED_OPEN, now_ns);
	} else if (model->state == BREAKER_FORCED_OPEN) {
		become(model, BREAKER_HALF_OPEN, now_ns);
	}
}

/* ---- time ---- */

static int64_t next_lease_ns(const struct breaker_model *model)
{
	int64_t next = DEADLINE_NEVER;

	for (unsigned i = 0; i < model->call_count; i++) {
		const struct model_call *call = &model->calls[i];
		int64_t end = call->sent_ns + model->limits->lease_ns;

		if (call->probe && call->era == model->era && !call->ended &&
		    !call->judged && end < next)
			next = end;
	}
	return next;
}

static int64_t open_time_ns(const struct breaker_model *model)
{
	int64_t time = model->limits->open_first_ns;

	for (unsigned i = 0; i < model->doublings; i++)
		if (time < model->limits->open_max_ns)
			time *= 2;
	return time < model->limits->open_max_ns ? time
						 : model->limits->open_max_ns;
}

int64_t model_next_ns(const struct breaker_model *model)
{
	if (model->state == BREAKER_CLOSED && model->doublings > 0)
		return model->entered_ns + model->limits->forget_ns;
	if (model->state == BREAKER_OPEN)
		return model->entered_ns + open_time_ns(model);
	if (model->state == BREAKER_HALF_OPEN)
		return next_lease_ns(model);
	if (model->state == BREAKER_RAMP)
		return model->period_ns + model->limits->ramp_step_ns;
	if (model->state == BREAKER_FORCED_OPEN && model->isolated)
		return model->isolated_until_ns;
	if (model->state == BREAKER_OBSERVE)
		return model->observe_until_ns;
	return DEADLINE_NEVER;
}

static void lose_lease(struct breaker_model *model, int64_t at_ns)
{
	for (unsigned i = 0; i < model->call_count; i++) {
		struct model_call *call = &model->calls[i];

		if (call->probe && call->era == model->era && !call->ended &&
		    !call->judged &&
		    call->sent_ns + model->limits->lease_ns == at_ns) {
			call->judged = true;
			write_down(model, WORD_BAD, at_ns);
			look_at_probes(model, at_ns);
			return;
		}
	}
	assert(!"a lease was due");
}

static void end_ramp_step(struct breaker_model *model, int64_t at_ns)
{
	if (!share(lately(model, WORD_BAD, at_ns),
		   lately(model, WORD_GOOD, at_ns),
		   model->limits->ramp_hold_percent, 1))
		model->ramp_step++;
	model->period_ns = at_ns;
	if (model->ramp_step == 3)
		become(model, BREAKER_CLOSED, at_ns);
}

static void happen(struct breaker_model *model, int64_t at_ns)
{
	if (model->state == BREAKER_CLOSED)
		model->doublings = 0;
	else if (model->state == BREAKER_OPEN)
		become(model, BREAKER_HALF_OPEN, at_ns);
	else if (model->state == BREAKER_HALF_OPEN)
		lose_lease(model, at_ns);
	else if (model->state == BREAKER_RAMP)
		end_ramp_step(model, at_ns);
	else if (model->state == BREAKER_OBSERVE)
		become(model, BREAKER_CLOSED, at_ns);
	else {
		model->isolated = false;
		look_at_holds(model, at_ns);
	}
}

void model_until(struct breaker_model *model, int64_t now_ns)
{
	while (model_next_ns(model) <= now_ns)
		happen(model, model_next_ns(model));
}

void model_init(struct breaker_model *model,
		const struct breaker_limits *limits, int64_t slow_ns,
		int64_t now_ns, struct model_coverage *coverage)
{
	*model = (struct breaker_model){ .limits = limits,
					 .coverage = coverage,
					 .slow_ns = slow_ns,
					 .era = 1,
					 .entered_ns = now_ns,
					 .period_ns = now_ns };
}

/* ---- calls ---- */

enum breaker_answer model_admit(struct breaker_model *model, int64_t now_ns)
{
	bool probe;

	model_until(model, now_ns);
	probe = model->state == BREAKER_HALF_OPEN;
	if (model->state == BREAKER_OPEN ||
	    model->state == BREAKER_FORCED_OPEN ||
	    (probe && leases_out(model) + in_era(model, WORD_GOOD) +
		      in_era(model, WORD_BAD) >= model->limits->probes)) {
		model->rejected++;
		return BREAKER_REJECTED;
	}
	if (model->would_open && now_ns - model->entered_ns < open_time_ns(model))
		model->spared++;
	assert(model->call_count < MODEL_CALLS_MAX);
	model->calls[model->call_count++] = (struct model_call){
		.sent_ns = now_ns, .era = model->era, .probe = probe };
	return probe ? BREAKER_PROBE : BREAKER_ADMITTED;
}

void model_slow(struct breaker_model *model, uint64_t id, int64_t now_ns)
{
	struct model_call *call = &model->calls[id];

	model_until(model, now_ns);
	if (call->era != model->era || call->probe || call->known_slow ||
	    now_ns - call->sent_ns < model->slow_ns)
		return;
	call->known_slow = true;
	write_down(model, WORD_SLOW, now_ns);
	look_at_calls(model, now_ns);
}

static void end_probe(struct breaker_model *model, enum outcome outcome,
		      bool slow, bool crashed, int64_t now_ns)
{
	bool patient = row_of(model, WORD_NEUTRAL, WORD_GOOD, WORD_BAD) <
		       model->limits->neutral_max;

	if (crashed)
		write_down(model, WORD_CRASH, now_ns);
	if (outcome == OUTCOME_NEUTRAL && slow)
		write_down(model, WORD_BAD, now_ns);
	else if (outcome == OUTCOME_NEUTRAL && patient)
		write_down(model, WORD_NEUTRAL, now_ns);
	else
		write_down(model,
			   outcome == OUTCOME_FAIL ? WORD_BAD : WORD_GOOD,
			   now_ns);
	look_at_probes(model, now_ns);
}

static void end_call(struct breaker_model *model, const struct model_call *call,
		     enum outcome outcome, bool unstarted, int64_t now_ns)
{
	bool slow = now_ns - call->sent_ns >= model->slow_ns;

	if (slow && !call->known_slow)
		write_down(model, WORD_SLOW, now_ns);
	if (!slow && outcome != OUTCOME_NEUTRAL)
		write_down(model, WORD_QUICK, now_ns);
	if (outcome != OUTCOME_NEUTRAL)
		write_down(model,
			   outcome == OUTCOME_OK ? WORD_GOOD : WORD_BAD,
			   now_ns);
	if (unstarted)
		write_down(model, WORD_CRASH, now_ns);
	look_at_calls(model, now_ns);
}

void model_end(struct breaker_model *model, uint64_t id, enum outcome outcome,
	       enum breaker_crash crash, int64_t now_ns)
{
	struct model_call *call = &model->calls[id];

	model_until(model, now_ns);
	call->ended = true;
	if (call->era != model->era || call->judged)
		model->stale++;
	else if (call->probe)
		end_probe(model, outcome,
			  now_ns - call->sent_ns >= model->slow_ns,
			  crash != BREAKER_CRASH_NONE, now_ns);
	else
		end_call(model, call, outcome,
			 crash == BREAKER_CRASH_NOT_STARTED, now_ns);
}

/* ---- orders ---- */

void model_pool(struct breaker_model *model, bool down, int64_t now_ns)
{
	model_until(model, now_ns);
	model->pool_down = down;
	look_at_holds(model, now_ns);
}

void model_isolate(struct breaker_model *model, int64_t now_ns)
{
	model_until(model, now_ns);
	model->isolated = true;
	model->isolated_until_ns = now_ns + model->limits->isolate_ns;
	look_at_holds(model, now_ns);
}

static void start_over(struct breaker_model *model, enum breaker_state state,
		       int64_t now_ns)
{
	model->isolated = false;
	if (model->pool_down) {
		look_at_holds(model, now_ns);
		return;
	}
	model->reason = BREAKER_REASON_NONE;
	become(model, state, now_ns);
}

void model_observe(struct breaker_model *model, int64_t now_ns)
{
	model_until(model, now_ns);
	model->observe_until_ns = now_ns + model->limits->observe_ns;
	start_over(model, BREAKER_OBSERVE, now_ns);
}

void model_reset(struct breaker_model *model, int64_t now_ns)
{
	model_until(model, now_ns);
	if (!model->pool_down)
		model->doublings = 0;
	start_over(model, BREAKER_CLOSED, now_ns);
}

unsigned model_concurrency(const struct breaker_model *model,
			   unsigned configured)
{
	static const unsigned divisor[] = { 4, 2, 1 };
	unsigned probes = model->limits->probes;

	if (model->state == BREAKER_OPEN || model->state == BREAKER_FORCED_OPEN)
		return 0;
	if (model->state == BREAKER_HALF_OPEN)
		return configured < probes ? configured : probes;
	if (model->state != BREAKER_RAMP)
		return configured;
	return (configured + divisor[model->ramp_step] - 1) /
	       divisor[model->ramp_step];
}
