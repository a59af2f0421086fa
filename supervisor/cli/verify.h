/*
 * verify.h - the attempts cupel verify makes, as rows of one table.
 *
 * The same function runs in two places: inside a sandbox, where it must be
 * refused, and outside as the control, where it should succeed, lest a
 * refusal prove nothing. It runs in a process of its own that ends with it,
 * and leaves nothing behind even where it succeeds.
 *
 * What it aims at comes in variables: the canaries of struct verify_targets.
 */
#ifndef CUPEL_SUPERVISOR_CLI_VERIFY_H
#define CUPEL_SUPERVISOR_CLI_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;

struct attempt {
	const char *name;
	int (*run)(const struct attempt *attempt);	/* 0: it worked; or an errno */
	const char *layer;	/* refuses it, unless the verdict names a system call */
	const char *text;	/* a path or the name of a variable */
	long number;
	const char *limit;	/* of the run inside; NULL: the policy's */
	bool outlives;		/* what is tried is to run on once the launcher is killed */
};

/* The layer of attempts that the caller's network would let through. */
#define NETWORK_LAYER "network namespace"

extern const struct attempt attempts[];
extern const size_t attempt_count;

const struct attempt *attempt_find(const char *name);

#define VERIFY_VARIABLES 4

/* Things outside to aim at: a process, a port, an abstract socket, a home. */
struct verify_targets {
	pid_t process;
	int port, socket, descriptor;	/* listening; one that is inherited */
	char variables[VERIFY_VARIABLES][128];	/* "NAME=value", for both places */
};

/*
 * 0 or -errno; verify_release() is due in both cases, and waits for every
 * child and orphan of the caller.
 */
int verify_prepare(struct verify_targets *ret, struct error *why);
void verify_release(struct verify_targets *targets);

#endif
