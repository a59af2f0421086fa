/*
 * shell.h - the router's system calls around its core.
 *
 *	main.c	open, confine, turn
 *	links.c	sockets of clients and workers: bytes <-> messages
 *	control.c	the monitor's records and descriptors
 *	ledger.c	what outlives it: the files of effects that have a name and of
 *			breakers, the memory of its calls
 *	sample.c	how full the machine is
 *
 * In a turn every readable link is read once or so, the core acts, and when
 * all is settled each link that has something is written once; but that a
 * result has come nobody waits to hear, and a worker is not woken for it.
 * Buffers are as
 * large as the largest frame and lent: a link has one only while bytes wait in
 * it, the last given back is the next lent, so that few are ever touched.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_SHELL_H
#define CUPEL_SUPERVISOR_ROUTER_SHELL_H

#include "common/log.h"
#include "common/loop.h"
#include "common/wire/channel.h"
#include "supervisor/router/router_core.h"

#define SHELL_PEERS (ROUTER_CLIENTS + ROUTER_SLOTS)
#define SHELL_BUFFERS (2 * SHELL_PEERS)
#define SHELL_BUFFER_BYTES 266240	/* holds a frame, in whole pages */
#define SHELL_CONTROLS 1024		/* records the monitor may be behind */
#define SAMPLE_NS (10 * NS_PER_S)

_Static_assert(SHELL_BUFFER_BYTES >= CHANNEL_BUFFER_BYTES_MIN, "a frame fits");

struct shell;

struct link {
	struct channel channel;
	struct loop_source source;
	struct shell *shell;
	uint32_t peer;
	uint32_t events;	/* watched */
	bool open;
	bool closing;		/* ends when the turn has settled */
	bool dirty;		/* in the list of those to be written */
	bool patient;		/* in the list of those who have time */
	bool again;		/* in the list of those that hold frames not yet read */
	bool starved;		/* the core waits for room */
};

enum sample_fd {
	SAMPLE_MEMORY,		/* /proc/meminfo */
	SAMPLE_CPU,		/* /proc/stat */
	SAMPLE_SELF,		/* /proc/self/stat */
	SAMPLE_MONITOR,		/* the same of our parent */
	SAMPLE_DISK,		/* a directory of the file system to watch */
	SAMPLE_FD_COUNT
};

struct sampler {
	int fds[SAMPLE_FD_COUNT];	/* -1: not to be had */
	uint64_t busy, all;		/* ticks at the last look */
	int64_t boot_ns;		/* since 1970-01-01 UTC */
	unsigned descriptors_end, descriptors_most;	/* of ours */
	int64_t next_ns;
};

struct shell {
	struct loop loop;
	struct log log;
	struct router *router;
	uid_t owner_uid;
	struct loop_source listener, control;
	int64_t listen_ns;		/* the listener rests until then */
	struct link links[SHELL_PEERS];
	uint32_t open_count;		/* of them */
	uint32_t dirty[2 * SHELL_PEERS];	/* writing may make all dirty again */
	uint32_t dirty_count;
	uint32_t patient[SHELL_PEERS];	/* written with what comes next, or at
					   the next wakeup */
	uint32_t patient_count;
	uint32_t again[SHELL_PEERS];	/* those whose turn was over before their frames */
	uint32_t again_count;
	uint8_t *buffers;
	uint16_t idle_buffers[SHELL_BUFFERS];
	uint32_t idle_count;
	const struct catalog *catalog;
	size_t catalog_bytes;
	struct control controls[SHELL_CONTROLS];
	uint32_t control_first, control_count;
	bool control_blocked;
	struct sampler sampler;
	uint32_t done[ROUTER_WORK_COUNT];	/* of which each LINK_TIMED_EACH-th is timed */
	struct histogram works[ROUTER_WORK_COUNT];
	int ledger_error;		/* nothing is written to it any more */
	bool breakers_unkept;		/* one was not, which was said */
	int64_t now_ns;			/* of this turn */
	int exit_status;
};

/* ---- links ---- */

int links_init(struct shell *shell, struct error *why);

/* Takes over the descriptor; the core is told by whoever calls this. */
int link_attach(struct shell *shell, uint32_t peer, int fd, struct error *why);
int link_unused_client(const struct shell *shell);

/* Reads what is left of a link, tells the core it is closed, frees it. */
void link_finish(struct shell *shell, uint32_t peer);
void links_hurry(struct shell *shell);	/* what had time is to go out now */
void links_settle(struct shell *shell);
int links_send(void *owner, uint32_t peer, const struct message *message);
void links_close(void *owner, uint32_t peer);
void links_accept(void *owner, uint32_t events, int64_t now_ns);
void links_listen(struct shell *shell, int64_t now_ns);	/* (again,) if it is time */

/* ---- control ---- */

int control_init(struct shell *shell, struct error *why);
void control_write(void *owner, const struct control *record);
void control_flush(struct shell *shell);
/*
 * Takes all that the monitor has said: what a client learnt from it, and acts
 * upon, was said here before.
 */
void control_catch_up(struct shell *shell);
const struct catalog *control_map_catalog(int fd, size_t *ret_bytes,
					  struct error *why);

/* ---- ledger ---- */

/* Reads what an earlier router has written down; without it none is begun. */
void ledger_open(struct shell *shell, int64_t now_ns);
int ledger_keep(void *owner, uint32_t index, const struct effect_row *row);

/* Its breakers likewise, as far as they can be read. */
void ledger_recall_breakers(struct shell *shell, int64_t now_ns);
void ledger_keep_breaker(void *owner, uint32_t index, const struct breaker_row *row);

/* What an earlier router has left; without it this one cannot start. */
int legacy_open(struct shell *shell, int64_t now_ns, struct error *why);

/* ---- sample ---- */

/* Opens what it will read; directory may be NULL. */
void sample_open(struct sampler *sampler, const char *directory);
void sample_take(struct sampler *sampler, struct router_sample *ret);

#endif
