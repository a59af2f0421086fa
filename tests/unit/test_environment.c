#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "workers/improve/command.h"
#include "workers/improve/environment.h"

/* ---- a sandbox whose probe ends in any way ---- */

static const char *cause, *printed;
static unsigned kept;		/* texts that the store was given */

int command_begin(struct session *session, struct ask *ask, const struct command *command)
{
	(void)session;
	(void)command;
	*ask = (struct ask){ 0 };
	return 0;
}

int session_wait(struct session *session, struct ask *ask)
{
	(void)session;
	ask->answer = cause ? json_pack("{s:s}", "cause", cause) : json_object();
	ask->streams[1].data = (uint8_t *)(uintptr_t)printed;
	ask->streams[1].length = strlen(printed);
	return 0;
}

void session_drop(struct session *session, struct ask *ask)
{
	(void)session;
	json_decref(ask->answer);
}

int session_ask(struct session *session, const char *tool, uint32_t workspace,
		json_t *arguments, json_t **ret, struct error *why)
{
	(void)session;
	(void)workspace;
	(void)why;
	assert_string_equal(tool, "store.environment");
	json_decref(arguments);
	kept++;
	*ret = json_pack("{s:s}", "environment", "hash");
	return 0;
}

static const struct {
	const char *name, *cause, *printed;
	bool known;
} rows[] = {
	{ "it has said all", "exited", "kernel: Linux 6\ncpus: 2\n", true },
	{ "it was ended for its time", "wall", "kernel: Linux 6\n", false },
	{ "it was killed", "signal", "kernel: Linux 6\n", false },
	{ "nobody knows how it ended", NULL, "kernel: Linux 6\n", false },
	{ "there is no shell", "exited", "", false },
};

static void only_the_whole_of_it_is_an_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct worker worker;
		struct worker_call call = { .worker = &worker };
		struct session session = { .call = &call, .workspace = "/w" };
		struct error why = { 0 };

		log_init(&worker.log, "test", LEVEL_ERROR, (struct log_sink){ .fd = -1 });
		arena_init(&call.memory, 1 << 16);
		cause = rows[i].cause;
		printed = rows[i].printed;
		kept = 0;
		test_row(environment_learn(&session, &why) == 0, "%s: the call ends", rows[i].name);
		test_row(kept == rows[i].known && !session.environment != rows[i].known,
			 "%s: %u texts are kept", rows[i].name, kept);
		test_row(rows[i].known == !*why.text, "%s: said '%s'", rows[i].name, why.text);
		arena_release(&call.memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_whole_of_it_is_an_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
