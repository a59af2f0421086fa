/*
 * environment.h - what a measurement depends on and the workspace does not say.
 *
 *	NAME: VALUE	a line each, in the order of a table: kernel, machine, cpu, cpus,
 *			governor, compiler, libc, confinement, limits, cupel
 *
 * As a command of the workspace sees it: it is asked in the sandbox that tests and
 * benchmarks get, of the system's own programs. What cannot be read there has
 * no line. The store keeps the text under its SHA-256, which every session,
 * run of tests, baseline and series of values then names.
 */
#ifndef CUPEL_WORKERS_IMPROVE_ENVIRONMENT_H
#define CUPEL_WORKERS_IMPROVE_ENVIRONMENT_H

#include "workers/improve/session.h"

#define ENVIRONMENT_BYTES_MAX 4096

/*
 * Lets session->environment be the hash, or NULL (not known, logged) if there is no
 * store, or no shell to ask that says all and ends by itself. 0, or a negative errno
 * with which the call ends.
 */
int environment_learn(struct session *session, struct error *why);

#endif
