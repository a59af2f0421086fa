/*
 * resume_core.h - where a call's worker and its client meet again.
 *
 * After a router's death each says how far it is by RESYNC, in either order; what
 * the call was is its row (legacy_core.h). If there was output, the worker says no
 * more of it until it is asked for the rest; else up to a window of what comes is
 * kept meanwhile. Where the worker has not all of the rest any more, the call ends
 * in ERROR_DATA_LOSS. Arguments are not kept: it is never tried again here, that is
 * the client's to do.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_RESUME_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_RESUME_CORE_H

#include <stdint.h>

struct call;
struct message;
struct router;
struct slot;

/* The worker's RESYNC: of a call, or its last. */
void resume_hear_worker(struct router *router, struct slot *slot,
			const struct message *message, int64_t now_ns);

/* The client's, of a call. */
void resume_hear_client(struct router *router, uint32_t client,
			const struct message *message, int64_t now_ns);

/* A client has only joined it under its effect's name: its own may take a while. */
void resume_join(struct router *router, struct call *call, int64_t now_ns);

/* Its client is not waited for any more; it ends, unless it was to outlive that. */
void resume_desert(struct router *router, struct call *call, int64_t now_ns);

#endif
