/*
 * breaker_tally.h - what a breaker has seen of its callee, and what it thinks.
 *
 * Every call is asked two independent questions, each answered once:
 *
 *	did it work?	OK or FAIL, when it ends; a NEUTRAL end says nothing
 *	was it quick?	slow as soon as it runs past its slow limit, ended or
 *			not and however it ends; quick when it ends before
 *
 * so a callee that hangs is seen while it hangs. A tally belongs to one breaker
 * and lives for one generation. Pure, plain data, O(1).
 */
#ifndef CUPEL_COMMON_CORE_BREAKER_TALLY_H
#define CUPEL_COMMON_CORE_BREAKER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/breaker_limits.h"
#include "common/core/error_code.h"
#include "common/core/window.h"

/* Why a breaker opened, for the caller's error and the operator's status. */
enum breaker_reason {
	BREAKER_REASON_NONE,
	BREAKER_REASON_FAILURES_ROW,
	BREAKER_REASON_FAIL_RATIO,
	BREAKER_REASON_SLOW_RATIO,
	BREAKER_REASON_CRASHES,
	BREAKER_REASON_HUNG,
	BREAKER_REASON_PROBES,
	BREAKER_REASON_POOL,
	BREAKER_REASON_OPERATOR,
	BREAKER_REASON_COUNT
};

/* Whether the worker died under the call, and if so, before it accepted it. */
enum breaker_crash {
	BREAKER_CRASH_NONE,
	BREAKER_CRASH_NOT_STARTED,
	BREAKER_CRASH_STARTED
};

struct breaker_tally {
	struct window window;
	unsigned failures_row;
	unsigned running;
	unsigned running_slow;	/* of them, counted as slow already */
};

struct breaker_end {
	enum outcome outcome;
	enum breaker_crash crash;	/* other than NONE only with FAIL */
	bool slow;			/* it ran past its slow limit */
	bool counted_slow;		/* and breaker_tally_slow was told */
};

void breaker_tally_init(struct breaker_tally *tally, int64_t window_ns,
			int64_t now_ns);

/* A call goes out, is found running past its slow limit, has ended. */
void breaker_tally_start(struct breaker_tally *tally);
void breaker_tally_slow(struct breaker_tally *tally, int64_t now_ns);
void breaker_tally_end(struct breaker_tally *tally,
		       const struct breaker_end *end, int64_t now_ns);

/* Forgets the window, not the calls that run or the failures in a row. */
void breaker_tally_clear_window(struct breaker_tally *tally, int64_t now_ns);

/* Why the callee should not be asked, or BREAKER_REASON_NONE. */
enum breaker_reason breaker_tally_verdict(struct breaker_tally *tally,
					  const struct breaker_limits *limits,
					  unsigned calls_min, int64_t now_ns);

/* Whether at least percent of at least calls_min calls in the window failed. */
bool breaker_tally_fails(struct breaker_tally *tally, unsigned percent,
			 unsigned calls_min, int64_t now_ns);

const char *breaker_reason_name(enum breaker_reason reason);

#endif
