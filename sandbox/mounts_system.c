#include "sandbox/mounts_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/builder.h"
#include "sandbox/mounts.h"
#include "sandbox/path.h"

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

int mounts_place_made(struct builder *b)
{
	static const char *const directories[] = { "etc", "dev" };

	for (size_t i = 0; i < COUNT(directories); i++) {
		int r = path_make(b->root, directories[i], true, PATH_STRICT, b->why);

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
			return builder_fail(b, "write", made_files[i].path);
	}
	for (size_t i = 0; i < COUNT(made_links); i++)
		if (symlinkat(made_links[i].target, b->root, made_links[i].name) < 0 &&
		    errno != EEXIST)
			return builder_fail(b, "symlink", made_links[i].name);
	return 0;
}

int mounts_place_writable(struct builder *b)
{
	int r = path_make(b->root, "var", true, PATH_STRICT, b->why);

	for (size_t i = 0; r == 0 && i < COUNT(writable_places); i++) {
		const char *path = writable_places[i].path;

		if (mkdirat(b->root, path, writable_places[i].mode) < 0)
			return builder_fail(b, "mkdir", path);
		AUTO_CLOSE int fd = path_open(b->root, path, O_PATH, 0,
					      PATH_STRICT, b->why);
		AUTO_CLOSE int tree = fd < 0 ? fd :
			mounter_clone(&b->mounter, fd, BUILDER_WALL, path, b->why);

		r = tree < 0 ? tree : builder_attach(b, tree, path);
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
	int r = path_make(b->root, "dev/pts", true, PATH_HOST, b->why);

	return r < 0 ? r : builder_attach(b, pts, "dev/pts");
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
		return builder_fail(b, "readlink", link);
	name[length] = '\0';
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, name, O_PATH | O_NOFOLLOW, 0, PATH_HOST,
				      NULL);

	if (fd < 0 || fstat(terminal, &given) < 0 || fstat(fd, &found) < 0 ||
	    given.st_dev != found.st_dev || given.st_ino != found.st_ino)
		return 0;
	return builder_bind(b, fd, "dev/console", 0);
}

int mounts_place_devices(struct builder *b)
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
		r = builder_bind(b, fd, path + 1, 0);	/* one device, nothing to execute */
	}
	if (r == 0)
		r = place_console(b);
	return r < 0 ? r : place_pts(b);
}

int mounts_place_proc(struct builder *b)
{
	const char *const options[][2] = {
		{ "hidepid", "invisible" },
		{ b->plan->policy->proc_full ? NULL : "subset", "pid" },
		{ NULL, NULL },
	};
	AUTO_CLOSE int proc = mounter_make(&b->mounter, "proc", options,
					   BUILDER_WALL | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
					   b->why);

	if (proc < 0)
		return proc;
	int r = path_make(b->root, "proc", true, PATH_STRICT, b->why);

	if (r == 0)
		r = builder_attach(b, proc, "proc");
	if (b->plan->policy->proc_full)
		for (size_t i = 0; r == 0 && i < COUNT(proc_masks); i++)
			r = builder_cover(b, proc, proc_masks[i], 0);
	return r;
}
