/* What a breaker costs every call: admit and report, while CLOSED. */
#include "tests/support/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/core/breaker.h"

#define CALL_NS 20000		/* 50,000 calls a second, so slots do pass */

struct lane {
	struct breaker breaker;
	int64_t now_ns;
	uint64_t call_id;
};

static void calls(void *context, uint64_t count)
{
	struct lane *lane = context;
	struct breaker_permit permit;

	for (uint64_t i = 0; i < count; i++) {
		lane->now_ns += CALL_NS;
		breaker_admit(&lane->breaker, ++lane->call_id, lane->now_ns,
			      &permit);
		breaker_report(&lane->breaker, &permit,
			       lane->call_id % 4 ? OUTCOME_OK : OUTCOME_FAIL,
			       BREAKER_CRASH_NONE, lane->now_ns + CALL_NS / 2);
		bench_keep(&permit);
	}
}

int main(void)
{
	static struct lane lane;
	bool met;

	breaker_init(&lane.breaker, &breaker_limits_default, 1000000000, 1, 0);
	met = bench_alone("breaker: admit + report, closed",
			  (struct bench_side){ "breaker", calls, &lane }, 100);
	if (lane.breaker.state != BREAKER_CLOSED) {
		fputs("the breaker opened: not what was to be measured\n",
		      stderr);
		return EXIT_FAILURE;
	}
	return met ? EXIT_SUCCESS : EXIT_FAILURE;
}
