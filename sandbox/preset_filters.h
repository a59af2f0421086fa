/*
 * preset_filters.h - filter programs compiled when Cupel is built.
 *
 * The table is written by sandbox/generate/filters.c into a C file below
 * build/. A program serves every policy that says the same about system calls.
 */
#ifndef CUPEL_SANDBOX_PRESET_FILTERS_H
#define CUPEL_SANDBOX_PRESET_FILTERS_H

#include <stdbool.h>

#include "sandbox/seccomp.h"
#include "sandbox/syscalls.h"

struct preset_filter {
	struct syscall_set syscalls;
	bool write_execute, interfaces;
	struct seccomp_program program;
};

/* Ends with a row without instructions. */
extern const struct preset_filter preset_filters[];
extern const struct seccomp_program init_filter;
extern const struct seccomp_program service_filter, reader_filter;

#endif
