#include "common/core/breaker_limits.h"

#include <stddef.h>

#include "common/core/deadline.h"
#include "common/core/window.h"

const struct breaker_limits breaker_limits_default = {
	.window_ns = 60 * NS_PER_S,
	.calls_min = 10,
	.fail_percent = 50,
	.slow_percent = 80,
	.failures_row_max = 5,
	.crashes_max = 3,
	.hung_min = 2,
	.open_first_ns = 5 * NS_PER_S,
	.open_max_ns = 60 * NS_PER_S,
	.jitter_percent = 20,
	.forget_ns = 600 * NS_PER_S,
	.probes = 3,
	.probes_ok_min = 2,
	.lease_ns = 30 * NS_PER_S,
	.neutral_max = 10,
	.ramp_percents = { 25, 50, 100 },
	.ramp_step_ns = 10 * NS_PER_S,
	.ramp_hold_percent = 25,
	.ramp_calls_min = 3,
	.isolate_ns = 3600 * NS_PER_S,
	.observe_ns = 7 * 24 * 3600 * NS_PER_S,
};

static bool is_percent(unsigned value)
{
	return value >= 1 && value <= 100;
}

bool breaker_limits_valid(const struct breaker_limits *limits)
{
	for (size_t i = 0; i < BREAKER_RAMP_STEPS; i++)
		if (!is_percent(limits->ramp_percents[i]))
			return false;
	return limits->window_ns >= WINDOW_SLOTS &&
	       limits->calls_min > 0 && limits->ramp_calls_min > 0 &&
	       is_percent(limits->fail_percent) &&
	       is_percent(limits->slow_percent) &&
	       is_percent(limits->ramp_hold_percent) &&
	       limits->failures_row_max > 0 && limits->crashes_max > 0 &&
	       limits->hung_min > 0 && limits->open_first_ns > 0 &&
	       limits->open_first_ns <= limits->open_max_ns &&
	       limits->jitter_percent < 100 && limits->forget_ns > 0 &&
	       limits->probes <= BREAKER_PROBES_MAX &&
	       limits->probes_ok_min > 0 &&
	       limits->probes_ok_min <= limits->probes &&
	       limits->lease_ns > 0 && limits->ramp_step_ns > 0 &&
	       limits->isolate_ns > 0 && limits->observe_ns > 0;
}
