/*
 * arena.h - memory that is given back all at once.
 *
 * A chain of blocks, filled from the front; single pieces are never freed.
 * A worker has one arena and resets it after each job, a command-line tool
 * has one and forgets it; what is done again and again within a job, and leaves
 * nothing behind, has one of its own. The byte limit makes hostile input run
 * into NULL instead of into the machine's memory.
 */
#ifndef CUPEL_COMMON_ARENA_H
#define CUPEL_COMMON_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;	/* the newest first */
	size_t bytes_max;		/* of all blocks together */
	size_t bytes;			/* held now */
};

/* Takes no memory yet; bytes_max bounds what it will ever hold. */
void arena_init(struct arena *arena, size_t bytes_max);
void arena_release(struct arena *arena);

/* Everything allocated so far is gone; the newest block is kept for reuse. */
void arena_reset(struct arena *arena);

/*
 * Zeroed memory, aligned for any type, valid until the next reset or release.
 * NULL when the limit or the machine's memory is reached.
 */
void *arena_alloc(struct arena *arena, size_t bytes);

/* As above for count elements; NULL also when the product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes);

/* A formatted string as by snprintf(3); NULL as above. */
char *arena_text(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
