/* How often each path was asked for, and how much was sent. */
#ifndef TABLE_H
#define TABLE_H

#include "parse.h"
#include "tuning.h"

struct entry {
	struct entry *next;
	long requests, bytes;
	size_t length;
	char path[];
};

struct table {
	struct entry *slots[TABLE_SLOTS];
	size_t count;
};

/* False without memory. */
bool table_add(struct table *table, const struct request *request);

/* The most wanted paths, the first of a tie by its name; returns how many. */
size_t table_top(const struct table *table, const struct entry **ret, size_t most);

#endif
