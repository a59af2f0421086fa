/* Workers: from ACTION_SPAWN to the four facts of death. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/wire/packet.h"
#include "sandbox/path.h"
#include "sandbox/service.h"
#include "sandbox/usage.h"
#include "supervisor/monitor/monitor.h"

#define BEATS_PER_TURN 4
#define BEATS_LAST 64
#define ARGUMENTS_MAX 64
#define EMPTY_AGAIN_NS (5 * NS_PER_MS)

/*
 * In the full tier each worker is an id of its own: beyond those of `cupel run`
 * and of services (service.h), which are base + a pid, 256 for each monitor.
 */
#define WORKER_UID_BASE (SERVICE_UID_BASE + (1U << 22))

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

/* ---- init's report and its last record ---- */

static void not_started(struct worker *worker, const struct sandbox_report *found)
{
	bool hopeless = strcmp(found->failed_step, "exec") == 0;

	monitor_log(worker->monitor, worker->output.name, LEVEL_ERROR,
		    "the worker cannot be started",
		    LOG_FIELDS(log_text("step", found->failed_step),
			       log_int("errno", found->failed_errno),
			       log_text("reason", found->detail)));
	worker_report(worker, (struct core_event){
		.kind = CORE_NOT_STARTED, .value = (uint64_t)found->failed_errno,
		.fault = hopeless ? START_FAULT_HOPELESS : START_FAULT_PASSING });
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

static void read_crash_page(struct worker *worker, struct crash_page *ret)
{
	if (pread(worker->crash_fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret) ||
	    ret->address_count > CRASH_ADDRESSES_MAX)
		memset(ret, 0, sizeof(*ret));
}

static void log_crash(struct worker *worker, const struct crash_page *page)
{
	char text[CRASH_ADDRESSES_MAX * 20] = "", build[CRASH_BUILD_BYTES + 1] = "";
	size_t length = 0;

	memcpy(build, page->build, CRASH_BUILD_BYTES);
	for (uint32_t i = 0; i < page->address_count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%llx",
					   i ? " " : "",
					   (unsigned long long)page->addresses[i]);
	monitor_log(worker->monitor, worker->output.name, LEVEL_WARNING, "crash page",
		    LOG_FIELDS(log_uint("call", page->call), log_uint("phase", page->phase),
			       log_text("build", build), log_text("backtrace", text)));
}

/* ---- groups, which take longer to make and remove than much of a job ---- */

static struct cgroup take_spare_group(struct monitor *monitor, unsigned index)
{
	struct cgroup taken = monitor->groups[index];

	monitor->group_count--;
	memmove(&monitor->groups[index], &monitor->groups[index + 1],
		(monitor->group_count - index) * sizeof(taken));
	return taken;
}

static bool find_spare_group(struct worker *worker, const struct limits *limits, bool meek)
{
	struct monitor *monitor = worker->monitor;

	for (unsigned i = 0; i < monitor->group_count; i++)
		if (cgroup_fits(&monitor->groups[i], limits, meek)) {
			worker->cgroup = take_spare_group(monitor, i);
			return true;
		}
	return false;
}

/* What no worker has asked for makes room for what one had just now. */
static void keep_group(struct worker *worker)
{
	struct monitor *monitor = worker->monitor;

	if (monitor->group_count == GROUPS_MAX) {
		struct cgroup oldest = take_spare_group(monitor, 0);

		cgroup_remove(&oldest, NULL);
	}
	monitor->groups[monitor->group_count++] = worker->cgroup;
	worker->cgroup.layout = CGROUP_NONE;
}

/* 0 when no process is in it any more: it is gone, or the next one's. */
static int leave_group(struct worker *worker, bool in_order)
{
	if (!in_order || !cgroup_is_reusable(&worker->cgroup))
		return cgroup_try_remove(&worker->cgroup);
	if (worker->background)
		cgroup_background(&worker->cgroup, false);
	worker->background = false;
	keep_group(worker);
	return 0;
}

static void on_exited(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct worker *worker = owner;
	struct core_event event = { .kind = CORE_FACTS, .exit_status = -1,
				    .facts = FACT_ENDED | FACT_REAPED | FACT_DRAINED };
	struct crash_page page = { 0 };
	int status;

	(void)exit;	/* init's own end: by a kill of all, unless there is a status */
	worker->monitor->now_ns = now_ns;
	read_reports(worker);
	read_beats(worker, BEATS_LAST);
	output_close(worker->monitor, &worker->output);
	status = worker->status_known ? worker->status.wait_status : SIGKILL;
	if (WIFEXITED(status))
		event.exit_status = WEXITSTATUS(status);
	else
		event.signal = WTERMSIG(status);
	if (event.exit_status != 0) {
		read_crash_page(worker, &page);
		event.oom = event.signal == SIGKILL && cgroup_oom_kills(&worker->cgroup) > 0;
		event.call = page.call;
		if (page.address_count)
			log_crash(worker, &page);
	}
	if (leave_group(worker, event.exit_status == 0) == 0)
		event.facts |= FACT_EMPTY;
	else
		worker->emptying_ns = now_ns + EMPTY_AGAIN_NS;
	worker_report(worker, event);
}

int64_t workers_ask_empty(struct monitor *monitor, int64_t now_ns)
{
	int64_t next_ns = DEADLINE_NEVER;

	for (uint32_t i = 0; i < CORE_ROUTER; i++) {
		struct worker *worker = &monitor->workers[i];

		if (!worker->generation || worker->emptying_ns == DEADLINE_NEVER)
			continue;
		if (worker->emptying_ns <= now_ns) {
			worker->emptying_ns = now_ns + EMPTY_AGAIN_NS;
			cgroup_kill(&worker->cgroup);
			if (cgroup_try_remove(&worker->cgroup) == 0) {
				worker->emptying_ns = DEADLINE_NEVER;
				worker_report(worker, (struct core_event){
					.kind = CORE_FACTS, .facts = FACT_EMPTY });
				continue;
			}
		}
		next_ns = deadline_earlier(next_ns, worker->emptying_ns);
	}
	return next_ns;
}

/* ---- birth ---- */

enum end { OURS, THEIRS };

static int pair(int type, int ret[2], struct error *why)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret) < 0)
		return error_set(why, -errno, "socketpair: %s", strerror(errno));
	return 0;
}

static int crash_page(struct worker *worker, struct error *why)
{
	worker->crash_fd = memfd_create("crash", MFD_CLOEXEC);
	if (worker->crash_fd < 0 || ftruncate(worker->crash_fd, sizeof(struct crash_page)) < 0)
		return error_set(why, -errno, "crash page: %s", strerror(errno));
	return 0;
}

/* argv[0] is the pool's name; the rest lie in the catalog, each with its NUL. */
static void build_argv(const struct catalog *catalog, const struct catalog_pool *pool,
		       const char *argv[ARGUMENTS_MAX])
{
	const char *text = catalog_text(catalog, pool->arguments);
	const char *end = text + pool->arguments.length;
	int count = 0;

	argv[count++] = pool->name;
	while (text < end && count < ARGUMENTS_MAX - 1) {
		argv[count++] = text;
		text += strlen(text) + 1;
	}
	argv[count] = NULL;
}

/* The pool's own directory below the state; made when it is first needed. */
static int open_state(struct monitor *monitor, const struct catalog_pool *pool,
		      char ret[PATH_MAX], struct error *why)
{
	int state = monitor->state_directory;

	if (mkdirat(state, pool->name, 0700) < 0 && errno != EEXIST)
		return error_set(why, -errno, "mkdir %s/%s: %s", monitor->places.state,
				 pool->name, strerror(errno));
	snprintf(ret, PATH_MAX, "%.4000s/%s", monitor->places.state, pool->name);
	return path_open(state, pool->name, O_PATH | O_DIRECTORY, 0, PATH_STRICT, why);
}

static int open_workspace(struct monitor *monitor, uint32_t number,
			  char ret[PATH_MAX], struct error *why)
{
	const struct workspace *workspace = workspaces_find(monitor, number);

	if (!workspace)
		return error_set(why, -ENOENT, "workspace %u is no more", number);
	int fd = fcntl(workspace->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return error_set(why, -errno, "fcntl: %s", strerror(errno));
	memcpy(ret, workspace->path, PATH_MAX);
	return fd;
}

static int place_workspace(struct monitor *monitor, const struct catalog_pool *pool,
			   uint32_t number, struct sandbox_plan *plan, struct error *why)
{
	static char path[PATH_MAX];	/* of no table of ours: init goes on using it */
	bool full = plan->tier == TIER_FULL;
	int fd;

	plan->workspace_mode = WORKSPACE_NONE;
	if (pool->flags & POOL_STATE) {
		fd = open_state(monitor, pool, path, why);
		plan->workspace_mode = WORKSPACE_DIRECT;
	} else if (number) {
		fd = open_workspace(monitor, number, path, why);
		plan->workspace_mode = (enum workspace_mode)pool->workspace_mode;
	} else {
		return 0;
	}
	plan->workspace = plan->cwd = path;
	return fd < 0 ? fd :
	       tree_take(&plan->workspace_tree, fd, plan->workspace,
			 full ? plan->host_uid : (uid_t)-1, plan->host_gid, why);
}

/*
 * Making one takes longer than the rest of a start: single-use workers, which
 * come and go, have all there are; of others only half may hold one.
 */
static void lend_network(struct monitor *monitor, struct worker *worker,
			 const struct catalog_pool *pool, struct sandbox_plan *plan)
{
	unsigned kept = pool->kind == POOL_PER_CALL ? 0 : NETWORKS_MAX / 2;

	if (plan->policy->network != NETWORK_NONE || plan->tier != TIER_FULL ||
	    monitor->network_count <= kept)
		return;
	worker->network = monitor->networks[--monitor->network_count];
	plan->network = worker->network;
	plan->home_network = monitor->home_network;
}

/* Its pid namespace is gone by now, or it was never there. */
static void take_network_back(struct monitor *monitor, struct worker *worker)
{
	if (worker->network >= 0)
		monitor->networks[monitor->network_count++] = worker->network;
	worker->network = -1;
}

/* A user without delegated groups does without, as `cupel run` does. */
static int make_group(struct worker *worker, const struct sandbox_plan *plan,
		      bool batch, struct error *why)
{
	if (find_spare_group(worker, &plan->policy->limits, batch))
		return 0;
	int r = cgroup_create(&worker->cgroup, &plan->policy->limits, batch, why);
	bool none = r == -EOPNOTSUPP;	/* a user's: as `cupel run`, it does without */

	if (none && !worker->monitor->groupless)
		log_write(&worker->monitor->log, LEVEL_WARNING, "workers have no groups",
			  LOG_FIELDS(log_text("reason", why->text)));
	worker->monitor->groupless = none;
	return none ? 0 : r;
}

/* What the worker inherits, in the order of enum worker_descriptor. */
struct links {
	int link[2], beat[2], client[2], output;	/* by enum end */
};

static void close_theirs(struct links *links)
{
	const int all[] = { links->link[OURS], links->link[THEIRS], links->beat[THEIRS],
			    links->client[OURS], links->client[THEIRS], links->output };

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i] >= 0)
			close(all[i]);
}

/* A source that has a descriptor is in the loop. */
static int listen_to_beats(struct worker *worker, int fd, struct error *why)
{
	worker->beat = (struct loop_source){ .fd = fd, .ready = on_beat, .owner = worker };
	int r = loop_add(&worker->monitor->loop, &worker->beat, EPOLLIN, why);

	if (r < 0) {
		close(fd);
		worker->beat.fd = -1;
	}
	return r;
}

static int make_links(struct worker *worker, const struct catalog_pool *pool,
		      struct links *ret, struct error *why)
{
	int r = pair(SOCK_STREAM, ret->link, why);

	if (r == 0)
		r = pair(SOCK_SEQPACKET, ret->beat, why);
	if (r == 0)
		r = listen_to_beats(worker, ret->beat[OURS], why);
	if (r == 0 && pool->client_role < ROLE_COUNT)
		r = pair(SOCK_STREAM, ret->client, why);
	if (r == 0)
		r = crash_page(worker, why);
	if (r == 0)
		r = output_open(worker->monitor, &worker->output, worker->generation,
				&ret->output, why);
	return r;
}

static void inherit(struct sandbox_plan *plan, const struct worker *worker,
		    const struct links *links)
{
	const int fds[] = { links->link[THEIRS], links->beat[THEIRS], worker->crash_fd,
			    links->client[THEIRS] };

	plan->inherited_count = 0;
	for (size_t i = 0; i < COUNT(fds); i++)
		if (fds[i] >= 0)
			plan->inherited[plan->inherited_count++] = fds[i];
	plan->stdio[0] = worker->monitor->null_fd;
	plan->stdio[1] = plan->stdio[2] = links->output;
}

static int watch(struct worker *worker, struct error *why)
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

/* The router's end of its link; detail: of enum slot_up, beside what is seen here. */
static void tell_up(struct worker *worker, int link, unsigned detail)
{
	const struct core *core = &worker->monitor->core;
	const struct core_slot *slot = &core->slots[worker->index];
	uint16_t pool = core->pools[slot->pool].number;

	detail |= pool == CONTROL_NO_POOL ? SLOT_UP_CANARY : 0;
	control_tell(worker->monitor, (struct control){
		.kind = CONTROL_SLOT_UP, .slot = worker->index,
		.generation = worker->generation, .pool = pool,
		.detail = (uint8_t)detail, .workspace = slot->workspace }, link);
}

static void tell_client_up(struct worker *worker, const struct catalog_pool *row,
			   int link)
{
	if (link >= 0)
		control_tell(worker->monitor, (struct control){
			.kind = CONTROL_CLIENT_UP, .slot = worker->index,
			.generation = worker->generation,
			.detail = (uint8_t)row->client_role }, link);
}

/* What could not be opened with the manifests may be there by now, or afford it. */
static int find_program(const struct catalog_pool *entry, struct program *program,
			enum start_fault *ret_fault, struct error *why)
{
	int r = program->fd < 0 ? program_open(program, entry->program, why) : 0;
	bool is_short = r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EINTR;

	*ret_fault = is_short ? START_FAULT_PASSING : START_FAULT_HOPELESS;
	return r;
}

static int start(struct monitor *monitor, struct worker *worker, struct links *links,
		 enum start_fault *ret_fault, struct error *why)
{
	const struct core_slot *slot = &monitor->core.slots[worker->index];
	const struct core_pool *pool = &monitor->core.pools[slot->pool];
	struct generation *generation;
	const char *argv[ARGUMENTS_MAX];
	unsigned row;
	const struct catalog_pool *entry = catalogs_pool(monitor, pool, &generation, &row);

	if (!entry)
		return error_set(why, -ESTALE, "its pool is of no catalog any more");
	*ret_fault = START_FAULT_HOPELESS;
	if (generation->plans[row] < 0)
		return error_set(why, -ENOENT, "there is no policy %s", entry->policy);
	int r = find_program(entry, &generation->programs[row], ret_fault, why);

	if (r < 0)
		return r;
	struct sandbox_plan plan = monitor->plans[generation->plans[row]].sandbox;

	if (plan.tier == TIER_FULL)
		plan.host_uid = plan.host_gid = WORKER_UID_BASE +
			(unsigned)getpid() * CONTROL_SLOTS_MAX + worker->index;
	build_argv(generation->catalog, entry, argv);
	plan.argv = (char *const *)(uintptr_t)argv;
	plan.program = generation->programs[row].fd;
	plan.host_clock = true;	/* frames hold deadlines of the host's */
	plan.tables = monitor;
	plan.table_bytes = sizeof(*monitor);
	plan.counter = entry->kind == POOL_PER_CALL && entry->client_role >= ROLE_COUNT;
	plan.program_is_script = generation->programs[row].script;
	r = place_workspace(monitor, entry, slot->workspace, &plan, why);
	*ret_fault = r < 0 && slot->workspace ? START_FAULT_WORKSPACE : START_FAULT_PASSING;
	if (r == 0)
		r = make_links(worker, entry, links, why);
	if (r == 0)
		r = make_group(worker, &plan, entry->flags & POOL_BATCH, why);
	if (r == 0) {
		plan.cgroup = worker->cgroup.layout == CGROUP_NONE ? NULL : &worker->cgroup;
		inherit(&plan, worker, links);
		lend_network(monitor, worker, entry, &plan);
		r = sandbox_spawn(&plan, &worker->sandbox, why);
	}
	if (r == 0)
		r = watch(worker, why);
	tree_close(&plan.workspace_tree);
	if (r < 0)
		return r;
	tell_up(worker, links->link[OURS], 0);
	tell_client_up(worker, entry, links->client[OURS]);
	return 0;
}

void worker_spawn(struct monitor *monitor, uint32_t index)
{
	struct worker *worker = &monitor->workers[index];
	struct links links = { { -1, -1 }, { -1, -1 }, { -1, -1 }, -1 };
	enum start_fault fault = START_FAULT_PASSING;
	char name[WORKER_NAME_BYTES];
	struct error why;

	worker->generation = monitor->core.slots[index].generation;
	snprintf(name, sizeof(name), "%s/%u",
		 monitor->core.pools[monitor->core.slots[index].pool].name, index);
	memcpy(worker->output.name, name, sizeof(name));
	int r = start(monitor, worker, &links, &fault, &why);

	close_theirs(&links);
	if (r == 0)
		return;
	cgroup_remove(&worker->cgroup, NULL);
	monitor_log(monitor, worker->output.name, LEVEL_ERROR, "the worker cannot be started",
		    LOG_FIELDS(log_text("reason", why.text)));
	worker_report(worker, (struct core_event){
		.kind = CORE_NOT_STARTED, .value = (uint64_t)-r, .facts = FACT_ALL,
		.exit_status = -1, .fault = fault });
}

void worker_link(struct monitor *monitor, uint32_t index)
{
	const struct beat beat = { .kind = BEAT_LINK };
	struct worker *worker = &monitor->workers[index];
	int ends[2];
	struct error why;
	int r = pair(SOCK_STREAM, ends, &why);

	if (r == 0) {
		r = packet_send(worker->beat.fd, &beat, sizeof(beat), &ends[THEIRS], 1);
		if (r < 0)
			error_set(&why, r, "%s", strerror(-r));
		else
			tell_up(worker, ends[OURS], SLOT_UP_AGAIN);
		close(ends[OURS]);
		close(ends[THEIRS]);
	}
	if (r == 0)
		return;
	monitor_log(monitor, worker->output.name, LEVEL_WARNING, "the worker gets no fresh link",
		    LOG_FIELDS(log_text("reason", why.text)));
	worker_kill(monitor, index);
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

static void log_end(struct worker *worker, enum slot_end end)
{
	static const char *const names[SLOT_END_COUNT] = {
		"normal", "ordered", "exit", "signal", "out of memory", "policy",
		"hung", "start",
	};
	const struct core_slot *slot = &worker->monitor->core.slots[worker->index];
	bool expected = end == SLOT_END_NORMAL || end == SLOT_END_ORDERED;

	monitor_log(worker->monitor, worker->output.name,
		    expected ? LEVEL_DEBUG : LEVEL_WARNING, "the worker has ended",
		    LOG_FIELDS(log_uint("generation", worker->generation),
			       log_text("how", names[end]),
			       log_int("status", slot->exit_status),
			       log_int("signal", slot->signal)));
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
		.crash_fd = -1, .network = -1, .emptying_ns = DEADLINE_NEVER,
	};
}

void worker_collect(struct monitor *monitor, uint32_t index, enum slot_end end)
{
	struct worker *worker = &monitor->workers[index];

	log_end(worker, end);
	output_close(monitor, &worker->output);
	loop_close(&monitor->loop, &worker->beat);
	forget(monitor, &worker->report);
	sandbox_close(&worker->sandbox);
	take_network_back(monitor, worker);
	if (worker->crash_fd >= 0)
		close(worker->crash_fd);
	clear(monitor, index);
}

void worker_tick(struct monitor *monitor, uint32_t index)
{
	struct worker *worker = &monitor->workers[index];
	struct usage tree;

	output_tick(monitor, &worker->output);
	give_way(worker);
	/* A fifth of them each second. */
	if (index == CORE_ROUTER || !worker->reported || worker->status_known ||
	    (uint64_t)(monitor->now_ns / NS_PER_S) % 5 != index % 5)
		return;
	if (usage_of_tree(worker->sandbox.init_pid, &tree) < 0)
		return;
	worker_report(worker, (struct core_event){
		.kind = CORE_USAGE, .value = tree.resident_bytes });
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
	while (monitor->group_count > 0)
		cgroup_remove(&monitor->groups[--monitor->group_count], NULL);
}
