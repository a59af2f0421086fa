#include "common/stack.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#define FORGOTTEN_BYTES (128 << 10)
#define PAGE_BYTES ((uintptr_t)4096)

/* Not inlined: below its own frame there is nothing of its callers'. */
__attribute__((noinline)) void stack_forget(void)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(PAGE_BYTES - 1)) -
			PAGE_BYTES;

	madvise((void *)(end - FORGOTTEN_BYTES), FORGOTTEN_BYTES, MADV_DONTNEED);
}

void stack_forget_above(void *frame)
{
	uintptr_t from = ((uintptr_t)frame + 2 * sizeof(void *) + PAGE_BYTES - 1) &
			 ~(PAGE_BYTES - 1);
	uintptr_t to = (uintptr_t)program_invocation_name & ~(PAGE_BYTES - 1);

	if (from < to && to - from <= FORGOTTEN_BYTES)	/* else it is not this stack */
		madvise((void *)from, to - from, MADV_DONTNEED);
}
