/*
 * The examples of etc/examples, as tools that know of us only what
 * cupel-tool(5) says.
 */
#include "tests/support/test.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/convert.h"
#include "tests/support/rig.h"

static void exec_words(void)
{
	execl("/usr/bin/python3", "python3", "-I", "etc/examples/words.py",
	      (char *)NULL);
	_exit(126);
}

static void exec_primes(void)
{
	const char *out = getenv("CUPEL_OUT");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/examples/primes", out ? out : "build");
	execl(path, "primes", (char *)NULL);
	_exit(126);
}

static const struct example {
	const char *tool, *arguments, *result;	/* its canonical text */
	const char *wrong;			/* arguments it refuses */
	void (*program)(void);
} examples[] = {
	{ "words", "{\"text\":\"a rose is a rose\"}",
	  "{\"distinct\":3,\"most\":\"a\",\"words\":5}", "{\"text\":7}", exec_words },
	{ "primes", "{\"n\":360}",
	  "{\"factors\":[2,2,2,3,3,5],\"n\":360}", "{\"n\":0}", exec_primes },
};

#define EACH(example)                                                         \
	for (const struct example *example = examples;                        \
	     example < examples + COUNT(examples); rig_stop(NULL), example++)

static void expect_answer(const struct example *example, uint64_t id)
{
	struct message message = rig_expect_result(id, ERROR_OK);
	struct error why;
	char text[4096];
	json_t *json;

	assert_int_equal(convert_to_json(message.body, &json, &why), 0);
	assert_true(json_write(json, JSON_COMPACT | JSON_SORT_KEYS, text,
			       sizeof(text), &why) > 0);
	json_decref(json);
	assert_string_equal(text, example->result);
}

static void they_live_as_the_manual_says(void **state)
{
	(void)state;
	EACH(example) {
		rig_start(example->program);
		assert_int_equal(rig_expect(MESSAGE_HELLO).hello.major, MESSAGE_MAJOR);
		rig_expect_beat(BEAT_HELLO);
		rig_welcome();
		assert_int_equal(rig_expect(MESSAGE_READY).ready.calls_max, 1);
		rig_say((struct message){ .kind = MESSAGE_PING, .ping.token = 7 });
		assert_int_equal(rig_expect(MESSAGE_PONG).pong.token, 7);
		rig_drain(NS_PER_S);
		assert_int_equal(rig_expect(MESSAGE_DRAINED).drained.calls, 0);
		assert_true(rig_left_well());
	}
}

static void they_beat_each_second(void **state)
{
	(void)state;
	EACH(example) {
		uint64_t last = 0;

		rig_start_ready(example->program);
		rig_expect_beat(BEAT_HELLO);
		for (unsigned alive = 0; alive < 3;) {
			struct beat beat;

			assert_int_equal(recv(rig.beat, &beat, sizeof(beat), 0),
					 sizeof(beat));
			if (beat.kind != BEAT_ALIVE)
				continue;
			assert_true(beat.value > last);
			last = beat.value;
			alive++;
		}
	}
}

static void they_answer_and_refuse(void **state)
{
	(void)state;
	EACH(example) {
		rig_start_ready(example->program);
		for (uint64_t id = 1; id < 20; id++) {
			rig_call(id, example->tool, example->arguments);
			expect_answer(example, id);
			rig_confirm(id);
		}
		rig_call(20, example->tool, example->wrong);
		rig_expect_result(20, ERROR_INVALID_ARGUMENT);
		rig_call(21, example->tool, "null");
		rig_expect_result(21, ERROR_INVALID_ARGUMENT);
		rig_call(22, example->tool, example->arguments);
		expect_answer(example, 22);
	}
}

/* More than the link's window in all, so that credit must have been given. */
static void they_grant_credit(void **state)
{
	static char json[200100] = "{\"text\":\"";
	struct message message;

	(void)state;
	memset(json + strlen(json), 'a', 200000);
	strcat(json, "\"}");
	EACH(example) {
		rig_start_ready(example->program);
		for (uint64_t id = 1; id <= 60; id++) {
			rig_call(id, example->tool, json);
			do
				assert_int_equal(rig_hear(&message), 0);
			while (message.kind != MESSAGE_RESULT);
		}
	}
}

static void what_they_cannot_take_they_leave(void **state)
{
	(void)state;
	EACH(example) {
		struct message message = rig_call_message(1, example->tool, NS_PER_S);

		rig_start_ready(example->program);
		message.call.flags = CALL_MORE;
		rig_say(message);
		assert_int_equal(rig_expect(MESSAGE_BUSY).call_id, 1);
		rig_call(2, example->tool, example->arguments);
		expect_answer(example, 2);
	}
}

static void they_leave_with_router_and_monitor(void **state)
{
	(void)state;
	EACH(example) {
		rig_start_ready(example->program);
		shutdown(rig.router.fd, SHUT_RDWR);
		assert_true(rig_left_well());
		rig_stop(NULL);

		rig_start_ready(example->program);
		close(rig.beat);
		rig.beat = -1;
		assert_true(rig_left_well());
	}
}

/* ---- the manual's conversation ---- */

static size_t read_hex(const char *text, uint8_t *ret)
{
	size_t count = 0;
	unsigned byte;
	int length;

	while (sscanf(text, " %2x%n", &byte, &length) == 1) {
		ret[count++] = (uint8_t)byte;
		text += length;
	}
	return count;
}

/* "worker hello", then its bytes on lines that begin with a tab. */
static void check_frame(const char *title, const uint8_t *bytes, size_t length)
{
	struct message message;
	struct error why = { 0 };
	struct frame frame;

	assert(length > 5);
	const char *from = strchr("\1\3\7\14\103", (int)bytes[5]) ? "worker" : "router";
	char want[64];
	int r = frame_next((struct span){ bytes, length }, &frame);

	test_row(r == (int)length, "%s: %d of %zu bytes are a frame", title, r, length);
	r = message_decode(&frame, &message, &why);
	test_row(r == 0, "%s: %s", title, why.text);
	snprintf(want, sizeof(want), "%s %s", from, message_kind_name(frame.kind));
	assert_string_equal(title, want);
}

static void the_manual_shows_real_frames(void **state)
{
	FILE *page = fopen("etc/man/cupel-tool.5", "re");
	char line[256], title[64] = "";
	uint8_t bytes[256];
	size_t length = 0;
	unsigned frames = 0;
	bool within = false;

	(void)state;
	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ".\\\" frames", 10) == 0 || (within && line[0] != '\t')) {
			if (length) {
				check_frame(title, bytes, length);
				frames++;
			}
			length = 0;
			within = strncmp(line, ".\\\" frames end", 14) != 0;
			snprintf(title, sizeof(title), "%.63s", line);
		} else if (within) {
			length += read_hex(line, bytes + length);
		}
	}
	fclose(page);
	assert_int_equal(frames, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(they_live_as_the_manual_says),
		RIG_TEST(they_beat_each_second),
		RIG_TEST(they_answer_and_refuse),
		RIG_TEST(they_grant_credit),
		RIG_TEST(what_they_cannot_take_they_leave),
		RIG_TEST(they_leave_with_router_and_monitor),
		cmocka_unit_test(the_manual_shows_real_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
