/*
 * How workers ended: each is told in the log, and of each pool the last one that
 * failed is kept, for whoever asks why the pool rests. What a worker has written
 * is no more than text here: whatever is not printable is shown as '?'.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/monitor/monitor.h"

static struct fault *fault_of(const struct worker *worker)
{
	return &worker->monitor->faults[worker->pool];
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void fault_not_started(struct worker *worker, const char *step, int error,
		       const char *reason)
{
	struct fault *fault = fault_of(worker);

	monitor_log(worker->monitor, worker->output.name, LEVEL_ERROR,
		    "the worker cannot be started",
		    LOG_FIELDS(log_text("step", step), log_int("errno", error),
			       log_text("reason", reason)));
	worker->unstarted = true;
	snprintf(fault->reason, sizeof(fault->reason), "it cannot be started: %s", reason);
	make_printable(fault->reason);
	fault->crash[0] = '\0';
}

/* ---- the crash page ---- */

static void read_page(struct worker *worker, struct crash_page *ret)
{
	if (pread(worker->crash_fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret) ||
	    ret->address_count > CRASH_ADDRESSES_MAX)
		memset(ret, 0, sizeof(*ret));
}

static void write_backtrace(const struct crash_page *page, char *ret, size_t bytes)
{
	size_t length = 0;

	*ret = '\0';
	for (uint32_t i = 0; i < page->address_count && length < bytes; i++)
		length += (size_t)snprintf(ret + length, bytes - length, "%s%llx", i ? " " : "",
					   (unsigned long long)page->addresses[i]);
}

static void keep_page(struct worker *worker, const struct crash_page *page)
{
	char text[CRASH_ADDRESSES_MAX * 20], build[CRASH_BUILD_BYTES + 1] = "";
	struct fault *fault = fault_of(worker);
	int length;

	memcpy(build, page->build, CRASH_BUILD_BYTES);
	write_backtrace(page, text, sizeof(text));
	monitor_log(worker->monitor, worker->output.name, LEVEL_WARNING, "crash page",
		    LOG_FIELDS(log_uint("call", page->call), log_uint("phase", page->phase),
			       log_text("build", build), log_text("backtrace", text)));
	length = snprintf(fault->crash, sizeof(fault->crash),
			  "call %llu, phase %u, build %s, backtrace ",
			  (unsigned long long)page->call, page->phase, build);
	write_backtrace(page, fault->crash + length, sizeof(fault->crash) - (size_t)length);
	make_printable(fault->crash);
}

void fault_crashed(struct worker *worker, uint64_t *ret_call)
{
	struct crash_page page;

	read_page(worker, &page);
	*ret_call = page.call;
	fault_of(worker)->crash[0] = '\0';
	if (page.address_count)
		keep_page(worker, &page);
}

/* ---- the end ---- */

static void keep_end(struct worker *worker, const char *how)
{
	struct fault *fault = fault_of(worker);

	snprintf(fault->reason, sizeof(fault->reason), "%s: %s %d", how,
		 worker->signal ? "signal" : "status",
		 worker->signal ? worker->signal : worker->exit_status);
}

void fault_ended(struct worker *worker, enum slot_end end)
{
	static const struct { const char *name, *how; } rows[SLOT_END_COUNT] = {
		[SLOT_END_NORMAL]  = { "normal", NULL },
		[SLOT_END_ORDERED] = { "ordered", NULL },
		[SLOT_END_EXIT]	   = { "exit", "it ended by itself" },
		[SLOT_END_SIGNAL]  = { "signal", "it was killed" },
		[SLOT_END_OOM]	   = { "out of memory", "it ran out of memory" },
		[SLOT_END_POLICY]  = { "policy", "its policy forbids a system call it made" },
		[SLOT_END_HUNG]	   = { "hung", "it gave no sign of life" },
		[SLOT_END_START]   = { "start", "it did not get ready" },
	};

	monitor_log(worker->monitor, worker->output.name,
		    rows[end].how ? LEVEL_WARNING : LEVEL_DEBUG, "the worker has ended",
		    LOG_FIELDS(log_uint("generation", worker->generation),
			       log_text("how", rows[end].name),
			       log_int("status", worker->exit_status),
			       log_int("signal", worker->signal)));
	if (rows[end].how && !worker->unstarted)
		keep_end(worker, rows[end].how);
}

/* ---- to the router ---- */

/* Of an empty one, too, there is a piece: what the router had is over. */
static void tell(struct monitor *monitor, enum control_kind kind, uint16_t pool,
		 const char *text)
{
	struct control record = { .kind = (uint8_t)kind, .pool = pool };
	size_t length;

	do {
		length = strnlen(text, CONTROL_TEXT_BYTES);
		memset(record.text, 0, sizeof(record.text));
		memcpy(record.text, text, length);
		control_tell(monitor, record, -1);
		record.detail++;
		text += length;
	} while (length == CONTROL_TEXT_BYTES && *text);
}

void faults_tell(struct monitor *monitor, unsigned pool, const struct control *state)
{
	const struct fault *fault = &monitor->faults[pool];

	if (pool == CORE_ROUTER_POOL || (state->detail != RESTART_CRASHLOOP &&
					 state->detail != RESTART_FAILED))
		return;
	tell(monitor, CONTROL_POOL_REASON, state->pool, fault->reason);
	tell(monitor, CONTROL_POOL_CRASH, state->pool, fault->crash);
}
