/*
 * cupel log: what happened, read from the log files; no supervisor is needed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/places.h"
#include "common/settings.h"
#include "common/text.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/grid.h"
#include "supervisor/cli/logtail.h"
#include "supervisor/cli/snapshot.h"

#define LINE_LIMITS ((struct json_limits){ 64 << 10, 8 })
#define FOLLOW_NS (NS_PER_S / 5)
#define DAY_CHARACTERS 10	/* of "2026-01-02T03:04:05.123456789Z" */
#define TIME_CHARACTERS 12
#define WORDS_COLUMN 22	/* behind time and level */

struct request {
	enum log_level least;
	const char *component;		/* NULL: all */
	json_int_t call;		/* 0: all */
	char since[CLOCK_TEXT_BYTES];	/* "": from the beginning */
	bool filters, follow, json;
};

/* ---- arguments ---- */

static bool take_level(const char *name, enum log_level *ret)
{
	const char *names[LEVEL_COUNT + 1] = { NULL }, *meant;

	for (int level = 0; level < LEVEL_COUNT; level++) {
		names[level] = log_level_name((enum log_level)level);
		if (strcmp(names[level], name) == 0) {
			*ret = (enum log_level)level;
			return true;
		}
	}
	meant = text_nearest(name, names);
	fprintf(stderr, "cupel: there is no level '%s'; %s%s\n", name,
		meant ? "did you mean " : "there are debug, info, notice, warning, error, ",
		meant ? meant : "critical");
	return false;
}

static bool take_number(const char *text, json_int_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno == 0 && *text && *end == '\0' && *ret > 0)
		return true;
	fprintf(stderr, "cupel: --call %s: a number from 1\n", text);
	return false;
}

static bool take_since(const char *text, struct request *ret)
{
	struct error why;
	int64_t ns;

	if (text_parse_duration(text, &ns, &why) < 0) {
		fprintf(stderr, "cupel: --since %s\n", why.text);
		return false;
	}
	clock_text(clock_wall_ns() - ns, ret->since);
	return true;
}

static bool take_option(const struct verb *verb, int option, const char *word,
			struct request *ret)
{
	ret->filters |= option == 'l' || option == 'c' || option == 'n' || option == 's';
	switch (option) {
	case 'l':
		return take_level(optarg, &ret->least);
	case 'n':
		return take_number(optarg, &ret->call);
	case 's':
		return take_since(optarg, ret);
	case 'c':
		ret->component = optarg;
		return true;
	case 'f':
		return ret->follow = true;
	case 'j':
		return ret->json = true;
	default:
		fprintf(stderr, "cupel: there is no option '%s'\n", word);
		cli_refuse_usage(verb);
		return false;
	}
}

static bool take_options(const struct verb *verb, int argc, char **argv,
			 struct request *ret)
{
	static const struct option options[] = {
		{ "level", required_argument, NULL, 'l' },
		{ "component", required_argument, NULL, 'c' },
		{ "call", required_argument, NULL, 'n' },
		{ "since", required_argument, NULL, 's' },
		{ "follow", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1)
		if (!take_option(verb, option, argv[optind - 1], ret))
			return false;
	if (optind < argc)
		return cli_refuse_usage(verb), false;
	return true;
}

/* Where the supervisor of this user writes, by its settings. */
static int find_directory(char *ret, size_t size, struct error *why)
{
	struct settings settings = { 0 };
	struct places places;
	struct config config;
	int r = places_find(&places, why);

	if (r == 0)
		r = settings_load(&config, &settings, NULL, why);
	if (r < 0)
		return r;
	snprintf(ret, size, "%s", settings.log.dir && *settings.log.dir ?
		 settings.log.dir : places.log);
	config_release(&config);
	return 0;
}

/* ---- which records ---- */

static enum log_level level_of(const json_t *record)
{
	const char *name = member_text(record, "level");

	for (int level = 0; level < LEVEL_COUNT; level++)
		if (strcmp(log_level_name((enum log_level)level), name) == 0)
			return (enum log_level)level;
	return LEVEL_CRITICAL;	/* what we do not know is not hidden */
}

/* "echo" is the pool, and its worker "echo/3" as well. */
static bool is_of(const char *name, const char *component)
{
	size_t length = strlen(component);

	return strncmp(name, component, length) == 0 &&
	       (name[length] == '\0' || name[length] == '/');
}

static bool is_about(const json_t *record, const char *component)
{
	return is_of(member_text(record, "component"), component) ||
	       is_of(member_text(record, "worker"), component);
}

static bool is_wanted(const json_t *record, const struct request *request)
{
	return level_of(record) >= request->least &&
	       (!request->component || is_about(record, request->component)) &&
	       (!request->call || json_integer_value(json_object_get(record, "call")) ==
		request->call) &&
	       strcmp(member_text(record, "ts"), request->since) >= 0;
}

/* ---- telling ---- */

static void print_escaped(FILE *out, const char *text)
{
	char escaped[LOG_LINE_BYTES];

	text_escape(span_of_text(text), escaped, sizeof(escaped));
	fputs(escaped, out);
}

static void print_field(FILE *out, const char *name, const json_t *value, int *count)
{
	fputs((*count)++ ? ", " : " (", out);
	print_escaped(out, name);
	fputc(' ', out);
	if (json_is_string(value))
		print_escaped(out, json_string_value(value));
	else
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* What stands in columns of its own is not told again. */
static bool has_column(const char *name)
{
	static const char *const columns[] = { "ts", "level", "component", "pid", "msg" };

	for (size_t i = 0; i < COUNT(columns); i++)
		if (strcmp(columns[i], name) == 0)
			return true;
	return false;
}

static void print_day(const char *stamp)
{
	static char day[DAY_CHARACTERS + 1];

	if (strncmp(day, stamp, DAY_CHARACTERS) == 0)
		return;
	snprintf(day, sizeof(day), "%s", stamp);
	printf("--- ");
	print_escaped(stdout, day);
	printf(", UTC\n");
}

static void print_words(FILE *out, json_t *record)
{
	const char *name;
	int count = 0;
	json_t *value;

	print_escaped(out, member_text(record, "component"));
	fputs(": ", out);
	print_escaped(out, member_text(record, "msg"));
	json_object_foreach(record, name, value)
		if (!has_column(name))
			print_field(out, name, value, &count);
	fputs(count ? ")" : "", out);
}

/* On a terminal the words wrap; elsewhere a record is a line. */
static void print_record(json_t *record, const struct table *look)
{
	const char *stamp = member_text(record, "ts");
	AUTO_FREE char *words = NULL;
	size_t length;
	FILE *out = open_memstream(&words, &length);

	print_day(stamp);
	printf("%-*.*s %-8s ", TIME_CHARACTERS, TIME_CHARACTERS,
	       strlen(stamp) > DAY_CHARACTERS ? stamp + DAY_CHARACTERS + 1 : "",
	       member_text(record, "level"));
	if (!out)
		return;
	print_words(out, record);
	fclose(out);
	if (look->terminal)
		table_wrap(look, WORDS_COLUMN, words);
	else
		puts(words);
}

/* A line that is no record is told as it is, unless records are chosen. */
static void tell(const char *line, const struct request *request, const struct table *look)
{
	json_t *record;

	if (json_parse(span_of_text(line), LINE_LIMITS, &record, NULL) < 0) {
		if (request->filters)
			return;
		print_escaped(stdout, line);
		putchar('\n');
		return;
	}
	if (!is_wanted(record, request))
		;
	else if (request->json)
		puts(line);
	else
		print_record(record, look);
	json_decref(record);
}

static void tell_all(struct logtail *tail, const struct request *request)
{
	const struct timespec pause = { 0, FOLLOW_NS };
	struct table look;
	const char *line;

	table_init(&look, stdout, 0, 0);
	do {
		while ((line = logtail_next(tail)))
			tell(line, request, &look);
		fflush(stdout);
		if (request->follow) {
			nanosleep(&pause, NULL);
			logtail_look(tail);
		}
	} while (request->follow && !ferror(stdout));
}

int cli_log(const struct verb *verb, int argc, char **argv)
{
	static struct logtail tail;
	struct request request = { .least = LEVEL_DEBUG };
	char directory[PLACES_BYTES];
	struct error why;

	if (!take_options(verb, argc, argv, &request))
		return EXIT_USAGE;
	if (find_directory(directory, sizeof(directory), &why) < 0) {
		fprintf(stderr, "cupel: %s\n", why.text);
		return EXIT_CONFIG;
	}
	if (logtail_open(&tail, directory, &why) < 0) {
		fprintf(stderr, "cupel: %s; a supervisor that has run leaves its log there\n",
			why.text);
		return EXIT_NO_INPUT;
	}
	tell_all(&tail, &request);
	logtail_close(&tail);
	return EXIT_OK;
}

void cli_log_explain(FILE *out)
{
	fputs("\n  --level L      that serious or more: debug, info, notice, warning, error,\n"
	      "                 critical\n"
	      "  --component C  of monitor, router, or a worker such as echo or echo/3\n"
	      "  --call N       about that call\n"
	      "  --since D      not older than 500ms, 30s, 10m, 2h\n"
	      "  -f, --follow   go on with what is written from now on\n"
	      "  --json         the lines as they stand in the files\n", out);
}
