/*
 * trailers.h - whose commit it is, two trailers of its message say.
 *
 * Every store counts from 1, so the number alone may be a colleague's, or of a
 * store that is gone; the text is of what is changed, and in which commit. It is
 * looked for on the checked-out branch and on every other local one, in what
 * came after that commit; a detached HEAD counts where no branch has it.
 */
#ifndef CUPEL_WORKERS_GIT_TRAILERS_H
#define CUPEL_WORKERS_GIT_TRAILERS_H

#include "common/json.h"
#include "workers/git/libgit.h"

#define TRAILER_DONE "Cupel-Improvement"
#define TRAILER_UNDONE "Cupel-Reverts"
#define TRAILER_CHANGE "Cupel-Change"

#define TRAILERS_BYTES 300
#define REFERENCE_BYTES 256

struct improvement {
	json_int_t number;
	const char *change;		/* the store's text for it, a line */
	const char *since;		/* commit it was measured in, in hex; or NULL */
};

struct found {
	git_oid commit;
	bool done;
	git_oid revert;
	bool undone;
	char reference[REFERENCE_BYTES];	/* of the branch that has the commit; or HEAD */
	bool unsure;			/* it may be in what a shallow clone leaves out */
};

/* The end of a commit's message, by which it is found again; key: as above. */
void trailers_write(const char *key, const struct improvement *improvement,
		    char ret[TRAILERS_BYTES]);

/* An error where anything on the way cannot be read: then it may be there. */
int trailers_look(git_repository *repository, const struct improvement *improvement,
		  struct found *ret, struct error *why);

#endif
