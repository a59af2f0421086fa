/*
 * identity.h - who the command is, and that it can never be anyone else.
 *
 * Inside, every command is user 1000 ("user") of a user namespace that has no
 * other id: no root, and above all no root of the host. What stands behind it
 * outside is the caller (userns tier) or an id of this run alone (full tier).
 */
#ifndef CUPEL_SANDBOX_IDENTITY_H
#define CUPEL_SANDBOX_IDENTITY_H

#include <sys/types.h>

#define IDENTITY_UID 1000
#define IDENTITY_GID 1000

struct error;

/*
 * Maps user and group 1000 of the namespace of process pid (0: the caller's
 * own) to those of the host. Without privilege only one's own ids can be
 * mapped, and only after giving up setgroups(2); user_namespaces(7).
 */
int identity_map(pid_t pid, uid_t host_uid, gid_t host_gid, struct error *why);

/*
 * A user namespace for an idmapped mount (mount_setattr(2)): files of the
 * owner on disk belong to user 1000's host id seen through it. A descriptor of
 * the namespace, which stays ours and is good until the next call, or -errno;
 * needs root.
 */
int identity_mount_namespace(uid_t owner_uid, gid_t owner_gid, uid_t host_uid,
			     gid_t host_gid, struct error *why);

/* Becomes user 1000; capabilities of the own namespace stay until the drop. */
int identity_assume(struct error *why);

/*
 * Empties all five capability sets, locks securebits and sets no_new_privs:
 * nothing that is executed later can gain a right; capabilities(7).
 */
int identity_drop(struct error *why);

/*
 * The part of it that needs no privilege: capabilities in force or inherited
 * go, and no_new_privs makes the bounding set worth nothing.
 */
int identity_renounce(struct error *why);

#endif
