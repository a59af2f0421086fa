/* What the router makes of how full the machine is. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/router/report_core.h"

static const struct {
	const char *name;
	unsigned memory, disk, cpu;	/* percent */
	enum health_status want;
	const char *reason;
} cases[] = {
	{ "little is used",            10,  10,  10, HEALTH_HEALTHY,   "" },
	{ "nearly enough",             74,  79,  79, HEALTH_HEALTHY,   "" },
	{ "memory is short",           75,  10,  10, HEALTH_DEGRADED,  "75 % in use" },
	{ "memory is gone",            90,  10,  10, HEALTH_UNHEALTHY, "90 % in use" },
	{ "the disk is short",         10,  80,  10, HEALTH_DEGRADED,  "80 % in use" },
	{ "the disk is full",          10, 100,  10, HEALTH_UNHEALTHY, "100 % in use" },
	{ "processors are busy",       10,  10,  80, HEALTH_DEGRADED,  "80 % in use" },
	{ "to work is no illness",     10,  10, 100, HEALTH_DEGRADED,  "100 % in use" },
	{ "the worst of all counts",   80,  95,  85, HEALTH_UNHEALTHY, "95 % in use" },
};

static struct router *new_router(void **ret_memory)
{
	static const struct catalog catalog = { .magic = CATALOG_MAGIC, .generation = 1 };
	static const struct router_sink none = { 0 };
	const struct router_size size = { .calls = 4, .clients = 1, .slots = 1, .queue = 1,
		.cached = 1, .effects = 8, .kept_bytes = 1024, .store_bytes = STORE_PIECE_MOST };

	*ret_memory = calloc(1, router_bytes(&size));
	assert_non_null(*ret_memory);
	return router_init(*ret_memory, &size, &catalog, &none, 1, NS_PER_S);
}

/* The worst of the three, and why. */
static enum health_status worst(const struct router *router, const char **ret_reason)
{
	enum health_status status = HEALTH_HEALTHY;

	*ret_reason = "";
	for (unsigned i = 0; i < RESOURCE_COUNT; i++) {
		const struct health_component *component = &router->resources[i];

		if (health_of(component, NS_PER_S) <= status)
			continue;
		status = health_of(component, NS_PER_S);
		*ret_reason = component->detail;
	}
	return status;
}

static void how_full_the_machine_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct router_sample sample = {
			.memory_percent = cases[i].memory, .disk_percent = cases[i].disk,
			.cpu_percent = cases[i].cpu };
		void *memory;
		struct router *router = new_router(&memory);
		const char *reason;
		enum health_status got;

		router_step(router, &(struct router_event){ .kind = ROUTER_SAMPLE,
							    .sample = &sample }, NS_PER_S);
		got = worst(router, &reason);
		if (got != cases[i].want || strcmp(reason, cases[i].reason) != 0)
			print_message("# %s: got %s (%s), want %s (%s)\n", cases[i].name,
				      health_status_name(got), reason,
				      health_status_name(cases[i].want), cases[i].reason);
		assert_int_equal(got, cases[i].want);
		assert_string_equal(reason, cases[i].reason);
		free(memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_full_the_machine_is),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
