/*
 * credit.h - how many bytes one side may still send the other.
 *
 * Both sides keep the same number: the sender takes from it what it sends,
 * the receiver what arrives, and a grant adds to it on both. Sending beyond
 * it, or granting beyond the window, is a broken peer. Pure.
 */
#ifndef CUPEL_COMMON_CORE_CREDIT_H
#define CUPEL_COMMON_CORE_CREDIT_H

#include <stdbool.h>
#include <stddef.h>

struct credit {
	size_t bytes;
	size_t window;		/* the most there may be at a time */
};

bool credit_covers(const struct credit *credit, size_t bytes);

/* Returns false, and takes nothing, unless all the bytes are covered. */
bool credit_take(struct credit *credit, size_t bytes);

/* Returns false, and adds nothing, if that were more than the window. */
bool credit_add(struct credit *credit, size_t bytes);

#endif
