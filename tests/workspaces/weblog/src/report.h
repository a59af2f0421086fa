#ifndef REPORT_H
#define REPORT_H

#include "table.h"

struct totals {
	long lines, refused, bytes;
	long classes[6];	/* 1xx to 5xx, by their first digit; 0: other */
};

void report(const struct totals *totals, const struct table *table);

#endif
