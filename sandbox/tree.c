#include "sandbox/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "sandbox/identity.h"
#include "sandbox/mounter.h"
#include "sandbox/path.h"

static int map_owner(int mount, const char *path, const struct stat *owner,
		     uid_t host_uid, gid_t host_gid, struct error *why)
{
	int ids = identity_mount_namespace(owner->st_uid, owner->st_gid, host_uid,
					   host_gid, why);

	if (ids < 0)
		return ids;
	struct mount_attr map = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (unsigned)ids,
	};

	if (mount_setattr(mount, "", AT_EMPTY_PATH, &map, sizeof(map)) < 0)
		return error_set(why, errno == EINVAL ? -EOPNOTSUPP : -errno,
				 "%s lies on a file system whose ids cannot be mapped (%s); "
				 "run as an ordinary user who may use it (--tier userns) or move it to ext4, xfs, btrfs or tmpfs",
				 path, strerror(errno));
	return 0;
}

/* A clone shares what is mounted on it with its origin, where that is shared. */
static int keep_private(int mount, const char *path, struct error *why)
{
	struct mount_attr change = { .propagation = MS_PRIVATE };

	if (mount_setattr(mount, "", AT_EMPTY_PATH, &change, sizeof(change)) < 0)
		return error_set(why, -errno, "mount_setattr %s: %s", path, strerror(errno));
	return 0;
}

/* Leaves ret alone where no mount can be cloned and none need be: its name is used. */
static int prepare(int directory, const char *path, const struct stat *owner,
		   uid_t host_uid, gid_t host_gid, int *ret, struct error *why)
{
	bool owned = owner->st_uid == host_uid && owner->st_gid == host_gid;

	if (!mounter_by_descriptor())
		return owned ? 0 :
		       error_set(why, -ENOSYS,
				 "ids of %s cannot be mapped without open_tree(2) and its like; run as an ordinary user who may use it (--tier userns)",
				 path);
	AUTO_CLOSE int mount = open_tree(directory, "", AT_EMPTY_PATH |
						 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mount < 0)
		return error_set(why, -errno, "open_tree %s: %s", path, strerror(errno));
	int r = keep_private(mount, path, why);

	if (r == 0 && !owned)
		r = map_owner(mount, path, owner, host_uid, host_gid, why);

	if (r == 0)
		*ret = fd_take(&mount);
	return r;
}

int tree_take(struct tree *ret, int fd, const char *path, uid_t host_uid,
	      gid_t host_gid, struct error *why)
{
	AUTO_CLOSE int directory = fd;
	struct stat status;
	int mount = -1;

	if (fstat(directory, &status) < 0)
		return error_set(why, -errno, "stat %s: %s", path, strerror(errno));
	if (host_uid != (uid_t)-1) {
		int r = prepare(directory, path, &status, host_uid, host_gid, &mount, why);

		if (r < 0)
			return r;
	}
	*ret = (struct tree){ .directory = fd_take(&directory), .mount = mount,
			      .device = status.st_dev, .inode = status.st_ino };
	return 0;
}

void tree_close(struct tree *tree)
{
	if (tree->directory >= 0)
		close(tree->directory);
	if (tree->mount >= 0)
		close(tree->mount);
	tree->directory = tree->mount = -1;
}
