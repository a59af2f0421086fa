/*
 * wheel.h - timers, however many, at a constant price each.
 *
 * A hierarchical timer wheel. Time is counted in ticks and a tick is read as
 * a number of base 64; a timer waits at the level of the highest digit in
 * which its tick differs from the present one, in the slot that digit names:
 *
 *	level 2   [ 0 | 1 | ... | 63 ]     a slot is 4096 ticks
 *	level 1   [ 0 | 1 | ... | 63 ]     a slot is 64 ticks
 *	level 0   [ 0 | 1 | ... | 63 ]     a slot is 1 tick  --> due --> popped
 *
 * When the present reaches a slot above level 0 its timers move down. All
 * occupied slots lie ahead of the present digit and each level is later than
 * the one below, so the next event is the lowest set bit of the lowest level
 * that has one: an hour without timers costs nothing. Eleven levels cover
 * every int64_t, so there is no horizon to clip at.
 *
 * A timer is never early and less than a tick late; one that is already past
 * when added fires in the next tick, so that a timer which is added again
 * and again while popping cannot hold the loop. Equal ticks come out in the
 * order they were added.
 *
 * Pure. The caller owns the timers; a zeroed one is not armed. One owner per
 * wheel. Source: G. Varghese and T. Lauck, Hashed and hierarchical timing
 * wheels, SOSP 1987.
 */
#ifndef CUPEL_COMMON_CORE_WHEEL_H
#define CUPEL_COMMON_CORE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/list.h"

#define WHEEL_DIGIT_BITS 6
#define WHEEL_SLOTS (1 << WHEEL_DIGIT_BITS)
#define WHEEL_LEVELS 11

struct wheel_timer {
	struct list link;	/* in a slot, or due */
	uint64_t tick;		/* when it fires */
	uint8_t level;		/* where it was last placed */
	uint8_t slot;
};

struct wheel {
	int64_t tick_ns;
	uint64_t now_tick;	/* every earlier tick has been opened */
	uint64_t occupied[WHEEL_LEVELS];	/* a bit for each slot in use */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct list due;	/* of tick now_tick, waiting to be popped */
};

/* tick_ns is at least 1, commonly 1 ms; now_ns is not negative. */
void wheel_init(struct wheel *wheel, int64_t tick_ns, int64_t now_ns);

/* Arms the timer for at_ns; an armed one is moved. */
void wheel_add(struct wheel *wheel, struct wheel_timer *timer, int64_t at_ns);

/* Disarms the timer; nothing happens when it is not armed. */
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);

/* Whether the timer waits to be popped. */
bool wheel_is_armed(const struct wheel_timer *timer);

/*
 * Takes out the next timer that is due at now_ns, NULL when none is (left).
 * Between two calls any timer may be added or cancelled.
 */
struct wheel_timer *wheel_pop(struct wheel *wheel, int64_t now_ns);

/*
 * When to call wheel_pop() next: never later than the first timer is due,
 * but earlier by up to a slot where timers have yet to move down.
 * DEADLINE_NEVER when no timer is armed.
 */
int64_t wheel_next_ns(const struct wheel *wheel);

#endif
