#include "supervisor/catalog/wider.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "common/error.h"
#include "sandbox/exposure.h"
#include "supervisor/catalog/manifest.h"

#define POLICY_MEMORY_BYTES (1U << 20)

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

static int compare_policies(const char *before_name, const char *now_name,
			    struct arena *arena, struct error *why)
{
	struct policy before, now;
	const char *opened;
	int r = policy_load(&now, now_name, arena, why);

	if (r < 0)
		return r;
	if (policy_load(&before, before_name, arena, NULL) < 0)
		return error_set(why, -EPERM,
				 "the policy %s it had is gone, so that nobody can say whether %s permits more",
				 before_name, now_name);
	opened = find_opened(&before, &now);
	if (!opened)
		return 0;
	return error_set(why, -EPERM, "policy %s leaves open what %s does not: %s",
			 now_name, before_name, opened);
}

int wider_pool(const struct catalog_pool *before,
	       const struct catalog_pool *now, struct error *why)
{
	struct arena arena;
	int r;

	if (now->client_role != before->client_role &&
	    now->client_role != ROLE_COUNT)
		return error_set(why, -EPERM, "it would call tools as %s",
				 manifest_roles[now->client_role]);
	if (now->flags & ~before->flags & POOL_WORKSPACE)
		return error_set(why, -EPERM, "it would be given workspaces");
	if (strcmp(before->policy, now->policy) == 0)
		return 0;
	arena_init(&arena, POLICY_MEMORY_BYTES);
	r = compare_policies(before->policy, now->policy, &arena, why);
	arena_release(&arena);
	return r;
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
