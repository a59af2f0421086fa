/*
 * observe.h - which paths a command asked for and is not shown (--explain).
 *
 *	filter --> open, stat, execve, ...	to the listener, before they run
 *	listener: allowed by the policy's rows?	EPERM if not, as ever
 *	          path in the caller's memory	read, judged by view.h, counted
 *	          continue			the kernel now does what it would
 *						have done without us
 *
 * It observes and never decides. That a call may run is told by its number and
 * registers alone (seccomp_allows()), which the kernel took down and nobody
 * can change; the filter of a run without --explain lets the very same calls
 * pass. The path is read from memory that other threads may be changing, so it
 * may not be the one the kernel then uses: that spoils a line of the report,
 * and grants nothing. The mounts, Landlock and modes decide as always.
 *
 * So an entry says "asked for, not shown", not "the kernel refused". Told are
 * paths that the policy does not show although the host has them, and writes
 * to what may only be read. Links inside are not followed. The launcher looks
 * paths up on the host, without following links or mounting anything; on a
 * file system that does not answer, it waits.
 */
#ifndef CUPEL_SANDBOX_OBSERVE_H
#define CUPEL_SANDBOX_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVED_PATH_BYTES 512
#define OBSERVED_PATHS_MAX 64

struct sandbox_plan;
struct seccomp_denial;

struct observed_path {
	char path[OBSERVED_PATH_BYTES];	/* absolute and plain */
	bool write;		/* it was to be changed or made */
	bool shown;		/* it may be read, and only that */
	uint64_t count;
};

struct observed {
	struct observed_path paths[OBSERVED_PATHS_MAX];
	size_t count;
	uint64_t total;		/* also of what found no place in the list */
	uint64_t unread;	/* calls whose path could not be read */
};

/* Whether --explain sends that call to the listener. */
bool observe_call(int number);

/* Notes the path of an observed call whose caller waits for its answer. */
void observe_note(struct observed *observed, const struct sandbox_plan *plan,
		  const struct seccomp_denial *call);

#endif
