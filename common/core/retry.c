#include "common/core/retry.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/core/deadline.h"

#define RETRY_AFTER_LEAST_NS (100 * NS_PER_MS)
#define RETRY_AFTER_MOST_NS (120 * NS_PER_S)

#define BUDGET_PER_S 1
#define BUDGET_BURST 10
#define BUDGET_WINDOW_NS (10 * NS_PER_S)

/* base and cap in milliseconds; jitter in percent of the nominal delay */
#define ROW(name, retries, base, cap, least, most)                            \
	{ name, retries, { (base) * NS_PER_MS, (cap) * NS_PER_MS, least, most } }

static const struct retry_policy presets[RETRY_PRESET_COUNT] = {
	[RETRY_CALL]     = ROW("call",     2,   50,  2000,  0, 100),
	[RETRY_DEFAULT]  = ROW("default",  3, 1000, 60000, 75, 125),
	[RETRY_LLM]      = ROW("llm",      3, 2000, 60000, 75, 125),
	[RETRY_FILE]     = ROW("file",     2,  500, 60000, 75, 125),
	[RETRY_HTTP]     = ROW("http",     3,  500,  2000, 75, 125),
	[RETRY_NETWORK]  = ROW("network",  5, 1000, 30000, 75, 125),
	[RETRY_DATABASE] = ROW("database", 3,  500, 10000, 75, 125),
	[RETRY_TIMEOUT]  = ROW("timeout",  2, 2000, 20000, 75, 125),
	[RETRY_RESOURCE] = ROW("resource", 4, 1000, 60000, 75, 125),
};

const struct retry_policy *retry_preset(enum retry_preset preset)
{
	assert((unsigned)preset < RETRY_PRESET_COUNT);
	return &presets[preset];
}

const struct retry_policy *retry_preset_named(const char *name)
{
	for (int i = 0; i < RETRY_PRESET_COUNT; i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

void retry_budget_init(struct retry_budget *budget, double share,
		       struct retry_budget *wider, int64_t now_ns)
{
	*budget = (struct retry_budget){ .share = share, .pot_at_ns = now_ns,
					 .wider = wider };
	bucket_init(&budget->steady, BUDGET_PER_S, NS_PER_S, BUDGET_BURST,
		    now_ns);
}

static void drain_pot(struct retry_budget *budget, int64_t now_ns)
{
	double elapsed = (double)(now_ns - budget->pot_at_ns);

	if (elapsed <= 0)
		return;
	budget->pot *= exp(-elapsed / (double)BUDGET_WINDOW_NS);
	budget->pot_at_ns = now_ns;
}

void retry_budget_call(struct retry_budget *budget, int64_t now_ns)
{
	for (; budget; budget = budget->wider) {
		drain_pot(budget, now_ns);
		budget->pot += budget->share;
	}
}

static bool has_token(struct retry_budget *budget, int64_t now_ns)
{
	drain_pot(budget, now_ns);
	return budget->pot >= 1 || bucket_next_ns(&budget->steady, 1) <= now_ns;
}

static bool budget_take(struct retry_budget *budget, int64_t now_ns)
{
	for (struct retry_budget *b = budget; b; b = b->wider)
		if (!has_token(b, now_ns))
			return false;
	for (; budget; budget = budget->wider)
		if (!bucket_take(&budget->steady, 1, now_ns))
			budget->pot -= 1;
	return true;
}

/*
 * An overload that names a time has refused the call instead of trying it,
 * so even an effect may be asked for again; one that names none may have run
 * out half-way. What else may be retried "later" needs the caller to do
 * something first.
 */
static bool safe(const struct retry_call *call)
{
	const struct error_row *row = error_row((int)call->code);

	switch (row->retry) {
	case RETRY_ALWAYS:
		return true;
	case RETRY_BY_CLASS:
		return call->tool != TOOL_EFFECTFUL;
	case RETRY_LATER:
		if (row->class != ERROR_CLASS_OVERLOAD)
			return false;
		return call->tool != TOOL_EFFECTFUL || call->retry_after_ns > 0;
	case RETRY_NEVER:
		break;
	}
	return false;
}

/* What the error asks for, within reason: upstreams name 0 and name hours. */
static int64_t floor_ns(int64_t retry_after_ns)
{
	if (retry_after_ns <= 0)
		return 0;
	if (retry_after_ns < RETRY_AFTER_LEAST_NS)
		return RETRY_AFTER_LEAST_NS;
	if (retry_after_ns > RETRY_AFTER_MOST_NS)
		return RETRY_AFTER_MOST_NS;
	return retry_after_ns;
}

/* A dead worker is no busy upstream: another may have the call at once, once. */
static int64_t wait_ns(const struct retry_policy *policy,
		       const struct retry_call *call, struct random *random)
{
	bool crashed = call->code == ERROR_CRASH_NOT_STARTED ||
		       call->code == ERROR_CRASH_OUTCOME_UNKNOWN;

	return crashed && call->attempts == 1 ? 0 :
	       backoff_delay_ns(&policy->backoff, call->attempts - 1, random);
}

enum retry_verdict retry_decide(const struct retry_policy *policy,
				const struct retry_call *call,
				struct retry_budget *budget,
				struct random *random, int64_t now_ns,
				int64_t *ret_wait_ns)
{
	assert(call->attempts > 0);
	if (!safe(call))
		return RETRY_UNSAFE;
	if (call->unwanted)
		return RETRY_UNWANTED;
	if (call->attempts > policy->retries_max)
		return RETRY_SPENT;

	int64_t wait = wait_ns(policy, call, random);
	int64_t floor = floor_ns(call->retry_after_ns);

	if (wait < floor)
		wait = floor;
	if (deadline_remaining(call->deadline_ns, now_ns) < wait + call->p50_ns)
		return RETRY_TOO_LATE;
	if (!budget_take(budget, now_ns))
		return RETRY_OVER_BUDGET;
	*ret_wait_ns = wait;
	return RETRY_GO;
}

const char *retry_verdict_name(enum retry_verdict verdict)
{
	static const char *const names[RETRY_VERDICT_COUNT] = {
		"go", "unsafe", "unwanted", "spent", "too late", "over budget",
	};

	assert((unsigned)verdict < RETRY_VERDICT_COUNT);
	return names[verdict];
}
