#include "tests/chaos/storm.h"

#include <signal.h>
#include <string.h>

#include "common/cleanup.h"

#define WORKER "cupel-echo"
#define ROUTER "cupel-router"
#define PIDS_MAX 512

static struct {
	pid_t pid;
	int64_t until_ns;
} stopped[8];

struct outage outage = { 0, 1, 0 };

/* Whether a file of a process begins with that line or argument. */
static bool says(pid_t pid, const char *name, const char *wanted)
{
	char path[64], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fread(text, 1, sizeof(text) - 1, file) == 0)
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, wanted) == 0;
}

static bool is_named(pid_t pid, const char *name)
{
	return says(pid, "comm", name);
}

/* Of that name, below a process. */
static size_t find_below(pid_t pid, const char *name, pid_t *ret, size_t count)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		if (is_named(child, name) && count < PIDS_MAX)
			ret[count++] = child;
		count = find_below(child, name, ret, count);
	}
	if (file)
		fclose(file);
	return count;
}

/* A worker is called by its pool. */
static bool is_called(pid_t pid, const char *wanted)
{
	return says(pid, "cmdline", wanted);
}

static bool is_of_pool(pid_t pid, unsigned pool)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "storm%u", pool);
	return is_called(pid, wanted);
}

/* 0 if there is none, or it is one to be let alone. */
static pid_t any_process(const char *name)
{
	pid_t pids[PIDS_MAX];
	size_t count = find_below(given.supervisor, name, pids, 0);
	pid_t pid = count ? pids[below(count)] : 0;

	return pid && is_called(pid, HAVEN) ? 0 : pid;
}

unsigned kill_workers(unsigned pool, unsigned most)
{
	pid_t pids[PIDS_MAX];
	size_t count = find_below(given.supervisor, WORKER, pids, 0);
	unsigned killed = 0;

	for (size_t i = 0; i < count && killed < most; i++)
		if (is_of_pool(pids[i], pool) && kill(pids[i], SIGKILL) == 0)
			killed++;
	counts.fired[FAULT_KILL] += killed;
	return killed;
}

void kill_router(void)
{
	pid_t pid = any_process(ROUTER);

	if (pid <= 0 || kill(pid, SIGKILL) < 0)
		return;
	counts.fired[FAULT_ROUTER]++;
	outage.from_ns = clock_now_ns();
	outage.to_ns = 0;
}

void end_outage(int64_t now_ns)
{
	outage.to_ns = now_ns;
	if (now_ns - outage.from_ns > outage.longest_ns)
		outage.longest_ns = now_ns - outage.from_ns;
}

int64_t away_ns(int64_t from_ns, int64_t now_ns)
{
	int64_t to_ns = outage.to_ns ? outage.to_ns : now_ns;

	from_ns = from_ns > outage.from_ns ? from_ns : outage.from_ns;
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

void stop_one(int64_t now_ns)
{
	for (size_t i = 0; i < COUNT(stopped); i++) {
		if (stopped[i].pid)
			continue;
		stopped[i].pid = any_process(WORKER);
		if (stopped[i].pid <= 0 || kill(stopped[i].pid, SIGSTOP) < 0) {
			stopped[i].pid = 0;
			return;
		}
		stopped[i].until_ns = now_ns + (int64_t)below(one_in(4) ? 12000 : 400) * NS_PER_MS;
		counts.fired[FAULT_STOP]++;
		return;
	}
}

void continue_all(int64_t now_ns)
{
	for (size_t i = 0; i < COUNT(stopped); i++)
		if (stopped[i].pid && now_ns >= stopped[i].until_ns) {
			if (is_named(stopped[i].pid, WORKER))
				kill(stopped[i].pid, SIGCONT);
			stopped[i].pid = 0;
		}
}
