#include "common/stack.h"

#include <stdint.h>
#include <sys/mman.h>

#define FORGOTTEN_BYTES (128 << 10)

/* Not inlined: below its own frame there is nothing of its callers'. */
__attribute__((noinline)) void stack_forget(void)
{
	const uintptr_t page = 4096;
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - page;

	madvise((void *)(end - FORGOTTEN_BYTES), FORGOTTEN_BYTES, MADV_DONTNEED);
}
