/*
 * seccomp_checks.h - calls that are allowed only with harmless arguments.
 *
 * A call's checks are rows, tried in order: when (argument & mask) == value,
 * that row's verdict holds. Only the low 32 bits of an argument are looked at,
 * because that is all the kernel uses of them: a compare of all 64 is passed by
 * garbage in the others (CVE-2019-10063). The last row of a call always holds.
 */
#ifndef CUPEL_SANDBOX_SECCOMP_CHECKS_H
#define CUPEL_SANDBOX_SECCOMP_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A positive verdict is the number of rows to pass over. */
enum { CHECK_ALLOW = 0, CHECK_DENY = -1 };

/* Rows of a policy that has, or has not, the flag of that name. */
enum check_when { CHECK_ALWAYS, CHECK_IF_INTERFACES, CHECK_UNLESS_INTERFACES,
		  CHECK_UNLESS_WRITE_EXECUTE, CHECK_IF_BARE,
		  CHECK_IF_UNIX_ESCAPES };

struct check {
	unsigned argument;
	uint32_t mask, value;
	int verdict;
	enum check_when when;
};

struct checked_call {
	int number;
	const char *permitted;	/* for a person: what may be asked of it */
	const struct check *checks;
	size_t count;
};

struct policy;

/* Whether its rows let these arguments pass under the policy. */
bool seccomp_checks_allow(const struct checked_call *call, const struct policy *policy,
			  const uint64_t arguments[6]);

/* Whether a row holds under that policy at all. */
bool seccomp_check_applies(const struct check *check, const struct policy *policy);

/* NULL for a call that may be made with any arguments. */
const struct checked_call *seccomp_checked_call(int number);

#endif
