#include "sandbox/changes_direct.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/core/deadline.h"
#include "common/error.h"
#include "sandbox/changes.h"
#include "sandbox/changes_later.h"
#include "sandbox/path.h"
#include "sandbox/tree.h"

struct direct_file {
	const char *path, *later;
	enum file_kind kind;
	mode_t mode;
	uint64_t size, inode;
	int64_t changed_ns, modified_ns;
	struct direct_file *next;
};

struct folder {
	const char *path;	/* "." is the top */
	bool inside;		/* of one that a pattern may begin with */
	struct folder *next;
};

struct look {
	int top;
	struct arena *arena;
	struct later_table later;
	struct folder *first, **end;	/* still to be read, in this order */
	struct direct_file *files;
	size_t count, entries;
	uint64_t omitted;
};

static int64_t ns_of(struct timespec time)
{
	return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void push(struct look *look, const char *path, bool inside)
{
	struct folder *folder = path ? arena_alloc(look->arena, sizeof(*folder)) : NULL;

	if (!folder) {
		look->omitted++;
		return;
	}
	*folder = (struct folder){ .path = path, .inside = inside };
	*look->end = folder;
	look->end = &folder->next;
}

static void add_file(struct look *look, const char *path, const char *later,
		     const struct stat *status)
{
	struct direct_file *file = path ? arena_alloc(look->arena, sizeof(*file)) : NULL;

	if (!file) {
		look->omitted++;
		return;
	}
	*file = (struct direct_file){
		.path = path, .later = later, .kind = file_kind_of(status),
		.mode = status->st_mode & 07777, .size = (uint64_t)status->st_size,
		.inode = status->st_ino, .changed_ns = ns_of(status->st_ctim),
		.modified_ns = ns_of(status->st_mtim), .next = look->files,
	};
	look->files = file;
	look->count++;
}

/* Thousands of files that nothing runs: what they hold has no name of its own. */
static bool is_object_store(const char *folder, const char *name)
{
	size_t length = strlen(folder);

	return strcmp(name, "objects") == 0 && length >= 4 &&
	       strcmp(folder + length - 4, ".git") == 0;
}

/* Below the workspace; NULL if it is too long or memory is out. */
static const char *join(const struct look *look, const char *folder, const char *name)
{
	if (strcmp(folder, ".") == 0)
		return arena_text(look->arena, "%s", name);
	return strlen(folder) + 1 + strlen(name) >= PATH_MAX ? NULL :
	       arena_text(look->arena, "%s/%s", folder, name);
}

/* Most names say nothing: no path is made of them, nor is their file looked at. */
static void see(struct look *look, const struct folder *folder, int directory,
		const struct dirent *entry)
{
	const char *name = entry->d_name;
	const char *path = folder->inside ? join(look, folder->path, name) : name;
	const char *later = !path || entry->d_type == DT_DIR ? NULL :
			    later_of(&look->later, path, entry->d_type != DT_REG);
	struct stat status = { .st_mode = S_IFDIR };

	if (path && !later && entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return;
	if (!path || (entry->d_type != DT_DIR &&
		      fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)) {
		look->omitted++;
		return;
	}
	bool is_folder = S_ISDIR(status.st_mode);

	if (is_folder ? is_object_store(folder->path, name) : !later)
		return;
	path = join(look, folder->path, name);
	if (is_folder)
		push(look, path, folder->inside || later_begins(&look->later, name));
	else
		add_file(look, path, later, &status);
}

static void read_folder(struct look *look, const struct folder *folder)
{
	int fd = path_open(look->top, folder->path, O_RDONLY | O_DIRECTORY, 0, PATH_STRICT,
			   NULL);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!stream) {
		if (fd >= 0)
			close(fd);
		look->omitted += fd != -EXDEV;	/* another file system */
		return;
	}
	while (look->entries < DIRECT_ENTRIES_MAX && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		look->entries++;
		see(look, folder, dirfd(stream), entry);
	}
	look->omitted += look->entries == DIRECT_ENTRIES_MAX;	/* there may be more */
	closedir(stream);
}

static int by_path(const void *a, const void *b)
{
	const struct direct_file *const *left = a, *const *right = b;

	return strcmp((*left)->path, (*right)->path);
}

int direct_look(const struct tree *workspace, struct arena *arena,
		struct direct_look *ret, struct error *why)
{
	struct look look = { .top = workspace->directory, .arena = arena };
	int r = later_init(&look.later, why);
	size_t i = 0;

	if (r < 0)
		return r;
	look.end = &look.first;
	push(&look, ".", false);
	for (; look.first && look.entries < DIRECT_ENTRIES_MAX; look.first = look.first->next)
		read_folder(&look, look.first);
	for (; look.first; look.first = look.first->next)
		look.omitted++;
	*ret = (struct direct_look){ .count = look.count, .omitted = look.omitted };
	ret->files = arena_alloc_array(arena, look.count + 1, sizeof(*ret->files));
	if (!ret->files)
		return error_set(why, -ENOMEM, "no memory to look through the workspace");
	for (struct direct_file *file = look.files; file; file = file->next)
		ret->files[i++] = file;
	qsort(ret->files, ret->count, sizeof(*ret->files), by_path);
	return 0;
}

static bool is_same(const struct direct_file *a, const struct direct_file *b)
{
	return a->inode == b->inode && a->kind == b->kind &&
	       a->changed_ns == b->changed_ns && a->size == b->size;
}

/* The row of a file that was, is, or was and is there; NULL for no memory. */
static struct change *row_of(const struct direct_file *was, const struct direct_file *is,
			     struct arena *arena)
{
	const struct direct_file *either = is ? is : was;
	struct change *row = arena_alloc(arena, sizeof(*row));

	assert(either);
	if (!row)
		return NULL;
	*row = (struct change){
		.path = either->path, .later = either->later,
		.was = was ? was->kind : KIND_NONE, .kind = is ? is->kind : KIND_NONE,
		.verb = !was ? CHANGE_ADDED : !is ? CHANGE_DELETED :
			was->kind != is->kind ? CHANGE_TYPE : CHANGE_MODIFIED,
	};
	if (is) {
		row->mode = is->mode;
		row->size = is->size;
		row->modified_ns = is->modified_ns;
	}
	return row;
}

void direct_compare(const struct direct_look *before, const struct direct_look *after,
		    struct arena *arena, struct changes *ret)
{
	uint64_t omitted = before->omitted > after->omitted ? before->omitted : after->omitted;
	struct change *first = NULL;
	size_t i = 0, j = 0;

	while (i < before->count || j < after->count) {
		int order = i == before->count ? 1 : j == after->count ? -1 :
			    strcmp(before->files[i]->path, after->files[j]->path);
		const struct direct_file *was = order <= 0 ? before->files[i++] : NULL;
		const struct direct_file *is = order >= 0 ? after->files[j++] : NULL;

		if (was && is && is_same(was, is))
			continue;
		struct change *row = row_of(was, is, arena);

		if (!row) {
			omitted++;
			continue;
		}
		row->next = first;
		first = row;
	}
	changes_index(first, ret);
	ret->omitted = omitted;
}
