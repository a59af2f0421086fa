/*
 * rig.h - a test as router and monitor of one worker.
 *
 * rig_start() starts a program as cupeld does, with its descriptors; then the
 * test speaks by rig_say() and the like, and each rig_expect function fails
 * the test if something else comes, or nothing. One worker at a time.
 */
#ifndef CUPEL_TESTS_SUPPORT_RIG_H
#define CUPEL_TESTS_SUPPORT_RIG_H

#include <sys/types.h>

#include "common/wire/channel.h"
#include "common/wire/control.h"

#define RIG_GENERATION 7

extern struct rig {
	struct channel router;
	int beat;
	struct crash_page *page;
	pid_t pid;
	struct credit call;		/* of the call that is being sent */
	uint8_t body[1 << 20];
	size_t body_bytes;
} rig;

/* program() execs, or is the worker itself. A ready one has been welcomed. */
void rig_start(void (*program)(void));
void rig_start_ready(void (*program)(void));
void rig_exec_echo(void);

/* The wait status of the worker, which is to end by itself. */
int rig_ended(void);
bool rig_left_well(void);
bool rig_left_broken(void);

/* Kills what is left; a teardown of cmocka, and the row of a test that has it. */
int rig_stop(void **state);
#define RIG_TEST(function) cmocka_unit_test_teardown(function, rig_stop)

void rig_say(struct message message);
void rig_flush(void);
void rig_welcome(void);
/* The router dies; and the worker is given a link to another one. */
void rig_lose_router(void);
void rig_renew(void);
void rig_confirm(uint64_t id);
/* Unless the worker has gone meanwhile: one is free to after its RESULT. */
void rig_grant(uint64_t id, uint32_t bytes);
void rig_cancel(uint64_t id);
void rig_recall(uint64_t id);
void rig_drain(int64_t timeout_ns);

/* The body of the next call, kept in rig.body, from JSON. */
void rig_set_body(const char *json);
struct message rig_call_message(uint64_t id, const char *tool, int64_t timeout_ns);
void rig_call_within(uint64_t id, const char *tool, const char *json,
		     int64_t timeout_ns);
void rig_call(uint64_t id, const char *tool, const char *json);

/* The next message, or an error of the channel; it lasts until the next one. */
int rig_hear(struct message *ret);
struct message rig_expect(enum message_kind kind);
struct beat rig_expect_beat(enum beat_kind kind);

/* ACCEPT and RESULT of a call, with that code. */
struct message rig_expect_result(uint64_t id, enum error_code code);

/* Whether the reason of a result contains those words. */
bool rig_says(const struct message *message, const char *words);

#endif
