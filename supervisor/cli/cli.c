#include "supervisor/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "common/text.h"

#define VERBS_MAX 64

int cli_refuse_usage(const struct verb *verb)
{
	fprintf(stderr, "usage: cupel %s\n", verb->usage);
	return EXIT_USAGE;
}

void cli_print_verbs(FILE *out, const struct verb_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		fprintf(out, "  %-12s %s\n", table->verbs[i].name,
			table->verbs[i].help);
}

void cli_print_help(FILE *out, const struct verb *verb)
{
	fprintf(out, "usage: cupel %s\n\n%s\n", verb->usage, verb->help);
	if (verb->explain)
		verb->explain(out);
}

const struct verb *cli_find(const struct verb_table *table, const char *name)
{
	const char *names[VERBS_MAX + 1] = { NULL };

	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->verbs[i].name, name) == 0)
			return &table->verbs[i];
	for (size_t i = 0; i < table->count && i < VERBS_MAX; i++)
		names[i] = table->verbs[i].name;
	const char *meant = text_nearest(name, names);

	if (meant)
		fprintf(stderr, "%s: there is no '%s'; did you mean '%s'?\n",
			table->name, name, meant);
	else
		fprintf(stderr, "%s: there is no '%s'; see '%s --help'\n",
			table->name, name, table->name);
	return NULL;
}

int cli_run(const struct verb_table *table, int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		fprintf(stderr, "%s: what? One of these:\n", table->name);
		cli_print_verbs(stderr, table);
		return EXIT_USAGE;
	}
	verb = cli_find(table, argv[1]);
	if (!verb)
		return EXIT_USAGE;
	if (argc > 2 && strcmp(argv[2], "--help") == 0) {
		cli_print_help(stdout, verb);
		return EXIT_OK;
	}
	return verb->run(verb, argc - 1, argv + 1);
}

void cli_begin_options(void)
{
	opterr = 0;
	optind = 0;	/* glibc: start anew */
}

int cli_next_option(const struct verb *verb, int argc, char **argv,
		    const struct option *options, const char *letters)
{
	int option = getopt_long(argc, argv, ":", options, NULL);

	if (option == -1 || (option != '?' && option != ':' &&
			     (!letters || strchr(letters, option))))
		return option;
	fprintf(stderr, option == ':' ? "cupel: '%s' wants a value\n" :
		"cupel: there is no option '%s'\n", argv[optind - 1]);
	cli_refuse_usage(verb);
	return 0;
}

bool cli_take_json(const struct verb *verb, int argc, char **argv,
		   bool *ret_json, int *ret_first)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	cli_begin_options();
	while ((option = cli_next_option(verb, argc, argv, options, NULL)) > 0)
		*ret_json = true;
	*ret_first = optind;
	return option < 0;
}

int cli_flush(void)
{
	errno = EIO;	/* of what was lost earlier no more is known */
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_OK;
	fprintf(stderr, "cupel: stdout: %s\n", strerror(errno));
	clearerr(stdout);
	return EXIT_IO;
}

int cli_print_json(json_t *json)
{
	int r = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

	json_decref(json);
	if (r < 0 && !ferror(stdout)) {
		fprintf(stderr, "cupel: no JSON: out of memory, or a text that "
				"is not UTF-8\n");
		return EXIT_INTERNAL;
	}
	putchar('\n');
	return EXIT_OK;
}
