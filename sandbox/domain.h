/*
 * domain.h - a Landlock domain as the border of a process tree.
 *
 *	launcher
 *	  init		in the outer domain, subreaper
 *	    guard	in the outer domain; outlives init by one call
 *	    command	in a domain of its own below the outer one
 *	      ...
 *
 * Where there is no pid namespace, a domain that scopes signals (ABI 6) stands
 * in for it. What is in a domain can signal nobody outside of it, so kill(2)
 * of -1 from the outer domain ends exactly the processes of this run, all at
 * once: the kernel walks its list of processes under the lock that fork takes,
 * so none is born past it. The command, further in, reaches neither init nor
 * the guard. Source: landlock(7), kill(2).
 */
#ifndef CUPEL_SANDBOX_DOMAIN_H
#define CUPEL_SANDBOX_DOMAIN_H

struct error;

#define DOMAIN_ABI_LEAST 6

/*
 * Puts the calling process into a new outer domain, as the subreaper of what
 * it will start, and starts the guard, which ends the domain if the caller
 * dies. no_new_privs must be set. -EPERM unless signals to the parent, which
 * could be sent before, are then seen to be refused.
 */
int domain_enter(struct error *why);

/*
 * Ends every other process of the domain and reaps them. Nothing unless
 * domain_enter() succeeded in this process.
 */
void domain_end(void);

#endif
