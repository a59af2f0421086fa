/*
 * router_world.h - the router's core, of which a test says all that comes in and
 * hears what goes out; router_rig.h is the same of the real program.
 *
 * A test fills in the first four, and may make the router live and die again; it
 * goes on from what it has found written down. What must hold between two events
 * is checked after each.
 */
#ifndef CUPEL_TESTS_SUPPORT_ROUTER_WORLD_H
#define CUPEL_TESTS_SUPPORT_ROUTER_WORLD_H

#include "supervisor/router/breakers_core.h"
#include "supervisor/router/router_core.h"

#define ROUTER_WORLD_BREAKERS 8

struct router_world {
	const struct catalog *catalog;	/* outlives it */
	struct router_size size;	/* clients and slots; what else is 0 is chosen */
	struct router_sink sink;	/* what it lacks is dropped; owner: the world */
	int64_t now_ns;

	struct router *router;
	struct breaker_row breakers[ROUTER_WORLD_BREAKERS];	/* written down */
	unsigned written, refused;	/* rows: so far; by the router when it began */
};

void router_world_begin(struct router_world *world);
void router_world_end(struct router_world *world);

void router_world_step(struct router_world *world, struct router_event event);
void router_world_wait(struct router_world *world, int64_t ns);

/* From that peer: clients' links, and from size.clients on workers'. */
void router_world_hear(struct router_world *world, uint32_t peer, struct message message);
void router_world_tell(struct router_world *world, uint32_t peer, struct control record);

/* Another catalogue is in force, of a later generation. */
void router_world_reload(struct router_world *world, const struct catalog *catalog);

/* A workspace is that user's from here on. */
void router_world_give(struct router_world *world, uint32_t workspace, uint32_t uid);

/* A client that has said hello. False: it is not let in. */
bool router_world_connect(struct router_world *world, uint32_t peer, uint32_t uid,
			  enum caller_role role);

/* A worker of the pool of that number that is ready. */
void router_world_worker_up(struct router_world *world, uint32_t slot,
			    uint32_t generation, uint32_t workspace);

/* It accepts what it was sent under that handle, and is done with it. */
void router_world_answer(struct router_world *world, uint32_t slot, uint64_t handle,
			 enum error_code code, const char *words);

#endif
