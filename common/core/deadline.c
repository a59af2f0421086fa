#include "common/core/deadline.h"

int64_t deadline_after(int64_t now_ns, int64_t timeout_ns)
{
	if (timeout_ns <= 0)
		return now_ns;
	if (now_ns > DEADLINE_NEVER - timeout_ns)
		return DEADLINE_NEVER;
	return now_ns + timeout_ns;
}

int64_t deadline_remaining(int64_t deadline_ns, int64_t now_ns)
{
	if (deadline_ns == DEADLINE_NEVER)
		return DEADLINE_NEVER;
	return deadline_passed(deadline_ns, now_ns) ? 0 : deadline_ns - now_ns;
}

bool deadline_passed(int64_t deadline_ns, int64_t now_ns)
{
	return now_ns >= deadline_ns;
}

int64_t deadline_earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

int64_t deadline_clamp(int64_t deadline_ns, int64_t now_ns, int64_t timeout_ns)
{
	return deadline_earlier(deadline_ns,
				deadline_after(now_ns, timeout_ns));
}

void deadline_pair_init(struct deadline_pair *pair, int64_t absolute_ns,
			int64_t idle_timeout_ns, int64_t now_ns)
{
	pair->absolute_ns = absolute_ns;
	pair->idle_timeout_ns = idle_timeout_ns;
	deadline_pair_progress(pair, now_ns);
}

void deadline_pair_progress(struct deadline_pair *pair, int64_t now_ns)
{
	pair->idle_ns = deadline_after(now_ns, pair->idle_timeout_ns);
}

enum deadline_cause deadline_pair_check(const struct deadline_pair *pair,
					int64_t now_ns)
{
	if (deadline_passed(pair->absolute_ns, now_ns))
		return DEADLINE_ABSOLUTE;
	if (deadline_passed(pair->idle_ns, now_ns))
		return DEADLINE_IDLE;
	return DEADLINE_PENDING;
}

int64_t deadline_pair_next_ns(const struct deadline_pair *pair)
{
	return deadline_earlier(pair->absolute_ns, pair->idle_ns);
}
