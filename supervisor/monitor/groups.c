/* Groups, which take longer to make and to remove than much of a job does. */
#include <errno.h>
#include <string.h>

#include "supervisor/monitor/monitor.h"

static struct cgroup take_spare(struct monitor *monitor, unsigned index)
{
	struct cgroup taken = monitor->groups[index];

	monitor->group_count--;
	memmove(&monitor->groups[index], &monitor->groups[index + 1],
		(monitor->group_count - index) * sizeof(taken));
	return taken;
}

static bool find_spare(struct worker *worker, const struct limits *limits, bool meek)
{
	struct monitor *monitor = worker->monitor;

	for (unsigned i = 0; i < monitor->group_count; i++)
		if (cgroup_fits(&monitor->groups[i], limits, meek)) {
			worker->cgroup = take_spare(monitor, i);
			return true;
		}
	return false;
}

/* What no worker has asked for makes room for what one had just now. */
static void keep(struct worker *worker)
{
	struct monitor *monitor = worker->monitor;

	if (monitor->group_count == GROUPS_MAX) {
		struct cgroup oldest = take_spare(monitor, 0);

		cgroup_remove(&oldest, NULL);
	}
	monitor->groups[monitor->group_count++] = worker->cgroup;
	worker->cgroup.layout = CGROUP_NONE;
}

/* A user without delegated groups does without, as `cupel run` does. */
int group_make(struct worker *worker, const struct sandbox_plan *plan,
		      bool batch, struct error *why)
{
	if (find_spare(worker, &plan->policy->limits, batch))
		return 0;
	int r = cgroup_create(&worker->cgroup, &plan->policy->limits, batch, why);
	bool none = r == -EOPNOTSUPP;	/* a user's: as `cupel run`, it does without */

	if (none && !worker->monitor->groupless)
		log_write(&worker->monitor->log, LEVEL_WARNING, "workers have no groups",
			  LOG_FIELDS(log_text("reason", why->text)));
	worker->monitor->groupless = none;
	return none ? 0 : r;
}

int group_leave(struct worker *worker, bool in_order)
{
	if (!in_order || !cgroup_is_reusable(&worker->cgroup))
		return cgroup_try_remove(&worker->cgroup);
	if (worker->background)
		cgroup_background(&worker->cgroup, false);
	worker->background = false;
	keep(worker);
	return 0;
}

void groups_release(struct monitor *monitor)
{
	while (monitor->group_count > 0)
		cgroup_remove(&monitor->groups[--monitor->group_count], NULL);
}
