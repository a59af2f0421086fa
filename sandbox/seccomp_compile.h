/*
 * seccomp_compile.h - from a set of system calls to a filter program.
 *
 *	other architectures, x32: kill	written by hand, in front
 *	numbers nobody knows: ENOSYS
 *	number -> allow or mark		libseccomp's binary tree
 *	mark -> deny, ENOSYS,		marks are replaced after libseccomp, so
 *		or a call's checks	that checks are exact and cost others nothing
 *
 * "Nobody" is Linux up to 6.18: a call newer than that does not exist for the
 * command, whose C library then falls back, as on an older kernel.
 *
 * Source: seccomp_rule_add(3), kernel Documentation/networking/filter.rst.
 */
#ifndef CUPEL_SANDBOX_SECCOMP_COMPILE_H
#define CUPEL_SANDBOX_SECCOMP_COMPILE_H

#include <linux/filter.h>
#include <stddef.h>

struct error;
struct policy;

#define SECCOMP_INSTRUCTIONS_MAX 2048

/*
 * Compiles what the policy says about system calls. Returns the number of
 * instructions, at most SECCOMP_INSTRUCTIONS_MAX, or -errno.
 */
int seccomp_compile(const struct policy *policy, struct sock_filter *ret,
		    struct error *why);

#endif
