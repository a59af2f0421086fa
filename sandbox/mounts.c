#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/landlock.h"
#include "sandbox/mounter.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"

#define DISK_BYTES_DEFAULT (UINT64_C(100) << 20)
#define DISK_INODES_DEFAULT UINT64_C(20000)
#define EMPTY_FILE ".none"
#define EMPTY_DIRECTORY ".nothing"
#define WALL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* Made here, so that nothing of the host's accounts is read. */
static const struct {
	const char *path, *text;
} made_files[] = {
	{ "etc/passwd", "user:x:1000:1000:user:/tmp:/bin/sh\n"
			"nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n" },
	{ "etc/group", "user:x:1000:\nnogroup:x:65534:\n" },
	{ "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 cupel\n" },
	{ "etc/hostname", "cupel\n" },
	{ "etc/machine-id", "" },
	{ "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n" },
	{ MOUNTS_CANARY + 1, "the audit tries to read this and must be refused\n" },
};

static const struct {
	const char *name, *target;
} made_links[] = {
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
	{ "dev/ptmx", "pts/ptmx" },
	{ "etc/mtab", "/proc/mounts" },
};

static const char *const device_names[] = {
	"null", "zero", "full", "random", "urandom", "tty",
};

/*
 * Directories of the root's own tmpfs that stay writable: each is bound onto
 * itself before the root is made read-only, so all share its limits.
 */
static const struct {
	const char *path;
	mode_t mode;
} writable_places[] = {
	{ "tmp", 01777 }, { "var/tmp", 01777 }, { "run", 0755 }, { "dev/shm", 01777 },
};

/*
 * Covered by an empty object where they exist. The rest of /proc/sys and the
 * like is read-only with all of /proc, and belongs to the host's root, who has
 * no id inside.
 */
static const char *const proc_masks[] = {
	"kcore", "keys", "key-users", "kallsyms", "kmsg", "latency_stats",
	"timer_list", "sched_debug", "sysrq-trigger", "acpi", "asound", "scsi",
};

struct builder {
	const struct sandbox_plan *plan;
	struct mounter mounter;
	int root;		/* of the new tree */
	int upper;
	int empty_file, empty_directory;	/* what others are covered with */
	struct error *why;
};

static int fail(const struct builder *b, const char *what, const char *path)
{
	return error_set(b->why, -errno, "%s %s: %s", what, path, strerror(errno));
}

static int new_tmpfs(struct builder *b)
{
	static const char *const options[][2] = { { "mode", "0755" }, { NULL, NULL } };

	return mounter_make(&b->mounter, "tmpfs", options, WALL, b->why);
}

/* The sum in decimal; what is that much has no end. */
static void print_sum(char ret[24], uint64_t a, uint64_t b)
{
	const uint64_t most = UINT64_C(1) << 50;

	snprintf(ret, 24, "%" PRIu64, a < most && b < most - a ? a + b : most);
}

/* The policy's limits of bytes and inodes, for what comes to what is there. */
static int limit_tmpfs(struct builder *b, int tmpfs, const char *name)
{
	const struct limits *limits = &b->plan->policy->limits;
	char size[24], count[24];
	struct statfs now;

	if (fstatfs(tmpfs, &now) < 0)
		return fail(b, "statfs", name);
	print_sum(size, (now.f_blocks - now.f_bfree) * (uint64_t)now.f_bsize,
		  limits->disk_bytes ? limits->disk_bytes : DISK_BYTES_DEFAULT);
	print_sum(count, now.f_files - now.f_ffree,
		  limits->inodes ? limits->inodes : DISK_INODES_DEFAULT);
	const char *const options[][2] = {
		{ "size", size }, { "nr_inodes", count }, { NULL, NULL },
	};

	return mounter_change(&b->mounter, tmpfs, options, name, b->why);
}

static int attach(struct builder *b, int mount, const char *target)
{
	return mounter_attach(&b->mounter, mount, b->root, target, b->why);
}

/* Binds what fd names to target below the new root, making the target. */
static int bind_fd(struct builder *b, int fd, const char *target,
		   unsigned attributes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail(b, "stat", target);
	int r = path_make(b->root, target, S_ISDIR(status.st_mode), b->why);

	if (r < 0)
		return r;
	AUTO_CLOSE int tree = mounter_clone(&b->mounter, fd, attributes, target, b->why);

	return tree < 0 ? tree : attach(b, tree, target);
}

/* A symbolic link of the host such as /bin is repeated, not followed. */
static int repeat_link(struct builder *b, const char *source, const char *target)
{
	char text[PATH_MAX];
	ssize_t length = readlink(source, text, sizeof(text) - 1);

	if (length < 0)
		return 0;
	text[length] = '\0';
	if (symlinkat(text, b->root, target) < 0 && errno != EEXIST)
		return fail(b, "symlink", target);
	return 1;
}

/* A tree the launcher prepared, ids mapped; file or directory as it is. */
static int place_prepared(struct builder *b, int tree, const char *target,
			  unsigned attributes)
{
	struct stat status;

	if (fstat(tree, &status) < 0)
		return fail(b, "stat", target);
	int r = attributes ? mounter_set(&b->mounter, tree, attributes, 0, false, target,
					 b->why) : 0;

	if (r == 0)
		r = path_make(b->root, target, S_ISDIR(status.st_mode), b->why);
	return r < 0 ? r : attach(b, tree, target);
}

/* What the launcher looked at must be what is mounted: names can be exchanged. */
static int check_same(const struct builder *b, int fd, const struct tree *seen,
		      const char *path)
{
	struct stat status;

	if (seen->directory < 0)	/* a preset's: the host's own paths */
		return 0;
	if (fstat(fd, &status) < 0)
		return fail(b, "stat", path);
	if (status.st_dev == seen->device && status.st_ino == seen->inode)
		return 0;
	return error_set(b->why, -ESTALE, "%s was replaced while the sandbox started", path);
}

static int place_bind(struct builder *b, size_t index)
{
	const struct bind *bind = &b->plan->policy->binds[index];
	/* forbid() sees to those that may only be read. */
	unsigned attributes = bind->access == BIND_WRITE ? WALL : 0;
	const char *target = bind->target + 1;

	if (b->plan->bind_trees[index].mount >= 0)
		return place_prepared(b, b->plan->bind_trees[index].mount, target,
				      attributes);
	if (strcmp(bind->source, bind->target) == 0) {
		int r = repeat_link(b, bind->source, target);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	AUTO_CLOSE int fd = bind->optional ?
		path_open_if_there(PATH_ABSOLUTE, bind->source, O_PATH, PATH_HOST, b->why) :
		path_open(PATH_ABSOLUTE, bind->source, O_PATH, 0, PATH_HOST, b->why);

	if (fd == -ENOENT && bind->optional)
		return 0;
	int r = fd < 0 ? fd : check_same(b, fd, &b->plan->bind_trees[index], bind->source);

	return r < 0 ? r : bind_fd(b, fd, target, attributes);
}

static int place_binds(struct builder *b, enum bind_access access)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->plan->policy->bind_count; i++)
		if (b->plan->policy->binds[i].access == access)
			r = place_bind(b, i);
	return r;
}

static int place_read_binds(struct builder *b)
{
	return place_binds(b, BIND_READ);
}

static int place_write_binds(struct builder *b)
{
	return place_binds(b, BIND_WRITE);
}

static int place_made(struct builder *b)
{
	static const char *const directories[] = { "etc", "dev" };

	for (size_t i = 0; i < COUNT(directories); i++) {
		int r = path_make(b->root, directories[i], true, b->why);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < COUNT(made_files); i++) {
		AUTO_CLOSE int fd = path_open(b->root, made_files[i].path,
					      O_WRONLY | O_CREAT | O_EXCL, 0444,
					      PATH_STRICT, NULL);

		/* A bind of the policy put its own there; EXDEV names its mount. */
		if (fd == -EEXIST || fd == -EXDEV)
			continue;
		if (fd < 0)
			return error_set(b->why, fd, "make %s: %s", made_files[i].path,
					 strerror(-fd));
		size_t length = strlen(made_files[i].text);

		if (write(fd, made_files[i].text, length) != (ssize_t)length)
			return fail(b, "write", made_files[i].path);
	}
	for (size_t i = 0; i < COUNT(made_links); i++)
		if (symlinkat(made_links[i].target, b->root, made_links[i].name) < 0 &&
		    errno != EEXIST)
			return fail(b, "symlink", made_links[i].name);
	return 0;
}

static int place_writable(struct builder *b)
{
	int r = path_make(b->root, "var", true, b->why);

	for (size_t i = 0; r == 0 && i < COUNT(writable_places); i++) {
		const char *path = writable_places[i].path;

		if (mkdirat(b->root, path, writable_places[i].mode) < 0)
			return fail(b, "mkdir", path);
		AUTO_CLOSE int fd = path_open(b->root, path, O_PATH, 0,
					      PATH_STRICT, b->why);
		AUTO_CLOSE int tree = fd < 0 ? fd :
			mounter_clone(&b->mounter, fd, WALL, path, b->why);

		r = tree < 0 ? tree : attach(b, tree, path);
	}
	return r;
}

static int place_pts(struct builder *b)
{
	static const char *const options[][2] = {
		{ "ptmxmode", "0666" }, { "mode", "0620" }, { NULL, NULL },
	};
	AUTO_CLOSE int pts = mounter_make(&b->mounter, "devpts", options,
					  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, b->why);

	if (pts < 0)
		return pts;
	int r = path_make(b->root, "dev/pts", true, b->why);

	return r < 0 ? r : attach(b, pts, "dev/pts");
}

/*
 * The terminal of --tty is one of the host's /dev/pts: as /dev/console it has
 * a name inside for who asks (ttyname(3)), unless it cannot be found there.
 */
static int place_console(struct builder *b)
{
	int terminal = b->plan->stdio[0];
	char link[40], name[64];
	struct stat given, found;

	if (!b->plan->tty)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", terminal);
	ssize_t length = readlink(link, name, sizeof(name) - 1);

	if (length < 0)
		return fail(b, "readlink", link);
	name[length] = '\0';
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, name, O_PATH | O_NOFOLLOW, 0, PATH_HOST,
				      NULL);

	if (fd < 0 || fstat(terminal, &given) < 0 || fstat(fd, &found) < 0 ||
	    given.st_dev != found.st_dev || given.st_ino != found.st_ino)
		return 0;
	return bind_fd(b, fd, "dev/console", 0);
}

static int place_devices(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(device_names); i++) {
		char path[32];

		snprintf(path, sizeof(path), "/dev/%s", device_names[i]);
		AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, path, O_PATH | O_NOFOLLOW, 0,
					      PATH_HOST, b->why);
		struct stat status;

		if (fd < 0)
			return fd;
		if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode))
			return error_set(b->why, -ENODEV,
					 "%s is not a character device", path);
		r = bind_fd(b, fd, path + 1, 0);	/* one device, nothing to execute */
	}
	if (r == 0)
		r = place_console(b);
	return r < 0 ? r : place_pts(b);
}

/*
 * Two empty objects to cover others with: never /dev/null, whose host
 * counterpart may have been swapped for something else. Their names go when
 * the root is sealed.
 */
static int make_covers(struct builder *b)
{
	static const struct {
		const char *name;
		bool is_directory;
	} covers[] = { { EMPTY_FILE, false }, { EMPTY_DIRECTORY, true } };

	for (size_t i = 0; i < COUNT(covers); i++) {
		int r = path_make(b->root, covers[i].name,
				  covers[i].is_directory, b->why);

		if (r < 0)
			return r;
		AUTO_CLOSE int fd = path_open(b->root, covers[i].name, O_PATH, 0,
					      PATH_STRICT, b->why);

		if (fd < 0 || fchmodat(b->root, covers[i].name, 0, 0) < 0)
			return fd < 0 ? fd : fail(b, "chmod", covers[i].name);
		*(covers[i].is_directory ? &b->empty_directory : &b->empty_file) =
			fd_take(&fd);
	}
	return 0;
}

/* Covers directory/name, if it is there, by nothing at all. */
static int cover(struct builder *b, int directory, const char *name,
		 unsigned attributes)
{
	struct stat status;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(b, "stat", name);
	int from = S_ISDIR(status.st_mode) ? b->empty_directory : b->empty_file;
	AUTO_CLOSE int tree = mounter_clone(&b->mounter, from, attributes, name, b->why);

	return tree < 0 ? tree : mounter_attach(&b->mounter, tree, directory, name, b->why);
}

static int place_proc(struct builder *b)
{
	const char *const options[][2] = {
		{ "hidepid", "invisible" },
		{ b->plan->policy->proc_full ? NULL : "subset", "pid" },
		{ NULL, NULL },
	};
	AUTO_CLOSE int proc = mounter_make(&b->mounter, "proc", options,
					   WALL | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
					   b->why);

	if (proc < 0)
		return proc;
	int r = path_make(b->root, "proc", true, b->why);

	if (r == 0)
		r = attach(b, proc, "proc");
	if (b->plan->policy->proc_full)
		for (size_t i = 0; r == 0 && i < COUNT(proc_masks); i++)
			r = cover(b, proc, proc_masks[i], 0);
	return r;
}

static int place_hidden(struct builder *b)
{
	const struct policy *policy = b->plan->policy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->hidden_count; i++)
		r = cover(b, b->root, policy->hidden[i] + 1,
			  WALL | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
	return r;
}

/* The tree the launcher prepared with mapped ids, else the path itself. */
static int workspace_tree(struct builder *b, unsigned attributes)
{
	const struct sandbox_plan *plan = b->plan;
	int mapped = plan->workspace_tree.mount;

	if (mapped >= 0) {
		int r = mounter_set(&b->mounter, mapped, attributes, 0, true,
				    plan->workspace, b->why);

		if (r < 0)
			return r;
		r = fcntl(mapped, F_DUPFD_CLOEXEC, 3);
		return r < 0 ? fail(b, "duplicate", plan->workspace) : r;
	}
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, plan->workspace,
				      O_PATH | O_DIRECTORY, 0, PATH_HOST, b->why);
	int r = fd < 0 ? fd : check_same(b, fd, &plan->workspace_tree, plan->workspace);

	if (r < 0)
		return r;
	return mounter_clone(&b->mounter, fd, attributes, plan->workspace, b->why);
}

static int descriptor_path(char *buffer, size_t size, int fd, const char *below)
{
	return snprintf(buffer, size, "/proc/self/fd/%d%s", fd, below);
}

/*
 * What git and cupel keep beside the work tree says what programs they start
 * (hooks, core.fsmonitor ...): a command that may not touch it finds it
 * read-only. As a mount point it can be neither renamed nor replaced.
 */
static int guard_repository(struct builder *b, int workspace)
{
	static const char *const names[] = { ".git", ".cupel" };
	const struct sandbox_plan *plan = b->plan;

	if (!plan->policy->repository_readonly || plan->workspace_mode == WORKSPACE_READONLY)
		return 0;
	for (size_t i = 0; i < COUNT(names); i++) {
		AUTO_CLOSE int fd = path_open_if_there(workspace, names[i], O_PATH, PATH_STRICT,
						       b->why);

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		AUTO_CLOSE int tree = mounter_clone(&b->mounter, fd, WALL | MOUNT_ATTR_RDONLY,
						    names[i], b->why);
		int r = tree < 0 ? tree :
			mounter_attach(&b->mounter, tree, workspace, names[i], b->why);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * overlayfs wants paths of mounts in our own namespace: both layers are
 * attached, named through /proc/self/fd, and detached again; the upper one
 * lives on in the descriptor that the launcher gets.
 */
static int place_overlay(struct builder *b, int lower, const char *target)
{
	char lower_path[64], upper_path[64], work_path[64];
	int r = path_make(b->root, ".lower", true, b->why);

	if (r == 0)
		r = path_make(b->root, ".upper", true, b->why);
	if (r == 0)
		r = attach(b, lower, ".lower");
	if (r < 0)
		return r;
	b->upper = new_tmpfs(b);
	if (b->upper < 0)
		return b->upper;
	r = attach(b, b->upper, ".upper");
	if (r < 0)
		return r;
	if (mkdirat(b->upper, "upper", 0755) < 0 ||
	    mkdirat(b->upper, "work", 0755) < 0)
		return fail(b, "mkdir", "upper");
	descriptor_path(lower_path, sizeof(lower_path), lower, "");
	descriptor_path(upper_path, sizeof(upper_path), b->upper, "/upper");
	descriptor_path(work_path, sizeof(work_path), b->upper, "/work");
	const char *const options[][2] = {
		{ "userxattr", NULL },
		{ "lowerdir", lower_path },
		{ "upperdir", upper_path },
		{ "workdir", work_path },
		{ NULL, NULL },
	};
	AUTO_CLOSE int overlay = mounter_make(&b->mounter, "overlay", options, WALL, b->why);

	if (overlay < 0)
		return overlay;
	r = limit_tmpfs(b, b->upper, "the overlay");
	if (r == 0)
		r = attach(b, overlay, target);
	return r < 0 ? r : guard_repository(b, overlay);
}

static int place_workspace(struct builder *b)
{
	const struct sandbox_plan *plan = b->plan;
	bool overlay = plan->workspace_mode == WORKSPACE_OVERLAY;
	unsigned attributes = WALL;

	if (!plan->workspace)
		return 0;
	if (plan->workspace_mode != WORKSPACE_DIRECT)
		attributes |= MOUNT_ATTR_RDONLY;
	AUTO_CLOSE int tree = workspace_tree(b, attributes);

	if (tree < 0)
		return tree;
	int r = path_make(b->root, plan->workspace + 1, true, b->why);

	if (r < 0)
		return r;
	if (overlay)
		return place_overlay(b, tree, plan->workspace + 1);
	r = attach(b, tree, plan->workspace + 1);
	return r < 0 ? r : guard_repository(b, tree);
}

/*
 * All that is there so far becomes read-only, without setuid and devices, by
 * one call; only the root's own tmpfs is opened again for what follows.
 */
static int forbid(struct builder *b)
{
	int r = mounter_set(&b->mounter, b->root, WALL | MOUNT_ATTR_RDONLY, 0, true, "/", b->why);

	return r < 0 ? r : mounter_set(&b->mounter, b->root, 0, MOUNT_ATTR_RDONLY, false, "/",
				       b->why);
}

/* Read-only root, then the old one and our helpers' mounts are let go. */
static int seal(struct builder *b)
{
	static const char *const layers[] = { ".lower", ".upper" };

	/* The working directory is the new root. */
	for (size_t i = 0; b->upper >= 0 && i < COUNT(layers); i++)
		if (umount2(layers[i], MNT_DETACH) < 0 ||
		    unlinkat(b->root, layers[i], AT_REMOVEDIR) < 0)
			return fail(b, "detach", layers[i]);
	if (unlinkat(b->root, EMPTY_FILE, 0) < 0 ||
	    unlinkat(b->root, EMPTY_DIRECTORY, AT_REMOVEDIR) < 0)
		return fail(b, "unlink", "the covers");
	int r = limit_tmpfs(b, b->root, "/");

	if (r == 0)
		r = mounter_set(&b->mounter, b->root, MOUNT_ATTR_RDONLY, 0, false, "/", b->why);
	return r < 0 ? r : mounter_pivot(&b->mounter, b->root, b->why);
}

static int enter(struct builder *b)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail(b, "make private", "/");
	int r = mounter_start(&b->mounter, b->why);

	if (r < 0)
		return r;
	b->root = new_tmpfs(b);
	if (b->root < 0)
		return b->root;
	/* On top of "/" it hides no source: our own root stays the old one. */
	r = mounter_attach(&b->mounter, b->root, PATH_ABSOLUTE, "/", b->why);
	if (r < 0)
		return r;
	if (fchdir(b->root) < 0)
		return fail(b, "chdir", "the new root");
	return 0;
}

int mounts_build(const struct sandbox_plan *plan, int *ret_upper,
		 struct error *why)
{
	static int (*const steps[])(struct builder *) = {
		enter, make_covers, place_read_binds, place_made, place_proc, forbid,
		place_devices, place_writable, place_write_binds, place_workspace,
		place_hidden, seal,
	};
	struct builder b = {
		.plan = plan, .root = -1, .upper = -1,
		.empty_file = -1, .empty_directory = -1, .why = why,
	};
	mode_t mask = umask(0);
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(steps); i++)
		r = steps[i](&b);
	umask(mask);
	if (r == 0 && chdir(plan->cwd) < 0)
		r = error_set(why, -errno, "no directory %s inside: %s", plan->cwd,
			      strerror(errno));
	/* The rest of the descriptors goes with close_range() and exec. */
	*ret_upper = b.upper;
	return r;
}

int mounts_allow(const struct sandbox_plan *plan, int ruleset, int abi,
		 struct error *why)
{
	static const struct {
		const char *path;
		enum landlock_access access;
	} fixed[] = {
		{ "/", LANDLOCK_LIST },	     { "/proc", LANDLOCK_READ },
		{ "/etc", LANDLOCK_READ },   { "/tmp", LANDLOCK_WRITE },
		{ "/var/tmp", LANDLOCK_WRITE }, { "/run", LANDLOCK_WRITE },
		{ "/dev", LANDLOCK_DEVICE }, { "/dev/shm", LANDLOCK_WRITE },
	};
	const struct policy *policy = plan->policy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(fixed); i++)
		r = landlock_allow(ruleset, abi, fixed[i].path, fixed[i].access, why);
	for (size_t i = 0; r == 0 && i < policy->bind_count; i++) {
		const struct bind *bind = &policy->binds[i];

		/* What may be read below /etc is covered by its own rule. */
		if (bind->access == BIND_READ && strncmp(bind->target, "/etc/", 5) == 0)
			continue;
		r = landlock_allow(ruleset, abi, bind->target,
				   bind->access == BIND_WRITE ? LANDLOCK_WRITE :
								LANDLOCK_READ, why);
		if (r == -ENOENT && bind->optional)
			r = 0;
	}
	if (r == 0 && plan->workspace)
		r = landlock_allow(ruleset, abi, plan->workspace,
				   plan->workspace_mode == WORKSPACE_READONLY ?
					   LANDLOCK_READ : LANDLOCK_WRITE, why);
	return r;
}
