#include "common/core/lru.h"

#include <assert.h>

static struct lru_node *node_of(struct list *link)
{
	return LIST_OWNER(link, struct lru_node, link);
}

static size_t share(size_t whole, unsigned percent)
{
	return whole / 100 * percent + whole % 100 * percent / 100;
}

static void enter(struct lru *lru, struct lru_node *node, bool protected)
{
	node->protected = protected;
	if (!protected) {
		list_prepend(&lru->probation, &node->link);
		return;
	}
	list_prepend(&lru->protected, &node->link);
	lru->protected_count++;
	lru->protected_bytes += node->bytes;
}

/*
 * One too large for the protected share stays on probation: protecting it
 * would only demote everything else before itself.
 */
static void settle(struct lru *lru, struct lru_node *node, bool protected)
{
	enter(lru, node, protected && lru->protected_count_max > 0 &&
			 node->bytes <= lru->protected_bytes_max);
	while (lru->protected_count > lru->protected_count_max ||
	       lru->protected_bytes > lru->protected_bytes_max) {
		struct lru_node *demoted = node_of(lru->protected.prev);

		lru_remove(lru, demoted);
		enter(lru, demoted, false);
	}
}

void lru_init(struct lru *lru, size_t count_max, size_t bytes_max,
	      unsigned percent)
{
	assert(percent <= 100);
	*lru = (struct lru){
		.protected_count_max = share(count_max, percent),
		.protected_bytes_max = share(bytes_max, percent),
	};
	list_init(&lru->probation);
	list_init(&lru->protected);
}

void lru_add(struct lru *lru, struct lru_node *node)
{
	node->bytes = 0;
	enter(lru, node, false);
}

void lru_remove(struct lru *lru, struct lru_node *node)
{
	list_remove(&node->link);
	if (!node->protected)
		return;
	lru->protected_count--;
	lru->protected_bytes -= node->bytes;
}

void lru_use(struct lru *lru, struct lru_node *node)
{
	lru_remove(lru, node);
	settle(lru, node, true);
}

void lru_renew(struct lru *lru, struct lru_node *node, size_t bytes)
{
	lru_remove(lru, node);
	node->bytes = bytes;
	settle(lru, node, node->protected);
}

/* The kept node is the first of its list, so the last only if it is alone. */
struct lru_node *lru_victim(const struct lru *lru, const struct lru_node *kept)
{
	const struct list *const lists[] = { &lru->probation, &lru->protected };

	for (int i = 0; i < 2; i++) {
		if (!list_is_empty(lists[i]) && node_of(lists[i]->prev) != kept)
			return node_of(lists[i]->prev);
	}
	return NULL;
}
