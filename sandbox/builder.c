#include "sandbox/builder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/path.h"

#define DISK_BYTES_DEFAULT (UINT64_C(100) << 20)
#define DISK_INODES_DEFAULT UINT64_C(20000)

int builder_fail(const struct builder *b, const char *what, const char *path)
{
	return error_set(b->why, -errno, "%s %s: %s", what, path, strerror(errno));
}

int builder_make_tmpfs(struct builder *b)
{
	static const char *const options[][2] = { { "mode", "0755" }, { NULL, NULL } };

	return mounter_make(&b->mounter, "tmpfs", options, BUILDER_WALL, b->why);
}

/* The sum in decimal; what is that much has no end. */
static void print_sum(char ret[24], uint64_t a, uint64_t b)
{
	const uint64_t most = UINT64_C(1) << 50;

	snprintf(ret, 24, "%" PRIu64, a < most && b < most - a ? a + b : most);
}

int builder_limit_tmpfs(struct builder *b, int tmpfs, const char *name)
{
	const struct limits *limits = &b->plan->policy->limits;
	char size[24], count[24];
	struct statfs now;

	if (fstatfs(tmpfs, &now) < 0)
		return builder_fail(b, "statfs", name);
	print_sum(size, (now.f_blocks - now.f_bfree) * (uint64_t)now.f_bsize,
		  limits->disk_bytes ? limits->disk_bytes : DISK_BYTES_DEFAULT);
	print_sum(count, now.f_files - now.f_ffree,
		  limits->inodes ? limits->inodes : DISK_INODES_DEFAULT);
	const char *const options[][2] = {
		{ "size", size }, { "nr_inodes", count }, { NULL, NULL },
	};

	return mounter_change(&b->mounter, tmpfs, options, name, b->why);
}

int builder_attach(struct builder *b, int mount, const char *target)
{
	return mounter_attach(&b->mounter, mount, b->root, target, b->why);
}

int builder_bind(struct builder *b, int fd, const char *target,
		   unsigned attributes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return builder_fail(b, "stat", target);
	int r = path_make(b->root, target, S_ISDIR(status.st_mode), PATH_HOST, b->why);

	if (r < 0)
		return r;
	AUTO_CLOSE int tree = mounter_clone(&b->mounter, fd, attributes, target, b->why);

	return tree < 0 ? tree : builder_attach(b, tree, target);
}

int builder_check_same(const struct builder *b, int fd, const struct tree *seen,
		      const char *path)
{
	struct stat status;

	if (seen->directory < 0)	/* a preset's: the host's own paths */
		return 0;
	if (fstat(fd, &status) < 0)
		return builder_fail(b, "stat", path);
	if (status.st_dev == seen->device && status.st_ino == seen->inode)
		return 0;
	return error_set(b->why, -ESTALE, "%s was replaced while the sandbox started", path);
}

int builder_cover(struct builder *b, int directory, const char *name,
		 unsigned attributes)
{
	struct stat status;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : builder_fail(b, "stat", name);
	int from = S_ISDIR(status.st_mode) ? b->empty_directory : b->empty_file;
	AUTO_CLOSE int tree = mounter_clone(&b->mounter, from, attributes, name, b->why);

	return tree < 0 ? tree : mounter_attach(&b->mounter, tree, directory, name, b->why);
}
