/*
 * rows.h - what a database does with a statement; each fails the test if it is
 * otherwise, and says so.
 */
#ifndef CUPEL_TESTS_SUPPORT_ROWS_H
#define CUPEL_TESTS_SUPPORT_ROWS_H

#include "workers/store/database.h"

void rows_run(struct database *database, const char *sql);

/* What the database says instead of doing it has `says` in it. */
void rows_refuse(struct database *database, const char *sql, const char *says);

/* The first row's column `got`, a text. */
void rows_show(struct database *database, const char *sql, const char *want);

#endif
