#include "common/core/registry.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#define CAPACITY 12
#define NAMES 8
#define WAITERS 10
#define OPERATIONS 200000

static struct registry registry;
static struct registry_entry entries[CAPACITY];
static struct registry_waiter waiters[WAITERS];
static char items[256];		/* &items['x'] is the item x */

static void start(void)
{
	const struct hash_key hash_key = { { 5, 6 } };

	memset(waiters, 0, sizeof(waiters));
	registry_init(&registry, hash_key, entries, CAPACITY);
}

static uint64_t add(const char *name, char item)
{
	uint64_t handle = 0;

	assert_int_equal(registry_add(&registry, span_of_text(name),
				      &items[(unsigned char)item], &handle), 0);
	return handle;
}

static int alias(const char *name, const char *target)
{
	uint64_t handle;

	return registry_alias(&registry, span_of_text(name),
			      span_of_text(target), &handle);
}

static int find(const char *name)
{
	uint64_t handle;

	return registry_find(&registry, span_of_text(name), &handle);
}

static char item_of(uint64_t handle)
{
	char *item = registry_item(&registry, handle);

	return item ? (char)(item - items) : '-';
}

static int enable(const char *pattern, bool on)
{
	return registry_enable(&registry, span_of_text(pattern), on);
}

static const char *enabled(void)
{
	static char order[CAPACITY + 1];
	size_t count = 0;

	for (uint64_t handle = registry_next_enabled(&registry, 0); handle;
	     handle = registry_next_enabled(&registry, handle))
		order[count++] = item_of(handle);
	order[count] = '\0';
	return order;
}

static const char longest[] =
	"123456789012345678901234567890123456789012345678901234567890123";
static const char too_long[] =
	"1234567890123456789012345678901234567890123456789012345678901234";

static const struct {
	const char *name, *text;
	int want;
} names[] = {
	{ "an ordinary name",           "fs.read", 0 },
	{ "the same again",             "taken",   -EEXIST },
	{ "no name at all",             "",        -EINVAL },
	{ "a star is for patterns",     "fs.*",    -EINVAL },
	{ "the longest name",           longest,   0 },
	{ "a byte more",                too_long,  -ENAMETOOLONG },
};

static void a_name_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		uint64_t handle;

		start();
		add("taken", 'x');
		int r = registry_add(&registry, span_of_text(names[i].text),
				     &items['a'], &handle);

		test_row(r == names[i].want, "%s: got %d, want %d",
			 names[i].name, r, names[i].want);
		test_row(r < 0 || item_of(handle) == 'a', "%s: the item",
			 names[i].name);
	}
}

static void a_full_registry_says_so(void **state)
{
	uint64_t handle;

	(void)state;
	start();
	for (char name[] = "a"; name[0] < 'a' + CAPACITY; name[0]++)
		add(name, name[0]);
	assert_int_equal(registry_add(&registry, span_of_text("z"), &items['z'],
				      &handle), -ENOSPC);
}

static void a_handle_does_not_outlive_its_item(void **state)
{
	(void)state;
	start();
	uint64_t old = add("tool", 'a');

	assert_int_equal(item_of(old), 'a');
	assert_int_equal(registry_remove(&registry, old), 0);
	assert_int_equal(find("tool"), -ENOENT);
	uint64_t new = add("tool", 'b');	/* in the same slot */

	assert_int_equal(item_of(old), '-');
	assert_int_equal(item_of(new), 'b');
	assert_int_equal(registry_remove(&registry, old), -ESTALE);
	assert_int_equal(registry_remove(&registry, 0), -ESTALE);
	assert_int_equal(registry_remove(&registry, UINT64_MAX), -ESTALE);
	assert_int_equal(item_of(new), 'b');
}

static void aliases_are_followed_but_not_for_ever(void **state)
{
	(void)state;
	start();
	assert_int_equal(alias("9", "8"), 0);	/* to nowhere yet */
	assert_int_equal(find("9"), -ENOENT);
	for (char name[] = "8", to[] = "7"; name[0] > '1'; name[0]--, to[0]--)
		assert_int_equal(alias(name, to), 0);
	add("1", 'x');
	assert_int_equal(find("9"), 0);		/* eight hops */
	assert_int_equal(alias("10", "8"), 0);
	assert_int_equal(alias("11", "9"), 0);	/* nine */
	assert_int_equal(find("10"), 0);
	assert_int_equal(find("11"), -ELOOP);
}

static void an_alias_cannot_close_a_circle(void **state)
{
	(void)state;
	start();
	assert_int_equal(alias("self", "self"), -ELOOP);
	assert_int_equal(alias("a", "b"), 0);
	assert_int_equal(alias("b", "c"), 0);
	assert_int_equal(alias("c", "a"), -ELOOP);
	assert_int_equal(find("a"), -ENOENT);
	add("c", 'x');
	assert_int_equal(find("a"), 0);
	assert_int_equal(alias("d", "d*"), -EINVAL);
}

/* fs.read is r, fs.write w, fs f, git g; "disk" stands for fs.read. */
static const struct {
	const char *name, *pattern;
	int want;
	const char *enabled;
} patterns[] = {
	{ "a name enables itself",           "git",     1, "fg" },
	{ "a name follows its alias",        "disk",    1, "fr" },
	{ "a star at the end enables all",   "fs.*",    2, "frw" },
	{ "a star needs no dot",             "fs*",     3, "frw" },
	{ "a star alone enables every item", "*",       4, "frwg" },
	{ "what is on stays on once",        "fs",      1, "f" },
	{ "no such name",                    "svn",     -ENOENT, "f" },
	{ "nothing below the star",          "svn.*",   -ENOENT, "f" },
	{ "a star in the middle",            "f*.read", -EINVAL, "f" },
	{ "two stars",                       "fs.**",   -EINVAL, "f" },
	{ "nothing",                         "",        -EINVAL, "f" },
};

static void a_pattern_enables_what_it_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++) {
		start();
		add("fs.read", 'r');
		add("fs.write", 'w');
		add("fs", 'f');
		assert_int_equal(alias("disk", "fs.read"), 0);
		add("git", 'g');
		assert_int_equal(enable("fs", true), 1);
		int r = enable(patterns[i].pattern, true);

		test_row(r == patterns[i].want, "%s: got %d, want %d",
			 patterns[i].name, r, patterns[i].want);
		test_row(strcmp(enabled(), patterns[i].enabled) == 0,
			 "%s: enabled %s, want %s", patterns[i].name,
			 enabled(), patterns[i].enabled);
		if (r > 0)
			assert_int_equal(enable(patterns[i].pattern, false), r);
	}
}

static void a_choice_is_switched_over_or_left_alone(void **state)
{
	(void)state;
	start();
	uint64_t a = add("a", 'a');

	add("b", 'b');
	add("c", 'c');
	assert_int_equal(enable("*", true), 3);
	assert_int_equal(registry_choose(&registry, span_of_text("b")), 0);
	assert_string_equal(enabled(), "b");
	assert_int_equal(registry_choose(&registry, span_of_text("none")),
			 -ENOENT);
	assert_string_equal(enabled(), "b");
	assert_int_equal(registry_choose(&registry, span_of_text("a")), 0);
	assert_string_equal(enabled(), "a");
	assert_int_equal(enable("*", false), 3);
	assert_string_equal(enabled(), "");
	assert_int_equal(registry_next_enabled(&registry, a), 0);
}

static void a_removed_item_is_no_longer_enabled(void **state)
{
	(void)state;
	start();
	uint64_t a = add("a", 'a');

	assert_int_equal(registry_choose(&registry, span_of_text("a")), 0);
	assert_int_equal(registry_remove(&registry, a), 0);
	assert_string_equal(enabled(), "");
	add("a", 'A');
	assert_string_equal(enabled(), "");
}

static int wait_for(const char *name, size_t waiter, int64_t deadline_ns)
{
	return registry_wait(&registry, span_of_text(name), &waiters[waiter],
			     deadline_ns);
}

static void who_waits_for_what_is_there_is_told_and_not_kept(void **state)
{
	(void)state;
	start();
	uint64_t handle = add("a", 'a');

	assert_int_equal(wait_for("a", 0, 100), 1);
	assert_int_equal(waiters[0].handle, handle);
	registry_remove(&registry, handle);
	add("a", 'b');
	assert_null(registry_pop(&registry));
	assert_int_equal(registry_next_expiry_ns(&registry), INT64_MAX);
}

static void a_waiter_is_released_once(void **state)
{
	(void)state;
	start();
	assert_int_equal(wait_for("a", 0, 100), 0);
	assert_int_equal(wait_for("b", 1, 100), 0);
	uint64_t handle = add("a", 'a');

	registry_remove(&registry, handle);
	add("a", 'b');
	assert_ptr_equal(registry_pop(&registry), &waiters[0]);
	assert_int_equal(waiters[0].status, 0);
	assert_int_equal(item_of(waiters[0].handle), '-');	/* gone again */
	assert_null(registry_pop(&registry));
	assert_int_equal(registry_expire(&registry, 1000), 1);
	assert_ptr_equal(registry_pop(&registry), &waiters[1]);
}

static void an_alias_may_be_what_was_missing(void **state)
{
	(void)state;
	start();
	add("real", 'r');
	assert_int_equal(wait_for("name", 0, 100), 0);
	assert_int_equal(alias("name", "real"), 0);
	assert_ptr_equal(registry_pop(&registry), &waiters[0]);
	assert_int_equal(item_of(waiters[0].handle), 'r');
}

static void a_waiter_may_cancel_or_time_out(void **state)
{
	(void)state;
	start();
	assert_int_equal(wait_for("a", 0, 50), 0);
	assert_int_equal(wait_for("a", 1, 100), 0);
	assert_int_equal(wait_for("", 2, 100), -EINVAL);
	assert_int_equal(registry_next_expiry_ns(&registry), 50);
	registry_cancel(&waiters[0]);
	registry_cancel(&waiters[0]);
	assert_int_equal(registry_next_expiry_ns(&registry), 100);
	assert_int_equal(registry_expire(&registry, 99), 0);
	assert_int_equal(registry_expire(&registry, 100), 1);
	add("a", 'a');
	assert_ptr_equal(registry_pop(&registry), &waiters[1]);
	assert_int_equal(waiters[1].status, -ETIMEDOUT);
	assert_null(registry_pop(&registry));
}

static void a_waiter_is_told_when_the_way_is_too_long(void **state)
{
	(void)state;
	start();
	assert_int_equal(wait_for("9", 0, 100), 0);
	for (char name[] = "9", to[] = "8"; name[0] > '1'; name[0]--, to[0]--)
		assert_int_equal(alias(name, to), 0);
	assert_null(registry_pop(&registry));
	assert_int_equal(alias("1", "0"), 0);
	assert_ptr_equal(registry_pop(&registry), &waiters[0]);
	assert_int_equal(waiters[0].status, -ELOOP);
}

/* ---- against a model: what each name stands for, searched by recursion ---- */

enum {
	NOTHING = -1,
	ITEM = -2		/* otherwise the name an alias stands for */
};

static struct {
	int stands_for[NAMES];
	uint64_t handles[NAMES];
	bool enabled[NAMES];
	int waits_for[WAITERS];		/* a name, or NOTHING, or ITEM: released */
	int statuses[WAITERS];
	uint64_t found[WAITERS];
	int64_t deadlines[WAITERS];
	int64_t now_ns;
} model;

/* Two names share each of four prefixes. */
static struct span name_span(int name)
{
	static const char *const texts[NAMES] = { "a.1", "a.2", "b.1", "b.2",
						  "c.1", "c.2", "d.1", "d.2" };

	return span_of_text(texts[name]);
}

static int model_find(int name, int hops, int *ret_item)
{
	if (hops > REGISTRY_HOPS_MAX)
		return -ELOOP;
	if (model.stands_for[name] == NOTHING)
		return -ENOENT;
	if (model.stands_for[name] != ITEM)
		return model_find(model.stands_for[name], hops + 1, ret_item);
	*ret_item = name;
	return 0;
}

/* With fewer names than hops, only a circle can be too long. */
static bool closes_circle(int name, int target)
{
	for (; target >= 0; target = model.stands_for[target])
		if (target == name)
			return true;
	return false;
}

static void model_announce(void)
{
	for (size_t i = 0; i < WAITERS; i++) {
		int item;

		if (model.waits_for[i] < 0 ||
		    model_find(model.waits_for[i], 0, &item) < 0)
			continue;
		model.waits_for[i] = ITEM;
		model.statuses[i] = 0;
		model.found[i] = model.handles[item];
	}
}

static void random_add(int name, struct random *random)
{
	int target = random_below(random, 2)
		? ITEM : (int)random_below(random, NAMES);
	uint64_t handle = 0;
	int want = 0, r;

	if (model.stands_for[name] != NOTHING)
		want = -EEXIST;
	else if (target >= 0 && closes_circle(name, target))
		want = -ELOOP;
	if (target == ITEM)
		r = registry_add(&registry, name_span(name), &items[name],
				 &handle);
	else
		r = registry_alias(&registry, name_span(name),
				   name_span(target), &handle);
	assert_int_equal(r, want);
	if (want < 0)
		return;
	model.stands_for[name] = target;
	model.handles[name] = handle;
	model.enabled[name] = false;
	model_announce();
}

static void random_remove(int name)
{
	bool there = model.stands_for[name] != NOTHING;

	assert_int_equal(registry_remove(&registry, model.handles[name]),
			 there ? 0 : -ESTALE);
	model.stands_for[name] = NOTHING;
	model.enabled[name] = false;
}

static void random_wait(int name, struct random *random)
{
	size_t i = (size_t)random_below(random, WAITERS);
	int item, r = model_find(name, 0, &item);

	registry_cancel(&waiters[i]);
	model.waits_for[i] = r == -ENOENT ? name : NOTHING;
	model.deadlines[i] = model.now_ns + (int64_t)random_below(random, 50);
	assert_int_equal(registry_wait(&registry, name_span(name), &waiters[i],
				       model.deadlines[i]), r == -ENOENT ? 0 : 1);
	if (r == 0)
		assert_int_equal(waiters[i].handle, model.handles[item]);
}

static void random_expire(void)
{
	size_t count = 0;

	for (size_t i = 0; i < WAITERS; i++) {
		if (model.waits_for[i] < 0 ||
		    model.deadlines[i] > model.now_ns)
			continue;
		model.waits_for[i] = ITEM;
		model.statuses[i] = -ETIMEDOUT;
		count++;
	}
	assert_int_equal(registry_expire(&registry, model.now_ns), count);
}

static void drain(void)
{
	const struct registry_waiter *waiter;

	while ((waiter = registry_pop(&registry))) {
		size_t i = (size_t)(waiter - waiters);

		assert_int_equal(model.waits_for[i], ITEM);
		assert_int_equal(waiter->status, model.statuses[i]);
		if (waiter->status == 0)
			assert_int_equal(waiter->handle, model.found[i]);
		model.waits_for[i] = NOTHING;
	}
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_not_equal(model.waits_for[i], ITEM);
}

/* A name, or the prefix it shares. */
static void random_enable(int name, struct random *random)
{
	bool all = random_below(random, 2), on = random_below(random, 2);
	int item = NOTHING, count = 0;
	int r = model_find(name, 0, &item);
	uint8_t pattern[8];
	struct span span = name_span(name);

	memcpy(pattern, span.data, span.length);
	if (all)
		pattern[2] = '*';
	for (int i = 0; i < NAMES; i++) {
		bool hit = all ? i / 2 == name / 2 &&
					 model.stands_for[i] == ITEM
			       : i == item;

		count += hit;
		model.enabled[i] = hit ? on : model.enabled[i];
	}
	assert_int_equal(registry_enable(&registry,
					 (struct span){ pattern, 3 }, on),
			 count ? count : all ? -ENOENT : r);
}

static void check_names(void)
{
	size_t count = 0, want = 0;

	for (int i = 0; i < NAMES; i++) {
		uint64_t handle = 0;
		int item, r = model_find(i, 0, &item);

		assert_int_equal(registry_find(&registry, name_span(i), &handle),
				 r);
		if (r == 0)
			assert_ptr_equal(registry_item(&registry, handle),
					 &items[item]);
		want += model.enabled[i];
	}
	for (uint64_t handle = registry_next_enabled(&registry, 0); handle;
	     handle = registry_next_enabled(&registry, handle)) {
		char *item = registry_item(&registry, handle);

		assert_true(model.enabled[item - items]);
		count++;
	}
	assert_int_equal(count, want);
}

static void behaves_like_names_in_an_array(void **state)
{
	struct random random;

	(void)state;
	test_random_init(&random, "registry against names in an array");
	start();
	memset(&model, 0, sizeof(model));
	for (int i = 0; i < NAMES; i++)
		model.stands_for[i] = NOTHING;
	for (int i = 0; i < WAITERS; i++)
		model.waits_for[i] = NOTHING;
	for (int i = 0; i < OPERATIONS; i++) {
		int name = (int)random_below(&random, NAMES);
		uint64_t choice = random_below(&random, 10);

		if (choice < 3)
			random_add(name, &random);
		else if (choice < 5)
			random_remove(name);
		else if (choice < 7)
			random_wait(name, &random);
		else if (choice < 8)
			random_enable(name, &random);
		else if (choice < 9)
			random_expire();
		else
			drain();
		check_names();
		model.now_ns += (int64_t)random_below(&random, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_checked),
		cmocka_unit_test(a_full_registry_says_so),
		cmocka_unit_test(a_handle_does_not_outlive_its_item),
		cmocka_unit_test(aliases_are_followed_but_not_for_ever),
		cmocka_unit_test(an_alias_cannot_close_a_circle),
		cmocka_unit_test(a_pattern_enables_what_it_names),
		cmocka_unit_test(a_choice_is_switched_over_or_left_alone),
		cmocka_unit_test(a_removed_item_is_no_longer_enabled),
		cmocka_unit_test(who_waits_for_what_is_there_is_told_and_not_kept),
		cmocka_unit_test(a_waiter_is_released_once),
		cmocka_unit_test(an_alias_may_be_what_was_missing),
		cmocka_unit_test(a_waiter_may_cancel_or_time_out),
		cmocka_unit_test(a_waiter_is_told_when_the_way_is_too_long),
		cmocka_unit_test(behaves_like_names_in_an_array),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
