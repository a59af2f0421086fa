#include "common/core/queue.h"

#include <assert.h>
#include <errno.h>

#include "common/core/handle.h"

#define DEADLINE_TICK_NS NS_PER_MS

/* Who makes room for a newcomer, and what it is told if nobody can. */
static const struct {
	int refusal;
	bool displaces;
	bool own_class_too;
	bool newest;
} policies[QUEUE_POLICY_COUNT] = {
	[QUEUE_REJECT]      = { .refusal = -ENOBUFS },
	[QUEUE_BLOCK]       = { .refusal = -EAGAIN },
	[QUEUE_DROP_OLDEST] = { .refusal = -ENOBUFS, .displaces = true, .own_class_too = true },
	[QUEUE_SHED]        = { .refusal = -ENOBUFS, .displaces = true, .newest = true },
};

static struct queue_class *class_of(struct queue *queue,
				    const struct queue_entry *entry)
{
	return &queue->classes[entry->item.priority];
}

static struct queue_lane *lane_of(const struct queue *queue, uint32_t client,
				  enum queue_priority priority)
{
	return &queue->lanes[client * (size_t)QUEUE_PRIORITY_COUNT + priority];
}

static struct queue_entry *by_age(struct list *link)
{
	return LIST_OWNER(link, struct queue_entry, class_link);
}

static bool is_waiting(const struct queue_entry *entry)
{
	return list_is_linked(&entry->lane_link);
}

static void free_entry(struct queue *queue, struct queue_entry *entry)
{
	entry->generation = handle_next_generation(entry->generation);
	list_prepend(&queue->free, &entry->class_link);
}

/* To the end of its client's lane, which takes a turn if it had none. */
static void enter(struct queue *queue, struct queue_entry *entry)
{
	struct queue_class *class = class_of(queue, entry);
	struct queue_lane *lane = lane_of(queue, entry->item.client,
					  entry->item.priority);

	if (lane->count++ == 0) {
		list_init(&lane->entries);
		lane->deficit = queue->settings.quantum;
		list_append(&class->turns, &lane->turn_link);
	}
	list_append(&lane->entries, &entry->lane_link);
	list_append(&class->ages, &entry->class_link);
	wheel_add(&queue->deadlines, &entry->timer, entry->item.deadline_ns);
	class->counts.in++;
	class->counts.depth++;
}

/* Out of everything that waits; one of the counts says why. */
static void leave(struct queue *queue, struct queue_entry *entry,
		  uint64_t *count)
{
	struct queue_lane *lane = lane_of(queue, entry->item.client,
					  entry->item.priority);

	list_remove(&entry->lane_link);
	if (--lane->count == 0)
		list_remove(&lane->turn_link);
	list_remove(&entry->class_link);
	wheel_cancel(&queue->deadlines, &entry->timer);
	class_of(queue, entry)->counts.depth--;
	(*count)++;
}

static bool has_expired(const struct queue_entry *entry, int64_t now_ns)
{
	return entry->item.deadline_ns <= now_ns;
}

/* Looked at whenever the class is used. */
static void watch_age(struct queue *queue, enum queue_priority priority,
		      int64_t now_ns)
{
	struct queue_class *class = &queue->classes[priority];

	if (list_is_empty(&class->ages) ||
	    queue_oldest_age_ns(queue, priority, now_ns) <=
		    queue->settings.target_ns)
		class->stands_from_ns = DEADLINE_NEVER;
	else if (class->stands_from_ns == DEADLINE_NEVER)
		class->stands_from_ns = now_ns + queue->settings.interval_ns;
}

void queue_init(struct queue *queue, const struct queue_settings *settings,
		struct queue_entry *entries, size_t capacity,
		struct queue_lane *lanes, size_t client_count, int64_t now_ns)
{
	assert(settings->quantum > 0 && settings->quantum <= UINT32_MAX / 2);
	assert(capacity > 0 && capacity <= UINT32_MAX);
	*queue = (struct queue){
		.settings = *settings,
		.entries = entries,
		.capacity = capacity,
		.lanes = lanes,
		.client_count = client_count,
	};
	list_init(&queue->free);
	list_init(&queue->expired);
	wheel_init(&queue->deadlines, DEADLINE_TICK_NS, now_ns);
	for (int i = 0; i < QUEUE_PRIORITY_COUNT; i++) {
		list_init(&queue->classes[i].ages);
		list_init(&queue->classes[i].turns);
		queue->classes[i].stands_from_ns = DEADLINE_NEVER;
	}
	/* Memory that is zero is left untouched: most lanes are never used. */
	for (size_t i = 0; i < client_count * QUEUE_PRIORITY_COUNT; i++)
		if (lanes[i].count > 0)
			lanes[i].count = 0;
	for (size_t i = 0; i < capacity; i++) {
		entries[i] = (struct queue_entry){ .generation = 1 };
		list_append(&queue->free, &entries[i].class_link);
	}
}

uint32_t queue_depth_of(const struct queue *queue, uint32_t client)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < QUEUE_PRIORITY_COUNT; i++)
		count += lane_of(queue, client, i)->count;
	return count;
}

/* Who makes room for a newcomer of that class; NULL when nobody has to. */
static struct queue_entry *find_victim(struct queue *queue,
				       enum queue_priority priority)
{
	enum queue_policy policy = queue->settings.policy;
	unsigned most_urgent = policies[policy].own_class_too ? priority
							      : priority + 1;

	if (!policies[policy].displaces)
		return NULL;
	for (unsigned i = QUEUE_PRIORITY_COUNT; i-- > most_urgent;) {
		struct list *ages = &queue->classes[i].ages;

		if (!list_is_empty(ages))
			return by_age(policies[policy].newest ? ages->prev
							      : ages->next);
	}
	return NULL;
}

/* 0: there is room; 1: the victim made it; or why there is none. */
static int make_room(struct queue *queue, const struct queue_item *item,
		     int64_t now_ns, struct queue_item *ret_victim)
{
	if (item->deadline_ns <= now_ns)
		return -ETIME;
	if (queue_depth_of(queue, item->client) >=
	    queue->settings.client_entries_max)
		return -EDQUOT;
	if (!list_is_empty(&queue->free))
		return 0;

	struct queue_entry *victim = find_victim(queue, item->priority);

	if (!victim)
		return policies[queue->settings.policy].refusal;
	*ret_victim = victim->item;
	leave(queue, victim, &class_of(queue, victim)->counts.dropped);
	free_entry(queue, victim);
	return 1;
}

int queue_push(struct queue *queue, const struct queue_item *item,
	       int64_t now_ns, uint64_t *ret_id, struct queue_item *ret_victim)
{
	assert(item->client < queue->client_count);
	assert(item->priority < QUEUE_PRIORITY_COUNT);
	assert(item->cost > 0 && item->cost <= queue->settings.quantum);

	int r = make_room(queue, item, now_ns, ret_victim);

	if (r < 0) {
		queue->classes[item->priority].counts.rejected++;
		return r;
	}

	struct queue_entry *entry = by_age(queue->free.next);

	list_remove(&entry->class_link);
	entry->item = *item;
	entry->queued_ns = now_ns;
	enter(queue, entry);
	watch_age(queue, item->priority, now_ns);
	*ret_id = handle_make((size_t)(entry - queue->entries),
			      entry->generation);
	return r;
}

/*
 * The entry whose turn it is. A lane that cannot pay goes to the end of the
 * turns with another quantum, which pays for anything: no lane is passed over
 * twice, and each was served before it was passed over.
 */
static struct queue_entry *next_in_turn(struct queue *queue,
					struct queue_class *class, bool newest)
{
	for (;;) {
		struct queue_lane *lane = LIST_OWNER(
			class->turns.next, struct queue_lane, turn_link);
		struct queue_entry *entry = LIST_OWNER(
			newest ? lane->entries.prev : lane->entries.next,
			struct queue_entry, lane_link);

		if (entry->item.cost <= lane->deficit)
			return entry;
		lane->deficit += queue->settings.quantum;
		list_remove(&lane->turn_link);
		list_append(&class->turns, &lane->turn_link);
	}
}

static void set_aside(struct queue *queue, struct queue_entry *entry)
{
	leave(queue, entry, &class_of(queue, entry)->counts.expired);
	list_append(&queue->expired, &entry->class_link);
}

static bool pop_class(struct queue *queue, enum queue_priority priority,
		      int64_t now_ns, struct queue_item *ret)
{
	struct queue_class *class = &queue->classes[priority];

	while (!list_is_empty(&class->turns)) {
		watch_age(queue, priority, now_ns);

		struct queue_entry *entry = next_in_turn(
			queue, class,
			queue_is_standing(queue, priority, now_ns));

		if (has_expired(entry, now_ns)) {
			set_aside(queue, entry);
			continue;
		}
		lane_of(queue, entry->item.client, priority)->deficit -=
			entry->item.cost;
		leave(queue, entry, &class->counts.out);
		free_entry(queue, entry);
		*ret = entry->item;
		return true;
	}
	return false;
}

bool queue_pop(struct queue *queue, int64_t now_ns, struct queue_item *ret)
{
	for (unsigned i = 0; i < QUEUE_PRIORITY_COUNT; i++) {
		if (pop_class(queue, i, now_ns, ret))
			return true;
	}
	return false;
}

bool queue_expire(struct queue *queue, int64_t now_ns, struct queue_item *ret)
{
	struct wheel_timer *timer;

	while ((timer = wheel_pop(&queue->deadlines, now_ns)))
		set_aside(queue, LIST_OWNER(timer, struct queue_entry, timer));

	struct list *first = list_take_first(&queue->expired);

	if (!first)
		return false;
	*ret = by_age(first)->item;
	free_entry(queue, by_age(first));
	return true;
}

int64_t queue_next_expiry_ns(const struct queue *queue)
{
	if (!list_is_empty(&queue->expired))
		return 0;
	return wheel_next_ns(&queue->deadlines);
}

int queue_remove(struct queue *queue, uint64_t id, struct queue_item *ret)
{
	size_t index = handle_index(id);

	if (index >= queue->capacity ||
	    queue->entries[index].generation != handle_generation(id))
		return -ENOENT;

	struct queue_entry *entry = &queue->entries[index];

	if (is_waiting(entry))
		leave(queue, entry, &class_of(queue, entry)->counts.removed);
	else
		list_remove(&entry->class_link);
	free_entry(queue, entry);
	*ret = entry->item;
	return 0;
}

bool queue_is_standing(const struct queue *queue, enum queue_priority priority,
		       int64_t now_ns)
{
	return now_ns >= queue->classes[priority].stands_from_ns;
}

int64_t queue_oldest_age_ns(const struct queue *queue,
			    enum queue_priority priority, int64_t now_ns)
{
	const struct list *ages = &queue->classes[priority].ages;

	if (list_is_empty(ages))
		return 0;
	return now_ns - by_age(ages->next)->queued_ns;
}

bool queue_is_full(const struct queue *queue)
{
	return list_is_empty(&queue->free);
}

uint64_t queue_depth(const struct queue *queue, enum queue_priority priority)
{
	uint64_t depth = 0;

	for (unsigned i = 0; i <= priority; i++)
		depth += queue->classes[i].counts.depth;
	return depth;
}

int64_t queue_wait_ns(const struct queue *queue, enum queue_priority priority,
		      int64_t service_ns, unsigned slot_count)
{
	int64_t wait_ns;

	if (__builtin_mul_overflow(queue_depth(queue, priority), service_ns,
				   &wait_ns))
		return DEADLINE_NEVER;
	return wait_ns / slot_count;
}

bool queue_can_meet(int64_t wait_ns, int64_t service_p90_ns,
		    int64_t remaining_ns)
{
	return wait_ns <= remaining_ns &&
	       service_p90_ns <= remaining_ns - wait_ns;
}

int64_t queue_target_ns(int64_t service_p50_ns)
{
	int64_t tenth_ns = service_p50_ns / 10;

	return tenth_ns > QUEUE_TARGET_NS_MIN ? tenth_ns : QUEUE_TARGET_NS_MIN;
}
