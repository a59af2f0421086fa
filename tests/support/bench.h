/*
 * bench.h - figures that hold on a noisy machine: a peer (or floor) and ours
 * run in turn, many rounds; what is printed is the median of each and the
 * median of the paired ratios.
 */
#ifndef CUPEL_TESTS_SUPPORT_BENCH_H
#define CUPEL_TESTS_SUPPORT_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Does the work count times; must not be optimised away (see bench_keep). */
typedef void bench_run(void *context, uint64_t count);

struct bench_side {
	const char *name;
	bench_run *run;
	void *context;
};

/*
 * Ours against a peer: prints both medians in ns per operation, the median
 * paired ratio and whether it meets ratio_max. Returns whether it does.
 */
bool bench_pair(const char *figure, struct bench_side ours,
		struct bench_side peer, double ratio_max);

/*
 * A figure without a peer, of pure computation: prints the median ns of
 * processor time per operation beside its bar. Returns whether the bar is met.
 */
bool bench_alone(const char *figure, struct bench_side ours, double ns_max);

/* Prints a figure measured otherwise beside its bar; whether it is met. */
bool bench_figure(const char *figure, double value, double bar, const char *unit);

/* The same where more is better. */
bool bench_least(const char *figure, double value, double bar, const char *unit);

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t bench_now_ns(void);

/* Keeps a result alive so that the compiler cannot drop the work behind it. */
static inline void bench_keep(const void *value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

#endif
