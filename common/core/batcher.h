/*
 * batcher.h - when what has been gathered is to be written in one go.
 *
 * A batch ends at so many items, at so many bytes, or when its first item has
 * waited so long, whichever comes first. The batcher counts; the items stay
 * with the owner:
 *
 *	if (!batcher_fits(b, bytes))	write, batcher_clear(b)
 *	keep the item
 *	if (batcher_add(b, bytes, now))	write, batcher_clear(b)
 *	at batcher_next_ns(b)		write, batcher_clear(b)
 *
 * Pure; times are monotonic nanoseconds.
 */
#ifndef CUPEL_COMMON_CORE_BATCHER_H
#define CUPEL_COMMON_CORE_BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batcher {
	size_t items_max;	/* at least 1 */
	size_t bytes_max;
	int64_t wait_ns;	/* the longest an item waits */
	size_t items, bytes;	/* in the batch so far */
	int64_t write_ns;	/* DEADLINE_NEVER: the batch is empty */
};

void batcher_init(struct batcher *batcher, size_t items_max, size_t bytes_max,
		  int64_t wait_ns);

/*
 * Whether the batch stays within its bytes with that item. An item larger
 * than any batch fits an empty one: it is written alone.
 */
bool batcher_fits(const struct batcher *batcher, size_t bytes);

/* Counts an item that fits; true if the batch is full and to be written now. */
bool batcher_add(struct batcher *batcher, size_t bytes, int64_t now_ns);

/* The batch has been written; the next one is empty. */
void batcher_clear(struct batcher *batcher);

/* When the batch is to be written at the latest; DEADLINE_NEVER if empty. */
int64_t batcher_next_ns(const struct batcher *batcher);

#endif
