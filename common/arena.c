#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
	*arena = (struct arena){ .bytes_max = bytes_max };
}

static void free_after(struct arena *arena, struct arena_block *kept)
{
	struct arena_block *block = kept ? kept->next : arena->blocks;

	while (block) {
		struct arena_block *next = block->next;

		arena->bytes -= block->size;
		free(block);
		block = next;
	}
	if (kept)
		kept->next = NULL;
}

void arena_release(struct arena *arena)
{
	free_after(arena, NULL);
	arena->blocks = NULL;
}

void arena_reset(struct arena *arena)
{
	if (!arena->blocks)
		return;
	free_after(arena, arena->blocks);
	arena->blocks->used = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t bytes)
{
	/* The block a reset has kept must not stand in a larger one's way. */
	if (arena->blocks && arena->blocks->used == 0)
		arena_release(arena);

	size_t left = arena->bytes_max - arena->bytes;
	size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

	if (size > left)
		size = left;
	if (size < bytes || size > SIZE_MAX - sizeof(struct arena_block))
		return NULL;
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block)
		return NULL;
	*block = (struct arena_block){ .next = arena->blocks, .size = size };
	arena->blocks = block;
	arena->bytes += size;
	return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	size_t align = _Alignof(max_align_t);
	struct arena_block *block = arena->blocks;

	if (bytes > SIZE_MAX - align)
		return NULL;
	bytes = bytes ? (bytes + align - 1) / align * align : align;
	if (!block || block->size - block->used < bytes)
		block = add_block(arena, bytes);
	if (!block)
		return NULL;
	void *memory = block->bytes + block->used;

	block->used += bytes;
	return memset(memory, 0, bytes);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		return NULL;
	return arena_alloc(arena, total);
}

char *arena_text(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	char *text = NULL;

	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);

	if (length >= 0)
		text = arena_alloc(arena, (size_t)length + 1);
	if (text)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}
