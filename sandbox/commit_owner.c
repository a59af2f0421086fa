#include "sandbox/commit_owner.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

/* setfsuid(2) reports nothing; asking for an impossible id tells the present. */
static bool set_ids(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

void owner_init_self(struct owner *ret)
{
	*ret = (struct owner){ .uid = geteuid(), .gid = getegid() };
}

uid_t owner_uid_of(int directory)
{
	struct stat status;

	return geteuid() != 0 ? geteuid() :
	       fstat(directory, &status) == 0 ? status.st_uid : (uid_t)-1;
}

static int give_up_groups(struct owner *owner, struct error *why)
{
	int count = getgroups(0, NULL);

	owner->groups = calloc((size_t)(count > 0 ? count : 1), sizeof(gid_t));
	if (!owner->groups)
		return error_set(why, -ENOMEM, "no memory for %d groups", count);
	owner->group_count = getgroups(count, owner->groups);
	if (owner->group_count < 0 || setgroups(0, NULL) < 0) {
		free(owner->groups);
		return error_set(why, -errno, "setgroups: %s", strerror(errno));
	}
	return 0;
}

int owner_init(struct owner *ret, int directory, struct error *why)
{
	struct owner owner;
	struct stat status;

	owner_init_self(&owner);
	if (fstat(directory, &status) < 0)
		return error_set(why, -errno, "stat: %s", strerror(errno));
	owner.other = owner.uid == 0 && status.st_uid != 0;
	if (owner.other) {
		owner.uid = status.st_uid;
		owner.gid = status.st_gid;
		int r = give_up_groups(&owner, why);

		if (r < 0)
			return r;
		bool able = set_ids(owner.uid, owner.gid);

		set_ids(geteuid(), getegid());
		if (!able) {
			owner_release(&owner);
			return error_set(why, -EPERM,
					 "cannot act as user %u, who owns the workspace: "
					 "CAP_SETUID and CAP_SETGID are missing", owner.uid);
		}
	}
	*ret = owner;
	return 0;
}

void owner_release(struct owner *owner)
{
	if (owner->groups)
		setgroups((size_t)owner->group_count, owner->groups);
	free(owner->groups);
	owner->groups = NULL;
}

void owner_become(const struct owner *owner)
{
	bool able = !owner->other || set_ids(owner->uid, owner->gid);

	assert(able);
}

void owner_return(const struct owner *owner)
{
	bool able = !owner->other || set_ids(geteuid(), getegid());

	assert(able);
}
