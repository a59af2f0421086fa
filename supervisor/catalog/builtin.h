/*
 * builtin.h - the manifests of etc/tools, compiled in (generate/contracts.c).
 */
#ifndef CUPEL_SUPERVISOR_CATALOG_BUILTIN_H
#define CUPEL_SUPERVISOR_CATALOG_BUILTIN_H

#include <stddef.h>

struct builtin {
	const char *name;	/* of its file: "echo.tool" */
	const char *text;
};

extern const struct builtin builtins[];
extern const size_t builtin_count;

#endif
