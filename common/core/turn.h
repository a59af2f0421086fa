/*
 * turn.h - whose turn it is: deficit round robin among waiting clients.
 *
 * Clients that wait stand in a ring. The one at its head is credited
 * quantum x weight when its turn begins and keeps the turn while its credit
 * covers the cost of its first request; then the next one's turn begins. What
 * is left of the credit waits for its next turn, unless it has nothing to ask:
 * credit is not saved up by staying away. Between two requests of a waiting
 * client every other gets at most its quantum x weight plus one quantum.
 *
 * No request costs more than the quantum, so every credited turn serves at
 * least one and each operation is constant time.
 *
 *	turn_wait(client, cost)		its first request costs that much
 *	turn_peek() -> client		whose request is next
 *	turn_grant()			it goes; the client waits again with its
 *					next request's cost, or has left
 *
 * Pure. The owner keeps the requests and gives the array of clients; a client
 * is named by its index there. Source: M. Shreedhar, G. Varghese, Efficient
 * Fair Queuing Using Deficit Round-Robin, IEEE/ACM ToN 4(3), 1996.
 */
#ifndef CUPEL_COMMON_CORE_TURN_H
#define CUPEL_COMMON_CORE_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct turn_client {
	uint32_t weight;	/* at least 1 */
	uint32_t cost;		/* of its first request; 0: just granted */
	uint64_t credit;
	int next, previous;	/* in the ring; -1: not in it */
};

struct turn {
	struct turn_client *clients;
	int client_count;
	uint32_t quantum;
	int head;		/* -1: the ring is empty */
	bool begun;		/* the head is credited for this turn */
};

/* Nobody waits; every weight is 1. clients must outlive turn. */
void turn_init(struct turn *turn, struct turn_client *clients, int client_count,
	       uint32_t quantum);

/* Takes effect with the client's next turn. */
void turn_set_weight(struct turn *turn, int client, uint32_t weight);

/*
 * The client's first request costs that much, 1 .. quantum. To be called when
 * its queue stops being empty or gets a new first request, and after each
 * grant that leaves something in its queue.
 */
void turn_wait(struct turn *turn, int client, uint32_t cost);

/* The client has nothing to ask any more. */
void turn_leave(struct turn *turn, int client);

/*
 * The client whose request is next and what it costs, or -ENOENT. The answer
 * stays the same until a grant, or until that client leaves.
 */
int turn_peek(struct turn *turn, uint32_t *ret_cost);

/* The request that turn_peek() has named goes; its cost is charged. */
void turn_grant(struct turn *turn);

#endif
