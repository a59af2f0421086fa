#include "common/core/queue.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#define MS INT64_C(1000000)
#define CAPACITY 24
#define CLIENTS 5
#define LANES (QUEUE_PRIORITY_COUNT * CLIENTS)
#define OPERATIONS 400000

static struct queue queue;
static struct queue_entry entries[CAPACITY];
static struct queue_lane lanes[LANES];
static char names[256];		/* &names['x'] is the call x */

static void start(enum queue_policy policy, size_t capacity)
{
	const struct queue_settings settings = {
		.policy = policy,
		.client_entries_max = 10,
		.quantum = 4,
		.target_ns = queue_target_ns(0),
		.interval_ns = QUEUE_INTERVAL_NS_DEFAULT,
	};

	queue_init(&queue, &settings, entries, capacity, lanes, CLIENTS, 0);
}

static struct queue_item item_of(char name, uint32_t client,
				 enum queue_priority priority)
{
	return (struct queue_item){
		.call = &names[(unsigned char)name],
		.client = client,
		.priority = priority,
		.cost = 4,
		.deadline_ns = 1000 * MS,
	};
}

/* Pushes a call that must find room, and returns its id. */
static uint64_t push(struct queue_item item, int64_t now_ns)
{
	struct queue_item victim;
	uint64_t id = 0;

	assert_int_equal(queue_push(&queue, &item, now_ns, &id, &victim), 0);
	return id;
}

static char name_of(const struct queue_item *item)
{
	return (char)((char *)item->call - names);
}

/* Pops everything; the names of the calls in their order. */
static const char *pop_all(int64_t now_ns)
{
	static char order[CAPACITY + 1];
	struct queue_item item;
	size_t count = 0;

	while (queue_pop(&queue, now_ns, &item))
		order[count++] = name_of(&item);
	order[count] = '\0';
	return order;
}

static void urgent_classes_go_first_and_clients_take_turns(void **state)
{
	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	push(item_of('z', 0, QUEUE_SHEDDABLE), 0);
	push(item_of('a', 1, QUEUE_NORMAL), 0);
	push(item_of('b', 1, QUEUE_NORMAL), 0);
	push(item_of('c', 1, QUEUE_NORMAL), 0);
	push(item_of('d', 2, QUEUE_NORMAL), 0);
	push(item_of('e', 2, QUEUE_NORMAL), 0);
	push(item_of('y', 0, QUEUE_BATCH), 0);
	push(item_of('i', 3, QUEUE_INTERACTIVE), 0);
	assert_string_equal(pop_all(0), "iadbecyz");
}

static void cheap_calls_get_as_much_as_dear_ones(void **state)
{
	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	for (int i = 0; i < 8; i++) {
		struct queue_item cheap = item_of("abcdefgh"[i], 1, QUEUE_NORMAL);

		cheap.cost = 1;
		push(cheap, 0);
	}
	push(item_of('X', 2, QUEUE_NORMAL), 0);
	push(item_of('Y', 2, QUEUE_NORMAL), 0);
	assert_string_equal(pop_all(0), "abcdXefghY");
}

/* A queue of two that holds a (BATCH) and b (NORMAL): what does c do to it? */
static const struct {
	const char *name;
	enum queue_policy policy;
	enum queue_priority priority;
	int want;
	char victim;
	const char *left;
} full_cases[] = {
	{ "reject refuses even the urgent",        QUEUE_REJECT,      QUEUE_INTERACTIVE, -ENOBUFS, 0, "ba" },
	{ "block asks to wait",                    QUEUE_BLOCK,       QUEUE_INTERACTIVE, -EAGAIN,  0, "ba" },
	{ "drop-oldest drops the least urgent",    QUEUE_DROP_OLDEST, QUEUE_NORMAL,      1, 'a', "bc" },
	{ "drop-oldest drops within its class",    QUEUE_DROP_OLDEST, QUEUE_BATCH,       1, 'a', "bc" },
	{ "drop-oldest spares the more urgent",    QUEUE_DROP_OLDEST, QUEUE_SHEDDABLE,   -ENOBUFS, 0, "ba" },
	{ "shed makes room for the more urgent",   QUEUE_SHED,        QUEUE_NORMAL,      1, 'a', "bc" },
	{ "shed spares its own class",             QUEUE_SHED,        QUEUE_BATCH,       -ENOBUFS, 0, "ba" },
};

static void a_full_queue_follows_its_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(full_cases); i++) {
		const char *name = full_cases[i].name;
		struct queue_item c = item_of('c', 2, full_cases[i].priority);
		struct queue_item victim = { 0 };
		uint64_t id;

		start(full_cases[i].policy, 2);
		push(item_of('a', 1, QUEUE_BATCH), 0);
		push(item_of('b', 1, QUEUE_NORMAL), 0);
		int r = queue_push(&queue, &c, 1 * MS, &id, &victim);

		test_row(r == full_cases[i].want, "%s: got %d, want %d", name,
			 r, full_cases[i].want);
		test_row(r < 0 || name_of(&victim) == full_cases[i].victim,
			 "%s: wrong victim", name);
		const char *left = pop_all(1 * MS);

		test_row(strcmp(left, full_cases[i].left) == 0,
			 "%s: left %s, want %s", name, left,
			 full_cases[i].left);
	}
}

static void shed_takes_the_newest_and_drop_takes_the_oldest(void **state)
{
	struct queue_item c = item_of('c', 2, QUEUE_NORMAL), victim;
	uint64_t id;

	(void)state;
	start(QUEUE_SHED, 2);
	push(item_of('a', 1, QUEUE_BATCH), 0);
	push(item_of('b', 2, QUEUE_BATCH), 0);
	assert_int_equal(queue_push(&queue, &c, 0, &id, &victim), 1);
	assert_int_equal(name_of(&victim), 'b');
	start(QUEUE_DROP_OLDEST, 2);
	push(item_of('a', 1, QUEUE_NORMAL), 0);
	push(item_of('b', 2, QUEUE_NORMAL), 0);
	assert_int_equal(queue_push(&queue, &c, 0, &id, &victim), 1);
	assert_int_equal(name_of(&victim), 'a');
	assert_int_equal(queue.classes[QUEUE_NORMAL].counts.dropped, 1);
}

static void one_client_cannot_take_the_whole_queue(void **state)
{
	struct queue_item item = item_of('x', 1, QUEUE_NORMAL), victim;
	uint64_t id;

	(void)state;
	start(QUEUE_DROP_OLDEST, CAPACITY);
	for (int i = 0; i < 10; i++)
		push(item_of('x', 1, i % 2 ? QUEUE_NORMAL : QUEUE_BATCH), 0);
	assert_int_equal(queue_push(&queue, &item, 0, &id, &victim), -EDQUOT);
	assert_int_equal(queue.classes[QUEUE_NORMAL].counts.rejected, 1);
	push(item_of('y', 2, QUEUE_NORMAL), 0);
}

static void what_is_too_late_is_handed_out_apart(void **state)
{
	struct queue_item late = item_of('l', 1, QUEUE_NORMAL), item;
	uint64_t id;

	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	late.deadline_ns = 10 * MS + 1;
	push(late, 0);
	push(item_of('t', 1, QUEUE_NORMAL), 0);
	assert_false(queue_expire(&queue, 10 * MS, &item));
	assert_string_equal(pop_all(10 * MS + 1), "t");
	assert_int_equal(queue_next_expiry_ns(&queue), 0);
	assert_true(queue_expire(&queue, 10 * MS + 1, &item));
	assert_int_equal(name_of(&item), 'l');
	assert_false(queue_expire(&queue, 900 * MS, &item));
	assert_int_equal(queue_next_expiry_ns(&queue), INT64_MAX);
	assert_int_equal(queue.classes[QUEUE_NORMAL].counts.expired, 1);
	assert_int_equal(queue_push(&queue, &late, 10 * MS + 1, &id, &item),
			 -ETIME);
}

static void expiry_needs_no_pop(void **state)
{
	struct queue_item item = item_of('l', 1, QUEUE_BATCH);

	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	item.deadline_ns = 70 * MS;
	push(item, 0);
	assert_in_range(queue_next_expiry_ns(&queue), 1, 70 * MS);
	assert_true(queue_expire(&queue, 70 * MS, &item));
	assert_int_equal(name_of(&item), 'l');
	assert_int_equal(queue.classes[QUEUE_BATCH].counts.depth, 0);
}

static void removing_by_id_works_once(void **state)
{
	struct queue_item item;

	(void)state;
	start(QUEUE_REJECT, 2);
	uint64_t a = push(item_of('a', 1, QUEUE_NORMAL), 0);
	uint64_t b = push(item_of('b', 1, QUEUE_NORMAL), 0);

	assert_int_equal(queue_remove(&queue, a, &item), 0);
	assert_int_equal(name_of(&item), 'a');
	assert_int_equal(queue_remove(&queue, a, &item), -ENOENT);
	push(item_of('c', 1, QUEUE_NORMAL), 0);	/* in the slot of a */
	assert_int_equal(queue_remove(&queue, a, &item), -ENOENT);
	assert_string_equal(pop_all(0), "bc");
	assert_int_equal(queue_remove(&queue, b, &item), -ENOENT);
	assert_int_equal(queue_remove(&queue, 0, &item), -ENOENT);
	assert_int_equal(queue_remove(&queue, UINT64_MAX, &item), -ENOENT);
}

/* Cancelled before it was answered: it must not be answered twice. */
static void a_removed_call_does_not_expire(void **state)
{
	struct queue_item item = item_of('l', 1, QUEUE_NORMAL);

	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	item.deadline_ns = 5 * MS;
	uint64_t id = push(item, 0);

	assert_string_equal(pop_all(5 * MS), "");	/* set aside */
	assert_int_equal(queue_remove(&queue, id, &item), 0);
	assert_false(queue_expire(&queue, 50 * MS, &item));
}

static void a_standing_class_serves_its_newest_first(void **state)
{
	struct queue_item item;

	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	for (int i = 0; i < 6; i++)
		push(item_of("ABCDEF"[i], 1, QUEUE_NORMAL), 0);
	assert_true(queue_pop(&queue, 5 * MS, &item));	/* at the target: A */
	assert_true(queue_pop(&queue, 6 * MS, &item));	/* above it: B */
	assert_false(queue_is_standing(&queue, QUEUE_NORMAL, 105 * MS));
	assert_true(queue_pop(&queue, 105 * MS, &item));
	assert_int_equal(name_of(&item), 'C');
	assert_true(queue_pop(&queue, 106 * MS, &item));
	assert_int_equal(name_of(&item), 'F');
	push(item_of('G', 1, QUEUE_NORMAL), 107 * MS);
	assert_string_equal(pop_all(107 * MS), "GED");
	push(item_of('H', 1, QUEUE_NORMAL), 108 * MS);
	push(item_of('I', 1, QUEUE_NORMAL), 108 * MS);
	assert_string_equal(pop_all(109 * MS), "HI");
}

static void a_short_burst_stays_in_order(void **state)
{
	struct queue_item item;

	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	for (int round = 0; round < 10; round++) {
		int64_t now_ns = round * 50 * MS;

		push(item_of('a', 1, QUEUE_NORMAL), now_ns);
		push(item_of('b', 1, QUEUE_NORMAL), now_ns);
		assert_true(queue_pop(&queue, now_ns + 40 * MS, &item));
		assert_int_equal(name_of(&item), 'a');
		assert_true(queue_pop(&queue, now_ns + 49 * MS, &item));
		assert_int_equal(name_of(&item), 'b');
	}
}

static const struct {
	const char *name;
	int64_t wait_ns, service_ns, remaining_ns;
	bool want;
} admissions[] = {
	{ "time to spare",                10, 10, 21, true },
	{ "just in time",                 10, 10, 20, true },
	{ "one nanosecond short",         10, 10, 19, false },
	{ "the wait alone is too long",   30,  0, 20, false },
	{ "the deadline has passed",       0,  0, -1, false },
	{ "an endless wait",       INT64_MAX, 10, 20, false },
	{ "an endless wait, too late", INT64_MAX, 0, -2, false },
	{ "an endless service",    10, INT64_MAX, 20, false },
};

static void a_call_that_cannot_meet_its_deadline_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(admissions); i++)
		test_row(queue_can_meet(admissions[i].wait_ns,
					admissions[i].service_ns,
					admissions[i].remaining_ns) ==
			 admissions[i].want, "%s", admissions[i].name);
}

static void the_wait_counts_what_is_as_urgent(void **state)
{
	(void)state;
	start(QUEUE_REJECT, CAPACITY);
	push(item_of('a', 1, QUEUE_INTERACTIVE), 0);
	push(item_of('b', 1, QUEUE_NORMAL), 0);
	push(item_of('c', 1, QUEUE_BATCH), 0);
	assert_int_equal(queue_wait_ns(&queue, QUEUE_NORMAL, 30, 2), 30);
	assert_int_equal(queue_wait_ns(&queue, QUEUE_SHEDDABLE, 30, 1), 90);
	assert_int_equal(queue_wait_ns(&queue, QUEUE_NORMAL, INT64_MAX, 1),
			 INT64_MAX);
}

static void the_target_is_a_tenth_of_the_median(void **state)
{
	(void)state;
	assert_int_equal(queue_target_ns(0), 5 * MS);
	assert_int_equal(queue_target_ns(50 * MS), 5 * MS);
	assert_int_equal(queue_target_ns(2000 * MS), 200 * MS);
}

/* ---- against a model: rows in an array, searched one by one ---- */

enum row_state { ROW_FREE, ROW_WAITING, ROW_ASIDE };

struct row {
	enum row_state state;
	struct queue_item item;
	uint64_t id, order;
	int64_t queued_ns;
};

struct model {
	struct row rows[CAPACITY];
	uint32_t turns[QUEUE_PRIORITY_COUNT][CLIENTS];	/* clients */
	size_t turn_count[QUEUE_PRIORITY_COUNT];
	uint32_t deficits[QUEUE_PRIORITY_COUNT][CLIENTS];
	bool above[QUEUE_PRIORITY_COUNT];
	int64_t above_since_ns[QUEUE_PRIORITY_COUNT];
	struct queue_counts counts[QUEUE_PRIORITY_COUNT];
	uint64_t orders;
	int64_t now_ns;
};

static struct model model;

/* The oldest or newest waiting row of a class; of one client unless < 0. */
static struct row *find_row(unsigned priority, int client, bool newest)
{
	struct row *found = NULL;

	for (size_t i = 0; i < CAPACITY; i++) {
		struct row *row = &model.rows[i];

		if (row->state != ROW_WAITING ||
		    row->item.priority != priority ||
		    (client >= 0 && row->item.client != (uint32_t)client))
			continue;
		if (!found || (row->order > found->order) == newest)
			found = row;
	}
	return found;
}

static size_t count_rows(int client)
{
	size_t count = 0;

	for (size_t i = 0; i < CAPACITY; i++)
		count += client < 0 ? model.rows[i].state != ROW_FREE
			: model.rows[i].state == ROW_WAITING &&
			  model.rows[i].item.client == (uint32_t)client;
	return count;
}

static void end_turn(unsigned priority, uint32_t client)
{
	uint32_t *turns = model.turns[priority];
	size_t i = 0;

	while (turns[i] != client)
		i++;
	model.turn_count[priority]--;
	memmove(turns + i, turns + i + 1,
		(model.turn_count[priority] - i) * sizeof(*turns));
}

static void take_turn(unsigned priority, uint32_t client)
{
	model.turns[priority][model.turn_count[priority]++] = client;
}

static void model_leave(struct row *row, enum row_state state)
{
	unsigned priority = row->item.priority;

	row->state = state;
	model.counts[priority].depth--;
	if (!find_row(priority, (int)row->item.client, false))
		end_turn(priority, row->item.client);
}

static void model_watch(unsigned priority)
{
	const struct row *oldest = find_row(priority, -1, false);
	bool above = oldest && model.now_ns - oldest->queued_ns >
				       queue.settings.target_ns;

	if (above && !model.above[priority])
		model.above_since_ns[priority] = model.now_ns;
	model.above[priority] = above;
}

static struct row *model_next(unsigned priority)
{
	bool newest = model.above[priority] &&
		      model.now_ns - model.above_since_ns[priority] >=
			      queue.settings.interval_ns;

	for (;;) {
		uint32_t client = model.turns[priority][0];
		struct row *row = find_row(priority, (int)client, newest);

		if (row->item.cost <= model.deficits[priority][client])
			return row;
		model.deficits[priority][client] += queue.settings.quantum;
		end_turn(priority, client);
		take_turn(priority, client);
	}
}

static bool model_pop(struct queue_item *ret)
{
	for (unsigned p = 0; p < QUEUE_PRIORITY_COUNT; p++) {
		while (model.turn_count[p] > 0) {
			model_watch(p);
			struct row *row = model_next(p);

			if (row->item.deadline_ns > model.now_ns) {
				model.deficits[p][row->item.client] -=
					row->item.cost;
				model.counts[p].out++;
				model_leave(row, ROW_FREE);
				*ret = row->item;
				return true;
			}
			model.counts[p].expired++;
			model_leave(row, ROW_ASIDE);
		}
	}
	return false;
}

static struct row *model_victim(unsigned priority)
{
	bool sheds = queue.settings.policy == QUEUE_SHED;

	if (queue.settings.policy < QUEUE_DROP_OLDEST)
		return NULL;
	for (unsigned p = QUEUE_PRIORITY_COUNT - 1; p + 1 > 0; p--) {
		if (p < priority || (sheds && p == priority))
			return NULL;
		if (find_row(p, -1, sheds))
			return find_row(p, -1, sheds);
	}
	return NULL;
}

static int model_refusal(const struct queue_item *item, struct row **ret_victim)
{
	*ret_victim = NULL;
	if (item->deadline_ns <= model.now_ns)
		return -ETIME;
	if (count_rows((int)item->client) >= queue.settings.client_entries_max)
		return -EDQUOT;
	if (count_rows(-1) < CAPACITY)
		return 0;
	*ret_victim = model_victim(item->priority);
	if (*ret_victim)
		return 1;
	return queue.settings.policy == QUEUE_BLOCK ? -EAGAIN : -ENOBUFS;
}

static void model_enter(const struct queue_item *item, uint64_t id)
{
	unsigned p = item->priority;
	size_t i = 0;

	while (model.rows[i].state != ROW_FREE)
		i++;
	if (!find_row(p, (int)item->client, false)) {
		model.deficits[p][item->client] = queue.settings.quantum;
		take_turn(p, item->client);
	}
	model.rows[i] = (struct row){ ROW_WAITING, *item, id, model.orders++,
				      model.now_ns };
	model.counts[p].in++;
	model.counts[p].depth++;
	model_watch(p);
}

static bool same_item(const struct queue_item *a, const struct queue_item *b)
{
	return a->call == b->call && a->client == b->client &&
	       a->priority == b->priority && a->cost == b->cost &&
	       a->deadline_ns == b->deadline_ns;
}

static void random_push(struct random *random)
{
	struct queue_item item = {
		.call = &names[random_below(random, sizeof(names))],
		.client = (uint32_t)random_below(random, CLIENTS),
		.priority = (enum queue_priority)random_below(
			random, QUEUE_PRIORITY_COUNT),
		.cost = 1 + (uint32_t)random_below(
			random, queue.settings.quantum),
		.deadline_ns = model.now_ns - 2 +
			(int64_t)random_below(random, 300 * (uint64_t)MS),
	};
	struct queue_item victim = { 0 };
	struct row *victim_row;
	uint64_t id = 0;
	int want = model_refusal(&item, &victim_row);

	assert_int_equal(queue_push(&queue, &item, model.now_ns, &id, &victim),
			 want);
	if (want < 0) {
		model.counts[item.priority].rejected++;
		return;
	}
	if (want == 1) {
		assert_true(same_item(&victim, &victim_row->item));
		model.counts[victim.priority].dropped++;
		model_leave(victim_row, ROW_FREE);
	}
	model_enter(&item, id);
}

static void random_pop(void)
{
	struct queue_item item, want;
	bool any = model_pop(&want);

	assert_int_equal(queue_pop(&queue, model.now_ns, &item), any);
	assert_true(!any || same_item(&item, &want));
}

static void random_expire(void)
{
	struct queue_item item;
	struct row *found = NULL;
	bool any = false;

	for (size_t i = 0; i < CAPACITY; i++) {
		struct row *row = &model.rows[i];
		int64_t tick_ns = (row->item.deadline_ns + MS - 1) / MS * MS;

		if (row->state == ROW_WAITING && tick_ns <= model.now_ns) {
			model.counts[row->item.priority].expired++;
			model_leave(row, ROW_ASIDE);
		}
		any = any || row->state == ROW_ASIDE;
	}
	assert_int_equal(queue_expire(&queue, model.now_ns, &item), any);
	for (size_t i = 0; any && i < CAPACITY; i++)
		if (model.rows[i].state == ROW_ASIDE &&
		    same_item(&model.rows[i].item, &item))
			found = &model.rows[i];
	assert_int_equal(found != NULL, any);
	if (found)
		found->state = ROW_FREE;
}

/* The id of any row, whether it is still in the queue or not. */
static void random_remove(struct random *random)
{
	struct row *row = &model.rows[random_below(random, CAPACITY)];
	struct queue_item item;

	if (row->state == ROW_FREE) {
		assert_int_equal(queue_remove(&queue, row->id, &item), -ENOENT);
		return;
	}
	assert_int_equal(queue_remove(&queue, row->id, &item), 0);
	assert_true(same_item(&item, &row->item));
	if (row->state == ROW_WAITING) {
		model.counts[row->item.priority].removed++;
		model_leave(row, ROW_FREE);
	}
	row->state = ROW_FREE;
}

static void check_counts(void)
{
	for (unsigned p = 0; p < QUEUE_PRIORITY_COUNT; p++) {
		const struct queue_counts *c = &queue.classes[p].counts;
		const struct row *oldest = find_row(p, -1, false);

		assert_memory_equal(c, &model.counts[p], sizeof(*c));
		assert_int_equal(c->in, c->out + c->dropped + c->expired +
						c->removed + c->depth);
		assert_int_equal(queue_oldest_age_ns(&queue, p, model.now_ns),
				 oldest ? model.now_ns - oldest->queued_ns : 0);
	}
}

/* Alternates between hours of calm and of load, so that classes stand. */
static void random_operation(struct random *random, bool loaded)
{
	uint64_t choice = random_below(random, 16);

	if (choice < (loaded ? 9 : 6))
		random_push(random);
	else if (choice < 13)
		random_pop();
	else if (choice < 15)
		random_expire();
	else
		random_remove(random);
	if (random_below(random, 3) == 0)
		model.now_ns += (int64_t)random_below(random, 8 * (uint64_t)MS);
}

static void behaves_like_rows_in_an_array(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "queue against rows in an array");
	for (enum queue_policy policy = 0; policy < QUEUE_POLICY_COUNT; policy++) {
		memset(&model, 0, sizeof(model));
		start(policy, CAPACITY);
		queue.settings.target_ns = 5 * MS;
		for (int i = 0; i < OPERATIONS / QUEUE_POLICY_COUNT; i++) {
			random_operation(&random, i / 500 % 2);
			check_counts();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urgent_classes_go_first_and_clients_take_turns),
		cmocka_unit_test(cheap_calls_get_as_much_as_dear_ones),
		cmocka_unit_test(a_full_queue_follows_its_policy),
		cmocka_unit_test(shed_takes_the_newest_and_drop_takes_the_oldest),
		cmocka_unit_test(one_client_cannot_take_the_whole_queue),
		cmocka_unit_test(what_is_too_late_is_handed_out_apart),
		cmocka_unit_test(expiry_needs_no_pop),
		cmocka_unit_test(removing_by_id_works_once),
		cmocka_unit_test(a_removed_call_does_not_expire),
		cmocka_unit_test(a_standing_class_serves_its_newest_first),
		cmocka_unit_test(a_short_burst_stays_in_order),
		cmocka_unit_test(a_call_that_cannot_meet_its_deadline_is_known),
		cmocka_unit_test(the_wait_counts_what_is_as_urgent),
		cmocka_unit_test(the_target_is_a_tenth_of_the_median),
		cmocka_unit_test(behaves_like_rows_in_an_array),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
