/*
 * libgit.h - the one home of libgit2.
 */
#ifndef CUPEL_WORKERS_GIT_LIBGIT_H
#define CUPEL_WORKERS_GIT_LIBGIT_H

#include <stdbool.h>
#include <string.h>

#include <git2.h>

struct error;

/* Below the work tree: ".git", or SNAPSHOT_FOLDER where there is none. */
extern const char *git_folder;

/* Whether it is the user's own, who knows what a commit is. */
static inline bool git_is_users(void)
{
	return strcmp(git_folder, ".git") == 0;
}

/* The last words of libgit2 behind what was tried; returns -EIO. */
int git_failure(const char *what, struct error *why);

#endif
