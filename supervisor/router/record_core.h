/*
 * record_core.h - how every call ended, on its way to the store.
 *
 *	a tool's call ends --> ring --> store.call, a batch at a time
 *
 * No call waits for it: what the ring has no room for is dropped and counted.
 * A batch is a call of the router's own, of the least urgent kind but one; one
 * is out at a time, once there are RECORD_BATCH or a second has passed. One
 * that was not begun is tried again after RECORD_AGAIN_NS; of one whose end
 * is unknown, or that the store refuses, the records are dropped: none is ever
 * written twice. Without an enabled tool of that name nothing is recorded. Probes, the
 * router's own methods and the batches themselves are no records.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_RECORD_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_RECORD_CORE_H

#include <stdbool.h>

#include "common/catalog.h"
#include "common/core/error_code.h"

#define RECORDS 8192
#define RECORD_BATCH 512
#define RECORD_AGAIN_NS NS_PER_S

struct record {
	uint64_t call;			/* its handle, as the logs have it */
	int64_t wall_ns;		/* from its arrival */
	char tool[CATALOG_NAME_BYTES];
	uint32_t attempts;
	enum caller_role role;
	enum error_code code;
};

struct recorder {
	struct record *ring;		/* RECORDS of them */
	uint32_t first, count;		/* from the oldest */
	uint32_t out;			/* of these, in the batch that is out */
	int64_t again_ns;		/* not before */
	uint64_t noted, written, dropped;
};

struct router;
struct call;
struct tool;

/* It never became a call, so that its number is 0. */
void record_refusal(struct router *router, const struct tool *tool,
		    enum caller_role role, enum error_code code);
void record_call(struct router *router, const struct call *call,
		 enum error_code code, int64_t now_ns);

/* A batch goes out if one is due, or if all is to go. */
void record_flush(struct router *router, bool all, int64_t now_ns);

#endif
