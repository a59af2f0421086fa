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
 * Names are known for EFFECT_KEPT_NS, size of them, and results as long as all are
 * within EFFECT_BYTES_MAX. Beyond that the oldest goes of the user who has most.
 *
 * Results live as long as the router does, names longer: before a call that
 * has one goes to a worker, its row is written down (router_sink.keep), and
 * again with how it ended, or that it was not begun. What cannot be written
 * down is not executed. The next router is told all rows (router_recall): what
 * had ended is over, what had only begun has an unknown outcome, for another
 * EFFECT_KEPT_NS. A row is 64 bytes in the machine's own order; they stand in
 * a file at (1 + row) * 64, behind a head with the keys of their hashes.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_EFFECT_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_EFFECT_CORE_H

#include "common/core/error_code.h"
#include "common/core/hash.h"
#include "common/core/list.h"
#include "supervisor/router/poison_core.h"

#define EFFECT_KEPT_NS (24 * 3600 * NS_PER_S)
#define EFFECT_BYTES_MAX (8U << 20)

#define EFFECT_MAGIC UINT64_C(0x3130747066657563)	/* "cuefpt01" */

struct effect_head {
	uint64_t magic;			/* EFFECT_MAGIC */
	struct hash_key keys[2];	/* secret */
	uint64_t unused[3];
};

enum effect_stage { EFFECT_NONE, EFFECT_BEGUN, EFFECT_OVER, EFFECT_STAGE_COUNT };

struct effect_row {
	uint64_t turn;			/* the highest is the latest */
	struct signature name, asked;
	uint32_t stage;			/* enum effect_stage */
	uint32_t code;			/* once over */
	uint32_t uid;			/* whose it is */
	uint32_t unused[3];
};

_Static_assert(sizeof(struct effect_head) == 64 && sizeof(struct effect_row) == 64,
	       "rows of 64 bytes");

struct kept;
struct parcel;

struct effect {
	struct list chain_link;
	struct list age_link;		/* over, the longest first, of its user; or free */
	struct signature name;		/* keyed hashes of user and name */
	struct signature asked;		/* of the one call */
	uint32_t uid;
	uint32_t leader;		/* NONE: over */
	bool written;			/* its row says so */
	uint64_t turn;			/* when it was, last */
	enum error_code code;		/* once over */
	struct kept *kept;		/* its output; NULL: there is none */
	struct list kept_link;		/* of those of its user that have one, so */
	struct list waiters;
	int64_t until_ns;
};

struct effect_ledger {
	struct hash_key keys[2];
	struct effect *rows;		/* size of them */
	struct list *chains;		/* as many */
	uint32_t size, fresh;		/* never used from there on */
	uint64_t turn;			/* of the row written last */
	struct list free;
	size_t bytes;			/* of all results */
	uint64_t joined, known;
};

struct router;
struct call;
struct ending;
struct message;

void effect_init(struct router *router);

/* From an earlier life, in their order. False: such a row was never written. */
bool effect_recall(struct router *router, uint32_t index,
		   const struct effect_row *row, int64_t now_ns);

/* 0: the call is to be run; 1: it waits, or it is over. */
int effect_join(struct router *router, struct call *call, int64_t now_ns);
void effect_attach(struct router *router, struct call *call, int64_t now_ns);

/* Before it goes to a worker. False: its name cannot be written down. */
bool effect_begin(struct router *router, struct call *call);

/* An earlier router had begun it for this call, which goes on. */
void effect_resume(struct router *router, struct call *call, uint32_t index,
		   struct signature name);

/* A worker's ACCEPT, PROGRESS or CHUNK (collected), to those who wait. */
void effect_tell(struct router *router, struct call *call,
		 const struct message *message, int64_t now_ns);

/* This parcel of the call's will be no more: who has had it stands before it. */
void effect_pass_over(struct router *router, struct call *call,
		      const struct parcel *parcel, struct parcel *before);

/* Somebody waits for what this call does. */
bool effect_is_awaited(const struct router *router, const struct call *call);

/* The call will do no more; nothing happens if it leads none. */
void effect_land(struct router *router, struct call *call,
		 const struct ending *ending, int64_t now_ns);

/* It no longer waits; nothing happens if it does not. */
void effect_leave(struct router *router, struct call *call);
void effect_round(struct router *router, int64_t now_ns);

#endif
