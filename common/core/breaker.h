/*
 * breaker.h - stop asking a callee that keeps failing; come back with care.
 *
 *	        failing, slow, crashing or hung
 *	CLOSED ---------------------------------> OPEN <-------+
 *	  ^                                        |           |
 *	  |                                    open time       |
 *	  |                                        v           |
 *	  |                                    HALF_OPEN ------+ probes fail
 *	  |                                        |           |
 *	  |                                   probes succeed   |
 *	  |                                        v           |
 *	  +----- the last step was quiet -------- RAMP --------+ fails again
 *
 *	any state    -- pool down, or isolated by the operator --> FORCED_OPEN
 *	FORCED_OPEN  -- pool up and not isolated ----------------> HALF_OPEN
 *	any state    -- observe ---------------------------------> OBSERVE
 *	OBSERVE      -- its time is over ------------------------> CLOSED
 *	any state    -- reset -----------------------------------> CLOSED
 *
 * What holds in each state (breaker_check asserts it):
 *
 *	CLOSED       every call passes and is judged (breaker_tally.h)
 *	OPEN         no call passes; a timer ends it
 *	HALF_OPEN    only probes pass, each on a lease; a lease can be had, or one
 *	             is out and a timer runs (breaker_probes.h)
 *	RAMP         as CLOSED, at part of the concurrency, from fewer calls on;
 *	             a timer ends each step
 *	FORCED_OPEN  no call passes; the pool is down, or isolation has an end
 *	OBSERVE      every call passes; what would have opened it is counted in
 *	             trips and the counting begins anew; calls that come before
 *	             the open time is over are counted in spared; a timer ends it
 *
 * Every change of state begins a new generation and forgets what was counted.
 * A permit carries the generation that admitted it: a report from an earlier
 * one, or of a probe whose lease ran out, counts as stale and nothing else. An
 * owner that keeps a queue watches the generation: risen into OPEN, all that
 * waits is answered at once.
 *
 * Timers act at the moment they are due, however late the call that notices:
 * every function below first catches up, so the machine depends on what
 * happened and when, never on how often somebody ticked it.
 *
 * Pure, plain data, no heap. One owner per breaker, one breaker per callee
 * (tool and upstream). The pacing of a callee that answers "too many" and the
 * callee's own probe are the owner's affair. Source: M. Nygard, Release It!,
 * 2nd ed.; leases and generations answer the stuck half-open breakers reported
 * to resilience4j (#935, #2028), opossum (#276) and gobreaker (#122).
 */
#ifndef CUPEL_COMMON_CORE_BREAKER_H
#define CUPEL_COMMON_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/breaker_limits.h"
#include "common/core/breaker_probes.h"
#include "common/core/breaker_tally.h"
#include "common/core/deadline.h"
#include "common/core/error_code.h"
#include "common/core/random.h"


enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN,
	BREAKER_RAMP,
	BREAKER_FORCED_OPEN,
	BREAKER_OBSERVE,
	BREAKER_STATE_COUNT
};

enum breaker_answer {
	BREAKER_REJECTED,
	BREAKER_ADMITTED,
	BREAKER_PROBE		/* admitted, to be reported within lease_ns */
};

struct breaker_permit {
	uint64_t call_id;
	uint64_t generation;	/* 0 once reported */
	int64_t slow_at_ns;	/* from here on breaker_running_slow is due */
	bool counted_slow;	/* it was told so */
};

/* The owner reads what it likes and changes only slow_ns. */
struct breaker {
	const struct breaker_limits *limits;	/* borrowed, outlives it */
	int64_t slow_ns;	/* slow limit of calls admitted from now on */
	enum breaker_state state;
	enum breaker_reason reason;	/* why it last opened or would have */
	uint64_t generation;	/* from 1 up, with every change of state */
	int64_t since_ns;	/* of this state */
	int64_t timer_ns;	/* when time alone moves it */
	int64_t open_ns;	/* of the last or first opening, no jitter */
	bool pool_down;
	int64_t isolated_until_ns;	/* DEADLINE_NEVER: not isolated */
	int64_t observe_until_ns;
	int64_t spare_until_ns;	/* OBSERVE: it would be open until then */
	struct random random;
	struct breaker_tally tally;	/* of this generation */
	struct breaker_probes probes;	/* likewise */
	unsigned ramp_step;
	uint64_t trips;		/* openings by its own judgement */
	uint64_t rejected;
	uint64_t spared;	/* admitted, as OBSERVE rejects none */
	uint64_t stale_results;
};

/*
 * CLOSED. The limits are valid (asserted); the seed feeds the jitter; slow_ns
 * is how long a call may run before it counts as slow.
 */
void breaker_init(struct breaker *breaker, const struct breaker_limits *limits,
		  int64_t slow_ns, uint64_t seed, int64_t now_ns);

/*
 * Whether a call may go out now; ask when it is about to be sent, since the
 * slow limit counts from here. call_id names this attempt and no other. Unless
 * rejected, *ret is a permit that must be reported exactly once, whatever
 * becomes of the call. After a rejection breaker_next_ns() says when to retry.
 */
enum breaker_answer breaker_admit(struct breaker *breaker, uint64_t call_id,
				  int64_t now_ns, struct breaker_permit *ret);

/* The call still runs at permit->slow_at_ns. Counts once, and never earlier. */
void breaker_running_slow(struct breaker *breaker,
			  struct breaker_permit *permit, int64_t now_ns);

/* What time the call takes from here on is not its callee's doing. */
static inline void breaker_excuse(struct breaker_permit *permit)
{
	permit->slow_at_ns = DEADLINE_NEVER;
}

/*
 * The call has ended: outcome as error_row() gives it, crash other than NONE
 * only with OUTCOME_FAIL. The permit is spent.
 */
void breaker_report(struct breaker *breaker, struct breaker_permit *permit,
		    enum outcome outcome, enum breaker_crash crash,
		    int64_t now_ns);

/* When breaker_tick() is due, on the monotonic clock; or DEADLINE_NEVER. */
int64_t breaker_next_ns(const struct breaker *breaker);
void breaker_tick(struct breaker *breaker, int64_t now_ns);

/* How many calls may run at once, of a configured number; 0 while open. */
unsigned breaker_concurrency_max(const struct breaker *breaker,
				 unsigned configured);

/* The pool behind it cannot serve; the pool is on probation or better. */
void breaker_pool_down(struct breaker *breaker, int64_t now_ns);
void breaker_pool_up(struct breaker *breaker, int64_t now_ns);

/*
 * The operator's orders; a for_ns of 0 takes the time from the limits. While
 * the pool is down, reset and observe lift the isolation and do no more:
 * nothing can be sent anyway, and HALF_OPEN comes next.
 */
void breaker_isolate(struct breaker *breaker, int64_t for_ns, int64_t now_ns);
void breaker_observe(struct breaker *breaker, int64_t for_ns, int64_t now_ns);
void breaker_reset(struct breaker *breaker, int64_t now_ns);

/*
 * What is worth keeping of it when its owner ends, as plain numbers. What was
 * counted is not: at most it opens a little later.
 */
struct breaker_kept {
	enum breaker_state state;
	enum breaker_reason reason;
	int64_t at_ns;		/* OPEN, FORCED_OPEN: of writing; else since when */
	int64_t until_ns;	/* of these two the end, after at_ns; else 0 */
	int64_t open_ns;
};

/*
 * A pool that is down is somebody else's to tell, and to observe is ordered
 * anew: of both only the doublings are kept, as of CLOSED.
 */
void breaker_keep(const struct breaker *breaker, int64_t now_ns,
		  struct breaker_kept *ret);

/*
 * To a breaker just initialized: goes on where the other was, time having
 * passed meanwhile. Numbers from the future are of a clock that has begun
 * anew: all that was left is left from now on. Probes begin anew. False, and
 * nothing happens: no breaker kept that.
 */
bool breaker_recall(struct breaker *breaker, const struct breaker_kept *kept,
		    int64_t now_ns);

const char *breaker_state_name(enum breaker_state state);

/* Asserts what holds in the present state. */
void breaker_check(const struct breaker *breaker);

#endif
