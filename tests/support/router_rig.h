/*
 * router_rig.h - the real cupel-router between a monitor, clients and workers that
 * are made up: this process speaks for the monitor and the clients, each
 * worker is a process forked from it, and a link without a router in between
 * is there to compare with.
 *
 * The router is looked for in the directory CUPEL_BIN, or build/bin. It dies
 * with us, and so do the workers; its log is dropped unless ROUTER_RIG_LOG is set in
 * the environment. Whatever goes wrong ends the program.
 */
#ifndef CUPEL_TESTS_SUPPORT_ROUTER_RIG_H
#define CUPEL_TESTS_SUPPORT_ROUTER_RIG_H

#include <sys/types.h>

#include "common/catalog.h"
#include "common/core/deadline.h"
#include "common/wire/channel.h"
#include "common/wire/control.h"

#define ROUTER_RIG_SLOTS 8
#define ROUTER_RIG_PATH_BYTES 64

/* Workers know their tools by these names. */
#define ROUTER_RIG_ECHO "echo"		/* answers with the argument, at once */
#define ROUTER_RIG_HANG "hang"		/* accepts, and is silent */
#define ROUTER_RIG_WORK "work"		/* takes ROUTER_RIG_WORK_NS, then answers */
#define ROUTER_RIG_WORK_NS 1000000
#define ROUTER_RIG_STORE "store.call"	/* takes what it is given, and says nothing */

struct router_rig_slot {
	pid_t pid;		/* 0: nobody */
	int pidfd;
	uint32_t generation;
	uint16_t pool;
};

struct router_rig {
	pid_t router;
	int control;		/* the monitor's end */
	char path[ROUTER_RIG_PATH_BYTES];
	struct router_rig_slot slots[ROUTER_RIG_SLOTS];
	int64_t spawned_ago_ns;	/* what the next ones up say of it; 0: nothing */
};

/* One of the channel's ends; its buffers are its own. */
struct router_rig_peer {
	struct channel channel;
};

/* A row of a pool and tools for it: plain, static, everything allowed. */
void router_rig_add_pool(struct catalog *catalog, const char *name, unsigned size,
		  unsigned calls_max);
void router_rig_add_tool(struct catalog *catalog, const char *name, uint32_t pool,
		  unsigned queue);

void router_rig_start(struct router_rig *rig, const struct catalog *catalog);

/* The router, its workers and its socket are gone afterwards. */
void router_rig_stop(struct router_rig *rig);

/* Another worker in that slot; it is ready soon. */
void router_rig_worker_up(struct router_rig *rig, uint32_t slot, uint16_t pool,
		   unsigned calls_max);

/* Says so once the worker is dead; waits for that. */
void router_rig_worker_down(struct router_rig *rig, uint32_t slot);
void router_rig_control(struct router_rig *rig, const struct control *record, int fd);

/* What the router wants of its monitor is read, and dropped. */
void router_rig_drain_control(struct router_rig *rig);

/* A client that has been welcomed. */
void router_rig_connect(struct router_rig *rig, struct router_rig_peer *peer);

/* The router's end of a link to a worker that is ready, and its process. */
pid_t router_rig_direct(struct router_rig_peer *peer, unsigned calls_max);
void router_rig_peer_end(struct router_rig_peer *peer);

void router_rig_send(struct router_rig_peer *peer, const struct message *message);

/* Takes one message if it is here; its body stays until the next one. */
bool router_rig_take(struct router_rig_peer *peer, struct message *ret);

/* Waits for one of that call, at most 10 s; passes over ACCEPT. */
void router_rig_wait(struct router_rig_peer *peer, uint64_t call_id, struct message *ret);

/* Calls the router's own method; the text is NUL-terminated. */
size_t router_rig_own(struct router_rig_peer *peer, uint64_t call_id, const char *method,
	       const char *argument, char *text, size_t capacity);

#endif
