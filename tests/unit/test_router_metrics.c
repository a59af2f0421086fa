/* The router's own Prometheus text, from the real program, as promtool(1) sees it. */
#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
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

/* The value of the sample that is named so, labels and all. */
static double value_of(const char *sample)
{
	size_t length = strlen(sample);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, sample, length) == 0 && line[length] == ' ')
			return strtod(line + length, NULL);
	}
	fail_msg("there is no %s", sample);
	return -1;
}

static void look(struct router_rig_peer *client)
{
	static uint64_t call = 100;

	router_rig_own(client, ++call, "router.metrics", "", text, sizeof(text));
}

/* What was said on another socket may be heard later. */
static void await(struct router_rig_peer *client, const char *sample, double want)
{
	for (int i = 0; i < 1000; i++) {
		look(client);
		if (value_of(sample) == want)
			return;
		usleep(10000);
	}
	fail_msg("%s is %f, not %f", sample, value_of(sample), want);
}

static void end_worker(struct router_rig *rig, uint32_t slot, enum slot_end end)
{
	kill(rig->slots[slot].pid, SIGKILL);
	router_rig_control(rig, &(struct control){ .kind = CONTROL_SLOT_DOWN,
		.slot = slot, .generation = rig->slots[slot].generation,
		.detail = (uint8_t)end, .argument = SIGKILL }, -1);
}

static void use(struct router_rig *rig, uint64_t bytes, uint64_t cpu_ns)
{
	router_rig_control(rig, &(struct control){ .kind = CONTROL_SLOT_USAGE,
		.slot = 0, .generation = rig->slots[0].generation,
		.argument = bytes, .call = cpu_ns }, -1);
}

static void workers_are_counted_to_their_end(void **state)
{
	static const struct { const char *sample; double want; } rows[] = {
		{ "cupel_worker_start_seconds_count{pool=\"few\"}", 3 },
		{ "cupel_worker_start_seconds_bucket{pool=\"few\",le=\"+Inf\"}", 3 },
		{ "cupel_worker_start_seconds_count{pool=\"none\"}", 0 },
		{ "cupel_worker_lifetime_seconds_count{pool=\"few\"}", 2 },
		{ "cupel_worker_lifetime_seconds_bucket{pool=\"few\",le=\"604800\"}", 2 },
		{ "cupel_worker_lifetime_seconds_count{pool=\"none\"}", 0 },
		{ "cupel_worker_ends_total{pool=\"few\",end=\"signal\"}", 1 },
		{ "cupel_worker_ends_total{pool=\"few\",end=\"policy\"}", 1 },
		{ "cupel_worker_ends_total{pool=\"few\",end=\"normal\"}", 0 },
		{ "cupel_policy_denials_total{kind=\"syscall\"}", 1 },
		{ "cupel_worker_restarts_total{pool=\"few\"}", 2 },
		{ "cupel_worker_resident_bytes{pool=\"few\"}", 2048 },
		{ "cupel_worker_cpu_seconds_total{pool=\"few\"}", 2.5 },
		{ "cupel_monitor_open_fds", 17 },
	};
	struct router_rig_peer client;
	struct router_rig rig;

	(void)state;
	memset(&catalog, 0, sizeof(catalog));
	router_rig_add_pool(&catalog, "few", 3, 4);
	router_rig_add_pool(&catalog, "none", 1, 4);
	router_rig_add_tool(&catalog, ROUTER_RIG_ECHO, 0, 16);
	router_rig_start(&rig, &catalog);
	for (uint32_t i = 0; i < 3; i++)
		router_rig_worker_up(&rig, i, 0, 4);
	router_rig_connect(&rig, &client);
	await(&client, rows[0].sample, 3);
	end_worker(&rig, 1, SLOT_END_SIGNAL);
	end_worker(&rig, 2, SLOT_END_POLICY);
	use(&rig, 4096, 1 * NS_PER_S);
	use(&rig, 2048, 2500 * NS_PER_MS);
	use(&rig, 2048, 2 * NS_PER_S);	/* a child's went with it: no counter falls */
	router_rig_control(&rig, &(struct control){ .kind = CONTROL_SUPERVISOR,
		.detail = SUPERVISOR_RUNNING, .argument = 17 }, -1);
	router_rig_control(&rig, &(struct control){ .kind = CONTROL_SUPERVISOR,
		.detail = SUPERVISOR_RUNNING }, -1);
	await(&client, "cupel_worker_lifetime_seconds_count{pool=\"few\"}", 2);
	await(&client, "cupel_monitor_open_fds", 17);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (value_of(rows[i].sample) != rows[i].want)
			print_message("# %s: got %f, want %f\n", rows[i].sample,
				      value_of(rows[i].sample), rows[i].want);
		assert_true(value_of(rows[i].sample) == rows[i].want);
	}
	assert_true(value_of("cupel_worker_start_seconds_sum{pool=\"few\"}") > 0);
	assert_true(value_of("cupel_worker_lifetime_seconds_sum{pool=\"few\"}") >
		    value_of("cupel_worker_start_seconds_sum{pool=\"few\"}") / 3);
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

/* What it is told of the start counts, not when it is told. */
static void a_start_begins_with_the_spawn(void **state)
{
	struct router_rig_peer client;
	struct router_rig rig;

	(void)state;
	memset(&catalog, 0, sizeof(catalog));
	router_rig_add_pool(&catalog, "slow", 1, 4);
	router_rig_start(&rig, &catalog);
	rig.spawned_ago_ns = 20 * NS_PER_S;
	router_rig_worker_up(&rig, 0, 0, 4);
	router_rig_connect(&rig, &client);
	await(&client, "cupel_worker_start_seconds_count{pool=\"slow\"}", 1);
	assert_true(value_of("cupel_worker_start_seconds_bucket{pool=\"slow\",le=\"15\"}") == 0);
	assert_true(value_of("cupel_worker_start_seconds_sum{pool=\"slow\"}") >= 20);
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

static void a_stopped_call_says_by_what(void **state)
{
	struct router_rig_peer client;
	struct message message;
	struct router_rig rig;

	(void)state;
	memset(&catalog, 0, sizeof(catalog));
	router_rig_add_pool(&catalog, "fast", 1, 4);
	router_rig_add_tool(&catalog, ROUTER_RIG_HANG, 0, 16);
	router_rig_start(&rig, &catalog);
	router_rig_worker_up(&rig, 0, 0, 4);
	router_rig_connect(&rig, &client);
	router_rig_send(&client, &(struct message){ .kind = MESSAGE_CALL,
		.call_id = 1, .deadline_ns = clock_now_ns() + 100 * NS_PER_MS,
		.call = { .tool = message_text_of(ROUTER_RIG_HANG), .attempt = 1 } });
	router_rig_wait(&client, 1, &message);
	assert_int_not_equal(message.result.code, ERROR_OK);
	look(&client);
	assert_true(value_of("cupel_calls_stopped_total{cause=\"deadline\"}") == 1);
	assert_true(value_of("cupel_calls_stopped_total{cause=\"abandoned\"}") == 0);
	assert_true(value_of("cupel_calls_stopped_total{cause=\"client\"}") == 0);
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

static void the_router_tells_of_its_own_process(void **state)
{
	struct router_rig_peer client;
	struct router_rig rig;
	double now = (double)time(NULL);

	(void)state;
	memset(&catalog, 0, sizeof(catalog));
	router_rig_add_pool(&catalog, "fast", 1, 4);
	router_rig_start(&rig, &catalog);
	router_rig_connect(&rig, &client);
	do
		look(&client);
	while (value_of("process_resident_memory_bytes") == 0 &&
	       time(NULL) < (time_t)now + 30);
	assert_true(value_of("process_resident_memory_bytes") > 100000);
	assert_true(value_of("process_virtual_memory_bytes") >
		    value_of("process_resident_memory_bytes"));
	assert_true(value_of("process_open_fds") >= ROUTER_DESCRIPTORS_END - 1);
	assert_true(value_of("process_open_fds") < value_of("process_max_fds"));
	assert_true(value_of("process_cpu_seconds_total") >= 0);
	assert_true(value_of("process_start_time_seconds") > now - 60);
	assert_true(value_of("process_start_time_seconds") < now + 60);
	/* Here the monitor is this program. */
	assert_true(value_of("cupel_monitor_resident_bytes") > 100000);
	assert_true(value_of("cupel_monitor_cpu_seconds_total") >= 0);
	assert_true(value_of("cupel_monitor_start_time_seconds") <=
		    value_of("process_start_time_seconds"));
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

/* A few of many are timed, the first among them; they are told of with its own process. */
static void work_is_timed(void **state)
{
	static const char *const works[] = {
		"cupel_message_decode_seconds", "cupel_message_encode_seconds",
		"cupel_catalog_lookup_seconds",
	};
	struct router_rig_peer client;
	struct message message;
	struct router_rig rig;
	time_t end = time(NULL) + 60;

	(void)state;
	memset(&catalog, 0, sizeof(catalog));
	router_rig_add_pool(&catalog, "fast", 1, 4);
	router_rig_add_tool(&catalog, ROUTER_RIG_ECHO, 0, 16);
	router_rig_start(&rig, &catalog);
	router_rig_worker_up(&rig, 0, 0, 4);
	router_rig_connect(&rig, &client);
	router_rig_send(&client, &(struct message){ .kind = MESSAGE_CALL,
		.call_id = 1, .deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of(ROUTER_RIG_ECHO), .attempt = 1 } });
	router_rig_wait(&client, 1, &message);
	do {
		usleep(100000);
		look(&client);
	} while (value_of("cupel_catalog_lookup_seconds_count") == 0 && time(NULL) < end);
	for (size_t i = 0; i < COUNT(works); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s_count", works[i]);
		assert_true(value_of(name) >= 1);
		snprintf(name, sizeof(name), "%s_sum", works[i]);
		assert_true(value_of(name) > 0 && value_of(name) < 1);
		snprintf(name, sizeof(name), "%s_bucket{le=\"+Inf\"}", works[i]);
		assert_true(value_of(name) >= 1);
	}
	router_rig_peer_end(&client);
	router_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promtool_accepts_the_metrics),
		cmocka_unit_test(workers_are_counted_to_their_end),
		cmocka_unit_test(a_start_begins_with_the_spawn),
		cmocka_unit_test(a_stopped_call_says_by_what),
		cmocka_unit_test(the_router_tells_of_its_own_process),
		cmocka_unit_test(work_is_timed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
