/*
 * logtail.h - the log files of one directory, read as one log.
 *
 *	NAME.log.N ... NAME.log.1, NAME.log	the lines of NAME, oldest first
 *
 * The files of all names are merged by their time stamps. Every file is held
 * open from the moment it is found: renaming by rotation changes nothing, and
 * at the end of NAME.log newer files are looked for by their inodes, so that
 * no line is lost or told twice however often the log has been rotated since.
 * NAME.error.log repeats what NAME.log says and is left out.
 * Source of the format and of the names: common/logfile.h.
 */
#ifndef CUPEL_SUPERVISOR_CLI_LOGTAIL_H
#define CUPEL_SUPERVISOR_CLI_LOGTAIL_H

#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

#define LOGTAIL_NAMES_MAX 16
#define LOGTAIL_FILES_MAX 128	/* of one name, the newest and its backups */

struct logtail_file {
	FILE *file;
	uint64_t device, inode;
};

struct logtail_stream {
	char name[256];			/* "cupeld.log" */
	struct logtail_file files[LOGTAIL_FILES_MAX];	/* the newest first */
	int file_count, current;	/* files above it are read and closed */
	char *line;			/* that waits to be told; or NULL */
	size_t room;
	size_t length;
};

struct logtail {
	int directory_fd;
	struct logtail_stream streams[LOGTAIL_NAMES_MAX];
	int stream_count;
};

int logtail_open(struct logtail *tail, const char *directory,
		 struct error *why);
void logtail_close(struct logtail *tail);

/* The next whole line without its newline, until the next call; or NULL. */
const char *logtail_next(struct logtail *tail);

/* Looks for what was written, rotated or begun since logtail_next() said NULL. */
void logtail_look(struct logtail *tail);

#endif
