/*
 * json.h - JSON from strangers, read strictly; JSON of ours, written once.
 *
 * This header is the one home of jansson: whoever needs a tree includes it
 * and uses jansson's own json_t, json_pack() and iterators; reading text and
 * fields goes through the functions below, which know the limits and explain
 * themselves. Text is RFC 8259: UTF-8, no duplicate keys, no \u0000, no
 * integer beyond 64 bits.
 *
 * jansson opens /dev/urandom for its hash seed when the first object is made:
 * a process that confines itself calls json_object_seed(0) before that.
 *
 * Sources: RFC 8259; jansson 2.14 API reference.
 */
#ifndef CUPEL_COMMON_JSON_H
#define CUPEL_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/span.h"

struct json_limits {
	size_t bytes_max;
	unsigned depth_max; /* of arrays and objects; 0 allows scalars only */
};

/*
 * Parses one JSON value. The limits are checked before jansson sees the text,
 * whose parser recurses. On success the caller owns *ret: json_decref().
 * Errors name line and column (in characters, from 1): -EMSGSIZE over a limit,
 * -EBADMSG malformed, -ENOMEM.
 */
int json_parse(struct span text, struct json_limits limits, json_t **ret,
	       struct error *why);

/*
 * Writes a tree as text with a terminating NUL and returns its length in
 * bytes. The layout is jansson's flags: JSON_COMPACT or JSON_INDENT(n), and
 * JSON_SORT_KEYS where insertion order is not wanted. -EMSGSIZE if size bytes
 * do not hold it, -EBADMSG if the tree has no JSON text.
 */
int json_write(const json_t *json, size_t layout, char *buffer, size_t size,
	       struct error *why);

/*
 * Fields by path: names joined by dots, array places in brackets, as in
 * "choices[0].message.content". What is returned borrows from root. -ENOENT
 * if a part of the path is missing or null, -EINVAL if a part has another
 * type, -ERANGE if a number is outside least .. most; the error names the
 * path up to the part at fault.
 */
int json_get(json_t *root, const char *path, json_type type, json_t **ret,
	     struct error *why);
int json_get_text(json_t *root, const char *path, const char **ret,
		  struct error *why);
int json_get_int(json_t *root, const char *path, int64_t least, int64_t most,
		 int64_t *ret, struct error *why);
/* An integer is a real number, too. */
int json_get_real(json_t *root, const char *path, double *ret,
		  struct error *why);
int json_get_bool(json_t *root, const char *path, bool *ret, struct error *why);

#endif
