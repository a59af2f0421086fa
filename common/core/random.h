/*
 * random.h - a seeded generator that pure code takes as an argument.
 *
 * xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. The same
 * seed gives the same sequence on every machine. Not for secrets.
 */
#ifndef CUPEL_COMMON_CORE_RANDOM_H
#define CUPEL_COMMON_CORE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);

/* 64 uniform bits. */
uint64_t random_next(struct random *random);

/* Uniform in 0 .. bound - 1, without modulo bias; bound must be positive. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double random_unit(struct random *random);

#endif
