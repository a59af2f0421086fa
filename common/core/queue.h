/*
 * queue.h - calls that wait for a worker: bounded, fair, and never served
 * when it is too late.
 *
 *	push --> class INTERACTIVE  client 3: a b c	--> pop
 *	         class NORMAL       client 1: d
 *	                            client 7: e f	--> expire
 *	         class BATCH        -
 *	         class SHEDDABLE    client 3: g
 *
 * A more urgent class goes first, strictly. Inside a class the clients take
 * turns by deficit round robin: each turn a client gains a quantum, and an
 * entry is served when its cost is covered. A client's own entries are
 * served first in, first out.
 *
 * A class stands when its oldest entry has been over target_ns old for
 * interval_ns, that is, when the queue no longer absorbs a burst but delays
 * everyone. Then each client's newest entry goes first: some calls are served
 * in time instead of all of them late. It ends when the oldest is young
 * again.
 *
 * An entry whose deadline has passed is never popped; queue_expire() hands it
 * out so that its caller can be answered. It keeps its place in the capacity
 * until then, so expire before pushing.
 *
 * Pure. The caller owns the storage and the calls; ids are handles, so a late
 * queue_remove() of a served call is told -ENOENT. Sources: M. Shreedhar and
 * G. Varghese, Efficient fair queuing using deficit round robin (1995);
 * K. Nichols and V. Jacobson, Controlling queue delay (2012); B. Maurer, Fail
 * at scale (2015), for last in, first out under load.
 */
#ifndef CUPEL_COMMON_CORE_QUEUE_H
#define CUPEL_COMMON_CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/deadline.h"
#include "common/core/list.h"
#include "common/core/wheel.h"

#define QUEUE_CAPACITY_DEFAULT 1024
#define QUEUE_TARGET_NS_MIN (5 * NS_PER_MS)
#define QUEUE_INTERVAL_NS_DEFAULT (100 * NS_PER_MS)

enum queue_priority {
	QUEUE_INTERACTIVE,	/* the most urgent */
	QUEUE_NORMAL,
	QUEUE_BATCH,
	QUEUE_SHEDDABLE,
	QUEUE_PRIORITY_COUNT
};

/* What happens to a newcomer, or for it, when the queue is full. */
enum queue_policy {
	QUEUE_REJECT,		/* -ENOBUFS */
	QUEUE_BLOCK,		/* -EAGAIN: the caller waits for room */
	QUEUE_DROP_OLDEST,	/* of the least urgent class up to its own */
	QUEUE_SHED,		/* the newest of the least urgent class below */
	QUEUE_POLICY_COUNT
};

struct queue_item {
	void *call;			/* the caller's */
	uint32_t client;		/* below client_count */
	enum queue_priority priority;
	uint32_t cost;			/* 1 .. quantum */
	int64_t deadline_ns;
};

struct queue_entry {
	struct queue_item item;
	int64_t queued_ns;
	uint32_t generation;
	struct list lane_link;	/* among its client's, unless it has expired */
	struct list class_link;	/* by age in its class; or expired; or free */
	struct wheel_timer timer;
};

/* The entries of one client in one class. */
struct queue_lane {
	struct list entries;
	struct list turn_link;	/* linked while it has entries */
	uint32_t count;
	uint32_t deficit;
};

/* in == out + dropped + expired + removed + depth */
struct queue_counts {
	uint64_t in;
	uint64_t out;
	uint64_t rejected;	/* never came in */
	uint64_t dropped;	/* made room for another */
	uint64_t expired;
	uint64_t removed;	/* by id */
	uint64_t depth;
};

struct queue_class {
	struct list ages;		/* entries, the oldest first */
	struct list turns;		/* lanes, the next one first */
	int64_t stands_from_ns;		/* DEADLINE_NEVER: the oldest is young */
	struct queue_counts counts;
};

struct queue_settings {
	enum queue_policy policy;
	uint32_t client_entries_max;	/* waiting, over all classes */
	uint32_t quantum;		/* the most an entry may cost */
	int64_t target_ns;		/* see queue_target_ns() */
	int64_t interval_ns;
};

struct queue {
	struct queue_settings settings;	/* target_ns may be changed any time */
	struct queue_entry *entries;
	struct queue_lane *lanes;
	size_t capacity;
	size_t client_count;
	struct list free;
	struct list expired;
	struct queue_class classes[QUEUE_PRIORITY_COUNT];
	struct wheel deadlines;
};

/*
 * entries has capacity rows, lanes QUEUE_PRIORITY_COUNT * client_count; both
 * are initialised here and must outlive the queue.
 */
void queue_init(struct queue *queue, const struct queue_settings *settings,
		struct queue_entry *entries, size_t capacity,
		struct queue_lane *lanes, size_t client_count, int64_t now_ns);

/*
 * Takes the call in and names it in ret_id. Returns 0; or 1 when an entry had
 * to make room, which is in ret_victim and to be answered; or
 *	-ETIME	its deadline has passed
 *	-EDQUOT	its client has client_entries_max waiting
 *	-ENOBUFS, -EAGAIN	full, and nothing could make room (see policy)
 */
int queue_push(struct queue *queue, const struct queue_item *item,
	       int64_t now_ns, uint64_t *ret_id, struct queue_item *ret_victim);

/* Takes out the next call to run. False: there is none. */
bool queue_pop(struct queue *queue, int64_t now_ns, struct queue_item *ret);

/* Takes out a call that must be answered "too late". False: there is none. */
bool queue_expire(struct queue *queue, int64_t now_ns, struct queue_item *ret);

/* When to call queue_expire() next; see wheel_next_ns(). */
int64_t queue_next_expiry_ns(const struct queue *queue);

/* Takes out the call of that id. -ENOENT: it has left the queue before. */
int queue_remove(struct queue *queue, uint64_t id, struct queue_item *ret);

/* Whether the class serves its newest first for now. */
bool queue_is_standing(const struct queue *queue, enum queue_priority priority,
		       int64_t now_ns);

/* How long the oldest entry of the class has waited; 0 when it is empty. */
int64_t queue_oldest_age_ns(const struct queue *queue,
			    enum queue_priority priority, int64_t now_ns);

/* Whether nobody comes in unless another goes; those that expired count as well. */
bool queue_is_full(const struct queue *queue);

/* How many wait, of that class and more urgent ones; of one client, of all. */
uint64_t queue_depth(const struct queue *queue, enum queue_priority priority);
uint32_t queue_depth_of(const struct queue *queue, uint32_t client);

/*
 * How long a newcomer of that class would wait if every call took service_ns
 * and slot_count of them (at least 1) ran at a time. DEADLINE_NEVER if that is
 * more than can be said.
 */
int64_t queue_wait_ns(const struct queue *queue, enum queue_priority priority,
		      int64_t service_ns, unsigned slot_count);

/* Whether a call that waits and runs that long still meets its deadline. */
bool queue_can_meet(int64_t wait_ns, int64_t service_p90_ns,
		    int64_t remaining_ns);

/* The age that is too much: a tenth of the median service, at least 5 ms. */
int64_t queue_target_ns(int64_t service_p50_ns);

#endif
