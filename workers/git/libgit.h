/*
 * libgit.h - the one home of libgit2.
 */
#ifndef CUPEL_WORKERS_GIT_LIBGIT_H
#define CUPEL_WORKERS_GIT_LIBGIT_H

#include <git2.h>

struct error;

/* Below the work tree: ".git". */
extern const char *git_folder;

/* The last words of libgit2 behind what was tried; returns -EIO. */
int git_failure(const char *what, struct error *why);

#endif
