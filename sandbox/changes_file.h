/*
 * changes_file.h - one file of a stranger's tree: opened, compared, copied.
 *
 * Nothing here follows a symbolic link, waits for a fifo or trusts a size.
 */
#ifndef CUPEL_SANDBOX_CHANGES_FILE_H
#define CUPEL_SANDBOX_CHANGES_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/*
 * Opens a file or, with O_DIRECTORY, a directory below root for reading;
 * anything else is -ESTALE. One that its owner, the caller, may not read is
 * made readable first if widen is set.
 */
int file_open(int root, const char *path, int flags, bool widen,
	      struct error *why);

/*
 * The directory that holds path, for *at() calls, without a symbolic link on
 * the way; ret_name is the last component and borrows from path.
 */
int file_parent(int root, const char *path, const char **ret_name,
		struct error *why);

/* chmod(2) of what an O_PATH descriptor stands for. 0 or -errno. */
int file_set_mode(int fd, mode_t mode);

/* Whether two open files hold the same bytes; false above bytes_max. */
bool file_same_content(int a, int b, uint64_t bytes_max);
bool file_same_attributes(int a, int b);

/* Whether both names are symbolic links to the same target. */
bool file_same_link(int directory_a, const char *a, int directory_b,
		    const char *b);

/* The target of a symbolic link, terminated. Its length or -errno. */
ssize_t file_read_link(int directory, const char *name, char *ret, size_t size);

/*
 * Copies content and holes, user attributes and the time of modification;
 * not owner, mode, access lists or any other attribute. 0 or -errno.
 */
int file_copy(int from, int to, struct error *why);

/* User attributes alone, without those that overlayfs keeps its notes in. */
int file_copy_attributes(int from, int to, struct error *why);

#endif
