/*
 * config_value.h - one setting between text and its member.
 *
 * What a type looks like in a file, what a row allows, and the words for it.
 * Nothing here allocates: strings and lists, whose memory is config_store.h's
 * business, are only measured and written.
 */
#ifndef CUPEL_COMMON_CONFIG_VALUE_H
#define CUPEL_COMMON_CONFIG_VALUE_H

#include <stdio.h>

#include "common/config.h"
#include "common/text.h"

#define CONFIG_RANGE_BYTES 256

/*
 * Reads a number, a truth or a choice into its member. -EINVAL and a sentence
 * without a subject ("7 is not between ...") if the row does not allow it.
 */
int config_value_parse(const struct config_row *row, const char *text,
		       void *member, struct error *why);

/* Whether the row allows a string of so many bytes, a list of so many items. */
int config_value_check_length(const struct config_row *row, size_t length,
			      struct error *why);

/*
 * What the row allows, to follow "is" and "is not": "between 1 and 100 files".
 * Cut at CONFIG_RANGE_BYTES.
 */
void config_value_range(const struct config_row *row,
			char ret[CONFIG_RANGE_BYTES]);

/* The same of an INT, a SIZE or a DURATION, without a stream. False: it is none. */
bool config_value_number(const struct config_row *row, const void *member,
			 char ret[TEXT_QUANTITY_BYTES]);

/* Writes a member's value as a file would say it. */
void config_value_print(FILE *out, const struct config_row *row,
			const void *member);

#endif
