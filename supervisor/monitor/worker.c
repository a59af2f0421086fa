/* Workers that run: what is heard of them, orders, the four facts of death. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/wire/packet.h"
#include "sandbox/usage.h"
#include "supervisor/monitor/monitor.h"

#define BEATS_PER_TURN 4
#define BEATS_LAST 64
#define EMPTY_AGAIN_NS (5 * NS_PER_MS)
#define LOOK_NS (50 * NS_PER_MS)

/* One that starts, leaves or has not been heard of cannot wait for a processor. */
static void give_way(struct worker *worker)
{
	bool ready = worker->monitor->core.slots[worker->index].state == WORKER_READY;

	if (ready != worker->background)
		cgroup_background(&worker->cgroup, ready);
	worker->background = ready;
}

void worker_report(struct worker *worker, struct core_event event)
{
	event.slot = worker->index;
	event.generation = worker->generation;
	monitor_event(worker->monitor, &event);
	give_way(worker);
}

static void forget(struct monitor *monitor, struct loop_source *source)
{
	if (source->fd >= 0)
		loop_remove(&monitor->loop, source);
	source->fd = -1;
}

/* ---- beats ---- */

static void read_beats(struct worker *worker, int most)
{
	struct core_event event = { .kind = CORE_BEAT };

	while (most-- > 0 && worker->beat.fd >= 0) {
		int r = packet_receive(worker->beat.fd, &event.beat, sizeof(event.beat),
				       NULL, 0);

		if (r == 0)
			return;
		if (r < 0 && r != -EBADMSG) {	/* its pidfd tells the rest */
			loop_close(&worker->monitor->loop, &worker->beat);
			return;
		}
		if (r < 0)
			event.beat = (struct beat){ .kind = 0 };
		if (event.beat.kind == BEAT_TAKEN && worker->memory_bytes &&
		    worker->look_ns == DEADLINE_NEVER)
			worker->look_ns = worker->monitor->now_ns + LOOK_NS;
		worker_report(worker, event);
	}
}

static void on_beat(void *owner, uint32_t events, int64_t now_ns)
{
	struct worker *worker = owner;

	(void)events;
	worker->monitor->now_ns = now_ns;
	read_beats(worker, BEATS_PER_TURN);
}

/* A source that has a descriptor is in the loop. */
int worker_listen(struct worker *worker, int fd, struct error *why)
{
	worker->beat = (struct loop_source){ .fd = fd, .ready = on_beat, .owner = worker };
	int r = loop_add(&worker->monitor->loop, &worker->beat, EPOLLIN, why);

	if (r < 0) {
		close(fd);
		worker->beat.fd = -1;
	}
	return r;
}

/* ---- init's report and its last record ---- */

/* What the machine is short of is nobody's fault; a workspace is its caller's. */
static enum start_fault fault_of(const struct worker *worker,
				 const struct sandbox_report *found)
{
	static const int32_t shortages[] = { ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC };

	if (strcmp(found->failed_step, "exec") == 0)
		return START_FAULT_HOPELESS;
	for (size_t i = 0; i < COUNT(shortages); i++)
		if (found->failed_errno == shortages[i])
			return START_FAULT_PASSING;
	return worker->monitor->core.slots[worker->index].workspace ?
	       START_FAULT_WORKSPACE : START_FAULT_PASSING;
}

static void not_started(struct worker *worker, const struct sandbox_report *found)
{
	fault_not_started(worker, found->failed_step, found->failed_errno, found->detail);
	worker_report(worker, (struct core_event){
		.kind = CORE_NOT_STARTED, .value = (uint64_t)found->failed_errno,
		.fault = fault_of(worker, found) });
}

static void read_reports(struct worker *worker)
{
	struct sandbox_report found;
	int r = 1;

	while (r == 1 && worker->report.fd >= 0 && !worker->status_known) {
		if (worker->reported) {
			r = sandbox_receive_status(&worker->sandbox, &worker->status);
			worker->status_known = r == 1;
			continue;
		}
		r = sandbox_receive_report(&worker->sandbox, &found);
		if (r != 1)
			continue;
		worker->reported = true;
		if (found.failed_errno)
			not_started(worker, &found);
		else
			worker_report(worker, (struct core_event){ .kind = CORE_STARTED });
	}
	if (r < 0 || worker->status_known)	/* the socket is the sandbox's to close */
		forget(worker->monitor, &worker->report);
}

static void on_report(void *owner, uint32_t events, int64_t now_ns)
{
	struct worker *worker = owner;

	(void)events;
	worker->monitor->now_ns = now_ns;
	read_reports(worker);
}

/* ---- death ---- */

static void on_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct worker *worker = owner;
	struct core_event event = { .kind = CORE_FACTS, .exit_status = -1,
				    .facts = FACT_ENDED | FACT_REAPED | FACT_DRAINED };
	int status;

	(void)exit;	/* init's own end: by a kill of all, unless there is a status */
	worker->monitor->now_ns = now_ns;
	read_reports(worker);
	read_beats(worker, BEATS_LAST);
	worker->look_ns = DEADLINE_NEVER;
	output_close(worker->monitor, &worker->output);
	status = worker->status_known ? worker->status.wait_status : SIGKILL;
	if (WIFEXITED(status))
		event.exit_status = WEXITSTATUS(status);
	else
		event.signal = WTERMSIG(status);
	worker->exit_status = event.exit_status;
	worker->signal = event.signal;
	if (event.exit_status != 0) {
		fault_crashed(worker, &event.call);
		event.oom = event.signal == SIGKILL &&
			    (worker->outgrown || cgroup_oom_kills(&worker->cgroup) > 0);
	}
	if (group_leave(worker, event.exit_status == 0) == 0)
		event.facts |= FACT_EMPTY;
	else
		worker->emptying_ns = now_ns + EMPTY_AGAIN_NS;
	worker_report(worker, event);
}

void workers_ask_empty(struct monitor *monitor, int64_t now_ns)
{
	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		struct worker *worker = &monitor->workers[i];

		if (!worker->generation || worker->emptying_ns > now_ns)
			continue;
		worker->emptying_ns = now_ns + EMPTY_AGAIN_NS;
		cgroup_kill(&worker->cgroup);
		if (cgroup_try_remove(&worker->cgroup) == 0) {
			worker->emptying_ns = DEADLINE_NEVER;
			worker_report(worker, (struct core_event){
				.kind = CORE_FACTS, .facts = FACT_EMPTY });
		}
	}
}

int worker_watch(struct worker *worker, struct error *why)
{
	struct loop *loop = &worker->monitor->loop;

	worker->child = (struct loop_child){ .pidfd = worker->sandbox.init_pidfd,
					     .exited = on_exited, .owner = worker };
	worker->report = (struct loop_source){ .fd = worker->sandbox.control,
					       .ready = on_report, .owner = worker };
	int r = loop_add(loop, &worker->report, EPOLLIN, why);

	if (r < 0)
		worker->report.fd = -1;
	if (r == 0)
		r = loop_watch_child(loop, &worker->child, why);
	if (r < 0) {
		sandbox_kill(&worker->sandbox);
		waitid(P_PIDFD, (id_t)worker->sandbox.init_pidfd, NULL, WEXITED);
	}
	return r;
}

/* ---- orders ---- */

void worker_signal(struct monitor *monitor, uint32_t index, int signal)
{
	struct worker *worker = &monitor->workers[index];

	if (index == CORE_ROUTER)
		syscall(SYS_pidfd_send_signal, worker->sandbox.init_pidfd, signal, NULL, 0);
	else
		sandbox_signal(&worker->sandbox, signal);
}

void worker_kill(struct monitor *monitor, uint32_t index)
{
	struct worker *worker = &monitor->workers[index];

	cgroup_kill(&worker->cgroup);
	if (worker->sandbox.init_pidfd >= 0)
		sandbox_kill(&worker->sandbox);
}

static void clear(struct monitor *monitor, uint32_t index)
{
	struct worker *worker = &monitor->workers[index];
	struct output output = { .source.fd = -1, .level = LEVEL_INFO };

	memcpy(output.name, worker->output.name, sizeof(output.name));	/* for the log */
	*worker = (struct worker){
		.monitor = monitor, .index = index,
		.sandbox = { .init_pidfd = -1, .control = -1, .denials = -1, .upper = -1 },
		.report = { .fd = -1 }, .beat = { .fd = -1 }, .output = output,
		.exit_status = -1, .crash_fd = -1, .network = -1, .emptying_ns = DEADLINE_NEVER,
		.look_ns = DEADLINE_NEVER,
	};
}

void worker_collect(struct monitor *monitor, uint32_t index, enum slot_end end)
{
	struct worker *worker = &monitor->workers[index];

	fault_ended(worker, end);
	output_close(monitor, &worker->output);
	loop_close(&monitor->loop, &worker->beat);
	forget(monitor, &worker->report);
	sandbox_close(&worker->sandbox);
	networks_take_back(worker);
	if (worker->crash_fd >= 0)
		close(worker->crash_fd);
	clear(monitor, index);
}

/* What it uses; one that uses more memory than it may is ended where no group does it. */
static int look(struct worker *worker, struct usage *ret)
{
	int r = usage_of_tree(worker->sandbox.init_pid, ret);

	if (r == 0 && worker->memory_bytes && ret->resident_bytes > worker->memory_bytes) {
		worker->outgrown = true;
		worker_kill(worker->monitor, worker->index);
	}
	return r;
}

void workers_look(struct monitor *monitor, int64_t now_ns)
{
	struct usage tree;

	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		struct worker *worker = &monitor->workers[i];

		if (worker->look_ns > now_ns)
			continue;
		worker->look_ns = now_ns + LOOK_NS;
		look(worker, &tree);
	}
}

void worker_tick(struct monitor *monitor, uint32_t index)
{
	struct worker *worker = &monitor->workers[index];
	struct usage tree;

	output_tick(monitor, &worker->output);
	give_way(worker);
	/* A fifth of them each second, all that no group watches. */
	if (index == CORE_ROUTER || !worker->reported || worker->status_known ||
	    (!worker->memory_bytes &&
	     (uint64_t)(monitor->now_ns / NS_PER_S) % 5 != index % 5))
		return;
	if (look(worker, &tree) < 0)
		return;
	worker_report(worker, (struct core_event){
		.kind = CORE_USAGE, .value = tree.resident_bytes,
		.cpu_ns = tree.cpu_ns });
}

void workers_release(struct monitor *monitor)
{
	for (uint32_t i = 0; i < CORE_SLOTS; i++) {
		if (monitor->workers[i].generation) {
			worker_kill(monitor, i);
			waitid(P_PIDFD, (id_t)monitor->workers[i].sandbox.init_pidfd, NULL,
			       WEXITED | WNOHANG);
			cgroup_remove(&monitor->workers[i].cgroup, NULL);
			worker_collect(monitor, i, SLOT_END_ORDERED);
		}
		clear(monitor, i);
	}
	groups_release(monitor);
}
