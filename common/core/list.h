/*
 * list.h - a circular, intrusive, doubly linked list.
 *
 * The head and every link are a struct list; a link sits inside the object it
 * lists, so nothing is allocated and removal needs no search. A link that is
 * all zero is in no list; list_remove() makes it so again.
 *
 * LIST_OWNER is the one macro here: C has no other way from a link back to
 * the object around it.
 */
#ifndef CUPEL_COMMON_CORE_LIST_H
#define CUPEL_COMMON_CORE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_OWNER(link, type, member)                                        \
	((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != NULL;
}

static inline void list_insert_after(struct list *place, struct list *link)
{
	link->prev = place;
	link->next = place->next;
	place->next->prev = link;
	place->next = link;
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_insert_after(head, link);
}

static inline void list_append(struct list *head, struct list *link)
{
	list_insert_after(head->prev, link);
}

/* The link must be in a list. */
static inline void list_remove(struct list *link)
{
	assert(link->prev && link->next);
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = NULL;
	link->prev = NULL;
}

/* Takes the first link out of the list; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	if (list_is_empty(head))
		return NULL;

	struct list *first = head->next;

	list_remove(first);
	return first;
}

#endif
