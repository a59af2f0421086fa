/*
 * poison_core.h - calls that kill workers.
 *
 * A signature is a tool with the hash of its arguments. Two deaths with the
 * same culprit in ten minutes, and the signature is refused for the next ten;
 * other calls are not concerned. The rows are few: the one whose last death is
 * longest ago makes room. Pure.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_POISON_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_POISON_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/deadline.h"

#define POISON_ROWS 64
#define POISON_WINDOW_NS (600 * NS_PER_S)

struct signature {
	uint64_t words[2];	/* two keyed hashes */
};

static inline bool signature_is(struct signature a, struct signature b)
{
	return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

struct poison_row {
	struct signature signature;
	int64_t died_ns;	/* last; meaningless while deaths is 0 */
	unsigned deaths;
};

struct poison {
	struct poison_row rows[POISON_ROWS];
};

/* The signature has killed a worker; true if it is refused from now on. */
bool poison_death(struct poison *poison, struct signature signature,
		  int64_t now_ns);

/* Until when it is refused; 0 if it is not. */
int64_t poison_until_ns(const struct poison *poison,
			struct signature signature, int64_t now_ns);

#endif
