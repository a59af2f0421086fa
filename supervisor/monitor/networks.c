/* Networks with nothing in them, made at the start and lent to one worker at a time. */
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/network.h"
#include "supervisor/monitor/monitor.h"

/* While we may: to make one later would take CAP_NET_ADMIN. */
int networks_make(struct monitor *monitor, struct error *why)
{
	if (geteuid() != 0)
		return 0;
	monitor->home_network = network_own();
	if (monitor->home_network < 0)
		return error_set(why, monitor->home_network, "name our own network: %s",
				 strerror(-monitor->home_network));
	while (monitor->network_count < NETWORKS_MAX) {
		int network = network_make();

		if (network < 0)
			break;	/* workers then make their own */
		monitor->networks[monitor->network_count++] = network;
	}
	int r = network_enter(monitor->home_network);

	return r < 0 ? error_set(why, r, "come back to our network: %s", strerror(-r)) : 0;
}

/*
 * Making one takes longer than the rest of a start: single-use workers, which
 * come and go, have all there are; of others only half may hold one.
 */
void networks_lend(struct worker *worker, const struct catalog_pool *pool,
		   struct sandbox_plan *plan)
{
	struct monitor *monitor = worker->monitor;
	unsigned kept = pool->kind == POOL_PER_CALL ? 0 : NETWORKS_MAX / 2;

	if (plan->policy->network != NETWORK_NONE || plan->tier != TIER_FULL ||
	    monitor->network_count <= kept)
		return;
	worker->network = monitor->networks[--monitor->network_count];
	plan->network = worker->network;
	plan->home_network = monitor->home_network;
}

/* Its pid namespace is gone by now, or it was never there. */
void networks_take_back(struct worker *worker)
{
	struct monitor *monitor = worker->monitor;

	if (worker->network >= 0)
		monitor->networks[monitor->network_count++] = worker->network;
	worker->network = -1;
}
