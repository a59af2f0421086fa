#include "workers/improve/prune_core.h"

#include <assert.h>

void prune_init(struct prune *prune, const struct space *space,
		const struct space_config *accepted)
{
	*prune = (struct prune){ .space = space, .kept = *accepted };
	space_canonicalise(space, &prune->kept);
}

/* The kept config with one parameter as the user had it. */
static struct space_config put_back(const struct prune *prune, size_t index)
{
	struct space_config config = prune->kept;

	config.levels[index] = prune->space->parameters[index].current;
	space_canonicalise(prune->space, &config);
	return config;
}

bool prune_next(struct prune *prune, struct space_config *ret,
		size_t *ret_parameter)
{
	for (; prune->next < prune->space->count; prune->next++) {
		struct space_config config = put_back(prune, prune->next);

		if (space_equal(&config, &prune->kept))
			continue;
		*ret = config;
		*ret_parameter = prune->next;
		return true;
	}
	return false;
}

void prune_report(struct prune *prune, bool works, double loss_high,
		  double tolerance)
{
	assert(prune->next < prune->space->count);
	if (works && loss_high <= tolerance)
		prune->kept = put_back(prune, prune->next);
	prune->next++;
}
