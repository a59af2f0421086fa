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
#include "supervisor/cli/schedule.h"

#define GRACE_NS (10 * 60 * NS_PER_S)	/* beyond the budget: what runs by then */
#define SECONDS_MAX 86400
#define EVERY_MAX_NS (30 * SECONDS_MAX * NS_PER_S)
#define LOAD_MOST 0.5		/* a processor; more is noise to what is measured */

struct wanted {
	const char *directory;
	json_t *arguments;	/* of improve.run */
	int64_t time_ns;	/* 0: no budget */
	int64_t every_ns, jitter_ns;	/* the former 0: once */
	double load_most;	/* this and jitter_ns below 0: not said */
	bool json, scheduled;
};

/* ---- arguments ---- */

static bool refuse(const char *option, const char *value, const char *form)
{
	fprintf(stderr, "cupel improve: %s %s: %s\n", option, value, form);
	return false;
}

static bool take_number(struct wanted *wanted, const char *option, const char *name,
			const char *text, long long least, long long most)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < least || number > most) {
		fprintf(stderr, "cupel improve: %s %s: a whole number from %lld to %lld\n",
			option, text, least, most);
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
		return refuse("--budget time", text, "a duration such as 90s, 5m, 2h, from 1s to 24h");
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
				 !take_number(wanted, "--budget runs", "runs", value, 1, 1000000))
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

static bool take_span(const char *option, const char *text, int64_t least_s, int64_t *ret_ns)
{
	struct error why;

	if (text_parse_duration(text, ret_ns, &why) == 0 && *ret_ns >= least_s * NS_PER_S &&
	    *ret_ns <= EVERY_MAX_NS)
		return true;
	return refuse(option, text, least_s ?
		      "a duration such as 30m, 6h, 7d, from 1s to 30d" :
		      "a duration such as 30m, 6h, 7d, from 0s to 30d");
}

static bool take_load(struct wanted *wanted, const char *text)
{
	char *end;

	wanted->load_most = strtod(text, &end);
	if (end != text && !*end && wanted->load_most >= 0 && wanted->load_most <= 1000)
		return true;
	return refuse("--load", text, "a number from 0 to 1000, of a processor");
}

static bool take_option(struct wanted *wanted, int option)
{
	switch (option) {
	case 'm': return take_mode(wanted, optarg);
	case 'r': return take_number(wanted, "--rounds", "rounds", optarg, 1, 1000);
	case 'b': return take_budget(wanted, optarg);
	case 'M': json_object_set_new(wanted->arguments, "metric", json_string(optarg)); return true;
	case 's': return take_number(wanted, "--seed", "seed", optarg, 0, 1LL << 53);
	case 'e': return take_span("--every", optarg, 1, &wanted->every_ns);
	case 'J': return take_span("--jitter", optarg, 0, &wanted->jitter_ns);
	case 'l': return take_load(wanted, optarg);
	case 'S': wanted->scheduled = true; return true;
	default: wanted->json = true; return true;
	}
}

/* What says something only beside another option; argument_count of directories. */
static bool check_together(const struct wanted *wanted, int argument_count)
{
	bool has_terms = wanted->jitter_ns >= 0 || wanted->load_most >= 0;
	bool has_campaign = argument_count || json_object_size(wanted->arguments) ||
			    wanted->every_ns;

	if (wanted->scheduled && (has_campaign || has_terms))
		fprintf(stderr, "cupel improve: --scheduled takes no directory and no option but --json\n");
	else if (!wanted->scheduled && !wanted->every_ns && has_terms)
		fprintf(stderr, "cupel improve: %s: belongs to --every, as in --every 6h\n",
			wanted->jitter_ns >= 0 ? "--jitter" : "--load");
	else
		return true;
	return false;
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
		{ "every", required_argument, NULL, 'e' },
		{ "jitter", required_argument, NULL, 'J' },
		{ "load", required_argument, NULL, 'l' },
		{ "scheduled", no_argument, NULL, 'S' },
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
	if (!check_together(wanted, argc - optind))
		return false;
	wanted->directory = optind < argc ? argv[optind] : ".";
	if (wanted->jitter_ns < 0)
		wanted->jitter_ns = wanted->every_ns / 10;
	if (wanted->load_most < 0)
		wanted->load_most = LOAD_MOST;
	return true;
}

/* ---- the campaign ---- */

static int run(const struct wanted *wanted, struct course *course, json_t **ret,
	       struct error *why)
{
	AUTO_REPOSITORY struct repository repository;
	AUTO_DISCONNECT struct connection *connection = NULL;
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
	return course_ask(course, &connection->client, "improve.run", repository.number,
			  arguments, wanted->time_ns ? wanted->time_ns + GRACE_NS : 0, ret, why);
}

/* At once, as the next campaign may be days away. */
static int tell(const struct wanted *wanted, json_t *report)
{
	bool found = improve_report_found(report);
	struct table table;
	int flushed;

	if (wanted->json)
		cli_print_json(json_incref(report));
	table_init(&table, stdout, IMPROVE_NAME_WIDTH, IMPROVE_STATE_WIDTH);
	if (!wanted->json)
		improve_report_print(&table, report);
	json_decref(report);
	flushed = cli_flush();
	return flushed != EXIT_OK ? flushed : found ? EXIT_OK : EXIT_FAILED;
}

static enum schedule_end end_of(const struct course *course, const struct error *why)
{
	return schedule_end_of(&(struct schedule_call){
		.code = why->code, .origin = why->origin, .cancelled = course->cancelled,
		.accepted = course->accepted, .begun = course->note[0] != '\0' });
}

/* An exit code; what a schedule makes of it besides. */
static int campaign(const void *owner, struct campaign_end *ret)
{
	const struct wanted *wanted = owner;
	AUTO_COURSE struct course course = {
		.name = "improve", .budget_ns = wanted->time_ns,
		.shows_progress = isatty(STDERR_FILENO) && !wanted->json,
	};
	struct error why = { 0 };
	json_t *report = NULL;
	bool failed = run(wanted, &course, &report, &why) < 0;
	int code = failed ? cli_fail(&why) : tell(wanted, report);

	ret->how = failed ? end_of(&course, &why) :
		   code == EXIT_IO ? SCHEDULE_FAILED : SCHEDULE_DONE;
	ret->asked = course.cancelled;
	snprintf(ret->text, sizeof(ret->text), "%s", failed ? why.text :
		 code == EXIT_IO ? "its report could not be written to stdout" :
		 code == EXIT_OK ? "found or measured something" : "found nothing");
	return code;
}

static int go_on(const struct wanted *wanted)
{
	const char *mode = json_string_value(json_object_get(wanted->arguments, "mode"));
	struct wanted each = *wanted;
	AUTO_REPOSITORY struct repository repository;
	struct scheduled scheduled = {
		.terms = { wanted->every_ns, wanted->jitter_ns, wanted->load_most },
		.mode = mode ? mode : "propose",
		.campaign = campaign, .owner = &each,
	};
	struct error why;
	int r = repository_open(&repository, wanted->directory, true, &why);

	scheduled.workspace = each.directory = repository.path;
	if (r == 0)
		r = scheduled_open(&scheduled, &why);
	return r < 0 ? cli_fail(&why) : scheduled_run(&scheduled);
}

static int list_scheduled(const struct wanted *wanted)
{
	json_t *list = scheduled_list();
	struct table look;

	if (wanted->json)
		return cli_print_json(list);
	table_init(&look, stdout, 0, 0);
	if (json_array_size(list) == 0)
		fprintf(stderr, "cupel: no schedule; 'cupel improve --every 6h' keeps one\n");
	scheduled_print(&look, list);
	json_decref(list);
	return EXIT_OK;
}

int cli_improve(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted = { .arguments = json_object(), .jitter_ns = -1,
				 .load_most = -1 };
	struct campaign_end end;
	int code = EXIT_USAGE;

	if (take_options(verb, argc, argv, &wanted))
		code = wanted.scheduled ? list_scheduled(&wanted) :
		       wanted.every_ns ? go_on(&wanted) : campaign(&wanted, &end);
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
	      "  --every D        begin one that often, from start to start, until ended\n"
	      "  --jitter D       each up to so much later; a tenth of that if not said\n"
	      "  --load L         and not with more load a processor than that; 0.5\n"
	      "  --scheduled      list the schedules that there are\n"
	      "  --json           print the whole report as JSON\n\n"
	      "Ctrl-C ends it; what is uncommitted is never touched. The exit status is 0 if\n"
	      "something was proven and was not taken back at once, 1 if not, else as of\n"
	      "'cupel call'.\n", out);
}
