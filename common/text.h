/*
 * text.h - text for people: checked, escaped, measured, guessed.
 *
 * Nothing here allocates; results go into the caller's storage.
 */
#ifndef CUPEL_COMMON_TEXT_H
#define CUPEL_COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct error;

/*
 * The length in bytes of the UTF-8 character that text starts with, and its
 * code; 0 if it starts with none (RFC 3629: no surrogates, no overlong forms,
 * up to U+10FFFF).
 */
size_t text_character(struct span text, uint32_t *ret_code);
bool text_is_utf8(struct span text);

/*
 * Whether a character could steer a terminal or break a line: controls (C0,
 * DEL, C1), and what breaks lines or reorders them (U+2028 to U+202E, U+2066
 * to U+2069).
 */
bool text_is_control(uint32_t code);

/*
 * Copies text with its control characters and the bytes that are not UTF-8
 * written as \n, \t, \r or \xHH. Always terminated; what does not fit is cut
 * at a whole character. Returns the length written.
 */
size_t text_escape(struct span text, char *ret, size_t size);

/*
 * A size in bytes such as 512M: a whole number and K, M, G or T (1024 apiece,
 * small letters too), B or nothing. A duration such as 1.5s, 200ms, 10m, 1h in
 * nanoseconds; the unit is required, except for 0. -EINVAL or -ERANGE, and a
 * sentence that shows the permitted form.
 */
int text_parse_size(const char *text, uint64_t *ret, struct error *why);
int text_parse_duration(const char *text, int64_t *ret_ns, struct error *why);

#define TEXT_QUANTITY_BYTES 24

/* The shortest exact form that the parsers read back, e.g. 512M, 1500ms. */
void text_size(uint64_t bytes, char ret[TEXT_QUANTITY_BYTES]);
void text_duration(int64_t ns, char ret[TEXT_QUANTITY_BYTES]);

/* Whether a path is the directory, by its name, or lies in it. */
bool text_is_below(const char *path, const char *directory);

/*
 * The name nearest to what was typed, for "did you mean", or NULL if none is
 * near: at most a third of its letters added, dropped, changed or swapped with
 * the neighbour (Damerau 1964). names ends with NULL.
 */
const char *text_nearest(const char *typed, const char *const *names);

#endif
