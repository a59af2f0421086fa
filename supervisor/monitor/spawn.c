/* Workers begin: what an ACTION_SPAWN takes, up to a sandbox that is watched. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/wire/packet.h"
#include "sandbox/path.h"
#include "sandbox/service.h"
#include "supervisor/monitor/monitor.h"

#define ARGUMENTS_MAX 64

/*
 * In the full tier each worker is an id of its own: beyond those of `cupel run`
 * and of services (service.h), which are base + a pid, 256 for each monitor.
 */
#define WORKER_UID_BASE (SERVICE_UID_BASE + (1U << 22))

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

static int make_links(struct worker *worker, const struct catalog_pool *pool,
		      struct links *ret, struct error *why)
{
	int r = pair(SOCK_STREAM, ret->link, why);

	if (r == 0)
		r = pair(SOCK_SEQPACKET, ret->beat, why);
	if (r == 0)
		r = worker_listen(worker, ret->beat[OURS], why);
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
		.detail = (uint8_t)detail, .workspace = slot->workspace,
		.argument = (uint64_t)slot->spawned_ns }, link);
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
		r = group_make(worker, &plan, entry->flags & POOL_BATCH, why);
	if (r == 0) {
		if (!(worker->cgroup.limited & (1U << CGROUP_MEMORY)))
			worker->memory_bytes = plan.policy->limits.memory_bytes;
		plan.cgroup = worker->cgroup.layout == CGROUP_NONE ? NULL : &worker->cgroup;
		inherit(&plan, worker, links);
		networks_lend(worker, entry, &plan);
		r = sandbox_spawn(&plan, &worker->sandbox, why);
	}
	if (r == 0)
		r = worker_watch(worker, why);
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
