/*
 * limits.h - how much a confined command may use.
 *
 * The rows of one table (limits.c) are the names an option or a policy file
 * may set and their units, for reading and for printing.
 */
#ifndef CUPEL_SANDBOX_LIMITS_H
#define CUPEL_SANDBOX_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct error;

/* A limit of 0 is "not limited by us". */
struct limits {
	int64_t wall_ns;
	int64_t cpu_ns;		/* of the whole tree */
	uint64_t cpus;		/* processors' worth of time at once */
	uint64_t memory_bytes;	/* of the whole tree, tmpfs included */
	uint64_t pids;
	uint64_t output_bytes;	/* stdout and stderr together */
	uint64_t disk_bytes;	/* of /tmp and of an overlay's changes, each */
	uint64_t inodes;
	uint64_t files;		/* open descriptors of one process */
};

/*
 * One limit as "wall=10s" or "memory=512M" into limits; "none" lifts it.
 * -EINVAL for an unknown name, and for a number without its unit where the row
 * has one; -ERANGE for 0 and for what does not fit.
 */
int limits_set(struct limits *limits, const char *text, struct error *why);

/* The names in order, NULL after the last. */
const char *limits_name(size_t index);

#define LIMIT_TEXT_BYTES 32

/* The value of that limit as limits_set() reads it back. */
void limits_text(const struct limits *limits, size_t index,
		 char ret[LIMIT_TEXT_BYTES]);

#endif
