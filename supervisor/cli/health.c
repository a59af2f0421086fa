/*
 * cupel health: is it well, and if not, why. The exit status is for scripts.
 */
#include <string.h>

#include "common/cleanup.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/snapshot.h"

enum health_exit {
	HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY, HEALTH_UNKNOWN,
};

static int exit_of_status(const char *status)
{
	static const char *const names[] = { "healthy", "degraded", "unhealthy" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(status, names[i]) == 0)
			return (int)i;
	return HEALTH_UNKNOWN;
}

static void print_health(const json_t *health)
{
	static const struct grid_column columns[] = {
		{ "COMPONENT", false, false }, { "STATUS", false, false },
		{ "", false, true },
	};
	struct table look;
	struct grid grid;
	json_t *row;
	size_t i;

	table_init(&look, stdout, 0, 0);
	printf("%s\n", member_text(health, "status"));
	json_array_foreach(json_object_get(health, "reasons"), i, row)
		table_note(&look, member_text(row, "component"), member_text(row, "reason"));
	putchar('\n');
	grid_init(&grid, columns, COUNT(columns));
	json_array_foreach(json_object_get(health, "components"), i, row) {
		const char *status = member_text(row, "status");
		const char *detail = json_string_value(json_object_get(row, "detail"));

		grid_cell(&grid, TABLE_PLAIN, "%s", member_text(row, "name"));
		grid_cell(&grid, snapshot_tone(status), "%s", status);
		grid_cell(&grid, TABLE_PLAIN, "%s", detail ? detail : "");
	}
	grid_print(&grid, &look);
}

int cli_health(const struct verb *verb, int argc, char **argv)
{
	bool as_json = false;
	json_t *health;
	int first, code;

	if (!cli_take_json(verb, argc, argv, &as_json, &first))
		return EXIT_USAGE;
	if (first < argc)
		return cli_refuse_usage(verb);
	if (cli_fetch(false, "router.health", &health) != EXIT_OK)
		return HEALTH_UNKNOWN;
	code = exit_of_status(member_text(health, "status"));
	if (as_json)
		return cli_print_json(health) == EXIT_OK ? code : EXIT_INTERNAL;
	print_health(health);
	json_decref(health);
	return code;
}

void cli_health_explain(FILE *out)
{
	fputs("\n  --json  the same as one JSON object\n\n"
	      "The exit status is 0 healthy, 1 degraded, 2 unhealthy, 3 unknown, which is\n"
	      "also the answer when no supervisor runs or it does not reply.\n", out);
}
