/*
 * schedule_core.h - when the next campaign over a workspace begins.
 *
 *	due -- idle, little load --> runs -- done ----> due: every, later by jitter
 *	 ^ |                          | |
 *	 | +-- busy or loaded: look   | +-- failed ---> due: every doubled for each
 *	 |     again, due stays       |     failure in a row, a day at most
 *	 +----- refused: in a moment -+
 *
 * Counted from start to start. What was missed, by a machine that was off or by
 * a campaign that took too long, is one run and not many. Times are of the wall
 * clock, as they outlive a boot; one that was set back delays by a period at
 * most. Pure: clock, load and randomness are the caller's.
 */
#ifndef CUPEL_SUPERVISOR_CLI_SCHEDULE_CORE_H
#define CUPEL_SUPERVISOR_CLI_SCHEDULE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/error_code.h"
#include "common/core/random.h"

#define SCHEDULE_PERIOD_MOST_NS INT64_C(86400000000000)	/* by failures alone */

struct schedule_terms {
	int64_t every_ns;	/* more than 0 */
	int64_t jitter_ns;	/* up to so much later, each time anew */
	double load_most;	/* processes that run or wait, a processor */
};

struct schedule {
	int64_t due_ns;		/* 0: at once */
	int64_t began_ns, ended_ns;	/* of the last one; it runs while began is later */
	unsigned failures;	/* in a row */
};

/* What there is to be seen at a moment. */
struct schedule_sight {
	int64_t now_ns;
	unsigned in_flight;	/* calls of anybody */
	double load;		/* as load_most */
};

enum schedule_word { SCHEDULE_START, SCHEDULE_EARLY, SCHEDULE_BUSY, SCHEDULE_LOADED };

/* Whether to begin now; if not, ret_look_ns is when to look again. */
enum schedule_word schedule_decide(struct schedule *schedule,
				   const struct schedule_terms *terms,
				   const struct schedule_sight *sight,
				   int64_t *ret_look_ns);

void schedule_begin(struct schedule *schedule, int64_t now_ns);

enum schedule_end {
	SCHEDULE_DONE,		/* whether or not something was found */
	SCHEDULE_FAILED,
	SCHEDULE_REFUSED,	/* for now, before it did anything */
	SCHEDULE_CUT,		/* by whoever ended the schedule: due as it was */
};

/* What is known of a campaign's call that brought no report. */
struct schedule_call {
	enum error_code code;
	enum error_origin origin;
	bool cancelled;		/* by whoever ended the schedule */
	bool accepted;		/* a worker took it */
	bool begun;		/* and told of a first step */
};

/*
 * How the campaign ended. Refused is what nobody took, and what a worker took
 * and did not begin as somebody else is at it: to try again costs nothing. That
 * no supervisor is to be had is a failure, and so is whatever ended on the way,
 * however transient: it would be done all over.
 */
enum schedule_end schedule_end_of(const struct schedule_call *call);

void schedule_end(struct schedule *schedule, const struct schedule_terms *terms,
		  enum schedule_end end, int64_t now_ns, struct random *random);

/* After its process has come back: a campaign that was killed with it has failed. */
void schedule_resume(struct schedule *schedule, const struct schedule_terms *terms,
		     int64_t now_ns, struct random *random);

#endif
