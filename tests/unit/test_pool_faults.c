/* Why a pool rests: from a worker's end, record by record, to the router's report. */
#include "tests/support/test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/monitor/monitor.h"
#include "tests/support/router_rig.h"
#include "tests/support/router_world.h"

static struct monitor monitor;
static struct router_world world;
static unsigned records;
static uint64_t last_id;
static char status[16384];	/* what the router answered */

/* What they stand in for is in the monitor's main.c and control.c. */
void monitor_log(struct monitor *self, const char *name, enum log_level level,
		 const char *message, const struct log_field *fields)
{
	(void)self;
	(void)name;
	(void)level;
	(void)message;
	(void)fields;
}

void control_tell(struct monitor *self, struct control record, int fd)
{
	(void)self;
	(void)fd;
	records++;
	router_world_tell(&world, 0, record);
}

static int on_send(void *owner, uint32_t peer, const struct message *message)
{
	(void)owner;
	(void)peer;
	if (message->body.length > 0) {
		assert_in_range(message->body.length, 1, sizeof(status) - 1);
		memcpy(status, message->body.data, message->body.length);
		status[message->body.length] = '\0';
	}
	return 0;
}

static int make(void **state)
{
	static struct catalog catalog;

	catalog = (struct catalog){ 0 };
	router_rig_add_pool(&catalog, "frail", 1, 1);
	router_rig_add_pool(&catalog, "other", 1, 1);
	world = (struct router_world){ .catalog = &catalog, .now_ns = 1,
		.size = { .clients = 2, .slots = 2 }, .sink.send = on_send };
	router_world_begin(&world);
	router_world_connect(&world, 0, 0, ROLE_OWNER);
	memset(&monitor, 0, sizeof(monitor));
	records = 0;
	*state = NULL;
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	router_world_end(&world);
	return 0;
}

/* The core's pool 7 is the router's 0. */
static void rest_as(enum restart_state state)
{
	struct control record = { .kind = CONTROL_POOL_STATE, .pool = 0,
				  .detail = (uint8_t)state };

	faults_tell(&monitor, 7, &record);
	control_tell(&monitor, record, -1);
}

/* As `cupel status --json` has it. */
static const char *member_of(const char *pool, const char *name)
{
	char key[32], *at, *end;

	router_world_hear(&world, 0, (struct message){
		.kind = MESSAGE_CALL, .call_id = ++last_id,
		.deadline_ns = DEADLINE_NEVER,
		.call = { .tool = message_text_of("router.status"), .attempt = 1 } });
	snprintf(key, sizeof(key), "\"name\":\"%s\"", pool);
	at = strstr(status, key);
	assert_non_null(at);
	snprintf(key, sizeof(key), "\"%s\":\"", name);
	at = strstr(at, key);
	assert_non_null(at);
	at += strlen(key);
	end = strchr(at, '"');
	*end = '\0';
	return at;
}

static const char *member(const char *name)
{
	return member_of("frail", name);
}

static void crash(const struct crash_page *page, enum slot_end end, int exit_status,
		  int signal)
{
	struct worker worker = { .monitor = &monitor, .pool = 7, .crash_fd = -1,
				 .exit_status = exit_status, .signal = signal };
	uint64_t call;

	worker.crash_fd = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(write(worker.crash_fd, page, sizeof(*page)), sizeof(*page));
	fault_crashed(&worker, &call);
	assert_int_equal(call, page->call);
	fault_ended(&worker, end);
	close(worker.crash_fd);
}

static void each_end_has_its_words(void **state)
{
	static const struct {
		enum slot_end end;
		int exit_status, signal;
		const char *words;
	} rows[] = {
		{ SLOT_END_EXIT, 3, 0, "it ended by itself: status 3" },
		{ SLOT_END_SIGNAL, -1, 11, "it was killed: signal 11" },
		{ SLOT_END_START, 78, 0, "it did not get ready: status 78" },
		{ SLOT_END_POLICY, -1, 31, "its policy forbids a system call it made: signal 31" },
		{ SLOT_END_HUNG, -1, 6, "it gave no sign of life: signal 6" },
		{ SLOT_END_OOM, -1, 9, "it ran out of memory: signal 9" },
		{ SLOT_END_NORMAL, 0, 0, "it ran out of memory: signal 9" },
		{ SLOT_END_ORDERED, -1, 15, "it ran out of memory: signal 9" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		crash(&(struct crash_page){ 0 }, rows[i].end, rows[i].exit_status,
		      rows[i].signal);
		rest_as(RESTART_CRASHLOOP);
		test_row(strcmp(member("reason"), rows[i].words) == 0, "%d: %s", rows[i].end,
			 member("reason"));
		assert_string_equal(member("crash_page"), "");
	}
}

static void only_a_pool_that_rests_says_why(void **state)
{
	(void)state;
	crash(&(struct crash_page){ 0 }, SLOT_END_EXIT, 3, 0);
	for (int i = 0; i < RESTART_STATE_COUNT; i++) {
		bool rests = i == RESTART_CRASHLOOP || i == RESTART_FAILED;

		rest_as((enum restart_state)i);
		assert_string_equal(member("reason"),
				    rests ? "it ended by itself: status 3" : "");
	}
	assert_string_equal(member_of("other", "reason"), "");
}

static void what_cannot_be_started_says_so(void **state)
{
	struct worker worker = { .monitor = &monitor, .pool = 7 };
	char endless[500];

	(void)state;
	fault_not_started(&worker, "exec", 2, "no\nsuch \xc3\xa4 file");
	fault_ended(&worker, SLOT_END_START);
	rest_as(RESTART_FAILED);
	assert_string_equal(member("reason"), "it cannot be started: no?such ?? file");
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	fault_not_started(&worker, "exec", 2, endless);
	rest_as(RESTART_FAILED);
	assert_int_equal(strlen(member("reason")), CONTROL_REASON_BYTES - 1);
	fault_not_started(&worker, "exec", 2, "no");
	rest_as(RESTART_FAILED);		/* nothing is left of the longer one */
	assert_string_equal(member("reason"), "it cannot be started: no");
}

static void the_crash_page_is_told(void **state)
{
	struct crash_page page = { .call = 7, .phase = 2, .address_count = 2,
				   .build = "1.0", .addresses = { 0x1234, 0xabcd } };

	(void)state;
	crash(&page, SLOT_END_SIGNAL, -1, 11);
	rest_as(RESTART_CRASHLOOP);
	assert_string_equal(member("crash_page"),
			    "call 7, phase 2, build 1.0, backtrace 1234 abcd");
	crash(&(struct crash_page){ 0 }, SLOT_END_SIGNAL, -1, 11);
	rest_as(RESTART_CRASHLOOP);		/* the next one left none */
	assert_string_equal(member("crash_page"), "");
}

/* Whatever a worker writes there, it is bounded and printable. */
static void a_page_may_say_anything(void **state)
{
	struct crash_page page;
	struct random random;
	const char *text;

	(void)state;
	test_random_init(&random, "page");
	for (int i = 0; i < 300; i++) {
		for (size_t j = 0; j < sizeof(page); j++)
			((uint8_t *)&page)[j] = (uint8_t)random_next(&random);
		page.address_count = (uint32_t)random_below(&random, 40);
		if (page.address_count > CRASH_ADDRESSES_MAX)
			page.call = 0;		/* no page at all */
		records = 0;
		crash(&page, SLOT_END_SIGNAL, -1, 11);
		rest_as(RESTART_CRASHLOOP);
		assert_in_range(records, 3, 4 + 20 + 1);
		text = member("crash_page");
		assert_in_range(strlen(text), 0, 2 * CONTROL_CRASH_BYTES);	/* escaped */
		for (; *text; text++)
			assert_in_range(*text, ' ', '~');
	}
}

static void rest_now(void)
{
	control_tell(&monitor, (struct control){ .kind = CONTROL_POOL_STATE,
						 .detail = RESTART_FAILED }, -1);
}

/* The router takes what is in range, and a pool that it has. */
static void pieces_out_of_range_are_passed_over(void **state)
{
	struct control record = { .kind = CONTROL_POOL_REASON };

	(void)state;
	memset(record.text, 'x', sizeof(record.text));
	for (unsigned kind = CONTROL_POOL_REASON; kind <= CONTROL_POOL_CRASH; kind++) {
		for (unsigned detail = 0; detail < 256; detail++) {
			record.kind = (uint8_t)kind;
			record.detail = (uint8_t)detail;
			record.pool = 0;
			control_tell(&monitor, record, -1);
			record.pool = 2;
			control_tell(&monitor, record, -1);
			record.pool = CONTROL_NO_POOL;
			control_tell(&monitor, record, -1);
		}
	}
	rest_now();
	assert_int_equal(strlen(member("reason")), CONTROL_REASON_BYTES);
	assert_int_equal(strlen(member("crash_page")), CONTROL_CRASH_BYTES);
	assert_string_equal(member_of("other", "reason"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_end_has_its_words, make, unmake),
		cmocka_unit_test_setup_teardown(only_a_pool_that_rests_says_why, make, unmake),
		cmocka_unit_test_setup_teardown(what_cannot_be_started_says_so, make, unmake),
		cmocka_unit_test_setup_teardown(the_crash_page_is_told, make, unmake),
		cmocka_unit_test_setup_teardown(a_page_may_say_anything, make, unmake),
		cmocka_unit_test_setup_teardown(pieces_out_of_range_are_passed_over, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
