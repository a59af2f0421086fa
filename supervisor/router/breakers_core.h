/*
 * breakers_core.h - breakers outlive their router.
 *
 * When a breaker changes, or the end of its isolation does, its row is written
 * down (router_sink.keep_breaker), or blanked if it is as any new one; the next
 * router is told all rows (router_recall_breaker) and goes on from there, also
 * under another supervisor. Times are of the monotonic clock, which begins anew with a boot:
 * then what was left when it was written down is left once more, or less if the
 * clock has come as far again.
 *
 * A tool that rolls out (enum breaker_mode) is only observed until it is seven
 * days old. When it was first seen is of the wall clock, and in its row, which
 * then stays as long as the tool does; one that comes back is new. Isolation
 * goes before: it is observed again once that ends.
 *
 * A row is 128 bytes in the machine's own order, at row * 128 of its file. One
 * that is all zero is nobody's. What its check does not fit was torn or is
 * damaged, and is dropped, as is the row of a tool that is not there any more.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_BREAKERS_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_BREAKERS_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/catalog.h"

#define BREAKER_ROWS (2 * CATALOG_TOOLS_MAX)	/* as many as tools, with those that go */

struct breaker_row {
	uint64_t check;			/* of all that follows */
	int64_t at_ns, until_ns, open_ns;	/* struct breaker_kept */
	uint32_t state, reason;
	char name[CATALOG_NAME_BYTES];	/* of the tool */
	int64_t first_ns;		/* first seen, since 1970-01-01 UTC; or 0 */
	uint64_t unused[2];
};

_Static_assert(sizeof(struct breaker_row) == 128, "rows of 128 bytes");

struct router;
struct tool;

/* After anything that may have moved the tool's breaker. */
void breakers_keep(struct router *router, struct tool *tool, int64_t now_ns);

/* Before that: observes if it is to be, and no longer. */
void breakers_observe(struct router *router, struct tool *tool, int64_t now_ns);

/* The wall clock shows that; until it is told nothing is observed. 0: it is not known. */
void breakers_date(struct router *router, int64_t wall_ns, int64_t now_ns);

/* The tool goes, and its row with it. */
void breakers_drop(struct router *router, struct tool *tool);

/* From an earlier life. False: such a row was never written. */
bool breakers_recall(struct router *router, uint32_t index,
		     const struct breaker_row *row, int64_t now_ns);

#endif
