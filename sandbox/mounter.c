#include "sandbox/mounter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define MOUNTS_MAX 1024		/* below one directory, by mount(2) */
#define DESCRIPTOR_BYTES 40
#define OPTIONS_BYTES 512
#define TOP "/.."		/* what is mounted above "/", which itself is below */

struct mounter_calls {
	int (*make)(struct mounter *m, const char *type, const char *const options[][2],
		    unsigned attributes, struct error *why);
	int (*clone)(struct mounter *m, int fd, const char *name, struct error *why);
	int (*attach)(int mount, int directory, const char *target, struct error *why);
	int (*set)(int mount, unsigned set, unsigned clear, bool all, const char *name,
		   struct error *why);
	int (*change)(int mount, const char *const options[][2], const char *name,
		      struct error *why);
};

static int fail(const char *what, const char *name, struct error *why)
{
	return error_set(why, -errno, "%s %s: %s", what, name, strerror(errno));
}

/* -1 where the kernel does not tell (before Linux 5.8). */
static int mount_id(int fd)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0 ||
	    !(status.stx_mask & STATX_MNT_ID))
		return -1;
	return (int)status.stx_mnt_id;
}

/* ---- by descriptor ---- */

static int configure(int fs, const char *const options[][2], unsigned command,
		     const char *name, struct error *why)
{
	for (size_t i = 0; options[i][0]; i++)
		if (fsconfig(fs, options[i][1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     options[i][0], options[i][1], 0) < 0)
			return fail("fsconfig", options[i][0], why);
	if (fsconfig(fs, command, NULL, NULL, 0) < 0)
		return fail(command == FSCONFIG_CMD_CREATE ? "create" : "change", name, why);
	return 0;
}

static int make_by_descriptor(struct mounter *m, const char *type,
			      const char *const options[][2], unsigned attributes,
			      struct error *why)
{
	AUTO_CLOSE int fs = fsopen(type, FSOPEN_CLOEXEC);

	(void)m;
	if (fs < 0)
		return fail("fsopen", type, why);
	int r = configure(fs, options, FSCONFIG_CMD_CREATE, type, why);

	if (r < 0)
		return r;
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);

	return mount < 0 ? fail("fsmount", type, why) : mount;
}

static int clone_by_descriptor(struct mounter *m, int fd, const char *name,
			       struct error *why)
{
	int tree = open_tree(fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE |
					     OPEN_TREE_CLOEXEC);

	(void)m;
	return tree < 0 ? fail("open_tree", name, why) : tree;
}

static int attach_by_descriptor(int mount, int directory, const char *target,
				struct error *why)
{
	if (move_mount(mount, "", directory, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail("mount", target, why);
	return 0;
}

static int set_by_descriptor(int mount, unsigned set, unsigned clear, bool all,
			     const char *name, struct error *why)
{
	struct mount_attr change = { .attr_set = set, .attr_clr = clear };

	if (mount_setattr(mount, "", AT_EMPTY_PATH | (all ? AT_RECURSIVE : 0U), &change,
			  sizeof(change)) < 0)
		return fail("mount_setattr", name, why);
	return 0;
}

static int change_by_descriptor(int mount, const char *const options[][2],
				const char *name, struct error *why)
{
	AUTO_CLOSE int fs = fspick(mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);

	return fs < 0 ? fail("fspick", name, why) :
			configure(fs, options, FSCONFIG_CMD_RECONFIGURE, name, why);
}

static const struct mounter_calls by_descriptor = {
	make_by_descriptor, clone_by_descriptor, attach_by_descriptor, set_by_descriptor,
	change_by_descriptor,
};

/* ---- by mount(2); attributes have the numbers of its flags ---- */

static_assert(MOUNT_ATTR_RDONLY == MS_RDONLY && MOUNT_ATTR_NOSUID == MS_NOSUID &&
	      MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC,
	      "attributes are flags");

/* What the descriptor names, itself: no mount above it, no link behind it. */
static const char *path_of(int fd, char ret[DESCRIPTOR_BYTES])
{
	snprintf(ret, DESCRIPTOR_BYTES, "/proc/self/fd/%d", fd);
	return ret;
}

/* A place of its own on the stage for a mount of a directory, or of a file. */
static int take_place(struct mounter *m, bool is_directory, char name[12],
		      struct error *why)
{
	snprintf(name, 12, "%u", m->staged++);
	int r = path_make(m->stage, name, is_directory, PATH_STRICT, why);

	return r < 0 ? r : path_open(m->stage, name, O_PATH, 0, PATH_STRICT, why);
}

/* Mounts on a new place and returns what is then there. */
static int stage(struct mounter *m, const char *source, const char *type, unsigned long flags,
		 const char *data, bool is_directory, const char *what, struct error *why)
{
	char name[12], target[DESCRIPTOR_BYTES];
	AUTO_CLOSE int place = take_place(m, is_directory, name, why);

	if (place < 0)
		return place;
	if (mount(source, path_of(place, target), type, flags, data) < 0)
		return fail("mount(2)", what, why);
	return path_open(m->stage, name, O_PATH, 0, PATH_HOST, why);
}

/* As mount(2) takes them: in one text. */
static int join(const char *const options[][2], char ret[OPTIONS_BYTES], const char *name,
		struct error *why)
{
	size_t length = 0;

	ret[0] = '\0';
	for (size_t i = 0; options[i][0]; i++) {
		length += (size_t)snprintf(ret + length, OPTIONS_BYTES - length, "%s%s%s%s",
					   i ? "," : "", options[i][0],
					   options[i][1] ? "=" : "",
					   options[i][1] ? options[i][1] : "");
		if (length >= OPTIONS_BYTES)
			return error_set(why, -E2BIG, "too many options of %s", name);
	}
	return 0;
}

static int make_by_path(struct mounter *m, const char *type, const char *const options[][2],
			unsigned attributes, struct error *why)
{
	char data[OPTIONS_BYTES];
	int r = join(options, data, type, why);

	return r < 0 ? r : stage(m, "none", type, attributes, data, true, type, why);
}

static int clone_by_path(struct mounter *m, int fd, const char *name, struct error *why)
{
	char source[DESCRIPTOR_BYTES];
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail("stat", name, why);
	return stage(m, path_of(fd, source), NULL, MS_BIND | MS_REC, NULL,
		     S_ISDIR(status.st_mode), name, why);
}

static int attach_by_path(int mounted, int directory, const char *target, struct error *why)
{
	char from[DESCRIPTOR_BYTES], to[DESCRIPTOR_BYTES];
	AUTO_CLOSE int place = path_open(directory, target, O_PATH | O_NOFOLLOW, 0,
					 PATH_HOST, why);

	if (place < 0)
		return place;
	if (mount(path_of(mounted, from), path_of(place, to), NULL, MS_MOVE, NULL) < 0)
		return fail("mount(2)", target, why);
	return 0;
}

/* A remount sets all flags anew, so the present ones are read (atime is kept). */
static long flags_of(int fd, const char *name, struct error *why)
{
	struct statfs status;
	long flags;

	if (fstatfs(fd, &status) < 0)
		return fail("statfs", name, why);
	flags = (long)status.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	if (status.f_flags & 0x2000)	/* ST_NOSYMFOLLOW, not in our C library's header */
		flags |= MS_NOSYMFOLLOW;
	return flags;
}

static int set_one(int fd, unsigned set, unsigned clear, const char *name,
		   struct error *why)
{
	char target[DESCRIPTOR_BYTES];
	long now = flags_of(fd, name, why);

	if (now < 0)
		return (int)now;
	if (mount(NULL, path_of(fd, target), NULL,
		  MS_REMOUNT | MS_BIND | (((unsigned long)now | set) & ~(unsigned long)clear),
		  NULL) < 0)
		return fail("restrict", name, why);
	return 0;
}

static int change_by_path(int mounted, const char *const options[][2], const char *name,
			  struct error *why)
{
	char target[DESCRIPTOR_BYTES], data[OPTIONS_BYTES];
	long now = flags_of(mounted, name, why);
	int r = now < 0 ? (int)now : join(options, data, name, why);

	if (r < 0)
		return r;
	return mount(NULL, path_of(mounted, target), NULL, MS_REMOUNT | (unsigned long)now,
		     data) < 0 ? fail("change", name, why) : 0;
}

/* A line of /proc/self/mountinfo (proc(5)); point borrows from it, unescaped. */
struct entry {
	int id, parent;
	char *point;
};

static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++)
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 +
					text[3] - '0');
			text += 3;
		} else {
			*out++ = *text;
		}
	*out = '\0';
}

static bool next_entry(FILE *list, char **line, size_t *size, struct entry *ret)
{
	int start = 0;

	if (getline(line, size, list) < 0)
		return false;
	if (sscanf(*line, "%d %d %*s %*s %n", &ret->id, &ret->parent, &start) != 2 || !start)
		return false;
	ret->point = *line + start;
	ret->point[strcspn(ret->point, " ")] = '\0';
	unescape(ret->point);
	return true;
}

/* The mounts of one tree, as far as they are known. */
struct family {
	int ids[MOUNTS_MAX];
	size_t count;
	char *point;		/* of the first, the tree's own root */
};

static bool has(const struct family *family, int id)
{
	for (size_t i = 0; i < family->count; i++)
		if (family->ids[i] == id)
			return true;
	return false;
}

/* By its name below the tree's root, and only if that leads to this very mount. */
static int set_below(int mount, const struct family *family, const struct entry *entry,
		     unsigned set, unsigned clear, struct error *why)
{
	size_t length = strcmp(family->point, "/") == 0 ? 0 : strlen(family->point);
	const char *rest = entry->point + length;
	int fd = -1;

	if (strncmp(family->point, entry->point, length) == 0 && rest[0] == '/' && rest[1])
		fd = path_open(mount, rest + 1, O_PATH | O_NOFOLLOW, 0, PATH_HOST, NULL);
	AUTO_CLOSE int found = fd;

	if (found < 0 || mount_id(found) != entry->id)
		return error_set(why, -EOPNOTSUPP,
				 "what is mounted at %s cannot be reached to be restricted by mount(2)",
				 entry->point);
	return set_one(found, set, clear, entry->point, why);
}

/* One pass over the list; 1 when it found members, as more may follow from them. */
static int pass(FILE *list, int mount, struct family *family, unsigned set, unsigned clear,
		struct error *why)
{
	AUTO_FREE char *line = NULL;
	struct entry entry;
	size_t size = 0, before = family->count;

	rewind(list);
	while (next_entry(list, &line, &size, &entry)) {
		if (!family->point && entry.id == family->ids[0])
			family->point = strdup(entry.point);
		if (!family->point || has(family, entry.id) || !has(family, entry.parent))
			continue;
		if (family->count == MOUNTS_MAX)
			return error_set(why, -E2BIG, "more than %d mounts below %s",
					 MOUNTS_MAX, family->point);
		family->ids[family->count++] = entry.id;
		int r = set_below(mount, family, &entry, set, clear, why);

		if (r < 0)
			return r;
	}
	if (!feof(list))
		return error_set(why, -EBADMSG, "/proc/self/mountinfo makes no sense");
	return family->count > before;
}

static int set_family(int mount, unsigned set, unsigned clear, const char *name,
		      struct error *why)
{
	struct family family = { .ids = { mount_id(mount) }, .count = 1 };
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, "/proc/self/mountinfo", O_RDONLY, 0,
				      PATH_HOST, why);
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	int r = 1;

	if (!list)
		return fd < 0 ? fd : fail("read mounts for", name, why);
	fd_take(&fd);
	while (r == 1)
		r = pass(list, mount, &family, set, clear, why);
	if (r == 0 && !family.point)
		r = error_set(why, -ESTALE, "%s is not among the mounts", name);
	free(family.point);
	fclose(list);
	return r;
}

static int set_by_path(int mount, unsigned set, unsigned clear, bool all, const char *name,
		       struct error *why)
{
	int r = set_one(mount, set, clear, name, why);

	return r < 0 || !all ? r : set_family(mount, set, clear, name, why);
}

static const struct mounter_calls by_path = {
	make_by_path, clone_by_path, attach_by_path, set_by_path, change_by_path,
};

static int raise_stage(struct mounter *m, struct error *why)
{
	if (mount("tmpfs", "/", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
		return fail("mount(2)", "a stage", why);
	m->stage = path_open(PATH_ABSOLUTE, TOP, O_PATH | O_DIRECTORY, 0, PATH_HOST, why);
	return m->stage < 0 ? m->stage : 0;
}

/* ---- whichever it is ---- */

/* Each is asked for what makes no sense: only absence and refusal say nothing of it. */
bool mounter_by_descriptor(void)
{
	static const int calls[] = {
		SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_move_mount,
		SYS_mount_setattr, SYS_fspick,
	};

	for (size_t i = 0; i < COUNT(calls); i++)
		if (syscall(calls[i], -1, "", AT_EMPTY_PATH, NULL, 0) < 0 &&
		    (errno == ENOSYS || errno == EPERM))
			return false;
	return true;
}

int mounter_start(struct mounter *m, struct error *why)
{
	*m = (struct mounter){ .calls = &by_descriptor, .stage = -1 };
	if (mounter_by_descriptor())
		return 0;
	m->calls = &by_path;
	return raise_stage(m, why);
}

int mounter_make(struct mounter *m, const char *type, const char *const options[][2],
		 unsigned attributes, struct error *why)
{
	return m->calls->make(m, type, options, attributes, why);
}

int mounter_clone(struct mounter *m, int fd, unsigned attributes, const char *name,
		  struct error *why)
{
	AUTO_CLOSE int tree = m->calls->clone(m, fd, name, why);
	int r = tree < 0 || !attributes ? tree :
		mounter_set(m, tree, attributes, 0, true, name, why);

	return r < 0 ? r : fd_take(&tree);
}

int mounter_attach(struct mounter *m, int mount, int directory, const char *target,
		   struct error *why)
{
	return m->calls->attach(mount, directory, target, why);
}

int mounter_set(struct mounter *m, int mount, unsigned set, unsigned clear, bool all,
		const char *name, struct error *why)
{
	return m->calls->set(mount, set, clear, all, name, why);
}

int mounter_change(struct mounter *m, int mount, const char *const options[][2],
		   const char *name, struct error *why)
{
	return m->calls->change(mount, options, name, why);
}

/* The old root comes to lie above the new one, and the stage above that. */
int mounter_pivot(struct mounter *m, int root, struct error *why)
{
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail("pivot_root", "/", why);
	/*
	 * The longest wait of a launch, for an expedited grace period; a helper
	 * that waits beside what follows has been measured to gain nothing.
	 */
	for (int above = m->stage < 0 ? 1 : 2; above > 0; above--)
		if (umount2(".", MNT_DETACH) < 0)
			return fail("umount2", "the old root", why);
	AUTO_CLOSE int top = path_open(PATH_ABSOLUTE, TOP, O_PATH | O_DIRECTORY, 0, PATH_HOST,
				       why);

	if (top >= 0 && (mount_id(root) < 0 || mount_id(top) != mount_id(root)))
		return error_set(why, -EBUSY, "something is still mounted above the new root");
	return top < 0 ? top : 0;
}
