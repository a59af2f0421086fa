/*
 * convert.h - the same value as JSON and as msgpack.
 *
 * Tools speak JSON at the edges and msgpack inside; a call's arguments cross
 * here. What has no exact counterpart is refused, never bent:
 *
 *	JSON			msgpack
 *	null, true, false	nil, true, false
 *	integer			integer from -2^63 to 2^63 - 1; beyond: refused
 *	real			float 64, bit by bit; NaN, infinities: refused
 *	string			str: UTF-8 without U+0000; bin: refused
 *	array			array
 *	object			map with unique strings for keys, in that order
 *
 * Both sides are at most PACK_DEPTH_MAX (8) containers deep, which is the
 * wire's limit: what is accepted here can be sent on.
 *
 * Source: RFC 8259; github.com/msgpack/msgpack spec.md.
 */
#ifndef CUPEL_COMMON_CONVERT_H
#define CUPEL_COMMON_CONVERT_H

#include "common/json.h"

/*
 * Builds the tree of exactly one msgpack value; the caller owns it. It takes
 * up to some hundred bytes of heap a byte of input, which the caller has
 * bounded. -EBADMSG if the bytes are malformed or say what JSON cannot,
 * -ERANGE for an integer beyond 2^63 - 1, -ENOMEM; the error names the byte.
 */
int convert_to_json(struct span bytes, json_t **ret, struct error *why);

/*
 * Writes a tree, which is not changed, as msgpack and returns its length in
 * bytes. -EMSGSIZE if it is too deep or capacity bytes do not hold it,
 * -EBADMSG if a string contains U+0000.
 */
int convert_from_json(json_t *json, uint8_t *buffer, size_t capacity,
		      struct error *why);

#endif
