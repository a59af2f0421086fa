/*
 * noise.h - run times of a program that does not change, as machines give them.
 *
 * A noise is a stream of runs, one after another in time. The recorded ones
 * are tests/data/aa: runs of one program back to back, entered at a random
 * place. The others are drawn, a log-normal level with what their name says.
 */
#ifndef CUPEL_TESTS_SUPPORT_NOISE_H
#define CUPEL_TESTS_SUPPORT_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdint.h>

#include "common/core/random.h"

#define NOISE_RUNS_MAX 3000

/* What was recorded of one program, in the order of time; seconds. */
struct recorded {
	const char *name;
	size_t runs;
	double wall[NOISE_RUNS_MAX];
	double cpu[NOISE_RUNS_MAX];
};

#define RECORDED_COUNT 4

/* Read once from tests/data/aa below the working directory; exits if not there. */
const struct recorded *recorded_all(void);

struct noise;

struct noise_kind {
	const char *name;
	double (*next)(struct noise *noise);
	size_t recorded;	/* which, where it is a recorded one */
};

struct noise {
	const struct noise_kind *kind;
	struct random random;
	size_t at;		/* runs so far, or the recorded place */
	double level;		/* of the process, a logarithm */
	bool in_burst;
};

#define NOISE_KIND_COUNT 14

/* The recorded ones come first: wall and CPU time of each in turn. */
extern const struct noise_kind noise_kinds[NOISE_KIND_COUNT];

void noise_init(struct noise *noise, const struct noise_kind *kind,
		uint64_t seed);

/* The time of the next run, in seconds. */
double noise_next(struct noise *noise);

/* Of the standard normal distribution. */
double noise_normal(struct random *random);

#endif
