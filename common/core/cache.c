#include "common/core/cache.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/core/deadline.h"
#include "common/core/handle.h"

static size_t index_of(const struct cache *cache,
		       const struct cache_entry *entry)
{
	return (size_t)(entry - cache->entries);
}

static uint8_t *key_bytes(const struct cache *cache,
			  const struct cache_entry *entry)
{
	return cache->keys +
	       index_of(cache, entry) * cache->settings.key_bytes_max;
}

static struct span key_of(const struct cache *cache,
			  const struct cache_entry *entry)
{
	return (struct span){ key_bytes(cache, entry), entry->key_length };
}

static struct list *chain_of(struct cache *cache, struct span key)
{
	uint64_t hash = hash_bytes(&cache->settings.hash_key, key);

	return &cache->entries[hash_chain(hash, cache->capacity)].chain_head;
}

static struct cache_entry *find(struct cache *cache, struct span key)
{
	struct list *chain = chain_of(cache, key);

	for (struct list *link = chain->next; link != chain;
	     link = link->next) {
		struct cache_entry *entry = LIST_OWNER(
			link, struct cache_entry, chain_link);

		if (span_equal(key_of(cache, entry), key))
			return entry;
	}
	return NULL;
}

static struct cache_entry *find_ticket(struct cache *cache, uint64_t ticket)
{
	size_t index = handle_index(ticket);

	if (index >= cache->capacity ||
	    cache->entries[index].generation != handle_generation(ticket))
		return NULL;
	return &cache->entries[index];
}

static void release_value(struct cache *cache, struct cache_entry *entry,
			  enum cache_reason reason)
{
	void *value = entry->value;

	if (!value)
		return;
	cache->stats.bytes -= entry->use.bytes;
	lru_renew(&cache->uses, &entry->use, 0);
	entry->value = NULL;
	cache->stats.removed[reason]++;
	cache->settings.release(cache->settings.owner, value, reason);
}

static void drop(struct cache *cache, struct cache_entry *entry,
		 enum cache_reason reason)
{
	if (reason == CACHE_INVALIDATED)
		cache->stats.stale_prevented += entry->asking;
	release_value(cache, entry, reason);
	lru_remove(&cache->uses, &entry->use);
	list_remove(&entry->chain_link);
	list_prepend(&cache->free, &entry->use.link);
	entry->generation = handle_next_generation(entry->generation);
	cache->stats.entries--;
}

/* Drops the least recently used entry, but not the one to be kept. */
static void evict(struct cache *cache, const struct lru_node *kept,
		  enum cache_reason reason)
{
	struct lru_node *victim = lru_victim(&cache->uses, kept);

	assert(victim);
	drop(cache, LIST_OWNER(victim, struct cache_entry, use), reason);
}

static enum cache_state judge(const struct cache_entry *entry, int64_t now_ns)
{
	bool may_ask = now_ns >= entry->retry_from_ns;

	if (entry->value && now_ns < entry->fresh_until_ns)
		return CACHE_FRESH;
	if (entry->value && now_ns < entry->stale_until_ns)
		return CACHE_STALE;
	if (entry->value && now_ns < entry->fallback_until_ns)
		return may_ask ? CACHE_FALLBACK : CACHE_STALE;
	return may_ask ? CACHE_MISS : CACHE_NEGATIVE;
}

/* The ticket of an entry that is being asked for outlives its value. */
static void expire(struct cache *cache, struct cache_entry *entry)
{
	if (entry->asking)
		release_value(cache, entry, CACHE_EXPIRED);
	else
		drop(cache, entry, CACHE_EXPIRED);
}

void cache_init(struct cache *cache, const struct cache_settings *settings,
		struct cache_entry *entries, uint8_t *keys, size_t capacity)
{
	assert(capacity > 0 && capacity <= UINT32_MAX);
	*cache = (struct cache){
		.settings = *settings,
		.entries = entries,
		.keys = keys,
		.capacity = capacity,
	};
	list_init(&cache->free);
	lru_init(&cache->uses, capacity, settings->bytes_max,
		 settings->protected_percent);
	for (size_t i = 0; i < capacity; i++) {
		entries[i] = (struct cache_entry){ .generation = 1 };
		list_init(&entries[i].chain_head);
		list_append(&cache->free, &entries[i].use.link);
	}
}

struct cache_found cache_get(struct cache *cache, struct span key,
			     int64_t now_ns)
{
	struct cache_entry *entry = find(cache, key);
	struct cache_found found = { .state = CACHE_MISS, .refresh = true };

	if (entry)
		found.state = judge(entry, now_ns);
	cache->stats.answers[found.state]++;
	if (found.state == CACHE_MISS) {
		if (entry)
			expire(cache, entry);
		return found;
	}
	if (found.state == CACHE_NEGATIVE)
		found.failure = entry->failure;
	else
		found.value = entry->value;
	if (found.value)
		found.age_ns = now_ns - entry->filled_ns;
	found.refresh = now_ns >= entry->ahead_from_ns &&
			now_ns >= entry->retry_from_ns;
	lru_use(&cache->uses, &entry->use);
	return found;
}

static struct cache_entry *take_slot(struct cache *cache, struct span key,
				     const uint64_t *tags)
{
	if (list_is_empty(&cache->free))
		evict(cache, NULL, CACHE_COUNT_BOUND);

	struct cache_entry *entry = LIST_OWNER(
		cache->free.next, struct cache_entry, use.link);

	list_remove(&entry->use.link);
	entry->key_length = key.length;
	if (key.length > 0)
		memcpy(key_bytes(cache, entry), key.data, key.length);
	for (int i = 0; i < CACHE_TAGS_MAX; i++)
		entry->tags[i] = tags ? tags[i] : 0;
	entry->failure = 0;
	entry->ahead_from_ns = INT64_MIN;
	entry->retry_from_ns = INT64_MIN;
	list_append(chain_of(cache, key), &entry->chain_link);
	lru_add(&cache->uses, &entry->use);
	cache->stats.entries++;
	return entry;
}

int cache_reserve(struct cache *cache, struct span key,
		  const uint64_t tags[CACHE_TAGS_MAX], uint64_t *ret_ticket)
{
	if (key.length > cache->settings.key_bytes_max)
		return -ENAMETOOLONG;

	struct cache_entry *entry = find(cache, key);

	if (!entry)
		entry = take_slot(cache, key, tags);
	entry->asking = true;
	*ret_ticket = handle_make(index_of(cache, entry), entry->generation);
	return 0;
}

int cache_fill(struct cache *cache, uint64_t ticket,
	       const struct cache_fill *fill, int64_t now_ns)
{
	struct cache_entry *entry = find_ticket(cache, ticket);

	assert(fill->value);
	if (!entry)
		return -ESTALE;
	if (fill->bytes > cache->settings.bytes_max) {
		drop(cache, entry, CACHE_REPLACED);
		return -EFBIG;
	}
	release_value(cache, entry, CACHE_REPLACED);
	entry->asking = false;
	entry->failure = 0;
	entry->value = fill->value;
	entry->filled_ns = now_ns;
	entry->ahead_from_ns =
		deadline_after(now_ns, fill->ttl_ns / 100 * CACHE_AHEAD_PERCENT);
	entry->fresh_until_ns = deadline_after(now_ns, fill->ttl_ns);
	entry->stale_until_ns =
		deadline_after(entry->fresh_until_ns, fill->stale_ns);
	entry->fallback_until_ns =
		deadline_after(entry->stale_until_ns, fill->fallback_ns);
	entry->retry_from_ns = INT64_MIN;
	cache->stats.bytes += fill->bytes;
	lru_renew(&cache->uses, &entry->use, fill->bytes);
	while (cache->stats.bytes > cache->settings.bytes_max)
		evict(cache, &entry->use, CACHE_BYTES_BOUND);
	return 0;
}

int cache_fail(struct cache *cache, uint64_t ticket, int failure,
	       int64_t retry_ns, int64_t now_ns)
{
	struct cache_entry *entry = find_ticket(cache, ticket);

	assert(failure != 0);
	if (!entry)
		return -ESTALE;
	entry->asking = false;
	entry->failure = failure;
	entry->retry_from_ns = deadline_after(now_ns, retry_ns);

	enum cache_state state = judge(entry, now_ns);

	if (state == CACHE_MISS)
		drop(cache, entry, CACHE_EXPIRED);
	else if (state == CACHE_NEGATIVE)
		release_value(cache, entry, CACHE_EXPIRED);
	return 0;
}

size_t cache_drop_key(struct cache *cache, struct span key)
{
	struct cache_entry *entry = find(cache, key);

	if (!entry)
		return 0;
	drop(cache, entry, CACHE_INVALIDATED);
	return 1;
}

static bool has_prefix(const struct cache *cache,
		       const struct cache_entry *entry, const void *argument)
{
	const struct span *prefix = argument;
	struct span start = key_of(cache, entry);

	if (start.length < prefix->length)
		return false;
	start.length = prefix->length;
	return span_equal(start, *prefix);
}

static bool has_tag(const struct cache *cache,
		    const struct cache_entry *entry, const void *argument)
{
	const uint64_t *tag = argument;

	(void)cache;
	for (int i = 0; i < CACHE_TAGS_MAX; i++) {
		if (entry->tags[i] == *tag)
			return true;
	}
	return false;
}

static bool is_useless(const struct cache *cache,
		       const struct cache_entry *entry, const void *argument)
{
	const int64_t *now_ns = argument;

	(void)cache;
	return !entry->asking && judge(entry, *now_ns) == CACHE_MISS;
}

static size_t drop_all(struct cache *cache, enum cache_reason reason,
		       bool (*matches)(const struct cache *,
				       const struct cache_entry *,
				       const void *),
		       const void *argument)
{
	size_t count = 0;

	for (size_t i = 0; i < cache->capacity; i++) {
		struct cache_entry *entry = &cache->entries[i];

		if (!list_is_linked(&entry->chain_link) ||
		    !matches(cache, entry, argument))
			continue;
		drop(cache, entry, reason);
		count++;
	}
	return count;
}

size_t cache_drop_prefix(struct cache *cache, struct span prefix)
{
	return drop_all(cache, CACHE_INVALIDATED, has_prefix, &prefix);
}

size_t cache_drop_tag(struct cache *cache, uint64_t tag)
{
	assert(tag != 0);
	return drop_all(cache, CACHE_INVALIDATED, has_tag, &tag);
}

size_t cache_sweep(struct cache *cache, int64_t now_ns)
{
	return drop_all(cache, CACHE_EXPIRED, is_useless, &now_ns);
}

double cache_hit_ratio(const struct cache_stats *stats)
{
	uint64_t hits = stats->answers[CACHE_FRESH] +
			stats->answers[CACHE_STALE] +
			stats->answers[CACHE_NEGATIVE];
	uint64_t all = hits + stats->answers[CACHE_MISS] +
		       stats->answers[CACHE_FALLBACK];

	return all ? (double)hits / (double)all : 0;
}
