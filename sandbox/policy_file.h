/*
 * policy_file.h - the text of a policy (cupel-policy(5)) read into one.
 *
 * It is read twice: by common/config into strings, where unknown keys, wrong
 * types and duplicates end, and then row by row into the policy, so that every
 * refusal names its line.
 */
#ifndef CUPEL_SANDBOX_POLICY_FILE_H
#define CUPEL_SANDBOX_POLICY_FILE_H

#include "common/span.h"
#include "sandbox/policy.h"

/*
 * Reads text into ret, which holds what a file starts from; "file" stands for
 * it in errors. An include replaces ret, except its name, by that policy. 0 or
 * -errno with file, line and key; ret is then half-filled.
 */
int policy_parse(struct policy *ret, const char *file, struct span text,
		 bool may_include, struct arena *arena, struct error *why);

/* policy_load() for an include: what it loads may not include. */
int policy_load_included(struct policy *ret, const char *name,
			 struct arena *arena, struct error *why);

#endif
