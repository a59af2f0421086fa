/*
 * glob.h - shell patterns over relative paths, compiled once, matched fast.
 *
 *	?	one byte other than /
 *	*	any run of bytes other than /
 *	**	as a whole component: any number of them; as the last one, at
 *		least one; anywhere else the same as *
 *	[a-z]	one byte of the set; [!a-z] or [^a-z] one outside it; never /;
 *		[:alpha:] and its eleven kin name ASCII sets
 *	\x	the byte x itself
 *
 * Bytes, not characters: ? is one byte of a UTF-8 sequence, as in git. Paths
 * are relative to some root, without "." and "..", doubled or trailing slashes.
 *
 * A compiled pattern is a literal prefix, a program and a literal suffix. Most
 * patterns are decided by comparing prefix and suffix; a program is run with
 * one way back per kind of star, in time at most path length times pattern
 * length. One way back is enough: a later ** can do all that an earlier one
 * can, and a * never has to look beyond its own component.
 *
 * Pure. Compiled patterns live in memory the caller gives and keeps; they
 * contain no pointer to the pattern's own text.
 *
 * Sources: POSIX.1-2017 XCU 2.13 and XBD 9.3.5; gitignore(5) for **; R. Cox,
 * "Glob Matching Can Be Simple And Fast Too" (2017) for the single way back.
 */
#ifndef CUPEL_COMMON_CORE_GLOB_H
#define CUPEL_COMMON_CORE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

#define GLOB_PATTERN_BYTES_MAX 4096

/* What may stand between the prefix and the suffix. */
enum glob_middle {
	GLOB_NOTHING,		/* no star at all */
	GLOB_NAME,		/* *: anything without a slash */
	GLOB_DIRECTORIES,	/* **: nothing, or whole directories */
	GLOB_ANYTHING,		/* **, then * */
	GLOB_SOMETHING,		/* ** at the end: at least one byte */
	GLOB_PROGRAM		/* to be run */
};

struct glob {
	const uint8_t *code;	/* prefix, program, suffix, in caller memory */
	uint32_t prefix_length;
	uint32_t program_length;
	uint32_t suffix_length;
	enum glob_middle middle;
};

/*
 * Compiles pattern into memory. Returns the bytes of memory used, -EINVAL for
 * a malformed pattern (unclosed [, unknown [:class:], trailing backslash, NUL),
 * -ENAMETOOLONG above GLOB_PATTERN_BYTES_MAX, -ENOSPC when memory is too small.
 * glob borrows from memory; pattern may go.
 */
int glob_compile(struct glob *glob, struct span pattern, uint8_t *memory,
		 size_t memory_bytes);

/* Whether the whole of path matches. */
bool glob_match(const struct glob *glob, struct span path);

/*
 * Past one unit of a pattern: a byte, an escaped byte or a [set], so that who
 * rewrites patterns takes no byte of a set for its own. NULL if malformed. at
 * must be before end.
 */
const uint8_t *glob_unit_end(const uint8_t *at, const uint8_t *end);

#endif
