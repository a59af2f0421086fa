/*
 * retry.h - whether a failed call goes out again, and when.
 *
 *	call fails -> retry_decide() -> RETRY_GO: again after the wait
 *	                             -> any other: the last real error goes back
 *
 * One layer retries, so attempts never multiply. What may be retried follows
 * from the code's row and the tool's class: a call that certainly was not
 * executed always, one that may have been only if executing it twice does no
 * harm. The wait is the policy's back-off, but no less than what the upstream
 * asked for, and none the first time that a worker died; a call whose deadline
 * cannot hold wait and median answer is not retried, since nobody would be there
 * to take the result.
 *
 * A budget bounds what retries add to the load when everything fails: one a
 * second (ten at once) plus a share of the calls, a tenth in one pool. The
 * share is held in a pot that every call pays into and that drains with a time
 * constant of 10 s, so an old flood of calls pays for no retries today. A
 * budget may stand within a wider one, a fifth of all calls: each pool keeps
 * to its own, and all of them together to that. A token is taken from both, or
 * from neither, when the retry is scheduled: one taken at the end of the wait
 * lets every waiting retry believe the budget is free (Envoy issue 30205).
 *
 * Pure; policies are constant rows, a budget has one owner. Sources: Beyer and
 * others, Site Reliability Engineering, 2016, chapter 21 (budgets, one layer);
 * RFC 9110 section 10.2.3 (Retry-After).
 */
#ifndef CUPEL_COMMON_CORE_RETRY_H
#define CUPEL_COMMON_CORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/backoff.h"
#include "common/core/bucket.h"
#include "common/core/error_code.h"

enum tool_class {
	TOOL_PURE,		/* changes nothing */
	TOOL_IDEMPOTENT,	/* twice is the same as once */
	TOOL_EFFECTFUL,
	TOOL_CLASS_COUNT
};

struct retry_policy {
	const char *name;
	unsigned retries_max;	/* attempts after the first */
	struct backoff backoff;
};

enum retry_preset {
	RETRY_CALL,		/* the router's own, for calls to workers */
	RETRY_DEFAULT,
	RETRY_LLM,
	RETRY_FILE,
	RETRY_HTTP,
	RETRY_NETWORK,
	RETRY_DATABASE,
	RETRY_TIMEOUT,
	RETRY_RESOURCE,
	RETRY_PRESET_COUNT
};

const struct retry_policy *retry_preset(enum retry_preset preset);

/* The preset of that name, or NULL. */
const struct retry_policy *retry_preset_named(const char *name);

#define RETRY_SHARE_POOL 0.1
#define RETRY_SHARE_ALL 0.2

struct retry_budget {
	struct bucket steady;
	double share;		/* of a retry that one call pays for */
	double pot;		/* retries the calls have paid for */
	int64_t pot_at_ns;
	struct retry_budget *wider;
};

/* wider outlives the budget, or is NULL: this one is nobody's part. */
void retry_budget_init(struct retry_budget *budget, double share,
		       struct retry_budget *wider, int64_t now_ns);

/* A first attempt went out; retries do not pay for retries. */
void retry_budget_call(struct retry_budget *budget, int64_t now_ns);

/* A call that has just failed. */
struct retry_call {
	enum error_code code;
	enum tool_class tool;
	bool unwanted;		/* the caller asked for no retries */
	unsigned attempts;	/* made so far, at least 1 */
	int64_t deadline_ns;
	int64_t p50_ns;		/* median service time; 0: not known */
	int64_t retry_after_ns;	/* the wait the error names; 0: it names none */
};

enum retry_verdict {
	RETRY_GO,
	RETRY_UNSAFE,		/* the code, or the code for this tool */
	RETRY_UNWANTED,
	RETRY_SPENT,		/* all attempts made */
	RETRY_TOO_LATE,		/* the deadline comes first */
	RETRY_OVER_BUDGET,
	RETRY_VERDICT_COUNT
};

/*
 * Decides; with RETRY_GO *ret_wait_ns is the wait from now and a token is
 * taken from the budget and every wider one. Otherwise none is touched.
 */
enum retry_verdict retry_decide(const struct retry_policy *policy,
				const struct retry_call *call,
				struct retry_budget *budget,
				struct random *random, int64_t now_ns,
				int64_t *ret_wait_ns);

const char *retry_verdict_name(enum retry_verdict verdict);

#endif
