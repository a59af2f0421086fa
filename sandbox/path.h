/*
 * path.h - the one way a path becomes a descriptor.
 *
 * Every path that comes from a client, a policy or a workspace is opened here,
 * once, and used by descriptor ever after; plain open(2), chown(2) and
 * mount(2) elsewhere in privileged code fail 'make check-layers'. The kernel
 * does the resolving: openat2(2), Linux 5.6.
 */
#ifndef CUPEL_SANDBOX_PATH_H
#define CUPEL_SANDBOX_PATH_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct error;

/* In place of a directory: the path is absolute, or the caller's own relative one. */
#define PATH_ABSOLUTE AT_FDCWD

/* How far a path may lead. */
enum path_trust {
	PATH_HOST,	/* owned by the host: symbolic links yes, magic links no */
	PATH_BENEATH,	/* never above the directory, never out of its mount */
	PATH_STRICT,	/* as beneath, and no symbolic link at all */
};

/*
 * openat2(2) under that trust; flags as open(2), O_CLOEXEC is added. Returns
 * a descriptor or -errno, with the path in why.
 */
int path_open(int directory, const char *path, int flags, mode_t mode,
	      enum path_trust trust, struct error *why);

/* The same for what may be missing: then -ENOENT, and not a word in why. */
int path_open_if_there(int directory, const char *path, int flags, enum path_trust trust,
		       struct error *why);

/* The user namespace of a child of ours; the one magic link that is followed. */
int path_open_user_namespace(pid_t pid, struct error *why);

/*
 * Makes the directories of a relative path below directory (mode 0755), and
 * at its end a directory or an empty file, unless something is there. Each is
 * made in the one before it, which is opened under that trust; the way to a
 * file is always strict. 0 or -errno.
 */
int path_make(int directory, const char *path, bool is_directory,
	      enum path_trust trust, struct error *why);

/* Writes the whole text to an existing file such as one of /proc. 0, -errno. */
int path_write(int directory, const char *path, const char *text,
	       struct error *why);

#endif
