#include "workers/improve/explain.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

static const char *const trend_words[] = {
	[TREND_RISING] = "rising",
	[TREND_FALLING] = "falling",
};

void explain_bottleneck(const struct bottleneck *bottleneck,
			const struct bottleneck_target *target,
			const char *metric, const char *unit, char *ret,
			size_t size)
{
	char trend[40] = "steady";

	if (bottleneck->trend != TREND_STEADY)
		snprintf(trend, sizeof(trend), "%s %.3g %%",
			 trend_words[bottleneck->trend],
			 100 * fabs(bottleneck->change));
	snprintf(ret, size,
		 "%s %.4g %s, target %.4g %s: %.3g %% %s, %s, impact %.0f; "
		 "%u samples, %s",
		 metric, bottleneck->value, unit, target->target, unit,
		 100 * fabs(bottleneck->deviation),
		 bottleneck->deviation > 0 ? "worse" : "better",
		 bottleneck_severity_name(bottleneck->severity),
		 bottleneck->impact, bottleneck->samples, trend);
}

/* Why a decision ended as it did; guards add their number. */
static const char *const because[REASON_COUNT] = {
	[REASON_NONE] = "undecided so far",
	[REASON_PROVED] = "proved",
	[REASON_NOT_SHOWN] = "no gain was shown",
	[REASON_TOO_SMALL] = "the gain is smaller than what was asked for",
	[REASON_GUARD_WORSE] = "a guard became worse: number",
	[REASON_GUARD_NOT_SHOWN] = "a hard guard was not shown to hold: number",
	[REASON_INVALID_RATES] = "one side's runs were disturbed more often",
	[REASON_DISTURBED] = "too many runs were disturbed",
	[REASON_IMPLAUSIBLE] = "the gain is implausible: a person has to look",
};

static void explain_reason(const struct decision *decision, char *ret, size_t size)
{
	bool guard = decision->reason == REASON_GUARD_WORSE ||
		     decision->reason == REASON_GUARD_NOT_SHOWN;
	char number[16] = "";

	if (guard)
		snprintf(number, sizeof(number), " %u", decision->guard + 1);
	snprintf(ret, size, "%s: %s%s", decision_verdict_name(decision->verdict),
		 because[decision->reason], number);
}

void explain_decision(const struct decision *decision, char *ret, size_t size)
{
	const struct decision_look *look = decision_latest(decision);
	double budget = 100 * decision->plan.alpha;
	char reason[128];

	explain_reason(decision, reason, sizeof(reason));
	if (decision->verdict == DECISION_ACCEPT)
		snprintf(ret, size, "better by %.3g %% (at least %.3g %% at "
			 "%.4g %%), %u pairs, false-accept budget %.3g %%",
			 100 * look->gain, 100 * look->gain_lower, 100 - budget,
			 decision->pairs, budget);
	else if (!look)
		snprintf(ret, size, "%s, after %u pairs (%u invalid)", reason,
			 decision->pairs, decision->invalid_pairs);
	else
		snprintf(ret, size, "%s; %+.3g %% (at most %+.3g %% at 95 %%), "
			 "%u pairs", reason, 100 * look->gain,
			 100 * look->gain_upper, decision->pairs);
}

/* To a tenth, so that what is advised does suffice. */
static double round_up(double value)
{
	return ceil(10 * value) / 10;
}

void explain_planning(const struct planning *planning, enum metric metric,
		      double gain, char *ret, size_t size)
{
	if (planning->possible) {
		snprintf(ret, size, "a gain of %.3g %% in %s takes about %.0f "
			 "pairs", 100 * gain, metric_name(metric),
			 ceil(planning->pairs));
		return;
	}
	if (isnan(planning->pairs)) {
		snprintf(ret, size, "how noisy %s is was not measured",
			 metric_name(metric));
		return;
	}
	snprintf(ret, size, "a gain of %.3g %% in %s would take %.0f pairs, more "
		 "than %d: run the command %.1f times as long%s, or ask for "
		 "%.1f %% or more", 100 * gain, metric_name(metric),
		 ceil(planning->pairs), SIGN_FLIP_PAIRS_MAX,
		 round_up(planning->longer),
		 planning->cpu_would_do ? ", or measure CPU time" : "",
		 round_up(100 * planning->smallest_gain));
}
