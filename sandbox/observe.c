#include "sandbox/observe.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sandbox/view.h"

#define NO_ARGUMENT (-1)
#define PAGE_BYTES 4096U

/* Where in its arguments a call has a directory, a path and open's flags. */
static const struct row {
	int number;
	int directory, path, flags;
	bool write;
} rows[] = {
	{ SYS_open, NO_ARGUMENT, 0, 1, false },
	{ SYS_openat, 0, 1, 2, false },
	{ SYS_creat, NO_ARGUMENT, 0, NO_ARGUMENT, true },
	{ SYS_stat, NO_ARGUMENT, 0, NO_ARGUMENT, false },
	{ SYS_lstat, NO_ARGUMENT, 0, NO_ARGUMENT, false },
	{ SYS_newfstatat, 0, 1, NO_ARGUMENT, false },
	{ SYS_statx, 0, 1, NO_ARGUMENT, false },
	{ SYS_access, NO_ARGUMENT, 0, NO_ARGUMENT, false },
	{ SYS_faccessat, 0, 1, NO_ARGUMENT, false },
	{ SYS_faccessat2, 0, 1, NO_ARGUMENT, false },
	{ SYS_chdir, NO_ARGUMENT, 0, NO_ARGUMENT, false },
	{ SYS_execve, NO_ARGUMENT, 0, NO_ARGUMENT, false },
	{ SYS_mkdir, NO_ARGUMENT, 0, NO_ARGUMENT, true },
	{ SYS_mkdirat, 0, 1, NO_ARGUMENT, true },
	{ SYS_unlink, NO_ARGUMENT, 0, NO_ARGUMENT, true },
	{ SYS_unlinkat, 0, 1, NO_ARGUMENT, true },
	{ SYS_rename, NO_ARGUMENT, 1, NO_ARGUMENT, true },
	{ SYS_renameat, 2, 3, NO_ARGUMENT, true },
	{ SYS_renameat2, 2, 3, NO_ARGUMENT, true },
	{ SYS_truncate, NO_ARGUMENT, 0, NO_ARGUMENT, true },
};

static const struct row *row_of(int number)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

bool observe_call(int number)
{
	return row_of(number);
}

/* ---- out of the caller's memory ---- */

/* A text of another process, page by page; false if it does not end in time. */
static bool read_text(int pid, uint64_t address, char *ret, size_t size)
{
	size_t length = 0;

	while (length < size) {
		size_t part = PAGE_BYTES - (address + length) % PAGE_BYTES;

		if (part > size - length)
			part = size - length;
		struct iovec ours = { ret + length, part };
		struct iovec theirs = { (void *)(uintptr_t)(address + length), part };

		if (process_vm_readv(pid, &ours, 1, &theirs, 1, 0) != (ssize_t)part)
			return false;
		if (memchr(ret + length, '\0', part))
			return true;
		length += part;
	}
	return false;
}

/* As the caller would name it: where it stands, or its open directory. */
static bool read_directory(int pid, int directory, char ret[PATH_MAX])
{
	char link[48];

	if (directory == PATH_ABSOLUTE)
		snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, directory);
	ssize_t length = readlink(link, ret, PATH_MAX - 1);

	ret[length > 0 ? length : 0] = '\0';
	return length > 0 && ret[0] == '/';
}

static bool read_path(const struct row *row, const struct seccomp_denial *call,
		      char ret[OBSERVED_PATH_BYTES])
{
	char path[PATH_MAX], directory[PATH_MAX] = "";
	int fd = row->directory == NO_ARGUMENT ? PATH_ABSOLUTE :
						 (int)call->arguments[row->directory];

	if (!read_text(call->pid, call->arguments[row->path], path, sizeof(path)))
		return false;
	if (path[0] != '/' && !read_directory(call->pid, fd, directory))
		return false;
	return view_plain_path(directory, path, ret, OBSERVED_PATH_BYTES);
}

/* ---- what to tell ---- */

/* What is to be made is not there yet, but its directory is. */
static bool host_has(const char *path, bool write)
{
	char parent[OBSERVED_PATH_BYTES];
	struct statx status;
	const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;

	if (statx(PATH_ABSOLUTE, path, flags, STATX_TYPE, &status) == 0)
		return true;
	snprintf(parent, sizeof(parent), "%s", path);
	char *slash = strrchr(parent, '/');

	if (!write || !slash || slash == parent)
		return false;
	*slash = '\0';
	return statx(PATH_ABSOLUTE, parent, flags, STATX_TYPE, &status) == 0;
}

/* A directory that something shown lies in is there, as far as it leads there. */
static bool leads_to_shown(const struct sandbox_plan *plan, const char *path)
{
	size_t length = strcmp(path, "/") == 0 ? 0 : strlen(path);
	const char *workspace = plan->workspace ? plan->workspace : "";

	if (strncmp(workspace, path, length) == 0 && workspace[length] == '/')
		return true;
	for (size_t i = 0; i < plan->policy->bind_count; i++) {
		const char *target = plan->policy->binds[i].target;

		if (strncmp(target, path, length) == 0 && target[length] == '/')
			return true;
	}
	return false;
}

static void count(struct observed *observed, const char *path, bool write, bool shown)
{
	observed->total++;
	for (size_t i = 0; i < observed->count; i++) {
		struct observed_path *seen = &observed->paths[i];

		if (seen->write == write && strcmp(seen->path, path) == 0) {
			seen->count++;
			return;
		}
	}
	if (observed->count == OBSERVED_PATHS_MAX)
		return;
	struct observed_path *new = &observed->paths[observed->count++];

	*new = (struct observed_path){ .write = write, .shown = shown, .count = 1 };
	snprintf(new->path, sizeof(new->path), "%s", path);
}

void observe_note(struct observed *observed, const struct sandbox_plan *plan,
		  const struct seccomp_denial *call)
{
	const struct row *row = row_of(call->number);
	const uint64_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	char path[OBSERVED_PATH_BYTES];

	if (!row)
		return;
	bool write = row->write || (row->flags != NO_ARGUMENT &&
				    call->arguments[row->flags] & writes);

	if (!read_path(row, call, path)) {
		observed->unread++;
		return;
	}
	struct view view = view_of(plan->policy, plan->workspace, plan->workspace_mode,
				   path);
	bool told = view.kind == VIEW_READ ? write :
		    view.kind == VIEW_ABSENT || view.kind == VIEW_HIDDEN;

	if (told && (write || !leads_to_shown(plan, path)) && host_has(path, write))
		count(observed, path, write, view.kind == VIEW_READ);
}
