#include "supervisor/cli/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "sandbox/bare.h"
#include "sandbox/landlock.h"
#include "sandbox/namespaces.h"
#include "sandbox/seccomp_checks.h"
#include "sandbox/syscalls.h"
#include "sandbox/view.h"

#define SCHEMA "cupel.run/1"

/* Missing is null, never 0. */
static json_t *figure(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *limit(uint64_t value)
{
	return value ? json_integer((json_int_t)value) : json_null();
}

static json_t *text_array(char *const *items)
{
	json_t *array = json_array();

	for (; *items; items++) {
		char safe[4096];

		/* Arguments are bytes; JSON is UTF-8. */
		text_escape(span_of_text(*items), safe, sizeof(safe));
		json_array_append_new(array, json_string(safe));
	}
	return array;
}

static json_t *limits_json(const struct limits *limits)
{
	return json_pack("{so so so so so so so so so}",
			 "cpus", limit(limits->cpus),
			 "wall_ns", limit((uint64_t)limits->wall_ns),
			 "cpu_ns", limit((uint64_t)limits->cpu_ns),
			 "memory_bytes", limit(limits->memory_bytes),
			 "pids", limit(limits->pids),
			 "output_bytes", limit(limits->output_bytes),
			 "disk_bytes", limit(limits->disk_bytes),
			 "inodes", limit(limits->inodes),
			 "files", limit(limits->files));
}

static const char *mode_name(enum workspace_mode mode)
{
	static const char *const names[] = { "none", "direct", "readonly", "overlay" };

	return names[mode];
}

json_t *verdict_plan_json(const struct plan *plan)
{
	const struct policy *policy = &plan->policy;
	json_t *binds = json_array();

	for (size_t i = 0; i < policy->bind_count; i++)
		json_array_append_new(binds, json_pack("{ss ss ss sb}",
			"source", policy->binds[i].source,
			"target", policy->binds[i].target,
			"access", policy->binds[i].access == BIND_WRITE ? "rw" : "ro",
			"optional", policy->binds[i].optional));
	return json_pack("{ss ss so ss ss? ss ss so so so si}",
			 "policy", policy->name,
			 "tier", tier_name(plan->sandbox.tier),
			 "argv", text_array(plan->sandbox.argv),
			 "cwd", plan->sandbox.cwd,
			 "workspace", plan->sandbox.workspace,
			 "workspace_mode", mode_name(plan->sandbox.workspace_mode),
			 "network", policy->network == NETWORK_HOST ? "host" : "none",
			 "environment", text_array(plan->sandbox.envp),
			 "binds", binds,
			 "limits", limits_json(&policy->limits),
			 "filter_instructions", (int)plan->sandbox.filter.count);
}

static json_t *limits_in_force(uint32_t controllers)
{
	static const struct {
		enum cgroup_controller controller;
		const char *name;
	} rows[] = {
		{ CGROUP_MEMORY, "memory" }, { CGROUP_PIDS, "pids" },
	};
	json_t *array = json_array();

	for (size_t i = 0; i < COUNT(rows); i++)
		if (controllers & (1U << rows[i].controller))
			json_array_append_new(array, json_string(rows[i].name));
	return array;
}

/* What the tier leaves visible of the host, in sentences. */
static json_t *weaker_json(enum tier tier)
{
	json_t *array = json_array();

	for (size_t i = 0; tier == TIER_LANDLOCK && bare_weaknesses[i]; i++)
		json_array_append_new(array, json_string(bare_weaknesses[i]));
	return array;
}

/* What keeps the host's abstract sockets away: they go by network, not by file. */
static const char *abstract_sockets(const struct sandbox_enforced *enforced,
				    const struct policy *policy)
{
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (namespaces[i].flag == CLONE_NEWNET && enforced->namespaces & (1U << i))
			return "namespace";
	if (enforced->landlock_abi >= LANDLOCK_ABI_SCOPES)
		return "scope";
	return policy->unscoped && enforced->seccomp_denies ? "filter" : NULL;
}

static json_t *enforced_json(const struct run_result *result, const struct policy *policy,
			     enum tier tier)
{
	static const char *const sets[] = { "inheritable", "permitted", "effective",
					    "bounding", "ambient" };
	const struct sandbox_enforced *enforced = &result->report.enforced;
	json_t *spaces = json_array(), *capabilities = json_object();

	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (enforced->namespaces & (1U << i))
			json_array_append_new(spaces, json_string(namespaces[i].name));
	for (int i = 0; i < 5; i++) {
		char hex[20];

		snprintf(hex, sizeof(hex), "%016" PRIx64, enforced->capabilities[i]);
		json_object_set_new(capabilities, sets[i], json_string(hex));
	}
	return json_pack("{ss so so si sb so ss? si sb sb so sb sb si si si ss so}",
			 "tier", tier_name(tier),
			 "weaker", weaker_json(tier), "namespaces", spaces,
			 "landlock_abi", enforced->landlock_abi,
			 "landlock_denies", enforced->landlock_denies,
			 "signals_denied", tier == TIER_LANDLOCK ?
				json_boolean(enforced->signals_denied) : json_null(),
			 "abstract_sockets", abstract_sockets(enforced, policy),
			 "seccomp_mode", enforced->seccomp_mode,
			 "seccomp_denies", enforced->seccomp_denies,
			 "no_new_privs", enforced->no_new_privs,
			 "capabilities", capabilities,
			 "securebits_locked", enforced->securebits_locked,
			 "keyring_fresh", enforced->keyring_fresh,
			 "open_fds", (int)enforced->open_fds,
			 "uid", (int)enforced->uid, "gid", (int)enforced->gid,
			 "cgroup", cgroup_layout_name(result->layout),
			 "cgroup_limits", limits_in_force(result->limited));
}

/* What was asked for and is not shown; only with --explain. */
static void add_paths(json_t *array, const struct observed *observed)
{
	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_path *seen = &observed->paths[i];
		char path[2048], sentence[2200], allow[2200];

		text_escape(span_of_text(seen->path), path, sizeof(path));
		snprintf(sentence, sizeof(sentence), "%s was %s, and this policy %s", path,
			 seen->write ? "to be written" : "asked for",
			 seen->shown ? "lets it only be read" : "does not show it");
		snprintf(allow, sizeof(allow), "files { %s = { \"%s\" } }",
			 seen->write ? "write" : "read", path);
		json_array_append_new(array, json_pack("{ss ss sI ss ss? ss}",
			"kind", "path", "name", path, "count", (json_int_t)seen->count,
			"sentence", sentence,
			"allow", strncmp(path, "/proc", 5) == 0 ? NULL : allow,
			"risk", view_risk(seen->path, seen->write)));
	}
}

static json_t *denied_json(const struct run_result *result, const struct policy *policy)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->denial_count; i++) {
		const struct run_denial *denial = &result->denials[i];
		const char *name = syscall_name(denial->number);
		const char *group = syscall_group_of(denial->number);
		const struct checked_call *checked =
			syscall_set_has(&policy->syscalls, denial->number) ?
				seccomp_checked_call(denial->number) : NULL;
		char number[24], sentence[240], allow[80];

		snprintf(number, sizeof(number), "%d", denial->number);
		name = name ? name : number;
		if (checked)
			snprintf(sentence, sizeof(sentence),
				 "%s was asked for more than it may be (%s); it failed with EPERM",
				 name, checked->permitted);
		else
			snprintf(sentence, sizeof(sentence),
				 "%s is not among the calls this policy allows; it failed with EPERM",
				 name);
		snprintf(allow, sizeof(allow), "syscalls { allow = {\"%s\"} }", name);
		json_array_append_new(array, json_pack("{ss ss sI ss ss? ss? ss}",
			"kind", "syscall", "name", name,
			"count", (json_int_t)denial->count,
			"sentence", sentence, "allow", checked ? NULL : allow, "group", group,
			"risk", syscall_risk(denial->number)));
	}
	add_paths(array, &result->observed);
	return array;
}

static json_t *usage_json(const struct run_result *result)
{
	const struct cgroup_usage *usage = &result->usage;
	const struct sandbox_status *status = &result->status;
	bool group = usage->cpu_ns >= 0;
	bool ended = result->cause != RUN_SETUP_FAILED;

	/* The group counts the whole tree; rusage only what was waited for. */
	return json_pack("{so so so so so so so so ss}",
		"wall_ns", figure(ended ? result->wall_ns : -1),
		"cpu_ns", figure(group ? usage->cpu_ns :
				 ended ? (status->user_us + status->system_us) * 1000 : -1),
		"user_ns", figure(ended ? status->user_us * 1000 : -1),
		"system_ns", figure(ended ? status->system_us * 1000 : -1),
		"memory_peak_bytes", figure(usage->memory_peak_bytes),
		"rss_peak_bytes", figure(ended ? status->maxrss_kib * 1024 : -1),
		"io_read_bytes", figure(usage->io_read_bytes >= 0 ? usage->io_read_bytes :
					ended ? status->in_blocks * 512 : -1),
		"io_write_bytes", figure(usage->io_write_bytes >= 0 ? usage->io_write_bytes :
					 ended ? status->out_blocks * 512 : -1),
		"accounting", group ? "cgroup" : "rusage");
}

static json_t *output_json(const struct run_result *result)
{
	static const char *const names[] = { "stdout", "stderr" };
	json_t *object = json_object();

	json_object_set_new(object, "relayed", json_boolean(result->relayed));
	for (int i = 0; result->relayed && i < 2; i++) {
		const struct run_stream *stream = &result->streams[i];

		json_object_set_new(object, names[i], json_pack("{sI sI sI}",
			"bytes", (json_int_t)stream->bytes,
			"passed", (json_int_t)stream->passed,
			"dropped", (json_int_t)stream->dropped));
	}
	return object;
}

static json_t *phases_json(const struct run_result *result)
{
	json_t *object = json_object();

	for (int i = 0; i < PHASE_COUNT; i++)
		json_object_set_new(object, sandbox_phase_name((enum sandbox_phase)i),
				    json_integer(result->report.phase_ns[i]));
	return object;
}

json_t *verdict_json(const struct plan *plan, const struct run_result *result,
		     json_t *changes, const struct error *why)
{
	bool failed = result->cause == RUN_SETUP_FAILED;

	return json_pack("{ss so ss so so so ss? ss? ss? so so so so so sI so? so}",
		"schema", SCHEMA,
		"command", text_array(plan->sandbox.argv),
		"cause", run_cause_name(result->cause),
		"exit_code", figure(result->exit_code),
		"signal", result->signal ? json_integer(result->signal) : json_null(),
		"exit_status", json_integer(run_exit_status(result)),
		"failed_step", failed ? result->report.failed_step : NULL,
		"reason", failed ? why->text : NULL,
		"no_cgroup", result->no_cgroup[0] ? result->no_cgroup : NULL,
		"usage", usage_json(result),
		"setup_ns", phases_json(result),
		"enforced", enforced_json(result, &plan->policy, plan->sandbox.tier),
		"output", output_json(result),
		"denied", denied_json(result, &plan->policy),
		"denied_total", (json_int_t)result->denials_total +
				(json_int_t)result->observed.total,
		"changes", changes,
		"plan", verdict_plan_json(plan));
}

/* ---- for a person ---- */

static void quantity(enum run_cause cause, const struct limits *limits,
		     char ret[TEXT_QUANTITY_BYTES])
{
	ret[0] = '\0';
	if (cause == RUN_WALL)
		text_duration(limits->wall_ns, ret);
	else if (cause == RUN_CPU)
		text_duration(limits->cpu_ns, ret);
	else if (cause == RUN_OOM)
		text_size(limits->memory_bytes, ret);
	else if (cause == RUN_OUTPUT)
		text_size(limits->output_bytes, ret);
	else if (cause == RUN_DISK)
		text_size(limits->disk_bytes, ret);
	else if (cause == RUN_PIDS)
		snprintf(ret, TEXT_QUANTITY_BYTES, "%" PRIu64, limits->pids);
}

const char *verdict_way_out(int error)
{
	bool of_host = error == ENOSYS || error == EPERM || error == EACCES;

	return of_host ? "; 'cupel doctor' finds what this host lacks" : "";
}

bool verdict_sentence(const struct run_result *result, const struct policy *policy,
		      const struct error *why, char *ret, size_t size)
{
	static const char *const sentences[RUN_CAUSE_COUNT] = {
		[RUN_WALL] = "ended after its wall time of %s; --limit wall=... allows more",
		[RUN_CPU] = "ended after its processor time of %s; --limit cpu=... allows more",
		[RUN_OOM] = "ended: it needed more than its %s of memory; --limit memory=... allows more",
		[RUN_PIDS] = "failed after it was refused a process beyond %s; --limit pids=... allows more",
		[RUN_OUTPUT] = "ended: it wrote more than %s of output; --limit output=... allows more",
		[RUN_DISK] = "failed with its %s of disk (or its inodes) full; --limit disk=... and inodes=... allow more",
		[RUN_DENIED] = "was killed: it made a system call of a foreign kind (32-bit or x32)%s",
		[RUN_CANCELLED] = "was cancelled%s",
	};
	char number[TEXT_QUANTITY_BYTES];

	if (result->cause == RUN_SETUP_FAILED) {
		snprintf(ret, size, "%s%s", why->text,
			 strcmp(result->report.failed_step, "exec") != 0 ?
				 verdict_way_out(result->report.failed_errno) :
			 result->report.failed_errno == ENOENT ?
				 "; inside is only what policy, workspace and --bind show" : "");
		return true;
	}
	if (!sentences[result->cause])
		return false;
	quantity(result->cause, &policy->limits, number);
	/* The sentences are the table's own; each has one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(ret, size, sentences[result->cause], number);
#pragma GCC diagnostic pop
	return true;
}
