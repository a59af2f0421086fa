#include "workers/improve/confidence_core.h"

#include <math.h>

#define ELSEWHERE 0.25
#define BENEFIT_OF_DOUBT 4.0	/* promises taken as kept before any was tried */

struct confidence_record confidence_pool(struct confidence_record here,
					 struct confidence_record elsewhere)
{
	return (struct confidence_record){
		.wins = here.wins + ELSEWHERE * elsewhere.wins,
		.losses = here.losses + ELSEWHERE * elsewhere.losses,
		.promised = here.promised + ELSEWHERE * elsewhere.promised,
		.kept = here.kept + ELSEWHERE * elsewhere.kept,
	};
}

/* The share of promises kept; never above 1: luck earns no credit. */
static double reliability(const struct confidence_record *record)
{
	return fmin(1, (BENEFIT_OF_DOUBT + record->kept) /
		       (BENEFIT_OF_DOUBT + record->promised));
}

static double prior(const struct confidence_record *record)
{
	return (1 + record->wins) / (2 + record->wins + record->losses);
}

double confidence_proposed(const struct confidence_record *record)
{
	return prior(record) * reliability(record);
}

double confidence_accepted(const struct confidence_record *record, double alpha,
			   double power)
{
	double better = prior(record) * power;
	double no_better = (1 - prior(record)) * alpha;

	return better / (better + no_better) * reliability(record);
}
