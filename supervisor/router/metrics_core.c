#include <string.h>

#include "supervisor/router/report_core.h"

/* A family is a name, its help, its type, and whoever writes its samples. */
struct family {
	const char *name, *help, *type;
	void (*write)(struct router *router, struct writer *writer,
		      const char *name, int64_t now_ns);
};

static void sample(struct writer *w, const char *name, const char *suffix,
		   const char *label, const char *value)
{
	write_text(w, name);
	write_text(w, suffix);
	if (label) {
		write_text(w, "{");
		write_text(w, label);
		write_text(w, "=");
		write_quoted(w, value);
		write_text(w, "}");
	}
	write_text(w, " ");
}

static void number(struct writer *w, const char *name, const char *label,
		   const char *value, uint64_t count)
{
	sample(w, name, "", label, value);
	write_number(w, count);
	write_text(w, "\n");
}

/* Of two labels. */
static void cross(struct writer *w, const char *name, const char *label,
		  const char *value, const char *other, const char *other_value,
		  uint64_t count)
{
	write_text(w, name);
	write_text(w, "{");
	write_text(w, label);
	write_text(w, "=");
	write_quoted(w, value);
	write_text(w, ",");
	write_text(w, other);
	write_text(w, "=");
	write_quoted(w, other_value);
	write_text(w, "} ");
	write_number(w, count);
	write_text(w, "\n");
}

static void seconds(struct writer *w, const char *name, const char *label,
		    const char *value, int64_t ns)
{
	sample(w, name, "", label, value);
	write_seconds(w, ns);
	write_text(w, "\n");
}

static void write_bucket(struct writer *w, const char *name, const char *label,
			 const char *value, int64_t bound_ns, uint64_t count)
{
	write_text(w, name);
	write_text(w, "_bucket{");
	if (label) {
		write_text(w, label);
		write_text(w, "=");
		write_quoted(w, value);
		write_text(w, ",");
	}
	write_text(w, "le=\"");
	if (bound_ns == DEADLINE_NEVER)
		write_text(w, "+Inf");
	else
		write_seconds(w, bound_ns);
	write_text(w, "\"} ");
	write_number(w, count);
	write_text(w, "\n");
}

static void write_histogram(struct writer *w, const char *name,
			    const char *label, const char *value,
			    const int64_t bounds_ns[HISTOGRAM_BOUNDS],
			    const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		count += histogram->counts[i];
		write_bucket(w, name, label, value, bounds_ns[i], count);
	}
	write_bucket(w, name, label, value, DEADLINE_NEVER, histogram->total);
	sample(w, name, "_sum", label, value);
	write_seconds(w, histogram->sum_ns);
	write_text(w, "\n");
	sample(w, name, "_count", label, value);
	write_number(w, histogram->total);
	write_text(w, "\n");
}

/* What a family's writer does. */
#define WRITER(function, statement)                                           \
	static void function(struct router *router, struct writer *w,         \
			     const char *name, int64_t now_ns)                \
	{                                                                     \
		(void)router;                                                 \
		(void)now_ns;                                                 \
		statement;                                                    \
	}

/* ---- tools ---- */

/* The next tool from *at on that is in the catalogue; NULL after the last. */
static struct tool *next_tool(struct router *router, uint32_t *at)
{
	while (*at < router->catalog->tool_count) {
		uint32_t index = router->tool_of[(*at)++];

		if (index != NONE)
			return &router->tools[index];
	}
	return NULL;
}

/* Outcomes are few, so that there are few series. */
static const char *outcome_name(unsigned code)
{
	switch (code) {
	case ERROR_OK:
		return "ok";
	case ERROR_CANCELLED:
		return "cancelled";
	case ERROR_DEADLINE_EXCEEDED:
	case ERROR_TIMEOUT_KILLED:
		return "timeout";
	case ERROR_DENIED_BY_ACL:
	case ERROR_PERMISSION_DENIED:
		return "denied";
	case ERROR_OOM_KILLED:
		return "oom";
	case ERROR_CRASH_NOT_STARTED:
	case ERROR_CRASH_OUTCOME_UNKNOWN:
		return "crash";
	case ERROR_BREAKER_OPEN:
	case ERROR_QUEUE_FULL:
	case ERROR_SHED:
		return "rejected";
	default:
		return "error";
	}
}

static void write_outcome(struct writer *w, const char *name,
			  const struct tool *tool, const char *outcome)
{
	uint64_t count = 0;

	for (unsigned code = 0; code < ERROR_CODE_COUNT; code++) {
		if (strcmp(outcome_name(code), outcome) == 0)
			count += tool->ends[code];
	}
	cross(w, name, "tool", tool->row.name, "outcome", outcome, count);
}

static void write_outcomes(struct writer *w, const char *name,
			   const struct tool *tool)
{
	static const char *const outcomes[] = {
		"ok", "error", "denied", "timeout", "oom", "cancelled",
		"crash", "rejected",
	};

	for (unsigned i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		write_outcome(w, name, tool, outcomes[i]);
}

/* Of the policy in force, and of an earlier one that was needed. */
static void write_overflows(struct writer *w, const char *name,
			    const struct tool *tool)
{
	for (uint32_t i = 0; i < OVERFLOW_COUNT; i++) {
		if (i == tool->row.overflow || tool->overflows[i] > 0)
			cross(w, name, "tool", tool->row.name, "policy",
			      catalog_overflows[i], tool->overflows[i]);
	}
}

static int64_t oldest_age_ns(const struct tool *tool, int64_t now_ns)
{
	int64_t oldest_ns = 0;

	for (unsigned i = 0; i < QUEUE_PRIORITY_COUNT; i++) {
		int64_t age_ns = queue_oldest_age_ns(
			&tool->queue, (enum queue_priority)i, now_ns);

		oldest_ns = age_ns > oldest_ns ? age_ns : oldest_ns;
	}
	return oldest_ns;
}

/* For each of them. */
#define TOOL_WRITER(function, statement)                                      \
	WRITER(function, {                                                    \
		struct tool *tool;                                            \
		uint32_t at = 0;                                              \
									      \
		while ((tool = next_tool(router, &at))) {                     \
			statement;                                            \
		}                                                             \
	})

#define TOOL_NUMBER(function, expression)                                     \
	TOOL_WRITER(function,                                                 \
		    number(w, name, "tool", tool->row.name, (expression)))

#define TOOL_HISTOGRAM(function, latency)                                     \
	TOOL_WRITER(function,                                                 \
		    write_histogram(w, name, "tool", tool->row.name,          \
				    latency_bounds_ns, &tool->latency.ever))

TOOL_WRITER(write_tool_calls, write_outcomes(w, name, tool))
TOOL_WRITER(write_tool_overflows, write_overflows(w, name, tool))
TOOL_WRITER(write_oldest, seconds(w, name, "queue", tool->row.name,
				  oldest_age_ns(tool, now_ns)))
TOOL_HISTOGRAM(write_durations, latency)
TOOL_HISTOGRAM(write_waits, waits)
TOOL_NUMBER(write_queued, queue_depth(&tool->queue, QUEUE_SHEDDABLE))
TOOL_NUMBER(write_blocked, tool->door_count)
TOOL_NUMBER(write_tool_running, tool->running)
TOOL_NUMBER(write_tool_retries, tool->retried)
TOOL_NUMBER(write_breakers, (uint64_t)tool->breaker.state)
TOOL_NUMBER(write_trips, tool->breaker.trips)
TOOL_NUMBER(write_spared, tool->breaker.spared)
TOOL_NUMBER(write_hits, tool->hits)
TOOL_NUMBER(write_misses, tool->misses)
TOOL_NUMBER(write_stale, tool->stale)
TOOL_NUMBER(write_fallbacks, tool->fallbacks)
TOOL_NUMBER(write_coalesced, tool->coalesced)

/* ---- workers and pools ---- */

static void write_workers(struct router *router, struct writer *w,
			  const char *name, int64_t now_ns)
{
	static const struct { enum slot_state state; const char *name; } rows[] = {
		{ SLOT_LINKED, "starting" }, { SLOT_WELCOMED, "init" },
		{ SLOT_READY, "ready" }, { SLOT_DRAINING, "draining" },
		{ SLOT_ENDING, "ending" },
	};

	(void)now_ns;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t count = 0;

		for (uint32_t j = 0; j < router->size.slots; j++)
			count += router->slots[j].state == rows[i].state;
		number(w, name, "state", rows[i].name, count);
	}
}

static void write_restarts(struct router *router, struct writer *w,
			   const char *name, int64_t now_ns)
{
	(void)now_ns;
	for (uint32_t i = 0; i < router->catalog->pool_count; i++)
		number(w, name, "pool", router->pools[i].row.name,
		       router->pools[i].restarts);
}

static void write_pool_memory(struct router *router, struct writer *w,
			      const char *name, int64_t now_ns)
{
	(void)now_ns;
	for (uint32_t i = 0; i < router->catalog->pool_count; i++) {
		uint64_t bytes = 0;

		for (uint32_t j = 0; j < router->size.slots; j++) {
			if (router->slots[j].state != SLOT_EMPTY &&
			    router->slots[j].pool == i)
				bytes += router->slots[j].resident_bytes;
		}
		number(w, name, "pool", router->pools[i].row.name, bytes);
	}
}

/* The tallies of all pools, and "" of workers that are of none. */
struct tally_row {
	const char *pool;
	const struct worker_tally *tally;
};

static bool next_tally(const struct router *router, uint32_t *at,
		       struct tally_row *ret)
{
	uint32_t index = (*at)++;

	if (index > router->catalog->pool_count)
		return false;
	*ret = index < router->catalog->pool_count ?
	       (struct tally_row){ router->pools[index].row.name,
				   &router->pools[index].tally } :
	       (struct tally_row){ "", &router->homeless };
	return true;
}

static void write_slot_ends(struct writer *w, const char *name,
			    const struct tally_row *row)
{
	static const char *const names[SLOT_END_COUNT] = {
		"normal", "ordered", "exit", "signal", "oom", "policy", "hung",
		"start",
	};

	for (unsigned i = 0; i < SLOT_END_COUNT; i++)
		cross(w, name, "pool", row->pool, "end", names[i],
		      row->tally->ends[i]);
}

#define TALLY_WRITER(function, statement)                                     \
	WRITER(function, {                                                    \
		struct tally_row row;                                         \
		uint32_t at = 0;                                              \
									      \
		while (next_tally(router, &at, &row)) {                       \
			statement;                                            \
		}                                                             \
	})

TALLY_WRITER(write_starts, write_histogram(w, name, "pool", row.pool,
					   latency_bounds_ns, &row.tally->starts))
TALLY_WRITER(write_lives, write_histogram(w, name, "pool", row.pool,
					  lifetime_bounds_ns, &row.tally->lives))
TALLY_WRITER(write_pool_cpu, seconds(w, name, "pool", row.pool, row.tally->cpu_ns))
TALLY_WRITER(write_worker_ends, write_slot_ends(w, name, &row))

/* Files and networks are denied by the kernel, to the worker's face alone. */
static void write_denials(struct router *router, struct writer *w,
			  const char *name, int64_t now_ns)
{
	struct tally_row row;
	uint64_t syscalls = 0;
	uint32_t at = 0;

	(void)now_ns;
	while (next_tally(router, &at, &row))
		syscalls += row.tally->ends[SLOT_END_POLICY];
	number(w, name, "kind", "syscall", syscalls);
	number(w, name, "kind", "call", router->ends[ERROR_DENIED_BY_ACL] +
	       router->refusals[ERROR_DENIED_BY_ACL]);
}

/* ---- the router itself ---- */

static void write_stops(struct router *router, struct writer *w,
			const char *name, int64_t now_ns)
{
	static const char *const names[STOP_CAUSE_COUNT] = {
		[STOP_CLIENT] = "client", [STOP_LOST] = "abandoned",
		[STOP_DEADLINE] = "deadline", [STOP_IDLE] = "idle",
		[STOP_OUTPUT] = "output", [STOP_PARENT] = "parent",
	};

	(void)now_ns;
	for (unsigned i = STOP_NONE + 1; i < STOP_CAUSE_COUNT; i++)
		number(w, name, "cause", names[i], router->stops[i]);
}

static void write_codes(struct writer *w, const char *name,
			const uint64_t counts[ERROR_CODE_COUNT])
{
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		if (counts[code] > 0 || code == ERROR_QUEUE_FULL)
			number(w, name, "code", error_row(code)->name,
			       counts[code]);
	}
}

#define ROUTER_NUMBER(function, expression)                                   \
	WRITER(function, number(w, name, NULL, NULL, (uint64_t)(expression)))

#define ROUTER_SECONDS(function, expression)                                  \
	WRITER(function, seconds(w, name, NULL, NULL, (expression)))

#define ROUTER_WORK(function, work)                                           \
	WRITER(function,                                                      \
	       write_histogram(w, name, NULL, NULL, work_bounds_ns,           \
			       &router->works[work]))

WRITER(write_build, number(w, name, "version", CUPEL_VERSION, 1))
WRITER(write_refusals, write_codes(w, name, router->refusals))
WRITER(write_ends, write_codes(w, name, router->ends))
ROUTER_NUMBER(write_health, report_health_status(router, now_ns))
ROUTER_NUMBER(write_accepted, router->totals.accepted)
ROUTER_NUMBER(write_in_flight, router->running)
ROUTER_NUMBER(write_waiting, router->waiting - router->held)
ROUTER_NUMBER(write_held, router->held)
ROUTER_NUMBER(write_joined, router->effects.joined)
ROUTER_NUMBER(write_effects, router->effects.known)
ROUTER_NUMBER(write_effect_bytes, router->effects.bytes)
ROUTER_NUMBER(write_retried, router->totals.retried)
ROUTER_NUMBER(write_recorded, router->recorder.written)
ROUTER_NUMBER(write_unrecorded, router->recorder.dropped)
ROUTER_NUMBER(write_unaffordable, router->totals.unaffordable)
ROUTER_NUMBER(write_shed, router->totals.shed)
ROUTER_NUMBER(write_poisoned, router->totals.poisoned)
ROUTER_NUMBER(write_clients, router->totals.clients)
ROUTER_NUMBER(write_faults, router->totals.faults)
ROUTER_NUMBER(write_stalled, router->totals.stalled)
ROUTER_NUMBER(write_deaths, router->totals.deaths)
ROUTER_NUMBER(write_bytes_in, router->totals.bytes_in)
ROUTER_NUMBER(write_bytes_out, router->totals.bytes_out)
ROUTER_NUMBER(write_store, router->store.used)
ROUTER_NUMBER(write_catalog, router->catalog->generation)
ROUTER_NUMBER(write_resident, router->self.resident_bytes)
ROUTER_NUMBER(write_virtual, router->self.virtual_bytes)
ROUTER_NUMBER(write_descriptors, router->self.descriptors)
ROUTER_NUMBER(write_descriptors_most, router->self.descriptors_most)
ROUTER_NUMBER(write_monitor_resident, router->monitor.resident_bytes)
ROUTER_NUMBER(write_monitor_descriptors, router->monitor_descriptors)
ROUTER_NUMBER(write_turns, router->turns)
ROUTER_WORK(write_decoding, WORK_DECODE)
ROUTER_WORK(write_encoding, WORK_ENCODE)
ROUTER_WORK(write_lookups, WORK_LOOKUP)
ROUTER_SECONDS(write_cpu, router->self.cpu_ns)
ROUTER_SECONDS(write_start, router->self.start_ns)
ROUTER_SECONDS(write_monitor_cpu, router->monitor.cpu_ns)
ROUTER_SECONDS(write_monitor_start, router->monitor.start_ns)

static const struct family families[] = {
	{ "cupel_build_info", "Version of the supervisor.", "gauge", write_build },
	{ "cupel_health", "0 healthy, 1 unknown, 2 degraded, 3 unhealthy.", "gauge", write_health },
	{ "cupel_tool_calls_total", "Calls that ended, by tool and outcome.", "counter", write_tool_calls },
	{ "cupel_tool_call_duration_seconds", "From sending a call to its good result.", "histogram", write_durations },
	{ "cupel_queue_wait_seconds", "From a call's arrival to its first sending.", "histogram", write_waits },
	{ "cupel_queue_jobs", "Calls that wait for a tool.", "gauge", write_queued },
	{ "cupel_queue_blocked", "Calls that wait for room in a tool's queue.", "gauge", write_blocked },
	{ "cupel_queue_overflows_total", "Calls that found a tool's queue full, by what it does then.", "counter", write_tool_overflows },
	{ "cupel_queue_oldest_seconds", "Age of the oldest call that waits.", "gauge", write_oldest },
	{ "cupel_tool_running", "Calls of a tool that workers have.", "gauge", write_tool_running },
	{ "cupel_tool_retries_total", "Attempts after the first.", "counter", write_tool_retries },
	{ "cupel_breaker_state", "0 closed, 1 open, 2 half-open, 3 ramp, 4 forced open, 5 observe.", "gauge", write_breakers },
	{ "cupel_breaker_trips_total", "Openings by a breaker's own judgement.", "counter", write_trips },
	{ "cupel_breaker_spared_total", "Calls let out that a breaker would have rejected if it did not only observe.", "counter", write_spared },
	{ "cupel_cache_hits_total", "Calls answered with a kept result.", "counter", write_hits },
	{ "cupel_cache_misses_total", "Calls for which none was kept.", "counter", write_misses },
	{ "cupel_tool_stale_total", "Calls answered with a kept result past its time, as the tool could not serve.", "counter", write_stale },
	{ "cupel_tool_fallbacks_total", "Calls for which the fallback was called, as the tool could not serve.", "counter", write_fallbacks },
	{ "cupel_calls_coalesced_total", "Calls that shared another one's run.", "counter", write_coalesced },
	{ "cupel_workers", "Workers by state.", "gauge", write_workers },
	{ "cupel_worker_restarts_total", "Workers that ended unasked.", "counter", write_restarts },
	{ "cupel_worker_resident_bytes", "Resident memory of a pool's workers.", "gauge", write_pool_memory },
	{ "cupel_worker_cpu_seconds_total", "Processor time of a pool's workers, as last seen.", "counter", write_pool_cpu },
	{ "cupel_worker_start_seconds", "From spawning a worker to its being ready.", "histogram", write_starts },
	{ "cupel_worker_lifetime_seconds", "From spawning a worker to its end.", "histogram", write_lives },
	{ "cupel_worker_ends_total", "Workers that ended, by how.", "counter", write_worker_ends },
	{ "cupel_policy_denials_total", "Workers killed by their filter, and calls that the caller may not make.", "counter", write_denials },
	{ "cupel_worker_deaths_total", "Deaths that were nobody's order.", "counter", write_deaths },
	{ "cupel_calls_accepted_total", "Calls that passed the first checks.", "counter", write_accepted },
	{ "cupel_calls_ended_total", "Calls that ended, by code.", "counter", write_ends },
	{ "cupel_calls_stopped_total", "Calls that ended after they were to be stopped, by what.", "counter", write_stops },
	{ "cupel_calls_refused_total", "Calls refused at once, by code.", "counter", write_refusals },
	{ "cupel_calls_in_flight", "Calls that workers have.", "gauge", write_in_flight },
	{ "cupel_calls_waiting", "Calls that wait for anything else.", "gauge", write_waiting },
	{ "cupel_calls_held", "Results kept for clients that may come back.", "gauge", write_held },
	{ "cupel_calls_recorded_total", "Calls whose end the store has.", "counter", write_recorded },
	{ "cupel_calls_unrecorded_total", "Calls whose end it will not have.", "counter", write_unrecorded },
	{ "cupel_effects_joined_total", "Calls that waited for another of the same effect.", "counter", write_joined },
	{ "cupel_effects_known", "Effects that are over and known by name.", "gauge", write_effects },
	{ "cupel_effects_kept_bytes", "Bytes of their results.", "gauge", write_effect_bytes },
	{ "cupel_calls_retried_total", "Calls sent again.", "counter", write_retried },
	{ "cupel_retries_refused_total", "Retries there was no budget for.", "counter", write_unaffordable },
	{ "cupel_calls_shed_total", "Calls that made room for more urgent ones.", "counter", write_shed },
	{ "cupel_calls_poisoned_total", "Calls refused because they kill workers.", "counter", write_poisoned },
	{ "cupel_clients", "Clients connected.", "gauge", write_clients },
	{ "cupel_link_faults_total", "Links closed because a peer broke the rules.", "counter", write_faults },
	{ "cupel_clients_stalled_total", "Clients cut because they did not read.", "counter", write_stalled },
	{ "cupel_body_received_bytes_total", "Bytes of bodies received.", "counter", write_bytes_in },
	{ "cupel_body_sent_bytes_total", "Bytes of bodies sent.", "counter", write_bytes_out },
	{ "cupel_store_used_bytes", "Bytes that wait in the router.", "gauge", write_store },
	{ "cupel_catalog_generation", "Generation of the tool catalogue.", "gauge", write_catalog },
	{ "cupel_message_decode_seconds", "To decode a message; some of them.", "histogram", write_decoding },
	{ "cupel_message_encode_seconds", "To encode a message; some of them.", "histogram", write_encoding },
	{ "cupel_catalog_lookup_seconds", "To find a call's tool in the catalogue; of some calls.", "histogram", write_lookups },
	{ "cupel_router_resident_bytes", "Resident memory of the router.", "gauge", write_resident },
	{ "cupel_monitor_resident_bytes", "Resident memory of the monitor.", "gauge", write_monitor_resident },
	{ "cupel_monitor_cpu_seconds_total", "Processor time of the monitor.", "counter", write_monitor_cpu },
	{ "cupel_monitor_open_fds", "Descriptors the monitor has open.", "gauge", write_monitor_descriptors },
	{ "cupel_monitor_start_time_seconds", "When the monitor started, since 1970.", "gauge", write_monitor_start },
	{ "process_resident_memory_bytes", "Resident memory of the router.", "gauge", write_resident },
	{ "process_virtual_memory_bytes", "Address space of the router.", "gauge", write_virtual },
	{ "process_cpu_seconds_total", "Processor time of the router.", "counter", write_cpu },
	{ "process_open_fds", "Descriptors the router has open.", "gauge", write_descriptors },
	{ "process_max_fds", "Descriptors it may have.", "gauge", write_descriptors_most },
	{ "process_start_time_seconds", "When the router started, since 1970.", "gauge", write_start },
	{ "cupel_router_events_total", "Events the router has handled.", "counter", write_turns },
};

void report_metrics(struct router *router, struct writer *w, int64_t now_ns)
{
	for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *family = &families[i];

		write_text(w, "# HELP ");
		write_text(w, family->name);
		write_text(w, " ");
		write_text(w, family->help);
		write_text(w, "\n# TYPE ");
		write_text(w, family->name);
		write_text(w, " ");
		write_text(w, family->type);
		write_text(w, "\n");
		family->write(router, w, family->name, now_ns);
	}
}
