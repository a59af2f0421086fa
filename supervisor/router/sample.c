#include "supervisor/router/shell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define UNKNOWN_PERCENT 101
#define SAMPLE_TEXT_BYTES 2048

/* Before confinement; afterwards nothing can be opened. proc(5). */
void sample_open(struct sampler *sampler, const char *directory)
{
	char monitor[32];
	const char *const files[SAMPLE_FD_COUNT] = {
		[SAMPLE_MEMORY] = "/proc/meminfo",
		[SAMPLE_CPU]    = "/proc/stat",
		[SAMPLE_SELF]   = "/proc/self/statm",
		[SAMPLE_MONITOR] = monitor,
	};

	snprintf(monitor, sizeof(monitor), "/proc/%d/statm", getppid());
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

static uint64_t resident_bytes(const struct sampler *sampler, int whose)
{
	char text[SAMPLE_TEXT_BYTES];

	if (!read_text(sampler->fds[whose], text))
		return 0;
	return number_after(text, " ") * (uint64_t)sysconf(_SC_PAGESIZE);
}

void sample_take(struct sampler *sampler, struct router_sample *ret)
{
	*ret = (struct router_sample){
		.memory_percent = memory_percent(sampler),
		.disk_percent = disk_percent(sampler),
		.cpu_percent = cpu_percent(sampler),
		.resident_bytes = resident_bytes(sampler, SAMPLE_SELF),
		.monitor_bytes = resident_bytes(sampler, SAMPLE_MONITOR),
	};
}
