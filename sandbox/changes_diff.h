/*
 * changes_diff.h - what changed inside text files, for people.
 *
 * A unified diff with three lines of context, as diff -u prints. Strangers
 * wrote both sides, so everything is bounded: files of up to 256 KiB and
 * lines that differ in up to 1000 places are shown, others are only named; a
 * long line is cut; nothing can steer the terminal. It is for reading, not
 * for patch(1).
 *
 * Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986),
 * the greedy algorithm, with a common start and end set aside first.
 */
#ifndef CUPEL_SANDBOX_CHANGES_DIFF_H
#define CUPEL_SANDBOX_CHANGES_DIFF_H

#include <stdio.h>

#include "common/span.h"
#include "sandbox/changes.h"

/*
 * Prints the diff of every row that is a file, as long as no more than
 * bytes_max have been printed; then how many files are left. Arguments as for
 * changes_read(). 0 or -errno.
 */
int changes_diff(int upper, const struct tree *workspace,
		 const struct changes *changes, size_t bytes_max, FILE *out,
		 struct error *why);

/*
 * The hunks alone, of two texts. Bytes printed, more or less, -EFBIG if there
 * are too many differences, or -ENOMEM. The arena is for working memory.
 */
int diff_print(struct span old, struct span new, struct arena *arena, FILE *out);

#endif
