/*
 * debounce.h - run once calls have stopped coming, but not for ever later.
 *
 * Each call puts the run off to delay after itself, never beyond most after
 * the first call it answers: a stream without a pause is answered too.
 *
 * Pure; times are monotonic nanoseconds.
 */
#ifndef CUPEL_COMMON_CORE_DEBOUNCE_H
#define CUPEL_COMMON_CORE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
	int64_t delay_ns;
	int64_t most_ns;	/* at least the delay */
	int64_t latest_ns;	/* of run_ns, while a call waits */
	int64_t run_ns;		/* DEADLINE_NEVER: no call waits */
};

void debounce_init(struct debounce *debounce, int64_t delay_ns,
		   int64_t most_ns);

/* Something asks for a run. */
void debounce_call(struct debounce *debounce, int64_t now_ns);

/* True once when the run is due; it answers all calls so far. */
bool debounce_due(struct debounce *debounce, int64_t now_ns);

/* When debounce_due() is due; DEADLINE_NEVER if no call waits. */
int64_t debounce_next_ns(const struct debounce *debounce);

#endif
