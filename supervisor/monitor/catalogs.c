/* Manifests, read by the loader; two generations of what it found. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "supervisor/monitor/monitor.h"

#define QUIET_NS (200 * NS_PER_MS)	/* after the last change to a manifest */
#define LATER_NS NS_PER_S		/* while another reload is being tried */
#define LOADER_ARGUMENTS_MAX (2 * MONITOR_POLICIES_MAX + MONITOR_DIRECTORIES_MAX + 4)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void clear(struct generation *generation)
{
	munmap((void *)(uintptr_t)generation->catalog, generation->bytes);
	close(generation->fd);
	generation->fd = -1;
}

static void release(struct generation *generation)
{
	if (generation->fd < 0)
		return;
	for (unsigned i = 0; i < generation->catalog->pool_count; i++)
		if (generation->programs[i].fd >= 0)
			close(generation->programs[i].fd);
	clear(generation);
}

/* ---- from the loader's memory to the core's pools ---- */

static int plan_of(const struct monitor *monitor, const char *policy)
{
	for (unsigned i = 0; i < monitor->plan_count; i++)
		if (strcmp(monitor->plans[i].policy.name, policy) == 0)
			return (int)i;
	return -1;
}

static void find_needs(struct monitor *monitor, struct generation *generation)
{
	struct error why;

	for (unsigned i = 0; i < generation->catalog->pool_count; i++) {
		const struct catalog_pool *pool = &generation->catalog->pools[i];

		generation->plans[i] = plan_of(monitor, pool->policy);
		if (generation->plans[i] < 0)
			log_write(&monitor->log, LEVEL_ERROR, "a pool names no policy there is",
				  LOG_FIELDS(log_text("pool", pool->name),
					     log_text("policy", pool->policy)));
		if (program_open(&generation->programs[i], pool->program, &why) < 0)
			log_write(&monitor->log, LEVEL_ERROR, "a pool's program is not usable",
				  LOG_FIELDS(log_text("pool", pool->name),
					     log_text("reason", why.text)));
	}
}

/* Sealed first: what is checked afterwards can no longer change. */
static int map(struct generation *ret, int memory, struct error *why)
{
	struct stat status;

	if (fcntl(memory, F_ADD_SEALS, SEALS) < 0)
		return error_set(why, -errno, "seal the catalog: %s", strerror(errno));
	if (fstat(memory, &status) < 0 || status.st_size < (off_t)sizeof(struct catalog) ||
	    status.st_size > (off_t)(sizeof(struct catalog) + CATALOG_TEXT_BYTES_MAX))
		return error_set(why, -EBADMSG, "the loader wrote no catalog");
	ret->bytes = (size_t)status.st_size;
	ret->catalog = mmap(NULL, ret->bytes, PROT_READ, MAP_SHARED, memory, 0);
	if (ret->catalog == MAP_FAILED)
		return error_set(why, -errno, "map the catalog: %s", strerror(errno));
	int r = catalog_check(ret->catalog, ret->bytes, why);

	if (r < 0)
		munmap((void *)(uintptr_t)ret->catalog, ret->bytes);
	return r;
}

static bool is_probed(const struct catalog *catalog, unsigned pool)
{
	for (unsigned i = 0; i < catalog->tool_count; i++)
		if (catalog->tools[i].pool == pool && catalog->tools[i].probe.length)
			return true;
	return false;
}

static void offer(struct monitor *monitor)
{
	static struct core_pool_spec specs[CATALOG_POOLS_MAX];
	const struct catalog *catalog = monitor->other.catalog;

	for (unsigned i = 0; i < catalog->pool_count; i++) {
		const struct catalog_pool *pool = &catalog->pools[i];

		specs[i] = (struct core_pool_spec){
			.name = pool->name, .hash = pool->hash,
			.fixed = pool->kind == POOL_STATIC,
			.single_use = pool->kind == POOL_PER_CALL,
			.critical = pool->flags & POOL_CRITICAL,
			.bound = pool->flags & POOL_WORKSPACE,
			.batch = pool->flags & POOL_BATCH,
			.probed = is_probed(catalog, i),
			.size = pool->size, .warm = pool->warm,
			.recycle_age_ns = pool->recycle_age_ns,
			.recycle_bytes = pool->recycle_bytes, .start_ns = pool->start_ns,
		};
	}
	monitor_event(monitor, &(struct core_event){
		.kind = CORE_RELOADED, .specs = specs, .spec_count = catalog->pool_count });
}

/* ---- the loader ---- */

static void refuse(struct monitor *monitor, const struct error *why)
{
	if (monitor->holding.fd < 0)
		monitor_fail(monitor, 78, "the manifests are refused", why);
	else
		log_write(&monitor->log, LEVEL_ERROR,
			  "the manifests are refused, the old ones stay",
			  LOG_FIELDS(log_text("reason", why->text)));
}

static void on_loaded(void *owner, const struct loop_exit *exit, int64_t now_ns)
{
	struct monitor *monitor = owner;
	struct loader *loader = &monitor->loader;
	AUTO_CLOSE int memory = fd_take(&loader->memory);
	struct error why = { 0 };
	int r = 0;

	monitor->now_ns = now_ns;
	output_close(monitor, &loader->output);
	close(fd_take(&loader->pidfd));
	if (loader->again)
		catalogs_request(monitor, false, now_ns);
	loader->again = false;
	if (exit->code != CLD_EXITED || exit->status != 0)
		r = error_set(&why, -EBADMSG, "the loader ended with %s %d: %.200s",
			      exit->code == CLD_EXITED ? "status" : "signal", exit->status,
			      loader->output.text);	/* the last it said */
	/* A watch that still runs is cut short, and its other generation gone. */
	if (r == 0 && monitor->core.reload == RELOAD_WATCH)
		release(&monitor->other);
	if (r == 0)
		r = map(&monitor->other, memory, &why);
	if (r < 0) {
		refuse(monitor, &why);
		return;
	}
	monitor->other.fd = fd_take(&memory);
	if (monitor->holding.fd >= 0 &&
	    monitor->other.catalog->generation == monitor->holding.catalog->generation) {
		clear(&monitor->other);
		return;		/* the loader found nothing changed */
	}
	find_needs(monitor, &monitor->other);
	offer(monitor);
}

/* What more is permitted than before, somebody must have asked for. */
static void build_argv(struct monitor *monitor, const char *argv[LOADER_ARGUMENTS_MAX])
{
	unsigned count = 0;

	argv[count++] = "cupel-catalog";
	if (monitor->holding.fd >= 0)
		argv[count++] = "--previous";
	if (monitor->loader.ordered)
		argv[count++] = "--allow-wider";
	monitor->loader.ordered = false;
	for (unsigned i = 0; i < monitor->plan_count; i++)
		if (!policy_preset(monitor->plans[i].policy.name)) {
			argv[count++] = "--policy";
			argv[count++] = monitor->plans[i].policy.name;
		}
	for (unsigned i = 0; i < monitor->directory_count; i++)
		argv[count++] = monitor->directories[i];
	argv[count] = NULL;
}

static int start_loader(struct monitor *monitor, struct error *why)
{
	struct loader *loader = &monitor->loader;
	const char *argv[LOADER_ARGUMENTS_MAX];
	int theirs = -1, pidfd = -1;
	AUTO_CLOSE int memory = memfd_create("catalog", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory < 0)
		return error_set(why, -errno, "memfd_create: %s", strerror(errno));
	build_argv(monitor, argv);
	int r = output_open(monitor, &loader->output, 0, &theirs, why);
	AUTO_CLOSE int output = theirs;

	const int fds[] = { memory, monitor->holding.fd };

	if (r == 0)
		r = program_start(monitor, &monitor->loader_program, argv, fds,
				  monitor->holding.fd < 0 ? 1 : 2, output, &pidfd, why);
	loader->child = (struct loop_child){ .exited = on_loaded, .owner = monitor };
	if (r == 0)
		r = program_watch(monitor, &loader->child, pidfd, why);
	if (r < 0) {
		output_close(monitor, &loader->output);
		if (pidfd >= 0)
			close(pidfd);
		return r;
	}
	loader->pidfd = pidfd;
	loader->memory = fd_take(&memory);
	return 0;
}

void catalogs_request(struct monitor *monitor, bool ordered, int64_t at_ns)
{
	monitor->loader.ordered |= ordered;
	if (monitor->loader.pidfd >= 0)
		monitor->loader.again = true;
	else
		monitor->loader.at_ns = deadline_earlier(monitor->loader.at_ns, at_ns);
	monitor_rearm(monitor);
}

void catalogs_tick(struct monitor *monitor, int64_t now_ns)
{
	struct error why;

	if (now_ns < monitor->loader.at_ns)
		return;
	monitor->loader.at_ns = DEADLINE_NEVER;
	if (monitor->core.state == SUPERVISOR_DRAINING)
		return;
	if (!core_may_reload(&monitor->core)) {
		monitor->loader.at_ns = now_ns + LATER_NS;
		return;
	}
	if (start_loader(monitor, &why) < 0)
		refuse(monitor, &why);
}

/* ---- manifests that change ---- */

static void on_change(void *owner, uint32_t events, int64_t now_ns)
{
	struct monitor *monitor = owner;
	char room[4096];

	(void)events;
	monitor->now_ns = now_ns;
	if (read(monitor->manifests.fd, room, sizeof(room)) > 0) {
		monitor->loader.at_ns = DEADLINE_NEVER;
		catalogs_request(monitor, false, now_ns + QUIET_NS);
	}
}

int catalogs_watch(struct monitor *monitor, struct error *why)
{
	const uint32_t changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return error_set(why, -errno, "inotify: %s", strerror(errno));
	for (unsigned i = 0; i < monitor->directory_count; i++)
		if (inotify_add_watch(fd, monitor->directories[i], changes) < 0 &&
		    errno != ENOENT)
			log_write(&monitor->log, LEVEL_WARNING,
				  "changes of manifests are not noticed",
				  LOG_FIELDS(log_text("directory", monitor->directories[i]),
					     log_text("reason", strerror(errno))));
	monitor->manifests = (struct loop_source){ .fd = fd, .ready = on_change,
						   .owner = monitor };
	return loop_add(&monitor->loop, &monitor->manifests, EPOLLIN, why);
}

/* ---- which generation holds ---- */

const struct catalog_pool *catalogs_pool(struct monitor *monitor,
					 const struct core_pool *pool,
					 struct generation **ret_generation,
					 unsigned *ret_row)
{
	bool live = pool->number != CONTROL_NO_POOL;
	struct generation *generation = live ? &monitor->holding : &monitor->other;
	uint16_t row = live ? pool->number : pool->other;

	if (row == CONTROL_NO_POOL || generation->fd < 0 ||
	    row >= generation->catalog->pool_count)
		return NULL;
	*ret_generation = generation;
	*ret_row = row;
	return &generation->catalog->pools[row];
}

/* The router's copy bears the core's number, which only rises. */
int catalogs_publish(struct monitor *monitor, struct error *why)
{
	const struct generation *generation = &monitor->holding;
	const uint32_t number = monitor->core.catalog;
	AUTO_CLOSE int fd = -1;

	if (monitor->published >= 0)
		return 0;
	fd = memfd_create("catalog", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 ||
	    write(fd, generation->catalog, generation->bytes) != (ssize_t)generation->bytes ||
	    pwrite(fd, &number, sizeof(number), offsetof(struct catalog, generation)) !=
		    (ssize_t)sizeof(number) ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return error_set(why, -errno, "copy the catalog: %s", strerror(errno));
	monitor->published = fd_take(&fd);
	return 0;
}

/* A router that cannot be told begins anew, and gets it then. */
void catalogs_switch(struct monitor *monitor)
{
	struct generation held = monitor->holding;
	struct error why;

	monitor->holding = monitor->other;
	monitor->other = held;
	if (monitor->published >= 0)
		close(fd_take(&monitor->published));
	if (catalogs_publish(monitor, &why) == 0) {
		control_tell(monitor, (struct control){ .kind = CONTROL_CATALOG,
			.argument = monitor->core.catalog }, monitor->published);
	} else {
		log_write(&monitor->log, LEVEL_ERROR, "the router is not told of a catalog",
			  LOG_FIELDS(log_text("reason", why.text)));
		worker_kill(monitor, CORE_ROUTER);
	}
	log_write(&monitor->log, LEVEL_NOTICE, "a catalog holds",
		  LOG_FIELDS(log_uint("generation", monitor->core.catalog),
			     log_uint("pools", monitor->holding.catalog->pool_count),
			     log_uint("tools", monitor->holding.catalog->tool_count)));
}

void catalogs_settle(struct monitor *monitor, bool newer)
{
	if (newer)
		log_write(&monitor->log, LEVEL_ERROR, "the new manifests did not hold", NULL);
	release(&monitor->other);
}

void catalogs_release(struct monitor *monitor)
{
	release(&monitor->other);
	release(&monitor->holding);
	if (monitor->published >= 0)
		close(monitor->published);
	if (monitor->loader.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, monitor->loader.pidfd, SIGKILL, NULL, 0);
}
