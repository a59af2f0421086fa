/*
 * cupel-job by itself: the test is its router and monitor. It runs without a
 * sandbox here, which is the harder case for the end of what it starts.
 */
#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/convert.h"
#include "tests/support/rig.h"

static char folder[] = "/tmp/cupel-test.XXXXXX";
static char output[3][1 << 20];		/* by stream */
static size_t output_bytes[3];

static void exec_job(void)
{
	const char *bin = getenv("CUPEL_BIN");
	char path[4096];

	snprintf(path, sizeof(path), "%s/cupel-job", bin ? bin : "build/bin");
	if (path[0] != '/') {
		AUTO_FREE char *full = realpath(path, NULL);

		snprintf(path, sizeof(path), "%s", full);
	}
	setenv("INHERITED", "yes", 1);
	setenv("PATH", "/usr/bin:/bin", 1);	/* no folder that one may not read */
	if (chdir(folder) < 0)
		_exit(125);
	execl(path, "cupel-job", (char *)NULL);
	_exit(126);
}

/* Everything of a call but its RESULT, which is confirmed and returned. */
static struct message hear_result(void)
{
	struct message message;

	for (;;) {
		assert_int_equal(rig_hear(&message), 0);
		if (message.kind == MESSAGE_RESULT) {
			rig_confirm(1);
			return message;
		}
		if (message.kind != MESSAGE_CHUNK)
			continue;
		char *at = output[message.chunk.stream] + output_bytes[message.chunk.stream];

		memcpy(at, message.body.data, message.body.length);
		output_bytes[message.chunk.stream] += message.body.length;
		rig_grant(1, (uint32_t)message.body.length);
	}
}

static json_t *verdict_with(const struct message *message, enum error_code code)
{
	struct error why = { 0 };
	json_t *json = NULL;
	int r = convert_to_json(message->body, &json, &why);

	test_row(message->result.code == code, "code %u: %.*s", message->result.code,
		 (int)message->result.reason.length, message->result.reason.data);
	test_row(r == 0, "%s", why.text);
	return json;
}

static json_t *verdict_of(const struct message *message)
{
	return verdict_with(message, ERROR_OK);
}

static void begin(const char *json)
{
	memset(output_bytes, 0, sizeof(output_bytes));
	memset(output, 0, sizeof(output));
	rig_start_ready(exec_job);
	rig_call(1, "job", json);
	assert_int_equal(rig_expect(MESSAGE_ACCEPT).call_id, 1);
}

/* The verdict of a command that runs to its end; the worker leaves. */
static json_t *run(const char *json)
{
	begin(json);
	struct message message = hear_result();
	json_t *verdict = verdict_of(&message);

	assert_true(rig_left_well());
	rig_stop(NULL);
	return verdict;
}

static const char *text(json_t *verdict, const char *path)
{
	const char *ret = "";

	json_get_text(verdict, path, &ret, NULL);
	return ret;
}

static int64_t number(json_t *verdict, const char *path)
{
	int64_t ret = -1;

	json_get_int(verdict, path, 0, INT64_MAX, &ret, NULL);
	return ret;
}

static void each_end_has_its_cause(void **state)
{
	static const struct {
		const char *json, *cause;
		int64_t code, signal;	/* -1: null */
	} cases[] = {
		{ "{\"argv\":[\"true\"]}", "exited", 0, -1 },
		{ "{\"argv\":[\"sh\",\"-c\",\"exit 7\"]}", "exited", 7, -1 },
		{ "{\"argv\":[\"sh\",\"-c\",\"kill -9 $$\"]}", "signaled", -1, 9 },
		{ "{\"argv\":[\"sh\",\"-c\",\"kill -SEGV $$\"]}", "signaled", -1, 11 },
		{ "{\"argv\":[\"no-such-command\"]}", "setup_failed", 127, -1 },
		{ "{\"argv\":[\"/etc/passwd\"]}", "setup_failed", 126, -1 },
		{ "{\"argv\":[\"true\"],\"cwd\":\"no/such/folder\"}", "setup_failed", 127, -1 },
		{ "{\"argv\":[\"sleep\",\"60\"],\"limits\":{\"wall_ms\":100}}", "wall", -1, 15 },
		{ "{\"argv\":[\"sh\",\"-c\",\"trap '' TERM; while :; do sleep 1; done\"],"
		  "\"limits\":{\"wall_ms\":100}}", "wall", -1, 9 },
		{ "{\"argv\":[\"sh\",\"-c\",\"while :; do :; done\"],\"limits\":{\"cpu_ms\":1000}}",
		  "cpu", -1, 24 },
		{ "{\"argv\":[\"yes\"],\"limits\":{\"output_bytes\":100000}}", "output", -1, 15 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *verdict = run(cases[i].json);

		test_row(strcmp(text(verdict, "cause"), cases[i].cause) == 0 &&
			 number(verdict, "exit_code") == cases[i].code &&
			 number(verdict, "signal") == cases[i].signal,
			 "%s: got %s, %ld, %ld", cases[i].json, text(verdict, "cause"),
			 (long)number(verdict, "exit_code"), (long)number(verdict, "signal"));
		assert_string_equal(text(verdict, "schema"), "cupel.run/1");
		json_decref(verdict);
	}
}

static void the_command_gets_what_the_call_names(void **state)
{
	json_t *verdict = run("{\"argv\":[\"sh\",\"-c\",\"cat; echo $K:$PATH:$INHERITED; pwd >&2\"],"
			      "\"env\":{\"K\":\"v=w\",\"PATH\":\"/usr/bin:/bin\"},"
			      "\"cwd\":\"/usr/lib\",\"stdin\":\"line\\n\"}");

	(void)state;
	assert_string_equal(output[1], "line\nv=w:/usr/bin:/bin:yes\n");
	assert_string_equal(output[2], "/usr/lib\n");
	assert_int_equal(number(verdict, "output.stdout_bytes"), output_bytes[1]);
	assert_int_equal(number(verdict, "output.stderr_bytes"), output_bytes[2]);
	json_decref(verdict);
	json_decref(run("{\"argv\":[\"cat\"]}"));	/* nothing to read: it ends */
	assert_int_equal(output_bytes[1], 0);
}

static void it_gets_nothing_else(void **state)
{
	(void)state;
	unsigned long blocked = 1, ignored = 1UL << 12;
	int end = 0;

	json_decref(run("{\"argv\":[\"sh\",\"-c\",\"ls /proc/$$/fd; "
			"grep -E 'SigBlk|SigIgn' /proc/self/status\"]}"));
	assert_int_equal(sscanf(output[1], "0\n1\n2\nSigBlk: %lx SigIgn: %lx %n",
				&blocked, &ignored, &end), 2);
	assert_int_equal(end, output_bytes[1]);
	assert_int_equal(blocked, 0);
	assert_false(ignored & 1UL << (SIGPIPE - 1));
}

static void a_path_of_its_own_is_searched(void **state)
{
	(void)state;
	json_t *verdict = run("{\"argv\":[\"true\"],\"env\":{\"PATH\":\"/nowhere\"}}");

	assert_string_equal(text(verdict, "cause"), "setup_failed");
	assert_true(strstr(text(verdict, "detail"), "true: No such file"));
	json_decref(verdict);
}

static void all_output_arrives_in_order(void **state)
{
	json_t *verdict = run("{\"argv\":[\"seq\",\"1\",\"120000\"]}");
	char line[16], *at = output[1];

	(void)state;
	for (int i = 1; i <= 120000; i++) {
		int length = snprintf(line, sizeof(line), "%d\n", i);

		assert_memory_equal(at, line, (size_t)length);
		at += length;
	}
	assert_int_equal(at - output[1], output_bytes[1]);
	assert_int_equal(number(verdict, "output.dropped"), 0);
	json_decref(verdict);
}

static void beyond_the_limit_head_and_tail_are_kept(void **state)
{
	json_t *verdict = run("{\"argv\":[\"sh\",\"-c\",\"trap '' TERM PIPE; seq 1 10000; echo the end\"],"
			      "\"limits\":{\"output_bytes\":1000}}");
	char *marker = strstr(output[1], "\n[cupel: ");
	long dropped = 0;

	(void)state;
	assert_memory_equal(output[1], "1\n2\n3\n", 6);
	assert_non_null(marker);
	assert_int_equal(marker - output[1], 1000);
	assert_int_equal(sscanf(marker, "\n[cupel: %ld bytes dropped here]", &dropped), 1);
	assert_string_equal(output[1] + output_bytes[1] - 8, "the end\n");
	assert_int_equal(number(verdict, "output.dropped"), dropped);
	assert_int_equal(number(verdict, "output.stdout_bytes"), 1000 + dropped + 4096);
	assert_string_equal(text(verdict, "cause"), "output");
	json_decref(verdict);
}

/* Gone, or a zombie that is somebody else's to reap. */
static bool is_gone(pid_t pid)
{
	char path[64], stat[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (!fgets(stat, sizeof(stat), file))
		stat[0] = '\0';
	fclose(file);
	return strstr(stat, ") Z ");
}

static pid_t pid_in_file(const char *name)
{
	char path[128];
	int pid = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (int i = 0; i < 500 && pid == 0; i++) {
		FILE *file = fopen(path, "re");

		if (!file || fscanf(file, "%d", &pid) != 1)
			pid = 0;
		if (file)
			fclose(file);
		usleep(10000);
	}
	unlink(path);
	return pid;
}

static void what_it_leaves_behind_ends_with_it(void **state)
{
	json_t *verdict = run("{\"argv\":[\"sh\",\"-c\",\"setsid sh -c 'echo $$ >left; "
			      "setsid sleep 1000 & sleep 1000' & until [ -s left ]; do :; done\"]}");
	pid_t pid = pid_in_file("left");

	(void)state;
	assert_true(pid > 1);
	assert_true(is_gone(pid));
	assert_true(number(verdict, "wall_ns") < 5 * NS_PER_S);
	json_decref(verdict);
}

static void what_orphans_have_used_counts(void **state)
{
	json_t *verdict = run("{\"argv\":[\"sh\",\"-c\",\"(i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; "
			      "echo 1 >burnt) & until [ -s burnt ]; do sleep 0.05; done; sleep 0.1\"]}");

	(void)state;
	test_row(number(verdict, "user_ns") + number(verdict, "system_ns") > 100 * NS_PER_MS,
		 "%ld ns", (long)number(verdict, "user_ns"));
	assert_true(number(verdict, "wall_ns") > 100 * NS_PER_MS);
	assert_true(number(verdict, "maxrss_bytes") > 0);
	assert_int_equal(pid_in_file("burnt"), 1);
	json_decref(verdict);
}

static void a_cancelled_one_says_so(void **state)
{
	struct message message;
	json_t *verdict;
	int64_t began_ns = clock_now_ns();

	(void)state;
	begin("{\"argv\":[\"sh\",\"-c\",\"trap '' TERM; echo up; while :; do sleep 1; done\"]}");
	rig_expect(MESSAGE_CHUNK);
	rig_cancel(1);
	message = hear_result();
	verdict = verdict_with(&message, ERROR_CANCELLED);
	assert_string_equal(text(verdict, "cause"), "cancelled");
	assert_int_equal(number(verdict, "signal"), SIGKILL);
	assert_true(clock_now_ns() - began_ns < NS_PER_S * 9 / 10);
	json_decref(verdict);
	assert_true(rig_left_well());
}

static void the_deadline_of_a_call_is_one_of_the_command(void **state)
{
	struct message message;
	json_t *verdict;

	(void)state;
	memset(output_bytes, 0, sizeof(output_bytes));
	rig_start_ready(exec_job);
	rig_call_within(1, "job", "{\"argv\":[\"sleep\",\"60\"]}", 100 * NS_PER_MS);
	message = hear_result();
	verdict = verdict_of(&message);
	assert_string_equal(text(verdict, "cause"), "wall");
	json_decref(verdict);
}

static void a_slow_caller_slows_the_command_down(void **state)
{
	struct message message;
	size_t received = 0;

	(void)state;
	begin("{\"argv\":[\"sh\",\"-c\",\"yes | head -c 900000; echo 1 >done; sleep 60\"]}");
	while (received < CREDIT_CALL_BYTES)
		received += rig_expect(MESSAGE_CHUNK).body.length;
	usleep(300000);
	char path[128];

	snprintf(path, sizeof(path), "%s/done", folder);
	assert_int_not_equal(access(path, F_OK), 0);
	rig_say((struct message){ .kind = MESSAGE_PING });
	rig_expect(MESSAGE_PONG);
	rig_cancel(1);			/* without credit, too, it ends */
	assert_int_equal(rig_hear(&message), 0);
	assert_int_equal(message.kind, MESSAGE_RESULT);
	assert_int_equal(message.result.code, ERROR_CANCELLED);
	rig_confirm(1);
	assert_true(rig_left_well());
}

static void files_can_be_collected(void **state)
{
	json_t *verdict = run("{\"argv\":[\"sh\",\"-c\",\"mkdir -p d; echo report >d/r.xml; "
			      "ln -sf /etc/passwd link; printf '\\\\377' >bytes; "
			      "head -c 1048577 /dev/zero | tr '\\\\0' a >long; mkfifo -m 600 pipe\"],"
			      "\"collect\":[\"d/r.xml\",\"link\",\"bytes\",\"long\",\"pipe\",\"none\","
			      "\"../../etc/passwd\",\"/etc/passwd\"]}");
	json_t *collected = json_object_get(verdict, "collected");

	(void)state;
	assert_int_equal(json_object_size(collected), 1);
	assert_string_equal(json_string_value(json_object_get(collected, "d/r.xml")),
			    "report\n");
	json_decref(verdict);
}

static void wrong_arguments_start_nothing(void **state)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{ "{}", "argv: it is missing" },
		{ "{\"argv\":[]}", "argv: it must have at least 1 elements" },
		{ "{\"argv\":[\"true\",1]}", "argv[1]: it must be of type \"string\"" },
		{ "{\"argv\":[\"true\"],\"limits\":{\"wall\":1}}",
		  "limits.wall: there is no such argument" },
		{ "{\"argv\":[\"true\"],\"env\":{\"A\":1}}", "env.A: it must be of type" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct message message;

		rig_start_ready(exec_job);
		rig_call(1, "job", cases[i].json);
		message = rig_expect_result(1, ERROR_INVALID_ARGUMENT);
		test_row(rig_says(&message, cases[i].words), "%s", cases[i].json);
		rig_stop(NULL);
	}
}

static void it_takes_the_command_with_it(void **state)
{
	static const char long_one[] =
		"{\"argv\":[\"sh\",\"-c\",\"trap '' TERM; echo $$ >left; while :; do sleep 1; done\"]}";

	(void)state;
	begin(long_one);
	pid_t pid = pid_in_file("left");

	shutdown(rig.router.fd, SHUT_RDWR);
	assert_true(rig_left_well());
	assert_true(is_gone(pid));
	rig_stop(NULL);

	begin(long_one);
	pid = pid_in_file("left");
	kill(rig.pid, SIGTERM);
	assert_true(rig_left_well());
	assert_true(is_gone(pid));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_end_has_its_cause),
		RIG_TEST(the_command_gets_what_the_call_names),
		RIG_TEST(it_gets_nothing_else),
		RIG_TEST(a_path_of_its_own_is_searched),
		RIG_TEST(all_output_arrives_in_order),
		RIG_TEST(beyond_the_limit_head_and_tail_are_kept),
		RIG_TEST(what_it_leaves_behind_ends_with_it),
		RIG_TEST(what_orphans_have_used_counts),
		RIG_TEST(a_cancelled_one_says_so),
		RIG_TEST(the_deadline_of_a_call_is_one_of_the_command),
		RIG_TEST(a_slow_caller_slows_the_command_down),
		RIG_TEST(files_can_be_collected),
		RIG_TEST(wrong_arguments_start_nothing),
		RIG_TEST(it_takes_the_command_with_it),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
