/*
 * namespaces.h - the eight kinds of namespace as one table.
 *
 * Source: namespaces(7); the inode of /proc/PID/ns/NAME tells two apart.
 */
#ifndef CUPEL_SANDBOX_NAMESPACES_H
#define CUPEL_SANDBOX_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NAMESPACE_COUNT 8
#define NAMESPACE_TIME 7	/* place in the table */

struct namespace_row {
	const char *name;	/* below /proc/self/ns */
	uint64_t flag;		/* CLONE_NEW* */
	unsigned long get;	/* ioctl(2) of a pidfd */
};

extern const struct namespace_row namespaces[NAMESPACE_COUNT];

/* The inodes of the calling process's namespaces, in table order; 0: none. */
void namespaces_read(uint64_t ret[NAMESPACE_COUNT]);

/*
 * Whether a process is in another time namespace than outside's inode. The
 * time namespace is entered by exec (Linux 6.3), so only the command itself
 * can tell, and only afterwards.
 */
bool namespaces_time_is_entered(pid_t pid, uint64_t outside);

#endif
