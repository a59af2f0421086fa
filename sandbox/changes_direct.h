/*
 * changes_direct.h - what a run left in the workspace itself for others to run.
 *
 * An overlay lists every change before it takes effect (changes.h). In mode
 * direct a command writes at once, and nothing can stand where no file is yet
 * without being left there; so the workspace is looked through before the run
 * and after it, for the names of changes_later.h alone, and what is new, other
 * or gone is told. A file is another one by its inode or by the time of its
 * last change of any kind (ctime, inode(7)), which no call sets back.
 *
 * Breadth first, so that the top of the workspace comes first, and bounded:
 * what was not looked at, for its number, depth or rights, is counted. Git's
 * objects and other file systems mounted below are passed over; no symbolic
 * link is followed. Nothing is opened but directories.
 */
#ifndef CUPEL_SANDBOX_CHANGES_DIRECT_H
#define CUPEL_SANDBOX_CHANGES_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#define DIRECT_ENTRIES_MAX 20000

struct arena;
struct changes;
struct error;
struct tree;
struct direct_file;

struct direct_look {
	struct direct_file **files;	/* by path; in the arena */
	size_t count;
	uint64_t omitted;	/* directories not read, or not to their end; names */
};

/* 0 or -errno. */
int direct_look(const struct tree *workspace, struct arena *arena,
		struct direct_look *ret, struct error *why);

/*
 * What differs, as rows that all have a reason in "later"; omitted is that of
 * the look that saw less.
 */
void direct_compare(const struct direct_look *before, const struct direct_look *after,
		    struct arena *arena, struct changes *ret);

#endif
