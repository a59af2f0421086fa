/*
 * flight.h - one asks, the others wait: calls for the same thing at the same
 * time become one.
 *
 *	flight_join() --> FLIGHT_LEAD  first of its key: asks, then lands
 *	              --> FLIGHT_WAIT  is released when the leader lands
 *	flight_land()   the leader's result or failure, for all its waiters
 *	flight_expire() leaders whose lease is over: their waiters are released
 *	                with -ETIMEDOUT and may join again, the first as leader
 *	flight_pop()    the released waiters, one by one
 *
 * A leader that dies, hangs or forgets thus costs its waiters a lease, never
 * their lives; when it lands after all it is told -ESTALE and is too late for
 * anybody. A waiter that stops caring leaves; the leader does not notice.
 *
 * A key names what is asked for: a ticket of the cache, or any number that is
 * unique for as long as the flight lasts.
 *
 * Pure. The caller owns the waiters; one is the table's from FLIGHT_WAIT until
 * it is popped or leaves. Source: the singleflight idea, golang.org/x/sync.
 */
#ifndef CUPEL_COMMON_CORE_FLIGHT_H
#define CUPEL_COMMON_CORE_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/hash.h"
#include "common/core/list.h"

enum flight_role {
	FLIGHT_LEAD,
	FLIGHT_WAIT
};

struct flight_waiter {
	struct list link;	/* waiting, or released; all zero otherwise */
	int status;		/* once popped: 0 or the leader's failure */
	void *result;		/* once popped: what the leader landed with */
};

struct flight {
	struct list chain_head;	/* of the chain with this index */
	struct list chain_link;	/* or free */
	struct list air_link;	/* linked while in the air */
	struct list waiters;
	uint64_t key;
	uint32_t generation;
	int64_t until_ns;	/* end of the leader's lease */
};

struct flight_stats {
	uint64_t led;
	uint64_t coalesced;	/* waited instead of asking */
	uint64_t abandoned;	/* leases that ended before the landing */
	uint64_t late;		/* landings after that */
};

struct flight_table {
	struct flight *flights;
	size_t capacity;
	struct hash_key hash_key;
	struct list free;
	struct list air;
	struct list released;
	struct flight_stats stats;
};

/* flights has capacity rows and must outlive the table. */
void flight_init(struct flight_table *table, struct hash_key hash_key,
		 struct flight *flights, size_t capacity);

/*
 * Returns FLIGHT_WAIT, the waiter being taken; or FLIGHT_LEAD with the flight
 * to land in ret_flight, the waiter untouched; or -ENOSPC when too many are in
 * the air: the caller may ask on its own. A flight that is over its lease at
 * now_ns is abandoned first. until_ns is the end of the lease, commonly the
 * leader's own deadline.
 */
int flight_join(struct flight_table *table, uint64_t key,
		struct flight_waiter *waiter, int64_t now_ns, int64_t until_ns,
		uint64_t *ret_flight);

/*
 * Ends the flight: its waiters are released with status (0 or negative errno)
 * and result, which must hold until the last of them is popped. -ESTALE: the
 * flight was abandoned, nobody gets the result.
 */
int flight_land(struct flight_table *table, uint64_t flight, int status,
		void *result);

/* Abandons every flight over its lease; returns how many. Looks at all. */
size_t flight_expire(struct flight_table *table, int64_t now_ns);

/* When to call flight_expire() next; DEADLINE_NEVER with nothing in the air. */
int64_t flight_next_expiry_ns(const struct flight_table *table);

/* Takes out the next released waiter, NULL when there is none (left). */
struct flight_waiter *flight_pop(struct flight_table *table);

/* The waiter no longer wants to know; nothing happens if it was not waiting. */
void flight_leave(struct flight_waiter *waiter);

#endif
