#include "tests/support/heap.h"

#include <stddef.h>
#include <stdlib.h>

static uint64_t count;

uint64_t heap_count(void)
{
	return count;
}

#ifdef __SANITIZE_ADDRESS__

/* From sanitizer/allocator_interface.h, which gcc 12 does not install. */
int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *pointer, size_t size),
	void (*on_free)(const volatile void *pointer));

static void count_allocation(const volatile void *pointer, size_t size)
{
	(void)pointer;
	(void)size;
	count++;
}

static void ignore_free(const volatile void *pointer)
{
	(void)pointer;
}

__attribute__((constructor)) static void install(void)
{
	if (!__sanitizer_install_malloc_and_free_hooks(count_allocation,
						       ignore_free))
		abort();
}

#else

/* What glibc's malloc and its kin are called below their public names. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);

void *malloc(size_t size)
{
	count++;
	return __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
	count++;
	return __libc_calloc(members, size);
}

void *realloc(void *pointer, size_t size)
{
	count++;
	return __libc_realloc(pointer, size);
}

#endif
