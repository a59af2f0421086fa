/*
 * legacy_core.h - what a router leaves to the next one.
 *
 *	sent to a worker --> row --> RESULT told --> confirmed by its client: no row
 *	                      |          |
 *	      the router dies +----------+--> the next adopts the call: from the row
 *	                                      who asked, from the worker how far it is
 *
 * Rows lie in memory that outlives the router (ROUTER_LEGACY_FD) and that nobody
 * but routers can write: whose call it is, a worker never says. There is a row
 * of a call from before it goes to a worker until its client has confirmed the
 * result, left, or never wanted it twice (no CALL_RESUME); and as long the worker
 * keeps the result, of one that waits for nobody (CALL_DETACHED) HELD_ACK_NS. So
 * what has no row was not executed, if the client's session was there when the
 * router died, which its own row says. What cannot be told for certain is answered
 * with an outcome that is unknown.
 *
 * An adopted call waits LEGACY_NS for its client; how they meet: resume_core.h.
 *
 * A row becomes one by the store of its last word, and none by the first: a
 * router may be killed between any two. The next checks all it finds.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_LEGACY_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_LEGACY_CORE_H

#include "common/catalog.h"
#include "common/core/list.h"
#include "common/wire/message.h"
#include "supervisor/router/poison_core.h"

#define LEGACY_NS (30 * NS_PER_S)
#define LEGACY_UNCONFIRMED_MAX 256	/* results a client has not confirmed */
#define SESSION_BYTES 16

struct legacy_head {
	uint32_t generation;	/* of handles: none was higher */
	uint32_t unused[15];
};

struct legacy_session {
	uint8_t token[SESSION_BYTES];
	uint32_t uid, role;
	uint64_t open;
};

struct legacy_call {
	uint64_t handle;	/* by which the worker knows it; 0: no row */
	uint64_t client_id;
	int64_t deadline_ns;
	uint8_t session[SESSION_BYTES];
	struct signature effect_name;
	uint32_t effect;	/* row of the ledger; or UINT32_MAX */
	uint32_t slot, generation;
	uint32_t uid, role, flags, workspace, attempts, priority;
	uint8_t own;		/* the router's own call */
	uint8_t begun, told;	/* its ACCEPT, its RESULT had come */
	uint8_t left;		/* its client had gone */
	uint8_t instead;	/* the tool is not the one it asked for */
	char tool[CATALOG_NAME_BYTES];
};

struct router;
struct router_size;
struct call;
struct client;
struct pool;
struct slot;

/* A row's part that is this router's own. */
struct heir {
	struct list link;	/* free; or of its client's unconfirmed */
	uint32_t call;		/* NONE: it is over */
	bool past;		/* its client has not come back to it yet */
	bool owed;		/* its worker keeps the result, */
	int64_t owed_until_ns;	/* till then, or until it is confirmed */
};

struct legacy {
	uint32_t generation;		/* no handle of earlier routers has a higher one */
	struct legacy_head *head;	/* these three outlive the router */
	struct legacy_session *sessions;
	struct legacy_call *calls;
	bool *past;			/* of each session: of an earlier router */
	struct heir *heirs;		/* of each row */
	struct list free;
	uint32_t size, session_count;
	uint32_t fresh;			/* rows never used from here on */
	uint32_t used;			/* rows that are not free */
	bool waits;			/* there may be past ones */
	int64_t until_ns;		/* till then their clients may come */
};

/* Bytes of the memory that outlives a router of that size. */
size_t legacy_bytes(const struct router_size *size);

/* The same of what is the router's own, and goes with it. */
size_t legacy_own_bytes(const struct router_size *size);

/* Both zero; nobody is there to leave anything to, unless it inherits. */
void legacy_init(struct router *router, void *memory, void *own);

/* Takes such memory over, with what an earlier router has left in it. */
void legacy_inherit(struct router *router, void *memory, int64_t now_ns);

/* The calls of a worker that lived under an earlier router. */
void legacy_adopt(struct router *router, struct slot *slot, int64_t now_ns);

/* Before the call goes to that worker. False: there is no room. */
bool legacy_note(struct router *router, struct call *call, const struct slot *slot);

/* Its worker has accepted it. */
void legacy_begun(struct router *router, const struct call *call);

/* Its worker's RESULT is here, and may be forgotten there now, or later. */
void legacy_result(struct router *router, struct call *call);

/* A worker is wanted where there is room for none: one that only keeps such a result goes. */
void legacy_relieve(struct router *router, const struct pool *pool);

/* Its client has gone, or is there again. */
void legacy_left(struct router *router, const struct call *call, bool left);

/* It will be tried again. */
void legacy_drop(struct router *router, struct call *call);

/* The call is being freed. */
void legacy_leave(struct router *router, struct call *call);

/* A client's session, known or not; its end; its RESULT_ACK. */
void legacy_greet(struct router *router, uint32_t client);
void legacy_part(struct router *router, struct client *client);
void legacy_confirm(struct router *router, uint32_t client, uint64_t id);
void legacy_round(struct router *router, int64_t now_ns);

/* That client's row of an earlier life, not taken up yet; or UINT32_MAX. */
uint32_t legacy_find_past(const struct router *router, const struct client *client,
			  uint64_t id);

/* By its name, in the catalog of now; or UINT32_MAX. */
uint32_t legacy_tool_of(const struct router *router, const struct legacy_call *row);

#endif
