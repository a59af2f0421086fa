/* The router's own Prometheus text, from the real program, as promtool(1) sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/rig.h"

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
	struct rig_peer client;
	struct message message;
	struct rig rig;

	(void)state;
	rig_add_pool(&catalog, "fast", 1, 4);
	rig_add_tool(&catalog, RIG_ECHO, 0, 16);
	rig_start(&rig, &catalog);
	rig_worker_up(&rig, 0, 0, 4);
	rig_connect(&rig, &client);
	rig_send(&client, &(struct message){ .kind = MESSAGE_CALL,
		.call_id = 1, .deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(RIG_ECHO), .attempt = 1 } });
	rig_wait(&client, 1, &message);
	assert_int_equal(message.result.code, ERROR_OK);
	rig_own(&client, 2, "router.metrics", "", text, sizeof(text));
	rig_peer_end(&client);
	rig_stop(&rig);
	assert_non_null(strstr(text, "tool=\"echo\""));
	if (system("command -v promtool >/dev/null") != 0)
		skip();
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
