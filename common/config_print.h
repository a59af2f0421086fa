/*
 * config_print.h - settings as a file, as help and as a manual.
 *
 * Everything comes from the rows, so that none of the three can be wrong.
 */
#ifndef CUPEL_COMMON_CONFIG_PRINT_H
#define CUPEL_COMMON_CONFIG_PRINT_H

#include <stdio.h>

#include "common/config.h"

/*
 * The settings in force as a file that says the same: each below a comment
 * with its help and range.
 */
void config_print_file(FILE *out, const struct config *config);

/* A line or two for each setting: key, default, help, range. */
void config_print_help(FILE *out, const struct config_section *sections,
		       size_t count);

/* The same as the list of an mdoc(7) page. */
void config_print_manual(FILE *out, const struct config_section *sections,
			 size_t count);

#endif
