/*
 * cupel improvements, show, bottlenecks, trend, lessons, stats: what the store knows;
 * approve, reject, apply, rollback: what becomes of an improvement.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/course.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/improve_report.h"
#include "supervisor/cli/ledger.h"
#include "supervisor/cli/repository.h"

#define STORE_NS (30 * NS_PER_S)
#define APPLY_NS (10 * 60 * NS_PER_S)

struct wanted {
	bool json, all, here, inverse;
	const char *reason;
	const char *forget;
	const char *word;	/* the argument; NULL: none */
};

/* ---- arguments ---- */

static const struct option known_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "all", no_argument, NULL, 'a' },
	{ "here", no_argument, NULL, 'h' },
	{ "inverse", no_argument, NULL, 'i' },
	{ "reason", required_argument, NULL, 'r' },
	{ "forget", required_argument, NULL, 'f' },
	{ 0 },
};

/* letters: which of the options the verb has; count: of its arguments. */
static bool take(const struct verb *verb, int argc, char **argv, const char *letters,
		 int count, struct wanted *ret)
{
	int option;

	*ret = (struct wanted){ 0 };
	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, known_options, letters)) > 0) {
		ret->json |= option == 'j';
		ret->all |= option == 'a';
		ret->here |= option == 'h';
		ret->inverse |= option == 'i';
		if (option == 'r')
			ret->reason = optarg;
		if (option == 'f')
			ret->forget = optarg;
	}
	if (option == 0)
		return false;
	if (argc != optind + count)
		return cli_refuse_usage(verb), false;
	ret->word = count ? argv[optind] : NULL;
	return true;
}

/* what: an improvement or a lesson; verb lists those there are. */
static bool take_id(const char *text, const char *what, const char *verb, json_int_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && *ret > 0)
		return true;
	fprintf(stderr, "cupel: '%s' is no %s's number; see 'cupel %s'\n", text, what, verb);
	return false;
}

/* ---- asking ---- */

/* Asks a tool of the improvement loop, in a workspace or (0) none. */
static int ask(struct connection *connection, const char *tool, uint32_t workspace,
	       json_t *arguments, int64_t timeout_ns, json_t **ret, struct error *why)
{
	AUTO_COURSE struct course course = {
		.name = tool, .shows_progress = isatty(STDERR_FILENO),
	};

	return course_ask(&course, &connection->client, tool, workspace, arguments,
			  timeout_ns, ret, why);
}

/* Asks the store alone; an exit code. instead: what to say in place of that refusal. */
static int ask_store_for(const char *tool, json_t *arguments, json_t **ret,
			 enum error_code refusal, const char *instead)
{
	AUTO_DISCONNECT struct connection *connection = NULL;
	struct error why;
	int code = cli_connect(true, &connection);

	if (code != EXIT_OK) {
		json_decref(arguments);
		return code;
	}
	int r = ask(connection, tool, 0, arguments, STORE_NS, ret, &why);

	if (r < 0 && why.code == refusal)
		error_set_code(&why, r, refusal, "%s", instead);
	return r < 0 ? cli_fail(&why) : EXIT_OK;
}

static int ask_store(const char *tool, json_t *arguments, json_t **ret)
{
	return ask_store_for(tool, arguments, ret, ERROR_OK, "");
}

/* The repository one is in; with --all, or outside of any, all of them. */
static json_t *scope(const struct wanted *wanted)
{
	char path[PATH_MAX];
	struct error ignored;
	json_t *ret = json_object();

	if (!wanted->all && repository_top(".", path, &ignored) == 0)
		json_object_set_new(ret, "workspace", json_string(path));
	return ret;
}

/* ---- lists ---- */

/* Those that come first, if the store has more than it gave. */
static int print_list(const struct wanted *wanted, json_t *answer, const char *key,
		      void (*print)(const struct table *look, const json_t *list),
		      const char *none)
{
	const json_t *list = json_object_get(answer, key);
	struct table table;

	if (wanted->json)
		return cli_print_json(answer);
	table_init(&table, stdout, 0, 0);
	if (json_array_size(list))
		print(&table, list);
	else
		fprintf(stderr, "cupel: %s\n", none);
	if (member_number(answer, "count") > (double)json_array_size(list))
		printf("\nthe first %zu of %.0f; 'cupel call store.%s' takes a \"limit\"\n",
		       json_array_size(list), member_number(answer, "count"), key);
	json_decref(answer);
	return EXIT_OK;
}

int cli_improvements(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	json_t *answer;
	int code;

	if (!take(verb, argc, argv, "ja", 0, &wanted))
		return EXIT_USAGE;
	code = ask_store("store.improvements", scope(&wanted), &answer);
	return code != EXIT_OK ? code :
	       print_list(&wanted, answer, "improvements", ledger_list,
			  "no improvement so far; 'cupel improve' looks for one");
}

void cli_improvements_explain(FILE *out)
{
	fputs("\nOf the repository one is in, the newest first; --all: of every repository.\n"
	      "\n  proposed  'cupel show ID' tells whether it is proven: then 'cupel approve ID',\n"
	      "            else 'cupel improve' proves it; or 'cupel reject ID'\n"
	      "  approved  'cupel apply ID' commits it\n"
	      "  applied   committed, and measured again by every 'cupel improve'\n", out);
}

int cli_bottlenecks(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	json_t *answer;
	int code;

	if (!take(verb, argc, argv, "ja", 0, &wanted))
		return EXIT_USAGE;
	code = ask_store("store.bottlenecks", scope(&wanted), &answer);
	return code != EXIT_OK ? code :
	       print_list(&wanted, answer, "bottlenecks", ledger_bottlenecks,
			  "nothing misses its target; targets stand in cupel.conf");
}

static int print_trend(const struct wanted *wanted, json_t *answer)
{
	const json_t *trend = json_object_get(answer, "trend");
	struct table table;

	if (wanted->json)
		return cli_print_json(answer);
	table_init(&table, stdout, 0, 0);
	if (json_array_size(trend))
		ledger_trend(&table, trend, json_object_get(answer, "environments"));
	else
		fputs("cupel: never measured; write BENCHMARK.METRIC as in cupel.conf\n", stderr);
	json_decref(answer);
	return EXIT_OK;
}

int cli_trend(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	json_t *answer = NULL, *environments = NULL, *arguments;
	char path[PATH_MAX];
	struct error why;
	int code;

	if (!take(verb, argc, argv, "j", 1, &wanted))
		return EXIT_USAGE;
	if (!strchr(wanted.word, '.')) {
		fprintf(stderr, "cupel: '%s' is no metric; write BENCHMARK.METRIC as in cupel.conf\n",
			wanted.word);
		return EXIT_USAGE;
	}
	if (repository_top(".", path, &why) < 0)
		return cli_fail(&why);
	arguments = json_pack("{s:s, s:s}", "workspace", path, "metric", wanted.word);
	code = ask_store("store.trend", json_incref(arguments), &answer);
	if (code == EXIT_OK)
		code = ask_store("store.environments", json_incref(arguments), &environments);
	json_decref(arguments);
	if (code != EXIT_OK) {
		json_decref(answer);
		return code;
	}
	json_object_update(answer, environments);
	json_decref(environments);
	return print_trend(&wanted, answer);
}

void cli_trend_explain(FILE *out)
{
	fputs("\nWhat the program measured in each campaign over the repository one is in, before\n"
	      "any change, and the medians of 'cupel bench', the newest first. What is older than\n"
	      "a week stands there by the minute, and later by the hour: how many values there\n"
	      "were, their mean and range. Metrics are named as in cupel.conf.\n", out);
}

static int forget(const struct wanted *wanted)
{
	json_t *answer;
	json_int_t lesson;
	int code;

	if (!take_id(wanted->forget, "lesson", "lessons", &lesson))
		return EXIT_USAGE;
	code = ask_store("store.forget", json_pack("{s:I}", "lesson", lesson), &answer);
	if (code != EXIT_OK || wanted->json)
		return code != EXIT_OK ? code : cli_print_json(answer);
	printf("forgotten: %s\n", member_text(answer, "statement"));
	json_decref(answer);
	return EXIT_OK;
}

int cli_lessons(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	json_t *answer;
	int code;

	if (!take(verb, argc, argv, "jaf", 0, &wanted))
		return EXIT_USAGE;
	if (wanted.forget)
		return forget(&wanted);
	code = ask_store("store.lessons", scope(&wanted), &answer);
	return code != EXIT_OK ? code :
	       print_list(&wanted, answer, "lessons", ledger_lessons,
			  "no lesson so far; 'cupel improve' learns from what it tries");
}

void cli_lessons_explain(FILE *out)
{
	fputs("\nOf the repository one is in; --all: of every repository.\n\n"
	      "  knob      a value that failed where others worked; it is not tried again\n"
	      "  setting   what became of a proposal; one that was rejected for what it gained\n"
	      "            is not proposed again for that metric, one that failed or was taken\n"
	      "            back for none\n\n"
	      "A lesson counts for 90 days since it was last seen; --forget ID ends it now.\n", out);
}

int cli_stats(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	struct table table;
	json_t *answer;
	int code;

	if (!take(verb, argc, argv, "ja", 0, &wanted))
		return EXIT_USAGE;
	code = ask_store("store.stats", scope(&wanted), &answer);
	if (code != EXIT_OK || wanted.json)
		return code != EXIT_OK ? code : cli_print_json(answer);
	table_init(&table, stdout, LEDGER_NAME_WIDTH, 0);
	ledger_stats(&table, answer);
	json_decref(answer);
	return EXIT_OK;
}

void cli_scope_explain(FILE *out)
{
	fputs("\nOf the repository one is in; --all: of every repository.\n", out);
}

/* ---- one ---- */

/* The row of the improvement that the argument names; an exit code. */
static int fetch(const struct wanted *wanted, json_int_t *ret_id, json_t **ret)
{
	char missing[100];
	json_t *answer;
	int code;

	if (!take_id(wanted->word, "improvement", "improvements", ret_id))
		return EXIT_USAGE;
	snprintf(missing, sizeof(missing),
		 "there is no improvement %lld; 'cupel improvements --all' lists them",
		 (long long)*ret_id);
	code = ask_store_for("store.improvement", json_pack("{s:I}", "improvement", *ret_id),
			     &answer, ERROR_NOT_FOUND, missing);
	if (code != EXIT_OK)
		return code;
	*ret = json_incref(json_object_get(answer, "improvement"));
	json_decref(answer);
	return *ret ? EXIT_OK : EXIT_INTERNAL;
}

/* The patch alone, for patch(1). */
static int print_inverse(const json_t *row, json_int_t id)
{
	const json_t *rollback = json_object_get(json_object_get(row, "apply"), "rollback");
	const char *patch = json_string_value(json_object_get(rollback, "inverse"));

	if (patch && *patch)
		return fputs(patch, stdout) < 0 ? EXIT_INTERNAL : EXIT_OK;
	fprintf(stderr, "cupel: improvement %lld was never applied\n", (long long)id);
	return EXIT_FAILED;
}

int cli_show(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	struct table table;
	json_int_t id;
	json_t *row;
	int code;

	if (!take(verb, argc, argv, "ji", 1, &wanted))
		return EXIT_USAGE;
	code = fetch(&wanted, &id, &row);
	if (code == EXIT_OK && wanted.inverse) {
		code = print_inverse(row, id);
		json_decref(row);
		return code;
	}
	if (code != EXIT_OK || wanted.json)
		return code != EXIT_OK ? code : cli_print_json(row);
	table_init(&table, stdout, LEDGER_NAME_WIDTH, 0);
	ledger_show(&table, row);
	json_decref(row);
	return EXIT_OK;
}

/* ---- its status ---- */

/*
 * What cannot become of an improvement, by its status: the words for it, and
 * the verb that leads on. What has no row is left to the store and the tools.
 */
static const struct refusal {
	const char *status, *verbs, *words, *next, *does;
} refusals[] = {
	{ "proposed", "apply", "is not approved yet", "approve", "approves it" },
	{ "proposed", "rollback", "was never applied", "reject", "declines it" },
	{ "open", "approve reject", "is approved, and applying it was cut short", "rollback",
	  "ends that and takes it back" },
	{ "approved", "approve", "is approved already", "apply", "commits it" },
	{ "approved", "rollback", "was never applied", "reject", "declines it" },
	{ "testing", "approve apply rollback", "is being tested", "show",
	  "tells what came of it" },
	{ "applied", "approve reject", "is applied", "rollback", "takes it back" },
	{ "rolling_back", "approve reject apply", "is being taken back", "rollback", "ends that" },
	{ "rolled_back", "reject", "was taken back, which counts as much", "show", "tells why" },
	{ "rolled_back", "approve apply", "was taken back", "show", "tells why" },
	{ "rejected", "approve reject apply rollback", "was rejected", "show", "tells why" },
};

/* An apply was begun, and whoever began it was killed or is at it still. */
static bool is_open(const json_t *row)
{
	const json_t *apply = json_object_get(row, "apply");

	return json_is_object(apply) && json_is_null(json_object_get(apply, "success")) &&
	       strcmp(member_text(row, "status"), "approved") == 0;
}

static int check_status(const struct verb *verb, json_int_t id, const json_t *row)
{
	const char *status = member_text(row, "status");
	struct error why;

	if (is_open(row))
		status = "open";
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct refusal *refusal = &refusals[i];

		if (strcmp(refusal->status, status) != 0 || !strstr(refusal->verbs, verb->name))
			continue;
		error_set_code(&why, -EPERM, ERROR_FAILED_PRECONDITION,
			       "improvement %lld %s; 'cupel %s %lld' %s", (long long)id,
			       refusal->words, refusal->next, (long long)id, refusal->does);
		return cli_fail(&why);
	}
	return EXIT_OK;
}

/* The row of the improvement that the verb is to change; an exit code. */
static int fetch_for(const struct verb *verb, const struct wanted *wanted, json_int_t *ret_id,
		     json_t **ret)
{
	int code = fetch(wanted, ret_id, ret);

	if (code != EXIT_OK)
		return code;
	code = check_status(verb, *ret_id, *ret);
	if (code != EXIT_OK)
		json_decref(*ret);
	return code;
}

static int move(const struct verb *verb, int argc, char **argv, const char *to)
{
	struct wanted wanted;
	json_int_t id;
	json_t *row, *answer = NULL, *arguments;
	char instead[100];
	int code;

	if (!take(verb, argc, argv, "jr", 1, &wanted))
		return EXIT_USAGE;
	code = fetch_for(verb, &wanted, &id, &row);
	if (code != EXIT_OK)
		return code;
	arguments = json_pack("{s:I, s:O, s:s, s:s}", "improvement", id, "from",
			      json_object_get(row, "status"), "to", to, "reason",
			      wanted.reason ? wanted.reason : "by hand");
	snprintf(instead, sizeof(instead), strcmp(to, "approved") == 0 ?
		 "improvement %lld is not proven yet, or has just changed; 'cupel improve' proves it" :
		 "improvement %lld has just changed; see 'cupel improvements'", (long long)id);
	json_decref(row);
	code = ask_store_for("store.status", arguments, &answer, ERROR_FAILED_PRECONDITION,
			     instead);
	json_decref(answer);
	if (code != EXIT_OK)
		return code;
	if (wanted.json)
		return cli_print_json(json_pack("{s:I, s:s}", "improvement", id, "status", to));
	printf("improvement %lld is %s", (long long)id, to);
	if (strcmp(to, "approved") == 0)
		printf("; 'cupel apply %lld' commits it", (long long)id);
	putchar('\n');
	return EXIT_OK;
}

int cli_approve(const struct verb *verb, int argc, char **argv)
{
	return move(verb, argc, argv, "approved");
}

int cli_reject(const struct verb *verb, int argc, char **argv)
{
	return move(verb, argc, argv, "rejected");
}

void cli_reason_explain(FILE *out)
{
	fputs("\n  --reason TEXT  is kept beside it\n", out);
}

/* ---- commits ---- */

/* Calls the tool in the repository that the improvement is of. */
static int act(const json_t *row, const char *tool, json_t *arguments, json_t **ret,
	       struct error *why)
{
	AUTO_REPOSITORY struct repository repository;
	AUTO_DISCONNECT struct connection *connection = NULL;

	repository_at(&repository, member_text(row, "workspace"));
	int r = connect_open(true, &connection, why);

	if (r == 0)
		r = repository_register(&repository, connection, false, why);
	if (r < 0) {
		json_decref(arguments);
		return r;
	}
	json_object_set(arguments, "workspace", json_object_get(row, "workspace"));
	json_object_set(arguments, "improvement", json_object_get(row, "improvement"));
	return ask(connection, tool, repository.number, arguments, APPLY_NS, ret, why);
}

/* The plan of the last proof; NULL: none. */
static const json_t *plan_of(const json_t *row)
{
	const json_t *experiments = json_object_get(row, "experiments"), *one, *ret = NULL;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)experiments, i, one)
		if (strcmp(member_text(one, "kind"), "validate") == 0)
			ret = json_object_get(one, "plan");
	return ret;
}

/* report is stolen. */
static void tell_applied(json_int_t id, const json_t *row, json_t *report)
{
	const char *branch = json_string_value(json_object_get(report, "branch"));
	const char *commit = json_string_value(json_object_get(report, "commit"));
	bool repository = !json_is_false(json_object_get(report, "repository"));

	printf("improvement %lld is ", (long long)id);
	if (repository)
		printf("%.12s%s%s", commit ? commit : "-", branch ? " on " : "",
		       branch ? branch : "");
	else
		printf("in the files");
	printf("\n'cupel rollback %lld' takes it back\n", (long long)id);
	if (repository)
		improve_report_by_hand(stdout, commit, plan_of(row));
	json_decref(report);
}

int cli_apply(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	struct error why;
	json_int_t id;
	json_t *row, *report = NULL;
	int code, r;

	if (!take(verb, argc, argv, "jh", 1, &wanted))
		return EXIT_USAGE;
	code = fetch_for(verb, &wanted, &id, &row);
	if (code != EXIT_OK)
		return code;
	r = act(row, "improve.apply", json_pack("{s:b}", "here", wanted.here), &report, &why);
	if (r < 0)
		code = cli_fail(&why);
	else if (wanted.json)
		code = cli_print_json(report);
	else
		tell_applied(id, row, report);
	json_decref(row);
	return code;
}

void cli_apply_explain(FILE *out)
{
	fputs("\nCommits an approved improvement on top of the present commit, on the branch\n"
	      "cupel/improve-ID.\n\n"
	      "Without git the files are changed, as --here does.\n\n"
	      "  --here  on the branch that is checked out; its files change with it, unless\n"
	      "          one of them has changes of yours: then nothing is done\n", out);
}

int cli_rollback(const struct verb *verb, int argc, char **argv)
{
	struct wanted wanted;
	struct error why;
	json_int_t id;
	json_t *row, *report = NULL;
	int code, r;

	if (!take(verb, argc, argv, "jr", 1, &wanted))
		return EXIT_USAGE;
	code = fetch_for(verb, &wanted, &id, &row);
	if (code != EXIT_OK)
		return code;
	r = act(row, "improve.rollback",
		json_pack("{s:s}", "reason", wanted.reason ? wanted.reason : "by hand"), &report,
		&why);
	json_decref(row);
	if (r < 0)
		return cli_fail(&why);
	if (wanted.json)
		return cli_print_json(report);
	json_decref(report);
	printf("improvement %lld is taken back\n", (long long)id);
	return EXIT_OK;
}

void cli_rollback_explain(FILE *out)
{
	fputs("\nCommits the exact inverse of an applied improvement, if its files are as it\n"
	      "left them; else nothing is done.\n", out);
	cli_reason_explain(out);
}
