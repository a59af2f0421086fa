#include "common/core/backoff.h"

#include <assert.h>

/* Halving the cap instead of doubling the base cannot overflow. */
static int64_t nominal_ns(const struct backoff *backoff, unsigned step)
{
	if (step >= 63 || backoff->base_ns > backoff->cap_ns >> step)
		return backoff->cap_ns;
	return backoff->base_ns << step;
}

int64_t backoff_delay_ns(const struct backoff *backoff, unsigned step,
			 struct random *random)
{
	assert(backoff->base_ns > 0 && backoff->cap_ns > 0);
	assert(backoff->least_percent <= 100);
	assert(backoff->least_percent <= backoff->most_percent);
	int64_t nominal = nominal_ns(backoff, step);
	int64_t least = nominal * backoff->least_percent / 100;
	int64_t most = nominal * backoff->most_percent / 100;

	if (most > backoff->cap_ns)
		most = backoff->cap_ns;
	return least + (int64_t)random_below(random,
					     (uint64_t)(most - least) + 1);
}
