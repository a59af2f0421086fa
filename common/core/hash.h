/*
 * hash.h - a keyed hash for tables whose keys a stranger may choose.
 *
 * SipHash-2-4: without the key nobody can prepare names that all fall into
 * one chain. The key is drawn at start and stays secret; without it results
 * mean nothing.
 *
 * Pure. Source: J.-P. Aumasson, D. J. Bernstein, SipHash: a fast short-input
 * PRF (2012).
 */
#ifndef CUPEL_COMMON_CORE_HASH_H
#define CUPEL_COMMON_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct hash_key {
	uint64_t words[2];
};

uint64_t hash_bytes(const struct hash_key *key, struct span bytes);

/* The hash of eight bytes, the least significant first. */
uint64_t hash_number(const struct hash_key *key, uint64_t number);

/*
 * Which of count chains a hash belongs to: its upper half scaled to the
 * range, so that count need not be a power of two. count is below 2^32.
 */
static inline size_t hash_chain(uint64_t hash, size_t count)
{
	return (size_t)((hash >> 32) * count >> 32);
}

#endif
