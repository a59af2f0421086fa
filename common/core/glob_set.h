/*
 * glob_set.h - several patterns of which any may match, with {a,b} in them.
 *
 * Braces are alternatives, may nest, and may hold nothing: x{,.bak}. Each
 * alternative becomes a pattern of its own (common/core/glob.h), so the places
 * the caller gives bound what braces can multiply. A comma or } outside braces
 * is itself; a { needs its }; \ and [sets] protect all three.
 *
 * Pure. The caller owns the places and the memory and keeps both.
 */
#ifndef CUPEL_COMMON_CORE_GLOB_SET_H
#define CUPEL_COMMON_CORE_GLOB_SET_H

#include "common/core/glob.h"

#define GLOB_BRACES_MAX 16	/* groups met on one way through a pattern */

struct glob_set {
	struct glob *globs;	/* the caller's */
	size_t count;
	size_t capacity;
	uint8_t *memory;	/* the caller's */
	size_t memory_used;
	size_t memory_bytes;
};

void glob_set_init(struct glob_set *set, struct glob *globs, size_t capacity,
		   uint8_t *memory, size_t memory_bytes);

/*
 * Adds pattern with its braces expanded. Returns the number of alternatives,
 * or the errors of glob_compile(), where an unclosed { is -EINVAL too, and
 * -E2BIG for more than GLOB_BRACES_MAX groups. A failure adds nothing.
 */
int glob_set_add(struct glob_set *set, struct span pattern);

bool glob_set_match(const struct glob_set *set, struct span path);

#endif
