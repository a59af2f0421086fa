/*
 * window.h - how often each kind of thing happened lately.
 *
 *	  oldest                                    newest
 *	| slot | slot | ... WINDOW_SLOTS of them ... | slot |  -> time
 *	  |<------------ what the totals cover ---------->|
 *
 * A window is a ring of slots of slot_ns each, with a count per class in every
 * slot and a running total per class. Time drops whole slots, so the totals
 * cover the last WINDOW_SLOTS - 1 slots and the part of the newest that has
 * passed. What a class means is the owner's business.
 *
 * Pure, fixed size, plain data. Every operation is O(1): at most one ring is
 * cleared, however long nothing happened.
 */
#ifndef CUPEL_COMMON_CORE_WINDOW_H
#define CUPEL_COMMON_CORE_WINDOW_H

#include <stdint.h>

#define WINDOW_SLOTS 12
#define WINDOW_CLASSES 5

struct window {
	int64_t slot_ns;
	int64_t end_ns;		/* of the newest slot, exclusive */
	unsigned newest;	/* its index in the ring */
	uint32_t counts[WINDOW_SLOTS][WINDOW_CLASSES];
	uint32_t totals[WINDOW_CLASSES];
};

/* Empty, with the first slot beginning at now_ns; slot_ns is positive. */
void window_init(struct window *window, int64_t slot_ns, int64_t now_ns);

/* Counts one event of a class. A now_ns from the past counts as newest. */
void window_count(struct window *window, unsigned class, int64_t now_ns);

/* How many events of a class the window covers at now_ns. */
uint32_t window_total(struct window *window, unsigned class, int64_t now_ns);

#endif
