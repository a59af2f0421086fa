/*
 * breaker_probes.h - a few leased calls that decide whether a callee is back.
 *
 *	        +-- neutral: given back --+
 *	        v                         |
 *	     to give -- take --> lease -- settle, expire --> ok | bad
 *
 * A lease names its owner and its end, so a probe that is never reported is
 * judged by its expiry, as bad. While they are undecided, either a lease can be
 * taken or one is out and will expire: nobody waits for ever.
 *
 * Neutral ends say nothing of the callee, but not for ever: after neutral_max
 * in a row the next one is ok, for it did answer. Enough good probes recover; what
 * leaves too few for that, or any crash, fails.
 *
 * Pure, plain data; bounded by BREAKER_PROBES_MAX. Belongs to one breaker.
 */
#ifndef CUPEL_COMMON_CORE_BREAKER_PROBES_H
#define CUPEL_COMMON_CORE_BREAKER_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/breaker_limits.h"
#include "common/core/error_code.h"

struct breaker_lease {
	uint64_t call_id;
	int64_t expires_ns;
};

struct breaker_probes {
	unsigned lease_count;
	struct breaker_lease leases[BREAKER_PROBES_MAX];
	unsigned ok;
	unsigned bad;
	unsigned neutral_row;
	bool crashed;
};

enum breaker_verdict {
	BREAKER_UNDECIDED,
	BREAKER_RECOVERED,
	BREAKER_FAILED
};

/* False when every probe is out or judged. A zeroed struct is a fresh start. */
bool breaker_probes_take(struct breaker_probes *probes,
			 const struct breaker_limits *limits, uint64_t call_id,
			 int64_t now_ns);

/* A probe has ended. False, and nothing counted, when its lease ran out. */
bool breaker_probes_settle(struct breaker_probes *probes,
			   const struct breaker_limits *limits,
			   uint64_t call_id, enum outcome outcome,
			   bool crashed);

/* When the next lease ends; DEADLINE_NEVER if none is out. */
int64_t breaker_probes_next_ns(const struct breaker_probes *probes);

/* Judges the lease that ends next, which is over at now_ns, as bad. */
void breaker_probes_expire(struct breaker_probes *probes, int64_t now_ns);

enum breaker_verdict
breaker_probes_verdict(const struct breaker_probes *probes,
		       const struct breaker_limits *limits);

#endif
