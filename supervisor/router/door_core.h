/*
 * door_core.h - a call's way into its tool's queue, and what becomes of whom
 * when that is full (enum overflow of the tool).
 *
 *	rejects	the newcomer is refused, or else the newest of those that are
 *		less urgent gives way
 *	drops	the oldest of the least urgent that are no more urgent than the
 *		newcomer gives way; if there is none, the newcomer is refused
 *	blocks	the newcomer waits at the door, BLOCKED, until there is room for it
 *		or its time is over. Meanwhile it is one of those that its client
 *		may have waiting: so many, and no more of his are taken
 *
 * Whoever has to go is told that the queue is full, or that others took its place,
 * and when to try again. At the door the most urgent goes first; of those whose
 * client has the fewest calls in the queue; of those who came first: one client
 * does not keep others out. Nobody at the door is in the queue's way, nor in that
 * of what his client says besides: links are read on.
 */
#ifndef CUPEL_SUPERVISOR_ROUTER_DOOR_CORE_H
#define CUPEL_SUPERVISOR_ROUTER_DOOR_CORE_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct pool;
struct router;
struct tool;

/* Its argument is complete, or it is to be tried again. It may be over then. */
void door_enter(struct router *router, struct call *call, int64_t now_ns);

/* It waits no more. */
void door_leave(struct router *router, struct call *call);

/* Lets in whom there is room for now. False: nobody. */
bool door_open(struct router *router, struct pool *pool, int64_t now_ns);

/* Asserts that nobody waits who could go in. */
void door_check(const struct router *router, const struct tool *tool);

#endif
