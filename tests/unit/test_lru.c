#include "common/core/lru.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <string.h>

#define NODES 8

static struct lru lru;
static struct lru_node nodes[NODES];

static char name_of(const struct lru_node *node)
{
	return (char)('a' + (node - nodes));
}

/* "a" is added with 10 bytes, "A" is used: a script of both. */
static void run(const char *script)
{
	for (; *script; script++) {
		struct lru_node *node = &nodes[tolower(*script) - 'a'];

		if (islower(*script)) {
			lru_add(&lru, node);
			lru_renew(&lru, node, 10);
		} else {
			lru_use(&lru, node);
		}
	}
}

/* All nodes in the order in which they would have to go. */
static const char *victims(void)
{
	static char order[NODES + 1];
	struct lru_node *victim;
	size_t count = 0;

	while ((victim = lru_victim(&lru, NULL))) {
		order[count++] = name_of(victim);
		lru_remove(&lru, victim);
	}
	order[count] = '\0';
	return order;
}

static const struct {
	const char *name;
	unsigned percent;
	const char *script, *want;
} orders[] = {
	{ "what came first goes first",              0, "abc",       "abc" },
	{ "LRU: a use counts as much as coming",     0, "abcA",      "bca" },
	{ "segmented: a use counts for more",       50, "abAcd",     "bcda" },
	{ "the protected go by their last use",     50, "abcABA",    "cba" },
	{ "beyond the share the oldest is demoted", 50, "abcdeABCDE", "abcde" },
	{ "what is demoted goes after the new",     25, "abcdABC",   "dabc" },
	{ "all may be protected",                  100, "abcdBA",    "cdba" },
};

static void nodes_go_in_the_order_of_their_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		lru_init(&lru, 8, 80, orders[i].percent);
		run(orders[i].script);
		const char *got = victims();

		test_row(strcmp(got, orders[i].want) == 0, "%s: got %s, want %s",
			 orders[i].name, got, orders[i].want);
	}
}

static void the_protected_are_bounded_in_bytes(void **state)
{
	(void)state;
	lru_init(&lru, 8, 80, 50);
	run("abcABC");
	lru_renew(&lru, &nodes[2], 40);		/* c alone fills the share */
	assert_int_equal(lru.protected_bytes, 40);
	assert_string_equal(victims(), "abc");
	run("abcABC");
	lru_renew(&lru, &nodes[2], 41);		/* c is too large for it */
	assert_int_equal(lru.protected_bytes, 20);
	assert_string_equal(victims(), "cab");
}

static void the_kept_node_is_spared(void **state)
{
	(void)state;
	lru_init(&lru, 8, 80, 50);
	assert_null(lru_victim(&lru, NULL));
	run("a");
	assert_null(lru_victim(&lru, &nodes[0]));
	run("bB");
	assert_ptr_equal(lru_victim(&lru, &nodes[0]), &nodes[1]);
	assert_ptr_equal(lru_victim(&lru, &nodes[1]), &nodes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_go_in_the_order_of_their_use),
		cmocka_unit_test(the_protected_are_bounded_in_bytes),
		cmocka_unit_test(the_kept_node_is_spared),
	};

	return cmocka_run_group_tests_name("lru", tests, NULL, NULL);
}
