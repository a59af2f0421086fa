/* What the router makes of how full the machine is. */
#include "tests/support/test.h"

#include <string.h>

#include "common/cleanup.h"
#include "supervisor/router/report_core.h"
#include "tests/support/router_world.h"

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
	static const struct catalog catalog = { .magic = CATALOG_MAGIC, .generation = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct router_sample sample = {
			.memory_percent = cases[i].memory, .disk_percent = cases[i].disk,
			.cpu_percent = cases[i].cpu };
		struct router_world world = { .catalog = &catalog, .now_ns = NS_PER_S,
					      .size = { .clients = 1, .slots = 1 } };
		const char *reason;
		enum health_status got;

		router_world_begin(&world);
		router_world_step(&world, (struct router_event){
			.kind = ROUTER_SAMPLE, .sample = &sample });
		got = worst(world.router, &reason);
		if (got != cases[i].want || strcmp(reason, cases[i].reason) != 0)
			print_message("# %s: got %s (%s), want %s (%s)\n", cases[i].name,
				      health_status_name(got), reason,
				      health_status_name(cases[i].want), cases[i].reason);
		assert_int_equal(got, cases[i].want);
		assert_string_equal(reason, cases[i].reason);
		router_world_end(&world);
	}
}

/* A letter a look: h, d, u; and what is published after it. */
static void nothing_flaps(void **state)
{
	static const struct {
		const char *name;
		enum health_kind kind;
		const char *looks, *want;
	} rows[] = {
		{ "the first look counts",              HEALTH_MEASURE, "u",       "u" },
		{ "what is measured must be so thrice", HEALTH_MEASURE, "huuu",    "hhhu" },
		{ "in a row",                           HEALTH_MEASURE, "huuhuu",  "hhhhhh" },
		{ "a fact is worse at once",            HEALTH_FACT,    "hdu",     "hdu" },
		{ "and better after three",             HEALTH_FACT,    "uhhuhhh", "uuuuuuh" },
	};
	static const char letters[HEALTH_STATUS_COUNT] = {
		[HEALTH_HEALTHY] = 'h', [HEALTH_UNKNOWN] = '?',
		[HEALTH_DEGRADED] = 'd', [HEALTH_UNHEALTHY] = 'u',
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct health_component component = { .checked_ns = 0 };
		char got[16] = "";

		for (size_t j = 0; rows[i].looks[j]; j++) {
			const char *seen = memchr(letters, rows[i].looks[j], sizeof(letters));

			health_see(&component, rows[i].kind,
				   (enum health_status)(seen - letters), "", NS_PER_S);
			got[j] = letters[health_of(&component, NS_PER_S)];
		}
		test_row(strcmp(got, rows[i].want) == 0, "%s: %s", rows[i].name, got);
	}
}

static void what_nobody_looks_at_is_unknown(void **state)
{
	struct health_component component = { .checked_ns = 0 };

	(void)state;
	assert_int_equal(health_of(&component, NS_PER_S), HEALTH_UNKNOWN);
	health_see(&component, HEALTH_FACT, HEALTH_HEALTHY, "", NS_PER_S);
	assert_int_equal(health_of(&component, NS_PER_S + HEALTH_STALE_NS), HEALTH_HEALTHY);
	assert_int_equal(health_of(&component, NS_PER_S + HEALTH_STALE_NS + 1), HEALTH_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_full_the_machine_is),
		cmocka_unit_test(nothing_flaps),
		cmocka_unit_test(what_nobody_looks_at_is_unknown),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
