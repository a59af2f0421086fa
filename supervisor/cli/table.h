/*
 * table.h - rows for a person: a name, a word on its state, text that wraps.
 *
 *	user namespaces   ok       ids and rights of the command's own: nobody
 *	                           inside is root outside
 *
 * As wide as the terminal, 80 columns elsewhere, where rows of a grid (grid.h)
 * are as wide as they need: they may be meant for a program. The state is coloured on a
 * terminal, unless NO_COLOR is set (no-color.org) or TERM is "dumb".
 */
#ifndef CUPEL_SUPERVISOR_CLI_TABLE_H
#define CUPEL_SUPERVISOR_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

enum table_tone { TABLE_PLAIN, TABLE_GOOD, TABLE_WARN, TABLE_BAD };

struct table {
	FILE *out;
	bool terminal, colours;
	int width;
	int name_width, state_width;	/* of the first two columns */
};

/* The columns are as wide as asked for, two blanks between. */
void table_init(struct table *table, FILE *out, int name_width, int state_width);

void table_row(const struct table *table, const char *name, const char *state,
	       enum table_tone tone, const char *text);

/* Text from column start on; further lines are indented to it. */
void table_wrap(const struct table *table, int start, const char *text);

/* Belongs to the row above; indented less, so that a command stays whole. */
void table_note(const struct table *table, const char *label, const char *text);

#endif
