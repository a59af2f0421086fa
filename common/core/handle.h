/*
 * handle.h - names for slots that are used again and again.
 *
 * A handle is the index of a slot and the generation it had when the handle
 * was given out. Whoever empties a slot counts its generation up, so an old
 * handle is seen to be stale instead of reaching the next tenant. Generations
 * start at 1: handle 0 is never valid.
 */
#ifndef CUPEL_COMMON_CORE_HANDLE_H
#define CUPEL_COMMON_CORE_HANDLE_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t handle_make(size_t index, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint32_t)index;
}

static inline size_t handle_index(uint64_t handle)
{
	return (uint32_t)handle;
}

static inline uint32_t handle_generation(uint64_t handle)
{
	return (uint32_t)(handle >> 32);
}

/* The generation after this one; skips 0 when the count wraps. */
static inline uint32_t handle_next_generation(uint32_t generation)
{
	return generation == UINT32_MAX ? 1 : generation + 1;
}

#endif
