#include "common/core/breaker_probes.h"

#include <assert.h>
#include <stddef.h>

#include "common/core/deadline.h"

bool breaker_probes_take(struct breaker_probes *probes,
			 const struct breaker_limits *limits, uint64_t call_id,
			 int64_t now_ns)
{
	if (probes->lease_count + probes->ok + probes->bad >= limits->probes)
		return false;
	probes->leases[probes->lease_count++] =
		(struct breaker_lease){ call_id, now_ns + limits->lease_ns };
	return true;
}

static bool give_back(struct breaker_probes *probes, uint64_t call_id)
{
	for (unsigned i = 0; i < probes->lease_count; i++)
		if (probes->leases[i].call_id == call_id) {
			probes->leases[i] =
				probes->leases[--probes->lease_count];
			return true;
		}
	return false;
}

static void judge(struct breaker_probes *probes, bool ok)
{
	probes->neutral_row = 0;
	if (ok)
		probes->ok++;
	else
		probes->bad++;
}

bool breaker_probes_settle(struct breaker_probes *probes,
			   const struct breaker_limits *limits,
			   uint64_t call_id, enum outcome outcome,
			   bool crashed)
{
	if (!give_back(probes, call_id))
		return false;
	probes->crashed |= crashed;
	if (outcome == OUTCOME_NEUTRAL &&
	    probes->neutral_row < limits->neutral_max)
		probes->neutral_row++;
	else
		judge(probes, outcome != OUTCOME_FAIL);
	return true;
}

static const struct breaker_lease *
first_to_end(const struct breaker_probes *probes)
{
	const struct breaker_lease *first = probes->leases;

	for (unsigned i = 1; i < probes->lease_count; i++)
		if (probes->leases[i].expires_ns < first->expires_ns)
			first = &probes->leases[i];
	return probes->lease_count ? first : NULL;
}

int64_t breaker_probes_next_ns(const struct breaker_probes *probes)
{
	const struct breaker_lease *first = first_to_end(probes);

	return first ? first->expires_ns : DEADLINE_NEVER;
}

void breaker_probes_expire(struct breaker_probes *probes, int64_t now_ns)
{
	const struct breaker_lease *first = first_to_end(probes);

	assert(first && first->expires_ns <= now_ns);
	give_back(probes, first->call_id);
	judge(probes, false);
}

enum breaker_verdict
breaker_probes_verdict(const struct breaker_probes *probes,
		       const struct breaker_limits *limits)
{
	if (probes->crashed ||
	    probes->bad > limits->probes - limits->probes_ok_min)
		return BREAKER_FAILED;
	if (probes->ok >= limits->probes_ok_min)
		return BREAKER_RECOVERED;
	return BREAKER_UNDECIDED;
}
