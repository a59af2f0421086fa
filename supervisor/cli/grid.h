/*
 * grid.h - columns for a person, and the quantities that stand in them.
 *
 *	TOOL        CLASS       BREAKER  RUN    OK      P99
 *	echo        pure        closed     2  1204   310 us
 *
 * Columns are as wide as what stands in them, two blanks between; where the
 * whole is wider than the terminal, the elastic columns give way: the last one
 * by further lines, others are cut. Elsewhere nothing is cut, for grep(1). Cells come from
 * the supervisor and its manifests: what could steer a terminal is escaped.
 */
#ifndef CUPEL_SUPERVISOR_CLI_GRID_H
#define CUPEL_SUPERVISOR_CLI_GRID_H

#include <stdint.h>

#include "common/json.h"
#include "supervisor/cli/table.h"

#define GRID_COLUMNS_MAX 12

struct grid_column {
	const char *title;
	bool right;		/* numbers */
	bool elastic;		/* may be cut, marked by "...", or wrap */
};

struct grid_cell {
	char *text;
	enum table_tone tone;
};

struct grid {
	const struct grid_column *columns;
	size_t column_count;
	struct grid_cell *cells;	/* row by row, on the heap */
	size_t cell_count, room;
	bool short_of_memory;
};

void grid_init(struct grid *grid, const struct grid_column *columns,
	       size_t column_count);

/* The next cell of the row; after the last column the next row begins. */
void grid_cell(struct grid *grid, enum table_tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints titles and rows, nothing if there are none, and frees them. */
void grid_print(struct grid *grid, const struct table *look);

/* ---- quantities, short: "3.1M", "310 us", "2h03m" ---- */

#define QUANTITY_BYTES 24

struct quantity {
	char text[QUANTITY_BYTES];
};

struct quantity quantity_bytes(double bytes);
struct quantity quantity_us(double us);
struct quantity quantity_age(double seconds);

/* ---- members of an object that may be missing ---- */

const char *member_text(const json_t *object, const char *name); /* or "-" */
double member_number(const json_t *object, const char *name);    /* or 0 */

#endif
