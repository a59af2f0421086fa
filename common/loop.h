/*
 * loop.h - one thread that waits for everything at once.
 *
 *	wait --> signals --> channels --> wake-up --> reap --> settled --+
 *	  ^                                                              |
 *	  +------------------- until loop_stop() ------------------------+
 *
 * The clock is read once a turn, after the wait, and handed down as now_ns.
 * Within a turn the order is fixed: what a child sent is handled before its
 * death is, and a deadline is judged after the answer that may have met it.
 *
 * A handler never blocks and does a bounded amount of work: epoll is level
 * triggered and calls again. Sources are the caller's storage and must stay
 * where they are while added; the loop has no heap. Removing a source takes
 * effect at once, also for an event of it that this turn has fetched already,
 * so its storage may then be used for another source in the same turn.
 *
 * What is cheaper once a turn than once an event, such as writing out what all
 * the handlers queued, belongs into settled, which runs last; or it is NULL.
 *
 * Signals handled here are blocked in the whole process and stay so after
 * loop_release(): a late one must not change how the program ends. The mask
 * is inherited, so a child has to clear it before exec.
 *
 * Sources: epoll(7), signalfd(2), timerfd_create(2), pidfd_open(2), waitid(2).
 */
#ifndef CUPEL_COMMON_LOOP_H
#define CUPEL_COMMON_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "common/core/deadline.h"
#include "common/error.h"

#define LOOP_EVENTS_PER_TURN 64

struct loop;

enum loop_phase {
	LOOP_SIGNALS,
	LOOP_CHANNELS,
	LOOP_REAP,
};

/* A descriptor to watch; it stays the caller's and should not block. */
struct loop_source {
	int fd;
	void (*ready)(void *owner, uint32_t events, int64_t now_ns);
	void *owner;
	enum loop_phase phase;		/* the loop's */
};

/* How a child ended, as in waitid(2). */
struct loop_exit {
	pid_t pid;
	int code;			/* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
	int status;			/* exit status, or the signal */
	struct rusage usage;		/* of it and its own reaped children */
};

/* A child to reap; the descriptor stays the caller's. */
struct loop_child {
	int pidfd;
	void (*exited)(void *owner, const struct loop_exit *exit,
		       int64_t now_ns);
	void *owner;
	struct loop *loop;		/* this and below: the loop's */
	struct loop_source source;
};

struct loop {
	int epoll_fd;
	int timer_fd;
	int64_t wakeup_ns;		/* what was asked for */
	int64_t armed_ns;		/* what the kernel knows */
	void (*wakeup)(void *owner, int64_t now_ns);
	void (*settled)(void *owner, int64_t now_ns);	/* the owner's to set */
	void (*delivered)(void *owner, const struct signalfd_siginfo *signal,
			  int64_t now_ns);
	void *owner;
	struct loop_source signals;
	struct epoll_event fetched[LOOP_EVENTS_PER_TURN];
	int fetched_count;
	bool stopped;
};

/*
 * Prepares an empty loop; owner is what its own two handlers are given. wakeup
 * may be NULL if loop_set_wakeup() is never called. SIGCHLD goes back to its
 * default, lest children of a program started with it ignored vanish unreaped.
 */
int loop_init(struct loop *loop, void (*wakeup)(void *owner, int64_t now_ns),
	      void *owner, struct error *why);
void loop_release(struct loop *loop);

/* Watches source->fd for EPOLLIN, EPOLLOUT, ... (epoll_ctl(2)). */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events,
	     struct error *why);

/* Watches an added source for other events instead; 0 leaves only hang-ups. */
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events,
		struct error *why);

/*
 * Takes in whoever waits at a listening socket; the descriptor does not block.
 * -EAGAIN: there is nobody. Anything else: there are no descriptors, or no
 * memory for one, and the source rests, or it would be called without end:
 * loop_modify() in a while wakes it.
 */
int loop_accept(struct loop *loop, struct loop_source *listener);

/*
 * Forgets a source; no handler of it runs any more. Before close(2) of its
 * descriptor, as a copy that a child inherited would keep it in the set.
 */
void loop_remove(struct loop *loop, struct loop_source *source);

/* The same and closes it; fd is -1 then, and nothing happens where it was. */
void loop_close(struct loop *loop, struct loop_source *source);

/*
 * Calls child->exited once, when the child has ended and has been reaped; the
 * watch is then over. Nobody else may wait for this child.
 */
int loop_watch_child(struct loop *loop, struct loop_child *child,
		     struct error *why);

/* Gives up a watch that has not ended; reaping is then the caller's. */
void loop_unwatch_child(struct loop *loop, struct loop_child *child);

/* Blocks the signals of the set and has delivered called for each. Once. */
int loop_handle_signals(struct loop *loop, const sigset_t *set,
			void (*delivered)(void *owner,
					  const struct signalfd_siginfo *signal,
					  int64_t now_ns),
			struct error *why);

/*
 * Calls wakeup once, in the first turn at or after at_ns (monotonic); a later
 * call replaces it, DEADLINE_NEVER cancels. Costs no system call until the turn
 * ends. Whoever has many deadlines sets the nearest.
 */
void loop_set_wakeup(struct loop *loop, int64_t at_ns);

/* Turns until loop_stop(); 0, or a negative errno if waiting itself fails. */
int loop_run(struct loop *loop, struct error *why);

/* Lets loop_run() return when the present turn is over. */
void loop_stop(struct loop *loop);

#endif
