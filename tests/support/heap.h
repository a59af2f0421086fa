/*
 * heap.h - counts heap allocations, to prove that there are none.
 *
 * A program that calls heap_count() gets malloc and its kin replaced by
 * counting ones; under ASan the sanitizer's own hook counts.
 */
#ifndef CUPEL_TESTS_SUPPORT_HEAP_H
#define CUPEL_TESTS_SUPPORT_HEAP_H

#include <stdint.h>

/* Allocations and resizings by this process so far. */
uint64_t heap_count(void);

#endif
