#include "common/core/wheel.h"

#include <assert.h>

#include "common/core/deadline.h"

struct slot {
	unsigned level;
	unsigned digit;
	uint64_t tick;		/* its first */
};

static uint64_t tick_at_or_after(const struct wheel *wheel, int64_t at_ns)
{
	if (at_ns <= 0)
		return 0;
	return (uint64_t)(at_ns / wheel->tick_ns) +
	       (at_ns % wheel->tick_ns != 0);
}

/* A timer of the present tick is due, any other belongs to the future. */
static void place(struct wheel *wheel, struct wheel_timer *timer)
{
	uint64_t differs = timer->tick ^ wheel->now_tick;

	assert(timer->tick >= wheel->now_tick);
	if (differs == 0) {
		list_append(&wheel->due, &timer->link);
		return;
	}

	unsigned highest_bit = 63 - (unsigned)__builtin_clzll(differs);
	unsigned level = highest_bit / WHEEL_DIGIT_BITS;
	unsigned digit = (unsigned)(timer->tick >> (level * WHEEL_DIGIT_BITS)) %
			 WHEEL_SLOTS;

	timer->level = (uint8_t)level;
	timer->slot = (uint8_t)digit;
	list_append(&wheel->slots[level][digit], &timer->link);
	wheel->occupied[level] |= UINT64_C(1) << digit;
}

static bool first_slot(const struct wheel *wheel, struct slot *ret)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		if (!wheel->occupied[level])
			continue;

		unsigned shift = level * WHEEL_DIGIT_BITS;
		unsigned digit =
			(unsigned)__builtin_ctzll(wheel->occupied[level]);
		uint64_t above = wheel->now_tick >> shift >> WHEEL_DIGIT_BITS;

		ret->level = level;
		ret->digit = digit;
		ret->tick = (above << WHEEL_DIGIT_BITS | digit) << shift;
		return true;
	}
	return false;
}

/* The present moves to the slot, whose timers move down or become due. */
static void open_slot(struct wheel *wheel, const struct slot *slot)
{
	struct list *timers = &wheel->slots[slot->level][slot->digit];
	struct list *link;

	wheel->now_tick = slot->tick;
	while ((link = list_take_first(timers)))
		place(wheel, LIST_OWNER(link, struct wheel_timer, link));
	wheel->occupied[slot->level] &= ~(UINT64_C(1) << slot->digit);
}

void wheel_init(struct wheel *wheel, int64_t tick_ns, int64_t now_ns)
{
	assert(tick_ns > 0 && now_ns >= 0);
	wheel->tick_ns = tick_ns;
	wheel->now_tick = (uint64_t)(now_ns / tick_ns);
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
	list_init(&wheel->due);
}

void wheel_add(struct wheel *wheel, struct wheel_timer *timer, int64_t at_ns)
{
	wheel_cancel(wheel, timer);
	timer->tick = tick_at_or_after(wheel, at_ns);
	if (timer->tick <= wheel->now_tick)
		timer->tick = wheel->now_tick + 1;
	place(wheel, timer);
}

/*
 * A timer that has become due still names the slot it came from; that slot
 * is looked at in vain, and its bit stays true to its list either way.
 */
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer)
{
	if (!wheel_is_armed(timer))
		return;
	list_remove(&timer->link);
	if (list_is_empty(&wheel->slots[timer->level][timer->slot]))
		wheel->occupied[timer->level] &=
			~(UINT64_C(1) << timer->slot);
}

bool wheel_is_armed(const struct wheel_timer *timer)
{
	return list_is_linked(&timer->link);
}

struct wheel_timer *wheel_pop(struct wheel *wheel, int64_t now_ns)
{
	uint64_t now_tick = (uint64_t)(now_ns / wheel->tick_ns);
	struct slot slot;

	assert(now_ns >= 0);
	while (list_is_empty(&wheel->due)) {
		if (!first_slot(wheel, &slot) || slot.tick > now_tick) {
			if (now_tick > wheel->now_tick)
				wheel->now_tick = now_tick;
			return NULL;
		}
		open_slot(wheel, &slot);
	}
	return LIST_OWNER(list_take_first(&wheel->due), struct wheel_timer,
			  link);
}

int64_t wheel_next_ns(const struct wheel *wheel)
{
	struct slot slot = { .tick = wheel->now_tick };
	int64_t next_ns;

	if (list_is_empty(&wheel->due) && !first_slot(wheel, &slot))
		return DEADLINE_NEVER;
	if (__builtin_mul_overflow(slot.tick, wheel->tick_ns, &next_ns))
		return DEADLINE_NEVER;
	return next_ns;
}
