/*
 * service.h - our own unprivileged programs confine themselves.
 *
 * A sandbox is for what others wrote. The router and the manifests' loader are
 * ours, but they read what others wrote; so each, before its first such byte,
 * gives up whatever it will not need:
 *
 *	descriptors beyond the declared ones
 *	root: for an id that nobody has, and every capability with it
 *	its life, should the parent die first
 *	new privileges, by any exec
 *	every file but those below the named directories (Landlock)
 *	every system call but those of the tables in generate/filters.c
 *
 * There is no user and no pid namespace: who a client is (SO_PEERCRED,
 * unix(7)) must be read in the host's terms. Each step fails closed. Files
 * opened before stay usable. clone3(2), fork(2), exec(3) and
 * socket(2) are over; what is refused fails with EPERM, an unknown call with
 * ENOSYS. Sources: landlock(7), seccomp(2), capabilities(7).
 */
#ifndef CUPEL_SANDBOX_SERVICE_H
#define CUPEL_SANDBOX_SERVICE_H

struct error;

struct service {
	unsigned descriptors_end;	/* this one and later ones are closed */

	/*
	 * Directories (or files) it may read, each with what is below, as far
	 * as its new id may: below a directory closed to others, only from a
	 * descriptor that was opened before. One that is missing is passed over.
	 * Ends with NULL. NULL itself: nothing can be opened at all.
	 */
	const char *const *readable;
};

/*
 * For good; to be called while there is one thread and before any input. 0 or
 * -errno with the step that failed: then the program must end. As root it has
 * the id SERVICE_UID_BASE + its pid afterwards, as an ordinary user its own.
 */
int service_confine(const struct service *service, struct error *why);

/* Ids of `cupel run` and services: one a process, given back by its end. */
#define SERVICE_UID_BASE 2000000000U

#endif
