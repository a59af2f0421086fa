/*
 * usage.h - what processes use, read from /proc.
 *
 * For hosts where no cgroup can be had: a run is then watched by looking at
 * its tree of processes every so often. That is weaker than a group, in three
 * ways the caller should know: a burst between two looks is not seen; a
 * process whose parent ignores SIGCHLD takes its processor time along when it
 * ends (getrusage(2)); memory shared by several processes counts once in each.
 *
 * Source: proc(5).
 */
#ifndef CUPEL_SANDBOX_USAGE_H
#define CUPEL_SANDBOX_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A tree is looked at up to here: a count of this many means "at least". */
#define USAGE_PROCESSES_MAX 4096

struct process_stat {		/* of /proc/PID/stat */
	pid_t pid;		/* as this /proc numbers it */
	bool ending;		/* is exiting, or a zombie */
	unsigned threads;
	uint64_t start_ticks;	/* since boot, a hundredth of a second each */
	int64_t cpu_ns;		/* its own and its reaped children's */
};

/* Reads the text of a stat file. 0 or -EBADMSG. */
int process_stat_parse(const char *text, struct process_stat *ret);

/* Of a process, 0 being the caller. 0 or -errno: -ENOENT, -ESRCH: it is gone. */
int process_stat_read(pid_t pid, struct process_stat *ret);

struct usage {
	int64_t cpu_ns;
	uint64_t resident_bytes;	/* anonymous and shared memory, no files */
	unsigned processes;
};

/*
 * Of a process and all its descendants. 0, or -errno with ret all zero when
 * the process itself cannot be read. A zombie has no memory but counts.
 */
int usage_of_tree(pid_t root, struct usage *ret);

#endif
