#include "common/core/turn.h"

#include <assert.h>
#include <errno.h>

#define NOBODY (-1)

void turn_init(struct turn *turn, struct turn_client *clients, int client_count,
	       uint32_t quantum)
{
	assert(client_count > 0 && quantum > 0);
	for (int i = 0; i < client_count; i++)
		clients[i] = (struct turn_client){ .weight = 1, .next = NOBODY,
						   .previous = NOBODY };
	*turn = (struct turn){ .clients = clients, .client_count = client_count,
			       .quantum = quantum, .head = NOBODY };
}

static struct turn_client *client_at(const struct turn *turn, int client)
{
	assert(client >= 0 && client < turn->client_count);
	return &turn->clients[client];
}

void turn_set_weight(struct turn *turn, int client, uint32_t weight)
{
	assert(weight > 0);
	client_at(turn, client)->weight = weight;
}

/* The tail is the one before the head. */
static void append(struct turn *turn, int client)
{
	struct turn_client *added = client_at(turn, client);

	if (turn->head == NOBODY) {
		added->next = added->previous = client;
		turn->head = client;
		return;
	}
	struct turn_client *head = client_at(turn, turn->head);

	added->next = turn->head;
	added->previous = head->previous;
	client_at(turn, head->previous)->next = client;
	head->previous = client;
}

static void end_turn(struct turn *turn)
{
	turn->head = client_at(turn, turn->head)->next;
	turn->begun = false;
}

void turn_wait(struct turn *turn, int client, uint32_t cost)
{
	struct turn_client *waiting = client_at(turn, client);

	assert(cost > 0 && cost <= turn->quantum);
	waiting->cost = cost;
	if (waiting->next == NOBODY)
		append(turn, client);
}

void turn_leave(struct turn *turn, int client)
{
	struct turn_client *gone = client_at(turn, client);

	if (gone->next == NOBODY)
		return;
	if (turn->head == client)
		end_turn(turn);
	if (gone->next == client)
		turn->head = NOBODY;
	client_at(turn, gone->previous)->next = gone->next;
	client_at(turn, gone->next)->previous = gone->previous;
	gone->next = gone->previous = NOBODY;
	gone->credit = 0;
}

int turn_peek(struct turn *turn, uint32_t *ret_cost)
{
	while (turn->head != NOBODY) {
		struct turn_client *head = client_at(turn, turn->head);

		if (head->cost == 0) {
			turn_leave(turn, turn->head);
			continue;
		}
		if (!turn->begun)
			head->credit += (uint64_t)turn->quantum * head->weight;
		turn->begun = true;
		if (head->credit >= head->cost) {
			*ret_cost = head->cost;
			return turn->head;
		}
		end_turn(turn);
	}
	return -ENOENT;
}

void turn_grant(struct turn *turn)
{
	struct turn_client *head = client_at(turn, turn->head);

	assert(turn->begun && head->cost > 0 && head->credit >= head->cost);
	head->credit -= head->cost;
	head->cost = 0;
}
