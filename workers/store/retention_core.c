#include "workers/store/retention_core.h"

enum retention_verdict retention_look(struct retention_clock *clock, int64_t now_ms)
{
	int64_t passed_ms = now_ms - clock->seen_ms;

	if (passed_ms < 0) {
		clock->seen_ms = now_ms;
		if (clock->trusted_ms > now_ms)
			clock->trusted_ms = 0;
		return RETENTION_BACK;
	}
	if (passed_ms < RETENTION_DAY_MS)
		return RETENTION_STEADY;
	enum retention_verdict verdict = clock->seen_ms && passed_ms > RETENTION_GAP_MS ?
						 RETENTION_AHEAD : RETENTION_STEADY;

	clock->trusted_ms = clock->seen_ms;
	clock->seen_ms = now_ms;
	return verdict;
}

int64_t retention_before(const struct retention_clock *clock, int64_t kept_ms)
{
	return clock->trusted_ms > kept_ms ? clock->trusted_ms - kept_ms : 0;
}
