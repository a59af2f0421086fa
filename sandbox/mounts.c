#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/builder.h"
#include "sandbox/landlock.h"
#include "sandbox/mounts_steps.h"
#include "sandbox/path.h"
#include "sandbox/sandbox.h"

#define EMPTY_FILE ".none"
#define EMPTY_DIRECTORY ".nothing"

/* A symbolic link of the host such as /bin is repeated, not followed. */
static int repeat_link(struct builder *b, const char *source, const char *target)
{
	char text[PATH_MAX];
	ssize_t length = readlink(source, text, sizeof(text) - 1);

	if (length < 0)
		return 0;
	text[length] = '\0';
	if (symlinkat(text, b->root, target) < 0 && errno != EEXIST)
		return builder_fail(b, "symlink", target);
	return 1;
}

/* A tree the launcher prepared, ids mapped; file or directory as it is. */
static int place_prepared(struct builder *b, int tree, const char *target,
			  unsigned attributes)
{
	struct stat status;

	if (fstat(tree, &status) < 0)
		return builder_fail(b, "stat", target);
	int r = attributes ? mounter_set(&b->mounter, tree, attributes, 0, false, target,
					 b->why) : 0;

	if (r == 0)
		r = path_make(b->root, target, S_ISDIR(status.st_mode), PATH_HOST, b->why);
	return r < 0 ? r : builder_attach(b, tree, target);
}

static int place_bind(struct builder *b, size_t index)
{
	const struct bind *bind = &b->plan->policy->binds[index];
	/* forbid() sees to those that may only be read. */
	unsigned attributes = bind->access == BIND_WRITE ? BUILDER_WALL : 0;
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
	int r = fd < 0 ? fd : builder_check_same(b, fd, &b->plan->bind_trees[index], bind->source);

	return r < 0 ? r : builder_bind(b, fd, target, attributes);
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
				  covers[i].is_directory, PATH_STRICT, b->why);

		if (r < 0)
			return r;
		AUTO_CLOSE int fd = path_open(b->root, covers[i].name, O_PATH, 0,
					      PATH_STRICT, b->why);

		if (fd < 0 || fchmodat(b->root, covers[i].name, 0, 0) < 0)
			return fd < 0 ? fd : builder_fail(b, "chmod", covers[i].name);
		*(covers[i].is_directory ? &b->empty_directory : &b->empty_file) =
			fd_take(&fd);
	}
	return 0;
}

static int place_hidden(struct builder *b)
{
	const struct policy *policy = b->plan->policy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->hidden_count; i++)
		r = builder_cover(b, b->root, policy->hidden[i] + 1,
			  BUILDER_WALL | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
	return r;
}

/*
 * All that is there so far becomes read-only, without setuid and devices, by
 * one call; only the root's own tmpfs is opened again for what follows.
 */
static int forbid(struct builder *b)
{
	int r = mounter_set(&b->mounter, b->root, BUILDER_WALL | MOUNT_ATTR_RDONLY, 0, true, "/",
			    b->why);

	return r < 0 ? r : mounter_set(&b->mounter, b->root, 0, MOUNT_ATTR_RDONLY, false, "/",
				       b->why);
}

/* Read-only root, then the old one and our helpers' mounts are let go. */
static int seal(struct builder *b)
{
	if (unlinkat(b->root, EMPTY_FILE, 0) < 0 ||
	    unlinkat(b->root, EMPTY_DIRECTORY, AT_REMOVEDIR) < 0)
		return builder_fail(b, "unlink", "the covers");
	int r = builder_limit_tmpfs(b, b->root, "/");

	if (r == 0)
		r = mounter_set(&b->mounter, b->root, MOUNT_ATTR_RDONLY, 0, false, "/", b->why);
	return r < 0 ? r : mounter_pivot(&b->mounter, b->root, b->why);
}

static int enter(struct builder *b)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return builder_fail(b, "make private", "/");
	int r = mounter_start(&b->mounter, b->why);

	if (r < 0)
		return r;
	b->root = builder_make_tmpfs(b);
	if (b->root < 0)
		return b->root;
	/* On top of "/" it hides no source: our own root stays the old one. */
	r = mounter_attach(&b->mounter, b->root, PATH_ABSOLUTE, "/", b->why);
	if (r < 0)
		return r;
	if (fchdir(b->root) < 0)
		return builder_fail(b, "chdir", "the new root");
	return 0;
}

int mounts_build(const struct sandbox_plan *plan, int *ret_upper,
		 struct error *why)
{
	static int (*const steps[])(struct builder *) = {
		enter, make_covers, place_read_binds, mounts_place_made, mounts_place_proc, forbid,
		mounts_place_devices, mounts_place_writable, place_write_binds,
		mounts_place_workspace, place_hidden, seal,
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
