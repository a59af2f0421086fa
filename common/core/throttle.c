#include "common/core/throttle.h"

#include "common/core/deadline.h"

void throttle_init(struct throttle *throttle, int64_t interval_ns)
{
	*throttle = (struct throttle){ .interval_ns = interval_ns,
				       .open_ns = INT64_MIN };
}

bool throttle_call(struct throttle *throttle, int64_t now_ns)
{
	throttle->pending = true;
	return throttle_due(throttle, now_ns);
}

bool throttle_due(struct throttle *throttle, int64_t now_ns)
{
	if (!throttle->pending || now_ns < throttle->open_ns)
		return false;
	throttle->pending = false;
	throttle->open_ns = deadline_after(now_ns, throttle->interval_ns);
	return true;
}

int64_t throttle_next_ns(const struct throttle *throttle)
{
	return throttle->pending ? throttle->open_ns : DEADLINE_NEVER;
}
