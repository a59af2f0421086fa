#include "supervisor/router/latency_core.h"

#define MS(n) ((n) * NS_PER_MS)

#define S(n) ((n) * NS_PER_S)

const int64_t latency_bounds_ns[HISTOGRAM_BOUNDS] = {
	100000, 500000, MS(1), MS(5), MS(10), MS(50), MS(100), MS(500),
	MS(1000), MS(5000), MS(15000), MS(60000), MS(300000), MS(3600000),
};

const int64_t work_bounds_ns[HISTOGRAM_BOUNDS] = {
	100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 500000,
	MS(1), MS(5), MS(10),
};

const int64_t lifetime_bounds_ns[HISTOGRAM_BOUNDS] = {
	MS(100), MS(500), S(1), S(5), S(15), S(60), S(300), S(900),
	S(3600), S(14400), S(43200), S(86400), S(259200), S(604800),
};

void histogram_add(struct histogram *histogram,
		   const int64_t bounds_ns[HISTOGRAM_BOUNDS], int64_t ns)
{
	unsigned i = 0;

	histogram->total++;
	histogram->sum_ns += ns;
	while (i < HISTOGRAM_BOUNDS && ns > bounds_ns[i])
		i++;
	if (i < HISTOGRAM_BOUNDS)
		histogram->counts[i]++;
}

/* By octave of microseconds, then by eighths of it. */
static unsigned bucket_of(int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000;

	if (us < LATENCY_STEPS)
		return (unsigned)us;

	unsigned octave = 63 - (unsigned)__builtin_clzll(us);
	unsigned step = (unsigned)(us >> (octave - 3)) & (LATENCY_STEPS - 1);
	unsigned bucket = (octave - 2) * LATENCY_STEPS + step;

	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The least that is beyond the bucket. */
static int64_t bucket_end_ns(unsigned bucket)
{
	if (bucket < LATENCY_STEPS)
		return ((int64_t)bucket + 1) * 1000;

	unsigned octave = bucket / LATENCY_STEPS + 2;
	int64_t step = bucket % LATENCY_STEPS;

	return (LATENCY_STEPS + step + 1) * (INT64_C(1) << (octave - 3)) * 1000;
}

static void halve(struct latency *latency)
{
	latency->count = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		latency->buckets[i] /= 2;
		latency->count += latency->buckets[i];
	}
}

void latency_add(struct latency *latency, int64_t ns, int64_t now_ns)
{
	if (latency->half_ns == 0)
		latency->half_ns = now_ns + LATENCY_HALF_NS;
	if (now_ns >= latency->half_ns || latency->count == UINT32_MAX) {
		halve(latency);
		latency->half_ns = now_ns + LATENCY_HALF_NS;
	}
	latency->buckets[bucket_of(ns)]++;
	latency->count++;
	histogram_add(&latency->ever, latency_bounds_ns, ns);
}

int64_t latency_percentile_ns(const struct latency *latency, unsigned percent)
{
	uint64_t wanted = ((uint64_t)latency->count * percent + 99) / 100;
	uint64_t seen = 0;

	if (latency->count == 0)
		return 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (seen >= wanted && seen > 0)
			return bucket_end_ns(i);
	}
	return bucket_end_ns(LATENCY_BUCKETS - 1);
}
