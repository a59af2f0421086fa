/*
 * cupel version: which cupel this is.
 */
#include "supervisor/cli/cli.h"

int cli_version(const struct verb *verb, int argc, char **argv)
{
	bool as_json = false;
	int first;

	if (!cli_take_json(verb, argc, argv, &as_json, &first))
		return EXIT_USAGE;
	if (first < argc)
		return cli_refuse_usage(verb);
	if (!as_json) {
		printf("cupel %s\n", CUPEL_VERSION);
		return EXIT_OK;
	}
	return cli_print_json(json_pack("{s:i, s:s, s:s}", "schema_version", 1,
					"name", "cupel", "version",
					CUPEL_VERSION));
}
