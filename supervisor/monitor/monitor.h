/*
 * monitor.h - the shell around monitor_core: what its actions do, where its
 * events come from.
 *
 *	main.c		options, the core's actions, time and signals
 *	start.c		start-up in order, and the end
 *	spawn.c		workers begin
 *	worker.c	those that run, orders, the four facts of death
 *	groups.c, networks.c	what is kept for the next worker, as it takes long
 *	programs.c	router and loader: our own programs, outside of sandboxes
 *	control.c	the records to and from the router
 *	catalogs.c	manifests read by the loader, two generations of catalogs
 *	workspaces.c	directories that clients hand over
 *	output.c	what workers write to stdout and stderr, into the log
 *
 * One process, one thread, one struct monitor; all of its memory is there
 * before the first worker, and nothing is allocated afterwards.
 */
#ifndef CUPEL_SUPERVISOR_MONITOR_MONITOR_H
#define CUPEL_SUPERVISOR_MONITOR_MONITOR_H

#include <limits.h>

#include "common/arena.h"
#include "common/catalog.h"
#include "common/logfile.h"
#include "common/loop.h"
#include "common/places.h"
#include "common/settings.h"
#include "sandbox/cgroup.h"
#include "sandbox/keeper.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"
#include "supervisor/monitor/monitor_core.h"

struct monitor;

/* Exit statuses, sysexits(3). */
#define MONITOR_USAGE 64
#define MONITOR_FAILED 70
#define MONITOR_BUSY 75		/* another supervisor is there */
#define MONITOR_CONFIG 78

#define MONITOR_POLICIES_MAX 64
#define MONITOR_DIRECTORIES_MAX 16
#define MONITOR_USUAL_DIRECTORIES 2	/* of manifests: what came with us, the owner's */
#define MONITOR_EVENTS_MAX 1024
#define WORKER_NAME_BYTES 80
#define LINE_BYTES 1024
#define WORKSPACE_CLIENTS_MAX 64
#define NETWORKS_MAX 32		/* lent to single-use workers, sandbox/network.h */
#define GROUPS_MAX 8		/* empty, for the next workers with the same limits */

/* What a process writes, until there is a whole line; bounded by the second. */
struct output {
	struct monitor *monitor;
	struct loop_source source;	/* fd -1: none */
	char name[WORKER_NAME_BYTES];	/* the owner's to set: as the log tells it */
	enum log_level level;		/* the same: of lines that do not say theirs */
	uint32_t generation;		/* of a worker; 0: it is none */
	char text[LINE_BYTES];
	size_t length;
	unsigned lines;			/* in this second */
	bool paused;			/* it wrote too many: it has to wait */
};

/* What the monitor holds of the process on a slot. */
struct worker {
	struct monitor *monitor;
	uint32_t index, generation;	/* generation 0: none */
	struct sandbox sandbox;		/* the router has a pidfd and nothing else */
	struct cgroup cgroup;
	struct loop_child child;
	struct loop_source report;	/* init's records; fd -1 once over */
	struct loop_source beat;	/* of the router: its control socket */
	struct output output;
	int crash_fd;
	int network;			/* lent; -1: it has made its own */
	bool reported, status_known;
	bool background;		/* its group, if that can be */
	bool outgrown;			/* ended by us for its memory */
	uint64_t memory_bytes;		/* its limit where no group has it; 0: none, or it has */
	int64_t look_ns;		/* at its memory, then; or NEVER */
	struct sandbox_status status;
	int64_t emptying_ns;		/* ask for an empty cgroup again; or NEVER */
};

/* A program opened once; executed by descriptor ever after. */
struct program {
	int fd;				/* -1: could not be opened */
	bool script;
};

/* One generation: the loader's memory, mapped, and what its pools need. */
struct generation {
	int fd;				/* -1: none */
	const struct catalog *catalog;
	size_t bytes;
	struct program programs[CATALOG_POOLS_MAX];
	int plans[CATALOG_POOLS_MAX];	/* index in monitor.plans; -1: no such policy */
};

struct loader {
	struct loop_child child;
	struct output output;
	int pidfd, memory;		/* -1: not running */
	bool again;			/* asked for while running */
	bool ordered;			/* by a person: it may permit more than before */
	int64_t at_ns;			/* start one then; or DEADLINE_NEVER */
};

struct workspace {
	uint32_t number;		/* 0: the place is free */
	int fd;				/* O_PATH */
	uint32_t client;
	char path[PATH_MAX];
};

struct workspace_client {
	struct monitor *monitor;
	struct loop_source source;	/* fd -1: none */
	uid_t uid;
	bool rests;			/* its user has asked too often */
};

struct workspace_asker {
	uid_t uid;
	unsigned asks;			/* in this second; 0: nobody's row */
};

struct monitor {
	struct core core;
	struct core_actions actions;
	struct core_event events[MONITOR_EVENTS_MAX];	/* to be stepped, in order */
	unsigned event_head, event_count;
	bool stepping;
	struct loop loop;
	int64_t now_ns, tick_ns;
	struct worker workers[CORE_SLOTS];
	struct generation holding, other;
	int published;			/* the catalog as the router gets it */
	struct loader loader;
	struct program router_program, loader_program;
	struct plan *plans;		/* a policy resolved each */
	unsigned plan_count;
	struct workspace workspaces[CONTROL_WORKSPACES_MAX];	/* by place */
	uint32_t workspace_turn;	/* how often one was taken, from a random beginning */
	struct workspace_client clients[WORKSPACE_CLIENTS_MAX];
	struct workspace_asker askers[WORKSPACE_CLIENTS_MAX];
	struct loop_source workspace_listener, manifests;
	int router_listener, run_directory, state_directory, log_directory, null_fd;
	int run_lock;
	int effects, breakers;	/* the router's files, and ... */
	int state_lock;		/* ... their lock, lent to each in turn */
	int legacy;		/* memory, in which each finds what the last one left */
	int networks[NETWORKS_MAX];	/* free ones; none for an ordinary user */
	unsigned network_count;
	struct cgroup groups[GROUPS_MAX];	/* the longest unused first */
	unsigned group_count;
	int home_network;
	bool groupless;		/* none could be made for the last worker: it has been told */
	struct keeper keeper;
	struct places places;
	struct settings settings;
	struct config config;
	struct logfile logfile;
	struct log log;
	struct arena arena;		/* policies and names; grows at start only */
	const char *directories[MONITOR_DIRECTORIES_MAX + 1];	/* of manifests */
	unsigned directory_count;
	char self_directory[PATH_MAX];	/* where our own programs are */
	bool user_mode;			/* leaves when idle */
	int exit_status;
};

/* Steps the core and takes its actions, and those of what they cause. */
void monitor_event(struct monitor *monitor, const struct core_event *event);

/*
 * Says something of a worker or a pool, under its name: so that one that says
 * or suffers the same again and again does not hide another.
 */
void monitor_log(struct monitor *monitor, const char *name, enum log_level level,
		 const char *message, const struct log_field *fields);

/* Sets the loop's timer to the nearest of all. */
void monitor_rearm(struct monitor *monitor);

/* Leaves at once: what the core cannot go on without has failed. */
void monitor_fail(struct monitor *monitor, int status, const char *message,
		  const struct error *why);

/* main.c: of the loop's timer, and of its signals. */
void monitor_wakeup(void *owner, int64_t now_ns);
void monitor_signal(void *owner, const struct signalfd_siginfo *signal, int64_t now_ns);

/* start.c: 0, or the exit status after it has said why. */
int monitor_start(struct monitor *monitor);
void monitor_finish(struct monitor *monitor);

/* spawn.c: slot is of a worker, never the router's. */
void worker_spawn(struct monitor *monitor, uint32_t slot);
/* A fresh link for it and the router; one that cannot be given one is killed. */
void worker_link(struct monitor *monitor, uint32_t slot);

/* worker.c: the router's as well, where nothing else is said. */
/* Tells the core what has become of it. */
void worker_report(struct worker *worker, struct core_event event);
/* From now on beats that come on fd, the worker's from here, are heard. */
int worker_listen(struct worker *worker, int fd, struct error *why);
/* So are its init's report and its end; where that fails, it is gone. */
int worker_watch(struct worker *worker, struct error *why);
void worker_signal(struct monitor *monitor, uint32_t slot, int signal);
void worker_kill(struct monitor *monitor, uint32_t slot);
void worker_collect(struct monitor *monitor, uint32_t slot, enum slot_end end);
void worker_tick(struct monitor *monitor, uint32_t slot);	/* each second */
/* Those whose cgroup was not empty yet. */
void workers_ask_empty(struct monitor *monitor, int64_t now_ns);
/* At the memory of those with a call that no group holds to its limit. */
void workers_look(struct monitor *monitor, int64_t now_ns);
/* Ends what is left, without waiting; for the very end. */
void workers_release(struct monitor *monitor);

/* groups.c */
int group_make(struct worker *worker, const struct sandbox_plan *plan, bool batch,
	       struct error *why);
/* 0 when no process is in it any more: it is gone, or the next one's. */
int group_leave(struct worker *worker, bool in_order);
void groups_release(struct monitor *monitor);

/* networks.c */
int networks_make(struct monitor *monitor, struct error *why);
void networks_lend(struct worker *worker, const struct catalog_pool *pool,
		  struct sandbox_plan *plan);
void networks_take_back(struct worker *worker);

/* programs.c */
int program_open(struct program *ret, const char *path, struct error *why);
int programs_open(struct monitor *monitor, struct error *why);
/* Starts one of ours with fds from 3 on; stdout and stderr are output. */
int program_start(struct monitor *monitor, const struct program *program,
		  const char *const *argv, const int *fds, unsigned fd_count,
		  int output, int *ret_pidfd, struct error *why);
/* From now on child->exited tells of its end; where that fails, it is gone. */
int program_watch(struct monitor *monitor, struct loop_child *child, int pidfd,
		  struct error *why);
void router_spawn(struct monitor *monitor);

/* control.c */
void control_ready(void *owner, uint32_t events, int64_t now_ns);
/* With a descriptor, or -1. A router that does not read is killed. */
void control_tell(struct monitor *monitor, struct control record, int fd);

/* catalogs.c */
int catalogs_watch(struct monitor *monitor, struct error *why);
void catalogs_request(struct monitor *monitor, bool ordered, int64_t at_ns);
void catalogs_tick(struct monitor *monitor, int64_t now_ns);
void catalogs_switch(struct monitor *monitor);
/* Sees to it that monitor->published is the router's copy of what holds. */
int catalogs_publish(struct monitor *monitor, struct error *why);
void catalogs_settle(struct monitor *monitor, bool newer);
void catalogs_release(struct monitor *monitor);
/* The pool a core pool stands for and where; NULL: of no generation any more. */
const struct catalog_pool *catalogs_pool(struct monitor *monitor,
					 const struct core_pool *pool,
					 struct generation **ret_generation,
					 unsigned *ret_row);

/* workspaces.c */
void workspaces_tick(struct monitor *monitor);	/* who rests is heard again */
int workspaces_open(struct monitor *monitor, int listener, struct error *why);
/* The one of that number; NULL: it is no more. */
struct workspace *workspaces_find(struct monitor *monitor, uint32_t number);
void workspaces_tell(struct monitor *monitor);	/* a new router, of all */
void workspaces_release(struct monitor *monitor);

/* output.c */
int output_open(struct monitor *monitor, struct output *output, uint32_t generation,
		int *ret_theirs, struct error *why);
void output_tick(struct monitor *monitor, struct output *output);
/* Logs what is left, up to a bound, and closes. */
void output_close(struct monitor *monitor, struct output *output);

#endif
