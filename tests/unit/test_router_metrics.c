/* The router's own Prometheus text, from the real program, as promtool(1) sees it. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/router_rig.h"

#define TEXT_BYTES (1U << 20)

static struct catalog catalog;
static char text[TEXT_BYTES];

static int judge(const char *metrics)
{
	FILE *pipe = popen("promtool check metrics >&2", "w");

	assert_non_null(pipe);
	fputs(metrics, pipe);
	return pclose(pipe);
}

static void promtool_accepts_the_metrics(void **state)
{
	struct router_rig_peer client;
	struct message message;
	struct router_rig rig;

	(void)state;
	router_rig_add_pool(&catalog, "fast", 1, 4);
	router_rig_add_tool(&catalog, ROUTER_RIG_ECHO, 0, 16);
	router_rig_start(&rig, &catalog);
	router_rig_worker_up(&rig, 0, 0, 4);
	router_rig_connect(&rig, &client);
	router_rig_send(&client, &(struct message){ .kind = MESSAGE_CALL,
		.call_id = 1, .deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(ROUTER_RIG_ECHO), .attempt = 1 } });
	router_rig_wait(&client, 1, &message);
	assert_int_equal(message.result.code, ERROR_OK);
	router_rig_own(&client, 2, "router.metrics", "", text, sizeof(text));
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
	assert_non_null(strstr(text, "tool=\"echo\""));
	if (system("command -v promtool >/dev/null") != 0)
		test_skip("promtool is not installed");
	assert_int_equal(judge(text), 0);
	/* It would have said so. */
	assert_int_not_equal(judge("# TYPE broken gauge\nbroken{ 1\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promtool_accepts_the_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
