/*
 * latency_core.h - how long things take: quantiles of late, and a histogram of
 * ever.
 *
 * Quantiles come from buckets that are an eighth of an octave wide at most, so
 * they err by 13 % upward; each hour what was counted before weighs half. The
 * histogram is what Prometheus scrapes: fixed bounds, never forgotten. Pure.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_LATENCY_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_LATENCY_CORE_H

#include <stdint.h>

#include "common/core/deadline.h"

#define LATENCY_STEPS 8			/* per octave */
#define LATENCY_BUCKETS (31 * LATENCY_STEPS)	/* 1 us .. 35 min */
#define LATENCY_HALF_NS (3600 * NS_PER_S)
#define HISTOGRAM_BOUNDS 14

extern const int64_t latency_bounds_ns[HISTOGRAM_BOUNDS];	/* of a call: 100 us .. 1 h */
extern const int64_t work_bounds_ns[HISTOGRAM_BOUNDS];	/* of a step of ours: 100 ns .. 10 ms */
extern const int64_t lifetime_bounds_ns[HISTOGRAM_BOUNDS];	/* of a worker: 0.1 s .. 7 days */

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS];	/* not cumulative */
	uint64_t total;			/* with those beyond the last bound */
	int64_t sum_ns;
};

void histogram_add(struct histogram *histogram,
		   const int64_t bounds_ns[HISTOGRAM_BOUNDS], int64_t ns);

struct latency {
	uint32_t buckets[LATENCY_BUCKETS];
	uint32_t count;			/* in them */
	int64_t half_ns;		/* when they weigh half */
	struct histogram ever;		/* by latency_bounds_ns */
};

void latency_add(struct latency *latency, int64_t ns, int64_t now_ns);

/* The percentile, 0 .. 100, of late; 0 if nothing is known. */
int64_t latency_percentile_ns(const struct latency *latency, unsigned percent);

#endif
