#include "tests/support/test.h"

#include <errno.h>

#include "common/core/turn.h"

#define CLIENTS 5
#define QUANTUM 8

struct fixture {
	struct turn_client clients[CLIENTS];
	struct turn turn;
};

static void start(struct fixture *f)
{
	turn_init(&f->turn, f->clients, CLIENTS, QUANTUM);
}

/* Grants the next request; the client asks for the same cost again. */
static int serve(struct fixture *f)
{
	uint32_t cost;
	int client = turn_peek(&f->turn, &cost);

	if (client >= 0) {
		turn_grant(&f->turn);
		turn_wait(&f->turn, client, cost);
	}
	return client;
}

static void nobody_waits_in_a_new_ring(void **state)
{
	struct fixture f;
	uint32_t cost;

	(void)state;
	start(&f);
	assert_int_equal(turn_peek(&f.turn, &cost), -ENOENT);
}

static void peek_repeats_itself_until_the_grant(void **state)
{
	struct fixture f;
	uint32_t cost = 0;

	(void)state;
	start(&f);
	turn_wait(&f.turn, 2, 8);
	turn_wait(&f.turn, 1, 5);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(turn_peek(&f.turn, &cost), 2);
		assert_int_equal(cost, 8);
	}
	turn_grant(&f.turn);
	assert_int_equal(turn_peek(&f.turn, &cost), 1);
	assert_int_equal(cost, 5);
}

static void a_granted_client_that_asks_nothing_has_left(void **state)
{
	struct fixture f;
	uint32_t cost;

	(void)state;
	start(&f);
	turn_wait(&f.turn, 3, 1);
	assert_int_equal(turn_peek(&f.turn, &cost), 3);
	turn_grant(&f.turn);
	assert_int_equal(turn_peek(&f.turn, &cost), -ENOENT);
	assert_int_equal(f.clients[3].credit, 0);
	turn_wait(&f.turn, 3, 2);
	assert_int_equal(turn_peek(&f.turn, &cost), 3);
}

static void equal_costs_share_by_weight(void **state)
{
	struct fixture f;
	int grants[CLIENTS] = { 0 };

	(void)state;
	start(&f);
	for (int i = 0; i < CLIENTS; i++) {
		turn_set_weight(&f.turn, i, (uint32_t)i + 1);
		turn_wait(&f.turn, i, QUANTUM);
	}
	for (int i = 0; i < 15 * 100; i++)
		grants[serve(&f)]++;
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(grants[i], (i + 1) * 100);
}

/* Costs 1, 3, 5, 7, 8: each client is granted the same sum, within a turn's. */
static void different_costs_share_tokens_not_grants(void **state)
{
	static const uint32_t costs[CLIENTS] = { 1, 3, 5, 7, 8 };
	struct fixture f;
	unsigned sums[CLIENTS] = { 0 };

	(void)state;
	start(&f);
	for (int i = 0; i < CLIENTS; i++)
		turn_wait(&f.turn, i, costs[i]);
	for (int i = 0; i < 20000; i++) {
		int client = serve(&f);

		sums[client] += costs[client];
		for (int a = 0; a < CLIENTS; a++)
			for (int b = 0; b < CLIENTS; b++)
				assert_true(sums[a] <= sums[b] + 2 * QUANTUM);
	}
}

static void leaving_keeps_the_order_of_the_others(void **state)
{
	uint32_t cost;

	(void)state;
	for (int gone = 0; gone < CLIENTS; gone++) {
		struct fixture f;

		start(&f);
		for (int i = 0; i < CLIENTS; i++)
			turn_wait(&f.turn, i, QUANTUM);
		turn_peek(&f.turn, &cost);
		turn_leave(&f.turn, gone);
		turn_leave(&f.turn, gone);
		for (int i = 0; i < CLIENTS; i++) {
			if (i == gone)
				continue;
			assert_int_equal(serve(&f), i);
		}
	}
}

static void credit_is_not_saved_by_staying_away(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	turn_wait(&f.turn, 0, 3);
	turn_wait(&f.turn, 1, QUANTUM);
	assert_int_equal(serve(&f), 0);
	turn_leave(&f.turn, 0);
	turn_wait(&f.turn, 0, QUANTUM);
	assert_int_equal(serve(&f), 1);
	assert_int_equal(serve(&f), 0);
	assert_int_equal(serve(&f), 1);
}

/* Nobody who waits is passed over for longer than one turn of every other. */
static void a_waiting_client_is_served_within_one_round(void **state)
{
	struct fixture f;
	struct random random;
	unsigned since[CLIENTS][CLIENTS] = { 0 };	/* cost since own grant */

	(void)state;
	test_random_init(&random, "turn");
	start(&f);
	for (int i = 0; i < CLIENTS; i++)
		turn_wait(&f.turn, i,
			  1 + (uint32_t)random_below(&random, QUANTUM));
	for (int step = 0; step < 50000; step++) {
		uint32_t cost = 0;
		int client = turn_peek(&f.turn, &cost);

		assert_in_range(client, 0, CLIENTS - 1);
		for (int other = 0; other < CLIENTS; other++) {
			since[other][client] += cost;
			since[client][other] = 0;
			assert_true(since[other][client] <= 2 * QUANTUM);
		}
		turn_grant(&f.turn);
		turn_wait(&f.turn, client,
			  1 + (uint32_t)random_below(&random, QUANTUM));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_in_a_new_ring),
		cmocka_unit_test(peek_repeats_itself_until_the_grant),
		cmocka_unit_test(a_granted_client_that_asks_nothing_has_left),
		cmocka_unit_test(equal_costs_share_by_weight),
		cmocka_unit_test(different_costs_share_tokens_not_grants),
		cmocka_unit_test(leaving_keeps_the_order_of_the_others),
		cmocka_unit_test(credit_is_not_saved_by_staying_away),
		cmocka_unit_test(a_waiting_client_is_served_within_one_round),
	};

	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
