/*
 * effect_core.h - a side effect that has a name happens once.
 *
 *	unknown --join: it leads--> runs --end--> over --a day--> unknown
 *	   ^                        |   |          |
 *	   +---- end, not begun ----+   +- join: waits; join: has its result
 *
 * A call that names an effect (message_call.effect) leads it, or joins the
 * call that does: it gets the same output while it runs, and the same result,
 * also when that is a failure, for whatever was begun is not done again. Only
 * if the leader ends before a worker has accepted it is the name free once
 * more, and the next who waits leads. Names belong to a user in a role; under
 * one name there is one call: another tool or argument is refused. Whoever
 * leads may leave as long as somebody waits.
 *
 * router.attach joins by name alone and never leads.
 *
 * Names are known for EFFECT_KEPT_NS, the last EFFECTS of them; results as
 * long as all are within EFFECT_BYTES_MAX, the oldest go first. They live as
 * long as the router does.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_EFFECT_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_EFFECT_CORE_H

#include "common/core/error_code.h"
#include "common/core/list.h"
#include "supervisor/router/poison_core.h"

#define EFFECT_KEPT_NS (24 * 3600 * NS_PER_S)
#define EFFECT_BYTES_MAX (8U << 20)

struct kept;

struct effect {
	struct list chain_link;
	struct list age_link;		/* over, the longest first; or free */
	struct signature name;		/* keyed hashes of user and name */
	struct signature asked;		/* of the one call */
	uint32_t leader;		/* NONE: over */
	enum error_code code;		/* once over */
	struct kept *kept;		/* its output; NULL: there is none */
	struct list kept_link;		/* of those that have one, so */
	struct list waiters;
	int64_t until_ns;
};

struct effect_ledger {
	struct effect *rows;		/* size of them */
	struct list *chains;		/* as many */
	uint32_t size, fresh;		/* never used from there on */
	struct list free, over, kept;
	size_t bytes;			/* of all results */
	uint64_t joined, known;
};

struct router;
struct call;
struct ending;
struct message;

void effect_init(struct router *router);

/* 0: the call is to be run; 1: it waits, or it is over. */
int effect_join(struct router *router, struct call *call, int64_t now_ns);
void effect_attach(struct router *router, struct call *call, int64_t now_ns);

/* A worker's ACCEPT, PROGRESS or CHUNK (collected), to those who wait. */
void effect_tell(struct router *router, struct call *call,
		 const struct message *message, int64_t now_ns);

/* Somebody waits for what this call does. */
bool effect_is_awaited(const struct router *router, const struct call *call);

/* The call will do no more; nothing happens if it leads none. */
void effect_land(struct router *router, struct call *call,
		 const struct ending *ending, int64_t now_ns);

/* It no longer waits; nothing happens if it does not. */
void effect_leave(struct router *router, struct call *call);
void effect_round(struct router *router, int64_t now_ns);

#endif
