/*
 * schema.h - whether a JSON value is what a tool takes.
 *
 * The schema is a part of JSON Schema, the part that tool descriptions use:
 *
 *	type		a name or a list of names
 *	enum, const	values
 *	properties	a schema each; required: names; additionalProperties:
 *			true, false or a schema
 *	items		a schema; minItems, maxItems
 *	minimum, maximum, exclusiveMinimum, exclusiveMaximum
 *	minLength, maxLength	in characters
 *	title, description, default, examples, $schema: say nothing here
 *
 * true permits everything, false nothing. Whatever else a schema says would be
 * passed over in silence, so schema_lint() refuses it beforehand.
 *
 * Nothing here allocates, but for what jansson's iteration does not.
 * Source: JSON Schema 2020-12, Validation.
 */
#ifndef CUPEL_COMMON_SCHEMA_H
#define CUPEL_COMMON_SCHEMA_H

#include "common/json.h"

/* A schema is at most this many schemas deep. */
#define SCHEMA_DEPTH_MAX 16

/* 0 if every word of the schema is one of the above, else -EINVAL with it. */
int schema_lint(json_t *schema, struct error *why);

/*
 * 0, or -EINVAL (ERROR_INVALID_ARGUMENT) with the path of the first value at
 * fault and what is permitted there. The schema has passed the lint.
 */
int schema_check(json_t *schema, json_t *value, struct error *why);

#endif
