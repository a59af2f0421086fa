/*
 * seccomp.h - the last layer: which system calls exist.
 *
 *	wrong architecture, x32		the process is killed
 *	allowed by the policy		runs, some only with harmless arguments
 *	clone3, openat2, io_uring	ENOSYS: libraries fall back
 *	unknown or newer numbers	ENOSYS
 *	known and not allowed		EPERM, and the launcher is told (listener)
 *
 * Programs for the presets are compiled when Cupel is built; a policy with
 * calls of its own is compiled on the spot, by libseccomp in both cases.
 *
 * The listener counts, it never decides: it answers EPERM. With --explain it
 * also sees calls that the policy allows, and lets the kernel continue them; it
 * tells them from the others by seccomp_allows(), that is by the rows the
 * filter is made of and by registers, never by the guest's memory (observe.h).
 *
 * Source: seccomp(2), seccomp_unotify(2).
 */
#ifndef CUPEL_SANDBOX_SECCOMP_H
#define CUPEL_SANDBOX_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sandbox/policy.h"

struct error;
struct arena;

struct seccomp_program {
	const struct sock_filter *instructions;
	uint16_t count;
};

/* The program of a policy; a compiled one lives in the arena. */
int seccomp_program(struct seccomp_program *ret, const struct policy *policy,
		    struct arena *arena, struct error *why);

/* The few calls init needs after it has started the command. */
struct seccomp_program seccomp_init_program(void);

/* Readable disassembly, one instruction a line. */
void seccomp_print(const struct seccomp_program *program, FILE *out);

/*
 * Installs it on the calling thread; no_new_privs must be set. With a listener
 * the new descriptor is returned, else 0, and refused calls fail with EPERM
 * without anybody being told; -errno on failure.
 */
int seccomp_install(const struct seccomp_program *program, int with_listener,
		    struct error *why);

/* One refused call, as read from the listener. */
struct seccomp_denial {
	uint64_t id;		/* the kernel's name for it */
	int pid;		/* in the launcher's namespace, 0 if gone */
	int number;
	uint64_t arguments[6];
};

/*
 * Takes the next refused call and answers it with EPERM. 1 with ret filled,
 * 0 when there is none, -errno when the listener is of no more use.
 */
int seccomp_next_denial(int listener, struct seccomp_denial *ret);

/* The same in two steps: takes the call, which waits, then answers it. */
int seccomp_next_call(int listener, struct seccomp_denial *ret);
int seccomp_answer(int listener, const struct seccomp_denial *call, bool allowed);

/* What the policy's filter would say of a call: its number and arguments. */
bool seccomp_allows(const struct policy *policy, const struct seccomp_denial *call);

#endif
