/*
 * cupel status: one snapshot of workers, pools, queues, breakers and caches.
 */
#include <getopt.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "supervisor/cli/ask.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/course.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/schedule.h"
#include "supervisor/cli/snapshot.h"

#define STORE_NS (2 * NS_PER_S)

/* What the store alone knows; without one, none of it. */
static void print_store_metrics(struct connection *connection)
{
	AUTO_COURSE struct course course = { .name = "store.database" };
	json_auto_t *row = NULL;
	struct error ignored;

	if (course_ask(&course, &connection->client, course.name, 0, json_object(), STORE_NS,
		       &row, &ignored) < 0)
		return;
	printf("# HELP cupel_db_size_bytes Size of the store's database.\n"
	       "# TYPE cupel_db_size_bytes gauge\ncupel_db_size_bytes %.0f\n"
	       "# HELP cupel_db_busy_total Times that another process held the database.\n"
	       "# TYPE cupel_db_busy_total counter\ncupel_db_busy_total %.0f\n",
	       member_number(row, "size_bytes"), member_number(row, "busy"));
}

static int print_metrics(void)
{
	AUTO_ANSWER struct answer answer = { 0 };
	AUTO_DISCONNECT struct connection *connection = NULL;
	int code = cli_ask("router.metrics", NULL, true, &answer);

	if (code != EXIT_OK)
		return code;
	fwrite(answer.text, 1, answer.length, stdout);
	if (cli_connect(false, &connection) == EXIT_OK)
		print_store_metrics(connection);
	return code;
}

static void print_all(const json_t *status)
{
	const json_t *schedules = json_object_get(status, "schedules");
	struct table look;

	table_init(&look, stdout, 0, 0);
	snapshot_print_supervisor(stdout, status);
	snapshot_print_pools(&look, status);
	snapshot_print_tools(&look, status);
	snapshot_print_workers(&look, status);
	snapshot_print_caches(&look, status);
	if (json_array_size(schedules))
		fputc('\n', stdout);
	scheduled_print(&look, schedules);
}

static bool take_options(const struct verb *verb, int argc, char **argv,
			 bool *ret_json, bool *ret_metrics)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "metrics", no_argument, NULL, 'm' },
		{ 0 },
	};
	int option;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, options, NULL)) > 0)
		*(option == 'j' ? ret_json : ret_metrics) = true;
	if (option == 0)
		return false;
	if (optind < argc || (*ret_json && *ret_metrics))
		return cli_refuse_usage(verb), false;
	return true;
}

int cli_status(const struct verb *verb, int argc, char **argv)
{
	bool as_json = false, metrics = false;
	json_t *status;
	int code;

	if (!take_options(verb, argc, argv, &as_json, &metrics))
		return EXIT_USAGE;
	if (metrics)
		return print_metrics();
	code = cli_fetch(false, "router.status", &status);
	if (code != EXIT_OK)
		return code;
	json_object_set_new(status, "schedules", scheduled_list());
	if (as_json)
		return cli_print_json(status);
	print_all(status);
	json_decref(status);
	return EXIT_OK;
}

void cli_status_explain(FILE *out)
{
	fputs("\n  --json     the same as one JSON object\n"
	      "  --metrics  counters and histograms as Prometheus text\n\n"
	      "Tools that were never called and can be are left out; 'cupel tools' lists all.\n"
	      "Starts no supervisor: without one the exit status is 69.\n", out);
}
