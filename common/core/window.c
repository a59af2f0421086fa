#include "common/core/window.h"

#include <assert.h>
#include <string.h>

static void drop_oldest(struct window *window)
{
	uint32_t *slot;

	window->newest = (window->newest + 1) % WINDOW_SLOTS;
	slot = window->counts[window->newest];
	for (unsigned class = 0; class < WINDOW_CLASSES; class++)
		window->totals[class] -= slot[class];
	memset(slot, 0, sizeof(window->counts[0]));
}

static void advance(struct window *window, int64_t now_ns)
{
	int64_t slots;

	if (now_ns < window->end_ns)
		return;
	slots = (now_ns - window->end_ns) / window->slot_ns + 1;
	window->end_ns += slots * window->slot_ns;
	for (int64_t i = 0; i < slots && i < WINDOW_SLOTS; i++)
		drop_oldest(window);
}

void window_init(struct window *window, int64_t slot_ns, int64_t now_ns)
{
	assert(slot_ns > 0);
	*window = (struct window){ .slot_ns = slot_ns,
				   .end_ns = now_ns + slot_ns };
}

void window_count(struct window *window, unsigned class, int64_t now_ns)
{
	assert(class < WINDOW_CLASSES);
	advance(window, now_ns);
	window->counts[window->newest][class]++;
	window->totals[class]++;
}

uint32_t window_total(struct window *window, unsigned class, int64_t now_ns)
{
	assert(class < WINDOW_CLASSES);
	advance(window, now_ns);
	return window->totals[class];
}
