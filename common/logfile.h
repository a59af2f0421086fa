/*
 * logfile.h - log lines in files that rotate.
 *
 *	NAME.log	every record		NAME.log.1 ... NAME.log.N
 *	NAME.error.log	errors and worse again	NAME.error.log.1 ...
 *
 * When the next record would not fit, the files move up one number, the
 * highest is overwritten, and a new file begins. A record goes out by one
 * append; what a full disk took only part of is cut off again. So a file holds
 * whole lines, and kill -9 loses no record whose write has returned:
 *
 *	cut short in	what is left		the next start or rotation
 *	an append	a tail without newline	cuts it off, records its text
 *	the renaming	one number missing	moves up only what is below it
 *	the creating	no NAME.log		creates it
 *
 * A message that repeats (same level, component and text) is written a few
 * times in a window; the rest is counted and told in one record with the same
 * text and "repeated":count. When the file system runs short of space only
 * errors are still written. Records dropped for that or for any failure are
 * counted, and told in one record as soon as writing works again.
 *
 * One process writes: another, even a child, gives its log a pipe instead.
 * Sources: open(2), rename(2); signal(7) on kill -9 within a write(2): the
 * kernel may stop between two pages.
 */
#ifndef CUPEL_COMMON_LOGFILE_H
#define CUPEL_COMMON_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/log.h"

#define LOGFILE_NAME_BYTES 64
#define LOGFILE_STREAMS 2
#define LOGFILE_REPEATS 16	/* messages watched for repetition at a time */

struct logfile_settings {
	uint64_t file_bytes_max;
	unsigned backups_count;		/* numbered files; at least 1 */
	unsigned repeats_max;		/* written of one message in a window */
	int64_t repeat_window_ns;
	uint64_t free_bytes_min;	/* below: errors only; 0: no floor */
};

/* 10 MiB and 5 backups a stream; 5 repeats in 10 s; 64 MiB kept free. */
extern const struct logfile_settings logfile_defaults;

struct logfile_counters {
	uint64_t written;
	uint64_t suppressed;		/* as repeats */
	uint64_t dropped;		/* not in every file they belong to */
	uint64_t rotations;
	uint64_t rotation_failures;	/* the file then grows on */
};

struct logfile_stream {
	char name[LOGFILE_NAME_BYTES];
	enum log_level least;
	int fd;
	bool torn;			/* ends in part of a line */
	uint64_t bytes;			/* in whole lines */
	uint64_t rotate_at_bytes;
};

/* A message and how often it came since its window opened. */
struct logfile_repeat {
	uint64_t count;			/* 0: not in use */
	int64_t since_ns;
	enum log_level level;
	char component[32];
	char message[128];		/* longer ones are not watched */
};

struct logfile {
	int dir_fd;			/* borrowed */
	struct logfile_settings settings;
	struct logfile_counters counters; /* anyone may read these */
	struct logfile_stream streams[LOGFILE_STREAMS];
	struct logfile_repeat repeats[LOGFILE_REPEATS];
	uint64_t untold;		/* of dropped, not yet in a record */
	int64_t space_check_ns;		/* the next one is due */
	bool space_low;
};

/*
 * Opens or creates NAME.log and NAME.error.log, mode 0640, in the directory
 * dir_fd, which must stay open. A symbolic link or anything else but a regular
 * file is refused.
 */
int logfile_open(struct logfile *logfile, int dir_fd, const char *name,
		 const struct logfile_settings *settings, struct error *why);

/* Tells repeats not yet told and closes the files. */
void logfile_close(struct logfile *logfile);

/*
 * Begins with the files of these names anew, after somebody else has moved
 * them (SIGHUP, logrotate). A file that cannot be opened is written on as is,
 * and the first of such failures returned.
 */
int logfile_reopen(struct logfile *logfile, struct error *why);

/*
 * Appends a record's line to the files its level belongs to. Returns 0, also
 * for a suppressed repeat, or a negative errno after counting it as dropped.
 */
int logfile_write(struct logfile *logfile, const struct log_record *record,
		  struct span line);

/* The same as a sink for log_init(). */
struct log_sink logfile_sink(struct logfile *logfile);

/*
 * Tells the repeats whose window has closed. Returns when (monotonic) to call
 * again, or DEADLINE_NEVER if nothing waits to be told.
 */
int64_t logfile_tick(struct logfile *logfile, int64_t now_ns);

#endif
