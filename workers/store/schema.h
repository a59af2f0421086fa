/*
 * schema.h - the tables, as migrations: the nth takes a file from user_version
 * n - 1 to n. What has been shipped is never edited, only followed.
 */
#ifndef CUPEL_WORKERS_STORE_SCHEMA_H
#define CUPEL_WORKERS_STORE_SCHEMA_H

#include <stddef.h>

/* Each is its statements in order, NULL after the last. */
extern const char *const *const schema_migrations[];
extern const size_t schema_version;	/* their count */

#endif
