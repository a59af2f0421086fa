#include "tests/support/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 21
#define ROUND_NS 10000000	/* each round runs at least this long */

static int64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static double ns_per_operation(const struct bench_side *side, uint64_t count,
			       clockid_t clock)
{
	int64_t start = read_ns(clock);

	side->run(side->context, count);
	return (double)(read_ns(clock) - start) / (double)count;
}

/*
 * Doubles the count until a round is long enough to time, even the fastest of
 * three: one that was only disturbed would leave a round too short to compare.
 */
static uint64_t calibrate(const struct bench_side *side, clockid_t clock)
{
	uint64_t count = 1;
	double fastest;

	for (;; count *= 2) {
		fastest = ns_per_operation(side, count, clock);
		for (int i = 1; i < 3; i++)
			fastest = fmin(fastest,
				       ns_per_operation(side, count, clock));
		if (fastest * (double)count >= ROUND_NS)
			return count;
	}
}

static bool print_figure(const char *figure, double value, double bar,
			 const char *unit, bool met)
{
	printf("%-44s %10.2f %-6s (bar %.2f)  %s\n", figure, value, unit, bar,
	       met ? "met" : "MISSED");
	return met;
}

bool bench_figure(const char *figure, double value, double bar, const char *unit)
{
	return print_figure(figure, value, bar, unit, value <= bar);
}

bool bench_least(const char *figure, double value, double bar, const char *unit)
{
	return print_figure(figure, value, bar, unit, value >= bar);
}

bool bench_pair(const char *figure, struct bench_side ours,
		struct bench_side peer, double ratio_max)
{
	double our_ns[ROUNDS], peer_ns[ROUNDS], ratios[ROUNDS];
	uint64_t our_count = calibrate(&ours, CLOCK_MONOTONIC);
	uint64_t peer_count = calibrate(&peer, CLOCK_MONOTONIC);

	for (int i = 0; i < ROUNDS; i++) {
		our_ns[i] = ns_per_operation(&ours, our_count, CLOCK_MONOTONIC);
		peer_ns[i] = ns_per_operation(&peer, peer_count, CLOCK_MONOTONIC);
		ratios[i] = our_ns[i] / peer_ns[i];
	}
	printf("  %-42s %10.0f ns     %s %.0f ns\n", ours.name,
	       median(our_ns, ROUNDS), peer.name, median(peer_ns, ROUNDS));
	return bench_figure(figure, median(ratios, ROUNDS), ratio_max, "x");
}

bool bench_alone(const char *figure, struct bench_side ours, double ns_max)
{
	double ns[ROUNDS];
	uint64_t count = calibrate(&ours, CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < ROUNDS; i++)
		ns[i] = ns_per_operation(&ours, count, CLOCK_THREAD_CPUTIME_ID);
	return bench_figure(figure, median(ns, ROUNDS), ns_max, "ns");
}
