#include "tests/support/test.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/convert.h"
#include "workers/improve/campaign.h"
#include "workers/improve/command.h"
#include "workers/improve/suite.h"

/* ---- a session, and a child as router and as every worker behind it ---- */

static struct worker_call call;
static struct session session;
static struct error why;
static int stopped;		/* what the call's own link says */
static bool stop_when_written;	/* by the first that is asked */
static pid_t child;

/* The skeleton's: a session asks it before it looks at its own link. */
int worker_poll(struct worker_call *ours)
{
	(void)ours;
	return stop_when_written && session.held_bytes > 0 ? -ECANCELED : stopped;
}

/* Likewise: of campaign.c, which says how far it is. */
void worker_progress(struct worker_call *ours, uint64_t done, uint64_t total, const char *note)
{
	(void)ours, (void)done, (void)total, (void)note;
}

/* What each call is answered with, before the child begins. */
static struct {
	bool endless;		/* no result until it is cancelled */
	struct span output;	/* on stream 1 */
} script;

static struct {
	struct channel link;
	uint8_t in[CLIENT_BUFFER_BYTES], out[CLIENT_BUFFER_BYTES];
	uint8_t verdict[1024];
	size_t verdict_bytes;
	struct reply {
		uint64_t id;	/* 0: none */
		bool asked;	/* the whole of it */
		size_t sent;
		uint32_t chunks;
		struct credit credit;
	} replies[CLIENT_CALLS_MAX];
} router;

static struct reply *reply_of(uint64_t id)
{
	struct reply *reply = router.replies;

	while (reply->id != id)
		reply++;
	return reply;
}

static bool say(struct message message, struct credit *credit)
{
	static struct credit none;

	none = (struct credit){ CREDIT_LINK_BYTES, CREDIT_LINK_BYTES };
	return channel_send(&router.link, &message, credit ? credit : &none, NULL) == 0;
}

static void end(struct reply *reply, enum error_code code)
{
	struct message result = { .kind = MESSAGE_RESULT, .call_id = reply->id };

	result.result.code = code;
	result.result.chunks = reply->chunks;
	if (code == ERROR_OK)
		result.body = (struct span){ router.verdict, router.verdict_bytes };
	if (say(result, NULL))
		*reply = (struct reply){ 0 };
}

/* As far as there is credit. */
static void go_on(struct reply *reply)
{
	while (reply->sent < script.output.length) {
		struct span piece = span_skip(script.output, reply->sent);
		struct message chunk = { .kind = MESSAGE_CHUNK, .call_id = reply->id };

		if (piece.length > 32768)
			piece.length = 32768;
		chunk.chunk.sequence = reply->chunks;
		chunk.chunk.stream = 1;
		chunk.body = piece;
		if (!say(chunk, &reply->credit))
			return;
		reply->sent += piece.length;
		reply->chunks++;
	}
	if (!script.endless)
		end(reply, ERROR_OK);
}

static void hear(const struct message *message)
{
	if (message->kind == MESSAGE_HELLO) {
		say((struct message){ .kind = MESSAGE_WELCOME }, NULL);
	} else if (message->kind == MESSAGE_CALL) {
		*reply_of(0) = (struct reply){ .id = message->call_id,
			.credit = { CREDIT_CALL_BYTES, CREDIT_CALL_BYTES } };
		reply_of(message->call_id)->asked = !(message->call.flags & CALL_MORE);
	} else if (message->kind == MESSAGE_CHUNK_REQ) {
		reply_of(message->call_id)->asked = message->chunk_req.last;
		say((struct message){ .kind = MESSAGE_CREDIT, .call_id = message->call_id,
				      .credit.bytes = (uint32_t)message->body.length }, NULL);
	} else if (message->kind == MESSAGE_CREDIT && message->call_id) {
		for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
			if (router.replies[i].id == message->call_id)
				credit_add(&router.replies[i].credit, message->credit.bytes);
	} else if (message->kind == MESSAGE_CANCEL) {
		for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
			if (router.replies[i].id == message->call_id)
				end(&router.replies[i], ERROR_CANCELLED);
	}
	channel_consume(&router.link, message->body.length);
}

static void route(int fd)
{
	struct pollfd wait = { .fd = fd };
	struct buffer in, out;
	struct message message;
	int r;

	buffer_init(&in, router.in, sizeof(router.in));
	buffer_init(&out, router.out, sizeof(router.out));
	channel_init(&router.link, fd, ROUTER_TO_CLIENT, in, out);
	for (;;) {
		while ((r = channel_receive(&router.link, &message)) == 0)
			hear(&message);
		if (r != -EAGAIN)
			_exit(0);
		for (size_t i = 0; i < CLIENT_CALLS_MAX; i++)
			if (router.replies[i].asked)
				go_on(&router.replies[i]);
		wait.events = POLLIN;
		if (channel_flush(&router.link) == -EAGAIN)
			wait.events |= POLLOUT;
		poll(&wait, 1, 1000);
	}
}

static const char settings[] =
	"test unit { command = true  format = tap }\n"
	"knob size { kind = file  file = big.h  pattern = 'SIZE ([0-9]+)'  values = { 1, 2 } }\n";

/* What any tool that is asked here answers. */
static json_t *answer(void)
{
	return json_pack("{s:s, s:i, s:i, s:b, s:s, s:s, s:s, s:s}", "cause", "exited",
			 "exit_code", 0, "wall_ns", 1000, "repository", 1, "head", "base",
			 "branch", "main", "content", settings, "sha256", "00");
}

static void begin(void)
{
	json_t *verdict = answer();
	int ends[2];

	router.verdict_bytes = (size_t)convert_from_json(verdict, router.verdict,
							 sizeof(router.verdict), NULL);
	json_decref(verdict);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		route(ends[1]);
	}
	close(ends[1]);
	call = (struct worker_call){ .deadline_ns = clock_now_ns() + 600 * NS_PER_S };
	arena_init(&call.memory, WORKER_CALL_BYTES_MAX);
	session = (struct session){ .call = &call };
	stopped = 0;
	stop_when_written = false;
	assert_int_equal(session_connect(ends[0], &session.client, &why), 0);
}

static int finish(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	client_release(session.client);
	free(session.client);
	arena_release(&call.memory);
	script.endless = false;
	script.output = (struct span){ 0 };
	return 0;
}

static const char *const argv[] = { "true" };
static const struct command command = {
	.tool = COMMAND_TRY, .argv = { argv, 1 }, .timeout_ns = 60 * NS_PER_S,
};

/* ---- memory ---- */

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();	/* 0 under ASan, which looks for leaks itself */

	return info.uordblks + info.hblkhd;
}

static void run_once(void)
{
	struct command_outcome outcome;
	struct ask ask;

	assert_int_equal(command_run(&session, &ask, &command, &outcome, &why), 0);
	assert_int_equal(outcome.output.length, script.output.length);
	assert_memory_equal(outcome.output.data, script.output.data, outcome.output.length);
	session_drop(&session, &ask);
	session_drop(&session, &ask);
}

static void what_a_session_has_seen_it_does_not_hold(void **state)
{
	static uint8_t output[100000];
	size_t held;

	(void)state;
	for (size_t i = 0; i < sizeof(output); i++)
		output[i] = (uint8_t)(i * 31 >> 3);
	script.output = (struct span){ output, sizeof(output) };
	begin();
	run_once();
	held = heap_bytes();
	for (int i = 0; i < 2000; i++)
		run_once();
	assert_true(heap_bytes() <= held + 4096);
	assert_int_equal(session.held_bytes, 0);
	assert_int_equal(call.memory.bytes, 0);
}

static void output_that_cannot_be_kept_is_no_cancellation(void **state)
{
	static uint8_t output[100000];
	struct command_outcome outcome;
	struct ask ask;

	(void)state;
	script.output = (struct span){ output, sizeof(output) };
	begin();
	session.held_bytes = SESSION_HELD_BYTES_MAX - 65536;
	assert_int_equal(command_run(&session, &ask, &command, &outcome, &why), -ENOMEM);
	assert_int_equal(why.code, ERROR_RESOURCE_EXHAUSTED);
	assert_int_equal(session.held_bytes, SESSION_HELD_BYTES_MAX - 65536);
	session.held_bytes = 0;
	run_once();
}

static void what_is_given_up_is_dropped(void **state)
{
	static uint8_t output[1000];
	struct ask asks[3];
	size_t index;

	(void)state;
	script.endless = true;
	script.output = (struct span){ output, sizeof(output) };
	begin();
	for (size_t i = 0; i < COUNT(asks); i++)
		assert_int_equal(command_begin(&session, &asks[i], &command), 0);
	stop_when_written = true;
	assert_int_equal(session_wait_any(&session, asks, COUNT(asks), &index, &why), -ECANCELED);
	assert_true(session.held_bytes > 0);
	session_give_up(&session, asks, COUNT(asks));
	assert_int_equal(session.held_bytes, 0);
	assert_null(session.asks);
}

/* ---- all tests ---- */

/* A report of that many cases, each with its file. */
static char *junit_of(unsigned count)
{
	size_t size = 80 * (size_t)count + 64, used;
	char *ret = malloc(size);

	assert_non_null(ret);
	used = (size_t)snprintf(ret, size, "<testsuite>");
	for (unsigned i = 0; i < count; i++)
		used += (size_t)snprintf(ret + used, size - used,
					 "<testcase name='case %u' file='src/part/file%u.c'/>", i,
					 i / 10);
	snprintf(ret + used, size - used, "</testsuite>");
	return ret;
}

/* As often as a campaign does, and more. */
static void as_many_cases_as_are_read_fit_however_often(void **state)
{
	static struct workspace_test tests[] = {
		{ .title = "unit", .command = { argv, 1 }, .format = TEST_JUNIT, .report = "",
		  .timeout_ns = 60 * NS_PER_S },
	};
	static const struct workspace_file file = { .tests = { .items = tests, .count = 1 } };
	const struct suite suite = { .file = &file, .slots = 2 };
	char *report = junit_of(CASES_MAX);

	(void)state;
	script.output = span_of_text(report);
	begin();
	for (int i = 0; i < 25; i++) {
		struct arena memory;
		struct cases cases;

		arena_init(&memory, WORKER_CALL_BYTES_MAX);
		cases_init(&cases, &memory);
		assert_int_equal(suite_run(&session, &suite, &cases, &why), 0);
		assert_int_equal(cases.count, CASES_MAX);
		assert_string_equal(cases.items[CASES_MAX - 1].name, "unit: case 19999");
		assert_string_equal(cases.items[CASES_MAX - 1].file, "src/part/file1999.c");
		assert_true(memory.bytes < WORKER_CALL_BYTES_MAX / 4);
		arena_release(&memory);
	}
	assert_int_equal(session.held_bytes, 0);
	assert_int_equal(call.memory.bytes, 0);
	free(report);
}

/* ---- a setting, built and tested ---- */

/* The knob's file is as long as the sources of a large program in one. */
static void read_settings(struct campaign *campaign, const char *big)
{
	test_row(workspace_file_parse(&campaign->config, &campaign->file, WORKSPACE_FILE_NAME,
				      span_of_text(settings), &why) == 0, "%s", why.text);
	knobs_want(&campaign->knobs, &campaign->file);
	for (size_t i = 0; i < campaign->knobs.file_count; i++) {
		struct knob_file *file = &campaign->knobs.files[i];

		file->content = strcmp(file->path, WORKSPACE_FILE_NAME) == 0 ? settings : big;
		file->sha256 = "00";
	}
	test_row(knobs_init(&campaign->knobs, &why) == 0, "%s", why.text);
}

static void settings_are_built_and_tested_in_no_more_memory(void **state)
{
	static char big[300000] = "#define SIZE 1\n";
	struct campaign *campaign = calloc(1, sizeof(*campaign));
	struct space_config config = { .levels = { 1 } };

	(void)state;
	memset(big + strlen(big), ' ', sizeof(big) - 1 - strlen(big));
	script.output = span_of_text("1..2\nok 1 - a\nok 2 - b\n");
	begin();
	session.copy_count = 2;
	*campaign = (struct campaign){ .session = &session, .why = &why, .base = "base",
				       .slots = 1, .tested = true };
	read_settings(campaign, big);
	cases_init(&campaign->cases, &call.memory);
	cases_init(&campaign->flaky, &call.memory);
	for (int i = 0; i < 100; i++) {
		enum tuner_outcome outcome;
		struct arm arm;

		test_row(arm_build(campaign, COPY_CANDIDATE, &config, &arm, &outcome) == 0, "%s",
			 why.text);
		assert_int_equal(outcome, TUNER_OK);
		assert_string_equal(arm.name, "size: 1 to 2");
		test_row(arm_test(campaign, &arm, false, &outcome) == 0, "%s", why.text);
		assert_int_equal(outcome, TUNER_OK);
		arm_release(&arm);
	}
	assert_int_equal(session.held_bytes, 0);
	assert_int_equal(call.memory.bytes, 0);
	config_release(&campaign->config);
	free(campaign);
}

/* That there is no room for a name is not that there is none. */
static void without_memory_a_commit_is_not_missing(void **state)
{
	struct campaign *campaign = calloc(1, sizeof(*campaign));

	(void)state;
	begin();
	call.memory.bytes_max = 0;
	*campaign = (struct campaign){ .session = &session, .why = &why,
				       .report = json_object() };
	assert_int_equal(campaign_read(campaign, NULL), -ENOMEM);
	assert_int_equal(why.code, ERROR_RESOURCE_EXHAUSTED);
	campaign_release(campaign);
	free(campaign);
}

/* ---- ends ---- */

static void why_it_ended_is_told(void **state)
{
	static struct workspace_test tests[] = {
		{ .title = "unit", .command = { argv, 1 }, .report = "",
		  .timeout_ns = 60 * NS_PER_S },
	};
	static const struct workspace_file file = { .tests = { .items = tests, .count = 1 } };
	const struct suite suite = { .file = &file, .slots = 1 };
	static const struct {
		const char *name;
		int stopped;
		const char *taken;
		int result;
		enum error_code code;
		const char *words;
	} rows[] = {
		{ "cancelled", -ECANCELED, "", -ECANCELED, ERROR_CANCELLED, "cancelled" },
		{ "late", -ETIMEDOUT, "", -ETIMEDOUT, ERROR_DEADLINE_EXCEEDED, "the time is up" },
		{ "alone", -EPIPE, "", -EPIPE, ERROR_UNAVAILABLE, "the supervisor is gone" },
		{ "robbed", 0, "somebody has them", -EBUSY, ERROR_RESOURCE_EXHAUSTED,
		  "somebody has them" },
	};

	(void)state;
	script.endless = true;
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct command_outcome outcome;
		struct cases cases;
		struct ask ask;

		stopped = rows[i].stopped;
		snprintf(session.taken.text, sizeof(session.taken.text), "%s", rows[i].taken);
		int r = command_run(&session, &ask, &command, &outcome, &why);

		test_row(r == rows[i].result && why.code == rows[i].code &&
			 strcmp(why.text, rows[i].words) == 0, "%s, one: %d %d %s", rows[i].name,
			 r, why.code, why.text);
		why = (struct error){ 0 };
		cases_init(&cases, &call.memory);
		r = suite_run(&session, &suite, &cases, &why);
		test_row(r == rows[i].result && why.code == rows[i].code &&
			 strstr(why.text, rows[i].words), "%s, any: %d %d %s", rows[i].name, r,
			 why.code, why.text);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_teardown(function, finish)
	const struct CMUnitTest tests[] = {
		TEST(what_a_session_has_seen_it_does_not_hold),
		TEST(output_that_cannot_be_kept_is_no_cancellation),
		TEST(what_is_given_up_is_dropped),
		TEST(as_many_cases_as_are_read_fit_however_often),
		TEST(settings_are_built_and_tested_in_no_more_memory),
		TEST(without_memory_a_commit_is_not_missing),
		TEST(why_it_ended_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
