/*
 * lru.h - which of many things was used least, so that it may go.
 *
 *	            used again
 *	PROBATION ------------> PROTECTED	each: the last used first
 *	  ^   |  <------------      ^
 *	 new  |  no longer fits     +-- used again
 *	      v
 *	   victim
 *
 * A segmented LRU: a new node is on probation, a second use protects it, and
 * the least recently used on probation is the first victim. What is read once,
 * however much of it, cannot push out what is used again. The protected may be
 * a share of the whole, in number and in bytes; what exceeds it is on probation
 * again. A share of 0 is plain LRU.
 *
 * Pure. The caller owns the nodes, and counts and bounds the whole. Source:
 * R. Karedla, J. S. Love, B. G. Wherry, Caching strategies to improve disk
 * system performance (1994).
 */
#ifndef CUPEL_COMMON_CORE_LRU_H
#define CUPEL_COMMON_CORE_LRU_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/list.h"

struct lru_node {
	struct list link;
	bool protected;
	size_t bytes;
};

struct lru {
	struct list probation;
	struct list protected;
	size_t protected_count;
	size_t protected_bytes;
	size_t protected_count_max;
	size_t protected_bytes_max;
};

/* The protected may be percent (0 .. 100) of count_max and of bytes_max. */
void lru_init(struct lru *lru, size_t count_max, size_t bytes_max,
	      unsigned percent);

/* A new node of no bytes, on probation. */
void lru_add(struct lru *lru, struct lru_node *node);

void lru_remove(struct lru *lru, struct lru_node *node);

/* The node has been used again. */
void lru_use(struct lru *lru, struct lru_node *node);

/* The node is a new thing of so many bytes, but as protected as before. */
void lru_renew(struct lru *lru, struct lru_node *node, size_t bytes);

/*
 * The node that should go first, other than kept (which may be NULL, or a node
 * just added or renewed). NULL when there is none.
 */
struct lru_node *lru_victim(const struct lru *lru, const struct lru_node *kept);

#endif
