#include "common/core/breaker_tally.h"

#include <assert.h>

enum class {
	CLASS_OK,
	CLASS_FAIL,
	CLASS_QUICK,
	CLASS_SLOW,
	CLASS_CRASH,		/* before the call was accepted */
	CLASS_COUNT
};
_Static_assert(CLASS_COUNT <= WINDOW_CLASSES, "the window is too narrow");

void breaker_tally_init(struct breaker_tally *tally, int64_t window_ns,
			int64_t now_ns)
{
	*tally = (struct breaker_tally){ 0 };
	window_init(&tally->window, window_ns / WINDOW_SLOTS, now_ns);
}

void breaker_tally_clear_window(struct breaker_tally *tally, int64_t now_ns)
{
	window_init(&tally->window, tally->window.slot_ns, now_ns);
}

void breaker_tally_start(struct breaker_tally *tally)
{
	tally->running++;
}

void breaker_tally_slow(struct breaker_tally *tally, int64_t now_ns)
{
	tally->running_slow++;
	window_count(&tally->window, CLASS_SLOW, now_ns);
}

void breaker_tally_end(struct breaker_tally *tally,
		       const struct breaker_end *end, int64_t now_ns)
{
	struct window *window = &tally->window;

	assert(tally->running > 0);
	tally->running--;
	if (end->counted_slow)
		tally->running_slow--;
	else if (end->slow)
		window_count(window, CLASS_SLOW, now_ns);
	else if (end->outcome != OUTCOME_NEUTRAL)
		window_count(window, CLASS_QUICK, now_ns);

	if (end->outcome == OUTCOME_OK) {
		tally->failures_row = 0;
		window_count(window, CLASS_OK, now_ns);
	} else if (end->outcome == OUTCOME_FAIL) {
		tally->failures_row++;
		window_count(window, CLASS_FAIL, now_ns);
	}
	if (end->crash == BREAKER_CRASH_NOT_STARTED)
		window_count(window, CLASS_CRASH, now_ns);
}

/* Whether part makes up percent of part and rest, and both are enough. */
static bool reached(uint64_t part, uint64_t rest, unsigned percent,
		    unsigned whole_min)
{
	uint64_t whole = part + rest;

	return whole >= whole_min && part * 100 >= whole * percent;
}

bool breaker_tally_fails(struct breaker_tally *tally, unsigned percent,
			 unsigned calls_min, int64_t now_ns)
{
	return reached(window_total(&tally->window, CLASS_FAIL, now_ns),
		       window_total(&tally->window, CLASS_OK, now_ns),
		       percent, calls_min);
}

static bool slows(struct breaker_tally *tally, unsigned percent,
		  unsigned calls_min, int64_t now_ns)
{
	return reached(window_total(&tally->window, CLASS_SLOW, now_ns),
		       window_total(&tally->window, CLASS_QUICK, now_ns),
		       percent, calls_min);
}

enum breaker_reason breaker_tally_verdict(struct breaker_tally *tally,
					  const struct breaker_limits *limits,
					  unsigned calls_min, int64_t now_ns)
{
	if (tally->failures_row >= limits->failures_row_max)
		return BREAKER_REASON_FAILURES_ROW;
	if (window_total(&tally->window, CLASS_CRASH, now_ns) >=
	    limits->crashes_max)
		return BREAKER_REASON_CRASHES;
	if (breaker_tally_fails(tally, limits->fail_percent, calls_min, now_ns))
		return BREAKER_REASON_FAIL_RATIO;
	if (slows(tally, limits->slow_percent, calls_min, now_ns))
		return BREAKER_REASON_SLOW_RATIO;
	if (tally->running >= limits->hung_min &&
	    tally->running_slow == tally->running)
		return BREAKER_REASON_HUNG;
	return BREAKER_REASON_NONE;
}

const char *breaker_reason_name(enum breaker_reason reason)
{
	static const char *const names[BREAKER_REASON_COUNT] = {
		"none", "failures_in_a_row", "fail_ratio", "slow_ratio",
		"crashes", "hung", "probes_failed", "pool_down", "isolated",
	};

	assert((unsigned)reason < BREAKER_REASON_COUNT);
	return names[reason];
}
