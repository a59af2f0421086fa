#include "common/core/cache.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#define CAPACITY 12
#define BYTES_MAX 1000
#define KEY_BYTES_MAX 16
#define KEYS 40
#define TICKETS 8
#define OPERATIONS 400000

/* The caller's side of a value: who let go of it, and why. */
struct value {
	bool held;
	enum cache_reason reason;
};

static struct cache cache;
static struct cache_entry entries[CAPACITY];
static uint8_t keys[CAPACITY * KEY_BYTES_MAX];
static struct value values[OPERATIONS];
static size_t value_count;

static void release(void *owner, void *value, enum cache_reason reason)
{
	struct value *released = value;

	assert_ptr_equal(owner, &cache);
	assert_true(released->held);
	released->held = false;
	released->reason = reason;
}

static void start(unsigned protected_percent, size_t capacity)
{
	const struct cache_settings settings = {
		.bytes_max = BYTES_MAX,
		.key_bytes_max = KEY_BYTES_MAX,
		.protected_percent = protected_percent,
		.hash_key = { { 1, 2 } },
		.release = release,
		.owner = &cache,
	};

	memset(values, 0, sizeof(values));
	value_count = 0;
	cache_init(&cache, &settings, entries, keys, capacity);
}

static uint64_t reserve(const char *key, const uint64_t *tags)
{
	uint64_t ticket = 0;

	assert_int_equal(cache_reserve(&cache, span_of_text(key), tags, &ticket),
			 0);
	return ticket;
}

/* Fills for 100 fresh, 20 stale and 30 fallback; returns the value. */
static struct value *fill(uint64_t ticket, size_t bytes, int64_t now_ns)
{
	struct value *value = &values[value_count++];
	const struct cache_fill how = {
		.value = value, .bytes = bytes,
		.ttl_ns = 100, .stale_ns = 20, .fallback_ns = 30,
	};

	value->held = cache_fill(&cache, ticket, &how, now_ns) == 0;
	return value;
}

static struct value *store(const char *key, size_t bytes)
{
	return fill(reserve(key, NULL), bytes, 0);
}

static struct cache_found get(const char *key, int64_t now_ns)
{
	return cache_get(&cache, span_of_text(key), now_ns);
}

static bool has(const char *key)
{
	return get(key, 0).state == CACHE_FRESH;
}

/* Filled at 0; asked and failed at failed_ns for 40, unless that is 0. */
static const struct {
	const char *name;
	int64_t failed_ns, now_ns;
	enum cache_state want;
	bool value, refresh;
} ages[] = {
	{ "a new value is fresh",                   0,   0, CACHE_FRESH,    true, false },
	{ "just before 80 % nobody asks",           0,  79, CACHE_FRESH,    true, false },
	{ "at 80 % somebody asks ahead",            0,  80, CACHE_FRESH,    true, true },
	{ "at the ttl it is stale",                 0, 100, CACHE_STALE,    true, true },
	{ "at the end it is stale still",           0, 119, CACHE_STALE,    true, true },
	{ "then it is for failures only",           0, 120, CACHE_FALLBACK, true, true },
	{ "at the end it still is",                 0, 149, CACHE_FALLBACK, true, true },
	{ "then it is gone",                        0, 150, CACHE_MISS,     false, true },
	{ "after a failure nobody asks ahead",     80, 110, CACHE_STALE,    true, false },
	{ "until it may be tried again",           80, 120, CACHE_FALLBACK, true, true },
	{ "a failure makes the fallback usable",  125, 149, CACHE_STALE,    true, false },
	{ "with no value left it is remembered",  125, 150, CACHE_NEGATIVE, false, false },
	{ "and then forgotten",                   125, 165, CACHE_MISS,     false, true },
	{ "a failure without a value is one",     150, 189, CACHE_NEGATIVE, false, false },
	{ "and it is forgotten, too",             150, 190, CACHE_MISS,     false, true },
};

static void a_value_ages_as_the_diagram_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ages); i++) {
		const char *name = ages[i].name;

		start(0, CAPACITY);
		struct value *value = store("k", 1);

		if (ages[i].failed_ns)
			assert_int_equal(cache_fail(&cache, reserve("k", NULL),
						    -EIO, 40,
						    ages[i].failed_ns), 0);
		struct cache_found found = get("k", ages[i].now_ns);

		test_row(found.state == ages[i].want, "%s: got %d, want %d",
			 name, (int)found.state, (int)ages[i].want);
		test_row(found.refresh == ages[i].refresh, "%s: refresh", name);
		test_row(found.value == (ages[i].value ? value : NULL),
			 "%s: wrong value", name);
		test_row(found.age_ns == (ages[i].value ? ages[i].now_ns : 0),
			 "%s: age", name);
		test_row(found.failure ==
			 (found.state == CACHE_NEGATIVE ? -EIO : 0),
			 "%s: failure %d", name, found.failure);
	}
}

static void a_failure_that_may_be_retried_at_once_leaves_nothing(void **state)
{
	(void)state;
	start(0, CAPACITY);
	uint64_t ticket = reserve("k", NULL);

	assert_int_equal(cache.stats.entries, 1);
	assert_int_equal(cache_fail(&cache, ticket, -EIO, 0, 0), 0);
	assert_int_equal(cache.stats.entries, 0);
	assert_int_equal(cache_fail(&cache, ticket, -EIO, 0, 0), -ESTALE);
}

static void a_value_for_ever_does_not_overflow(void **state)
{
	struct cache_fill how = { .value = &values[0], .ttl_ns = INT64_MAX,
				  .stale_ns = 1, .fallback_ns = INT64_MAX };

	(void)state;
	start(0, CAPACITY);
	values[0].held = true;
	assert_int_equal(cache_fill(&cache, reserve("k", NULL), &how, 5), 0);
	assert_int_equal(get("k", INT64_MAX - 1).state, CACHE_FRESH);
	how.value = &values[1];
	how.ttl_ns = INT64_MAX - 10;
	how.stale_ns = 100;
	values[1].held = true;
	assert_int_equal(cache_fill(&cache, reserve("k", NULL), &how, 0), 0);
	assert_int_equal(get("k", INT64_MAX - 1).state, CACHE_STALE);
}

static void a_miss_while_somebody_asks_does_not_undo_the_ticket(void **state)
{
	(void)state;
	start(0, CAPACITY);
	struct value *old = store("k", 1);
	uint64_t ticket = reserve("k", NULL);

	assert_int_equal(get("k", 1000).state, CACHE_MISS);
	assert_false(old->held);
	assert_int_equal(old->reason, CACHE_EXPIRED);
	assert_int_equal(cache_sweep(&cache, 1000), 0);
	assert_true(fill(ticket, 1, 1000)->held);
	assert_int_equal(get("k", 1000).state, CACHE_FRESH);
}

static void the_least_recently_used_goes_first(void **state)
{
	(void)state;
	start(0, 3);
	store("a", 1);
	store("b", 1);
	store("c", 1);
	assert_true(has("a"));
	store("d", 1);
	assert_false(has("b"));
	assert_true(has("a") && has("c") && has("d"));
	assert_int_equal(cache.stats.removed[CACHE_COUNT_BOUND], 1);
}

/* A scan of a hundred keys, each read once, past one that is used. */
static const struct {
	const char *name;
	unsigned protected_percent;
	bool survives;
} scans[] = {
	{ "plain LRU forgets what was used",    0, false },
	{ "segmented LRU keeps it",            80, true },
};

static void a_scan_does_not_push_out_what_is_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(scans); i++) {
		char key[16];

		start(scans[i].protected_percent, 5);
		store("used", 1);
		assert_true(has("used"));
		for (int n = 0; n < 100; n++) {
			snprintf(key, sizeof(key), "s%d", n);
			store(key, 1);
		}
		test_row(has("used") == scans[i].survives, "%s", scans[i].name);
	}
}

static void bytes_are_bounded_and_the_newest_is_kept(void **state)
{
	(void)state;
	start(0, CAPACITY);
	uint64_t slow = reserve("slow", NULL);

	store("a", 600);
	struct value *b = store("b", 400);

	assert_true(fill(slow, 500, 0)->held);
	assert_true(has("slow") && has("b") && !has("a"));
	assert_int_equal(cache.stats.bytes, 900);
	assert_true(fill(slow, 1000, 0)->held);
	assert_false(b->held);
	assert_int_equal(b->reason, CACHE_BYTES_BOUND);
	assert_false(fill(slow, 1001, 0)->held);
	assert_int_equal(cache.stats.entries, 0);
	assert_int_equal(cache.stats.bytes, 0);
}

static void a_giant_does_not_demote_the_protected(void **state)
{
	(void)state;
	start(50, 4);
	store("a", 100);
	assert_true(has("a"));			/* protected */
	store("big", 800);
	assert_true(has("big"));		/* above the protected 500 */
	store("c", 200);			/* big must go, not a */
	assert_true(has("a") && has("c") && !has("big"));
}

static void a_value_read_before_an_invalidation_is_not_stored(void **state)
{
	static const uint64_t tags[CACHE_TAGS_MAX] = { 7 };

	(void)state;
	for (int way = 0; way < 3; way++) {
		start(80, CAPACITY);
		uint64_t ticket = reserve("ws/1", tags);

		if (way == 0)
			cache_drop_key(&cache, span_of_text("ws/1"));
		else if (way == 1)
			cache_drop_prefix(&cache, span_of_text("ws/"));
		else
			cache_drop_tag(&cache, 7);
		uint64_t second = reserve("ws/1", tags);

		assert_int_not_equal(ticket, second);
		assert_false(fill(ticket, 1, 0)->held);
		assert_int_equal(get("ws/1", 0).state, CACHE_MISS);
		assert_int_equal(cache.stats.stale_prevented, 1);
		assert_true(fill(second, 1, 0)->held);
		assert_int_equal(get("ws/1", 0).state, CACHE_FRESH);
	}
}

static void a_subtree_is_its_root_and_its_prefix(void **state)
{
	(void)state;
	start(0, CAPACITY);
	store("/a", 1);
	store("/a/x", 1);
	store("/a/y/z", 1);
	store("/ab", 1);
	assert_int_equal(cache_drop_prefix(&cache, span_of_text("/a/")), 2);
	assert_int_equal(cache_drop_key(&cache, span_of_text("/a")), 1);
	assert_int_equal(cache_drop_key(&cache, span_of_text("/a")), 0);
	assert_true(has("/ab"));
	assert_int_equal(cache_drop_prefix(&cache, span_of_text("/abc")), 0);
	assert_int_equal(cache_drop_prefix(&cache, span_of_text("/ab")), 1);
	store("/c", 1);
	assert_int_equal(cache_drop_prefix(&cache, span_of_text("")), 1);
	assert_int_equal(cache.stats.entries, 0);
}

static void a_tag_reaches_every_entry_that_bears_it(void **state)
{
	static const uint64_t one[CACHE_TAGS_MAX] = { 1, 0, 0, 9 };
	static const uint64_t two[CACHE_TAGS_MAX] = { 2, 1 };

	(void)state;
	start(0, 3);
	fill(reserve("a", one), 1, 0);
	fill(reserve("b", two), 1, 0);
	fill(reserve("c", NULL), 1, 0);
	assert_int_equal(cache_drop_tag(&cache, 9), 1);
	assert_int_equal(cache_drop_tag(&cache, 1), 1);
	assert_true(!has("a") && !has("b") && has("c"));
	store("d", 1);			/* in the slot of a or b, untagged */
	store("e", 1);
	assert_int_equal(cache_drop_tag(&cache, 1), 0);
}

static void a_key_too_long_is_refused_not_cut(void **state)
{
	uint64_t ticket;

	(void)state;
	start(0, CAPACITY);
	store("0123456789abcdef", 1);
	assert_int_equal(cache_reserve(&cache,
				       span_of_text("0123456789abcdefX"), NULL,
				       &ticket), -ENAMETOOLONG);
	assert_int_equal(get("0123456789abcdefX", 0).state, CACHE_MISS);
	assert_true(has("0123456789abcdef"));
}

static void the_hit_ratio_counts_what_spared_a_wait(void **state)
{
	(void)state;
	start(0, CAPACITY);
	assert_true(cache_hit_ratio(&cache.stats) < 0.001);
	store("k", 1);
	get("k", 0);
	get("k", 110);
	get("k", 130);			/* fallback: asked first */
	get("none", 0);
	assert_true(cache_hit_ratio(&cache.stats) > 0.499 &&
		    cache_hit_ratio(&cache.stats) < 0.501);
}

/* ---- against a model: rows in an array, searched one by one ---- */

struct row {
	bool taken, protected, asking;
	int key;
	uint64_t used, ticket;
	struct value *value;
	size_t bytes;
	int failure;
	int64_t filled_ns, retry_ns;
};

static struct {
	struct row rows[CAPACITY];
	struct cache_stats stats;
	uint64_t clock;
	int64_t now_ns;
	uint64_t tickets[TICKETS];
	size_t protected_count_max, protected_bytes_max;
} model;

static struct span key_span(int key)
{
	static char text[32];

	/* Four keys below each of ten prefixes. */
	snprintf(text, sizeof(text), "%d/%d", key / 4, key % 4);
	return span_of_text(text);
}

static struct row *row_of_key(int key)
{
	for (int i = 0; i < CAPACITY; i++)
		if (model.rows[i].taken && model.rows[i].key == key)
			return &model.rows[i];
	return NULL;
}

static struct row *row_of_ticket(uint64_t ticket)
{
	for (int i = 0; i < CAPACITY; i++)
		if (model.rows[i].taken && model.rows[i].ticket == ticket)
			return &model.rows[i];
	return NULL;
}

static struct row *least_used(bool protected, const struct row *kept)
{
	struct row *least = NULL;

	for (int i = 0; i < CAPACITY; i++) {
		struct row *row = &model.rows[i];

		if (row == kept || !row->taken || row->protected != protected)
			continue;
		if (!least || row->used < least->used)
			least = row;
	}
	return least;
}

static bool protected_is_too_much(void)
{
	size_t count = 0, bytes = 0;

	for (int i = 0; i < CAPACITY; i++) {
		if (!model.rows[i].taken || !model.rows[i].protected)
			continue;
		count++;
		bytes += model.rows[i].bytes;
	}
	return count > model.protected_count_max ||
	       bytes > model.protected_bytes_max;
}

static void model_use(struct row *row, bool protected)
{
	row->protected = protected && model.protected_count_max > 0 &&
			 row->bytes <= model.protected_bytes_max;
	row->used = ++model.clock;
	while (protected_is_too_much()) {
		struct row *demoted = least_used(true, NULL);

		assert_non_null(demoted);
		demoted->protected = false;
		demoted->used = ++model.clock;
	}
}

static void model_release(struct row *row, enum cache_reason reason)
{
	if (!row->value)
		return;
	model.stats.bytes -= row->bytes;
	model.stats.removed[reason]++;
	row->value = NULL;
	row->bytes = 0;
	model_use(row, row->protected);
}

static void model_drop(struct row *row, enum cache_reason reason)
{
	model.stats.stale_prevented +=
		row->asking && reason == CACHE_INVALIDATED;
	model_release(row, reason);
	model.stats.entries--;
	row->taken = false;
}

static void model_evict(const struct row *kept, enum cache_reason reason)
{
	struct row *victim = least_used(false, kept);

	if (!victim)
		victim = least_used(true, kept);
	assert_non_null(victim);
	model_drop(victim, reason);
}

static enum cache_state model_judge(const struct row *row)
{
	int64_t age_ns = model.now_ns - row->filled_ns;
	bool failed = model.now_ns < row->retry_ns;

	if (row->value && age_ns < 100)
		return CACHE_FRESH;
	if (row->value && (age_ns < 120 || (age_ns < 150 && failed)))
		return CACHE_STALE;
	if (row->value && age_ns < 150)
		return CACHE_FALLBACK;
	return failed ? CACHE_NEGATIVE : CACHE_MISS;
}

static void random_get(int key)
{
	struct row *row = row_of_key(key);
	enum cache_state want = row ? model_judge(row) : CACHE_MISS;
	struct cache_found found =
		cache_get(&cache, key_span(key), model.now_ns);

	model.stats.answers[want]++;
	assert_int_equal(found.state, want);
	if (want == CACHE_MISS) {
		assert_true(found.refresh);
		assert_null(found.value);
		if (row && row->asking)
			model_release(row, CACHE_EXPIRED);
		else if (row)
			model_drop(row, CACHE_EXPIRED);
		return;
	}
	assert_ptr_equal(found.value,
			 want == CACHE_NEGATIVE ? NULL : row->value);
	assert_int_equal(found.failure,
			 want == CACHE_NEGATIVE ? row->failure : 0);
	assert_int_equal(found.age_ns, found.value ?
			 model.now_ns - row->filled_ns : 0);
	assert_int_equal(found.refresh,
			 model.now_ns >= row->retry_ns &&
			 model.now_ns >= row->filled_ns + 80);
	model_use(row, true);
}

static void random_reserve(int key, struct random *random)
{
	const uint64_t tags[CACHE_TAGS_MAX] = {
		(uint64_t)key % 4 + 1, 0, (uint64_t)key % 3 + 10 };
	struct row *row = row_of_key(key);
	uint64_t ticket;

	assert_int_equal(cache_reserve(&cache, key_span(key), tags, &ticket), 0);
	model.tickets[random_below(random, TICKETS)] = ticket;
	if (row) {
		assert_int_equal(ticket, row->ticket);
		row->asking = true;
		return;
	}
	if (model.stats.entries == CAPACITY)
		model_evict(NULL, CACHE_COUNT_BOUND);
	for (row = model.rows; row->taken; row++)
		;
	*row = (struct row){ .taken = true, .asking = true, .key = key,
			     .ticket = ticket, .used = ++model.clock };
	model.stats.entries++;
}

static void random_fill(struct random *random)
{
	uint64_t ticket = model.tickets[random_below(random, TICKETS)];
	struct row *row = row_of_ticket(ticket);
	size_t bytes = (size_t)random_below(
		random, random_below(random, 8) ? 200 : BYTES_MAX + 100);
	struct value *value = fill(ticket, bytes, model.now_ns);

	assert_int_equal(value->held, row && bytes <= BYTES_MAX);
	if (!row)
		return;
	if (bytes > BYTES_MAX) {
		model_drop(row, CACHE_REPLACED);
		return;
	}
	model_release(row, CACHE_REPLACED);
	row->asking = false;
	row->value = value;
	row->bytes = bytes;
	row->filled_ns = model.now_ns;
	row->retry_ns = 0;
	model.stats.bytes += bytes;
	model_use(row, row->protected);
	while (model.stats.bytes > BYTES_MAX)
		model_evict(row, CACHE_BYTES_BOUND);
}

static void random_fail(struct random *random)
{
	uint64_t ticket = model.tickets[random_below(random, TICKETS)];
	struct row *row = row_of_ticket(ticket);
	int64_t retry_ns = (int64_t)random_below(random, 60);
	int failure = -1 - (int)random_below(random, 9);

	assert_int_equal(cache_fail(&cache, ticket, failure, retry_ns,
				    model.now_ns), row ? 0 : -ESTALE);
	if (!row)
		return;
	row->asking = false;
	row->failure = failure;
	row->retry_ns = model.now_ns + retry_ns;
	if (model_judge(row) == CACHE_MISS)
		model_drop(row, CACHE_EXPIRED);
	else if (model_judge(row) == CACHE_NEGATIVE)
		model_release(row, CACHE_EXPIRED);
}

static bool is_dropped(const struct row *row, int way, int key)
{
	switch (way) {
	case 0:
		return row->key == key;
	case 1:
		return row->key / 4 == key / 4;
	case 2:
		return row->key % 4 == key % 4;
	case 3:
		return row->key % 3 == key % 3;
	default:
		return !row->asking && model_judge(row) == CACHE_MISS;
	}
}

static size_t drop_by(int way, int key)
{
	struct span prefix = key_span(key);

	switch (way) {
	case 0:
		return cache_drop_key(&cache, prefix);
	case 1:
		prefix.length--;
		return cache_drop_prefix(&cache, prefix);
	case 2:
		return cache_drop_tag(&cache, (uint64_t)key % 4 + 1);
	case 3:
		return cache_drop_tag(&cache, (uint64_t)key % 3 + 10);
	default:
		return cache_sweep(&cache, model.now_ns);
	}
}

static void random_drop(int key, struct random *random)
{
	int way = (int)random_below(random, 5);
	size_t count = 0;

	for (int i = 0; i < CAPACITY; i++) {
		struct row *row = &model.rows[i];

		if (!row->taken || !is_dropped(row, way, key))
			continue;
		model_drop(row, way < 4 ? CACHE_INVALIDATED : CACHE_EXPIRED);
		count++;
	}
	assert_int_equal(drop_by(way, key), count);
}

static void check_against_model(void)
{
	assert_memory_equal(&cache.stats, &model.stats, sizeof(model.stats));
	assert_true(cache.stats.bytes <= BYTES_MAX);
	for (int i = 0; i < CAPACITY; i++)
		assert_true(!model.rows[i].taken || !model.rows[i].value ||
			    model.rows[i].value->held);
}

static void random_operation(struct random *random)
{
	uint64_t choice = random_below(random, 32);
	int key = (int)random_below(random, random_below(random, 2) ? 6 : KEYS);

	if (choice < 14)
		random_get(key);
	else if (choice < 21)
		random_reserve(key, random);
	else if (choice < 28)
		random_fill(random);
	else if (choice < 31)
		random_fail(random);
	else
		random_drop(key, random);
	model.now_ns += (int64_t)random_below(random, 8);
}

/* Every value that was ever let in is in a row or has been released. */
static void check_no_value_is_lost(void)
{
	size_t held = 0, in_rows = 0;

	for (size_t i = 0; i < value_count; i++)
		held += values[i].held;
	for (int i = 0; i < CAPACITY; i++)
		in_rows += model.rows[i].taken && model.rows[i].value;
	assert_int_equal(held, in_rows);
}

static void behaves_like_rows_in_an_array(void **state)
{
	static const unsigned percents[] = { 0, 50, 80, 100 };
	struct random random;

	(void)state;
	test_random_init(&random, "cache against rows in an array");
	for (size_t i = 0; i < COUNT(percents); i++) {
		memset(&model, 0, sizeof(model));
		model.protected_count_max = CAPACITY * percents[i] / 100;
		model.protected_bytes_max = BYTES_MAX * percents[i] / 100;
		start(percents[i], CAPACITY);
		for (size_t n = 0; n < OPERATIONS / COUNT(percents); n++) {
			random_operation(&random);
			check_against_model();
		}
		check_no_value_is_lost();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_ages_as_the_diagram_says),
		cmocka_unit_test(a_failure_that_may_be_retried_at_once_leaves_nothing),
		cmocka_unit_test(a_value_for_ever_does_not_overflow),
		cmocka_unit_test(a_miss_while_somebody_asks_does_not_undo_the_ticket),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(a_scan_does_not_push_out_what_is_used),
		cmocka_unit_test(bytes_are_bounded_and_the_newest_is_kept),
		cmocka_unit_test(a_giant_does_not_demote_the_protected),
		cmocka_unit_test(a_value_read_before_an_invalidation_is_not_stored),
		cmocka_unit_test(a_subtree_is_its_root_and_its_prefix),
		cmocka_unit_test(a_tag_reaches_every_entry_that_bears_it),
		cmocka_unit_test(a_key_too_long_is_refused_not_cut),
		cmocka_unit_test(the_hit_ratio_counts_what_spared_a_wait),
		cmocka_unit_test(behaves_like_rows_in_an_array),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
