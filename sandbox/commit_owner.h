/*
 * commit_owner.h - root that writes into a user's directory as that user.
 *
 * A launcher run by root commits as the owner of the workspace: with the file
 * system ids of that owner and no groups (setfsuid(2)), the kernel itself
 * sees to it that nothing is reached or changed that the owner could not
 * have, whatever is swapped meanwhile, and that new files belong to the
 * owner. Everyone else acts as himself.
 */
#ifndef CUPEL_SANDBOX_COMMIT_OWNER_H
#define CUPEL_SANDBOX_COMMIT_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

struct owner {
	bool other;		/* there is someone else to become */
	uid_t uid;
	gid_t gid;
	int group_count;	/* of our own, given up until the release */
	gid_t *groups;
};

/* Oneself. */
void owner_init_self(struct owner *ret);

/*
 * The owner of an open directory, if we are root and it is not, else oneself.
 * Until owner_release() the process has no supplementary groups. 0 or -errno.
 */
int owner_init(struct owner *ret, int directory, struct error *why);
void owner_release(struct owner *owner);

/* Whom owner_init() would become. */
uid_t owner_uid_of(int directory);

/* Two halves of a step; whoever becomes the owner returns. */
void owner_become(const struct owner *owner);
void owner_return(const struct owner *owner);

#endif
