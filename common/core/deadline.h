/*
 * deadline.h - points on the monotonic clock after which nobody waits.
 *
 * A deadline is an int64_t of nanoseconds on the monotonic clock; a timeout is
 * a duration that becomes a deadline once, where the work enters. From there
 * on only the deadline travels, so that time spent in queues counts. Sums
 * saturate at DEADLINE_NEVER, which is also what every _next_ns function
 * returns when no timer is needed.
 *
 * A call that reports progress has two limits: idle, which progress resets,
 * and absolute, which nothing resets. With the first alone a call that
 * trickles never ends; with the second alone a hang is noticed too late.
 */
#ifndef CUPEL_COMMON_CORE_DEADLINE_H
#define CUPEL_COMMON_CORE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

#define DEADLINE_NEVER INT64_MAX

/* timeout_ns from now; a negative timeout has passed already: now. */
int64_t deadline_after(int64_t now_ns, int64_t timeout_ns);

/* Nanoseconds left; 0 once it has passed, DEADLINE_NEVER if it never does. */
int64_t deadline_remaining(int64_t deadline_ns, int64_t now_ns);

/* Whether the deadline is reached: at its very nanosecond it is. */
bool deadline_passed(int64_t deadline_ns, int64_t now_ns);

int64_t deadline_earlier(int64_t a_ns, int64_t b_ns);

/*
 * The deadline, but no later than timeout_ns from now. This is how a child
 * call inherits its caller's deadline and how a client's is held to a maximum.
 */
int64_t deadline_clamp(int64_t deadline_ns, int64_t now_ns, int64_t timeout_ns);

struct deadline_pair {
	int64_t absolute_ns;	/* deadline: set once */
	int64_t idle_ns;	/* deadline: moved by progress */
	int64_t idle_timeout_ns;
};

enum deadline_cause {
	DEADLINE_PENDING,	/* neither has passed */
	DEADLINE_IDLE,
	DEADLINE_ABSOLUTE	/* this one, if both have */
};

/* An idle timeout of DEADLINE_NEVER leaves the absolute deadline alone. */
void deadline_pair_init(struct deadline_pair *pair, int64_t absolute_ns,
			int64_t idle_timeout_ns, int64_t now_ns);

/* Something came of the call: the idle limit starts anew. */
void deadline_pair_progress(struct deadline_pair *pair, int64_t now_ns);

/* Which limit has passed, for the error's text, which names both. */
enum deadline_cause deadline_pair_check(const struct deadline_pair *pair,
					int64_t now_ns);

/* When to check next. */
int64_t deadline_pair_next_ns(const struct deadline_pair *pair);

#endif
