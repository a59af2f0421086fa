/*
 * cupel improve: one campaign of the improvement loop over a repository.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/course.h"
#include "supervisor/cli/improve_report.h"
#include "supervisor/cli/repository.h"

#define GRACE_NS (10 * 60 * NS_PER_S)	/* beyond the budget: what runs by then */
#define SECONDS_MAX 86400

struct wanted {
	const char *directory;
	json_t *arguments;	/* of improve.run */
	int64_t time_ns;	/* 0: no budget */
	bool json;
};

/* ---- arguments ---- */

static bool refuse(const char *option, const char *value, const char *form)
{
	fprintf(stderr, "cupel improve: %s %s: %s\n", option, value, form);
	return false;
}

static bool take_number(struct wanted *wanted, const char *option, const char *name,
			const char *text, long long most)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < 0 || number > most ||
	    (number == 0 && strcmp(name, "seed") != 0)) {
		fprintf(stderr, "cupel improve: %s %s: a whole number up to %lld\n", option,
			text, most);
		return false;
	}
	json_object_set_new(wanted->arguments, name, json_integer(number));
	return true;
}

static bool take_time(struct wanted *wanted, const char *text)
{
	struct error why;

	if (text_parse_duration(text, &wanted->time_ns, &why) < 0 ||
	    wanted->time_ns < NS_PER_S || wanted->time_ns > SECONDS_MAX * NS_PER_S)
		return refuse("--budget time", text, "a duration such as 90s, 5m, 2h, up to 24h");
	json_object_set_new(wanted->arguments, "time_s",
			    json_integer(wanted->time_ns / NS_PER_S));
	return true;
}

/* "time=5m,runs=200" */
static bool take_budget(struct wanted *wanted, char *text)
{
	char *const names[] = { (char[]){ "time" }, (char[]){ "runs" }, NULL };
	char *value;

	while (*text) {
		int which = getsubopt(&text, names, &value);

		if (which < 0 || !value)
			return refuse("--budget", value ? value : "", "write time=5m,runs=200, or one of them");
		if (which == 0 ? !take_time(wanted, value) :
				 !take_number(wanted, "--budget runs", "runs", value, 1000000))
			return false;
	}
	return true;
}

static bool take_mode(struct wanted *wanted, const char *text)
{
	static const char *const modes[] = { "observe", "propose", "approve", "auto", NULL };

	for (size_t i = 0; modes[i]; i++)
		if (strcmp(modes[i], text) == 0) {
			json_object_set_new(wanted->arguments, "mode", json_string(text));
			return true;
		}
	return refuse("--mode", text, "one of observe, propose, approve, auto");
}

static bool take_option(struct wanted *wanted, int option)
{
	switch (option) {
	case 'm': return take_mode(wanted, optarg);
	case 'r': return take_number(wanted, "--rounds", "rounds", optarg, 1000);
	case 'b': return take_budget(wanted, optarg);
	case 'M': json_object_set_new(wanted->arguments, "metric", json_string(optarg)); return true;
	case 's': return take_number(wanted, "--seed", "seed", optarg, 1LL << 53);
	default: wanted->json = true; return true;
	}
}

static bool take_options(const struct verb *verb, int argc, char **argv,
			 struct wanted *wanted)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "budget", required_argument, NULL, 'b' },
		{ "metric", required_argument, NULL, 'M' },
		{ "seed", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, options, NULL)) > 0)
		if (!take_option(wanted, option))
			return false;
	if (option == 0)
		return false;
	if (argc > optind + 1)
		return cli_refuse_usage(verb), false;
	wanted->directory = optind < argc ? argv[optind] : ".";
	return true;
}

/* ---- the campaign ---- */

static int run(const struct wanted *wanted, json_t **ret, struct error *why)
{
	AUTO_REPOSITORY struct repository repository;
	AUTO_DISCONNECT struct connection *connection = NULL;
	AUTO_COURSE struct course course = {
		.name = "improve", .budget_ns = wanted->time_ns,
		.shows_progress = isatty(STDERR_FILENO) && !wanted->json,
	};
	json_t *arguments = json_copy(wanted->arguments), *copies = json_array();
	int r = repository_open(&repository, wanted->directory, true, why);

	if (r == 0)
		r = connect_open(true, &connection, why);
	if (r == 0)
		r = repository_register(&repository, connection, true, why);
	for (size_t i = 0; i < REPOSITORY_COPIES; i++)
		json_array_append_new(copies, json_integer(repository.copies[i]));
	json_object_set_new(arguments, "workspace", json_string(repository.path));
	json_object_set_new(arguments, "copies", copies);
	if (r < 0) {
		json_decref(arguments);
		return r;
	}
	return course_ask(&course, &connection->client, "improve.run", repository.number,
			  arguments, wanted->time_ns ? wanted->time_ns + GRACE_NS : 0, ret, why);
}

static int tell(const struct wanted *wanted, json_t *report)
{
	bool found = improve_report_found(report);
	struct table table;

	if (wanted->json)
		cli_print_json(json_incref(report));
	table_init(&table, stdout, IMPROVE_NAME_WIDTH, IMPROVE_STATE_WIDTH);
	if (!wanted->json)
		improve_report_print(&table, report);
	json_decref(report);
	return found ? EXIT_OK : EXIT_FAILED;
}

int cli_improve(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted = { .arguments = json_object() };
	json_t *report = NULL;
	struct error why;
	int r, code = EXIT_USAGE;

	if (take_options(verb, argc, argv, &wanted)) {
		r = run(&wanted, &report, &why);
		code = r < 0 ? cli_fail(&why) : tell(&wanted, report);
	}
	json_decref(wanted.arguments);
	return code;
}

void cli_improve_explain(FILE *out)
{
	fputs("\nBuilds the present commit of the git repository at DIR (.), runs its tests,\n"
	      "measures its benchmark, tries the knobs of its cupel.conf in private copies,\n"
	      "and proves the best of them side by side with what is there.\n\n"
	      "  --mode observe   only measure, against the targets\n"
	      "  --mode propose   prove, and leave the choice to you (if not said otherwise)\n"
	      "  --mode approve   prove, and note what was proven as approved\n"
	      "  --mode auto      and commit it, if the tests pass and confidence and gain\n"
	      "                   exceed their thresholds; take back what turns out worse\n"
	      "  --rounds N       settings to measure while searching\n"
	      "  --budget B       time=5m,runs=200, or one of the two: end by then\n"
	      "  --metric B.M     the metric M of benchmark B is to get better\n"
	      "  --seed N         the same seed makes the same choices\n"
	      "  --json           print the whole report as JSON\n\n"
	      "Ctrl-C ends it; what is uncommitted is never touched. The exit status is 0 if\n"
	      "something was proven, 1 if not, else as of 'cupel call'.\n", out);
}
