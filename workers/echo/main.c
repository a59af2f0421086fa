/*
 * cupel-echo - the model of a worker, and the double for tests of what is
 * around one: it answers, waits, burns, dies, leaks, hangs and floods as it is
 * told. What each tool takes is in etc/tools/echo.tool.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workers/worker.h"

extern const struct worker_contract contract_echo;

/* The schemas have seen to type and range of what is there. */
static int64_t number(struct worker_call *call, const char *name, int64_t standard)
{
	const json_t *value = json_object_get(call->arguments, name);

	return json_is_number(value) ? (int64_t)json_number_value(value) : standard;
}

static const char *text(struct worker_call *call, const char *name,
			const char *standard)
{
	const char *value =
		json_string_value(json_object_get(call->arguments, name));

	return value ? value : standard;
}

static int64_t after_ms(int64_t ms)
{
	return deadline_after(clock_now_ns(), ms * NS_PER_MS);
}

static int echo(struct worker_call *call, json_t **ret, struct error *why)
{
	(void)why;
	*ret = json_incref(call->arguments);
	return 0;
}

/* ---- sleep: a pending call, so that many sleep in one worker ---- */

static int sleep_begin(struct worker_call *call, json_t **ret, struct error *why)
{
	(void)ret;
	(void)why;
	worker_wake_at(call, after_ms(number(call, "ms", 0)));
	return WORKER_PENDING;
}

static void sleep_end(struct worker_call *call)
{
	worker_finish(call, json_incref(call->arguments));
}

static void sleep_stopped(struct worker_call *call)
{
	struct error why;

	error_set(&why, -ECANCELED, "woken before its time");
	worker_fail(call, &why);
}

/* ---- the rest works to its end ---- */

static int burn(struct worker_call *call, json_t **ret, struct error *why)
{
	int64_t until_ns = after_ms(number(call, "ms", 0));
	uint64_t rounds = 0;
	int r = 0;

	while (r == 0 && clock_now_ns() < until_ns) {
		for (volatile unsigned i = 0; i < 1000; i++)
			;
		rounds++;
		r = worker_poll(call);
	}
	if (r < 0)
		return error_set(why, r, "stopped after %llu rounds",
				 (unsigned long long)rounds);
	*ret = json_pack("{sI}", "rounds", (json_int_t)rounds);
	return 0;
}

static int crash(struct worker_call *call, json_t **ret, struct error *why)
{
	int signal_number = (int)number(call, "signal", 0);

	(void)ret;
	(void)why;
	if (!json_is_false(json_object_get(call->arguments, "accept")))
		(void)worker_accept(call);
	worker_phase(call, (uint32_t)number(call, "phase", 0));
	if (signal_number)
		raise(signal_number);
	else
		_exit((int)number(call, "exit", 1));
	return 0;
}

static int leak(struct worker_call *call, json_t **ret, struct error *why)
{
	size_t bytes = (size_t)number(call, "bytes", 0);
	char *lost = malloc(bytes + 1);

	if (!lost)
		return error_set(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i <= bytes; i += 4096)
		((volatile char *)lost)[i] = 1;
	*ret = json_pack("{sI}", "bytes", (json_int_t)bytes);
	return 0;
}

/* None: as a deadlock. Still: beats that show no progress. Alive: both. */
static int hang(struct worker_call *call, json_t **ret, struct error *why)
{
	const char *beats = text(call, "beats", "none");
	int64_t until_ns = after_ms(number(call, "ms", 0));

	(void)why;
	while (clock_now_ns() < until_ns) {
		usleep(10000);
		if (strcmp(beats, "alive") == 0)
			(void)worker_poll(call);
		else if (strcmp(beats, "still") == 0)
			worker_beat_still(call->worker);
	}
	*ret = json_incref(call->arguments);
	return 0;
}

static int flood(struct worker_call *call, json_t **ret, struct error *why)
{
	static uint8_t pattern[65536];
	int64_t left = number(call, "bytes", 0);
	int r = 0;

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)('a' + i % 26);
	while (r == 0 && left > 0) {
		size_t length = left < (int64_t)sizeof(pattern) ? (size_t)left
								: sizeof(pattern);

		r = worker_chunk(call, (uint32_t)number(call, "stream", 1),
				 (struct span){ pattern, length });
		left -= (int64_t)length;
	}
	if (r < 0)
		return error_set(why, r, "stopped with %lld bytes left",
				 (long long)left);
	*ret = json_incref(call->arguments);
	return 0;
}

static int fail(struct worker_call *call, json_t **ret, struct error *why)
{
	enum error_code code = (enum error_code)number(call, "code", 2);
	const char *reason = text(call, "reason", "as asked");

	(void)ret;
	(void)error_set_code(why, -EIO, code, "%s", reason);
	if (json_is_true(json_object_get(call->arguments, "busy")))
		worker_busy(call, code, reason);
	return -EIO;
}

static int progress(struct worker_call *call, json_t **ret, struct error *why)
{
	int64_t steps = number(call, "steps", 1);
	int r = 0;

	for (int64_t i = 1; r == 0 && i <= steps; i++) {
		worker_progress(call, (uint64_t)i, (uint64_t)steps, "a step");
		r = worker_pause(call, after_ms(number(call, "ms", 0)));
	}
	if (r < 0)
		return error_set(why, r, "stopped on its way");
	*ret = json_pack("{sI}", "steps", (json_int_t)steps);
	return 0;
}

/* What is written after ACCEPT and before any doubt: one line an effect. */
static int effect(struct worker_call *call, json_t **ret, struct error *why)
{
	int r;

	log_write(&call->worker->log, LEVEL_NOTICE, "effect",
		  LOG_FIELDS(log_text("token", text(call, "token", "")),
			     log_uint("attempt", call->attempt)));
	r = worker_pause(call, after_ms(number(call, "ms", 0)));
	if (r < 0)
		return error_set(why, r, "stopped after its effect");
	*ret = json_incref(call->arguments);
	return 0;
}

static const struct worker_tool tools[] = {
	{ .name = "echo", .serve = echo },
	{ .name = "echo.sleep", .serve = sleep_begin, .woken = sleep_end,
	  .stopped = sleep_stopped },
	{ .name = "echo.burn", .serve = burn },
	{ .name = "echo.crash", .serve = crash, .accepts = true },
	{ .name = "echo.leak", .serve = leak },
	{ .name = "echo.hang", .serve = hang },
	{ .name = "echo.flood", .serve = flood },
	{ .name = "echo.fail", .serve = fail, .accepts = true },
	{ .name = "echo.progress", .serve = progress },
	{ .name = "echo.effect", .serve = effect },
};

int main(void)
{
	return worker_main(&(struct worker_program){
		.name = "echo",
		.contract = &contract_echo,
		.tools = tools,
		.tool_count = COUNT(tools),
		.calls_max = 8,
	});
}
