#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/cgroup_core.h"
#include "sandbox/cgroup_host.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/path.h"

/* An emptying group is asked again after 0.2 ms, then twice that, and so on. */
#define RETRY_FIRST_NS 200000L
#define RETRY_MOST_NS 20000000L
#define RETRY_TOTAL_NS 5000000000L

/* Where a figure is read; rows of one file stand together. */
static const struct figure {
	int tree;
	const char *file;
	const char *key;		/* see cgroup_figure() */
	int64_t unit;
	size_t member;			/* of struct cgroup_usage */
} figures[] = {
#define TO(name) offsetof(struct cgroup_usage, name)
	{ CGROUP_UNIFIED, "cpu.stat",                  "usage_usec ",  1000, TO(cpu_ns) },
	{ CGROUP_UNIFIED, "cpu.stat",                  "user_usec ",   1000, TO(user_ns) },
	{ CGROUP_UNIFIED, "cpu.stat",                  "system_usec ", 1000, TO(system_ns) },
	{ CGROUP_UNIFIED, "memory.peak",               "",                1, TO(memory_peak_bytes) },
	{ CGROUP_UNIFIED, "memory.events",             "oom_kill ",       1, TO(oom_kills) },
	{ CGROUP_UNIFIED, "pids.peak",                 "",                1, TO(pids_peak) },
	{ CGROUP_UNIFIED, "pids.events",               "max ",            1, TO(pids_denied) },
	{ CGROUP_UNIFIED, "io.stat",                   "rbytes=",         1, TO(io_read_bytes) },
	{ CGROUP_UNIFIED, "io.stat",                   "wbytes=",         1, TO(io_write_bytes) },
	{ CGROUP_MEMORY,  "memory.max_usage_in_bytes", "",                1, TO(memory_peak_bytes) },
	{ CGROUP_MEMORY,  "memory.oom_control",        "oom_kill ",       1, TO(oom_kills) },
	{ CGROUP_PIDS,    "pids.peak",                 "",                1, TO(pids_peak) },
	{ CGROUP_PIDS,    "pids.events",               "max ",            1, TO(pids_denied) },
	{ CGROUP_CPUACCT, "cpuacct.usage",             "",                1, TO(cpu_ns) },
	{ CGROUP_CPUACCT, "cpuacct.usage_user",        "",                1, TO(user_ns) },
	{ CGROUP_CPUACCT, "cpuacct.usage_sys",         "",                1, TO(system_ns) },
#undef TO
};

int cgroup_join(const struct cgroup *cgroup, struct error *why)
{
	if (cgroup->layout == CGROUP_NONE)
		return 0;
	for (int tree = 0; tree < CGROUP_CONTROLLER_COUNT; tree++)
		if (cgroup->v1_tasks[tree] >= 0 &&
		    write(cgroup->v1_tasks[tree], "0", 1) != 1)
			return error_set(why, -errno, "join the %s group: %s",
					 cgroup_tree_controller(tree), strerror(errno));
	return 0;
}

/* A file this kernel does not have is as good as an empty one. */
static void read_figures(int directory, const char *file, char *ret, size_t size)
{
	if (cgroup_read_text(directory, file, ret, size, NULL) < 0)
		ret[0] = '\0';
}

void cgroup_usage(const struct cgroup *cgroup, struct cgroup_usage *ret)
{
	const struct figure *last = NULL;	/* its file is in text */
	char text[4096];

	memset(ret, 0xff, sizeof(*ret));	/* -1 each */
	if (cgroup->layout == CGROUP_NONE)
		return;
	for (const struct figure *row = figures; row < figures + COUNT(figures); row++) {
		int directory = cgroup_tree_fd(cgroup, row->tree);

		if (directory < 0)
			continue;
		if (!last || last->tree != row->tree || strcmp(last->file, row->file) != 0)
			read_figures(directory, row->file, text, sizeof(text));
		last = row;
		int64_t value = cgroup_figure(text, row->key);

		if (value >= 0)
			*(int64_t *)(void *)((char *)ret + row->member) = value * row->unit;
	}
}

int64_t cgroup_oom_kills(const struct cgroup *cgroup)
{
	int64_t count = -1;
	char text[512];

	for (const struct figure *row = figures; row < figures + COUNT(figures); row++) {
		int directory = row->member == offsetof(struct cgroup_usage, oom_kills) ?
				cgroup_tree_fd(cgroup, row->tree) : -1;

		if (cgroup->layout == CGROUP_NONE || directory < 0)
			continue;
		read_figures(directory, row->file, text, sizeof(text));
		int64_t value = cgroup_figure(text, row->key);

		count = value > count ? value : count;
	}
	return count;
}

/* Whoever is in one tree's group is in all. */
bool cgroup_is_reusable(const struct cgroup *cgroup)
{
	char member[2];

	if (cgroup->layout == CGROUP_NONE || cgroup_oom_kills(cgroup) > 0)
		return false;
	for (int tree = CGROUP_UNIFIED; tree >= 0; tree--) {
		int directory = cgroup_tree_fd(cgroup, tree);

		if (directory >= 0)
			return cgroup_read_text(directory, "cgroup.procs", member,
						sizeof(member), NULL) == 0 && !member[0];
	}
	return false;
}

bool cgroup_fits(const struct cgroup *cgroup, const struct limits *limits, bool meek)
{
	return cgroup->memory_bytes == limits->memory_bytes &&
	       cgroup->pids == limits->pids && cgroup->meek == meek;
}

void cgroup_background(const struct cgroup *cgroup, bool background)
{
	int group = cgroup->v1[CGROUP_CPU];

	if (!(cgroup->limited & 1U << CGROUP_CPU))
		return;
	if (group < 0)
		group = cgroup->v2 >= 0 ? cgroup->v2 : cgroup->v1[CGROUP_CPUACCT];
	path_write(group, "cpu.idle", background ? "1" : "0", NULL);
}

static int freeze_v1(const struct cgroup *cgroup, bool frozen)
{
	if (cgroup->v1[CGROUP_FREEZER] < 0)
		return -EOPNOTSUPP;
	return path_write(cgroup->v1[CGROUP_FREEZER], "freezer.state",
			  frozen ? "FROZEN" : "THAWED", NULL);
}

int cgroup_freeze(const struct cgroup *cgroup, bool frozen)
{
	if (cgroup->layout == CGROUP_NONE)
		return 0;
	if (cgroup->v2 >= 0)
		return path_write(cgroup->v2, "cgroup.freeze", frozen ? "1" : "0", NULL);
	return freeze_v1(cgroup, frozen);
}

/* A member of pid 0 is one we cannot name: it lives outside our pid namespace. */
static void kill_listed(int directory)
{
	AUTO_CLOSE int fd = path_open(directory, "cgroup.procs", O_RDONLY, 0,
				      PATH_STRICT, NULL);
	char text[4096];
	ssize_t length;
	pid_t pid = 0;

	while (fd >= 0 && (length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] != '\n') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0)
				kill(pid, SIGKILL);
			pid = 0;
		}
}

int cgroup_kill(const struct cgroup *cgroup)
{
	if (cgroup->layout == CGROUP_NONE)
		return 0;
	cgroup_background(cgroup, false);
	if (cgroup->v2 >= 0)
		return path_write(cgroup->v2, "cgroup.kill", "1", NULL);
	/* Frozen, nothing can fork or give its pid away between list and kill. */
	freeze_v1(cgroup, true);
	for (int tree = 0; tree < CGROUP_CONTROLLER_COUNT; tree++)
		if (cgroup->v1[tree] >= 0)
			kill_listed(cgroup->v1[tree]);
	freeze_v1(cgroup, false);
	return 0;
}

static int remove_tree(const struct cgroup *cgroup, int tree)
{
	long waited_ns = 0, delay_ns = RETRY_FIRST_NS;

	while (unlinkat(cgroup->parents[tree], cgroup->name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)	/* a sweep was faster */
			return 0;
		if (errno != EBUSY || waited_ns >= RETRY_TOTAL_NS)
			return -errno;
		cgroup_kill(cgroup);
		nanosleep(&(struct timespec){ .tv_nsec = delay_ns }, NULL);
		waited_ns += delay_ns;
		if (delay_ns < RETRY_MOST_NS)
			delay_ns *= 2;
	}
	return 0;
}

int cgroup_remove(struct cgroup *cgroup, struct error *why)
{
	int result = 0;

	if (cgroup->layout == CGROUP_NONE)
		return 0;
	for (int tree = CGROUP_TREE_COUNT - 1; tree >= 0; tree--) {
		if (cgroup->parents[tree] < 0)
			continue;
		int r = remove_tree(cgroup, tree);

		if (r < 0)
			result = error_set(why, r, "remove cgroup %s: %s",
					   cgroup->name, strerror(-r));
		cgroup_tree_close(cgroup, tree);
	}
	cgroup_tree_clear(cgroup);
	return result;
}

int cgroup_try_remove(struct cgroup *cgroup)
{
	int result = 0;

	if (cgroup->layout == CGROUP_NONE)
		return 0;
	for (int tree = CGROUP_TREE_COUNT - 1; tree >= 0; tree--) {
		if (cgroup->parents[tree] < 0)
			continue;
		if (unlinkat(cgroup->parents[tree], cgroup->name, AT_REMOVEDIR) < 0 &&
		    errno != ENOENT) {
			result = -errno;
			continue;
		}
		cgroup_tree_close(cgroup, tree);
	}
	if (result == 0)
		cgroup_tree_clear(cgroup);
	return result;
}

const char *cgroup_layout_name(enum cgroup_layout layout)
{
	static const char *const names[] = {
		[CGROUP_NONE] = "none", [CGROUP_V1] = "v1",
		[CGROUP_V2] = "v2",	[CGROUP_HYBRID] = "hybrid",
	};

	return names[layout];
}
