/*
 * cupeld - the monitor: spawns, confines, counts and reaps; parses nothing
 * foreign. See cupeld(8).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/descriptors.h"
#include "supervisor/monitor/monitor.h"

#define POLICY_BYTES (8U << 20)

static struct monitor monitor;

void monitor_log(struct monitor *self, const char *name, enum log_level level,
		 const char *message, const struct log_field *fields)
{
	struct log log = self->log;

	log.component = name;
	log_write(&log, level, message, fields);
}

/* ---- the core's actions ---- */

static void log_pool(const struct core_action *action)
{
	enum restart_state state = (enum restart_state)action->record.detail;
	bool bad = state == RESTART_CRASHLOOP || state == RESTART_FAILED;

	monitor_log(&monitor, monitor.core.pools[action->slot].name,
		    bad ? LEVEL_ERROR : LEVEL_INFO, "the pool has changed",
		    LOG_FIELDS(log_text("state", restart_state_name(state))));
}

static void log_state(int state)
{
	static const char *const names[SUPERVISOR_STATE_COUNT] = {
		"boot", "running", "brownout", "draining",
	};

	log_write(&monitor.log, state == SUPERVISOR_BROWNOUT ? LEVEL_ERROR : LEVEL_NOTICE,
		  "the supervisor has changed", LOG_FIELDS(log_text("state", names[state])));
}

static void leave(int status)
{
	monitor.exit_status = status;
	loop_stop(&monitor.loop);
}

static void take(const struct core_action *action)
{
	switch (action->kind) {
	case ACTION_SPAWN:
		if (action->slot == CORE_ROUTER)
			router_spawn(&monitor);
		else
			worker_spawn(&monitor, action->slot);
		return;
	case ACTION_LINK:
		worker_link(&monitor, action->slot);
		return;
	case ACTION_SIGNAL:
		worker_signal(&monitor, action->slot, action->value);
		return;
	case ACTION_KILL:
		worker_kill(&monitor, action->slot);
		return;
	case ACTION_COLLECT:
		worker_collect(&monitor, action->slot, (enum slot_end)action->value);
		return;
	case ACTION_LEAKED:
		monitor_log(&monitor, monitor.workers[action->slot].output.name,
			    LEVEL_CRITICAL, "the worker cannot be killed", NULL);
		return;
	case ACTION_TELL:
		control_tell(&monitor, action->record, -1);
		return;
	case ACTION_POOL:
		log_pool(action);
		return;
	case ACTION_SWITCH:
		catalogs_switch(&monitor);
		return;
	case ACTION_SETTLE:
		catalogs_settle(&monitor, action->value);
		return;
	case ACTION_STATE:
		log_state(action->value);
		return;
	case ACTION_EXIT:
		leave(action->value);
		return;
	}
}

/* An action may cause events; each is stepped when the one before is done. */
void monitor_event(struct monitor *self, const struct core_event *event)
{
	if (self->event_count == MONITOR_EVENTS_MAX) {
		monitor_fail(self, MONITOR_FAILED, "too many events at a time", NULL);
		return;
	}
	self->events[(self->event_head + self->event_count++) % MONITOR_EVENTS_MAX] = *event;
	if (self->stepping)
		return;
	self->stepping = true;
	while (self->event_count) {
		struct core_event next = self->events[self->event_head];

		self->event_head = (self->event_head + 1) % MONITOR_EVENTS_MAX;
		self->event_count--;
		core_step(&self->core, &next, self->now_ns, &self->actions);
		core_check(&self->core);
		for (unsigned i = 0; i < self->actions.count; i++)
			take(&self->actions.list[i]);
	}
	self->event_head = 0;	/* a ring that goes round costs each worker's init a copy */
	self->stepping = false;
	monitor_rearm(self);
}

void monitor_fail(struct monitor *self, int status, const char *message,
		  const struct error *why)
{
	log_write(&self->log, LEVEL_CRITICAL, message,
		  LOG_FIELDS(log_text("reason", why ? why->text : NULL)));
	fprintf(stderr, "cupeld: %s%s%s\n", message, why ? ": " : "", why ? why->text : "");
	leave(status);
}

/* ---- time and signals ---- */

void monitor_rearm(struct monitor *self)
{
	int64_t next_ns = core_next_ns(&self->core);

	next_ns = deadline_earlier(next_ns, self->tick_ns);
	next_ns = deadline_earlier(next_ns, self->loader.at_ns);
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		next_ns = deadline_earlier(next_ns, self->workers[i].emptying_ns);
		next_ns = deadline_earlier(next_ns, self->workers[i].look_ns);
	}
	loop_set_wakeup(&self->loop, next_ns);
}

static void tick(int64_t now_ns)
{
	monitor.tick_ns = now_ns + NS_PER_S;
	for (uint32_t i = 0; i < CORE_SLOTS; i++)
		if (monitor.workers[i].generation)
			worker_tick(&monitor, i);
	output_tick(&monitor, &monitor.loader.output);
	workspaces_tick(&monitor);
	logfile_tick(&monitor.logfile, now_ns);
	control_tell(&monitor, (struct control){
		.kind = CONTROL_SUPERVISOR, .detail = (uint8_t)monitor.core.state,
		.argument = descriptors_open(descriptors_end()) }, -1);
}

void monitor_wakeup(void *owner, int64_t now_ns)
{
	(void)owner;
	monitor.now_ns = now_ns;
	if (now_ns >= monitor.tick_ns)
		tick(now_ns);
	catalogs_tick(&monitor, now_ns);
	workers_ask_empty(&monitor, now_ns);
	workers_look(&monitor, now_ns);
	monitor_event(&monitor, &(struct core_event){ .kind = CORE_TIMER });
}

void monitor_signal(void *owner, const struct signalfd_siginfo *signal, int64_t now_ns)
{
	struct error why;

	(void)owner;
	monitor.now_ns = now_ns;
	if (signal->ssi_signo != SIGHUP) {
		monitor_event(&monitor, &(struct core_event){ .kind = CORE_STOP });
		return;
	}
	if (logfile_reopen(&monitor.logfile, &why) < 0)
		log_write(&monitor.log, LEVEL_ERROR, "the log is not begun anew",
			  LOG_FIELDS(log_text("reason", why.text)));
	catalogs_request(&monitor, true, now_ns);
}

/* ---- options ---- */

static int usage(FILE *out, int status)
{
	fprintf(out, "usage: cupeld [--user] [--run DIR] [--state DIR] [--tools DIR]... [--foreground]\n"
		     "The supervisor of Cupel; see cupeld(8).\n");
	return status;
}

static bool take_option(int option)
{
	switch (option) {
	case 'u':
		monitor.user_mode = true;
		return true;
	case 'r':
		return optarg[0] == '/' && setenv("CUPEL_RUN", optarg, 1) == 0;
	case 's':
		return optarg[0] == '/' && setenv("CUPEL_STATE", optarg, 1) == 0;
	case 't':
		monitor.directories[monitor.directory_count] = optarg;
		return optarg[0] == '/' && monitor.directory_count++ < MONITOR_DIRECTORIES_MAX;
	case 'f':	/* it always stays in the foreground */
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", no_argument, NULL, 'u' },
		{ "run", required_argument, NULL, 'r' },
		{ "state", required_argument, NULL, 's' },
		{ "tools", required_argument, NULL, 't' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	monitor.directory_count = MONITOR_USUAL_DIRECTORIES;
	arena_init(&monitor.arena, POLICY_BYTES);
	log_init(&monitor.log, "monitor", LEVEL_COUNT, (struct log_sink){ .fd = -1 });
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option == 'V')
			return printf("cupeld %s\n", CUPEL_VERSION) < 0;
		if (!take_option(option))
			return usage(stderr, MONITOR_USAGE);
	}
	if (optind < argc)
		return usage(stderr, MONITOR_USAGE);
	monitor.exit_status = monitor_start(&monitor);
	if (monitor.exit_status)
		return monitor.exit_status;
	struct error why;

	if (loop_run(&monitor.loop, &why) < 0)
		monitor_fail(&monitor, MONITOR_FAILED, "the loop has failed", &why);
	monitor_finish(&monitor);
	return monitor.exit_status;
}
