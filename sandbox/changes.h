/*
 * changes.h - what a run changed in its private copy of the workspace.
 *
 * overlayfs keeps changes in an upper directory: new and changed files as
 * they are, deletions as character devices 0:0 (whiteouts), a directory that
 * hides the one below as "opaque". changes_read() compares that with the
 * workspace and says it the way a person would:
 *
 *	A added    M modified    D deleted    T another kind of file
 *	m same content, other mode, time or user attributes
 *
 * A directory deleted with all that is in it is a row per file, so that a
 * later commit touches nothing that is not listed. What the run left as it
 * was (a file only opened for writing) is no change.
 *
 * Both trees belong to strangers. Every step is taken below a descriptor
 * without following a symbolic link; directories wait in a list, not on the
 * stack; memory is bounded by the arena, and a path by PATH_MAX. What lies
 * beyond a bound is counted in "omitted", never silently left out.
 *
 * Sources: kernel Documentation/filesystems/overlayfs.rst.
 */
#ifndef CUPEL_SANDBOX_CHANGES_H
#define CUPEL_SANDBOX_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

struct arena;
struct error;
struct tree;

enum change_verb {
	CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED, CHANGE_TYPE,
	CHANGE_ATTRIBUTES, CHANGE_VERB_COUNT
};

enum file_kind {
	KIND_NONE, KIND_FILE, KIND_DIRECTORY, KIND_LINK,
	KIND_SPECIAL,		/* fifo, socket, device: never committed */
	KIND_COUNT
};

struct change {
	const char *path;	/* below the workspace; any bytes but NUL */
	enum change_verb verb;
	enum file_kind kind;	/* after the run; KIND_NONE of a deletion */
	enum file_kind was;	/* in the workspace; KIND_NONE if added */
	mode_t mode;		/* permission bits after the run */
	uint64_t size;		/* bytes of a file, after the run */
	int64_t modified_ns;	/* wall clock */
	const char *target;	/* of a link; NULL if a list was read back */
	const char *later;	/* what executes it unasked, or NULL */
	bool conflict;		/* a commit found the workspace changed here */
	struct change *next, *prev;
};

struct changes {
	struct change *first, *last;	/* by path: a directory before what is in it */
	size_t count;
	uint64_t omitted;	/* not listed: no memory, too deep, unreadable */
	size_t verbs[CHANGE_VERB_COUNT];
	size_t specials;	/* rows that no commit will take */
	size_t later;		/* rows with a reason in "later" */
	uint64_t bytes;		/* of files added or modified */
};

/*
 * Reads the changes that lie in upper (a tmpfs with the directory "upper")
 * against the workspace. Rows live in the arena. The run must have ended. A
 * file in upper that its owner made unreadable is made readable for that
 * owner; the row has the mode it had. 0 or -errno.
 */
int changes_read(int upper, const struct tree *workspace, struct arena *arena,
		 struct changes *ret, struct error *why);

/* Puts rows, linked by next, in order and counts them. */
void changes_index(struct change *first, struct changes *ret);

/*
 * A line a row, for people: "M src/main.c  12K", with what executes it later,
 * what no commit takes, and conflicts; then the sums. At most rows_max rows;
 * the rest is counted. Paths are escaped for the terminal.
 */
void changes_print(const struct changes *changes, size_t rows_max, FILE *out);

char change_letter(enum change_verb verb);
const char *file_kind_name(enum file_kind kind);
enum file_kind file_kind_of(const struct stat *status);

#endif
