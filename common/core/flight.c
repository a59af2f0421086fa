#include "common/core/flight.h"

#include <assert.h>
#include <errno.h>

#include "common/core/deadline.h"
#include "common/core/handle.h"

static struct list *chain_of(struct flight_table *table, uint64_t key)
{
	uint64_t hash = hash_number(&table->hash_key, key);

	return &table->flights[hash_chain(hash, table->capacity)].chain_head;
}

static struct flight *in_chain(struct list *link)
{
	return LIST_OWNER(link, struct flight, chain_link);
}

static struct flight *in_air(struct list *link)
{
	return LIST_OWNER(link, struct flight, air_link);
}

static struct flight *find(struct flight_table *table, uint64_t key)
{
	struct list *chain = chain_of(table, key);

	for (struct list *link = chain->next; link != chain;
	     link = link->next) {
		if (in_chain(link)->key == key)
			return in_chain(link);
	}
	return NULL;
}

static void end(struct flight_table *table, struct flight *flight, int status,
		void *result)
{
	struct list *link;

	while ((link = list_take_first(&flight->waiters))) {
		struct flight_waiter *waiter =
			LIST_OWNER(link, struct flight_waiter, link);

		waiter->status = status;
		waiter->result = result;
		list_append(&table->released, &waiter->link);
	}
	list_remove(&flight->chain_link);
	list_remove(&flight->air_link);
	list_prepend(&table->free, &flight->chain_link);
	flight->generation = handle_next_generation(flight->generation);
}

static void abandon(struct flight_table *table, struct flight *flight)
{
	table->stats.abandoned++;
	end(table, flight, -ETIMEDOUT, NULL);
}

void flight_init(struct flight_table *table, struct hash_key hash_key,
		 struct flight *flights, size_t capacity)
{
	assert(capacity > 0 && capacity <= UINT32_MAX);
	*table = (struct flight_table){
		.flights = flights,
		.capacity = capacity,
		.hash_key = hash_key,
	};
	list_init(&table->free);
	list_init(&table->air);
	list_init(&table->released);
	for (size_t i = 0; i < capacity; i++) {
		flights[i] = (struct flight){ .generation = 1 };
		list_init(&flights[i].chain_head);
		list_init(&flights[i].waiters);
		list_append(&table->free, &flights[i].chain_link);
	}
}

static uint64_t take_off(struct flight_table *table, uint64_t key,
			 int64_t until_ns)
{
	struct flight *flight = in_chain(table->free.next);

	list_remove(&flight->chain_link);
	flight->key = key;
	flight->until_ns = until_ns;
	list_append(chain_of(table, key), &flight->chain_link);
	list_append(&table->air, &flight->air_link);
	table->stats.led++;
	return handle_make((size_t)(flight - table->flights),
			   flight->generation);
}

int flight_join(struct flight_table *table, uint64_t key,
		struct flight_waiter *waiter, int64_t now_ns, int64_t until_ns,
		uint64_t *ret_flight)
{
	struct flight *flight = find(table, key);

	if (flight && flight->until_ns > now_ns) {
		list_append(&flight->waiters, &waiter->link);
		table->stats.coalesced++;
		return FLIGHT_WAIT;
	}
	if (flight)
		abandon(table, flight);
	if (list_is_empty(&table->free))
		return -ENOSPC;
	*ret_flight = take_off(table, key, until_ns);
	return FLIGHT_LEAD;
}

int flight_land(struct flight_table *table, uint64_t flight, int status,
		void *result)
{
	size_t index = handle_index(flight);

	if (index >= table->capacity ||
	    table->flights[index].generation != handle_generation(flight)) {
		table->stats.late++;
		return -ESTALE;
	}
	end(table, &table->flights[index], status, result);
	return 0;
}

size_t flight_expire(struct flight_table *table, int64_t now_ns)
{
	struct list *link = table->air.next;
	size_t count = 0;

	while (link != &table->air) {
		struct flight *flight = in_air(link);

		link = link->next;
		if (flight->until_ns > now_ns)
			continue;
		abandon(table, flight);
		count++;
	}
	return count;
}

int64_t flight_next_expiry_ns(const struct flight_table *table)
{
	int64_t next_ns = DEADLINE_NEVER;

	for (struct list *link = table->air.next; link != &table->air;
	     link = link->next) {
		if (in_air(link)->until_ns < next_ns)
			next_ns = in_air(link)->until_ns;
	}
	return next_ns;
}

struct flight_waiter *flight_pop(struct flight_table *table)
{
	struct list *first = list_take_first(&table->released);

	return first ? LIST_OWNER(first, struct flight_waiter, link) : NULL;
}

void flight_leave(struct flight_waiter *waiter)
{
	if (list_is_linked(&waiter->link))
		list_remove(&waiter->link);
}
