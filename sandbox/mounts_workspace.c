#include "sandbox/mounts_steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "sandbox/builder.h"
#include "sandbox/path.h"

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
		return r < 0 ? builder_fail(b, "duplicate", plan->workspace) : r;
	}
	AUTO_CLOSE int fd = path_open(PATH_ABSOLUTE, plan->workspace,
				      O_PATH | O_DIRECTORY, 0, PATH_HOST, b->why);
	int r = fd < 0 ? fd : builder_check_same(b, fd, &plan->workspace_tree, plan->workspace);

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
		AUTO_CLOSE int tree = mounter_clone(&b->mounter, fd,
						    BUILDER_WALL | MOUNT_ATTR_RDONLY, names[i],
						    b->why);
		int r = tree < 0 ? tree :
			mounter_attach(&b->mounter, tree, workspace, names[i], b->why);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * overlayfs wants paths of mounts in our own namespace: both layers lie where
 * nothing is needed of the old root any more, with which they go, named through
 * /proc/self/fd; the upper one lives on in the descriptor that the launcher gets.
 */
static int place_layers(struct builder *b, int lower)
{
	static const char *const directories[] = { "lower", "upper", "work" };

	b->upper = builder_make_tmpfs(b);
	if (b->upper < 0)
		return b->upper;
	for (size_t i = 0; i < COUNT(directories); i++)
		if (mkdirat(b->upper, directories[i], 0755) < 0)
			return builder_fail(b, "mkdir", directories[i]);
	int r = mounter_attach(&b->mounter, b->upper, PATH_ABSOLUTE, "/dev", b->why);

	return r < 0 ? r : mounter_attach(&b->mounter, lower, b->upper, "lower", b->why);
}

static int place_overlay(struct builder *b, int lower, const char *target)
{
	char lower_path[64], upper_path[64], work_path[64];
	int r = place_layers(b, lower);

	if (r < 0)
		return r;
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
	AUTO_CLOSE int overlay = mounter_make(&b->mounter, "overlay", options, BUILDER_WALL, b->why);

	if (overlay < 0)
		return overlay;
	r = builder_limit_tmpfs(b, b->upper, "the overlay");
	if (r == 0)
		r = builder_attach(b, overlay, target);
	return r < 0 ? r : guard_repository(b, overlay);
}

int mounts_place_workspace(struct builder *b)
{
	const struct sandbox_plan *plan = b->plan;
	bool overlay = plan->workspace_mode == WORKSPACE_OVERLAY;
	unsigned attributes = BUILDER_WALL;

	if (!plan->workspace)
		return 0;
	if (plan->workspace_mode != WORKSPACE_DIRECT)
		attributes |= MOUNT_ATTR_RDONLY;
	AUTO_CLOSE int tree = workspace_tree(b, attributes);

	if (tree < 0)
		return tree;
	int r = path_make(b->root, plan->workspace + 1, true, PATH_HOST, b->why);

	if (r < 0)
		return r;
	if (overlay)
		return place_overlay(b, tree, plan->workspace + 1);
	r = builder_attach(b, tree, plan->workspace + 1);
	return r < 0 ? r : guard_repository(b, tree);
}
