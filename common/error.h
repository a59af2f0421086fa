/*
 * error.h - why something failed, for the program and for a person.
 *
 * Functions return 0 or a negative errno; where an operator must read the
 * reason, the last argument takes it. Class and severity follow from the code
 * (common/core/error_code.h); the text is one sentence that names the object
 * and, where there is one, the way out.
 */
#ifndef CUPEL_COMMON_ERROR_H
#define CUPEL_COMMON_ERROR_H

#include <stdarg.h>

#include "common/core/error_code.h"

#define ERROR_TEXT_BYTES 512

struct error {
	enum error_code code;
	enum error_origin origin;	/* the router, unless somebody says else */
	char text[ERROR_TEXT_BYTES];	/* terminated; UTF-8 if its pieces are */
};

/*
 * Fills why (which may be NULL) from a negative errno and a sentence, and
 * returns that errno, so that a failing function ends in one line:
 * return error_set(why, -EIO, "open %s: %s", path, strerror(errno)).
 * A sentence that is too long is cut at a whole character, marked by "...".
 */
int error_set(struct error *why, int negative_errno, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a code of our own instead of the one errno implies. */
int error_set_code(struct error *why, int negative_errno, enum error_code code,
		   const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Puts "prefix: " before the sentence already there, as the error passes a
 * caller that knows more. Returns negative_errno unchanged.
 */
int error_prefix(struct error *why, int negative_errno, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The analyzer cannot know that what they return is less than 0. */
#ifdef __clang_analyzer__
#define error_set(...) (error_set(__VA_ARGS__), -1)
#define error_set_code(...) (error_set_code(__VA_ARGS__), -1)
#define error_prefix(...) (error_prefix(__VA_ARGS__), -1)
#endif

#endif
