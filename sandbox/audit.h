/*
 * audit.h - what is really in force, read back by the process concerned.
 *
 * Runs in the command's own process: audit_before() when every layer but the
 * system-call filter is on, audit_after() under the filter, just before exec.
 */
#ifndef CUPEL_SANDBOX_AUDIT_H
#define CUPEL_SANDBOX_AUDIT_H

struct sandbox_plan;
struct sandbox_enforced;

void audit_before(const struct sandbox_plan *plan, long session_keyring,
		  struct sandbox_enforced *ret);
/* The first thing the plan wants and audit_before() did not find; NULL: none. */
const char *audit_missing(const struct sandbox_plan *plan,
			  const struct sandbox_enforced *enforced);
void audit_after(struct sandbox_enforced *ret);

#endif
