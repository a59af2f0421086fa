#include "supervisor/router/shell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptors.h"

#define UNKNOWN_PERCENT 101
#define SAMPLE_TEXT_BYTES 2048

/* What a process's start is counted from: time in suspend included, proc(5). */
static int64_t booted_ns(void)
{
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	return clock_wall_ns() - (up.tv_sec * NS_PER_S + up.tv_nsec);
}

/* Before confinement; afterwards nothing can be opened. proc(5). */
void sample_open(struct sampler *sampler, const char *directory)
{
	char monitor[32];
	const char *const files[SAMPLE_FD_COUNT] = {
		[SAMPLE_MEMORY] = "/proc/meminfo",
		[SAMPLE_CPU]    = "/proc/stat",
		[SAMPLE_SELF]   = "/proc/self/stat",
		[SAMPLE_MONITOR] = monitor,
	};

	sampler->boot_ns = booted_ns();
	sampler->descriptors_most = descriptors_limit();
	sampler->descriptors_end = descriptors_end();
	snprintf(monitor, sizeof(monitor), "/proc/%d/stat", getppid());
	for (int i = 0; i < SAMPLE_FD_COUNT; i++) {
		const char *path = files[i] ? files[i] : directory;

		sampler->fds[i] = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	}
}

/* The first bytes of a file that is written anew for each reader. */
static bool read_text(int fd, char text[SAMPLE_TEXT_BYTES])
{
	ssize_t length = fd < 0 ? -1 : pread(fd, text, SAMPLE_TEXT_BYTES - 1, 0);

	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *place = strstr(text, key);

	return place ? strtoull(place + strlen(key), NULL, 10) : 0;
}

static unsigned percent_of(uint64_t part, uint64_t whole)
{
	return whole == 0 || part > whole ? UNKNOWN_PERCENT
					  : (unsigned)(part * 100 / whole);
}

static unsigned memory_percent(const struct sampler *sampler)
{
	char text[SAMPLE_TEXT_BYTES];
	uint64_t total, available;

	if (!read_text(sampler->fds[SAMPLE_MEMORY], text))
		return UNKNOWN_PERCENT;
	total = number_after(text, "MemTotal:");
	available = number_after(text, "MemAvailable:");
	return percent_of(total - available, total);
}

/* user nice system idle iowait irq softirq steal, in ticks since boot. */
static unsigned cpu_percent(struct sampler *sampler)
{
	char text[SAMPLE_TEXT_BYTES], *at = text;
	uint64_t ticks[8] = { 0 }, all = 0, idle, busy, before = sampler->busy;
	uint64_t all_before = sampler->all;

	if (!read_text(sampler->fds[SAMPLE_CPU], text) ||
	    strncmp(text, "cpu ", 4) != 0)
		return UNKNOWN_PERCENT;
	at += 4;
	for (int i = 0; i < 8; i++) {
		ticks[i] = strtoull(at, &at, 10);
		all += ticks[i];
	}
	idle = ticks[3] + ticks[4];
	busy = all - idle;
	sampler->busy = busy;
	sampler->all = all;
	return percent_of(busy - before, all - all_before);
}

static unsigned disk_percent(const struct sampler *sampler)
{
	struct statfs status;

	if (sampler->fds[SAMPLE_DISK] < 0 ||
	    fstatfs(sampler->fds[SAMPLE_DISK], &status) < 0)
		return UNKNOWN_PERCENT;
	return percent_of(status.f_blocks - status.f_bavail, status.f_blocks);
}

/* Fields of /proc/PID/stat as proc(5) numbers them. */
enum field {
	FIELD_AFTER_STATE = 4, FIELD_UTIME = 14, FIELD_STIME,
	FIELD_START = 22, FIELD_VIRTUAL, FIELD_RESIDENT, FIELD_COUNT
};

static struct router_process process_of(const struct sampler *sampler, int whose)
{
	char text[SAMPLE_TEXT_BYTES], *at;
	uint64_t fields[FIELD_COUNT];
	int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);

	/* The name, in parentheses, may hold anything, ')' and blanks too. */
	if (!read_text(sampler->fds[whose], text) ||
	    !(at = strrchr(text, ')')) || strlen(at) < 4)
		return (struct router_process){ 0 };
	at += 3;	/* ") S" */
	for (int i = FIELD_AFTER_STATE; i < FIELD_COUNT; i++)
		fields[i] = strtoull(at, &at, 10);
	return (struct router_process){
		.resident_bytes = fields[FIELD_RESIDENT] *
				  (uint64_t)sysconf(_SC_PAGESIZE),
		.virtual_bytes = fields[FIELD_VIRTUAL],
		.cpu_ns = (int64_t)(fields[FIELD_UTIME] + fields[FIELD_STIME]) *
			  tick_ns,
		.start_ns = sampler->boot_ns + (int64_t)fields[FIELD_START] * tick_ns,
	};
}

void sample_take(struct sampler *sampler, struct router_sample *ret)
{
	*ret = (struct router_sample){
		.wall_ns = clock_wall_ns(),
		.memory_percent = memory_percent(sampler),
		.disk_percent = disk_percent(sampler),
		.cpu_percent = cpu_percent(sampler),
		.self = process_of(sampler, SAMPLE_SELF),
		.monitor = process_of(sampler, SAMPLE_MONITOR),
	};
	ret->self.descriptors = descriptors_open(sampler->descriptors_end);
	ret->self.descriptors_most = sampler->descriptors_most;
}
