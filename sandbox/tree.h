/*
 * tree.h - a directory of the host, ready to be mounted inside.
 *
 * Opened once as the requester. In the full tier the command has an id of its
 * own that owns nothing on disk, so the launcher (root) clones the mount and
 * maps the owner's id to it: files keep their owner, no chown ever happens
 * (mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12). The clone is private, or what
 * is mounted on it inside would appear on the host where that shares its mounts.
 */
#ifndef CUPEL_SANDBOX_TREE_H
#define CUPEL_SANDBOX_TREE_H

#include <sys/types.h>

struct error;

struct tree {
	int directory;		/* O_PATH; of a file for a bind of a file; -1: none */
	int mount;		/* detached, ids mapped if need be; -1: the name is used */
	dev_t device;
	ino_t inode;
};

/*
 * Takes over a descriptor of a path that was opened as the requester; path is
 * for people. With host_uid the owner's id is mapped to that one, which needs
 * root, unless they are the same; (uid_t)-1 maps nothing. -EOPNOTSUPP when the
 * file system cannot map ids, -ENOSYS when nothing here can: the sentence says
 * so and names the way out.
 */
int tree_take(struct tree *ret, int fd, const char *path, uid_t host_uid,
	      gid_t host_gid, struct error *why);

void tree_close(struct tree *tree);

#endif
