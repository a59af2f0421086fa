/*
 * cache.h - the index of a cache: which values are there, how good they still
 * are, and which must go. The values themselves are the caller's.
 *
 *	cache_get()  --> use the value, pass on the failure, or ask the source
 *	asking: cache_reserve() --> ticket, ask, cache_fill() or cache_fail()
 *
 * One entry ages like this (RFC 5861 names the two windows):
 *
 *	fill      80 %       ttl           + stale        + fallback
 *	 |--FRESH--|--FRESH---|--STALE------|--FALLBACK----|--MISS
 *	            refresh    refresh       refresh
 *
 *	FRESH     use it; with refresh set, somebody should also ask (ahead)
 *	STALE     use it, and somebody should ask
 *	FALLBACK  ask first; if that fails, use it
 *	NEGATIVE  asking failed lately and nothing usable is left: say so
 *	MISS      ask
 *
 * A failure is remembered beside the last good value: until it may be retried
 * that value is used as STALE without anybody asking, then again FALLBACK.
 *
 * A ticket is what keeps a value that was read before an invalidation from
 * being stored after it: invalidating empties the slot, the ticket no longer
 * fits, and cache_fill() refuses (-ESTALE). Tickets are also the keys of the
 * flights (flight.h) that let one asker ask for many; an asker that comes
 * after an invalidation thus never joins a flight that began before it.
 *
 * Pure. Keys are copied. A value belongs to the index from a successful fill
 * until release() is called with it, which must not call back into the cache.
 */
#ifndef CUPEL_COMMON_CORE_CACHE_H
#define CUPEL_COMMON_CORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/hash.h"
#include "common/core/list.h"
#include "common/core/lru.h"
#include "common/span.h"

#define CACHE_TAGS_MAX 4
#define CACHE_AHEAD_PERCENT 80	/* of the ttl: time to refresh ahead */

enum cache_state {
	CACHE_MISS,
	CACHE_FRESH,
	CACHE_STALE,
	CACHE_FALLBACK,
	CACHE_NEGATIVE,
	CACHE_STATE_COUNT
};

/* Why a value went. */
enum cache_reason {
	CACHE_COUNT_BOUND,	/* every slot was taken */
	CACHE_BYTES_BOUND,
	CACHE_EXPIRED,
	CACHE_INVALIDATED,
	CACHE_REPLACED,		/* by a newer value of the same key */
	CACHE_REASON_COUNT
};

struct cache_settings {
	size_t bytes_max;	/* of all values, as told to cache_fill() */
	size_t key_bytes_max;
	unsigned protected_percent;	/* see lru.h; 80 is common */
	struct hash_key hash_key;
	void (*release)(void *owner, void *value, enum cache_reason reason);
	void *owner;
};

struct cache_stats {
	uint64_t answers[CACHE_STATE_COUNT];
	uint64_t removed[CACHE_REASON_COUNT];	/* values */
	uint64_t stale_prevented;	/* invalidated while being asked for */
	size_t entries;			/* slots taken */
	size_t bytes;
};

struct cache_entry {
	struct list chain_head;		/* of the chain with this index */
	struct list chain_link;		/* linked while the slot is taken */
	struct lru_node use;		/* its link: among the free */
	uint32_t generation;
	bool asking;			/* a ticket is out */
	int failure;			/* of the last try, 0 after a fill */
	size_t key_length;
	uint64_t tags[CACHE_TAGS_MAX];
	void *value;			/* NULL: none */
	int64_t filled_ns;
	int64_t ahead_from_ns;
	int64_t fresh_until_ns;
	int64_t stale_until_ns;
	int64_t fallback_until_ns;
	int64_t retry_from_ns;		/* do not ask before */
};

struct cache {
	struct cache_settings settings;
	struct cache_stats stats;
	struct cache_entry *entries;
	uint8_t *keys;			/* key_bytes_max of them per entry */
	size_t capacity;
	struct list free;
	struct lru uses;
};

struct cache_found {
	enum cache_state state;
	bool refresh;		/* somebody should ask the source */
	int failure;		/* NEGATIVE: as told to cache_fail() */
	void *value;		/* FRESH, STALE, FALLBACK; valid until it goes */
	int64_t age_ns;		/* of the value, since it was filled in */
};

/* What a source has answered. */
struct cache_fill {
	void *value;		/* not NULL */
	size_t bytes;
	int64_t ttl_ns;
	int64_t stale_ns;	/* past the ttl: used while somebody asks */
	int64_t fallback_ns;	/* past that: used if asking fails */
};

/*
 * entries has capacity rows, keys capacity * settings->key_bytes_max bytes;
 * both must outlive the cache.
 */
void cache_init(struct cache *cache, const struct cache_settings *settings,
		struct cache_entry *entries, uint8_t *keys, size_t capacity);

/* What the cache has for the key; counts as a use of it. */
struct cache_found cache_get(struct cache *cache, struct span key,
			     int64_t now_ns);

/*
 * Announces that the source is about to be asked. A new entry gets the tags
 * (unused ones are 0; NULL for none), an existing one keeps its own, as they
 * follow from the key. Another entry may have to go. Returns 0, or
 * -ENAMETOOLONG for a key that cannot be cached.
 */
int cache_reserve(struct cache *cache, struct span key,
		  const uint64_t tags[CACHE_TAGS_MAX], uint64_t *ret_ticket);

/*
 * Stores what the source has answered. Returns 0; on failure the value stays
 * the caller's, who may use but not keep it:
 *	-ESTALE	the entry has been invalidated or evicted since cache_reserve()
 *	-EFBIG	it exceeds bytes_max on its own; the entry is dropped
 */
int cache_fill(struct cache *cache, uint64_t ticket,
	       const struct cache_fill *fill, int64_t now_ns);

/*
 * Remembers for retry_ns that the source has failed (failure is not 0). With
 * retry_ns 0 nothing is remembered. -ESTALE as above.
 */
int cache_fail(struct cache *cache, uint64_t ticket, int failure,
	       int64_t retry_ns, int64_t now_ns);

/*
 * Invalidation; each returns how many entries it dropped. Key: one of them,
 * in constant time. The others look at every entry. The subtree of a path is
 * the key of the path itself and the prefix "path/"; the empty prefix is all.
 */
size_t cache_drop_key(struct cache *cache, struct span key);
size_t cache_drop_prefix(struct cache *cache, struct span prefix);
size_t cache_drop_tag(struct cache *cache, uint64_t tag);

/* Drops what is of no more use, so that it does not wait to be evicted. */
size_t cache_sweep(struct cache *cache, int64_t now_ns);

/* The share of answers that spared asking first, 0 .. 1; 0 before the first. */
double cache_hit_ratio(const struct cache_stats *stats);

#endif
