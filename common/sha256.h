/*
 * sha256.h - SHA-256 as text.
 *
 * The one home of libsodium. Source: FIPS 180-4.
 */
#ifndef CUPEL_COMMON_SHA256_H
#define CUPEL_COMMON_SHA256_H

#include "common/span.h"

#define SHA256_TEXT_BYTES 65	/* in lower-case hex, with its NUL */

/* Of the parts one behind the other, as if they were one. */
void sha256_text(const struct span *parts, size_t count,
		 char ret[SHA256_TEXT_BYTES]);

#endif
