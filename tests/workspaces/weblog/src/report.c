#include "report.h"

#include <stdio.h>

#define TOP_PATHS 10

static char output[OUTPUT_BYTES];

void report(const struct totals *totals, const struct table *table)
{
	const struct entry *top[TOP_PATHS];
	size_t count = table_top(table, top, TOP_PATHS);

	setvbuf(stdout, output, _IOFBF, sizeof(output));
	printf("lines %ld\nrefused %ld\nbytes %ld\npaths %zu\n", totals->lines,
	       totals->refused, totals->bytes, table->count);
	for (int i = 1; i < 6; i++)
		printf("%dxx %ld\n", i, totals->classes[i]);
	for (size_t i = 0; i < count; i++)
		printf("%ld %ld %s\n", top[i]->requests, top[i]->bytes, top[i]->path);
	fflush(stdout);
}
