#include "common/core/debounce.h"

#include "common/core/deadline.h"

void debounce_init(struct debounce *debounce, int64_t delay_ns, int64_t most_ns)
{
	*debounce = (struct debounce){ delay_ns, most_ns, DEADLINE_NEVER,
				       DEADLINE_NEVER };
}

void debounce_call(struct debounce *debounce, int64_t now_ns)
{
	if (debounce->run_ns == DEADLINE_NEVER)
		debounce->latest_ns = deadline_after(now_ns, debounce->most_ns);
	debounce->run_ns = deadline_clamp(debounce->latest_ns, now_ns,
					  debounce->delay_ns);
}

bool debounce_due(struct debounce *debounce, int64_t now_ns)
{
	if (!deadline_passed(debounce->run_ns, now_ns))
		return false;
	debounce->run_ns = DEADLINE_NEVER;
	return true;
}

int64_t debounce_next_ns(const struct debounce *debounce)
{
	return debounce->run_ns;
}
