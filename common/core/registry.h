/*
 * registry.h - things by name: looked up, chosen among, and waited for.
 *
 *	registry_add()    name --> item, and a handle to it
 *	registry_alias()  name --> another name, there or not
 *	registry_find()   name --> handle, through REGISTRY_HOPS_MAX aliases
 *	                  at most
 *	registry_item()   handle --> item, or NULL once it has been removed
 *
 * Of the items some are enabled: one, switched over in one step by
 * registry_choose(), or several, by registry_enable(). An item is added
 * disabled, and removing it disables it. A pattern is a name, or the start of
 * names followed by one star at its end: "fs.*", "*".
 *
 * Who needs a name that is not there yet waits for it:
 *
 *	registry_wait() --> 1: there already, the waiter is not kept
 *	                --> 0: kept until the name can be found, the way there
 *	                    turns out to be too long, or the deadline passes
 *	registry_pop()      the waiters that need wait no longer, each once
 *
 * A waiter is looked at again whenever a name is added, so it sees the item
 * however many aliases lead there. Removing and adding the name again does
 * not wake it twice.
 *
 * Pure. Names are copied; the caller owns items and waiters, a waiter being the
 * registry's from registry_wait() until it is popped or cancelled.
 */
#ifndef CUPEL_COMMON_CORE_REGISTRY_H
#define CUPEL_COMMON_CORE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/hash.h"
#include "common/core/list.h"
#include "common/span.h"

#define REGISTRY_NAME_BYTES_MAX 63
#define REGISTRY_HOPS_MAX 8

struct registry_name {
	uint8_t length;
	uint8_t bytes[REGISTRY_NAME_BYTES_MAX];
};

struct registry_entry {
	struct list chain_head;		/* of the chain with this index */
	struct list chain_link;		/* linked while taken */
	struct list order_link;		/* enabled; or free; or none */
	uint32_t generation;
	struct registry_name name;
	struct registry_name target;	/* of an alias */
	void *item;			/* NULL: an alias */
};

struct registry_waiter {
	struct list link;		/* waiting, or released; or all zero */
	struct registry_name name;
	int64_t deadline_ns;
	int status;			/* 0, -ETIMEDOUT or -ELOOP */
	uint64_t handle;		/* status 0: as found when released */
};

struct registry {
	struct registry_entry *entries;
	size_t capacity;
	struct hash_key hash_key;
	struct list free;
	struct list enabled;		/* in the order of enabling */
	struct list waiting;
	struct list released;
};

/* entries has capacity rows and must outlive the registry. */
void registry_init(struct registry *registry, struct hash_key hash_key,
		   struct registry_entry *entries, size_t capacity);

/*
 * Enters the item (not NULL) and releases who waited for it. Returns 0, or
 *	-EINVAL		the name is empty or holds a star
 *	-ENAMETOOLONG	it exceeds REGISTRY_NAME_BYTES_MAX
 *	-EEXIST		it is taken
 *	-ENOSPC		the registry is full
 */
int registry_add(struct registry *registry, struct span name, void *item,
		 uint64_t *ret_handle);

/*
 * Enters another name for target, whose handle serves only to remove it again.
 * Errors as above, or -ELOOP when target leads back to the name, or too far.
 */
int registry_alias(struct registry *registry, struct span name,
		   struct span target, uint64_t *ret_handle);

/* Takes an item or an alias out; -ESTALE when it has been before. */
int registry_remove(struct registry *registry, uint64_t handle);

/*
 * Returns 0; -ENOENT when the name, or the one it stands for, is not there;
 * -ELOOP when it stands for a name that stands for a name ... and so on.
 */
int registry_find(struct registry *registry, struct span name,
		  uint64_t *ret_handle);

/* The item of a handle; NULL when it is stale. */
void *registry_item(const struct registry *registry, uint64_t handle);

/* Enables this item and no other; errors as registry_find(), then no change. */
int registry_choose(struct registry *registry, struct span name);

/*
 * Enables (or disables) the items now in the registry that the pattern names.
 * Aliases are followed from a name, and not matched by a star. Returns how
 * many items that were, or an error: -EINVAL for a star elsewhere than at the
 * end, -ENOENT when there was none, -ELOOP.
 */
int registry_enable(struct registry *registry, struct span pattern, bool on);

/*
 * The enabled item after that of the handle, the first for handle 0: with
 * registry_choose(), the chosen one. Returns 0 after the last, and when the
 * handle's own item is not enabled (any more).
 */
uint64_t registry_next_enabled(const struct registry *registry,
			       uint64_t handle);

/*
 * Waits for the name until deadline_ns. Returns 0 when the waiter is kept, 1
 * when the name is there and waiter->handle set, or -ELOOP, -EINVAL,
 * -ENAMETOOLONG.
 */
int registry_wait(struct registry *registry, struct span name,
		  struct registry_waiter *waiter, int64_t deadline_ns);

/* The waiter no longer waits; nothing happens if it did not. */
void registry_cancel(struct registry_waiter *waiter);

/* Releases with -ETIMEDOUT who has waited too long; returns how many. */
size_t registry_expire(struct registry *registry, int64_t now_ns);

/* When to call registry_expire() next; DEADLINE_NEVER if nobody waits. */
int64_t registry_next_expiry_ns(const struct registry *registry);

/* Takes out the next released waiter, NULL when there is none (left). */
struct registry_waiter *registry_pop(struct registry *registry);

#endif
