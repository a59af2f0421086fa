#include "sandbox/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/core/deadline.h"
#include "common/error.h"
#include "sandbox/changes_file.h"
#include "sandbox/changes_later.h"
#include "sandbox/path.h"
#include "sandbox/tree.h"

/* Larger files whose size is as before count as modified, unread. */
#define COMPARE_BYTES_MAX (UINT64_C(64) << 20)

enum layer {
	LAYER_BOTH,		/* seen merged */
	LAYER_OPAQUE,		/* in both, the lower one hidden */
	LAYER_UPPER,
	LAYER_LOWER,		/* deleted with all that is in it */
};

/* A directory still to be read. */
struct pending {
	struct pending *next;
	const char *path;	/* "." is the top */
	enum layer layer;
};

struct walk {
	int upper, lower;	/* tops of both trees */
	struct arena *arena;
	struct error *why;
	struct later_table later;
	struct pending *pending;
	struct change *first;
	uint64_t omitted;
};

/* The directory being read; a descriptor is -1 where the layer has none. */
struct place {
	const char *path;
	enum layer layer;
	int upper, lower;
};

enum file_kind file_kind_of(const struct stat *status)
{
	switch (status->st_mode & S_IFMT) {
	case S_IFREG:
		return KIND_FILE;
	case S_IFDIR:
		return KIND_DIRECTORY;
	case S_IFLNK:
		return KIND_LINK;
	default:
		return KIND_SPECIAL;
	}
}

static int64_t modified_ns(const struct stat *status)
{
	return (int64_t)status->st_mtim.tv_sec * NS_PER_S +
	       status->st_mtim.tv_nsec;
}

static bool is_whiteout(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

/* The path of an entry; NULL if it is too long or memory is out: omitted. */
static const char *join(struct walk *w, const struct place *place,
			const char *name)
{
	bool top = strcmp(place->path, ".") == 0;
	size_t length = strlen(place->path) + 1 + strlen(name);
	const char *path = NULL;

	if (length < PATH_MAX)
		path = top ? arena_text(w->arena, "%s", name) :
			     arena_text(w->arena, "%s/%s", place->path, name);
	if (!path)
		w->omitted++;
	return path;
}

static void push(struct walk *w, const char *path, enum layer layer)
{
	struct pending *pending = arena_alloc(w->arena, sizeof(*pending));

	if (!pending) {
		w->omitted++;
		return;
	}
	*pending = (struct pending){ w->pending, path, layer };
	w->pending = pending;
}

static void add_row(struct walk *w, const struct change *row)
{
	struct change *kept = arena_alloc(w->arena, sizeof(*kept));

	if (!kept) {
		w->omitted++;
		return;
	}
	*kept = *row;
	if (row->verb != CHANGE_DELETED && row->kind != KIND_DIRECTORY)
		kept->later = later_of(&w->later, row->path, row->kind == KIND_LINK);
	kept->next = w->first;
	w->first = kept;
}

static void see_gone(struct walk *w, const struct place *place, const char *name,
		     const struct stat *lower)
{
	const char *path = join(w, place, name);
	enum file_kind was = file_kind_of(lower);

	if (!path)
		return;
	add_row(w, &(struct change){ .path = path, .verb = CHANGE_DELETED, .was = was });
	if (was == KIND_DIRECTORY)
		push(w, path, LAYER_LOWER);
}

static enum change_verb compare_files(const struct place *place, const char *name,
				      const struct stat *upper,
				      const struct stat *lower, bool *ret_same)
{
	AUTO_CLOSE int a = file_open(place->upper, name, 0, true, NULL);
	AUTO_CLOSE int b = file_open(place->lower, name, 0, false, NULL);

	*ret_same = false;
	if (a < 0 || b < 0 || !file_same_content(a, b, COMPARE_BYTES_MAX))
		return CHANGE_MODIFIED;
	*ret_same = upper->st_mode == lower->st_mode &&
		    modified_ns(upper) == modified_ns(lower) &&
		    file_same_attributes(a, b);
	return CHANGE_ATTRIBUTES;
}

/* Two files of one kind: what differs, and whether nothing does. */
static enum change_verb compare(const struct place *place, const char *name,
				const struct stat *upper,
				const struct stat *lower, bool *ret_same)
{
	switch (file_kind_of(upper)) {
	case KIND_FILE:
		return compare_files(place, name, upper, lower, ret_same);
	case KIND_DIRECTORY:
		/* One that its owner cannot write in was opened for a while,
		 * and a commit has to do the same. */
		*ret_same = upper->st_mode == lower->st_mode &&
			    (lower->st_mode & 0300) == 0300;
		return CHANGE_ATTRIBUTES;
	case KIND_LINK:
		*ret_same = file_same_link(place->upper, name, place->lower, name);
		return CHANGE_MODIFIED;
	case KIND_SPECIAL:
	case KIND_NONE:
	case KIND_COUNT:
		break;
	}
	*ret_same = upper->st_mode == lower->st_mode &&
		    upper->st_rdev == lower->st_rdev;
	return CHANGE_MODIFIED;
}

static enum layer layer_below(enum layer above, enum file_kind kind,
			      enum file_kind was)
{
	if (kind != KIND_DIRECTORY)
		return LAYER_LOWER;
	if (was != KIND_DIRECTORY)
		return LAYER_UPPER;
	return above == LAYER_OPAQUE ? LAYER_OPAQUE : LAYER_BOTH;
}

static const char *read_target(struct walk *w, const struct place *place,
			       const char *name)
{
	char target[PATH_MAX];

	if (file_read_link(place->upper, name, target, sizeof(target)) < 0)
		return NULL;
	return arena_text(w->arena, "%s", target);
}

static void see_present(struct walk *w, const struct place *place,
			const char *name, const struct stat *upper,
			const struct stat *lower)
{
	struct change row = {
		.path = join(w, place, name), .kind = file_kind_of(upper),
		.was = lower ? file_kind_of(lower) : KIND_NONE,
		.verb = lower ? CHANGE_TYPE : CHANGE_ADDED,
		.mode = upper->st_mode & 07777,
		.modified_ns = modified_ns(upper),
	};
	bool same = false;

	if (!row.path)
		return;
	if (row.kind == KIND_FILE)
		row.size = (uint64_t)upper->st_size;
	if (row.kind == KIND_LINK)
		row.target = read_target(w, place, name);
	if (row.kind == row.was)
		row.verb = compare(place, name, upper, lower, &same);
	if (!same)
		add_row(w, &row);
	if (row.kind == KIND_DIRECTORY || row.was == KIND_DIRECTORY)
		push(w, row.path, layer_below(place->layer, row.kind, row.was));
}

static bool stat_at(int directory, const char *name, struct stat *ret)
{
	return directory >= 0 &&
	       fstatat(directory, name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static void see_upper(struct walk *w, const struct place *place, const char *name)
{
	struct stat upper, lower;
	bool has_lower = stat_at(place->lower, name, &lower);

	if (!stat_at(place->upper, name, &upper))
		w->omitted++;
	else if (!is_whiteout(&upper))
		see_present(w, place, name, &upper, has_lower ? &lower : NULL);
	else if (has_lower)
		see_gone(w, place, name, &lower);
}

/* Of a hidden directory: what the upper one names has been seen already. */
static void see_lower(struct walk *w, const struct place *place, const char *name)
{
	struct stat upper, lower;

	if (stat_at(place->upper, name, &upper))
		return;
	if (stat_at(place->lower, name, &lower))
		see_gone(w, place, name, &lower);
}

/* Calls a function for each entry; gives the descriptor to readdir(3). */
static int each_entry(struct walk *w, const struct place *place, int directory,
		      void (*see)(struct walk *, const struct place *, const char *))
{
	int copy = path_open(directory, ".", O_RDONLY | O_DIRECTORY, 0, PATH_STRICT,
			     w->why);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (copy < 0)
		return copy;
	if (!stream) {
		close(copy);
		return error_set(w->why, -ENOMEM, "read %s: no memory", place->path);
	}
	errno = 0;
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			see(w, place, entry->d_name);
		errno = 0;
	}
	int r = -errno;

	closedir(stream);
	return r == 0 ? 0 : error_set(w->why, r, "read %s: %s", place->path, strerror(-r));
}

static bool is_opaque(int upper)
{
	char value[2];

	return fgetxattr(upper, "user.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

static int read_directory(struct walk *w, const struct pending *pending)
{
	AUTO_CLOSE int upper = -1;
	AUTO_CLOSE int lower = -1;
	int r = 0;

	if (pending->layer != LAYER_LOWER) {
		upper = file_open(w->upper, pending->path, O_DIRECTORY, true, w->why);
		if (upper < 0)
			return upper;
	}
	if (pending->layer != LAYER_UPPER) {
		lower = file_open(w->lower, pending->path, O_DIRECTORY, false, w->why);
		if (lower < 0)
			return lower;
	}
	struct place place = { pending->path, pending->layer, upper, lower };

	if (place.layer == LAYER_BOTH && is_opaque(upper))
		place.layer = LAYER_OPAQUE;
	if (upper >= 0)
		r = each_entry(w, &place, upper, see_upper);
	if (r == 0 && (place.layer == LAYER_OPAQUE || place.layer == LAYER_LOWER))
		r = each_entry(w, &place, lower, see_lower);
	return r;
}

/* A directory that cannot be read hides changes; all others are still told. */
static void read_all(struct walk *w)
{
	while (w->pending) {
		const struct pending *pending = w->pending;

		w->pending = pending->next;
		if (read_directory(w, pending) < 0)
			w->omitted++;
	}
}

/* Two lists in order into one. */
static struct change *merge(struct change *a, struct change *b)
{
	struct change *first = NULL, **end = &first;

	while (a && b) {
		struct change **least = strcmp(a->path, b->path) <= 0 ? &a : &b;

		*end = *least;
		end = &(*least)->next;
		*least = *end;
	}
	*end = a ? a : b;
	return first;
}

/* Merge sort in no memory but 2^i rows or none in runs[i]. */
static struct change *sort(struct change *first)
{
	struct change *runs[64] = { NULL }, *sorted = NULL;

	while (first) {
		struct change *run = first;
		size_t i = 0;

		first = first->next;
		run->next = NULL;
		for (; runs[i]; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < COUNT(runs); i++)
		sorted = merge(runs[i], sorted);
	return sorted;
}

void changes_index(struct change *first, struct changes *ret)
{
	*ret = (struct changes){ .first = sort(first) };
	for (struct change *row = ret->first; row; row = row->next) {
		row->prev = ret->last;
		ret->last = row;
		ret->count++;
		ret->verbs[row->verb]++;
		ret->specials += row->kind == KIND_SPECIAL;
		ret->later += row->later != NULL;
		if (row->verb != CHANGE_ATTRIBUTES)
			ret->bytes += row->size;
	}
}

int changes_read(int upper, const struct tree *workspace, struct arena *arena,
		 struct changes *ret, struct error *why)
{
	AUTO_CLOSE int top = path_open(upper, "upper", O_PATH | O_DIRECTORY, 0,
				       PATH_STRICT, why);
	struct walk w = { .upper = top, .lower = workspace->directory,
			  .arena = arena, .why = why };

	if (top < 0)
		return top;
	int r = later_init(&w.later, why);

	if (r < 0)
		return r;
	push(&w, ".", LAYER_BOTH);
	read_all(&w);
	changes_index(w.first, ret);
	ret->omitted = w.omitted;
	return 0;
}
