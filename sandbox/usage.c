#include "sandbox/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/deadline.h"
#include "common/cleanup.h"
#include "sandbox/cgroup_core.h"
#include "sandbox/cgroup_host.h"
#include "sandbox/path.h"

#define FLAG_EXITING 0x4	/* PF_EXITING of the kernel's sched.h */
#define NS_PER_SECOND INT64_C(1000000000)

/* Fields of /proc/PID/stat as proc(5) numbers them. */
enum field {
	FIELD_AFTER_STATE = 4, FIELD_FLAGS = 9,
	FIELD_UTIME = 14, FIELD_STIME, FIELD_CUTIME, FIELD_CSTIME,
	FIELD_THREADS = 20, FIELD_START = 22, FIELD_COUNT
};

int process_stat_parse(const char *text, struct process_stat *ret)
{
	/* The name, in parentheses, may hold anything, ')' and blanks too. */
	const char *rest = strrchr(text, ')');
	long long fields[FIELD_COUNT];
	char *end;
	long pid = strtol(text, &end, 10);

	if (end == text || strncmp(end, " (", 2) != 0 || !rest || strlen(rest) < 4)
		return -EBADMSG;
	rest += 3;	/* ") S" */
	for (int i = FIELD_AFTER_STATE; i < FIELD_COUNT; i++, rest = end) {
		fields[i] = strtoll(rest, &end, 10);
		if (end == rest)
			return -EBADMSG;
	}
	*ret = (struct process_stat){
		.pid = (pid_t)pid,
		.ending = fields[FIELD_FLAGS] & FLAG_EXITING,
		.threads = (unsigned)fields[FIELD_THREADS],
		.start_ticks = (uint64_t)fields[FIELD_START],
		.cpu_ns = (fields[FIELD_UTIME] + fields[FIELD_STIME] +
			   fields[FIELD_CUTIME] + fields[FIELD_CSTIME]) *
			  (NS_PER_SECOND / sysconf(_SC_CLK_TCK)),
	};
	return 0;
}

int process_stat_read(pid_t pid, struct process_stat *ret)
{
	char path[32] = "/proc/self/stat", text[1024];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int r = cgroup_read_text(-1, path, text, sizeof(text), NULL);

	return r < 0 ? r : process_stat_parse(text, ret);
}

struct tree {
	pid_t pids[USAGE_PROCESSES_MAX];	/* found so far, parents first */
	unsigned count;
};

/* The children a thread has now, as "PID PID ..."; a file of any length. */
static void add_children_of_thread(struct tree *tree, int task, const char *thread)
{
	char path[32], text[4096];
	ssize_t length;
	pid_t pid = 0;

	snprintf(path, sizeof(path), "%.16s/children", thread);
	AUTO_CLOSE int fd = path_open(task, path, O_RDONLY, 0, PATH_STRICT, NULL);

	if (fd < 0)
		return;
	while ((length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] != ' ') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (tree->count < USAGE_PROCESSES_MAX)
				tree->pids[tree->count++] = pid;
			pid = 0;
		}
}

static void add_children(struct tree *tree, pid_t pid, unsigned threads)
{
	char path[32], leader[16];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	AUTO_CLOSE int task = path_open(-1, path, O_RDONLY | O_DIRECTORY, 0,
					PATH_HOST, NULL);

	if (task < 0)
		return;
	if (threads <= 1) {	/* the usual case needs no directory read */
		snprintf(leader, sizeof(leader), "%d", pid);
		add_children_of_thread(tree, task, leader);
		return;
	}
	DIR *directory = fdopendir(task);

	if (!directory)
		return;
	fd_take(&task);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			add_children_of_thread(tree, dirfd(directory), entry->d_name);
	closedir(directory);
}

static uint64_t resident_bytes(pid_t pid)
{
	char path[32], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (cgroup_read_text(-1, path, text, sizeof(text), NULL) < 0)
		return 0;
	int64_t private = cgroup_figure(text, "RssAnon:");
	int64_t shared = cgroup_figure(text, "RssShmem:");

	if (private < 0 || shared < 0)	/* a zombie */
		return 0;
	return (uint64_t)(private + shared) * 1024;
}

int usage_of_tree(pid_t root, struct usage *ret)
{
	struct tree tree = { .pids = { root }, .count = 1 };
	struct process_stat stat;

	*ret = (struct usage){ 0 };
	for (unsigned i = 0; i < tree.count; i++) {
		int r = process_stat_read(tree.pids[i], &stat);

		if (r < 0 && i == 0)
			return r;
		if (r < 0)	/* ended since its parent named it */
			continue;
		ret->cpu_ns += stat.cpu_ns;
		ret->resident_bytes += resident_bytes(tree.pids[i]);
		ret->processes++;
		add_children(&tree, tree.pids[i], stat.threads);
	}
	return 0;
}
