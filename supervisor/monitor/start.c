/* The monitor's start-up, in the order of a table, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/path.h"
#include "sandbox/privileges.h"
#include "supervisor/monitor/monitor.h"

#define BACKLOG 128
#define EFFECTS "effects"	/* beside it: what the router keeps (ledger.c) */
#define BREAKERS "breakers"
#define STATE_LOCK "effects.lock"
#define ESCAPE_MARK "brownout"	/* in the state directory: when it last gave up */
#define GROUP "cupel"
#define LOCK_RETRY_NS (10 * NS_PER_MS)
#define STATE_PATIENCE_NS (2 * NS_PER_S)	/* a killed one's router has it as well */

/* What a root's monitor keeps; everything else is given up for good. */
static const struct privilege kept[] = {
	{ CAP_SYS_ADMIN, "map the ids of mounts; found namespaces for workers" },
	{ CAP_SETUID, "map each worker's own user id; the router's change of id" },
	{ CAP_SETGID, "the same for groups" },
	{ CAP_SETPCAP, "let router and loader empty their bounding sets" },
	{ CAP_KILL, "end workers, whose ids are not ours" },
	/* The last, where cgroup_needs_override(): */
	{ CAP_DAC_OVERRIDE, "make groups in the root of a tree" },
};

static int open_directory(const char *path, int *ret, struct error *why)
{
	*ret = path_open(PATH_ABSOLUTE, path, O_RDONLY | O_DIRECTORY, 0, PATH_HOST, why);
	return *ret < 0 ? *ret : 0;
}

static int find_places(struct monitor *monitor, struct error *why)
{
	struct places *places = &monitor->places;
	int r = places_find(places, why);

	if (r == 0 && monitor->settings.log.dir && monitor->settings.log.dir[0])
		snprintf(places->log, sizeof(places->log), "%s", monitor->settings.log.dir);
	if (r == 0)
		r = places_make(places, why);
	if (r == 0)
		r = open_directory(places->run, &monitor->run_directory, why);
	if (r == 0)
		r = open_directory(places->state, &monitor->state_directory, why);
	return r < 0 ? r : open_directory(places->log, &monitor->log_directory, why);
}

static int load_settings(struct monitor *monitor, struct error *why)
{
	return settings_load(&monitor->config, &monitor->settings, NULL, why);
}

/* Whether the name still stands for it: its last owner took it along. */
static bool is_removed(int directory, const char *name, int file)
{
	struct stat held, named;

	return fstat(file, &held) < 0 ||
	       fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	       held.st_ino != named.st_ino;
}

static int tell_holder(int file, const char *path, struct error *why)
{
	char text[24] = "";
	long pid = pread(file, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;

	return error_set(why, -EWOULDBLOCK, "another supervisor, process %ld, serves %s",
			 pid, path);
}

/* Waits, for at most so long, until a lock that another has is free. */
static int hold(int file, const char *path, int64_t patience_ns, struct error *why)
{
	const struct timespec pause = { 0, LOCK_RETRY_NS };
	int64_t until_ns = deadline_after(clock_now_ns(), patience_ns);

	while (flock(file, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_set(why, -errno, "lock %s: %s", path, strerror(errno));
		if (deadline_passed(until_ns, clock_now_ns()))
			return tell_holder(file, path, why);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The two have unlike names: one directory may serve for both. */
static int lock(int directory, const char *path, const char *name, int64_t patience_ns,
		int *ret, struct error *why)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%d\n", getpid()), r;

	do {
		if (*ret > 0)
			close(*ret);
		*ret = path_open(directory, name, O_RDWR | O_CREAT, 0600, PATH_STRICT, why);
		r = *ret < 0 ? *ret : hold(*ret, path, patience_ns, why);
		if (r < 0)
			return r;
	} while (is_removed(directory, name, *ret));
	if (ftruncate(*ret, 0) < 0 || pwrite(*ret, text, (size_t)length, 0) != length)
		return error_set(why, -EIO, "write %s/%s", path, name);
	return 0;
}

static int take_locks(struct monitor *monitor, struct error *why)
{
	int r = lock(monitor->run_directory, monitor->places.run, PLACES_LOCK, 0,
		     &monitor->run_lock, why);

	return r < 0 ? r : lock(monitor->state_directory, monitor->places.state, STATE_LOCK,
				STATE_PATIENCE_NS, &monitor->state_lock, why);
}

static int open_log(struct monitor *monitor, struct error *why)
{
	const struct settings_log *said = &monitor->settings.log;
	const struct logfile_settings settings = {
		.file_bytes_max = (uint64_t)said->file_bytes,
		.backups_count = (unsigned)said->backups,
		.repeats_max = (unsigned)said->repeats,
		.repeat_window_ns = said->repeat_window_ns,
		.free_bytes_min = (uint64_t)said->free_bytes,
	};

	int r = logfile_open(&monitor->logfile, monitor->log_directory, "cupel", &settings, why);

	if (r == 0)
		log_init(&monitor->log, "monitor", (enum log_level)said->level,
			 logfile_sink(&monitor->logfile));
	return r;
}

/* Of a fixed size, so that no router can take it from under the next one. */
static int make_legacy(struct monitor *monitor, struct error *why)
{
	monitor->legacy = memfd_create("legacy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (monitor->legacy < 0 || ftruncate(monitor->legacy, ROUTER_LEGACY_BYTES) < 0 ||
	    fcntl(monitor->legacy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_set(why, -errno, "memory for routers: %s", strerror(errno));
	return 0;
}

static int open_state(const struct monitor *monitor, const char *name, int *ret_fd,
		      struct error *why)
{
	*ret_fd = path_open(monitor->state_directory, name, O_RDWR | O_CREAT, 0600,
			    PATH_STRICT, why);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int open_effects(struct monitor *monitor, struct error *why)
{
	return open_state(monitor, EFFECTS, &monitor->effects, why);
}

static int open_breakers(struct monitor *monitor, struct error *why)
{
	return open_state(monitor, BREAKERS, &monitor->breakers, why);
}

static int clean_up(struct monitor *monitor, struct error *why)
{
	cgroup_sweep();
	return keeper_start(&monitor->keeper, why);
}

static int load_policies(struct monitor *monitor, struct error *why)
{
	struct policy_found found[MONITOR_POLICIES_MAX];
	static char *const nothing[] = { NULL };
	int count = policy_list(found, COUNT(found), &monitor->arena);

	if (count >= 0)
		monitor->plans = arena_alloc_array(&monitor->arena, (size_t)count,
						  sizeof(*monitor->plans));
	if (count < 0 || !monitor->plans)
		return error_set(why, -ENOMEM, "no memory for policies");
	for (int i = 0; i < count; i++) {
		const struct plan_options options = {
			.policy = found[i].name, .no_workspace = true, .argv = nothing,
			.environment = environ,
		};
		int r = plan_resolve(&monitor->plans[monitor->plan_count], &options,
				     &monitor->arena, why);

		if (r == 0)
			monitor->plan_count++;
		else if (!found[i].path)	/* a preset: nothing would work */
			return r;
		else
			log_write(&monitor->log, LEVEL_ERROR, "a policy is refused",
				  LOG_FIELDS(log_text("policy", found[i].name),
					     log_text("reason", why->text)));
	}
	return 0;
}

static int open_programs(struct monitor *monitor, struct error *why)
{
	monitor->null_fd = path_open(PATH_ABSOLUTE, "/dev/null", O_RDWR, 0, PATH_HOST, why);
	return monitor->null_fd < 0 ? monitor->null_fd : programs_open(monitor, why);
}

/* The usual ones come first; places have been kept for them. */
static int name_directories(struct monitor *monitor, struct error *why)
{
	static char own[PLACES_BYTES];
	const char **all = monitor->directories;

	all[0] = arena_text(&monitor->arena, "%s/../share/cupel/tools", monitor->self_directory);
	all[1] = own;
	if (!places_config("tools", own))
		memmove(all + 1, all + MONITOR_USUAL_DIRECTORIES, sizeof(*all) *
			(--monitor->directory_count - 1));
	return all[0] ? 0 : error_set(why, -ENOMEM, "out of memory");
}

/* The group's number out of /etc/group; -1 if there is none. */
static gid_t group_of(const char *name)
{
	static char text[65536];
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/etc/group", O_RDONLY, 0, PATH_HOST,
				      NULL);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t size = strlen(name);

	text[length > 0 ? length : 0] = '\0';
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, size) == 0 && line[size] == ':') {
			char *number = strchr(line + size + 1, ':');

			return number ? (gid_t)strtoul(number + 1, NULL, 10) : (gid_t)-1;
		}
	}
	return (gid_t)-1;
}

static int listen_at(const struct monitor *monitor, const char *name, int type,
		     gid_t group, struct error *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set(why, -errno, "socket: %s", strerror(errno));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", monitor->places.run, name);
	if (unlinkat(monitor->run_directory, name, 0) < 0 && errno != ENOENT)
		return error_set(why, -errno, "remove %s: %s", address.sun_path, strerror(errno));
	mode_t mask = umask(group == (gid_t)-1 ? 0177 : 0117);
	int r = bind(fd, (struct sockaddr *)&address, sizeof(address));

	umask(mask);
	if (r < 0 || (group != (gid_t)-1 && fchownat(monitor->run_directory, name, (uid_t)-1,
						     group, AT_SYMLINK_NOFOLLOW) < 0) ||
	    listen(fd, BACKLOG) < 0)
		return error_set(why, -errno, "listen at %s: %s", address.sun_path,
				 strerror(errno));
	return fd_take(&fd);
}

static int start_loop(struct monitor *monitor, struct error *why)
{
	sigset_t set;
	int r = loop_init(&monitor->loop, monitor_wakeup, NULL, why);

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return r < 0 ? r : loop_handle_signals(&monitor->loop, &set, monitor_signal, why);
}

static int open_sockets(struct monitor *monitor, struct error *why)
{
	gid_t group = geteuid() == 0 ? group_of(GROUP) : (gid_t)-1;
	int listener = listen_at(monitor, PLACES_WORKSPACE, SOCK_SEQPACKET, group, why);
	int r = listener < 0 ? listener : workspaces_open(monitor, listener, why);

	if (r < 0)
		return r;
	monitor->router_listener = listen_at(monitor, PLACES_ROUTER, SOCK_STREAM, group, why);
	return monitor->router_listener < 0 ? monitor->router_listener : 0;
}

static int give_up_privileges(struct monitor *monitor, struct error *why)
{
	(void)monitor;
	if (geteuid() != 0)
		return 0;
	return privileges_keep(kept, COUNT(kept) - !cgroup_needs_override(), why);
}

/* When it last ended for a brownout, on the monotonic clock. */
static int64_t escaped_ns(const struct monitor *monitor, int64_t now_ns)
{
	struct stat mark;

	if (fstatat(monitor->state_directory, ESCAPE_MARK, &mark, AT_SYMLINK_NOFOLLOW) < 0)
		return DEADLINE_NEVER;
	int64_t age_ns = clock_wall_ns() - (int64_t)mark.st_mtim.tv_sec * NS_PER_S;

	return age_ns < 0 ? now_ns : now_ns - age_ns;
}

static void mark_escape(const struct monitor *monitor)
{
	AUTO_CLOSE int mark = path_open(monitor->state_directory, ESCAPE_MARK,
					O_WRONLY | O_CREAT, 0600, PATH_STRICT, NULL);

	if (mark >= 0)
		futimens(mark, NULL);
}

static int start_core(struct monitor *monitor, struct error *why)
{
	uint64_t seed;
	int64_t now_ns = clock_now_ns();

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return error_set(why, -EIO, "getrandom: %s", strerror(errno));
	monitor->now_ns = monitor->tick_ns = now_ns;
	core_init(&monitor->core, seed,
		  monitor->user_mode ? monitor->settings.supervisor.idle_ns : 0,
		  escaped_ns(monitor, now_ns), now_ns);
	workers_release(monitor);	/* none yet: their descriptors become -1 */
	monitor->holding.fd = monitor->other.fd = monitor->published = -1;
	monitor->loader = (struct loader){ .pidfd = -1, .memory = -1, .at_ns = now_ns,
					  .output = { .source.fd = -1, .name = "catalog",
						      /* it speaks of what it refuses */
						      .level = LEVEL_WARNING } };
	monitor_rearm(monitor);
	return catalogs_watch(monitor, why);
}

static const struct {
	const char *name;
	int (*run)(struct monitor *monitor, struct error *why);
	int status;		/* the exit status if it fails; if busy, MONITOR_BUSY */
} steps[] = {
	{ "settings", load_settings, MONITOR_CONFIG },
	{ "directories", find_places, MONITOR_FAILED },
	{ "lock", take_locks, MONITOR_FAILED },
	{ "log", open_log, MONITOR_FAILED },
	{ "effects", open_effects, MONITOR_FAILED },
	{ "breakers", open_breakers, MONITOR_FAILED },
	{ "legacy", make_legacy, MONITOR_FAILED },
	{ "cgroups", clean_up, MONITOR_FAILED },
	{ "policies", load_policies, MONITOR_CONFIG },
	{ "programs", open_programs, MONITOR_FAILED },
	{ "manifests", name_directories, MONITOR_CONFIG },
	{ "loop", start_loop, MONITOR_FAILED },
	{ "sockets", open_sockets, MONITOR_FAILED },
	{ "networks", networks_make, MONITOR_FAILED },
	{ "privileges", give_up_privileges, MONITOR_FAILED },
	{ "core", start_core, MONITOR_FAILED },
};

int monitor_start(struct monitor *monitor)
{
	struct error why = { 0 };

	for (size_t i = 0; i < COUNT(steps); i++) {
		int r = steps[i].run(monitor, &why);

		if (r < 0) {
			fprintf(stderr, "cupeld: %s: %s\n", steps[i].name, why.text);
			log_write(&monitor->log, LEVEL_CRITICAL, "the supervisor cannot start",
				  LOG_FIELDS(log_text("step", steps[i].name),
					     log_text("reason", why.text)));
			return r == -EWOULDBLOCK ? MONITOR_BUSY : steps[i].status;
		}
	}
	return 0;
}

/* The listening socket goes last, then what nobody else may touch: the run lock. */
void monitor_finish(struct monitor *monitor)
{
	workspaces_release(monitor);
	workers_release(monitor);
	catalogs_release(monitor);
	if (monitor->exit_status == CORE_EXIT_BROWNOUT)
		mark_escape(monitor);
	unlinkat(monitor->run_directory, PLACES_WORKSPACE, 0);
	unlinkat(monitor->run_directory, PLACES_ROUTER, 0);
	keeper_dismiss(&monitor->keeper);
	log_write(&monitor->log, LEVEL_NOTICE, "the supervisor has ended",
		  LOG_FIELDS(log_int("status", monitor->exit_status)));
	logfile_close(&monitor->logfile);
	unlinkat(monitor->run_directory, PLACES_LOCK, 0);
}
