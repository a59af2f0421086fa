/*
 * artefacts.h - what a build has made, as one number.
 *
 * Files of a copy that its commit does not hold as they are: by path, content
 * and the executable bit, in any order; links by what they say. Two builds of
 * the same number gave the same files, so one need not be measured again.
 */
#ifndef CUPEL_WORKERS_GIT_ARTEFACTS_H
#define CUPEL_WORKERS_GIT_ARTEFACTS_H

#include "common/json.h"
#include "workers/git/libgit.h"

/*
 * Leaves out the files whose paths are in except (an array of texts). *ret is
 * never 0 and fits 63 bits; *ret_files says how many files it is made of.
 */
int artefacts_hash(const git_commit *commit, const char *copy, const json_t *except,
		   json_int_t *ret, json_int_t *ret_files, struct error *why);

#endif
