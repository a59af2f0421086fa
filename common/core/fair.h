/*
 * fair.h - nobody takes all of what many have in common.
 *
 * Who asks for one more gets it as long as he has no more than is left: alone
 * about half of all, beside one who has that half of the rest, so that there is
 * something for the next who comes. Nothing is set aside, and nobody has to know
 * how many they are. Whether there is any at all its owner sees himself.
 *
 * Pure. Source: A. Choudhury and E. Hahne, Dynamic queue length thresholds for
 * shared-memory packet switches, IEEE/ACM Transactions on Networking 6(2), 1998.
 */
#ifndef CUPEL_COMMON_CORE_FAIR_H
#define CUPEL_COMMON_CORE_FAIR_H

#include <stdbool.h>
#include <stdint.h>

static inline bool fair_allows(uint64_t mine, uint64_t left)
{
	return mine <= left;
}

#endif
