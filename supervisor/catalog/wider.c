#include "supervisor/catalog/wider.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "sandbox/exposure.h"
#include "supervisor/catalog/manifest.h"

static const unsigned workspace_width[] = {
	[WORKSPACE_NONE] = 0,
	[WORKSPACE_READONLY] = 1,
	[WORKSPACE_OVERLAY] = 2,
	[WORKSPACE_DIRECT] = 3,
};

/* The first thing that now is open and before is not; NULL: none. */
static const char *find_opened(const struct policy *before,
			       const struct policy *now)
{
	struct exposure old[EXPOSURES_MAX], new[EXPOSURES_MAX];
	size_t count = exposure_judge(now, new, &(unsigned){ 0 });

	exposure_judge(before, old, &(unsigned){ 0 });
	for (size_t i = 0; i < count; i++)
		if (new[i].open && !old[i].open)
			return new[i].name;
	return NULL;
}

/* Policies in files are for the monitor to read: of those nothing is known here. */
static int compare_policies(const char *before_name, const char *now_name,
			    struct error *why)
{
	const struct policy *before = policy_preset(before_name);
	const struct policy *now = policy_preset(now_name);
	const char *opened = before && now ? find_opened(before, now) : NULL;

	if (!before || !now)
		return error_set(why, -EPERM,
				 "policy %s instead of %s: whether it permits more is for you to say",
				 now_name, before_name);
	if (!opened)
		return 0;
	return error_set(why, -EPERM, "policy %s leaves open what %s does not: %s",
			 now_name, before_name, opened);
}

int wider_pool(const struct catalog_pool *before,
	       const struct catalog_pool *now, struct error *why)
{
	if (now->client_role != before->client_role &&
	    now->client_role != ROLE_COUNT)
		return error_set(why, -EPERM, "it would call tools as %s",
				 manifest_roles[now->client_role]);
	if (workspace_width[now->workspace_mode] >
	    workspace_width[before->workspace_mode])
		return error_set(why, -EPERM, "it would have workspaces %s",
				 workspace_mode_names[now->workspace_mode]);
	if (now->flags & ~before->flags & POOL_STATE)
		return error_set(why, -EPERM, "it would have a directory that stays");
	if (strcmp(before->policy, now->policy) == 0)
		return 0;
	return compare_policies(before->policy, now->policy, why);
}

int wider_tool(const struct catalog_tool *before,
	       const struct catalog_tool *now, struct error *why)
{
	uint32_t more = now->roles & ~before->roles;

	if (!more)
		return 0;
	return error_set(why, -EPERM, "role %s could call %s",
			 manifest_roles[__builtin_ctz(more)], now->name);
}
