#include "common/core/registry.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/core/deadline.h"
#include "common/core/handle.h"

static struct span span_of(const struct registry_name *name)
{
	return (struct span){ name->bytes, name->length };
}

static void set_name(struct registry_name *ret, struct span name)
{
	ret->length = (uint8_t)name.length;
	memcpy(ret->bytes, name.data, name.length);
}

static int check_name(struct span name)
{
	if (name.length == 0 || memchr(name.data, '*', name.length))
		return -EINVAL;
	return name.length > REGISTRY_NAME_BYTES_MAX ? -ENAMETOOLONG : 0;
}

static struct list *chain_of(struct registry *registry, struct span name)
{
	uint64_t hash = hash_bytes(&registry->hash_key, name);

	return &registry->entries[hash_chain(hash, registry->capacity)]
			.chain_head;
}

static struct registry_entry *in_chain(struct list *link)
{
	return LIST_OWNER(link, struct registry_entry, chain_link);
}

static struct registry_entry *in_order(struct list *link)
{
	return LIST_OWNER(link, struct registry_entry, order_link);
}

static struct registry_waiter *waiter_of(struct list *link)
{
	return LIST_OWNER(link, struct registry_waiter, link);
}

static uint64_t handle_of(const struct registry *registry,
			  const struct registry_entry *entry)
{
	return handle_make((size_t)(entry - registry->entries),
			   entry->generation);
}

static struct registry_entry *find_handle(const struct registry *registry,
					  uint64_t handle)
{
	size_t index = handle_index(handle);

	if (index >= registry->capacity ||
	    registry->entries[index].generation != handle_generation(handle))
		return NULL;
	return &registry->entries[index];
}

static struct registry_entry *find_name(struct registry *registry,
					struct span name)
{
	struct list *chain = chain_of(registry, name);

	for (struct list *link = chain->next; link != chain;
	     link = link->next) {
		if (span_equal(span_of(&in_chain(link)->name), name))
			return in_chain(link);
	}
	return NULL;
}

/* From name to name until an item; the name that is missing is left in name. */
static int follow(struct registry *registry, struct span *name,
		  struct registry_entry **ret)
{
	for (int hops = 0; hops <= REGISTRY_HOPS_MAX; hops++) {
		struct registry_entry *entry = find_name(registry, *name);

		if (!entry)
			return -ENOENT;
		if (entry->item) {
			*ret = entry;
			return 0;
		}
		*name = span_of(&entry->target);
	}
	return -ELOOP;
}

static void release(struct registry *registry, struct registry_waiter *waiter,
		    int status)
{
	waiter->status = status;
	list_remove(&waiter->link);
	list_append(&registry->released, &waiter->link);
}

/* A name is new: whoever can be told more than "not yet" is told. */
static void announce(struct registry *registry)
{
	struct list *link = registry->waiting.next;

	while (link != &registry->waiting) {
		struct registry_waiter *waiter = waiter_of(link);
		int r = registry_find(registry, span_of(&waiter->name),
				      &waiter->handle);

		link = link->next;
		if (r != -ENOENT)
			release(registry, waiter, r);
	}
}

void registry_init(struct registry *registry, struct hash_key hash_key,
		   struct registry_entry *entries, size_t capacity)
{
	assert(capacity > 0 && capacity <= INT32_MAX);
	*registry = (struct registry){
		.entries = entries,
		.capacity = capacity,
		.hash_key = hash_key,
	};
	list_init(&registry->free);
	list_init(&registry->enabled);
	list_init(&registry->waiting);
	list_init(&registry->released);
	for (size_t i = 0; i < capacity; i++) {
		entries[i] = (struct registry_entry){ .generation = 1 };
		list_init(&entries[i].chain_head);
		list_append(&registry->free, &entries[i].order_link);
	}
}

static int enter(struct registry *registry, struct span name, void *item,
		 struct span target, uint64_t *ret_handle)
{
	int r = check_name(name);

	if (r < 0)
		return r;
	if (find_name(registry, name))
		return -EEXIST;
	if (list_is_empty(&registry->free))
		return -ENOSPC;

	struct registry_entry *entry = in_order(registry->free.next);

	list_remove(&entry->order_link);
	set_name(&entry->name, name);
	entry->item = item;
	if (!item)
		set_name(&entry->target, target);
	list_append(chain_of(registry, name), &entry->chain_link);
	*ret_handle = handle_of(registry, entry);
	announce(registry);
	return 0;
}

int registry_add(struct registry *registry, struct span name, void *item,
		 uint64_t *ret_handle)
{
	assert(item);
	return enter(registry, name, item, (struct span){ 0 }, ret_handle);
}

int registry_alias(struct registry *registry, struct span name,
		   struct span target, uint64_t *ret_handle)
{
	struct span missing = target;
	struct registry_entry *entry;
	int r = check_name(target);

	if (r < 0)
		return r;
	r = follow(registry, &missing, &entry);
	if (r == -ELOOP || (r == -ENOENT && span_equal(missing, name)))
		return -ELOOP;
	return enter(registry, name, NULL, target, ret_handle);
}

int registry_remove(struct registry *registry, uint64_t handle)
{
	struct registry_entry *entry = find_handle(registry, handle);

	if (!entry)
		return -ESTALE;
	if (list_is_linked(&entry->order_link))
		list_remove(&entry->order_link);
	list_remove(&entry->chain_link);
	list_prepend(&registry->free, &entry->order_link);
	entry->generation = handle_next_generation(entry->generation);
	return 0;
}

int registry_find(struct registry *registry, struct span name,
		  uint64_t *ret_handle)
{
	struct registry_entry *entry;
	int r = follow(registry, &name, &entry);

	if (r == 0)
		*ret_handle = handle_of(registry, entry);
	return r;
}

void *registry_item(const struct registry *registry, uint64_t handle)
{
	const struct registry_entry *entry = find_handle(registry, handle);

	return entry ? entry->item : NULL;
}

static void set_enabled(struct registry *registry,
			struct registry_entry *entry, bool on)
{
	if (list_is_linked(&entry->order_link) == on)
		return;
	if (on)
		list_append(&registry->enabled, &entry->order_link);
	else
		list_remove(&entry->order_link);
}

int registry_choose(struct registry *registry, struct span name)
{
	struct registry_entry *entry;
	int r = follow(registry, &name, &entry);

	if (r < 0)
		return r;
	while (list_take_first(&registry->enabled))
		;
	set_enabled(registry, entry, true);
	return 0;
}

static bool starts_with(const struct registry_name *name, struct span start)
{
	return name->length >= start.length &&
	       (start.length == 0 ||
		memcmp(name->bytes, start.data, start.length) == 0);
}

static int enable_all(struct registry *registry, struct span start, bool on)
{
	int count = 0;

	for (size_t i = 0; i < registry->capacity; i++) {
		struct registry_entry *entry = &registry->entries[i];

		if (!list_is_linked(&entry->chain_link) || !entry->item ||
		    !starts_with(&entry->name, start))
			continue;
		set_enabled(registry, entry, on);
		count++;
	}
	return count > 0 ? count : -ENOENT;
}

int registry_enable(struct registry *registry, struct span pattern, bool on)
{
	struct registry_entry *entry;

	if (pattern.length > 0 && pattern.data[pattern.length - 1] == '*') {
		pattern.length--;
		if (pattern.length > 0 && check_name(pattern) == -EINVAL)
			return -EINVAL;
		return enable_all(registry, pattern, on);
	}

	int r = check_name(pattern);

	if (r == 0)
		r = follow(registry, &pattern, &entry);
	if (r < 0)
		return r;
	set_enabled(registry, entry, on);
	return 1;
}

uint64_t registry_next_enabled(const struct registry *registry,
			       uint64_t handle)
{
	const struct list *link = &registry->enabled;

	if (handle) {
		struct registry_entry *entry = find_handle(registry, handle);

		if (!entry || !list_is_linked(&entry->order_link))
			return 0;
		link = &entry->order_link;
	}
	if (link->next == &registry->enabled)
		return 0;
	return handle_of(registry, in_order(link->next));
}

int registry_wait(struct registry *registry, struct span name,
		  struct registry_waiter *waiter, int64_t deadline_ns)
{
	int r = check_name(name);

	if (r == 0)
		r = registry_find(registry, name, &waiter->handle);
	if (r != -ENOENT)
		return r == 0 ? 1 : r;
	set_name(&waiter->name, name);
	waiter->deadline_ns = deadline_ns;
	list_append(&registry->waiting, &waiter->link);
	return 0;
}

void registry_cancel(struct registry_waiter *waiter)
{
	if (list_is_linked(&waiter->link))
		list_remove(&waiter->link);
}

size_t registry_expire(struct registry *registry, int64_t now_ns)
{
	struct list *link = registry->waiting.next;
	size_t count = 0;

	while (link != &registry->waiting) {
		struct registry_waiter *waiter = waiter_of(link);

		link = link->next;
		if (waiter->deadline_ns > now_ns)
			continue;
		release(registry, waiter, -ETIMEDOUT);
		count++;
	}
	return count;
}

int64_t registry_next_expiry_ns(const struct registry *registry)
{
	int64_t next_ns = DEADLINE_NEVER;

	for (struct list *link = registry->waiting.next;
	     link != &registry->waiting; link = link->next) {
		if (waiter_of(link)->deadline_ns < next_ns)
			next_ns = waiter_of(link)->deadline_ns;
	}
	return next_ns;
}

struct registry_waiter *registry_pop(struct registry *registry)
{
	struct list *first = list_take_first(&registry->released);

	return first ? waiter_of(first) : NULL;
}
